"""Segment's API as its libraries and its enemies use it: what is kept of it, what is refused, and how each is told."""

import base64
import gzip
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest

from customers_api.handler import handler as customers
from ecrm import bootstrap
from ecrm.domain.api_keys import KeyKind
from ecrm.domain.customers import Identifier, Kind
from ingest_api.handler import handler
from orders_api.handler import handler as orders
from tests.builders import a_request
from tests.cloud import Answer, Cloud
from tests.faults import fail, tapped
from tests.functions.api import code_of

OK = {"success": True}
WHEN = "2026-11-20T12:00:00Z"


@dataclass(frozen=True)
class Site:
    """A site that speaks to the API."""

    cloud: Cloud

    @property
    def write(self) -> str:
        return self.cloud.key(KeyKind.WRITE)

    @property
    def server(self) -> str:
        return self.cloud.key(KeyKind.SERVER)

    def say(self, path: str, body: Any, *, key: str | None = None, headers: Mapping[str, str] = {}) -> Answer:
        return self.cloud.call(handler, "POST", path, body, key=key or self.write, headers=headers)

    def sent(self, path: str, body: str, headers: Mapping[str, str], *, is_base64: bool = False) -> Answer:
        """Send with these headers and no others."""
        event = a_request("POST", path, body=body, headers=headers) | {"isBase64Encoded": is_base64}
        answer = handler(event, None)
        return Answer(answer["statusCode"], answer["headers"], answer["body"])

    def ids(self, **identifiers: str) -> list[str]:
        found = bootstrap.customers().held(Identifier(Kind(kind), value, "de") for kind, value in identifiers.items())
        return [held.customer_id or "" for held in found.values()]

    def timeline(self, **identifier: str) -> list[dict[str, Any]]:
        (customer_id,) = self.ids(**identifier)
        path = f"/v1/customers/{customer_id}/timeline"
        data: list[dict[str, Any]] = self.cloud.call(customers, "GET", path, query="limit=100").json["data"]
        return [event for event in data if not event["type"].startswith("customer.")]

    def stats(self, *, query: str = "", **identifier: str) -> dict[str, Any]:
        (customer_id,) = self.ids(**identifier)
        self.cloud.project()
        found: dict[str, Any] = self.cloud.call(customers, "GET", f"/v1/customers/{customer_id}/stats", query=query).json
        return found

    def order(self, order_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.cloud.call(orders, "GET", f"/v1/orders/{order_id}").json
        return found


@pytest.fixture
def site(cloud: Cloud) -> Site:
    return Site(cloud)


def a_call(kind: str = "track", **changes: Any) -> dict[str, Any]:
    own: dict[str, dict[str, Any]] = {
        "track": {"event": "Product Viewed", "properties": {"sku": "CD-5", "price": 12.5}},
        "identify": {"traits": {"plan": "gold"}},
        "group": {"groupId": "club"},
        "alias": {"previousId": "browser-1"},
        "page": {"name": "Home"},
        "screen": {"name": "Start"},
    }
    return {"type": kind, "userId": "u-1", "messageId": f"{kind}-1", "timestamp": WHEN} | own[kind] | changes


def an_order(**changes: Any) -> dict[str, Any]:
    """The spec's own example: https://www.twilio.com/docs/segment/connections/spec/ecommerce/v2#order-completed."""
    said = {"order_id": "A-1", "total": 27.5, "shipping": 3, "tax": 2, "discount": 2.5, "coupon": "hasbros", "currency": "USD"}
    products = [
        {"product_id": "p-1", "sku": "45790-32", "name": "Monopoly", "price": 19, "quantity": 1, "category": "Games"},
        {"product_id": "p-2", "name": "Uno", "price": 3, "quantity": 2, "category": "Games"},
    ]
    return said | {"revenue": 25, "products": products, "affiliation": "Store"} | changes


def ordered(name: str = "Order Completed", *, message: str = "m-1", **changes: Any) -> dict[str, Any]:
    return a_call(event=name, messageId=message, properties=an_order(**changes))


# ── as the libraries send it ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("path", "kind", "kept"),
    [
        ("/v1/identify", "identify", []),
        ("/v1/i", "identify", []),
        ("/v1/track", "track", ["product.viewed"]),
        ("/v1/t", "track", ["product.viewed"]),
        ("/v1/page", "page", ["page.viewed"]),
        ("/v1/p", "page", ["page.viewed"]),
        ("/v1/screen", "screen", ["screen.viewed"]),
        ("/v1/s", "screen", ["screen.viewed"]),
        ("/v1/group", "group", ["group.joined"]),
        ("/v1/g", "group", ["group.joined"]),
        ("/v1/alias", "alias", []),
        ("/v1/a", "alias", []),
    ],
)
def test_each_call_is_taken_at_its_path_and_at_its_first_letter(site: Site, path: str, kind: str, kept: list[str]) -> None:
    answer = site.say(path, a_call(kind))
    assert (200, OK) == (answer.status, answer.json)
    assert kept == [event["type"] for event in site.timeline(user_id="u-1")]


