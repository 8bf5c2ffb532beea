"""Products: upserted field by field, by any sku, one by one and in batches."""

from itertools import batched
from typing import Any
from urllib.parse import quote

import pytest

from ecrm import bootstrap
from ecrm.domain.instants import to_answer
from tests.cloud import Answer
from tests.faults import tapped
from tests.functions.api import Shop, a_new_order, code_of, in_hours
from tests.functions.test_free_text import CONTROL, NAMES, TEXTS

NOON = "2026-11-20T12:00:00Z"
LATER = "2026-11-20T12:05:00Z"
WHOLE: dict[str, Any] = {
    "name": "Blue",
    "category": "folk",
    "brand": "Reprise",
    "price": {"amount": "12.50", "currency": "EUR"},
    "image_url": "https://shop.example.com/blue.jpg",
    "url": "https://shop.example.com/blue",
    "stock": 12,
    "available": True,
    "replenishment_days": 90,
    "translations": {
        "fa": {"name": "آبی", "description": "آلبوم", "url": "https://shop.example.com/fa/blue"},
        "zh-Hans": {"name": "蓝", "description": None, "url": None},
    },
}
NOTHING: dict[str, Any] = dict.fromkeys(WHOLE) | {"available": True, "translations": {}}


def put(shop: Shop, sku: str, at: str | None = NOON, **said: Any) -> Answer:
    return shop.call("PUT", f"/v1/products/{quote(sku, safe='')}", said | ({"updated_at": at} if at else {}))


def read(shop: Shop, sku: str) -> dict[str, Any]:
    answer = shop.call("GET", f"/v1/products/{quote(sku, safe='')}")
    assert 200 == answer.status, answer.text
    found: dict[str, Any] = answer.json
    return found


def test_a_product_is_created_then_updated(shop: Shop) -> None:
    made = put(shop, "whole", **WHOLE)
    expected = {"sku": "whole", **WHOLE, "updated_at": NOON}
    assert (201, expected, "/v1/products/whole") == (made.status, made.json, made.headers["location"])
    updated = put(shop, "whole", LATER, stock=0, price={"amount": 9, "currency": "JPY"})
    expected |= {"stock": 0, "price": {"amount": "9", "currency": "JPY"}, "updated_at": LATER}
    assert (200, expected, expected) == (updated.status, updated.json, read(shop, "whole"))


def test_null_clears_and_missing_leaves_alone(shop: Shop) -> None:
    put(shop, "cleared", **WHOLE)
    expected = {"sku": "cleared", **WHOLE, "stock": None, "price": None, "updated_at": LATER}
    assert expected == put(shop, "cleared", LATER, stock=None, price=None).json
    last = "2026-11-20T12:10:00Z"
    rest = {field: None for field in WHOLE if field != "translations"} | {"translations": {"fa": None, "zh-Hans": None}}
    assert {"sku": "cleared", **NOTHING, "updated_at": last} == put(shop, "cleared", last, **rest).json


def test_a_product_of_which_only_the_sku_is_known_is_one(shop: Shop) -> None:
    made = put(shop, "bare")
    assert (201, {"sku": "bare", **NOTHING, "updated_at": NOON}) == (made.status, made.json)


def test_each_language_is_a_field_of_its_own(shop: Shop) -> None:
    put(shop, "languages", translations={"fa": {"name": "آبی"}, "de": {"name": "Blau"}})
    put(shop, "languages", LATER, translations={"de": None, "ar": {"name": "أزرق"}})
    put(shop, "languages", NOON, translations={"ar": {"name": "قديم"}})
    names = {language: words["name"] for language, words in read(shop, "languages")["translations"].items()}
    assert {"ar": "أزرق", "fa": "آبی"} == names


def test_an_older_fact_changes_nothing_and_is_heard_of_what_nothing_newer_was_said(shop: Shop) -> None:
    put(shop, "late", LATER, stock=3)
    late = put(shop, "late", NOON, stock=9, name="Blue")
    assert (200, 3, "Blue", LATER) == (late.status, late.json["stock"], late.json["name"], late.json["updated_at"])


def test_without_a_time_a_fact_is_of_now(shop: Shop) -> None:
    before = to_answer(bootstrap.clock.now())
    put(shop, "now", NOON, stock=3)
    said = put(shop, "now", None, stock=4).json
    assert (4, True) == (said["stock"], before <= said["updated_at"] <= to_answer(bootstrap.clock.now()))
    assert 4 == put(shop, "now", NOON, stock=5).json["stock"]


