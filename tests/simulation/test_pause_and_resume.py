"""S8: pause, resume and cancel a campaign at any point: nobody gets it twice, and nobody is skipped.

Hypothesis says in what order workers, whoever settles, whoever comes every minute and the marketer do what they do, how long it
takes, what the provider answers, and at which call of the table a process dies.
"""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from random import Random
from typing import ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from ecrm.application.kill_switch import arm
from ecrm.domain.campaigns import LifeState
from ecrm.domain.consent import State
from ecrm.domain.delivery import What
from ecrm.domain.errors import Conflict, Unavailable
from ecrm.domain.messages import OPEN, Send, Status
from ecrm.domain.runs import Run, RunState
from tests.builders import NOON, a_run
from tests.faults import Kill
from tests.simulation.campaigns import EARLIER, Headquarters, entry, plan
from tests.simulation.company import Company, Counted, person
from tests.simulation.provider import KIND, Mood, Moving
from tests.simulation.table import MemoryTable, Moment

NAME, RUN_ID = "spring", "r1"
PEOPLE = tuple(f"c{number}" for number in range(1, 7))
PAGES = 2
EXPIRES_AT = NOON + timedelta(days=2)
MOODS = {
    "takes": KIND,
    "throttles": Mood(throttle=1),
    "answers no": Mood(refuse=1),
    "swallows": Mood(swallow=1),
    "loses the reply": Mood(lose=1),
    "is awkward": Mood(lose=0.2, swallow=0.1, throttle=0.2, refuse=0.1),
}
DONE = {Status.ACCEPTED, Status.FAILED, Status.UNKNOWN_FINAL}
"""What it may come to for somebody whom nothing was held against: that they have it, or what the provider made of it."""


@cache
def planned_campaign() -> MemoryTable:
    table = MemoryTable()
    company = Company(table).open()
    for customer_id in PEOPLE:
        company.put(person(email=f"{customer_id}@example.com"), {}, EARLIER, EARLIER)
        company.consent(customer_id, State.GRANTED, EARLIER, EARLIER)
    arm(control=company.control)
    run = a_run(RUN_ID, pages=PAGES, expires_at=EXPIRES_AT, expires_after=timedelta(days=2))
    plan(table, run, [entry(RUN_ID, customer_id) for customer_id in PEOPLE])
    return table


