"""Statistics on the wire."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Self

from ecrm.application.segments import LastNight
from ecrm.domain import instants, money
from ecrm.domain.facts import Scores
from ecrm.domain.statistics import CustomerStatistics, Purchases

from .fields import Answer, Name, Query
from .predictions import PredictionBody

_WHICH = ("first", "second", "previous", "last")


class CurrencyStatisticsBody(Answer):
    """`gross`: lines after all discounts, without tax and shipping. `net_revenue`: that, minus what was cancelled or refunded.

    `purchase_days`: days of the site's time zone with an order in this currency that is not wholly cancelled or refunded.
    """

    orders: int
    items: int
    gross: str
    cancelled: str
    refunded: str
    net_revenue: str
    mean_order_value: str
    purchase_days: int
    first_purchase_on: str | None
    second_purchase_on: str | None
    previous_purchase_on: str | None
    last_purchase_on: str | None
    first_day_net_revenue: str


class NamedCountsBody(Answer):
    """How often a named event happened on each UTC day of the last 90; `first_at` and `last_at` may be before those."""

    first_at: str
    last_at: str
    days: dict[str, int]


class StatisticsBody(Answer):
    """Days of behaviour are UTC; they reach back 90 days from the one on which the customer was last seen.

    Those of purchases are days of the time zone of each order's site.
    """

    customer_id: str
    orders: int
    cancelled_orders: int
    orders_with_returns: int
    returned_items: int
    first_order_at: str | None
    last_order_at: str | None
    purchase_days: int
    first_purchase_on: str | None
    second_purchase_on: str | None
    previous_purchase_on: str | None
    last_purchase_on: str | None
    currencies: dict[str, CurrencyStatisticsBody]
    last_seen_at: str | None
    visits: dict[str, int]
    events: dict[str, NamedCountsBody]
    has_more_events: bool

    @classmethod
    def of(cls, customer_id: str, counted: CustomerStatistics) -> Self:
        return cls(
            customer_id=customer_id,
            orders=counted.orders,
            cancelled_orders=counted.cancelled_orders,
            orders_with_returns=counted.orders_with_returns,
            returned_items=counted.returned_items,
            first_order_at=_at(counted.first_order_at),
            last_order_at=_at(counted.last_order_at),
            **_purchases(counted.purchases),
            currencies={
                currency: CurrencyStatisticsBody(
                    orders=part.orders,
                    items=part.items,
                    gross=money.to_text(part.gross_minor, currency),
                    cancelled=money.to_text(part.cancelled_minor, currency),
                    refunded=money.to_text(part.refunded_minor, currency),
                    net_revenue=money.to_text(part.net_revenue_minor, currency),
                    mean_order_value=money.to_text(part.mean_order_value_minor, currency),
                    **_purchases(part.purchases),
                    first_day_net_revenue=money.to_text(part.first_day_net_revenue_minor, currency),
                )
                for currency, part in counted.currencies.items()
            },
            last_seen_at=_at(counted.behaviour.last_seen_at),
            visits=_by_day(counted.behaviour.visits),
            events={
                name: NamedCountsBody(
                    first_at=instants.to_answer(named.first_at),
                    last_at=instants.to_answer(named.last_at),
                    days=_by_day(named.days),
                )
                for name, named in counted.behaviour.events.items()
            },
            has_more_events=counted.behaviour.has_more,
        )


def _purchases(purchases: Purchases | None) -> dict[str, Any]:
    if purchases is None:
        return {"purchase_days": 0} | dict.fromkeys(f"{which}_purchase_on" for which in _WHICH)
    days = {f"{which}_purchase_on": getattr(purchases, f"{which}_on") for which in _WHICH}
    return {"purchase_days": purchases.days} | {name: day and day.isoformat() for name, day in days.items()}


def _at(instant: datetime | None) -> str | None:
    return None if instant is None else instants.to_answer(instant)


def _by_day(counts: Mapping[date, int]) -> dict[str, int]:
    return {day.isoformat(): count for day, count in counts.items()}


class RfmBody(Answer):
    """Scores from 1 to 5, the best, and the group that they make."""

    recency: int
    frequency: int
    monetary: int
    group: str

    @classmethod
    def by_currency(cls, scores: Scores) -> dict[str, Self]:
        return {
            currency: cls(recency=one.recency, frequency=one.frequency, monetary=one.monetary, group=one.group)
            for currency, one in scores.rfm.items()
        }


class CustomersStatisticsBody(StatisticsBody):
    """`lifecycle`, and by currency `rfm` and `predictions`, are of this moment, by what `night`, the last one, has found.

    `segments` are those in which that night found the customer.
    """

    night: str | None
    lifecycle: str | None
    rfm: dict[str, RfmBody]
    predictions: dict[str, PredictionBody]
    segments: list[str]

    @classmethod
    def with_night(cls, customer_id: str, counted: CustomerStatistics, last: LastNight) -> Self:
        return cls(
            **dict(StatisticsBody.of(customer_id, counted)),
            night=last.night.isoformat() if last.night else None,
            lifecycle=last.scores.lifecycle,
            rfm=RfmBody.by_currency(last.scores),
            predictions=PredictionBody.by_currency(last.scores.predictions, last.thresholds),
            segments=list(last.segments),
        )


class StatisticsQuery(Query):
    """`event` asks for one named event alone, also where the row has no room for it."""

    event: Name | None = None
