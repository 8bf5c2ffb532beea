"""Campaigns on the deployed stack: everybody gets what is theirs once, whoever dies meanwhile, and the books say so."""

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import boto3
import pytest

from ecrm.domain.assignment import Arm, arm_of
from ecrm.domain.imports import Kind
from ecrm.domain.instants import from_text, to_text
from ecrm.domain.messages import Send, Status
from ecrm.store import keys
from local import mail
from local.api import Api
from local.down import drain
from local.ses import Mail
from local.stack import Stack
from local.tick import follow, hurry, tick
from local.tool import tool
from local.up import make_key, put_site, wait_until
from tests.journey.conftest import redelivering
from tests.journey.test_mail import entries_of, has_killed_one, has_taken, let_pass, tags_of, wait_for_workers
from tests.journey.test_profile import wait_for_job
from tools import imports

PARADE = "parade"
"""A site that sends campaigns at any hour; its topic and its template are of this name, too."""
PEOPLE, SILENT, SUPPRESSED, NOWHERE = 500, 20, 5, 5
"""Of so many people some have not consented, some addresses are suppressed, and some people have none."""
KILLS, REDELIVERED_SECONDS = 5, 30
CONTROL = Decimal(10)
OFFER = {
    "purpose": "marketing",
    "topic": PARADE,
    "variants": {
        "en": {
            "subject": "{{ data.word }}",
            "html": '<p><a href="https://example.com/parade">To the shop</a></p>'
            '<p>{{ site.postal_address }}</p><a href="{{ links.unsubscribe }}">No more</a>',
        }
    },
}
numbers = count(1)


@contextmanager
def a_parade(stack: Stack, facts: dict[str, Any]) -> Iterator[Api]:
    """A connection of the site, which may send a person as many mails as it likes, at any hour."""
    put_site(stack, PARADE)
    with Api(facts["api_url"], facts["staff_key"]) as staff:
        staff.put(f"/v1/sites/{PARADE}", staff.get(f"/v1/sites/{PARADE}") | {"quiet_hours": None, "frequency_cap": None})
        topic = {"names": {"en": "Parade"}, "channels": ["email"], "double_opt_in": False}
        staff.put(f"/v1/topics/{PARADE}", topic, 200, 201)
        staff.put(f"/v1/templates/{PARADE}", OFFER, 200, 201)
    with Api(facts["api_url"], make_key(stack, PARADE, "staff")) as connection:
        yield connection


@pytest.fixture(scope="module")
def parade(stack: Stack, facts: dict[str, Any]) -> Iterator[Api]:
    with a_parade(stack, facts) as connection:
        yield connection


def crowd(stack: Stack, parade: Api, folder: Path, mark: str, people: int, *, silent: int = 0, nowhere: int = 0) -> str:
    """Hand in a file of people; the first few have not consented, the last few have no address. Return the segment of them."""
    said = {"channel": "email", "topic": PARADE, "state": "granted", "at": "2026-11-20T10:00:00Z", "method": "form"}
    lines = []
    for number in range(people):
        address = {"email": address_of(mark, number)} if number < people - nowhere else {}
        consents = {"consents": [said]} if silent <= number < people - nowhere else {}
        lines.append({"user_id": f"{mark}-{number}", "traits": {"came_by": mark}} | address | consents)
    file = folder / f"{mark}.ndjson"
    file.write_text("\n".join(map(json.dumps, lines)))
    found = imports.run(parade, file, Kind.CONTACTS, site=PARADE)
    assert (found["state"], found["rejects"]) == ("done", None), found
    rule = {"profile": {"path": "came_by", "op": "is", "value": mark}}
    parade.put(f"/v1/segments/{mark}", {"name": mark, "description": "Of the journey.", "rule": rule}, 200, 201)
    assert drain(stack) == {}
    return mark


def address_of(mark: str, number: int) -> str:
    return f"{mark}-{number}@example.org"


def put(parade: Api, segment: str, **about: Any) -> str:
    """Write a campaign to a segment, and return its name."""
    name = f"{segment}-{next(numbers)}-{datetime.now(UTC):%H%M%S}"
    treatments = [{"name": word, "template": PARADE, "data": {"word": word}} for word in ("come", "again")]
    definition = {
        "name": "A parade",
        "topic": PARADE,
        "audience": {"include": {"segment": {"id": segment}}},
        "messages": [{"name": "all", "treatments": treatments}],
        "control_percent": float(CONTROL),
        "expires_after_hours": 2,
    }
    written = parade.put(f"/v1/campaigns/{name}", definition | about, 201)
    assert (written["state"], written["problems"]) == ("validated", [])
    return name


