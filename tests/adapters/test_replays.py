"""O4: a request with an Idempotency-Key that comes again is told what it was told the first time, and does nothing more."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ecrm import bootstrap
from ecrm.application.ports import Outcome, Request
from ecrm.domain.errors import Invalid
from orders_api.handler import handler
from tests.builders import NOON, an_event, an_order
from tests.cloud import Answer, Cloud
from tests.faults import Deliver, Fault, Sent, at, on, refused_with, tapped

DAY = 24 * 60 * 60


@dataclass(frozen=True)
class Route:
    path: str
    body: dict[str, Any]
    others: tuple[dict[str, Any], ...]
    """Bodies that the same key must not be used for; by themselves some are right and some are not."""
    status: int


ROUTES = {
    "an order": Route(
        "/v1/orders",
        an_order(order_id="A-1002"),
        (
            an_order(order_id="A-1003"),
            an_order(order_id="A-1002", coupon="AUTUMN"),
            an_order(order_id="A-1001", coupon="AUTUMN"),
            an_order(order_id="A-1001"),
        ),
        201,
    ),
    "an event": Route(
        "/v1/orders/A-1001/events",
        an_event("paid"),
        (
            an_event("packed"),
            an_event("packed", event_id="paid-1"),
            an_event("refunded", amount="1000.00"),
            an_event("shipped", lines=[{"line_id": "9", "quantity": 1}]),
        ),
        201,
    ),
    "a batch of orders": Route(
        "/v1/orders/batch",
        {"orders": [an_order(order_id="A-1002"), an_order()]},
        ({"orders": [an_order(order_id="A-1003")]}, {"orders": [{}]}),
        200,
    ),
    "a batch of events": Route(
        "/v1/orders/events/batch",
        {"events": [an_event("paid", order_id="A-1001")]},
        ({"events": [an_event("packed", order_id="A-1001")]}, {"events": [{}]}),
        200,
    ),
}


@pytest.fixture
def shop(cloud: Cloud) -> Cloud:
    """With one order, A-1001."""
    assert 201 == cloud.call(handler, "POST", "/v1/orders", an_order()).status
    return cloud


def send(cloud: Cloud, path: str, body: Any, name: str = "once", key: str | None = None) -> Answer:
    return cloud.call(handler, "POST", path, body, headers={"idempotency-key": name}, key=key)


def told(answer: Answer) -> tuple[int, str | None, Any]:
    """Status, Idempotent-Replayed and body; of a batch's results what does not say whether they are new."""
    body = answer.json
    if "results" in body:
        body = [{name: said for name, said in result.items() if name != "status"} for result in body["results"]]
    return answer.status, answer.headers.get("idempotent-replayed"), body


def reused(answer: Answer) -> tuple[int, str, str]:
    return answer.status, answer.json["code"], answer.headers["content-type"]


REUSED = (422, "idempotency_key_reused", "application/problem+json")


@pytest.mark.parametrize("route", ROUTES.values(), ids=ROUTES)
def test_the_same_bytes_again_get_the_first_answer_and_leave_nothing(shop: Cloud, route: Route) -> None:
    first = send(shop, route.path, route.body)
    left = shop.items()
    assert (route.status, None) == (first.status, first.headers.get("idempotent-replayed"))
    for name in ("once", '"once"', "once"):
        again = send(shop, route.path, route.body, name)
        assert (told(first)[0], "true", told(first)[2]) == told(again)
    assert left == shop.items()


@pytest.mark.parametrize("route", ROUTES.values(), ids=ROUTES)
def test_another_body_under_the_same_key_is_refused_and_leaves_nothing(shop: Cloud, route: Route) -> None:
    first = send(shop, route.path, route.body)
    left = shop.items()
    others = [*route.others, json.dumps(route.body, indent=1)]
    assert [REUSED] * len(others) == [reused(send(shop, route.path, other)) for other in others]
    assert left == shop.items()
    assert (route.status, "true", told(first)[2]) == told(send(shop, route.path, route.body))


