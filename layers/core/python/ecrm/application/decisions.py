"""Decisions not to send a person something, or not yet, and why: the timeline has them, and this reads them out of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from ecrm.domain.events import Event

from .customers import TimelineRange, read_timeline
from .ports import Customers, Page, Timeline

if TYPE_CHECKING:  # what sends no mail loads none of it
    from .mail_ports import SendingControl

DECISIONS = frozenset({"message.dropped", "message.postponed", "message.failed"})


@dataclass(frozen=True, slots=True)
class Held:
    """That nothing of a kind is sent to anybody."""

    since: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Decisions:
    """Of one person, newest first; and by policy what is held for everybody now, which no person's timeline tells."""

    page: Page[Event]
    held: Mapping[str, Held]


def read_decisions(
    customer_id: str,
    *,
    after: str | None,
    limit: int,
    customers: Customers,
    timeline: Timeline,
    control: "SendingControl",
    now: datetime,
) -> Decisions:
    """Read as the timeline is read: at most 1,000 events for a page, which may therefore be short. Raises NotFound, Erased."""
    wanted = TimelineRange(types=DECISIONS, first=None, last=None)
    page = read_timeline(customer_id, wanted, after=after, limit=limit, customers=customers, timeline=timeline, now=now)
    paused = control.sending().paused
    return Decisions(page, {policy.value: Held(pause.since, pause.reason) for policy, pause in sorted(paused.items())})
