"""Campaigns over HTTP: drafts that say what they lack, a launch that refuses what cannot be right, and a life that ends once."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ecrm import bootstrap
from ecrm.application.campaign_lives import pause_campaign, resume_campaign
from ecrm.application.campaign_runs import retry_failed, roster
from ecrm.application.campaigns import frozen
from ecrm.application.ports import Contended
from ecrm.domain.api_keys import KeyKind
from ecrm.domain.assignment import Arm
from ecrm.domain.campaigns import Head, LifeState
from ecrm.domain.errors import Conflict
from ecrm.domain.instants import to_answer
from ecrm.domain.messages import Policy, Send, Status
from ecrm.domain.runs import Run, RunState, Verdict
from ecrm.store.campaigns import DynamoCampaigns, DynamoRuns
from ecrm.store.messages import send_item
from ecrm.store.table import Put
from tests.builders import NOON, a_planned_send, a_run, a_site, a_topic
from tests.cloud import Answer, Cloud
from tests.functions.api import Shop, code_of, in_hours, open_shop

BUYERS = {"stats": {"field": "orders", "op": ">=", "value": 1}}
NEVER = {"stats": {"field": "orders", "op": ">=", "value": 1_000}}
LATER = NOON + timedelta(hours=1)
STAFF = KeyKind.STAFF


@pytest.fixture
def shop(cloud: Cloud) -> Shop:
    """A shop of each test's own, whose site may send marketing."""
    shop = open_shop(cloud)
    site = a_site(sender="hello@example.com", postal_address="Ringstraße 1, Berlin")
    assert 200 == shop.call("PUT", "/v1/sites/de", site, key=cloud.key(STAFF)).status
    cloud.verify("hello@example.com")
    return shop


def a_message(name: str = "all", template: str = "newsletter", **changes: Any) -> dict[str, Any]:
    return {"name": name, "treatments": [{"name": "a", "template": template}]} | changes


def a_campaign(**changes: Any) -> dict[str, Any]:
    """A body for `PUT /v1/campaigns/{campaign}` that can be launched."""
    return {"name": "Spring", "topic": "news", "audience": {"include": BUYERS}, "messages": [a_message()]} | changes


def put(shop: Shop, name: str = "spring", headers: Mapping[str, str] = {}, **changes: Any) -> Answer:
    return shop.call("PUT", f"/v1/campaigns/{name}", a_campaign(**changes), key=shop.cloud.key(STAFF), headers=headers)


def get(shop: Shop, path: str = "spring", query: str = "") -> Answer:
    return shop.call("GET", f"/v1/campaigns/{path}".removesuffix("/"), key=shop.cloud.key(STAFF), query=query)


def do(shop: Shop, what: str, name: str = "spring", headers: Mapping[str, str] = {}, body: Any = None) -> Answer:
    return shop.call("POST", f"/v1/campaigns/{name}/{what}", body, key=shop.cloud.key(STAFF), headers=headers)


def problems_of(answer: Answer) -> list[tuple[str, str]]:
    return [(problem["pointer"], problem["code"]) for problem in answer.json["problems"]]


def head_of(name: str = "spring") -> Head:
    found = bootstrap.campaigns().find(name)
    assert found is not None
    return found


def begin(run: Run, *, state: LifeState | None = None) -> Run:
    """Begin an occurrence of the campaign, as start_campaigns does."""
    head = head_of(run.campaign)
    life = replace(head.life, state=state or head.life.state, last_run=run.run_id, revision=head.life.revision + 1)
    if state is LifeState.ENDED:
        life = replace(life, next_at=None)
    assert bootstrap.runs().begin(run, Head(head.campaign, life))
    return run


def run_of(run_id: str = "f" * 32) -> Run:
    found = bootstrap.runs().find(run_id)
    assert found is not None
    return found


# ── definitions ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_campaign_is_shown_with_all_that_was_left_out(shop: Shop) -> None:
    answer = put(shop)
    assert (201, '"1"') == (answer.status, answer.headers["etag"])
    assert answer.json == {
        "campaign": "spring",
        "name": "Spring",
        "site": "de",
        "topic": "news",
        "audience": {"include": {"stats": {"field": "orders", "op": ">=", "value": 1}}, "exclude": None},
        "messages": [
            {
                "name": "all",
                "segment": None,
                "treatments": [{"name": "a", "template": "newsletter", "weight": 1, "data": {}, "template_version": None}],
            }
        ],
        "schedule": None,
        "window": None,
        "expires_after_hours": 24,
        "priority": 5,
        "rate_per_minute": None,
        "control_percent": 10.0,
        "salt": "spring",
        "pilot": None,
        "attribution_days": 30,
        "costs": None,
        "version": 1,
        "updated_at": answer.json["updated_at"],
        "state": "validated",
        "problems": [],
        "next_at": None,
        "launched_at": None,
        "launched_by": None,
        "last_run": None,
    }
    assert answer.json == get(shop).json


