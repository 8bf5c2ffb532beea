"""Orders on the wire."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from ecrm.application.orders import Drafted, OrderView, PlaceOrder, RecordOrderEvent
from ecrm.domain import instants, money, orders
from ecrm.domain.customers import Identifier, identifiers_of

from .batches import ElementResultBody
from .fields import (
    Amount,
    Answer,
    Body,
    Currency,
    CursorText,
    Day,
    Email,
    EventId,
    ForeignId,
    Instant,
    Limit,
    LineId,
    Name,
    OrderId,
    Phone,
    Query,
    SiteId,
    Text,
    Url,
)

MOST_IN_BATCH = 100
Quantity = Annotated[int, Field(ge=1, le=1_000_000)]


class IdentifiersBody(Body):
    """At least one identifier of the customer."""

    user_id: ForeignId | None = None
    email: Email | None = None
    phone: Phone | None = None
    anonymous_id: ForeignId | None = None

    def to_identifiers(self, site: str, pointer: str = "/customer") -> tuple[Identifier, ...]:
        named = {"user_id": self.user_id, "email": self.email, "phone": self.phone, "anonymous_id": self.anonymous_id}
        return identifiers_of(site, **named, pointer=pointer)


class LineBody(Body):
    """One line; `line_id` is its position, from 1, where it is missing."""

    line_id: LineId | None = None
    sku: Name
    name: Name
    quantity: Quantity
    unit_price: Amount
    discount: Amount = Decimal(0)
    category: Name | None = None

    def to_line(self, at: int, currency: str) -> orders.Line:
        return orders.Line(
            line_id=self.line_id or str(at + 1),
            sku=self.sku,
            name=self.name,
            quantity=self.quantity,
            unit_price_minor=money.to_minor(self.unit_price, currency, pointer=f"/lines/{at}/unit_price"),
            discount_minor=money.to_minor(self.discount, currency, pointer=f"/lines/{at}/discount"),
            category=self.category,
        )


class AgreementBody(Body):
    """`total` = Σ(quantity × unit_price − line discount) − discount + shipping + tax; with `tax_included`, tax is not added."""

    lines: Annotated[list[LineBody], Field(min_length=1, max_length=orders.MOST_LINES)]
    shipping: Amount = Decimal(0)
    tax: Amount = Decimal(0)
    discount: Amount = Decimal(0)
    total: Amount
    tax_included: bool = False

    def to_terms(self, currency: str) -> tuple[tuple[orders.Line, ...], orders.Terms]:
        lines = tuple(line.to_line(at, currency) for at, line in enumerate(self.lines))
        terms = orders.agree(
            lines,
            currency=currency,
            shipping_minor=money.to_minor(self.shipping, currency, pointer="/shipping"),
            tax_minor=money.to_minor(self.tax, currency, pointer="/tax"),
            discount_minor=money.to_minor(self.discount, currency, pointer="/discount"),
            total_minor=money.to_minor(self.total, currency, pointer="/total"),
            tax_included=self.tax_included,
        )
        return lines, terms


class PlaceOrderBody(AgreementBody):
    order_id: OrderId
    placed_at: Instant
    currency: Currency
    customer: IdentifiersBody
    coupon: Name | None = None
    site: SiteId | None = None
    backfill: Annotated[bool, Field(description="A past order: it counts in statistics and triggers nothing.")] = False

    def to_command(self, site: str, *, digest: str, source: str) -> PlaceOrder:
        lines, terms = self.to_terms(self.currency)
        return PlaceOrder(
            site=site,
            order_id=self.order_id,
            placed_at=self.placed_at,
            currency=self.currency,
            identifiers=self.customer.to_identifiers(site),
            lines=lines,
            terms=terms,
            coupon=self.coupon,
            backfill=self.backfill,
            digest=digest,
            source=source,
        )


class LineQuantityBody(Body):
    line_id: LineId
    quantity: Quantity


def _no_line_twice(lines: list[LineQuantityBody]) -> list[LineQuantityBody]:
    if len({line.line_id for line in lines}) < len(lines):
        raise PydanticCustomError("duplicate_line_id", "two entries name the same line")
    return lines


LineQuantities = Annotated[
    list[LineQuantityBody], Field(min_length=1, max_length=orders.MOST_LINES), AfterValidator(_no_line_twice)
]
CarrierState = Literal["in_transit", "out_for_delivery", "failed_attempt", "held", "returned_to_sender"]


class OrderEventBase(Body):
    """What every event says. Without an `event_id` the body itself is the event's name: the same body is applied once."""

    occurred_at: Instant
    event_id: EventId | None = None
    site: SiteId | None = None
    backfill: bool = False

    def to_command(self, site: str, order_id: str, *, digest: str, source: str) -> RecordOrderEvent:
        event_id = self.event_id or digest
        shared = {"event_id": event_id, "occurred_at": self.occurred_at, "digest": digest}
        return RecordOrderEvent(
            site=site,
            order_id=order_id,
            event_id=event_id,
            occurred_at=self.occurred_at,
            backfill=self.backfill,
            digest=digest,
            source=source,
            draft=lambda currency: self.draft(currency, shared),
        )

    def draft(self, _currency: str, shared: dict[str, Any]) -> Drafted:
        own = {name: getattr(self, name) for name in type(self).model_fields if name not in _EVERY_EVENT_HAS}
        if "lines" in own:
            own["lines"] = self.quantities()
        return Drafted(orders.FACTS[own.pop("type")](**shared, **own))

    def quantities(self) -> dict[str, int] | None:
        lines: list[LineQuantityBody] | None = getattr(self, "lines", None)
        return None if lines is None else {line.line_id: line.quantity for line in lines}


