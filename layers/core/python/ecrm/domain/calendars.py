"""The Persian calendar (Solar Hijri), by its arithmetic: eight leap years in 33.

The official calendar follows the sun; the two agree from 1178 to 1633 of its years, 1800 to 2254 of ours. Formulas as in
Unicode's ICU (`persncal.cpp`).
"""

from datetime import date

_BEFORE_THE_FIRST_DAY = 226_894
"""The Gregorian ordinal of the day before 1 Farvardin 1."""
_LONG_MONTHS = 6


def to_jalali(day: date) -> tuple[int, int, int]:
    """Give year, month and day in the Persian calendar."""
    since = day.toordinal() - _BEFORE_THE_FIRST_DAY - 1
    year = 1 + (33 * since + 3) // 12_053
    day_of_year = since - (365 * (year - 1) + (8 * year + 21) // 33)
    if day_of_year < 31 * _LONG_MONTHS:
        return year, day_of_year // 31 + 1, day_of_year % 31 + 1
    rest = day_of_year - 31 * _LONG_MONTHS
    return year, _LONG_MONTHS + rest // 30 + 1, rest % 30 + 1


def from_jalali(year: int, month: int, of_month: int) -> date:
    """Give the day that a year, month and day of the Persian calendar name. Raises ValueError where there is none."""
    if not (1 <= month <= 2 * _LONG_MONTHS and of_month >= 1):
        raise ValueError("no such month or day")
    long, short = min(month - 1, _LONG_MONTHS), max(month - 1 - _LONG_MONTHS, 0)
    of_year = 31 * long + 30 * short + of_month
    found = date.fromordinal(_BEFORE_THE_FIRST_DAY + 365 * (year - 1) + (8 * year + 21) // 33 + of_year)
    if to_jalali(found) != (year, month, of_month):
        raise ValueError("no such day in that month")
    return found
