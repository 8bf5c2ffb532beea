"""Memberships: a row for each customer whom a night found in a segment, written by generation and never read before."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import batched, groupby
from operator import attrgetter

from ecrm.domain.nights import Membership

from . import keys
from .standing import unerased
from .table import Item, Put, Table

MOST_WAITING = 256
"""Customers whose memberships are handed to those who write them before the first of them is done."""


class DynamoMemberships:
    """Those of `at_once` customers are written beside each other: one waits for the table four times as long as it works."""

    def __init__(self, table: Table, at_once: int = 1) -> None:
        self._table = table
        self._at_once = at_once

    def write(self, memberships: Iterable[Membership]) -> None:
        by_customer = ((customer_id, tuple(some)) for customer_id, some in groupby(memberships, attrgetter("customer_id")))
        if self._at_once == 1:
            for customer_id, some in by_customer:
                self._write(customer_id, some)
            return
        with ThreadPoolExecutor(self._at_once) as pool:
            for waiting in batched(by_customer, MOST_WAITING, strict=False):
                for _ in pool.map(lambda each: self._write(*each), waiting):
                    pass

    def _write(self, customer_id: str, memberships: Iterable[Membership]) -> None:
        """Write what is said of one customer, unless they are erased: whoever erased them may have looked before."""
        self._table.write_each(unerased(customer_id), map(_put, memberships))

    def of(self, customer_id: str, segments: Collection[str]) -> Mapping[str, Membership]:
        found = self._table.get_many(keys.membership(segment, customer_id) for segment in segments)
        return {membership.segment: membership for membership in map(_membership_of, found)}

    def in_shard(self, segment: str, shard: int, *, after: str | None = None, limit: int | None = None) -> Iterator[Membership]:
        return map(_membership_of, self._table.query(keys.memberships_partition(segment, shard), after=after, limit=limit))


def _put(membership: Membership) -> Put:
    condition, why = "attribute_not_exists(PK) OR written_by <= :ours", f"no later night has written {membership.segment}"
    return Put(_item(membership), condition, why, {":ours": membership.written_by})


def _item(membership: Membership) -> Item:
    key = keys.membership(membership.segment, membership.customer_id)
    until = {} if membership.until_generation is None else {"until_generation": membership.until_generation}
    item: Item = {"PK": key.pk, "SK": key.sk, "type": "membership", "v": 1, "from_generation": membership.from_generation}
    return item | until | {"written_by": membership.written_by}


def _membership_of(item: Item) -> Membership:
    return Membership(keys.segment_of(item["PK"]), item["SK"], item["from_generation"], item.get("until_generation"))
