"""Whose a fact is: finding the customer that identifiers name, and making one of two customers that turn out to be one person.

A server or staff key *vouches* for what it says. A write key, which may be public in a browser, only *claims*: what it says
never changes a customer whom a voucher knows (docs/decisions/0016).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from ecrm.domain.customers import (
    UNCONFIRMED_FOR,
    Customer,
    Held,
    Identifier,
    Kind,
    are_different_people,
    is_same_person,
    speaks,
    with_identifiers,
)
from ecrm.domain.errors import Conflict, Erased, NotFound
from ecrm.domain.events import Event

from .ports import Claim, Contended, Customers, IdentityEntry, Ids, KnownCustomers, Standing

MOST_IDENTIFIERS = 50
"""Identifiers that one profile may hold; further ones stay with the fact that named them."""
MOST_ABSORBED = 50
ATTEMPTS = 12
LONGEST_CHAIN = MOST_ABSORBED + 1
TOLD_TOO_LATE = "this person was erased after what is told here happened"


class Authority(StrEnum):
    CLAIM = "claim"
    VOUCHER = "voucher"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What a fact says of the customer it is about.

    `at` is the fact's own time, `cause` its name, unique on its site. A `statement` says who somebody is, such as an upsert
    of a profile; an order only mentions it. Who `is_listed`, in a file of contacts, is not made one with anybody, is not said
    anew where all is known, and does not come back from an erasure by it: only by what they did themselves, at `acted_at`.
    Of whom `is_unconfirmed`, nobody knows yet whether they have said anything at all.
    """

    site: str
    identifiers: tuple[Identifier, ...]
    authority: Authority
    statement: bool
    at: datetime
    cause: str
    source: str
    backfill: bool = False
    is_listed: bool = False
    acted_at: datetime | None = None
    is_unconfirmed: bool = False

    def stays_erased(self, erased_at: datetime) -> bool:
        """Say whether the fact lets nobody begin anew who was erased then."""
        return self.is_listed and (self.acted_at is None or self.acted_at <= erased_at)


def whose(person: Person, *, customers: KnownCustomers, now: datetime, ids: Ids, consistent: bool = False) -> Standing:
    """Find the customer whom a fact is about, or what must be written with the fact to make them one.

    Half a read unit an identifier; a profile is read only where something may change. Where the fact's transaction is refused,
    ask again with `consistent`. Raises Erased where the fact is older than the erasure of whom it names.
    """
    given = customers.known_as(person.identifiers)
    held = customers.held(given, consistent=consistent)
    _refuse_erased(person, held)
    if not consistent and not person.statement and (known := _known(person, given, held)):
        return Standing(known)
    people = _People(customers, held)
    people.refuse_erased(person, given)
    found = _found_by_claim(given, held, people) if person.authority is Authority.CLAIM else _found(given, held, people)
    return _Changes(person, given, held, people, found, now).standing(ids)


def standing_of(
    customer_id: str, person: Person, *, customers: Customers, now: datetime, ids: Ids, consistent: bool = False
) -> Standing:
    """Say what must be written for a fact about a customer known by id, to whom its identifiers are to lead, too.

    Where the fact's transaction is refused, ask again with `consistent`. Raises NotFound, Erased; Conflict where the customer has
    another user id on the same site.
    """
    given = customers.known_as(person.identifiers)
    found = root(customer_id, customers=customers, consistent=consistent or bool(given))
    held = customers.held(given, consistent=True)
    _refuse_erased(person, held)
    if any(i.kind is Kind.USER_ID and found.user_ids_of(i.scope) - {i.value} for i in given):
        raise Conflict("the customer has another user id on the same site", code="different_people")
    people = _People(customers, held)
    people.refuse_erased(person, given)
    return _Changes(person, given, held, people, found, now).standing(ids)


def _refuse_erased(person: Person, held: Mapping[Identifier, Held]) -> None:
    if any(h.erased_at is not None and person.at <= h.erased_at for h in held.values()):
        raise Erased(TOLD_TOO_LATE)


