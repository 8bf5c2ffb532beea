"""What the use cases need of the world, named by role; adapters and their doubles implement these."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from ecrm.domain.errors import Unavailable

if TYPE_CHECKING:  # each function loads the shapes of what it does, not of all that the ports speak of
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import date, datetime
    from typing import Any

    from ecrm.domain.api_keys import ApiKey
    from ecrm.domain.attributes import Attribute
    from ecrm.domain.behaviour import Act
    from ecrm.domain.consent import Channel, Consent, Subject
    from ecrm.domain.customers import Customer, Held, Identifier
    from ecrm.domain.events import Event
    from ecrm.domain.jobs import ExportFile, FileFormat, Job
    from ecrm.domain.links import Keyring
    from ecrm.domain.orders import Amended, Fact, Line, Order
    from ecrm.domain.preferences import Preferences
    from ecrm.domain.products import Product
    from ecrm.domain.sites import Site
    from ecrm.domain.statistics import CustomerStatistics
    from ecrm.domain.suppressions import Address, Suppression
    from ecrm.domain.topics import Topic


class Contended(Unavailable):
    """Somebody else wrote first; look again and decide anew."""

    code = "contended"


class Outcome(StrEnum):
    CREATED = "created"
    EXISTING = "existing"


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request with an Idempotency-Key: `key` hashes who, where and the key; `digest` the body's bytes."""

    key: str
    digest: str
    expires_at: datetime


class AlreadyAnswered(Exception):
    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class IdentityEntry:
    """An identifier that is to lead to a customer; `seen` is what stood there, None where nothing did."""

    identifier: Identifier
    holder: Held
    seen: Held | None


