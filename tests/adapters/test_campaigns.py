"""Campaigns and their runs in the table: written under what was seen, and read as they were written."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, time, timedelta
from decimal import Decimal

import pytest

from ecrm import bootstrap
from ecrm.application.campaign_ports import DueCampaign, DueRun
from ecrm.application.ports import AlreadyAnswered, Page, Request
from ecrm.application.rosters import NEWEST, planned_without
from ecrm.contracts.segments import RuleBody
from ecrm.domain.campaigns import Audience, Campaign, Every, Head, Life, LifeState, Schedule, Unit
from ecrm.domain.contact_policy import Window
from ecrm.domain.errors import Invalid
from ecrm.domain.messages import Policy, Status
from ecrm.domain.runs import CampaignMessage, Costs, Otherwise, Pilot, PilotMetric, Run, RunState, Treatment
from ecrm.domain.segments import Not, SegmentCondition
from ecrm.store.campaigns import DynamoRuns
from tests.builders import NOON, a_planned_send, a_run

LATER = NOON + timedelta(hours=1)
BUYERS = RuleBody.model_validate({"order": {"op": ">=", "value": 1, "window": {"last": {"days": 30}}}}).to_rule()
WHOLE = Campaign(
    campaign="spring",
    name="Spring",
    site="de",
    topic="news",
    audience=Audience(BUYERS, Not(SegmentCondition("lost"))),
    messages=(
        CampaignMessage(
            name="loyal",
            segment="loyal",
            treatments=(
                Treatment(name="a", template="news"),
                Treatment(name="b", template="other", weight=3, data={"percent": Decimal("12.5"), "codes": ["A", "B"]}),
            ),
        ),
        CampaignMessage(name="others", treatments=(Treatment(name="a", template="news"),)),
    ),
    schedule=Schedule(
        day=date(2026, 12, 1), at=time(9, 30), every=Every(Unit.MONTH, (-1, 15)), until=date(2027, 12, 1), is_local=True
    ),
    window=Window(time(9), time(18)),
    expires_after=timedelta(hours=48),
    priority=7,
    rate_per_minute=600,
    control_percent=Decimal("7.5"),
    salt="shared",
    pilot=Pilot(percent=Decimal(20), wait=timedelta(hours=4), metric=PilotMetric.ORDERS, minimum=7, otherwise=Otherwise.STOP),
    attribution_days=7,
    costs=Costs("EUR", 5_000, Decimal("0.09")),
    updated_at=NOON,
)
BARE = replace(
    WHOLE,
    audience=Audience(BUYERS),
    schedule=None,
    window=None,
    rate_per_minute=None,
    control_percent=Decimal(0),
    pilot=None,
    costs=None,
)
LAUNCHED = Life(
    state=LifeState.SCHEDULED,
    next_at=LATER,
    next_day=LATER.date(),
    launched_at=NOON,
    launched_by="api:1",
    last_run="f" * 32,
    revision=2,
)

pytestmark = pytest.mark.usefixtures("cloud")


def defined(campaign: Campaign = BARE) -> Head:
    head = Head(campaign, Life(revision=1))
    assert bootstrap.campaigns().define(head) is None
    return head


def moved(head: Head, **changes: object) -> Head:
    return Head(head.campaign, replace(head.life, revision=head.life.revision + 1, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("campaign", [WHOLE, BARE, replace(BARE, schedule=Schedule(day=date(2026, 12, 1), at=time(9)))])
@pytest.mark.parametrize("life", [LAUNCHED, Life(state=LifeState.CANCELLED, revision=2)])
def test_a_campaign_comes_back_as_it_was_written(campaign: Campaign, life: Life) -> None:
    campaigns = bootstrap.campaigns()
    first = defined(campaign)
    assert (first, campaign, (first,)) == (campaigns.find("spring"), campaigns.version("spring", 1), campaigns.all())
    second = Head(campaign, life)
    assert campaigns.change(second) is None
    assert (second, campaign) == (campaigns.find("spring"), campaigns.version("spring", 1))
    assert (None, None) == (campaigns.find("autumn"), campaigns.version("spring", 2))


def test_who_changes_what_somebody_else_has_changed_is_given_that() -> None:
    campaigns = bootstrap.campaigns()
    head = defined()
    launched = Head(BARE, LAUNCHED)
    assert campaigns.change(launched) is None
    late = Head(replace(BARE, name="Late", version=2), Life(revision=2))
    assert [launched, launched, launched] == [
        campaigns.define(late),
        campaigns.change(moved(head, state=LifeState.CANCELLED)),
        campaigns.launch(moved(head), None, NOON),
    ]
    assert (launched, None) == (campaigns.find("spring"), campaigns.version("spring", 2))


def test_every_version_of_a_definition_stays() -> None:
    head = defined()
    second = replace(BARE, name="Spring again", version=2)
    assert bootstrap.campaigns().define(Head(second, replace(head.life, revision=2))) is None
    assert [BARE, second] == [bootstrap.campaigns().version("spring", version) for version in (1, 2)]


def test_a_launch_is_known_by_its_request() -> None:
    campaigns = bootstrap.campaigns()
    head, request = defined(), Request("launch", "digest", LATER)
    assert campaigns.answered(request, NOON) is None
    assert campaigns.launch(moved(head, state=LifeState.SCHEDULED), request, NOON) is None
    assert ("spring", None) == (campaigns.answered(request, NOON), campaigns.answered(None, NOON))
    with pytest.raises(AlreadyAnswered):
        campaigns.launch(moved(head, state=LifeState.SCHEDULED), request, NOON)
    with pytest.raises(Invalid, match="another body"):
        campaigns.answered(replace(request, digest="another"), NOON)


def begun(run: Run, head: Head) -> Head:
    after = moved(head, last_run=run.run_id, next_at=None)
    assert bootstrap.runs().begin(run, after)
    return after


def test_a_run_begins_with_its_campaign_as_that_is_thereafter() -> None:
    runs = bootstrap.runs()
    run = a_run("f" * 32, due_at=NOON)
    head = begun(run, defined())
    assert head == bootstrap.campaigns().find("spring")
    assert run == runs.find(run.run_id)
    assert {run.run_id: run} == runs.find_many([run.run_id, "0" * 32])
    assert (run,) == runs.active()
    assert Page((run,), None) == runs.of_campaign("spring", after=None, limit=2)
    # Neither the same occurrence again, nor one that has not seen the campaign as it is.
    assert not runs.begin(run, moved(head))
    assert not runs.begin(a_run("e" * 32), head)
    assert (run,) == runs.active()


def test_a_run_over_the_failed_begins_with_the_one_that_failed_them_while_the_campaign_is_as_it_was_seen() -> None:
    runs = bootstrap.runs()
    run = a_run("f" * 32, state=RunState.SETTLED, settled_at=NOON)
    head = begun(run, defined())
    retry = a_run("e" * 32, retries=(run.run_id,), scheduled_at=LATER)
    retried = replace(run, retried_by=retry.run_id, version=2)
    paused = moved(head, state=LifeState.PAUSED)
    assert bootstrap.campaigns().change(paused) is None
    assert not runs.retry(retry, retried, head)
    assert (run, None) == (runs.find(run.run_id), runs.find(retry.run_id))
    assert runs.retry(retry, retried, paused)
    assert (retried, retry, paused) == (runs.find(run.run_id), runs.find(retry.run_id), bootstrap.campaigns().find("spring"))
    assert not runs.retry(replace(retry, run_id="d" * 32), retried, paused)
    assert (retry,) == runs.active()


def test_a_run_that_is_over_is_active_no_more_and_keeps_its_place_in_the_list() -> None:
    runs = bootstrap.runs()
    head = defined()
    skipped = a_run("d" * 32, state=RunState.SKIPPED, reason="late", scheduled_at=NOON - timedelta(days=1))
    head = begun(skipped, head)
    first = a_run("f" * 32, due_at=NOON)
    head = begun(first, head)
    second = a_run("e" * 32, scheduled_at=LATER)
    begun(second, head)
    assert [second, first] == sorted(runs.active(), key=lambda run: run.run_id)
    settled = replace(first, state=RunState.SETTLED, settled_at=LATER, due_at=None, audience=0, books={}, version=2)
    assert runs.write(settled) is None
    assert (second,) == runs.active()
    newest = runs.of_campaign("spring", after=None, limit=2)
    assert (second, settled) == newest.items
    assert Page((skipped,), None) == runs.of_campaign("spring", after=newest.last, limit=2)
    assert settled == runs.write(replace(first, state=RunState.PAUSED, version=2))


def test_of_all_runs_of_all_campaigns_only_the_newest_are_read_for_a_person() -> None:
    class Asked(DynamoRuns):
        asked: tuple[str, ...] = ()

        def find_many(self, run_ids: Iterable[str]) -> Mapping[str, Run]:
            self.asked = tuple(run_ids)
            return super().find_many(self.asked)

    heads = [defined(replace(BARE, campaign=name)) for name in ("spring", "autumn", "winter")]
    bootstrap.campaigns().define(Head(replace(BARE, campaign="draft"), Life(revision=1)))
    rosters = bootstrap.run_rosters()
    for number in range(NEWEST + 20):
        head = heads[number % 2]
        run = a_run(f"{number:032x}", campaign=head.campaign.campaign, scheduled_at=NOON + timedelta(hours=number))
        heads[number % 2] = begun(run, head)
        rosters.add([a_planned_send(run.run_id, "c1", status=Status.HELD_OUT, policy=Policy.MARKETING)])
    runs = Asked(bootstrap.table())
    found = planned_without(["c1", "c2"], campaigns=bootstrap.campaigns(), runs=runs, rosters=rosters)
    expected = [f"{number:032x}" for number in reversed(range(20, NEWEST + 20))]
    assert expected == list(runs.asked)
    assert set(expected) == {told.run_id for told in found}


def test_what_is_due_is_given_soonest_first_and_only_then() -> None:
    runs = bootstrap.runs()
    head = defined()
    launched = Head(head.campaign, replace(LAUNCHED, next_at=LATER))
    assert bootstrap.campaigns().change(launched) is None
    run = a_run("f" * 32, due_at=NOON)
    assert runs.begin(run, moved(launched))
    assert [] == list(runs.due(NOON - timedelta(seconds=1), 10))
    assert [DueRun(run.run_id, NOON)] == list(runs.due(NOON, 10))
    assert [DueRun(run.run_id, NOON), DueCampaign("spring", LATER)] == list(runs.due(LATER, 10))
    assert [DueRun(run.run_id, NOON)] == list(runs.due(LATER, 1))
    assert runs.write(replace(run, due_at=None, version=2)) is None
    assert [DueCampaign("spring", LATER)] == list(runs.due(LATER, 10))


def test_of_many_who_launch_one_does() -> None:
    head = defined()

    def launch(_: int) -> Head | None:
        return bootstrap.campaigns().launch(moved(head, state=LifeState.SCHEDULED), None, NOON)

    with ThreadPoolExecutor(16) as pool:
        assert 1 == list(pool.map(launch, range(32))).count(None)
