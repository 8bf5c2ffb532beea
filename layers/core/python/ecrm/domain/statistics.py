"""A customer's statistics: a fold of their orders, in minor units per currency, and of their behaviour, by day."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, tzinfo
from typing import Any

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


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrencyStatistics:
    """Amounts in minor units.

    `gross` is lines after all discounts without tax and shipping, `cancelled` its part that was cancelled, `refunded` all money
    paid back, `net_revenue` the sum of `OrderState.net_revenue_minor`. `orders` and `items` leave out what was cancelled.
    `first_day_net_revenue` is the part of `net_revenue` from the first of the `purchases`, all else is repeat revenue.
    """

    orders: int
    items: int
    gross_minor: int
    cancelled_minor: int
    refunded_minor: int
    net_revenue_minor: int
    purchases: Purchases | None = None
    first_day_net_revenue_minor: int = 0

    @property
    def mean_order_value_minor(self) -> int:
        """Net revenue per order, to the nearest minor unit; zero without orders."""
        return (2 * self.net_revenue_minor + self.orders) // (2 * self.orders) if self.orders else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerStatistics:
    """`first_order_at` and `last_order_at` are of orders not wholly cancelled; `purchases` are those in any currency.

    Of one who was erased the figures of their orders stay, without a time: they are never counted again. One that `is_outdated`
    was written before purchases were counted: what it says else is right, and its next recount is of all orders. `traits` are
    copies, of those that the list of `traits_version` names as far as they have room.
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
_FRAME, _CURRENCY = 440, 120
"""Bytes that a row takes without its named events, and for each currency."""

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
        currencies={
            currency: _count_currency([one for one in folded if one[0].currency == currency], zone_of)
            for currency in sorted({order.currency for order, _ in folded})
        },
        purchases=_purchases(bought),
    )


def _bought_on(order: Order, state: OrderState, zone_of: ZoneOf) -> date | None:
    if state.status in (Status.CANCELLED, Status.REFUNDED):
        return None
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
    room = LARGEST - _FRAME - _CURRENCY * len(statistics.currencies) - copied
    return replace(statistics, behaviour=behaviour.fitted(statistics.behaviour, room))


def _count_currency(folded: list[tuple[Order, OrderState]], zone_of: ZoneOf) -> CurrencyStatistics:
    states = [state for _, state in folded]
    bought = [(_bought_on(order, state, zone_of), state.net_revenue_minor) for order, state in folded]
    purchases = _purchases(day for day, _ in bought)
    return CurrencyStatistics(
        orders=sum(state.status is not Status.CANCELLED for state in states),
        items=sum(max(0, line.quantity - line.cancelled) for state in states for line in state.lines.values()),
        gross_minor=sum(state.terms.net_minor for state in states),
        cancelled_minor=sum(state.cancelled_minor for state in states),
        refunded_minor=sum(state.refunded_minor for state in states),
        net_revenue_minor=sum(state.net_revenue_minor for state in states),
        purchases=purchases,
        first_day_net_revenue_minor=sum(net for day, net in bought if purchases and day == purchases.first_on),
    )
