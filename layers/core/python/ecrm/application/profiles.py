"""Keeping profiles: what is said of a customer's identifiers and attributes, and reading it."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ecrm.domain.attributes import Attribute, Attributes, difference, merged, refuse_too_much, stated
from ecrm.domain.customers import Customer, Identifier
from ecrm.domain.errors import Invalid, RuleBroken
from ecrm.domain.events import Event
from ecrm.domain.instants import AHEAD, to_text

from .customers import find_customers
from .identity import ATTEMPTS, Authority, Person, root, standing_of, whose
from .mergers import merge, unmerge
from .ports import (
    AlreadyAnswered,
    AttributeBook,
    Clock,
    Contended,
    Customers,
    Ids,
    Outcome,
    Profiles,
    Request,
    Requests,
    Standing,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PutCustomer:
    """`attributes` are as `attributes.stated` gives them; `at` is the fact's time, ours where None; `cause` names the fact."""

    site: str
    identifiers: tuple[Identifier, ...]
    attributes: Mapping[str, Any]
    at: datetime | None
    cause: str
    source: str
    backfill: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateCustomer(PutCustomer):
    """The same of a customer who is known by id; `identifiers` are those that are to lead to them, too."""

    customer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyTraits:
    """What a call of behaviour says of its customer's attributes, as Segment names them; `is_claimed`: a write key says so."""

    customer_id: str
    site: str
    traits: Mapping[str, Any]
    at: datetime
    source: str
    is_claimed: bool
    backfill: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Joining:
    """That another customer is one with this one, or is so no more."""

    customer_id: str
    other_id: str
    site: str
    source: str


@dataclass(frozen=True, slots=True)
class Profile:
    customer: Customer
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Kept:
    """`not_taken` are the identifiers that stay with somebody else; `replayed`: an Idempotency-Key was recognised."""

    profile: Profile
    outcome: Outcome
    not_taken: tuple[Identifier, ...] = ()
    replayed: bool = False


def put_customer(command: PutCustomer, *, customers: Customers, profiles: Profiles, clock: Clock, ids: Ids) -> Kept:
    """Keep what is said of the customer whom the identifiers name, who is made where there is none.

    The same said again writes nothing where its time is given. Two who say different things at once are both heard. Raises
    Erased, RuleBroken. 4 write units for a known customer and 2 for each further KB of their attributes; 2.5 read units.
    """
    now = clock.now()
    told = _told(command, now)
    person = _person(command, told)

    def standing(consistent: bool) -> Standing:  # noqa: FBT001 (private)
        return whose(person, customers=customers, now=now, ids=ids, consistent=consistent)

    profile, outcome, _ = told.keep(standing, None, customers=customers, profiles=profiles, consistent=True)
    return Kept(profile, outcome, _not_taken(profile.customer, command, customers))


def update_customer(
    command: UpdateCustomer,
    request: Request | None,
    *,
    customers: Customers,
    profiles: Profiles,
    requests: Requests,
    clock: Clock,
    ids: Ids,
) -> Kept:
    """Keep what is said of a customer who is there.

    Raises NotFound, Erased, RuleBroken; Conflict where a user id cannot be theirs.
    """
    now = clock.now()
    told = _told(command, now)
    person = _person(command, told)

    def standing(consistent: bool) -> Standing:  # noqa: FBT001 (private)
        return standing_of(command.customer_id, person, customers=customers, now=now, ids=ids, consistent=consistent)

    try:
        profile, outcome, written = told.keep(standing, request, customers=customers, profiles=profiles)
    except AlreadyAnswered as answered:
        profile, outcome, replayed = (
            read_profile(command.customer_id, customers=customers, profiles=profiles),
            answered.outcome,
            True,
        )
    else:
        earlier = requests.recognise(request, outcome, now) if request and not written else None
        outcome, replayed = earlier or outcome, earlier is not None
    return Kept(profile, outcome, _not_taken(profile.customer, command, customers), replayed)


