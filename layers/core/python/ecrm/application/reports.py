"""The report of a night: what its counts come to, for everybody in the company.

It is made of the night's files after the night is published, so it says what readers of the API see; made again, it is the same.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol

from ecrm.analytics.distribution import Distribution
from ecrm.analytics.forecasts import CurrencyModel, Horizon
from ecrm.analytics.reporting import (
    CurrencyCounts,
    GroupCounts,
    OutlookCounts,
    ReportCounts,
    ReturnCounts,
    ScoreCounts,
    ScoresByCurrency,
)
from ecrm.analytics.rfm import CountsByCurrency, GroupTable, RfmCounts
from ecrm.domain.errors import Conflict, NotFound
from ecrm.domain.lifecycle import Stage, Thresholds
from ecrm.domain.links import Language, ReportLink, seal_report, unseal_report
from ecrm.domain.nights import NightState
from ecrm.domain.statistics import month_of

from .links import ring_for
from .night_ports import NightCounts, NightFiles, Place
from .nights import merged
from .ports import Clock, LinkKeys, Page
from .segment_ports import Nights

LINK_LIVES = timedelta(days=30)
"""A report is passed around in the company; whoever has left has nothing to open a month later."""
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
    """`as_of` is the moment for which the night stands, `today` its day in the company's time zone.

    `currencies` begin with the one that most customers bought in.
    """

    night: date
    generation: int
    as_of: datetime
    time_zone: str
    today: date
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


class Renderer(Protocol):
    def report(self, report: Report, language: Language) -> str: ...


class Reports(Protocol):
    """The reports that there are; everything here raises Unavailable."""

    def write(self, report: Report, pages: Mapping[Language, str]) -> None:
        """Write a report's pages, and then what it says, by which it is there; the same again changes nothing."""
        ...

    def read(self, night: date) -> bytes | None:
        """Give what a report says, as JSON."""
        ...

    def page(self, night: date, language: Language) -> str | None: ...

    def newest(self, *, after: str | None, limit: int) -> Page[date]: ...


def report_night(
    place: Place, *, nights: Nights, files: NightFiles, reports: Reports, renderer: Callable[[], Renderer]
) -> Report:
    """Write the report of a published night. Raises Conflict before it is published, and NotFound where its files are gone."""
    night = nights.find(place.night)
    if night is None or night.generation != place.generation:
        raise NotFound("no such night", code="night_not_found")
    if night.state is not NightState.PUBLISHED:
        raise Conflict("the night is not published", code="night_unpublished")
    plan = _there(files.plan(place), "plan")
    thresholds = _there(files.thresholds(place), "thresholds")
    counts = NightCounts()
    for group in plan.groups:
        counts.merge(_there(files.counts(place, group), "counts"))
    tally = merged(_there(files.moves(place, shard), "moves").tally for group in plan.groups for shard in group.shards)
    report = Report(
        night=night.night,
        generation=night.generation,
        as_of=plan.scheduled_at,
        time_zone=plan.settings.time_zone,
        today=plan.moment.today,
        customers=night.customers,
        unreadable=night.unreadable,
        base_night=night.base_night,
        stages=night.stages,
        moves=night.moves,
        lifecycle=thresholds.lifecycle,
        groups=thresholds.groups,
        horizon=thresholds.horizon,
        returns=counts.report.returns,
        currencies=currencies(counts.report, counts.rfm, tally.scores, thresholds.models, plan.moment.today),
    )
    pages = renderer()
    reports.write(report, {language: pages.report(report, language) for language in Language})
    return report


def currencies(
    counts: ReportCounts,
    rfm: CountsByCurrency,
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
            distribution=Distribution.of(rfm.get(currency, RfmCounts()).monetary),
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
    five = range(1, 6)
    return tuple(tuple(scores.cells.get((recency, other), GroupCounts()) for other in five) for recency in five)


def read_report(night: date, *, reports: Reports) -> bytes:
    """Give what a report says. Raises NotFound."""
    said = reports.read(night)
    if said is None:
        raise NotFound("there is no report of that night", code="report_not_found")
    return said


@dataclass(frozen=True, slots=True)
class MadeLink:
    token: str
    expires_at: datetime


def make_report_link(night: date, language: Language | None, *, keys: LinkKeys, reports: Reports, clock: Clock) -> MadeLink:
    """Make the token that opens a report's page for `LINK_LIVES`; writes nothing. Raises NotFound where there is no report."""
    read_report(night, reports=reports)
    expires_at = clock.now().replace(microsecond=0) + LINK_LIVES
    return MadeLink(seal_report(ReportLink(night, expires_at, language), keys.ring()), expires_at)


def read_public_report(
    token: str, choose: Callable[[Language | None], Language], *, keys: LinkKeys, reports: Reports, clock: Clock
) -> str:
    """Give the page behind a link, in the language chosen given the link's own.

    Raises NotFound: a link says nothing of why it leads nowhere.
    """
    link = unseal_report(token, ring_for(token, keys), clock.now())
    page = reports.page(link.night, choose(link.language))
    if page is None:
        raise NotFound("there is nothing behind this link", code="link_not_found")
    return page


def _there[T](found: T | None, what: str) -> T:
    if found is None:
        raise NotFound(f"the night has no {what}", code="night_file_not_found")
    return found