EVERYTHING: dict[str, Any] = {
    "audience": {"include": BUYERS, "exclude": {"not": {"consent": {"channel": "email", "topic": "news", "state": "granted"}}}},
    "messages": [
        a_message(
            treatments=[
                {"name": "a", "template": "newsletter", "weight": 3, "data": {"percent": 12.5, "codes": ["A"]}},
                {"name": "b", "template": "we-miss-you", "weight": 1, "data": {}},
            ]
        )
    ],
    "schedule": {
        "day": "2026-12-01",
        "at": "09:30",
        "every": {"unit": "month", "days": [-1, 15]},
        "until": "2999-12-01",
        "local": True,
    },
    "window": {"start": "09:00", "end": "19:30"},
    "expires_after_hours": 336,
    "priority": 0,
    "rate_per_minute": 12,
    "control_percent": 7.25,
    "salt": "shared control",
    "pilot": {"percent": 22.5, "wait_minutes": 240, "metric": "orders", "minimum": 7, "otherwise": "stop"},
    "attribution_days": 365,
    "costs": {"currency": "EUR", "fixed": "50.00", "per_message": "0.0009"},
}


def test_all_that_a_campaign_may_say_comes_back_as_it_was_said(shop: Shop) -> None:
    answer = put(shop, **EVERYTHING)
    assert (201, "validated") == (answer.status, answer.json["state"])
    told = EVERYTHING | {
        "messages": [
            {
                "name": "all",
                "segment": None,
                "treatments": [each | {"template_version": None} for each in EVERYTHING["messages"][0]["treatments"]],
            }
        ]
    }
    assert told == {name: answer.json[name] for name in told}
    assert answer.json == get(shop).json
    version = get(shop, "spring/versions/1")
    assert (200, '"1"') == (version.status, version.headers["etag"])
    assert version.json == {name: answer.json[name] for name in version.json}


def test_every_version_of_a_draft_stays_and_only_the_one_that_was_seen_is_replaced(shop: Shop) -> None:
    assert 201 == put(shop, headers={"if-none-match": "*"}).status
    autumn, headers = a_campaign(name="Autumn"), {"if-match": '"1"'}
    second = shop.call("PUT", "/v1/campaigns/spring", autumn, key=shop.cloud.key(STAFF), headers=headers)
    assert (200, '"2"', "Autumn") == (second.status, second.headers["etag"], second.json["name"])
    for headers in ({"if-match": '"1"'}, {"if-none-match": "*"}):
        assert (412, "version_mismatch") == code_of(put(shop, headers=headers))
    assert ["Spring", "Autumn"] == [get(shop, f"spring/versions/{version}").json["name"] for version in (1, 2)]
    for version in ("0", "3", "x", "01"):
        assert (404, "campaign_not_found") == code_of(get(shop, f"spring/versions/{version}"))


