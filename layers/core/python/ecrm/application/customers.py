"""Finding the customer that an order belongs to, and reading customers."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from ecrm.domain.customers import Customer, Identifier, candidate, is_same_person
from ecrm.domain.errors import NotFound
from ecrm.domain.events import Event
from ecrm.domain.instants import to_text

from .ports import Claim, Customers, Ids, Page, Timeline

MOST_IDENTIFIERS = 50
"""Identifiers that one profile may hold; further ones stay with the order's event."""

LONGEST_POSITION = 400


class Identifying(Protocol):
    """What a command must say for its customer to be found."""

    @property
    def site(self) -> str: ...
    @property
    def order_id(self) -> str: ...
    @property
    def identifiers(self) -> tuple[Identifier, ...]: ...
    @property
    def source(self) -> str: ...
    @property
    def backfill(self) -> bool: ...


def customer_for(command: Identifying, *, consistent: bool, customers: Customers, now: datetime, ids: Ids) -> str | Claim:
    """Find the customer whom the identifiers name: an id, or the claim that must be written with the order.

    An identifier that another customer holds stays with that customer.
    """
    given = command.identifiers
    holders = customers.holders(given, consistent=consistent)
    free = tuple(i for i in given if i not in holders)
    suspects = dict(holders)
    while by := candidate(given, suspects):
        customer_id = suspects[by]
        if not free:
            return customer_id
        holder = customers.find(customer_id)
        if holder is not None and is_same_person(given, by, holder):
            return _gain(command, holder, free, now)
        suspects = {i: c for i, c in suspects.items() if c != customer_id}
    customer = Customer(ids.customer_id(now), free, now)
    return Claim(customer, free, is_new=True, event=_event(command, customer, "customer.created", free, now))


def _gain(command: Identifying, holder: Customer, free: tuple[Identifier, ...], now: datetime) -> str | Claim:
    gained = free[: MOST_IDENTIFIERS - len(holder.identifiers)]
    if not gained:
        return holder.customer_id
    customer = replace(holder, identifiers=(*holder.identifiers, *gained), version=holder.version + 1)
    return Claim(customer, gained, is_new=False, event=_event(command, customer, "customer.identified", gained, now))


def _event(command: Identifying, customer: Customer, what: str, gained: tuple[Identifier, ...], now: datetime) -> Event:
    return Event(
        id=f"{what}:{command.site}:{command.order_id}",
        type=what,
        occurred_at=now,
        received_at=now,
        site=command.site,
        customer_id=customer.customer_id,
        source=command.source,
        data={"identifiers": [{"kind": i.kind.value, "value": i.value} for i in gained]},
        backfill=command.backfill,
    )


def read_customer(customer_id: str, *, customers: Customers) -> Customer:
    customer = customers.find(customer_id)
    if customer is None:
        raise NotFound("no such customer", code="customer_not_found")
    return customer


def find_customers(identifiers: tuple[Identifier, ...], *, customers: Customers) -> tuple[str, ...]:
    """Name every customer who holds one of the identifiers, the strongest identifier first."""
    holders: Mapping[Identifier, str] = customers.holders(identifiers, consistent=True)
    return tuple(dict.fromkeys(holders[i] for i in identifiers if i in holders))


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
