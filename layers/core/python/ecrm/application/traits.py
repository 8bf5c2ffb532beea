"""Copying what segments ask for of a customer into the row of statistics."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

from ecrm.domain.attributes import merged, vouched
from ecrm.domain.consent import State, Subject, effective
from ecrm.domain.customers import Customer
from ecrm.domain.traits import Trait, TraitKind, TraitList, fitted, value_of

from .consent import reached
from .ports import Clock, Consents, Customers, Profiles

KEPT = timedelta(seconds=60)


class Traits(Protocol):
    def listed(self) -> TraitList:
        """Give the list of what rows copy, strongly consistent."""
        ...


def attributes_of(customer: Customer, profiles: Profiles) -> Mapping[str, Any]:
    """Give what is vouched for of a customer, by name: what was only claimed answers no rule."""
    return vouched(merged(*(book.attributes for book in profiles.of(customer.partitions))))


def consents_of(customer: Customer, consents: Consents) -> Mapping[Subject, State]:
    """Say what holds for the addresses at which a customer is reached now, whether those are suppressed or not."""
    addresses = reached(customer)
    return {
        subject: effective(
            subject,
            consent,
            consents.digest(subject.channel, addresses[subject.channel]) if subject.channel in addresses else None,
        )
        for subject, consent in consents.of(customer.customer_id).consents.items()
    }


class CopiedTraits:
    """Reads what a row copies; the list of it is asked for at most once a minute, unless a row tells of a newer one.

    A row that was written after an older list lacks what is new, and that is then not known of it: always right, only slower.
    """

    def __init__(self, *, traits: Traits, customers: Customers, profiles: Profiles, consents: Consents, clock: Clock) -> None:
        self._traits = traits
        self._customers = customers
        self._profiles = profiles
        self._consents = consents
        self._clock = clock
        self._known: tuple[datetime, TraitList] | None = None

    def listed(self, at_least: int = 0) -> TraitList:
        now = self._clock.now()
        if self._known is None or now >= self._known[0] or self._known[1].version < at_least:
            self._known = (now + KEPT, self._traits.listed())
        return self._known[1]

    def __call__(self, customer_id: str, wanted: TraitList) -> Mapping[Trait, Any]:
        """The profile is read anew: what was read before the row may be older than what the row was made of."""
        customer = self._customers.find(customer_id) if wanted.traits else None
        if customer is None:
            return {}
        kinds = {trait.kind for trait in wanted.traits}
        attributes = attributes_of(customer, self._profiles) if TraitKind.PROFILE in kinds else {}
        holds = consents_of(customer, self._consents) if TraitKind.CONSENT in kinds else {}
        identifiers = frozenset(identifier.kind for identifier in customer.identifiers)
        return fitted({trait: value_of(trait, attributes, identifiers, holds) for trait in wanted.traits})


def listed_from(named: Iterable[Iterable[Trait]], most: int) -> tuple[Trait, ...]:
    """Choose what rows copy from what each segment names: that of the most segments, and of as many the first by name."""
    counts: dict[Trait, int] = {}
    for traits in named:
        for trait in traits:
            counts[trait] = counts.get(trait, 0) + 1
    return tuple(sorted(sorted(counts, key=lambda trait: (-counts[trait], trait))[:most]))
