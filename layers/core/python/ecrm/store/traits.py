"""The list of what rows of statistics copy; it is written with the segments that name it."""

from ecrm.domain.traits import Trait, TraitKind, TraitList

from . import keys
from .table import Item, Put, Table, put_as_seen

WHY = "list of traits as it was seen"


class DynamoTraits:
    def __init__(self, table: Table) -> None:
        self._table = table

    def listed(self) -> TraitList:
        item = self._table.get(keys.traits(), consistent=True)
        return TraitList(item["version"], tuple(map(read, item["traits"]))) if item else TraitList()


def put(listed: TraitList) -> Put:
    key = keys.traits()
    item: Item = {"PK": key.pk, "SK": key.sk, "type": "traits", "v": 1, "version": listed.version}
    return put_as_seen(item | {"traits": [written(trait) for trait in listed.traits]}, listed.version - 1, WHY)


def written(trait: Trait) -> str:
    return f"{trait.kind}#{trait.name}"


def read(text: str) -> Trait:
    kind, _, name = text.partition("#")
    return Trait(TraitKind(kind), name)
