"""Segments over HTTP: versions that stay, rules that can be right, what a night found, and who is in which one now, and why."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from ecrm import bootstrap
from ecrm.analytics.forecasts import Forecaster, Horizon
from ecrm.analytics.rfm import RfmScale, Scale
from ecrm.analytics.scoring import NightThresholds
from ecrm.application.night_ports import Place
from ecrm.application.segment_ports import Night, Pointer
from ecrm.domain import money
from ecrm.domain.api_keys import KeyKind
from ecrm.domain.campaigns import Head, Life, LifeState
from ecrm.domain.lifecycle import Stage, Thresholds
from ecrm.domain.nights import Generations, Membership, NightState
from ecrm.domain.predictions import rounded
from ecrm.domain.traits import Trait, TraitKind
from tests.builders import A_MODEL, NOON
from tests.cloud import Answer, Cloud
from tests.functions.api import Shop, a_new_order, code_of, open_shop
from tests.simulation.planning import a_campaign

BUYERS: dict[str, Any] = {"stats": {"field": "orders", "op": ">=", "value": 1}}
THRESHOLDS = NightThresholds(
    lifecycle=Thresholds(at_risk_days=60, lost_days=120),
    scales={"EUR": RfmScale(Scale((739_000, 739_500)), Scale((1, 2)), Scale((1_000, 2_500, 3_000)))},
    models={"EUR": A_MODEL, "JPY": replace(A_MODEL, is_weak=True, failure="it did not converge", check=None)},
    horizon=Horizon(days=730, discount_percent=7.5),
)
DAY = date(2026, 11, 20)


@pytest.fixture
def shop(cloud: Cloud) -> Shop:
    """A shop of each test's shop: what others write is in its rules and lists."""
    return open_shop(cloud)


def put(shop: Shop, name: str, rule: Any = BUYERS, headers: dict[str, str] | None = None, **changes: Any) -> Answer:
    body = {"name": name.capitalize(), "description": "Who bought.", "rule": rule} | changes
    return shop.call("PUT", f"/v1/segments/{name}", body, key=shop.cloud.key(KeyKind.STAFF), headers=headers or {})


def get(shop: Shop, path: str, query: str = "") -> Answer:
    return shop.call("GET", path, key=shop.cloud.key(KeyKind.STAFF), query=query)


def preview(shop: Shop, rule: Any, **more: Any) -> Answer:
    return shop.call("POST", "/v1/segments/preview", {"rule": rule} | more, key=shop.cloud.key(KeyKind.STAFF))


def a_night(*members: tuple[str, str], night: date = DAY, generation: int = 1) -> None:
    """Publish a night that finds these customers in these segments, as its steps do."""
    nights = bootstrap.nights()
    bootstrap.memberships().write(Membership(segment, customer_id, generation) for segment, customer_id in members)
    sizes: dict[str, int] = {}
    for segment, _ in members:
        sizes[segment] = sizes.get(segment, 0) + 1
    at = datetime(night.year, night.month, night.day, 2, tzinfo=UTC)
    before = nights.pointer()
    told = Night(
        night=night,
        state=NightState.PUBLISHED,
        scheduled_at=at,
        started_at=at + timedelta(seconds=3),
        finished_at=at + timedelta(minutes=2),
        generation=generation,
        base=before.generations.published,
        base_night=before.night,
        customers=2,
        sizes=sizes,
        entered=sizes,
        versions=dict.fromkeys(sizes, 1),
        stages={Stage.PROSPECT: 1, Stage.NEW: 1},
        moves={Stage.PROSPECT: {Stage.NEW: 1}},
        thresholds=THRESHOLDS,
        version=1,
    )
    pointer = Pointer(
        generations=Generations(before.generations.published, generation, before.generations.unpublished).with_last_published(),
        night=night,
        thresholds=THRESHOLDS,
        version=before.version + 1,
    )
    assert nights.write(told, pointer=pointer)


