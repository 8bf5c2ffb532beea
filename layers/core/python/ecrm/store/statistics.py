"""The statistics row of each customer: compact, because the night reads only these."""

from ecrm.application.ports import Contended
from ecrm.domain.instants import from_text, to_text
from ecrm.domain.statistics import CurrencyStatistics, CustomerStatistics

from . import keys
from .table import Item, Put, Refused, Table

_COUNTS = ("orders", "cancelled_orders", "returned_items", "orders_with_returns")
_AMOUNTS = ("orders", "items", "gross_minor", "cancelled_minor", "refunded_minor", "net_revenue_minor")


class DynamoStatistics:
    def __init__(self, table: Table) -> None:
        self._table = table

    def find(self, customer_id: str) -> tuple[CustomerStatistics, int] | None:
        item = self._table.get(keys.statistics(customer_id), consistent=True)
        return (_statistics_of(item), item["version"]) if item else None

    def write(self, customer_id: str, statistics: CustomerStatistics, *, seen: int) -> None:
        item = _item(customer_id, statistics, seen + 1)
        row_as_seen = "version = :seen" if seen else "attribute_not_exists(PK)"
        try:
            self._table.put(Put(item, row_as_seen, "row as it was seen", {":seen": seen} if seen else None))
        except Refused:
            raise Contended("the statistics row was written meanwhile") from None


def _item(customer_id: str, statistics: CustomerStatistics, version: int) -> Item:
    key = keys.statistics(customer_id)
    item: Item = {"PK": key.pk, "SK": key.sk, "type": "statistics", "v": 1, "version": version}
    item |= {name: getattr(statistics, name) for name in _COUNTS if getattr(statistics, name)}
    for name in ("first_order_at", "last_order_at"):
        instant = getattr(statistics, name)
        if instant is not None:
            item[name] = to_text(instant)
    item["currencies"] = {
        currency: [getattr(part, name) for name in _AMOUNTS] for currency, part in statistics.currencies.items()
    }
    return item


def _statistics_of(item: Item) -> CustomerStatistics:
    first, last = item.get("first_order_at"), item.get("last_order_at")
    return CustomerStatistics(
        **{name: item.get(name, 0) for name in _COUNTS},
        first_order_at=from_text(first) if first else None,
        last_order_at=from_text(last) if last else None,
        currencies={
            currency: CurrencyStatistics(**dict(zip(_AMOUNTS, amounts, strict=True)))
            for currency, amounts in item["currencies"].items()
        },
    )
