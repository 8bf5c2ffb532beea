"""Events as items: the timeline, and what the stream carries."""

from datetime import UTC, datetime
from typing import Any

from ecrm.application.ports import Page
from ecrm.domain.events import Event
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

    def events(self, customer_id: str, types: frozenset[str], *, after: str | None, limit: int) -> Page[Event]:
        found: list[Event] = []
        last = None
        partition = keys.customer_partition(customer_id)
        beyond = keys.EVENT_PREFIX + after if after else None
        most = MOST_READ if types else limit
        items = self._table.query(partition, prefix=keys.EVENT_PREFIX, after=beyond, backwards=True, limit=most)
        for read, item in enumerate(items, start=1):
            last = item["SK"].removeprefix(keys.EVENT_PREFIX)
            if not types or item["type"] in types:
                found.append(event_of(item))
            if len(found) == limit or read == MOST_READ:
                return Page(tuple(found), last)
        return Page(tuple(found), None)