def test_every_version_of_a_segment_stays_as_it_was_written(shop: Shop) -> None:
    made, replaced = put(shop, "stays"), put(shop, "stays", {"not": BUYERS}, description="")
    assert ((201, '"1"'), (200, '"2"')) == ((made.status, made.headers["etag"]), (replaced.status, replaced.headers["etag"]))
    expected = {
        "segment": "stays",
        "name": "Stays",
        "description": "Who bought.",
        "rule": BUYERS,
        "archived": False,
        "ready_made": False,
        "version": 1,
        "updated_at": made.json["updated_at"],
    }
    assert expected == made.json == get(shop, "/v1/segments/stays/versions/1").json
    newest = get(shop, "/v1/segments/stays")
    more: dict[str, Any] = {"size": None, "night": None, "nights": [], "used_by": []}
    assert ('"2"', replaced.json | more) == (newest.headers["etag"], newest.json)


def test_only_the_version_that_was_seen_is_replaced(shop: Shop) -> None:
    assert 201 == put(shop, "seen", headers={"if-none-match": "*"}).status
    assert (412, "version_mismatch") == code_of(put(shop, "seen", headers={"if-none-match": "*"}))
    assert 200 == put(shop, "seen", headers={"if-match": '"1"'}).status
    assert (412, "version_mismatch") == code_of(put(shop, "seen", headers={"if-match": '"1"'}))
    assert (404, "segment_not_found") == code_of(get(shop, "/v1/segments/seen/versions/3"))
    assert (404, "segment_not_found") == code_of(get(shop, "/v1/segments/nobody"))


def test_a_ready_made_segment_is_there_to_start_from_in_the_sites_currency(shop: Shop) -> None:
    before = get(shop, "/v1/segments/champions")
    assert (200, '"0"', True, None) == (
        before.status,
        before.headers["etag"],
        before.json["ready_made"],
        before.json["updated_at"],
    )
    assert {"stats": {"field": "rfm.group", "op": "is", "value": "champions", "currency": "EUR"}} == before.json["rule"]
    own = put(shop, "champions", before.json["rule"], headers={"if-match": before.headers["etag"]})
    assert (201, 1, False) == (own.status, own.json["version"], own.json["ready_made"])
    assert before.json["rule"] == get(shop, "/v1/segments/champions/versions/0").json["rule"]
    page = get(shop, "/v1/segments").json
    names = [each["segment"] for each in page["data"]]
    assert (sorted(names), None, False) == (
        names,
        page["next_cursor"],
        next(each["ready_made"] for each in page["data"] if each["segment"] == "champions"),
    )
    assert {"champions", "birthdays", "lost"} <= set(names)


UNSOUND: dict[str, tuple[Any, str, str]] = {
    "itself": ({"segment": {"id": "unsound"}}, "/rule/segment/id", "segment_circle"),
    "nobody's": ({"and": [BUYERS, {"segment": {"id": "no-such"}}]}, "/rule/and/1/segment/id", "unknown_segment"),
    "a ready-made one": ({"segment": {"id": "lost"}}, "/rule/segment/id", "unknown_segment"),
    "an unknown field": ({"stats": {"field": "shoe_size", "op": "=", "value": 1}}, "/rule/stats/field", "unknown_value"),
    "words for numbers": ({"stats": {"field": "orders", "op": "=", "value": "1"}}, "/rule/stats/value", "wrong_type"),
    "too deep": ({"not": {"not": {"not": {"not": {"not": {"not": {"not": {"not": {"not": {"not": BUYERS}}}}}}}}}}, "", ""),
}


@pytest.mark.parametrize("what", UNSOUND)
def test_a_rule_that_cannot_be_right_is_told_where_saved_or_tried(shop: Shop, what: str) -> None:
    rule, pointer, code = UNSOUND[what]
    answers = [put(shop, "unsound", rule), preview(shop, rule)]
    if what == "itself":
        answers = answers[:1]
    flaws = [answer.json["errors"][0] for answer in answers]
    assert {422} == {answer.status for answer in answers}
    if pointer:
        assert {(pointer, code)} == {(flaw["pointer"], flaw["code"]) for flaw in flaws}
    else:
        assert {"rule_too_deep"} == {flaw["code"] for flaw in flaws}


def test_a_segment_that_others_name_is_not_archived_and_an_archived_one_is_not_named(shop: Shop) -> None:
    put(shop, "base")
    assert 201 == put(shop, "upon", {"segment": {"id": "base"}}).status
    assert ["upon"] == get(shop, "/v1/segments/base").json["used_by"]
    assert (422, "segment_in_use") == code_of(put(shop, "base", archived=True))
    assert 200 == put(shop, "upon", BUYERS).status
    archived = put(shop, "base", archived=True)
    assert (200, True) == (archived.status, archived.json["archived"])
    assert (422, "unknown_segment") == code_of(put(shop, "upon", {"segment": {"id": "base"}}))
    assert ["upon"] == [segment.segment for segment in bootstrap.segments().published()]


