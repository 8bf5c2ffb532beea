"""The statistics row of each customer: compact, because the night reads only these."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from ecrm.application.night_ports import StoredRow
from ecrm.application.ports import Contended
from ecrm.domain.behaviour import BehaviourCounts, NamedCounts, read, written
from ecrm.domain.instants import from_text, to_text
from ecrm.domain.statistics import CurrencyStatistics, CustomerStatistics, Purchases
from ecrm.domain.statistics import read as read_months
from ecrm.domain.statistics import written as written_months
from ecrm.domain.traits import Trait, TraitKind

from . import keys, traits
from .table import Item, Refused, Table, put_as_seen

_VERSION = 4
"""Version 1 had no purchases, version 2 no months, and version 3 copied also what was only claimed of attributes."""
_COUNTED, _VOUCHED = 3, 4
"""From which version on the figures are those of today, and the copies of attributes a voucher's words."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ROUTES = ("PK", "SK", "type", "version")
_COUNTS = ("orders", "cancelled_orders", "returned_items", "orders_with_returns")
_AMOUNTS = ("orders", "items", "gross_minor", "cancelled_minor", "refunded_minor", "net_revenue_minor")
_OF_PURCHASES = 5


class DynamoStatistics:
    def __init__(self, table: Table) -> None:
        self._table = table

    def find(self, customer_id: str) -> tuple[CustomerStatistics, int] | None:
        item = self._table.get(keys.statistics(customer_id), consistent=True)
        return (_statistics_of(item), item["version"]) if item else None

    def write(self, customer_id: str, statistics: CustomerStatistics, *, seen: int) -> None:
        self._put(_item(customer_id, statistics, seen + 1), seen)

    def _put(self, item: Item, seen: int) -> None:
        try:
            self._table.put(put_as_seen(item, seen, "row as it was seen"))
        except Refused:
            raise Contended("the statistics row was written meanwhile") from None

    def keep(self, customer_id: str, statistics: CustomerStatistics, *, seen: int) -> None:
        """Leave of an erased customer's row what sums are made of, if it is still at `seen`. Raises Contended."""
        amounts = {
            currency: replace(part, purchases=None, first_day_net_revenue_minor=0, first_90_days_net_revenue_minor=0, months=())
            for currency, part in statistics.currencies.items()
        }
        whole = _item(customer_id, replace(statistics, currencies=amounts), seen + 1)
        kept = {
            name: value for name, value in whole.items() if name in {"PK", "SK", "type", "v", "version", "currencies", *_COUNTS}
        }
        self._put(kept | {"erased": True}, seen)

    def remove(self, customer_ids: Iterable[str]) -> None:
        self._table.remove_many(map(keys.statistics, customer_ids))