def test_what_changes_nothing_writes_nothing(shop: Shop) -> None:
    put(shop, "quiet", **WHOLE)
    with tapped() as calls:
        answers = [put(shop, "quiet", **WHOLE), put(shop, "quiet", stock=12)]
    assert (["GetItem", "GetItem"], [200, 200]) == (calls, [answer.status for answer in answers])


def test_two_who_say_different_things_at_once_are_both_heard(shop: Shop) -> None:
    """The other one writes between our read and our write."""
    put(shop, "both")
    writes = 0

    def meanwhile(sent: Any, deliver: Any) -> Any:
        nonlocal writes
        if sent.operation == "PutItem":
            writes += 1
            if writes == 1:
                assert 200 == put(shop, "both", LATER, stock=3).status
        return deliver()

    with tapped(meanwhile):
        ours = put(shop, "both", NOON, name="Blue", stock=9)
    expected = {"sku": "both", **NOTHING, "name": "Blue", "stock": 3, "updated_at": LATER}
    assert (200, expected, expected) == (ours.status, ours.json, read(shop, "both"))


def test_two_who_make_the_same_product_at_once_make_one(shop: Shop) -> None:
    other = None

    def meanwhile(sent: Any, deliver: Any) -> Any:
        nonlocal other
        if sent.operation == "PutItem" and other is None:
            other = 0
            other = put(shop, "twins", name="Blue").status
        return deliver()

    with tapped(meanwhile):
        ours = put(shop, "twins", stock=9)
    assert (201, 200) == (other, ours.status)
    assert {"sku": "twins", **NOTHING, "name": "Blue", "stock": 9, "updated_at": NOON} == ours.json


def test_a_product_that_all_write_at_once_is_answered_with_come_back(shop: Shop) -> None:
    put(shop, "crowd")
    stock, is_outer = 0, True

    def crowd(sent: Any, deliver: Any) -> Any:
        nonlocal stock, is_outer
        if sent.operation == "PutItem" and is_outer:
            is_outer = False
            stock += 1
            put(shop, "crowd", LATER, translations={f"a{chr(96 + stock)}": {"name": "x"}})
            is_outer = True
        return deliver()

    with tapped(crowd):
        answer = put(shop, "crowd", name="Ours")
    assert ((503, "contended"), "1") == (code_of(answer), answer.headers["retry-after"])
    assert read(shop, "crowd")["name"] is None


def test_an_order_may_name_a_product_that_is_not_known(shop: Shop) -> None:
    order = a_new_order()
    skus = [line["sku"] for line in order["lines"]]
    assert "LP-1" in skus
    assert (404, "product_not_found") == code_of(shop.call("GET", "/v1/products/LP-1"))
    assert 201 == shop.call("POST", "/v1/orders", order).status


# ── skus ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("skus", [pytest.param(part, id=str(at)) for at, part in enumerate(batched(NAMES, 100, strict=False))])
def test_a_product_has_any_sku_that_a_line_may_have(shop: Shop, skus: tuple[str, ...]) -> None:
    """In a batch, in the body and in the query; each word comes back as it was sent."""
    made = shop.call("POST", "/v1/products/batch", {"products": [{"sku": sku, "name": sku} for sku in skus]}).json
    assert (len(skus), [*skus]) == (made["created"], [result["sku"] for result in made["results"]])
    for sku in skus:
        by_body = shop.call("PUT", "/v1/products", {"sku": sku, "brand": sku})
        by_query = shop.call("GET", "/v1/products", query=f"sku={quote(sku, safe='')}")
        expected = {"sku": sku, **NOTHING, "name": sku, "brand": sku, "updated_at": by_body.json["updated_at"]}
        assert (200, expected) == (by_body.status, by_body.json)
        assert {"data": [expected], "next_cursor": None} == by_query.json


@pytest.mark.parametrize("sku", ["plain", "CD-5.1", "A_b~c", "2026-1", "x" * 200])
def test_a_path_names_a_plain_sku(shop: Shop, sku: str) -> None:
    assert 201 == (made := put(shop, sku, name="Blue")).status
    assert (f"/v1/products/{sku}", made.json) == (made.headers["location"], shop.call("GET", made.headers["location"]).json)


