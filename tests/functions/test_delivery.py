"""Notices of SES at the door: B1, P5, and every sample that AWS shows of them."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from functools import reduce
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecrm import bootstrap
from ecrm.application.delivery import Outcome
from ecrm.application.ports import Standing
from ecrm.domain.delivery import MOST_LINKS, Notice, link_of, shown_link, with_notice
from ecrm.domain.errors import Unavailable
from ecrm.domain.messages import Policy, claim, send_id
from ecrm.entry.delivery import consume
from ecrm.store.rosters import DynamoRosters
from record_delivery.handler import handler
from tests.adapters.people import here
from tests.builders import NOON, a_planned_send, its_request
from tests.cloud import Cloud
from tests.functions.api import ROOT
from tests.functions.conftest import Logs
from tests.notices import ADDRESS, BROWSER, CUSTOMER, RUN, a_notice, told, wrapped

THEIRS = ROOT.parent / "shared" / "data" / "ses_events"
"""AWS's own samples, where somebody has laid them beside the project."""
KINDS = (
    *("Send", "Delivery", "Bounce", "Complaint", "DeliveryDelay", "Reject", "Rendering Failure", "Open", "Click"),
    "Subscription",
)
TAGS = {"send_id": [send_id(RUN, CUSTOMER)], "attempt": ["1"], "run": [RUN], "shard": ["0"], "customer": [CUSTOMER]}
LEADS_TO = {
    "Send": ("accepted", set()),
    "Delivery": ("delivered", {"message.delivered"}),
    "Bounce": ("bounced", {"message.bounced"}),
    "Complaint": ("complained", {"message.complained"}),
    "DeliveryDelay": ("accepted", {"message.delayed"}),
    "Reject": ("rejected", {"message.rejected"}),
    "Rendering Failure": ("rejected", {"message.rejected"}),
    "Open": ("accepted", {"message.opened"}),
    "Click": ("accepted", {"message.clicked"}),
    "Subscription": ("accepted", {"message.subscription_changed"}),
}


