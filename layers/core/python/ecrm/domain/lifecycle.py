"""Life cycle: where a customer stands between the first purchase and being lost, by their own rhythm.

| stage | who |
|---|---|
| prospect | has no purchase day |
| new | has one, and is within the time in which people use to come back |
| active | has more, and is within their own time |
| loyal | the same with `loyal_days` purchase days or more |
| at_risk | has been away for longer than nine of ten absences last |
| lost | has been away for longer than 39 of 40 absences last |
| won_back | was lost, bought again within the last `won_back_days` days, and is within their own time |

How long is too long (`limits`): for who bought once, what the company's customers take for their second purchase, at the
quantile of 90 % and of 97.5 %. For who bought more often, their own mean gap times a factor, weighed with that company's time
as if it were one gap more:

    limit = (company's days + factor × days from first to last purchase) / (gaps + 1)

The factor is that of an exponential distribution, which purchases follow in the models of customers' lives (Schmittlein,
Morrison and Colombo, "Counting your customers", Management Science 33, 1987): its 90 % quantile is ln 10 = 2.303 means, its
97.5 % quantile ln 40 = 3.689. The weighing is Bühlmann's credibility with k = 1 ("Experience rating and credibility", ASTIN
Bulletin 4, 1967): two orders on two days running do not make a rhythm of a day, ten of them nearly do.

Days are whole days between dates. A purchase on a day is within any limit on it.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from math import log

from .statistics import Purchases


class Stage(StrEnum):
    PROSPECT = "prospect"
    NEW = "new"
    ACTIVE = "active"
    LOYAL = "loyal"
    AT_RISK = "at_risk"
    LOST = "lost"
    WON_BACK = "won_back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """The company's own: `at_risk_days` ≤ `lost_days` are those of a customer who bought once."""

    at_risk_days: int
    lost_days: int
    at_risk_factor: float = log(10)
    lost_factor: float = log(40)
    loyal_days: int = 3
    won_back_days: int = 90


@dataclass(frozen=True, slots=True)
class Limits:
    """Days since the last purchase above which a customer is at risk, and lost."""

    at_risk: float
    lost: float


def limits(purchases: Purchases, thresholds: Thresholds) -> Limits:
    return _limits(purchases.days, (purchases.last_on - purchases.first_on).days, thresholds)


def stage(purchases: Purchases | None, thresholds: Thresholds, today: date) -> Stage:
    """Say where a customer stands, who has bought nothing since; today is a date where they bought."""
    if purchases is None:
        return Stage.PROSPECT
    away = (today - purchases.last_on).days
    limit = limits(purchases, thresholds)
    if away > limit.lost:
        return Stage.LOST
    if away > limit.at_risk:
        return Stage.AT_RISK
    if purchases.previous_on is None:
        return Stage.NEW
    if away <= thresholds.won_back_days and _was_lost(purchases, purchases.previous_on, thresholds):
        return Stage.WON_BACK
    return Stage.LOYAL if purchases.days >= thresholds.loyal_days else Stage.ACTIVE


def _was_lost(purchases: Purchases, previous_on: date, thresholds: Thresholds) -> bool:
    """Say whether the last gap was longer than the limit as it stood before it."""
    before = _limits(purchases.days - 1, (previous_on - purchases.first_on).days, thresholds)
    return (purchases.last_on - previous_on).days > before.lost


def _limits(days: int, span: int, thresholds: Thresholds) -> Limits:
    """`days` purchase days have one gap less, and the company's own time is one more."""
    return Limits(
        (thresholds.at_risk_days + thresholds.at_risk_factor * span) / days,
        (thresholds.lost_days + thresholds.lost_factor * span) / days,
    )
