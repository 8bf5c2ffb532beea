"""The doors of occurrences and of planning: what they are handed, what is counted, and which errors come out."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest

from ecrm import bootstrap
from ecrm.application.occurrences import Round
from ecrm.application.planning import PagePlanned
from ecrm.application.ports import Contended, Unreadable
from ecrm.application.settling import Settled
from ecrm.domain.campaigns import Head, Life, LifeState
from ecrm.domain.errors import Conflict, Unavailable
from ecrm.domain.messages import Status
from ecrm.domain.runs import RunState
from ecrm.entry import occurrences, sending
from ecrm.entry.steps import StepFailed
from plan_audience.handler import handler as plan_audience
from settle_sends.handler import handler as settle_sends
from start_campaigns.handler import handler as start_campaigns
from tests.builders import NOON, a_run
from tests.cloud import Cloud, Time
from tests.functions.conftest import Logs
from tests.simulation.planning import a_campaign

RUN_ID = "9aac5eebfb474961977c51c60e3849e4"
STEP = {"run_id": RUN_ID, "page": 3}


@pytest.fixture(autouse=True)
def _with_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "tests")


def nobody(_failures: Iterable[Mapping[str, str | int]]) -> None:
    raise AssertionError("nothing is to be parked")


def test_a_round_is_told_by_ids_and_counts(logs: Logs) -> None:
    done = Round(begun=[RUN_ID], skipped=Counter(late=2), planned=1, woken=1, settled=1, unbalanced=["0" * 32])
    occurrences.start(Time(), lambda _is_late: done)
    told = logs.take()
    assert f'"run_id":"{RUN_ID}"' in told
    assert '"OccurrencesSkipped":[2.0]' in told
    assert '"CampaignsUnbalanced":[1.0]' in told
    assert "SendingNotArmed" not in told
    occurrences.start(Time(), lambda _is_late: Round(is_armed=False))
    assert '"SendingNotArmed":[1.0]' in logs.take()
    occurrences.start(Time(), lambda _is_late: Round())
    assert "" == logs.take(), "nothing is due nearly always"


def test_a_page_is_planned_by_its_name_and_who_cannot_be_read_is_named(logs: Logs) -> None:
    asked: list[Any] = []

    def use(run_id: str, page: int, is_late: Callable[[], bool]) -> PagePlanned:
        asked.append((run_id, page, is_late()))
        unreadable = [Unreadable({"customer_id": "c7"}, KeyError("anna@example.com"))]
        return PagePlanned(2, 1, Counter({Status.PLANNED: 1, Status.HELD_OUT: 1}), unreadable)

    occurrences.plan(STEP, Time(), use, nobody)
    occurrences.plan(STEP, Time(lambda: 59_999), use, nobody)
    assert [(RUN_ID, 3, False), (RUN_ID, 3, True)] == asked
    told = logs.take()
    assert '"customer_id":"c7"' in told
    assert '"audience":2,"from_facts":1,"planned":1,"held_out":1' in told
    assert "anna" not in told


@pytest.mark.parametrize(
    ("error", "expected", "words"),
    [
        (Unavailable("the table is busy"), Unavailable, "the table is busy"),
        (Contended("somebody else"), Unavailable, "somebody else"),
        (Conflict("there is no segment vip", code="unknown_segment"), StepFailed, "unknown_segment"),
        (KeyError("anna@example.com"), StepFailed, "internal"),
    ],
)
def test_a_page_that_can_never_be_planned_is_parked_and_one_that_may_heal_is_not(
    error: Exception, expected: type[Exception], words: str, logs: Logs
) -> None:
    parked: list[Any] = []

    def use(_run_id: str, _page: int, _is_late: Callable[[], bool]) -> PagePlanned:
        raise error

    with pytest.raises(expected) as raised:
        occurrences.plan(STEP, Time(), use, parked.extend)
    assert (words,) == tuple(str(each) for each in raised.value.args[:1])
    is_poison = expected is StepFailed
    assert ([{"type": "page", "v": 1, "run_id": RUN_ID, "shard": 3}] if is_poison else []) == parked
    told = logs.take()
    assert ("PagesUnplanned" in told) is is_poison
    assert "anna" not in told


@pytest.mark.parametrize("event", [{}, {"run_id": RUN_ID}, {"run_id": "x", "page": 0}, {"run_id": RUN_ID, "page": 256}])
def test_what_is_no_page_can_never_be_planned(cloud: Cloud, event: dict[str, Any]) -> None:
    with pytest.raises(StepFailed):
        plan_audience(event, Time())
    (parked,) = cloud.parked()
    assert (event.get("run_id", ""), event.get("page", 0)) == (parked["run_id"], parked["shard"])


def test_settling_fails_where_campaigns_are_behind_and_has_settled_before() -> None:
    rounds: list[str] = []

    def use(_is_late: Callable[[], bool]) -> Settled:
        rounds.append("settled")
        return Settled()

    sending.settle(Time(), use, lambda: False)
    with pytest.raises(sending.CampaignsBehind):
        sending.settle(Time(), use, lambda: True)
    assert ["settled"] * 2 == rounds


def test_an_occurrence_goes_its_way_through_the_functions(cloud: Cloud) -> None:
    """One that is found too late is skipped, at the first look of start_campaigns; until then settle_sends complains."""
    cloud.arm()
    life = Life(state=LifeState.SCHEDULED, next_at=NOON, revision=1)
    assert bootstrap.campaigns().define(Head(a_campaign(), life)) is None
    with pytest.raises(sending.CampaignsBehind):
        settle_sends({}, Time())
    start_campaigns({}, Time())
    settle_sends({}, Time())
    head = bootstrap.campaigns().find("spring")
    assert head is not None
    run = bootstrap.runs().find(str(head.life.last_run))
    assert run is not None
    assert (RunState.SKIPPED, "late") == (run.state, run.reason)


def test_a_page_of_a_run_that_was_cancelled_is_planned_by_the_function_for_nobody(cloud: Cloud) -> None:
    del cloud
    run = a_run(RUN_ID, campaign="spring", state=RunState.CANCELLED, planned_at=None, pages=4)
    life = Life(state=LifeState.CANCELLED, revision=1)
    assert bootstrap.campaigns().define(Head(a_campaign(), life)) is None
    head = bootstrap.campaigns().find("spring")
    assert head is not None
    assert bootstrap.runs().begin(run, Head(head.campaign, Life(state=LifeState.CANCELLED, last_run=RUN_ID, revision=2)))
    plan_audience(STEP, Time())
    assert {3: 0} == bootstrap.run_rosters().planned(RUN_ID)
