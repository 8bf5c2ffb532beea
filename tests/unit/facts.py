"""Orders and facts of the domain in a few words: two of line 1 at 8.00 and one of line 2 at 7.00, 27.90 EUR in all."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from ecrm.domain.consent import State, Subject
from ecrm.domain.customers import Kind
from ecrm.domain.facts import Occurrence, PlacedOrder, Scores
from ecrm.domain.orders import (
    TYPES,
    Amended,
    Cancelled,
    Delivered,
    Fact,
    Line,
    Order,
    Packed,
    Paid,
    Refunded,
    Returned,
    ShipmentState,
    ShipmentUpdated,
    Shipped,
    Terms,
    agree,
    details,
)
from ecrm.domain.statistics import CustomerStatistics, Purchases
from ecrm.domain.traits import Trait, value_of
from local.demo.cdnow import purchases
from tests.builders import NOON

BERLIN = ZoneInfo("Europe/Berlin")
LINES = {"1": (2, 800), "2": (1, 700)}
"""Quantity and unit price in cents by line."""


def in_berlin(_site: str) -> tzinfo:
    """Every site is there."""
    return BERLIN


def purchases_on(days: Iterable[date]) -> Purchases:
    """The purchase days of who bought on these, in any order and however often."""
    on = sorted(set(days))
    second, previous = (on[1], on[-2]) if len(on) > 1 else (None, None)
    return Purchases(days=len(on), first_on=on[0], second_on=second, previous_on=previous, last_on=on[-1])


def cdnow() -> dict[str, Purchases]:
    """The purchase days of each customer of the CDNOW sample."""
    days: dict[str, list[date]] = defaultdict(list)
    for purchase in purchases():
        days[purchase.customer].append(date.fromisoformat(purchase.date))
    return {customer: purchases_on(those) for customer, those in days.items()}


def hour(hours: int) -> datetime:
    return NOON + timedelta(hours=hours)


def a_line(line_id: str = "1", quantity: int = 1, unit_price_minor: int = 800, discount_minor: int = 0) -> Line:
    return Line(line_id, f"sku-{line_id}", f"Thing {line_id}", quantity, unit_price_minor, discount_minor)


def some_lines(lines: Mapping[str, tuple[int, int]] = LINES) -> tuple[Line, ...]:
    return tuple(a_line(line_id, quantity, price) for line_id, (quantity, price) in lines.items())


def some_terms(lines: Mapping[str, tuple[int, int]] = LINES, *, shipping: int = 490) -> Terms:
    total = sum(quantity * price for quantity, price in lines.values()) + shipping
    return agree(
        some_lines(lines),
        currency="EUR",
        shipping_minor=shipping,
        tax_minor=0,
        discount_minor=0,
        total_minor=total,
        tax_included=False,
    )


def an_agreement(*facts: Fact, **changes: Any) -> Order:
    order: dict[str, Any] = {
        "site": "de",
        "order_id": "A-1001",
        "customer_id": "c1",
        "currency": "EUR",
        "placed_at": NOON,
        "terms": some_terms(),
        "facts": facts,
    }
    return Order(**order | changes)


def _named(word: str, hours: int, event_id: str | None) -> dict[str, Any]:
    name = event_id or f"{word}-{hours}"
    return {"event_id": name, "occurred_at": hour(hours), "digest": f"digest of {name}"}


def paid(hours: int, event_id: str | None = None) -> Paid:
    return Paid(**_named("paid", hours, event_id))


def packed(hours: int, event_id: str | None = None) -> Packed:
    return Packed(**_named("packed", hours, event_id))


def shipped(
    hours: int, shipment_id: str = "p1", lines: Mapping[str, int] | None = None, event_id: str | None = None, **more: Any
) -> Shipped:
    return Shipped(**_named("shipped", hours, event_id), shipment_id=shipment_id, lines=lines, **more)


def told(hours: int, shipment_id: str = "p1", state: ShipmentState | None = None, **more: Any) -> ShipmentUpdated:
    return ShipmentUpdated(**_named("shipment_updated", hours, None), shipment_id=shipment_id, state=state, **more)


def delivered(
    hours: int, shipment_id: str | None = None, lines: Mapping[str, int] | None = None, event_id: str | None = None
) -> Delivered:
    return Delivered(**_named("delivered", hours, event_id), shipment_id=shipment_id, lines=lines)


def cancelled(hours: int, lines: Mapping[str, int] | None = None, event_id: str | None = None) -> Cancelled:
    return Cancelled(**_named("cancelled", hours, event_id), lines=lines)


def returned(hours: int, lines: Mapping[str, int] | None = None, event_id: str | None = None) -> Returned:
    return Returned(**_named("returned", hours, event_id), lines=lines)


def refunded(
    hours: int, amount: int | None = None, lines: Mapping[str, int] | None = None, event_id: str | None = None
) -> Refunded:
    return Refunded(**_named("refunded", hours, event_id), amount_minor=amount, lines=lines)


def amended(hours: int, lines: Mapping[str, tuple[int, int]], event_id: str | None = None) -> Amended:
    return Amended(**_named("amended", hours, event_id), terms=some_terms(lines))


def in_words(value: object) -> str | None:
    """Tell facts for a test's id: `shipped 1 p1 1x2, cancelled 2`; None for anything else."""
    if isinstance(value, Fact):
        return " ".join([TYPES[type(value)], f"{(value.occurred_at - NOON) // timedelta(hours=1)}", *_said(value)])
    if isinstance(value, tuple) and all(isinstance(fact, Fact) for fact in value):
        return ", ".join(in_words(fact) or "" for fact in value) or "nothing"
    return None


def _said(fact: Fact) -> Iterator[str]:
    if isinstance(fact, Amended):
        yield from (f"{line_id}x{line.quantity}" for line_id, line in fact.terms.lines.items())
    for name, value in details(fact).items():
        if isinstance(value, dict):
            yield from (f"{line_id}x{quantity}" for line_id, quantity in value.items())
        elif name != "event_id":
            yield str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class AllFacts:
    """Everything of one customer, at hand; `consents` hold what is effective, `attributes` what is known."""

    customer_id: str
    statistics: CustomerStatistics
    scores: Scores
    attributes: Mapping[str, Any]
    identifiers: frozenset[Kind]
    consents: Mapping[Subject, State]
    behaviour: Mapping[str, Sequence[Occurrence]]
    orders: Sequence[PlacedOrder]

    def trait(self, trait: Trait) -> Any:
        return value_of(trait, self.attributes, self.identifiers, self.consents)

    def occurrences(self, name: str) -> Sequence[Occurrence]:
        return self.behaviour.get(name, ())

    def placed_orders(self) -> Sequence[PlacedOrder]:
        return self.orders
