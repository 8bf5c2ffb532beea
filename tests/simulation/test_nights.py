"""Nights that are killed, done twice, or at once with another leave the same as one alone, and nobody sees half of one (G2)."""

import gzip
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cache, partial
from random import Random
from typing import Any

import pytest

from ecrm.analytics.forecasts import fit
from ecrm.analytics.reporting import ReportCounts, ScoresByCurrency, add_scores
from ecrm.analytics.scoring import scorer
from ecrm.application.night_ports import NightCounts, Place
from ecrm.application.nights import Planned, merged
from ecrm.domain.errors import Conflict, NotFound
from ecrm.domain.nights import NightState
from ecrm.files.nights import S3NightFiles
from ecrm.store.statistics import DynamoStatisticsRows
from tests.faults import Kill
from tests.properties.members import NOW, TODAY
from tests.properties.predicate import belongs
from tests.simulation.bucket import Calls
from tests.simulation.night import RULES, SHARDS, Company, people
from tests.simulation.schedule import ROUGH, Schedule, Weather, hold
from tests.simulation.shelf import Shelf
from tests.simulation.table import MemoryTable, Moment, Pause, go_on

DAY = timedelta(days=1)
PARTS = 8


@cache
def company() -> Company:
    """It has had one night; since then some of its customers went, some came, and most did something."""
    made = Company()
    made.live_with(people(1, 20))
    made.have_a_night(NOW - DAY)
    made.live_with(dict(list(people(1, 6).items())) | dict(list(people(2, 24).items())[4:]))
    return made


@cache
def undisturbed() -> tuple[Company, int]:
    calls = Calls()
    twin = company().fork(calls)
    twin.have_a_night(NOW)
    return twin, calls.count


def test_a_night_finds_exactly_those_whom_each_rule_means() -> None:
    """Whether the row says so or the facts: by the predicate of G1, with the thresholds of the night."""
    twin, _ = undisturbed()
    score = scorer(twin.thresholds(Place(TODAY, 2)), TODAY)
    told = [member.told | {"scores": score(member.row.statistics)} for member in company().members.values()]

    def means(name: str, customer: dict[str, Any]) -> bool:
        if name == "quiet":
            return means("buyers", customer) and not means("dear", customer)
        return belongs(dict(RULES[name]), customer)

    meant = {name: frozenset(each["customer_id"] for each in told if means(name, each)) for name in RULES}
    assert meant == twin.seen() == twin.scored(Place(TODAY, 2))
    night = twin.nights.find(TODAY)
    assert night is not None
    assert {name: len(customers) for name, customers in meant.items()} == night.sizes
    assert len(told) == night.customers == sum(night.stages.values())
    assert 0 < night.from_facts < night.customers
    assert 0 < night.sizes["promising"] < night.sizes["buyers"]


def test_a_night_sums_up_how_its_customers_were_scored_and_what_is_predicted_of_them() -> None:
    twin, _ = undisturbed()
    place = Place(TODAY, 2)
    thresholds = twin.thresholds(place)
    score = scorer(thresholds, TODAY)
    expected: ScoresByCurrency = {}
    report = ReportCounts()
    for member in company().members.values():
        add_scores(expected, member.row.statistics, score(member.row.statistics))
        report.add(member.row.statistics, TODAY)
    files = S3NightFiles(Shelf(objects=twin.shelf.objects), "nights")  # type: ignore[arg-type]  # what nights need of the client
    tallies = [found.tally for shard in range(SHARDS) if (found := files.moves(place, shard))]
    assert expected == merged(tallies).scores
    counts = NightCounts()
    for group in undisturbed_plan().groups:
        counts.merge(files.counts(place, group) or NightCounts())
    assert report == counts.report
    assert fit(counts.histories, company().thresholds(Place((NOW - DAY).date(), 1)).models, TODAY) == thresholds.models
    assert {"EUR", "USD"} == expected.keys() == thresholds.models.keys()


def test_what_is_summed_up_of_a_night_names_nobody() -> None:
    """Models and reports are made of it, and outlive the files that hold rows."""
    objects = undisturbed()[0].shelf.objects
    summed = [name for name in objects if "/counts/" in name or "/thresholds." in name]
    tallies = [name for name in objects if "/moves/" in name]
    said = [gzip.decompress(objects[name]).decode() for name in summed]
    said += [gzip.decompress(objects[name]).decode().splitlines()[0] for name in tallies]
    said += [repr(item) for item in undisturbed()[0].table.items() if item["type"] in ("night", "pointer")]
    reports = [objects[name].decode() for name in objects if name.startswith("reports/")]
    said += reports
    assert 2 * 4 == len(reports), "of two nights, in three languages and as JSON"
    assert len(said) > 10 + len(reports)
    assert [] == [customer_id for customer_id in company().members for text in said if customer_id in text]


