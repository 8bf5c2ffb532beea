"""Judging a customer by a rule, in Kleene's three-valued logic: so, not so, or not known from what is at hand.

A rule is made ready once for a moment and judges any number of customers. The night asks what the row says; where that is not
known it reads the facts, and asks again. A condition that the row answers is never answered otherwise by the facts, and in
Kleene's logic neither is then a rule: so both ways lead to the same members.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from operator import attrgetter
from typing import Any

from .bounds import Bounds, bought, happened
from .comparisons import Test, Truth, predicate_of, truth_of_count
from .facts import UNKNOWN, Facts, Occurrence, PlacedLine, PlacedOrder
from .predictions import Prediction, rounded
from .segments import (
    BIRTHDAY,
    FIRST_ORDER,
    LAST_ORDER,
    NAMES,
    OF_LINES,
    And,
    AnniversaryCondition,
    Condition,
    ConsentCondition,
    EventCondition,
    Field,
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
    SegmentCondition,
    StatsCondition,
    trait_at,
    trait_of,
)
from .windows import Moment, is_near, origin_of, span

VISITS_DAYS = 90
_EXACT = Context(prec=300)
"""Digits that hold any sum of numbers that a table keeps."""
_SHARES = 1_000_000
"""Parts into which a sample divides all customers."""


@dataclass(frozen=True, slots=True)
class Reason:
    """A condition that decided, by a JSON pointer into its rule, and what it saw: None where there is nothing or not known."""

    pointer: str
    condition: Condition
    seen: Any
    truth: Truth


@dataclass(frozen=True, slots=True)
class Verdict:
    """`why` holds each condition without which, or with whose opposite, the verdict might be another."""

    truth: Truth
    why: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Judge:
    """A rule made ready: `decide` is for many customers, `explain` says the same and why."""

    decide: Callable[[Facts], Truth]
    explain: Callable[[Facts], Verdict]


def judge(rule: Rule, facts: Facts, moment: Moment, others: Mapping[str, Rule] | None = None) -> Verdict:
    """Judge one customer and say why; `others` are the rules of the segments that may be named."""
    return judge_of(rule, moment, others or {}).explain(facts)


def judges(rules: Mapping[str, Rule], moment: Moment) -> dict[str, Judge]:
    """Make all segments' rules ready."""
    bench = _Bench(moment, rules)
    return {segment: bench.of_segment(segment) for segment in rules}


def judge_of(rule: Rule, moment: Moment, others: Mapping[str, Rule]) -> Judge:
    return _Bench(moment, others).of(rule, "")


class _Bench:
    """Makes rules ready, each segment's once; one that is not there, or that is made of itself, has no members."""

    def __init__(self, moment: Moment, rules: Mapping[str, Rule]) -> None:
        self._moment = moment
        self._rules = rules
        self._ready: dict[str, Judge] = {}

    def of_segment(self, segment: str) -> Judge:
        if segment not in self._ready:
            self._ready[segment] = NOBODY
            if segment in self._rules:
                self._ready[segment] = self.of(self._rules[segment], "")
        return self._ready[segment]

    def of(self, rule: Rule, pointer: str) -> Judge:
        match rule:
            case And(parts):
                return _all_of([self.of(part, f"{pointer}/and/{number}") for number, part in enumerate(parts)])
            case Or(parts):
                return _any_of([self.of(part, f"{pointer}/or/{number}") for number, part in enumerate(parts)])
            case Not(part):
                return _not(self.of(part, f"{pointer}/not"))
            case SegmentCondition(segment):
                decide = self.of_segment(segment).decide
                return _of_condition(rule, pointer, decide, lambda truth: truth)
            case _:
                return _of_condition(rule, pointer, *_READY[type(rule)](rule, self._moment))


def _all_of(parts: Sequence[Judge]) -> Judge:
    return _joined(parts, decisive=False)


def _any_of(parts: Sequence[Judge]) -> Judge:
    return _joined(parts, decisive=True)


