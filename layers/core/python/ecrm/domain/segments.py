"""A segment's rule: a tree of `and`, `or` and `not` over conditions, each of which asks one thing of a customer.

What is not so yet is "not": a new customer has not bought in the last week, has no value for any path and is in no segment that
asks for one. Sums of nothing are zero; the mean, the least and the most of nothing are missing (domain/comparisons.py has the
table). Money is in minor units of the currency that a condition names.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from .attributes import IDENTIFIERS
from .comparisons import Comparison
from .consent import Channel, State
from .errors import Flaw, Invalid
from .traits import Trait, TraitKind
from .windows import Direction, Window

DEEPEST = 10
"""Levels of a rule, those of the segments that it names among them."""
MOST_CONDITIONS = 1_000
"""Conditions of a rule, the filters in them and those of the segments that it names among them."""


class Field(StrEnum):
    """What is counted of every customer.

    Days are counted on the company's calendar, today is 0; what never happened has no days. `visits` are those of the last 90
    UTC days. Scores and life cycle have last night's thresholds.
    """

    ORDERS = "orders"
    CANCELLED_ORDERS = "cancelled_orders"
    RETURNED_ITEMS = "returned_items"
    ORDERS_WITH_RETURNS = "orders_with_returns"
    NET_REVENUE = "net_revenue"
    MEAN_ORDER_VALUE = "mean_order_value"
    RECENCY_DAYS = "recency_days"
    DAYS_SINCE_FIRST_ORDER = "days_since_first_order"
    LAST_SEEN_DAYS = "last_seen_days"
    VISITS = "visits"
    RFM_RECENCY = "rfm.recency"
    RFM_FREQUENCY = "rfm.frequency"
    RFM_MONETARY = "rfm.monetary"
    RFM_GROUP = "rfm.group"
    LIFECYCLE = "lifecycle"


MONEY = frozenset({Field.NET_REVENUE, Field.MEAN_ORDER_VALUE})
BY_CURRENCY = MONEY | {Field.RFM_RECENCY, Field.RFM_FREQUENCY, Field.RFM_MONETARY, Field.RFM_GROUP}
NAMED = frozenset({Field.RFM_GROUP, Field.LIFECYCLE})
"""Fields whose values are names; those of all others are numbers."""


class Predicted(StrEnum):
    """What is expected of a customer in a currency (`predictions.Prediction`), live, by last night's model."""

    CLV = "clv"
    P_ALIVE = "p_alive"
    NEXT_ORDER_ON = "next_order_on"
    ORDERS_30 = "orders_30"
    ORDERS_90 = "orders_90"
    ORDERS_365 = "orders_365"


class Measure(StrEnum):
    COUNT = "count"
    SUM = "sum"
    AVERAGE = "avg"
    LEAST = "min"
    MOST = "max"


class OrderAmount(StrEnum):
    """What of an order is measured."""

    NET_REVENUE = "net_revenue"
    ITEMS = "items"


class OrderField(StrEnum):
    """What orders are chosen by: the first of the order, the others of its lines."""

    STATUS = "status"
    SITE = "site"
    COUPON = "coupon"
    SKU = "sku"
    NAME = "name"
    CATEGORY = "category"


OF_LINES = frozenset({OrderField.SKU, OrderField.NAME, OrderField.CATEGORY})


@dataclass(frozen=True, slots=True)
class ProfileCondition:
    """`path` is an attribute's name, or `address.city` and the like within those that are objects.

    That of an identifier (`email`) says whether the customer has one.
    """

    path: str
    comparison: Comparison


@dataclass(frozen=True, slots=True)
class StatsCondition:
    field: Field
    comparison: Comparison
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class PredictedCondition:
    """Nothing is predicted of who has not bought in the currency, and before the first night; then all fails but `missing`."""

    field: Predicted
    currency: str
    comparison: Comparison


@dataclass(frozen=True, slots=True)
class PropertyFilter:
    """`path` is a property's name, with a point before each inner one; through a list it leads to the list of theirs."""

    path: str
    comparison: Comparison


