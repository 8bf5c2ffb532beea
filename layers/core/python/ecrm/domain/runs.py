"""A run: one occurrence of a campaign, with all that it goes by, frozen when it begins."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

from .contact_policy import Window
from .instants import to_text


class RunState(StrEnum):
    """A PAUSED run may still be planned. CANCELLED, SETTLED and SKIPPED are ends, though the first has its books to close."""

    PLANNING = "planning"
    SENDING = "sending"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    SETTLED = "settled"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatment:
    """A template with data of its own, for a part of all as large as its `weight` is of the sum of them.

    `template_version` is frozen in a run, 0 a ready-made one; in a campaign it is None: the newest of when an occurrence begins.
    """

    name: str
    template: str
    weight: int = 1
    data: Mapping[str, Any] = field(default_factory=dict)
    template_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignMessage:
    """What those in a segment get who are in none of a message before it; where `segment` is None, all who are left."""

    name: str
    treatments: tuple[Treatment, ...]
    segment: str | None = None


class PilotMetric(StrEnum):
    """What is counted of each recipient of the pilot: whether they clicked, or ordered, before the decision."""

    CLICKS = "clicks"
    ORDERS = "orders"


class Otherwise(StrEnum):
    """What the others get where the pilot has no winner: the treatments by their weights, or nothing."""

    SPLIT = "split"
    STOP = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pilot:
    """The treatments are tried on a part of the treated, and the others wait for the winner.

    `wait` is what everybody in it has from their mail on; a treatment with fewer than `minimum` recipients decides nothing.
    """

    percent: Decimal
    wait: timedelta
    metric: PilotMetric = PilotMetric.CLICKS
    minimum: int = 100
    otherwise: Otherwise = Otherwise.SPLIT


class Tried(NamedTuple):
    """How many got a treatment in the pilot, and how many of them had done what is counted when it was decided."""

    treatment: str
    recipients: int
    successes: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the pilot of a message came to: the treatment that won, or None, why, and by what was `tried`."""

    winner: str | None
    why: str
    tried: tuple[Tried, ...] = ()


@dataclass(frozen=True, slots=True)
class Costs:
    """What a run costs beside the discounts it brings, in minor units of a currency; a message may cost a part of one."""

    currency: str
    fixed: int = 0
    per_message: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """All entries of a run have this in common.

    The roster has `pages`. `scheduled_at` names the occurrence; where `wall` is given, it is when that time of the wall clock
    begins on earth, and each person's instant is when it comes where they are. From their instant an entry has `expires_after`,
    and none goes out after `expires_at`. `decide_at` is when the pilot is decided, put off where its mails went out late, and
    `verdicts` are what it came to, by message.

    `planned_at` is when the last entry was written, `woken_at` when the pages were handed to the senders, None anew after a run
    was resumed or cancelled; `settled_at` when its `books` were closed: the entries of each status, whose sum is the `audience`.
    Somebody has to come back to it at `due_at`, None where never. `reason` says why one was skipped. `retries` end with the run
    over whose failed it is, and before that is the one over whose failed that was, and so on.
    """

    run_id: str
    campaign: str
    campaign_version: int
    site: str
    topic: str
    messages: tuple[CampaignMessage, ...]
    scheduled_at: datetime
    started_at: datetime
    expires_at: datetime
    expires_after: timedelta = timedelta(days=1)
    pages: int = 1
    wall: datetime | None = None
    state: RunState = RunState.PLANNING
    reason: str | None = None
    salt: str = ""
    control_percent: Decimal = Decimal(0)
    pilot: Pilot | None = None
    decide_at: datetime | None = None
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    priority: int = 5
    rate_per_minute: int | None = None
    window: Window | None = None
    attribution_days: int = 30
    costs: Costs | None = None
    retries: tuple[str, ...] = ()
    retried_by: str | None = None
    planned_at: datetime | None = None
    woken_at: datetime | None = None
    settled_at: datetime | None = None
    audience: int | None = None
    books: Mapping[str, int] | None = None
    due_at: datetime | None = None
    version: int = 1

    @property
    def retry_of(self) -> str | None:
        """The run over whose failed it is."""
        return self.retries[-1] if self.retries else None

    @property
    def is_over(self) -> bool:
        """Whether nobody has to come back to it."""
        return self.settled_at is not None or self.state is RunState.SKIPPED

    def message(self, name: str) -> CampaignMessage:
        return next(message for message in self.messages if message.name == name)

    def treatment(self, message: str, name: str) -> Treatment:
        return next(treatment for treatment in self.message(message).treatments if treatment.name == name)


def run_id(campaign: str, scheduled_at: datetime) -> str:
    """Name an occurrence by its scheduled time, so that beginning it twice is beginning it once."""
    return hashlib.sha256(f"run\0{campaign}\0{to_text(scheduled_at)}".encode()).hexdigest()[:32]


def retry_id(run_id: str) -> str:
    """Name the run over the failed of another."""
    return hashlib.sha256(f"retry\0{run_id}".encode()).hexdigest()[:32]


def page_of(shard: int, pages: int, shards: int) -> int:
    """Give the page of a roster on which the customers of a shard of statistics are, of which there are so many."""
    return shard * pages // shards


def paused(run: Run) -> Run:
    """Send nothing more of a run for now; what is over stays so."""
    return _switched(run, RunState.PAUSED) if run.state in (RunState.PLANNING, RunState.SENDING) else run


def resumed(run: Run, now: datetime) -> Run:
    """Go on with a paused run, and wake its pages."""
    if run.state is not RunState.PAUSED:
        return run
    return replace(_switched(run, RunState.SENDING if run.planned_at else RunState.PLANNING), woken_at=None, due_at=now)


def cancelled(run: Run, now: datetime) -> Run:
    """Send nothing more of a run for good, and wake its pages, so that each entry comes to its end and the books are closed."""
    if run.is_over or run.state is RunState.CANCELLED:
        return run
    return replace(_switched(run, RunState.CANCELLED), woken_at=None, due_at=now)


def _switched(run: Run, state: RunState) -> Run:
    return replace(run, state=state, version=run.version + 1)
