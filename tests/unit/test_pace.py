"""The pace: slots that nobody else has, at the account's rate, for a write now and then."""

from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from ecrm.application.mail_ports import SendingControl
from ecrm.application.pace import LANES, LEASES, MINUTE, RATED_FOR, WINDOW, Lease, Ration
from ecrm.domain.errors import Unavailable
from ecrm.store.sending import DynamoSendingControl
from tests.builders import NOON
from tests.simulation.table import MemoryTable


class Account:
    """An account whose rate may change, or not be told."""

    def __init__(self, *rates: float | None) -> None:
        self.rates = list(rates)
        self.asked = 0

    def rate(self) -> float:
        self.asked += 1
        rate = self.rates.pop(0) if len(self.rates) > 1 else self.rates[0]
        if rate is None:
            raise Unavailable("no answer")
        return rate


@pytest.fixture
def control() -> SendingControl:
    return DynamoSendingControl(MemoryTable(), lambda: "table")


def taken(lease: Lease, now: datetime, until: datetime) -> list[datetime]:
    """The slots that one worker uses who is always ready for the next."""
    slots = []
    while now < until:
        slots.append(lease.take(now))
        now = max(now, slots[-1])
    return slots


@pytest.mark.parametrize("rate", [1.0, 3.0, 14.0, 40.0])
def test_one_worker_gets_every_slot_and_none_twice(control: SendingControl, rate: float) -> None:
    slots = taken(Lease(control, Account(rate)), NOON, NOON + 4 * WINDOW)
    assert sorted(set(slots)) == slots
    assert all(later - earlier >= timedelta(seconds=0.99 / rate) for earlier, later in pairwise(slots))
    assert len(slots) >= 0.95 * rate * 4 * WINDOW.total_seconds()


def test_workers_who_take_turns_never_get_the_same_slot(control: SendingControl) -> None:
    account = Account(14.0)
    workers = [Lease(control, account) for _ in range(LANES + 2)]
    slots = [worker.take(NOON) for _ in range(20) for worker in workers]
    assert len(set(slots)) == len(slots)
    assert min(slots) >= NOON


def test_a_slot_that_was_not_used_in_its_time_is_dropped(control: SendingControl) -> None:
    lease = Lease(control, Account(14.0))
    lease.take(NOON)
    later = NOON + timedelta(seconds=3)
    assert lease.take(later) >= later - timedelta(seconds=0.5 / 14)


def test_a_lane_is_written_once_and_its_slots_cost_nothing(control: SendingControl) -> None:
    lease = Lease(control, Account(200.0))
    first = control.pace()
    for number in range(10):
        lease.take(NOON + timedelta(milliseconds=30 * number))
    pace = control.pace()
    assert first is None
    assert pace is not None
    assert 1 == pace.version


def test_the_rate_is_asked_for_once_an_hour_and_stays_where_nobody_tells_it(control: SendingControl) -> None:
    account = Account(14.0, None, 50.0)
    lease = Lease(control, account)
    rates = []
    for minutes in (0, 30, 59, 61, 62):
        lease.take(NOON + timedelta(minutes=minutes))
        pace = control.pace()
        assert pace is not None
        rates.append((account.asked, pace.rate))
    assert timedelta(hours=1) == RATED_FOR
    assert [(1, 14.0), (1, 14.0), (1, 14.0), (2, 14.0), (3, 50.0)] == rates


def test_who_never_heard_a_rate_sends_nothing(control: SendingControl) -> None:
    with pytest.raises(Unavailable):
        Lease(control, Account(None)).take(NOON)


@pytest.mark.parametrize("rate", [12, 100, 601])
def test_workers_lease_what_a_run_s_minute_has_and_no_more(control: SendingControl, rate: int) -> None:
    workers = [Ration(control, "r1", rate) for _ in range(LANES)]
    for minute in range(3):
        now, used = NOON + minute * MINUTE, 0
        while any(worker.spent_until(now) is None for worker in workers):
            for worker in workers:
                if worker.spent_until(now) is None:
                    worker.use()
                    used += 1
        assert rate == used
        assert {now + MINUTE} == {worker.spent_until(now) for worker in workers}
    leased = control.leased("r1")
    assert leased is not None
    assert leased.version <= 3 * LEASES


def test_what_is_left_of_a_minute_is_not_used_in_the_next(control: SendingControl) -> None:
    one, other = Ration(control, "r1", 12), Ration(control, "r1", 12)
    assert (None, None) == (one.spent_until(NOON), other.spent_until(NOON + MINUTE))
    used = 0
    while one.spent_until(NOON + MINUTE) is None:
        one.use()
        used += 1
    assert 10 == used  # the other has two
    assert NOON + MINUTE == one.spent_until(NOON + timedelta(seconds=59))  # by whose clock it is a minute later
