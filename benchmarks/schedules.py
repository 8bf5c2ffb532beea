"""Schedules of each flow of mail (S1 to S4), beyond the ten thousand that the suite runs. A failure names its seed.

SCHEDULES=1000000 make bench    # the full figure of each takes hours
"""

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import batched
from time import perf_counter

from benchmarks.machine import machine
from tests.simulation.schedule import hold
from tests.simulation.test_sends import CAMPAIGNS, MESSAGES, Ledger, campaigns, messages

FIRST = 10_000
"""Seeds before this one are the suite's."""
AT_ONCE = 500


def check(flow: str, seed: int) -> None:
    ledger: Ledger = campaigns(seed) if flow == "campaigns" else messages(seed)
    ledger.nobody_gets_twice()
    ledger.nobody_gets_what_they_refused()
    ledger.what_is_answered_is_in_force()
    ledger.every_step_has_its_reason()
    ledger.books_balance(CAMPAIGNS if flow == "campaigns" else MESSAGES.items())


def run(flow: str, seeds: tuple[int, ...]) -> int:
    found: Callable[[int], None] = partial(check, flow)
    hold(found, seeds)
    return len(seeds)


def main(schedules: int) -> None:
    print(machine())
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for flow in ("campaigns", "messages"):
            began = perf_counter()
            done = sum(pool.map(partial(run, flow), batched(range(FIRST, FIRST + schedules), AT_ONCE, strict=False)))
            print(f"{flow}: {done:,} schedules, none wrong, {perf_counter() - began:,.0f} s")


if __name__ == "__main__":
    main(int(os.environ.get("SCHEDULES", "5000")))
