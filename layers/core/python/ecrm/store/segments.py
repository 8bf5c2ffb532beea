"""Segments: the newest version of each in one partition, and every version in an item that never changes."""

from typing import Any

from ecrm.application.ports import Contended
from ecrm.contracts.segments import RuleBody, written
from ecrm.domain.instants import from_text, to_text
from ecrm.domain.segments import Segment
from ecrm.domain.traits import TraitList

from . import keys
from .keys import Key
from .table import Action, Item, Put, Refused, Table, put_as_seen
from .traits import put


class DynamoSegments:
    def __init__(self, table: Table) -> None:
        self._table = table

    def find(self, name: str) -> Segment | None:
        item = self._table.get(keys.segment(name), consistent=True)
        return _segment_of(item, name) if item else None

    def version(self, name: str, version: int) -> Segment | None:
        item = self._table.get(keys.segment_version(name, version), consistent=True)
        return _segment_of(item, name) if item else None

    def all(self) -> tuple[Segment, ...]:
        items = self._table.query(keys.SEGMENTS_PARTITION, consistent=True)
        return tuple(_segment_of(item, item["SK"]) for item in items)

    def published(self) -> tuple[Segment, ...]:
        return tuple(segment for segment in self.all() if not segment.is_archived)

    def write(self, segment: Segment, *, seen: int, traits: TraitList | None) -> Segment | None:
        why = "segment as it was seen"
        said = _said(segment)
        actions: list[Action] = [
            put_as_seen(_item(keys.segment(segment.segment), "segment", said), seen, why),
            Put(
                _item(keys.segment_version(segment.segment, segment.version), "segment_version", said),
                "attribute_not_exists(PK)",
                "version is new",
            ),
        ]
        try:
            self._table.write([*actions, *([put(traits)] if traits else [])])
        except Refused as refused:
            if why not in refused.found:
                raise Contended("another segment was written meanwhile") from None
            return _segment_of(refused.found[why], segment.segment)
        return None


def _item(key: Key, kind: str, said: Item) -> Item:
    return {"PK": key.pk, "SK": key.sk, "type": kind, "v": 1} | said


def _said(segment: Segment) -> Item:
    if segment.updated_at is None:
        raise ValueError("only ready-made segments have no time, and those are not stored")
    said: dict[str, Any] = {
        "version": segment.version,
        "name": segment.name,
        "description": segment.description,
        "rule": written(segment.rule),
        "updated_at": to_text(segment.updated_at),
    }
    return said | ({"archived": True} if segment.is_archived else {})


def _segment_of(item: Item, name: str) -> Segment:
    return Segment(
        segment=name,
        name=item["name"],
        description=item["description"],
        rule=RuleBody.model_validate(item["rule"]).to_rule(),
        is_archived=item.get("archived", False),
        updated_at=from_text(item["updated_at"]),
        version=item["version"],
    )