def as_python(key: str) -> tuple[str, dict[str, str]]:
    call = a_call(timestamp="2026-11-20T12:00:00.123+00:00", integrations={}, context={"library": {"name": "analytics-python"}})
    body = {"batch": [call], "sentAt": "2026-11-20T12:00:01.000042+00:00", "writeKey": key}
    return json.dumps(body), {"content-type": "application/json", "user-agent": "analytics-python/2.3.4"}


def as_node(key: str) -> tuple[str, dict[str, str]]:
    call = a_call(_metadata={"nodeVersion": "v22", "jsRuntime": "node"}, integrations={}, context={"library": {"name": "n"}})
    headers = {"content-type": "application/json", "authorization": basic(key), "x-retry-count": "1"}
    return json.dumps({"batch": [call], "writeKey": key, "sentAt": "2026-11-20T12:00:01.000Z"}), headers


def as_browser(key: str) -> tuple[str, dict[str, str]]:
    call = a_call(writeKey=key, sentAt="2026-11-20T12:00:01.000Z", anonymousId="browser-1", userId=None, integrations={})
    return json.dumps({"batch": [call], "writeKey": key}), {"content-type": "text/plain", "authorization": basic(key)}


def as_a_beacon(key: str) -> tuple[str, dict[str, str]]:
    body, _ = as_browser(key)
    return body, {"content-type": "text/plain;charset=UTF-8"}


def basic(key: str) -> str:
    return "Basic " + base64.b64encode(f"{key}:".encode()).decode()


@pytest.mark.parametrize("library", [as_python, as_node, as_browser, as_a_beacon])
@pytest.mark.parametrize("path", ["/v1/batch", "/v1/b"])
def test_the_libraries_are_understood_as_they_are(site: Site, library: Any, path: str) -> None:
    body, headers = library(site.write)
    answer = site.sent(path, body, headers)
    assert (200, {"success": True, "errors": []}) == (answer.status, answer.json)
    zipped = base64.b64encode(gzip.compress(body.encode())).decode()
    assert 200 == site.sent(path, zipped, headers | {"content-encoding": "gzip"}, is_base64=True).status
    assert [] != site.timeline(**({"user_id": "u-1"} if "u-1" in body else {"anonymous_id": "browser-1"}))
    assert 1 == len([item for item in site.cloud.items("EVENT#") if item["type"]["S"] == "product.viewed"])


def test_a_key_in_the_body_that_is_none_is_told_so_in_a_way_that_the_python_library_reads(site: Site) -> None:
    body, headers = as_python("ecrm_write_nobody")
    answer = site.sent("/v1/batch", body, headers)
    assert (401, "unauthenticated") == code_of(answer)
    assert "a valid API key is needed" == answer.json["message"] == answer.json["detail"]


def test_what_pythons_json_writes_for_no_number_is_told_as_that_and_not_as_a_missing_key(site: Site) -> None:
    body, headers = as_python(site.write)
    broken = body.replace("12.5", "NaN")
    assert (400, "bad_number") == code_of(site.sent("/v1/batch", broken, headers))
    assert (401, "unauthenticated") == code_of(site.sent("/v1/batch", broken.replace("writeKey", "key"), headers))


def test_a_header_says_more_than_the_body(site: Site) -> None:
    body, headers = as_python(site.write)
    assert 401 == site.sent("/v1/batch", body, headers | {"authorization": basic("nobody")}).status


