"""The contact policy: when marketing may reach a person, and how often. What belongs to something they do is exempt."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from itertools import product


@dataclass(frozen=True, slots=True)
class Cap:
    """At most so many marketing mails to a person within a time."""

    most: int
    within: timedelta


@dataclass(frozen=True, slots=True)
class QuietHours:
    """A part of each day, by the clock on the wall, through midnight where it ends before it starts."""

    start: time
    end: time

    def holds(self, wall: time) -> bool:
        if self.start < self.end:
            return self.start <= wall < self.end
        return wall >= self.start or wall < self.end


@dataclass(frozen=True, slots=True)
class Window:
    """The part of each day in which a campaign is sent, by the clock on the wall, through midnight as quiet hours are."""

    start: time
    end: time

    @property
    def outside(self) -> QuietHours:
        return QuietHours(self.end, self.start)

    def is_within(self, hours: QuietHours) -> bool:
        """Say whether quiet hours leave nothing of it: whatever they left would begin with it, or where they end."""
        return hours.holds(self.start) and self.outside.holds(hours.end)


QUIET_HOURS = QuietHours(time(21), time(8))
FREQUENCY_CAP = Cap(4, timedelta(days=7))
"""What holds for a site that says nothing else."""

QUIET, WINDOW = "quiet_hours", "window"
"""The reasons of what waits, or came to its end, for its person's sleep or for the hours of its campaign."""
_TURNS = 8
"""How often the end of the one may lie in the other: more means that there is no hour that both leave."""
_DAYS = 3
"""The end of quiet hours is on one of these: the day by which the clock is, which may be past its end, and those after it."""


def quiet_until(hours: QuietHours, zone: tzinfo, now: datetime) -> datetime | None:
    """Give the instant at which they end for somebody in a zone, None where they do not hold.

    An hour that the clock shows twice is judged twice. An end that the clock jumps over comes when it would have come without
    the jump.
    """
    if not hours.holds(_wall(now, zone)):
        return None
    today = now.astimezone(zone).date()
    ends = (
        datetime.combine(today + timedelta(days=day), hours.end, zone).replace(fold=fold).astimezone(UTC)
        for day, fold in product(range(_DAYS), (0, 1))
    )
    return min(end for end in ends if end > now and not hours.holds(_wall(end, zone)))


def _wall(instant: datetime, zone: tzinfo) -> time:
    return instant.astimezone(zone).time()


@dataclass(frozen=True, slots=True)
class Closed:
    """That marketing waits for an hour of the day, and until when."""

    reason: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactPolicy:
    """What holds for a person in the name of a site: its quiet hours by their zone, its cap, and the person's own wishes."""

    zone: tzinfo = UTC
    quiet_hours: QuietHours | None = None
    cap: Cap | None = None

    def closed(self, now: datetime, window: Window | None = None) -> Closed | None:
        """Say what of the day's hours holds marketing back, and when neither quiet hours nor a campaign's window do any more."""
        hours = [(WINDOW, window.outside)] if window else []
        hours += [(QUIET, self.quiet_hours)] if self.quiet_hours else []
        reasons, until = list[str](), now
        for _ in range(_TURNS):
            found = [(ends, why) for why, each in hours if (ends := quiet_until(each, self.zone, until))]
            if not found:
                break
            until, reason = max(found)
            reasons.append(reason)
        return Closed(reasons[0], until) if reasons else None
