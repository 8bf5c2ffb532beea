"""Segments on the wire: a rule is a tree of objects with one name each, `{"and": [{"stats": {…}}, {"not": {…}}]}`.

What a comparison takes is checked by its operator, and where the type of what is compared is known, by that: so a rule that is
kept never compares days with words. Attributes and properties may be anything; what is of another type than a rule expects is
then simply not so (domain/comparisons.py).
"""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, LiteralString, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError, PydanticKnownError

from ecrm.domain import comparisons as c
from ecrm.domain import instants, money, segments, windows
from ecrm.domain.attributes import IDENTIFIERS, LARGEST_VALUE
from ecrm.domain.comparisons import Comparison, Op
from ecrm.domain.consent import Channel, State
from ecrm.domain.errors import Invalid
from ecrm.domain.lifecycle import Stage
from ecrm.domain.orders import Status
from ecrm.domain.segments import (
    BY_CURRENCY,
    MONEY,
    MOST_CONDITIONS,
    NAMED,
    And,
    AnniversaryCondition,
    Condition,
    ConsentCondition,
    EventCondition,
    Measure,
    Not,
    Or,
    OrderAmount,
    OrderCondition,
    OrderField,
    OrderFilter,
    Predicted,
    PredictedCondition,
    ProfileCondition,
    PropertyFilter,
    Rule,
    SampleCondition,
    Segment,
    SegmentCondition,
    StatsCondition,
    refuse_too_large,
)
from ecrm.domain.traits import OBJECTS

from .customers import json_of
from .fields import Answer, Body, Currency, Day, Name, Restated, Text, TopicId, amount_of, day_of, not_blank, storable
from .topics import ChannelName

SEGMENT_ID = r"^[a-z0-9][a-z0-9_-]{0,39}$"
SegmentId = Annotated[str, StringConstraints(pattern=SEGMENT_ID)]
MOST_CHOICES = 100
MOST_FILTERS = 20
MOST_DAYS, MOST_HOURS = 3_660, 8_784

Path = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(not_blank)]
OpName = Literal[
    "=",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "between",
    "is",
    "is_not",
    "in",
    "not_in",
    "contains",
    "starts_with",
    "ends_with",
    "before",
    "after",
    "on",
    "within_last",
    "within_next",
    "has",
    "has_any",
    "has_all",
    "exists",
    "missing",
]
Value = Annotated[
    Any,
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number"},
                {"type": "string", "maxLength": LARGEST_VALUE},
                {"type": "boolean"},
                {"type": "array", "items": {"type": ["number", "string", "boolean"]}, "minItems": 1, "maxItems": MOST_CHOICES},
            ],
            "description": "What the operator takes: a number for =, !=, <, <=, >, >=, two for between; a text for is, is_not, "
            "contains, starts_with, ends_with, a list of texts for in and not_in; true or false for is and is_not; a day "
            "(YYYY-MM-DD) for before, after, on, a number of days for within_last and within_next; an element for has, a list of "
            "them for has_any and has_all; nothing for exists and missing.",
        }
    ),
    Field(validate_default=True, json_schema_extra=lambda schema: schema.pop("default", None)),  # exists and missing take none
]
type _Taken = Callable[[Any], Any]


def _clash(expected: str) -> PydanticCustomError:
    return PydanticCustomError("wrong_type", f"this operator takes {expected} here")


def _number(value: Any) -> int | Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise _clash("a number")
    number: int | Decimal = storable(value)
    return number


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _clash("a whole number")
    whole: int = storable(value)
    return whole


