"""One order from its placing to a partial refund, step by step, as a shop would tell it to the API."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from local.api import Api

LINES = [
    {"line_id": "1", "sku": "CD-5", "name": "Blue", "quantity": 2, "unit_price": "12.50", "discount": "2.00"},
    {"line_id": "2", "sku": "CD-9", "name": "Kind of Blue", "quantity": 1, "unit_price": "9.90"},
]


def tell(api: Api) -> Iterator[tuple[str, dict[str, Any]]]:
    """Place an order and move it; yield each step with the order as it stands after it."""
    ends_at = datetime.now(UTC).replace(microsecond=0)
    placed_at = ends_at - timedelta(days=5)
    order_id = f"demo-{ends_at:%Y%m%d-%H%M%S}"
    path = f"/v1/orders/{order_id}"
    order = {
        "order_id": order_id,
        "placed_at": f"{placed_at:%Y-%m-%dT%H:%M:%SZ}",
        "currency": "USD",
        "customer": {"user_id": "sara", "email": "sara@example.com"},
        "lines": LINES,
        "shipping": "4.90",
        "total": "37.80",
    }
    yield "placed", api.post("/v1/orders", order)
    facts: list[tuple[str, int, dict[str, Any]]] = [
        ("paid", 1, {"type": "paid"}),
        ("first parcel shipped", 24, shipped("parcel-1", "1", 2)),
        ("second parcel shipped", 48, shipped("parcel-2", "2", 1)),
        ("first parcel delivered", 72, {"type": "delivered", "shipment_id": "parcel-1"}),
        ("second parcel delivered", 96, {"type": "delivered", "shipment_id": "parcel-2"}),
        ("9.90 refunded", 110, {"type": "refunded", "amount": "9.90", "lines": [{"line_id": "2", "quantity": 1}]}),
    ]
    for number, (step, hours, fact) in enumerate(facts, start=1):
        occurred_at = f"{placed_at + timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}"
        yield step, api.post(f"{path}/events", fact | {"occurred_at": occurred_at, "event_id": f"{order_id}-{number}"})
    yield "as it can be read now", api.get(path)


def shipped(shipment_id: str, line_id: str, quantity: int) -> dict[str, Any]:
    """A parcel leaves with one line."""
    return {
        "type": "shipped",
        "shipment_id": shipment_id,
        "carrier": "DHL",
        "lines": [{"line_id": line_id, "quantity": quantity}],
    }
