"""A night's report on the wire. Amounts are in whole units of their currency, months and quarters of the Gregorian calendar."""

from collections.abc import Mapping
from datetime import date
from typing import Self

from ecrm.analytics.distribution import Distribution
from ecrm.analytics.forecasts import Horizon
from ecrm.analytics.reporting import MILLION, WINDOWS, GroupCounts, OutlookCounts
from ecrm.analytics.reports import Cohort, CurrencyReport, Quarter, Report
from ecrm.analytics.rfm import GroupTable
from ecrm.domain import instants, money
from ecrm.domain.lifecycle import Stage

from .fields import Answer
from .predictions import ModelBody

_TENTHS = 10


class ReportHeadBody(Answer):
    night: str

    @classmethod
    def of_night(cls, night: date) -> Self:
        return cls(night=night.isoformat())


class ReportsPage(Answer):
    data: list[ReportHeadBody]
    next_cursor: str | None


class LifecycleBody(Answer):
    """The days by which this night told stages from each other."""

    at_risk_days: int
    lost_days: int
    loyal_days: int
    won_back_days: int


class WindowBody(Answer):
    """`known` are the customers who bought first at least so many days ago, `came_back` those of them who did so within them."""

    days: int
    known: int
    came_back: int


class ReturnsBody(Answer):
    """Customers with a purchase day, in whatever currency, and those of them with one only."""

    buyers: int
    one_time: int
    windows: list[WindowBody]


class QuarterBody(Answer):
    """`new_revenue` was paid on first purchase days, `repeat_revenue` later; one that is not over will have more."""

    quarter: str
    new_revenue: str
    repeat_revenue: str
    new_customers: int
    is_over: bool

    @classmethod
    def of(cls, quarter: Quarter, currency: str) -> Self:
        year, month = divmod(quarter.first_month, 12)
        return cls(
            quarter=f"{year}-Q{month // 3 + 1}",
            new_revenue=money.to_text(quarter.new_revenue_minor, currency),
            repeat_revenue=money.to_text(quarter.repeat_revenue_minor, currency),
            new_customers=quarter.new_customers,
            is_over=quarter.is_over,
        )


class SpendBody(Answer):
    customers: int
    net_revenue: str

    @classmethod
    def of(cls, counts: GroupCounts, currency: str) -> Self:
        return cls(customers=counts.customers, net_revenue=money.to_text(counts.net_revenue_minor, currency))


class FirstDaysBody(Answer):
    """Net revenue of the first 90 days, of customers who have them behind them.

    Of who bought on one day only until now, and of who came back, whenever that was.
    """

    one_time: SpendBody
    came_back: SpendBody


class CohortBody(Answer):
    """Those who bought first in `month`. `months` begin with that one: who bought in each, and what they paid."""

    month: str
    customers: int
    came_back: int
    months: list[SpendBody]

    @classmethod
    def of(cls, cohort: Cohort, currency: str) -> Self:
        year, month = divmod(cohort.month, 12)
        return cls(
            month=f"{year}-{month + 1:02}",
            customers=cohort.customers,
            came_back=cohort.returned,
            months=[SpendBody.of(GroupCounts(each.customers, each.net_revenue_minor), currency) for each in cohort.months],
        )


class StepBody(Answer):
    """Customers who have at least this, and less than the next step, which is 2 or 2.5 times as much."""

    at_least: str
    customers: int


class SpentBody(Answer):
    """Net revenue of each customer until now. `tenths` of the customers begin with those who paid most.

    A percentile is the least amount that so many percent of them do not exceed. Where `is_rounded`, amounts were rounded down by
    less than a thousandth.
    """

    customers: int
    net_revenue: str
    median: str
    percentile_90: str
    percentile_99: str
    tenths: list[SpendBody]
    steps: list[StepBody]
    is_rounded: bool

    @classmethod
    def of(cls, found: Distribution, currency: str) -> Self:
        return cls(
            customers=found.customers,
            net_revenue=money.to_text(found.total, currency),
            median=money.to_text(found.median, currency),
            percentile_90=money.to_text(found.percentile_90, currency),
            percentile_99=money.to_text(found.percentile_99, currency),
            tenths=[SpendBody.of(GroupCounts(tenth.customers, tenth.amount), currency) for tenth in found.tenths],
            steps=[StepBody(at_least=money.to_text(step, currency), customers=count) for step, count in found.steps],
            is_rounded=found.is_rounded,
        )


class CellBody(SpendBody):
    group: str


class OutlookBody(Answer):
    """What is expected of all customers together; `weak` of them by a model that is not the currency's own.

    `still_customers` is the sum of their chances to be customers still, `by_chance` how many have one below 10 %, 20 % and so on.
    Orders are days with an order. `value` is the net revenue of `value_horizon_days`, discounted by `discount_percent` a year.
    """

    customers: int
    weak: int
    still_customers: float
    by_chance: list[int]
    orders_30: float
    orders_90: float
    orders_365: float
    value: str
    value_horizon_days: int
    discount_percent: float
    value_steps: list[StepBody]

    @classmethod
    def of(cls, found: OutlookCounts, horizon: Horizon, currency: str) -> Self:
        return cls(
            customers=found.customers,
            weak=found.weak,
            still_customers=_rounded(found.p_alive_millionths),
            by_chance=[found.alive.get(tenth, 0) for tenth in range(_TENTHS)],
            orders_30=_rounded(found.orders_30_millionths),
            orders_90=_rounded(found.orders_90_millionths),
            orders_365=_rounded(found.orders_365_millionths),
            value=money.to_text(found.value_minor, currency),
            value_horizon_days=horizon.days,
            discount_percent=horizon.discount_percent,
            value_steps=[
                StepBody(at_least=money.to_text(step, currency), customers=counts.customers)
                for step, counts in sorted(found.values.items())
            ],
        )