def act(parade: Api, name: str, what: str) -> dict[str, Any]:
    return parade.post(f"/v1/campaigns/{name}/{what}", {}, 200)


def run_of(parade: Api, name: str) -> dict[str, Any]:
    """The only run of a campaign."""
    (run,) = parade.get(f"/v1/campaigns/{name}/runs")["data"]
    return dict(run)


def woken(stack: Stack, folder: str) -> None:
    """Wake a function as its schedule does."""
    client = boto3.client("lambda", **stack.client_settings())
    (name,) = [each["FunctionName"] for each in client.list_functions()["Functions"] if folder in each["FunctionName"]]
    assert "FunctionError" not in client.invoke(FunctionName=name, Payload="{}")


def sent_in(stack: Stack, run_id: str) -> list[Mail]:
    return [each for each in mail.mails(stack) if tags_of(each).get("run") == run_id]


def customers_in(stack: Stack, run_id: str) -> Counter[str]:
    """Who got how many mails of a run."""
    return Counter(tags_of(each)["customer"] for each in sent_in(stack, run_id))


def pages_of(table: Any, run_id: str) -> int:
    key = keys.run(run_id)
    return int(table.get_item(Key={"PK": key.pk, "SK": key.sk}, ConsistentRead=True)["Item"]["pages"])


def settled(stack: Stack, table: Any, parade: Api, name: str) -> tuple[dict[str, Any], list[Send]]:
    """Let SES tell what it took, and all the time pass that doubts wait for; return the run, with its books, and its entries."""
    run_id = run_of(parade, name)["run_id"]
    pages = pages_of(table, run_id)
    doubted = {entry.customer_id for entry in entries_of(table, run_id, pages) if entry.is_open}
    for number, each in enumerate(mail.mails(stack), start=1):
        if tags_of(each).get("run") == run_id and tags_of(each)["customer"] in doubted:
            mail.report(stack, number, "send")  # what its worker died before it wrote down
    assert drain(stack) == {}
    for _ in ("lost", "settled"):
        for page in range(pages):
            wait_until(partial(has_let_pass, table, run_id, page), "somebody is always at work on the page")
        tick(stack)
    return run_of(parade, name), entries_of(table, run_id, pages)


def has_let_pass(table: Any, run_id: str, page: int) -> bool:
    """Let time pass for a page of a roster, and tell whether nobody was at work on it."""
    try:
        let_pass(table, run_id, page, timedelta(minutes=20))
    except table.meta.client.exceptions.ConditionalCheckFailedException:
        return False
    return True


def test_a_run_of_500_reaches_each_once_however_it_is_throttled_killed_paused_and_handed_out_again(
    stack: Stack, table: Any, parade: Api, tmp_path: Path
) -> None:
    chance = random.Random(10)
    segment = crowd(stack, parade, tmp_path, "many", PEOPLE, silent=SILENT, nowhere=NOWHERE)
    for number in range(SILENT, SILENT + SUPPRESSED):
        address = {"channel": "email", "address": address_of("many", number), "reason": "manual"}
        parade.post("/v1/suppressions", address, 200, 201)
    name = put(parade, segment)
    act(parade, name, "launch")
    run_id = begun_and_planned(stack, parade, name, chance)
    with redelivering(stack, after_seconds=REDELIVERED_SECONDS) as queue:
        sent_with_hindrances(stack, parade, name, partial(hand_out, table, queue, run_id), chance)
    some_are_read(stack, run_id)
    run, entries = settled(stack, table, parade, name)
    got = customers_in(stack, run_id)
    has_balanced_books(run, entries, got)
    is_reported_alike(parade, run, got)


def begun_and_planned(stack: Stack, parade: Api, name: str, chance: random.Random) -> str:
    """Two begin the occurrence at once, and planners are killed; return the one run."""
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: woken(stack, "StartCampaigns"), range(2)))
    wait_until(partial(has_killed_one, stack, chance, "PlanAudience"), "nobody plans")
    follow(stack)
    return str(run_of(parade, name)["run_id"])