def _known(person: Person, given: tuple[Identifier, ...], held: Mapping[Identifier, Held]) -> str | None:
    """Name the customer where nothing can change, without reading a profile.

    An identifier that is not claimed leads to a customer whom a voucher knows, and whom a claim does not change.
    """
    first = held.get(given[0])
    if first is None or first.customer_id is None:
        return None
    if person.authority is Authority.CLAIM and given[0].kind is Kind.USER_ID and not first.is_claimed:
        return first.customer_id
    claims = person.authority is Authority.CLAIM
    same = all(i in held and held[i].customer_id == first.customer_id and held[i].is_claimed <= claims for i in given)
    return first.customer_id if same else None


class _People:
    """The customers who hold the identifiers given, each read once and followed to whom they were merged into."""

    def __init__(self, customers: KnownCustomers, held: Mapping[Identifier, Held]) -> None:
        self._customers = customers
        self._held = held
        self._read: dict[str, Customer | None] = {}

    def holder(self, identifier: Identifier) -> Customer | None:
        holder = self._held.get(identifier)
        if holder is None or holder.customer_id is None:
            return None
        if holder.customer_id not in self._read:
            self._read[holder.customer_id] = follow(holder.customer_id, self._customers)
        found = self._read[holder.customer_id]
        return found if found is not None and found.erased_at is None else None

    def erased_at(self, identifier: Identifier) -> datetime | None:
        """Say when the last holder was erased; the identifier says so itself only after the erasure's job was there."""
        holder = self._held.get(identifier)
        if holder is None or self.holder(identifier) is not None:
            return holder.erased_at if holder else None
        found = self._read[holder.customer_id] if holder.customer_id else None
        return found.erased_at if found else holder.erased_at

    def refuse_erased(self, person: Person, given: Iterable[Identifier]) -> None:
        if any(self._is_too_late(person, i) for i in given):
            raise Erased(TOLD_TOO_LATE)

    def _is_too_late(self, person: Person, identifier: Identifier) -> bool:
        at = self.erased_at(identifier)
        return at is not None and (person.at <= at or (person.stays_erased(at) and self.holder(identifier) is None))


def _found(given: tuple[Identifier, ...], held: Mapping[Identifier, Held], people: _People) -> Customer | None:
    """Find by the strongest identifier that speaks for the customer.

    One that is only claimed comes after all others, and leads to no customer whom a voucher knows; a device claimed leads to
    nobody but a visitor.
    """
    for is_claimed in (False, True):
        for identifier in given:
            holder = people.holder(identifier) if speaks(identifier, given) else None
            if holder is None or held[identifier].is_claimed is not is_claimed:
                continue
            if is_claimed and (holder.is_vouched or (identifier.kind is Kind.ANONYMOUS_ID and not holder.is_visitor)):
                continue
            if is_same_person(given, identifier, holder):
                return holder
    return None


def _found_by_claim(given: tuple[Identifier, ...], held: Mapping[Identifier, Held], people: _People) -> Customer | None:
    """Find by user id; else by device, unless it is that of somebody whom the user id cannot be given."""
    user_id = next((i for i in given if i.kind is Kind.USER_ID), None)
    if user_id is not None and (holder := people.holder(user_id)):
        return holder
    device = next((i for i in given if i.kind is Kind.ANONYMOUS_ID and i in held), None)
    holder = people.holder(device) if device else None
    if holder is None or (user_id is not None and (holder.is_vouched or holder.user_ids_of(user_id.scope))):
        return None
    return holder


