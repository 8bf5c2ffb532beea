"""How each language writes digits, amounts, days and times."""

from datetime import date, datetime

from ecrm.domain import money
from ecrm.domain.calendars import to_jalali
from ecrm.domain.links import Language

from .words import CURRENCIES, MONTHS

_MINUS = "\u200e−"
"""After a left-to-right mark, as CLDR has it for Persian: a minus stands left of its number in every language."""
_PERSIAN = str.maketrans("0123456789,.", "۰۱۲۳۴۵۶۷۸۹٬٫")


def number(value: int, language: Language) -> str:
    return _digits(f"{value:,}", language)


def amount(minor: int, currency: str, language: Language) -> str:
    """Write 125000 EUR as `1,250.00 EUR`, `۱٬۲۵۰٫۰۰ یورو` or `1,250.00 欧元`."""
    whole, point, rest = money.to_text(abs(minor), currency).partition(".")
    figure = f"{_MINUS if minor < 0 else ''}{int(whole):,}{point}{rest}"
    return f"{_digits(figure, language)} {CURRENCIES[language].get(currency, currency)}"


def day(on: date, language: Language) -> str:
    """Write 2026-11-20 as `20 November 2026`, `۲۹ آبان ۱۴۰۵` or `2026年11月20日`."""
    if language is Language.CHINESE:
        return f"{on.year}年{on.month}月{on.day}日"
    year, month, of_month = to_jalali(on) if language is Language.PERSIAN else (on.year, on.month, on.day)
    return _digits(f"{of_month} {MONTHS[language][month - 1]} {year}", language)


def moment(at: datetime, language: Language) -> str:
    between = {Language.PERSIAN: "، ", Language.CHINESE: " "}.get(language, ", ")
    return day(at.date(), language) + between + _digits(f"{at:%H:%M}", language)


def _digits(text: str, language: Language) -> str:
    return text.translate(_PERSIAN) if language is Language.PERSIAN else text
