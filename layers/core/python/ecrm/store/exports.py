"""What an export walks over: the statistics' shards, which name every customer, and a person's partitions."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from . import keys
from .table import Table


class DynamoExports:
    def __init__(self, table: Table) -> None:
        self._table = table

    def customers(self, after: str | None) -> Iterator[tuple[str, str]]:
        first, _, last = (after or "0#").partition("#")
        for shard in range(int(first), keys.SHARDS):
            beyond = last if last and shard == int(first) else None
            for item in self._table.query(keys.statistics_partition(shard), after=beyond):
                yield f"{shard}#{item['SK']}", item["SK"]

    def everything(
        self, partitions: Iterable[str], addressed: Iterable[str], after: str | None
    ) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Give the partitions' items, then the person's row of statistics, the items of their identifiers and memberships."""
        partitions = tuple(partitions)
        first, _, last = (after or "0#").partition("#")
        for at in range(int(first), len(partitions)):
            beyond = last if last and at == int(first) else None
            for item in self._table.query(keys.customer_partition(partitions[at]), after=beyond, consistent=True):
                yield f"{at}#{item['SK']}", item
        given = int(last) if last and int(first) == len(partitions) else 0
        segments = [item["SK"] for item in self._table.query(keys.SEGMENTS_PARTITION)]
        elsewhere = [
            keys.statistics(partitions[0]),
            *(keys.Key(pk, pk.partition("#")[0]) for pk in addressed),
            *(keys.membership(segment, partitions[0]) for segment in segments),
        ]
        for at in range(given, len(elsewhere)):
            found = self._table.get(elsewhere[at])
            if found is not None:
                yield f"{len(partitions)}#{at + 1}", found
