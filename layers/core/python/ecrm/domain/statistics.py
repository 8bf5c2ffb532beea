"""A customer's statistics: a fold of their orders, in minor units per currency, and of their behaviour, by day."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta, tzinfo
from typing import Any, NamedTuple

from . import behaviour, traits
from .behaviour import NEVER_SEEN, BehaviourCounts
from .orders import Order, OrderState, Status, fold
from .traits import Trait

type ZoneOf = Callable[[str], tzinfo]
"""Gives a site's time zone: its days are those of the people who buy there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchases:
    """The distinct days, in the time zone of each order's site, with an order that is not wholly cancelled or refunded.

    Orders of one day are one decision to buy, as in the papers that RFM's and lifetime value's figures come from (Fader, Hardie
    and Lee 2005). `first_on` ≤ `second_on` ≤ `last_on`, and `previous_on` is the day before the last; with one day, there is
    neither a second nor a previous one.
    """

    days: int
    first_on: date
    second_on: date | None
    previous_on: date | None
    last_on: date


class Month(NamedTuple):
    """What one currency has in a month of the calendar, `month` months after January of the year 0.

    `days` are purchase days, `last_day` the last one's day of the month, 0 if there is none. Money is in the month in which its
    order was placed, less whatever was taken back of it since.
    """

    month: int
    days: int
    last_day: int
    net_revenue_minor: int

    @property
    def last_on(self) -> date | None:
        """The last purchase day."""
        return date(self.month // 12, self.month % 12 + 1, self.last_day) if self.last_day else None


def month_of(day: date) -> int:
    """Give the number of a day's month."""
    return day.year * 12 + day.month - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrencyStatistics:
    """Amounts in minor units.

    `gross` is lines after all discounts without tax and shipping, `cancelled` its part that was cancelled, `refunded` all money
    paid back, `net_revenue` the sum of `OrderState.net_revenue_minor`. `orders` and `items` leave out what was cancelled.
    `first_day_net_revenue` is the part of `net_revenue` from the first of the `purchases`, all else is repeat revenue;
    `first_90_days_net_revenue` is that of the orders placed on that day or the 89 that follow.

    `months`, the oldest first, are those with a purchase day or money, and add up to the purchase days and `net_revenue`. Where
    the row has no room for all, the oldest are one entry, which stands in the last month of theirs that has a purchase day: the
    end of any month that has an entry, and of any later one, finds the purchase days up to then and the last of them.
    """

    orders: int
    items: int
    gross_minor: int
    cancelled_minor: int
    refunded_minor: int
    net_revenue_minor: int
    purchases: Purchases | None = None
    first_day_net_revenue_minor: int = 0
    first_90_days_net_revenue_minor: int = 0
    months: tuple[Month, ...] = ()

    @property
    def mean_order_value_minor(self) -> int:
        """Net revenue per order, to the nearest minor unit; zero without orders."""
        return (2 * self.net_revenue_minor + self.orders) // (2 * self.orders) if self.orders else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerStatistics:
    """`first_order_at` and `last_order_at` are of orders not wholly cancelled; `purchases` are those in any currency.

    Of one who was erased the figures of their orders stay, without a time: they are never counted again. One that `is_outdated`
    was written before purchases, or months, were counted: what it says else is right, and its next recount is of all orders.
    `traits` are copies, of those that the list of `traits_version` names as far as they have room.
    """

    orders: int
    cancelled_orders: int
    returned_items: int
    orders_with_returns: int
    first_order_at: datetime | None
    last_order_at: datetime | None
    currencies: Mapping[str, CurrencyStatistics]
    purchases: Purchases | None = None
    behaviour: BehaviourCounts = NEVER_SEEN
    traits: Mapping[Trait, Any] = field(default_factory=dict)
    traits_version: int = 0
    is_erased: bool = False
    is_outdated: bool = False


LARGEST = 4_096
"""Bytes of a row, as the table counts them: the night reads nothing else, and pays by 4 KB."""
_FRAME, _CURRENCY = 440, 165
"""Bytes that a row takes without its months and named events, and for each currency with one entry of a month."""
MOST_MONTHS = 60
"""Five years with a purchase in each month; those before are one entry."""
_OF_MONTHS, _BESIDE_MONTHS = 900, 1_700
"""Bytes that the months of all currencies may take, and that a row takes beside its currencies when traits and visits are most.

What months are left out depends on the orders alone: a row comes out the same whenever it was counted last.
"""

_FIRST_DAYS = timedelta(days=90)

NOTHING = CustomerStatistics(
    orders=0,
    cancelled_orders=0,
    returned_items=0,
    orders_with_returns=0,
    first_order_at=None,
    last_order_at=None,
    currencies={},
)


def count(orders: Iterable[Order], zone_of: ZoneOf) -> CustomerStatistics:
    """Recount a customer from all of their orders, whatever the order in which they are given."""
    folded = [(order, fold(order)) for order in orders]
    kept = [order for order, state in folded if state.status is not Status.CANCELLED]
    returned = [sum(line.returned for line in state.lines.values()) for _, state in folded]
    bought = {_bought_on(order, state, zone_of) for order, state in folded}
    return CustomerStatistics(
        orders=len(kept),
        cancelled_orders=len(folded) - len(kept),
        returned_items=sum(returned),
        orders_with_returns=sum(items > 0 for items in returned),
        first_order_at=min((order.placed_at for order in kept), default=None),
        last_order_at=max((order.placed_at for order in kept), default=None),
        currencies=months_fitted(
            {
                currency: _count_currency([one for one in folded if one[0].currency == currency], zone_of)
                for currency in sorted({order.currency for order, _ in folded})
            }
        ),
        purchases=_purchases(bought),
    )


def _bought_on(order: Order, state: OrderState, zone_of: ZoneOf) -> date | None:
    if state.status in (Status.CANCELLED, Status.REFUNDED):
        return None
    return _placed_on(order, zone_of)


def _placed_on(order: Order, zone_of: ZoneOf) -> date:
    return order.placed_at.astimezone(zone_of(order.site)).date()


def _purchases(bought: Iterable[date | None]) -> Purchases | None:
    days = sorted({day for day in bought if day})
    if not days:
        return None
    second, previous = (days[1], days[-2]) if len(days) > 1 else (None, None)
    return Purchases(days=len(days), first_on=days[0], second_on=second, previous_on=previous, last_on=days[-1])


def fitted(statistics: CustomerStatistics) -> CustomerStatistics:
    """Leave out named events until the row has its size."""
    copied = sum(traits.weight(trait, value) for trait, value in statistics.traits.items())
    months = sum(len(written(part.months)) for part in statistics.currencies.values())
    room = LARGEST - _FRAME - _CURRENCY * len(statistics.currencies) - months - copied
    return replace(statistics, behaviour=behaviour.fitted(statistics.behaviour, room))


def _count_currency(folded: list[tuple[Order, OrderState]], zone_of: ZoneOf) -> CurrencyStatistics:
    states = [state for _, state in folded]
    bought = [(_bought_on(order, state, zone_of), state.net_revenue_minor) for order, state in folded]
    placed = [(_placed_on(order, zone_of), state.net_revenue_minor) for order, state in folded]
    purchases = _purchases(day for day, _ in bought)
    soon = purchases and purchases.first_on + _FIRST_DAYS
    return CurrencyStatistics(
        orders=sum(state.status is not Status.CANCELLED for state in states),
        items=sum(max(0, line.quantity - line.cancelled) for state in states for line in state.lines.values()),
        gross_minor=sum(state.terms.net_minor for state in states),
        cancelled_minor=sum(state.cancelled_minor for state in states),
        refunded_minor=sum(state.refunded_minor for state in states),
        net_revenue_minor=sum(state.net_revenue_minor for state in states),
        purchases=purchases,
        first_day_net_revenue_minor=sum(net for day, net in bought if purchases and day == purchases.first_on),
        first_90_days_net_revenue_minor=sum(
            net for day, net in placed if purchases and soon and purchases.first_on <= day < soon
        ),
        months=_months({day for day, _ in bought if day}, placed),
    )


def _months(bought: Iterable[date], placed: Iterable[tuple[date, int]]) -> tuple[Month, ...]:
    days: dict[int, set[int]] = {}
    for day in bought:
        days.setdefault(month_of(day), set()).add(day.day)
    money: dict[int, int] = {}
    for day, net in placed:
        money[month_of(day)] = money.get(month_of(day), 0) + net
    every = (
        Month(number, len(days.get(number, ())), max(days.get(number, ()), default=0), money[number]) for number in sorted(money)
    )
    return tuple(month for month in every if month.days or month.net_revenue_minor)


def months_fitted(currencies: Mapping[str, CurrencyStatistics]) -> dict[str, CurrencyStatistics]:
    """Keep of each currency as many of the newest months as all of them have room for."""
    room = min(_OF_MONTHS, LARGEST - _BESIDE_MONTHS - _CURRENCY * len(currencies))
    for most in range(MOST_MONTHS, 0, -1):
        months = {currency: newest(part.months, most) for currency, part in currencies.items()}
        if sum(len(written(kept)) for kept in months.values()) <= room:
            break
    return {currency: replace(part, months=months[currency]) for currency, part in currencies.items()}


def newest(months: tuple[Month, ...], most: int) -> tuple[Month, ...]:
    """Give at most so many months, the oldest of which is the sum of those that are too many."""
    if len(months) <= most:
        return months
    first, kept = months[: len(months) - most + 1], months[len(months) - most + 1 :]
    last = next((month for month in reversed(first) if month.days), first[-1])
    days, net = sum(month.days for month in first), sum(month.net_revenue_minor for month in first)
    return (Month(last.month, days, last.last_day, net), *kept)


def written(months: Iterable[Month]) -> str:
    """Write months, divided by commas: how many months after the one before (the first: its number), and the other three."""
    parts, before = list[str](), 0
    for month, days, last_day, net in months:
        parts.append(f"{month - before}.{days}.{last_day}.{net}")
        before = month
    return ",".join(parts)


def read(text: str) -> tuple[Month, ...]:
    """Read what `written` wrote."""
    months, number = list[Month](), 0
    for part in text.split(",") if text else ():
        after, days, last_day, net = map(int, part.split("."))
        number += after
        months.append(Month(number, days, last_day, net))
    return tuple(months)
