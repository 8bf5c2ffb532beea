"""When campaigns occur: by the calendar, by the clock on the wall, on the days too when that is put forward or back; and the life
of their runs.
"""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecrm.domain.campaigns import Every, Occurrence, Schedule, Unit, next_occurrence, occurrence, occurs_at
from ecrm.domain.instants import instant_of
from ecrm.domain.runs import RunState, cancelled, page_of, paused, resumed, retry_id, run_id
from tests.builders import NOON, a_run

BERLIN = "Europe/Berlin"
LATER = NOON + timedelta(hours=1)


def a_schedule(day: str, at: str, every: str = "", until: str = "", *, is_local: bool = False) -> Schedule:
    """`every` is `day`, `week 1 4`, `month 1 -1`."""
    unit, *days = every.split() or [""]
    return Schedule(
        day=date.fromisoformat(day),
        at=time.fromisoformat(at),
        every=Every(Unit(unit), tuple(map(int, days))) if unit else None,
        until=date.fromisoformat(until) if until else None,
        is_local=is_local,
    )


def coming(schedule: Schedule, zone: str, after: str, most: int = 100) -> list[str]:
    """The occurrences that come after an instant, as that goes on."""
    found: list[str] = []
    at = datetime.fromisoformat(after).replace(tzinfo=UTC)
    while len(found) < most and (one := next_occurrence(schedule, ZoneInfo(zone), at)):
        at = one.scheduled_at
        found.append(f"{at:%Y-%m-%dT%H:%M}")
    return found


TABLE: list[tuple[Schedule, str, str, list[str]]] = [
    # Once: before, at and after its moment.
    (a_schedule("2026-12-01", "09:00"), BERLIN, "2026-11-22T00:00", ["2026-12-01T08:00"]),
    (a_schedule("2026-12-01", "09:00"), BERLIN, "2026-12-01T07:59", ["2026-12-01T08:00"]),
    (a_schedule("2026-12-01", "09:00"), BERLIN, "2026-12-01T08:00", []),
    (a_schedule("2026-12-01", "00:00"), "Pacific/Kiritimati", "2026-11-30T09:59", ["2026-11-30T10:00"]),
    (a_schedule("2026-12-01", "23:59"), "Pacific/Pago_Pago", "2026-12-02T10:58", ["2026-12-02T10:59"]),
    # Every day, from a first day to a last one, which is in it.
    (
        a_schedule("2026-12-30", "18:30", "day", "2027-01-02"),
        "UTC",
        "2026-12-30T18:30",
        ["2026-12-31T18:30", "2027-01-01T18:30", "2027-01-02T18:30"],
    ),
    (a_schedule("2026-12-01", "08:00", "day", "2026-12-01"), "UTC", "2026-11-01T00:00", ["2026-12-01T08:00"]),
    # Every week: a first day that is none of its days waits for the first that is.
    (
        a_schedule("2026-12-02", "09:00", "week 1 4", "2026-12-14"),
        BERLIN,
        "2026-11-01T00:00",
        ["2026-12-03T08:00", "2026-12-07T08:00", "2026-12-10T08:00", "2026-12-14T08:00"],
    ),
    # Every month: a month that lacks a day lacks an occurrence, the last day is there in each.
    (
        a_schedule("2027-01-31", "09:00", "month 31", "2027-06-30"),
        "UTC",
        "2027-01-01T00:00",
        ["2027-01-31T09:00", "2027-03-31T09:00", "2027-05-31T09:00"],
    ),
    (
        a_schedule("2027-12-31", "09:00", "month -1", "2028-03-31"),
        "UTC",
        "2027-12-01T00:00",
        ["2027-12-31T09:00", "2028-01-31T09:00", "2028-02-29T09:00", "2028-03-31T09:00"],
    ),
    (
        a_schedule("2027-02-01", "09:00", "month 1 28 -1", "2027-03-01"),
        "UTC",
        "2027-01-01T00:00",
        ["2027-02-01T09:00", "2027-02-28T09:00", "2027-03-01T09:00"],
    ),
    # The time of the wall clock stays, whatever UTC says: Berlin's is put forward on 29 March and back on 25 October 2026.
    (
        a_schedule("2026-03-28", "09:00", "day", "2026-03-30"),
        BERLIN,
        "2026-03-27T12:00",
        ["2026-03-28T08:00", "2026-03-29T07:00", "2026-03-30T07:00"],
    ),
    (
        a_schedule("2026-10-24", "09:00", "day", "2026-10-26"),
        BERLIN,
        "2026-10-23T12:00",
        ["2026-10-24T07:00", "2026-10-25T08:00", "2026-10-26T08:00"],
    ),
    # A time that the clock jumps over comes when it would have come; one that it shows twice, the first time only.
    (
        a_schedule("2026-03-28", "02:30", "day", "2026-03-30"),
        BERLIN,
        "2026-03-27T12:00",
        ["2026-03-28T01:30", "2026-03-29T01:30", "2026-03-30T00:30"],
    ),
    (
        a_schedule("2026-10-24", "02:30", "day", "2026-10-26"),
        BERLIN,
        "2026-10-23T12:00",
        ["2026-10-24T00:30", "2026-10-25T00:30", "2026-10-26T01:30"],
    ),
    (a_schedule("2026-10-25", "02:30"), BERLIN, "2026-10-25T00:30", []),
    # By half an hour, and at midnight.
    (
        a_schedule("2026-10-03", "02:15", "day", "2026-10-04"),
        "Australia/Lord_Howe",
        "2026-10-01T00:00",
        ["2026-10-02T15:45", "2026-10-03T15:45"],
    ),
    (
        a_schedule("2026-04-23", "00:30", "day", "2026-04-25"),
        "Africa/Cairo",
        "2026-04-22T00:00",
        ["2026-04-22T22:30", "2026-04-23T22:30", "2026-04-24T21:30"],
    ),
    # Samoa had no 30 December 2011: what would have come on it comes with that of the 31st, once.
    (
        a_schedule("2011-12-29", "09:00", "day", "2011-12-31"),
        "Pacific/Apia",
        "2011-12-29T00:00",
        ["2011-12-29T19:00", "2011-12-30T19:00"],
    ),
    # Where each recipient is: it begins where that time comes first, whatever the site's clock.
    (a_schedule("2026-12-01", "09:00", is_local=True), BERLIN, "2026-11-30T18:59", ["2026-11-30T19:00"]),
    (a_schedule("2026-12-01", "09:00", is_local=True), "America/New_York", "2026-11-30T19:00", []),
    (
        a_schedule("2026-03-28", "02:30", "week 6 7", "2026-03-29", is_local=True),
        BERLIN,
        "2026-03-01T00:00",
        ["2026-03-27T12:30", "2026-03-28T12:30"],
    ),
]


