"""Every sample event has the outcome that events/README.md says, and every function has samples."""

import importlib
import json
import re
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from ecrm import bootstrap
from ecrm.application.jobs import read_job
from ecrm.application.night_ports import Group, NightSettings
from ecrm.application.nights import Planned, plan_night
from ecrm.application.orders import place_order
from ecrm.application.ports import Standing
from ecrm.contracts.campaigns import PutCampaignBody
from ecrm.contracts.orders import PlaceOrderBody
from ecrm.contracts.sites import PutSiteBody
from ecrm.contracts.topics import PutTopicBody
from ecrm.domain.api_keys import ALLOWED, ApiKey, KeyKind
from ecrm.domain.campaigns import Head, Life, LifeState
from ecrm.domain.imports import Drop, Import, ImportState, Kind, queued, upload_name
from ecrm.domain.instants import to_text
from ecrm.domain.jobs import Job, JobKind, JobState
from ecrm.domain.messages import Send, claim
from ecrm.domain.nights import NightState
from ecrm.domain.products import Product, Stated
from ecrm.domain.runs import RunState, run_id
from ecrm.entry.http import digest_of
from ecrm.entry.json_body import read_json
from ecrm.entry.steps import StepFailed
from tests.architecture.pages import code, table
from tests.builders import NOON, a_planned_send, a_run, a_site, a_topic, its_request
from tests.cloud import Cloud, Time
from tests.functions.api import EXAMPLE_ORDER, ROOT
from tests.functions.conftest import Logs
from tests.functions.mail import ses
from tests.functions.test_campaigns import a_campaign as a_campaign_body
from tests.notices import RUN
from tests.simulation.planning import a_campaign

EVENTS = ROOT / "events"
CUSTOMER = "019aa2c6f0b07d3e8c1f5a9b2d4e6f80"
JOB = "019aa2c7d1e07a3e9b1f5a9b2d4e6f80"
IMPORT = "019aa2c6f0b07d3e8c1f5a9b2d4e6f81"
ASKED = "019aa2c7d1e07a3e9b1f5a9b2d4e6f82"
PLANNED_RUN = "9aac5eebfb474961977c51c60e3849e4"
FAILED = [{"itemIdentifier": "059f36b4-87a3-44ab-83d2-661975830a7d"}]
ROWS = table((EVENTS / "README.md").read_text(encoding="utf-8"), "event", "outcome")
TABLE = {code(event): outcome.strip("`") for event, outcome in ROWS}
WHEN = datetime(2026, 11, 20, 18, 3, 12, tzinfo=UTC)


class TheirIds:
    """The customer's id that the samples name."""

    def customer_id(self, _now: datetime) -> str:
        return CUSTOMER

    def key_secret(self) -> str:
        raise NotImplementedError


def open_as_described() -> None:
    for kind in KeyKind:
        secret = f"ecrm_{kind}_0123456789abcdef0123456789abcdef01234567"
        key = ApiKey(key_id=kind, kind=kind, site="de", sites=frozenset(), scopes=ALLOWED[kind], name="sample", created_at=WHEN)
        bootstrap.api_keys().add(secret, key)
    bootstrap.products().write(Product("LP-1", {"name": Stated("Hejira", WHEN), "stock": Stated(3, WHEN)}, WHEN), seen=0)
    bootstrap.topics().write(PutTopicBody.model_validate(a_topic()).to_topic("news", WHEN), seen=0)
    bootstrap.jobs().add(Job(job_id=JOB, kind=JobKind.EXPORT_CUSTOMERS, requested_at=WHEN, source="api:staff"), None)
    sent = read_json(json.dumps(EXAMPLE_ORDER).encode())
    command = PlaceOrderBody.model_validate(sent).to_command("de", digest=digest_of(sent), source="api:server")
    place_order(
        command,
        None,
        orders=bootstrap.orders(),
        requests=bootstrap.requests(),
        customers=bootstrap.customers(),
        clock=bootstrap.clock,
        ids=TheirIds(),
    )


def a_planned_message() -> Send:
    planned = a_planned_send(RUN, CUSTOMER, WHEN)
    assert bootstrap.sends().add(planned, its_request(planned, order_id="A-1001"), Standing(CUSTOMER), None)
    return planned


def a_sign_up() -> None:
    """Somebody has asked for news, and for a link to confirm it by."""
    planned = a_planned_send(ASKED, CUSTOMER, WHEN, template="confirm-address")
    request = its_request(planned, data={"topics": {"news": "news/1"}})
    assert bootstrap.sends().add(planned, request, Standing(CUSTOMER), None)


def a_message_that_was_sent() -> None:
    """The message that the notices are about: nobody knows yet what became of it."""
    planned = a_planned_message()
    assert bootstrap.sends().write(claim(planned, WHEN)) is None


