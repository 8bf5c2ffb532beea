"""Attributes: what is known of a customer beside identifiers; each keeps what was said of it last.

They are a fold over facts that may arrive in any order and more than once. What a voucher said stands above any claim; of two
that are equal in that, the later fact stays. A cleared attribute is kept with its time, so that an older value stays away.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from . import money
from .errors import Flaw, Invalid, RuleBroken
from .instants import is_time_zone

MOST_NAMES = 100
MOST_KEPT = 300
"""Names of one customer together with those that were cleared."""
LONGEST_NAME = 64
LARGEST_VALUE = 2_048
"""Bytes of a text in UTF-8, of any other value as JSON."""
LARGEST = 64 * 1024
"""Bytes of all names and values of a customer."""
MOST_DIGITS = 38
MOST_PRECISE = 17
"""Digits of a number with a fraction: as many as tell any two doubles apart."""
WIDEST_EXPONENT = 100

LANGUAGE = r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?$"
"""A BCP 47 tag of a language, of choice with script and region."""
SPELLINGS = {"firstName": "first_name", "lastName": "last_name", "createdAt": "created_at"}
"""Segment's reserved names in its libraries' spelling (https://www.twilio.com/docs/segment/connections/spec/identify#traits)."""
INNER_SPELLINGS = {"postalCode": "postal_code", "employeeCount": "employee_count"}
IDENTIFIERS = frozenset({"user_id", "anonymous_id", "email", "phone"})
"""Names that a profile says beside its traits."""
FIRST_TOUCH = "acquisition"
"""How a customer was won: of several, the earliest fact stays."""

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DAY_OF_ANY_YEAR = re.compile(r"--\d\d-\d\d", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_LEAP_YEAR = "2000"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Attribute:
    """A plain JSON value, or None where it was cleared, with the time of the fact and who told it; `is_claimed`: a write key."""

    value: Any
    at: datetime
    source: str
    is_claimed: bool = False


type Attributes = Mapping[str, Attribute]


def merged(*books: Attributes) -> dict[str, Attribute]:
    """Keep of each name the fact that stands above the others; the same, however they are ordered and repeated."""
    kept: dict[str, Attribute] = {}
    for book in books:
        for name, attribute in book.items():
            known = kept.get(name)
            if known is None or _rank(name, known) < _rank(name, attribute):
                kept[name] = attribute
    return kept


def _rank(name: str, attribute: Attribute) -> tuple[Any, ...]:
    age = _EPOCH - attribute.at if name == FIRST_TOUCH else attribute.at - _EPOCH
    return not attribute.is_claimed, age, _canonical(attribute.value), attribute.source


def _canonical(value: Any) -> str:
    """Write a value so that two texts are equal where the values are: a number is no text, and true is not 1."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=lambda number: {"": str(number)})


def known(book: Attributes) -> dict[str, Any]:
    """Give the values by name, without what was cleared."""
    return {name: attribute.value for name, attribute in book.items() if attribute.value is not None}


def vouched(book: Attributes) -> dict[str, Any]:
    """Give the values by name that stand by a voucher's word: all that mails and rules may rest on (docs/decisions/0016)."""
    return known({name: attribute for name, attribute in book.items() if not attribute.is_claimed})


def difference(before: Attributes, after: Attributes) -> dict[str, Any]:
    """Give the values, None where they are gone, of the names that say something else than before, or by another authority."""
    was, now = known(before), known(after)
    other = {name for name in was.keys() & now.keys() if before[name].is_claimed is not after[name].is_claimed}
    names = sorted(was.keys() | now.keys())
    return {name: now.get(name) for name in names if name in other or not _is_same(was.get(name), now.get(name))}


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, str) or isinstance(other, str) or one is None or other is None:
        return bool(one == other)
    return _canonical(one) == _canonical(other)


def refuse_too_much(book: Attributes, *, is_claimed: bool) -> None:
    """Raises RuleBroken where a customer would have more than they can. What is claimed never stands in a voucher's way."""
    counted = {name: attribute for name, attribute in book.items() if is_claimed or not attribute.is_claimed}
    if len(known(counted)) > MOST_NAMES or len(counted) > MOST_KEPT:
        raise RuleBroken(f"a customer has at most {MOST_NAMES} attributes", code="too_many_attributes")
    if _sizes({name: attribute.value for name, attribute in counted.items()}) > LARGEST:
        raise RuleBroken(f"a customer's attributes are at most {LARGEST} bytes in all", code="attributes_too_large")


def stated(traits: Mapping[str, Any], pointer: str = "/traits") -> dict[str, Any]:
    """Give traits as attributes: reserved names in snake_case, values as they are kept.

    Raises Invalid, with a flaw for each name that cannot be.
    """
    if len(traits) > MOST_NAMES:
        raise Invalid.at(pointer, "too_many_names", f"a customer has at most {MOST_NAMES} attributes")
    found: dict[str, Any] = {}
    flaws: list[Flaw] = []
    for said, value in traits.items():
        name = SPELLINGS.get(said, said)
        place = f"{pointer}/{said.replace('~', '~0').replace('/', '~1')}"
        if name in found:
            flaws.append(Flaw(place, "said_twice", "the same name stands here in another spelling, too"))
            continue
        try:
            found[name] = _taken(name, value)
        except _Wrong as wrong:
            flaws.append(Flaw(place, wrong.code, wrong.detail))
    if flaws:
        raise Invalid(flaws[0].detail, code=flaws[0].code, flaws=tuple(flaws))
    if _sizes(found) > LARGEST:
        raise Invalid.at(pointer, "traits_too_large", f"a customer's attributes are at most {LARGEST} bytes in all")
    return found


class _Wrong(Exception):
    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def _taken(name: str, value: Any) -> Any:
    if not 0 < len(name) <= LONGEST_NAME or not name.strip():
        raise _Wrong("bad_name", f"a name is 1 to {LONGEST_NAME} characters and not blank")
    if value is None:
        if name == FIRST_TOUCH:
            raise _Wrong("not_cleared", "the first touch stays; an earlier fact corrects it")
        return None
    taken = _RESERVED[name](value) if name in _RESERVED else _any(value)
    if _size(taken) > LARGEST_VALUE:
        raise _Wrong("value_too_large", f"a value is at most {LARGEST_VALUE} bytes")
    return taken


def _size(value: Any) -> int:
    return len((value if isinstance(value, str) else _canonical(value)).encode())


def _sizes(values: Mapping[str, Any]) -> int:
    return sum(len(name.encode()) + _size(value) for name, value in values.items())


def _any(value: Any) -> Any:
    return [_scalar(each) for each in value] if isinstance(value, list) else _scalar(value)


def _scalar(value: Any) -> Any:
    if isinstance(value, str | bool):
        return value
    if isinstance(value, int | Decimal):
        return _number(value)
    raise _Wrong("value_type", "a value is a text, a number, a boolean or a list of these")


def _number(value: int | Decimal) -> int | Decimal:
    """Take a number that the table gives back as it was; 1.0 is 1."""
    if isinstance(value, Decimal):
        parts = value.normalize().as_tuple()
        if not isinstance(parts.exponent, int) or abs(parts.exponent) > WIDEST_EXPONENT or len(parts.digits) > MOST_PRECISE:
            raise _Wrong("number_out_of_range", "a number is too large, too small or too precise to be kept exactly")
        if parts.exponent < 0:
            return value.normalize()
        value = int(value)
    if abs(value) >= 10**MOST_DIGITS:
        raise _Wrong("number_out_of_range", "a number is too large, too small or too precise to be kept exactly")
    return value


def _language(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(LANGUAGE, value):
        raise _Wrong("bad_language", "a BCP 47 tag such as de, pt-BR or zh-Hant is needed")
    return value


def _time_zone(value: Any) -> str:
    if not isinstance(value, str) or not is_time_zone(value):
        raise _Wrong("unknown_time_zone", "an IANA time zone such as Europe/Berlin is needed")
    return value


def _date(value: Any) -> str:
    if not isinstance(value, str) or not is_date(value):
        raise _Wrong("bad_date", "a date as YYYY-MM-DD, or an RFC 3339 date and time, is needed")
    return value


def _birthday(value: Any) -> str:
    if isinstance(value, str) and (is_date(value) or day_of_any_year(value)):
        return value
    raise _Wrong("bad_date", "a birthday is a date as YYYY-MM-DD, or as --MM-DD where the year is not known")


def _address(value: Any) -> dict[str, str]:
    return _object(value, lambda each: isinstance(each, str), "an address is an object of texts")


def _company(value: Any) -> dict[str, Any]:
    told = _object(
        value, lambda each: isinstance(each, str | bool | int | Decimal), "a company is an object of texts and numbers"
    )
    return {name: _scalar(each) for name, each in told.items()}


def _object(value: Any, is_right: Callable[[Any], bool], detail: str) -> dict[str, Any]:
    """Take an object without what is null in it."""
    if not isinstance(value, dict):
        raise _Wrong("value_type", detail)
    told = {INNER_SPELLINGS.get(str(name), str(name)): each for name, each in value.items() if each is not None}
    if not all(0 < len(name) <= LONGEST_NAME and is_right(each) for name, each in told.items()):
        raise _Wrong("value_type", detail)
    return told


def _acquisition(value: Any) -> dict[str, Any]:
    detail = "an acquisition has source, medium and campaign, which are texts, and a cost of amount and currency"
    if not isinstance(value, dict) or not value.keys() <= {"source", "medium", "campaign", "cost"}:
        raise _Wrong("value_type", detail)
    told = {name: each for name, each in value.items() if each is not None}
    cost = told.pop("cost", None)
    if not all(isinstance(each, str) for each in told.values()):
        raise _Wrong("value_type", detail)
    return told if cost is None else told | {"cost": _cost(cost)}


def _cost(value: Any) -> dict[str, Any]:
    detail = "a cost is an amount, a decimal, and its currency, an ISO 4217 code"
    if not isinstance(value, dict) or value.keys() != {"amount", "currency"}:
        raise _Wrong("bad_cost", detail)
    amount, currency = value["amount"], value["currency"]
    is_amount = isinstance(amount, str) and re.fullmatch(r"\d{1,16}(\.\d{1,6})?", amount, re.ASCII)
    is_number = isinstance(amount, int | Decimal) and not isinstance(amount, bool)
    if not (is_amount or is_number) or not isinstance(currency, str) or currency not in money.DIGITS:
        raise _Wrong("bad_cost", detail)
    decimal = Decimal(amount)
    if not 0 <= decimal <= money.LARGEST:
        raise _Wrong("bad_cost", f"a cost is from 0 to {money.LARGEST}")
    try:
        minor = money.to_minor(decimal, currency, pointer="")
    except Invalid as error:
        raise _Wrong(error.code, error.detail) from None
    return {"amount_minor": minor, "currency": currency}


_RESERVED: Mapping[str, Callable[[Any], Any]] = {
    "language": _language,
    "time_zone": _time_zone,
    "birthday": _birthday,
    "created_at": _date,
    "address": _address,
    "company": _company,
    FIRST_TOUCH: _acquisition,
}


def is_date(text: str) -> bool:
    """Say whether a text is a day (`2026-11-20`) or an instant of RFC 3339: such an attribute is a date, and kept as it is."""
    if not (_DAY.fullmatch(text) or _INSTANT.fullmatch(text)):
        return False
    try:
        datetime.fromisoformat(text.upper())
    except ValueError:
        return False
    return True


def day_of_any_year(text: str) -> tuple[int, int] | None:
    """Give month and day of a birthday whose year is not known (`--02-29`); None where the text is something else."""
    if not _DAY_OF_ANY_YEAR.fullmatch(text):
        return None
    try:
        day = date.fromisoformat(_LEAP_YEAR + text[1:])
    except ValueError:
        return None
    return day.month, day.day


def type_of(value: Any) -> str:
    """Name what an attribute's value is."""
    match value:
        case str():
            return "date" if is_date(value) else "string"
        case bool():
            return "boolean"
        case int() | Decimal():
            return "number"
        case dict():
            return "object"
        case _:
            return "list"
