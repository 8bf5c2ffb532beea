"""An audience is exact, whoever dies over it, and a run is one, however many begin it (S9, S10)."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from random import Random

import pytest

from ecrm.domain.errors import Unavailable
from ecrm.domain.runs import RunState
from tests.builders import NOON
from tests.faults import Kill
from tests.simulation.bucket import Calls
from tests.simulation.planning import A_PILOT, KINDS, PAGES, RUN_ID, Agency, Meant, ids, kind_of, meant, opened
from tests.simulation.table import Moment

MINUTE = timedelta(minutes=1)
MOST_MINUTES = 200
PARTS = 8


@cache
def company(count: int) -> Agency:
    return opened(count)


@dataclass(frozen=True)
class Outcome:
    """All that planning leaves behind, but for when."""

    roster: dict[str, Meant]
    objects: dict[str, bytes]
    pages: dict[int, int]
    audience: int | None
    state: RunState
    runs: int
    woken: frozenset[tuple[str, int]]
    waiting: frozenset[str]

    @classmethod
    def of(cls, agency: Agency) -> "Outcome":
        seen = agency.fork()  # where nobody dies
        run = seen.run()
        return cls(
            roster=seen.roster(),
            objects=seen.shelf.objects,
            pages=dict(seen.rosters.planned(RUN_ID)),
            audience=run.audience,
            state=run.state,
            runs=len(seen.table.items("RUN")),
            woken=frozenset(agency.bell.pages),
            waiting=frozenset(item["PK"] for item in seen.table.items("PAGE") if "due" in item),
        )


def live(agency: Agency) -> Agency:
    """Let everybody come once a minute until the run is woken; a page whose planner died is tried again a minute later."""
    waiting: list[tuple[str, int]] = []
    for _ in range(MOST_MINUTES):
        try:
            agency.start()
            waiting += agency.machine.steps()
        except Kill:
            pass
        if agency.looked_after:
            return agency
        waiting = [step for step in waiting if not _is_done(agency, *step)]
        agency.clock.at += MINUTE
    raise AssertionError("the run is never sent")


def _is_done(agency: Agency, run_id: str, page: int) -> bool:
    try:
        agency.plan(run_id, page)
    except (Kill, Unavailable):
        return False
    return True


@cache
def undisturbed(count: int) -> tuple[Outcome, int]:
    calls = Calls()
    agency = live(company(count).fork(calls))
    asked = calls.count
    return Outcome.of(agency), asked


def test_an_audience_is_those_whom_the_rules_mean_and_each_is_what_they_are() -> None:
    expected, found = meant(101), undisturbed(101)[0]
    assert expected == found.roster
    assert (len(expected), RunState.SENDING, 1) == (found.audience, found.state, found.runs)
    assert {each.status for each in expected.values()} == {each.status for each in found.roster.values()}
    assert {kind for kind, sort in KINDS.items() if sort.message} == {
        kind_of(number) for number, customer_id in enumerate(ids(101)) if customer_id in found.roster
    }
    assert len(found.pages) == PAGES
    assert sum(found.pages.values()) == len(expected)
    assert {(RUN_ID, page) for page in found.pages} == found.woken
    assert {f"RUN#{RUN_ID}#{page}" for page in found.pages} == found.waiting


def test_who_cannot_be_read_is_in_no_audience_and_is_named() -> None:
    agency = live(company(101).fork())
    assert {customer_id for number, customer_id in enumerate(ids(101)) if kind_of(number) == "corrupt"} == agency.unreadable


def test_those_who_are_not_in_the_pilot_wait_for_what_it_comes_to() -> None:
    agency = live(opened(101, pilot=A_PILOT))
    assert meant(101, pilot_percent=20) == agency.roster()
    assert {True, False} == {each.is_pilot for each in agency.roster().values()}
    assert NOON + A_PILOT.wait == agency.run().decide_at


@pytest.mark.parametrize("part", range(PARTS))
def test_a_planner_that_is_killed_at_any_call_leaves_the_exact_audience(part: int) -> None:
    """S10: 101 people of every kind; before and after each call of the table, the bucket, the machine and the queue."""
    expected, calls = undisturbed(101)
    for killed_at in range(1 + part, calls + 1, PARTS):
        agency = company(101).fork(Calls(killed_at))
        assert expected == Outcome.of(live(agency)), killed_at


def test_an_audience_of_ten_thousand_is_exact_whoever_dies_over_it() -> None:
    """S10: fifty deaths at 10,007 people."""
    expected, calls = undisturbed(10_007)
    assert meant(10_007) == expected.roster
    deaths = set(Random(10_007).sample(range(1, calls), 50))
    killed = Calls()

    def pause(moment: Moment, operation: str) -> None:
        killed(moment, operation)
        if killed.count in deaths and moment is not Moment.WITHIN:
            deaths.remove(killed.count)
            raise Kill

    agency = live(company(10_007).fork(pause))
    assert not deaths
    assert expected == Outcome.of(agency)
