"""The filters of templates: how a value is written in the language of the mail, by the calendar and digits of its readers."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from ecrm.domain import money
from ecrm.domain.errors import Invalid
from ecrm.domain.links import Language

from . import formats

ARGUMENTS: Mapping[str, tuple[int, int]] = {
    "default": (1, 1),
    "money": (0, 1),
    "number": (0, 0),
    "date": (0, 1),
    "datetime": (0, 0),
    "plural": (1, 2),
    "upper": (0, 0),
    "lower": (0, 0),
    "capitalize": (0, 0),
    "trim": (0, 0),
    "truncate": (1, 1),
    "join": (0, 1),
    "first": (0, 0),
    "last": (0, 0),
    "length": (0, 0),
    "url_encode": (0, 0),
}
"""The fewest and most arguments of each filter there is."""

URL = "url"
"""The filter that every value goes through which a link begins with; an author does not write it."""

A_CALL = 400
AN_ELEMENT = 16
"""What a filter costs by itself, and an element of a list: the bytes that are written in the same time."""

_AMOUNT = re.compile(r"-?\d{1,18}(\.\d{1,6})?", re.ASCII)
_WEB = ("https://", "http://", "mailto:", "tel:", "sms:", "#")


def page_language(tag: str) -> Language:
    """Give the language of ours that is nearest to a tag; English for those that we do not speak."""
    primary = tag.partition("-")[0]
    return Language(primary) if primary in {each.value for each in Language} else Language.ENGLISH


class BadValue(Invalid):
    """A filter was given what it cannot write; `line` says where in its part of the template."""

    def __init__(self, wrong: Invalid, line: int) -> None:
        super().__init__(wrong.detail, code=wrong.code)
        self.line = line


@dataclass(frozen=True, slots=True)
class Filters:
    """`currency` is the one meant where none is named; `spend` is told what work costs, in bytes that could be written for it."""

    language: str
    zone: ZoneInfo
    currency: str
    spend: Callable[[int], object]

    @property
    def by_name(self) -> dict[str, Callable[..., Any]]:
        return {name: self._located(getattr(self, f"_{name}")) for name in (*ARGUMENTS, URL)}

    def _located(self, does: Callable[..., Any]) -> Callable[..., Any]:
        """Let a filter be told the line that it stands on, which minijinja keeps to itself, and cost something by itself."""

        def located(value: Any, *arguments: Any, line: int) -> Any:
            try:
                self.spend(A_CALL)
                return does(value, *arguments)
            except Invalid as wrong:
                raise BadValue(wrong, line) from None

        return located

    def contains(self, value: Any, whole: Any) -> bool:
        """Say whether a text is part of another, or a value one of a list's or a name of an object's."""
        if isinstance(whole, str):
            self.spend(len(whole) // 64)
            return isinstance(value, str) and value in whole
        if isinstance(whole, list):
            self.spend(AN_ELEMENT * len(whole))
        return isinstance(whole, list | dict) and not isinstance(value, list | dict) and value in whole

    @property
    def _ours(self) -> Language:
        return page_language(self.language)

    def _default(self, value: Any, other: Any) -> Any:
        return other if value is None or value in ("", [], {}) or (isinstance(value, str) and not value.strip()) else value

    def _money(self, value: Any, currency: Any = None) -> str:
        """Write minor units, or a text in major units: 1250 and "12.50" are the same amount of EUR."""
        if value is None:
            return ""
        named = self.currency if currency is None else currency
        if not isinstance(named, str) or named not in money.DIGITS:
            raise _wrong("money", "the currency is an ISO 4217 code such as EUR")
        if isinstance(value, str) and _AMOUNT.fullmatch(value):
            sign = -1 if value.startswith("-") else 1
            minor = sign * money.to_minor(Decimal(value.removeprefix("-")), named, pointer="")
        elif isinstance(value, int) and not isinstance(value, bool):
            minor = value
        else:
            raise _wrong("money", 'an amount is a whole number of minor units, or a text such as "12.50"')
        return formats.amount(minor, named, self._ours)

    def _number(self, value: Any) -> str:
        if value is None:
            return ""
        try:
            figure = Decimal(str(value))
        except InvalidOperation:
            raise _wrong("number", "that is no number") from None
        if not figure.is_finite() or abs(figure.adjusted()) > formats.MOST_DIGITS:
            raise _wrong("number", "that is no number that can be written out")
        return formats.number(figure, self._ours)

    def _date(self, value: Any, pattern: Any = None) -> str:
        found = self._instant(value)
        if found is None:
            return self._text(value)
        if pattern is not None:
            return formats.by_pattern(found, str(pattern), self._ours)
        if not self._has_words:
            return found.date().isoformat() if isinstance(found, datetime) else found.isoformat()
        return formats.day(found.date() if isinstance(found, datetime) else found, self._ours)

    def _datetime(self, value: Any) -> str:
        found = self._instant(value)
        if not isinstance(found, datetime):
            return self._date(value)
        return formats.moment(found, self._ours) if self._has_words else f"{found:%Y-%m-%d %H:%M}"

    @property
    def _has_words(self) -> bool:
        """Whether we know how the language of the mail itself writes a day."""
        return self.language.partition("-")[0] == self._ours

    def _instant(self, value: Any) -> datetime | date | None:
        """Read an instant, which is then told in the site's time zone, or a day; None where it is neither."""
        try:
            text = str(value)
            if len(text) == len("2026-11-20"):
                return date.fromisoformat(text)
            found = datetime.fromisoformat(text)
            return found.astimezone(self.zone) if found.tzinfo else found
        except (ValueError, OverflowError):
            return None

    def _plural(self, value: Any, one: Any, other: Any = None) -> Any:
        return one if other is None or str(value) == "1" else other

    def _upper(self, value: Any) -> str:
        return self._text(value).upper()

    def _lower(self, value: Any) -> str:
        return self._text(value).lower()

    def _capitalize(self, value: Any) -> str:
        text = self._text(value)
        return text[:1].upper() + text[1:]

    def _trim(self, value: Any) -> str:
        return self._text(value).strip()

    def _truncate(self, value: Any, most: Any) -> str:
        text = self._text(value)
        if not isinstance(most, int):
            raise _wrong("truncate", "the most characters are a whole number")
        return text if len(text) <= most else f"{text[: max(0, most - 1)].rstrip()}…"

    def _join(self, value: Any, between: Any = ", ") -> str:
        whole = value if isinstance(value, list) else [value]
        separator = self._text(between)
        self.spend((AN_ELEMENT + len(separator)) * len(whole))
        return separator.join(self._text(each) for each in whole)

    def _first(self, value: Any) -> Any:
        return value[0] if isinstance(value, list | str) and value else None

    def _last(self, value: Any) -> Any:
        return value[-1] if isinstance(value, list | str) and value else None

    def _length(self, value: Any) -> int:
        return len(value) if isinstance(value, list | str | dict) else 0

    def _url_encode(self, value: Any) -> str:
        return quote(self._text(value), safe="")

    def _url(self, value: Any, instead: str) -> str:
        """Let a value that a link begins with lead to the web or to a person, and to nothing else; nowhere if there is none."""
        text = self._text(value).strip() or instead
        if text and not text.lower().startswith(_WEB):
            raise Invalid("a link of the mail begins with something other than https://", code="unsafe_link")
        return text

    def _text(self, value: Any) -> str:
        return written(value, self.spend)


def written(value: Any, spend: Callable[[int], object]) -> str:
    """Write a value as it stands in a mail where no filter says otherwise; an object writes nothing."""
    match value:
        case str():
            spend(len(value))
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case list():
            spend(AN_ELEMENT * len(value))
            return ", ".join(written(each, spend) for each in value)
        case _:
            return ""


def _wrong(name: str, detail: str) -> Invalid:
    return Invalid(f"the filter {name}: {detail}", code="bad_value")
