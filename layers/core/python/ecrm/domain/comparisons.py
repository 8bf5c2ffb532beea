"""Comparisons: what a rule asks of one value.

| of       | comparisons                                                          | all false where the value is |
|----------|----------------------------------------------------------------------|------------------------------|
| numbers  | `=` `!=` `<` `<=` `>` `>=` `between` (both ends belong to it)          | no number                    |
| texts    | `is` `is_not` `in` `not_in` `contains` `starts_with` `ends_with`      | no text                      |
| booleans | `is` `is_not`                                                        | no boolean                   |
| dates    | `before` `after` `on` `within_last` `within_next` (days; 0 is today) | no date                      |
| lists    | `has` `has_any` `has_all`                                            | no list                      |
| anything | `exists` `missing`                                                   |                              |

Where there is no value every comparison is false but `missing`, the negative ones too: to mean "is not, or not known" a rule
says `not`. Texts are compared letter by letter after normalisation (NFC), so case counts; `true` is not 1, and "1" is not 1.
"""

import operator
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any
from unicodedata import normalize

from .windows import Moment, day_of

type Truth = bool | None
"""Of Kleene's logic: None is what is not known."""
type Test = Callable[[Any], bool]
"""Says of a value, None where there is none, whether a comparison holds."""


class Op(StrEnum):
    EQUAL = "="
    NOT_EQUAL = "!="
    LESS = "<"
    AT_MOST = "<="
    MORE = ">"
    AT_LEAST = ">="
    BETWEEN = "between"
    IS = "is"
    IS_NOT = "is_not"
    IN = "in"
    NOT_IN = "not_in"
    CONTAINS = "contains"
    STARTS_WITH = "starts_with"
    ENDS_WITH = "ends_with"
    BEFORE = "before"
    AFTER = "after"
    ON = "on"
    WITHIN_LAST = "within_last"
    WITHIN_NEXT = "within_next"
    HAS = "has"
    HAS_ANY = "has_any"
    HAS_ALL = "has_all"
    EXISTS = "exists"
    MISSING = "missing"


PRESENCE = frozenset({Op.EXISTS, Op.MISSING})
ORDERING = frozenset({Op.EQUAL, Op.NOT_EQUAL, Op.LESS, Op.AT_MOST, Op.MORE, Op.AT_LEAST})
NUMERIC = ORDERING | {Op.BETWEEN}
CHOICE = frozenset({Op.IN, Op.NOT_IN})
PARTS_OF_TEXT = frozenset({Op.CONTAINS, Op.STARTS_WITH, Op.ENDS_WITH})
IDENTITY = frozenset({Op.IS, Op.IS_NOT})
TEXTUAL = IDENTITY | CHOICE | PARTS_OF_TEXT
DAYS = frozenset({Op.BEFORE, Op.AFTER, Op.ON})
NEARNESS = frozenset({Op.WITHIN_LAST, Op.WITHIN_NEXT})
DATED = DAYS | NEARNESS
MEMBERSHIP = frozenset({Op.HAS_ANY, Op.HAS_ALL})
LISTED = MEMBERSHIP | {Op.HAS}


@dataclass(frozen=True, slots=True)
class Comparison:
    """`value` is what the operator takes: a number or two, a text or several, a boolean, a day, a count of days, nothing."""

    op: Op
    value: Any = None


_NUMBERS = frozenset({int, Decimal})
"""Classes, not a type to be an instance of: a boolean is an int to Python, and no number to anybody else."""


_NUMBER_TESTS: Mapping[Op, Callable[[Any, Any], bool]] = {
    Op.EQUAL: operator.eq,
    Op.NOT_EQUAL: operator.ne,
    Op.LESS: operator.lt,
    Op.AT_MOST: operator.le,
    Op.MORE: operator.gt,
    Op.AT_LEAST: operator.ge,
}
_TEXT_TESTS: Mapping[Op, Callable[[Any, Any], bool]] = {
    Op.IS: operator.eq,
    Op.IS_NOT: operator.ne,
    Op.IN: lambda seen, among: seen in among,
    Op.NOT_IN: lambda seen, among: seen not in among,
    Op.CONTAINS: operator.contains,
    Op.STARTS_WITH: str.startswith,
    Op.ENDS_WITH: str.endswith,
}