class DynamoStatisticsRows:
    """All customers' rows, a shard at a time, for the night."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def of_shard(self, shard: int) -> Iterator[StoredRow]:
        for item in self._table.query(keys.statistics_partition(shard)):
            if not item.get("erased"):
                yield StoredRow(item["SK"], {name: value for name, value in item.items() if name not in _ROUTES})

    def read(self, stored: StoredRow) -> CustomerStatistics:
        return _statistics_of(stored.said)


def _item(customer_id: str, statistics: CustomerStatistics, version: int) -> Item:
    key = keys.statistics(customer_id)
    item: Item = {"PK": key.pk, "SK": key.sk, "type": "statistics", "v": _VERSION, "version": version}
    item |= {name: getattr(statistics, name) for name in _COUNTS if getattr(statistics, name)}
    for name in ("first_order_at", "last_order_at"):
        instant = getattr(statistics, name)
        if instant is not None:
            item[name] = to_text(instant)
    item["currencies"] = {currency: _currency(part) for currency, part in statistics.currencies.items()}
    item |= {"purchases": _purchases(statistics.purchases)} if statistics.purchases else {}
    item |= {"erased": True} if statistics.is_erased else {}
    return item | _traits(statistics) | _behaviour(statistics.behaviour)


def _currency(part: CurrencyStatistics) -> list[int | str]:
    """Write amounts; where there are purchase days, what there was on the first and in 90 days, and those; then the months."""
    amounts = [getattr(part, name) for name in _AMOUNTS]
    first = part.first_day_net_revenue_minor, part.first_90_days_net_revenue_minor
    bought = [*first, *_purchases(part.purchases)] if part.purchases else []
    return [*amounts, *bought, *([written_months(part.months)] if part.months else [])]


def _currency_of(said: Sequence[Any]) -> CurrencyStatistics:
    """Read also what versions 1 and 2 wrote, without months, and without the first 90 days."""
    *numbers, months = said if isinstance(said[-1], str) else (*said, "")
    bought = numbers[len(_AMOUNTS) :]
    return CurrencyStatistics(
        **dict(zip(_AMOUNTS, numbers, strict=False)),
        purchases=_purchases_of(bought[-_OF_PURCHASES:]) if bought else None,
        first_day_net_revenue_minor=bought[0] if bought else 0,
        first_90_days_net_revenue_minor=bought[1] if len(bought) > 1 + _OF_PURCHASES else 0,
        months=read_months(months),
    )


def _purchases(purchases: Purchases) -> list[int]:
    """Write how many days, then the first, second, previous and last in days since 1970; of one day, that one four times."""
    first, last = purchases.first_on, purchases.last_on
    days = (first, purchases.second_on or first, purchases.previous_on or first, last)
    return [purchases.days, *((day - _EPOCH.date()).days for day in days)]


def _purchases_of(numbers: list[int]) -> Purchases:
    days, *since = numbers
    first, second, previous, last = (_EPOCH.date() + timedelta(days=number) for number in since)
    again: tuple[date | None, date | None] = (second, previous) if days > 1 else (None, None)
    return Purchases(days=days, first_on=first, second_on=again[0], previous_on=again[1], last_on=last)


def _traits(statistics: CustomerStatistics) -> Item:
    if not statistics.traits_version:
        return {}
    copied = {traits.written(trait): value for trait, value in statistics.traits.items()}
    return {"traits_version": statistics.traits_version} | ({"traits": copied} if copied else {})


def _behaviour(counts: BehaviourCounts) -> Item:
    """Write compactly: counts by day as text, from the last day backwards; instants in microseconds since 1970."""
    if counts.last_seen_at is None:
        return {}
    item: Item = {
        "last_seen_at": to_text(counts.last_seen_at),
        "visits": written(counts.visits),
        "events": {
            name: [_micros(named.first_at), _micros(named.last_at), written(named.days)] for name, named in counts.events.items()
        },
    }
    return item | ({"more": True} if counts.has_more else {})


def _behaviour_of(item: Mapping[str, Any]) -> BehaviourCounts:
    if "last_seen_at" not in item:
        return BehaviourCounts()
    last_seen_at = from_text(item["last_seen_at"])
    return BehaviourCounts(
        last_seen_at,
        read(item["visits"], last_seen_at.date()),
        {
            name: NamedCounts(_instant(first), _instant(last), read(days, _instant(last).date()))
            for name, (first, last, days) in item["events"].items()
        },
        item.get("more", False),
    )


def _traits_of(item: Mapping[str, Any]) -> dict[Trait, Any]:
    """Leave out attributes that may be a mere claim: they are not known of the row until it is written anew."""
    copied = {traits.read(name): value for name, value in item.get("traits", {}).items()}
    if item["v"] >= _VOUCHED:
        return copied
    return {trait: value for trait, value in copied.items() if trait.kind is not TraitKind.PROFILE}


def _micros(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(microseconds=1)


def _instant(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)


def _statistics_of(item: Mapping[str, Any]) -> CustomerStatistics:
    first, last = item.get("first_order_at"), item.get("last_order_at")
    return CustomerStatistics(
        **{name: item.get(name, 0) for name in _COUNTS},
        first_order_at=from_text(first) if first else None,
        last_order_at=from_text(last) if last else None,
        currencies={currency: _currency_of(numbers) for currency, numbers in item["currencies"].items()},
        purchases=_purchases_of(item["purchases"]) if "purchases" in item else None,
        behaviour=_behaviour_of(item),
        traits=_traits_of(item),
        traits_version=item.get("traits_version", 0) if item["v"] >= _VOUCHED else 0,
        is_erased=item.get("erased", False),
        is_outdated=item["v"] < _COUNTED,
    )
