"""A product whose item makes no sense, or cannot be shown, is left out of lists and named in the log."""

import json
from typing import Any

import pytest

from tests.cloud import Cloud
from tests.functions.api import Shop
from tests.functions.conftest import Logs


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_a_corrupt_product_hides_no_other_and_is_named_in_the_log(cloud: Cloud, logs: Logs, limit: int) -> None:
    shop = Shop(cloud, "")
    price = {"amount": "9.00", "currency": "EUR"}
    for sku in "abcde":
        assert 201 == shop.call("PUT", f"/v1/products/{sku}", {"name": sku, "price": price}).status
    no_currency = {"amount_minor": {"N": "900"}, "currency": {"S": "none"}}
    corrupt: dict[str, Any] = {
        "a": {"fields": {"S": "none"}},
        "c": {"fields": {"M": {"price": {"M": {"value": {"M": no_currency}, "at": {"S": "2026-11-20T12:00:00.000000Z"}}}}}},
        "e": {"version": {"S": "none"}, "updated_at": {"S": "none"}},
    }
    for item in cloud.items():
        if item["SK"]["S"] in corrupt:
            cloud.dynamodb.put_item(TableName="table", Item=item | corrupt[item["SK"]["S"]])
    logs.take()
    pages = [shop.call("GET", "/v1/products", query=f"limit={limit}").json]
    while cursor := pages[-1]["next_cursor"]:
        pages.append(shop.call("GET", "/v1/products", query=f"limit={limit}&cursor={cursor}").json)
    assert ["b", "d"] == [product["sku"] for page in pages for product in page["data"]]
    told = [line for line in map(json.loads, logs.take().splitlines()) if line.get("level") == "ERROR"]
    assert [("unreadable", sku, "request-1") for sku in "ace"] == sorted(
        (line["message"], line["sku"], line["correlation_id"]) for line in told
    )
    named = [shop.call("GET", "/v1/products", query=f"sku={sku}").json["data"] for sku in "abcde"]
    assert [[], ["b"], [], ["d"], []] == [[product["sku"] for product in data] for data in named]
    told = [line for line in map(json.loads, logs.take().splitlines()) if line.get("level") == "ERROR"]
    assert [("unreadable", sku) for sku in "ace"] == [(line["message"], line["sku"]) for line in told]
    assert [500, 200, 500, 200, 500] == [shop.call("GET", f"/v1/products/{sku}").status for sku in "abcde"]