@pytest.mark.parametrize("route", ROUTES.values(), ids=ROUTES)
def test_a_key_is_one_caller_s_and_one_route_s_own(shop: Cloud, route: Route) -> None:
    send(shop, route.path, route.body)
    other_caller = shop.key(sites="*")
    other_routes = [(other.path, other.body) for other in ROUTES.values() if other is not route]
    answers = [send(shop, path, body) for path, body in other_routes] + [send(shop, route.path, route.body, key=other_caller)]
    assert [None] * 4 == [answer.headers.get("idempotent-replayed") for answer in answers]
    assert {200, 201} >= {answer.status for answer in answers}


def test_what_was_there_already_is_remembered_under_its_new_key_too(shop: Cloud) -> None:
    assert 201 == shop.call(handler, "POST", "/v1/orders/A-1001/events", an_event("paid")).status
    for path, body, other in (
        ("/v1/orders", an_order(), an_order(order_id="A-1002")),
        ("/v1/orders/A-1001/events", an_event("paid"), an_event("packed")),
    ):
        first, again = send(shop, path, body), send(shop, path, body)
        assert (200, None, "A-1001") == (first.status, first.headers.get("idempotent-replayed"), first.json["order_id"])
        assert (200, "true", first.json) == told(again)
        assert REUSED == reused(send(shop, path, other))


def expire(cloud: Cloud) -> None:
    """Put the end of every remembered request into the past; TTL has not deleted it yet."""
    for item in cloud.items("REPLAY"):
        cloud.dynamodb.put_item(TableName="table", Item=item | {"expires_at": {"N": str(int(item["expires_at"]["N"]) - DAY - 1)}})


@pytest.mark.parametrize("route", ROUTES.values(), ids=ROUTES)
def test_a_key_that_ended_is_free_though_its_item_is_still_there(shop: Cloud, route: Route) -> None:
    send(shop, route.path, route.body)
    expire(shop)
    assert [None] == [send(shop, route.path, route.others[0]).headers.get("idempotent-replayed")]
    assert ["true"] == [send(shop, route.path, route.others[0]).headers.get("idempotent-replayed")]
    assert REUSED == reused(send(shop, route.path, route.body))


@pytest.mark.parametrize("route", ROUTES.values(), ids=ROUTES)
def test_a_request_is_remembered_for_a_day(shop: Cloud, route: Route) -> None:
    before = int(datetime.now(UTC).timestamp())
    send(shop, route.path, route.body)
    (item,) = shop.items("REPLAY")
    assert before + DAY <= int(item["expires_at"]["N"]) <= int(datetime.now(UTC).timestamp()) + DAY


def test_a_day_ends_after_its_last_second(cloud: Cloud) -> None:
    del cloud
    requests = bootstrap.requests()
    request = Request("key", "digest", NOON + timedelta(days=1))
    last, after = NOON + timedelta(days=1), NOON + timedelta(days=1, seconds=1)
    assert (None, None) == (requests.find(request, NOON), requests.recognise(request, Outcome.CREATED, NOON))
    for now in (NOON, last, last + timedelta(milliseconds=999)):
        found = (requests.find(request, now), requests.recognise(request, Outcome.EXISTING, now))
        assert (Outcome.CREATED, Outcome.CREATED) == found
    assert (None, None) == (requests.find(request, after), requests.recognise(request, Outcome.EXISTING, after))
    assert Outcome.EXISTING == requests.find(request, NOON)


def test_another_body_is_another_request(cloud: Cloud) -> None:
    del cloud
    requests = bootstrap.requests()
    request, other = (Request("key", digest, NOON + timedelta(days=1)) for digest in ("digest", "other digest"))
    requests.recognise(request, Outcome.CREATED, NOON)
    with pytest.raises(Invalid, match="another body"):
        requests.find(other, NOON)
    with pytest.raises(Invalid, match="another body"):
        requests.recognise(other, Outcome.CREATED, NOON)


