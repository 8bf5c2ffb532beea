"""What days, windows and anniversaries are, where clocks change and years leap."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecrm.domain.windows import (
    DAY,
    After,
    Before,
    Between,
    Direction,
    Ever,
    LastDays,
    LastHours,
    Moment,
    Origin,
    Span,
    Window,
    celebrated,
    day_of,
    is_near,
    origin_of,
    span,
    start_of,
)

NEW_YORK, BERLIN, TEHRAN = ZoneInfo("America/New_York"), ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Tehran")
ZONES = st.sampled_from(
    [
        *("Africa/Cairo", "America/Havana", "America/New_York", "America/Sao_Paulo", "America/St_Johns", "Asia/Beirut"),
        *("Asia/Kathmandu", "Asia/Tehran", "Australia/Lord_Howe", "Europe/Berlin", "Pacific/Apia", "Pacific/Kiritimati", "UTC"),
    ]
).map(ZoneInfo)
DAYS = st.dates(date(1995, 1, 1), date(2037, 12, 31))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


STARTS = {
    "in winter": (date(2026, 1, 5), "Europe/Berlin", "2026-01-04T23:00"),
    "in summer": (date(2026, 7, 5), "Europe/Berlin", "2026-07-04T22:00"),
    "before clocks are put forward": (date(2026, 3, 29), "Europe/Berlin", "2026-03-28T23:00"),
    "after they were": (date(2026, 3, 30), "Europe/Berlin", "2026-03-29T22:00"),
    "without a midnight: it begins at one": (date(2018, 11, 4), "America/Sao_Paulo", "2018-11-04T03:00"),
    "with two midnights: it begins with the first": (date(2026, 11, 1), "America/Havana", "2026-11-01T04:00"),
    "that a country skipped: the next day's": (date(2011, 12, 30), "Pacific/Apia", "2011-12-30T10:00"),
    "after the one that it skipped": (date(2011, 12, 31), "Pacific/Apia", "2011-12-30T10:00"),
    "fourteen hours ahead": (date(2026, 1, 1), "Pacific/Kiritimati", "2025-12-31T10:00"),
    "three hours and a half ahead": (date(2026, 11, 20), "Asia/Tehran", "2026-11-19T20:30"),
}


@pytest.mark.parametrize("case", STARTS)
def test_a_day_starts_where_the_clocks_first_show_it(case: str) -> None:
    day, zone, expected = STARTS[case]
    assert utc(expected) == start_of(day, ZoneInfo(zone))


@settings(max_examples=300)
@given(day=DAYS, zone=ZONES)
def test_the_start_of_a_day_is_found_by_watching_the_clock_minute_by_minute(day: date, zone: ZoneInfo) -> None:
    watched = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=15)
    while watched.astimezone(zone).date() < day:
        watched += timedelta(minutes=1)
    assert watched == start_of(day, zone)


def test_in_every_zone_there_is_a_day_starts_where_the_one_before_ends() -> None:
    """The days of two years whose midnights clocks have twice, or do not have."""
    second, found = timedelta(seconds=1), 0
    for zone in map(ZoneInfo, sorted(available_timezones())):
        for day in (date(2026, 1, 1) + number * DAY for number in range(2 * 365)):
            midnight = datetime.combine(day, time(), zone)
            if midnight.utcoffset() != midnight.replace(fold=1).utcoffset():
                start, found = start_of(day, zone), found + 1
                assert [day - DAY, day] == [at.astimezone(zone).date() for at in (start - second, start)], zone.key
    assert found > 5


NOW = utc("2026-11-03T11:30")
"""In New York clocks were put back two days ago."""
SPANS: dict[str, tuple[Window, Span]] = {
    "the last days, of 24 hours also where one had 25": (
        LastDays(3),
        Span(utc("2026-10-31T11:30"), utc("2026-11-03T11:30:00.000001")),
    ),
    "the last hours": (LastHours(48), Span(utc("2026-11-01T11:30"), utc("2026-11-03T11:30:00.000001"))),
    "a day of 25 hours": (
        Between(date(2026, 11, 1), date(2026, 11, 1)),
        Span(utc("2026-11-01T04:00"), utc("2026-11-02T05:00")),
    ),
    "a day of 23 hours": (
        Between(date(2026, 3, 8), date(2026, 3, 8)),
        Span(utc("2026-03-08T05:00"), utc("2026-03-09T04:00")),
    ),
    "before a day": (Before(date(2026, 11, 1)), Span(datetime.min.replace(tzinfo=UTC), utc("2026-11-01T04:00"))),
    "after a day": (After(date(2026, 11, 1)), Span(utc("2026-11-02T05:00"), datetime.max.replace(tzinfo=UTC))),
    "ever": (Ever(), Span(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))),
}


@pytest.mark.parametrize("case", SPANS)
def test_a_window_is_a_span_of_instants(case: str) -> None:
    window, expected = SPANS[case]
    assert expected == span(window, Moment(NOW, NEW_YORK))


@settings(max_examples=300)
@given(
    first=DAYS,
    days=st.integers(0, 400),
    zone=ZONES,
    off=st.timedeltas(timedelta(days=-3), timedelta(days=3)),
)
def test_every_instant_is_before_within_or_after_some_days_and_never_two_of_them(
    first: date, days: int, zone: ZoneInfo, off: timedelta
) -> None:
    last, moment = first + days * DAY, Moment(NOW, zone)
    windows = (Before(first), Between(first, last), After(last))
    for border in (start_of(first, zone), start_of(last + DAY, zone)):
        for at in (border, border - timedelta(microseconds=1), border + off):
            assert 1 == sum(span(window, moment).holds(at) for window in windows)


def test_now_belongs_to_the_last_hours_and_what_clocks_ahead_of_ours_say_does_not() -> None:
    recent = span(LastHours(1), Moment(NOW, BERLIN))
    assert [True, True, False, False] == [
        recent.holds(NOW + off)
        for off in (timedelta(), timedelta(hours=-1), timedelta(microseconds=1), timedelta(hours=-1, microseconds=-1))
    ]


DATES = {
    "a day": ("2026-11-20", date(2026, 11, 20)),
    "an instant, by the company's clocks": ("2026-11-20T23:30:00Z", date(2026, 11, 21)),
    "an instant of another zone": ("2026-11-20T23:30:00+09:00", date(2026, 11, 20)),
    "the first instant of the calendar": ("0001-01-01T00:00:00+01:00", date(1, 1, 1)),
    "the last instant of the calendar": ("9999-12-31T23:59:59Z", date(9999, 12, 31)),
    "a day that does not exist": ("2026-02-29", None),
    "a day of any year": ("--02-28", None),
    "a word": ("soon", None),
}


@pytest.mark.parametrize("case", DATES)
def test_the_day_that_an_attribute_means(case: str) -> None:
    text, expected = DATES[case]
    assert expected == day_of(text, BERLIN)


ORIGINS = {
    "a day": ("1990-11-05", Origin(1990, 11, 5), Origin(1990, 11, 5)),
    "a day of any year": ("--02-29", Origin(None, 2, 29), Origin(None, 2, 29)),
    "an instant: a birthday as written, else by the company's clocks": (
        "1987-02-27T23:30:00Z",
        Origin(1987, 2, 27),
        Origin(1987, 2, 28),
    ),
    "no such day of any year": ("--02-30", None, None),
    "something that begins like a day": ("1990-11-05 or so", None, None),
    "a word": ("soon", None, None),
}


@pytest.mark.parametrize("case", ORIGINS)
def test_what_an_anniversary_is_of(case: str) -> None:
    text, as_written, in_berlin = ORIGINS[case]
    assert [as_written, in_berlin] == [origin_of(text, None), origin_of(text, BERLIN)]


NEXT, LAST = Direction.NEXT, Direction.LAST
LEAPLING = Origin(2000, 2, 29)
ANNIVERSARIES = {
    "today": (Origin(1990, 11, 5), date(2026, 11, 5), 0, NEXT, True),
    "tomorrow, asked for today": (Origin(1990, 11, 6), date(2026, 11, 5), 0, NEXT, False),
    "in seven days": (Origin(1990, 11, 12), date(2026, 11, 5), 7, NEXT, True),
    "in eight days": (Origin(1990, 11, 13), date(2026, 11, 5), 7, NEXT, False),
    "yesterday": (Origin(1990, 11, 4), date(2026, 11, 5), 7, NEXT, False),
    "yesterday, of the last days": (Origin(1990, 11, 4), date(2026, 11, 5), 7, LAST, True),
    "over the turn of the year": (Origin(1990, 1, 2), date(2026, 12, 30), 3, NEXT, True),
    "back over the turn of the year": (Origin(1990, 12, 30), date(2027, 1, 2), 3, LAST, True),
    "the day itself is no anniversary": (Origin(2026, 11, 5), date(2026, 11, 5), 0, NEXT, False),
    "nor is the day a week ago": (Origin(2026, 10, 29), date(2026, 11, 5), 7, LAST, False),
    "the first one": (Origin(2025, 11, 5), date(2026, 11, 5), 0, NEXT, True),
    "of a birthday whose year nobody knows": (Origin(None, 11, 5), date(2026, 11, 5), 0, NEXT, True),
    "of one who is not yet born": (Origin(2030, 11, 5), date(2026, 11, 5), 366, NEXT, False),
    "29 February in a leap year": (LEAPLING, date(2028, 2, 29), 0, NEXT, True),
    "28 February in a leap year": (LEAPLING, date(2028, 2, 28), 0, NEXT, False),
    "29 February, kept on the 28th in other years": (LEAPLING, date(2026, 2, 28), 0, NEXT, True),
    "and not on 1 March": (LEAPLING, date(2026, 3, 1), 0, NEXT, False),
    "29 February of 2100, which is no leap year": (LEAPLING, date(2100, 2, 28), 0, NEXT, True),
    "28 February in every year": (Origin(2000, 2, 28), date(2026, 2, 28), 0, NEXT, True),
}


@pytest.mark.parametrize("case", ANNIVERSARIES)
def test_an_anniversary_is_near(case: str) -> None:
    origin, today, within_days, direction, expected = ANNIVERSARIES[case]
    assert expected is is_near(origin, today, within_days, direction)


@given(born=DAYS, today=DAYS, within_days=st.integers(0, 366), direction=st.sampled_from(Direction))
def test_an_anniversary_is_near_where_one_of_the_days_is_the_one_it_is_kept_on(
    born: date, today: date, within_days: int, direction: Direction
) -> None:
    step = DAY if direction is NEXT else -DAY
    days = [today + step * away for away in range(within_days + 1)]
    origin = Origin(born.year, born.month, born.day)
    expected = any(day == celebrated(origin, day.year) and day.year > born.year for day in days)
    assert expected is is_near(origin, today, within_days, direction)


@given(day=DAYS, year=st.integers(1971, 2999))
def test_there_is_one_anniversary_a_year_in_the_same_month(day: date, year: int) -> None:
    kept = celebrated(Origin(day.year, day.month, day.day), year)
    assert (year, day.month) == (kept.year, kept.month)
    assert kept.day == day.day or (day.month, day.day, kept.day) == (2, 29, 28)


def test_today_is_the_company_s() -> None:
    late = utc("2026-11-20T21:00")
    assert [date(2026, 11, 21), date(2026, 11, 20)] == [Moment(late, TEHRAN).today, Moment(late, BERLIN).today]
