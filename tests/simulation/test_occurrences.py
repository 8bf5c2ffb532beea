"""What becomes of an occurrence, and of the planning of its run, at the edges: late, paused, cancelled, broken, short of time."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from functools import cache, partial
from itertools import count

import pytest

from ecrm.application.campaign_lives import cancel_campaign, launch, pause_campaign, resume_campaign
from ecrm.application.occurrences import is_behind
from ecrm.application.runs import LookedAfter
from ecrm.domain.assignment import Arm
from ecrm.domain.campaigns import Every, Head, Life, LifeState, Schedule, Unit
from ecrm.domain.errors import Conflict, NotFound, Unavailable
from ecrm.domain.messages import Status
from ecrm.domain.runs import Run, RunState, page_of, retry_id, run_id
from ecrm.domain.sites import Site
from ecrm.store.campaigns import DynamoRuns
from ecrm.store.segments import DynamoSegments
from ecrm.store.sending import DynamoSendingControl
from ecrm.store.table import Put
from tests.builders import NOON, a_stored_site
from tests.simulation.company import SITE
from tests.simulation.planning import (
    NAME,
    PAGES,
    RUN_ID,
    SEGMENTS,
    SHARDS,
    Agency,
    a_campaign,
    a_message,
    a_rule,
    launched,
    meant,
    opened,
)
from tests.simulation.schedule import Schedule as Turns
from tests.simulation.schedule import Weather, hold
from tests.simulation.test_planning import MINUTE, Outcome, live, undisturbed

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# One in the afternoon in Berlin is noon by UTC.
DAILY = Schedule(day=NOON.date() - DAY, at=time(13), every=Every(Unit.DAY), until=NOON.date() + DAY)


@cache
def made() -> Agency:
    return opened(101)


def life_of(agency: Agency, name: str = NAME) -> tuple[LifeState, object, str | None]:
    head = agency.campaigns.find(name)
    assert head is not None
    return head.life.state, head.life.next_at, head.life.last_run


def begun(agency: Agency) -> Agency:
    assert [RUN_ID] == agency.start().begun
    return agency


def write(agency: Agency, change: Callable[[Run], Run]) -> None:
    assert agency.runs.write(change(agency.run())) is None


def pause(agency: Agency) -> None:
    pause_campaign(NAME, campaigns=agency.campaigns, runs=agency.runs)


def resume(agency: Agency) -> None:
    resume_campaign(NAME, campaigns=agency.campaigns, runs=agency.runs, clock=agency.clock)


def cancel(agency: Agency) -> None:
    cancel_campaign(NAME, campaigns=agency.campaigns, runs=agency.runs, clock=agency.clock)


@pytest.mark.parametrize(
    ("late", "expires_after", "expected"),
    [(HOUR, DAY, None), (HOUR + MINUTE, DAY, "late"), (MINUTE * 30, MINUTE * 30, None), (MINUTE * 31, MINUTE * 30, "late")],
)
def test_an_occurrence_that_is_found_too_late_is_skipped_and_says_so(
    late: timedelta, expires_after: timedelta, expected: str | None
) -> None:
    agency = opened(0, expires_after=expires_after)
    agency.clock.at += late
    done = agency.start()
    run = agency.run()
    assert ({expected: 1} if expected else {}) == done.skipped
    assert expected == run.reason
    assert (RunState.SKIPPED if expected else RunState.PLANNING) is run.state
    assert (LifeState.ENDED, None, RUN_ID) == life_of(agency)
    assert ([run] if expected is None else []) == list(agency.runs.active())
    assert [run] == list(agency.runs.of_campaign(NAME, after=None, limit=10).items)
    assert bool(agency.machine.started) is (expected is None)


def test_a_recurring_campaign_has_a_run_for_each_of_its_times_and_ends_with_the_last() -> None:
    agency = opened(0, schedule=DAILY)
    expected = [run_id(NAME, NOON), run_id(NAME, NOON + DAY)]
    for at, following in ((NOON, NOON + DAY), (NOON + DAY, None)):
        agency.clock.at = at - timedelta(microseconds=1)
        assert [] == agency.start().begun
        agency.clock.at = at
        assert [run_id(NAME, at)] == agency.start().begun
        assert (LifeState.SCHEDULED if following else LifeState.ENDED, following, run_id(NAME, at)) == life_of(agency)
    assert expected == sorted((run.run_id for run in agency.runs.active()), key=expected.index)


class Moving:
    """A site whose clock can be set."""

    zone = "Asia/Shanghai"

    def find(self, name: str, /) -> Site:
        return a_stored_site(name, time_zone=self.zone, sender="shop@example.com", postal_address="Ringstraße 1")


class Known:
    """The provider lets us send as anybody."""

    def is_verified(self, _address: str) -> bool:
        return True


@pytest.mark.parametrize("every", [Every(Unit.DAY), None])
def test_a_day_has_one_occurrence_also_where_the_clock_of_the_site_is_set_back_after_it(every: Every | None) -> None:
    """Ten o'clock in Shanghai is two by UTC; ten in Berlin comes seven hours later."""
    agency, sites, day = opened(0), Moving(), NOON.date() + DAY
    campaign = a_campaign(campaign="autumn", schedule=Schedule(day=day, at=time(10), every=every))
    assert agency.campaigns.define(Head(campaign, Life(revision=1))) is None
    head, _ = launch(
        "autumn",
        None,
        by="key:1",
        expected_version=None,
        named=lambda: replace(agency.named(), sites={SITE: sites.find(SITE)}),
        is_empty=lambda _: False,
        identities=Known(),
        campaigns=agency.campaigns,
        clock=agency.clock,
    )
    assert datetime.combine(day, time(2), UTC) == head.life.next_at
    agency.clock.at = datetime.combine(day, time(2), UTC)
    sites.zone = "Europe/Berlin"
    agency.sites = sites  # type: ignore[assignment]  # as much of it as is asked for
    agency.start()
    tomorrow = datetime.combine(day + DAY, time(9), UTC) if every else None
    assert (LifeState.SCHEDULED if every else LifeState.ENDED, tomorrow) == life_of(agency, "autumn")[:2]


