"""What forecasts are fitted on: how many customers bought how often and until when, counted in parts of any size."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import NamedTuple, Self

from ecrm.domain.statistics import CurrencyStatistics, CustomerStatistics

HELD_OUT_DAYS = 90
"""Days at least that forecasts of the past are held against."""


class History(NamedTuple):
    """A customer's purchases as the papers have them: x repeat purchase days, T − t_x and T, in days."""

    repeats: int
    away_days: int
    age_days: int


class Spend(NamedTuple):
    """Net revenue of all repeat purchase days together, in minor units."""

    repeats: int
    revenue_minor: int


@dataclass(slots=True)
class HistoryCounts:
    """How many customers have each history, and what they spent on repeat days in all; mergeable.

    `level` says how coarsely histories are kept: exactly at 0.
    """

    customers: dict[History, int] = field(default_factory=dict)
    revenue_minor: dict[History, int] = field(default_factory=dict)
    level: int = 0


@dataclass(slots=True)
class SpendCounts:
    """How many customers with repeat purchases spent how much on these; mergeable. Who spent nothing or less is not here."""

    customers: dict[Spend, int] = field(default_factory=dict)
    level: int = 0


@dataclass(slots=True)
class Histories:
    """All buyers of a currency as of one day; mergeable. First days' revenue is that of buyers who spent something on it."""

    purchases: HistoryCounts = field(default_factory=HistoryCounts)
    spends: SpendCounts = field(default_factory=SpendCounts)
    first_days: int = 0
    first_days_revenue_minor: int = 0


@dataclass(slots=True)
class Since:
    """What customers did after the day until which their histories were counted: purchase days and net revenue."""

    customers: int = 0
    orders: int = 0
    revenue_minor: int = 0


@dataclass(slots=True)
class CurrencyHistories:
    """A currency's histories of today, those of the past, and what came since by the least number of repeats of its class."""

    today: Histories = field(default_factory=Histories)
    past: Histories = field(default_factory=Histories)
    since: dict[int, Since] = field(default_factory=dict)

    def add(self, part: CurrencyStatistics, today: date) -> None:
        """Count one more customer, if there is a purchase day."""

    def merge(self, other: Self) -> None:
        """Count the other's customers, too; they are others than ours."""


type HistoriesByCurrency = dict[str, CurrencyHistories]


def past_of(today: date) -> date:
    """Give the last month's end that is `HELD_OUT_DAYS` ago or more."""
    return (today - timedelta(HELD_OUT_DAYS - 1)).replace(day=1) - timedelta(1)


def add(counts: HistoriesByCurrency, customer: CustomerStatistics, today: date) -> None:
    """Count one more customer, in each currency in which there is a purchase day."""
    for currency, part in customer.currencies.items():
        if part.purchases is not None:
            counts.setdefault(currency, CurrencyHistories()).add(part, today)


def merge(counts: HistoriesByCurrency, other: Mapping[str, CurrencyHistories]) -> None:
    """Count the other's customers, too; they are others than ours."""
    for currency, theirs in other.items():
        counts.setdefault(currency, CurrencyHistories()).merge(theirs)
