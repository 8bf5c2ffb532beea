"""Who a customer is: identifiers, and which customer an order belongs to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from .errors import Invalid


class Kind(StrEnum):
    """Kinds of identifier, strongest first."""

    USER_ID = "user_id"
    EMAIL = "email"
    ANONYMOUS_ID = "anonymous_id"
    PHONE = "phone"


ROLE_LOCAL_PARTS = frozenset(
    {
        *("abuse", "admin", "billing", "contact", "ftp", "help", "hostmaster", "info", "mail", "marketing", "news", "noc"),
        *("office", "postmaster", "root", "sales", "security", "shop", "support", "usenet", "uucp", "webmaster", "www"),
    }
)
"""Mailboxes that belong to a function, not to a person: RFC 2142 and the usual shop ones."""


@dataclass(frozen=True, slots=True)
class Identifier:
    """One normalised identifier; `scope` is the site for a `user_id` and an `anonymous_id`, else empty."""

    kind: Kind
    value: str
    scope: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """What the table says of an identifier: who holds it, whether only a claim says so, and when its last holder was erased."""

    customer_id: str | None
    is_claimed: bool = False
    erased_at: datetime | None = None


UNCONFIRMED_FOR = timedelta(days=30)
"""How long somebody is kept whom a sign-up alone has made, and nobody confirmed."""


@dataclass(frozen=True, slots=True)
class Customer:
    """One person as far as we know. `claimed` are those of `identifiers` that only a public key has named.

    Of several addresses or phones the last one is where the customer is reached; `stated` says of each kind when that was stated.
    A customer that was merged lives on in `merged_into`; one that was erased has nothing but `erased_at`. `absorbed` names
    every customer whose facts are this one's too, `identifiers` hold theirs. `unconfirmed_until`: a sign-up made them, and no
    voucher has named them since; from then on it is asked whether anything else is known of them.
    """

    customer_id: str
    identifiers: tuple[Identifier, ...]
    created_at: datetime
    version: int = 1
    claimed: frozenset[Identifier] = frozenset()
    is_vouched: bool = False
    stated: Mapping[Kind, datetime] = field(default_factory=dict)
    merged_into: str | None = None
    absorbed: tuple[str, ...] = ()
    erased_at: datetime | None = None
    unconfirmed_until: datetime | None = None

    @property
    def is_leaving(self) -> bool:
        """Whether the customer is about to be removed: merged into nobody but themselves, so that nobody writes to them."""
        return self.merged_into == self.customer_id

    @property
    def partitions(self) -> tuple[str, ...]:
        """Every customer id under which facts of this person stand."""
        return (self.customer_id, *self.absorbed)

    def user_ids_of(self, site: str) -> frozenset[str]:
        return frozenset(i.value for i in self.identifiers if i.kind is Kind.USER_ID and i.scope == site)

    def holds(self, kind: Kind) -> bool:
        return any(i.kind is kind for i in self.identifiers)

    @property
    def is_visitor(self) -> bool:
        """Whether nothing but browsers and devices is known of them."""
        return all(i.kind is Kind.ANONYMOUS_ID for i in self.identifiers)

    @property
    def has_role_address(self) -> bool:
        return any(is_role_address(i.value) for i in self.identifiers if i.kind is Kind.EMAIL)


REACHED_AT = (Kind.EMAIL, Kind.PHONE)


def with_identifiers(customer: Customer, named: Iterable[Identifier], stated_at: datetime | None) -> Customer:
    """Add identifiers. What is stated at `stated_at`, and not only mentioned, is where the customer is reached from then on.

    An address that an order mentions, or an older statement, never takes the place of one that is there.
    """
    identifiers, stated = list(customer.identifiers), dict(customer.stated)
    for identifier in named:
        last = next((i for i in reversed(identifiers) if i.kind is identifier.kind), None)
        known = stated.get(identifier.kind)
        leads = last is None or (stated_at is not None and (known is None or stated_at >= known))
        if identifier.kind in REACHED_AT and leads and stated_at is not None:
            stated[identifier.kind] = stated_at
        if identifier in identifiers:
            if not leads or identifier.kind not in REACHED_AT or identifier == last:
                continue
            identifiers.remove(identifier)
        if leads or last is None or identifier.kind not in REACHED_AT:
            identifiers.append(identifier)
        else:
            identifiers.insert(identifiers.index(last), identifier)
    return replace(customer, identifiers=tuple(identifiers), stated=stated)


def are_different_people(one: Customer, other: Customer) -> bool:
    """Say whether two user ids of one site tell two customers apart, for good."""
    sites = {i.scope for i in one.identifiers if i.kind is Kind.USER_ID}
    return any(other.user_ids_of(site) - one.user_ids_of(site) for site in sites)


def is_role_address(email: str) -> bool:
    return email.partition("@")[0].casefold() in ROLE_LOCAL_PARTS


def identifiers_of(
    site: str,
    *,
    user_id: str | None,
    email: str | None,
    phone: str | None,
    anonymous_id: str | None,
    pointer: str = "/customer",
) -> tuple[Identifier, ...]:
    """Give the identifiers present, strongest first. Raises Invalid where there is none."""
    given = (
        (Kind.USER_ID, user_id, site),
        (Kind.EMAIL, email, ""),
        (Kind.ANONYMOUS_ID, anonymous_id, site),
        (Kind.PHONE, phone, ""),
    )
    found = tuple(Identifier(kind, value, scope) for kind, value, scope in given if value is not None)
    if not found:
        raise Invalid.at(pointer, "no_identifier", "name the customer by user_id, email, phone or anonymous_id")
    return found


def speaks(identifier: Identifier, given: tuple[Identifier, ...]) -> bool:
    """Say whether an identifier may name the customer among those given.

    A phone speaks only where neither a user id nor an address was given: families share phones.
    """
    return identifier.kind is not Kind.PHONE or not any(i.kind in (Kind.USER_ID, Kind.EMAIL) for i in given)


def is_same_person(given: tuple[Identifier, ...], by: Identifier, holder: Customer) -> bool:
    """Say whether what names `given` belongs to `holder`, who was found by the identifier `by`.

    Not where the holder has another user id on the same site, nor where a shared device (`by` an anonymous id) was used under
    another address before: those are two people who share an address or a computer.
    """
    if by.kind is Kind.USER_ID:
        return True
    for other in given:
        if other.kind is Kind.USER_ID and holder.user_ids_of(other.scope) - {other.value}:
            return False
        if (
            other.kind is Kind.EMAIL
            and by.kind is Kind.ANONYMOUS_ID
            and holder.holds(Kind.EMAIL)
            and other not in holder.identifiers
        ):
            return False
    return True
