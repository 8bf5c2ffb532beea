"""Two customers who read of their orders in their own languages, as a shop would tell of them to the API."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from local.api import Api

MAILS = {
    "order.placed": "order-confirmed",
    "order.shipped": "order-shipped",
    "order.delivered": "order-delivered",
    "order.refunded": "order-refunded",
}
"""Which event of an order sends which template."""
THANKS = "thanks"
TEMPLATE: dict[str, Any] = {
    "purpose": "transactional",
    "variants": {
        "en": {"subject": "Thank you", "html": "<p>Thank you for the order {{ data.order }}.</p>"},
        "fa": {"subject": "سپاسگزاریم", "html": "<p>بابت سفارش {{ data.order }} سپاسگزاریم.</p>"},
    },
}
"""A template of the shop's own, beside the ready-made ones."""
ORDERS: dict[str, dict[str, Any]] = {
    "fa": {
        "lines": [{"line_id": "1", "sku": "LP-7", "name": "هجرت", "quantity": 1, "unit_price": "24.90"}],
        "shipping": "4.90",
        "total": "29.80",
    },
    "en": {
        "lines": [{"line_id": "1", "sku": "CD-5", "name": "Blue", "quantity": 2, "unit_price": "12.50", "discount": "2.00"}],
        "shipping": "4.90",
        "total": "27.90",
    },
}
NAMES = {"fa": "نیلوفر", "en": "Ruth"}


@dataclass(frozen=True, slots=True)
class Reader:
    """A customer and an order of theirs."""

    language: str
    email: str
    customer_id: str
    order_id: str


def readers(shop: Api) -> Iterator[Reader]:
    """Make a Persian and an English customer, each with an order that is placed and shipped; the mails follow by themselves."""
    now = datetime.now(UTC).replace(microsecond=0)
    name = f"{now:%Y%m%d-%H%M%S}"
    for language, order in ORDERS.items():
        email, order_id = f"{language}-{name}@example.org", f"mail-{language}-{name}"
        about = {"email": email, "language": language, "traits": {"first_name": NAMES[language]}}
        shop.put("/v1/customers", about, 200, 201)
        bought = {"order_id": order_id, "placed_at": _text(now - timedelta(minutes=5)), "currency": "EUR"}
        customer_id = shop.post("/v1/orders", bought | {"customer": {"email": email}} | order)["customer_id"]
        left = {"type": "shipped", "shipment_id": "parcel-1", "carrier": "DHL", "lines": [{"line_id": "1", "quantity": 1}]}
        shop.post(f"/v1/orders/{order_id}/events", left | {"occurred_at": _text(now), "event_id": f"{order_id}-1"})
        yield Reader(language, email, customer_id, order_id)


def _text(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"
