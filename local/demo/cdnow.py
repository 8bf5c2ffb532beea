"""The CDNOW sample as orders, and its sums: what the statistics must come to. README.md beside it says what it is."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

FILE = Path(__file__).parent / "cdnow_sample.txt"
LAST_DAY = date(1998, 6, 30)
"""Until which the file follows its customers, whether they bought then or not."""
AS_IT_WAS = timedelta()


@dataclass(frozen=True, slots=True)
class Purchase:
    """One line of the file."""

    number: int
    customer: str
    date: str
    cds: int
    cents: int

    @classmethod
    def of(cls, number: int, line: str, later: timedelta = AS_IT_WAS) -> Self:
        """Read `id, date, CDs, dollars`, whatever stands before them, and let it have happened that much later."""
        *_, customer, day, cds, amount = line.split()
        return cls(number, customer, (date.fromisoformat(day) + later).isoformat(), int(cds), int(Decimal(amount) * 100))

    def to_order(self) -> dict[str, Any]:
        """Write the body of `POST /v1/orders`."""
        unit_cents = -(-self.cents // self.cds)
        return {
            "order_id": f"cdnow-{self.number}",
            "placed_at": f"{self.date}T12:00:00Z",
            "currency": "USD",
            "customer": {"user_id": self.customer},
            "lines": [
                {
                    "sku": "CD",
                    "name": "Compact disc",
                    "quantity": self.cds,
                    "unit_price": dollars(unit_cents),
                    "discount": dollars(unit_cents * self.cds - self.cents),
                }
            ],
            "total": dollars(self.cents),
            "backfill": True,
        }


@dataclass(frozen=True, slots=True)
class Sums:
    """What must be the same in the file and in the statistics."""

    orders: int
    customers: int
    cents: int

    @classmethod
    def of(cls, purchases: Iterable[Purchase]) -> Self:
        """Sum a file."""
        purchases = list(purchases)
        customers = {purchase.customer for purchase in purchases}
        return cls(len(purchases), len(customers), sum(purchase.cents for purchase in purchases))

    @classmethod
    def of_statistics(cls, statistics: Iterable[Mapping[str, Any]]) -> Self:
        """Sum answers of `GET /v1/customers/{customer_id}/stats`."""
        parts = [customer["currencies"]["USD"] for customer in statistics]
        net = sum(Decimal(part["net_revenue"]) for part in parts)
        return cls(sum(part["orders"] for part in parts), len(parts), int(net * 100))

    def __str__(self) -> str:
        return f"{self.orders:,} orders, {self.customers:,} customers, {dollars(self.cents)} dollars"


def purchases(later: timedelta = AS_IT_WAS) -> list[Purchase]:
    """Read the sample."""
    return [Purchase.of(number, line, later) for number, line in enumerate(FILE.read_text().splitlines(), start=1)]


def batches(purchases: Iterable[Purchase], *, lanes: int, size: int) -> list[list[list[Purchase]]]:
    """Deal the customers to lanes: within a lane a customer's orders follow each other, in batches of `size`."""
    dealt: dict[int, list[Purchase]] = defaultdict(list)
    for purchase in purchases:
        dealt[int(purchase.customer) % lanes].append(purchase)
    return [[lane[at : at + size] for at in range(0, len(lane), size)] for _, lane in sorted(dealt.items())]


def dollars(cents: int) -> str:
    """Write an amount as the API takes it."""
    return f"{cents // 100}.{cents % 100:02}"
