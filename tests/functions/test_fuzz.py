"""Whatever is sent: no 5xx, an answer that the description promises, and no acceptance of what it forbids.

Schemathesis makes the requests from docs/openapi.json, right ones and wrong ones, and holds the answers against it. They reach
the functions through a small gateway, in process. FUZZ_EXAMPLES says how many of each are made for an operation (50).
"""

import base64
import copy
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import APIOperation, Case, CheckContext, GenerationMode, Response
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from ecrm.domain import money
from tests.cloud import a_cloud
from tests.contracts.test_api_page import CODES
from tests.functions.api import DESCRIPTION, EXAMPLE_ORDER, OPERATIONS, Shop, a_new_order, handler_at, open_shop
from tests.functions.test_statuses import conform

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "50"))
LAZY = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)


def told_codes(_context: CheckContext, response: Response, _case: Case[Any]) -> None:
    """Every code is one that docs/api.md explains, under the status that it says."""
    if response.status_code >= 400:
        problem = response.json()
        told = [(problem["code"], problem["status"]), *((flaw["code"], problem["status"]) for flaw in problem["errors"])]
        assert set(told) <= CODES.items()


PROMISED = [
    told_codes,
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]


def gateway(environ: dict[str, Any], start_response: Callable[[str, list[tuple[str, str]]], object]) -> Iterable[bytes]:
    """WSGI in, API Gateway's payload 2.0 out to the function, and back."""
    headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")}
    headers |= {"content-type": environ["CONTENT_TYPE"]} if environ.get("CONTENT_TYPE") else {}
    raw = environ["wsgi.input"].read()
    try:
        body, is_base64 = raw.decode(), False
    except UnicodeDecodeError:
        body, is_base64 = base64.b64encode(raw).decode(), True
    path = environ["REQUEST_URI"].partition("?")[0]
    event = {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": environ["QUERY_STRING"],
        "headers": headers,
        "requestContext": {
            "http": {"method": environ["REQUEST_METHOD"], "path": path, "sourceIp": "192.0.2.1"},
            "requestId": "fuzz",
        },
        "isBase64Encoded": is_base64,
    } | ({"body": body} if body else {})
    answer = handler_at(path)(event, None)
    start_response(f"{answer['statusCode']} .", list(answer["headers"].items()))
    return [answer["body"].encode()]


def described() -> Any:
    """The description without its security: keys are the business of test_keys."""
    open_to_all = copy.deepcopy(DESCRIPTION)
    del open_to_all["security"], open_to_all["components"]["securitySchemes"]
    schema = schemathesis.openapi.from_dict(open_to_all)
    schema.app = gateway
    return schema


FUZZED: dict[str, APIOperation[Any, Any, Any, Any]] = {
    found.ok().definition.raw["operationId"]: found.ok() for found in described().get_all_operations()
}
PLACE_ORDER = next(operation for operation in OPERATIONS if operation.name == "place_order")
IN_PARTS = {"place_orders", "record_events", "put_products"}
"""A wrong element of a batch is refused in its own result, not with the batch."""
WITH_INPUT = [
    name
    for name, operation in FUZZED.items()
    if operation.definition.raw["parameters"] or "requestBody" in operation.definition.raw
]


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with a_cloud() as cloud:
        yield open_shop(cloud)


def key_for(shop: Shop, name: str) -> dict[str, str]:
    operation = next(operation for operation in OPERATIONS if operation.name == name)
    return {"Authorization": f"Bearer {shop.key_for(operation)}"}


@pytest.mark.parametrize("name", FUZZED)
def test_whatever_the_description_allows_is_answered_as_it_promises(shop: Shop, name: str) -> None:
    @LAZY
    @given(case=FUZZED[name].as_strategy(generation_mode=GenerationMode.POSITIVE), of_what_is_there=st.booleans())
    def fuzz(case: Case[Any], of_what_is_there: bool) -> None:  # noqa: FBT001 (Hypothesis names it)
        if of_what_is_there:
            there = shop.names(next(operation for operation in OPERATIONS if operation.name == name))
            case.path_parameters = {key: there[key] for key in case.path_parameters or {}}
        case.validate_response(case.call(headers=key_for(shop, name)), checks=PROMISED)

    fuzz()


def add_up(order: dict[str, Any], prices: list[int], customer: str) -> dict[str, Any]:
    """Make the one thing of an order that no schema can say right: its sum. Its words stay as they are."""
    currency = order["currency"]
    lines = [
        {key: value for key, value in line.items() if key not in ("line_id", "discount")}
        | {"unit_price": money.to_text(price, currency), "quantity": 1}
        for line, price in zip(order["lines"], prices, strict=False)
    ]
    kept = {key: value for key, value in order.items() if key not in ("shipping", "tax", "discount", "site")}
    total = sum(price for _, price in zip(lines, prices, strict=False))
    return kept | {
        "order_id": a_new_order()["order_id"],
        "placed_at": EXAMPLE_ORDER["placed_at"],
        "lines": lines,
        "total": money.to_text(total, currency),
        "customer": order["customer"] | {"user_id": customer},
    }


def test_an_order_of_any_words_whose_sum_is_right_is_placed_and_read_as_it_was_sent(shop: Shop) -> None:
    orders = FUZZED["place_order"].as_strategy(generation_mode=GenerationMode.POSITIVE).map(lambda case: case.body)
    placed = 0

    @LAZY
    @given(order=orders, prices=st.lists(st.integers(0, 10**9), min_size=1, max_size=4), customer=st.integers(1, 5))
    def fuzz(order: Any, prices: list[int], customer: int) -> None:
        nonlocal placed
        sent = add_up(order, prices, f"fuzz-{customer}")
        answer = shop.call("POST", "/v1/orders", sent)
        conform(PLACE_ORDER, answer)
        if answer.status == 201:
            placed += 1
            assert [(one["sku"], one["name"]) for one in sent["lines"]] == [
                (one["sku"], one["name"]) for one in answer.json["lines"]
            ]
            assert answer.json == shop.call("GET", answer.headers["location"]).json
        elif answer.status == 400:
            assert "bad_text" == answer.json["code"]
        else:
            assert 422 == answer.status
            assert {flaw["code"] for flaw in answer.json["errors"]} <= {"blank", "email_syntax"}

    fuzz()
    assert placed > EXAMPLES // 10


@pytest.mark.parametrize("name", WITH_INPUT)
def test_whatever_the_description_forbids_is_refused_as_it_promises(shop: Shop, name: str) -> None:
    refused = [*PROMISED] if name in IN_PARTS else [*PROMISED, checks.negative_data_rejection]

    @LAZY
    @given(case=FUZZED[name].as_strategy(generation_mode=GenerationMode.NEGATIVE))
    def fuzz(case: Case[Any]) -> None:
        response = case.call(headers=key_for(shop, name))
        case.validate_response(response, checks=refused)

    fuzz()
