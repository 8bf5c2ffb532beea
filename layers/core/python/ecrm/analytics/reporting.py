"""What the nightly report counts of all customers: whole numbers alone, so that parts merged in any order give the same.

Money and days are counted in each currency for itself; who came back is asked of customers, whatever they paid with. Months are
those of the statistics (domain/statistics.py): an order belongs to the month in which it was placed and is worth what it is worth
now, so a refund lowers the month of its order, not its own.

New revenue is what customers paid on their first purchase day in a currency, all else is repeat revenue. A customer belongs to
the cohort of the month of that day.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Self

from ecrm.domain.facts import Rfm
from ecrm.domain.facts import Scores as CustomerScores
from ecrm.domain.predictions import Prediction
from ecrm.domain.statistics import CurrencyStatistics, CustomerStatistics, Month, Purchases, month_of

from .rfm import Scores

WINDOWS = (30, 60, 90, 180, 365, 730)
"""Days after the first purchase day within which a customer is asked to have come back."""
FIRST_DAYS = 90
"""The first three months of a customer, the first purchase day among them."""
MILLION = 1_000_000
"""Chances and expected orders are summed in millionths: whole numbers add up to the same in any order, floats do not."""
_TENTHS = 10


@dataclass(slots=True)
class ReturnCounts:
    """Of the customers with a purchase day: how many have only one, and how many came back, by window.

    `known` are those who bought first at least so many days ago: only of these it is known whether they came back within them.
    """

    buyers: int = 0
    one_time: int = 0
    known: dict[int, int] = field(default_factory=dict)
    back: dict[int, int] = field(default_factory=dict)

    def add(self, purchases: Purchases, today: date) -> None:
        self.buyers += 1
        self.one_time += purchases.days == 1
        age = (today - purchases.first_on).days
        away = (purchases.second_on - purchases.first_on).days if purchases.second_on else None
        for window in WINDOWS:
            if age < window:
                break
            _count(self.known, window, 1)
            if away is not None and away <= window:
                _count(self.back, window, 1)

    def merge(self, other: Self) -> None:
        self.buyers += other.buyers
        self.one_time += other.one_time
        _merge(self.known, other.known)
        _merge(self.back, other.back)


@dataclass(slots=True)
class GroupCounts:
    """Customers, and net revenue of theirs: all of it, or as much as is said where it is counted."""

    customers: int = 0
    net_revenue_minor: int = 0

    def merge(self, other: Self) -> None:
        self.customers += other.customers
        self.net_revenue_minor += other.net_revenue_minor


@dataclass(slots=True)
class CurrencyCounts:
    """In one currency, net revenue by month with its part that was new, and customers by the month of their first purchase.

    `returned` are those of a cohort who came back by now. `active` and `cohort_revenue` are by cohort and month: who had a
    purchase day in it, and what they paid. `one_time` and `repeat` have the net revenue of the first `FIRST_DAYS` days of those
    who have them behind them: who bought on one day alone until now, and who came back, whenever that was.
    """

    net_revenue: dict[int, int] = field(default_factory=dict)
    new_revenue: dict[int, int] = field(default_factory=dict)
    cohorts: dict[int, int] = field(default_factory=dict)
    returned: dict[int, int] = field(default_factory=dict)
    active: dict[tuple[int, int], int] = field(default_factory=dict)
    cohort_revenue: dict[tuple[int, int], int] = field(default_factory=dict)
    one_time: GroupCounts = field(default_factory=GroupCounts)
    repeat: GroupCounts = field(default_factory=GroupCounts)

    def add(self, part: CurrencyStatistics, today: date) -> None:
        months = _with_the_first(part)
        for each in months:
            _count(self.net_revenue, each.month, each.net_revenue_minor)
        if part.purchases is None:
            return
        first_on, is_back = part.purchases.first_on, part.purchases.days > 1
        cohort = month_of(first_on)
        _count(self.new_revenue, cohort, part.first_day_net_revenue_minor)
        _count(self.cohorts, cohort, 1)
        if is_back:
            _count(self.returned, cohort, 1)
        for each in months:
            if each.days:
                _count(self.active, (cohort, each.month), 1)
            _count(self.cohort_revenue, (cohort, each.month), each.net_revenue_minor)
        if (today - first_on).days >= FIRST_DAYS:
            spend = self.repeat if is_back else self.one_time
            spend.merge(GroupCounts(1, part.first_90_days_net_revenue_minor))

    def merge(self, other: Self) -> None:
        for mine, theirs in (
            (self.net_revenue, other.net_revenue),
            (self.new_revenue, other.new_revenue),
            (self.cohorts, other.cohorts),
            (self.returned, other.returned),
        ):
            _merge(mine, theirs)
        for pairs, others in ((self.active, other.active), (self.cohort_revenue, other.cohort_revenue)):
            _merge(pairs, others)
        self.one_time.merge(other.one_time)
        self.repeat.merge(other.repeat)


@dataclass(slots=True)
class ReportCounts:
    """Mergeable; bounded by the pairs of months that a shop has had, not by its customers."""

    returns: ReturnCounts = field(default_factory=ReturnCounts)
    currencies: dict[str, CurrencyCounts] = field(default_factory=dict)

    def add(self, customer: CustomerStatistics, today: date) -> None:
        """Count one more customer; of an outdated row it is not known what it has in which month."""
        if customer.is_outdated:
            return
        if customer.purchases is not None:
            self.returns.add(customer.purchases, today)
        for currency, part in customer.currencies.items():
            self.currencies.setdefault(currency, CurrencyCounts()).add(part, today)

    def merge(self, other: Self) -> None:
        """Count the other's customers, too; they are others than ours."""
        self.returns.merge(other.returns)
        for currency, counts in other.currencies.items():
            self.currencies.setdefault(currency, CurrencyCounts()).merge(counts)


