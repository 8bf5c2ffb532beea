"""Who a customer is: identifiers, and which customer an order belongs to."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
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
class Customer:
    customer_id: str
    identifiers: tuple[Identifier, ...]
    created_at: datetime
    version: int = 1

    def user_ids_of(self, site: str) -> frozenset[str]:
        return frozenset(i.value for i in self.identifiers if i.kind is Kind.USER_ID and i.scope == site)

    def holds(self, kind: Kind) -> bool:
        return any(i.kind is kind for i in self.identifiers)

    @property
    def has_role_address(self) -> bool:
        return any(is_role_address(i.value) for i in self.identifiers if i.kind is Kind.EMAIL)


def is_role_address(email: str) -> bool:
    return email.partition("@")[0].casefold() in ROLE_LOCAL_PARTS


def identifiers_of(
    site: str, *, user_id: str | None, email: str | None, phone: str | None, anonymous_id: str | None
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
        raise Invalid.at("/customer", "no_identifier", "name the customer by user_id, email, phone or anonymous_id")
    return found


def candidate(given: tuple[Identifier, ...], holders: Mapping[Identifier, str]) -> Identifier | None:
    """Name the strongest given identifier that somebody holds and that may speak for the customer.

    A phone speaks only where neither a user id nor an address was given: families share phones.
    """
    weak = any(i.kind in (Kind.USER_ID, Kind.EMAIL) for i in given)
    return next((i for i in given if i in holders and not (weak and i.kind is Kind.PHONE)), None)


def is_same_person(given: tuple[Identifier, ...], by: Identifier, holder: Customer) -> bool:
    """Say whether the order belongs to `holder`, who was found by the identifier `by`.

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