def test_an_event_holds_what_was_said_and_no_address_of_the_internet(site: Site) -> None:
    context = {"ip": "192.0.2.7", "locale": "de-DE", "page": {"path": "/cd"}, "userAgent": "Mozilla", "traits": {"email": "x"}}
    call = a_call(anonymousId="browser-1", context=context, sentAt="2026-11-20T12:00:30Z", properties={"price": 12.5, "n": 3})
    assert 200 == site.say("/v1/track", call).status
    (event,) = site.timeline(user_id="u-1")
    assert {
        "name": "Product Viewed",
        "properties": {"price": 12.5, "n": 3},
        "context": {"locale": "de-DE", "page": {"path": "/cd"}, "userAgent": "Mozilla"},
        "message_id": "track-1",
        "anonymous_id": "browser-1",
    } == event["data"]
    assert WHEN == event["occurred_at"]
    (item,) = [item for item in site.cloud.items("EVENT#") if item["type"]["S"] == "product.viewed"]
    (stored,) = bootstrap.behaviour().acts(site.ids(user_id="u-1")[0])
    assert ("Product Viewed", {"corrected_at", "expires_at"}) == (stored.name, {"corrected_at", "expires_at"} & item.keys())


def test_what_a_batch_says_of_all_its_calls_each_call_says_better(site: Site) -> None:
    batch = {"context": {"locale": "de", "app": {"name": "Shop"}}, "batch": [a_call(context={"locale": "fr"})]}
    assert 200 == site.say("/v1/batch", batch).status
    assert {"locale": "fr", "app": {"name": "Shop"}} == site.timeline(user_id="u-1")[0]["data"]["context"]


@pytest.mark.parametrize("said", [{"backfill": True}, {"context": {"backfill": True}}])
def test_a_fact_of_the_past_is_marked(site: Site, said: dict[str, Any]) -> None:
    assert 200 == site.say("/v1/track", a_call(**said)).status
    assert [True] == [event["backfill"] for event in site.timeline(user_id="u-1")]


# ── once ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_same_message_counts_once_however_often_it_comes(site: Site) -> None:
    batch = {"batch": [a_call(), a_call(), a_call(messageId="other")]}
    assert [200] * 3 == [
        site.say("/v1/batch", batch).status,
        site.say("/v1/batch", batch).status,
        site.say("/v1/track", a_call()).status,
    ]
    assert {WHEN[:10]: 2} == site.stats(user_id="u-1")["events"]["Product Viewed"]["days"]


def test_a_message_without_a_name_or_a_time_gets_ours_and_counts_each_time(site: Site) -> None:
    for missing in ("messageId", "timestamp"):
        call = a_call()
        del call[missing]
        assert [200, 200] == [site.say("/v1/track", call).status for _ in range(2)]
    assert 4 == len(site.timeline(user_id="u-1"))


def test_a_message_that_comes_again_after_its_visitor_became_known_counts_once(site: Site) -> None:
    """The visitor is absorbed by a customer who was there, so the second delivery goes to another partition."""
    site.say("/v1/identify", a_call("identify", userId="u-1"), key=site.server)
    page = a_call("page", userId=None, anonymousId="browser-1")
    assert 200 == site.say("/v1/page", page).status
    site.say("/v1/alias", a_call("alias"), key=site.server)
    assert 200 == site.say("/v1/page", page).status
    assert ["page.viewed"] == [event["type"] for event in site.timeline(user_id="u-1")]
    assert 1 == len([item for item in site.cloud.items("EVENT#") if item["type"]["S"] == "page.viewed"])
    assert {WHEN[:10]: 1} == site.stats(user_id="u-1")["visits"]


def test_batches_delivered_twice_and_shuffled_give_the_exact_counts(site: Site) -> None:
    draw, expected = Random(1), Counter[tuple[str, str, str]]()
    calls = []
    for number in range(300):
        user, name = f"u-{draw.randrange(12)}", draw.choice(("Product Viewed", "Product Added", "Basket Licked"))
        day = f"2026-11-{draw.randint(1, 20):02}"
        expected[user, name, day] += 1
        when = f"{day}T{draw.randrange(24):02}:{draw.randrange(60):02}:00Z"
        calls.append(a_call(userId=user, event=name, messageId=f"m-{number}", timestamp=when))
    batches = [calls[at : at + 60] for at in range(0, 300, 60)] * 2
    for batch in draw.sample(batches, len(batches)):
        assert 200 == site.say("/v1/batch", {"batch": draw.sample(batch, len(batch))}).status
    counted = Counter[tuple[str, str, str]]()
    for user in {user for user, _, _ in expected}:
        for name, named in site.stats(user_id=user)["events"].items():
            counted.update({(user, name, day): count for day, count in named["days"].items()})
    assert expected == counted