def _joined(parts: Sequence[Judge], *, decisive: bool) -> Judge:
    """Join parts of which one that is `decisive` decides; then come those that are not known, then all together."""
    decides = tuple(part.decide for part in parts)

    def decide(facts: Facts) -> Truth:
        otherwise: Truth = not decisive
        for one in decides:
            truth = one(facts)
            if truth is decisive:
                return decisive
            if truth is None:
                otherwise = None
        return otherwise

    def explain(facts: Facts) -> Verdict:
        found = [part.explain(facts) for part in parts]
        truths = [each.truth for each in found]
        truth = decisive if decisive in truths else None if None in truths else not decisive
        return Verdict(truth, tuple(reason for each in found if each.truth is truth for reason in each.why))

    return Judge(decide, explain)


def _not(part: Judge) -> Judge:
    def decide(facts: Facts) -> Truth:
        truth = part.decide(facts)
        return None if truth is None else not truth

    def explain(facts: Facts) -> Verdict:
        found = part.explain(facts)
        return Verdict(None if found.truth is None else not found.truth, found.why)

    return Judge(decide, explain)


type _Look = Callable[[Facts], Any]
type _Sentence = Callable[[Any], Truth]
"""What a condition sees of a customer, and what it makes of it."""


def _of_condition(condition: Condition, pointer: str, look: _Look, sentence: _Sentence) -> Judge:
    place = f"{pointer}/{NAMES[type(condition)]}"

    def explain(facts: Facts) -> Verdict:
        seen = look(facts)
        truth = sentence(seen)
        return Verdict(truth, (Reason(place, condition, _shown(seen), truth),))

    return Judge(lambda facts: sentence(look(facts)), explain)


def _shown(seen: Any) -> Any:
    if seen.__class__ is Bounds:
        return seen.low if seen.low == seen.high else None
    return None if seen is UNKNOWN else seen


NOBODY = Judge(lambda _: False, lambda _: Verdict(False, ()))  # noqa: FBT003 (a truth, not a switch)


def _if_known(test: Test) -> _Sentence:
    return lambda seen: None if seen is UNKNOWN else test(seen)


def _profile(condition: ProfileCondition, moment: Moment) -> tuple[_Look, _Sentence]:
    trait = trait_at(condition.path)
    return lambda facts: facts.trait(trait), _if_known(predicate_of(condition.comparison, moment))


def _consent(condition: ConsentCondition, _: Moment) -> tuple[_Look, _Sentence]:
    trait, state = trait_of(condition), condition.state.value
    assert trait is not None  # noqa: S101 (a consent always is one)
    return lambda facts: facts.trait(trait), _if_known(lambda seen: bool(seen == state))


def _anniversary(condition: AnniversaryCondition, moment: Moment) -> tuple[_Look, _Sentence]:
    path, zone, today = condition.path, moment.zone, moment.today
    as_written = path in (BIRTHDAY, FIRST_ORDER, LAST_ORDER)

    def near(seen: Any) -> bool:
        origin = origin_of(seen, None if as_written else zone) if isinstance(seen, str) else None
        return origin is not None and is_near(origin, today, condition.within_days, condition.direction)

    if path in (FIRST_ORDER, LAST_ORDER):
        placed_at = attrgetter(f"statistics.{path}")

        def look(facts: Facts) -> str | None:
            at = placed_at(facts)
            return None if at is None else at.astimezone(zone).date().isoformat()

        return look, near
    trait = trait_at(path)
    return lambda facts: facts.trait(trait), _if_known(near)


def _sample(condition: SampleCondition, _: Moment) -> tuple[_Look, _Sentence]:
    salt, share = condition.salt, int(condition.percent * _SHARES / 100)
    return lambda facts: position(salt, facts.customer_id), lambda seen: bool(seen < share)


def position(salt: str, customer_id: str) -> int:
    """Give where a customer stands among all, by chance and for good: from 0 to 999,999."""
    digest = hashlib.sha256(f"{salt}:{customer_id}".encode()).digest()
    return int.from_bytes(digest[:8]) * _SHARES >> 64


def _stats(condition: StatsCondition, moment: Moment) -> tuple[_Look, _Sentence]:
    return _FIELDS[condition.field](moment, condition.currency or ""), predicate_of(condition.comparison, moment)


def _counted(name: str) -> Callable[[Moment, str], _Look]:
    return lambda _moment, _currency: attrgetter(f"statistics.{name}")


