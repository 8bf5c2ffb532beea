"""An eventually consistent read may be behind what was just written; no caller may see a wrong decision for it."""

from collections.abc import Callable
from typing import Any

import pytest

from customers_api.handler import handler as customers
from ecrm import bootstrap
from ecrm.domain.api_keys import KeyKind
from ecrm.domain.statistics import count
from ingest_api.handler import handler as ingest
from orders_api.handler import handler as orders
from tests.builders import an_event, an_order
from tests.cloud import Answer, Cloud
from tests.faults import Kept, on, tapped
from tests.unit.facts import in_berlin

EVENTS = "/v1/orders/A-1001/events"
HANDLERS: dict[str, Callable[..., dict[str, Any]]] = {"orders": orders, "customers": customers, "track": ingest}


def ask(cloud: Cloud, method: str, path: str, body: Any = None, **more: Any) -> Answer:
    return cloud.call(HANDLERS[path.split("/")[2]], method, path, body, **more)


def place(cloud: Cloud, **changes: Any) -> Answer:
    answer = ask(cloud, "POST", "/v1/orders", an_order(**changes))
    assert 201 == answer.status
    return answer


@pytest.fixture
def shop(cloud: Cloud) -> Cloud:
    """With a key that every reader has seen."""
    cloud.key()
    return cloud


def test_a_key_that_was_just_made_is_known(shop: Cloud) -> None:
    kept = Kept()
    key = shop.key(KeyKind.STAFF)
    with tapped(kept.behind):
        assert 404 == ask(shop, "GET", "/v1/orders/A-1001", key=key).status


def test_an_order_that_was_just_placed_is_found(shop: Cloud) -> None:
    kept = Kept()
    placed = place(shop)
    customer_id = placed.json["customer_id"]
    with tapped(kept.behind):
        assert placed.json == ask(shop, "GET", "/v1/orders/A-1001").json
        lists = (
            ask(shop, "POST", "/v1/orders/lookup", {"email": "sara@example.com"}),
            ask(shop, "GET", f"/v1/customers/{customer_id}/orders"),
        )
        assert [["A-1001"]] * 2 == [[order["order_id"] for order in answer.json["data"]] for answer in lists]
        assert customer_id == ask(shop, "GET", f"/v1/customers/{customer_id}").json["customer_id"]
        assert 201 == ask(shop, "POST", EVENTS, an_event("paid")).status


def test_a_listed_order_that_is_not_seen_yet_is_asked_for_again(shop: Cloud) -> None:
    place(shop, order_id="A-1")
    kept = Kept()
    place(shop, order_id="A-2")
    with tapped(on("BatchGetItem", kept.behind)):
        listed = ask(shop, "GET", "/v1/orders", query="from=2026-11-20&to=2026-11-20")
    assert ["A-2", "A-1"] == [order["order_id"] for order in listed.json["data"]]


def test_a_customer_who_came_into_being_just_now_does_so_once(shop: Cloud) -> None:
    kept = Kept()
    first = place(shop, order_id="A-1")
    with tapped(kept.behind):
        again = place(shop, order_id="A-2")
        by_address = place(shop, order_id="A-3", customer={"email": "sara@example.com"})
    assert [first.json["customer_id"]] * 2 == [again.json["customer_id"], by_address.json["customer_id"]]
    assert 1 == len(shop.items("PROFILE"))


def test_an_identifier_that_was_gained_just_now_is_gained_once(shop: Cloud) -> None:
    place(shop, order_id="A-1", customer={"user_id": "u-77"})
    kept = Kept()
    place(shop, order_id="A-2", customer={"user_id": "u-77", "phone": "+989121234567"})
    with tapped(kept.behind):
        place(shop, order_id="A-3", customer={"user_id": "u-77", "phone": "+989121234567"})
    (profile,) = shop.items("PROFILE")
    assert (2, "2") == (len(profile["identifiers"]["L"]), profile["version"]["N"])


def test_an_order_sent_again_at_once_is_the_same_order(shop: Cloud) -> None:
    kept = Kept()
    placed = place(shop)
    with tapped(kept.behind):
        assert (200, placed.json) == ((again := ask(shop, "POST", "/v1/orders", an_order())).status, again.json)
        other = ask(shop, "POST", "/v1/orders", an_order(coupon="AUTUMN"))
    assert (409, "order_exists") == (other.status, other.json["code"])


