"""Preferences: one item in a customer's partition, beside those that absorbed customers had."""

from collections.abc import Sequence
from datetime import datetime

from ecrm.application.ports import Contended, PreferenceBook
from ecrm.domain.events import Event
from ecrm.domain.instants import from_text, to_text
from ecrm.domain.preferences import Frequency, Preferences, joined

from . import keys
from .events import put_event
from .standing import present
from .table import Action, Item, Refused, Table, put_as_seen

_TIMES = ("frequency_at", "paused_until", "pause_at")


class DynamoPreferences:
    def __init__(self, table: Table) -> None:
        self._table = table

    def of(self, partitions: Sequence[str]) -> PreferenceBook:
        found = self._table.get_many(map(keys.preferences, partitions), consistent=True)
        own = keys.preferences(partitions[0]).pk
        version = next((item["version"] for item in found if item["PK"] == own), 0)
        return PreferenceBook(version, joined(map(preferences_of, found)))

    def write(self, customer_id: str, preferences: Preferences, event: Event, *, seen: int) -> None:
        actions: list[Action] = [
            present(customer_id),
            put_as_seen(_item(customer_id, preferences, seen + 1), seen, "preferences as they were seen"),
            put_event(event, why="event is new"),
        ]
        try:
            self._table.write(actions)
        except Refused as refused:
            raise Contended("the customer or their preferences changed meanwhile") from refused


def _item(customer_id: str, preferences: Preferences, version: int) -> Item:
    key = keys.preferences(customer_id)
    times: dict[str, datetime | None] = {name: getattr(preferences, name) for name in _TIMES}
    item: Item = {"PK": key.pk, "SK": key.sk, "type": "preferences", "v": 1, "version": version}
    return item | {"frequency": preferences.frequency.value} | {name: to_text(at) for name, at in times.items() if at is not None}


def preferences_of(item: Item) -> Preferences:
    """Read what stands under one of a person's ids."""
    times = {name: from_text(item[name]) for name in _TIMES if name in item}
    return Preferences(frequency=Frequency(item["frequency"]), **times)