def _money(name: str, *, of_nothing: int | None) -> Callable[[Moment, str], _Look]:
    amount = attrgetter(name)

    def ready(_moment: Moment, currency: str) -> _Look:
        def look(facts: Facts) -> Any:
            part = facts.statistics.currencies.get(currency)
            return amount(part) if part is not None and (part.orders or of_nothing is not None) else of_nothing

        return look

    return ready


def _days_since(name: str) -> Callable[[Moment, str], _Look]:
    instant = attrgetter(f"statistics.{name}")

    def ready(moment: Moment, _currency: str) -> _Look:
        today, zone = moment.today.toordinal(), moment.zone

        def look(facts: Facts) -> int | None:
            at = instant(facts)
            return None if at is None else max(0, today - at.astimezone(zone).toordinal())

        return look

    return ready


def _visits(moment: Moment, _currency: str) -> _Look:
    since = moment.now.toordinal() - VISITS_DAYS

    def look(facts: Facts) -> int:
        return sum([count for day, count in facts.statistics.behaviour.visits.items() if day.toordinal() > since])

    return look


def _rfm(name: str) -> Callable[[Moment, str], _Look]:
    score = attrgetter(name)

    def ready(_moment: Moment, currency: str) -> _Look:
        def look(facts: Facts) -> Any:
            scored = facts.scores.rfm.get(currency)
            return None if scored is None else score(scored)

        return look

    return ready


_FIELDS: Mapping[Field, Callable[[Moment, str], _Look]] = {
    Field.ORDERS: _counted("orders"),
    Field.CANCELLED_ORDERS: _counted("cancelled_orders"),
    Field.RETURNED_ITEMS: _counted("returned_items"),
    Field.ORDERS_WITH_RETURNS: _counted("orders_with_returns"),
    Field.NET_REVENUE: _money("net_revenue_minor", of_nothing=0),
    Field.MEAN_ORDER_VALUE: _money("mean_order_value_minor", of_nothing=None),
    Field.RECENCY_DAYS: _days_since("last_order_at"),
    Field.DAYS_SINCE_FIRST_ORDER: _days_since("first_order_at"),
    Field.LAST_SEEN_DAYS: _days_since("behaviour.last_seen_at"),
    Field.VISITS: _visits,
    Field.RFM_RECENCY: _rfm("recency"),
    Field.RFM_FREQUENCY: _rfm("frequency"),
    Field.RFM_MONETARY: _rfm("monetary"),
    Field.RFM_GROUP: _rfm("group"),
    Field.LIFECYCLE: lambda _moment, _currency: attrgetter("scores.lifecycle"),
}


def _predicted(condition: PredictedCondition, moment: Moment) -> tuple[_Look, _Sentence]:
    currency, value = condition.currency, _PREDICTED[condition.field]

    def look(facts: Facts) -> Any:
        prediction = facts.scores.predictions.get(currency)
        return None if prediction is None else value(prediction)

    return look, predicate_of(condition.comparison, moment)


def _next_order_on(prediction: Prediction) -> str | None:
    return prediction.next_order_on.isoformat() if prediction.next_order_on else None


_PREDICTED: Mapping[Predicted, Callable[[Prediction], Any]] = {
    Predicted.CLV: attrgetter("value_minor"),
    Predicted.P_ALIVE: lambda prediction: rounded(prediction.p_alive),
    Predicted.NEXT_ORDER_ON: _next_order_on,
    Predicted.ORDERS_30: lambda prediction: rounded(prediction.orders_30),
    Predicted.ORDERS_90: lambda prediction: rounded(prediction.orders_90),
    Predicted.ORDERS_365: lambda prediction: rounded(prediction.orders_365),
}


def _event(condition: EventCondition, moment: Moment) -> tuple[_Look, _Sentence]:
    name, within = condition.name, span(condition.window, moment)
    bound = happened(name, within, moment.now)
    holds = _all_hold([_of_property(one, moment) for one in condition.where])
    of = tuple((condition.of or "").split("."))

    def measured(known: Iterable[Occurrence]) -> Any:
        chosen = [one.properties for one in known if within.holds(one.at) and holds(one.properties)]
        if condition.measure is Measure.COUNT:
            return len(chosen)
        return measure(condition.measure, (found(properties, of) for properties in chosen))

    def look(facts: Facts) -> Any:
        known = facts.occurrences(name)
        if known is not None:
            return measured(known)
        bounds = bound(facts.statistics.behaviour)
        return _as_measured(condition.measure, Bounds(0, bounds.high) if condition.where else bounds)

    return look, _of_measure(condition, moment)