def other_site(shop: Shop, **changes: Any) -> None:
    site = a_site(sender="hello@example.com", postal_address="Ringstraße 1") | changes
    assert 200 == shop.call("PUT", "/v1/sites/de", site, key=shop.cloud.key(STAFF)).status


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"topic": "unheard-of"}, [("/topic", "unknown_topic")]),
        ({"topic": "texts"}, [("/topic", "channel_not_offered")]),
        ({"audience": {"include": {"segment": {"id": "vip"}}}}, [("/audience/include/segment/id", "unknown_segment")]),
        (
            {"audience": {"include": BUYERS, "exclude": {"not": {"segment": {"id": "vip"}}}}},
            [("/audience/exclude/not/segment/id", "unknown_segment")],
        ),
        ({"messages": [a_message("vip", segment="vip"), a_message()]}, [("/messages/0/segment", "unknown_segment")]),
        ({"messages": [a_message(template="unwritten")]}, [("/messages/0/treatments/0/template", "unknown_template")]),
        (
            {"messages": [a_message(template="order-confirmed")]},
            [("/messages/0/treatments/0/template", "template_not_marketing")],
        ),
        ({"messages": [a_message(template="product-grid")]}, [("/messages/0/treatments/0/template", "template_not_marketing")]),
        ({"messages": [a_message(template="about-gifts")]}, [("/messages/0/treatments/0/template", "other_topic")]),
        ({"window": {"start": "21:00", "end": "08:00"}}, [("/window", "no_hour")]),
        ({"window": {"start": "22:00", "end": "07:30"}}, [("/window", "no_hour")]),
        ({"schedule": {"day": "2026-11-01", "at": "09:00"}}, [("/schedule", "in_the_past")]),
        (
            {"schedule": {"day": "2026-10-01", "at": "09:00", "every": {"unit": "day"}, "until": "2026-11-01"}},
            [("/schedule", "in_the_past")],
        ),
        (
            {"topic": "unheard-of", "messages": [a_message(template="unwritten")]},
            [("/topic", "unknown_topic"), ("/messages/0/treatments/0/template", "unknown_template")],
        ),
    ],
)
def test_a_draft_says_what_hinders_it_and_is_not_launched_before_that_is_mended(
    shop: Shop, changes: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    staff = shop.cloud.key(STAFF)
    assert 201 == shop.call("PUT", "/v1/topics/texts", a_topic(channels=["sms"]), key=staff).status
    assert 201 == shop.call("PUT", "/v1/topics/gifts", a_topic(), key=staff).status
    html = '<p>{{ site.postal_address }} <a href="{{ links.unsubscribe }}">Away</a></p>'
    gifts = {"purpose": "marketing", "topic": "gifts", "variants": {"de": {"subject": "Geschenke", "html": html}}}
    assert 201 == shop.call("PUT", "/v1/templates/about-gifts", gifts, key=staff).status
    answer = put(shop, **changes)
    assert (201, "draft", expected) == (answer.status, answer.json["state"], problems_of(answer))
    assert expected == problems_of(get(shop))
    (listed,) = get(shop, "").json["data"]
    assert ("draft", answer.json["problems"]) == (listed["state"], listed["problems"])
    launched = do(shop, "launch")
    assert 422 == launched.status
    assert expected == [(error["pointer"], error["code"]) for error in launched.json["errors"]]
    assert LifeState.DRAFT is head_of().life.state
    assert "validated" == put(shop).json["state"]
    assert 200 == do(shop, "launch").status


@pytest.mark.parametrize(("lacks", "code"), [("sender", "no_sender"), ("postal_address", "no_postal_address")])
def test_a_site_that_may_not_send_marketing_launches_no_campaign(shop: Shop, lacks: str, code: str) -> None:
    put(shop)
    other_site(shop, **{lacks: None})
    assert [("/site", code)] == problems_of(get(shop))
    assert (422, code) == code_of(do(shop, "launch"))


def test_a_sender_that_the_provider_does_not_know_launches_no_campaign_and_its_domain_suffices(shop: Shop) -> None:
    put(shop)
    other_site(shop, sender="hello@shop.example.com")
    assert "validated" == get(shop).json["state"]
    assert (422, "sender_not_verified") == code_of(do(shop, "launch"))
    shop.cloud.verify("shop.example.com")
    assert 200 == do(shop, "launch").status


@pytest.mark.parametrize(
    "changes",
    [
        {"audience": {"include": NEVER}},
        {"audience": {"include": BUYERS, "exclude": BUYERS}},
        {"messages": [a_message(segment="nobody")]},
        # Only all facts tell.
        {"audience": {"include": {"order": {"op": ">=", "value": 1, "where": [{"field": "coupon", "op": "is", "value": "X"}]}}}},
    ],
)
def test_an_audience_of_nobody_is_not_launched(shop: Shop, changes: dict[str, Any]) -> None:
    nobody = {"name": "Nobody", "rule": NEVER}
    assert 201 == shop.call("PUT", "/v1/segments/nobody", nobody, key=shop.cloud.key(STAFF)).status
    assert "validated" == put(shop, **changes).json["state"]
    assert (422, "audience_empty") == code_of(do(shop, "launch"))
    assert "validated" == get(shop).json["state"]


def test_who_only_all_facts_tell_of_is_an_audience(shop: Shop) -> None:
    autumn = {"order": {"op": ">=", "value": 1, "where": [{"field": "coupon", "op": "is", "value": "AUTUMN"}]}}
    put(shop, audience={"include": autumn})
    assert 200 == do(shop, "launch").status


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"messages": []}, "/messages", "too_few"),
    ({"messages": [a_message(treatments=[])]}, "/messages/0/treatments", "too_few"),
    ({"messages": [a_message(f"m{number}") for number in range(11)]}, "/messages", "too_many"),
    ({"messages": [a_message("a", segment="vip"), a_message("a")]}, "/messages/1/name", "repeated"),
    ({"messages": [a_message("a"), a_message("b", segment="vip")]}, "/messages/0/segment", "missing"),
    (
        {"messages": [a_message(treatments=[{"name": "a", "template": "x"}, {"name": "a", "template": "y"}])]},
        "/messages/0/treatments/1/name",
        "repeated",
    ),
    (
        {"messages": [a_message(treatments=[{"name": "a", "template": "x", "weight": 0}])]},
        "/messages/0/treatments/0/weight",
        "too_small",
    ),
    (
        {
            "messages": [
                a_message(name, segment=name, treatments=[{"name": "a", "template": "x", "data": {"much": "x" * 8_200}}])
                for name in ("a", "b")
            ]
        },
        "/messages",
        "data_too_large",
    ),
    (
        {"audience": {"include": {"or": [BUYERS] * 501}, "exclude": {"or": [NEVER] * 500}}},
        "/audience",
        "too_many_conditions",
    ),
    ({"schedule": {"day": "3000-01-01", "at": "09:00"}}, "/schedule/day", "date_range"),
    ({"control_percent": 50.1}, "/control_percent", "too_large"),
    ({"control_percent": -1}, "/control_percent", "too_small"),
    ({"control_percent": "10"}, "/control_percent", "wrong_type"),
    ({"control_percent": True}, "/control_percent", "wrong_type"),
    ({"control_percent": 0.00001}, "/control_percent", "too_many_decimals"),
    ({"pilot": {"percent": 20, "wait_minutes": 60}}, "/pilot", "nothing_to_try"),
    ({"pilot": {"percent": 0.5, "wait_minutes": 60}}, "/pilot/percent", "too_small"),
    ({**EVERYTHING, "expires_after_hours": 4}, "/pilot/wait_minutes", "range"),
    ({"schedule": {"day": "2026-12-01", "at": "9:00"}}, "/schedule/at", "bad_syntax"),
    ({"schedule": {"day": "2026-12-01", "at": "09:00", "until": "2026-12-24"}}, "/schedule/until", "range"),
    (
        {"schedule": {"day": "2026-12-01", "at": "09:00", "every": {"unit": "day"}, "until": "2026-11-30"}},
        "/schedule/until",
        "range",
    ),
    *(
        ({"schedule": {"day": "2026-12-01", "at": "09:00", "every": every}}, "/schedule/every/days", "range")
        for every in (
            {"unit": "day", "days": [1]},
            {"unit": "week"},
            {"unit": "week", "days": [0]},
            {"unit": "week", "days": [8]},
            {"unit": "week", "days": [1, 1]},
            {"unit": "month", "days": []},
            {"unit": "month", "days": [32]},
            {"unit": "month", "days": [-2]},
        )
    ),
    ({"window": {"start": "09:00", "end": "09:00"}}, "/window/end", "range"),
    ({"expires_after_hours": 337}, "/expires_after_hours", "too_large"),
    ({"expires_after_hours": 0}, "/expires_after_hours", "too_small"),
    ({"priority": 10}, "/priority", "too_large"),
    ({"rate_per_minute": 11}, "/rate_per_minute", "too_small"),
    ({"attribution_days": 0}, "/attribution_days", "too_small"),
    ({"costs": {"currency": "EUR", "fixed": "50.001"}}, "/costs/fixed", "too_many_decimals"),
    ({"costs": {"currency": "ZZZ"}}, "/costs/currency", "unknown_currency"),
    ({"salt": ""}, "/salt", "too_short"),
    ({"site": "nowhere"}, "/site", "unknown_site"),
    ({"audience": {"include": {"segment": {"id": "x"}, "sample": {"percent": 1, "salt": "s"}}}}, "/audience/include", "one_of"),
    ({"states": "scheduled"}, "/states", "unknown_field"),
]


