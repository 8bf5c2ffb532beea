"""Memberships: a row for each customer whom a night found in a segment, written by generation and never read before."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from ecrm.domain.nights import Membership

from . import keys
from .table import Item, Put, Refused, Table


class DynamoMemberships:
    def __init__(self, table: Table) -> None:
        self._table = table

    def write(self, memberships: Iterable[Membership]) -> None:
        for membership in memberships:
            try:
                self._table.put(
                    Put(
                        _item(membership),
                        "attribute_not_exists(PK) OR written_by <= :ours",
                        "no later night has written it",
                        {":ours": membership.written_by},
                    )
                )
            except Refused:
                continue

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
