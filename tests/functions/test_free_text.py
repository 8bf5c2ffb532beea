"""Free text: stored and returned byte for byte, or refused by a rule that docs/api.md tells; never altered, never evaluated.

The rule: a text holds no control characters but tab and line ends (400); a name is not blank and at most 200 characters long, a
line_id 64, a reason 2,000 (422).
"""

import json
import re
from collections.abc import Iterable
from itertools import batched
from typing import Any

import pytest

from ecrm.domain.api_keys import KeyKind
from tests.builders import a_consent, a_proof, a_site, an_event
from tests.functions.api import ROOT, Shop, a_new_order, code_of

NAUGHTY: list[str] = json.loads((ROOT / "tests/data/naughty_strings.json").read_text(encoding="utf-8"))
MORE = [
    '=HYPERLINK("http://evil.example","click")',
    "+1+1",
    "-1+1",
    "@SUM(1)",
    "__proto__",
    "constructor",
    "{{7*7}}",
    "${7*7}",
    "#{7*7}",
    "<script>alert(1)</script>",
    "'; DROP TABLE orders; --",
    "سلام دنیا",
    "\u200f\u0627\u0628\u062a\u062f\u0627",
    "\u202egnp.exe",
    "ﷺ",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",
    "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e007f",
    "e\u0301 and é",
    "ﬁne",
    "K and K",
    "\ufffe\uffff",
    "x\u2028y\u2029z",
    "\x80\x9f",
    "tab\tand\nlines\r\nend",
    "a\u0300" * 90,
    "null",
    "None",
    "NaN",
    "1e999",
    "PK",
    "#",
    "a#b",
    " padded ",
    "\u200b",
    "\U0010ffff",
]
TEXTS = [*dict.fromkeys([*NAUGHTY, *MORE])]
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
READABLE = [text for text in TEXTS if not CONTROL.search(text)]
NAMES = [text for text in READABLE if text.strip() and len(text) <= 200]
LINE_IDS = [text for text in NAMES if len(text) <= 64]


def test_there_is_enough_to_try() -> None:
    assert 485 == len(NAUGHTY)
    assert (3, 4, 4) == (
        len(TEXTS) - len(READABLE),
        sum(not text.strip() for text in READABLE),
        sum(len(text) > 200 for text in READABLE),
    )


def _parts(texts: list[str], most: int) -> list[Any]:
    return [pytest.param(part, id=str(at)) for at, part in enumerate(batched(texts, most, strict=False))]


def lines_of(names: Iterable[str]) -> list[dict[str, Any]]:
    line = {"quantity": 1, "unit_price": "0"}
    return [line | {"line_id": f"L{at}", "sku": name, "name": name, "category": name} for at, name in enumerate(names)]


@pytest.mark.parametrize("names", _parts(NAMES, 200))
def test_every_name_of_a_line_comes_back_as_it_was_sent(shop: Shop, names: tuple[str, ...]) -> None:
    order = a_new_order(lines=lines_of(names), total="9.27")
    placed = shop.call("POST", "/v1/orders", order)
    assert 201 == placed.status, placed.text
    read = shop.call("GET", placed.headers["location"]).json
    expected = [(name, name, name) for name in names]
    for answer in (placed.json, read):
        assert expected == [(line["sku"], line["name"], line["category"]) for line in answer["lines"]]
    path = f"/v1/customers/{read['customer_id']}/timeline"
    events = shop.call("GET", path, query="type=order.placed").json["data"]
    told = next(event["data"]["lines"] for event in events if event["data"]["order_id"] == order["order_id"])
    assert expected == [(line["sku"], line["name"], line["category"]) for line in told]


@pytest.mark.parametrize("line_ids", _parts(LINE_IDS, 150))
def test_every_line_id_names_its_line(shop: Shop, line_ids: tuple[str, ...]) -> None:
    line = {"sku": "CD-5", "name": "Blue", "quantity": 2, "unit_price": "0"}
    order = a_new_order(lines=[line | {"line_id": line_id} for line_id in line_ids], total="9.27")
    assert 201 == shop.call("POST", "/v1/orders", order).status
    parcel = [{"line_id": line_id, "quantity": 1} for line_id in line_ids]
    path = f"/v1/orders/{order['order_id']}"
    shop.call("POST", f"{path}/events", an_event("shipped", lines=parcel))
    read = shop.call("GET", path).json
    assert [(line_id, 1) for line_id in line_ids] == [(line["line_id"], line["shipped"]) for line in read["lines"]]
    assert (parcel, parcel) == (read["shipments"][0]["lines"], read["history"][0]["lines"])