def test_events_tell_who_moved_between_two_nights() -> None:
    before, after = company().seen(), undisturbed()[0].seen()
    moved = {
        (customer_id, f"segment:{segment}:2:{what}")
        for segment in RULES
        for what, customers in (("entered", after[segment] - before[segment]), ("left", before[segment] - after[segment]))
        for customer_id in customers
    }
    told = undisturbed()[0].told()
    assert moved == {name for name in told if name[1].startswith("segment:")}
    night = undisturbed()[0].nights.find(TODAY)
    assert night is not None
    changed = sum(count for one, others in night.moves.items() for other, count in others.items() if one is not other)
    assert changed == sum(name[1] == "stage:2" for name in told) > 0
    assert night.customers == sum(count for others in night.moves.values() for count in others.values())


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("again", ["step", "machine"])
def test_a_night_that_is_killed_at_any_call_leaves_the_same(again: str, part: int) -> None:
    """Before and after each call; then the step is done again, or the whole machine is started once more."""
    expected, count = undisturbed()
    for at in range(1 + part, count + 1, PARTS):
        twin = company().fork(Calls(killed_at=at))
        _until_done(twin) if again == "step" else _until_started_often_enough(twin)
        assert expected.left_behind() == twin.left_behind(), at


def _until_done(twin: Company) -> None:
    planned = _again(partial(twin.plan, NOW))
    for step in twin.steps(NOW, planned):
        _again(step)


def _until_started_often_enough(twin: Company) -> None:
    """A machine that is started after the night was published finds nothing to do; what follows is the steps' to do again."""
    try:
        twin.have_a_night(NOW)
    except Kill:
        if twin.have_a_night(NOW).skipped is not None:
            for step in list(twin.steps(NOW, replace(undisturbed_plan(), skipped=None)))[-len(undisturbed_plan().groups) - 1 :]:
                step()


@cache
def undisturbed_plan() -> Planned:
    return company().fork().plan(NOW)


def _again[T](step: Callable[[], T]) -> T:
    while True:
        try:
            return step()
        except Kill:
            continue


def test_the_same_night_again_has_no_effect() -> None:
    twin = undisturbed()[0].fork()
    planned = twin.plan(NOW)
    assert ("published", ()) == (planned.skipped, planned.groups)
    for step in twin.steps(NOW, undisturbed_plan()):
        step()
    assert undisturbed()[0].left_behind() == twin.left_behind()


@dataclass
class Onlooker:
    """Looks at each write at what readers see: one published night, as it was decided, and never another."""

    company: Company
    looks: int = 0
    decided: dict[Place, Any] = field(default_factory=dict)

    def __call__(self, moment: Moment, operation: str) -> None:
        if moment is Moment.AFTER and operation in ("put", "write"):
            self.look()

    def look(self) -> None:
        self.looks += 1
        pointer = self.company.nights_now().pointer()
        assert pointer.night is not None
        place = Place(pointer.night, pointer.generations.published)
        if place not in self.decided:
            self.decided[place] = self.company.scored(place)
        assert self.decided[place] == self.company.seen()


class Watched(Schedule):
    """A schedule with an onlooker."""

    onlooker: Onlooker | None = None

    def pause(self, moment: Moment, operation: str) -> None:
        if self.onlooker is not None:
            self.onlooker(moment, operation)
        super().pause(moment, operation)


def test_nights_at_once_and_over_again_show_one_of_them_whole() -> None:
    """Three machines of two days, some of them twice, killed and cut off now and then."""
    seen, later = set(), TODAY + DAY

    def check(seed: int) -> None:
        schedule = Watched(seed, Weather(kill=0.004, lose=0.006, resend=0.01, twice=0.3), table=company().table)
        twin = company().fork(schedule.pause, schedule.table)
        schedule.onlooker = Onlooker(twin)
        actors: dict[str, Callable[[], object]] = {
            "today": partial(twin.have_a_night, NOW),
            "one after the other": lambda: [twin.have_a_night(NOW), twin.have_a_night(NOW + DAY)][-1],
        }
        told = schedule.run(actors | ({"tomorrow": partial(twin.have_a_night, NOW + DAY)} if seed % 2 else {}))
        assert all(isinstance(each, Planned | Conflict) for tales in told.values() for each in tales)
        schedule.onlooker.look()
        pointer = twin.nights_now().pointer()
        assert pointer.night in (TODAY, later)
        seen.add((pointer.night, len(pointer.generations.unpublished)))
        _is_told_of_published_ones(twin)

    hold(check, range(60))
    assert {(later, 0), (later, 1), (TODAY, 1)} <= seen, "both were published, or one had overtaken the other"


def _is_told_of_published_ones(twin: Company) -> None:
    """Nothing is told of a night that was not published."""
    published = twin.nights_now().pointer().generations
    generations = {data["generation"] for data in twin.told().values()}
    assert generations <= set(range(2, published.last + 1)) - published.unpublished