def test_the_occurrence_of_a_paused_campaign_is_skipped_and_the_next_one_is_not() -> None:
    agency = opened(0, schedule=DAILY)
    head = agency.campaigns.find(NAME)
    assert head is not None
    turned = replace(head.life, state=LifeState.PAUSED, revision=2)
    assert agency.campaigns.change(Head(head.campaign, turned)) is None
    assert {"paused": 1} == agency.start().skipped
    assert (LifeState.PAUSED, NOON + DAY, RUN_ID) == life_of(agency)
    turned = replace(turned, state=LifeState.SCHEDULED, next_at=NOON + DAY, last_run=RUN_ID, revision=4)
    assert agency.campaigns.change(Head(head.campaign, turned)) is None
    agency.clock.at += DAY
    assert [run_id(NAME, NOON + DAY)] == agency.start().begun


def test_a_table_that_is_not_armed_begins_and_plans_nothing_and_what_is_late_then_is_skipped() -> None:
    agency = begun(made().fork())
    launched(agency, a_campaign(campaign="autumn"))
    before = agency.table.items()
    agency.clock.at += MINUTE * 30
    agency.company.control = DynamoSendingControl(agency.table, lambda: "another table")
    done = agency.start()
    assert (False, [], 0) == (done.is_armed, done.begun, done.planned)
    assert before == agency.table.items()
    assert not is_behind(runs=agency.runs, control=agency.company.control, clock=agency.clock)
    agency.company.control = made().company.control
    agency.clock.at += HOUR
    assert {"late": 1} == agency.start().skipped


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"messages": (a_message("gone"),)}, "unknown_template"),
        ({"messages": (a_message("all", "gone"),)}, "unknown_segment"),
        ({"topic": "gone"}, "unknown_topic"),
    ],
)
def test_what_was_sound_at_the_launch_and_is_not_any_more_skips_the_occurrence(changes: dict[str, object], code: str) -> None:
    agency = opened(0, **changes)
    assert {code: 1} == agency.start().skipped
    assert (RunState.SKIPPED, code) == (agency.run().state, agency.run().reason)