def apply_traits(command: ApplyTraits, *, customers: Customers, profiles: Profiles, clock: Clock) -> None:
    """Keep what behaviour says of a customer's attributes; what a write key says gives way to what is vouched for.

    Raises Invalid, RuleBroken, NotFound, Erased.
    """
    said = stated(command.traits)
    told = _Told(
        said=said,
        at=command.at,
        now=clock.now(),
        site=command.site,
        source=command.source,
        is_claimed=command.is_claimed,
        backfill=command.backfill,
    )

    def standing(_: bool) -> Standing:  # noqa: FBT001 (private)
        return Standing(command.customer_id)

    told.keep(standing, None, customers=customers, profiles=profiles)


def merge_customers(
    command: Joining, request: Request | None, *, customers: Customers, profiles: Profiles, requests: Requests, clock: Clock
) -> Kept:
    """Make two customers one; gives the one whom the other is part of then. Raises what `identity.merge` does."""
    return _joined(command, request, merge, customers=customers, profiles=profiles, requests=requests, clock=clock)


def unmerge_customers(
    command: Joining, request: Request | None, *, customers: Customers, profiles: Profiles, requests: Requests, clock: Clock
) -> Kept:
    """Take a customer out of another one; gives the one taken out. Raises what `identity.unmerge` does."""
    return _joined(command, request, unmerge, customers=customers, profiles=profiles, requests=requests, clock=clock)


def _joined(
    command: Joining,
    request: Request | None,
    join: Callable[..., tuple[Customer, Outcome]],
    *,
    customers: Customers,
    profiles: Profiles,
    requests: Requests,
    clock: Clock,
) -> Kept:
    told = {"site": command.site, "source": command.source}
    try:
        customer, outcome = join(command.customer_id, command.other_id, request, **told, customers=customers, clock=clock)
    except AlreadyAnswered as answered:
        answering = command.customer_id if join is merge else command.other_id
        return Kept(read_profile(answering, customers=customers, profiles=profiles), answered.outcome, replayed=True)
    earlier = requests.recognise(request, outcome, clock.now()) if request and outcome is Outcome.EXISTING else None
    return Kept(_profile(customer, profiles), earlier or outcome, replayed=earlier is not None)


def read_profile(customer_id: str, *, customers: Customers, profiles: Profiles) -> Profile:
    """Read a customer whole, by any of the ids that lead to them, strongly consistent. Raises NotFound, Erased."""
    return _profile(root(customer_id, customers=customers), profiles)


def find_profiles(identifiers: tuple[Identifier, ...], *, customers: Customers, profiles: Profiles) -> tuple[Profile, ...]:
    """Read every customer who holds one of the identifiers, the strongest identifier first."""
    return tuple(_profile(customer, profiles) for customer in find_customers(identifiers, customers=customers))


def _profile(customer: Customer, profiles: Profiles) -> Profile:
    return Profile(customer, merged(*(book.attributes for book in profiles.of(customer.partitions))))


def _told(command: PutCustomer, now: datetime) -> "_Told":
    at = command.at or now
    if at > now + AHEAD:
        raise Invalid.at("/occurred_at", "in_the_future", "more than 24 hours ahead of our clock")
    return _Told(
        said=command.attributes,
        at=at,
        now=now,
        site=command.site,
        source=command.source,
        is_claimed=False,
        backfill=command.backfill,
    )


def _person(command: PutCustomer, told: "_Told") -> Person:
    return Person(
        site=command.site,
        identifiers=command.identifiers,
        authority=Authority.VOUCHER,
        statement=True,
        at=told.at,
        cause=command.cause,
        source=command.source,
        backfill=command.backfill,
    )


