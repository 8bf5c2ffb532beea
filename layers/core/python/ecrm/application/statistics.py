"""Keeping one statistics row per customer, by recounting the facts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, Protocol

from ecrm.domain import behaviour as domain
from ecrm.domain.behaviour import TYPES, NamedCounts
from ecrm.domain.customers import Customer
from ecrm.domain.errors import Erased, NotFound
from ecrm.domain.instants import time_zone
from ecrm.domain.statistics import NOTHING, CustomerStatistics, ZoneOf, count, fitted
from ecrm.domain.traits import Trait, TraitList

from .identity import root
from .ports import Behaviour, Clock, Contended, Customers, Orders, Sites, Statistics

ATTEMPTS = 5
ZONES_KEPT = timedelta(seconds=60)
_CREATED, _JOINED = "customer.created", frozenset({"customer.merged", "customer.unmerged"})
"""The event after which a customer has a row; those after which a customer's facts are other ones than before."""
_SAID = frozenset({"customer.identified", "customer.imported", "customer.restored", "customer.updated", "consent.changed"})
"""Events after which a customer's traits may be others."""


@dataclass(frozen=True, slots=True)
class Happened:
    """An event as far as it says what is to be counted again."""

    event_type: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class Touched:
    """What new facts may have changed: the orders, the behaviour of some UTC days, the traits, or all there is."""

    orders: bool = False
    days: frozenset[date] = frozenset()
    traits: bool = False
    everything: bool = False


EVERYTHING = Touched(everything=True)


def concerns(event_type: str) -> bool:
    """Say whether an event can change a customer's statistics."""
    return event_type.startswith("order.") or event_type in TYPES or event_type in {_CREATED, *_JOINED, *_SAID}


def touched(events: Iterable[Happened]) -> Touched:
    events = tuple(events)
    return Touched(
        orders=any(event.event_type.startswith("order.") for event in events),
        days=frozenset(event.occurred_at.date() for event in events if event.event_type in TYPES),
        traits=any(event.event_type in _SAID for event in events),
        everything=any(event.event_type in _JOINED for event in events),
    )


class TimeZones:
    """The time zones of sites, each asked for at most once a minute; of a site that is not there, UTC.

    After a site's zone was changed, days counted before stay as they are until their customers are recounted.
    """

    def __init__(self, sites: Sites, clock: Clock) -> None:
        self._sites = sites
        self._clock = clock
        self._known: dict[str, tuple[datetime, tzinfo]] = {}

    def __call__(self, site: str) -> tzinfo:
        now = self._clock.now()
        until, zone = self._known.get(site, (now, UTC))
        if now >= until:
            found = self._sites.find(site)
            zone = time_zone(found.time_zone) if found else UTC
            self._known[site] = (now + ZONES_KEPT, zone)
        return zone


class TraitsOf(Protocol):
    """What rows copy of a customer."""

    def listed(self, at_least: int = 0) -> TraitList:
        """Give the list of what they copy, which may be a minute old, but has at least that version."""
        ...

    def __call__(self, customer_id: str, wanted: TraitList) -> Mapping[Trait, Any]:
        """Read the customer, strongly consistent, and give what has room."""
        ...


def recount(
    customer_id: str,
    what: Touched = EVERYTHING,
    *,
    customers: Customers,
    orders: Orders,
    behaviour: Behaviour,
    statistics: Statistics,
    zone_of: ZoneOf,
    traits_of: TraitsOf,
    dry_run: bool = False,
) -> bool:
    """Recount what was touched of the person whom an id leads to, and write their row where it differs; says whether it did.

    The row's version is read before the facts, so an older count never overwrites a newer one. A row that is not there yet, or
    that leaves out named events, is counted from all facts, and the orders of one that is outdated in any case. Traits are
    copied anew where they may be others, or the row's list is another than today's; who has heard of no list looks whether the
    row was made by somebody who has. An absorbed customer has no row, and one who was erased keeps what the erasure left.
    """
    listed = traits_of.listed()
    if what == Touched(traits=True) and not listed.version and _copies_nothing(customer_id, statistics):
        return False
    for _ in range(ATTEMPTS):
        try:
            customer = root(customer_id, customers=customers)
        except (Erased, NotFound):
            return False
        row, seen = statistics.find(customer.customer_id) or (NOTHING, 0)
        if row.is_erased:
            return False
        listed = traits_of.listed(row.traits_version)
        now = replace(what, traits=what.traits or row.traits_version != listed.version) if seen else EVERYTHING
        counted = _counted(customer, row, now, orders=orders, behaviour=behaviour, zone_of=zone_of)
        if now.traits or now.everything:
            copied = traits_of(customer.customer_id, listed)
            counted = replace(counted, traits=copied, traits_version=listed.version)
        counted = fitted(counted)
        differs = counted != row or not seen
        if dry_run:
            return differs
        try:
            if differs:
                statistics.write(customer.customer_id, counted, seen=seen)
        except Contended:
            continue
        if what.everything:
            statistics.remove(customer.absorbed)
        return differs
    raise Contended("the statistics row is written by many at once")


def _copies_nothing(customer_id: str, statistics: Statistics) -> bool:
    found = statistics.find(customer_id)
    return found is not None and not found[0].traits_version


def _counted(
    customer: Customer, row: CustomerStatistics, what: Touched, *, orders: Orders, behaviour: Behaviour, zone_of: ZoneOf
) -> CustomerStatistics:
    counted = row
    if what.orders or what.everything or row.is_outdated:
        every = (order for partition in customer.partitions for order in orders.of_customer(partition))
        counted = replace(count(every, zone_of), behaviour=row.behaviour, traits=row.traits, traits_version=row.traits_version)
    if what.everything or (row.behaviour.has_more and (what.days or what.traits)):
        acts = (act for partition in customer.partitions for act in behaviour.acts(partition))
        counted = replace(counted, behaviour=domain.recount(domain.NEVER_SEEN, acts))
    elif what.days:
        acts = (act for day in what.days for partition in customer.partitions for act in behaviour.acts(partition, day))
        counted = replace(counted, behaviour=domain.recount(row.behaviour, acts))
    return counted


def read_statistics(
    customer_id: str, name: str | None = None, *, customers: Customers, behaviour: Behaviour, statistics: Statistics
) -> tuple[str, CustomerStatistics]:
    """Read who an id leads to and what was last counted of them; one whose first event is still on its way has nothing yet.

    With the `name` of an event, its counts alone: from the facts, where the row had no room for them. Raises NotFound, Erased.
    """
    customer = root(customer_id, customers=customers)
    row = statistics.find(customer.customer_id)
    found = row[0] if row else NOTHING
    if name is None:
        return customer.customer_id, found
    known = found.behaviour.events.get(name)
    if known is None and found.behaviour.has_more:
        known = _from_the_facts(customer, name, behaviour)
    only = {} if known is None else {name: known}
    return customer.customer_id, replace(found, behaviour=replace(found.behaviour, events=only))


def _from_the_facts(customer: Customer, name: str, behaviour: Behaviour) -> NamedCounts | None:
    acts = (act for partition in customer.partitions for act in behaviour.acts(partition))
    return domain.recount(domain.NEVER_SEEN, acts).events.get(name)