def test_more_events_of_one_customer_than_a_transaction_holds_are_all_kept(site: Site) -> None:
    calls = [a_call(messageId=f"m-{number}") for number in range(250)]
    assert {"success": True, "errors": []} == site.say("/v1/batch", {"batch": calls}).json
    assert {WHEN[:10]: 250} == site.stats(user_id="u-1")["events"]["Product Viewed"]["days"]


# ── refused ──────────────────────────────────────────────────────────────────────────────────────────────────────────

DEEP: Any = {"a": 1}
for _ in range(25):
    DEEP = {"a": DEEP}

BAD: dict[str, tuple[Any, str]] = {
    "no object": ([], "wrong_type"),
    "nothing": (None, "wrong_type"),
    "no type": ({"userId": "u"}, "unknown_type"),
    "a type of another kind": (a_call(type={}), "unknown_type"),
    "nobody": (a_call(userId=None), "no_identifier"),
    "nobody, in blanks": (a_call(userId="", anonymousId=""), "no_identifier"),
    "a user id of blanks": (a_call(userId="  "), "blank"),
    "a user id too long": (a_call(userId="u" * 201), "too_long"),
    "a user id that is a list": (a_call(userId=["u"]), "wrong_type"),
    "a user id that is true": (a_call(userId=True), "wrong_type"),
    "a message id too long": (a_call(messageId="m" * 201), "too_long"),
    "no event": (a_call(event=None), "wrong_type"),
    "an event of blanks": (a_call(event=" "), "blank"),
    "an event too long": (a_call(event="e" * 201), "too_long"),
    "properties that are a list": (a_call(properties=[]), "wrong_type"),
    "properties too deep": (a_call(properties=DEEP), "nested_too_deeply"),
    "properties without a name": (a_call(properties={"": 1}), "empty_name"),
    "a number with 39 digits": (a_call(properties={"n": 10**38}), "number_out_of_range"),
    "a number too precise": (a_call(properties={"n": "@1.000000000000000001"}), "number_out_of_range"),
    "a number too small": (a_call(properties={"n": "@1e-300"}), "number_out_of_range"),
    "a number too large": (a_call(properties={"n": "@1e300"}), "number_out_of_range"),
    "a day for a time": (a_call(timestamp="2026-11-20"), "instant_syntax"),
    "a number for a time": (a_call(timestamp=1_763_640_000), "instant_syntax"),
    "before there were computers": (a_call(timestamp="1969-12-31T23:59:59Z"), "instant_too_early"),
    "next year": (a_call(timestamp="2999-01-01T00:00:00Z"), "in_the_future"),
    "next year, by a clock that is right": (a_call(timestamp="2999-01-01T00:00:00Z", sentAt=WHEN), "in_the_future"),
    "the end of time": (a_call(timestamp="9999-12-31T23:59:59Z", sentAt="1970-01-01T00:00:00Z"), "in_the_future"),
    "a group without an id": (a_call("group", groupId=None), "wrong_type"),
    "an alias of nobody": (a_call("alias", previousId=""), "wrong_type"),
    "traits that nobody can keep": (a_call("identify", traits={"n" * 65: 1}), "bad_name"),
    "too large": (a_call(properties={"text": "é" * 16_400}), "body_too_large"),
}


def as_sent(value: Any) -> str:
    """JSON, with the numbers that Python cannot hold."""
    text = json.dumps(value)
    for number in ("1.000000000000000001", "1e-300", "1e300"):
        text = text.replace(f'"@{number}"', number)
    return text


@pytest.mark.parametrize("what", BAD)
def test_in_a_batch_one_bad_call_is_refused_by_itself(site: Site, what: str) -> None:
    call, code = BAD[what]
    answer = site.say("/v1/batch", as_sent({"batch": [a_call(), call, a_call("page")]}))
    assert (200, {"success": True, "errors": [{"index": 1, "code": code}]}) == (answer.status, answer.json)
    assert {"product.viewed", "page.viewed"} == {event["type"] for event in site.timeline(user_id="u-1")}


