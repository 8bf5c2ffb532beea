"""What the steps of a night do at their edges: late, failed, overtaken, short of time, and what cannot be read."""

import json
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from itertools import count
from typing import Any

import pytest

from ecrm.application.night_ports import Group, Place
from ecrm.application.nights import CUSTOMERS_A_GROUP, Planned, Skipped, fail_night, groups_for
from ecrm.domain.errors import Conflict, NotFound, Unavailable
from ecrm.domain.nights import NightState
from ecrm.store.keys import SHARDS as ALL_SHARDS
from ecrm.store.keys import statistics
from ecrm.store.table import Put
from tests.properties.members import NOW, TODAY
from tests.simulation.company import Stopped
from tests.simulation.night import RULES, SEGMENTS, SHARDS, Company, a_segment, people
from tests.simulation.test_nights import DAY, company


def test_a_night_that_is_found_twelve_hours_late_is_skipped_and_says_so() -> None:
    twin = company().fork()
    assert Planned(TODAY, Skipped.LATE) == twin.plan(NOW, late=timedelta(hours=12, microseconds=1))
    night = twin.nights.find(TODAY)
    assert night is not None
    assert (NightState.SKIPPED, 0) == (night.state, night.generation)
    assert Planned(TODAY, Skipped.LATE) == twin.plan(NOW, late=timedelta(hours=13))


def test_a_day_whose_night_was_skipped_may_still_have_one() -> None:
    """Started by hand, for a time that is not so long ago."""
    twin = company().fork()
    twin.plan(NOW, late=timedelta(hours=13))
    assert twin.have_a_night(NOW + timedelta(hours=2)).skipped is None
    night = twin.nights.find(TODAY)
    assert night is not None
    assert (NightState.PUBLISHED, NOW + timedelta(hours=2)) == (night.state, night.scheduled_at)


def test_a_night_that_failed_goes_on_where_it_was() -> None:
    twin = company().fork()
    planned = twin.plan(NOW)
    place = Place(TODAY, planned.generation)
    fail_night(place, "StepFailed", nights=twin.nights, clock=Stopped(NOW))
    failed = twin.nights.find(TODAY)
    assert failed is not None
    assert (NightState.FAILED, "StepFailed", NOW) == (failed.state, failed.error, failed.finished_at)
    assert planned == twin.have_a_night(NOW)
    done = twin.nights.find(TODAY)
    assert done is not None
    assert (NightState.PUBLISHED, None) == (done.state, done.error)
    fail_night(place, "StepFailed", nights=twin.nights, clock=Stopped(NOW))
    assert done == twin.nights.find(TODAY)


def test_a_night_that_was_overtaken_is_neither_scored_nor_published_nor_told() -> None:
    twin = company().fork()
    planned = twin.plan(NOW)
    steps = list(twin.steps(NOW, planned))
    for each in steps[: 2 * len(planned.groups)]:  # all but the scoring of the last group
        each()
    twin.plan(NOW + DAY)
    place, group = Place(TODAY, planned.generation), planned.groups[-1]
    for step, code in (
        (partial(twin.score, place, group), "night_overtaken"),
        (partial(twin.publish, place, NOW), "night_overtaken"),
        (partial(twin.tell, place, group, NOW), "night_unpublished"),
    ):
        with pytest.raises(Conflict) as refused:
            step()
        assert code == refused.value.code
    assert Planned(TODAY, Skipped.OVERTAKEN) == twin.plan(NOW)
    assert company().seen() == twin.seen()


def test_a_night_before_the_published_one_is_too_late() -> None:
    twin = company().fork()
    assert Planned((NOW - 2 * DAY).date(), Skipped.OVERTAKEN) == twin.plan(NOW - 2 * DAY)


def test_a_night_waits_until_all_readers_see_the_one_before() -> None:
    """Memberships hold the truth of two generations; who reads by a pointer of a minute ago still has it."""
    twin = company().fork()
    published_at = NOW - DAY + timedelta(hours=1)
    with pytest.raises(Unavailable):
        twin.plan(NOW, late=published_at + timedelta(seconds=59) - NOW)
    assert twin.plan(NOW, late=published_at + timedelta(seconds=60) - NOW).skipped is None


def test_a_night_is_not_published_before_each_shard_is_scored() -> None:
    twin = company().fork()
    planned = twin.plan(NOW)
    steps = list(twin.steps(NOW, planned))
    groups = len(planned.groups)
    for step in steps[: 2 * groups]:  # all but the scoring of the last group
        step()
    with pytest.raises(NotFound) as refused:
        steps[2 * groups + 1]()
    assert "night_file_not_found" == refused.value.code
    assert company().seen() == twin.seen()