def an_upload_that_has_come(cloud: Cloud) -> None:
    """Two contact files: one that was dropped, and one that was asked for and that nobody has looked at yet."""
    content = b"email,first_name\nsara@example.com,Sara\nali@example.com,Ali\n"
    name = upload_name(Kind.CONTACTS, IMPORT, "customers.csv")
    for key in ("imports/contacts/customers.csv", "imports/contacts/spring 2026/café & more.csv", name):
        etag = cloud.s3.put_object(Bucket="imports", Key=key, Body=content)["ETag"].strip('"')
    waiting = Import(
        import_id=IMPORT,
        kind=Kind.CONTACTS,
        name=name,
        state=ImportState.AWAITING_UPLOAD,
        requested_at=bootstrap.clock.now(),
        source="api:staff",
        size=len(content),
        site="de",
    )
    bootstrap.imports().add(waiting, None)
    assert bootstrap.imports().announce(queued(waiting, Drop(name, len(content), etag, "01", WHEN)), "01")


def a_site_that_welcomes() -> None:
    site = PutSiteBody.model_validate(
        a_site(sender="hello@example.com", postal_address="Ringstraße 1", mails={"consent.confirmed": "welcome"})
    ).to_site("de", WHEN)
    assert bootstrap.sites().write(replace(site, version=2), seen=1) is None


def campaigns_as_described(cloud: Cloud) -> None:
    """A draft, a campaign that is to come, and one that is over; the provider lets us send as the site's sender."""
    a_site_that_welcomes()
    cloud.verify("hello@example.com")
    said = PutCampaignBody.model_validate(a_campaign_body())
    over = Life(state=LifeState.ENDED, launched_at=WHEN, revision=1)
    lives = {
        "autumn": Life(revision=1),
        "winter": Life(state=LifeState.SCHEDULED, next_at=datetime(2999, 12, 1, tzinfo=UTC), launched_at=WHEN, revision=1),
        "spring": over,
    }
    for name, life in lives.items():
        assert bootstrap.campaigns().define(Head(replace(said.to_campaign(name, "de", WHEN), version=1), life)) is None
    ended = a_run(
        PLANNED_RUN,
        messages=said.to_campaign("spring", "de", WHEN).messages,
        control_percent=said.control_percent,
        state=RunState.SETTLED,
        settled_at=NOON,
        audience=1,
        books={"no_consent": 1},
    )
    last = replace(over, last_run=PLANNED_RUN, revision=2)
    assert bootstrap.runs().begin(ended, Head(replace(said.to_campaign("spring", "de", WHEN), version=1), last))


def run(name: str, seconds: int = 60, *, when: datetime = WHEN) -> Any:
    """Hand a sample to its function, with `when` in place of the time at which it says that things happened."""
    handler = importlib.import_module(f"{name.partition('/')[0]}.handler").handler
    sample = (EVENTS / f"{name}.json").read_text(encoding="utf-8").replace(to_text(WHEN), to_text(when))
    return handler(json.loads(sample), Time(lambda: seconds * 1000))


def at(body: Any, path: str) -> str:
    for step in path.split("."):
        body = body[int(step)] if isinstance(body, list) else body[step]
    return str(body)


@pytest.mark.parametrize("name", [name for name in TABLE if "_api/" in name])
def test_a_request_is_answered_as_the_table_says(cloud: Cloud, name: str) -> None:
    open_as_described()
    a_message_that_was_sent()
    a_sign_up()
    an_upload_that_has_come(cloud)
    cloud.arm()
    cloud.project()
    if name.startswith("campaigns_api/"):
        campaigns_as_described(cloud)
    answer = run(name)
    status, *claims = TABLE[name].split()
    assert int(status) == answer["statusCode"], answer["body"]
    said = dict(claim.split("=") for claim in claims)
    if not said:
        return
    assert said == {path: at(json.loads(answer["body"]), path) for path in said}


@pytest.mark.parametrize("name", [name for name in TABLE if name.startswith("project_events/")])
def test_a_batch_of_the_stream_has_the_outcome_that_the_table_says(cloud: Cloud, name: str) -> None:
    open_as_described()
    assert {"batchItemFailures": []} == run(name)
    rows = [item for item in cloud.items() if item["PK"]["S"].startswith("STATS#")]
    assert {"counted": [CUSTOMER], "nothing": []}[TABLE[name]] == [row["SK"]["S"] for row in rows]
    assert all("1" == row["orders"]["N"] for row in rows)
    assert [] == cloud.parked()


