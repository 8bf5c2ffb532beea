"""A customer's statistics: a fold of their orders, in minor units per currency, and of their behaviour, by day."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from . import behaviour
from .behaviour import NEVER_SEEN, BehaviourCounts
from .orders import Order, OrderState, Status, fold


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrencyStatistics:
    """Amounts in minor units.

    `gross` is lines after all discounts without tax and shipping, `cancelled` its part that was cancelled, `refunded` all money
    paid back, `net_revenue` the sum of `OrderState.net_revenue_minor`. `orders` and `items` leave out what was cancelled.
    """

    orders: int
    items: int
    gross_minor: int
    cancelled_minor: int
    refunded_minor: int
    net_revenue_minor: int

    @property
    def mean_order_value_minor(self) -> int:
        """Net revenue per order, to the nearest minor unit; zero without orders."""
        return (2 * self.net_revenue_minor + self.orders) // (2 * self.orders) if self.orders else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerStatistics:
    """`first_order_at` and `last_order_at` are of orders not wholly cancelled.

    Of one who was erased the figures of their orders stay, without a time: they are never counted again.
    """

    orders: int
    cancelled_orders: int
    returned_items: int
    orders_with_returns: int
    first_order_at: datetime | None
    last_order_at: datetime | None
    currencies: Mapping[str, CurrencyStatistics]
    behaviour: BehaviourCounts = NEVER_SEEN
    is_erased: bool = False


LARGEST = 4_096
"""Bytes of a row, as the table counts them: the night reads nothing else, and pays by 4 KB."""
_FRAME, _CURRENCY = 400, 90
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


def count(orders: Iterable[Order]) -> CustomerStatistics:
    """Recount a customer from all of their orders, whatever the order in which they are given."""
    folded = [(order, fold(order)) for order in orders]
    kept = [order for order, state in folded if state.status is not Status.CANCELLED]
    returned = [sum(line.returned for line in state.lines.values()) for _, state in folded]
    return CustomerStatistics(
        orders=len(kept),
        cancelled_orders=len(folded) - len(kept),
        returned_items=sum(returned),
        orders_with_returns=sum(items > 0 for items in returned),
        first_order_at=min((order.placed_at for order in kept), default=None),
        last_order_at=max((order.placed_at for order in kept), default=None),
        currencies={
            currency: _count_currency([state for order, state in folded if order.currency == currency])
            for currency in sorted({order.currency for order, _ in folded})
        },
    )


def fitted(statistics: CustomerStatistics) -> CustomerStatistics:
    """Leave out named events until the row has its size."""
    room = LARGEST - _FRAME - _CURRENCY * len(statistics.currencies)
    return replace(statistics, behaviour=behaviour.fitted(statistics.behaviour, room))


def _count_currency(states: list[OrderState]) -> CurrencyStatistics:
    return CurrencyStatistics(
        orders=sum(state.status is not Status.CANCELLED for state in states),
        items=sum(max(0, line.quantity - line.cancelled) for state in states for line in state.lines.values()),
        gross_minor=sum(state.terms.net_minor for state in states),
        cancelled_minor=sum(state.cancelled_minor for state in states),
        refunded_minor=sum(state.refunded_minor for state in states),
        net_revenue_minor=sum(state.net_revenue_minor for state in states),
    )