@pytest.mark.parametrize("step", ["snapshot", "score"])
def test_a_step_that_runs_out_of_time_goes_on_at_the_shard_where_it_was(step: str) -> None:
    twin = company().fork()
    planned = twin.plan(NOW)
    place, group = Place(TODAY, planned.generation), Group(0, SHARDS - 1)
    if step == "score":
        for each in list(twin.steps(NOW, planned))[: len(planned.groups) + 1]:
            each()
    for _ in range(SHARDS - 1):
        with pytest.raises(Unavailable):
            getattr(twin, step)(place, group, is_late=_after(1))
    getattr(twin, step)(place, group, is_late=_after(1))


def _after(shards: int) -> Callable[[], bool]:
    """Say that time is short once this was asked so often."""
    asked = count()
    return lambda: next(asked) >= shards


def test_who_cannot_be_read_stays_where_they_were() -> None:
    """A corrupt row, and corrupt facts; both are named, and neither is in the way of others."""
    twin = company().fork()
    known = min(twin.seen()["buyers"] & twin.members.keys())
    new = min(twin.members.keys() - people(1, 20).keys())
    asked = next(name for name in sorted(twin.members) if name not in (known, new) and _is_asked(twin, name))
    for customer_id in (known, new):
        key = statistics(customer_id)
        twin.table.put(Put({"PK": key.pk, "SK": key.sk, "type": "statistics", "v": 2, "version": 9}, None, "corrupt"))
    reads = twin.facts_of

    def corrupt(customer_id: str, score: Any) -> Any:
        if customer_id == asked:
            raise KeyError(customer_id)
        return reads(customer_id, score)

    twin.facts_of = corrupt  # type: ignore[method-assign]  # facts that are corrupt
    planned = twin.plan(NOW)
    steps = list(twin.steps(NOW, planned))
    groups = len(planned.groups)
    worked: list[Any] = [step() for step in steps[: 2 * groups + 2]][groups + 1 : 2 * groups + 1]
    named = {one.ids["customer_id"] for each in worked for one in each.unreadable}
    assert {known, new, asked} == named
    where = {
        customer_id: {name for name in RULES if customer_id in seen[name]}
        for seen in (twin.seen(),)
        for customer_id in (known, new, asked)
    }
    before = company().seen()
    assert {known: {name for name in RULES if known in before[name]}, new: set()} == {one: where[one] for one in (known, new)}
    assert {name for name in RULES if asked in before[name]} == where[asked]
    night = twin.nights.find(TODAY)
    assert night is not None
    assert 3 == night.unreadable
    assert len(twin.members) - 1 == night.customers, "nobody knows yet who the new one is"


def _is_asked(twin: Company, customer_id: str) -> bool:
    """Say whether a rule asks for a customer's facts."""
    probe = twin.fork()
    probe.live_with({customer_id: twin.members[customer_id]})
    probe.have_a_night(NOW)
    night = probe.nights.find(TODAY)
    return night is not None and night.from_facts > 0


@pytest.mark.parametrize(("version", "lacks"), [(1, "purchases"), (2, "months")])
def test_an_outdated_row_is_judged_by_the_facts_alone(version: int, lacks: str) -> None:
    twin = company().fork()
    for item in twin.table.items():
        if item["type"] == "statistics":
            item["v"] = version
            item.pop(lacks, None)
            twin.table.put(Put(item, None, "outdated"))
    plain = company().fork()
    plain.have_a_night(NOW)
    twin.have_a_night(NOW)
    night, expected = twin.nights.find(TODAY), plain.nights.find(TODAY)
    assert night is not None
    assert expected is not None
    assert night.customers == night.from_facts == expected.customers
    assert expected.thresholds
    assert night.thresholds
    assert {"EUR", "USD"} == expected.thresholds.models.keys()
    assert {} == night.thresholds.models
    same = RULES.keys() - {"gone", "promising"}  # which thresholds and models decide, and nobody could be counted for those
    assert {name: plain.seen()[name] for name in same} == {name: twin.seen()[name] for name in same}


def test_somebody_who_is_no_more_when_asked_for_is_in_no_segment() -> None:
    twin = company().fork()
    twin.facts_of = lambda _customer_id, _score: None  # type: ignore[method-assign,assignment]  # all were erased meanwhile
    twin.have_a_night(NOW)
    night = twin.nights.find(TODAY)
    assert night is not None
    assert night.customers == sum(night.stages.values()) < len(twin.members)


def _without_scores(twin: Company) -> None:
    for name in [name for name in twin.shelf.objects if "/scores/" in name]:
        del twin.shelf.objects[name]


def test_where_the_files_of_the_night_before_are_gone_memberships_say_who_was_where() -> None:
    plain, twin = company().fork(), company().fork()
    plain.have_a_night(NOW)
    _without_scores(twin)
    twin.have_a_night(NOW)
    assert plain.seen() == twin.seen()
    moves = {name: data for name, data in plain.told().items() if "segment" in data}
    assert moves == {name: data for name, data in twin.told().items() if "segment" in data}
    night = twin.nights.find(TODAY)
    assert night is not None
    known = {stage: sum(after.values()) for stage, after in night.moves.items()}
    assert all(before is after or before.value == "prospect" for before, others in night.moves.items() for after in others), known


