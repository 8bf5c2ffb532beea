"""`make nightly`: run tonight's segmentation at once, wait for it, and print what it found.

The schedule does not run on a laptop: the emulator knows neither its time zone nor the time for which an occurrence was meant.
"""

import json
import time
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import boto3

from local.api import Api
from local.down import drain
from local.stack import Stack, give_up
from local.up import step

LOOK_SECONDS = 0.2
LANGUAGES = {"en": "English", "fa": "Persian", "zh": "Chinese"}
SUCCEEDED, RUNNING = "SUCCEEDED", "RUNNING"


def start(stack: Stack, scheduled_at: datetime) -> str:
    """Start the night's machine as the schedule does; return the execution's ARN."""
    machine = (stack.facts() or {}).get("night_machine") or give_up("the stack has no machine of the night: run `make up` again")
    settings = json.dumps({"scheduled_at": scheduled_at.isoformat()})
    client = boto3.client("stepfunctions", **stack.client_settings())
    return str(client.start_execution(stateMachineArn=machine, input=settings)["executionArn"])


def the_next(staff: Api) -> datetime:
    """Give a moment of the first day, today or later, that is beyond all days that had a night."""
    nights = staff.get("/v1/nights?limit=1")["data"]
    now = datetime.now(UTC)
    days = (date.fromisoformat(nights[0]["night"]) - now.date()).days + 1 if nights else 0
    return now + timedelta(days=max(days, 0))


def outcome(stack: Stack, execution: str) -> dict[str, Any]:
    """Wait for an execution as long as it takes: what it does is bounded by its own patience."""
    client = boto3.client("stepfunctions", **stack.client_settings())
    while (found := client.describe_execution(executionArn=execution))["status"] == RUNNING:
        time.sleep(LOOK_SECONDS)
    return dict(found)


def nightly(stack: Stack, scheduled_at: datetime) -> dict[str, Any]:
    """Run the night of a moment and return what was planned: its day, its generation, and why it was skipped, if it was."""
    ended = outcome(stack, start(stack, scheduled_at))
    if ended["status"] != SUCCEEDED:
        give_up(f"the night failed: {ended.get('error')}; what the functions say is in {stack.folder / 'emulator.log'}")
    if left := drain(stack):
        give_up(f"what follows does not get on: {left}")
    return dict(json.loads(ended["output"]))


def show(night: dict[str, Any]) -> None:
    """Print what a night found: sizes of segments, and stages of the life cycle."""
    by_facts = f"{night['from_facts']:,} of them judged by all their facts"
    print(f"night {night['night']}, {night['state']}: {night['customers']:,} customers, {by_facts}")
    segments = {name: counted["size"] for name, counted in night["segments"].items()}
    for what, sizes in (("segments", segments), ("life cycle", night["stages"])):
        print(what)
        for name, customers in sorted(sizes.items(), key=lambda each: -each[1]):
            print(f"  {name:<22}{customers:>8,}")


def report_pages(staff: Api, api_url: str, night: str) -> dict[str, str]:
    """Make links to a night's report, by language, at the address of stack.json, as those to orders are."""
    made = {language: staff.post(f"/v1/reports/{night}/links", {"language": language}, 200)["url"] for language in LANGUAGES}
    return {language: api_url + urlsplit(url).path for language, url in made.items()}


def show_report(staff: Api, api_url: str, night: str) -> None:
    """Print where the night's report is to be read, in a browser."""
    for language, page in report_pages(staff, api_url, night).items():
        print(f"{LANGUAGES[language]:<9}{page}")


def main() -> None:
    """Run tonight's, and say what there is to see."""
    stack = Stack.of_environment()
    facts = stack.facts() or give_up(f"nothing was ever started on port {stack.port}")
    with step("Ran the night"):
        planned = nightly(stack, datetime.now(UTC))
    if planned["skipped"]:
        print(f"There was nothing to do: {planned['skipped']}")
    with Api(facts["api_url"], facts["staff_key"]) as staff:
        night = staff.get(f"/v1/nights/{planned['night']}")
        show(night)
        if night["state"] == "published":
            print("the report, for everybody in the company")
            show_report(staff, facts["api_url"], night["night"])


if __name__ == "__main__":
    main()