@pytest.mark.parametrize(
    "what", [what for what, (call, _) in BAD.items() if isinstance(call, dict) and isinstance(call.get("type"), str)]
)
def test_a_bad_call_alone_is_told_what_is_wrong(site: Site, what: str) -> None:
    call, code = BAD[what]
    answer = site.say(f"/v1/{call['type']}", as_sent(call))
    assert (413 if code == "body_too_large" else 422, code) == code_of(answer)
    assert [] == site.cloud.items("EVENT#")


def test_ids_that_are_numbers_are_their_digits(site: Site) -> None:
    assert 200 == site.say("/v1/track", a_call(userId=77)).status
    assert 1 == len(site.timeline(user_id="77"))


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        ("{", {}, (400, "bad_json")),
        ('{"batch": [NaN]}', {}, (400, "bad_number")),
        ('{"batch": [], "batch": []}', {}, (400, "duplicate_key")),
        ("[]", {}, (422, "wrong_type")),
        ("null", {}, (422, "wrong_type")),
        ("{}", {}, (422, "missing")),
        ('{"batch": {}}', {}, (422, "wrong_type")),
        (json.dumps({"batch": [1] * 501}), {}, (422, "too_many")),
        ('{"batch": ["' + "x" * 512_000 + '"]}', {}, (413, "body_too_large")),
        ('{"batch": []}', {"content-type": "text/html"}, (415, "not_json")),
        ('{"batch": []}', {"content-encoding": "gzip"}, (400, "bad_gzip")),
    ],
)
def test_a_batch_that_is_none_is_refused_whole(site: Site, body: str, headers: dict[str, str], expected: tuple[int, str]) -> None:
    assert expected == code_of(site.say("/v1/batch", body, headers=headers))


def test_a_small_body_that_unzips_to_a_large_one_is_refused_before_it_fills_the_memory(site: Site) -> None:
    bomb = base64.b64encode(gzip.compress(b" " * 50_000_000)).decode()
    headers = {"authorization": basic(site.write), "content-type": "application/json", "content-encoding": "gzip"}
    assert (413, "body_too_large") == code_of(site.sent("/v1/batch", bomb, headers, is_base64=True))


def test_an_empty_batch_is_no_mistake(site: Site) -> None:
    assert {"success": True, "errors": []} == site.say("/v1/batch", {"batch": []}).json


def test_while_the_table_is_busy_all_is_to_be_sent_again(site: Site) -> None:
    key = site.write
    with tapped(fail):
        answer = site.say("/v1/batch", {"batch": [a_call()]}, key=key)
    assert (503, "1") == (answer.status, answer.headers["retry-after"])


# ── orders ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_servers_order_completed_is_an_order(site: Site) -> None:
    answer = site.say("/v1/track", ordered(), key=site.server)
    assert {"success": True, "orders": [{"index": 0, "order_id": "A-1", "outcome": "created"}]} == answer.json
    again = site.say("/v1/batch", {"batch": [a_call("page"), ordered(message="m-2")]}, key=site.server)
    assert [{"index": 1, "order_id": "A-1", "outcome": "existing"}] == again.json["orders"]
    order = site.order("A-1")
    assert ("27.50", "22.50", "USD", WHEN) == (order["total"], order["net_revenue"], order["currency"], order["placed_at"])
    assert [("1", "45790-32", "19.00"), ("2", "p-2", "3.00")] == [
        (r["line_id"], r["sku"], r["unit_price"]) for r in order["lines"]
    ]
    assert ["page.viewed", "order.placed"] == sorted((event["type"] for event in site.timeline(user_id="u-1")), reverse=True)


def test_a_browsers_order_completed_is_a_claim_and_no_order(site: Site) -> None:
    assert OK == site.say("/v1/track", ordered()).json
    assert 404 == site.cloud.call(orders, "GET", "/v1/orders/A-1").status
    assert ["claimed.order_completed"] == [event["type"] for event in site.timeline(user_id="u-1")]
    assert 0 == site.stats(user_id="u-1")["orders"]


