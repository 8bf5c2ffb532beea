"""Ten minutes of throttling and an hour of outage (S15, S16), and what they cost: nobody's mail but what nobody can know of."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from ecrm.application.kill_switch import arm
from ecrm.application.mail_ports import Mail
from ecrm.application.sending import Sender
from ecrm.application.settling import settle_due
from ecrm.domain.consent import State
from ecrm.domain.errors import Unavailable
from ecrm.domain.messages import Accepted, Ambiguous, NotSent, Policy, Reply, Send, Status
from ecrm.store.messages import send_item, send_of
from ecrm.store.runs import run_item
from ecrm.store.table import Put
from tests.builders import NOON, a_run
from tests.simulation.company import NEWS, Company, person
from tests.simulation.provider import Quota, compose, is_run, planned, settling
from tests.simulation.table import MemoryTable, Moment
from tests.simulation.timeline import Timeline

WORKERS = 5
RATE = 14.0
EARLIER = NOON - timedelta(hours=1)
CUSTOMERS = 20
SETTLED_EVERY_SECONDS = 300
REDELIVERED_AFTER_SECONDS = 360


@dataclass
class Provider:
    """Answers after a while, as `answer` says at that moment; `asked` has every request by its time, `replies` every answer."""

    clock: Timeline
    random: Random
    answer: Callable[[datetime], Reply]
    seconds: Callable[[datetime], float]
    asked: list[datetime] = field(default_factory=list)
    replies: list[tuple[datetime, str, Reply]] = field(default_factory=list)

    def send(self, mail: Mail) -> Reply:
        self.asked.append(self.clock.now())
        reply = self.answer(self.clock.now())
        self.clock.wait(self.seconds(self.clock.now()) + self.random.uniform(0, 0.05))
        self.replies.append((self.clock.now(), mail.tags["send_id"], reply))
        return reply

    def of(self, kind: type[Reply]) -> list[datetime]:
        return [at for at, _, reply in self.replies if isinstance(reply, kind)]


@dataclass
class Queue:
    """Each message is taken by one worker, and is there again where that one could not be done with it."""

    clock: Timeline
    messages: list[tuple[datetime, tuple[str, int]]] = field(default_factory=list)

    def send(self, run_id: str, shard: int, delay_seconds: int = 0, *, is_of_many: bool) -> None:
        assert is_of_many is is_run(run_id)
        self.messages.append((self.clock.now() + timedelta(seconds=delay_seconds), (run_id, shard)))

    def take(self) -> tuple[str, int] | None:
        self.messages.sort()
        if not self.messages or self.messages[0][0] > self.clock.now():
            return None
        return self.messages.pop(0)[1]


class House:
    """Five workers and somebody who settles, for some hours."""

    def __init__(
        self, answer: Callable[[datetime], Reply], seconds: Callable[[datetime], float], *, workers: int = WORKERS
    ) -> None:
        self.clock = Timeline(NOON)
        self.random = Random(1)
        self.workers = workers
        self.table = MemoryTable(pause=self._wait)
        self.company = Company(self.table).open()
        self.provider = Provider(self.clock, self.random, answer, seconds)
        self.queue = Queue(self.clock)
        for number in range(1, CUSTOMERS + 1):
            self.company.put(person(email=f"customer-{number}@example.com"), {}, EARLIER, EARLIER)
            self.company.consent(f"c{number}", State.GRANTED, EARLIER, EARLIER)
        arm(control=self.company.control)
        self.clock.at = NOON

    def _wait(self, moment: Moment, _operation: str) -> None:
        if moment is not Moment.AFTER:
            self.clock.wait(self.random.uniform(0.001, 0.006))

    def campaign(self, run_id: str, shards: int, **changes: Any) -> None:
        run = a_run(run_id, pages=shards, **changes)
        self.table.put(Put(run_item(run), None, "planned"))
        for shard in range(shards):
            for number in range(1, CUSTOMERS + 1):
                send = planned(f"{run_id}-{shard}", f"c{number}", Policy.MARKETING, EARLIER, NEWS)
                self.table.put(Put(send_item(replace(send, run_id=run_id, shard=shard)), None, "planned"))
            self.queue.send(run_id, shard, is_of_many=True)

    def message(self, run_id: str, after_seconds: float = 0) -> None:
        customer_id = f"c{self.random.randint(1, CUSTOMERS)}"
        send = replace(planned(run_id, customer_id, Policy.TRANSACTIONAL, EARLIER), requested_at=EARLIER)
        self.table.put(Put(send_item(send), None, "planned"))
        self.queue.messages.append((self.clock.now() + timedelta(seconds=after_seconds), (run_id, 0)))

    def run(self, hours: float) -> None:
        end = self.clock.now() + timedelta(hours=hours)
        self.clock.run([lambda: self._work(end)] * self.workers + [lambda: self._settle(end)])

    def _work(self, end: datetime) -> None:
        sender = Sender(
            sends=self.company.sends,
            control=self.company.control,
            quota=Quota(RATE),
            mailer=self.provider,
            queue=self.queue,
            customers=self.company.customers,
            compose=compose,
            clock=self.clock,
            wait=self.clock.wait,
        )
        while self.clock.now() < end:
            page = self.queue.take()
            if page is None:
                self.clock.wait(0.5)
                continue
            late_at = self.clock.now() + timedelta(seconds=30)
            try:
                sender.work(*page, is_of_many=is_run(page[0]), is_late=lambda late_at=late_at: self.clock.now() >= late_at)  # type: ignore[misc]
            except Unavailable:
                self.queue.send(*page, REDELIVERED_AFTER_SECONDS, is_of_many=is_run(page[0]))

    def _settle(self, end: datetime) -> None:
        room = settling(self.company, self.queue, self.clock)
        while self.clock.now() < end:
            self.clock.wait(SETTLED_EVERY_SECONDS)
            settle_due(room=room, is_late=lambda: False)

    def entries(self) -> list[Send]:
        return [send_of(item) for item in self.table.items() if item["type"] == "send"]


def most_within(times: list[datetime], seconds: float) -> int:
    """How many of some times lie within the fullest stretch of so many seconds."""
    times, most, first = sorted(times), 0, 0
    for last, at in enumerate(times):
        while at - times[first] >= timedelta(seconds=seconds):
            first += 1
        most = max(most, last - first + 1)
    return most


def quickly(_now: datetime) -> float:
    return 0.03


def test_ten_minutes_of_throttling_lose_nothing_repeat_nothing_and_never_go_above_the_rate() -> None:
    """S15."""
    until = NOON + timedelta(minutes=10)
    house = House(lambda now: NotSent("throttled") if now < until else Accepted("id"), quickly)
    house.campaign("r1", shards=20)
    for number in range(200):
        house.message(f"m{number}")
    house.run(hours=1)
    assert {Status.ACCEPTED: 20 * CUSTOMERS + 200} == Counter(send.status for send in house.entries())
    accepted = house.provider.of(Accepted)
    assert len(house.entries()) == len(accepted)
    assert [] == house.provider.of(Ambiguous)
    assert most_within(house.provider.asked, 1) <= RATE + 1


@pytest.mark.parametrize(("workers", "least"), [(1, 10.0), (WORKERS, 0.9 * RATE)])
def test_the_account_s_rate_is_used_by_one_worker_as_by_five(workers: int, least: float) -> None:
    """One worker alone is as fast as the table and the provider answer it."""
    house = House(lambda _: Accepted("id"), quickly, workers=workers)
    house.campaign("r1", shards=20)
    house.run(hours=0.2)
    asked = house.provider.asked
    assert 20 * CUSTOMERS == len(asked)
    assert most_within(asked, 1) <= RATE + 1
    rate = len(asked) / (max(asked) - min(asked)).total_seconds()
    assert rate >= least


def test_a_run_with_a_rate_of_its_own_keeps_to_it_and_is_in_nobody_s_way() -> None:
    """S15, for a run: ten minutes of throttling, then as many a minute as it may have, while all workers are free for others."""
    until, rate = NOON + timedelta(minutes=10), 120
    house = House(lambda now: NotSent("throttled") if now < until else Accepted("id"), quickly)
    house.campaign("r1", shards=20, rate_per_minute=rate)
    for number in range(100):
        house.message(f"m{number}", after_seconds=600 + 2 * number)
    house.run(hours=0.5)
    assert {Status.ACCEPTED: 20 * CUSTOMERS + 100} == Counter(send.status for send in house.entries())
    assert most_within(house.provider.asked, 1) <= RATE + 1
    claimed = [send.claimed_at for send in house.entries() if send.claimed_at and send.topic]
    minutes = Counter(at.replace(second=0, microsecond=0) for at in claimed)
    assert max(minutes.values()) <= rate, minutes
    assert max(claimed) <= until + timedelta(minutes=20 * CUSTOMERS / rate + 3), minutes
    waited = [
        (send.claimed_at - (until + timedelta(seconds=2 * int(send.run_id[1:])))).total_seconds()
        for send in house.entries()
        if send.claimed_at and not send.topic
    ]
    assert max(waited) <= 15, waited


@pytest.mark.parametrize("seconds", [10.0, 0.01])
def test_an_hour_of_outage_costs_nobody_their_mail_but_what_is_in_doubt(seconds: float) -> None:
    """S16: the provider hangs, or says 500 at once."""
    until = NOON + timedelta(hours=1)
    house = House(lambda now: Ambiguous("500") if now < until else Accepted("id"), lambda now: seconds if now < until else 0.03)
    house.campaign("r1", shards=10)
    for number in range(100):
        house.message(f"m{number}", after_seconds=36 * number)
    house.run(hours=3)
    doubted = {send_id for _, send_id, reply in house.provider.replies if isinstance(reply, Ambiguous)}
    lost = [send for send in house.entries() if send.status is not Status.ACCEPTED]
    assert {Status.UNKNOWN_FINAL} == {send.status for send in lost}
    assert {send.send_id for send in lost} <= doubted
    assert most_within(house.provider.of(Ambiguous), 60) <= 5
    assert len(house.entries()) - len(lost) == len(house.provider.of(Accepted))
