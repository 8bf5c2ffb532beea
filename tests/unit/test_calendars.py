"""The Persian calendar against ICU's (`Intl.DateTimeFormat`, `ca-persian`): its leap years, and days on both sides of one."""

from datetime import date, timedelta

import pytest

from ecrm.domain.calendars import to_jalali

# Years with a 30 Esfand from 1921 to 2099, as ICU gives them.
LEAP_YEARS = [
    *(1300, 1304, 1309, 1313, 1317, 1321, 1325, 1329, 1333, 1337, 1342, 1346, 1350, 1354, 1358),
    *(1362, 1366, 1370, 1375, 1379, 1383, 1387, 1391, 1395, 1399, 1403, 1408, 1412, 1416, 1420),
    *(1424, 1428, 1432, 1436, 1441, 1445, 1449, 1453, 1457, 1461, 1465, 1469, 1474),
]


@pytest.mark.parametrize(
    ("day", "persian"),
    [
        ("1979-02-11", (1357, 11, 22)),
        ("2024-03-20", (1403, 1, 1)),
        ("2025-03-20", (1403, 12, 30)),
        ("2025-03-21", (1404, 1, 1)),
        ("2026-09-22", (1405, 6, 31)),
        ("2026-09-23", (1405, 7, 1)),
        ("2026-11-20", (1405, 8, 29)),
    ],
)
def test_a_day_is_the_one_that_icu_gives(day: str, persian: tuple[int, int, int]) -> None:
    assert persian == to_jalali(date.fromisoformat(day))


def test_leap_years_are_icus_and_every_month_has_its_days() -> None:
    lengths: dict[tuple[int, int], int] = {}
    day = date(1921, 3, 21)
    while day < date(2096, 3, 20):
        year, month, of_month = to_jalali(day)
        assert lengths.get((year, month), 0) + 1 == of_month
        lengths[year, month] = of_month
        day += timedelta(days=1)
    assert LEAP_YEARS == [year for (year, month), length in lengths.items() if (month, length) == (12, 30)]
    assert {31} == {length for (_, month), length in lengths.items() if month <= 6}
    assert {30} == {length for (_, month), length in lengths.items() if 6 < month < 12}