@dataclass(slots=True)
class OutlookCounts:
    """What is expected of the customers of one currency in all; `weak` of them by numbers that are marked so.

    `alive` are by tenth of the chance of still being a customer, 0 the lowest; `values` by the least of 1, 2, 5, 10 … minor
    units that a customer's value has, 0 below.
    """

    customers: int = 0
    weak: int = 0
    p_alive_millionths: int = 0
    orders_30_millionths: int = 0
    orders_90_millionths: int = 0
    orders_365_millionths: int = 0
    value_minor: int = 0
    alive: dict[int, int] = field(default_factory=dict)
    values: dict[int, GroupCounts] = field(default_factory=dict)

    def add(self, prediction: Prediction) -> None:
        self.customers += 1
        self.weak += prediction.is_weak
        self.p_alive_millionths += round(prediction.p_alive * MILLION)
        self.orders_30_millionths += round(prediction.orders_30 * MILLION)
        self.orders_90_millionths += round(prediction.orders_90 * MILLION)
        self.orders_365_millionths += round(prediction.orders_365 * MILLION)
        self.value_minor += prediction.value_minor
        _count(self.alive, min(_TENTHS - 1, int(prediction.p_alive * _TENTHS)), 1)
        self.values.setdefault(step_of(prediction.value_minor), GroupCounts()).merge(GroupCounts(1, prediction.value_minor))

    def merge(self, other: Self) -> None:
        self.customers += other.customers
        self.weak += other.weak
        self.p_alive_millionths += other.p_alive_millionths
        self.orders_30_millionths += other.orders_30_millionths
        self.orders_90_millionths += other.orders_90_millionths
        self.orders_365_millionths += other.orders_365_millionths
        self.value_minor += other.value_minor
        _merge(self.alive, other.alive)
        for step, counts in other.values.items():
            self.values.setdefault(step, GroupCounts()).merge(counts)


@dataclass(slots=True)
class ScoreCounts:
    """What a night found of the customers of one currency; mergeable.

    `cells` are by recency and by the mean of frequency and monetary value, as groups are named by them.
    """

    cells: dict[tuple[int, int], GroupCounts] = field(default_factory=dict)
    outlook: OutlookCounts = field(default_factory=OutlookCounts)

    def add(self, net_revenue_minor: int, rfm: Rfm | None, prediction: Prediction | None) -> None:
        if rfm is not None:
            cell = rfm.recency, Scores(rfm.recency, rfm.frequency, rfm.monetary).frequency_monetary
            self.cells.setdefault(cell, GroupCounts()).merge(GroupCounts(1, net_revenue_minor))
        if prediction is not None:
            self.outlook.add(prediction)

    def merge(self, other: Self) -> None:
        for cell, counts in other.cells.items():
            self.cells.setdefault(cell, GroupCounts()).merge(counts)
        self.outlook.merge(other.outlook)


type ScoresByCurrency = dict[str, ScoreCounts]


def add_scores(counts: ScoresByCurrency, customer: CustomerStatistics, scores: CustomerScores) -> None:
    """Count one more customer, in each currency in which there is something to count."""
    for currency in scores.rfm.keys() | scores.predictions.keys():
        net = customer.currencies[currency].net_revenue_minor
        found = counts.setdefault(currency, ScoreCounts())
        found.add(net, scores.rfm.get(currency), scores.predictions.get(currency))


def merge_scores(counts: ScoresByCurrency, other: Mapping[str, ScoreCounts]) -> None:
    """Count the other's customers, too; they are others than ours."""
    for currency, theirs in other.items():
        counts.setdefault(currency, ScoreCounts()).merge(theirs)


def step_of(amount: int) -> int:
    """Round an amount down to 1, 2 or 5 times a power of ten; to 0 below 1."""
    if amount < 1:
        return 0
    power = int(10 ** (len(str(amount)) - 1))
    return next(step for step in (5 * power, 2 * power, power) if step <= amount)


def _with_the_first(part: CurrencyStatistics) -> tuple[Month, ...]:
    """Give the months; where the oldest of many are one entry, the first purchase day is taken out of it, into its own month."""
    first_on = part.purchases.first_on if part.purchases else None
    if first_on is None or not part.months or part.months[0].month <= month_of(first_on):
        return part.months
    merged, rest, new = part.months[0], part.months[1:], part.first_day_net_revenue_minor
    first = Month(month_of(first_on), 1, first_on.day, new)
    return (first, merged._replace(days=merged.days - 1, net_revenue_minor=merged.net_revenue_minor - new), *rest)


def _count[K](counts: dict[K, int], key: K, more: int) -> None:
    counts[key] = counts.get(key, 0) + more


def _merge[K](counts: dict[K, int], other: Mapping[K, int]) -> None:
    for key, more in other.items():
        _count(counts, key, more)