def test_a_campaign_that_breaks_is_in_no_others_way_and_is_raised_when_they_are_done() -> None:
    agency = opened(0)
    launched(agency, a_campaign(campaign="autumn", site="gone"), NOON - MINUTE)
    find = agency.beginning.sites.find

    class Lost:
        def find(self, name: str) -> object:
            return None if name == "gone" else find(name)

    agency.sites = Lost()  # type: ignore[assignment]  # as much of it as is asked for
    with pytest.raises(NotFound, match="no such site"):
        agency.start()
    assert RunState.PLANNING is agency.run().state


def test_a_run_that_is_cancelled_before_it_is_planned_is_for_those_who_were_decided_before() -> None:
    agency = begun(made().fork())
    agency.plan(RUN_ID, 0)
    cancel(agency)
    planned = [agency.plan(RUN_ID, page).audience for page in range(PAGES)]
    assert (True, [0] * (PAGES - 1)) == (planned[0] > 0, planned[1:])
    agency.start()
    run = agency.run()
    assert (RunState.CANCELLED, planned[0], NOON, NOON) == (run.state, run.audience, run.planned_at, run.woken_at)
    assert [(RUN_ID, 0)] == agency.bell.pages, "so that its entries come to their end"
    assert [(RUN_ID, RunState.CANCELLED)] == agency.looked_after


def test_a_run_that_is_paused_is_planned_and_woken_when_it_is_resumed() -> None:
    agency = begun(made().fork())
    pause(agency)
    agency.clock.at += MINUTE
    for page in range(PAGES):
        agency.plan(RUN_ID, page)
    agency.start()
    assert (RunState.PAUSED, True, None) == (agency.run().state, agency.run().planned_at is not None, agency.run().woken_at)
    assert [] == agency.bell.pages
    resume(agency)
    agency.start()
    assert RunState.SENDING is agency.run().state
    assert [(RUN_ID, page) for page in range(PAGES)] == agency.bell.pages
    assert meant(101) == agency.roster()


@pytest.mark.parametrize(
    ("turn", "state"),
    [(pause, RunState.PAUSED), (resume, RunState.SENDING), (cancel, RunState.CANCELLED)],
    ids=["pause", "resume", "cancel"],
)
def test_a_run_does_as_its_campaign_says_though_whoever_turned_that_died_before_they_came_to_the_run(
    turn: Callable[[Agency], None], state: RunState
) -> None:
    agency = begun(made().fork())
    if turn is resume:
        pause(agency)
    for page in range(PAGES):
        agency.plan(RUN_ID, page)
    agency.clock.at += MINUTE
    run = agency.run()
    turn(agency)
    before = replace(run, due_at=agency.clock.now(), version=agency.run().version + 1)
    assert agency.runs.write(before) is None, "as it was before its campaign was turned"
    agency.start()
    assert state is agency.run().state
    agency.start()
    assert (state, state is not RunState.PAUSED) == (agency.run().state, agency.run().woken_at is not None)


def test_a_run_that_was_paused_before_it_was_woken_comes_to_its_end_all_the_same() -> None:
    agency = begun(made().fork())
    pause(agency)
    agency.clock.at += MINUTE
    for page in range(PAGES):
        agency.plan(RUN_ID, page)
    agency.start()
    agency.clock.at = agency.run().expires_at - MINUTE
    agency.start()
    assert [] == agency.bell.pages
    agency.clock.at = agency.run().expires_at
    agency.start()
    assert (RunState.PAUSED, agency.clock.at) == (agency.run().state, agency.run().woken_at)
    assert [(RUN_ID, page) for page in range(PAGES)] == agency.bell.pages, "where all of its entries expire"


def test_a_page_that_cannot_be_planned_is_tried_again_by_another_attempt_ever_more_rarely() -> None:
    agency = begun(made().fork())
    waits: list[timedelta] = []
    for attempt in range(1, 9):
        assert (RUN_ID, attempt) in agency.machine.started
        for _, page in agency.machine.steps():
            if page:  # the first one breaks
                agency.plan(RUN_ID, page)
        due = agency.run().due_at
        assert due is not None
        waits.append(due - agency.clock.at)
        agency.clock.at = due
        assert 0 == agency.start().planned
    assert [MINUTE * minutes for minutes in (1, 2, 4, 8, 16, 32, 60, 60)] == waits[:1] + waits[1:], waits
    assert is_behind(runs=agency.runs, control=agency.company.control, clock=agency.clock)
    live(agency)
    assert meant(101) == agency.roster()
    assert not is_behind(runs=agency.runs, control=agency.company.control, clock=agency.clock)


