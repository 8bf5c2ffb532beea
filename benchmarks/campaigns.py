"""A campaign to 10,000 people from its time to its closed books, in process: planned, sent in pages, counted and settled.

    make bench

All use cases and stores as they ship over the double of the table (tests/simulation), with people of every kind that an audience
can meet; the provider takes every mail at once, and mails have no words, whose making `benchmarks/sending.py` measures. Who has
to be in the audience, and what of them, is known beforehand: a figure is only printed where every one of them came to that.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from random import Random

from benchmarks.machine import machine
from ecrm.application.runs import LookedAfter, RunRoom, look_after
from ecrm.domain.messages import Send, Status
from ecrm.domain.runs import Run, RunState
from ecrm.store.tallies import DynamoLastOrders, DynamoTallies
from tests.builders import NOON
from tests.simulation.planning import RUN_ID, Agency, Bell, Meant, meant, opened
from tests.simulation.provider import Moving, PostOffice, Quota

PEOPLE = 10_000
ROUNDS = 3
STAGES = ("plan", "send", "settle")
LAST_ROUND = 10


@dataclass(frozen=True, slots=True)
class Taken:
    """CPU seconds of each stage, and what it was done to."""

    seconds: dict[str, float]
    audience: int
    mails: int
    pages: int


class Counting(Agency):
    """One in which somebody also counts what was sent."""

    def look_after(self, run: Run, is_late: Callable[[], bool]) -> LookedAfter:
        company = self.company
        room = RunRoom(
            runs=self.runs,
            rosters=self.rosters,
            sends=company.sends,
            tallies=DynamoTallies(self.table),
            last_orders=DynamoLastOrders(self.table, company.customers),
            clock=self.clock,
        )
        return look_after(run, is_late, room=room)


def campaign(seed: int, agency: Counting) -> Taken:
    """Let the campaign of an agency come to its end."""
    seconds: dict[str, float] = {}
    seconds["plan"] = timed(partial(plan, agency))
    post_office = PostOffice(agency.company, Moving(NOON + timedelta(minutes=1)), Random(seed), quota=Quota(1e6))  # noqa: S311 (awkward, not secret)
    seconds["send"] = timed(partial(send, agency, post_office))
    seconds["settle"] = timed(partial(settle, agency, post_office))
    run = agency.run()
    entries = [entry for page in range(run.pages) for entry in agency.company.sends.page(RUN_ID, page)]
    refuse_wrong(run, entries, Counter(taken.send[2] for taken in post_office.provider.taken))
    return Taken(seconds, len(entries), len(post_office.provider.taken), run.pages)


def timed(stage: Callable[[], None]) -> float:
    began = time.process_time()
    stage()
    return time.process_time() - began


def plan(agency: Counting) -> None:
    """Begin the run, have the machine plan all of its pages, and wake them."""
    agency.start()
    for run_id, page in agency.machine.steps():
        agency.plan(run_id, page)
    agency.clock.at += timedelta(minutes=1)
    agency.start()


def send(agency: Counting, post_office: PostOffice) -> None:
    bell: Bell = agency.bell
    while bell.pages:
        post_office.work(bell.pages.pop(), at_once=PEOPLE)


def settle(agency: Counting, post_office: PostOffice) -> None:
    """Look at the pages that somebody has to come back to, then at the run, until its books are closed."""
    for _ in range(LAST_ROUND):
        agency.clock.at = max(agency.clock.at, post_office.clock.at) + timedelta(minutes=20)
        post_office.clock.at = agency.clock.at
        post_office.settle()
        agency.start()
        if agency.run().is_over:
            return
    raise RuntimeError("the books are never closed")


def refuse_wrong(run: Run, entries: list[Send], got: Counter[str]) -> None:
    """Raises RuntimeError where anybody came to another end than theirs, or the books or the mails say otherwise."""
    wanted = meant(PEOPLE)
    planned = {customer_id for customer_id, one in wanted.items() if one.status is Status.PLANNED}
    found = {entry.customer_id: Meant.of(entry) for entry in entries}
    others = {customer_id: one for customer_id, one in found.items() if customer_id not in planned}
    if others != {customer_id: one for customer_id, one in wanted.items() if customer_id not in planned}:
        raise RuntimeError("somebody who gets nothing came to another end than theirs")
    if {found[customer_id].status for customer_id in planned} != {Status.ACCEPTED} or got != dict.fromkeys(planned, 1):
        raise RuntimeError("somebody did not get the mail once")
    books = {status: number for status, number in (run.books or {}).items() if number}
    if (run.state, books) != (RunState.SETTLED, Counter(one.status.value for one in found.values())):
        raise RuntimeError(f"the books are {run.state}: {books}")


def main() -> None:
    stocked = opened(PEOPLE)
    rounds = []
    for seed in range(ROUNDS):
        agency = Counting(stocked.table.fork())
        agency.clock.at = NOON
        rounds.append(campaign(seed, agency))
    best = {stage: min(each.seconds[stage] for each in rounds) for stage in STAGES}
    one = rounds[0]
    print(f"a campaign to {PEOPLE:,} people, CPU of one core, the fastest of {ROUNDS} · {machine()}")
    print(f"planned     {PEOPLE / best['plan']:8,.0f} people a second; {one.audience:,} in the audience, on {one.pages} pages")
    print(f"sent        {one.mails / best['send']:8,.0f} mails a second; {one.mails:,} people, each once")
    print(f"settled     {one.audience / best['settle']:8,.0f} entries a second; the books balance")


if __name__ == "__main__":
    main()
