"""Buyers of one currency in a few words, and those of the CDNOW sample."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, timedelta

from ecrm.analytics.histories import CurrencyHistories, history_of
from ecrm.analytics.purchasing import Purchasing, Triple
from ecrm.analytics.spending import RepeatSpend
from ecrm.domain.statistics import CurrencyStatistics, Month, month_of
from local.demo.cdnow import purchases
from tests.unit.facts import purchases_on

type Spent = Mapping[date, int]
"""Minor units by purchase day."""

CALIBRATED_ON = date(1997, 9, 30)
FOLLOWED_UNTIL = date(1998, 6, 30)
WEEK = 7
HOLD_OUT = 39


def cdnow() -> list[Spent]:
    """What each customer of the CDNOW sample spent, in cents."""
    spent: dict[str, Counter[date]] = defaultdict(Counter)
    for purchase in purchases():
        spent[purchase.customer][date.fromisoformat(purchase.date)] += purchase.cents
    return list(spent.values())


def until(spent: Spent, day: date) -> Spent:
    return {on: cents for on, cents in spent.items() if on <= day}


def a_part(spent: Spent) -> CurrencyStatistics:
    """What the row says of who bought on these days."""
    days = sorted(spent)
    months: dict[int, list[date]] = defaultdict(list)
    for day in days:
        months[month_of(day)].append(day)
    return CurrencyStatistics(
        orders=len(days),
        items=len(days),
        gross_minor=sum(spent.values()),
        cancelled_minor=0,
        refunded_minor=0,
        net_revenue_minor=sum(spent.values()),
        purchases=purchases_on(days) if days else None,
        first_day_net_revenue_minor=spent[days[0]] if days else 0,
        months=tuple(
            Month(month, len(those), those[-1].day, sum(spent[day] for day in those)) for month, those in months.items()
        ),
    )


def regular(days: int, *, every: int, last_ago: int, today: date, minor: int = 1_000) -> CurrencyStatistics:
    """Who bought on so many days, so many days apart, the last one so long ago, always for as much."""
    last_on = today - timedelta(last_ago)
    return a_part({last_on - timedelta(every * before): minor for before in range(days)})


def counted(parts: Iterable[CurrencyStatistics], today: date) -> CurrencyHistories:
    counts = CurrencyHistories()
    for part in parts:
        counts.add(part, today)
    return counts


def triples(customers: Iterable[Spent], day: date = CALIBRATED_ON, *, unit: int = WEEK) -> Counter[Triple]:
    """Histories as of a day, in units of so many days."""
    found: Counter[Triple] = Counter()
    for spent in customers:
        days = sorted(until(spent, day))
        repeats, away, age = history_of(len(days), days[0], days[-1], day)
        found[Triple(repeats, (age - away) / unit, age / unit)] += 1
    return found


def repeat_spends(customers: Iterable[Spent], day: date = CALIBRATED_ON, *, unit: int = 100) -> Counter[RepeatSpend]:
    """What those who came back by a day spent on repeat days, in units of so many cents."""
    found: Counter[RepeatSpend] = Counter()
    for spent in customers:
        _, *repeats = [cents for _, cents in sorted(until(spent, day).items())]
        if repeats:
            found[RepeatSpend(len(repeats), sum(repeats) / unit)] += 1
    return found


def expected(model: Purchasing, triple: Triple, time: float = HOLD_OUT) -> float:
    """Repeat purchases of a customer from now until a time, by default in weeks."""
    (orders,) = model.expected_if_alive(triple.x, triple.age, [time])
    return model.p_alive(*triple) * orders


def weekly(model: Purchasing, customers: list[Spent]) -> list[tuple[int, float, int]]:
    """Repeat purchases of the CDNOW sample until the end of each of 78 weeks, expected and actual."""
    first = date(1997, 1, 1)
    begins = Counter((min(spent) - first).days / WEEK for spent in customers)
    bought = sorted((day - first).days for spent in customers for day in sorted(spent)[1:])
    curve = []
    for week in range(1, 79):
        forecast = sum(count * expected(model, Triple(0, 0, 0), week - begin) for begin, count in begins.items() if begin < week)
        curve.append((week, forecast, sum(day < WEEK * week for day in bought)))
    return curve
