"""What happened to a customer: the timeline, the audit trail and the stream's payload are these."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

CATALOGUE: dict[str, str] = {
    "customer.created": "A customer came into being, from identifiers nobody held before.",
    "customer.identified": "A known customer gained an identifier.",
    "order.placed": "An order was placed; carries its lines and totals.",
    "order.paid": "The order was paid.",
    "order.packed": "The order was packed.",
    "order.shipped": "A parcel with some or all lines left the house.",
    "order.shipment_updated": "The carrier said something about a parcel.",
    "order.delivered": "A parcel or lines reached the customer.",
    "order.amended": "The order's lines and totals were replaced; carries the new ones.",
    "order.cancelled": "Lines were cancelled before they were shipped.",
    "order.refunded": "Money was paid back.",
    "order.returned": "Lines came back.",
}
"""Every event type, with its meaning; `docs/events.md` is held equal to it by a test."""


@dataclass(frozen=True, slots=True)
class Event:
    """`id` is unique within its customer and derived from the caller's own ids, so that writing it twice is once."""

    id: str
    type: str
    occurred_at: datetime
    received_at: datetime
    site: str
    customer_id: str
    source: str
    data: Mapping[str, Any] = field(default_factory=dict)
    backfill: bool = False
    v: int = 1
