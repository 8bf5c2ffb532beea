"""The scheduler: one seed is one schedule, nothing that can happen is left out, and what must not happen is found."""

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from ecrm.application.ports import Contended
from ecrm.domain.errors import NotFound
from ecrm.store.keys import Key
from ecrm.store.table import Put, Refused
from tests.simulation.schedule import CALM, MOST_DELIVERIES, ROUGH, Schedule, Weather, hold
from tests.simulation.table import MemoryTable

KEY = Key("COUNTER#1", "COUNTER")
ACTORS = ("ada", "ben", "eve")


def add_one(table: MemoryTable, condition: str | None = "version = :seen") -> Callable[[], int]:
    """Read, then write: right only under the condition."""

    def call() -> int:
        item = table.get(KEY, consistent=True) or {"version": 0}
        seen = item["version"]
        condition_now = "attribute_not_exists(PK)" if condition and seen == 0 else condition
        new = {"PK": KEY.pk, "SK": KEY.sk, "version": seen + 1}
        try:
            table.write([Put(new, condition_now, "as seen", {":seen": seen} if condition_now and seen else None)])
        except Refused:
            raise Contended("somebody else was faster") from None
        return int(seen) + 1

    return call


def counted(seed: int, weather: Weather, condition: str | None = "version = :seen") -> Schedule:
    schedule = Schedule(seed, weather)
    schedule.run({name: add_one(schedule.table, condition) for name in ACTORS})
    return schedule


def total(schedule: Schedule) -> int:
    (item,) = schedule.table.items()
    return int(item["version"])


def test_a_seed_is_a_schedule() -> None:
    for seed in range(50):
        assert counted(seed, ROUGH).trace == counted(seed, ROUGH).trace
    assert len({tuple(counted(seed, ROUGH).trace) for seed in range(50)}) > 40


def test_a_seed_is_the_same_schedule_in_every_process() -> None:
    told = "from tests.simulation.test_schedule import *; print([counted(seed, ROUGH).trace for seed in range(20)])"
    root = Path(__file__).parents[2]
    paths = ":".join(str(root / path) for path in (".", "layers/core/python", "functions"))
    answers = {
        subprocess.run(
            [sys.executable, "-c", told],
            env={"PYTHONPATH": paths, "PYTHONHASHSEED": hash_seed, "AWS_DEFAULT_REGION": "eu-central-1"},
            capture_output=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert 1 == len(answers)


def test_in_calm_weather_what_conditions_guard_is_right_in_every_order() -> None:
    for seed in range(200):
        assert 3 == total(counted(seed, CALM))


def test_what_no_condition_guards_is_found_wrong() -> None:
    assert {1, 2, 3} == {total(counted(seed, CALM, None)) for seed in range(200)}


def test_a_failure_names_its_seed() -> None:
    def check(seed: int) -> None:
        assert 3 == total(counted(seed, CALM, None))

    with pytest.raises(AssertionError) as failure:
        hold(check, range(200))
    (note,) = failure.value.__notes__
    seed = int(note.removeprefix("seed "))
    with pytest.raises(AssertionError):
        check(seed)


@pytest.mark.parametrize(
    ("weather", "totals"),
    [
        (Weather(kill=0.1), {3, 4, 5}),  # who is killed after the effect does it again
        (Weather(lose=0.1), {3, 4, 5}),
        (Weather(twice=0.3), {3, 4, 5, 6}),
    ],
)
def test_all_that_can_happen_happens(weather: Weather, totals: set[int]) -> None:
    seen = Counter(total(counted(seed, weather)) for seed in range(400))
    assert totals <= set(seen)
    assert 3 == min(seen)


def test_a_transaction_that_the_sdk_sends_twice_is_one() -> None:
    assert {3} == {total(counted(seed, Weather(resend=0.5))) for seed in range(200)}


def test_who_is_refused_is_done_and_told_so() -> None:
    refusal = NotFound("no such thing")

    def refused() -> None:
        raise refusal

    assert {"ada": [refusal], "ben": [1]} == Schedule(1, CALM).run({"ada": refused, "ben": lambda: 1})


def test_who_can_never_be_done_ends_the_run_and_nobody_is_left_behind() -> None:
    tried = []

    def contended() -> None:
        tried.append(1)
        raise Contended("for ever")

    schedule = Schedule(1, CALM)
    with pytest.raises(AssertionError, match="ada is never done"):
        schedule.run({"ada": contended, "ben": add_one(schedule.table)})
    assert MOST_DELIVERIES == len(tried)
    assert {"eve": [2 if schedule.table.items() else 1]} == schedule.run({"eve": add_one(schedule.table)})


def test_a_fork_is_a_table_of_its_own() -> None:
    table = MemoryTable()
    one = {"PK": KEY.pk, "SK": KEY.sk, "version": 1}
    table.put(Put(one, None, "anything"))
    twin = table.fork()
    twin.put(Put(one | {"SK": "B"}, None, "anything"))
    twin.remove_many([KEY])
    assert ([one], [one | {"SK": "B"}]) == (table.items(), twin.items())
    assert [one | {"SK": "B"}] == list(twin.query(KEY.pk))