@pytest.mark.parametrize(("schedule", "zone", "after", "expected"), TABLE)
def test_occurrences_come_by_the_calendar_and_the_clock(schedule: Schedule, zone: str, after: str, expected: list[str]) -> None:
    assert expected == coming(schedule, zone, after)


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("Pacific/Kiritimati", "2026-11-30T19:00"),
        ("Asia/Tehran", "2026-12-01T05:30"),
        (BERLIN, "2026-12-01T08:00"),
        ("America/New_York", "2026-12-01T14:00"),
        ("Etc/GMT+12", "2026-12-01T21:00"),
    ],
)
def test_each_recipient_has_an_instant_between_when_it_begins_and_when_it_has_come_for_all(zone: str, expected: str) -> None:
    one = occurs_at(a_schedule("2026-12-01", "09:00", is_local=True), ZoneInfo(BERLIN), date(2026, 12, 1))
    assert one.wall is not None
    instant = instant_of(one.wall, ZoneInfo(zone))
    assert datetime.fromisoformat(expected).replace(tzinfo=UTC) == instant
    assert one.scheduled_at <= instant <= one.ends_at


def test_an_occurrence_without_a_local_time_has_come_for_all_when_it_begins() -> None:
    one = occurs_at(a_schedule("2026-12-01", "09:00"), ZoneInfo(BERLIN), date(2026, 12, 1))
    assert (None, one.scheduled_at) == (one.wall, one.ends_at)


