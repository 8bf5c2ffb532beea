"""Products are listed by sku, whatever it is made of, page by page."""

from collections.abc import Iterator
from itertools import batched

import pytest

from tests.cloud import a_cloud
from tests.functions.api import Shop, code_of

SKUS = [*(f"CD-{at:03}" for at in range(110)), "z", "Z", "é", "ｚ", "\U0001f4bf", "\uffee", "\U0010ffff" * 200, "a#b", " lead"]


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with a_cloud() as cloud:
        shop = Shop(cloud, "")
        for part in batched(SKUS, 100, strict=False):
            products = [{"sku": sku} for sku in part]
            assert len(part) == shop.call("POST", "/v1/products/batch", {"products": products}).json["created"]
        yield shop


@pytest.mark.parametrize("limit", [3, 100])
def test_products_are_listed_by_sku_page_by_page(shop: Shop, limit: int) -> None:
    found: list[str] = []
    cursor = ""
    while True:
        page = shop.call("GET", "/v1/products", query=f"limit={limit}{cursor}").json
        assert len(page["data"]) <= limit
        found += [product["sku"] for product in page["data"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert sorted(SKUS) == found


def test_a_cursor_of_products_continues_no_other_query(shop: Shop) -> None:
    cursor = shop.call("GET", "/v1/products", query="limit=1").json["next_cursor"]
    assert (422, "bad_cursor") == code_of(shop.call("GET", "/v1/products", query=f"sku=z&cursor={cursor}"))
    assert (422, "bad_cursor") == code_of(shop.call("GET", "/v1/orders", query=f"cursor={cursor}"))


def test_a_sku_that_is_not_known_is_an_empty_list(shop: Shop) -> None:
    answer = shop.call("GET", "/v1/products", query="sku=nothing")
    assert (200, {"data": [], "next_cursor": None}) == (answer.status, answer.json)