def _days(value: Any) -> int:
    if _whole(value) < 0:
        raise PydanticKnownError("greater_than_equal", {"ge": 0})
    if value > MOST_DAYS:
        raise PydanticKnownError("less_than_equal", {"le": MOST_DAYS})
    return int(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _clash("a text")
    if len(value) > LARGEST_VALUE:
        raise PydanticKnownError("string_too_long", {"max_length": LARGEST_VALUE})
    return value


def _text_or_boolean(value: Any) -> str | bool:
    return value if isinstance(value, bool) else _text(value)


def _scalar(value: Any) -> Any:
    if isinstance(value, str | bool):
        return _text_or_boolean(value)
    return _number(value)


def _some(value: Any, each: _Taken) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise _clash("a list")
    if not value:
        raise PydanticKnownError("too_short", {"field_type": "List", "min_length": 1, "actual_length": 0})
    if len(value) > MOST_CHOICES:
        raise PydanticKnownError("too_long", {"field_type": "List", "max_length": MOST_CHOICES, "actual_length": len(value)})
    return tuple(map(each, value))


def _two(value: Any, each: _Taken) -> tuple[Any, ...]:
    if not isinstance(value, list) or len(value) != 2:  # noqa: PLR2004 (a pair)
        raise _clash("a list of two")
    low, high = map(each, value)
    if low > high:
        raise PydanticCustomError("wrong_order", "the first is larger than the second")
    return low, high


_TAKERS: Mapping[Op, _Taken] = {
    **dict.fromkeys(c.IDENTITY, _text_or_boolean),
    **dict.fromkeys(c.CHOICE, lambda value: _some(value, _text)),
    **dict.fromkeys(c.PARTS_OF_TEXT, _text),
    **dict.fromkeys(c.DAYS, day_of),
    **dict.fromkeys(c.NEARNESS, _days),
    **dict.fromkeys(c.MEMBERSHIP, lambda value: _some(value, _scalar)),
    Op.HAS: _scalar,
}


def _taken(op: Op, value: Any, number: _Taken = _number) -> Any:
    """Take an operator's value; `number` takes what numeric ones compare with."""
    if op in c.ORDERING:
        return number(value)
    return _two(value, number) if op is Op.BETWEEN else _TAKERS[op](value)


def _name(op: Op, value: Any) -> Any:
    """Take what a textual operator takes, of which none is a boolean."""
    return _taken(op, value if op in c.CHOICE else _text(value))


_STATUSES, _STAGES = (frozenset(one.value for one in kind) for kind in (Status, Stage))


def _refuse_unknown(op: Op, taken: Any, known: frozenset[str], detail: LiteralString) -> None:
    if not known.issuperset(taken if op in c.CHOICE else (taken,)):
        raise PydanticCustomError("unknown_value", detail)


def _minor(currency: str) -> _Taken:
    def take(value: Any) -> int:
        try:
            return money.to_minor(amount_of(value), currency, pointer="")
        except Invalid as error:
            raise PydanticCustomError("too_many_decimals", error.detail) from None

    return take


class _Compares(Body):
    """What `op` and `value` may be depends on the fields before them: these two come last."""

    @field_validator("op", check_fields=False)
    @classmethod
    def _check_op(cls, op: str, info: ValidationInfo) -> str:
        if cls.model_fields.keys() - {"op", "value"} <= info.data.keys() and op not in cls._ops(info.data):
            raise PydanticCustomError("wrong_operator", "this operator does not fit what is compared")
        return op

    @field_validator("value", check_fields=False)
    @classmethod
    def _check_value(cls, value: Any, info: ValidationInfo) -> Any:
        """Take what the operator takes; where something before it is wrong, the value is not looked at."""
        if not cls.model_fields.keys() - {"value"} <= info.data.keys():
            return None
        op = Op(info.data["op"])
        if op in c.PRESENCE:
            if value is not None:
                raise PydanticCustomError("not_expected", "this operator takes no value")
            return None
        if value is None:
            raise PydanticCustomError("missing", "this operator takes a value")
        return cls._take(op, value, info.data)

    @classmethod
    def _ops(cls, _said: Mapping[str, Any]) -> frozenset[Op]:
        """Give the operators that fit what is compared."""
        return frozenset(Op)

    @classmethod
    def _take(cls, op: Op, value: Any, _said: Mapping[str, Any]) -> Any:
        return _taken(op, value)


_TYPED_PATHS: Mapping[str, frozenset[Op]] = {
    **dict.fromkeys((*IDENTIFIERS, *OBJECTS), c.PRESENCE),
    **dict.fromkeys(("birthday", "created_at"), c.DATED | c.PRESENCE),
    **dict.fromkeys(("language", "time_zone"), c.TEXTUAL | c.PRESENCE),
}
"""Attributes whose type is known. An identifier is there or is not: its text is nobody's business here."""


class ProfileConditionBody(_Compares):
    """`path` is an attribute's name, `address.city` or the like within an object, or an identifier's kind, which may exist."""

    path: Path
    op: OpName
    value: Value = None

    @classmethod
    def _ops(cls, said: Mapping[str, Any]) -> frozenset[Op]:
        return _TYPED_PATHS.get(said["path"], frozenset(Op))

    def to_condition(self) -> Condition:
        return ProfileCondition(self.path, Comparison(Op(self.op), self.value))


FieldName = Literal[
    "orders",
    "cancelled_orders",
    "returned_items",
    "orders_with_returns",
    "net_revenue",
    "mean_order_value",
    "recency_days",
    "days_since_first_order",
    "last_seen_days",
    "visits",
    "rfm.recency",
    "rfm.frequency",
    "rfm.monetary",
    "rfm.group",
    "lifecycle",
]


class StatsConditionBody(_Compares):
    """What is counted of every customer. Money, as decimals, and RFM are those of one currency."""

    field: FieldName
    currency: Annotated[Currency | None, Field(validate_default=True)] = None
    op: OpName
    value: Value = None

    @field_validator("currency")
    @classmethod
    def _check_currency(cls, currency: str | None, info: ValidationInfo) -> str | None:
        return _if_needed(currency, is_needed=info.data.get("field") in BY_CURRENCY, what="a currency")

    @classmethod
    def _ops(cls, said: Mapping[str, Any]) -> frozenset[Op]:
        return c.PRESENCE | (c.IDENTITY | c.CHOICE if said["field"] in NAMED else c.NUMERIC)

    @classmethod
    def _take(cls, op: Op, value: Any, said: Mapping[str, Any]) -> Any:
        if op in c.NUMERIC:
            return _taken(op, value, _minor(said["currency"]) if said["field"] in MONEY else _whole)
        taken = _name(op, value)
        if said["field"] == segments.Field.LIFECYCLE:
            _refuse_unknown(op, taken, _STAGES, "there is no such stage of the life cycle")
        return taken

    def to_condition(self) -> Condition:
        return StatsCondition(segments.Field(self.field), Comparison(Op(self.op), self.value), self.currency)


PredictedName = Literal["clv", "p_alive", "next_order_on", "orders_30", "orders_90", "orders_365"]


class PredictedConditionBody(_Compares):
    """What is expected of a customer in one currency, by last night's model.

    `clv` is the expected net revenue in the company's horizon, as a decimal; `p_alive` from 0 to 1 the probability that they are
    still a customer; `orders_30`, `orders_90` and `orders_365` the expected days with an order; `next_order_on` the day by which
    an order is as likely as not. Probabilities and orders are compared as they are shown, to four decimals.
    """

    field: PredictedName
    currency: Currency
    op: OpName
    value: Value = None

    @classmethod
    def _ops(cls, said: Mapping[str, Any]) -> frozenset[Op]:
        return c.PRESENCE | (c.DATED if said["field"] == Predicted.NEXT_ORDER_ON else c.NUMERIC)

    @classmethod
    def _take(cls, op: Op, value: Any, said: Mapping[str, Any]) -> Any:
        if said["field"] == Predicted.CLV:
            return _taken(op, value, _minor(said["currency"]))
        return _taken(op, value, _probability if said["field"] == Predicted.P_ALIVE else _number)

    def to_condition(self) -> Condition:
        return PredictedCondition(Predicted(self.field), self.currency, Comparison(Op(self.op), self.value))


def _probability(value: Any) -> int | Decimal:
    probability = _number(value)
    if probability < 0:
        raise PydanticKnownError("greater_than_equal", {"ge": 0})
    if probability > 1:
        raise PydanticKnownError("less_than_equal", {"le": 1})
    return probability


def _if_needed[T](value: T | None, *, is_needed: bool, what: str) -> T | None:
    if is_needed and value is None:
        raise PydanticCustomError("missing", f"{what} is needed here")
    if not is_needed and value is not None:
        raise PydanticCustomError("not_expected", f"{what} means nothing here")
    return value


class _OneOf(Body):
    """An object with one of several names."""

    @model_validator(mode="after")
    def _check_one(self) -> Self:
        if len(self.model_fields_set) != 1 or self.said is None:
            names = ", ".join(field.alias or name for name, field in type(self).model_fields.items())
            raise PydanticCustomError("one_of", f"exactly one is needed of {names}")
        return self

    @property
    def said(self) -> Any:
        return getattr(self, next(iter(self.model_fields_set)))


class LastBody(_OneOf):
    """Days of 24 hours, or hours, up to the moment of evaluation."""

    days: Annotated[int, Field(ge=1, le=MOST_DAYS)] | None = None
    hours: Annotated[int, Field(ge=1, le=MOST_HOURS)] | None = None

    def to_window(self) -> windows.Window:
        return windows.LastDays(self.said) if self.days else windows.LastHours(self.said)


class WindowBody(_OneOf):
    """When something happened. Days are the company's calendar's; both of `between` are in it, those of the others are not."""

    last: LastBody | None = None
    between: Annotated[list[Day], Field(min_length=2, max_length=2)] | None = None
    before: Day | None = None
    after: Day | None = None
    ever: Literal[True] | None = None

    @field_validator("between")
    @classmethod
    def _check_between(cls, days: list[date] | None) -> list[date] | None:
        if days and days[0] > days[1]:
            raise PydanticCustomError("wrong_order", "the first day is after the last")
        return days

    def to_window(self) -> windows.Window:
        if self.last:
            return self.last.to_window()
        if self.between:
            return windows.Between(*self.between)
        if self.before:
            return windows.Before(self.before)
        return windows.After(self.after) if self.after else windows.Ever()


class PropertyFilterBody(_Compares):
    """`path` is a property's name, with a point before each inner one, as in `products.category`."""

    path: Path
    op: OpName
    value: Value = None

    def to_filter(self) -> PropertyFilter:
        return PropertyFilter(self.path, Comparison(Op(self.op), self.value))


MeasureName = Literal["count", "sum", "avg", "min", "max"]
_EVER = WindowBody(ever=True)


class _Measures(_Compares):
    @field_validator("of", check_fields=False)
    @classmethod
    def _check_of(cls, of: str | None, info: ValidationInfo) -> str | None:
        if "measure" not in info.data:
            return of
        return _if_needed(of, is_needed=info.data["measure"] != Measure.COUNT, what="what is measured")

    @classmethod
    def _ops(cls, _said: Mapping[str, Any]) -> frozenset[Op]:
        return c.NUMERIC | c.PRESENCE


class EventConditionBody(_Measures):
    """Behaviour by the name it was tracked by (`Product Viewed`, `Page Viewed`): how often, or a measure of a property."""

    name: Name
    measure: MeasureName = "count"
    of: Annotated[Path | None, Field(validate_default=True)] = None
    window: Annotated[WindowBody, Field(json_schema_extra={"default": {"ever": True}})] = _EVER
    where: Annotated[list[PropertyFilterBody], Field(max_length=MOST_FILTERS)] = Field(default_factory=list)
    op: OpName
    value: Value = None

    @classmethod
    def _take(cls, op: Op, value: Any, said: Mapping[str, Any]) -> Any:
        return _taken(op, value, _whole if said["measure"] == Measure.COUNT else _number)

    def to_condition(self) -> Condition:
        return EventCondition(
            name=self.name,
            measure=Measure(self.measure),
            comparison=Comparison(Op(self.op), self.value),
            window=self.window.to_window(),
            of=self.of,
            where=tuple(one.to_filter() for one in self.where),
        )


class OrderFilterBody(_Compares):
    field: Literal["status", "site", "coupon", "sku", "name", "category"]
    op: OpName
    value: Value = None

    @classmethod
    def _ops(cls, said: Mapping[str, Any]) -> frozenset[Op]:
        return c.IDENTITY | c.CHOICE if said["field"] == OrderField.STATUS else c.TEXTUAL | c.PRESENCE

    @classmethod
    def _take(cls, op: Op, value: Any, said: Mapping[str, Any]) -> Any:
        taken = _name(op, value)
        if said["field"] == OrderField.STATUS:
            _refuse_unknown(op, taken, _STATUSES, "an order has no such status")
        return taken

    def to_filter(self) -> OrderFilter:
        return OrderFilter(OrderField(self.field), Comparison(Op(self.op), self.value))


class OrderConditionBody(_Measures):
    """Orders by when they were placed: how many, or a measure of each as a whole, net revenue in one currency."""

    measure: MeasureName = "count"
    of: Annotated[Literal["net_revenue", "items"] | None, Field(validate_default=True)] = None
    currency: Annotated[Currency | None, Field(validate_default=True)] = None
    window: Annotated[WindowBody, Field(json_schema_extra={"default": {"ever": True}})] = _EVER
    where: Annotated[list[OrderFilterBody], Field(max_length=MOST_FILTERS)] = Field(default_factory=list)
    op: OpName
    value: Value = None

    @field_validator("currency")
    @classmethod
    def _check_currency(cls, currency: str | None, info: ValidationInfo) -> str | None:
        return _if_needed(currency, is_needed=True, what="a currency") if info.data.get("of") == "net_revenue" else currency

    @classmethod
    def _take(cls, op: Op, value: Any, said: Mapping[str, Any]) -> Any:
        if said["of"] == OrderAmount.NET_REVENUE:
            return _taken(op, value, _minor(said["currency"]))
        return _taken(op, value, _whole if said["measure"] == Measure.COUNT else _number)

    def to_condition(self) -> Condition:
        return OrderCondition(
            measure=Measure(self.measure),
            comparison=Comparison(Op(self.op), self.value),
            window=self.window.to_window(),
            of=OrderAmount(self.of) if self.of else None,
            currency=self.currency,
            where=tuple(one.to_filter() for one in self.where),
        )


class SegmentConditionBody(Body):
    """Whoever is in another segment at the same moment."""

    id: SegmentId

    def to_condition(self) -> Condition:
        return SegmentCondition(self.id)


class ConsentConditionBody(Body):
    """What holds for the address at which the customer is reached now."""

    channel: ChannelName
    topic: TopicId
    state: Literal["granted", "denied", "pending"] = "granted"

    def to_condition(self) -> Condition:
        return ConsentCondition(Channel(self.channel), self.topic, State(self.state))


class AnniversaryConditionBody(Body):
    """An attribute that is a date (`birthday`, `created_at`), or `first_order_at` or `last_order_at`, comes round again.

    It does so today, or within so many days, `next` or `last`. That of 29 February is on 28 February in other years.
    """

    path: Path
    within_days: Annotated[int, Field(ge=0, le=366)]
    direction: Literal["next", "last"] = "next"

    @field_validator("path")
    @classmethod
    def _check_path(cls, path: str) -> str:
        if not _TYPED_PATHS.get(path, c.DATED) >= c.DATED:
            raise PydanticCustomError("wrong_type", "this is no date")
        return path

    def to_condition(self) -> Condition:
        return AnniversaryCondition(self.path, self.within_days, windows.Direction(self.direction))


_FINEST = Decimal("0.0001")


def _percent(value: Any) -> Decimal:
    percent = Decimal(_number(value))
    if percent > 100:  # noqa: PLR2004 (the whole)
        raise PydanticKnownError("less_than_equal", {"le": 100})
    if percent < _FINEST:
        raise PydanticKnownError("greater_than_equal", {"ge": float(_FINEST)})
    if percent % _FINEST:
        raise PydanticCustomError("too_many_decimals", "a percentage has at most four decimals")
    return percent


Percent = Annotated[Decimal, BeforeValidator(_percent), WithJsonSchema({"type": "number", "minimum": 0.0001, "maximum": 100})]


class SampleConditionBody(Body):
    """So many of a hundred customers, always the same ones for the same salt."""

    percent: Percent
    salt: Annotated[str, StringConstraints(min_length=1, max_length=100)]

    def to_condition(self) -> Condition:
        return SampleCondition(self.percent, self.salt)


class RuleBody(_OneOf):
    """One condition, or several under `and`, `or`, `not`: at most ten levels and a thousand conditions."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    and_: Annotated["list[RuleBody]", Field(min_length=1, max_length=MOST_CONDITIONS)] | None = Field(default=None, alias="and")
    or_: Annotated["list[RuleBody]", Field(min_length=1, max_length=MOST_CONDITIONS)] | None = Field(default=None, alias="or")
    not_: "RuleBody | None" = Field(default=None, alias="not")
    profile: ProfileConditionBody | None = None
    stats: StatsConditionBody | None = None
    predicted: PredictedConditionBody | None = None
    event: EventConditionBody | None = None
    order: OrderConditionBody | None = None
    segment: SegmentConditionBody | None = None
    consent: ConsentConditionBody | None = None
    anniversary: AnniversaryConditionBody | None = None
    sample: SampleConditionBody | None = None

    def to_rule(self) -> Rule:
        if self.and_:
            return And(tuple(part.to_rule() for part in self.and_))
        if self.or_:
            return Or(tuple(part.to_rule() for part in self.or_))
        if self.not_:
            return Not(self.not_.to_rule())
        condition: Condition = self.said.to_condition()
        return condition


class PutSegmentBody(Restated):
    """Who belongs to a segment; the description says it in words. One that is archived has no members, and no rule names it."""

    READ_ONLY = frozenset({"segment", "ready_made", "updated_at", "version", "size", "night", "nights", "used_by"})

    name: Name
    description: Text = ""
    rule: RuleBody
    archived: bool = False

    def to_segment(self, segment: str, now: datetime | None = None) -> Segment:
        """Raises Invalid for a rule that is too deep or too long."""
        if not re.fullmatch(SEGMENT_ID, segment):
            detail = "a segment is named by lower-case letters, digits, hyphens and underscores, 40 at most"
            raise Invalid(detail, code="bad_segment")
        rule = self.rule.to_rule()
        refuse_too_large(rule)
        return Segment(
            segment=segment,
            name=self.name,
            description=self.description,
            rule=rule,
            is_archived=self.archived,
            updated_at=now,
        )


class SegmentBody(Answer):
    """`ready_made`: nobody has written one of this name, and this one is there to start from, at version 0.

    The rule is as it was put, with what was left out said.
    """

    segment: SegmentId
    name: str
    description: str
    rule: dict[str, Any]
    archived: bool
    ready_made: bool
    updated_at: str | None
    version: int

    @classmethod
    def of(cls, segment: Segment) -> Self:
        return cls(
            segment=segment.segment,
            name=segment.name,
            description=segment.description,
            rule=json_of(written(segment.rule)),
            archived=segment.is_archived,
            ready_made=segment.version == 0,
            updated_at=instants.to_answer(segment.updated_at) if segment.updated_at else None,
            version=segment.version,
        )


def written(rule: Rule) -> dict[str, Any]:
    """Write a rule as JSON that a `RuleBody` reads."""
    match rule:
        case And(parts):
            return {"and": [written(part) for part in parts]}
        case Or(parts):
            return {"or": [written(part) for part in parts]}
        case Not(part):
            return {"not": written(part)}
        case _:
            said = _CONDITIONS[type(rule)](rule)
            return {segments.NAMES[type(rule)]: {name: value for name, value in said.items() if value is not None}}


def _comparison(comparison: Comparison, currency: str | None = None) -> dict[str, Any]:
    return {"op": comparison.op.value, "value": _value(comparison.value, currency)}


def _value(value: Any, currency: str | None) -> Any:
    if isinstance(value, tuple):
        return [_value(each, currency) for each in value]
    if isinstance(value, date):
        return value.isoformat()
    return money.to_text(value, currency) if currency and isinstance(value, int) else value


def _profile(said: ProfileCondition) -> dict[str, Any]:
    return {"path": said.path, **_comparison(said.comparison)}


def _stats(said: StatsCondition) -> dict[str, Any]:
    in_money = said.currency if said.field in MONEY else None
    return {"field": said.field.value, "currency": said.currency, **_comparison(said.comparison, in_money)}


def _predicted(said: PredictedCondition) -> dict[str, Any]:
    in_money = said.currency if said.field is Predicted.CLV else None
    return {"field": said.field.value, "currency": said.currency, **_comparison(said.comparison, in_money)}


def _event(said: EventCondition) -> dict[str, Any]:
    return {
        "name": said.name,
        "measure": said.measure.value,
        "of": said.of,
        "window": _window(said.window),
        "where": [{"path": one.path, **_without_none(_comparison(one.comparison))} for one in said.where] or None,
        **_comparison(said.comparison),
    }


def _order(said: OrderCondition) -> dict[str, Any]:
    in_money = said.currency if said.of is OrderAmount.NET_REVENUE else None
    return {
        "measure": said.measure.value,
        "of": said.of.value if said.of else None,
        "currency": said.currency,
        "window": _window(said.window),
        "where": [{"field": one.field.value, **_without_none(_comparison(one.comparison))} for one in said.where] or None,
        **_comparison(said.comparison, in_money),
    }


def _without_none(said: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if value is not None}


def _window(window: windows.Window) -> dict[str, Any]:
    match window:
        case windows.LastDays(days):
            return {"last": {"days": days}}
        case windows.LastHours(hours):
            return {"last": {"hours": hours}}
        case windows.Between(first, last):
            return {"between": [first.isoformat(), last.isoformat()]}
        case windows.Before(day):
            return {"before": day.isoformat()}
        case windows.After(day):
            return {"after": day.isoformat()}
        case _:
            return {"ever": True}


def _consent(said: ConsentCondition) -> dict[str, Any]:
    return {"channel": said.channel.value, "topic": said.topic, "state": said.state.value}


def _anniversary(said: AnniversaryCondition) -> dict[str, Any]:
    return {"path": said.path, "within_days": said.within_days, "direction": said.direction.value}


def _sample(said: SampleCondition) -> dict[str, Any]:
    return {"percent": said.percent, "salt": said.salt}


_CONDITIONS: Mapping[type, Callable[[Any], dict[str, Any]]] = {
    ProfileCondition: _profile,
    StatsCondition: _stats,
    PredictedCondition: _predicted,
    EventCondition: _event,
    OrderCondition: _order,
    SegmentCondition: lambda said: {"id": said.segment},
    ConsentCondition: _consent,
    AnniversaryCondition: _anniversary,
    SampleCondition: _sample,
}
