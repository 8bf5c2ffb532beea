"""A visitor who becomes a known customer, as a browser, a shop and a call centre would tell it to the API."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from local.api import Api

LP = {"product_id": "LP-7", "sku": "LP-7", "name": "Hejira", "price": 24.90, "category": "folk"}


@dataclass(frozen=True, slots=True)
class Tellers:
    """Who tells it: each has a connection with a key of its own."""

    browser: Api
    shop: Api
    call_centre: Api


def visit(tellers: Tellers) -> Iterator[tuple[str, str]]:
    """Tell it step by step; yield who says what, and give the customer's id at the end."""
    now = datetime.now(UTC).replace(microsecond=0)
    name = f"{now:%Y%m%d-%H%M%S}"
    began_at = now - timedelta(minutes=30)
    device, user_id = f"browser-{name}", f"visitor-{name}"
    seen: list[tuple[str, str, dict[str, Any]]] = [
        ("looks at the front page", "page", {"name": "Home", "properties": {"path": "/"}}),
        ("looks at a record", "track", {"event": "Product Viewed", "properties": LP}),
        ("puts it into the cart", "track", {"event": "Product Added", "properties": LP | {"quantity": 1}}),
        ("logs in", "identify", {"userId": user_id, "traits": {"first_name": "Nilu", "language": "fa"}}),
        ("begins to pay", "track", {"userId": user_id, "event": "Checkout Started", "properties": {"value": 24.90}}),
    ]
    for minute, (what, call, said) in enumerate(seen):
        at = {"timestamp": text(began_at + timedelta(minutes=minute)), "messageId": f"{name}-{minute}"}
        tellers.browser.post(f"/v1/{call}", {"anonymousId": device} | at | said, 200)
        yield "browser", what
    order = {
        "order_id": f"visit-{name}",
        "placed_at": text(began_at + timedelta(minutes=6)),
        "currency": "USD",
        "customer": {"user_id": user_id, "email": f"{user_id}@example.com", "anonymous_id": device},
        "lines": [{"sku": "LP-7", "name": "Hejira", "quantity": 1, "unit_price": "24.90"}],
        "total": "24.90",
    }
    customer_id = tellers.shop.post("/v1/orders", order)["customer_id"]
    yield "shop", f"takes the order {order['order_id']}"
    note = {
        "contact_id": f"call-{name}",
        "channel": "call",
        "direction": "inbound",
        "author": {"role": "agent"},
        "occurred_at": text(began_at + timedelta(minutes=20)),
        "order_id": order["order_id"],
        "text": "Asks whether the record can be wrapped as a present. It can.",
    }
    tellers.call_centre.post(f"/v1/customers/{customer_id}/contacts", note)
    yield "call centre", "notes what was asked on the telephone"
    yield "customer", customer_id


def text(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"
