"""Erasure in the table: a person's partitions are emptied, and what others must not take for free becomes a tombstone."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from ecrm.domain.events import Event
from ecrm.domain.instants import from_text, to_text

from . import keys
from .messages import budget_of, close
from .suppressions import DynamoSuppressions
from .table import Item, Put, Refused, Table

_NAMES = {"EVENT": "events", "ORDER": "orders", "CONSENT": "consents", "ATTRIBUTES": "attributes", "IDENTITY": "identifiers"}


class DynamoErasure:
    def __init__(self, table: Table, suppressions: DynamoSuppressions) -> None:
        self._table = table
        self._suppressions = suppressions

    def items(self, partitions: Iterable[str]) -> Iterator[Item]:
        """Give everything in the partitions but the tombstones of their profiles, strongly consistent."""
        for partition in partitions:
            items = self._table.query(keys.customer_partition(partition), consistent=True)
            yield from (item for item in items if item["SK"] != keys.PROFILE)

    def count(self, partitions: Iterable[str], addressed: Iterable[str]) -> Mapping[str, int]:
        """Count what is to be deleted, by what it is."""
        counted = Counter(_name(item["SK"]) for item in self.items(partitions))
        counted.update(_NAMES["IDENTITY"] for pk in addressed if pk.startswith("IDENTITY#"))
        counted["profiles"] = len(tuple(partitions))
        return counted

    def forget_attributes(self, partitions: Iterable[str]) -> None:
        """Delete what changes of attributes are held to, so that none can come in any more."""
        self._table.remove_many(map(keys.attributes, partitions))

    def delete(self, items: Iterable[Mapping[str, Any]], at: datetime) -> None:
        """Delete items, and before them what only they name.

        An order's pointer becomes a tombstone, and its list row goes. The entry of a message is closed, after which nothing
        more is told of it; the entry itself is the books', and stays.
        """
        items = tuple(items)
        for key in dict.fromkeys(key for item in items for key in _entries(item)):
            close(self._table, key, at)
        orders = [item for item in items if item["SK"].startswith(keys.ORDER_PREFIX)]
        for order in orders:
            self._close_order(order, at)
        self._table.remove_many(keys.Key(item["PK"], item["SK"]) for item in items)

    def close_entries(self, events: Iterable[Event], at: datetime) -> None:
        """Let nothing more be told of the mails that some events are about."""
        for run_id, shard, customer_id in {
            (event.data["run_id"], event.data["shard"], event.customer_id)
            for event in events
            if event.type.startswith("message.")
        }:
            close(self._table, keys.send(run_id, shard, customer_id), at)

    def _close_order(self, order: Mapping[str, Any], at: datetime) -> None:
        _, site, order_id = order["SK"].split("#", 2)
        placed_at = from_text(order["placed_at"])
        listing = keys.order_listing(site, placed_at.date(), order_id, f"{order['placed_at']}#{order_id}")
        self._table.remove_many([listing])
        pointer = keys.order_pointer(site, order_id)
        tombstone = {"PK": pointer.pk, "SK": pointer.sk, "type": "order_pointer", "v": 1, "erased_at": to_text(at)}
        self._replace(tombstone, "order still leads to the erased", keys.customer_id_of(order["PK"]))

    def close(self, addressed: Iterable[str], partitions: Iterable[str], *, at: datetime, source: str) -> None:
        """Turn identities into tombstones, where they still lead to the person, suppress addresses, and end memberships."""
        partitions = frozenset(partitions)
        segments = [item["SK"] for item in self._table.query(keys.SEGMENTS_PARTITION, consistent=True)]
        self._table.remove_many(keys.membership(segment, partition) for segment in segments for partition in partitions)
        for pk in addressed:
            kind = pk.partition("#")[0]
            key = keys.Key(pk, kind)
            if kind == "SUPPRESSION":
                self._suppressions.keep_of_the_erased(key, at, source)
                continue
            item = self._table.get(key, consistent=True)
            if item is not None and item.get("customer_id") in partitions:
                tombstone = {"PK": pk, "SK": kind, "type": "identity", "v": 1, "erased_at": to_text(at)}
                self._replace(tombstone, "identity still leads to the erased", item["customer_id"])

    def _replace(self, tombstone: Item, why: str, customer_id: str) -> None:
        try:
            self._table.put(Put(tombstone, "customer_id = :erased", why, {":erased": customer_id}))
        except Refused:  # done before, or taken by somebody since
            return


def _name(sk: str) -> str:
    kind = sk.partition("#")[0]
    return _NAMES.get(kind, kind.lower())


def _entries(item: Mapping[str, Any]) -> Iterator[keys.Key]:
    """Name the entries of rosters of which an item of a person's partition tells."""
    if item["SK"] == keys.BUDGET:
        for reserved in budget_of(dict(item)).sends.values():
            yield keys.send(reserved.run_id, reserved.shard, reserved.customer_id)
    elif item["type"].startswith("message."):
        said = item["data"]
        yield keys.send(said["run_id"], said["shard"], keys.customer_id_of(item["PK"]))
