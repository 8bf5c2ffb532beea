from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from itertools import permutations
from zoneinfo import ZoneInfo

import pytest

from ecrm.application.statistics import TimeZones, concerns
from ecrm.domain.behaviour import TYPES
from ecrm.domain.events import CATALOGUE
from ecrm.domain.orders import Fact, Order
from ecrm.domain.sites import Site
from ecrm.domain.statistics import (
    NOTHING,
    CurrencyStatistics,
    CustomerStatistics,
    Month,
    Purchases,
    ZoneOf,
    count,
    newest,
    read,
    written,
)
from tests.builders import NOON, a_stored_site
from tests.unit.facts import (
    BERLIN,
    an_agreement,
    cancelled,
    delivered,
    hour,
    in_berlin,
    purchases_on,
    refunded,
    returned,
    some_terms,
)

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

NOVEMBER = 2026 * 12 + 10


def bought_on(*days: int) -> Purchases:
    """Days of November."""
    return purchases_on(date(2026, 11, day) for day in days)


def test_orders_behaviour_who_somebody_is_and_what_is_said_of_them_concern_the_statistics() -> None:
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
    said = {f"customer.{word}" for word in ("identified", "imported", "restored", "updated")} | {"consent.changed"}
    expected = {f"order.{word}" for word in told} | TYPES | people | said
    assert expected == {kind for kind in (*CATALOGUE, *people) if concerns(kind)}


def test_a_customer_of_no_orders_has_nothing() -> None:
    assert NOTHING == count((), in_berlin)


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
                orders=2,
                items=6,
                gross_minor=6900,
                cancelled_minor=2300,
                refunded_minor=3590,
                net_revenue_minor=2300 + 1500,
                purchases=bought_on(20, 22),
                first_day_net_revenue_minor=2300,
                first_90_days_net_revenue_minor=2300 + 1500,
                months=(Month(NOVEMBER, 2, 22, 2300 + 1500),),
            ),
            "JPY": CurrencyStatistics(
                orders=1,
                items=2,
                gross_minor=3500,
                cancelled_minor=2000,
                refunded_minor=0,
                net_revenue_minor=1500,
                purchases=bought_on(21),
                first_day_net_revenue_minor=1500,
                first_90_days_net_revenue_minor=1500,
                months=(Month(NOVEMBER, 1, 21, 1500),),
            ),
        },
        purchases=bought_on(20, 21, 22),
    )
    counted = [count(orders, in_berlin) for orders in permutations((KEPT, RETURNED, CANCELLED, IN_YEN))]
    assert [expected] * 24 == counted


def test_a_customer_who_cancelled_everything_has_no_first_order() -> None:
    counted = count((CANCELLED,), in_berlin)
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
    assert 2300 == count((KEPT, paid_back), in_berlin).currencies["EUR"].net_revenue_minor


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
    assert ["CHF", "EUR", "USD"] == list(count(orders, in_berlin).currencies)


# ── purchase days ────────────────────────────────────────────────────────────────────────────────────────────────────


def placed(hours: int, *facts: Fact, site: str = "de", currency: str = "EUR") -> Order:
    """An order so many hours after noon of November 20 in UTC, whose id is that."""
    return replace(an_agreement(*facts, order_id=f"{site} {hours}", placed_at=hour(hours), currency=currency), site=site)


def purchases(*orders: Order, zone_of: ZoneOf = in_berlin) -> Purchases | None:
    return count(orders, zone_of).purchases


def test_the_orders_of_one_day_are_one_purchase_day() -> None:
    assert bought_on(20) == purchases(placed(0), placed(3), placed(-12))


def test_of_two_days_the_second_is_the_last_and_the_previous_one_the_first() -> None:
    assert Purchases(
        days=2,
        first_on=date(2026, 11, 20),
        second_on=date(2026, 11, 21),
        previous_on=date(2026, 11, 20),
        last_on=date(2026, 11, 21),
    ) == purchases(placed(0), placed(24))


