"""Marketing to one person: who gets it, when, how often, and how each decision not to send is told."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ecrm import bootstrap
from ecrm.domain.api_keys import KeyKind
from ecrm.domain.assignment import Arm
from ecrm.domain.campaigns import Head, Life, LifeState
from ecrm.domain.instants import to_answer
from ecrm.domain.messages import Policy, Status
from ecrm.domain.runs import page_of
from ecrm.store import keys
from tests.builders import a_planned_send, a_run, a_site, a_topic
from tests.functions.api import Shop, code_of, in_hours, open_shop
from tests.functions.conftest import Logs
from tests.functions.mail import send
from tests.simulation.planning import a_campaign

HTML = (
    '<p>News</p><p>{{ site.postal_address }}</p><a href="{{ links.unsubscribe }}">No more</a> <a href="https://example.com">x</a>'
)
NEWS = {"purpose": "marketing", "topic": "news", "variants": {"en": {"subject": "News", "html": HTML}}}


@pytest.fixture
def shop(cloud: Any) -> Shop:
    opened = open_shop(cloud)
    put(opened, "/v1/templates/autumn", NEWS)
    policy(opened)
    consents(opened, "granted")
    cloud.arm()
    return opened


def put(shop: Shop, path: str, body: dict[str, Any]) -> None:
    saved = shop.call("PUT", path, body, key=shop.cloud.key(KeyKind.STAFF))
    assert saved.status in (200, 201), saved.text


def policy(shop: Shop, **changes: Any) -> None:
    """What the site keeps to: nothing, but for what is said."""
    said = {"sender": "hello@example.com", "postal_address": "Ringstraße 1", "quiet_hours": None, "frequency_cap": None}
    put(shop, "/v1/sites/de", a_site(**said | changes))


def consents(shop: Shop, state: str) -> None:
    at = in_hours(-2) if state == "granted" else in_hours(-1)
    proof = {"proof": {"kind": "signature", "confirmed_at": at}} if state == "granted" else {}
    said = {"channel": "email", "topic": "news", "state": state, "method": "service", "at": at} | proof
    changed = shop.call("POST", f"/v1/customers/{shop.customer_id}/consents", {"consents": [said]})
    assert changed.status in (200, 201), changed.text


def ask_for(shop: Shop, **changes: Any) -> str:
    asked = shop.call("POST", "/v1/messages", {"template": "autumn", "customer": {"customer_id": shop.customer_id}} | changes)
    assert 202 == asked.status, asked.text
    return str(asked.json["message_id"])


def decisions(shop: Shop, query: str = "") -> Any:
    return shop.call("GET", f"/v1/customers/{shop.customer_id}/decisions", query=query).json


def decided(shop: Shop) -> list[tuple[str, str, str | None]]:
    return [(each["message_id"], each["status"], each["reason"]) for each in decisions(shop)["data"]]


def test_marketing_to_who_consented_goes_out_with_its_way_out(shop: Shop) -> None:
    message_id = ask_for(shop)
    (mail,) = send(shop)
    headers = {header["Name"]: header["Value"] for header in mail["Content"]["Simple"]["Headers"]}
    html = mail["Content"]["Simple"]["Body"]["Html"]["Data"]
    url = headers["List-Unsubscribe"].strip("<>")
    assert {"List-Unsubscribe": f"<{url}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"} == headers
    assert url.startswith("https://shop.example.com/public/u/")
    assert f'<a ses:no-track href="{url}">' in html
    assert '<a href="https://example.com">' in html
    assert "marketing" == mail["ConfigurationSetName"]
    assert "accepted" == shop.call("GET", f"/v1/messages/{message_id}").json["status"]
    assert {"data": [], "held": [], "campaigns": [], "next_cursor": None} == decisions(shop)


def test_a_ready_made_mail_is_about_the_topic_that_its_caller_names(shop: Shop) -> None:
    message_id = ask_for(shop, template="newsletter", topic="news", data={"title": "Autumn", "opening": "Leaves fall."})
    assert 1 == len(send(shop))
    told = shop.call("GET", f"/v1/messages/{message_id}").json
    assert ("accepted", "news", "newsletter") == (told["status"], told["topic"], told["template"])
    body = {"template": "autumn", "customer": {"customer_id": shop.customer_id}, "topic": "other"}
    assert (422, "other_topic") == code_of(other := shop.call("POST", "/v1/messages", body))
    assert [("/topic", "other_topic")] == [(flaw["pointer"], flaw["code"]) for flaw in other.json["errors"]]


def test_who_said_no_gets_nothing_and_it_is_told_why(shop: Shop) -> None:
    consents(shop, "denied")
    message_id = ask_for(shop)
    assert [] == send(shop)
    (decision,) = decisions(shop)["data"]
    expected = {
        "status": "no_consent",
        "reason": None,
        "until": None,
        "message_id": message_id,
        "template": "autumn",
        "site": "de",
    }
    assert expected | {"decided_at": decision["decided_at"]} == decision


def test_a_site_that_has_lost_its_postal_address_sends_no_marketing_and_it_is_told_why(shop: Shop) -> None:
    message_id = ask_for(shop)
    policy(shop, postal_address=None)
    assert ([], [(message_id, "failed", "no_postal_address")]) == (send(shop), decided(shop))
    ask_for(shop, template="order-confirmed")
    assert 1 == len(send(shop))


def test_a_template_that_was_put_under_another_topic_goes_to_nobody_who_was_asked_about_the_first(shop: Shop) -> None:
    put(shop, "/v1/topics/offers", a_topic())
    message_id = ask_for(shop)
    put(shop, "/v1/templates/autumn", NEWS | {"topic": "offers"})
    assert ([], [(message_id, "failed", "other_topic")]) == (send(shop), decided(shop))


@pytest.mark.parametrize(("days", "expected"), [(1, "postponed"), (4, "capped")])
def test_a_site_s_cap_is_waited_for_as_long_as_the_message_is_news(shop: Shop, days: int, expected: str) -> None:
    policy(shop, frequency_cap={"most": 1, "days": days})
    ask_for(shop)
    assert 1 == len(send(shop))
    second = ask_for(shop)
    assert ([], [(second, expected, "cap")]) == (send(shop), decided(shop))
    until = decisions(shop)["data"][0]["until"]
    assert (until is None) is (expected == "capped")
    if until is not None:
        waits = datetime.fromisoformat(until) - datetime.now(UTC)
        assert timedelta(hours=23) < waits <= timedelta(days=1)


def test_marketing_waits_while_its_receiver_sleeps_where_they_are(shop: Shop) -> None:
    zone = ZoneInfo("Pacific/Auckland")
    moved = shop.call("PATCH", f"/v1/customers/{shop.customer_id}", {"time_zone": zone.key})
    assert 200 == moved.status, moved.text
    there = datetime.now(zone)
    start, end = ((there + timedelta(hours=hours)).strftime("%H:%M") for hours in (-1, 2))
    policy(shop, quiet_hours={"start": start, "end": end})
    message_id = ask_for(shop)
    assert ([], [(message_id, "postponed", "quiet_hours")]) == (send(shop), decided(shop))
    until = datetime.fromisoformat(decisions(shop)["data"][0]["until"]).astimezone(zone)
    assert (end, False) == (until.strftime("%H:%M"), until < there)
    ask_for(shop, template="order-confirmed")
    assert 1 == len(send(shop))


def test_decisions_are_read_page_by_page_and_say_what_is_held(shop: Shop) -> None:
    consents(shop, "denied")
    asked = [ask_for(shop) for _ in range(3)]
    assert [] == send(shop)
    first = decisions(shop, "limit=2")
    rest = decisions(shop, f"limit=2&cursor={first['next_cursor']}")
    assert set(asked) == {each["message_id"] for page in (first, rest) for each in page["data"]}
    shop.call("PUT", "/v1/sending", {"marketing": {"paused": True, "reason": "wrong price"}}, key=shop.cloud.key(KeyKind.STAFF))
    (held,) = decisions(shop)["held"]
    assert {"policy": "marketing", "reason": "wrong price", "since": held["since"]} == held


def sleeping(shop: Shop) -> None:
    """It is quiet now, where everybody is."""
    now = datetime.now(ZoneInfo("Europe/Berlin"))
    start, end = ((now + timedelta(hours=hours)).strftime("%H:%M") for hours in (-1, 2))
    policy(shop, quiet_hours={"start": start, "end": end})


def too_many(shop: Shop) -> None:
    policy(shop, frequency_cap={"most": 1, "days": 4})
    ask_for(shop)
    assert 1 == len(send(shop))


def too_late(shop: Shop) -> None:
    (asked,) = (item for item in shop.cloud.items() if item["type"]["S"] == "send")
    shop.cloud.dynamodb.put_item(TableName="table", Item=asked | {"until": asked["planned_at"]})


@pytest.mark.parametrize(
    ("before", "after", "metric"),
    [
        (lambda shop: consents(shop, "denied"), None, "MessagesWithoutConsent"),
        (too_many, None, "MessagesCapped"),
        (sleeping, None, "MessagesPostponed"),
        (None, too_late, "MessagesExpired"),
    ],
)
def test_what_is_not_sent_is_counted_by_what_held_it_back(
    shop: Shop, logs: Logs, before: Callable[[Shop], None] | None, after: Callable[[Shop], None] | None, metric: str
) -> None:
    if before:
        before(shop)
    ask_for(shop)
    if after:
        after(shop)
    logs.take()
    assert [] == send(shop)
    lines = [json.loads(line) for line in logs.take().splitlines() if '"_aws"' in line]
    assert [{metric: [1.0]}] == [{name: line[name] for name in line if name.startswith("Messages")} for line in lines]


@pytest.mark.parametrize(
    ("status", "changes", "is_shown"),
    [
        ("held_out", {"arm": Arm.CONTROL}, True),
        ("no_consent", {"ineligible": "no_address", "reason": "no_address"}, True),
        ("suppressed", {"ineligible": "suppressed"}, True),
        ("cancelled", {"arm": Arm.TREATED}, True),
        ("planned", {"arm": Arm.TREATED}, False),
        ("expired", {"arm": Arm.TREATED}, False),  # that is told, and on the timeline
    ],
)
def test_what_was_decided_when_a_run_was_planned_is_told_too(
    shop: Shop,
    status: str,
    changes: dict[str, Any],
    is_shown: bool,  # noqa: FBT001 (of the table above)
) -> None:
    run = a_run("9aac5eebfb474961977c51c60e3849e4", pages=7)
    page = page_of(keys.shard_of(shop.customer_id), run.pages, keys.SHARDS)
    life = Life(state=LifeState.SCHEDULED, revision=1)
    assert bootstrap.campaigns().define(Head(a_campaign(), life)) is None
    assert bootstrap.runs().begin(run, Head(a_campaign(), replace(life, last_run=run.run_id, revision=2)))
    entry = a_planned_send(run.run_id, shop.customer_id, policy=Policy.MARKETING, status=Status(status), topic="news", **changes)
    bootstrap.run_rosters().add([replace(entry, shard=page, requested_at=None)])
    expected = {
        "campaign": run.campaign,
        "message_id": run.run_id,
        "decided_at": to_answer(entry.planned_at),
        "status": status,
        "reason": entry.reason,
        "template": entry.template,
        "site": entry.site,
    }
    assert ([expected] if is_shown else []) == decisions(shop)["campaigns"]
    assert [] == decisions(shop)["data"]
