"""Bad input, and the answer it gets: what happens to orders, and batches."""

import json
from typing import Any

import pytest

from tests.builders import an_event, an_order
from tests.faults import on, refused_with, tapped
from tests.functions.api import Shop, a_new_order, code_of, in_hours
from tests.functions.conftest import Logs


def event(type_: str, **changes: Any) -> dict[str, Any]:
    return an_event(type_, **changes)


def only(number: int, line_id: str = "1") -> list[dict[str, Any]]:
    return [{"line_id": line_id, "quantity": number}]


BAD_EVENTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "an unknown type": (event("exploded"), "", "unknown_type"),
    "placed, which is no event to send": (event("placed"), "", "unknown_type"),
    "no type": ({"occurred_at": "2026-11-20T13:00:00Z"}, "", "missing"),
    "a type that is a list": ({"type": [], "occurred_at": "2026-11-20T13:00:00Z"}, "", "unknown_type"),
    "no occurred_at": ({"type": "paid"}, "/occurred_at", "missing"),
    "occurred_at without a zone": (event("paid", occurred_at="2026-11-20T13:00:00"), "/occurred_at", "instant_syntax"),
    "an unknown field": (event("paid", amount="1"), "/amount", "unknown_field"),
    "an order_id beside the path's": (event("paid", order_id="A-1001"), "/order_id", "unknown_field"),
    "an event_id with a hash": (event("paid", event_id="a#b"), "/event_id", "bad_syntax"),
    "an event_id of 101": (event("paid", event_id="x" * 101), "/event_id", "too_long"),
    "shipped without a parcel": (event("shipped", shipment_id=None), "/shipment_id", "wrong_type"),
    "shipped with no line": (event("shipped", lines=[]), "/lines", "too_few"),
    "shipped with one line twice": (event("shipped", lines=only(1) * 2), "/lines", "duplicate_line_id"),
    "shipped with nothing of a line": (event("shipped", lines=only(0)), "/lines/0/quantity", "too_small"),
    "shipped with a script for a link": (event("shipped", tracking_url="javascript:alert(1)"), "/tracking_url", "bad_syntax"),
    "shipped with a link in quotes": (event("shipped", tracking_url='https://a/"onclick="'), "/tracking_url", "bad_syntax"),
    "shipped with a link and a line end": (event("shipped", tracking_url="https://a/\n"), "/tracking_url", "bad_syntax"),
    "shipped with a link of 1,001": (event("shipped", tracking_url="https://a/".ljust(1_001, "a")), "/tracking_url", "too_long"),
    "shipped to arrive at no day": (event("shipped", estimated_on="2026-02-30"), "/estimated_on", "date_syntax"),
    "shipped to arrive in the year 9999": (event("shipped", estimated_on="9999-12-31"), "/estimated_on", "date_range"),
    "an update that says nothing": (event("shipment_updated", state=None), "", "nothing_said"),
    "an update with an unknown state": (event("shipment_updated", state="lost"), "/state", "unknown_value"),
    "an update that says delivered": (event("shipment_updated", state="delivered"), "/state", "unknown_value"),
    "a refund of lines without an amount": (event("refunded", lines=only(1)), "", "amount_missing"),
    "a refund of less than a cent": (event("refunded", amount="0.001"), "/amount", "too_many_decimals"),
    "a reason of 2,001": (event("cancelled", reason="x" * 2_001), "/reason", "too_long"),
    "an amendment that is off": (event("amended", total="1.00"), "/total", "total_mismatch"),
    "an amendment without lines": (event("amended", lines=[]), "/lines", "too_few"),
    "a text for backfill": (event("paid", backfill="yes"), "/backfill", "wrong_type"),
}


@pytest.mark.parametrize("what", BAD_EVENTS)
def test_an_event_that_cannot_be_right_is_told_where(shop: Shop, what: str) -> None:
    body, pointer, code = BAD_EVENTS[what]
    answer = shop.call("POST", "/v1/orders/A-1001/events", body)
    assert (422, (pointer, code)) == (
        answer.status,
        next((flaw["pointer"], flaw["code"]) for flaw in answer.json["errors"]),
    ), answer.text


def test_an_event_more_than_a_day_ahead_is_refused(shop: Shop) -> None:
    answer = shop.call("POST", "/v1/orders/A-1001/events", event("paid", occurred_at=in_hours(24.1)))
    assert (422, "in_the_future") == code_of(answer)
    assert 201 == shop.call("POST", "/v1/orders/A-1001/events", event("paid", occurred_at=in_hours(23.9))).status


CONTRADICTIONS: dict[str, tuple[list[dict[str, Any]], str]] = {
    "a refund above the total": ([event("refunded", amount="32.28")], "refund_exceeds_total"),
    "two refunds above the total": (
        [event("refunded", amount="32.27"), event("refunded", amount="0.01", event_id="2")],
        "refund_exceeds_total",
    ),
    "more shipped than ordered": ([event("shipped", lines=only(3))], "shipped_exceeds_ordered"),
    "more delivered than ordered": ([event("delivered", lines=only(3))], "delivered_exceeds_ordered"),
    "more cancelled than ordered": ([event("cancelled", lines=only(3))], "cancelled_exceeds_ordered"),
    "more returned than ordered": ([event("returned", lines=only(3))], "returned_exceeds_ordered"),
    "a line that is not there": ([event("shipped", lines=only(1, "9"))], "unknown_line"),
    "an event_id of another event": ([event("paid", event_id="1"), event("packed", event_id="1")], "event_exists"),
    "an event_id of another body": (
        [event("returned", event_id="1"), event("returned", event_id="1", reason="late")],
        "event_exists",
    ),
}