@pytest.mark.parametrize("name", ["vip", "loyal"])
def test_a_segment_that_a_coming_campaign_names_is_not_archived(shop: Shop, name: str) -> None:
    """One names it in its audience, the other by a message; whose campaign is a draft, or over, may be put away."""
    put(shop, name)
    campaigns, waiting = bootstrap.campaigns(), Life(state=LifeState.PAUSED, next_at=NOON, revision=2)
    campaigns.define(Head(a_campaign(), Life(revision=1)))
    assert 200 == put(shop, name, archived=True).status
    assert 200 == put(shop, name).status
    campaigns.change(Head(a_campaign(), waiting))
    refused = put(shop, name, archived=True)
    assert (422, "segment_in_use") == code_of(refused)
    assert "the campaign spring" in refused.text
    assert 200 == put(shop, name, {"not": BUYERS}).status
    campaigns.change(Head(a_campaign(), Life(state=LifeState.CANCELLED, revision=3)))
    assert 200 == put(shop, name, archived=True).status


def test_a_circle_through_another_segment_is_refused(shop: Shop) -> None:
    put(shop, "one")
    put(shop, "two", {"segment": {"id": "one"}})
    assert (422, "segment_circle") == code_of(put(shop, "one", {"not": {"segment": {"id": "two"}}}))


