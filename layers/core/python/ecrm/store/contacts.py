"""Contacts: each is an event of the timeline, and an item that keeps its id unique whatever time it names."""

from collections.abc import Sequence

from ecrm.application.ports import Contended, Request
from ecrm.domain.events import Event

from . import keys, replays
from .events import put_event
from .standing import present
from .table import Action, Put, Table

_ID_IS_FREE = "contact id is free"


class DynamoContacts:
    def __init__(self, table: Table) -> None:
        self._table = table

    def digest(self, partitions: Sequence[str], site: str, contact_id: str) -> str | None:
        found = self._table.get_many(keys.contact(partition, site, contact_id) for partition in partitions)
        return str(found[0]["digest"]) if found else None

    def record(self, event: Event, contact_id: str, digest: str, request: Request | None) -> str | None:
        key = keys.contact(event.customer_id, event.site, contact_id)
        item = {"PK": key.pk, "SK": key.sk, "type": "contact", "v": 1, "digest": digest}
        actions: list[Action] = [
            present(event.customer_id),
            Put(item, "attribute_not_exists(PK)", _ID_IS_FREE),
            put_event(event, why="event is new"),
            *replays.puts(request, event.received_at),
        ]
        refused = replays.write(self._table, actions, request)
        if refused is None:
            return None
        if _ID_IS_FREE in refused:
            return str(refused[_ID_IS_FREE]["digest"])
        raise Contended("the customer changed meanwhile")
