"""Rosters as they are planned: entries are put unless they are there, and a page says when all of its are; and one person's."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product, starmap

from ecrm.domain.messages import Send
from ecrm.domain.runs import Run

from . import keys
from .messages import place, send_item, send_of
from .table import Item, Put, Table


class DynamoRosters:
    def __init__(self, table: Table) -> None:
        self._table = table

    def add(self, entries: Sequence[Send]) -> None:
        puts = (Put(send_item(entry), "attribute_not_exists(PK)", f"entry is new: {entry.send_id}") for entry in entries)
        self._table.write_each(None, puts)

    def plan(self, run_id: str, page: int, audience: int) -> None:
        key = keys.planned_page(run_id, page)
        item: Item = {"PK": key.pk, "SK": key.sk, "type": "planned_page", "v": 1, "audience": audience}
        self._table.put(Put(item, None, "whoever plans a page finds as many"))

    def planned(self, run_id: str) -> Mapping[int, int]:
        items = self._table.query(keys.run(run_id).pk, prefix=keys.PLANNED_PREFIX, consistent=True)
        return {keys.planned_page_of(item["SK"]): item["audience"] for item in items}

    def of_person(self, customer_ids: Sequence[str], runs: Sequence[Run]) -> Iterator[Send]:
        return map(send_of, self._table.get_many(starmap(place, product(runs, customer_ids))))
