"""Quiet hours by the recipient's clock (S12): on the days when it is put forward or back, too."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecrm.domain.contact_policy import QUIET_HOURS, QuietHours, Window, quiet_until

NIGHT = "21:00-08:00"
SMALL = "02:15-02:45"
"""Within the hour that a clock in Berlin shows twice in October, and not at all in March."""

TABLE: list[tuple[str, str, str, str | None]] = [
    # An ordinary winter's day, hours through midnight: both ends, a microsecond before them, and in between.
    (NIGHT, "Europe/Berlin", "2026-01-15T20:00:00", "2026-01-16T07:00:00"),
    (NIGHT, "Europe/Berlin", "2026-01-15T19:59:59.999999", None),
    (NIGHT, "Europe/Berlin", "2026-01-15T23:30:00", "2026-01-16T07:00:00"),
    (NIGHT, "Europe/Berlin", "2026-01-16T06:59:59.999999", "2026-01-16T07:00:00"),
    (NIGHT, "Europe/Berlin", "2026-01-16T07:00:00", None),
    (NIGHT, "Europe/Berlin", "2026-01-16T12:00:00", None),
    # And a summer's.
    (NIGHT, "Europe/Berlin", "2026-07-15T18:59:59", None),
    (NIGHT, "Europe/Berlin", "2026-07-15T19:00:00", "2026-07-16T06:00:00"),
    (NIGHT, "Europe/Berlin", "2026-07-16T05:59:59", "2026-07-16T06:00:00"),
    (NIGHT, "Europe/Berlin", "2026-07-16T06:00:00", None),
    # One instant is another hour elsewhere.
    (NIGHT, "UTC", "2026-01-15T20:30:00", None),
    (NIGHT, "UTC", "2026-01-15T21:00:00", "2026-01-16T08:00:00"),
    (NIGHT, "Asia/Tehran", "2026-01-15T17:30:00", "2026-01-16T04:30:00"),
    (NIGHT, "Asia/Tehran", "2026-01-15T17:29:59", None),
    (NIGHT, "Asia/Tehran", "2026-07-15T17:30:00", "2026-07-16T04:30:00"),
    (NIGHT, "Asia/Shanghai", "2026-01-15T13:00:00", "2026-01-16T00:00:00"),
    (NIGHT, "Asia/Shanghai", "2026-01-16T00:00:00", None),
    (NIGHT, "Asia/Kathmandu", "2026-01-15T15:15:00", "2026-01-16T02:15:00"),
    (NIGHT, "America/New_York", "2026-01-16T02:00:00", "2026-01-16T13:00:00"),
    (NIGHT, "America/New_York", "2026-01-16T01:59:59", None),
    (NIGHT, "Pacific/Auckland", "2026-01-15T08:00:00", "2026-01-15T19:00:00"),
    (NIGHT, "Pacific/Kiritimati", "2026-01-15T07:00:00", "2026-01-15T18:00:00"),
    (NIGHT, "Pacific/Pago_Pago", "2026-01-16T08:00:00", "2026-01-16T19:00:00"),
    # The night in which Berlin's clock is put forward, at 01:00 UTC, has an hour less.
    (NIGHT, "Europe/Berlin", "2026-03-28T20:00:00", "2026-03-29T06:00:00"),
    (NIGHT, "Europe/Berlin", "2026-03-29T05:59:59", "2026-03-29T06:00:00"),
    (NIGHT, "Europe/Berlin", "2026-03-29T06:00:00", None),
    (NIGHT, "Europe/Berlin", "2026-03-29T19:00:00", "2026-03-30T06:00:00"),
    # The night in which it is put back, at 01:00 UTC, has an hour more.
    (NIGHT, "Europe/Berlin", "2026-10-24T19:00:00", "2026-10-25T07:00:00"),
    (NIGHT, "Europe/Berlin", "2026-10-25T06:00:00", "2026-10-25T07:00:00"),
    (NIGHT, "Europe/Berlin", "2026-10-25T06:59:59", "2026-10-25T07:00:00"),
    (NIGHT, "Europe/Berlin", "2026-10-25T07:00:00", None),
    (NIGHT, "Europe/Berlin", "2026-10-25T20:00:00", "2026-10-26T07:00:00"),
    # Hours within the hour that is not there do not hold that night.
    (SMALL, "Europe/Berlin", "2026-03-29T00:59:59", None),
    (SMALL, "Europe/Berlin", "2026-03-29T01:00:00", None),
    (SMALL, "Europe/Berlin", "2026-03-30T00:15:00", "2026-03-30T00:45:00"),
    # Within the hour that is there twice they hold twice.
    (SMALL, "Europe/Berlin", "2026-10-25T00:14:59", None),
    (SMALL, "Europe/Berlin", "2026-10-25T00:15:00", "2026-10-25T00:45:00"),
    (SMALL, "Europe/Berlin", "2026-10-25T00:45:00", None),
    (SMALL, "Europe/Berlin", "2026-10-25T01:15:00", "2026-10-25T01:45:00"),
    (SMALL, "Europe/Berlin", "2026-10-25T01:45:00", None),
    # An end that the clock jumps over comes when it would have come; one that comes twice ends them twice.
    ("21:00-02:30", "Europe/Berlin", "2026-03-28T23:00:00", "2026-03-29T01:30:00"),
    ("21:00-02:30", "Europe/Berlin", "2026-03-29T00:59:59", "2026-03-29T01:30:00"),
    ("21:00-02:30", "Europe/Berlin", "2026-03-29T01:00:00", None),
    ("21:00-02:30", "Europe/Berlin", "2026-10-24T23:00:00", "2026-10-25T00:30:00"),
    ("21:00-02:30", "Europe/Berlin", "2026-10-25T00:30:00", None),
    ("21:00-02:30", "Europe/Berlin", "2026-10-25T01:00:00", "2026-10-25T01:30:00"),
    # A start that the clock jumps over, and one that comes twice.
    ("02:30-06:00", "Europe/Berlin", "2026-03-29T00:59:59", None),
    ("02:30-06:00", "Europe/Berlin", "2026-03-29T01:00:00", "2026-03-29T04:00:00"),
    ("02:30-06:00", "Europe/Berlin", "2026-10-25T00:30:00", "2026-10-25T05:00:00"),
    ("02:30-06:00", "Europe/Berlin", "2026-10-25T01:00:00", None),
    ("02:30-06:00", "Europe/Berlin", "2026-10-25T01:30:00", "2026-10-25T05:00:00"),
    # Elsewhere clocks are moved at other hours, by half an hour, at midnight, or by a day.
    ("21:00-02:15", "Australia/Lord_Howe", "2026-10-03T15:00:00", "2026-10-03T15:45:00"),
    ("01:30-02:00", "Australia/Lord_Howe", "2026-04-04T14:30:00", "2026-04-04T15:30:00"),
    ("23:30-00:30", "Africa/Cairo", "2026-04-23T21:30:00", "2026-04-23T22:30:00"),
    (NIGHT, "Pacific/Apia", "2011-12-30T08:00:00", "2011-12-30T18:00:00"),
    # Hours within a day.
    ("12:00-14:00", "Europe/Berlin", "2026-01-15T11:00:00", "2026-01-15T13:00:00"),
    ("12:00-14:00", "Europe/Berlin", "2026-01-15T10:59:59", None),
    ("12:00-14:00", "Europe/Berlin", "2026-01-15T13:00:00", None),
    ("00:00-12:00", "Europe/Berlin", "2026-01-14T23:00:00", "2026-01-15T11:00:00"),
    ("12:00-00:00", "Europe/Berlin", "2026-01-15T22:59:59", "2026-01-15T23:00:00"),
    ("12:00-00:00", "Europe/Berlin", "2026-01-15T23:00:00", None),
]


def hours(text: str) -> QuietHours:
    start, end = map(time.fromisoformat, text.split("-"))
    return QuietHours(start, end)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_the_table_has_sixty_cases() -> None:
    assert len(TABLE) >= 60


@pytest.mark.parametrize(("named", "zone", "now", "until"), TABLE)
def test_quiet_hours_go_by_the_clock_on_the_wall(named: str, zone: str, now: str, until: str | None) -> None:
    assert (at(until) if until else None) == quiet_until(hours(named), ZoneInfo(zone), at(now))


ZONES = ("Europe/Berlin", "Asia/Tehran", "America/New_York", "America/St_Johns", "Australia/Lord_Howe", "Africa/Cairo", "UTC")
MINUTES = st.integers(0, 24 * 60 - 1).map(lambda minute: time(*divmod(minute, 60)))


@given(
    start=MINUTES,
    end=MINUTES,
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    now=st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 (the zone is beside)
)
def test_what_is_put_off_is_put_off_to_the_first_moment_that_is_not_quiet(
    start: time, end: time, zone: ZoneInfo, now: datetime
) -> None:
    """But for an end that the clock jumps over, which may be an hour late."""
    if start == end:
        return
    quiet = QuietHours(start, end)
    until = quiet_until(quiet, zone, now)
    if until is None:
        assert not quiet.holds(now.astimezone(zone).time())
        return
    assert now < until < now + timedelta(hours=25)
    assert not quiet.holds(until.astimezone(zone).time())
    minutes = int((until - now) / timedelta(minutes=1))
    open_since = [ahead for ahead in range(minutes) if not quiet.holds((now + timedelta(minutes=ahead)).astimezone(zone).time())]
    assert len(open_since) <= 60, open_since


@given(window=st.tuples(MINUTES, MINUTES), quiet=st.tuples(MINUTES, MINUTES))
def test_a_window_lies_within_quiet_hours_where_no_minute_of_a_day_is_open(
    window: tuple[time, time], quiet: tuple[time, time]
) -> None:
    if window[0] == window[1] or quiet[0] == quiet[1]:
        return
    opened, closed = Window(*window), QuietHours(*quiet)
    day = [time(*divmod(minute, 60)) for minute in range(24 * 60)]
    is_open = [not opened.outside.holds(wall) and not closed.holds(wall) for wall in day]
    assert any(is_open) is not opened.is_within(closed)


def test_a_site_that_says_nothing_lets_people_sleep() -> None:
    assert QuietHours(time(21), time(8)) == QUIET_HOURS
