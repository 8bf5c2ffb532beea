"""An order is what was agreed, plus the set of what happened to it.

`fold` turns both into the order's state. It looks at the facts as a set, so their order of arrival cannot matter: counters add
up, parcels and amendments are ordered by (occurred_at, event id), and "all that is left" is worked out here and never stored.
`check` refuses a fact that no order of arrival could make right; every other contradiction shows in `needs_attention` and goes
away by itself when the missing fact arrives.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from . import instants, money
from .errors import Conflict, Flaw, Invalid, RuleBroken

MOST_LINES = 200
MOST_FACTS = 200


class Status(StrEnum):
    PLACED = "placed"
    PAID = "paid"
    PACKED = "packed"
    PARTIALLY_SHIPPED = "partially_shipped"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    RETURNED = "returned"
    REFUNDED = "refunded"
    CANCELLED = "cancelled"


class ShipmentState(StrEnum):
    IN_TRANSIT = "in_transit"
    OUT_FOR_DELIVERY = "out_for_delivery"
    FAILED_ATTEMPT = "failed_attempt"
    HELD = "held"
    RETURNED_TO_SENDER = "returned_to_sender"
    DELIVERED = "delivered"


@dataclass(frozen=True, slots=True)
class Line:
    line_id: str
    sku: str
    name: str
    quantity: int
    unit_price_minor: int
    discount_minor: int
    category: str | None = None

    @property
    def amount_minor(self) -> int:
        return self.quantity * self.unit_price_minor - self.discount_minor


@dataclass(frozen=True, slots=True)
class LineTerms:
    """What the fold needs of a line; `net_minor` is after all discounts and without tax."""

    quantity: int
    net_minor: int


@dataclass(frozen=True, slots=True)
class Terms:
    """What was agreed: the totals, and each line's quantity and net value."""

    lines: Mapping[str, LineTerms]
    total_minor: int
    shipping_minor: int
    tax_minor: int
    discount_minor: int
    tax_included: bool

    @property
    def net_minor(self) -> int:
        return sum(line.net_minor for line in self.lines.values())