@pytest.mark.parametrize(("changes", "pointer", "code"), REFUSED)
def test_what_contradicts_itself_is_not_even_a_draft(shop: Shop, changes: dict[str, Any], pointer: str, code: str) -> None:
    key = shop.cloud.key(STAFF, sites="*")
    answer = shop.call("PUT", "/v1/campaigns/spring", a_campaign(**changes), key=key)
    assert 422 == answer.status, answer.text
    assert (pointer, code) == (answer.json["errors"][0]["pointer"], answer.json["errors"][0]["code"])
    assert bootstrap.campaigns().find("spring") is None


@pytest.mark.parametrize("name", ["Spring", "sp.ring", "-spring", "s" * 41])
def test_a_campaign_is_named_as_other_definitions_are(shop: Shop, name: str) -> None:
    assert (422, "bad_campaign") == code_of(put(shop, name))


def test_a_rule_too_deep_is_told_where_it_stands(shop: Shop) -> None:
    rule: dict[str, Any] = BUYERS
    for _ in range(10):
        rule = {"not": rule}
    answer = put(shop, audience={"include": BUYERS, "exclude": rule})
    assert (422, "rule_too_deep") == code_of(answer)
    assert answer.json["errors"][0]["pointer"].startswith("/audience/exclude/not")


# ── sites ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_campaign_of_another_site_is_not_for_a_key_that_does_not_reach_it(shop: Shop) -> None:
    everywhere = shop.cloud.key(STAFF, sites="*")
    assert 201 == shop.call("PUT", "/v1/campaigns/printemps", a_campaign(site="fr"), key=everywhere).status
    assert 201 == put(shop).status
    listed = [found["campaign"] for found in shop.call("GET", "/v1/campaigns", key=everywhere).json["data"]]
    assert (["printemps", "spring"], ["spring"]) == (listed, [found["campaign"] for found in get(shop, "").json["data"]])
    assert (403, "site_forbidden") == code_of(put(shop, "printemps"))
    for path in ("printemps", "printemps/versions/1", "printemps/runs"):
        assert (403, "site_forbidden") == code_of(get(shop, path))
    for what in ("launch", "pause", "resume", "cancel", "retry-failed"):
        assert (403, "site_forbidden") == code_of(do(shop, what, "printemps"))


# ── life ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_launched_campaign_waits_for_its_occurrence_and_is_not_changed_any_more(shop: Shop) -> None:
    put(shop, schedule={"day": "2999-01-01", "at": "09:00"})
    launched = do(shop, "launch")
    assert (200, '"1"') == (launched.status, launched.headers["etag"])
    life = {name: launched.json[name] for name in ("state", "next_at", "launched_by", "last_run")}
    source = f"api:{bootstrap.api_keys().find(shop.cloud.key(STAFF)).key_id}"  # type: ignore[union-attr]
    assert life == {"state": "scheduled", "next_at": "2999-01-01T08:00:00Z", "launched_by": source, "last_run": None}
    assert launched.json == get(shop).json
    assert (409, "campaign_launched") == code_of(put(shop))
    assert (409, "already_launched") == code_of(do(shop, "launch"))


def test_a_campaign_without_a_schedule_is_due_at_once(shop: Shop) -> None:
    put(shop)
    launched = do(shop, "launch").json
    assert ("scheduled", launched["launched_at"]) == (launched["state"], launched["next_at"])
    due = [each.campaign for each in bootstrap.runs().due(bootstrap.clock.now(), 10)]  # type: ignore[union-attr]
    assert ["spring"] == due


