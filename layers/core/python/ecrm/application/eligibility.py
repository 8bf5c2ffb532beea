"""Eligibility: whether an entry of a roster may be sent now, not before some time, or never.

What is judged here is pure; the sender asks at the claim, and whoever settles, when they come back to a page.
"""

from dataclasses import replace
from datetime import datetime
from enum import StrEnum

from ecrm.domain.budgets import Budget, no_room
from ecrm.domain.contact_policy import Closed, ContactPolicy
from ecrm.domain.customers import Customer
from ecrm.domain.messages import LOCAL_TIME, PRIORITY, Policy, Send, Status, due_at
from ecrm.domain.rosters import MERGED, NO_WINNER, end_of, ends_at, instant, pilot_until, treatment
from ecrm.domain.runs import Run, RunState

from .mail_ports import Permission


class Hold(StrEnum):
    """Why a planned send is left as it is."""

    NOT_ARMED = "not_armed"
    PAUSED = "paused"
    BREAKER = "breaker"
    NOT_NOW = "not_now"
    RATE = "rate"
    LATE = "late"


class Held(Exception):
    """Nothing more of this page is sent now."""

    def __init__(self, by: Hold, until: datetime) -> None:
        super().__init__(by)
        self.by = by
        self.until = until


class Never(Exception):
    """A planned send that must not be made, now or later."""

    def __init__(self, status: Status, reason: str | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.reason = reason


class NotYet(Exception):
    """A planned send that must not be made before some time, nor after its `end`, where that is its person's own."""

    def __init__(self, until: datetime, reason: str, end: datetime | None = None) -> None:
        super().__init__(reason)
        self.until = until
        self.reason = reason
        self.end = end


def may_be_sent(send: Send, run: Run | None, now: datetime) -> bool:
    is_waiting = send.postponed_until is not None and now < send.postponed_until
    return send.status is Status.PLANNED and not is_waiting and not (run and pilot_until(send, run, now))


def due_of(send: Send, run: Run | None, now: datetime) -> datetime | None:
    """Say when somebody has to come back to an entry, None where never: when what it waits for is over, or it itself."""
    due = due_at(send, now)
    if due is None or run is None or send.status is not Status.PLANNED:
        return due
    return min(max(due, pilot_until(send, run, now) or due), max(now, ends_at(send, run)))


def treated(send: Send, run: Run | None) -> Send:
    """Give an entry of a run what it gets."""
    if run is None:
        return send
    chosen = treatment(send, run)
    if chosen is None:
        raise Never(Status.CANCELLED, NO_WINNER)
    return replace(send, treatment=chosen.name, template=chosen.template, template_version=chosen.template_version)


def refuse_ended(send: Send, run: Run | None, now: datetime) -> None:
    if run is not None and (end := end_of(send, run, now)):
        raise Never(end.status, end.reason)
    if send.expires_at is not None and send.expires_at <= now:
        raise Never(Status.EXPIRED)


def refuse_merged(send: Send, customer: Customer, run: Run | None) -> None:
    """End an entry of a run whose person turned out to be another one, as planning does: that one has an entry, or was not meant.

    A message that was asked for by itself goes to whoever they are. `root` never tells of a merger by an older state.
    """
    if run is not None and customer.customer_id != send.customer_id:
        raise Never(Status.CANCELLED, MERGED)


def refuse_early(send: Send, policy: ContactPolicy, run: Run | None, now: datetime) -> None:
    """Let marketing wait for its time where its person is, and for an hour at which it may reach them."""
    if send.policy is not Policy.MARKETING:
        return
    theirs = instant(run, policy.zone) if run else None
    begins_at = max(now, theirs or now)
    wait = policy.closed(begins_at, run.window if run else None) or Closed(LOCAL_TIME, begins_at)
    end = ends_at(send, run, policy.zone) if run else send.expires_at
    if end is not None and end <= max(now, wait.until):
        raise Never(Status.EXPIRED, wait.reason if now < wait.until else send.reason)
    if now < wait.until:
        raise NotYet(wait.until, wait.reason, end if theirs else None)


def refuse_more(send: Send, budget: Budget, policy: ContactPolicy, run: Run | None, now: datetime) -> None:
    """Let marketing wait until its person has room for it, if that is before its end; nobody gets two mails of a run."""
    if budget.is_served:
        raise Never(Status.CANCELLED, MERGED)
    wait = no_room(budget, policy.cap, send, now)
    if wait is None:
        return
    end = ends_at(send, run, policy.zone) if run else send.expires_at
    if wait.reason == PRIORITY:
        raise NotYet(sooner(wait.until, end) or wait.until, wait.reason)
    if end is not None and end <= wait.until:
        raise Never(Status.CAPPED, wait.reason)
    raise NotYet(wait.until, wait.reason)


def held_by(policy: Policy, permission: Permission, table_id: str) -> Hold | None:
    if permission.sending.armed_for != table_id:
        return Hold.NOT_ARMED
    return Hold.PAUSED if _is_paused(permission.run) or policy in permission.sending.paused else None


def _is_paused(run: Run | None) -> bool:
    """Say whether a run is held, by a hand or because it is not planned yet."""
    return run is not None and run.state not in (RunState.SENDING, RunState.CANCELLED)


def sooner(one: datetime | None, other: datetime | None) -> datetime | None:
    return min(filter(None, (one, other)), default=None)


def flow_of(send: Send) -> str:
    """Name what a breaker is for: a run of many, or all messages of a policy."""
    return run_of(send) or send.policy.value


def run_of(send: Send) -> str | None:
    """Name the run of many to which a send belongs; None for a message, which was asked for by itself."""
    return send.run_id if send.is_of_many else None