def test_the_day_is_that_of_the_orders_own_site() -> None:
    """Eleven in the evening of the 20th in UTC is the 21st in Berlin and the 20th in New York, where noon is the 20th as well."""
    zones: dict[str, tzinfo] = {"de": BERLIN, "us": ZoneInfo("America/New_York")}
    assert bought_on(20, 21) == purchases(placed(0), placed(11), zone_of=zones.__getitem__)
    assert bought_on(20) == purchases(placed(0), placed(11, site="us"), zone_of=zones.__getitem__)


@pytest.mark.parametrize(("hours", "day"), [(-15, 19), (-14, 20), (9, 20), (10, 21)])
def test_a_day_begins_at_the_sites_midnight(hours: int, day: int) -> None:
    assert bought_on(day) == purchases(placed(hours), zone_of=lambda _: timezone(timedelta(hours=2)))


def test_a_day_whose_orders_were_all_cancelled_or_paid_back_is_no_purchase_day() -> None:
    taken_back = (placed(0, cancelled(1)), placed(1, refunded(2)), placed(2, cancelled(3), refunded(3)))
    assert purchases(*taken_back) is None
    assert bought_on(21) == purchases(*taken_back, placed(24))
    assert bought_on(20, 21) == purchases(*taken_back, placed(24), placed(3, refunded(4, 2789)))


def test_each_currency_has_days_of_its_own_and_the_customer_has_them_all() -> None:
    counted = count((placed(0), placed(24, currency="JPY"), placed(25), placed(72, currency="JPY")), in_berlin)
    assert (bought_on(20, 21, 23), bought_on(20, 21), bought_on(21, 23)) == (
        counted.purchases,
        counted.currencies["EUR"].purchases,
        counted.currencies["JPY"].purchases,
    )


def test_the_first_days_revenue_is_that_of_its_orders_in_the_currency_that_were_kept() -> None:
    orders = (placed(-1, cancelled(1)), placed(0), placed(1, refunded(2, 300)), placed(24), placed(2, currency="JPY"))
    assert (2300 + 2000, 2300) == tuple(part.first_day_net_revenue_minor for part in count(orders, in_berlin).currencies.values())


# ── months ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def months(*orders: Order, zone_of: ZoneOf = in_berlin) -> tuple[Month, ...]:
    return count(orders, zone_of).currencies["EUR"].months


def test_a_month_has_its_purchase_days_and_the_money_of_the_orders_placed_in_it() -> None:
    orders = (placed(0), placed(1), placed(24), placed(24 * 10), placed(24 * 49, refunded(4, 300)))
    assert (Month(NOVEMBER, 3, 30, 4 * 2300), Month(NOVEMBER + 2, 1, 8, 2000)) == months(*orders)


def test_a_month_begins_at_the_sites_midnight() -> None:
    last_hour, first_hour = (10 * 24 + hours for hours in (10, 11))
    assert (Month(NOVEMBER, 1, 30, 2300), Month(NOVEMBER + 1, 1, 1, 2300)) == months(placed(last_hour), placed(first_hour))
    assert (Month(NOVEMBER, 1, 30, 4600),) == months(placed(last_hour), placed(first_hour), zone_of=lambda _: UTC)


def test_a_month_whose_orders_were_all_taken_back_is_none() -> None:
    assert () == months(placed(0, cancelled(1)), placed(1, refunded(2)))


def test_months_are_those_of_their_currency() -> None:
    counted = count((placed(0), placed(24 * 20, currency="JPY")), in_berlin)
    assert {"EUR": (Month(NOVEMBER, 1, 20, 2300),), "JPY": (Month(NOVEMBER + 1, 1, 10, 2300),)} == {
        currency: part.months for currency, part in counted.currencies.items()
    }