@pytest.mark.parametrize("headers", [{}, {"idempotency-key": "once"}], ids=["without a key", "with an Idempotency-Key"])
def test_an_event_sent_again_at_once_is_applied_once(shop: Cloud, headers: dict[str, str]) -> None:
    place(shop)
    kept = Kept()
    first = ask(shop, "POST", EVENTS, an_event("paid"), headers=headers)
    with tapped(kept.behind):
        again = ask(shop, "POST", EVENTS, an_event("paid"), headers=headers)
        other = ask(shop, "POST", EVENTS, an_event("paid", backfill=True))
    expected = (201, "true") if headers else (200, None)
    assert (*expected, first.json) == (again.status, again.headers.get("idempotent-replayed"), again.json)
    assert (409, "event_exists") == (other.status, other.json["code"])


def test_an_event_that_the_newest_amendment_makes_right_is_taken(shop: Cloud) -> None:
    place(shop)
    kept = Kept()
    lines = [{"line_id": "3", "sku": "X", "name": "Court and Spark", "quantity": 4, "unit_price": "23.00"}]
    amendment = an_event("amended", lines=lines, total="101.27")
    assert 201 == ask(shop, "POST", EVENTS, amendment).status
    with tapped(kept.behind):
        shipped = ask(shop, "POST", EVENTS, an_event("shipped", lines=[{"line_id": "3", "quantity": 4}]))
        refunded = ask(shop, "POST", EVENTS, an_event("refunded", amount="101.27"))
        unknown = ask(shop, "POST", EVENTS, an_event("shipped", event_id="x", lines=[{"line_id": "9", "quantity": 1}]))
    assert (201, 201, 409, "unknown_line") == (shipped.status, refunded.status, unknown.status, unknown.json["code"])


def test_a_recount_sees_the_newest_facts(shop: Cloud) -> None:
    customer_id = place(shop).json["customer_id"]
    shop.project()
    kept = Kept()
    place(shop, order_id="A-1002")
    assert 201 == ask(shop, "POST", EVENTS, an_event("refunded")).status
    with tapped(kept.behind):
        assert bootstrap.recount(customer_id)
        assert not bootstrap.recount(customer_id)
    assert (count(bootstrap.orders().of_customer(customer_id), in_berlin), 2) == bootstrap.statistics().find(customer_id)


def test_behaviour_told_again_after_a_merger_that_was_just_now_is_there_once(shop: Cloud) -> None:
    known = place(shop, order_id="A-1", customer={"user_id": "u-1"}).json["customer_id"]
    visitor = place(shop, order_id="A-2", customer={"anonymous_id": "device"}).json["customer_id"]
    said = {"event": "Product Viewed", "messageId": "m-1", "timestamp": "2026-11-20T12:00:00Z"}
    assert 200 == ask(shop, "POST", "/v1/track", said | {"anonymousId": "device"}).status
    kept = Kept()
    assert 201 == ask(shop, "POST", f"/v1/customers/{known}/merge", {"customer_id": visitor}).status
    with tapped(kept.behind):
        assert 200 == ask(shop, "POST", "/v1/track", said | {"userId": "u-1"}).status
    assert 1 == len([item for item in shop.items("EVENT#") if item["type"]["S"] == "product.viewed"])


def test_an_update_of_who_came_into_being_just_now_is_kept_and_answered_whole(shop: Cloud) -> None:
    kept = Kept()
    customer_id = place(shop).json["customer_id"]
    at = f"/v1/customers/{customer_id}"
    with tapped(kept.behind):
        updates = [ask(shop, "PATCH", at, {"traits": {name: "Sara"}}) for name in ("first_name", "last_name")]
        absent = ask(shop, "PATCH", "/v1/customers/" + "0" * 32, {"traits": {"first_name": "Sara"}})
    assert [{"first_name"}, {"first_name", "last_name"}] == [set(answer.json["traits"]) for answer in updates]
    assert (404, [2, 2]) == (absent.status, [len(answer.json["identifiers"]) for answer in updates])


def test_an_update_that_changes_nothing_is_answered_with_the_newest(shop: Cloud) -> None:
    customer_id = place(shop).json["customer_id"]
    at = f"/v1/customers/{customer_id}"
    said = {"traits": {"first_name": "Sara"}, "occurred_at": "2026-11-20T12:00:00Z"}
    assert 200 == ask(shop, "PATCH", at, said).status
    kept = Kept()
    newest = ask(shop, "PATCH", at, {"traits": {"last_name": "Tehrani"}})
    with tapped(kept.behind):
        assert newest.json == ask(shop, "PATCH", at, said).json
