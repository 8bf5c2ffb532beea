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

from ecrm.domain.statistics import CurrencyStatistics, CustomerStatistics, Month, Purchases, month_of

WINDOWS = (30, 60, 90, 180, 365, 730)
"""Days after the first purchase day within which a customer is asked to have come back."""
FIRST_DAYS = 90
"""The first three months of a customer, the first purchase day among them."""


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
class SpendCounts:
    """Customers, and the net revenue of their first `FIRST_DAYS` days."""

    customers: int = 0
    net_revenue_minor: int = 0

    def merge(self, other: Self) -> None:
        self.customers += other.customers
        self.net_revenue_minor += other.net_revenue_minor


@dataclass(slots=True)
class CurrencyCounts:
    """In one currency, net revenue by month with its part that was new, and customers by the month of their first purchase.

    `returned` are those of a cohort who came back by now. `active` and `cohort_revenue` are by cohort and month: who had a
    purchase day in it, and what they paid. The first `FIRST_DAYS` days are counted of those who have them behind them: of who
    bought on one day alone until now, and of who came back, whenever that was.
    """

    net_revenue: dict[int, int] = field(default_factory=dict)
    new_revenue: dict[int, int] = field(default_factory=dict)
    cohorts: dict[int, int] = field(default_factory=dict)
    returned: dict[int, int] = field(default_factory=dict)
    active: dict[tuple[int, int], int] = field(default_factory=dict)
    cohort_revenue: dict[tuple[int, int], int] = field(default_factory=dict)
    one_time: SpendCounts = field(default_factory=SpendCounts)
    repeat: SpendCounts = field(default_factory=SpendCounts)

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
            spend.merge(SpendCounts(1, part.first_90_days_net_revenue_minor))

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