_EVERY_EVENT_HAS = frozenset(OrderEventBase.model_fields)


class LinesEventBody(OrderEventBase):
    lines: LineQuantities | None = None


class PaidBody(OrderEventBase):
    type: Literal["paid"]


class PackedBody(OrderEventBase):
    type: Literal["packed"]


class ShippedBody(LinesEventBody):
    type: Literal["shipped"]
    shipment_id: ForeignId
    carrier: Name | None = None
    tracking_number: Name | None = None
    tracking_url: Url | None = None
    estimated_on: Day | None = None


class ShipmentUpdatedBody(OrderEventBase):
    type: Literal["shipment_updated"]
    shipment_id: ForeignId
    state: CarrierState | None = None
    estimated_on: Day | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.state is None and self.estimated_on is None:
            raise PydanticCustomError("nothing_said", "a shipment update needs a state or an estimated_on")
        return self

    def draft(self, _currency: str, shared: dict[str, Any]) -> Drafted:
        state = None if self.state is None else orders.ShipmentState(self.state)
        fact = orders.ShipmentUpdated(**shared, shipment_id=self.shipment_id, state=state, estimated_on=self.estimated_on)
        return Drafted(fact)


class DeliveredBody(LinesEventBody):
    type: Literal["delivered"]
    shipment_id: ForeignId | None = None


class CancelledBody(LinesEventBody):
    type: Literal["cancelled"]
    reason: Text | None = None


class ReturnedBody(LinesEventBody):
    type: Literal["returned"]
    reason: Text | None = None


class RefundedBody(LinesEventBody):
    """Without an `amount`, all that is left of the total."""

    type: Literal["refunded"]
    amount: Amount | None = None
    reason: Text | None = None

    @model_validator(mode="after")
    def _lines_have_an_amount(self) -> Self:
        if self.lines is not None and self.amount is None:
            raise PydanticCustomError("amount_missing", "a refund that names lines needs its amount")
        return self

    def draft(self, currency: str, shared: dict[str, Any]) -> Drafted:
        amount = None if self.amount is None else money.to_minor(self.amount, currency, pointer="/amount")
        return Drafted(orders.Refunded(**shared, amount_minor=amount, lines=self.quantities(), reason=self.reason))


class AmendedBody(OrderEventBase, AgreementBody):
    """The order's new lines and totals, whole."""

    type: Literal["amended"]
    reason: Text | None = None

    def draft(self, currency: str, shared: dict[str, Any]) -> Drafted:
        lines, terms = self.to_terms(currency)
        return Drafted(orders.Amended(**shared, terms=terms, reason=self.reason), lines)


OrderEventBody = Annotated[
    PaidBody
    | PackedBody
    | ShippedBody
    | ShipmentUpdatedBody
    | DeliveredBody
    | AmendedBody
    | CancelledBody
    | RefundedBody
    | ReturnedBody,
    Field(discriminator="type"),
]


class OrderNamed(Body):
    """What an event in a batch carries beside the event: the order that a path would name."""

    order_id: OrderId


class PlaceOrdersBody(Body):
    """Each order is judged by itself."""

    orders: Annotated[list[Any], Field(min_length=1, max_length=MOST_IN_BATCH)]


class RecordOrderEventsBody(Body):
    """Each event is judged by itself, in the order given."""

    events: Annotated[list[Any], Field(min_length=1, max_length=MOST_IN_BATCH)]


class SiteQuery(Query):
    site: SiteId | None = None


class ListOrdersQuery(SiteQuery):
    """Days are UTC; without them, the last seven."""

    status: orders.Status | None = None
    from_: Annotated[Day | None, Field(alias="from")] = None
    to: Day | None = None
    limit: Limit = 50
    cursor: CursorText | None = None

    def days(self, today: date) -> tuple[date, date]:
        last = self.to or (today if self.from_ is None else min(today, self.from_ + timedelta(days=30)))
        return self.from_ or last - timedelta(days=6), last


class LookupOrdersBody(IdentifiersBody):
    """Orders of every customer who holds one of the identifiers."""

    site: SiteId | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 50
    cursor: CursorText | None = None


class LineStateBody(Answer):
    line_id: str
    quantity: int
    shipped: int
    delivered: int
    cancelled: int
    returned: int


class LineAnswer(LineStateBody):
    sku: str
    name: str
    unit_price: str
    discount: str
    category: str | None