@dataclass(frozen=True, slots=True)
class _Changes:
    """What a fact changes on the customer found."""

    person: Person
    given: tuple[Identifier, ...]
    held: Mapping[Identifier, Held]
    people: _People
    found: Customer | None
    now: datetime

    @property
    def is_voucher(self) -> bool:
        return self.person.authority is Authority.VOUCHER

    def standing(self, ids: Ids) -> Standing:
        if self.found is None:
            return self._new(ids.customer_id(self.now))
        absorbed = self._absorbed(self.found)
        gained = self._gained(self.found, absorbed)
        led = self._led(self.found, absorbed)
        is_vouched = self.found.is_vouched or self.is_voucher
        grown = self._named(self.found, gained)
        is_met = self.is_voucher and not self.person.is_unconfirmed and self.found.unconfirmed_until is not None
        is_same = grown == self.found or (self.person.is_listed and grown.identifiers == self.found.identifiers)
        if not (absorbed or led or gained or is_met) and is_same and is_vouched == self.found.is_vouched:
            return Standing(self.found.customer_id, found=self.found)
        claimed = self.found.claimed if self.is_voucher else self.found.claimed | set(gained)
        customer = replace(grown, claimed=claimed, is_vouched=is_vouched, version=self.found.version + 1)
        events = (_identified(self.person, customer, "customer.identified", gained, self.now),) if gained else ()
        entries = tuple(self._entry(i, customer.customer_id) for i in dict.fromkeys((*gained, *led)))
        claim = Claim(customer, self.found.version, entries, events)
        for loser in absorbed:
            claim = join(claim, loser, self.person, self.now)
        customer = self._named(claim.customer, ())
        if self.is_voucher:
            customer = replace(customer, claimed=customer.claimed - set(self.given))
        return Standing(customer.customer_id, replace(claim, customer=customer))

    def _named(self, customer: Customer, gained: tuple[Identifier, ...]) -> Customer:
        """Add what is gained; a statement says anew where the customer is reached, too. Who is named by a voucher is known."""
        stated_at = self.person.at if self.is_voucher and self.person.statement else None
        own = tuple(i for i in self.given if i in customer.identifiers) if stated_at else ()
        named = with_identifiers(customer, (*own, *gained), stated_at)
        return replace(named, unconfirmed_until=None) if self.is_voucher and not self.person.is_unconfirmed else named

    def _new(self, customer_id: str) -> Standing:
        gained = tuple(i for i in self.given if self._is_free(i))[:MOST_IDENTIFIERS]
        claimed = frozenset() if self.is_voucher else frozenset(gained)
        until = self.now + UNCONFIRMED_FOR if self.person.is_unconfirmed else None
        nobody = Customer(customer_id, (), self.now, claimed=claimed, is_vouched=self.is_voucher, unconfirmed_until=until)
        customer = self._named(nobody, gained)
        event = _identified(self.person, customer, "customer.created", gained, self.now)
        return Standing(customer_id, Claim(customer, 0, tuple(self._entry(i, customer_id) for i in gained), (event,)))

    def _gained(self, found: Customer, absorbed: tuple[Customer, ...]) -> tuple[Identifier, ...]:
        """Choose the identifiers that the customer gains: nobody's, or, for a voucher, those that others only claimed."""
        if found.is_vouched and not self.is_voucher:
            return ()
        theirs = {i for customer in (found, *absorbed) for i in customer.identifiers}
        room = MOST_IDENTIFIERS - len(theirs)
        return tuple(i for i in self.given if self._is_free(i) and not self._is_held_by(i, found, *absorbed))[: max(0, room)]

    def _is_held_by(self, identifier: Identifier, *customers: Customer) -> bool:
        """Say whether an identifier leads to one of them; one that they list may lead to nobody, whose last holder was erased."""
        holder = self.people.holder(identifier)
        return holder is not None and holder.customer_id in {customer.customer_id for customer in customers}

    def _is_free(self, identifier: Identifier) -> bool:
        held = self.held.get(identifier)
        return held is None or self.people.holder(identifier) is None or (self.is_voucher and held.is_claimed)

    def _led(self, found: Customer, absorbed: tuple[Customer, ...]) -> tuple[Identifier, ...]:
        """Choose the customer's own identifiers that are to lead to them anew: through a merger until now, or by a mere claim."""
        own = [i for i in self.given if self._is_held_by(i, found, *absorbed)]
        return tuple(
            i for i in own if self.held[i].customer_id != found.customer_id or (self.is_voucher and self.held[i].is_claimed)
        )

    def _absorbed(self, found: Customer) -> tuple[Customer, ...]:
        named = ((i, self.people.holder(i)) for i in self.given)
        others = {other.customer_id: other for i, other in named if other is not None and self._is_absorbed(found, i, other)}
        others.pop(found.customer_id, None)
        room = MOST_IDENTIFIERS - len(found.identifiers)
        chosen: list[Customer] = []
        for other in others.values():
            room -= len(other.identifiers)
            fits = len(found.absorbed) + sum(len(c.partitions) for c in (*chosen, other)) <= MOST_ABSORBED
            if room >= 0 and fits and not any(are_different_people(known, other) for known in (found, *chosen)):
                chosen.append(other)
        return tuple(chosen)

    def _is_absorbed(self, found: Customer, by: Identifier, other: Customer) -> bool:
        are_told_apart = any(i.kind is Kind.USER_ID and other.user_ids_of(i.scope) - {i.value} for i in self.given)
        if self.person.is_listed or are_told_apart:
            return False
        if not self.is_voucher:
            return other.is_visitor and not other.is_vouched and not found.is_vouched
        if not speaks(by, self.given) or (self.held[by].is_claimed and other.is_vouched):
            return False
        if other.is_visitor:
            return True
        if not other.is_vouched:
            return all(i in self.given for i in other.identifiers if i.kind is not Kind.ANONYMOUS_ID)
        return self.person.statement and by.kind is Kind.EMAIL

    def _entry(self, identifier: Identifier, customer_id: str) -> IdentityEntry:
        seen = self.held.get(identifier)
        is_new = seen is None or self.people.holder(identifier) is None
        is_claimed = not self.is_voucher and (is_new or self.held[identifier].is_claimed)
        return IdentityEntry(identifier, Held(customer_id, is_claimed, self.people.erased_at(identifier)), seen)


