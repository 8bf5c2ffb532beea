"""Campaigns: who gets what, when and how often, under versions that never change, and how far a campaign's life is."""

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import StrEnum
from itertools import count

from .contact_policy import Window
from .instants import instant_of
from .runs import CampaignMessage, Costs, Pilot
from .segments import And, Not, Or, Rule, SegmentCondition, segments_named

LATE_AFTER = timedelta(hours=1)
"""An occurrence that is found later than this, or than its mails expire, is skipped."""
MOST_WAIT = timedelta(days=14)
"""How long the mails of an occurrence may wait for their person at most."""

_FIRST_ON_EARTH, _LAST_ON_EARTH = timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))
"""Where each time of the wall clock comes first, and where last."""


@dataclass(frozen=True, slots=True)
class Audience:
    """All for whom `include` holds and `exclude` does not."""

    include: Rule
    exclude: Rule | None = None

    @property
    def rule(self) -> Rule:
        return self.include if self.exclude is None else And((self.include, Not(self.exclude)))


class Unit(StrEnum):
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Every:
    """A rule of the calendar: every day; each week on `days`, Monday is 1; each month on `days`, the last is -1.

    A month that lacks a day has no occurrence on it.
    """

    unit: Unit
    days: tuple[int, ...] = ()

    def holds(self, day: date) -> bool:
        match self.unit:
            case Unit.DAY:
                return True
            case Unit.WEEK:
                return day.isoweekday() in self.days
            case Unit.MONTH:
                is_last = day.day == monthrange(day.year, day.month)[1]
                return day.day in self.days or (is_last and -1 in self.days)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """At a time of the wall clock from `day` on: once, or `every` so often `until` a day, that day too.

    The clock is the site's, but where it `is_local` each recipient's own.
    """

    day: date
    at: time
    every: Every | None = None
    until: date | None = None
    is_local: bool = False


@dataclass(frozen=True, slots=True)
class Occurrence:
    """`scheduled_at` names it and is when it begins: where `wall` is given, as soon as the clock shows that anywhere on earth.

    `day` is the one of the schedule that it is of, where that is known.
    """

    scheduled_at: datetime
    wall: datetime | None = None
    day: date | None = field(default=None, compare=False)

    @property
    def ends_at(self) -> datetime:
        """When it has come for everybody."""
        return self.wall.replace(tzinfo=_LAST_ON_EARTH).astimezone(UTC) if self.wall else self.scheduled_at


def occurs_at(schedule: Schedule, zone: tzinfo, day: date) -> Occurrence:
    """Give the occurrence of a day."""
    wall = datetime.combine(day, schedule.at)
    if schedule.is_local:
        return Occurrence(instant_of(wall, _FIRST_ON_EARTH), wall, day)
    return Occurrence(instant_of(wall, zone), day=day)


def next_occurrence(schedule: Schedule, zone: tzinfo, after: datetime, held_on: date | None = None) -> Occurrence | None:
    """Give the first occurrence that begins after an instant, None where there is none any more.

    Where that of a day was `held_on` another clock, a later one is not a second of the same day.
    """
    days = (day for day in _days(schedule, after.astimezone(UTC).date()) if held_on is None or day > held_on)
    occurrences = (occurs_at(schedule, zone, day) for day in days)
    return next((one for one in occurrences if one.scheduled_at > after), None)


def occurrence(schedule: Schedule | None, scheduled_at: datetime) -> Occurrence:
    """Give the occurrence of a name, whatever became of the site's clock meanwhile."""
    if schedule is None or not schedule.is_local:
        return Occurrence(scheduled_at)
    return Occurrence(scheduled_at, scheduled_at.astimezone(_FIRST_ON_EARTH).replace(tzinfo=None))


def _days(schedule: Schedule, around: date) -> Iterator[date]:
    """Give the days of a schedule, from those on that some clock on earth may show on a day by UTC."""
    if schedule.every is None:
        yield schedule.day
        return
    first = max(schedule.day, around - timedelta(days=1))
    for number in count():
        day = first + timedelta(days=number)
        if schedule.until is not None and day > schedule.until:
            return
        if schedule.every.holds(day):
            yield day


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """A definition; `schedule` None is at once when it is launched.

    Of those in the audience `control_percent` are held out, by a hash with `salt` (domain/assignment.py). It is sent in `window`,
    by the recipient's clock, and outside of the site's quiet hours; a mail that has waited longer than `expires_after` is not.
    Where a person has no room for all, the campaign of the highest `priority` comes first. What they buy within
    `attribution_days` counts for it.
    """

    campaign: str
    name: str
    site: str
    topic: str
    audience: Audience
    messages: tuple[CampaignMessage, ...]
    schedule: Schedule | None
    window: Window | None
    expires_after: timedelta
    priority: int
    rate_per_minute: int | None
    control_percent: Decimal
    salt: str
    pilot: Pilot | None
    attribution_days: int
    costs: Costs | None
    updated_at: datetime
    version: int = 1

    @property
    def rule(self) -> Rule:
        """Who gets any of its messages."""
        chosen = [SegmentCondition(message.segment) for message in self.messages if message.segment is not None]
        return self.audience.rule if len(chosen) < len(self.messages) else And((self.audience.rule, Or(tuple(chosen))))

    @property
    def segments(self) -> frozenset[str]:
        """The segments that its audience and its messages name themselves."""
        chosen = (message.segment for message in self.messages)
        return segments_named(self.audience.rule).union(filter(None, chosen))


class LifeState(StrEnum):
    """A DRAFT is shown as validated when nothing is wrong with it. One that has ENDED has no more occurrences."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """How far a campaign is. `next_at` is when its next occurrence begins, of `next_day`; `last_run` is the run of the newest.

    `launched_by` is the source of the key that did it. Each change has a `revision` of its own.
    """

    state: LifeState = LifeState.DRAFT
    next_at: datetime | None = None
    next_day: date | None = None
    launched_at: datetime | None = None
    launched_by: str | None = None
    last_run: str | None = None
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Head:
    """A campaign at its newest version, and its life."""

    campaign: Campaign
    life: Life = field(default_factory=Life)
