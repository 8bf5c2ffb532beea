"""Sign-ups that nobody confirms: whom a form alone has made is removed after 30 days, with all that stands of them.

It is looked at when a night begins. Whoever is known by anything else by then is left as they are: their sign-up is a question
that nobody answered, and its link has ended long ago.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Protocol

from ecrm.domain.customers import UNCONFIRMED_FOR, Customer
from ecrm.domain.errors import Unavailable
from ecrm.domain.events import Event
from ecrm.domain.jobs import ENDED, Job, JobKind, progressed

from .contact_rows import ContactRows
from .jobs import Requested, add_job
from .messages import REQUESTED
from .ports import AttributeBook, Clock, Consents, Contended, Customers, JobIds, Jobs, Request
from .subscriptions import SOURCE

ATTEMPTS = 12
AT_ONCE = 200
"""Customers that are looked at before that is written down."""
ASKED_ONCE = timedelta(days=2)
ITS_OWN = frozenset({"profile", "consents", "consent"})
"""What may stand beside events in the partition of somebody of whom nothing is known but a sign-up."""


class Result(StrEnum):
    """What became of somebody; `put_off`: asked anew of late; `known` are kept for good; `gone`: not to be looked at."""

    REMOVED = "removed"
    KNOWN = "known"
    PUT_OFF = "put_off"
    GONE = "gone"


class Unconfirmed(Protocol):
    """Who is to be looked at."""

    def unconfirmed(self, now: datetime, limit: int, /) -> Sequence[str]:
        """Name customers whose time to be confirmed is over, the first ones first; some may not be so any more."""
        ...


class Entries(Protocol):
    """The rosters' entries of somebody's mails."""

    def close_entries(self, events: Sequence[Event], at: datetime, /) -> None:
        """Let nothing more be told of the mails that some events are about."""
        ...


def request_removal(day: date, *, source: str, waiting: Unconfirmed, jobs: Jobs, clock: Clock, ids: JobIds) -> Requested | None:
    """Ask for the removal of those whose time is over, once for each day; None where there is nobody."""
    now = clock.now()
    if not waiting.unconfirmed(now, 1):
        return None
    named = hashlib.sha256(f"remove-unconfirmed\0{day.isoformat()}".encode()).hexdigest()
    job = Job(job_id=ids.job_id(now), kind=JobKind.REMOVE_UNCONFIRMED, requested_at=now, source=source)
    return add_job(job, Request(key=named, digest=named, expires_at=now + ASKED_ONCE), now, jobs)


def remove_unconfirmed(
    job: Job,
    is_late: Callable[[], bool],
    *,
    waiting: Unconfirmed,
    store: ContactRows,
    entries: Entries,
    customers: Customers,
    consents: Consents,
    clock: Clock,
) -> Iterator[Job]:
    """Give the job after each part, with what became of whom; each may be done again.

    Whom it is about to look at stands in the job: who cannot be written to, because a worker died over them, is found again
    however far the index is behind. One who breaks is in nobody's way, and raised in the end.
    """
    worker = _Removal(store, entries, customers, consents, clock)
    broken: Exception | None = None
    has_moved = True
    while has_moved:
        if not job.partitions:
            due = tuple(waiting.unconfirmed(clock.now(), AT_ONCE))
            if not due:
                break
            yield (job := replace(progressed(job, "removing", {}), partitions=due))
        counted = Counter[str]()
        left = list(job.partitions)
        while left and not is_late():
            try:
                counted[worker.look_at(left[0])] += 1
            except Unavailable:
                raise
            except Exception as error:  # noqa: BLE001 (poison, whatever it is, is not in the way of others)
                broken = broken or error
            del left[0]
        has_moved = bool(left or counted[Result.REMOVED] or counted[Result.KNOWN])
        del counted[Result.GONE]
        yield (job := replace(progressed(job, "removing", +counted), partitions=tuple(left)))
    if broken is not None:
        raise broken
    yield progressed(job, ENDED, {})


class _Removal:
    def __init__(self, store: ContactRows, entries: Entries, customers: Customers, consents: Consents, clock: Clock) -> None:
        self._store = store
        self._entries = entries
        self._customers = customers
        self._consents = consents
        self._clock = clock

    def look_at(self, customer_id: str) -> Result:
        """Remove a customer, or keep them; nobody writes to them while that is decided for good. Raises Contended."""
        for _ in range(ATTEMPTS):
            with suppress(Contended):
                return self._looked_at(customer_id)
        raise Contended("many write to this customer at once")

    def _looked_at(self, customer_id: str) -> Result:
        customer, now = self._customers.find(customer_id), self._clock.now()
        if customer is None or customer.unconfirmed_until is None or customer.unconfirmed_until > now:
            return Result.GONE
        if not customer.is_leaving:
            if kept := self._kept(customer, now):
                return kept
            customer = self._store.leave(customer)
        if kept := self._kept(customer, now):
            return kept
        _, events = self._store.contents(customer_id)
        self._entries.close_entries(events, now)
        held = self._customers.held(customer.identifiers, consistent=True)
        theirs = {i: each for i, each in held.items() if each.customer_id == customer_id}
        self._store.remove(customer, AttributeBook(), theirs)
        return Result.REMOVED

    def _kept(self, customer: Customer, now: datetime) -> Result | None:
        """Let somebody be who is known by something else, or was asked again of late; None where neither is so."""
        types, events = self._store.contents(customer.customer_id)
        is_known = bool(customer.absorbed) or not types <= ITS_OWN or not all(map(_is_of_a_sign_up, events))
        if is_known or ("consent" in types and self._has_answered(customer.customer_id)):
            self._store.stay(replace(customer, unconfirmed_until=None))
            return Result.KNOWN
        asked_at = max((event.occurred_at for event in events if event.type == REQUESTED), default=None)
        if asked_at is not None and asked_at + UNCONFIRMED_FOR > now:
            self._store.stay(replace(customer, unconfirmed_until=asked_at + UNCONFIRMED_FOR))
            return Result.PUT_OFF
        return None

    def _has_answered(self, customer_id: str) -> bool:
        """Say whether anything but a form was said of a consent; a "no" is never forgotten."""
        book = self._consents.of(customer_id)
        return any(consent.facts != (consent.pending,) for consent in book.consents.values())


def _is_of_a_sign_up(event: Event) -> bool:
    """Say whether an event tells of the sign-up, of what became of its mail, or of what a night made of these."""
    is_made_of_it = event.type.startswith(("message.", "segment.")) or event.type == "customer.stage_changed"
    return event.source == SOURCE or (is_made_of_it and event.type != REQUESTED)
