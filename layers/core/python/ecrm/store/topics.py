"""Topics: few, in one partition; a topic is never deleted, because consents name it."""

from collections.abc import Iterable, Mapping

from ecrm.domain.consent import Channel
from ecrm.domain.instants import from_text, to_text
from ecrm.domain.topics import Topic

from . import keys
from .table import Item, Refused, Table, put_as_seen


class DynamoTopics:
    def __init__(self, table: Table) -> None:
        self._table = table

    def find(self, topic: str) -> Topic | None:
        item = self._table.get(keys.topic(topic), consistent=True)
        return _topic_of(item) if item else None

    def named(self, names: Iterable[str]) -> Mapping[str, Topic]:
        items = self._table.get_many((keys.topic(name) for name in names), consistent=True)
        return {item["SK"]: _topic_of(item) for item in items}

    def all(self) -> tuple[Topic, ...]:
        return tuple(_topic_of(item) for item in self._table.query(keys.TOPICS_PARTITION, consistent=True))

    def write(self, topic: Topic, *, seen: int) -> Topic | None:
        why = "topic as it was seen"
        try:
            self._table.put(put_as_seen(_item(topic), seen, why))
        except Refused as refused:
            return _topic_of(refused.found[why])
        return None


def _item(topic: Topic) -> Item:
    key = keys.topic(topic.topic)
    return {
        "PK": key.pk,
        "SK": key.sk,
        "type": "topic",
        "v": 1,
        "version": topic.version,
        "names": topic.names,
        "descriptions": topic.descriptions,
        "double_opt_in": topic.double_opt_in,
        "channels": topic.channels,
        "updated_at": to_text(topic.updated_at),
    }


def _topic_of(item: Item) -> Topic:
    return Topic(
        topic=item["SK"],
        names=item["names"],
        descriptions=item["descriptions"],
        double_opt_in=item["double_opt_in"],
        channels=tuple(map(Channel, item["channels"])),
        updated_at=from_text(item["updated_at"]),
        version=item["version"],
    )
