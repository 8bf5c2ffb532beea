"""Decisions not to send a person something, or not yet, and why.

The timeline has those that were made when their turn came. What was decided when a run was planned stands in its roster alone,
and is read there: telling each of a campaign's held out would cost as much as writing to them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from ecrm.domain.events import Event

from .customers import TimelineRange, read_timeline
from .identity import root
from .ports import Customers, Page, Timeline

if TYPE_CHECKING:  # what sends no mail loads none of it
    from .mail_ports import SendingControl

DECISIONS = frozenset({"message.dropped", "message.postponed", "message.failed"})


@dataclass(frozen=True, slots=True)
class Held:
    """That nothing of a kind is sent to anybody."""

    since: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedWithout:
    """What was decided of a person when a run was planned: held out, or why they could not get it."""

    campaign: str
    run_id: str
    decided_at: datetime
    status: str
    reason: str | None
    template: str
    site: str


@dataclass(frozen=True, slots=True)
class Decisions:
    """Of one person, newest first; and by policy what is held for everybody now, which no person's timeline tells.

    `campaigns` are those of the newest runs, on the first page alone.
    """

    page: Page[Event]
    held: Mapping[str, Held]
    campaigns: Sequence[PlannedWithout] = ()


def read_decisions(
    customer_id: str,
    *,
    after: str | None,
    limit: int,
    customers: Customers,
    timeline: Timeline,
    control: "SendingControl",
    planned_without: Callable[[Sequence[str]], Sequence[PlannedWithout]],
    now: datetime,
) -> Decisions:
    """Read as the timeline is read: at most 1,000 events for a page, which may therefore be short. Raises NotFound, Erased."""
    wanted = TimelineRange(types=DECISIONS, first=None, last=None)
    page = read_timeline(customer_id, wanted, after=after, limit=limit, customers=customers, timeline=timeline, now=now)
    campaigns = planned_without(root(customer_id, customers=customers).partitions) if after is None else ()
    paused = control.sending().paused
    held = {policy.value: Held(pause.since, pause.reason) for policy, pause in sorted(paused.items())}
    return Decisions(page, held, campaigns)