@pytest.mark.parametrize("what", CONTRADICTIONS)
def test_an_event_that_can_never_become_right_is_refused_and_changes_nothing(shop: Shop, what: str) -> None:
    events, code = CONTRADICTIONS[what]
    body = a_new_order()
    shop.call("POST", "/v1/orders", body)
    path = f"/v1/orders/{body['order_id']}"
    *before, last = events
    assert [201] * len(before) == [shop.call("POST", f"{path}/events", said).status for said in before]
    stood = shop.call("GET", path).json
    assert (409, code) == code_of(shop.call("POST", f"{path}/events", last))
    assert stood == shop.call("GET", path).json


def test_the_same_event_again_is_a_replay(shop: Shop) -> None:
    body = a_new_order()
    shop.call("POST", "/v1/orders", body)
    for said in (event("paid"), {"type": "packed", "occurred_at": "2026-11-20T13:00:00Z"}):
        answers = [shop.call("POST", f"/v1/orders/{body['order_id']}/events", said) for _ in range(2)]
        assert [201, 200] == [answer.status for answer in answers]
        assert answers[0].json == answers[1].json


def test_an_order_holds_two_hundred_events_and_no_more(shop: Shop) -> None:
    body = a_new_order()
    shop.call("POST", "/v1/orders", body)
    name = {"order_id": body["order_id"]}
    events = [event("packed", event_id=str(number)) | name for number in range(200)]
    for batch in (events[:100], events[100:]):
        assert 100 == shop.call("POST", "/v1/orders/events/batch", {"events": batch}).json["created"]
    assert (409, "too_many_events") == code_of(shop.call("POST", f"/v1/orders/{body['order_id']}/events", event("paid")))


# ── batches ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("path", "name"), [("/v1/orders/batch", "orders"), ("/v1/orders/events/batch", "events")])
@pytest.mark.parametrize(
    ("body", "code"),
    [([], "too_few"), ([{}] * 101, "too_many"), ({}, "wrong_type"), (None, "wrong_type")],
    ids=["empty", "101", "an object", "null"],
)
def test_a_batch_holds_one_to_a_hundred(shop: Shop, path: str, name: str, body: Any, code: str) -> None:
    answer = shop.call("POST", path, {name: body})
    assert (422, f"/{name}", code) == (answer.status, answer.json["errors"][0]["pointer"], answer.json["errors"][0]["code"])


def test_each_order_of_a_batch_is_answered_as_if_alone(shop: Shop) -> None:
    known, other = a_new_order(), a_new_order()
    shop.call("POST", "/v1/orders", known)
    off = a_new_order(total="1.00")
    elements = [other, known, known | {"coupon": "x"}, {}, 3, None, "x", [other], other, off, {"order_id": 7}]
    answer = shop.call("POST", "/v1/orders/batch", {"orders": elements})
    assert (200, 1, 2, 8) == (answer.status, *(answer.json[name] for name in ("created", "replayed", "rejected")))
    found = [(one["index"], one["status"], one["order_id"]) for one in answer.json["results"]]
    assert [
        (0, 201, other["order_id"]),
        (1, 200, known["order_id"]),
        (2, 409, known["order_id"]),
        (3, 422, None),
        (4, 422, None),
        (5, 422, None),
        (6, 422, None),
        (7, 422, None),
        (8, 200, other["order_id"]),
        (9, 422, off["order_id"]),
        (10, 422, None),
    ] == found
    alone = shop.call("POST", "/v1/orders", off)
    assert alone.json == answer.json["results"][9]["error"]


def test_the_log_names_the_key_whose_batch_the_table_refuses(shop: Shop, logs: Logs) -> None:
    """The request is a 200, which no search for 503 would find."""
    with tapped(on("TransactWriteItems", refused_with("ProvisionedThroughputExceededException"))):
        shop.call("POST", "/v1/orders/batch", {"orders": [a_new_order(), a_new_order()]})
    lines = [json.loads(line) for line in logs.take().splitlines()]
    (request,) = (line for line in lines if line.get("message") == "request")
    (refused,) = (line for line in lines if line.get("status") == 503)
    assert ("unavailable in a batch", request["key_id"], request["correlation_id"]) == tuple(
        refused[name] for name in ("message", "key_id", "correlation_id")
    )


def test_each_event_of_a_batch_is_answered_as_if_alone(shop: Shop) -> None:
    order_id = a_new_order()["order_id"]
    shop.call("POST", "/v1/orders", an_order(order_id=order_id))
    elements: list[Any] = [
        event("paid", order_id=order_id),
        event("paid", order_id=order_id),
        event("paid"),
        event("paid", order_id="nothing"),
        event("paid", order_id="a/b"),
        event("exploded", order_id=order_id),
        event("refunded", order_id=order_id, amount="99"),
        3,
        None,
    ]
    answer = shop.call("POST", "/v1/orders/events/batch", {"events": elements})
    assert [
        (201, ""),
        (200, ""),
        (422, "missing"),
        (404, "order_not_found"),
        (422, "bad_syntax"),
        (422, "unknown_type"),
        (409, "refund_exceeds_total"),
        (422, "wrong_type"),
        (422, "wrong_type"),
    ] == [
        (one["status"], "" if one["error"] is None else (one["error"]["errors"] or [one["error"]])[0]["code"])
        for one in answer.json["results"]
    ]
    assert (1, 1, 7) == tuple(answer.json[name] for name in ("created", "replayed", "rejected"))
