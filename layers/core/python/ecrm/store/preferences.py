"""Preferences: one item in a customer's partition, beside those that absorbed customers had."""

from collections.abc import Iterable
from datetime import datetime

from ecrm.application.ports import Contended
from ecrm.domain.events import Event
from ecrm.domain.instants import from_text, to_text
from ecrm.domain.preferences import Frequency, Preferences, joined

from . import keys
from .events import put_event
from .standing import present
from .table import Action, Item, Put, Refused, Table

_TIMES = ("frequency_at", "paused_until", "pause_at")


class DynamoPreferences:
    def __init__(self, table: Table) -> None:
        self._table = table

    def of(self, partitions: Iterable[str]) -> Preferences:
        return joined(map(preferences_of, self._table.get_many(map(keys.preferences, partitions), consistent=True)))

    def write(self, customer_id: str, preferences: Preferences, event: Event) -> None:
        actions: list[Action] = [
            present(customer_id),
            Put(_item(customer_id, preferences), None, "what is said last counts"),
            put_event(event, why="event is new"),
        ]
        try:
            self._table.write(actions)
        except Refused as refused:
            raise Contended("the customer changed meanwhile") from refused


def _item(customer_id: str, preferences: Preferences) -> Item:
    key = keys.preferences(customer_id)
    times: dict[str, datetime | None] = {name: getattr(preferences, name) for name in _TIMES}
    item: Item = {"PK": key.pk, "SK": key.sk, "type": "preferences", "v": 1, "frequency": preferences.frequency.value}
    return item | {name: to_text(at) for name, at in times.items() if at is not None}


def preferences_of(item: Item) -> Preferences:
    """Read what stands under one of a person's ids."""
    times = {name: from_text(item[name]) for name in _TIMES if name in item}
    return Preferences(frequency=Frequency(item["frequency"]), **times)
