"""Events as items: the timeline, and what the stream carries."""

import heapq
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from ecrm.application.ports import Page
from ecrm.domain.events import Event, is_among
from ecrm.domain.instants import from_text, to_text

from . import keys
from .table import Item, Put, Table

MOST_READ = 1_000
"""Events that one page may read while it looks for those of a given type."""


def put_event(event: Event, *, why: str) -> Put:
    key = keys.event(event.customer_id, event.occurred_at, event.id)
    item: Item = {
        "PK": key.pk,
        "SK": key.sk,
        "type": event.type,
        "v": event.v,
        "id": event.id,
        "occurred_at": to_text(event.occurred_at),
        "received_at": to_text(event.received_at),
        "site": event.site,
        "source": event.source,
        "data": event.data,
    }
    if event.backfill:
        item["backfill"] = True
    if event.corrected_at is not None:
        item["corrected_at"] = to_text(event.corrected_at)
    if event.expires_at is not None:
        item["expires_at"] = int(event.expires_at.timestamp())
    return Put(item, "attribute_not_exists(PK)", why)


def event_of(item: Item) -> Event:
    corrected, expires = item.get("corrected_at"), item.get("expires_at")
    return Event(
        id=item["id"],
        type=item["type"],
        v=item["v"],
        occurred_at=from_text(item["occurred_at"]),
        received_at=from_text(item["received_at"]),
        site=item["site"],
        customer_id=keys.customer_id_of(item["PK"]),
        source=item["source"],
        data=item["data"],
        backfill=item.get("backfill", False),
        corrected_at=from_text(corrected) if corrected else None,
        expires_at=datetime.fromtimestamp(expires, UTC) if expires else None,
    )


def event_data(table: Table, customer_id: str, occurred_at: datetime, event_id: str) -> dict[str, Any]:
    """Read what one event said; 0.5 read units for each 4 KB."""
    item = table.get(keys.event(customer_id, occurred_at, event_id), consistent=False)
    if item is None:
        item = table.get(keys.event(customer_id, occurred_at, event_id), consistent=True)
    return item["data"] if item else {}


class DynamoTimeline:
    def __init__(self, table: Table) -> None:
        self._table = table

    def events(
        self,
        partitions: Sequence[str],
        types: frozenset[str],
        *,
        now: datetime,
        since: str | None,
        before: str | None,
        limit: int,
        consistent: bool = False,
    ) -> Page[Event]:
        most = MOST_READ if types else limit
        oldest = keys.EVENT_PREFIX + (since or "")
        found: list[Event] = []
        last = None
        for read, item in enumerate(self._newest_first(partitions, before, most, consistent=consistent), start=1):
            if item["SK"] < oldest:
                break
            is_told = item["SK"] == last  # by a customer who was absorbed, too
            last = item["SK"]
            if not is_told and not has_expired(item, now) and (not types or is_among(item["type"], types)):
                found.append(event_of(item))
            if len(found) == limit or read == most:
                return Page(tuple(found), last.removeprefix(keys.EVENT_PREFIX))
        return Page(tuple(found), None)

    def said(self, customer_id: str, occurred_at: datetime, event_id: str) -> dict[str, Any]:
        return event_data(self._table, customer_id, occurred_at, event_id)

    def _newest_first(self, partitions: Sequence[str], before: str | None, most: int, *, consistent: bool) -> Iterator[Item]:
        """Merge the partitions' events; each is asked for as many as are read of all of them together."""
        beyond = keys.EVENT_PREFIX + before if before else None
        queries = [
            self._table.query(
                keys.customer_partition(partition),
                prefix=keys.EVENT_PREFIX,
                after=beyond,
                backwards=True,
                limit=most,
                consistent=consistent,
            )
            for partition in partitions
        ]
        return heapq.merge(*queries, key=lambda item: item["SK"], reverse=True)


def has_expired(item: Item, now: datetime) -> bool:
    """Say whether an item is past its end, though DynamoDB, which deletes days late, still has it."""
    return "expires_at" in item and bool(item["expires_at"] <= now.timestamp())