def test_only_the_version_that_was_looked_at_is_launched(shop: Shop) -> None:
    put(shop)
    put(shop)
    assert (412, "version_mismatch") == code_of(do(shop, "launch", headers={"if-match": '"1"'}))
    assert 200 == do(shop, "launch", headers={"if-match": '"2"'}).status


def test_a_launch_that_is_sent_again_with_its_key_is_answered_again(shop: Shop) -> None:
    put(shop)
    first, again = (do(shop, "launch", headers={"idempotency-key": "launch-1"}) for _ in range(2))
    assert (200, 200, first.json) == (first.status, again.status, again.json)
    assert ("true", None) == (again.headers.get("idempotent-replayed"), first.headers.get("idempotent-replayed"))
    assert (409, "already_launched") == code_of(do(shop, "launch", headers={"idempotency-key": "launch-2"}))


@pytest.mark.parametrize("what", ["pause", "resume", "retry-failed", "launch", "cancel"])
def test_what_is_not_there_becomes_nothing(shop: Shop, what: str) -> None:
    assert (404, "campaign_not_found") == code_of(do(shop, what, "unheard-of"))


def test_a_draft_can_only_be_launched_or_cancelled(shop: Shop) -> None:
    put(shop)
    for what in ("pause", "resume"):
        assert (409, "campaign_not_launched") == code_of(do(shop, what))
    assert (404, "run_not_found") == code_of(do(shop, "retry-failed"))
    assert ["cancelled", "cancelled"] == [do(shop, "cancel").json["state"] for _ in range(2)]
    assert (409, "campaign_cancelled") == code_of(put(shop))
    for what in ("launch", "pause", "resume"):
        assert (409, "campaign_cancelled") == code_of(do(shop, what))


EVERY_DAY = {"day": "2026-12-01", "at": "09:00", "every": {"unit": "day"}}


def test_a_pause_holds_occurrences_and_runs_until_it_is_lifted(shop: Shop) -> None:
    put(shop, schedule=EVERY_DAY)
    next_at = do(shop, "launch").json["next_at"]
    sending = begin(a_run("e" * 32, woken_at=NOON))
    planning = begin(a_run("f" * 32, scheduled_at=LATER, state=RunState.PLANNING, planned_at=None))
    for _ in range(2):
        paused = do(shop, "pause").json
        assert ("paused", next_at) == (paused["state"], paused["next_at"])
        assert [
            replace(sending, state=RunState.PAUSED, version=2),
            replace(planning, state=RunState.PAUSED, version=2),
        ] == [run_of("e" * 32), run_of("f" * 32)]
    before = bootstrap.clock.now()
    for _ in range(2):
        resumed = do(shop, "resume").json
        assert ("scheduled", next_at) == (resumed["state"], resumed["next_at"])
    ours, theirs = run_of("e" * 32), run_of("f" * 32)
    assert [RunState.SENDING, RunState.PLANNING] == [ours.state, theirs.state]
    assert [3, 3, None, None] == [ours.version, theirs.version, ours.woken_at, theirs.woken_at]
    assert all(run.due_at is not None and run.due_at >= before for run in (ours, theirs))


def test_a_cancelled_campaign_has_no_occurrence_and_its_runs_are_woken_to_be_closed(shop: Shop) -> None:
    put(shop, schedule=EVERY_DAY)
    do(shop, "launch")
    begin(a_run("e" * 32, woken_at=NOON))
    settled = begin(a_run("f" * 32, scheduled_at=LATER, state=RunState.SETTLED, settled_at=NOON))
    for _ in range(2):
        cancelled = do(shop, "cancel").json
        assert ("cancelled", None) == (cancelled["state"], cancelled["next_at"])
        run = run_of("e" * 32)
        assert (RunState.CANCELLED, None, 2) == (run.state, run.woken_at, run.version)
        assert run.due_at is not None
        assert settled == run_of()
    assert [run.run_id for run in bootstrap.runs().active()] == ["e" * 32]  # until its books are closed
    for what in ("pause", "resume"):
        assert (409, "campaign_cancelled") == code_of(do(shop, what))


def test_a_campaign_without_occurrences_to_come_is_what_its_last_run_is(shop: Shop) -> None:
    put(shop)
    do(shop, "launch")
    begin(a_run("f" * 32, state=RunState.PLANNING), state=LifeState.ENDED)
    assert ("planning", "f" * 32) == ((shown := get(shop).json)["state"], shown["last_run"])
    assert "planning" == get(shop, "").json["data"][0]["state"]
    assert ["paused", "sending", "cancelled"] == [do(shop, what).json["state"] for what in ("pause", "resume", "cancel")]
    run = run_of()
    assert bootstrap.runs().write(replace(run, settled_at=NOON, books={}, audience=0, version=run.version + 1)) is None
    assert ["cancelled", "cancelled"] == [get(shop).json["state"], do(shop, "cancel").json["state"]]
    for what in ("pause", "resume"):
        assert (409, "campaign_cancelled") == code_of(do(shop, what))


