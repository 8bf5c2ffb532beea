"""A suppression: an address that nothing may be sent to, whoever holds it. It is stronger than consent and survives erasure."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from .consent import Channel, Proof


class Reason(StrEnum):
    HARD_BOUNCE = "hard_bounce"
    COMPLAINT = "complaint"
    UNSUBSCRIBE = "unsubscribe"
    MANUAL = "manual"
    ERASED = "erased"
    SOFT_BOUNCES = "soft_bounces"


MOST_SOFT_BOUNCES = 5
"""Of an address, without a delivery in between: then nothing more is sent to it for a while."""
SOFT_BOUNCES_WITHIN = timedelta(days=30)
SOFT_BOUNCES_HOLD = timedelta(days=30)
"""A mailbox that is full or away today may be emptied tomorrow: so it ends by itself."""


class Address(NamedTuple):
    """Where somebody is reached on a channel: a mailbox, a telephone, a device's token, a place."""

    channel: Channel
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Why an address is suppressed: since when, and who said so; `until` where it ends by itself."""

    since: datetime
    source: str
    note: str | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lift:
    """That the person wants to be written to again, from `at` on."""

    at: datetime
    source: str
    proof: Proof | None


@dataclass(frozen=True, slots=True)
class SoftBounces:
    """Times of the latest soft bounces of an address, at most MOST_SOFT_BOUNCES, and of the latest delivery since the first."""

    bounced_at: tuple[datetime, ...] = ()
    delivered_at: datetime | None = None

    def ground(self, lifted_at: datetime | None) -> Ground | None:
        """Give what they amount to: enough of them, near enough, with neither a delivery nor a proof since the first of them."""
        if len(self.bounced_at) < MOST_SOFT_BOUNCES:
            return None
        first, last = self.bounced_at[0], self.bounced_at[-1]
        is_lifted = lifted_at is not None and lifted_at > first
        if is_lifted or self.delivered_at is not None or last - first > SOFT_BOUNCES_WITHIN:
            return None
        return Ground(since=last, source="ses", until=last + SOFT_BOUNCES_HOLD)


@dataclass(frozen=True, slots=True)
class Suppression:
    """The latest ground for each reason, and the latest lift: facts that may arrive in any order. Soft bounces are counted."""

    grounds: Mapping[Reason, Ground] = field(default_factory=dict)
    lifted: Lift | None = None
    soft: SoftBounces = SoftBounces()

    def active(self, now: datetime) -> Mapping[Reason, Ground]:
        """Give the grounds that no later proof has lifted and that have not ended."""
        lifted = self.lifted
        found = {reason: ground for reason, ground in self.grounds.items() if lifted is None or ground.since >= lifted.at}
        soft = self.soft.ground(lifted.at if lifted else None)
        if soft is not None and soft.until is not None and now < soft.until:
            found[Reason.SOFT_BOUNCES] = soft
        return found

    def is_active(self, now: datetime) -> bool:
        return bool(self.active(now))


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


def with_soft_bounce(suppression: Suppression, at: datetime) -> Suppression:
    """Count a soft bounce. Where it is the first that counts now, a delivery since then may be known elsewhere: tell it again."""
    soft = suppression.soft
    latest = sorted({*soft.bounced_at, at})[-MOST_SOFT_BOUNCES:]
    delivered_at = soft.delivered_at if soft.delivered_at and soft.delivered_at > latest[0] else None
    return replace(suppression, soft=SoftBounces(tuple(latest), delivered_at))


def with_delivery(suppression: Suppression, at: datetime) -> Suppression:
    """Take that something was delivered: it ends what soft bounces began before it, and nothing else."""
    soft = suppression.soft
    known = [*soft.bounced_at[:1], *([soft.delivered_at] if soft.delivered_at else [])]
    return replace(suppression, soft=replace(soft, delivered_at=at)) if known and at > max(known) else suppression


def anonymous(suppression: Suppression) -> Suppression:
    """Keep what has to be known of an erased person's address, and nothing that somebody wrote about it."""
    grounds = {reason: replace(ground, note=None) for reason, ground in suppression.grounds.items()}
    lifted = replace(suppression.lifted, proof=None) if suppression.lifted else None
    return replace(suppression, grounds=grounds, lifted=lifted)


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
