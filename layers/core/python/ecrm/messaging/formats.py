"""How each language writes digits, amounts, days and times."""

import re
from datetime import date, datetime
from decimal import Decimal

from ecrm.domain import money
from ecrm.domain.calendars import to_jalali
from ecrm.domain.links import Language

from .words import CURRENCIES, GREGORIAN_MONTHS, MONTHS, SHORTENED

_MINUS = "\u200e−"
"""After a left-to-right mark, as CLDR has it for Persian: a minus stands left of its number in every language."""
_TO_THE_CENT, _TEN_PERCENT, _LONG = 100, 100, 10_000
MOST_DIGITS = 40
"""Before and behind the point of a number that is written out."""
_PLACE = re.compile(r"%[A-Za-z%]")
_PERSIAN_DIGITS = str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")
_PERSIAN = _PERSIAN_DIGITS | str.maketrans(",.", "٬٫")


def number(value: int | Decimal, language: Language) -> str:
    """Write 1234.5 as `1,234.5` or `۱٬۲۳۴٫۵`."""
    sign = _MINUS if value < 0 else ""
    return _digits(f"{sign}{abs(value):,f}" if isinstance(value, Decimal) else f"{sign}{abs(value):,}", language)


def amount(minor: int, currency: str, language: Language) -> str:
    """Write 125000 EUR as `1,250.00 EUR`, `۱٬۲۵۰٫۰۰ یورو` or `1,250.00 欧元`."""
    whole, point, rest = money.to_text(abs(minor), currency).partition(".")
    figure = f"{_MINUS if minor < 0 else ''}{int(whole):,}{point}{rest}"
    return f"{_digits(figure, language)} {currency_name(currency, language)}"


def rounded_amount(minor: int, currency: str, language: Language) -> str:
    """Write an amount for who looks at many: without its decimals from a hundred on."""
    digits = money.DIGITS[currency]
    whole = _rounded(minor, 10**digits)
    if minor and (not digits or abs(whole) < _TO_THE_CENT):
        return amount(minor, currency, language)
    return f"{number(whole, language)} {currency_name(currency, language)}"


def currency_name(currency: str, language: Language) -> str:
    return CURRENCIES[language].get(currency, currency)


def percent(part: float, whole: float, language: Language, *, is_short: bool = False) -> str:
    """Write a share to a tenth of a percent: `12.5%` or `۱۲٫۵٪`; a dash where there is nothing to have a share of.

    If it is to be short, from ten percent on without the tenth.
    """
    if not whole:
        return "–"
    tenths = round(1000 * part / whole)
    sign = _MINUS if tenths < 0 else ""
    if is_short and abs(tenths) >= _TEN_PERCENT:
        return _digits(f"{sign}{abs(round(100 * part / whole)):,}", language) + percent_sign(language)
    return _digits(f"{sign}{abs(tenths) // 10:,}.{abs(tenths) % 10}", language) + percent_sign(language)


def percent_sign(language: Language) -> str:
    return "٪" if language is Language.PERSIAN else "%"


def compact(value: float, language: Language) -> str:
    """Write a number in little room, from ten thousand on to three digits: 12345 as `12.3k`, `۱۲٫۳ هزار` or `1.23万`."""
    for size, unit in SHORTENED[language]:
        if value >= max(size, _LONG):
            return _digits(f"{value / size:,.3g}", language) + unit
    return _digits(f"{value:,.5g}", language)


def month(of: int, language: Language) -> str:
    """Write a month, 12 × year + month − 1, of the Gregorian calendar in every language."""
    year, name = of // 12, GREGORIAN_MONTHS[language][of % 12]
    return _digits(f"{year}年{name}" if language is Language.CHINESE else f"{name} {year}", language)


def plain(value: int, language: Language) -> str:
    """Write a number without separators, as years are."""
    return _digits(str(value), language)


def day(on: date, language: Language) -> str:
    """Write 2026-11-20 as `20 November 2026`, `۲۹ آبان ۱۴۰۵` or `2026年11月20日`."""
    if language is Language.CHINESE:
        return f"{on.year}年{on.month}月{on.day}日"
    year, month, of_month = to_jalali(on) if language is Language.PERSIAN else (on.year, on.month, on.day)
    return _digits(f"{of_month} {MONTHS[language][month - 1]} {year}", language)


def moment(at: datetime, language: Language) -> str:
    between = {Language.PERSIAN: "، ", Language.CHINESE: " "}.get(language, ", ")
    return day(at.date(), language) + between + _digits(f"{at:%H:%M}", language)


def by_pattern(at: date, pattern: str, language: Language) -> str:
    """Write a day or a moment as a pattern says: %Y %m %d %B %H %M, in the calendar and digits of the language."""
    year, month, of_month = to_jalali(at) if language is Language.PERSIAN else (at.year, at.month, at.day)
    month_name = f"{month}月" if language is Language.CHINESE else MONTHS[language][month - 1]
    parts = {"%Y": f"{year:04}", "%m": f"{month:02}", "%d": f"{of_month:02}", "%B": month_name, "%%": "%"}
    parts |= {"%H": f"{at:%H}", "%M": f"{at:%M}"}
    written = _PLACE.sub(lambda found: parts.get(found[0], found[0]), pattern)
    return written.translate(_PERSIAN_DIGITS) if language is Language.PERSIAN else written


def _digits(text: str, language: Language) -> str:
    return text.translate(_PERSIAN) if language is Language.PERSIAN else text


def _rounded(value: int, step: int) -> int:
    """Divide to the nearest whole number, halves away from zero."""
    whole = (2 * abs(value) + step) // (2 * step)
    return -whole if value < 0 else whole