def held(where: Callable[[str], bool]) -> Fault:
    """Another transaction holds the items whose PK is one of `where`."""

    def conflict(sent: Sent, _deliver: Deliver) -> Any:
        asked = [ask["Put"]["Item"] if "Put" in ask else ask["ConditionCheck"]["Key"] for ask in sent.ask["TransactItems"]]
        reasons = [{"Code": "TransactionConflict" if where(key["PK"]["S"]) else "None"} for key in asked]
        return sent.refuse("TransactionCanceledException", CancellationReasons=reasons)

    return on("TransactWriteItems", conflict)


@pytest.mark.parametrize("name", ["an order", "an event"])
def test_a_request_that_is_being_worked_on_is_told_so(shop: Cloud, name: str) -> None:
    route, left = ROUTES[name], shop.items()
    for held_items in (lambda pk: pk.startswith("REPLAY#"), lambda _pk: True):
        with tapped(held(held_items)) as calls:
            answer = send(shop, route.path, route.body)
        assert (409, "request_in_flight", "1", "application/problem+json") == (
            answer.status,
            answer.json["code"],
            answer.headers["retry-after"],
            answer.headers["content-type"],
        )
        assert 1 == calls.count("TransactWriteItems")
    assert left == shop.items()
    assert (201, None) == told(send(shop, route.path, route.body))[:2]


@pytest.mark.parametrize("name", ["an order", "an event"])
def test_an_item_that_others_hold_is_tried_again_and_then_the_caller_is_told_to_come_back(shop: Cloud, name: str) -> None:
    route, left = ROUTES[name], shop.items()
    with tapped(held(lambda pk: pk.startswith(("ORDER#", "CUSTOMER#")))) as calls:
        answer = send(shop, route.path, route.body)
    assert (503, "contended", "1", 12) == (
        answer.status,
        answer.json["code"],
        answer.headers["retry-after"],
        calls.count("TransactWriteItems"),
    )
    assert left == shop.items()


@pytest.mark.parametrize("name", ["an order", "an event"])
def test_an_item_that_is_let_go_in_time_costs_the_caller_nothing(shop: Cloud, name: str) -> None:
    route, tries = ROUTES[name], 0
    conflict = held(lambda pk: pk.startswith("CUSTOMER#"))

    def let_go_at_the_twelfth(sent: Sent, deliver: Deliver) -> Any:
        nonlocal tries
        tries += sent.operation == "TransactWriteItems"
        return deliver() if tries == 12 else conflict(sent, deliver)

    with tapped(let_go_at_the_twelfth):
        assert (201, None) == told(send(shop, route.path, route.body))[:2]


@pytest.mark.parametrize("route", ROUTES.values(), ids=ROUTES)
def test_an_answer_of_5xx_is_not_remembered(shop: Cloud, route: Route) -> None:
    with tapped() as calls:
        send(shop, route.path, route.body, "quiet")
    busy = refused_with("ThrottlingException")
    for call in range(len(calls)):
        body = json.dumps(route.body).replace("A-1002", f"A-2{call:03}").replace("paid-1", f"paid-2{call:03}")
        name = f"round {call}"
        with tapped(at(call, busy)):
            answer = send(shop, route.path, body, name)
        refused = [result["status"] for result in answer.json["results"]] if answer.status == 200 else [answer.status]
        assert 503 in refused
        again = send(shop, route.path, body, name)
        known = "true" if answer.status == 200 else None  # a batch that was begun is known; its elements are not
        assert (route.status, known) == told(again)[:2]
        assert [] == [result for result in again.json.get("results", ()) if result["status"] > 201]
        assert (route.status, "true", told(again)[2]) == told(send(shop, route.path, body, name))


def test_a_refused_request_leaves_its_key_free_for_the_corrected_one(shop: Cloud) -> None:
    wrong = send(shop, "/v1/orders", an_order(order_id="A-1002", total="1.00"))
    right = send(shop, "/v1/orders", an_order(order_id="A-1002"))
    too_much = send(shop, "/v1/orders/A-1001/events", an_event("refunded", amount="1000.00"))
    enough = send(shop, "/v1/orders/A-1001/events", an_event("refunded", amount="1.00"))
    assert [422, 201, 409, 201] == [answer.status for answer in (wrong, right, too_much, enough)]
