"""Facts of the CDNOW sample (Fader and Hardie's systematic 1/10 sample), through the contract and the pure domain."""

from collections import defaultdict
from dataclasses import fields
from datetime import UTC, date
from decimal import Decimal

from ecrm.contracts.orders import PlaceOrderBody
from ecrm.domain.money import to_text
from ecrm.domain.orders import Order
from ecrm.domain.statistics import CurrencyStatistics, count
from local.demo.cdnow import FILE, Sums, purchases


def test_every_purchase_is_an_order_and_the_statistics_add_up_to_the_files_dollars_to_the_cent() -> None:
    lines = FILE.read_text().splitlines()
    dollars = sum(Decimal(line.split()[4]) for line in lines)
    first_on: dict[str, str] = {}
    for _, customer, day, *_ in map(str.split, lines):
        first_on[customer] = min(day, first_on.get(customer, day))
    first_day = sum(Decimal(amount) for _, customer, day, _, amount in map(str.split, lines) if day == first_on[customer])
    first_90_days = sum(
        Decimal(amount)
        for _, customer, day, _, amount in map(str.split, lines)
        if (date.fromisoformat(day) - date.fromisoformat(first_on[customer])).days < 90
    )
    discs = sum(int(line.split()[3]) for line in lines)
    by_customer: dict[str, list[Order]] = defaultdict(list)
    for purchase in purchases():
        command = PlaceOrderBody.model_validate(purchase.to_order()).to_command("us", digest="", source="")
        by_customer[purchase.customer].append(
            Order(
                site=command.site,
                order_id=command.order_id,
                customer_id=purchase.customer,
                currency=command.currency,
                placed_at=command.placed_at,
                terms=command.terms,
                backfill=command.backfill,
            )
        )
    counted = [count(orders, lambda _: UTC) for orders in by_customer.values()]
    names = [field.name for field in fields(CurrencyStatistics) if field.name not in {"purchases", "months"}]
    sums = {name: sum(getattr(one.currencies["USD"], name) for one in counted) for name in names}
    assert {
        "orders": 6919,
        "items": discs,
        "gross_minor": dollars * 100,
        "cancelled_minor": 0,
        "refunded_minor": 0,
        "net_revenue_minor": dollars * 100,
        "first_day_net_revenue_minor": first_day * 100,
        "first_90_days_net_revenue_minor": first_90_days * 100,
    } == sums
    assert (6919, 2357, 2357, "244091.94") == (
        sum(one.orders for one in counted),
        len(counted),
        len(set(by_customer)),
        to_text(sums["net_revenue_minor"], "USD"),
    )
    assert Sums(6919, 2357, int(dollars * 100)) == Sums.of(purchases())
    by_month: dict[int, int] = defaultdict(int)
    for month in (month for one in counted for month in one.currencies["USD"].months):
        by_month[month.month] += month.net_revenue_minor
    expected: dict[int, int] = defaultdict(int)
    for _, _, day, _, amount in map(str.split, lines):
        expected[int(day[:4]) * 12 + int(day[4:6]) - 1] += int(Decimal(amount) * 100)
    assert expected == by_month
    assert 6919 - 223 == sum(one.purchases.days for one in counted if one.purchases)
    first = min(one.first_order_at.date().isoformat() for one in counted if one.first_order_at)
    last = max(one.last_order_at.date().isoformat() for one in counted if one.last_order_at)
    assert ("1997-01-01", "1998-06-30") == (first, last)
