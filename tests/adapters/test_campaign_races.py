"""Races of sixteen: a campaign is launched once, an occurrence is one run, and a page is planned as by one (S9).

In every second round all sixteen wait before their first transaction until all have read.
"""

import json
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, cast

from ecrm import bootstrap
from ecrm.application.campaign_lives import launch
from ecrm.application.ports import Contended
from ecrm.domain.campaigns import Head, Life
from ecrm.domain.errors import Conflict
from ecrm.domain.runs import RunState, run_id
from tests.adapters.races import CALLERS, Race
from tests.builders import NOON
from tests.cloud import Answer, Cloud
from tests.faults import Kept
from tests.simulation.planning import Agency, a_campaign, launched, meant, populate

if TYPE_CHECKING:
    from tests.simulation.shelf import Shelf
    from tests.simulation.table import MemoryTable

PEOPLE = 20


class Known:
    """The provider lets us send as anybody."""

    def is_verified(self, _address: str) -> bool:
        return True


def an_agency(cloud: Cloud) -> Agency:
    """The stores as they ship, over moto's table and bucket."""
    agency = Agency(cast("MemoryTable", bootstrap.table()), cast("Shelf", cloud.s3))
    populate(agency, PEOPLE)
    return agency


def told(call: Callable[[], object]) -> Answer:
    try:
        call()
    except Conflict as error:
        return Answer(409, {}, json.dumps({"code": error.code}))
    except Contended as error:
        return Answer(503, {}, json.dumps({"code": error.code}))
    return Answer(200, {}, "{}")


def begin(agency: Agency, begun: list[str], _number: int) -> Answer:
    return told(lambda: begun.extend(agency.start().begun))


def plan(agency: Agency, run_id: str, sizes: list[int], _number: int) -> Answer:
    return told(lambda: sizes.append(agency.plan(run_id, 0).audience))


def runs_in(cloud: Cloud) -> list[str]:
    return [item["PK"]["S"].removeprefix("RUN#") for item in cloud.items("RUN") if item["type"]["S"] == "run"]


def test_a_campaign_that_sixteen_launch_is_launched_once_and_has_one_run_in_each_of_70_rounds(cloud: Cloud, race: Race) -> None:
    agency = an_agency(cloud)
    agency.campaigns.define(Head(a_campaign(), Life(revision=1)))
    kept = Kept()

    def try_to_launch(number: int) -> object:
        return launch(
            "spring",
            None,
            by=f"key:{number}",
            expected_version=None,
            named=agency.named,
            is_empty=lambda _: False,
            identities=Known(),
            campaigns=agency.campaigns,
            clock=agency.clock,
        )

    for at in range(70):
        kept.restore()
        agency.machine.started.clear()
        answers = race.run(lambda number: told(lambda: try_to_launch(number)), together=at % 2 == 0)
        assert Counter({200: 1, 409: CALLERS - 1}) == Counter(answer.status for answer in answers)
        assert [run_id("spring", NOON)] == agency.start().begun
        assert [run_id("spring", NOON)] == runs_in(cloud)


def test_an_occurrence_that_sixteen_begin_is_one_run_in_each_of_70_rounds(cloud: Cloud, race: Race) -> None:
    agency = an_agency(cloud)
    launched(agency, a_campaign())
    kept = Kept()
    for at in range(70):
        kept.restore()
        agency.machine.started.clear()
        begun: list[str] = []
        race.run(partial(begin, agency, begun), together=at % 2 == 0)
        expected = run_id("spring", NOON)
        assert [expected] == begun == runs_in(cloud)
        assert {(expected, 1)} == set(agency.machine.started)
        head = agency.campaigns.find("spring")
        assert head is not None
        assert (expected, None, 2) == (head.life.last_run, head.life.next_at, head.life.revision)


def test_a_page_that_sixteen_plan_has_the_exact_audience_in_each_of_60_rounds(cloud: Cloud, race: Race) -> None:
    agency = an_agency(cloud)
    kept, expected = Kept(), meant(PEOPLE)
    for at in range(60):
        kept.restore()
        launched(agency, a_campaign(campaign=f"c{at}"))
        (begun,) = agency.start().begun
        sizes: list[int] = []
        race.run(partial(plan, agency, begun, sizes), together=at % 2 == 0)
        assert [len(expected)] * CALLERS == sizes
        assert expected == agency.roster(begun)
        assert {0: len(expected)} == agency.rosters.planned(begun)
        run = agency.runs.find(begun)
        assert run is not None
        assert (RunState.PLANNING, 1) == (run.state, run.pages)