class PausedAndResumed(RuleBasedStateMachine):
    """`calls_left` is how many calls of table, queue and provider whoever acts now lives for."""

    seen: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.calls_left: int | None = None
        table = planned_campaign().fork(pause=self.call)
        company = Company(table, Counted(len(PEOPLE)))
        self.house = Headquarters(company, Moving(NOON), Random(0), self.call)
        self.held_since: datetime | None = None

    def call(self, _moment: Moment, _operation: str) -> None:
        if self.calls_left is None:
            return
        self.calls_left -= 1
        if self.calls_left < 0:
            raise Kill

    def acts(self, act: Callable[[], object], calls: int | None) -> None:
        """Let somebody act who may die of it."""
        self.calls_left = calls
        try:
            act()
        except (Kill, Unavailable):
            self.seen["died"] += 1
        finally:
            self.calls_left = None

    lives = st.one_of(st.none(), st.integers(0, 60))

    @rule(page=st.integers(0, PAGES - 1), mood=st.sampled_from(sorted(MOODS)), at_once=st.sampled_from((1, 2, 100)), calls=lives)
    def work(self, page: int, mood: str, at_once: int, calls: int | None) -> None:
        self.house.provider.mood = MOODS[mood]
        self.acts(lambda: self.house.work((RUN_ID, page), at_once=at_once), calls)

    @rule(mood=st.sampled_from(sorted(MOODS)), calls=lives)
    def take_from_the_queue(self, mood: str, calls: int | None) -> None:
        """Whoever dies has their message come again."""
        self.house.provider.mood = MOODS[mood]
        for page in list(self.house.queue.due()):
            self.acts(lambda page=page: self.house.work(page), calls)  # type: ignore[misc]
            if calls is not None:
                self.house.queue.send(*page, delay_seconds=360, is_of_many=True)

    @rule(calls=lives)
    def settle(self, calls: int | None) -> None:
        self.acts(self.house.settle, calls)

    @rule(calls=lives)
    def come_round(self, calls: int | None) -> None:
        self.acts(self.house.comes_round, calls)

    @rule(seconds=st.sampled_from((1, 30, 130, 301, 960, 4_000)))
    def wait(self, seconds: int) -> None:
        self.house.clock.wait(seconds)

    @rule(what=st.sampled_from((What.DELIVERED, What.OPENED)))
    def notify(self, what: What) -> None:
        for taken in self.house.provider.taken:
            self.house.notify(taken, what)

    @rule(calls=lives)
    def pause(self, calls: int | None) -> None:
        self.turn(self.house.pauses, calls)

    @rule(calls=lives)
    def resume(self, calls: int | None) -> None:
        self.turn(self.house.resumes, calls)

    @precondition(lambda self: self.house.provider.taken)
    @rule(calls=lives)
    def cancel(self, calls: int | None) -> None:
        self.turn(self.house.cancels, calls)

    @precondition(lambda self: self.house.provider.taken and self.run().state is RunState.PAUSED)
    @rule(calls=lives)
    def cancel_what_is_paused(self, calls: int | None) -> None:
        """Which is rare enough otherwise."""
        self.turn(self.house.cancels, calls)

    def turn(self, turn: Callable[[str], None], calls: int | None) -> None:
        def turns() -> None:
            try:
                turn(NAME)
            except Conflict:
                # Whoever cancelled may have died before its run was, and would have to do it again.
                head = self.house.campaigns.find(NAME)
                is_cancelled = head is not None and head.life.state is LifeState.CANCELLED
                assert is_cancelled or self.run().state in (RunState.CANCELLED, RunState.SETTLED)

        before, left = self.run().state, sum(send.status is Status.PLANNED for send in self.entries())
        self.acts(turns, calls)
        self.seen[f"{before} to {self.run().state}"] += 0 < left < len(PEOPLE)
        self.held_since = self.house.clock.now() if self.run().state is not RunState.SENDING else None

    def run(self) -> Run:
        found = self.house.runs.find(RUN_ID)
        assert found is not None
        return found

    def entries(self) -> list[Send]:
        return [send for page in range(PAGES) for send in self.house.company.sends.page(RUN_ID, page)]

    @invariant()
    def nobody_gets_it_twice(self) -> None:
        times = Counter(taken.send[2] for taken in self.house.provider.taken)
        assert all(many == 1 for many in times.values()), times

    @invariant()
    def nothing_is_claimed_while_it_is_held(self) -> None:
        if self.held_since is not None:
            late = [send for send in self.entries() if send.claimed_at and send.claimed_at > self.held_since]
            assert [] == late

    @invariant()
    def everybody_is_in_the_roster_once(self) -> None:
        assert sorted(PEOPLE) == sorted(send.customer_id for send in self.entries())

    def teardown(self) -> None:
        """Let it go on, and all come to rest: nobody was skipped, and the books are closed."""
        self.calls_left = None
        self.held_since = None
        if self.run().state is RunState.PAUSED:
            self.house.resumes(NAME)
        self.house.come_to_rest()
        self.nobody_gets_it_twice()
        run, entries = self.run(), self.entries()
        self.seen[run.state] += 1
        counted = Counter(send.status for send in entries)
        assert not OPEN & counted.keys(), counted
        got = {taken.send[2] for taken in self.house.provider.taken}
        for send in entries:
            assert send.status in DONE or (run.state is RunState.CANCELLED and send.status is Status.CANCELLED), send
            assert (send.customer_id in got) or send.status is not Status.ACCEPTED, send
            assert (send.customer_id not in got) or send.status in (Status.ACCEPTED, Status.UNKNOWN_FINAL), send
        assert run.settled_at is not None
        assert len(PEOPLE) == sum((run.books or {}).values())


def test_pausing_and_resuming_at_any_point_skips_nobody_and_repeats_nothing() -> None:
    plan_of_runs = settings(max_examples=500, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(PausedAndResumed, settings=plan_of_runs)
    wanted = (
        "died",
        "sending to paused",
        "paused to sending",
        "sending to cancelled",
        "paused to cancelled",
        "settled",
        "cancelled",
    )
    assert [] == [what for what in wanted if PausedAndResumed.seen[what] < 5], PausedAndResumed.seen
