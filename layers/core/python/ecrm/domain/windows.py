"""Time as a rule means it: spans of instants, days of the company's calendar, and anniversaries.

`last` reaches back from the moment of evaluation, day by day of 24 hours, whatever clocks do meanwhile: a rule that holds at
noon does not look at another part of the week because it is judged live, not by night. Everything that names a day means that
day in the company's time zone, from its first instant to the first one of the next.
"""

from calendar import isleap
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import NamedTuple

from .attributes import day_of_any_year, is_date

DAY = timedelta(days=1)
_RESOLUTION = timedelta(microseconds=1)
_LEAP_DAY = (2, 29)


@dataclass(frozen=True, slots=True)
class Moment:
    """When a rule is judged, in UTC, and the time zone of the company that asks."""

    now: datetime
    zone: tzinfo

    @property
    def today(self) -> date:
        return self.now.astimezone(self.zone).date()


@dataclass(frozen=True, slots=True)
class LastDays:
    days: int


@dataclass(frozen=True, slots=True)
class LastHours:
    hours: int


@dataclass(frozen=True, slots=True)
class Between:
    """Both days are in it."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Before:
    day: date


@dataclass(frozen=True, slots=True)
class After:
    """The day itself is not in it."""

    day: date


@dataclass(frozen=True, slots=True)
class Ever:
    pass


type Window = LastDays | LastHours | Between | Before | After | Ever


class Span(NamedTuple):
    """From `start` on, up to and without `end`."""

    start: datetime
    end: datetime

    def holds(self, at: datetime) -> bool:
        return self.start <= at < self.end


FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
EVER = Span(FIRST, LAST)


def span(window: Window, moment: Moment) -> Span:
    match window:
        case LastDays(days):
            return Span(moment.now - days * DAY, moment.now + _RESOLUTION)
        case LastHours(hours):
            return Span(moment.now - timedelta(hours=hours), moment.now + _RESOLUTION)
        case Between(first, last):
            return Span(start_of(first, moment.zone), start_of(last + DAY, moment.zone))
        case Before(day):
            return Span(FIRST, start_of(day, moment.zone))
        case After(day):
            return Span(start_of(day + DAY, moment.zone), LAST)
        case _:
            return EVER


def start_of(day: date, zone: tzinfo) -> datetime:
    """Give the first instant at which clocks of a zone show a day, or a later one where they skip it, in UTC.

    Where they are put back over midnight the day has begun with the first of its two midnights. Where they are put forward over
    midnight they are so at midnight, in every zone since 1970; Python then takes the midnight that there is not for that
    instant (PEP 495).
    """
    return datetime.combine(day, time(), zone).astimezone(UTC)


def day_of(text: str, zone: tzinfo) -> date | None:
    """Give the day that an attribute means: one as it is written, of an instant the day in the zone; None where it is no date."""
    if not is_date(text):
        return None
    if len(text) == len("2026-11-20"):
        return date.fromisoformat(text)
    try:
        return datetime.fromisoformat(text.upper()).astimezone(zone).date()
    except OverflowError:
        return date.fromisoformat(text[:10])  # the first or last day of the calendar, which has no neighbour


class Origin(NamedTuple):
    """What an anniversary is of; a birthday may be known without its year."""

    year: int | None
    month: int
    day: int


def origin_of(text: str, zone: tzinfo | None) -> Origin | None:
    """Read what an anniversary is of. Without a zone the day is taken as it is written: a birthday is one everywhere."""
    of_any_year = day_of_any_year(text)
    if of_any_year:
        return Origin(None, *of_any_year)
    if not is_date(text):
        return None
    day = day_of(text, zone) if zone else date.fromisoformat(text[:10])
    return Origin(day.year, day.month, day.day) if day else None


class Direction(StrEnum):
    NEXT = "next"
    LAST = "last"


def celebrated(origin: Origin, year: int) -> date:
    """Give the day of a year on which an anniversary is kept.

    That of 29 February is 28 February in a common year: it stays in its month, and what is sent on it comes a day early, never
    a day late.
    """
    is_skipped = (origin.month, origin.day) == _LEAP_DAY and not isleap(year)
    return date(year, origin.month, 28 if is_skipped else origin.day)


def is_near(origin: Origin, today: date, within_days: int, direction: Direction) -> bool:
    """Say whether an anniversary is today, or within so many days after or before it. The first is a year after the origin."""
    reach = within_days * DAY
    first, last = (today, today + reach) if direction is Direction.NEXT else (today - reach, today)
    return any(
        first <= celebrated(origin, year) <= last
        for year in range(first.year, last.year + 1)
        if origin.year is None or year > origin.year
    )