def test_a_campaign_of_which_nothing_is_left_is_not_stopped_any_more(shop: Shop) -> None:
    put(shop)
    do(shop, "launch")
    begin(a_run("f" * 32, state=RunState.SETTLED, settled_at=NOON), state=LifeState.ENDED)
    for what in ("pause", "resume", "cancel"):
        assert (409, "campaign_over") == code_of(do(shop, what))


class Meanwhile(DynamoCampaigns):
    """Somebody else changes the life of a campaign before each of the first few writes to it."""

    def __init__(self, times: int) -> None:
        super().__init__(bootstrap.table())
        self.left = iter(range(times))

    def change(self, head: Head) -> Head | None:
        if next(self.left, None) is not None:
            seen = head_of()
            other = Head(seen.campaign, replace(seen.life, revision=seen.life.revision + 1))
            assert super().change(other) is None
        return super().change(head)


class RunsMeanwhile(DynamoRuns):
    """Somebody else writes a run before each of the first few writes to it."""

    def __init__(self, times: int) -> None:
        super().__init__(bootstrap.table())
        self.left = iter(range(times))

    def write(self, run: Run) -> Run | None:
        if next(self.left, None) is not None:
            seen = run_of(run.run_id)
            assert super().write(replace(seen, woken_at=LATER, version=seen.version + 1)) is None
        return super().write(run)


def test_a_pause_is_kept_up_against_whoever_writes_at_the_same_time(shop: Shop) -> None:
    put(shop, schedule=EVERY_DAY)
    do(shop, "launch")
    begin(a_run("f" * 32))
    head = pause_campaign("spring", campaigns=Meanwhile(4), runs=RunsMeanwhile(4))
    assert LifeState.PAUSED is head.life.state
    assert (RunState.PAUSED, LATER) == (run_of().state, run_of().woken_at)
    with pytest.raises(Contended):
        resume_campaign("spring", campaigns=Meanwhile(5), runs=bootstrap.runs(), clock=bootstrap.clock)
    with pytest.raises(Contended):
        resume_campaign("spring", campaigns=bootstrap.campaigns(), runs=RunsMeanwhile(5), clock=bootstrap.clock)


# ── runs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_run_tells_what_it_goes_by_and_what_came_of_it(shop: Shop) -> None:
    put(shop, **EVERYTHING)
    do(shop, "launch")
    campaign = head_of().campaign
    run = begin(
        a_run(
            "f" * 32,
            messages=campaign.messages,
            state=RunState.SETTLED,
            salt=campaign.salt,
            control_percent=campaign.control_percent,
            pilot=campaign.pilot,
            decide_at=LATER,
            verdicts={"all": Verdict(None, "too few")},
            costs=campaign.costs,
            settled_at=LATER,
            audience=2,
            books={"accepted": 1, "held_out": 1},
        )
    )
    answer = get(shop, f"spring/runs/{run.run_id}")
    assert 200 == answer.status
    assert answer.json == {
        "run_id": "f" * 32,
        "campaign": "spring",
        "campaign_version": 1,
        "state": "settled",
        "reason": None,
        "scheduled_at": "2026-11-20T12:00:00Z",
        "wall": None,
        "started_at": "2026-11-20T12:00:00Z",
        "planned_at": "2026-11-20T12:00:00Z",
        "settled_at": "2026-11-20T13:00:00Z",
        "expires_at": "2026-12-04T12:00:00Z",
        "messages": get(shop).json["messages"],
        "salt": "shared control",
        "control_percent": 7.25,
        "pilot": EVERYTHING["pilot"],
        "decide_at": "2026-11-20T13:00:00Z",
        "verdicts": {"all": {"winner": None, "why": "too few"}},
        "attribution_days": 30,
        "costs": EVERYTHING["costs"],
        "audience": 2,
        "books": {"accepted": 1, "held_out": 1},
        "retry_of": None,
        "retried_by": None,
    }
    assert [answer.json] == get(shop, "spring/runs").json["data"]


def test_runs_are_listed_page_by_page_the_newest_first(shop: Shop) -> None:
    put(shop, schedule=EVERY_DAY)
    do(shop, "launch")
    for number in range(5):
        begin(a_run(f"{number:032x}", scheduled_at=NOON + timedelta(days=number)))
    found, query = list[int](), "limit=2"
    while True:
        page = get(shop, "spring/runs", query).json
        found += [int(run["run_id"], 16) for run in page["data"]]
        if page["next_cursor"] is None:
            break
        query = f"limit=2&cursor={page['next_cursor']}"
    assert [4, 3, 2, 1, 0] == found
    assert 201 == put(shop, "autumn").status
    assert (422, "bad_cursor") == code_of(get(shop, "autumn/runs", query))


def test_a_run_is_found_under_its_own_campaign_alone(shop: Shop) -> None:
    put(shop)
    put(shop, "autumn")
    do(shop, "launch")
    begin(a_run("f" * 32))
    for path in (f"autumn/runs/{'f' * 32}", f"spring/runs/{'e' * 32}"):
        assert (404, "run_not_found") == code_of(get(shop, path))


