"""B2: where DynamoDB or the secret is busy, broken or silent, the caller is told to come back and nothing is written."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Never

import pytest
from botocore.exceptions import ConnectionClosedError, ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError

from customers_api.handler import handler as customers
from ecrm import bootstrap
from ecrm.domain.api_keys import KeyKind
from orders_api.handler import handler as orders
from sites_api.handler import handler as sites
from tests.builders import a_site, an_event, an_order
from tests.cloud import Answer, Cloud
from tests.faults import Deliver, Fault, Kept, Sent, at, no_fault, on, refused_with, tapped


def silence(error: Callable[..., Exception]) -> Fault:
    def hang(sent: Sent, _deliver: Deliver) -> Never:
        raise error(endpoint_url=sent.request.url)

    return hang


BUSY: dict[str, Fault] = {
    "throttled": refused_with("ProvisionedThroughputExceededException"),
    "throttled by the account": refused_with("ThrottlingException"),
    "throttled by the region": refused_with("RequestLimitExceeded"),
    "still at it": refused_with("TransactionInProgressException"),
    "broken": refused_with("InternalServerError", 500),
    "broken without a word of why": lambda sent, _: sent.answer({}, 500),
    "away": refused_with("ServiceUnavailable", 503),
}
SILENT: dict[str, Fault] = {
    "no connection": silence(EndpointConnectionError),
    "connecting takes too long": silence(ConnectTimeoutError),
    "answering takes too long": silence(ReadTimeoutError),
    "connection closed": silence(ConnectionClosedError),
}
FAULTS = BUSY | SILENT


@dataclass(frozen=True)
class Ask:
    handler: Callable[..., dict[str, Any]]
    method: str
    path: str
    body: Any = None
    query: str = ""
    kind: KeyKind = KeyKind.SERVER


@dataclass(frozen=True)
class Shop:
    """A cloud with one paid order, as it stood when this was made."""

    cloud: Cloud
    customer_id: str
    kept: Kept

    def answer(self, ask: Ask, fault: Fault = no_fault) -> tuple[Answer, list[str]]:
        """Ask in a container that knows no key and no secret yet; gives the calls it made, too."""
        bootstrap._identity_secret.cache_clear()
        for handler in (orders, customers, sites):
            handler._seen_keys.clear()
        path, key = ask.path.replace("{}", self.customer_id), self.cloud.key(ask.kind)
        headers = {"idempotency-key": "once"} if ask.method == "POST" else {}
        with tapped(fault) as calls:
            answer = self.cloud.call(ask.handler, ask.method, path, ask.body, query=ask.query, key=key, headers=headers)
        return answer, calls


@pytest.fixture
def shop(cloud: Cloud) -> Shop:
    placed = cloud.call(orders, "POST", "/v1/orders", an_order())
    paid = cloud.call(orders, "POST", "/v1/orders/A-1001/events", an_event("paid"))
    assert [201, 201] == [placed.status, paid.status]
    cloud.key(KeyKind.STAFF)
    return Shop(cloud, placed.json["customer_id"], Kept())


KNOWN = an_order(order_id="A-1002", customer={"user_id": "u-77", "phone": "+989121234567"})
ASKS = {
    "place an order": Ask(orders, "POST", "/v1/orders", KNOWN),
    "place an order again": Ask(orders, "POST", "/v1/orders", an_order()),
    "record an event": Ask(orders, "POST", "/v1/orders/A-1001/events", an_event("packed")),
    "record an event again": Ask(orders, "POST", "/v1/orders/A-1001/events", an_event("paid")),
    "record an impossible event": Ask(orders, "POST", "/v1/orders/A-1001/events", an_event("refunded", amount="1000.00")),
    "read an order": Ask(orders, "GET", "/v1/orders/A-1001"),
    "list orders": Ask(orders, "GET", "/v1/orders", query="from=2026-11-20&to=2026-11-20"),
    "look orders up": Ask(orders, "POST", "/v1/orders/lookup", {"email": "sara@example.com"}),
    "read a customer": Ask(customers, "GET", "/v1/customers/{}"),
    "read statistics": Ask(customers, "GET", "/v1/customers/{}/stats"),
    "list a customer's orders": Ask(customers, "GET", "/v1/customers/{}/orders"),
    "read a timeline": Ask(customers, "GET", "/v1/customers/{}/timeline"),
    "list sites": Ask(sites, "GET", "/v1/sites", kind=KeyKind.STAFF),
    "read a site": Ask(sites, "GET", "/v1/sites/de", kind=KeyKind.STAFF),
    "put a site": Ask(sites, "PUT", "/v1/sites/de", a_site(), kind=KeyKind.STAFF),
}
BATCHES = {
    "orders": Ask(orders, "POST", "/v1/orders/batch", {"orders": [KNOWN, an_order(order_id="A-1003")]}),
    "events": Ask(
        orders,
        "POST",
        "/v1/orders/events/batch",
        {"events": [an_event("packed", order_id="A-1001"), an_event("shipped", order_id="A-1001")]},
    ),
}


def come_back(operation: str, kind: str) -> dict[str, Any]:
    of_the_secret = operation == "GetSecretValue"
    unreached = "a secret cannot be reached" if of_the_secret else "the table cannot be reached"
    refused = "a secret cannot be read" if of_the_secret else "the table is busy"
    return {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": unreached if kind in SILENT else refused,
        "code": "unavailable",
        "errors": [],
        "correlation_id": "request-1",
    }


def told(answer: Answer) -> tuple[int, str | None, str, Any]:
    return answer.status, answer.headers.get("retry-after"), answer.headers["content-type"], answer.json


@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)
def test_whatever_fails_at_whichever_call_the_caller_is_told_to_come_back(shop: Shop, ask: Ask) -> None:
    _, calls = shop.answer(ask)
    shop.kept.restore()
    left = shop.cloud.items()
    for kind, fault in FAULTS.items():
        for call, operation in enumerate(calls):
            answer, _ = shop.answer(ask, at(call, fault))
            expected = (503, "1", "application/problem+json", come_back(operation, kind))
            assert (kind, call, expected) == (kind, call, told(answer))
    assert left == shop.cloud.items()


@pytest.mark.parametrize("ask", BATCHES.values(), ids=BATCHES)
def test_an_element_of_a_batch_that_fails_is_told_to_come_back_and_the_others_are_kept(shop: Shop, ask: Ask) -> None:
    quiet, calls = shop.answer(ask)
    assert [201, 201] == [result["status"] for result in quiet.json["results"]]
    shop.kept.restore()
    before = shop.cloud.items()
    for kind, fault in FAULTS.items():
        for call, operation in enumerate(calls):
            shop.kept.restore()
            answer, _ = shop.answer(ask, at(call, fault))
            if call <= calls.index("PutItem"):
                expected = (503, "1", "application/problem+json", come_back(operation, kind))
                assert (kind, call, expected, before) == (kind, call, told(answer), shop.cloud.items())
                continue
            assert (kind, call, [201, 503]) == (kind, call, sorted(result["status"] for result in answer.json["results"]))
            (failed,) = (result for result in answer.json["results"] if result["status"] == 503)
            assert come_back(operation, kind) == failed["error"]
            assert (1, 1) == (answer.json["created"], answer.json["rejected"])
            new = [item for item in shop.cloud.items("EVENT#") if item not in before]
            assert 1 == sum(item["type"]["S"].startswith("order.") for item in new)


@pytest.mark.parametrize("beside", [None, "ConditionalCheckFailed", "TransactionConflict"])
@pytest.mark.parametrize("code", ["ThrottlingError", "ProvisionedThroughputExceeded"])
def test_a_transaction_cancelled_for_now_is_told_as_come_back(shop: Shop, code: str, beside: str | None) -> None:
    codes = {code, beside} - {None}

    def cancel(sent: Sent, _deliver: Deliver) -> Any:
        items = len(sent.ask["TransactItems"])
        reasons = [{"Code": code} for code in codes] + [{"Code": "None"}] * (items - len(codes))
        return sent.refuse("TransactionCanceledException", CancellationReasons=reasons)

    left = shop.cloud.items()
    for name in ("place an order", "record an event"):
        answer, _ = shop.answer(ASKS[name], on("TransactWriteItems", cancel))
        assert (503, "1", "unavailable") == (answer.status, answer.headers.get("retry-after"), answer.json["code"])
    assert left == shop.cloud.items()


@pytest.mark.parametrize("name", ["place an order", "record an event", "list orders", "put a site"])
def test_our_own_mistake_is_not_told_as_come_back(shop: Shop, name: str) -> None:
    _, calls = shop.answer(ASKS[name])
    shop.kept.restore()
    left = shop.cloud.items()
    for code in ("ValidationException", "AccessDeniedException", "ResourceNotFoundException"):
        for call in range(len(calls)):
            answer, _ = shop.answer(ASKS[name], at(call, refused_with(code)))
            said = (answer.status, answer.headers.get("retry-after"), answer.json["code"], "injected" in answer.text)
            assert (code, call, (500, None, "internal", False)) == (code, call, said)
    assert left == shop.cloud.items()
