"""Keeping one statistics row per customer, by recounting the facts."""

from ecrm.domain.statistics import NOTHING, CustomerStatistics, count

from .customers import read_customer
from .ports import Contended, Customers, Orders, Statistics

ATTEMPTS = 5


def concerns(event_type: str) -> bool:
    """Say whether an event can change a customer's statistics."""
    return event_type.startswith("order.")


def recount(customer_id: str, *, orders: Orders, statistics: Statistics, dry_run: bool = False) -> bool:
    """Recount a customer from their orders and write the row where it differs; says whether it did.

    The row's version is read before the orders, so an older count never overwrites a newer one.
    """
    for _ in range(ATTEMPTS):
        row, seen = statistics.find(customer_id) or (NOTHING, 0)
        counted = count(orders.of_customer(customer_id))
        if counted == row:
            return False
        if dry_run:
            return True
        try:
            statistics.write(customer_id, counted, seen=seen)
        except Contended:
            continue
        return True
    raise Contended("the statistics row is written by many at once")


def read_statistics(customer_id: str, *, customers: Customers, statistics: Statistics) -> CustomerStatistics:
    """Read what was last counted; a customer whose first event is still on its way has nothing yet."""
    read_customer(customer_id, customers=customers)
    row = statistics.find(customer_id)
    return row[0] if row else NOTHING