@pytest.mark.parametrize("name", [name for name in TABLE if name.startswith("publish_events/")])
def test_a_batch_of_the_outbox_has_the_outcome_that_the_table_says(cloud: Cloud, name: str) -> None:
    is_welcomed = TABLE[name] == "welcomed"
    if is_welcomed:
        open_as_described()
        a_site_that_welcomes()
    assert {"batchItemFailures": []} == run(name, when=bootstrap.clock.now() if is_welcomed else WHEN)
    asked_for = [item["data"]["M"]["template"]["S"] for item in cloud.items("EVENT#") if item["type"]["S"] == "message.requested"]
    assert (["welcome"] if is_welcomed else []) == asked_for
    urls = (cloud.jobs_url, cloud.messages_url)
    found = [message for url in urls for message in cloud.sqs.receive_message(QueueUrl=url).get("Messages", ())]
    sent = [json.loads(message["Body"]) for message in found]
    page = {"type": "message", "v": 1, "run_id": RUN, "shard": 0}
    expected = {"published": [{"type": "job", "v": 1, "job_id": JOB}], "handed on": [page]}
    assert expected.get(TABLE[name], []) == sent
    assert (TABLE[name] == "parked") == bool(cloud.parked())


@pytest.mark.parametrize("name", [name for name in TABLE if name.startswith("send_messages/")])
def test_a_page_has_the_outcome_that_the_table_says(cloud: Cloud, name: str) -> None:
    open_as_described()
    cloud.arm()
    a_planned_message()
    failed = [{"itemIdentifier": "059f36b4-87a3-44ab-83d2-661975830a7d"}] if TABLE[name] == "failed" else []
    with ses() as provider:
        assert {"batchItemFailures": failed} == run(name)
    assert (TABLE[name] == "sent") == bool(provider.mails)


def test_a_moment_of_the_schedule_settles_what_is_due(cloud: Cloud, logs: Logs) -> None:
    assert ["settled"] == [outcome for name, outcome in TABLE.items() if name.startswith("settle_sends/")]
    cloud.arm()
    run("settle_sends/five_minutes")
    assert '"message":"settled"' in logs.take()


def a_launched_campaign(life: Life) -> None:
    assert bootstrap.campaigns().define(Head(a_campaign(), life)) is None


def test_a_moment_of_the_schedule_begins_what_is_due(cloud: Cloud) -> None:
    assert ["begun"] == [outcome for name, outcome in TABLE.items() if name.startswith("start_campaigns/")]
    cloud.arm()
    a_launched_campaign(Life(state=LifeState.SCHEDULED, next_at=WHEN, revision=1))
    run("start_campaigns/minute")
    head = bootstrap.campaigns().find("spring")
    assert head is not None
    assert (LifeState.ENDED, run_id("spring", WHEN)) == (head.life.state, head.life.last_run)


@pytest.mark.parametrize("name", [name for name in TABLE if name.startswith("plan_audience/")])
def test_a_page_of_a_roster_has_the_outcome_that_the_table_says(cloud: Cloud, name: str) -> None:
    planned = a_run(PLANNED_RUN, campaign="spring", state=RunState.CANCELLED, planned_at=None, pages=4)
    a_launched_campaign(Life(state=LifeState.CANCELLED, revision=1))
    head = Head(a_campaign(), Life(state=LifeState.CANCELLED, revision=2))
    assert bootstrap.runs().begin(planned, head)
    is_planned = TABLE[name] == "planned"
    with nullcontext() if is_planned else pytest.raises(StepFailed):
        assert run(name) is None
    assert ({3: 0} if is_planned else {}) == dict(bootstrap.run_rosters().planned(planned.run_id))
    assert (0 if is_planned else 1) == len(list(cloud.parked()))


@pytest.mark.parametrize("name", [name for name in TABLE if name.startswith("run_jobs/")])
def test_a_message_of_the_queue_has_the_outcome_that_the_table_says(cloud: Cloud, name: str) -> None:
    open_as_described()
    cloud.project()
    failed = [] if TABLE[name] == "done" else [{"itemIdentifier": "059f36b4-87a3-44ab-83d2-661975830a7d"}]
    assert {"batchItemFailures": failed} == run(name)
    assert (JobState.DONE if TABLE[name] == "done" else JobState.QUEUED) is read_job(JOB, jobs=bootstrap.jobs()).state


@pytest.mark.parametrize("name", [name for name in TABLE if name.startswith("import_file/")])
def test_a_message_about_a_file_has_the_outcome_that_the_table_says(cloud: Cloud, name: str) -> None:
    an_upload_that_has_come(cloud)
    before = cloud.items()
    assert {"batchItemFailures": FAILED if TABLE[name] == "failed" else []} == run(name)
    begun = {item["SK"]["S"] for item in cloud.items() if item["PK"]["S"] == "LIST#imports"} - {IMPORT}
    upload = bootstrap.imports().find(IMPORT)
    assert upload is not None
    assert (TABLE[name] == "begun") == (len(begun) == 1)
    assert (TABLE[name] == "gone on") == (upload.state is ImportState.RUNNING)
    assert (TABLE[name] in {"ignored", "failed"}) == (before == cloud.items())


