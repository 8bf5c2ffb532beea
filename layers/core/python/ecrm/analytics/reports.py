"""What the counts of a night come to, as it is reported: all that is said, by currency, and nothing of how it is shown."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from ecrm.domain.lifecycle import Stage, Thresholds
from ecrm.domain.statistics import month_of

from .distribution import Distribution
from .forecasts import CurrencyModel, Horizon
from .reporting import CurrencyCounts, GroupCounts, OutlookCounts, ReportCounts, ReturnCounts, ScoreCounts, ScoresByCurrency
from .rfm import BEST, CountsByCurrency, GroupTable, RfmCounts

MONTHS_A_QUARTER = 3
MOST_MONTHS = 60
"""Months after the first for which a cohort is told of: five years."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarter:
    """Three months of the calendar, `first_month` being 12 × year + month − 1; one that is not over yet will have more."""

    first_month: int
    new_revenue_minor: int
    repeat_revenue_minor: int
    new_customers: int
    is_over: bool


@dataclass(frozen=True, slots=True)
class CohortMonth:
    customers: int
    net_revenue_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """Those who bought first in `month`. `months` are that one and those since, of who bought in each and what they paid."""

    month: int
    customers: int
    returned: int
    months: tuple[CohortMonth, ...]

    @property
    def net_revenue_minor(self) -> int:
        return sum(each.net_revenue_minor for each in self.months)


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrencyReport:
    """What is said of one currency. `cells` are by recency, then by the mean of frequency and monetary value, 1 first."""

    quarters: tuple[Quarter, ...]
    cohorts: tuple[Cohort, ...]
    first_days_one_time: GroupCounts
    first_days_repeat: GroupCounts
    distribution: Distribution | None
    cells: tuple[tuple[GroupCounts, ...], ...]
    outlook: OutlookCounts
    model: CurrencyModel | None

    @property
    def buyers(self) -> int:
        return sum(cohort.customers for cohort in self.cohorts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """`as_of` is the moment for which the night stands; `currencies` begin with the one that most customers bought in."""

    night: date
    generation: int
    as_of: datetime
    time_zone: str
    customers: int
    unreadable: int
    base_night: date | None
    stages: Mapping[Stage, int]
    moves: Mapping[Stage, Mapping[Stage, int]]
    lifecycle: Thresholds
    groups: GroupTable
    horizon: Horizon
    returns: ReturnCounts
    currencies: Mapping[str, CurrencyReport]


def currencies(
    counts: ReportCounts,
    amounts: CountsByCurrency,
    scores: ScoresByCurrency,
    models: Mapping[str, CurrencyModel],
    today: date,
) -> dict[str, CurrencyReport]:
    """Say what there is to say of each currency that somebody bought in."""
    made = {
        currency: CurrencyReport(
            quarters=tuple(_quarters(each, today)),
            cohorts=tuple(_cohorts(each, today)),
            first_days_one_time=each.one_time,
            first_days_repeat=each.repeat,
            distribution=Distribution.of(amounts.get(currency, RfmCounts()).monetary),
            cells=_cells(scores.get(currency, ScoreCounts())),
            outlook=scores.get(currency, ScoreCounts()).outlook,
            model=models.get(currency),
        )
        for currency, each in counts.currencies.items()
    }
    return dict(sorted(made.items(), key=lambda each: (-each[1].buyers, each[0])))


def _quarters(counts: CurrencyCounts, today: date) -> Iterator[Quarter]:
    """Give every quarter from the first one with money until today's, empty ones among them."""
    if not counts.net_revenue:
        return
    now = month_of(today)
    first, last = min(counts.net_revenue), max(now, *counts.net_revenue)
    for month in range(first - first % MONTHS_A_QUARTER, last + 1, MONTHS_A_QUARTER):
        months = range(month, month + MONTHS_A_QUARTER)
        new = sum(counts.new_revenue.get(each, 0) for each in months)
        yield Quarter(
            first_month=month,
            new_revenue_minor=new,
            repeat_revenue_minor=sum(counts.net_revenue.get(each, 0) for each in months) - new,
            new_customers=sum(counts.cohorts.get(each, 0) for each in months),
            is_over=month + MONTHS_A_QUARTER <= now,
        )


def _cohorts(counts: CurrencyCounts, today: date) -> Iterator[Cohort]:
    now = month_of(today)
    for cohort in sorted(counts.cohorts):
        months = range(cohort, max(cohort, min(now, cohort + MOST_MONTHS)) + 1)
        yield Cohort(
            month=cohort,
            customers=counts.cohorts[cohort],
            returned=counts.returned.get(cohort, 0),
            months=tuple(
                CohortMonth(counts.active.get((cohort, month), 0), counts.cohort_revenue.get((cohort, month), 0))
                for month in months
            ),
        )


def _cells(scores: ScoreCounts) -> tuple[tuple[GroupCounts, ...], ...]:
    scores_ = range(1, BEST + 1)
    return tuple(tuple(scores.cells.get((recency, other), GroupCounts()) for other in scores_) for recency in scores_)
