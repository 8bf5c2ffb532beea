"""Errors say what the caller did wrong, and nothing of how we are built."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from ecrm import bootstrap
from orders_api.handler import handler as orders
from tests.builders import an_event
from tests.cloud import Answer, Cloud
from tests.faults import refused_with, tapped
from tests.functions.api import KEYED, OPERATIONS, Shop, a_new_order
from tests.functions.conftest import Logs
from tests.functions.test_statuses import OF_THEIR_OWN, PROMISES, PROVOKED

SHAPE = {"type", "title", "status", "detail", "code", "errors", "correlation_id"}
INSIDE = re.compile(
    r"Traceback|arn:|\btable\b'|boto|dynamo|pydantic|\.py\b|/var/|/opt/|/work|site-packages|line \d+, in |Exception|0x[0-9a-f]{6}"
    r"|LIST#|CUSTOMER#|IDENTITY#|REPLAY#|STATS#|errors\.pydantic",
    re.IGNORECASE,
)


def refusals(shop: Shop) -> Iterator[tuple[str, Answer, set[str]]]:
    """Segment's libraries look for a `message` in what refuses them; else all errors are of one shape."""
    for operation, status in PROMISES:
        if status >= 400:
            shape = SHAPE | ({"message"} if operation.tracks else set())
            provoke = OF_THEIR_OWN.get(status, {}).get(operation.name, PROVOKED[status])
            yield f"{operation.name} {status}", provoke(shop, operation), shape


def test_every_error_has_one_shape_and_tells_nothing_of_the_inside(shop: Shop) -> None:
    seen = 0
    for what, answer, shape in refusals(shop):
        seen += 1
        assert shape == set(answer.json), what
        assert all({"pointer", "code", "detail"} == set(flaw) for flaw in answer.json["errors"]), what
        assert "about:blank" == answer.json["type"]
        assert "request-1" == answer.json["correlation_id"] == answer.headers["x-correlation-id"]
        assert "application/problem+json" == answer.headers["content-type"]
        assert "no-store" == answer.headers["cache-control"]
        assert not INSIDE.search(answer.text), (what, answer.text)
    assert sum(len([status for status in operation.statuses if status >= 400]) for operation in OPERATIONS) == seen


def test_what_we_look_for_would_be_found() -> None:
    for inside in ("Traceback (most recent call last)", "arn:aws:dynamodb:eu", "LIST#keys", "/opt/python/ecrm/x.py", "botocore"):
        assert INSIDE.search(inside)


@pytest.mark.parametrize("code", ["ValidationException", "ResourceNotFoundException", "AccessDeniedException", "UnknownCode"])
def test_what_no_time_heals_is_a_500_that_says_nothing(shop: Shop, code: str) -> None:
    for operation in KEYED:
        shop.key_for(operation)
        shop.names(operation)
        for kept in (bootstrap.templates, bootstrap.templates_workshop):  # a container that remembers no version
            kept.cache_clear()
        with tapped(refused_with(code, Item="arn:aws:dynamodb:table")):
            answer = shop.send(operation, a_new_order() if operation.name == "place_order" else None, query="")
        if answer.status == 200 and "results" in answer.json:
            problems = [one["error"] for one in answer.json["results"]]
        else:
            problems = [answer.json]
        expected = {
            "type": "about:blank",
            "title": "Internal Server Error",
            "status": 500,
            "detail": "something went wrong on our side",
            "code": "internal",
            "errors": [],
            "correlation_id": "request-1",
        } | ({"message": "something went wrong on our side"} if operation.tracks else {})
        assert [expected] * len(problems) == problems, operation.name


# ── a stored item that makes no sense ────────────────────────────────────────────────────────────────────────────────

CORRUPT: dict[str, dict[str, Any]] = {
    "no terms": {"terms": None},
    "a time that is none": {"placed_at": {"S": "sara@example.com"}},
    "a fact that is none": {"facts": {"L": [{"M": {"is": {"S": "sara@example.com"}, "at": {"S": "2026-11-20T13:00:00Z"}}}]}},
    "a text for its terms": {"terms": {"S": "sara@example.com"}},
    "a text for its total": {"terms": {"M": {"lines": {"M": {}}, "total": {"S": "sara@example.com"}}}},
}


def corrupt(cloud: Cloud, order_id: str, change: dict[str, Any]) -> None:
    (item,) = cloud.items(f"ORDER#de#{order_id}")
    changed = {name: value for name, value in (item | change).items() if value is not None}
    cloud.dynamodb.put_item(TableName="table", Item=changed)


@pytest.mark.parametrize("what", CORRUPT)
def test_a_corrupt_item_is_a_500_and_a_log_line_without_its_content(shop: Shop, logs: Logs, what: str) -> None:
    order = a_new_order(customer={"email": "canary@example.com", "user_id": "canary-user"}, coupon="canary-coupon")
    shop.call("POST", "/v1/orders", order)
    corrupt(shop.cloud, order["order_id"], CORRUPT[what])
    logs.take()
    path = f"/v1/orders/{order['order_id']}"
    batch = {"events": [an_event(order_id=order["order_id"])]}
    answers = [
        shop.call("GET", path).json,
        shop.call("POST", f"{path}/events", an_event()).json,
        shop.call("POST", "/v1/orders/events/batch", batch).json["results"][0]["error"],
    ]
    assert ["internal"] * 3 == [answer["code"] for answer in answers]
    assert not INSIDE.search(str(answers))
    written = logs.take()
    assert 3 == written.count('"level":"ERROR"') == written.count('"UnhandledErrors":[1.0]')
    for personal in ("canary", "sara@example.com"):
        assert personal not in written


def test_the_log_of_an_error_says_where_it_happened(shop: Shop, logs: Logs) -> None:
    order = a_new_order()
    shop.call("POST", "/v1/orders", order)
    corrupt(shop.cloud, order["order_id"], CORRUPT["no terms"])
    logs.take()
    shop.call("GET", f"/v1/orders/{order['order_id']}")
    (error,) = [line for line in map(json.loads, logs.take().splitlines()) if line.get("level") == "ERROR"]
    assert ("unhandled", "request-1", "GET /v1/orders/{order_id}") == (error["message"], error["correlation_id"], error["route"])
    assert ["KeyError"] == error["error"]
    assert error["at"][-1].startswith("store/orders.py:")


@pytest.mark.parametrize("event", [{}, {"Records": [{}]}, {"requestContext": {}}], ids=["nothing", "a queue's", "half of ours"])
def test_what_is_no_request_at_all_is_not_answered_as_one(event: dict[str, Any]) -> None:
    """API Gateway never sends it; Lambda's own error, which carries no data, is the answer."""
    with pytest.raises(KeyError):
        orders(event, None)