@pytest.mark.parametrize(
    "sku", ["%20", "%00", "a%00b", "a%2Fb", "a%3Fb", "100%25", "a b", "é", "%C3%A9", "a+b", "%2B", "a:b", "(a)"]
)
def test_a_sku_that_may_be_another_once_a_path_is_decoded_is_not_named_by_one(shop: Shop, sku: str) -> None:
    put_, read_ = shop.call("PUT", f"/v1/products/{sku}", {}), shop.call("GET", f"/v1/products/{sku}")
    assert ((422, "bad_sku"), (404, "product_not_found")) == (code_of(put_), code_of(read_))
    assert "?sku=" in read_.json["detail"]


@pytest.mark.parametrize("sku", ["%41", "a%2dB", "%30", "%5F", "%7e", "x%2E"])
def test_a_letter_that_nobody_encodes_names_nothing(shop: Shop, sku: str) -> None:
    assert (404, "route_not_found") == code_of(shop.call("PUT", f"/v1/products/{sku}", {}))
    assert (404, "route_not_found") == code_of(shop.call("GET", f"/v1/products/{sku}"))


def test_a_sku_that_no_path_names_is_found_where_its_answer_says(shop: Shop) -> None:
    made = shop.call("PUT", "/v1/products", {"sku": "LP/1 é?&=+%41"})
    path, _, query = made.headers["location"].partition("?")
    assert {"data": [made.json], "next_cursor": None} == shop.call("GET", path, query=query).json


def test_a_sku_called_batch_is_one_of_many(shop: Shop) -> None:
    assert 201 == put(shop, "batch", name="A batch").status
    assert "A batch" == read(shop, "batch")["name"]


def test_the_sku_is_that_of_the_path_and_without_one_that_of_the_body(shop: Shop) -> None:
    assert "one" == shop.call("PUT", "/v1/products/one", {"sku": "other"}).json["sku"]
    assert (422, "missing") == code_of(shop.call("PUT", "/v1/products", {"name": "Blue"}))


# ── batches ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def batch(shop: Shop, *products: Any, key: str = "") -> Answer:
    headers = {"idempotency-key": key} if key else {}
    return shop.call("POST", "/v1/products/batch", {"products": [*products]}, headers=headers)


def test_each_product_of_a_batch_is_judged_by_itself(shop: Shop) -> None:
    put(shop, "B-1")
    answer = batch(
        shop,
        {"sku": "B-1", "stock": 1},
        {"sku": "B-2", "stock": -1},
        {"sku": "B-3", "name": "Blue"},
        {"name": "Blue"},
        "B-4",
        {"sku": "B-5", "updated_at": in_hours(25)},
    )
    results = [(one["status"], one["sku"], (one["error"] or {}).get("code")) for one in answer.json["results"]]
    assert [
        (200, "B-1", None),
        (422, "B-2", "invalid"),
        (201, "B-3", None),
        (422, None, "invalid"),
        (422, None, "invalid"),
        (422, "B-5", "in_the_future"),
    ] == results
    assert (200, 1, 1, 4) == (answer.status, *(answer.json[name] for name in ("created", "updated", "rejected")))
    assert 404 == shop.call("GET", "/v1/products/B-2").status


def test_of_two_facts_without_a_time_the_one_that_stands_last_in_the_batch_stays(shop: Shop) -> None:
    answer = batch(shop, *({"sku": "last", "stock": stock} for stock in (9, 1, 5)))
    assert ([201, 200, 200], 5) == ([one["status"] for one in answer.json["results"]], read(shop, "last")["stock"])


def test_a_batch_that_comes_again_says_so_and_changes_nothing(shop: Shop) -> None:
    products = [{"sku": f"again-{at}", **WHOLE, "updated_at": NOON} for at in range(3)]
    first, second = batch(shop, *products, key="again"), batch(shop, *products, key="again")
    assert [(3, 0, None), (0, 3, "true")] == [
        (one.json["created"], one.json["updated"], one.headers.get("idempotent-replayed")) for one in (first, second)
    ]
    assert (422, "idempotency_key_reused") == code_of(batch(shop, *products[:2], key="again"))