def _order(condition: OrderCondition, moment: Moment) -> tuple[_Look, _Sentence]:
    within, currency = span(condition.window, moment), condition.currency
    bound = bought(within, currency)
    takes_cancelled = any(one.field is OrderField.STATUS for one in condition.where)
    holds = _all_hold([_of_order(one, moment) for one in condition.where if one.field not in OF_LINES])
    line_tests = [_of_order(one, moment) for one in condition.where if one.field in OF_LINES]
    line_holds = _all_hold(line_tests)
    amount = attrgetter("items" if condition.of is OrderAmount.ITEMS else "net_revenue_minor")

    def is_chosen(order: PlacedOrder) -> bool:
        return (
            within.holds(order.placed_at)
            and (takes_cancelled or order.status != "cancelled")
            and currency in (None, order.currency)
            and holds(order)
            and (not line_tests or any(map(line_holds, order.lines)))
        )

    def look(facts: Facts) -> Any:
        known = facts.placed_orders()
        if known is not None:
            chosen = [order for order in known if is_chosen(order)]
            return len(chosen) if condition.measure is Measure.COUNT else measure(condition.measure, map(amount, chosen))
        bounds = bound(facts.statistics)
        if takes_cancelled:
            bounds = Bounds(0, bounds.high + facts.statistics.cancelled_orders)
        elif condition.where:
            bounds = Bounds(0, bounds.high)
        return _as_measured(condition.measure, bounds)

    return look, _of_measure(condition, moment)


def _as_measured(what: Measure, bounds: Bounds) -> Any:
    """Give what a row's bounds say of a measure: of nothing everything, of something only its count."""
    if what is Measure.COUNT:
        return bounds
    return UNKNOWN if bounds.high else measure(what, ())


def _of_measure(condition: EventCondition | OrderCondition, moment: Moment) -> _Sentence:
    test, count = predicate_of(condition.comparison, moment), truth_of_count(condition.comparison)

    def sentence(seen: Any) -> Truth:
        if seen.__class__ is Bounds:
            return count(*seen)
        return None if seen is UNKNOWN else test(seen)

    return sentence


def measure(what: Measure, values: Iterable[Any]) -> int | Decimal | None:
    """Measure those of the values that are numbers; exact, and None for the mean, the least and the most of nothing."""
    numbers = [value for value in values if isinstance(value, int | Decimal) and not isinstance(value, bool)]
    if what is Measure.LEAST:
        return min(numbers, default=None)
    if what is Measure.MOST:
        return max(numbers, default=None)
    whole: int | Decimal = 0
    for number in numbers:
        whole = whole + number if isinstance(whole, int) and isinstance(number, int) else _EXACT.add(whole, number)
    if what is Measure.SUM:
        return whole
    return _EXACT.divide(whole, len(numbers)) if numbers else None


def _all_hold[T](tests: Sequence[Callable[[T], bool]]) -> Callable[[T], bool]:
    return lambda of: all(test(of) for test in tests)


def _of_property(chooses: PropertyFilter, moment: Moment) -> Callable[[Mapping[str, Any]], bool]:
    path, test = tuple(chooses.path.split(".")), predicate_of(chooses.comparison, moment)
    return lambda properties: test(found(properties, path))


def found(value: Any, path: Iterable[str]) -> Any:
    """Follow a path; through a list it leads to the list of what is found in its objects. None where there is nothing."""
    for name in path:
        if isinstance(value, list):
            value = [each[name] for each in value if isinstance(each, Mapping) and each.get(name) is not None] or None
        else:
            value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _of_order(chooses: OrderFilter, moment: Moment) -> Callable[[PlacedOrder | PlacedLine], bool]:
    value, test = attrgetter(chooses.field.value), predicate_of(chooses.comparison, moment)
    return lambda of: test(value(of))


_READY: Mapping[type, Callable[[Any, Moment], tuple[_Look, _Sentence]]] = {
    ProfileCondition: _profile,
    StatsCondition: _stats,
    PredictedCondition: _predicted,
    EventCondition: _event,
    OrderCondition: _order,
    ConsentCondition: _consent,
    AnniversaryCondition: _anniversary,
    SampleCondition: _sample,
}