zones = st.sampled_from(sorted(zone for zone in available_timezones() if "/" in zone))
days = st.dates(date(2024, 1, 1), date(2028, 12, 31))
rules = st.one_of(
    st.none(),
    st.just(Every(Unit.DAY)),
    st.sets(st.integers(1, 7), min_size=1).map(lambda some: Every(Unit.WEEK, tuple(sorted(some)))),
    st.sets(st.sampled_from([-1, *range(1, 32)]), min_size=1).map(lambda some: Every(Unit.MONTH, tuple(sorted(some)))),
)
schedules = st.builds(
    Schedule, day=days, at=st.times().map(lambda at: at.replace(second=0, microsecond=0)), every=rules, is_local=st.booleans()
)


@given(schedules, zones, st.datetimes(datetime(2024, 1, 1), datetime(2028, 12, 31), timezones=st.just(UTC)))  # noqa: DTZ001
def test_the_next_occurrence_is_the_first_of_all_days_that_comes_after(schedule: Schedule, zone: str, after: datetime) -> None:
    where = ZoneInfo(zone)
    found = next_occurrence(schedule, where, after)
    last = max(schedule.day, after.date()) + timedelta(days=70)
    every = schedule.every
    held = (schedule.day + timedelta(days=number) for number in range((last - schedule.day).days + 1))
    all_of_them = (occurs_at(schedule, where, day) for day in held if (every.holds(day) if every else day == schedule.day))
    assert min((one for one in all_of_them if one.scheduled_at > after), key=lambda one: one.scheduled_at, default=None) == found


@given(schedules, zones)
def test_an_occurrence_is_known_again_by_its_name_alone(schedule: Schedule, zone: str) -> None:
    one = occurs_at(schedule, ZoneInfo(zone), schedule.day)
    assert one == occurrence(schedule, one.scheduled_at)
    assert Occurrence(NOON) == occurrence(None, NOON)


@given(days, st.times(), zones)
def test_no_clock_shows_a_time_before_it_comes_first_on_earth_or_after_it_comes_last(day: date, at: time, zone: str) -> None:
    one = occurs_at(Schedule(day=day, at=at, is_local=True), ZoneInfo("UTC"), day)
    wall = datetime.combine(day, at)
    shown = instant_of(wall, ZoneInfo(zone))
    jumped = timedelta(0) if shown.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == wall else timedelta(hours=1)
    assert one.scheduled_at - jumped <= shown <= one.ends_at + jumped


# ── runs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_occurrence_is_one_run_whoever_begins_it() -> None:
    assert run_id("spring", NOON) == run_id("spring", NOON.astimezone(ZoneInfo(BERLIN)))
    names = {run_id("spring", NOON), run_id("spring", LATER), run_id("autumn", NOON), retry_id(run_id("spring", NOON))}
    assert (4, {32}) == (len(names), set(map(len, names)))


@pytest.mark.parametrize("pages", [1, 2, 3, 17, 100, 255, 256])
def test_a_page_has_whole_shards_and_each_shard_one_page(pages: int) -> None:
    of_shards = [page_of(shard, pages, 256) for shard in range(256)]
    assert sorted(of_shards) == of_shards
    assert set(range(pages)) == set(of_shards)
    sizes = [of_shards.count(page) for page in range(pages)]
    assert max(sizes) - min(sizes) <= 1


def test_a_run_is_paused_and_goes_on_where_it_was() -> None:
    sending, planning = a_run(), a_run(state=RunState.PLANNING, planned_at=None)
    assert replace(sending, state=RunState.PAUSED, version=2) == paused(sending)
    assert replace(sending, woken_at=None, due_at=LATER, version=3) == resumed(paused(sending), LATER)
    assert replace(planning, woken_at=None, due_at=LATER, version=3) == resumed(paused(planning), LATER)
    assert (paused(sending), sending) == (paused(paused(sending)), resumed(sending, LATER))


def test_a_run_can_be_cancelled_until_it_is_over() -> None:
    run = a_run(woken_at=NOON)
    ended = replace(run, state=RunState.CANCELLED, woken_at=None, due_at=LATER, version=2)
    assert ended == cancelled(run, LATER)
    assert [ended] * 3 == [cancelled(ended, NOON), paused(ended), resumed(ended, NOON)]
    for over in (a_run(state=RunState.SETTLED, settled_at=NOON), a_run(state=RunState.SKIPPED, reason="late")):
        assert [over] * 3 == [cancelled(over, LATER), paused(over), resumed(over, LATER)]