def test_a_run_that_takes_all_the_time_there_is_keeps_neither_a_campaign_nor_another_run_waiting() -> None:
    agency = live(made().fork())
    slow = agency.run()
    other = replace(slow, run_id="f" * 32, version=1)
    launched(agency, a_campaign(campaign="autumn"), NOON + HOUR)
    assert agency.runs.begin(other, _another(agency, "winter"))
    for run in (slow, other):
        found = agency.runs.find(run.run_id)
        assert found is not None
        assert agency.runs.write(replace(found, due_at=NOON, version=found.version + 1)) is None
    seen: list[str] = []

    def look_after(run: Run, _is_late: Callable[[], bool]) -> LookedAfter:
        seen.append(run.run_id)
        raise Unavailable("there is no time for all pages of the run")

    agency.look_after = look_after  # type: ignore[method-assign]
    agency.clock.at = NOON + HOUR
    for minute in range(4):
        rounds = len(seen)
        done = agency.start(is_late=lambda rounds=rounds: len(seen) > rounds)  # type: ignore[misc]  # a value of each round
        assert ([] if minute else [run_id("autumn", NOON + HOUR)], 1) == (done.begun, done.failed)
        agency.clock.at += MINUTE
    assert {slow.run_id, other.run_id} == set(seen)


def test_somebody_looks_into_what_has_been_due_for_a_quarter_of_an_hour_or_is_not_settled_for_a_day() -> None:
    agency = opened(0)
    behind = partial(is_behind, runs=agency.runs, control=agency.company.control, clock=agency.clock)
    agency.clock.at = NOON + MINUTE * 15 - timedelta(microseconds=1)
    assert not behind()
    agency.clock.at = NOON + MINUTE * 15
    assert behind()
    live(agency)
    write(agency, lambda run: replace(run, due_at=NOON + 9 * DAY, version=run.version + 1))
    agency.clock.at = agency.run().expires_at + DAY
    assert not behind()
    agency.clock.at += MINUTE
    assert behind()


def test_who_failed_in_a_run_gets_the_same_of_another_one_and_nobody_else_does() -> None:
    agency = live(made().fork())
    failed: dict[str, str | None] = {}
    for page in range(PAGES):
        planned = [send for send in agency.company.sends.page(RUN_ID, page) if send.status is Status.PLANNED]
        for send in planned[::2]:
            assert agency.company.sends.write(replace(send, status=Status.FAILED, reason="refused", version=2)) is None
            failed[send.customer_id] = send.treatment
    run = agency.run()
    again = replace(
        run,
        run_id=retry_id(RUN_ID),
        retries=(RUN_ID,),
        control_percent=run.control_percent * 0,
        salt="another",
        state=RunState.PLANNING,
        planned_at=None,
        woken_at=None,
        audience=None,
        due_at=NOON,
        version=1,
    )
    settled = replace(run, state=RunState.SETTLED, settled_at=NOON, due_at=None, retried_by=again.run_id, version=run.version + 1)
    head = agency.campaigns.find(NAME)
    assert head is not None
    assert agency.runs.retry(again, settled, head)
    agency.looked_after.clear()
    live(agency)
    roster = agency.roster(again.run_id)
    assert failed == {customer_id: entry.treatment for customer_id, entry in roster.items()}
    assert {(Status.PLANNED, Arm.TREATED)} == {(entry.status, entry.arm) for entry in roster.values()}


@pytest.mark.parametrize("questions", range(4))
def test_a_page_for_which_there_is_no_time_goes_on_where_it_was(questions: int) -> None:
    """A hundred customers are judged, or put, between two questions; the page has some more than that."""
    agency = begun(opened(1_001))
    with pytest.raises(Unavailable):
        agency.plan(RUN_ID, 0, is_late=_after(questions))
    assert {} == agency.rosters.planned(RUN_ID)
    for page in range(agency.run().pages):
        agency.plan(RUN_ID, page)
    assert meant(1_001) == agency.roster()