@dataclass(frozen=True, slots=True)
class EventCondition:
    """How often an event of a name happened, or what is measured of those of its properties that are numbers.

    `where` chooses events: those for which all of it holds.
    """

    name: str
    measure: Measure
    comparison: Comparison
    window: Window
    of: str | None = None
    where: tuple[PropertyFilter, ...] = ()


@dataclass(frozen=True, slots=True)
class OrderFilter:
    field: OrderField
    comparison: Comparison


@dataclass(frozen=True, slots=True)
class OrderCondition:
    """How many orders were placed, or what is measured of them. Wholly cancelled ones count where `where` asks for a status.

    `where` chooses orders: those for which all of it holds, what it asks of lines for one and the same line. An order is
    measured as a whole.
    """

    measure: Measure
    comparison: Comparison
    window: Window
    of: OrderAmount | None = None
    currency: str | None = None
    where: tuple[OrderFilter, ...] = ()


@dataclass(frozen=True, slots=True)
class SegmentCondition:
    segment: str


@dataclass(frozen=True, slots=True)
class ConsentCondition:
    """What holds for the address at which the customer is reached now."""

    channel: Channel
    topic: str
    state: State


FIRST_ORDER, LAST_ORDER = "first_order_at", "last_order_at"
BIRTHDAY = "birthday"


@dataclass(frozen=True, slots=True)
class AnniversaryCondition:
    """`path` is an attribute that is a date, `first_order_at` or `last_order_at`."""

    path: str
    within_days: int
    direction: Direction = Direction.NEXT


@dataclass(frozen=True, slots=True)
class SampleCondition:
    """The same customers for the same salt, whoever asks and whenever."""

    percent: Decimal
    salt: str


type Condition = (
    ProfileCondition
    | StatsCondition
    | PredictedCondition
    | EventCondition
    | OrderCondition
    | SegmentCondition
    | ConsentCondition
    | AnniversaryCondition
    | SampleCondition
)


@dataclass(frozen=True, slots=True)
class And:
    parts: tuple["Rule", ...]


@dataclass(frozen=True, slots=True)
class Or:
    parts: tuple["Rule", ...]


@dataclass(frozen=True, slots=True)
class Not:
    part: "Rule"


type Rule = And | Or | Not | Condition

