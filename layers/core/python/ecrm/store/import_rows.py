"""What rows of imports have changed of products and suppressions: an item each, which expires with the import."""

from collections.abc import Mapping
from datetime import UTC, datetime

from ecrm.application.import_rows import RowChange, Was
from ecrm.domain.imports import RowResult
from ecrm.domain.instants import from_text, to_text
from ecrm.domain.products import Stated
from ecrm.domain.suppressions import Ground

from . import keys
from .table import Item, Put, Table


class DynamoRowChanges:
    def __init__(self, table: Table) -> None:
        self._table = table

    def find(self, import_id: str, row: int) -> RowChange | None:
        item = self._table.get(keys.import_row(import_id, row), consistent=True)
        if item is None:
            return None
        undone = item.get("undone")
        return RowChange(
            import_id=import_id,
            row=row,
            result=RowResult(item["result"]),
            key=item["key"],
            before=_values_of(item["before"]),
            after=_values_of(item["after"]),
            expires_at=datetime.fromtimestamp(item["expires_at"], UTC),
            undone=(undone["result"], undone["left"]) if undone else None,
        )


def put_row(change: RowChange) -> Put:
    """Write what a row has changed, once; that it is undone is written in its place, under the version of what is put back."""
    key = keys.import_row(change.import_id, change.row)
    item: Item = {
        "PK": key.pk,
        "SK": key.sk,
        "type": "import_row",
        "v": 1,
        "result": change.result.value,
        "key": change.key,
        "before": _values(change.before),
        "after": _values(change.after),
        "expires_at": int(change.expires_at.timestamp()),
    }
    if change.undone is None:
        return Put(item, "attribute_not_exists(PK)", "the row has changed nothing yet")
    result, left = change.undone
    return Put(item | {"undone": {"result": result, "left": dict(left)}}, None, "what is put back has its version")


def _values(values: Mapping[str, Was]) -> Item:
    """Write what stood there. A suppression's note stays out of it: somebody wrote it about a person."""
    return {name: _value(value) for name, value in values.items()}


def _value(value: Was) -> Item | None:
    match value:
        case Stated():
            return {"value": value.value, "at": to_text(value.at)}
        case Ground():
            return {"since": to_text(value.since), "source": value.source}
        case None:
            return None


def _values_of(item: Item) -> dict[str, Was]:
    return {name: _value_of(value) for name, value in item.items()}


def _value_of(item: Item | None) -> Was:
    if item is None:
        return None
    if "since" in item:
        return Ground(since=from_text(item["since"]), source=item["source"])
    return Stated(item["value"], from_text(item["at"]))