@pytest.mark.parametrize(("days", "net"), [(89, 4600), (90, 2300)])
def test_the_first_90_days_begin_with_the_first_purchase_day(days: int, net: int) -> None:
    orders = (placed(-1, cancelled(1)), placed(0), placed(24 * days), placed(24 * days, currency="JPY"))
    assert net == count(orders, in_berlin).currencies["EUR"].first_90_days_net_revenue_minor


def test_the_oldest_months_are_one_entry_where_the_last_purchase_day_of_theirs_is() -> None:
    four = (Month(1, 2, 9, 50), Month(2, 1, 30, 20), Month(4, 0, 0, 7), Month(5, 3, 8, 90))
    assert four == newest(four, 4)
    assert (Month(2, 3, 30, 77), Month(5, 3, 8, 90)) == newest(four, 2)
    assert (Month(5, 6, 8, 167),) == newest(four, 1)
    assert (Month(4, 0, 0, 8), Month(5, 3, 8, 90)) == newest((Month(3, 0, 0, 1), *four[2:]), 2)


def test_months_of_twenty_years_are_at_most_60_and_add_up() -> None:
    orders = [placed(24 * 30 * number) for number in range(240)]
    counted = count(orders, in_berlin).currencies["EUR"]
    assert 60 == len(counted.months)
    assert (counted.purchases and counted.purchases.days, counted.net_revenue_minor) == (
        sum(month.days for month in counted.months),
        sum(month.net_revenue_minor for month in counted.months),
    )
    assert [month.month for month in counted.months] == sorted({month.month for month in counted.months})


def test_months_of_many_currencies_share_one_room() -> None:
    codes = ("AUD", "CHF", "EUR", "GBP", "JPY", "USD")
    orders = [placed(24 * 30 * number, currency=code) for number in range(30) for code in codes]
    kept = [part.months for part in count(orders, in_berlin).currencies.values()]
    assert [kept[0]] * len(codes) == kept
    assert 800 < sum(len(written(part)) for part in kept) <= 900
    assert 30 == sum(month.days for month in kept[0])


def test_months_are_read_as_they_were_written() -> None:
    some = (Month(24_000, 2, 9, 50), Month(24_002, 0, 0, 20), Month(24_010, 3, 31, 9_000))
    assert "24000.2.9.50,2.0.0.20,8.3.31.9000" == written(some)
    assert some == read(written(some))
    assert () == read(written(()))


def test_a_months_last_purchase_day_is_a_date() -> None:
    assert [date(2026, 11, 30), None] == [Month(NOVEMBER, 1, 30, 0).last_on, Month(NOVEMBER, 0, 0, 5).last_on]


class Sites:
    """One site, and how often it was asked for."""

    def __init__(self, time_zone: str) -> None:
        self.time_zone = time_zone
        self.asked: list[str] = []

    def find(self, site: str) -> Site | None:
        self.asked.append(site)
        return a_stored_site(site, time_zone=self.time_zone) if site == "de" else None

    def all(self) -> tuple[Site, ...]:
        raise NotImplementedError

    def write(self, site: Site, *, seen: int) -> Site | None:
        raise NotImplementedError


class AClock:
    def __init__(self) -> None:
        self.at = NOON

    def now(self) -> datetime:
        return self.at


def test_a_sites_time_zone_is_asked_for_once_a_minute_and_one_who_is_not_there_has_utc() -> None:
    sites, clock = Sites("Europe/Berlin"), AClock()
    zone_of = TimeZones(sites, clock)
    assert [BERLIN, BERLIN, UTC, UTC] == [zone_of(site) for site in ("de", "de", "us", "us")]
    sites.time_zone = "Asia/Tehran"
    clock.at += timedelta(seconds=59)
    assert BERLIN == zone_of("de")
    clock.at += timedelta(seconds=1)
    assert ZoneInfo("Asia/Tehran") == zone_of("de")
    assert ["de", "us", "de"] == sites.asked