@pytest.fixture(autouse=True, scope="module")
def counted() -> Iterator[None]:
    """Let metrics have the names that the template gives them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POWERTOOLS_METRICS_NAMESPACE", "eCRM")
        patch.setenv("POWERTOOLS_SERVICE_NAME", "record_delivery")
        yield


def batch(*bodies: str) -> dict[str, Any]:
    return {"Records": [{"messageId": str(at), "body": body} for at, body in enumerate(bodies)]}


def samples() -> dict[str, Any]:
    """Ours of each kind, and theirs under our tags."""
    found = {f"ours: {kind}": a_notice(kind) for kind in KINDS}
    for path in sorted(THEIRS.glob("*.json")):
        notice = json.loads(path.read_text(encoding="utf-8"))
        found[f"AWS's: {path.stem}"] = notice | {"mail": notice["mail"] | {"tags": notice["mail"].get("tags", {}) | TAGS}}
    return found


def a_message_that_was_sent() -> None:
    planned = a_planned_send(RUN, CUSTOMER)
    here(CUSTOMER)
    assert bootstrap.sends().add(planned, its_request(planned), Standing(CUSTOMER), None)
    assert bootstrap.sends().write(claim(planned, NOON)) is None


def shown() -> str:
    send = bootstrap.sends().find(RUN, 0, CUSTOMER)
    assert send is not None
    return send.shown


@pytest.mark.parametrize("name", samples())
def test_eight_copies_of_a_sample_wrapped_and_raw_lead_to_one_right_state(cloud: Cloud, name: str) -> None:
    a_message_that_was_sent()
    notice = samples()[name]
    copies = [wrapped(notice), json.dumps(notice)] * 4
    assert {"batchItemFailures": []} == handler(batch(*copies), None)
    state, types = LEADS_TO[notice["eventType"]]
    assert state == shown()
    events = [item["type"]["S"] for item in cloud.items("EVENT#")]
    assert sorted({"message.requested", "message.accepted", *types}) == sorted(events)


def test_all_samples_in_any_order_lead_to_one_state(cloud: Cloud) -> None:
    ends: list[Any] = []
    one = {"messageId": "m-1", "timestamp": "2016-10-14T00:00:00.000Z"}
    notices = [notice | {"mail": notice["mail"] | one} for notice in samples().values()]
    bodies = [body for notice in notices for body in (wrapped(notice), json.dumps(notice))]
    for seed in range(3):
        for item in cloud.items():
            cloud.dynamodb.delete_item(TableName="table", Key={name: item[name] for name in ("PK", "SK")})
        a_message_that_was_sent()
        Random(seed).shuffle(bodies)
        assert {"batchItemFailures": []} == handler(batch(*bodies), None)
        volatile = ("version", "received_at")
        items = [{name: value for name, value in item.items() if name not in volatile} for item in cloud.items()]
        ends.append(sorted(items, key=lambda item: (item["PK"]["S"], item["SK"]["S"])))
    assert [ends[0]] * 3 == ends
    assert "complained" == shown()


# ── B1 ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

NO_NOTICES = [
    "",
    "{",
    "null",
    "[]",
    "7",
    "\ud800",
    json.dumps({"Message": "{"}),
    json.dumps({"eventType": "Delivery"}),
    "[" * 9_999,
]
IGNORED = [
    wrapped({"eventType": "Teleported"}),
    json.dumps({"eventType": "Teleported"}),
    "{}",
    json.dumps({"Type": "SubscriptionConfirmation", "SubscribeURL": "https://sns.example.com/"}),
    "Successfully validated SNS topic for Amazon SES event publishing.",
    wrapped("Successfully validated SNS topic for Amazon SES event publishing."),
    wrapped(a_notice(tags={})),
    wrapped(a_notice(tags={"send_id": "x"})),
    wrapped(a_notice(mail={"tags": {}})),
    wrapped(a_notice(mail={"tags": {name: values * 2 for name, values in TAGS.items()}})),
    wrapped(a_notice(mail={"destination": [ADDRESS, "viola@example.com"]})),
    wrapped(a_notice(mail={"destination": []})),
    wrapped(a_notice(mail={"destination": ["nobody"]})),
    wrapped(a_notice(tags={name: "0" if name == "shard" else values[0].replace("0", "1") for name, values in TAGS.items()})),
]


@given(
    st.lists(st.sampled_from(["done", "repeated", "unknown", "ignored", "unavailable", "poison", "no notice"]), max_size=10),
    st.data(),
)
@settings(max_examples=1_000)
def test_exactly_the_notices_that_failed_are_named(fates: list[str], data: st.DataObject) -> None:
    by_run = {f"r{at}": fate for at, fate in enumerate(fates)}
    used: list[str] = []

    def use(notice: Notice) -> Outcome:
        used.append(notice.run_id)
        match by_run[notice.run_id]:
            case "unavailable":
                raise Unavailable("for now")
            case "poison":
                raise KeyError(notice.address)
            case fate:
                return {"done": Outcome.RECORDED, "repeated": Outcome.REPEATED}.get(fate, Outcome.UNKNOWN)

    bodies = []
    for run, fate in by_run.items():
        match fate:
            case "no notice":
                bodies.append(data.draw(st.sampled_from(NO_NOTICES)))
            case "ignored":
                bodies.append(data.draw(st.sampled_from(IGNORED)))
            case _:
                notice = a_notice(data.draw(st.sampled_from(KINDS)), run=run)
                bodies.append(data.draw(st.sampled_from([wrapped(notice), json.dumps(notice)])))
    fails = {"unavailable", "poison", "no notice"}
    failed = [{"itemIdentifier": str(at)} for at, fate in enumerate(fates) if fate in fails]
    assert {"batchItemFailures": failed} == consume(batch(*bodies), use)
    assert [run for run, fate in by_run.items() if fate not in {"no notice", "ignored"}] == used


@pytest.mark.parametrize("body", NO_NOTICES)
def test_what_is_no_notice_fails_alone_and_rings(body: str, logs: Logs) -> None:
    good = wrapped(a_notice())
    used: list[Notice] = []

    def use(notice: Notice) -> Outcome:
        used.append(notice)
        return Outcome.RECORDED

    assert {"batchItemFailures": [{"itemIdentifier": "0"}]} == consume(batch(body, good), use)
    written = logs.take()
    assert [told("Delivery")] == used
    assert '"UnhandledErrors":[1.0]' in written
    assert '"MessagesDelivered":[1.0]' in written


@pytest.mark.parametrize("body", IGNORED)
def test_what_is_none_of_ours_is_counted_and_done(body: str, logs: Logs) -> None:
    def use(notice: Notice) -> Outcome:
        raise AssertionError(notice)

    assert {"batchItemFailures": []} == consume(batch(body), use)
    written = logs.take()
    assert '"DeliveryNoticesIgnored":[1.0]' in written
    assert "UnhandledErrors" not in written


# ── P5 ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_no_log_and_no_metric_names_an_address_or_a_link(cloud: Cloud, logs: Logs) -> None:
    del cloud
    a_message_that_was_sent()
    notices = [a_notice(kind, address="canary.mail@example.com") for kind in KINDS]
    broken = [notice | {name: None for name in notice if name not in ("eventType", "mail")} for notice in notices]
    nobodys = [a_notice(kind, run="canary", address="canary.mail@example.com") for kind in KINDS]

    def refuse(notice: Notice) -> Outcome:
        raise KeyError(notice.address, notice.said)

    everything = [json.dumps(notice) for notice in (*notices, *broken, *nobodys)] + ["canary.mail@example.com"]
    handler(batch(*everything), None)
    consume(batch(*everything), refuse)
    written = logs.take()
    assert "UnhandledErrors" in written
    for canary in ("canary.mail", "canary.mail%40", "example.com", "192.0.2.1", BROWSER, "no such user"):
        assert canary not in written


# ── what is kept of opens and clicks ─────────────────────────────────────────────────────────────────────────────────

GMAIL = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/42.0.2311.135 Safari/537.36 "
    "Edge/12.246 Mozilla/5.0"
)
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 10_3_3 like Mac OS X) AppleWebKit/603.3.8 (KHTML, like Gecko) Mobile/14G60"
AGENTS = {
    BROWSER: False,
    IPHONE: False,
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)": False,
    "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html": False,
    "Mozilla/5.0 (Linux; Android 8.0.0; CUBOT_X18_Plus) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/80.0 Mobile": False,
    "": True,
    "Mozilla/5.0": True,
    " Mozilla/5.0 ": True,
    GMAIL: True,
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)": True,
    "Mozilla/5.0 (Windows NT 6.1) AppleWebKit/534+ (KHTML, like Gecko) BingPreview/1.0b": True,
    "Microsoft Office Existence Discovery": True,
    "Barracuda Sentinel (EE)": True,
    "python-requests/2.32": True,
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/120.0": True,
    "curl/8.5.0": True,
}


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("kind", ["Open", "Click"])
def test_machines_are_told_apart_by_what_they_say_and_by_how_fast_they_are(kind: str, agent: str) -> None:
    assert AGENTS[agent] is told(kind, 60, userAgent=agent).is_machine
    assert [True, True, False] == [told(kind, seconds, userAgent=BROWSER).is_machine for seconds in (-1, 4.9, 5)]


def test_machines_are_on_the_timeline_and_count_for_nobody(cloud: Cloud) -> None:
    a_message_that_was_sent()
    machines = [a_notice("Open", 9, userAgent="Mozilla/5.0"), a_notice("Click", 2)]
    handler(batch(*map(wrapped, machines)), None)
    send = bootstrap.sends().find(RUN, 0, CUSTOMER)
    assert send is not None
    assert (None, None) == (send.opened_at, send.clicked_at)
    handler(batch(*map(wrapped, [a_notice("Open", 90), a_notice("Open", 80), a_notice("Click", 99), *machines])), None)
    send = bootstrap.sends().find(RUN, 0, CUSTOMER)
    assert send is not None
    assert (NOON + timedelta(seconds=80), NOON + timedelta(seconds=99)) == (send.opened_at, send.clicked_at)
    looked = [item for item in cloud.items("EVENT#") if item["type"]["S"] in {"message.opened", "message.clicked"}]
    told_apart = sorted((item["type"]["S"], "machine" in item["data"]["M"]) for item in looked)
    expected = [("message.clicked", False), ("message.clicked", True), *[("message.opened", False)] * 2, ("message.opened", True)]
    assert expected == told_apart


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("https://shop.example.com/records/blue?utm_source=mail&name=sara#top", "https://shop.example.com/records/blue"),
        ("https://api.example.com/public/orders/AbCdEf.0123456789", "https://api.example.com/public/orders"),
        ("https://sara:secret@shop.example.com/", "https://shop.example.com/"),
        ("https://[broken", ""),
        ("", "://"),
    ],
)
def test_of_a_link_only_the_place_is_kept(link: str, expected: str) -> None:
    assert expected == shown_link(link)


def test_an_event_of_a_notice_says_which_message_and_no_more(cloud: Cloud) -> None:
    a_message_that_was_sent()
    handler(batch(wrapped(a_notice("Bounce", bouncedRecipients=[{"emailAddress": ADDRESS, "status": "5.1.1"}]))), None)
    (event,) = (
        item
        for item in bootstrap.timeline()
        .events([CUSTOMER], frozenset({"message.bounced"}), now=NOON, since=None, before=None, limit=9)
        .items
    )
    assert {
        "run_id": RUN,
        "shard": 0,
        "send_id": send_id(RUN, CUSTOMER),
        "attempt": 1,
        "template": "order-confirmed",
        "bounce": "hard",
        "type": "Permanent",
        "sub_type": "General",
        "status": "5.1.1",
    } == event.data
    assert ("ses", NOON + timedelta(seconds=60)) == (event.source, event.occurred_at)
    del cloud


# ── campaigns ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_entry_of_a_campaign_keeps_which_links_were_followed_and_the_run_what_they_are(cloud: Cloud) -> None:
    """What follows the question mark may be somebody's own."""
    del cloud
    here(CUSTOMER)
    planned = a_planned_send(RUN, CUSTOMER, policy=Policy.MARKETING, topic="news", requested_at=None)
    DynamoRosters(bootstrap.table()).add([planned])
    assert bootstrap.sends().write(claim(planned, NOON)) is None
    clicks = [("https://shop.example.com/a?x=1", 90), ("https://shop.example.com/a?x=2", 60), ("https://shop.example.com/b", 70)]
    notices = [a_notice("Click", seconds, link=link) for link, seconds in clicks]
    notices.append(a_notice("Click", 61, link="https://shop.example.com/scanned", userAgent="curl/8"))
    for _ in range(2):
        assert {"batchItemFailures": []} == handler(batch(*map(json.dumps, notices)), None)
    send = bootstrap.sends().find(RUN, 0, CUSTOMER)
    assert send is not None
    shown = bootstrap.sends().links(RUN)
    assert {shown[link]: at for link, at in send.links.items()} == {
        "https://shop.example.com/a": NOON + timedelta(seconds=60),
        "https://shop.example.com/b": NOON + timedelta(seconds=70),
    }
    assert set(shown) == set(send.links)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(5, 90)), max_size=60), st.randoms(use_true_random=False))
def test_of_many_links_the_first_are_kept_in_whatever_order_they_come(clicks: list[tuple[int, int]], chance: Random) -> None:
    entry = claim(a_planned_send(RUN, CUSTOMER, policy=Policy.MARKETING, topic="news", requested_at=None), NOON)
    notices = [told("Click", seconds, link=f"https://shop.example.com/{link}") for link, seconds in clicks]
    ends: list[Mapping[str, datetime]] = []
    for _ in range(3):
        chance.shuffle(notices)
        ends.append(reduce(with_notice, notices, entry).links)
    firsts: dict[str, datetime] = {}
    for notice in notices:
        firsts[link_of(notice)] = min(firsts.get(link_of(notice), notice.at), notice.at)
    kept = sorted(firsts.items(), key=lambda one: (one[1], one[0]))[:MOST_LINKS]
    assert ends == [dict(kept)] * 3


def test_a_message_of_its_own_keeps_no_links() -> None:
    entry = claim(a_planned_send(RUN, CUSTOMER), NOON)
    assert with_notice(entry, told("Click")).links == {}
