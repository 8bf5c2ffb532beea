"""Memberships: a row for each customer whom a night found in a segment, written by generation and never read before."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import batched

from ecrm.domain.nights import Membership

from . import keys
from .table import Item, Put, Refused, Table

MOST_WAITING = 256
"""Memberships that are handed to those who write them before the first of them is done."""


class DynamoMemberships:
    """`at_once` are written beside each other: one waits for the table four times as long as it works."""

    def __init__(self, table: Table, at_once: int = 1) -> None:
        self._table = table
        self._at_once = at_once

    def write(self, memberships: Iterable[Membership]) -> None:
        if self._at_once == 1:
            for membership in memberships:
                self._put(membership)
            return
        with ThreadPoolExecutor(self._at_once) as pool:
            for some in batched(memberships, MOST_WAITING, strict=False):
                for _ in pool.map(self._put, some):
                    pass

    def _put(self, membership: Membership) -> None:
        condition = "attribute_not_exists(PK) OR written_by <= :ours"
        ours = {":ours": membership.written_by}
        with suppress(Refused):
            self._table.put(Put(_item(membership), condition, "no later night has written it", ours))

    def of(self, customer_id: str, segments: Collection[str]) -> Mapping[str, Membership]:
        found = self._table.get_many(keys.membership(segment, customer_id) for segment in segments)
        return {membership.segment: membership for membership in map(_membership_of, found)}

    def in_shard(self, segment: str, shard: int, *, after: str | None = None, limit: int | None = None) -> Iterator[Membership]:
        return map(_membership_of, self._table.query(keys.memberships_partition(segment, shard), after=after, limit=limit))

    def remove(self, customer_ids: Iterable[str], segments: Collection[str]) -> None:
        self._table.remove_many(keys.membership(segment, customer_id) for customer_id in customer_ids for segment in segments)


def _item(membership: Membership) -> Item:
    key = keys.membership(membership.segment, membership.customer_id)
    until = {} if membership.until_generation is None else {"until_generation": membership.until_generation}
    item: Item = {"PK": key.pk, "SK": key.sk, "type": "membership", "v": 1, "from_generation": membership.from_generation}
    return item | until | {"written_by": membership.written_by}


def _membership_of(item: Item) -> Membership:
    return Membership(keys.segment_of(item["PK"]), item["SK"], item["from_generation"], item.get("until_generation"))
