"""Reports to look at: of a night of CDNOW's, whose sample the demo loads, and of one customer, by the code of a night."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache

from ecrm.analytics import forecasts
from ecrm.analytics.reporting import ScoresByCurrency, add_scores
from ecrm.analytics.reports import Report, currencies
from ecrm.analytics.rfm import RfmScale
from ecrm.analytics.rhythm import times
from ecrm.analytics.scoring import NightThresholds, scorer
from ecrm.application.night_ports import NightCounts, NightSettings
from ecrm.contracts.orders import PlaceOrderBody
from ecrm.domain.facts import Scores
from ecrm.domain.lifecycle import Stage
from ecrm.domain.lifecycle import Thresholds as LifecycleThresholds
from ecrm.domain.orders import Order
from ecrm.domain.statistics import NOTHING, CurrencyStatistics, CustomerStatistics, Month, Purchases, count, month_of
from local.demo.cdnow import purchases

TODAY = date(1998, 7, 1)
NIGHT_BEFORE = date(1998, 6, 30)


@cache
def rows(before: date = TODAY) -> Mapping[str, CustomerStatistics]:
    """Give every customer's statistics as they stood before a day."""
    orders: dict[str, list[Order]] = {}
    for purchase in purchases():
        if purchase.date < before.isoformat():
            command = PlaceOrderBody.model_validate(purchase.to_order()).to_command("us", digest="", source="")
            order = Order(
                site=command.site,
                order_id=command.order_id,
                customer_id=purchase.customer,
                currency=command.currency,
                placed_at=command.placed_at,
                terms=command.terms,
            )
            orders.setdefault(purchase.customer, []).append(order)
    return {customer: count(each, lambda _: UTC) for customer, each in orders.items()}


@cache
def report(today: date = TODAY, night_before: date | None = NIGHT_BEFORE) -> Report:
    """Make the report of a night in UTC, compared with another one; without one, it was the first."""
    counts, thresholds, scores = _counted(today)
    by_currency: ScoresByCurrency = {}
    stages: dict[Stage, int] = {}
    moves: dict[Stage, dict[Stage, int]] = {}
    before = _counted(night_before)[2] if night_before else {}
    for customer, found in scores.items():
        add_scores(by_currency, rows(today)[customer], found)
        stage = found.lifecycle or Stage.PROSPECT
        stages[stage] = stages.get(stage, 0) + 1
        if night_before:
            was = moves.setdefault((before[customer].lifecycle if customer in before else None) or Stage.PROSPECT, {})
            was[stage] = was.get(stage, 0) + 1
    return Report(
        night=today,
        generation=1,
        as_of=datetime.combine(today, time(4), UTC),
        time_zone="UTC",
        customers=len(scores),
        unreadable=0,
        base_night=night_before,
        stages=stages,
        moves=moves,
        lifecycle=thresholds.lifecycle,
        groups=thresholds.groups,
        horizon=thresholds.horizon,
        returns=counts.report.returns,
        currencies=currencies(counts.report, counts.rfm, by_currency, thresholds.models, today),
    )


def small_report(at: datetime, thresholds: NightThresholds, scores: Scores) -> Report:
    """Make the report of a night that found one customer, who bought twice for euros, and these scores of theirs."""
    first, second = at.date() - timedelta(days=50), at.date() - timedelta(days=17)
    bought = Purchases(days=2, first_on=first, second_on=second, previous_on=first, last_on=second)
    part = CurrencyStatistics(
        orders=2,
        items=3,
        gross_minor=6_080,
        cancelled_minor=0,
        refunded_minor=0,
        net_revenue_minor=6_080,
        purchases=bought,
        first_day_net_revenue_minor=2_000,
        first_90_days_net_revenue_minor=6_080,
        months=(Month(month_of(first), 1, first.day, 2_000), Month(month_of(second), 1, second.day, 4_080)),
    )
    row = replace(NOTHING, orders=2, currencies={"EUR": part}, purchases=bought)
    counts = NightCounts()
    counts.add(row, at.date())
    by_currency: ScoresByCurrency = {}
    add_scores(by_currency, row, scores)
    return Report(
        night=at.date(),
        generation=7,
        as_of=at,
        time_zone="Europe/Berlin",
        customers=1,
        unreadable=0,
        base_night=at.date() - timedelta(days=1),
        stages={Stage.LOYAL: 1},
        moves={Stage.NEW: {Stage.LOYAL: 1}},
        lifecycle=thresholds.lifecycle,
        groups=thresholds.groups,
        horizon=thresholds.horizon,
        returns=counts.report.returns,
        currencies=currencies(counts.report, counts.rfm, by_currency, thresholds.models, at.date()),
    )


@cache
def _counted(today: date) -> tuple[NightCounts, NightThresholds, Mapping[str, Scores]]:
    counts, settings = NightCounts(), NightSettings()
    for row in rows(today).values():
        counts.add(row, today)
    found = times(counts.second_purchases)
    thresholds = NightThresholds(
        lifecycle=LifecycleThresholds(at_risk_days=found.at_risk_days, lost_days=found.lost_days),
        scales={currency: RfmScale.of(each) for currency, each in counts.rfm.items()},
        groups=settings.groups,
        models=forecasts.fit(counts.histories, {}, today),
        horizon=settings.horizon,
    )
    score = scorer(thresholds, today)
    return counts, thresholds, {customer: score(row) for customer, row in rows(today).items()}