def _rounded(millionths: int) -> float:
    """To the hundredth: more is not known of an expectation."""
    return round(millionths / MILLION, 2)


class CurrencyReportBody(Answer):
    """`rfm` are five rows by recency, 1 first, of five fields by the mean of frequency and monetary value, 1 first."""

    quarters: list[QuarterBody]
    first_90_days: FirstDaysBody
    cohorts: list[CohortBody]
    spent: SpentBody | None
    rfm: list[list[CellBody]]
    outlook: OutlookBody | None
    model: ModelBody | None

    @classmethod
    def of(cls, part: CurrencyReport, groups: GroupTable, horizon: Horizon, currency: str) -> Self:
        return cls(
            quarters=[QuarterBody.of(quarter, currency) for quarter in part.quarters],
            first_90_days=FirstDaysBody(
                one_time=SpendBody.of(part.first_days_one_time, currency),
                came_back=SpendBody.of(part.first_days_repeat, currency),
            ),
            cohorts=[CohortBody.of(cohort, currency) for cohort in part.cohorts],
            spent=SpentBody.of(part.distribution, currency) if part.distribution else None,
            rfm=[
                [CellBody(group=group, **dict(SpendBody.of(cell, currency))) for group, cell in zip(names, row, strict=True)]
                for names, row in zip(groups.cells, part.cells, strict=True)
            ],
            outlook=OutlookBody.of(part.outlook, horizon, currency) if part.outlook.customers else None,
            model=ModelBody.of_currency(part.model, currency) if part.model else None,
        )


class ReportBody(Answer):
    """What was counted as of `as_of`. `definitions` say what each part means, in English.

    `stages` are customers by life cycle, `moves` the same by their stage in the night `base_night`, then by that in this one.
    """

    night: str
    generation: int
    as_of: str
    time_zone: str
    customers: int
    unreadable: int
    base_night: str | None
    stages: dict[Stage, int]
    moves: dict[Stage, dict[Stage, int]]
    lifecycle: LifecycleBody
    returns: ReturnsBody
    currencies: dict[str, CurrencyReportBody]
    definitions: dict[str, str]

    @classmethod
    def of(cls, report: Report) -> Self:
        limits, returns = report.lifecycle, report.returns
        return cls(
            night=report.night.isoformat(),
            generation=report.generation,
            as_of=instants.to_answer(report.as_of),
            time_zone=report.time_zone,
            customers=report.customers,
            unreadable=report.unreadable,
            base_night=report.base_night.isoformat() if report.base_night else None,
            stages=dict(report.stages),
            moves={before: dict(after) for before, after in report.moves.items()},
            lifecycle=LifecycleBody(
                at_risk_days=limits.at_risk_days,
                lost_days=limits.lost_days,
                loyal_days=limits.loyal_days,
                won_back_days=limits.won_back_days,
            ),
            returns=ReturnsBody(
                buyers=returns.buyers,
                one_time=returns.one_time,
                windows=[
                    WindowBody(days=days, known=returns.known[days], came_back=returns.back.get(days, 0))
                    for days in WINDOWS
                    if days in returns.known
                ],
            ),
            currencies={
                currency: CurrencyReportBody.of(part, report.groups, report.horizon, currency)
                for currency, part in report.currencies.items()
            },
            definitions=dict(DEFINITIONS),
        )


DEFINITIONS: Mapping[str, str] = {
    "as_of": "The moment for which the night stands. Everything counts what was known of all customers in that night.",
    "customer": "Whoever has a row of statistics. Merged customers are one; erased ones are in no number.",
    "purchase day": "A day, in the time zone of the order's site, with an order that is not wholly cancelled or refunded.",
    "net revenue": "Lines after all discounts, without tax and shipping, less what was cancelled or refunded. It belongs to the "
    "month in which its order was placed, whenever something of it was refunded.",
    "stages": "Customers by life cycle: each by their own rhythm, as docs/segments.md defines it.",
    "moves": "Customers by their stage in the night before and in this one; who is new to us was a prospect.",
    "returns": "Of customers with a purchase day in any currency: those with one only, and those whose second was so many days "
    "after their first, of the ones who bought first at least that long ago.",
    "quarters": "Net revenue by quarter: new on a customer's first purchase day in the currency, all else repeat. New customers "
    "are those whose first purchase day is in the quarter.",
    "first_90_days": "Net revenue of the orders placed on the first purchase day or the 89 days after it, of customers whose "
    "first purchase day is at least 90 days ago.",
    "cohorts": "Customers by the month of their first purchase day in the currency; those with a purchase day in each month "
    "since, and the net revenue of its orders. The last month is that of the night, which is not over.",
    "spent": "Net revenue of each customer with a purchase day, until now.",
    "rfm": "Customers by recency and by the mean of frequency and monetary value, each scored from 1 to 5 for the best.",
    "outlook": "Sums over customers of what the model expects of each.",
    "model": "What the expectations were made by, and what a model of 90 days ago or more expected until now, beside what came.",
}