def _after(questions: int) -> Callable[[], bool]:
    """Say that time is short once this was asked so often."""
    asked = count()
    return lambda: next(asked) >= questions


def test_an_audience_that_was_decided_stays_whatever_happens_before_it_is_put() -> None:
    """The planner dies, everybody becomes somebody whom the rules do not mean, and another one comes."""
    agency = begun(made().fork())
    for page in range(PAGES):
        shards = sum(page_of(shard, PAGES, SHARDS) == page for shard in range(SHARDS))
        with pytest.raises(Unavailable):
            agency.plan(RUN_ID, page, is_late=_after(shards))
    assert {} == agency.roster()
    for item in agency.table.items():
        if item["type"] == "statistics":
            agency.table.put(Put(item | {"orders": 0, "v": 3, "currencies": {}}, None, "changed"))
    assert meant(101) == live(agency).roster()


def test_all_pages_are_judged_by_the_segments_of_the_first_one() -> None:
    agency = begun(made().fork())
    agency.plan(RUN_ID, 0)
    segments = DynamoSegments(agency.table)
    nobody = a_rule({"stats": {"field": "orders", "op": ">=", "value": 99}})
    assert segments.write(replace(SEGMENTS["loyal"], rule=nobody, version=2), seen=1, traits=None) is None
    for page in range(1, PAGES):
        agency.plan(RUN_ID, page)
    assert meant(101) == agency.roster()


def test_a_segment_that_went_between_the_beginning_and_the_first_page_is_nobody_s_guess() -> None:
    agency = begun(made().fork())
    segments = DynamoSegments(agency.table)
    assert segments.write(replace(SEGMENTS["vip"], is_archived=True, version=2), seen=1, traits=None) is None
    with pytest.raises(Conflict, match="vip") as refused:
        agency.plan(RUN_ID, 0)
    assert "unknown_segment" == refused.value.code


def test_a_page_of_no_run_and_one_of_a_run_that_is_over_are_nothing_to_plan() -> None:
    agency = begun(made().fork())
    with pytest.raises(NotFound):
        agency.plan("0" * 32, 0)
    write(agency, lambda run: replace(run, settled_at=NOON, version=run.version + 1))
    assert 0 == agency.plan(RUN_ID, 0).audience
    assert {} == agency.roster()


def at_once(seed: int) -> None:
    turns = Turns(seed, Weather(kill=0.003, lose=0.003, resend=0.01, twice=0.3), table=made().table)
    agency = made().fork(turns.pause, turns.table)
    while agency.fork().runs.find(RUN_ID) is None:  # the index may be behind for all of them
        turns.run({f"begin {number}": agency.start for number in range(3)})
    agency.clock.at += MINUTE
    planners = {f"page {page}": partial(agency.plan, RUN_ID, page) for page in range(agency.fork().run().pages)}
    turns.run(planners | {"begin": agency.start})
    assert undisturbed(101)[0] == Outcome.of(live(agency))


def test_whoever_begins_and_plans_at_once_and_twice_over_leaves_the_exact_audience() -> None:
    hold(at_once, range(40))


def test_a_campaign_that_is_behind_its_run_moves_on() -> None:
    """As after a restore: the occurrence was begun, and the campaign does not know."""
    agency = begun(opened(0, schedule=DAILY))
    twin = opened(0, schedule=DAILY)
    assert DynamoRuns(twin.table).begin(agency.run(), _another(twin))
    assert [] == twin.start().begun
    assert (LifeState.SCHEDULED, NOON + DAY, RUN_ID) == life_of(twin)


def _another(agency: Agency, name: str = "autumn") -> Head:
    """A head that stands in no run's way."""
    launched(agency, a_campaign(campaign=name), NOON + DAY)
    head = agency.campaigns.find(name)
    assert head is not None
    return Head(head.campaign, replace(head.life, revision=head.life.revision + 1))
