from datetime import timedelta
from itertools import permutations

import pytest

from ecrm.application.statistics import concerns
from ecrm.domain.behaviour import TYPES
from ecrm.domain.events import CATALOGUE
from ecrm.domain.orders import Order
from ecrm.domain.statistics import NOTHING, CurrencyStatistics, CustomerStatistics, count
from tests.builders import NOON
from tests.unit.facts import an_agreement, cancelled, delivered, hour, refunded, returned, some_terms

KEPT = an_agreement(delivered(1), order_id="A")
RETURNED = an_agreement(delivered(1), returned(2, {"1": 1}), refunded(3, 800), order_id="B", placed_at=NOON + timedelta(days=2))
CANCELLED = an_agreement(cancelled(1), refunded(2), order_id="C", placed_at=NOON - timedelta(days=9))
IN_YEN = an_agreement(
    cancelled(1, {"1": 2}),
    order_id="D",
    currency="JPY",
    placed_at=NOON + timedelta(days=1),
    terms=some_terms({"1": (3, 1000), "2": (1, 500)}),
)


def test_orders_behaviour_and_who_somebody_is_concern_the_statistics_and_nothing_else_does() -> None:
    told = {
        "placed",
        "paid",
        "packed",
        "shipped",
        "shipment_updated",
        "delivered",
        "amended",
        "cancelled",
        "refunded",
        "returned",
    }
    people = {f"customer.{word}" for word in ("created", "merged", "unmerged")}
    expected = {f"order.{word}" for word in told} | TYPES | people
    assert expected == {kind for kind in (*CATALOGUE, *people) if concerns(kind)}


def test_a_customer_of_no_orders_has_nothing() -> None:
    assert NOTHING == count(())


def test_statistics_are_the_sums_of_the_orders_by_currency() -> None:
    expected = CustomerStatistics(
        orders=3,
        cancelled_orders=1,
        returned_items=1,
        orders_with_returns=1,
        first_order_at=NOON,
        last_order_at=NOON + timedelta(days=2),
        currencies={
            "EUR": CurrencyStatistics(
                orders=2, items=6, gross_minor=6900, cancelled_minor=2300, refunded_minor=3590, net_revenue_minor=2300 + 1500
            ),
            "JPY": CurrencyStatistics(
                orders=1, items=2, gross_minor=3500, cancelled_minor=2000, refunded_minor=0, net_revenue_minor=1500
            ),
        },
    )
    counted = [count(orders) for orders in permutations((KEPT, RETURNED, CANCELLED, IN_YEN))]
    assert [expected] * 24 == counted


def test_a_customer_who_cancelled_everything_has_no_first_order() -> None:
    counted = count((CANCELLED,))
    nothing_kept = CurrencyStatistics(
        orders=0, items=0, gross_minor=2300, cancelled_minor=2300, refunded_minor=2790, net_revenue_minor=0
    )
    assert (0, 1, None, None, {"EUR": nothing_kept}) == (
        counted.orders,
        counted.cancelled_orders,
        counted.first_order_at,
        counted.last_order_at,
        counted.currencies,
    )


def test_a_refund_of_one_order_never_eats_the_revenue_of_another() -> None:
    paid_back = an_agreement(refunded(1, 2790), order_id="E")
    assert 2300 == count((KEPT, paid_back)).currencies["EUR"].net_revenue_minor


@pytest.mark.parametrize(
    ("orders", "net_revenue", "mean"), [(0, 0, 0), (1, 999, 999), (2, 999, 500), (2, 1001, 501), (3, 1000, 333), (3, 1001, 334)]
)
def test_the_mean_order_value_is_net_revenue_per_order_to_the_nearest_minor_unit(
    orders: int, net_revenue: int, mean: int
) -> None:
    counted = CurrencyStatistics(
        orders=orders, items=0, gross_minor=0, cancelled_minor=0, refunded_minor=0, net_revenue_minor=net_revenue
    )
    assert mean == counted.mean_order_value_minor


def test_currencies_are_listed_by_their_code() -> None:
    orders: list[Order] = [an_agreement(order_id=code, currency=code, placed_at=hour(1)) for code in ("USD", "CHF", "EUR")]
    assert ["CHF", "EUR", "USD"] == list(count(orders).currencies)