@pytest.mark.parametrize("names", _parts(NAMES, 45))
def test_every_word_about_a_parcel_and_every_reason_comes_back_as_it_was_sent(shop: Shop, names: tuple[str, ...]) -> None:
    order = a_new_order(coupon=names[0], customer={"user_id": names[1], "anonymous_id": names[2]})
    order_id = shop.call("POST", "/v1/orders", order).json["order_id"]
    events = [
        said
        for at, name in enumerate(names)
        for said in (
            an_event("shipped", event_id=f"s{at}", shipment_id=name, carrier=name, tracking_number=name, lines=None),
            an_event("returned", event_id=f"r{at}", reason=name),
        )
    ]
    for batch in batched(events, 100, strict=False):
        sent = {"events": [event | {"order_id": order_id} for event in batch]}
        assert len(batch) == shop.call("POST", "/v1/orders/events/batch", sent).json["created"]
    read = shop.call("GET", f"/v1/orders/{order_id}").json
    expected = dict.fromkeys(names)
    assert expected == {parcel["shipment_id"]: None for parcel in read["shipments"]}
    assert expected == {parcel["carrier"]: None for parcel in read["shipments"]}
    assert expected == {parcel["tracking_number"]: None for parcel in read["shipments"]}
    assert expected.keys() == {fact["reason"] for fact in read["history"] if fact["type"] == "returned"}
    assert names[0] == read["coupon"]
    customer = shop.call("GET", f"/v1/customers/{read['customer_id']}").json
    assert {"user_id": names[1], "anonymous_id": names[2]} == {one["kind"]: one["value"] for one in customer["identifiers"]}
    found = shop.call("POST", "/v1/orders/lookup", {"user_id": names[1]}).json["data"]
    assert [order_id] == [one["order_id"] for one in found]


@pytest.mark.parametrize("texts", _parts(NAMES, 40))
def test_every_word_about_a_consent_comes_back_as_it_was_sent(shop: Shop, texts: tuple[str, ...]) -> None:
    placed = shop.call("POST", "/v1/orders", a_new_order(customer={"user_id": texts[0]}))
    path = f"/v1/customers/{placed.json['customer_id']}"
    said = [a_consent(source=text, text_version=text, proof=a_proof() | {"reference": text}) for text in texts]
    assert 201 == shop.call("POST", f"{path}/consents", {"consents": said}).status
    history = shop.call("GET", f"{path}/timeline", query="type=consent.changed&limit=100").json["data"]
    told = [(one["data"]["source"], one["data"]["text_version"], one["data"]["proof"]["reference"]) for one in history]
    assert sorted((text, text, text) for text in texts) == sorted(told)
    (shown,) = shop.call("GET", f"{path}/consents").json["consents"]
    assert (shown["source"], shown["text_version"], shown["proof"]["reference"]) in told


@pytest.mark.parametrize("number", range(0, len(NAMES), 29))
def test_an_address_is_suppressed_with_the_words_that_were_sent(shop: Shop, number: int) -> None:
    address = {"channel": "post", "address": NAMES[number]}
    made = shop.call("POST", "/v1/suppressions", address | {"reason": "manual", "note": NAMES[number]})
    assert (201, NAMES[number]) == (made.status, made.json["grounds"][0]["note"])
    assert made.json == shop.call("POST", "/v1/suppressions/lookup", address).json


@pytest.mark.parametrize("number", range(0, len(NAMES), 29))
def test_a_site_speaks_as_it_was_told(shop: Shop, number: int) -> None:
    text = NAMES[number]
    staff = shop.cloud.key(KeyKind.STAFF)
    told = a_site(brand=text, postal_address=text)
    put = shop.call("PUT", "/v1/sites/naughty", told, key=staff)
    assert (text, text) == (put.json["brand"], put.json["postal_address"])
    assert put.json == shop.call("GET", "/v1/sites/naughty").json


@pytest.mark.parametrize("text", [text for text in TEXTS if CONTROL.search(text)], ids=range(3))
def test_a_control_character_is_refused_wherever_it_stands(shop: Shop, text: str) -> None:
    event = an_event("cancelled", reason=text)
    assert (400, "bad_text") == code_of(shop.call("POST", "/v1/orders", a_new_order(coupon=text)))
    assert (400, "bad_text") == code_of(shop.call("POST", "/v1/orders", a_new_order() | {text: 1}))
    assert (400, "bad_text") == code_of(shop.call("POST", "/v1/orders/A-1001/events", event))
    assert (400, "bad_text") == code_of(shop.call("POST", "/v1/orders/lookup", {"user_id": text}))


@pytest.mark.parametrize("text", [text for text in READABLE if not text.strip()], ids=range(4))
def test_a_blank_name_is_refused_and_a_blank_reason_is_kept(shop: Shop, text: str) -> None:
    code = "blank" if text else "too_short"
    assert (422, code) == code_of(shop.call("POST", "/v1/orders", a_new_order(lines=lines_of([text]), total="9.27")))
    order_id = shop.call("POST", "/v1/orders", a_new_order()).json["order_id"]
    moved = shop.call("POST", f"/v1/orders/{order_id}/events", an_event("cancelled", reason=text))
    assert (201, text) == (moved.status, moved.json["history"][0]["reason"])


@pytest.mark.parametrize("text", [text for text in READABLE if len(text) > 200], ids=range(4))
def test_a_long_name_is_refused_and_a_long_reason_is_kept(shop: Shop, text: str) -> None:
    assert (422, "too_long") == code_of(shop.call("POST", "/v1/orders", a_new_order(lines=lines_of([text]), total="9.27")))
    order_id = shop.call("POST", "/v1/orders", a_new_order()).json["order_id"]
    moved = shop.call("POST", f"/v1/orders/{order_id}/events", an_event("cancelled", reason=text))
    assert (201, text) == (moved.status, moved.json["history"][0]["reason"])


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "{{7*7}}", '"><img src=x onerror=alert(1)>'])
def test_an_answer_is_json_and_nothing_that_a_browser_runs(shop: Shop, text: str) -> None:
    placed = shop.call("POST", "/v1/orders", a_new_order(coupon=text))
    assert text == placed.json["coupon"]
    assert ("application/json", "nosniff") == (placed.headers["content-type"], placed.headers["x-content-type-options"])
