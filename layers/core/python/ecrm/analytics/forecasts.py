"""Who is still a customer, how often they will buy and what that is worth, by the models of a night.

Each currency has models of its own customers where it has enough of these; else those of all the company's customers, in whose
purchases one currency's mean is as good as another's; else those of another shop. What is not its own is weak. A fit that fails
leaves the parameters of the night before.

Lifetime value (after Fader, Hardie and Lee, "RFM and CLV: using iso-value curves for customer base analysis", Journal of
Marketing Research 42, 2005, p. 415) is, with the expected number of purchases N until the end of each step of 30 days

    Σ (N(step) − N(step before)) · (1 + discount)^−(middle of the step / 365) × expected spend
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import cache, partial
from itertools import pairwise
from math import ceil
from typing import Any, NamedTuple

from ecrm.domain.predictions import Prediction
from ecrm.domain.statistics import CurrencyStatistics

from . import purchasing, spending
from .fitting import FitFailed
from .histories import CLASSES, LEVELS, CurrencyHistories, Histories, History, class_of, history_of, past_of
from .purchasing import Curve, Purchasing
from .spending import RepeatSpend, Spending

MODEL = "mbg_nbd_gamma_gamma"
VERSION = 1
"""Changes with whatever changes numbers."""
FEWEST_BUYERS, FEWEST_REPEAT_BUYERS = 500, 100
"""With as many as these, what is forecast of all of them is a tenth off what a fit to 23,570 customers of the same shop says
(CDNOW, 16 samples of each size), and such models are off by as much in a hold-out anyway.
"""
CDNOW = Purchasing(r=0.525, alpha=43.28, a=0.891, b=1.614)
CDNOW_SPENDING = Spending(p=6.25, q=3.74, gamma=0.4286)
"""A music shop's customers of 1997: the sample of Fader and Hardie's papers until 30 September, as the tests fit it.

The published γ of $15.44 is here in units of the mean purchase day's $36.02.
"""
STEP_DAYS = 30
FARTHEST_DAYS = 1_095
"""No next order is named beyond."""
_KEPT = 50_000
"""Outlooks, some 400 bytes each."""


class Source(StrEnum):
    """Whose customers parameters were fitted on.

    The currency's own, this night or an earlier one (`YESTERDAY`), all of the company's, or another shop's.
    """

    OWN = "own"
    POOLED = "pooled"
    BUILT_IN = "built_in"
    YESTERDAY = "yesterday"


@dataclass(frozen=True, slots=True, kw_only=True)
class Horizon:
    """How far lifetime value looks ahead, and by how much it is discounted in a year."""

    days: int = 365
    discount_percent: float = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedRepeats:
    """Customers by repeat purchases, `repeats` or more up to the next class: orders are purchase days since."""

    repeats: int
    customers: int
    expected_orders: float
    actual_orders: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What a model that was fitted as of a day in the past expected until today of everybody then known, and what happened.

    Values are net revenue in minor units, not discounted. `sources` are those of the checked model.
    """

    as_of: date
    until: date
    purchasing_source: Source
    spending_source: Source
    customers: int
    expected_orders: float
    actual_orders: int
    expected_value_minor: int
    actual_value_minor: int
    by_repeats: tuple[CheckedRepeats, ...]

    @property
    def orders_error(self) -> float | None:
        """Expected orders over actual ones less 1; None where there were none."""
        return self.expected_orders / self.actual_orders - 1 if self.actual_orders else None

    @property
    def value_error(self) -> float | None:
        """Expected value over the actual one less 1; None where there was none."""
        return self.expected_value_minor / self.actual_value_minor - 1 if self.actual_value_minor > 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrencyModel:
    """What customers of one currency are forecast by.

    `buyers` and `repeat_buyers` are the currency's in the night of `fitted_on`, in which `purchasing` was chosen. Where a fit
    failed, `failure` says why, and what stands here instead is the one of an earlier night, if there is any. One that `is_weak`
    has parameters of others than its own customers.
    """

    purchasing: Purchasing
    spending: Spending
    purchasing_source: Source
    spending_source: Source
    buyers: int
    repeat_buyers: int
    fitted_on: date
    is_weak: bool
    failure: str | None = None
    check: Check | None = None
    name: str = MODEL
    version: int = VERSION


class _IfAlive(NamedTuple):
    """What x and T say of who is still a customer: `discounted` are the horizon's orders, each worth what it is worth today."""

    orders_30: float
    orders_90: float
    orders_365: float
    discounted: float
    next_days: int | None


class _Outlook(NamedTuple):
    """What a history says of a customer, whatever they spent."""

    p_alive: float
    orders_30: float
    orders_90: float
    orders_365: float
    discounted: float
    next_days: int | None