def test_those_whom_a_run_failed_get_it_by_one_more_run_however_often_that_is_asked_for(shop: Shop) -> None:
    put(shop)
    do(shop, "launch")
    run = begin(
        a_run("f" * 32, messages=head_of().campaign.messages, state=RunState.SENDING, pages=3, wall=None), state=LifeState.ENDED
    )
    assert (409, "run_not_settled") == code_of(do(shop, "retry-failed"))
    closed = replace(run, state=RunState.SETTLED, settled_at=LATER, audience=5, books={"accepted": 4, "failed": 1}, version=2)
    assert bootstrap.runs().write(closed) is None
    first = do(shop, f"runs/{run.run_id}/retry-failed")
    assert 201 == first.status
    retry = run_of(first.json["run_id"])
    assert f"/v1/campaigns/spring/runs/{retry.run_id}" == first.headers["location"]
    assert replace(closed, retried_by=retry.run_id, version=3) == run_of()
    assert retry == replace(
        run,
        run_id=retry.run_id,
        messages=frozen(run.messages, templates=bootstrap.templates(), ready_made=bootstrap.ready_made),
        scheduled_at=retry.started_at,
        started_at=retry.started_at,
        expires_at=retry.started_at + run.expires_after,
        state=RunState.PLANNING,
        planned_at=None,
        retries=(run.run_id,),
        due_at=retry.started_at,
    )
    assert [{"a": 0}] == [{each.name: each.template_version for each in message.treatments} for message in retry.messages]
    for again in (do(shop, f"runs/{run.run_id}/retry-failed"), do(shop, "retry-failed")):
        assert (200, first.json) == (again.status, again.json)
    assert [to_answer(retry.scheduled_at), "2026-11-20T12:00:00Z"] == [
        found["scheduled_at"] for found in get(shop, "spring/runs").json["data"]
    ]
    nobody = replace(retry, state=RunState.SETTLED, settled_at=LATER, audience=1, books={"accepted": 1}, due_at=None, version=2)
    assert bootstrap.runs().write(nobody) is None
    assert (409, "nothing_failed") == code_of(do(shop, "retry-failed"))


def failed_one(shop: Shop) -> Run:
    """Let a campaign have a run that failed somebody."""
    put(shop, schedule=EVERY_DAY)
    do(shop, "launch")
    messages = head_of().campaign.messages
    return begin(a_run("f" * 32, messages=messages, state=RunState.SETTLED, settled_at=LATER, audience=1, books={"failed": 1}))


@pytest.mark.parametrize("state", [None, LifeState.ENDED])
def test_nobody_gets_anything_in_the_name_of_a_campaign_that_was_stopped(shop: Shop, state: LifeState | None) -> None:
    failed_one(shop)
    begin(a_run("e" * 32, scheduled_at=LATER, woken_at=NOON), state=state)
    path = f"runs/{'f' * 32}/retry-failed"
    do(shop, "pause")
    assert ("paused", (409, "campaign_paused")) == (get(shop).json["state"], code_of(do(shop, path)))
    assert ("sending" if state else "scheduled") == do(shop, "resume").json["state"]
    do(shop, "cancel")
    assert ("cancelled", (409, "campaign_cancelled")) == (get(shop).json["state"], code_of(do(shop, path)))
    assert [run_of("e" * 32)] == list(bootstrap.runs().active())


def test_a_run_over_the_failed_is_stopped_by_a_pause_that_comes_while_it_begins(shop: Shop) -> None:
    run = failed_one(shop)

    def retried(campaigns: DynamoCampaigns) -> Run:
        return retry_failed(
            "spring",
            run.run_id,
            campaigns=campaigns,
            runs=bootstrap.runs(),
            templates=bootstrap.templates(),
            ready_made=bootstrap.ready_made,
            clock=bootstrap.clock,
        )[0]

    class PausedMeanwhile(DynamoCampaigns):
        def find(self, name: str) -> Head | None:
            found = super().find(name)
            pause_campaign(name, campaigns=bootstrap.campaigns(), runs=bootstrap.runs())
            return found

    with pytest.raises(Conflict, match="paused") as refused:
        retried(PausedMeanwhile(bootstrap.table()))
    assert ("campaign_paused", ()) == (refused.value.code, bootstrap.runs().active())
    do(shop, "resume")
    assert (retried(bootstrap.campaigns()),) == bootstrap.runs().active()


# ── recipients ───────────────────────────────────────────────────────────────────────────────────────────────────────


def entries(run: Run) -> Iterator[Send]:
    """On two pages: who got it, who was held out, who could not get it, and one who was erased meanwhile."""
    plain = a_planned_send(run.run_id, "c1", policy=Policy.MARKETING, requested_at=None, template="newsletter", message="all")
    treated = replace(plain, arm=Arm.TREATED, treatment="a")
    yield replace(
        treated,
        is_pilot=True,
        status=Status.ACCEPTED,
        attempt=1,
        accepted={1: "m-1"},
        template_version=0,
        claimed_at=NOON,
        settled_at=LATER,
        delivered_at=LATER,
        opened_at=LATER,
        clicked_at=LATER + timedelta(minutes=1),
    )
    yield replace(treated, customer_id="c2", closed_at=LATER, status=Status.ACCEPTED, accepted={1: "m-2"}, attempt=1)
    yield replace(plain, customer_id="c3", shard=1, arm=Arm.CONTROL, status=Status.HELD_OUT, settled_at=NOON)
    yield replace(
        plain, customer_id="c4", shard=1, status=Status.NO_CONSENT, ineligible="no_address", reason="no_address", settled_at=NOON
    )


