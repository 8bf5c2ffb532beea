"""Random histories of customers, from a seed: who orders what, and what happens to it."""

from dataclasses import dataclass, field
from random import Random
from typing import Any

from ecrm.domain.instants import to_answer
from tests.properties.ledger import DECIMALS, Ledger
from tests.properties.requests import LINE_IDS, WITH_LINES, text
from tests.unit.facts import hour

type Body = dict[str, Any]

KINDS = (*WITH_LINES, "paid", "packed", "shipment_updated", "refunded", "amended")


@dataclass
class History:
    """One customer: what is still to be sent, and what was taken of it."""

    user_id: str
    to_send: list[tuple[str | None, Body]]
    ledger: Ledger = field(default_factory=Ledger)
    customer_id: str = ""


def a_history(draw: Random, user_id: str) -> History:
    sent: list[tuple[str | None, Body]] = []
    for number in range(draw.choice((1, 1, 2))):
        order = _an_order(draw, user_id) | {"order_id": f"{user_id}:{number}"}
        events = [
            (order["order_id"], _an_event(draw, order["currency"]) | {"event_id": f"e-{at}"})
            for at in range(draw.choice((0, 1, 2, 4)))
        ]
        sent += [(None, order), *events]
    return History(user_id, sent)


def _an_agreement(draw: Random, currency: str) -> Body:
    lines, goods = [], 0
    for line_id in draw.sample(LINE_IDS, draw.randint(1, 3)):
        quantity, price = draw.randint(1, 4), draw.randint(0, 999)
        goods += quantity * price
        lines.append({"line_id": line_id, "sku": "S", "name": "N", "quantity": quantity, "unit_price": text(price, currency)})
        lines[-1]["discount"] = text(0, currency)
    discount = goods * draw.choice((0, 7, 50)) // 100
    totals = {"shipping": 490, "tax": 0, "discount": discount, "total": goods - discount + 490}
    return {"lines": lines, "tax_included": False} | {name: text(minor, currency) for name, minor in totals.items()}


def _an_order(draw: Random, user_id: str) -> Body:
    currency = draw.choice(sorted(DECIMALS))
    placed = {"placed_at": to_answer(hour(draw.randint(-100, 0))), "currency": currency, "customer": {"user_id": user_id}}
    return _an_agreement(draw, currency) | placed


def _an_event(draw: Random, currency: str) -> Body:
    kind = draw.choice(KINDS)
    body: Body = {"type": kind, "occurred_at": to_answer(hour(draw.randint(0, 12)))}
    if kind in ("shipped", "shipment_updated"):
        body["shipment_id"] = "p1"
    if kind == "shipment_updated":
        body["state"] = "held"
    if kind == "amended":
        return body | _an_agreement(draw, currency)
    if kind == "refunded" and draw.random() < 0.7:
        body["amount"] = text(draw.choice((1, 400)), currency)
    elif kind in WITH_LINES and draw.random() < 0.5:
        body["lines"] = [{"line_id": draw.choice(LINE_IDS), "quantity": 1}]
    return body