class Forecaster:
    """Predicts customers of one currency, some microseconds each; keeps what follows from histories, so make it once for many."""

    __slots__ = ("_curves", "_if_alive", "_is_weak", "_outlooks", "_purchasing", "_spending", "_steps", "_times")

    def __init__(self, model: CurrencyModel, horizon: Horizon) -> None:
        self._purchasing, self._spending, self._is_weak = model.purchasing, model.spending, model.is_weak
        ends = [*range(STEP_DAYS, horizon.days, STEP_DAYS), horizon.days]
        self._steps = [
            (begin, end, (1 + horizon.discount_percent / 100) ** (-(begin + end) / 2 / 365))
            for begin, end in pairwise([0, *ends])
        ]
        self._times = sorted({0, 30, 90, 365, *ends})
        self._curves: dict[int, Curve] = {}
        self._if_alive: dict[tuple[int, int], _IfAlive] = {}
        self._outlooks: dict[History, _Outlook] = {}

    def predict(self, part: CurrencyStatistics, today: date) -> Prediction | None:
        """Predict a customer; None where there is no purchase day."""
        purchases = part.purchases
        if purchases is None:
            return None
        history = history_of(purchases.days, purchases.first_on, purchases.last_on, today)
        outlook = self._outlooks.get(history) or self._outlook(history)
        spend = self._spending.expected(history.repeats, part.net_revenue_minor - part.first_day_net_revenue_minor)
        return Prediction(
            p_alive=outlook.p_alive,
            orders_30=outlook.orders_30,
            orders_90=outlook.orders_90,
            orders_365=outlook.orders_365,
            value_minor=round(outlook.discounted * spend),
            next_order_on=None if outlook.next_days is None else today + timedelta(outlook.next_days),
            is_weak=self._is_weak,
        )

    def _outlook(self, history: History) -> _Outlook:
        if len(self._outlooks) >= _KEPT:
            self._outlooks.clear()
            self._if_alive.clear()
        repeats, away, age = history
        if_alive = self._if_alive.get((repeats, age)) or self._expected(repeats, age)
        p_alive = self._purchasing.p_alive(repeats, age - away, age)
        found = self._outlooks[history] = _Outlook(
            p_alive,
            p_alive * if_alive.orders_30,
            p_alive * if_alive.orders_90,
            p_alive * if_alive.orders_365,
            p_alive * if_alive.discounted,
            if_alive.next_days,
        )
        return found

    def _expected(self, repeats: int, age: int) -> _IfAlive:
        curve = self._curves.get(repeats)
        if curve is None:
            curve = self._curves[repeats] = self._purchasing.curve(repeats, self._times[-1])
        known = self._purchasing.alpha + age
        by_time = {time: curve.at(time / known) for time in self._times}
        days = self._purchasing.days_to_next(repeats, age)
        found = self._if_alive[repeats, age] = _IfAlive(
            by_time[30],
            by_time[90],
            by_time[365],
            sum((by_time[end] - by_time[begin]) * worth for begin, end, worth in self._steps),
            ceil(days) if days <= FARTHEST_DAYS else None,
        )
        return found


class _Chosen(NamedTuple):
    purchasing: Purchasing
    spending: Spending
    purchasing_source: Source
    spending_source: Source
    failure: str | None

    @property
    def is_weak(self) -> bool:
        return not {self.purchasing_source, self.spending_source} <= _OWN


_OWN = {Source.OWN, Source.YESTERDAY}


def fit(counts: Mapping[str, CurrencyHistories], yesterday: Mapping[str, CurrencyModel], today: date) -> dict[str, CurrencyModel]:
    """Fit each currency that somebody bought in. Never raises for what is in the counts.

    It is done twice, as of today and as of the past, from which the check is made.
    """
    chosen = _choose({currency: each.today for currency, each in counts.items()}, yesterday, is_kept=True)
    pasts = _choose({currency: each.past for currency, each in counts.items()}, chosen, is_kept=False)
    return {
        currency: _model(each, chosen[currency], _check(each, pasts[currency], today), yesterday.get(currency), today)
        for currency, each in sorted(counts.items())
    }


def _model(
    counts: CurrencyHistories, chosen: _Chosen, check: Check | None, before: CurrencyModel | None, today: date
) -> CurrencyModel:
    kept = before if chosen.purchasing_source is Source.YESTERDAY else None
    return CurrencyModel(
        purchasing=chosen.purchasing,
        spending=chosen.spending,
        purchasing_source=chosen.purchasing_source,
        spending_source=chosen.spending_source,
        buyers=kept.buyers if kept else counts.today.buyers,
        repeat_buyers=kept.repeat_buyers if kept else counts.today.repeat_buyers,
        fitted_on=kept.fitted_on if kept else today,
        is_weak=chosen.is_weak,
        failure=chosen.failure,
        check=check,
    )


