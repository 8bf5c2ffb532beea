"""A suppression: an address that nothing may be sent to, whoever holds it. It is stronger than consent and survives erasure."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from .consent import Channel, Proof


class Reason(StrEnum):
    HARD_BOUNCE = "hard_bounce"
    COMPLAINT = "complaint"
    UNSUBSCRIBE = "unsubscribe"
    MANUAL = "manual"
    ERASED = "erased"


class Address(NamedTuple):
    """Where somebody is reached on a channel: a mailbox, a telephone, a device's token, a place."""

    channel: Channel
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Why an address is suppressed: since when, and who said so."""

    since: datetime
    source: str
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lift:
    """That the person wants to be written to again, from `at` on."""

    at: datetime
    source: str
    proof: Proof | None


@dataclass(frozen=True, slots=True)
class Suppression:
    """The latest ground for each reason, and the latest lift: facts that may arrive in any order."""

    grounds: Mapping[Reason, Ground] = field(default_factory=dict)
    lifted: Lift | None = None

    @property
    def active(self) -> Mapping[Reason, Ground]:
        """The grounds that no later proof has lifted."""
        lifted = self.lifted
        return {reason: ground for reason, ground in self.grounds.items() if lifted is None or ground.since >= lifted.at}

    @property
    def is_active(self) -> bool:
        return bool(self.active)


def with_ground(suppression: Suppression, reason: Reason, ground: Ground) -> Suppression:
    known = suppression.grounds.get(reason)
    if known is not None and _order(known) >= _order(ground):
        return suppression
    return replace(suppression, grounds=dict(suppression.grounds) | {reason: ground})


def _order(ground: Ground) -> tuple[datetime, str, str]:
    return ground.since, ground.source, ground.note or ""


def with_lift(suppression: Suppression, lift: Lift) -> Suppression:
    known = suppression.lifted
    is_newer = known is None or (lift.at, lift.source) > (known.at, known.source)
    return replace(suppression, lifted=lift) if is_newer else suppression


def anonymous(suppression: Suppression) -> Suppression:
    """Keep what has to be known of an erased person's address, and nothing that somebody wrote about it."""
    grounds = {reason: replace(ground, note=None) for reason, ground in suppression.grounds.items()}
    return Suppression(grounds, replace(suppression.lifted, proof=None) if suppression.lifted else None)


def comparable(address: Address) -> str:
    """Give the spelling under which an address is compared: letter case, and in the post blanks too, tell no two apart.

    The local part of an e-mail address may mean another mailbox in capitals (RFC 5321); a suppression would rather hold for both.
    """
    match address.channel:
        case Channel.EMAIL:
            return address.address.casefold()
        case Channel.POST:
            return " ".join(unicodedata.normalize("NFKC", address.address).casefold().split())
        case Channel.SMS | Channel.PUSH:
            return address.address