NOTHING_YET = dict.fromkeys(
    (
        *("template_version", "accepted_at", "claimed_at", "delivered_at", "bounced_at", "complained_at"),
        *("opened_at", "clicked_at", "unsubscribed_at"),
    )
)


def recipients(shop: Shop, file_format: str) -> tuple[str, dict[str, Any]]:
    asked = do(shop, f"runs/{'f' * 32}/export-jobs", body={"format": file_format})
    assert (202, "export_recipients", "f" * 32) == (asked.status, asked.json["kind"], asked.json["run_id"])
    shop.cloud.work()
    job = shop.call("GET", f"/v1/jobs/{asked.json['job_id']}").json
    assert ("done", None) == (job["state"], job["error"])
    (text,) = [text for name, text in shop.cloud.files().items() if job["job_id"] in name]
    return text, job["counts"]


def test_a_runs_audience_is_a_file_with_each_persons_reason(shop: Shop) -> None:
    put(shop)
    do(shop, "launch")
    run = begin(a_run("f" * 32, pages=2))
    for entry in entries(run):
        bootstrap.table().put(Put(send_item(entry), None, "planned"))
    text, counts = recipients(shop, "ndjson")
    known = {"message": "all", "planned_at": "2026-11-20T12:00:00Z", **NOTHING_YET}
    assert [json.loads(line) for line in text.splitlines()] == [
        known
        | {
            "customer_id": "c1",
            "arm": "treated",
            "treatment": "a",
            "pilot": True,
            "ineligible": None,
            "status": "accepted",
            "reason": None,
            "template_version": 0,
            "claimed_at": "2026-11-20T12:00:00Z",
            "accepted_at": "2026-11-20T13:00:00Z",
            "delivered_at": "2026-11-20T13:00:00Z",
            "opened_at": "2026-11-20T13:00:00Z",
            "clicked_at": "2026-11-20T13:01:00Z",
        },
        known
        | {
            "customer_id": "c3",
            "arm": "control",
            "treatment": None,
            "pilot": False,
            "ineligible": None,
            "status": "held_out",
            "reason": None,
        },
        known
        | {
            "customer_id": "c4",
            "arm": None,
            "treatment": None,
            "pilot": False,
            "ineligible": "no_address",
            "status": "no_consent",
            "reason": "no_address",
        },
    ]
    assert {"customers_counted": 4, "customers_left_out": 1, "customers_written": 3, "unreadable": 0, "rows_written": 3} == counts
    sheet, _ = recipients(shop, "csv")
    header, *rows = sheet.removeprefix("\ufeff").splitlines()
    assert header.startswith(
        "customer_id,message,arm,treatment,pilot,ineligible,status,reason,template_version,accepted_at,planned_at"
    )
    assert ["c1", "c3", "c4"] == [row.partition(",")[0] for row in rows]


def test_an_export_goes_on_where_it_stood(shop: Shop) -> None:
    put(shop)
    do(shop, "launch")
    run = begin(a_run("f" * 32, pages=2))
    for entry in entries(run):
        bootstrap.table().put(Put(send_item(entry), None, "planned"))
    runs, sends = bootstrap.runs(), bootstrap.sends()
    whole = [(position, send.customer_id) for position, send in roster(run.run_id, None, runs=runs, sends=sends)]
    assert [("0#c1", "c1"), ("0#c2", "c2"), ("1#c3", "c3"), ("1#c4", "c4")] == whole
    for number, (position, _) in enumerate(whole, start=1):
        rest = [found for found, _ in roster(run.run_id, position, runs=runs, sends=sends)]
        assert [later for later, _ in whole[number:]] == rest


def test_an_export_of_what_is_not_there_is_not_asked_for(shop: Shop) -> None:
    put(shop)
    answer = do(shop, f"runs/{'f' * 32}/export-jobs", body={})
    assert (404, "run_not_found") == code_of(answer)


def test_a_schedule_of_tomorrow_is_no_schedule_of_the_past(shop: Shop) -> None:
    soon = in_hours(30)
    put(shop, schedule={"day": soon[:10], "at": soon[11:16]})
    assert "validated" == get(shop).json["state"]
    local = put(shop, "local", schedule={"day": in_hours(0)[:10], "at": "00:00", "local": True})
    assert [("/schedule", "in_the_past")] == problems_of(local)
    detail = "at local times it begins 14 hours ahead of UTC: it has no occurrence that begins after now"
    assert detail == local.json["problems"][0]["detail"]


@pytest.mark.parametrize("every", [None, {"unit": "day"}, {"unit": "week", "days": [1]}, {"unit": "month", "days": [30]}])
@pytest.mark.parametrize("local", [True, False])
def test_the_last_day_that_can_be_named_is_a_day_as_others_are(shop: Shop, every: Any, local: bool) -> None:  # noqa: FBT001
    schedule = {"day": "2999-12-31", "at": "23:59", "every": every, "local": local}
    assert "validated" == put(shop, schedule=schedule).json["state"]
    assert 200 == do(shop, "launch").status
    assert "scheduled" == get(shop).json["state"]
