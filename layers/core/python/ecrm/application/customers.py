"""Reading customers: who they are, and what happened to them."""

from ecrm.domain.customers import Customer, Identifier
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


def read_timeline(
    customer_id: str, types: frozenset[str], *, after: str | None, limit: int, customers: Customers, timeline: Timeline
) -> Page[Event]:
    read_customer(customer_id, customers=customers)
    return timeline.events(customer_id, types, after=after, limit=limit)
