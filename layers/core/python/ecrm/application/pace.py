"""The pace of sending: a token bucket that all workers share, of which each leases its part.

Time is cut into windows, a window into slots one by one at the account's rate, and the slots are dealt out to lanes in turn. A
worker leases a lane for one write of the shared row, and further ones of the same window only while it would have to wait: one
worker alone gets the whole rate, and five get a fifth each. A slot that is not used in its time is dropped, so that no second
ever sees more than the rate and one.

A run may have a rate of its own, far below the account's, for which no worker waits: of the mails that it may send in a minute of
the clock workers lease some at a time, and a page that finds none left is put off to the next minute.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil

from ecrm.domain.errors import Unavailable

from .mail_ports import Leased, Pace, SendingControl, SendingQuota
from .ports import Contended

WINDOW = timedelta(seconds=5)
LANES = 5
"""As many as workers run at once by default."""
WORTH_A_LANE = timedelta(milliseconds=20)
"""Who would have to wait longer than this leases one more lane."""
RATED_FOR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
LEASES = 10
"""In how many parts a run's minute is leased: each costs a write, and what a worker does not use of one is lost."""
ATTEMPTS = 24

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Lane:
    """The slots of one lane of a window: its first, and those after it by whole steps until the window ends."""

    next: datetime
    step: timedelta
    end: datetime
    late: timedelta

    def at(self, now: datetime) -> datetime | None:
        """Give the first slot not used whose time is not over: it is used in the first half of it, the rest is for the way."""
        over = now - self.late - self.next
        if over >= timedelta(0):
            self.next += self.step * (over // self.step + 1)
        return self.next if self.next < self.end else None


class Lease:
    """The slots that one worker has leased and not used yet."""

    def __init__(self, control: SendingControl, quota: SendingQuota) -> None:
        self._control = control
        self._quota = quota
        self._pace: Pace | None = None
        self._lanes: list[Lane] = []

    def take(self, now: datetime) -> datetime:
        """Give the time of the next slot, which may lie some seconds ahead. Mostly for nothing, else 1 write unit a lane."""
        while True:
            self._lanes = [lane for lane in self._lanes if lane.at(now)]
            lane = min(self._lanes, key=lambda lane: lane.next, default=None)
            if lane is None or (lane.next > now + WORTH_A_LANE and self._has_more_lanes(now)):
                self._lease(now)
                continue
            slot = lane.next
            lane.next += lane.step
            return slot

    def _has_more_lanes(self, now: datetime) -> bool:
        pace, window = self._pace, window_of(now)
        return pace is None or pace.window < window or (pace.window == window and pace.lanes < lanes_of(pace.rate))

    def _lease(self, now: datetime) -> None:
        pace = self._pace or self._control.pace()
        for _ in range(ATTEMPTS):
            leased = self._next(pace, now)
            there = self._control.lease(leased)
            if there is None:
                self._pace = leased
                self._lanes.append(lane_of(leased))
                return
            pace = there
        raise Contended("many lease slots at once; try again")

    def _next(self, pace: Pace | None, now: datetime) -> Pace:
        """Give the next free lane; the rate changes with a window, never within one."""
        window = window_of(now)
        if pace is None:
            return Pace(self._quota.rate(), now, window, 1, 1)
        version = pace.version + 1
        if pace.window >= window and pace.lanes < lanes_of(pace.rate):
            return Pace(pace.rate, pace.rated_at, pace.window, pace.lanes + 1, version)
        rate, rated_at = pace.rate, pace.rated_at
        if now - rated_at >= RATED_FOR:
            with suppress(Unavailable):  # then it stays what it was
                rate, rated_at = self._quota.rate(), now
        return Pace(rate, rated_at, max(window, pace.window + WINDOW), 1, version)


class Ration:
    """The mails of a run with a rate of its own that one worker has leased of a minute and not sent yet."""

    def __init__(self, control: SendingControl, run_id: str, rate_per_minute: int) -> None:
        self._control = control
        self._run_id = run_id
        self._most = rate_per_minute
        self._seen: Leased | None = None
        self._minute: datetime | None = None
        self._left = 0

    def spent_until(self, now: datetime) -> datetime | None:
        """Say when there is more, None where there is some now. Mostly for nothing, else 1 write unit for a part of a minute."""
        minute = now - (now - _EPOCH) % MINUTE
        if self._minute == minute and self._left:
            return None
        seen = self._seen or self._control.leased(self._run_id)
        for _ in range(ATTEMPTS):
            mails = seen.mails if seen is not None and seen.minute >= minute else 0
            part = min(self._most - mails, ceil(self._most / LEASES))
            if part <= 0 or (seen is not None and seen.minute > minute):  # whose clock is ahead has begun the next one
                self._seen = seen
                return minute + MINUTE
            leased = Leased(minute, mails + part, (seen.version if seen else 0) + 1)
            seen = self._control.lease_of(self._run_id, leased)
            if seen is None:
                self._seen, self._minute, self._left = leased, minute, part
                return None
        raise Contended("many lease mails of a run at once; try again")

    def use(self) -> None:
        """Take one of those that there are."""
        self._left -= 1


def window_of(now: datetime) -> datetime:
    return now - (now - _EPOCH) % WINDOW


def lanes_of(rate: float) -> int:
    return min(LANES, _slots_in_a_window(rate))


def lane_of(pace: Pace) -> Lane:
    """Give the lane leased last."""
    slot = timedelta(seconds=1 / pace.rate)
    end = pace.window + slot * (_slots_in_a_window(pace.rate) - 0.5)
    return Lane(pace.window + slot * (pace.lanes - 1), slot * lanes_of(pace.rate), end, slot / 2)


def _slots_in_a_window(rate: float) -> int:
    return max(1, int(rate * WINDOW.total_seconds()))