def _not_taken(customer: Customer, command: PutCustomer, customers: Customers) -> tuple[Identifier, ...]:
    return tuple(i for i in customers.known_as(command.identifiers) if i not in customer.identifiers)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What is said of a customer's attributes, None where one is cleared."""

    said: Mapping[str, Any]
    at: datetime
    now: datetime
    site: str
    source: str
    is_claimed: bool
    backfill: bool

    def keep(
        self,
        standing_of: Callable[[bool], Standing],
        request: Request | None,
        *,
        customers: Customers,
        profiles: Profiles,
        consistent: bool = False,
    ) -> tuple[Profile, Outcome, bool]:
        """Write what changes, in one transaction; says whether anything was written. Raises AlreadyAnswered.

        `standing_of` says whose it is; it is asked again, then for what is consistent, where somebody else was faster. Attributes
        are written under the version that was read, so that may be an older one at first. That there is nothing to write, or
        no room, is believed of the latest alone: with `consistent` they are read at once, for what is often said again.
        """
        for attempt in range(ATTEMPTS):
            consistent = consistent or attempt > 0
            standing = standing_of(attempt > 0)
            seen = standing.claim.customer if standing.claim else standing.found
            customer = seen or root(standing.customer_id, customers=customers, consistent=consistent)
            is_new = standing.claim is not None and standing.claim.seen == 0
            books = (AttributeBook(),) if is_new else self._books(customer, profiles, consistent=consistent)
            try:
                change = change_of(books, self._facts(), is_claimed=self.is_claimed)
            except RuleBroken:
                if consistent:
                    raise
                continue
            outcome = Outcome.CREATED if is_new else Outcome.EXISTING
            if standing.claim is None and change.book is None:
                if not consistent:
                    continue
                return Profile(customer, change.after), outcome, False
            held = Standing(customer.customer_id, standing.claim, customer)
            events = (self._updated(customer.customer_id, change.seen),) if change.book and change.seen else ()
            try:
                profiles.write(held, change.book, events, request, now=self.now, outcome=outcome)
            except Contended:
                continue
            return Profile(customer, change.after), outcome, True
        raise Contended("many requests for this customer at once; try again")

    def _books(self, customer: Customer, profiles: Profiles, *, consistent: bool) -> tuple[AttributeBook, ...]:
        """Read attributes; an older state will do of the customer's own alone, which is written under its version."""
        return profiles.of(customer.partitions, consistent=consistent or bool(customer.absorbed))

    def _facts(self) -> Attributes:
        return {name: Attribute(value, self.at, self.source, self.is_claimed) for name, value in self.said.items()}

    def _updated(self, customer_id: str, seen: Mapping[str, Any]) -> Event:
        said = json.dumps([to_text(self.at), self.source, seen], sort_keys=True, default=str)
        return Event(
            id=f"customer.updated:{hashlib.sha256(said.encode()).hexdigest()[:32]}",
            type="customer.updated",
            occurred_at=self.at,
            received_at=self.now,
            site=self.site,
            customer_id=customer_id,
            source=self.source,
            data={"attributes": seen} | ({"claimed": True} if self.is_claimed else {}),
            backfill=self.backfill,
        )


@dataclass(frozen=True, slots=True)
class AttributeChange:
    """What facts change: `book` is the customer's own as it will be, None where nothing does.

    `before` and `after` are what all their books say together, `seen` is how the two differ.
    """

    book: AttributeBook | None
    before: Attributes
    after: Attributes
    seen: Mapping[str, Any]


def change_of(books: Sequence[AttributeBook], facts: Attributes, *, is_claimed: bool) -> AttributeChange:
    """Say what facts change on a customer's own book, the first, and what all who look at their books together see of it.

    Raises RuleBroken.
    """
    own = merged(books[0].attributes, facts)
    before = merged(*(book.attributes for book in books))
    after = merged(before, facts)
    if all(books[0].attributes.get(name) is attribute for name, attribute in own.items()):
        return AttributeChange(None, before, after, {})
    refuse_too_much(own, is_claimed=is_claimed)
    return AttributeChange(replace(books[0], attributes=own), before, after, difference(before, after))