def test_what_happens_to_an_order_is_told_in_one_batch_and_once(site: Site) -> None:
    later = [
        ordered("Order Updated", message="m-2", total=30.5, shipping=6),
        a_call(event="Order Shipped", messageId="m-3", properties={"order_id": "A-1", "shipment_id": "p-1", "carrier": "DHL"}),
        a_call(event="Order Delivered", messageId="m-4", properties={"order_id": "A-1", "shipment_id": "p-1"}),
        a_call(
            event="Order Returned", messageId="m-5", properties={"order_id": "A-1", "lines": [{"line_id": "2", "quantity": 1}]}
        ),
        a_call(event="Order Refunded", messageId="m-6", properties={"order_id": "A-1", "total": 3, "currency": "USD"}),
    ]
    batch = {"batch": [ordered(), *later]}
    first, again = (site.say("/v1/batch", batch, key=site.server).json for _ in range(2))
    assert ([], ["created"] * 6) == (first["errors"], [order["outcome"] for order in first["orders"]])
    assert ([], ["existing"] * 6) == (again["errors"], [order["outcome"] for order in again["orders"]])
    order = site.order("A-1")
    assert ("delivered", "30.50", "3.00", 6) == (order["status"], order["total"], order["refunded"], order["version"])


def test_a_cancelled_order_is_cancelled_whole_and_a_refund_without_an_amount_is_all(site: Site) -> None:
    of_order: dict[str, Any] = {"properties": {"order_id": "A-1"}}
    cancelled = a_call(event="Order Cancelled", messageId="m-2", **of_order)
    refunded = a_call(event="Order Refunded", messageId="m-3", **of_order)
    assert [] == site.say("/v1/batch", {"batch": [ordered(), cancelled, refunded]}, key=site.server).json["errors"]
    order = site.order("A-1")
    assert ("cancelled", "27.50", "0.00") == (order["status"], order["refunded"], order["net_revenue"])


@pytest.mark.parametrize(
    ("said", "total"),
    [
        ({"total": None, "revenue": 25}, "27.50"),
        ({"total": None, "revenue": 22.5}, "27.50"),
        ({"total": None, "revenue": None, "subtotal": 22.5}, "27.50"),
        ({"total": None, "revenue": None}, "27.50"),
        ({"total": "27.50", "revenue": None}, "27.50"),
        ({"total": 25.5, "tax_included": True}, "25.50"),
        ({"total": None, "tax_included": True}, "25.50"),
    ],
)
def test_totals_are_read_as_the_spec_writes_them(site: Site, said: dict[str, Any], total: str) -> None:
    assert [] == site.say("/v1/batch", {"batch": [ordered(**said)]}, key=site.server).json["errors"]
    assert total == site.order("A-1")["total"]


NO_ORDERS: dict[str, tuple[dict[str, Any], str]] = {
    "no id": (ordered(order_id=None), "wrong_type"),
    "an id with a slash": (ordered(order_id="A/1"), "bad_syntax"),
    "no currency": (ordered(currency=None), "missing"),
    "a currency of nobody": (ordered(currency="usd"), "unknown_currency"),
    "no products": (ordered(products=[]), "too_few"),
    "products that are none": (ordered(products="all"), "missing"),
    "a product without a name": (ordered(products=[{"price": 1}]), "wrong_type"),
    "a product without a price": (ordered(products=[{"sku": "x"}]), "amount_type"),
    "half a piece": (ordered(products=[{"sku": "x", "price": 1, "quantity": 0.5}]), "wrong_type"),
    "a total that is off": (ordered(total=27.6), "total_mismatch"),
    "a subtotal that is off": (ordered(total=None, subtotal=1), "total_mismatch"),
    "more decimals than there are": (ordered(total=27.500001), "too_many_decimals"),
    "less than nothing": (ordered(discount=-1), "negative_amount"),
    "a refund of no order": (a_call(event="Order Refunded", properties={"order_id": "B-1"}), "order_not_found"),
    "a refund of nothing named": (a_call(event="Order Refunded", properties={}), "missing"),
    "a refund in another currency": (
        a_call(event="Order Refunded", properties={"order_id": "A-0", "total": 1, "currency": "EUR"}),
        "currency_mismatch",
    ),
    "a refund too large": (a_call(event="Order Refunded", properties={"order_id": "A-0", "total": 28}), "refund_exceeds_total"),
    "a parcel without a name": (a_call(event="Order Shipped", properties={"order_id": "A-0"}), "missing"),
    "another order under the same id": (ordered(order_id="A-0", total=30.5, shipping=6), "order_exists"),
    "tomorrow's order": (ordered() | {"timestamp": "2999-01-01T00:00:00Z"}, "in_the_future"),
}


