"""Reading customers: who they are, and what happened to them."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

from ecrm.domain.customers import Customer, Identifier
from ecrm.domain.errors import Invalid
from ecrm.domain.events import Event
from ecrm.domain.instants import to_text

from .identity import follow, root
from .ports import Customers, Page, Timeline

LONGEST_POSITION = 400


def read_customer(customer_id: str, *, customers: Customers) -> Customer:
    """Read a customer by any of the ids that lead to them. Raises NotFound, Erased."""
    return root(customer_id, customers=customers)


def find_customers(identifiers: tuple[Identifier, ...], *, customers: Customers) -> tuple[Customer, ...]:
    """Read every customer who holds one of the identifiers, the strongest identifier first."""
    given = customers.known_as(identifiers)
    held = customers.held(given, consistent=True)
    ids = (held[i].customer_id for i in given if i in held)
    found = (follow(customer_id, customers) for customer_id in ids if customer_id is not None)
    alive = {customer.customer_id: customer for customer in found if customer and customer.erased_at is None}
    return tuple(alive.values())


def event_position(event: Event) -> str:
    """Where an event stands on its customer's timeline; as text, earlier is smaller."""
    return f"{to_text(event.occurred_at)}#{event.id}"


def is_event_position(text: str) -> bool:
    """Say whether a text is a position that a timeline could have given."""
    return len(text) < LONGEST_POSITION and text[:1].isdigit()


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineRange:
    """What is asked for of a timeline: of all types where there is none; between two UTC days, both included."""

    types: frozenset[str]
    first: date | None
    last: date | None


def read_timeline(
    customer_id: str,
    asked: TimelineRange,
    *,
    after: str | None,
    limit: int,
    customers: Customers,
    timeline: Timeline,
    now: datetime,
) -> Page[Event]:
    """Read what happened to a customer, newest first, whomever else they were known as; every event bears the id of the root.

    0.5 read units for each 4 KB, and one query for each customer absorbed. Raises NotFound, Erased, Invalid.
    """
    customer = read_customer(customer_id, customers=customers)
    if asked.first and asked.last and asked.last < asked.first:
        raise Invalid.at("?from", "range", "from is not later than to")
    ends = (after, _midnight(asked.last + timedelta(days=1)) if asked.last else None)
    page = timeline.events(
        customer.partitions,
        asked.types,
        now=now,
        since=_midnight(asked.first) if asked.first else None,
        before=min((end for end in ends if end), default=None),
        limit=limit,
    )
    return replace(page, items=tuple(replace(event, customer_id=customer.customer_id) for event in page.items))


def _midnight(day: date) -> str:
    """The position at which a UTC day begins."""
    return to_text(datetime.combine(day, time(), UTC))
