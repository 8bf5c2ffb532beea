"""What models are fitted on: how many customers bought how often and until when, and what they spent.

Fits need of a customer three numbers, which many have in common: x, t_x and T (purchasing.py), and of those who came back what
they spent. These are counted, exactly as long as there are few enough different ones, and then in coarser and coarser steps, of
which each is made of whole ones of the step before. So the outcome depends on who is counted alone, not on how customers are
parted among workers or in which order parts are merged: a union has more different histories than are kept if a part has.

Models are held against what happened since by counting each customer twice: as of today, and as of a day in the past.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import NamedTuple, Self

from ecrm.domain.statistics import CurrencyStatistics, CustomerStatistics, month_of

from . import purchasing, spending
from .counters import coarse, step_at

MOST = 50_000
"""Different histories, and different amounts, that are kept: a fit over them takes seconds, their counts some 10 MB."""
HELD_OUT_DAYS = 90
"""Days at least that forecasts of the past are held against."""
CLASSES = (0, 1, 2, 3, 5, 10)
"""The least repeat purchases of each class in which forecasts are compared with what happened."""


class Level(NamedTuple):
    """How coarsely to count: in steps of days, and so many leading digits of numbers."""

    days: int
    digits: int
    digits_of_money: int


_EXACT = 20
LEVELS = (
    Level(1, _EXACT, _EXACT),
    Level(7, _EXACT, 3),
    Level(28, 2, 2),
    Level(112, 1, 1),
    Level(448, 1, 1),
    Level(1_792, 1, 1),
    Level(date.max.toordinal(), 1, 1),
)
"""At the last but one a hundred years' customers have fewer than are kept; at the last one, whoever has dates and amounts."""


class History(NamedTuple):
    """A customer's purchases as the papers have them: x repeat purchase days, T − t_x and T, in days."""

    repeats: int
    away_days: int
    age_days: int

    def at(self, level: Level) -> "History":
        return History(
            coarse(self.repeats, level.digits),
            self.away_days - self.away_days % level.days,
            self.age_days - self.age_days % level.days,
        )

    def triple(self, level: Level) -> purchasing.Triple:
        """Give what stands for all histories that are this one at a level: their middle.

        Where both times fall into one step, the middle is that of the histories in which the one is no longer than the other.
        """
        within = level.days - 1
        away, age = self.away_days + within / 2, self.age_days + within / 2
        if self.away_days == self.age_days and self.repeats:
            away, age = away - within / 6, age + within / 6
        return purchasing.Triple(_middle(self.repeats, level.digits), age - away, age)


class Spend(NamedTuple):
    """Net revenue of all repeat purchase days together, in minor units."""

    repeats: int
    revenue_minor: int

    def at(self, level: Level) -> "Spend":
        return Spend(coarse(self.repeats, level.digits), coarse(self.revenue_minor, level.digits_of_money))

    def total(self, level: Level) -> spending.RepeatSpend:
        """Give what stands for all that are this one at a level: their middle."""
        return spending.RepeatSpend(_middle(self.repeats, level.digits), _middle(self.revenue_minor, level.digits_of_money))


def _middle(value: int, digits: int) -> float:
    return value + (step_at(value, digits) - 1) / 2


@dataclass(slots=True)
class HistoryCounts:
    """How many customers have each history, and what they spent on repeat days in all; mergeable.

    `level` says how coarsely histories are kept: exactly at 0.
    """

    customers: dict[History, int] = field(default_factory=dict)
    revenue_minor: dict[History, int] = field(default_factory=dict)
    level: int = 0

    def add(self, history: History, revenue_minor: int, customers: int = 1) -> None:
        kept = history.at(LEVELS[self.level]) if self.level else history
        self.customers[kept] = self.customers.get(kept, 0) + customers
        self.revenue_minor[kept] = self.revenue_minor.get(kept, 0) + revenue_minor
        if len(self.customers) > MOST:
            self._coarsen(self.level + 1)

    def merge(self, other: Self) -> None:
        """Count the other's customers, too; they are others than ours."""
        if other.level > self.level:
            self._coarsen(other.level)
        for history, customers in other.customers.items():
            self.add(history, other.revenue_minor[history], customers)

    def triples(self) -> dict[purchasing.Triple, int]:
        level = LEVELS[self.level]
        return {history.triple(level): customers for history, customers in self.customers.items()}

    def _coarsen(self, level: int) -> None:
        customers, revenue = self.customers, self.revenue_minor
        self.customers, self.revenue_minor, self.level = {}, {}, level
        for history, count in customers.items():
            self.add(history, revenue[history], count)


@dataclass(slots=True)
class SpendCounts:
    """How many customers with repeat purchases spent how much on these; mergeable. Who spent nothing or less is not here."""

    customers: dict[Spend, int] = field(default_factory=dict)
    level: int = 0

    def add(self, spend: Spend, customers: int = 1) -> None:
        kept = spend.at(LEVELS[self.level]) if self.level else spend
        self.customers[kept] = self.customers.get(kept, 0) + customers
        if len(self.customers) > MOST:
            self._coarsen(self.level + 1)

    def merge(self, other: Self) -> None:
        """Count the other's customers, too; they are others than ours."""
        if other.level > self.level:
            self._coarsen(other.level)
        for spend, customers in other.customers.items():
            self.add(spend, customers)

    def totals(self) -> dict[spending.RepeatSpend, int]:
        level = LEVELS[self.level]
        return {spend.total(level): customers for spend, customers in self.customers.items()}

    def _coarsen(self, level: int) -> None:
        customers, self.customers, self.level = self.customers, {}, level
        for spend, count in customers.items():
            self.add(spend, count)