class ShipmentBody(Answer):
    shipment_id: str
    state: str
    carrier: str | None
    tracking_number: str | None
    tracking_url: str | None
    shipped_at: str | None
    estimated_on: str | None
    delivered_at: str | None
    lines: list[LineQuantityBody]


class HistoryBody(Answer):
    """One event, with what it said."""

    type: str
    occurred_at: str
    event_id: str
    amount: str | None = None
    reason: str | None = None
    shipment_id: str | None = None
    state: str | None = None
    estimated_on: str | None = None
    lines: list[LineQuantityBody] | None = None


class OrderStateBody(Answer):
    """An order as it stands; `needs_attention` names contradictions among its facts."""

    order_id: str
    site: str
    customer_id: str
    status: orders.Status
    version: int
    placed_at: str
    paid_at: str | None
    currency: str
    total: str
    shipping: str
    tax: str
    discount: str
    tax_included: bool
    coupon: str | None
    refunded: str
    net_revenue: str
    backfill: bool
    lines: list[LineStateBody]
    shipments: list[ShipmentBody]
    history: list[HistoryBody]
    needs_attention: list[str]

    @classmethod
    def of(cls, view: OrderView) -> Self:
        order, state = view.order, view.state

        def text(minor: int) -> str:
            return money.to_text(minor, order.currency)

        return cls(
            order_id=order.order_id,
            site=order.site,
            customer_id=order.customer_id,
            status=state.status,
            version=order.version,
            placed_at=instants.to_answer(order.placed_at),
            paid_at=_at(state.paid_at),
            currency=order.currency,
            total=text(state.terms.total_minor),
            shipping=text(state.terms.shipping_minor),
            tax=text(state.terms.tax_minor),
            discount=text(state.terms.discount_minor),
            tax_included=state.terms.tax_included,
            coupon=order.coupon,
            refunded=text(state.refunded_minor),
            net_revenue=text(state.net_revenue_minor),
            backfill=order.backfill,
            lines=cls._lines(view),
            shipments=[_shipment(shipment) for shipment in state.shipments],
            history=[_happened(fact, order.currency) for fact in state.history],
            needs_attention=list(state.needs_attention),
        )

    @classmethod
    def _lines(cls, view: OrderView) -> list[LineStateBody]:
        return [LineStateBody(line_id=line_id, **asdict(line)) for line_id, line in view.state.lines.items()]


class OrderBody(OrderStateBody):
    """An order with its lines whole."""

    lines: list[LineAnswer]  # type: ignore[assignment]  # an answer is only ever built, never assigned to

    @classmethod
    def _lines(cls, view: OrderView) -> list[LineStateBody]:
        return [
            LineAnswer(
                line_id=line.line_id,
                sku=line.sku,
                name=line.name,
                unit_price=money.to_text(line.unit_price_minor, view.order.currency),
                discount=money.to_text(line.discount_minor, view.order.currency),
                category=line.category,
                **asdict(view.state.lines[line.line_id]),
            )
            for line in view.lines
        ]


class OrdersPage(Answer):
    data: list[OrderStateBody]
    next_cursor: str | None


class BatchResultBody(ElementResultBody):
    order_id: str | None = None
    customer_id: str | None = None
    version: int | None = None


class BatchBody(Answer):
    results: list[BatchResultBody]
    created: int
    replayed: int
    rejected: int

    @classmethod
    def of(cls, results: Sequence[BatchResultBody]) -> Self:
        created = sum(result.status == 201 for result in results)  # noqa: PLR2004
        replayed = sum(result.status == 200 for result in results)  # noqa: PLR2004
        return cls(results=[*results], created=created, replayed=replayed, rejected=len(results) - created - replayed)


def _at(instant: datetime | None) -> str | None:
    return None if instant is None else instants.to_answer(instant)


def _quantities(lines: Mapping[str, int] | None) -> list[LineQuantityBody] | None:
    if lines is None:
        return None
    return [LineQuantityBody.model_construct(line_id=line_id, quantity=quantity) for line_id, quantity in lines.items()]


def _shipment(shipment: orders.Shipment) -> ShipmentBody:
    return ShipmentBody(
        shipment_id=shipment.shipment_id,
        state=shipment.state.value,
        carrier=shipment.carrier,
        tracking_number=shipment.tracking_number,
        tracking_url=shipment.tracking_url,
        shipped_at=_at(shipment.shipped_at),
        estimated_on=shipment.estimated_on.isoformat() if shipment.estimated_on else None,
        delivered_at=_at(shipment.delivered_at),
        lines=_quantities(shipment.lines) or [],
    )


def _happened(fact: orders.Fact, currency: str) -> HistoryBody:
    said = orders.details(fact)
    amount = said.get("amount_minor")
    return HistoryBody(
        type=orders.TYPES[type(fact)],
        occurred_at=instants.to_answer(fact.occurred_at),
        event_id=fact.event_id,
        amount=None if amount is None else money.to_text(amount, currency),
        reason=said.get("reason"),
        shipment_id=said.get("shipment_id"),
        state=said.get("state"),
        estimated_on=said.get("estimated_on"),
        lines=_quantities(said.get("lines")),
    )