@dataclass(frozen=True, slots=True)
class Claim:
    """What a write changes on its customer, all as it will be; `seen` is the version that was looked at, 0 for a new one."""

    customer: Customer
    seen: int
    entries: tuple[IdentityEntry, ...]
    events: tuple[Event, ...]
    absorbed: tuple[Customer, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """Whose a fact is. Without a claim the customer stays as it is, and only has to be there when the fact is written.

    What stands in `found` was read for the fact: written with it is then only what is still true of that version.
    """

    customer_id: str
    claim: Claim | None = None
    found: Customer | None = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something that is stored and makes no sense: its ids by their names, and what reading it raised."""

    ids: Mapping[str, str]
    error: Exception


def sifted[T, R](
    stored: Iterable[T], read: Callable[[T], R], ids: Callable[[T], Mapping[str, str]], unreadable: list[Unreadable]
) -> Iterator[R]:
    """Read what is stored, one by one; what is corrupt, however it is, joins `unreadable`, for it must not hide the others."""
    for one in stored:
        try:
            found = read(one)
        except Exception as error:  # noqa: BLE001 (whatever a corrupt one raises)
            unreadable.append(Unreadable(ids(one), error))
        else:
            yield found


@dataclass(frozen=True, slots=True)
class Page[T]:
    """`last` is the position after the last of `items`, None where there are no more; `unreadable` had to be left out."""

    items: tuple[T, ...]
    last: str | None
    unreadable: tuple[Unreadable, ...] = ()


@dataclass(frozen=True, slots=True)
class AttributeBook:
    """The attributes that stand under one customer's id, at a version; 0 where there never were any."""

    version: int = 0
    attributes: Mapping[str, Attribute] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ConsentBook:
    """All consents of a customer, as they stand at a version; 0 where there never were any."""

    version: int
    consents: Mapping[Subject, Consent]


@dataclass(frozen=True, slots=True)
class PreferenceBook:
    """What counts of a customer's preferences, and the version of what stands under their own id; 0 where nothing ever did."""

    version: int
    preferences: Preferences


class Clock(Protocol):
    def now(self) -> datetime: ...


class Ids(Protocol):
    def customer_id(self, now: datetime) -> str:
        """Make an id that is random, sorts by time and says nothing of the person."""
        ...

    def key_secret(self) -> str: ...


class Orders(Protocol):
    def find(self, site: str, order_id: str, *, consistent: bool = False) -> Order | None:
        """Give an order; raises Erased. Read strongly consistent, as soon as its customer's erasure is answered."""
        ...

    def lines_of(self, order: Order, amended_by: Amended | None) -> tuple[Line, ...]: ...

    def place(self, order: Order, event: Event, digest: str, standing: Standing, request: Request | None) -> str | None:
        """Write the order, its event and its customer in one transaction.

        Gives None, or the digest of the order that already has this id. Raises Contended, AlreadyAnswered.
        """
        ...

    def append(self, order: Order, fact: Fact, event: Event, request: Request | None) -> Order | None:
        """Add a fact in one transaction, if the order is still as it was seen.

        Gives None, or the order as somebody else left it. Raises Contended, AlreadyAnswered.
        """
        ...

    def of_customer(self, customer_id: str) -> tuple[Order, ...]:
        """Give every order of a customer, strongly consistent; fails where one cannot be read."""
        ...

    def placed_by(self, customer_id: str) -> Page[Order]:
        """Give every order of a customer that can be read, strongly consistent."""
        ...

    def placed_on(self, site: str, day: date, *, after: str | None, limit: int) -> Page[Order]:
        """Give a site's orders placed on a UTC day that can be read, newest first, without those of the erased."""
        ...


class Requests(Protocol):
    def find(self, request: Request, now: datetime) -> Outcome | None:
        """Say how a request was answered before; None where it is new. Raises Invalid where its key came with another body."""
        ...

    def recognise(self, request: Request, outcome: Outcome, now: datetime) -> Outcome | None:
        """Remember how a new request is answered; else say how it was before. Raises Invalid as `find` does."""
        ...


class KnownCustomers(Protocol):
    def known_as(self, identifiers: Iterable[Identifier]) -> tuple[Identifier, ...]:
        """Give identifiers the scope in which this company keeps them."""
        ...

    def held(self, identifiers: Iterable[Identifier], *, consistent: bool = False) -> Mapping[Identifier, Held]:
        """Say of each identifier that the table knows who holds it."""
        ...

    def find(self, customer_id: str, *, consistent: bool = True) -> Customer | None:
        """Read a profile as it is, merged or erased."""
        ...


class Customers(KnownCustomers, Protocol):
    def find_many(self, customer_ids: Iterable[str]) -> Mapping[str, Customer]:
        """Read those profiles that there are, strongly consistent."""
        ...

    def write(self, claim: Claim, request: Request | None, now: datetime) -> None:
        """Write what a claim changes, in one transaction. Raises Contended, AlreadyAnswered."""
        ...


class Profiles(Protocol):
    def of(self, customer_ids: Sequence[str], *, consistent: bool = True) -> tuple[AttributeBook, ...]:
        """Give the book under each of some ids."""
        ...

    def write(
        self,
        standing: Standing,
        book: AttributeBook | None,
        events: Sequence[Event],
        request: Request | None,
        *,
        now: datetime,
        outcome: Outcome,
    ) -> None:
        """Write what changes on a customer and, where one is given, their book, if it is still at its version; one transaction.

        Raises Contended, AlreadyAnswered.
        """
        ...


class Timeline(Protocol):
    def events(
        self,
        partitions: Sequence[str],
        types: frozenset[str],
        *,
        now: datetime,
        since: str | None,
        before: str | None,
        limit: int,
        consistent: bool = False,
    ) -> Page[Event]:
        """Give what happened to a customer, newest first, of all types where `types` is empty, without what has expired.

        From the position `since` up to, but without, the position `before`. What two partitions hold is given once.
        """
        ...

    def said(self, customer_id: str, occurred_at: datetime, event_id: str) -> Mapping[str, Any]:
        """Give what one event said, nothing where it is not there; half a read unit for each 4 KB."""
        ...


class Behaviour(Protocol):
    def record(self, standing: Standing, events: Sequence[Event], *, consistent: bool = False) -> None:
        """Write what a claim changes, and those events that are not there yet, under this customer's id or an absorbed one's.

        Raises Contended where the customer is not as they were seen; some events may then be written, and it is to be asked
        again with `consistent`.
        """
        ...

    def acts(self, customer_id: str, day: date | None = None) -> Iterable[Act]:
        """Give what is kept under one customer's id, of a UTC day or ever, as far as it is counted; strongly consistent."""
        ...

    def events(self, customer_id: str, day: date | None = None) -> Iterable[Event]:
        """Give everything that is kept under one customer's id, of a UTC day or ever, strongly consistent."""
        ...


class Statistics(Protocol):
    def find(self, customer_id: str) -> tuple[CustomerStatistics, int] | None:
        """Give the row and its version."""
        ...

    def write(self, customer_id: str, statistics: CustomerStatistics, *, seen: int) -> None:
        """Write version `seen` + 1 if the row is still at `seen` (0: absent). Raises Contended."""
        ...

    def keep(self, customer_id: str, statistics: CustomerStatistics, *, seen: int) -> None:
        """Leave of an erased customer's row what sums are made of, if it is still at `seen` (0: absent). Raises Contended."""
        ...

    def remove(self, customer_ids: Iterable[str]) -> None:
        """Remove the rows of customers who were absorbed, those that there are."""
        ...


class Keys(Protocol):
    def find(self, secret: str) -> ApiKey | None: ...

    def add(self, secret: str, key: ApiKey) -> None: ...

    def revoke(self, key_id: str, at: datetime) -> ApiKey | None: ...


class Definitions[T](Protocol):
    """Few things, each known by its name, that are replaced whole and never deleted."""

    def find(self, name: str, /) -> T | None: ...

    def all(self) -> tuple[T, ...]: ...

    def write(self, definition: T, /, *, seen: int) -> T | None:
        """Write if the stored version is still `seen` (0: absent); else give the stored one."""
        ...


type Sites = Definitions[Site]


class Consents(Protocol):
    def digest(self, channel: Channel, address: str) -> str:
        """Stand for an address without saying which it is."""
        ...

    def of(self, customer_id: str) -> ConsentBook:
        """Read all consents of a customer, strongly consistent."""
        ...

    def of_many(self, subjects: Mapping[str, Iterable[Subject]]) -> Mapping[str, ConsentBook]:
        """Read some consents of each of some customers, strongly consistent."""
        ...

    def write(
        self,
        customer_id: str,
        changed: Mapping[Subject, Consent],
        events: Iterable[Event],
        request: Request | None,
        *,
        seen: int,
    ) -> frozenset[str]:
        """Write consents and what happened to them in one transaction, if they are at the version `seen` (0: none yet).

        Gives the ids of those events that were there before: if there are any, nothing is written. Raises Contended and
        AlreadyAnswered.
        """
        ...


class Suppressions(Protocol):
    def find(self, address: Address) -> tuple[Suppression, int]:
        """Give what is known of an address and its version, 0 where that is nothing; strongly consistent."""
        ...

    def of(self, addresses: Iterable[Address]) -> Mapping[Address, Suppression]:
        """Give what is known of some addresses, strongly consistent."""
        ...

    def write(self, address: Address, suppression: Suppression, request: Request | None, now: datetime, *, seen: int) -> None:
        """Write if the stored version is still `seen` (0: absent). Raises Contended, AlreadyAnswered."""
        ...


class NamedTopics(Protocol):
    def named(self, names: Iterable[str]) -> Mapping[str, Topic]:
        """Give those of some topics that exist, by name."""
        ...


class Topics(NamedTopics, Definitions["Topic"], Protocol):
    pass


class Contacts(Protocol):
    def digest(self, partitions: Sequence[str], site: str, contact_id: str) -> str | None:
        """Give the digest of the contact that has this id under one of a customer's ids; may miss one just recorded."""
        ...

    def record(self, event: Event, contact_id: str, digest: str, request: Request | None) -> str | None:
        """Write a contact in one transaction, if its customer is there, neither merged nor erased.

        Gives None, or the digest of the contact that already has this id. Raises Contended, AlreadyAnswered.
        """
        ...


class Products(Protocol):
    def find(self, sku: str) -> Product | None:
        """Give a product, strongly consistent."""
        ...

    def write(self, product: Product, *, seen: int) -> Product | None:
        """Write if the stored version is still `seen` (0: absent); else give the stored one. Raises RuleBroken."""
        ...

    def by_sku(self, *, after: str | None, limit: int) -> Page[Product]:
        """Give the products beyond the sku `after`, in the order of code points."""
        ...

    def named(self, sku: str) -> Page[Product]:
        """Give the product of that sku, strongly consistent, as a list does; the page is empty where there is none."""
        ...


class LinkKeys(Protocol):
    def ring(self, *, fresh: bool = False) -> Keyring:
        """Give the keys of links; `fresh` asks for those of the last minute."""
        ...


class FailureQueue(Protocol):
    def park(self, failures: Iterable[Mapping[str, str]]) -> None:
        """Hand over every failure, or raise Unavailable."""
        ...


class JobIds(Protocol):
    def job_id(self, now: datetime) -> str:
        """Make an id that is random and sorts by time."""
        ...


class Jobs(Protocol):
    def add(self, job: Job, request: Request | None, *, erased: Customer | None = None) -> None:
        """Write a new job and its event in one transaction, and with it that a customer is erased.

        Raises AlreadyAnswered; Contended where the customer is no longer as it was read.
        """
        ...

    def answered(self, request: Request | None, now: datetime) -> Job | None:
        """Give the job that a request has asked for before. Raises Invalid where its key came with another body."""
        ...

    def addressed(self, customer: Customer) -> tuple[str, ...]:
        """Name the items that belong to a customer's identifiers, by keys that say nothing of them."""
        ...

    def find(self, job_id: str) -> Job | None:
        """Give a job, strongly consistent."""
        ...

    def write(self, job: Job) -> bool:
        """Write if the stored version is the one before; says whether it was."""
        ...

    def newest(self, *, after: str | None, limit: int) -> Page[Job]: ...


class JobQueue(Protocol):
    def send(self, job_id: str) -> None:
        """Ask for a job to be worked on. Raises Unavailable."""
        ...


class Erasure(Protocol):
    def count(self, partitions: tuple[str, ...], addressed: tuple[str, ...]) -> Mapping[str, int]: ...

    def items(self, partitions: tuple[str, ...]) -> Iterable[Mapping[str, Any]]:
        """Give whatever is stored of a person beside the tombstones of their profiles."""
        ...

    def forget_attributes(self, partitions: tuple[str, ...]) -> None:
        """Let no change of attributes come in any more: it is held to them alone, not to the profile."""
        ...

    def delete(self, items: Iterable[Mapping[str, Any]], at: datetime) -> None: ...

    def close(self, addressed: tuple[str, ...], partitions: tuple[str, ...], *, at: datetime, source: str) -> None:
        """Let no identifier lead to the person, suppress their addresses, and take them out of every segment."""
        ...


class CustomerWalk(Protocol):
    def customers(self, after: str | None) -> Iterable[tuple[str, str]]:
        """Give customers, each with a position after which it can go on: position, customer id."""
        ...


class Exports(CustomerWalk, Protocol):
    """What an export walks over: every customer who has a row of statistics, or everything of one."""

    def everything(
        self, partitions: tuple[str, ...], addressed: tuple[str, ...], after: str | None
    ) -> Iterable[tuple[str, Mapping[str, Any]]]:
        """Give everything that is stored of a person: position, and what is stored."""
        ...


LINK_SECONDS = 900
"""How long a link to an export's file is good."""


class ExportFiles(Protocol):
    def write(self, name: str, file_format: FileFormat, rows: Iterable[Mapping[str, Any]]) -> ExportFile:
        """Write a file whole; its name gets the format's ending. Raises Unavailable."""
        ...

    def remove(self, customer_id: str) -> int:
        """Delete every file of a person's own exports; says how many there were. Raises Unavailable."""
        ...

    def link(self, name: str) -> str:
        """Make a link to a file, good for LINK_SECONDS."""
        ...