def _check(counts: CurrencyHistories, past: _Chosen, today: date) -> Check | None:
    """Sum up what was expected, which depends on history and sum of spends alone; None where nobody had bought by then."""
    if not counts.since:
        return None
    as_of = past_of(today)
    times, outlooks = [float((today - as_of).days)], dict[tuple[float, float], float]()
    orders, value = dict.fromkeys(CLASSES, 0.0), 0.0
    level = LEVELS[counts.past.purchases.level]
    for history, customers in sorted(counts.past.purchases.customers.items()):
        x, t_x, age = history.triple(level)
        if (x, age) not in outlooks:
            (outlooks[x, age],) = past.purchasing.expected_if_alive(x, age, times)
        expected = customers * past.purchasing.p_alive(x, t_x, age) * outlooks[x, age]
        orders[class_of(history.repeats)] += expected
        value += expected * past.spending.expected(x, counts.past.purchases.revenue_minor[history] / customers)
    return Check(
        as_of=as_of,
        until=today,
        purchasing_source=past.purchasing_source,
        spending_source=past.spending_source,
        customers=sum(since.customers for since in counts.since.values()),
        expected_orders=sum(orders.values()),
        actual_orders=sum(since.orders for since in counts.since.values()),
        expected_value_minor=round(value),
        actual_value_minor=sum(since.revenue_minor for since in counts.since.values()),
        by_repeats=tuple(
            CheckedRepeats(
                repeats=repeats, customers=since.customers, expected_orders=orders[repeats], actual_orders=since.orders
            )
            for repeats, since in sorted(counts.since.items())
        ),
    )


def _choose(
    histories: Mapping[str, Histories], known: Mapping[str, CurrencyModel | _Chosen], *, is_kept: bool
) -> dict[str, _Chosen]:
    """Choose each currency's parameters. Fits begin at its own that are known; where one fails these stay, if they are kept."""
    every = cache(lambda: _merged(histories.values()))
    purchasing_of_all = _once(lambda: _fitted(purchasing.fit, every(), every().purchases.triples()))
    spending_of_all = _once(lambda: _fitted(spending.fit, every(), _in_means(histories.values())))
    chosen: dict[str, _Chosen] = {}
    for currency, counts in sorted(histories.items()):
        before, mean = known.get(currency), counts.mean_spend_minor
        triples, totals = counts.purchases.triples(), counts.spends.totals()
        purchases = _cascade(
            partial(_fitted, purchasing.fit, counts, triples),
            before.purchasing if before and before.purchasing_source in _OWN else None,
            purchasing_of_all,
            CDNOW,
            is_kept=is_kept,
        )
        spends = _cascade(
            partial(_fitted, spending.fit, counts, totals),
            before.spending if before and before.spending_source in _OWN else None,
            partial(_scaled, spending_of_all, mean),
            CDNOW_SPENDING.scaled(mean),
            is_kept=is_kept,
        )
        failures = [what for what in (purchases.failure, spends.failure) if what]
        chosen[currency] = _Chosen(purchases.part, spends.part, purchases.source, spends.source, "; ".join(failures) or None)
    return chosen


class _Outcome[Part](NamedTuple):
    part: Part
    source: Source
    failure: str | None


def _cascade[Part](
    own: Callable[[Part | None], Part], known: Part | None, pooled: Callable[[], Part], built_in: Part, *, is_kept: bool
) -> _Outcome[Part]:
    try:
        return _Outcome(own(known), Source.OWN, None)
    except _TooFew:
        failure = None
    except FitFailed as failed:
        failure = str(failed)
    if known is not None and is_kept:
        return _Outcome(known, Source.YESTERDAY, failure)
    try:
        return _Outcome(pooled(), Source.POOLED, failure)
    except FitFailed:
        return _Outcome(built_in, Source.BUILT_IN, failure)


class _TooFew(FitFailed):
    """Nothing went wrong: there are fewer customers than a fit needs."""


def _fitted[Data: Mapping[Any, int], Part](
    fit: Callable[[Data, Part | None], Part], counts: Histories, data: Data, start: Part | None = None
) -> Part:
    """Fit where there are enough customers, from the start and, where that leads nowhere, from none."""
    repeat_buyers = min(counts.repeat_buyers, sum(data.values()))
    if counts.buyers < FEWEST_BUYERS or repeat_buyers < FEWEST_REPEAT_BUYERS:
        raise _TooFew
    try:
        return fit(data, start)
    except FitFailed:
        if start is None:
            raise
        return fit(data, None)


def _once[Part](make: Callable[[], Part]) -> Callable[[], Part]:
    """Make something when it is first asked for, and fail again without another try if that failed."""

    @cache
    def outcome() -> Part | FitFailed:
        try:
            return make()
        except FitFailed as failed:
            return failed

    def made() -> Part:
        found = outcome()
        if isinstance(found, FitFailed):
            raise found
        return found

    return made


def _scaled(in_means: Callable[[], Spending], mean: float) -> Spending:
    return in_means().scaled(mean)


def _merged(histories: Iterable[Histories]) -> Histories:
    every = Histories()
    for each in histories:
        every.merge(each)
    return every


def _in_means(histories: Iterable[Histories]) -> dict[RepeatSpend, int]:
    """Give what customers of all currencies spent, each in units of their currency's mean purchase day."""
    found: dict[RepeatSpend, int] = {}
    for each in histories:
        mean = each.mean_spend_minor
        for (x, total), customers in sorted(each.spends.totals().items()):
            spend = RepeatSpend(x, total / mean)
            found[spend] = found.get(spend, 0) + customers
    return found