CHANGES: dict[str, Callable[[], tuple[Any, ...]]] = {
    "new": lambda: (*SEGMENTS, a_segment("vip", {"stats": {"field": "orders", "op": ">=", "value": 2}})),
    "changed": lambda: (a_segment("buyers", {"stats": {"field": "orders", "op": ">=", "value": 2}}, 2), *SEGMENTS[1:]),
    "archived": lambda: SEGMENTS[:-1],
}
UNTOLD = {"new": {"vip"}, "changed": {"buyers", "quiet"}, "archived": {"silver"}}
"""`quiet` is made of `buyers`."""


@pytest.mark.parametrize("change", CHANGES)
def test_what_comes_of_a_definition_is_not_told(change: str) -> None:
    plain, twin = company().fork(), company().fork()
    plain.have_a_night(NOW)
    twin.offered.segments = CHANGES[change]()
    twin.have_a_night(NOW)
    expected = {name: data for name, data in plain.told().items() if data.get("segment") not in UNTOLD[change]}
    assert expected == twin.told()
    if change == "archived":
        assert frozenset() == twin.seen()["silver"]


def test_the_first_night_tells_nothing_and_knows_no_moves() -> None:
    assert {} == company().told()
    night = company().nights.find((NOW - DAY).date())
    assert night is not None
    assert ({}, 20) == (night.moves, sum(night.stages.values()))
    assert night.sizes == {name: night.entered.get(name, 0) for name in RULES}


@pytest.mark.parametrize(
    ("customers", "groups"),
    [(0, 1), (1, 1), (25_000, 1), (25_001, 2), (1_000_000, 40), (6_400_000, 256), (100_000_000, 256)],
)
def test_shards_are_parted_evenly_among_as_many_workers_as_customers_deserve(customers: int, groups: int) -> None:
    found = groups_for(customers, ALL_SHARDS, CUSTOMERS_A_GROUP)
    assert groups == len(found)
    assert list(range(ALL_SHARDS)) == [shard for group in found for shard in group.shards]
    sizes = {len(group.shards) for group in found}
    assert max(sizes) - min(sizes) <= 1


def test_a_step_of_no_night_finds_nothing() -> None:
    twin = company().fork()
    for place in (Place(TODAY, 2), Place((NOW - DAY).date(), 7)):
        with pytest.raises(NotFound) as refused:
            twin.publish(place, NOW)
        assert "night_not_found" == refused.value.code


def test_two_who_write_at_once_are_asked_to_try_again() -> None:
    """The night, and its end, are written under the versions that were seen."""
    twin = company().fork()
    planned = twin.plan(NOW)
    for step in list(twin.steps(NOW, planned))[: 2 * len(planned.groups) + 1]:
        step()
    twin.nights.write = lambda *_, **__: False  # type: ignore[method-assign]  # another one always wrote first
    place = Place(TODAY, planned.generation)
    for call in (
        partial(twin.publish, place, NOW),
        partial(fail_night, place, "StepFailed", nights=twin.nights, clock=Stopped(NOW)),
        partial(twin.plan, NOW + DAY),
    ):
        with pytest.raises(Unavailable) as refused:
            call()
        assert "contended" == refused.value.code


def test_a_report_says_what_its_night_found_and_is_made_of_published_nights_alone() -> None:
    twin = company().fork()
    planned = twin.plan(NOW)
    place = Place(TODAY, planned.generation)
    *steps, report = twin.steps(NOW, planned)
    with pytest.raises(Conflict) as early:
        report()
    for step in steps:
        step()
    report()
    night, said = twin.nights.find(TODAY), twin.reports.read(TODAY)
    assert night is not None
    assert said is not None
    told = json.loads(said)
    assert "night_unpublished" == early.value.code
    assert (night.customers, dict(night.stages), TODAY.isoformat()) == (told["customers"], told["stages"], told["night"])
    assert {before: dict(after) for before, after in night.moves.items()} == told["moves"]
    assert (NOW - DAY).date().isoformat() == told["base_night"]
    assert {"EUR", "USD"} == told["currencies"].keys()
    for part in told["currencies"].values():
        buyers = sum(cohort["customers"] for cohort in part["cohorts"])
        fields = sum(cell["customers"] for row in part["rfm"] for cell in row)
        assert buyers == fields == part["spent"]["customers"] == part["outlook"]["customers"] == sum(part["outlook"]["by_chance"])
    with pytest.raises(NotFound) as strange:
        twin.report(Place(TODAY, place.generation + 1))
    for name in [name for name in twin.shelf.objects if "/counts/" in name]:
        del twin.shelf.objects[name]
    with pytest.raises(NotFound) as gone:
        report()
    assert ("night_not_found", "night_file_not_found") == (strange.value.code, gone.value.code)
