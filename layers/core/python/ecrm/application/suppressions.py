"""Suppressing addresses, asking whether one is suppressed, and lifting it where the person proves that they want it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from ecrm.domain.consent import Proof
from ecrm.domain.errors import Conflict, Invalid
from ecrm.domain.instants import AHEAD
from ecrm.domain.suppressions import Address, Ground, Lift, Reason, Suppression, with_ground, with_lift

from .ports import AlreadyAnswered, Clock, Contended, Outcome, Request, Requests, Suppressions

ATTEMPTS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressAddress:
    """Without `at` it is from now on."""

    address: Address
    reason: Reason
    at: datetime | None
    note: str | None
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LiftSuppression:
    address: Address
    proof: Proof
    source: str


@dataclass(frozen=True, slots=True)
class Suppressed:
    """`replayed` says that an Idempotency-Key was recognised."""

    address: Address
    suppression: Suppression
    outcome: Outcome
    replayed: bool = False


def suppress_address(
    command: SuppressAddress, request: Request | None, *, suppressions: Suppressions, requests: Requests, clock: Clock
) -> Suppressed:
    """Let nothing be sent to an address, whoever holds it; in force before the answer. Raises Invalid where `at` lies ahead."""
    now = clock.now()
    at = command.at or now
    if at > now + AHEAD:
        raise Invalid.at("/at", "in_the_future", "this lies in the future")
    ground = Ground(since=min(at, now), source=command.source, note=command.note)

    def suppressed(seen: Suppression) -> Suppression:
        return with_ground(seen, command.reason, ground)

    return _changed(command.address, suppressed, request, now, suppressions=suppressions, requests=requests)


def lift_suppression(
    command: LiftSuppression, request: Request | None, *, suppressions: Suppressions, requests: Requests, clock: Clock
) -> Suppressed:
    """End a suppression by a proof that is later than each of its grounds. Raises Conflict where it is not."""
    now = clock.now()
    if command.proof.confirmed_at > now + AHEAD:
        raise Invalid.at("/proof/confirmed_at", "in_the_future", "this lies in the future")
    lift = Lift(at=min(command.proof.confirmed_at, now), source=command.source, proof=command.proof)

    def lifted(seen: Suppression) -> Suppression:
        if not seen.is_active(now):
            return seen
        after = with_lift(seen, lift)
        if after.is_active(now):
            raise Conflict("the proof is not later than what the address is suppressed for", code="proof_too_old")
        return after

    return _changed(command.address, lifted, request, now, suppressions=suppressions, requests=requests)


def look_up(address: Address, *, suppressions: Suppressions) -> Suppression:
    return suppressions.find(address)[0]


def _changed(
    address: Address,
    change: Callable[[Suppression], Suppression],
    request: Request | None,
    now: datetime,
    *,
    suppressions: Suppressions,
    requests: Requests,
) -> Suppressed:
    for _ in range(ATTEMPTS):
        seen, version = suppressions.find(address)
        try:
            after = change(seen)
        except Conflict:
            if request and (earlier := requests.find(request, now)):
                return Suppressed(address, seen, earlier, replayed=True)
            raise
        if after == seen:
            earlier = requests.recognise(request, Outcome.EXISTING, now) if request else None
            return Suppressed(address, seen, earlier or Outcome.EXISTING, replayed=earlier is not None)
        try:
            suppressions.write(address, after, request, now, seen=version)
        except AlreadyAnswered as answered:
            return Suppressed(address, look_up(address, suppressions=suppressions), answered.outcome, replayed=True)
        except Contended:
            continue
        return Suppressed(address, after, Outcome.CREATED)
    raise Contended("many requests for this address at once; try again")
