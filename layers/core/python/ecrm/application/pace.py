"""The pace of sending: a token bucket that all workers share, of which each leases its part.

Time is cut into windows, a window into slots one by one at the account's rate, and the slots are dealt out to lanes in turn. A
worker leases a lane for one write of the shared row, and further ones of the same window only while it would have to wait: one
worker alone gets the whole rate, and five get a fifth each. A slot that is not used in its time is dropped, so that no second
ever sees more than the rate and one.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ecrm.domain.errors import Unavailable

from .mail_ports import Pace, SendingControl, SendingQuota
from .ports import Contended

WINDOW = timedelta(seconds=5)
LANES = 5
"""As many as workers run at once by default."""
WORTH_A_LANE = timedelta(milliseconds=20)
"""Who would have to wait longer than this leases one more lane."""
RATED_FOR = timedelta(hours=1)
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