@pytest.mark.parametrize("what", NO_ORDERS)
def test_what_cannot_be_an_order_is_refused_with_its_code(site: Site, what: str) -> None:
    call, code = NO_ORDERS[what]
    site.say("/v1/track", ordered(order_id="A-0", message="m-0"), key=site.server)
    answer = site.say("/v1/batch", {"batch": [a_call("page"), call]}, key=site.server)
    assert {"success": True, "errors": [{"index": 1, "code": code}]} == answer.json
    alone = site.say("/v1/track", call, key=site.server)
    assert code == code_of(alone)[1]
    assert 400 <= alone.status < 500
    assert ["A-0"] == [item["SK"]["S"].rpartition("#")[2] for item in site.cloud.items("ORDER#")]


def test_a_problem_points_into_the_callers_own_words(site: Site) -> None:
    products = [{"sku": "x", "price": -1, "quantity": 1}]
    answer = site.say("/v1/track", ordered(products=products, currency="usd"), key=site.server)
    assert {"/properties/products/0/price", "/properties/currency"} == {flaw["pointer"] for flaw in answer.json["errors"]}


# ── what a write key may learn ───────────────────────────────────────────────────────────────────────────────────────


def test_a_write_key_is_told_the_same_whatever_is_known(site: Site) -> None:
    told = {"userId": "u-9", "anonymousId": "browser-9"}
    strange = [site.say(f"/v1/{kind}", a_call(kind, **told)) for kind in ("identify", "track", "alias")]
    site.say("/v1/identify", a_call("identify", traits={"email": "sara@example.com", "plan": "gold"}), key=site.server)
    known = [site.say(f"/v1/{kind}", a_call(kind)) for kind in ("identify", "track", "alias")]
    assert [(one.status, one.headers, one.text) for one in strange] == [(one.status, one.headers, one.text) for one in known]


def test_what_a_write_key_says_never_gives_an_address_or_changes_what_is_vouched_for(site: Site) -> None:
    site.say("/v1/identify", a_call("identify", traits={"email": "sara@example.com", "plan": "gold"}), key=site.server)
    claim = a_call("identify", traits={"email": "thief@example.com", "plan": "free"}, timestamp="2026-11-21T12:00:00Z")
    assert OK == site.say("/v1/identify", claim).json
    (customer_id,) = site.ids(user_id="u-1")
    profile = site.cloud.call(customers, "GET", f"/v1/customers/{customer_id}").text
    assert "thief@example.com" not in profile
    assert "gold" in profile


# ── browsers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_page_of_any_origin_may_ask_and_read_the_answer(site: Site) -> None:
    asked = site.cloud.call(handler, "OPTIONS", "/v1/b")
    assert 204 == asked.status
    assert {
        "allow": "OPTIONS, POST",
        "access-control-allow-origin": "*",
        "access-control-allow-methods": "OPTIONS, POST",
        "access-control-allow-headers": "authorization, content-type, x-retry-count",
        "access-control-max-age": "86400",
    }.items() <= asked.headers.items()
    refused = [site.say("/v1/t", "{"), site.say("/v1/t", a_call(), key="nobody"), site.cloud.call(handler, "GET", "/v1/t")]
    assert [(400, "*"), (401, "*"), (405, "*")] == [(one.status, one.headers["access-control-allow-origin"]) for one in refused]


def test_no_other_function_lets_a_page_of_another_origin_read(site: Site) -> None:
    for answer in (site.cloud.call(orders, "OPTIONS", "/v1/orders"), site.cloud.call(customers, "GET", "/v1/customers/x")):
        assert [] == [name for name in answer.headers if name.startswith("access-control")]


def test_the_browsers_library_is_told_where_to_send_by_its_write_key_alone(site: Site) -> None:
    path = f"/v1/projects/{site.write}/settings"
    event = a_request("GET", path)
    answer = handler(event, None)
    segment = {"apiKey": site.write, "apiHost": "shop.example.com/v1", "protocol": "https", "addBundledMetadata": False}
    assert {"integrations": {"Segment.io": segment}} == json.loads(answer["body"])
    assert ("*", "public, max-age=300") == (answer["headers"]["access-control-allow-origin"], answer["headers"]["cache-control"])


@pytest.mark.parametrize("key", ["nobody", "%F0%9F%94%91", "server"])
def test_no_other_key_has_settings(site: Site, key: str) -> None:
    answer = site.cloud.call(handler, "GET", f"/v1/projects/{site.server if key == 'server' else key}/settings")
    assert (404, "write_key_not_found") == code_of(answer)