def predicate_of(comparison: Comparison, moment: Moment) -> Test:
    """Make the test of a comparison."""
    op, value = comparison.op, comparison.value
    if op in NUMERIC:
        return _of_number(op, value)
    if op in IDENTITY and isinstance(value, bool):
        return (lambda seen: seen is value) if op is Op.IS else (lambda seen: seen is (not value))
    if op in TEXTUAL:
        return _of_text(op, value)
    if op in DATED:
        return _of_date(op, value, moment)
    if op in LISTED:
        return _of_list(op, value)
    return (lambda seen: seen is not None) if op is Op.EXISTS else (lambda seen: seen is None)


def _of_number(op: Op, value: Any) -> Test:
    if op is Op.BETWEEN:
        low, high = value
        return lambda seen: seen.__class__ in _NUMBERS and low <= seen <= high
    holds = _NUMBER_TESTS[op]
    return lambda seen: seen.__class__ in _NUMBERS and holds(seen, value)


def _of_text(op: Op, value: Any) -> Test:
    holds = _TEXT_TESTS[op]
    wanted = frozenset(map(_nfc, value)) if op in CHOICE else _nfc(value)
    return lambda seen: isinstance(seen, str) and holds(_nfc(seen), wanted)


def _nfc(text: str) -> str:
    return text if text.isascii() else normalize("NFC", text)


def _of_date(op: Op, value: Any, moment: Moment) -> Test:
    today = moment.today
    if op is Op.WITHIN_LAST:
        return _of_day(lambda day: 0 <= (today - day).days <= value, moment)
    if op is Op.WITHIN_NEXT:
        return _of_day(lambda day: 0 <= (day - today).days <= value, moment)
    if op is Op.BEFORE:
        return _of_day(lambda day: day < value, moment)
    if op is Op.AFTER:
        return _of_day(lambda day: day > value, moment)
    return _of_day(lambda day: day == value, moment)


def _of_day(holds: Callable[[date], bool], moment: Moment) -> Test:
    def test(seen: Any) -> bool:
        day = day_of(seen, moment.zone) if isinstance(seen, str) else None
        return day is not None and holds(day)

    return test


def _of_list(op: Op, value: Any) -> Test:
    wanted = frozenset(map(_key, (value,) if op is Op.HAS else value))
    if op is Op.HAS_ANY:
        return lambda seen: isinstance(seen, list) and not wanted.isdisjoint(_keys(seen))
    return lambda seen: isinstance(seen, list) and wanted <= _keys(seen)


def _keys(values: Collection[Any]) -> frozenset[Any]:
    return frozenset(map(_key, values))


def _key(value: Any) -> Any:
    """Stand for a scalar so that two are equal where they are the same to a rule; None for what is no scalar."""
    if isinstance(value, str):
        return _nfc(value)
    return value if value.__class__ in _NUMBERS else (value,) if value.__class__ is bool else None


MANY = 10**40
"""More than any rule asks for: an upper bound where nothing is known."""


def truth_of_count(comparison: Comparison) -> Callable[[int, int], Truth]:
    """Make the test of a count that is only known to be within two bounds, both of which it may be."""
    op, value = comparison.op, comparison.value
    if op in PRESENCE:
        exists = op is Op.EXISTS
        return lambda _low, _high: exists
    if op in ORDERING - {Op.EQUAL, Op.NOT_EQUAL}:
        test = _of_number(op, value)

        def judged(low: int, high: int) -> Truth:
            at_least = test(low)
            return at_least if low == high or test(high) is at_least else None

        return judged
    first, last = value if op is Op.BETWEEN else (value, value)
    holds = op is not Op.NOT_EQUAL

    def judged_within(low: int, high: int) -> Truth:
        if low > last or high < first:
            return not holds
        return holds if first <= low and high <= last else None

    return judged_within
