"""The facts of a customer, for the rules that a row cannot answer: each sort is read when a rule first asks for it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from ecrm.domain.consent import State, Subject
from ecrm.domain.customers import Customer
from ecrm.domain.facts import Occurrence, PlacedOrder, Scores, occurrences
from ecrm.domain.orders import Order, fold
from ecrm.domain.statistics import NOTHING, CustomerStatistics, ZoneOf, count
from ecrm.domain.traits import Trait, TraitKind, value_of

from .identity import root
from .ports import Behaviour, Consents, Customers, Orders, Profiles, Statistics
from .traits import attributes_of, consents_of

type Score = Callable[[CustomerStatistics], Scores]


class FactsOf:
    """Reads customers whole, strongly consistent."""

    def __init__(
        self,
        *,
        customers: Customers,
        statistics: Statistics,
        profiles: Profiles,
        consents: Consents,
        orders: Orders,
        behaviour: Behaviour,
        zone_of: ZoneOf,
    ) -> None:
        self._customers = customers
        self._statistics = statistics
        self.profiles = profiles
        self.consents = consents
        self.orders = orders
        self.behaviour = behaviour
        self._zone_of = zone_of

    def __call__(self, customer_id: str, score: Score) -> "ReadFacts | None":
        """Give the facts of a customer who has a row of their own; None of one who is no more, or is part of another."""
        customer = self._customers.find(customer_id)
        if customer is None or customer.erased_at is not None or customer.merged_into is not None:
            return None
        return self._of(customer, score)

    def live(self, customer_id: str, score: Score) -> "ReadFacts":
        """Give the facts of the person whom an id leads to. Raises NotFound, Erased."""
        return self._of(root(customer_id, customers=self._customers), score)

    def _of(self, customer: Customer, score: Score) -> "ReadFacts":
        found = self._statistics.find(customer.customer_id)
        facts = ReadFacts(customer, found[0] if found else NOTHING, self)
        if facts.statistics.is_outdated:
            counted = count(facts.kept_orders, self._zone_of)
            facts.statistics = replace(counted, behaviour=facts.statistics.behaviour)
        facts.scores = score(facts.statistics)
        return facts


class ReadFacts:
    """What is known of one customer."""

    scores: Scores

    def __init__(self, customer: Customer, statistics: CustomerStatistics, reads: FactsOf) -> None:
        self._customer = customer
        self._reads = reads
        self.statistics = statistics

    @property
    def customer_id(self) -> str:
        return self._customer.customer_id

    def trait(self, trait: Trait) -> Any:
        match trait.kind:
            case TraitKind.PROFILE:
                return value_of(trait, self._attributes, frozenset(), {})
            case TraitKind.CONSENT:
                return value_of(trait, {}, frozenset(), self._consents)
            case TraitKind.IDENTIFIER:
                return value_of(trait, {}, frozenset(identifier.kind for identifier in self._customer.identifiers), {})

    def occurrences(self, name: str) -> Sequence[Occurrence]:
        return self._occurrences.get(name, ())

    def placed_orders(self) -> Sequence[PlacedOrder]:
        return self._placed_orders

    @cached_property
    def kept_orders(self) -> tuple[Order, ...]:
        return tuple(order for partition in self._customer.partitions for order in self._reads.orders.of_customer(partition))

    @cached_property
    def _attributes(self) -> Mapping[str, Any]:
        return attributes_of(self._customer, self._reads.profiles)

    @cached_property
    def _consents(self) -> Mapping[Subject, State]:
        return consents_of(self._customer, self._reads.consents)

    @cached_property
    def _occurrences(self) -> Mapping[str, Sequence[Occurrence]]:
        """What two partitions hold happened once."""
        events = {
            (event.occurred_at, event.id): event
            for partition in self._customer.partitions
            for event in self._reads.behaviour.events(partition)
        }
        return occurrences(events.values())

    @cached_property
    def _placed_orders(self) -> tuple[PlacedOrder, ...]:
        lines_of = self._reads.orders.lines_of
        return tuple(PlacedOrder.of(order, lines_of(order, fold(order).amended_by)) for order in self.kept_orders)