def agree(
    lines: tuple[Line, ...],
    *,
    currency: str,
    shipping_minor: int,
    tax_minor: int,
    discount_minor: int,
    total_minor: int,
    tax_included: bool,
) -> Terms:
    """Check that the totals are those of the lines. Raises Invalid, saying by how much they are off."""
    if len({line.line_id for line in lines}) < len(lines):
        raise Invalid.at("/lines", "duplicate_line_id", "two lines have the same line_id")
    flaws = tuple(
        Flaw(f"/lines/{at}/discount", "discount_above_line", "the line's discount is larger than its price")
        for at, line in enumerate(lines)
        if line.amount_minor < 0
    )
    if flaws:
        raise Invalid(flaws[0].detail, code=flaws[0].code, flaws=flaws)
    goods = sum(line.amount_minor for line in lines)
    if discount_minor > goods:
        raise Invalid.at("/discount", "discount_above_lines", "the order's discount is larger than its lines")
    expected = goods - discount_minor + shipping_minor + (0 if tax_included else tax_minor)
    if total_minor != expected:
        off = money.to_text(total_minor - expected, currency)
        raise Invalid.at(
            "/total", "total_mismatch", f"total is off by {off} {currency} from its lines, discount, shipping and tax"
        )
    if tax_included and tax_minor > total_minor:
        raise Invalid.at("/tax", "tax_above_total", "the tax included is larger than the total")
    off_the_lines = min(goods, discount_minor + (tax_minor if tax_included else 0))
    shares = money.allocate(off_the_lines, tuple(line.amount_minor for line in lines))
    return Terms(
        lines={
            line.line_id: LineTerms(line.quantity, line.amount_minor - part) for line, part in zip(lines, shares, strict=True)
        },
        total_minor=total_minor,
        shipping_minor=shipping_minor,
        tax_minor=tax_minor,
        discount_minor=discount_minor,
        tax_included=tax_included,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something that happened to an order; `digest` stands for the body as sent and tells a replay from a contradiction."""

    event_id: str
    occurred_at: datetime
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid(Fact):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed(Fact):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class LinesFact(Fact):
    """A fact about quantities; `lines` None means all that is left."""

    lines: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipped(LinesFact):
    shipment_id: str
    carrier: str | None = None
    tracking_number: str | None = None
    tracking_url: str | None = None
    estimated_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentUpdated(Fact):
    shipment_id: str
    state: ShipmentState | None = None
    estimated_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered(LinesFact):
    """With a `shipment_id`, that parcel's lines; without both, all that is left to deliver."""

    shipment_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled(LinesFact):
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned(LinesFact):
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refunded(Fact):
    """`amount_minor` None means all that is left of the total; `lines` say what it was for."""

    amount_minor: int | None = None
    lines: Mapping[str, int] | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Amended(Fact):
    terms: Terms
    reason: str | None = None


FACTS: dict[str, type[Fact]] = {
    "paid": Paid,
    "packed": Packed,
    "shipped": Shipped,
    "shipment_updated": ShipmentUpdated,
    "delivered": Delivered,
    "amended": Amended,
    "cancelled": Cancelled,
    "refunded": Refunded,
    "returned": Returned,
}
TYPES = {fact: name for name, fact in FACTS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is stored: the agreement and the facts. Everything else is `fold`."""

    site: str
    order_id: str
    customer_id: str
    currency: str
    placed_at: datetime
    terms: Terms
    coupon: str | None = None
    backfill: bool = False
    facts: tuple[Fact, ...] = ()

    @property
    def version(self) -> int:
        return 1 + len(self.facts)

    def fact(self, event_id: str) -> Fact | None:
        return next((fact for fact in self.facts if fact.event_id == event_id), None)


def with_fact(order: Order, fact: Fact) -> Order:
    return replace(order, facts=(*order.facts, fact))


def position(order: Order) -> str:
    """Where an order stands in its site's list by time; as text, earlier is smaller."""
    return f"{instants.to_text(order.placed_at)}#{order.order_id}"


def placed_event_id(order: Order) -> str:
    return f"order.placed:{order.site}:{order.order_id}"


def event_id(order: Order, fact: Fact) -> str:
    """Name a fact's event within its customer; a `#` cannot be in the caller's event id, so no two names meet."""
    return f"order.{TYPES[type(fact)]}:{order.site}:{order.order_id}#{fact.event_id}"


def details(fact: Fact) -> dict[str, Any]:
    """Give what a fact says beyond its name and time, as plain data."""
    own = {f.name: getattr(fact, f.name) for f in fields(fact)}
    for name in ("occurred_at", "digest", "terms"):
        own.pop(name, None)
    return {name: _plain(value) for name, value in own.items() if value is not None}


def line_details(line: Line) -> dict[str, Any]:
    own = {f.name: getattr(line, f.name) for f in fields(line)}
    return {name: value for name, value in own.items() if value is not None}


def _plain(value: object) -> object:
    if isinstance(value, date):
        return value.isoformat()
    return dict(value) if isinstance(value, Mapping) else value


@dataclass(frozen=True, slots=True)
class LineState:
    quantity: int
    shipped: int
    delivered: int
    cancelled: int
    returned: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipment:
    shipment_id: str
    shipped_at: datetime | None
    carrier: str | None
    tracking_number: str | None
    tracking_url: str | None
    state: ShipmentState
    estimated_on: date | None
    delivered_at: datetime | None
    lines: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderState:
    status: Status
    terms: Terms
    amended_by: Amended | None
    lines: Mapping[str, LineState]
    shipments: tuple[Shipment, ...]
    paid_at: datetime | None
    refunded_minor: int
    cancelled_minor: int
    needs_attention: tuple[str, ...]
    history: tuple[Fact, ...] = field(default=())

    @property
    def net_revenue_minor(self) -> int:
        """Lines after all discounts, without tax and shipping, minus refunds.

        A refund is taken to pay back what was cancelled first, so that a cancelled and refunded line is not subtracted twice.
        """
        return max(0, self.terms.net_minor - max(self.cancelled_minor, self.refunded_minor))


def check(order: Order, fact: Fact) -> None:
    """Refuse a fact that no order of arrival could make right.

    Quantities and refunds are held against the largest that any known version of the order agreed to. Raises Conflict, or
    RuleBroken where an order has more facts than we keep.
    """
    facts = (*order.facts, fact)
    versions = (order.terms, *(f.terms for f in facts if isinstance(f, Amended)))
    if len(facts) > MOST_FACTS:
        raise RuleBroken(f"an order holds at most {MOST_FACTS} events", code="too_many_events")
    for line_id in _named_lines(fact):
        bought = max((v.lines[line_id].quantity for v in versions if line_id in v.lines), default=None)
        if bought is None:
            raise Conflict(f"the order has no line {line_id}", code="unknown_line")
        same = [f for f in facts if type(f) is type(fact)]
        # the same piece may be paid back in parts: a refund's bound is the money
        if isinstance(fact, LinesFact) and sum(_named_lines(f).get(line_id, 0) for f in same) > bought:
            name = TYPES[type(fact)]
            raise Conflict(f"more of line {line_id} {name} than the {bought} ordered", code=f"{name}_exceeds_ordered")
    if isinstance(fact, Refunded):
        paid_back = sum(f.amount_minor or 0 for f in facts if isinstance(f, Refunded))
        total = max(v.total_minor for v in versions)
        if paid_back > total:
            over = money.to_text(paid_back - total, order.currency)
            raise Conflict(f"refunds exceed the order's total by {over} {order.currency}", code="refund_exceeds_total")


def _named_lines(fact: Fact) -> Mapping[str, int]:
    return (fact.lines or {}) if isinstance(fact, LinesFact | Refunded) else {}


def fold(order: Order) -> OrderState:
    history = tuple(sorted(order.facts, key=lambda f: (f.occurred_at, f.event_id)))
    amended_by = next((f for f in reversed(history) if isinstance(f, Amended)), None)
    terms = amended_by.terms if amended_by else order.terms
    ordered = {line_id: line.quantity for line_id, line in terms.lines.items()}

    cancelled, shipped_by = _split_what_was_left(ordered, history)
    shipped = sum(shipped_by.values(), Counter[str]())
    delivered = _delivered(ordered, cancelled, shipped_by, history)
    returned = _explicit(history, Returned)
    if any(isinstance(f, Returned) and f.lines is None for f in history):
        returned |= Counter(ordered) - cancelled
    gone = shipped | delivered  # what was delivered has been shipped, told or not

    lines = {
        line_id: LineState(quantity, gone[line_id], delivered[line_id], cancelled[line_id], returned[line_id])
        for line_id, quantity in ordered.items()
    }
    refunds = [f for f in history if isinstance(f, Refunded)]
    refunded = sum(f.amount_minor or 0 for f in refunds)
    if any(f.amount_minor is None for f in refunds):
        refunded = max(refunded, terms.total_minor)
    shipments = _shipments(shipped_by, history)

    attention = [
        f"{name}_exceeds_ordered"
        for name, counted in (
            ("shipped", gone),
            ("delivered", delivered),
            ("cancelled", cancelled),
            ("returned", returned),
        )
        if counted - Counter(ordered)
    ]
    if any(line.shipped + line.cancelled > line.quantity for line in lines.values()):
        attention.append("cancelled_and_shipped")
    if returned - gone:
        attention.append("returned_not_shipped")
    if refunded > terms.total_minor:
        attention.append("refund_exceeds_total")
    if any(shipment.shipped_at is None for shipment in shipments):
        attention.append("unknown_shipment")

    return OrderState(
        status=_status(lines, history, fully_refunded=0 < terms.total_minor <= refunded),
        terms=terms,
        amended_by=amended_by,
        lines=lines,
        shipments=shipments,
        paid_at=next((f.occurred_at for f in history if isinstance(f, Paid)), None),
        refunded_minor=refunded,
        cancelled_minor=sum(
            money.share(terms.lines[line_id].net_minor, min(line.cancelled, line.quantity), line.quantity)
            for line_id, line in lines.items()
        ),
        needs_attention=tuple(attention),
        history=history,
    )


def _explicit(history: Iterable[Fact], kind: type[LinesFact]) -> Counter[str]:
    named: Counter[str] = Counter()
    for fact in history:
        if isinstance(fact, kind):
            named.update(fact.lines or {})
    return named


def _split_what_was_left(ordered: Mapping[str, int], history: tuple[Fact, ...]) -> tuple[Counter[str], dict[str, Counter[str]]]:
    """Count what was cancelled, and what each parcel carried.

    Facts that name their lines come first; of those that mean "all that is left", the earliest takes it. What was delivered is
    not left to cancel, though its parcel may still be told.
    """
    cancelled, shipped = _explicit(history, Cancelled), _explicit(history, Shipped)
    left = Counter(ordered) - cancelled - shipped
    out_of_reach = _explicit(history, Delivered) - shipped
    by_shipment: dict[str, Counter[str]] = {}
    for fact in history:
        if isinstance(fact, Shipped):
            if fact.lines is not None:
                taken = Counter(fact.lines)
            else:
                taken, left = left, Counter()
            by_shipment[fact.shipment_id] = by_shipment.get(fact.shipment_id, Counter()) + taken
        elif isinstance(fact, Delivered) and fact.lines is None and fact.shipment_id is None:
            out_of_reach |= left
        elif isinstance(fact, Cancelled) and fact.lines is None:
            cancelled += left - out_of_reach
            left &= out_of_reach
    return cancelled, by_shipment


def _delivered(
    ordered: Mapping[str, int],
    cancelled: Counter[str],
    shipped_by: Mapping[str, Counter[str]],
    history: tuple[Fact, ...],
) -> Counter[str]:
    facts = [f for f in history if isinstance(f, Delivered)]
    by_shipment: dict[str | None, Counter[str]] = {}
    for fact in facts:
        by_shipment.setdefault(fact.shipment_id, Counter()).update(fact.lines or {})
    for shipment_id in _delivered_shipments(history):
        by_shipment[shipment_id] |= shipped_by.get(shipment_id, Counter())
    delivered = sum(by_shipment.values(), Counter[str]())
    if any(f.lines is None and f.shipment_id is None for f in facts):
        delivered |= Counter(ordered) - cancelled
    return delivered


def _delivered_shipments(history: Iterable[Fact]) -> dict[str, datetime]:
    """When each parcel was delivered as a whole; the first word counts."""
    found: dict[str, datetime] = {}
    for fact in history:
        if isinstance(fact, Delivered) and fact.shipment_id is not None and fact.lines is None:
            found.setdefault(fact.shipment_id, fact.occurred_at)
    return found


def _shipments(shipped_by: Mapping[str, Counter[str]], history: tuple[Fact, ...]) -> tuple[Shipment, ...]:
    """List the parcels in the order in which they are first heard of; the latest word on each of its details wins."""
    about: dict[str, list[Shipped | ShipmentUpdated | Delivered]] = {}
    for fact in history:
        if isinstance(fact, Shipped | ShipmentUpdated | Delivered) and fact.shipment_id is not None:
            about.setdefault(fact.shipment_id, []).append(fact)
    delivered_at = _delivered_shipments(history)
    return tuple(
        _shipment(shipment_id, facts, shipped_by.get(shipment_id, {}), delivered_at.get(shipment_id))
        for shipment_id, facts in about.items()
    )


def _shipment(
    shipment_id: str,
    facts: list[Shipped | ShipmentUpdated | Delivered],
    lines: Mapping[str, int],
    delivered_at: datetime | None,
) -> Shipment:
    sent = [f for f in facts if isinstance(f, Shipped)]
    said = _last(f.state for f in facts if isinstance(f, ShipmentUpdated)) or ShipmentState.IN_TRANSIT
    return Shipment(
        shipment_id=shipment_id,
        shipped_at=sent[0].occurred_at if sent else None,
        carrier=_last(f.carrier for f in sent),
        tracking_number=_last(f.tracking_number for f in sent),
        tracking_url=_last(f.tracking_url for f in sent),
        state=ShipmentState.DELIVERED if delivered_at else said,
        estimated_on=_last(f.estimated_on for f in facts if not isinstance(f, Delivered)),
        delivered_at=delivered_at,
        lines=lines,
    )


def _last[T](values: Iterable[T | None]) -> T | None:
    found = None
    for value in values:
        found = found if value is None else value
    return found


def _status(lines: Mapping[str, LineState], history: Iterable[Fact], *, fully_refunded: bool) -> Status:
    kept = [line for line in lines.values() if line.cancelled < line.quantity]
    happened = {type(fact) for fact in history}
    claims = (
        (Status.CANCELLED, not kept),
        (Status.REFUNDED, fully_refunded),
        (Status.RETURNED, all(line.returned >= line.quantity - line.cancelled for line in kept)),
        (Status.DELIVERED, all(line.delivered >= line.quantity - line.cancelled for line in kept)),
        (Status.SHIPPED, all(line.shipped >= line.quantity - line.cancelled for line in kept)),
        (Status.PARTIALLY_SHIPPED, any(line.shipped for line in kept)),
        (Status.PACKED, Packed in happened),
        (Status.PAID, Paid in happened),
    )
    return next((status for status, holds in claims if holds), Status.PLACED)