def test_each_step_done_several_times_at_once_leaves_the_same() -> None:
    expected, _ = undisturbed()

    def check(seed: int) -> None:
        schedule = Watched(seed, replace(ROUGH, twice=0.6), table=company().table)
        twin = company().fork(schedule.pause, schedule.table)
        schedule.onlooker = Onlooker(twin)
        (planned, *_) = schedule.run({"plan": partial(twin.plan, NOW)})["plan"]
        assert isinstance(planned, Planned)
        steps = list(twin.steps(NOW, planned))
        groups = len(planned.groups)
        for at_once in (groups, 1, groups, 1, groups, 1):
            some, steps = steps[:at_once], steps[at_once:]
            schedule.run({str(number): step for number, step in enumerate(some)})
        assert expected.left_behind() == twin.left_behind()

    hold(check, range(60))


def test_a_night_that_came_to_nothing_is_never_seen_whatever_it_does_later() -> None:
    """It dies at any call; then comes the next day's night, and then the rest of the first one, as a worker that was held up."""
    calls = range(1, undisturbed()[1] + 1, 3)
    overtaken = 0
    for at in calls:
        twin = company().fork(Calls(killed_at=at))
        onlooker = Onlooker(twin)
        with _dying():
            twin.have_a_night(NOW)
        onlooker.look()
        twin.live_with(people(3, 24))
        assert twin.have_a_night(NOW + DAY).skipped is None
        onlooker.look()
        left = twin.told()
        for step in twin.steps(NOW, undisturbed_plan()):
            with _refused():
                step()
            onlooker.look()
        night = twin.nights.find(TODAY)
        if night is None or night.state is not NightState.PUBLISHED:
            overtaken += 1
            assert left == twin.told()
    assert overtaken > len(calls) / 2


@contextmanager
def _dying() -> Iterator[None]:
    try:
        yield
    except Kill:
        return


@contextmanager
def _refused() -> Iterator[None]:
    """What a step may say that comes too late: that another night was planned, or that what it needs was never written."""
    try:
        yield
    except (Conflict, NotFound):
        return


class Restless(Company):
    """Its customers are others each time that somebody asks."""

    def __init__(self, table: MemoryTable | None = None, shelf: Shelf | None = None, pause: Pause = go_on) -> None:
        super().__init__(table, shelf, pause)
        self.random = Random(0)

    def facts_of(self, customer_id: str, score: Any) -> Any:
        self.members = people(self.random.randint(1, 5), 24)
        return super().facts_of(customer_id, score)


@pytest.mark.parametrize("part", range(PARTS))
def test_what_was_decided_stands_though_the_facts_go_on(part: int) -> None:
    """A night is killed at any call, and judges again by other rows and other facts: members, sizes and events still agree."""
    for at in range(1 + part, undisturbed()[1] + 1, PARTS):
        base = company()
        calls = Calls(killed_at=at)
        twin = Restless(base.table.fork(pause=calls), Shelf(calls, dict(base.shelf.objects)), calls)
        twin.members = dict(base.members)
        planned = _again(partial(twin.plan, NOW))
        for step in twin.steps(NOW, planned):
            try:
                step()
            except Kill:
                twin.live_with(people(4, 24))
                step()
        _agrees(twin)


def _agrees(twin: Company) -> None:
    """Members, sizes and events say the same of the second night."""
    night = twin.nights_now().find(TODAY)
    assert night is not None
    before, after = company().seen(), twin.seen()
    assert twin.scored(Place(TODAY, 2)) == after
    assert night.sizes == {name: len(customers) for name, customers in after.items()}
    assert {
        (customer_id, name, what)
        for name in RULES
        for what, customers in (("entered", after[name] - before[name]), ("left", before[name] - after[name]))
        for customer_id in customers
    } == {
        (customer_id, data["segment"], event_id.rpartition(":")[2])
        for (customer_id, event_id), data in twin.told().items()
        if "segment" in data
    }


def test_what_one_of_two_decided_who_judged_at_once_stands() -> None:
    """Each group is scored by several at once, to whom the facts say something else."""

    def check(seed: int) -> None:
        schedule = Schedule(seed, replace(ROUGH, twice=1), table=company().table)
        twin = Restless(schedule.table, Shelf(schedule.pause, dict(company().shelf.objects)), schedule.pause)
        twin.rows = DynamoStatisticsRows(company().table.fork(pause=schedule.pause))
        planned = twin.plan(NOW)
        for step in twin.steps(NOW, planned):
            schedule.run({"one": step, "another": step})
        _agrees(twin)

    hold(check, range(20))


def test_today_is_the_day_of_the_company() -> None:
    assert date(2026, 11, 2) == company().fork().plan(NOW.replace(hour=3)).night
