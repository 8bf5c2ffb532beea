"""Entries of a run: which treatment each gets, what it waits for, and what ends it before anything was sent.

Nothing is written for what the run alone decides, such as the wait for its pilot; what depends on the person is written when
their turn comes, as `postponed_until` and its reason.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from .assignment import treatment_of
from .budgets import WAITS_FOR_ROOM
from .instants import instant_of
from .messages import Send, Status
from .runs import Otherwise, Run, RunState, Treatment

UNDECIDED_FOR = timedelta(minutes=30)
"""How long an entry waits on for a pilot whose time is over and that nobody has decided yet; whoever decides it wakes all."""
PILOT = "pilot"
NO_WINNER = "no_winner"
MERGED = "merged"
"""The reason of what ends because its person turned out to be another one."""


@dataclass(frozen=True, slots=True)
class End:
    """What a planned entry comes to that is not sent."""

    status: Status
    reason: str | None = None


def treatment(send: Send, run: Run) -> Treatment | None:
    """Give the treatment of an entry: its own, else what the pilot came to; None where that says that they get nothing."""
    message = send.message or ""
    treatments = run.message(message).treatments
    name = send.treatment
    if name is None and message in run.verdicts:
        name = run.verdicts[message].winner
    if name is not None:
        return next(one for one in treatments if one.name == name)
    if run.pilot is not None and run.pilot.otherwise is Otherwise.STOP:
        return None
    return treatments[treatment_of(run.salt, [one.weight for one in treatments], send.customer_id)]


def pilot_until(send: Send, run: Run, now: datetime) -> datetime | None:
    """Say until when an entry waits for the pilot of its message, None where it does not."""
    if send.treatment is not None or run.pilot is None or send.message in run.verdicts:
        return None
    decide_at = run.decide_at or now
    return decide_at if now < decide_at else now + UNDECIDED_FOR


def instant(run: Run, zone: tzinfo) -> datetime | None:
    """Say when the run is to reach somebody in a zone, None where that is at once."""
    return instant_of(run.wall, zone) if run.wall else None


def ends_at(send: Send, run: Run, zone: tzinfo | None = None) -> datetime:
    """Say when an entry is sent no more: so long after the person's own instant, where their zone is known, or was.

    Who waits for the pilot has that time from its decision on, where that is later.
    """
    theirs = instant(run, zone) if zone else None
    if theirs and run.decide_at and _waits_for_pilot(send, run):
        theirs = max(theirs, run.decide_at)
    ends = (send.expires_at, theirs + run.expires_after if theirs else None, run.expires_at)
    return min(end for end in ends if end is not None)


def _waits_for_pilot(send: Send, run: Run) -> bool:
    """Say whether an entry waits for the pilot of its message, or did."""
    return run.pilot is not None and not send.is_pilot and len(run.message(send.message or "").treatments) > 1


def end_of(send: Send, run: Run, now: datetime, zone: tzinfo | None = None) -> End | None:
    """Say what ends a planned entry now, None where nothing does; the reason is what it waited for."""
    if run.state is RunState.CANCELLED:
        return End(Status.CANCELLED)
    if now < ends_at(send, run, zone):
        return None
    if send.reason in WAITS_FOR_ROOM:
        return End(Status.CAPPED, send.reason)
    return End(Status.EXPIRED, send.reason or (PILOT if pilot_until(send, run, now) else None))


def comes_before(other: Run, run: Run, now: datetime) -> bool:
    """Say whether what another run still has for somebody comes before what a run has for them; one that is paused does not."""
    is_under_way = other.state in (RunState.PLANNING, RunState.SENDING) and now < other.expires_at
    return is_under_way and other.priority > run.priority