NAMES: Mapping[type, str] = {
    ProfileCondition: "profile",
    StatsCondition: "stats",
    PredictedCondition: "predicted",
    EventCondition: "event",
    OrderCondition: "order",
    SegmentCondition: "segment",
    ConsentCondition: "consent",
    AnniversaryCondition: "anniversary",
    SampleCondition: "sample",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Version 0 is a ready-made one, which nobody has changed and which has no time; no night counts it.

    One that is archived has no members any more, and no rule may name it.
    """

    segment: str
    name: str
    description: str
    rule: Rule
    is_archived: bool = False
    updated_at: datetime | None = None
    version: int = 0


class Placed(NamedTuple):
    """A condition and where in its rule it stands: a JSON pointer, and how deep."""

    pointer: str
    depth: int
    condition: Condition


def conditions(rule: Rule, pointer: str = "", depth: int = 1) -> Iterator[Placed]:
    match rule:
        case And(parts) | Or(parts):
            name = "and" if isinstance(rule, And) else "or"
            for number, part in enumerate(parts):
                yield from conditions(part, f"{pointer}/{name}/{number}", depth + 1)
        case Not(part):
            yield from conditions(part, f"{pointer}/not", depth + 1)
        case _:
            yield Placed(f"{pointer}/{NAMES[type(rule)]}", depth, rule)


def refuse_too_large(rule: Rule, pointer: str = "/rule") -> None:
    """Refuse what is too deep or has too many conditions by itself. Raises Invalid."""
    deep = next((placed.pointer for placed in conditions(rule, pointer) if placed.depth > DEEPEST), None)
    if deep:
        raise Invalid.at(deep, "rule_too_deep", f"a rule has at most {DEEPEST} levels")
    _refuse(_size(rule, {}), pointer)


def conditions_in(rule: Rule) -> int:
    """Count the conditions of a rule, the filters in them among them."""
    return _size(rule, {}).conditions


def refuse_unsound(segment: str, rules: Mapping[str, Rule], pointer: str = "/rule") -> None:
    """Refuse a segment's rule for what it is together with the others; `rules` hold its own, too. Raises Invalid.

    It may name no segment that is not there, none that leads back to it, and with all that it names, and that name it, no more
    than a rule may have.
    """
    flaws = []
    for placed in conditions(rules[segment], pointer):
        if not isinstance(placed.condition, SegmentCondition):
            continue
        named = placed.condition.segment
        if named not in rules:
            flaws.append(Flaw(f"{placed.pointer}/id", "unknown_segment", "there is no such segment"))
        elif segment in reached(named, rules):
            flaws.append(Flaw(f"{placed.pointer}/id", "segment_circle", "that segment is itself made of this one"))
    if flaws:
        raise Invalid(flaws[0].detail, code=flaws[0].code, flaws=tuple(flaws))
    sizes: dict[str, _Size] = {}
    _refuse(_sized(segment, rules, sizes), pointer)
    for other in rules:
        if segment in reached(other, rules):
            try:
                _refuse(_sized(other, rules, sizes), pointer)
            except Invalid as error:
                detail = f"with this rule, that of the segment {other} is refused: {error.detail}"
                raise Invalid.at(pointer, error.flaws[0].code, detail) from None


def segments_named(rule: Rule) -> frozenset[str]:
    return frozenset(one.condition.segment for one in conditions(rule) if isinstance(one.condition, SegmentCondition))


def reached(segment: str, rules: Mapping[str, Rule]) -> frozenset[str]:
    """Give a segment and all that its rule leads to."""
    found, waiting = {segment}, [segment]
    while waiting:
        new = segments_named(rules[waiting.pop()]).intersection(rules) - found
        found |= new
        waiting += new
    return frozenset(found)


class _Size(NamedTuple):
    depth: int
    conditions: int


def _refuse(size: _Size, pointer: str) -> None:
    if size.conditions > MOST_CONDITIONS:
        raise Invalid.at(pointer, "too_many_conditions", f"a rule has at most {MOST_CONDITIONS} conditions")
    if size.depth > DEEPEST:
        raise Invalid.at(
            pointer, "rule_too_deep", f"a rule has at most {DEEPEST} levels, with those of the segments that it names"
        )


def _sized(segment: str, rules: Mapping[str, Rule], sizes: dict[str, _Size]) -> _Size:
    """Measure a rule with all that it names; what is named in a circle counts as nothing there."""
    if segment not in sizes:
        rule, sizes[segment] = rules[segment], _Size(0, 0)
        inner = {named: _sized(named, rules, sizes) for named in segments_named(rule).intersection(rules)}
        sizes[segment] = _size(rule, inner)
    return sizes[segment]


def _size(rule: Rule, inner: Mapping[str, _Size]) -> _Size:
    deepest = count = 0
    for _, depth, condition in conditions(rule):
        count += 1 + (len(condition.where) if isinstance(condition, EventCondition | OrderCondition) else 0)
        if isinstance(condition, SegmentCondition) and condition.segment in inner:
            depth, count = depth + inner[condition.segment].depth, count + inner[condition.segment].conditions  # noqa: PLW2901
        deepest = max(deepest, depth)
    return _Size(deepest, count)


def trait_of(condition: Condition) -> Trait | None:
    """Give the trait that a condition asks for; None where it asks for something else."""
    match condition:
        case ProfileCondition(path):
            return trait_at(path)
        case AnniversaryCondition(path) if path not in (FIRST_ORDER, LAST_ORDER):
            return trait_at(path)
        case ConsentCondition(channel, topic):
            return Trait(TraitKind.CONSENT, f"{channel}/{topic}")
        case _:
            return None


def trait_at(path: str) -> Trait:
    return Trait(TraitKind.IDENTIFIER if path in IDENTIFIERS else TraitKind.PROFILE, path)


def traits_named(rule: Rule) -> frozenset[Trait]:
    """Give what a statistics row is to copy for a rule; what the segments that it names ask for, they name themselves."""
    return frozenset(filter(None, (trait_of(placed.condition) for placed in conditions(rule))))