@pytest.mark.parametrize("number", [0, 101])
def test_a_batch_has_one_to_a_hundred_products(shop: Shop, number: int) -> None:
    code = "too_few" if number == 0 else "too_many"
    assert (422, code) == code_of(batch(shop, *({"sku": str(at)} for at in range(number))))


# ── what cannot be right ─────────────────────────────────────────────────────────────────────────────────────────────

BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "a blank name": ({"name": " "}, "/name", "blank"),
    "a name of 201": ({"name": "x" * 201}, "/name", "too_long"),
    "a number for a name": ({"name": 5}, "/name", "wrong_type"),
    "an amount alone": ({"price": "12.50"}, "/price", "wrong_type"),
    "a price without a currency": ({"price": {"amount": "12.50"}}, "/price/currency", "missing"),
    "a negative price": ({"price": {"amount": "-1", "currency": "EUR"}}, "/price/amount", "amount_syntax"),
    "too many decimals": ({"price": {"amount": "1.005", "currency": "EUR"}}, "/price/amount", "too_many_decimals"),
    "a currency that is none": ({"price": {"amount": "1", "currency": "eur"}}, "/price/currency", "unknown_currency"),
    "an image that is a script": ({"image_url": "javascript:alert(1)"}, "/image_url", "bad_syntax"),
    "a url of a file": ({"url": "file:///etc/passwd"}, "/url", "bad_syntax"),
    "a url with a tag": ({"url": "https://x/<script>"}, "/url", "bad_syntax"),
    "a url of 1,001": ({"url": "https://x/" + "y" * 991}, "/url", "too_long"),
    "less than nothing": ({"stock": -1}, "/stock", "too_small"),
    "a stock that is text": ({"stock": "1"}, "/stock", "wrong_type"),
    "a stock with a point": ({"stock": 1.5}, "/stock", "wrong_type"),
    "a stock that is true": ({"stock": True}, "/stock", "wrong_type"),
    "available that is a word": ({"available": "yes"}, "/available", "wrong_type"),
    "again at once": ({"replenishment_days": 0}, "/replenishment_days", "too_small"),
    "again in eleven years": ({"replenishment_days": 3_651}, "/replenishment_days", "too_large"),
    "no translations": ({"translations": None}, "/translations", "wrong_type"),
    "a language that is none": ({"translations": {"Deutsch": {"name": "Blau"}}}, "/translations/Deutsch", "bad_syntax"),
    "a translation without a name": ({"translations": {"de": {"url": "https://x"}}}, "/translations/de/name", "missing"),
    "21 languages": ({"translations": dict.fromkeys(f"a{chr(97 + at)}" for at in range(21))}, "/translations", "too_many"),
    "a day for an instant": ({"updated_at": "2026-11-20"}, "/updated_at", "instant_syntax"),
    "an unknown field": ({"colour": "blue"}, "/colour", "unknown_field"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_product_that_cannot_be_right_is_told_where(shop: Shop, what: str) -> None:
    change, pointer, code = BAD[what]
    answer = shop.call("PUT", "/v1/products/bad", change)
    assert (422, pointer, code) == (answer.status, *(answer.json["errors"][0][name] for name in ("pointer", "code")))
    assert 404 == shop.call("GET", "/v1/products/bad").status


def test_a_fact_is_at_most_a_day_ahead_of_our_clock(shop: Shop) -> None:
    assert (422, "in_the_future") == code_of(put(shop, "ahead", in_hours(24.1)))
    assert 201 == put(shop, "ahead", in_hours(23.9)).status


def test_a_product_that_says_more_than_it_can_hold_is_refused_and_stays_as_it_was(shop: Shop) -> None:
    words = {"name": "é" * 200, "description": "é" * 2_000}
    first = put(shop, "large", translations={f"a{chr(97 + at)}": words for at in range(13)})
    assert 201 == first.status
    more = put(shop, "large", LATER, translations={f"b{chr(97 + at)}": words for at in range(13)})
    assert ((409, "product_too_large"), first.json) == (code_of(more), read(shop, "large"))


@pytest.mark.parametrize("text", [text for text in TEXTS if CONTROL.search(text)], ids=range(3))
def test_a_control_character_in_a_product_is_refused(shop: Shop, text: str) -> None:
    assert (400, "bad_text") == code_of(put(shop, "control", translations={"de": {"name": "x", "description": text}}))
    assert (400, "bad_text") == code_of(shop.call("PUT", "/v1/products", {"sku": text}))