@pytest.mark.parametrize("name", [name for name in TABLE if name.startswith("import_rows/")])
def test_a_chunk_has_the_outcome_that_the_table_says(cloud: Cloud, name: str) -> None:
    an_upload_that_has_come(cloud)
    run("import_file/go_on")
    before = cloud.items()
    assert {"batchItemFailures": FAILED if TABLE[name] == "failed" else []} == run(name)
    customers = [item for item in cloud.items() if item["SK"]["S"] == "PROFILE"]
    assert (2 if TABLE[name] == "written" else 0) == len(customers)
    assert (TABLE[name] == "written") == (before != cloud.items())


@pytest.mark.parametrize("name", [name for name in TABLE if name.startswith("record_delivery/")])
def test_a_notice_has_the_outcome_that_the_table_says(cloud: Cloud, name: str) -> None:
    open_as_described()
    a_message_that_was_sent()
    before = cloud.items()
    failed = [{"itemIdentifier": "059f36b4-87a3-44ab-83d2-661975830a7d"}] if TABLE[name] == "failed" else []
    assert {"batchItemFailures": failed} == run(name)
    assert (TABLE[name] == "recorded") == (before != cloud.items())


STEPS = (
    *("snapshot_customers/group", "summarise_night/night", "score_customers/group", "publish_night/night", "tell_night/group"),
    "report_night/night",
)
STEPPING = tuple(step.partition("/")[0] for step in STEPS)


@dataclass(frozen=True, slots=True)
class At:
    """A clock that stands."""

    instant: datetime

    def now(self) -> datetime:
        return self.instant


def an_open_night() -> None:
    """The night that the samples name, opened in time, of two shards."""
    planned = plan_night(
        datetime(2026, 11, 20, 4, tzinfo=UTC),
        settings=NightSettings(),
        nights=bootstrap.nights(),
        segments=bootstrap.segments(),
        rows=bootstrap.statistics_rows(),
        shards=2,
        files=bootstrap.night_files(),
        clock=At(datetime(2026, 11, 20, 4, 0, 2, tzinfo=UTC)),
    )
    assert planned == Planned(date(2026, 11, 20), None, 1, (Group(0, 1),))


@pytest.mark.usefixtures("cloud")
@pytest.mark.parametrize("name", [name for name in TABLE if name.startswith("plan_night/")])
def test_an_occurrence_has_the_outcome_that_the_table_says(name: str) -> None:
    an_open_night()
    group = {"night": "2026-11-20", "generation": 1, "first": 0, "last": 1}
    answers: dict[str, dict[str, Any]] = {
        "planned": {"night": "2026-11-20", "generation": 1, "skipped": None, "groups": [group]},
        "skipped": {"night": "2020-11-20", "generation": 0, "skipped": "late", "groups": []},
    }
    with pytest.raises(StepFailed) if TABLE[name] == "failed" else nullcontext():
        assert answers.get(TABLE[name]) == run(name)


@pytest.mark.usefixtures("cloud")
@pytest.mark.parametrize("name", [name for name in TABLE if name.startswith(STEPPING)])
def test_a_step_of_the_night_has_the_outcome_that_the_table_says(name: str) -> None:
    an_open_night()
    for step in STEPS[: STEPPING.index(name.partition("/")[0])]:
        run(step, 900)
    with pytest.raises(StepFailed) if TABLE[name] == "failed" else nullcontext():
        assert run(name, 900) is None
    night = bootstrap.nights().find(date(2026, 11, 20))
    assert night is not None
    is_after = name.startswith(("tell_night/", "report_night/"))
    published = NightState.PUBLISHED if TABLE[name] == "published" or is_after else NightState.PLANNED
    assert {"said": NightState.FAILED}.get(TABLE[name], published) is night.state


def test_the_table_and_the_folder_hold_the_same_events() -> None:
    files = {str(path.relative_to(EVENTS).with_suffix("")) for path in EVENTS.glob("*/*.json")}
    assert files == set(TABLE)


def test_every_function_has_samples_and_every_sample_a_function() -> None:
    folders = {path.parent.name for path in (ROOT / "functions").glob("*/handler.py")}
    assert folders == {path.name for path in EVENTS.iterdir() if path.is_dir()}


def test_no_sample_names_a_real_account_or_person() -> None:
    for path in EVENTS.glob("*/*.json"):
        text = path.read_text(encoding="utf-8")
        assert set(re.findall(r"[\w.]+@([\w.-]+)", text)) <= {"example.com"}, path
        assert set(re.findall(r"\b\d{12}\b", text)) - {"123456789012"} <= {"989121234567"}, path