@dataclass(slots=True)
class Histories:
    """All buyers of a currency as of one day; mergeable. First days' revenue is that of buyers who spent something on it."""

    purchases: HistoryCounts = field(default_factory=HistoryCounts)
    spends: SpendCounts = field(default_factory=SpendCounts)
    first_days: int = 0
    first_days_revenue_minor: int = 0

    @property
    def buyers(self) -> int:
        return sum(self.purchases.customers.values())

    @property
    def repeat_buyers(self) -> int:
        return sum(customers for history, customers in self.purchases.customers.items() if history.repeats)

    @property
    def mean_spend_minor(self) -> float:
        """What is spent on a purchase day of which there is something; zero if there is none."""
        totals = self.spends.totals()
        days = self.first_days + sum(x * customers for (x, _), customers in sorted(totals.items()))
        revenue = self.first_days_revenue_minor + sum(total * customers for (_, total), customers in sorted(totals.items()))
        return revenue / days if days else 0.0

    def add(self, history: History, *, first_day_minor: int, repeats_minor: int) -> None:
        self.purchases.add(history, max(repeats_minor, 0))
        if history.repeats and repeats_minor > 0:
            self.spends.add(Spend(history.repeats, repeats_minor))
        if first_day_minor > 0:
            self.first_days += 1
            self.first_days_revenue_minor += first_day_minor

    def merge(self, other: Self) -> None:
        """Count the other's customers, too; they are others than ours."""
        self.purchases.merge(other.purchases)
        self.spends.merge(other.spends)
        self.first_days += other.first_days
        self.first_days_revenue_minor += other.first_days_revenue_minor


@dataclass(slots=True)
class Since:
    """What customers did after the day until which their histories were counted: purchase days and net revenue."""

    customers: int = 0
    orders: int = 0
    revenue_minor: int = 0

    def add(self, other: Self) -> None:
        self.customers += other.customers
        self.orders += other.orders
        self.revenue_minor += other.revenue_minor


@dataclass(slots=True)
class CurrencyHistories:
    """A currency's histories of today, those of the past, and what came since by the least number of repeats of its class."""

    today: Histories = field(default_factory=Histories)
    past: Histories = field(default_factory=Histories)
    since: dict[int, Since] = field(default_factory=dict)

    def add(self, part: CurrencyStatistics, today: date) -> None:
        """Count one more customer, if there is a purchase day.

        Net revenue of the past is what its orders are worth now.
        """
        purchases = part.purchases
        if purchases is None:
            return
        first_day, in_all = part.first_day_net_revenue_minor, part.net_revenue_minor
        history = history_of(purchases.days, purchases.first_on, purchases.last_on, today)
        self.today.add(history, first_day_minor=first_day, repeats_minor=in_all - first_day)
        past = past_of(today)
        until = [month for month in part.months if month.month <= month_of(past)]
        days, revenue = sum(month.days for month in until), sum(month.net_revenue_minor for month in until)
        last_on = next((month.last_on for month in reversed(until) if month.days), None)
        if last_on is None:
            return
        history = history_of(days, purchases.first_on, last_on, past)
        self.past.add(history, first_day_minor=first_day, repeats_minor=revenue - first_day)
        self._came(class_of(history.repeats), Since(1, purchases.days - days, in_all - revenue))

    def merge(self, other: Self) -> None:
        """Count the other's customers, too; they are others than ours."""
        self.today.merge(other.today)
        self.past.merge(other.past)
        for repeats, since in other.since.items():
            self._came(repeats, since)

    def _came(self, repeats: int, since: Since) -> None:
        self.since.setdefault(repeats, Since()).add(since)


type HistoriesByCurrency = dict[str, CurrencyHistories]


def history_of(days: int, first_on: date, last_on: date, today: date) -> History:
    """Give a customer's history from their purchase days. Whatever is tomorrow where it was bought is of today."""
    active = (last_on - first_on).days
    age = max((today - first_on).days, active)
    return History(days - 1, age - active, age)


def past_of(today: date) -> date:
    """Give the last month's end that is `HELD_OUT_DAYS` ago or more."""
    return (today - timedelta(HELD_OUT_DAYS - 1)).replace(day=1) - timedelta(1)


def class_of(repeats: int) -> int:
    return next(least for least in reversed(CLASSES) if repeats >= least)


def add(counts: HistoriesByCurrency, customer: CustomerStatistics, today: date) -> None:
    """Count one more customer, in each currency in which there is a purchase day."""
    for currency, part in customer.currencies.items():
        if part.purchases is not None:
            counts.setdefault(currency, CurrencyHistories()).add(part, today)


def merge(counts: HistoriesByCurrency, other: Mapping[str, CurrencyHistories]) -> None:
    """Count the other's customers, too; they are others than ours."""
    for currency, theirs in other.items():
        counts.setdefault(currency, CurrencyHistories()).merge(theirs)
