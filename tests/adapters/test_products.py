"""Products in the table: what is written is read, nothing said at once is lost, and a crash leaves all or nothing."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from catalog_api.handler import handler
from ecrm import bootstrap
from ecrm.domain.products import Product, Stated
from ecrm.store import keys
from tests.cloud import Answer, Cloud, forget, one_call_at_a_time
from tests.faults import CRASHES, Kept, Kill, at, tapped

NOON = "2026-11-20T12:00:00Z"
BLUE = {"sku": "CD-5", "name": "Blue", "price": {"amount": "12.50", "currency": "EUR"}, "stock": None, "updated_at": NOON}
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
moments = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 (aware by timezones=)
words = st.dictionaries(st.sampled_from(["name", "description", "url"]), texts)
prices = st.fixed_dictionaries({"amount_minor": st.integers(0, 10**16), "currency": st.just("EUR")})
values: st.SearchStrategy[Any] = st.none() | texts | st.booleans() | st.integers(0, 10**9) | words | prices
made = st.builds(
    Product,
    sku=texts,
    fields=st.dictionaries(texts, st.builds(Stated, value=values, at=moments), max_size=6),
    updated_at=moments,
)


@settings(
    max_examples=60,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to shrink through moto takes minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(product=made)
def test_a_product_comes_back_as_it_was(cloud: Cloud, product: Product) -> None:
    del cloud
    products = bootstrap.products()
    seen = found.version if (found := products.find(product.sku)) else 0
    written = Product(product.sku, product.fields, product.updated_at, seen + 1)
    assert products.write(written, seen=seen) is None
    assert written == products.find(product.sku)
    assert written == products.write(product, seen=seen + 7)


def test_products_spread_over_all_shards(cloud: Cloud) -> None:
    sent = {"products": [{"sku": f"CD-{number}"} for number in range(100)]}
    assert 100 == cloud.call(handler, "POST", "/v1/products/batch", sent).json["created"]
    found = {item["PK"]["S"] for item in cloud.items() if item["type"]["S"] == "product"}
    assert {keys.products_partition(shard) for shard in range(keys.PRODUCT_SHARDS)} == found


@pytest.fixture
def callers() -> Iterator[ThreadPoolExecutor]:
    with one_call_at_a_time(), ThreadPoolExecutor(16) as pool:
        yield pool


def until_heard(cloud: Cloud, body: dict[str, Any]) -> Answer:
    """Say it until it is answered otherwise than with "come back"."""
    for _ in range(16):
        answer = cloud.call(handler, "PUT", "/v1/products", body)
        if answer.status != 503:
            return answer
        assert "contended" == answer.json["code"]
    raise AssertionError("told to come back more often than there are others")


def test_sixteen_who_say_different_things_of_one_product_are_all_heard(cloud: Cloud, callers: ThreadPoolExecutor) -> None:
    cloud.key()
    languages = [f"a{chr(97 + number)}" for number in range(16)]
    kept = Kept()
    for _ in range(10):
        kept.restore()
        bodies = [{"sku": "CD-5", "translations": {language: {"name": language}}} for language in languages]
        answers = [*callers.map(lambda body: until_heard(cloud, body), bodies)]
        assert Counter({200: 15, 201: 1}) == Counter(answer.status for answer in answers)
        read = cloud.call(handler, "GET", "/v1/products/CD-5").json
        assert {language: {"name": language, "description": None, "url": None} for language in languages} == read["translations"]


SCENARIOS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "a new product": ("PUT", "/v1/products", BLUE),
    "a known product": ("PUT", "/v1/products/LP-1", {"stock": 3, "updated_at": "2026-11-20T12:05:00Z"}),
    "a batch": ("POST", "/v1/products/batch", {"products": [BLUE, {"sku": "LP-1", "brand": "Asylum", "updated_at": NOON}]}),
}


def dump(cloud: Cloud) -> list[dict[str, Any]]:
    return sorted((item for item in cloud.items() if item["type"]["S"] == "product"), key=lambda item: str(item["SK"]["S"]))


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_crash_at_any_call_and_a_retry_leave_what_one_quiet_request_leaves(cloud: Cloud, name: str) -> None:
    method, path, body = SCENARIOS[name]
    headers = {"idempotency-key": "once"} if method == "POST" else {}
    cloud.call(handler, "PUT", "/v1/products/LP-1", {"name": "Hejira", "stock": 9, "updated_at": NOON})
    kept = Kept()
    with tapped() as calls:
        handler._seen_keys.clear()
        quiet = cloud.call(handler, method, path, body, headers=headers)
    assert quiet.status in (200, 201)
    after = dump(cloud)
    assert len(calls) > 2
    for kind, fault in CRASHES.items():
        forget()
        for number, operation in enumerate(calls):
            kept.restore()
            handler._seen_keys.clear()
            where = f"{kind}, {operation} ({number + 1} of {len(calls)})"
            with tapped(at(number, fault)):
                try:
                    answered: Answer | None = cloud.call(handler, method, path, body, headers=headers)
                except Kill:
                    answered = None
            assert (where, kind.startswith("kill")) == (where, answered is None)
            again = cloud.call(handler, method, path, body, headers=headers)
            assert (where, True) == (where, again.status in (200, 201))
            assert (where, 0) == (where, again.json.get("rejected", 0))
            assert (where, after) == (where, dump(cloud))