def hand_out(table: Any, queue: Callable[[str], None], run_id: str) -> None:
    """Put the messages of all pages into the queue once more, as a redrive does."""
    for page in range(pages_of(table, run_id)):
        queue(json.dumps({"type": "page", "v": 1, "run_id": run_id, "shard": page}))


def sent_with_hindrances(stack: Stack, parade: Api, name: str, redrive: Callable[[], None], chance: random.Random) -> None:
    """Let the run be sent, to be killed, throttled, paused and resumed, and handed out again in the middle."""
    before = len(mail.mails(stack))
    hurry(stack)
    woken(stack, "StartCampaigns")
    points = sorted(chance.sample(range(PEOPLE * 8 // 10), KILLS))
    for number, point in enumerate(points):
        wait_until(partial(has_taken, stack, before + point), "the run does not get on")
        if number == KILLS // 2:
            pauses_within_two_seconds(stack, parade, name)
        if number == 1:
            mail.fail(stack, "throttle", 1)
        wait_until(partial(has_killed_one, stack, chance), "no worker is busy any more")
        redrive()
    follow(stack)


def pauses_within_two_seconds(stack: Stack, parade: Api, name: str) -> None:
    assert act(parade, name, "pause")["state"] == "paused"
    at = time.time()
    wait_until(lambda: time.time() > at + 2, "time stands still")
    run_id = run_of(parade, name)["run_id"]
    taken = len(sent_in(stack, run_id))
    follow(stack)
    assert len(sent_in(stack, run_id)) == taken
    assert run_of(parade, name)["state"] == "paused"
    act(parade, name, "resume")
    assert run_of(parade, name)["state"] == "sending"
    wait_for_workers()
    woken(stack, "StartCampaigns")


def has_balanced_books(run: dict[str, Any], entries: list[Send], got: Counter[str]) -> None:
    by_status = Counter(entry.status for entry in entries)
    held_out = {
        e.customer_id for e in entries if e.ineligible is None and arm_of(run["salt"], CONTROL, e.customer_id) is Arm.CONTROL
    }
    accepted = {entry.customer_id for entry in entries if entry.status is Status.ACCEPTED}
    assert (run["state"], run["audience"], len({entry.customer_id for entry in entries})) == ("settled", PEOPLE, PEOPLE)
    assert sum(run["books"].values()) == PEOPLE
    assert (run["books"]["no_consent"], run["books"]["suppressed"]) == (SILENT + NOWHERE, SUPPRESSED)
    assert {entry.customer_id for entry in entries if entry.status is Status.HELD_OUT} == held_out
    assert run["books"]["held_out"] == len(held_out) > 0
    assert run["books"]["accepted"] == len(accepted) == by_status[Status.ACCEPTED]
    assert run["books"]["unknown"] == by_status[Status.UNKNOWN_FINAL] <= KILLS
    assert got == dict.fromkeys(accepted, 1)
    assert {word: run["books"][word] for word in ("capped", "expired", "cancelled", "failed")} == dict.fromkeys(
        ("capped", "expired", "cancelled", "failed"), 0
    )


def some_are_read(stack: Stack, run_id: str) -> None:
    """Let SES tell that the first mails of a run have arrived, and that people have followed the link in some of them."""
    told = [number for number, each in enumerate(mail.mails(stack), start=1) if tags_of(each).get("run") == run_id]
    for number in told[:20]:
        mail.report(stack, number, "deliver")
    for number in told[:5]:
        mail.report(stack, number, "click", "https://example.com/parade")
    assert drain(stack) == {}


def is_reported_alike(parade: Api, run: dict[str, Any], got: Counter[str]) -> None:
    """The report has the books, and what SES told, at the latest when a minute is over and it is counted anew."""

    def reported() -> dict[str, Any]:
        return parade.get(f"/v1/campaigns/{run['campaign']}/runs/{run['run_id']}/report")

    assert {word: reported()["books"][word] for word in (*run["books"], "open")} == run["books"] | {"open": 0}
    wait_until(lambda: reported()["mails"]["delivered"]["people"] == 20, "what SES told is not counted")
    report = reported()
    assert (report["books"]["is_balanced"], report["mails"]["accepted"]) == (True, got.total())
    assert (report["mails"]["clicked"]["people"], sum(link["people"] for link in report["links"])) == (5, 5)


def test_a_campaign_that_is_cancelled_reaches_nobody_more_and_closes_its_books(
    stack: Stack, table: Any, parade: Api, tmp_path: Path
) -> None:
    name = put(parade, crowd(stack, parade, tmp_path, "cancelled", 40), rate_per_minute=12)
    act(parade, name, "launch")
    woken(stack, "StartCampaigns")
    follow(stack)
    before = len(mail.mails(stack))
    hurry(stack)
    woken(stack, "StartCampaigns")
    wait_until(partial(has_taken, stack, before + 5), "nothing is sent")
    assert act(parade, name, "cancel")["state"] == "cancelled"
    run, entries = settled(stack, table, parade, name)
    got = customers_in(stack, run["run_id"])
    assert (run["state"], run["audience"], sum(run["books"].values())) == ("cancelled", 40, 40)
    assert got == dict.fromkeys((e.customer_id for e in entries if e.status is Status.ACCEPTED), 1)
    assert 5 <= run["books"]["accepted"] < 40 - run["books"]["held_out"]
    assert run["books"]["cancelled"] == 40 - run["books"]["held_out"] - run["books"]["accepted"]
    again = parade.call("POST", f"/v1/campaigns/{name}/launch", {})
    assert (again.status, again.body["code"]) == (409, "campaign_cancelled")


@pytest.fixture
def disarmed(stack: Stack, table: Any) -> Iterator[None]:
    """The table as a copy of it would be: it says that another one is armed."""
    key = {"PK": keys.sending().pk, "SK": keys.sending().sk}
    table.update_item(Key=key, UpdateExpression="SET armed_for = :other", ExpressionAttributeValues={":other": "another table"})
    yield
    tool(stack, "sending", "arm")


@pytest.mark.usefixtures("disarmed")
def test_in_a_table_that_is_not_armed_nothing_begins_and_what_was_due_long_ago_is_skipped_once_it_is(
    stack: Stack, table: Any, parade: Api, tmp_path: Path
) -> None:
    segment = crowd(stack, parade, tmp_path, "restored", 3)
    soon, long_ago = (put(parade, segment, control_percent=0) for _ in range(2))
    for name in (soon, long_ago):
        act(parade, name, "launch")
    tick(stack)
    assert [parade.get(f"/v1/campaigns/{name}/runs")["data"] for name in (soon, long_ago)] == [[], []]
    let_wait(table, long_ago, timedelta(hours=2))
    tool(stack, "sending", "arm")
    wait_for_workers()
    woken(stack, "StartCampaigns")  # before settle_sends, which complains that nobody came for so long
    tick(stack)
    began, skipped = run_of(parade, soon), run_of(parade, long_ago)
    assert (began["state"], began["books"]["accepted"]) == ("settled", 3)
    assert (skipped["state"], skipped["reason"], skipped["audience"]) == ("skipped", "late", None)
    assert [len(sent_in(stack, run["run_id"])) for run in (began, skipped)] == [3, 0]


def let_wait(table: Any, name: str, passed: timedelta) -> None:
    """Let a campaign's next occurrence have been due so much earlier."""
    key = {"PK": keys.campaign(name).pk, "SK": keys.campaign(name).sk}
    due = table.get_item(Key=key, ConsistentRead=True)["Item"]["due"]
    earlier = {":due": to_text(from_text(due) - passed)}
    table.update_item(Key=key, UpdateExpression="SET due = :due", ExpressionAttributeValues=earlier)


def exercise(stack: Stack, parade: Api, folder: Path) -> None:
    """Let every function that has to do with campaigns do all that it may."""
    segment = crowd(stack, parade, folder, f"exercise-{next(numbers)}", 3)
    name = put(parade, segment, control_percent=0)
    parade.get("/v1/campaigns")
    parade.post(f"/v1/campaigns/{name}/simulate", {}, 200)
    act(parade, name, "launch")
    tick(stack)
    run = run_of(parade, name)
    assert run["books"]["accepted"] == 3
    parade.get(f"/v1/campaigns/{name}/report")
    parade.post(f"/v1/campaigns/{name}/runs/{run['run_id']}/report-links", {}, 200)
    wait_for_job(parade, f"/v1/campaigns/{name}/runs/{run['run_id']}/export-jobs", {"format": "csv"})
