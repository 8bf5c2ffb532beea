"""Bad input, and the answer it gets: orders. And odd input that is right."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.functions.api import Shop, a_new_order, in_hours

type Change = Callable[[dict[str, Any]], Any]


def line(**changes: Any) -> Change:
    return lambda order: order | {"lines": [order["lines"][0] | changes, order["lines"][1]]}


def order(**changes: Any) -> Change:
    return lambda found: found | changes


def without(name: str) -> Change:
    return lambda found: {key: value for key, value in found.items() if key != name}


BAD_ORDERS: dict[str, tuple[Change, str, str]] = {
    "no order_id": (without("order_id"), "/order_id", "missing"),
    "no lines": (without("lines"), "/lines", "missing"),
    "no total": (without("total"), "/total", "missing"),
    "no customer": (without("customer"), "/customer", "missing"),
    "no placed_at": (without("placed_at"), "/placed_at", "missing"),
    "no currency": (without("currency"), "/currency", "missing"),
    "an unknown field": (order(colour="red"), "/colour", "unknown_field"),
    "an unknown field with a slash": (order(**{"a/b~c": 1}), "/a~1b~0c", "unknown_field"),
    "__proto__": (order(__proto__={}), "/__proto__", "unknown_field"),
    "an unknown field of a line": (line(colour="red"), "/lines/0/colour", "unknown_field"),
    "a currency of a line": (line(currency="USD"), "/lines/0/currency", "unknown_field"),
    "an unknown field of the customer": (order(customer={"user_id": "u", "vip": True}), "/customer/vip", "unknown_field"),
    "an order_id that is a number": (order(order_id=17), "/order_id", "wrong_type"),
    "an empty order_id": (order(order_id=""), "/order_id", "too_short"),
    "an order_id of 101": (order(order_id="x" * 101), "/order_id", "too_long"),
    "an order_id with a slash": (order(order_id="a/b"), "/order_id", "bad_syntax"),
    "an order_id with a blank": (order(order_id="a b"), "/order_id", "bad_syntax"),
    "an order_id with a line end": (order(order_id="a\n"), "/order_id", "bad_syntax"),
    "an order_id with a percent sign": (order(order_id="%2e"), "/order_id", "bad_syntax"),
    "an order_id of dots": (order(order_id=".."), "/order_id", "bad_syntax"),
    "an order_id in Arabic": (order(order_id="١٢"), "/order_id", "bad_syntax"),
    "a text for a quantity": (line(quantity="1"), "/lines/0/quantity", "wrong_type"),
    "1.0 for a quantity": (line(quantity=1.0), "/lines/0/quantity", "wrong_type"),
    "true for a quantity": (line(quantity=True), "/lines/0/quantity", "wrong_type"),
    "null for a quantity": (line(quantity=None), "/lines/0/quantity", "wrong_type"),
    "a quantity of zero": (line(quantity=0), "/lines/0/quantity", "too_small"),
    "a negative quantity": (line(quantity=-1), "/lines/0/quantity", "too_small"),
    "a quantity above a million": (line(quantity=1_000_001), "/lines/0/quantity", "too_large"),
    "a quantity of 4,000 digits": (line(quantity=10**4_000), "/lines/0/quantity", "too_large"),
    "negative money": (line(unit_price="-1.00"), "/lines/0/unit_price", "amount_syntax"),
    "negative money as a number": (line(unit_price=-1), "/lines/0/unit_price", "negative_amount"),
    "money above 10^12": (order(total="1000000000000.01"), "/total", "amount_too_large"),
    "money above 10^12 as a number": (order(total=10**12 + 1), "/total", "amount_too_large"),
    "money of 4,000 digits": (order(total=10**4_000), "/total", "amount_too_large"),
    "money of 17 digits": (order(total="1" * 17), "/total", "amount_syntax"),
    "true for money": (order(total=True), "/total", "amount_type"),
    "a list for money": (order(total=[]), "/total", "amount_type"),
    "null for money": (order(total=None), "/total", "amount_type"),
    "an empty amount": (order(total=""), "/total", "amount_syntax"),
    "an amount with a comma": (order(total="32,27"), "/total", "amount_syntax"),
    "an amount with a blank": (order(total=" 32.27"), "/total", "amount_syntax"),
    "an amount with a line end": (order(total="32.27\n"), "/total", "amount_syntax"),
    "an amount with a plus": (order(total="+32.27"), "/total", "amount_syntax"),
    "an amount with an exponent": (order(total="3e1"), "/total", "amount_syntax"),
    "an amount with an underscore": (order(total="3_2.27"), "/total", "amount_syntax"),
    "an amount with a bare point": (order(total="32."), "/total", "amount_syntax"),
    "an amount in Persian digits": (order(total="۳۲.۲۷"), "/total", "amount_syntax"),
    "an amount that says NaN": (order(total="NaN"), "/total", "amount_syntax"),
    "three decimals in euros": (order(total="32.270"), "/total", "too_many_decimals"),
    "a tiny number": (order(total=1e-300), "/total", "too_many_decimals"),
    "decimals in yen": (order(currency="JPY"), "/lines/0/unit_price", "too_many_decimals"),
    "four decimals in dinars": (
        lambda o: line(unit_price="9.0000")(o | {"currency": "KWD"}),
        "/lines/0/unit_price",
        "too_many_decimals",
    ),
    "currency eur": (order(currency="eur"), "/currency", "unknown_currency"),
    "currency ZZZ": (order(currency="ZZZ"), "/currency", "unknown_currency"),
    "currency XXX": (order(currency="XXX"), "/currency", "unknown_currency"),
    "currency gold": (order(currency="XAU"), "/currency", "unknown_currency"),
    "an empty currency": (order(currency=""), "/currency", "unknown_currency"),
    "a currency that is a number": (order(currency=978), "/currency", "wrong_type"),
    "a total that is off": (order(total="32.28"), "/total", "total_mismatch"),
    "a total without the tax": (order(total="27.90"), "/total", "total_mismatch"),
    "a tax that is included and added": (order(tax_included=True), "/total", "total_mismatch"),
    "a tax above the total": (order(tax_included=True, tax="27.91", total="27.90"), "/tax", "tax_above_total"),
    "a discount above a line": (line(discount="18.01"), "/lines/0/discount", "discount_above_line"),
    "a discount above the lines": (order(discount="23.01"), "/discount", "discount_above_lines"),
    "no line": (order(lines=[]), "/lines", "too_few"),
    "201 lines": (lambda o: o | {"lines": o["lines"][1:] * 201}, "/lines", "too_many"),
    "lines that are an object": (order(lines={}), "/lines", "wrong_type"),
    "a line that is a text": (order(lines=["CD-5"]), "/lines/0", "wrong_type"),
    "one line_id twice": (line(line_id="2"), "/lines", "duplicate_line_id"),
    "a line_id that is another's position": (lambda o: line(line_id="2")(without_line_id(o)), "/lines", "duplicate_line_id"),
    "an empty line_id": (line(line_id=""), "/lines/0/line_id", "too_short"),
    "a line_id of 65": (line(line_id="x" * 65), "/lines/0/line_id", "too_long"),
    "a line_id of blanks": (line(line_id="\u3000"), "/lines/0/line_id", "blank"),
    "an empty sku": (line(sku=""), "/lines/0/sku", "too_short"),
    "an empty name": (line(name=""), "/lines/0/name", "too_short"),
    "a name of blanks": (line(name=" \t\n"), "/lines/0/name", "blank"),
    "a name of 201": (line(name="é" * 201), "/lines/0/name", "too_long"),
    "a coupon of 201": (order(coupon="x" * 201), "/coupon", "too_long"),
    "a text for backfill": (order(backfill="true"), "/backfill", "wrong_type"),
    "a number for tax_included": (order(tax_included=1), "/tax_included", "wrong_type"),
    "more than 24 hours ahead": (lambda o: o | {"placed_at": in_hours(24.1)}, "/placed_at", "in_the_future"),
    "placed_at without a zone": (order(placed_at="2026-11-20T12:00:00"), "/placed_at", "instant_syntax"),
    "placed_at as a date": (order(placed_at="2026-11-20"), "/placed_at", "instant_syntax"),
    "placed_at as a number": (order(placed_at=1_795_176_000), "/placed_at", "instant_syntax"),
    "placed_at with a blank": (order(placed_at="2026-11-20 12:00:00Z"), "/placed_at", "instant_syntax"),
    "placed_at on the 31st of November": (order(placed_at="2026-11-31T12:00:00Z"), "/placed_at", "instant_syntax"),
    "placed_at at 24 o'clock": (order(placed_at="2026-11-20T24:00:01Z"), "/placed_at", "instant_syntax"),
    "placed_at in a leap second": (order(placed_at="2016-12-31T23:59:60Z"), "/placed_at", "instant_syntax"),
    "placed_at in 1969": (order(placed_at="1969-12-31T23:59:59Z"), "/placed_at", "instant_too_early"),
    "placed_at in the year 0": (order(placed_at="0000-01-01T00:00:00Z"), "/placed_at", "instant_syntax"),
    "placed_at at the end of time": (order(placed_at="9999-12-31T23:59:59-23:59"), "/placed_at", "instant_syntax"),
    "placed_at with ten digits": (order(placed_at="2026-11-20T12:00:00.0123456789Z"), "/placed_at", "instant_syntax"),
    "nobody": (order(customer={}), "/customer", "no_identifier"),
    "nobody, said with null": (order(customer={"user_id": None}), "/customer", "no_identifier"),
    "an empty user_id": (order(customer={"user_id": ""}), "/customer/user_id", "too_short"),
    "a user_id of blanks": (order(customer={"user_id": " "}), "/customer/user_id", "blank"),
    "a user_id that is a number": (order(customer={"user_id": 77}), "/customer/user_id", "wrong_type"),
    "a user_id of 201": (order(customer={"user_id": "u" * 201}), "/customer/user_id", "too_long"),
    "a phone without a plus": (order(customer={"phone": "989121234567"}), "/customer/phone", "phone_syntax"),
    "a phone with blanks": (order(customer={"phone": "+98 912 123 4567"}), "/customer/phone", "phone_syntax"),
    "a phone of 16": (order(customer={"phone": "+1234567890123456"}), "/customer/phone", "phone_syntax"),
    "a phone in Persian digits": (order(customer={"phone": "+۹۸۹۱۲۱۲۳۴۵۶۷"}), "/customer/phone", "phone_syntax"),
    "a customer that is a text": (order(customer="u-77"), "/customer", "wrong_type"),
}


def without_line_id(found: dict[str, Any]) -> dict[str, Any]:
    return found | {"lines": [{key: value for key, value in each.items() if key != "line_id"} for each in found["lines"]]}


@pytest.mark.parametrize("what", BAD_ORDERS)
def test_an_order_that_cannot_be_right_is_told_where(shop: Shop, what: str) -> None:
    change, pointer, code = BAD_ORDERS[what]
    answer = shop.call("POST", "/v1/orders", json.dumps(change(a_new_order())))
    flaws = [(flaw["pointer"], flaw["code"]) for flaw in answer.json["errors"]]
    assert (422, (pointer, code)) == (answer.status, flaws[0]), answer.text


def test_a_total_that_is_off_is_told_by_how_much(shop: Shop) -> None:
    details = {
        total: shop.call("POST", "/v1/orders", a_new_order(total=total)).json["detail"] for total in ("32.28", "30.00", "0.00")
    }
    assert {
        "32.28": "total is off by 0.01 EUR from its lines, discount, shipping and tax",
        "30.00": "total is off by -2.27 EUR from its lines, discount, shipping and tax",
        "0.00": "total is off by -32.27 EUR from its lines, discount, shipping and tax",
    } == details


def test_every_flaw_is_told_at_once(shop: Shop) -> None:
    bad = a_new_order(currency="eur", total="-1", customer={"phone": "1"}) | {"colour": "red"}
    pointers = [flaw["pointer"] for flaw in shop.call("POST", "/v1/orders", bad).json["errors"]]
    assert {"/currency", "/total", "/customer/phone", "/colour"} == set(pointers)


def test_at_most_fifty_flaws_are_told(shop: Shop) -> None:
    bad = a_new_order() | {f"n{number}": 1 for number in range(60)}
    assert 50 == len(shop.call("POST", "/v1/orders", bad).json["errors"])


GOOD_ORDERS: dict[str, Change] = {
    "amounts as numbers": order(total=32.27, tax=4.37, shipping=4.9, discount=0),
    "amounts with fewer decimals": order(shipping="4.9"),
    "200 lines": lambda o: o | {"lines": [{"sku": "a", "name": "a", "quantity": 1, "unit_price": "0"}] * 200, "total": "9.27"},
    "a free order": lambda o: line(unit_price="1.00")(o | {"discount": "7.00", "shipping": "0", "tax": "0", "total": "0.00"}),
    "23 hours ahead": lambda o: o | {"placed_at": in_hours(23)},
    "placed at an offset": order(placed_at="2026-11-20T23:30:00+03:30"),
    "placed in lower case": order(placed_at="2026-11-20t12:00:00z"),
    "placed with nanoseconds": order(placed_at="2026-11-20T12:00:00.123456789Z"),
    "placed in 1970": order(placed_at="1970-01-01T00:00:00Z"),
    "the longest order_id": lambda o: o | {"order_id": o["order_id"].ljust(100, "~")},
    "an order_id with a hash": lambda o: o | {"order_id": "#" + o["order_id"]},
    "null where nothing is meant": order(coupon=None, site=None),
}


@pytest.mark.parametrize("what", GOOD_ORDERS)
def test_an_order_that_looks_odd_and_is_right_is_taken_and_found(shop: Shop, what: str) -> None:
    body = GOOD_ORDERS[what](a_new_order())
    placed = shop.call("POST", "/v1/orders", json.dumps(body))
    assert 201 == placed.status, placed.text
    assert placed.json == shop.call("GET", placed.headers["location"]).json


def test_the_same_order_again_is_a_replay_and_another_under_its_id_is_refused(shop: Shop) -> None:
    body = a_new_order()
    answers = [shop.call("POST", "/v1/orders", sent) for sent in (body, body, body | {"coupon": "x"})]
    assert [201, 200, 409] == [answer.status for answer in answers]
    assert answers[0].json == answers[1].json
    assert "order_exists" == answers[2].json["code"]


def test_the_same_order_in_another_spelling_is_the_same_order(shop: Shop) -> None:
    body = a_new_order()
    shop.call("POST", "/v1/orders", body)
    turned = json.dumps(dict(reversed(body.items())), indent=3, ensure_ascii=True)
    assert 200 == shop.call("POST", "/v1/orders", turned).status