def test_there_are_two_hundred_segments_at_most(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecrm.application.segments.MOST_PUBLISHED", 2)
    for name in ("first", "second"):
        assert 201 == put(shop, name).status
    assert (422, "too_many_segments") == code_of(put(shop, "third"))
    assert 200 == put(shop, "first", archived=True).status
    assert 201 == put(shop, "third").status


def test_what_segments_name_is_what_rows_copy_from_then_on(shop: Shop) -> None:
    plan = {"profile": {"path": "plan", "op": "is", "value": "gold"}}
    put(shop, "gold", plan)
    put(
        shop,
        "news",
        {"and": [plan, {"consent": {"channel": "email", "topic": "news"}}, {"profile": {"path": "email", "op": "exists"}}]},
    )
    listed = bootstrap.traits().listed()
    expected = (Trait(TraitKind.CONSENT, "email/news"), Trait(TraitKind.IDENTIFIER, "email"), Trait(TraitKind.PROFILE, "plan"))
    assert (2, expected) == (listed.version, listed.traits)
    put(shop, "gold", plan, description="The same again changes no list.")
    assert 2 == bootstrap.traits().listed().version
    put(shop, "news", archived=True)
    assert (3, expected[2:]) == ((after := bootstrap.traits().listed()).version, after.traits)


def test_a_preview_counts_who_would_be_in_and_keeps_nothing(shop: Shop) -> None:
    others = [shop.somebody() for _ in range(2)]
    shop.visitor()
    shop.cloud.project()
    found = preview(shop, BUYERS)
    assert 200 == found.status, found.text
    expected = {
        "count": 3,
        "customers": 4,
        "from_facts": 0,
        "undecided": 0,
        "read": 4,
        "unreadable": 0,
        "exact": True,
        "sample": sorted([shop.customer_id, *others]),
        "night": None,
    }
    assert expected == found.json
    asked = preview(shop, {"and": [BUYERS, {"profile": {"path": "plan", "op": "missing"}}]}).json
    assert (3, 3, True) == (asked["count"], asked["from_facts"], asked["exact"])
    assert [] == [each for each in shop.cloud.items() if each["PK"]["S"].startswith(("SEGMENT", "LIST#segments"))]


def a_whole_night(at: datetime) -> None:
    """Run a night through its steps."""
    planned = bootstrap.plan_night(at)
    place = Place(planned.night, planned.generation)
    for group in planned.groups:
        bootstrap.snapshot_customers(place, group, lambda: False)
    bootstrap.summarise_night(place)
    for group in planned.groups:
        bootstrap.score_customers(place, group, lambda: False)
    bootstrap.publish_night(place)


def test_a_rule_is_tried_as_the_night_of_a_day_would_have_judged(shop: Shop) -> None:
    """Whatever was ordered, defined or erased since; where the night's copies do not tell, nothing of today is mixed in."""
    buyer, leaver = shop.customer_id, shop.somebody()
    visitor = shop.visitor()
    shop.cloud.project()
    put(shop, "buyers", {"stats": {"field": "orders", "op": ">=", "value": 2}})
    at = datetime.now(UTC)
    a_whole_night(at)
    night = at.date().isoformat()
    put(shop, "buyers", BUYERS)
    put(shop, "later")
    assert 201 == shop.call("POST", "/v1/orders", a_new_order(customer={"user_id": "u-77"})).status
    assert 202 == shop.call("POST", f"/v1/customers/{leaver}/erasure-jobs").status
    shop.cloud.project()
    shop.cloud.publish()
    shop.cloud.run_jobs()
    expected = {
        "count": 2,
        "customers": 3,
        "from_facts": 0,
        "undecided": 0,
        "read": 3,
        "unreadable": 0,
        "exact": True,
        "sample": [buyer],
        "night": night,
    }
    assert expected == preview(shop, BUYERS, as_of=night).json
    now = preview(shop, {"stats": {"field": "orders", "op": ">=", "value": 2}}).json
    assert (1, 2) == (now["count"], now["read"]), "and by now it is otherwise"
    assert 0 == preview(shop, {"segment": {"id": "buyers"}}, as_of=night).json["count"], "by its rule as it was"
    assert (422, "unknown_segment") == code_of(preview(shop, {"segment": {"id": "later"}}, as_of=night))
    jazz = {"order": {"op": ">=", "value": 1, "where": [{"field": "category", "op": "is", "value": "jazz"}]}}
    range_of = preview(shop, {"or": [{"not": BUYERS}, jazz]}, as_of=night).json
    assert (1, 2, 2, False, [visitor]) == tuple(
        range_of[name] for name in ("count", "undecided", "from_facts", "exact", "sample")
    )


def test_a_rule_is_tried_only_on_a_night_that_was_published_and_whose_files_are_there(shop: Shop) -> None:
    shop.cloud.project()
    a_night()
    assert (422, "unknown_night") == code_of(preview(shop, BUYERS, as_of="2026-11-19"))
    gone = preview(shop, BUYERS, as_of=DAY.isoformat())
    assert (422, "night_gone") == code_of(gone)
    assert ["/as_of"] == [error["pointer"] for error in gone.json["errors"]]
    bootstrap.plan_night(datetime(2026, 11, 21, 2, tzinfo=UTC))
    assert (422, "unknown_night") == code_of(preview(shop, BUYERS, as_of="2026-11-21"))
    assert 422 == preview(shop, BUYERS, as_of="last night").status


def test_a_row_that_cannot_be_read_is_counted_and_does_not_hide_the_others(shop: Shop) -> None:
    shop.somebody()
    shop.cloud.project()
    (row,) = (item for item in shop.cloud.items(shop.customer_id) if item["PK"]["S"].startswith("STATS#"))
    shop.cloud.dynamodb.put_item(TableName="table", Item=row | {"first_order_at": {"S": "yesterday"}})
    found = preview(shop, BUYERS).json
    assert (1, 1, 2) == (found["count"], found["unreadable"], found["read"])


def test_members_are_as_the_last_night_found_them_page_by_page(shop: Shop) -> None:
    put(shop, "buyers")
    customers = [f"{number:032x}" for number in range(7)]
    a_night(*(("buyers", customer) for customer in customers))
    path, query, found = "/v1/segments/buyers/members", "limit=3", []
    for _ in range(4):
        page = get(shop, path, query).json
        found += [each["customer_id"] for each in page["data"]]
        if page["next_cursor"] is None:
            break
        query = f"limit=3&cursor={page['next_cursor']}"
    assert customers == sorted(found)
    shown = get(shop, "/v1/segments/buyers").json
    night = {"night": "2026-11-20", "version": 1, "size": 7, "entered": 7, "left": 0}
    assert (7, "2026-11-20", [night]) == (shown["size"], shown["night"], shown["nights"])
    assert (404, "segment_not_found") == code_of(get(shop, "/v1/segments/nobody/members"))
    assert (422, "bad_cursor") == code_of(get(shop, "/v1/segments/other/members", query))


def test_a_list_of_members_stays_with_its_night_until_the_one_after_the_next(shop: Shop) -> None:
    put(shop, "buyers")
    a_night(*(("buyers", f"{number:032x}") for number in range(4)))
    first = get(shop, "/v1/segments/buyers/members", "limit=2").json
    left = [Membership("buyers", f"{number:032x}", 1, 2) for number in range(4)]
    bootstrap.memberships().write(left)
    query = f"limit=9&cursor={first['next_cursor']}"
    before = get(shop, "/v1/segments/buyers/members", query).json
    a_night(("buyers", "f" * 32), night=DAY + timedelta(days=1), generation=2)
    after = get(shop, "/v1/segments/buyers/members", query).json
    assert (before, 2) == (after, len(after["data"]))
    assert ["f" * 32] == [each["customer_id"] for each in get(shop, "/v1/segments/buyers/members").json["data"]]
    a_night(night=DAY + timedelta(days=2), generation=3)
    assert (422, "bad_cursor") == code_of(get(shop, "/v1/segments/buyers/members", query))


def test_what_a_night_that_was_not_published_wrote_is_never_seen(shop: Shop) -> None:
    put(shop, "buyers")
    a_night(("buyers", "a" * 32), ("buyers", "b" * 32))
    bootstrap.memberships().write([Membership("buyers", "a" * 32, 1, 2), Membership("buyers", "c" * 32, 2)])
    a_night(("buyers", "d" * 32), night=DAY + timedelta(days=1), generation=3)
    late = [Membership("buyers", "b" * 32, 1, 2), Membership("buyers", "d" * 32, 2)]
    bootstrap.memberships().write(late)
    found = sorted(each["customer_id"] for each in get(shop, "/v1/segments/buyers/members").json["data"])
    assert ["a" * 32, "b" * 32, "d" * 32] == found


def test_nights_are_listed_the_last_one_first_and_shown_whole(shop: Shop) -> None:
    put(shop, "buyers")
    a_night(("buyers", "a" * 32))
    a_night(("buyers", "a" * 32), night=DAY + timedelta(days=1), generation=2)
    page = get(shop, "/v1/nights", "limit=1").json
    assert ["2026-11-21"] == [each["night"] for each in page["data"]]
    rest = get(shop, "/v1/nights", f"limit=1&cursor={page['next_cursor']}").json
    assert ["2026-11-20"] == [each["night"] for each in rest["data"]]
    shown = get(shop, "/v1/nights/2026-11-20").json
    expected = {
        "night": "2026-11-20",
        "state": "published",
        "scheduled_at": "2026-11-20T02:00:00Z",
        "started_at": "2026-11-20T02:00:03Z",
        "finished_at": "2026-11-20T02:02:00Z",
        "error": None,
        "customers": 2,
        "unreadable": 0,
        "from_facts": 0,
        "segments": {"buyers": {"version": 1, "size": 1, "entered": 1, "left": 0}},
        "stages": {"prospect": 1, "new": 1},
        "moves": {"prospect": {"new": 1}},
        "thresholds": {
            "at_risk_days": 60,
            "lost_days": 120,
            "rfm": {
                "EUR": {
                    "recency": [date.fromordinal(739_000).isoformat(), date.fromordinal(739_500).isoformat()],
                    "frequency": [1, 2],
                    "monetary": ["10.00", "25.00", "30.00"],
                }
            },
            "value_horizon_days": 730,
            "discount_percent": 7.5,
        },
        "models": {"EUR": EUROS, "JPY": YEN},
    }
    assert expected == shown
    for missing in ("2026-11-19", "yesterday", "2026-13-01"):
        assert (404, "night_not_found") == code_of(get(shop, f"/v1/nights/{missing}"))


HEAD = {"name": A_MODEL.name, "version": A_MODEL.version, "fitted_on": "2026-11-19", "buyers": 2_357}
PARAMETERS = {"r": 0.5248, "alpha_days": 6.1829 * 7, "a": 0.8914, "b": 1.6137, "p": 6.25, "q": 3.74}
MODEL = {"purchasing_source": "own", "spending_source": "pooled", "repeat_buyers": 1_124}
ERROR = {"orders": 0.0156, "value": 0.0417}
EUROS = {
    **HEAD,
    **MODEL,
    "error": ERROR,
    "weak": False,
    "failure": None,
    "parameters": PARAMETERS | {"gamma": 15.44},
    "check": {
        "as_of": "2026-07-31",
        "until": "2026-11-19",
        "purchasing_source": "own",
        "spending_source": "built_in",
        "customers": 1_900,
        "expected_orders": 812.5,
        "actual_orders": 800,
        "expected_value": "25000.50",
        "actual_value": "24000.00",
        "error": ERROR,
        "by_repeats": [
            {"repeats": 0, "customers": 1_100, "expected_orders": 300.25, "actual_orders": 320},
            {"repeats": 10, "customers": 800, "expected_orders": 512.25, "actual_orders": 480},
        ],
    },
}
YEN = {
    **HEAD,
    **MODEL,
    "error": None,
    "weak": True,
    "failure": "it did not converge",
    "parameters": PARAMETERS | {"gamma": 1_544.0},
    "check": None,
}


def test_a_customer_is_judged_now_by_every_segment_and_told_why(shop: Shop) -> None:
    shop.cloud.project()
    put(shop, "buyers", {"and": [BUYERS, {"not": {"event": {"name": "Product Viewed", "op": ">=", "value": 1}}}]})
    put(shop, "rich", {"stats": {"field": "net_revenue", "currency": "EUR", "op": ">", "value": "1000.00"}})
    put(shop, "gold", {"profile": {"path": "plan", "op": "is", "value": "gold"}})
    a_night()
    found = shop.call("GET", f"/v1/customers/{shop.customer_id}/segments")
    assert 200 == found.status, found.text
    told = {each["segment"]: each for each in found.json["segments"]}
    assert {"buyers": True, "gold": False, "rich": False} == {name: each["member"] for name, each in told.items()}
    event = {"name": "Product Viewed", "measure": "count", "window": {"ever": True}, "op": ">=", "value": 1}
    assert [
        {"pointer": "/and/0/stats", "condition": BUYERS, "seen": 1, "holds": True},
        {"pointer": "/and/1/not/event", "condition": {"event": event}, "seen": 0, "holds": False},
    ] == told["buyers"]["why"]
    rich = told["rich"]["why"][0]
    assert ("1000.00", "23.00") == (rich["condition"]["stats"]["value"], rich["seen"])
    assert (None, False) == ((gold := told["gold"]["why"][0])["seen"], gold["holds"])
    put(shop, "gold", {"profile": {"path": "plan", "op": "is", "value": "gold"}})
    said = shop.call("PATCH", f"/v1/customers/{shop.customer_id}", {"traits": {"plan": "gold"}})
    assert 200 == said.status
    again = shop.call("GET", f"/v1/customers/{shop.customer_id}/segments").json
    assert {"gold": True}.items() <= {each["segment"]: each["member"] for each in again["segments"]}.items()


def test_statistics_tell_what_the_last_night_adds_and_scores_follow_an_order_at_once(shop: Shop) -> None:
    shop.cloud.project()
    before = shop.call("GET", f"/v1/customers/{shop.customer_id}/stats").json
    assert (None, None, {}, {}, []) == tuple(before[name] for name in ("night", "lifecycle", "rfm", "predictions", "segments"))
    put(shop, "buyers")
    a_night(("buyers", shop.customer_id))
    stats = shop.call("GET", f"/v1/customers/{shop.customer_id}/stats").json
    assert ("2026-11-20", ["buyers"], 1) == (stats["night"], stats["segments"], stats["rfm"]["EUR"]["frequency"] - 1)
    place = a_new_order(placed_at="2026-11-19T12:00:00Z", customer={"user_id": "u-77"})
    assert 201 == shop.call("POST", "/v1/orders", place).status
    shop.cloud.project()
    after = shop.call("GET", f"/v1/customers/{shop.customer_id}/stats").json
    assert (3, 4) == (after["rfm"]["EUR"]["frequency"], after["rfm"]["EUR"]["monetary"])


def test_predictions_are_of_this_moment_and_say_by_which_model(shop: Shop) -> None:
    """An order is in them a second after it was placed, by the parameters of the night before."""
    shop.cloud.project()
    a_night()
    path = f"/v1/customers/{shop.customer_id}"
    (currency, before), *others = shop.call("GET", f"{path}/stats").json["predictions"].items()
    assert ("EUR", []) == (currency, others)
    assert {"value_horizon_days": 730, "weak": False, "model": {**HEAD, "error": ERROR}}.items() <= before.items()
    row, _ = bootstrap.statistics().find(shop.customer_id) or (None, 0)
    assert row is not None
    expected = Forecaster(A_MODEL, THRESHOLDS.horizon).predict(row.currencies["EUR"], datetime.now(UTC).date())
    assert expected is not None
    assert {
        "p_alive": float(rounded(expected.p_alive)),
        "orders_30": float(rounded(expected.orders_30)),
        "orders_90": float(rounded(expected.orders_90)),
        "orders_365": float(rounded(expected.orders_365)),
        "value": money.to_text(expected.value_minor, "EUR"),
        "next_order_on": expected.next_order_on and expected.next_order_on.isoformat(),
    }.items() <= before.items()
    placed_at = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    assert 201 == shop.call("POST", "/v1/orders", a_new_order(placed_at=placed_at, customer={"user_id": "u-77"})).status
    shop.cloud.project()
    after = shop.call("GET", f"{path}/stats").json["predictions"]["EUR"]
    assert after["orders_365"] > before["orders_365"]


def test_a_customer_is_told_why_by_what_is_predicted(shop: Shop) -> None:
    shop.cloud.project()
    asked = {"field": "clv", "currency": "EUR", "op": ">=", "value": "1000000.00"}
    put(shop, "dear", {"predicted": asked})
    put(shop, "foreign", {"predicted": asked | {"currency": "USD"}})
    a_night()
    path = f"/v1/customers/{shop.customer_id}"
    expected = shop.call("GET", f"{path}/stats").json["predictions"]["EUR"]["value"]
    told = {each["segment"]: each for each in shop.call("GET", f"{path}/segments").json["segments"]}
    assert [{"pointer": "/predicted", "condition": {"predicted": asked}, "seen": expected, "holds": False}] == told["dear"]["why"]
    assert (None, False) == (told["foreign"]["why"][0]["seen"], told["foreign"]["member"])


def test_a_segment_is_exported_as_the_night_found_it(shop: Shop) -> None:
    put(shop, "buyers")
    a_night(("buyers", shop.customer_id), ("buyers", "f" * 32))
    shop.cloud.project()
    asked = shop.call("POST", "/v1/segments/buyers/export-jobs", {}, key=shop.cloud.key(KeyKind.STAFF))
    assert (202, "export_segment", "buyers") == (asked.status, asked.json["kind"], asked.json["segment"])
    shop.cloud.publish()
    shop.cloud.run_jobs()
    told = get(shop, asked.headers["location"]).json
    books = {"customers_counted": 2, "customers_written": 1, "customers_left_out": 1, "rows_written": 1, "unreadable": 0}
    assert ("done", books) == (told["state"], told["counts"])
    missing = shop.call("POST", "/v1/segments/nobody/export-jobs", {}, key=shop.cloud.key(KeyKind.STAFF))
    assert (404, "segment_not_found") == code_of(missing)


def test_what_is_exported_of_a_person_names_their_segments(shop: Shop) -> None:
    for name in ("buyers", "vip"):
        put(shop, name)
    a_night(("buyers", shop.customer_id), ("vip", "f" * 32))
    assert 202 == shop.call("POST", f"/v1/customers/{shop.customer_id}/export-jobs").status
    shop.cloud.publish()
    shop.cloud.run_jobs()
    rows = [row for name, text in shop.cloud.files().items() if name.endswith(".json") for row in json.loads(text)]
    found = [row for row in rows if row.get("kept_under") == "segment"]
    assert [("buyers", shop.customer_id, 1)] == [(row["segment"], row["name"], row["from_generation"]) for row in found]


def test_who_is_erased_is_in_no_segment_any_more(shop: Shop) -> None:
    put(shop, "buyers")
    a_night(("buyers", shop.customer_id), ("buyers", "f" * 32))
    assert 202 == shop.call("POST", f"/v1/customers/{shop.customer_id}/erasure-jobs").status
    shop.cloud.publish()
    shop.cloud.run_jobs()
    assert [{"customer_id": "f" * 32}] == get(shop, "/v1/segments/buyers/members").json["data"]
    assert [] == [item for item in shop.cloud.items(shop.customer_id) if item["PK"]["S"].startswith("SEGMENT#")]


def test_before_the_first_night_every_list_is_empty(shop: Shop) -> None:
    put(shop, "buyers")
    assert {"data": [], "next_cursor": None} == get(shop, "/v1/nights").json
    assert {"data": [], "next_cursor": None} == get(shop, "/v1/segments/buyers/members").json
