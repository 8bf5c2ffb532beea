"""What happened to a customer: the timeline, the audit trail and the stream's payload are these."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

CATALOGUE: dict[str, str] = {
    "customer.created": "A customer came into being, from identifiers nobody held before.",
    "customer.identified": "A known customer gained an identifier.",
    "customer.merged": "A customer was made one with another: `data.merged` is part of `data.into` from now on.",
    "customer.unmerged": "A customer was taken out of the one that it had been made one with.",
    "customer.updated": "Attributes of a customer changed; carries their new values, null where one was cleared.",
    "customer.imported": "A row of a file changed the customer; carries the attributes before and after it.",
    "customer.restored": "What a row of a file had changed was put back; carries the attributes as they are again.",
    "customer.stage_changed": "A night found the customer in another stage of the life cycle than the night before.",
    "segment.entered": "A night found the customer in a segment in which the night before had not.",
    "segment.left": "A night did not find the customer any more in a segment in which the night before had.",
    "contact.recorded": "Something was said or written between the customer and the company elsewhere; carries the words.",
    "consent.changed": "Somebody consented, refused or was asked, on a channel and about a topic; carries what was said.",
    "preferences.changed": "Somebody chose how often they are written to, or paused that or went on; carries what holds now.",
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
    "message.requested": "A message to the customer was asked for; carries its template, language and data.",
    "message.accepted": "The mail provider took the message, on the attempt that `data.attempt` names.",
    "message.failed": "The message cannot be sent and never will be; `data.code` says why.",
    "message.postponed": "The message waits until `data.until`; `data.reason` says why: quiet hours.",
    "message.dropped": "The message was not sent: suppressed, no consent, capped, expired or cancelled, as `data.status` says.",
    "message.unresolved": "Nobody can tell whether the provider took the message, and no notice of it has come in time.",
    "message.delivered": "The customer's mail server took the message.",
    "message.delayed": "The customer's mail server did not take the message yet; it is tried again.",
    "message.bounced": "The customer's mail server refused the message; `data.bounce` says whether for good.",
    "message.complained": "The customer called the message spam.",
    "message.cleared": "The customer said that the message is no spam.",
    "message.rejected": "The mail provider had taken the message and did not send it after all, or could not render it.",
    "message.opened": "The message was opened; `data.machine` where a mail server did so, not a person.",
    "message.clicked": "A link of the message was followed; `data.machine` where a scanner did so, not a person.",
    "message.subscription_changed": "The customer changed their subscription at the mail provider.",
    "job.requested": "An export or an erasure was asked for. Stands with its job, on nobody's timeline.",
    "page.viewed": "A page call: somebody looked at a page.",
    "screen.viewed": "A screen call: somebody looked at a screen of an app.",
    "group.joined": "A group call: somebody belongs to a group, such as an account.",
    "custom.tracked": "A track call with a name that no spec knows; `data.name` has it.",
    "products.searched": "Somebody searched for products.",
    "product_list.viewed": "Somebody looked at a list or category of products.",
    "product_list.filtered": "Somebody filtered a list or category of products.",
    "promotion.viewed": "Somebody saw a promotion.",
    "promotion.clicked": "Somebody clicked on a promotion.",
    "product.clicked": "Somebody clicked on a product.",
    "product.viewed": "Somebody looked at a product.",
    "product.added": "A product was put into a cart.",
    "product.removed": "A product was taken out of a cart.",
    "product.shared": "A product was shared.",
    "product.reviewed": "A product was reviewed.",
    "cart.viewed": "Somebody looked at their cart.",
    "cart.shared": "A cart was shared.",
    "checkout.started": "A checkout began.",
    "checkout_step.viewed": "Somebody saw a step of the checkout.",
    "checkout_step.completed": "Somebody completed a step of the checkout.",
    "payment_info.entered": "Somebody said how they pay.",
    "coupon.entered": "A coupon was entered.",
    "coupon.applied": "A coupon was accepted.",
    "coupon.denied": "A coupon was refused.",
    "coupon.removed": "A coupon was taken off.",
    "wishlist.product_added": "A product was put on a wishlist.",
    "wishlist.product_removed": "A product was taken off a wishlist.",
    "wishlist.product_moved": "A product went from a wishlist into a cart.",
    "complaint.opened": "Somebody complained.",
    "survey.answered": "Somebody answered a survey.",
    "claimed.order_completed": "A write key said Order Completed: a claim, and no order's fact.",
    "claimed.order_updated": "A write key said Order Updated: a claim, and no order's fact.",
    "claimed.order_refunded": "A write key said Order Refunded: a claim, and no order's fact.",
    "claimed.order_cancelled": "A write key said Order Cancelled: a claim, and no order's fact.",
    "claimed.order_shipped": "A write key said Order Shipped: a claim, and no order's fact.",
    "claimed.order_delivered": "A write key said Order Delivered: a claim, and no order's fact.",
    "claimed.order_returned": "A write key said Order Returned: a claim, and no order's fact.",
}
"""Every event type, with its meaning; `docs/events.md` is held equal to it by a test."""


def is_among(event_type: str, types: Collection[str]) -> bool:
    """Say whether a type is one of `types`, of which one such as `order.*` stands for all that begin so."""
    return any(event_type.startswith(one[:-1]) if one.endswith(".*") else event_type == one for one in types)


@dataclass(frozen=True, slots=True)
class Event:
    """`id` is unique within its customer and derived from the caller's own ids, so that writing it twice is once.

    `occurred_at` is the caller's own time as sent, and part of the key; `corrected_at` is ours where the caller's clock is off.
    `expires_at` is when the fact may be forgotten; None: never before erasure.
    """

    id: str
    type: str
    occurred_at: datetime
    received_at: datetime
    site: str
    customer_id: str
    source: str
    data: Mapping[str, Any] = field(default_factory=dict)
    backfill: bool = False
    corrected_at: datetime | None = None
    expires_at: datetime | None = None
    v: int = 1
