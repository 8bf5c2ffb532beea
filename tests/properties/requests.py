"""Requests of a shop, drawn at random: valid in themselves, contradicting each other now and then."""

from typing import Any

from hypothesis import strategies as st

from ecrm.domain.instants import to_answer
from tests.properties.ledger import DECIMALS
from tests.unit.facts import hour

type Body = dict[str, Any]

LINE_IDS = ("1", "2", "3")
WITH_LINES = ("shipped", "delivered", "cancelled", "returned")


def text(minor: int, currency: str) -> str:
    decimals = DECIMALS[currency]
    return f"{minor // 10**decimals}.{minor % 10**decimals:0{decimals}}" if decimals else str(minor)


@st.composite
def agreements(draw: st.DrawFn, currency: str) -> Body:
    """Lines and totals that add up."""
    lines = []
    goods = 0
    for line_id in draw(st.lists(st.sampled_from(LINE_IDS), min_size=1, max_size=3, unique=True)):
        quantity, price = draw(st.integers(1, 4)), draw(st.integers(0, 999))
        off = quantity * price * draw(st.sampled_from((0, 0, 10, 33, 100))) // 100
        goods += quantity * price - off
        line = {"line_id": line_id, "sku": "S", "name": "N", "quantity": quantity}
        lines.append(line | {"unit_price": text(price, currency), "discount": text(off, currency)})
    discount = goods * draw(st.sampled_from((0, 0, 7, 50, 100))) // 100
    included = draw(st.booleans())
    tax = (goods - discount) * draw(st.sampled_from((0, 7, 19))) // 100
    shipping = draw(st.sampled_from((0, 490)))
    return {
        "lines": lines,
        "discount": text(discount, currency),
        "tax": text(tax, currency),
        "tax_included": included,
        "shipping": text(shipping, currency),
        "total": text(goods - discount + shipping + (0 if included else tax), currency),
    }


@st.composite
def orders(draw: st.DrawFn) -> Body:
    """An order without its id."""
    currency = draw(st.sampled_from(sorted(DECIMALS)))
    return draw(agreements(currency)) | {
        "placed_at": to_answer(hour(draw(st.integers(-100, 0)))),
        "currency": currency,
        "customer": {"user_id": "u-1"},
    }


quantities = st.dictionaries(st.sampled_from(LINE_IDS), st.sampled_from((1, 1, 1, 2, 3)), min_size=1, max_size=3)
said_lines = st.none() | quantities


@st.composite
def events(draw: st.DrawFn, currency: str) -> Body:
    """What happened to an order in this currency, without an event id."""
    kind = draw(st.sampled_from((*WITH_LINES, *WITH_LINES, "paid", "packed", "shipment_updated", "refunded", "amended")))
    body: Body = {"type": kind, "occurred_at": to_answer(hour(draw(st.integers(0, 12))))}
    lines = draw(said_lines) if kind in (*WITH_LINES, "refunded") else None
    if kind in ("shipped", "shipment_updated") or (kind == "delivered" and draw(st.booleans())):
        body["shipment_id"] = draw(st.sampled_from(("p1", "p2")))
    if kind == "shipment_updated":
        body["state"] = "held"
    if kind == "refunded" and (lines or draw(st.booleans())):
        body["amount"] = text(draw(st.sampled_from((0, 1, 99, 400, 2_000))), currency)
    if kind == "amended":
        body |= draw(agreements(currency))
    elif lines:
        body["lines"] = [{"line_id": line_id, "quantity": quantity} for line_id, quantity in lines.items()]
    return body