def join(claim: Claim, loser: Customer, person: Person, now: datetime) -> Claim:
    """Add to a claim that its customer absorbs another one: by reference; no fact moves, nor where the customer is reached."""
    winner = claim.customer
    customer = replace(
        winner,
        identifiers=tuple(dict.fromkeys((*loser.identifiers, *winner.identifiers))),
        claimed=winner.claimed | loser.claimed,
        absorbed=(*winner.absorbed, *loser.partitions),
    )
    merged = replace(loser, merged_into=winner.customer_id, unconfirmed_until=None, version=loser.version + 1)
    event = merger_event("customer.merged", person, winner.customer_id, loser, now)
    return replace(claim, customer=customer, absorbed=(*claim.absorbed, merged), events=(*claim.events, event))


def follow(customer_id: str, customers: KnownCustomers) -> Customer | None:
    """Read a customer, or the one that it was merged into at last; None where there is none."""
    customer = customers.find(customer_id)
    for _ in range(LONGEST_CHAIN):
        if customer is None or customer.merged_into is None:
            return customer
        if customer.is_leaving:
            break
        customer = customers.find(customer.merged_into)
    raise Contended("this customer is being merged or removed; try again")


def root(customer_id: str, *, customers: KnownCustomers, consistent: bool = True) -> Customer:
    """Read a customer whole, by any of the ids that lead to them. Raises NotFound, Erased.

    For half the units an older state may do, of one who is there under this very id: for what is then written under the
    condition that the customer is still at that version.
    """
    customer = None if consistent else customers.find(customer_id, consistent=False)
    if customer is None or customer.merged_into is not None:
        customer = follow(customer_id, customers)
    if customer is None:
        raise NotFound("no such customer", code="customer_not_found")
    if customer.erased_at is not None:
        raise Erased("this customer was erased")
    return customer


def _identified(person: Person, customer: Customer, what: str, gained: Iterable[Identifier], now: datetime) -> Event:
    named = [{"kind": i.kind.value, "value": i.value} for i in gained]
    data = {"identifiers": named} | ({} if person.authority is Authority.VOUCHER else {"claimed": True})
    event = _event(what, person, customer.customer_id, f"{what}:{person.site}:{person.cause}", now)
    return replace(event, data=data)


def merger_event(what: str, person: Person, winner_id: str, loser: Customer, now: datetime) -> Event:
    """Tell on the winner's timeline that the loser became part of them, or that they are two again."""
    event = _event(what, person, winner_id, f"{what}:{loser.customer_id}:{loser.version}", now)
    return replace(event, data={"merged": loser.customer_id, "into": winner_id})


def _event(what: str, person: Person, customer_id: str, event_id: str, now: datetime) -> Event:
    return Event(
        id=event_id,
        type=what,
        occurred_at=now,
        received_at=now,
        site=person.site,
        customer_id=customer_id,
        source=person.source,
        backfill=person.backfill,
    )
