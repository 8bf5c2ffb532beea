"""What was counted of the pages of a run, and when the people of one ordered last."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from ecrm.application.campaign_ports import Counted
from ecrm.domain.instants import from_text, to_text
from ecrm.domain.tallies import Group, Tally

from . import keys
from .customers import DynamoCustomers
from .table import Item, Put, Table


class DynamoTallies:
    def __init__(self, table: Table) -> None:
        self._table = table

    def of(self, run_id: str) -> Mapping[int, Counted]:
        items = self._table.query(keys.run(run_id).pk, prefix=keys.TALLY_PREFIX, consistent=True)
        return {keys.tally_page_of(item["SK"]): Counted(_tally_of(item), from_text(item["counted_at"])) for item in items}

    def write(self, run_id: str, page: int, counted: Counted) -> None:
        self._table.put(Put(_item(keys.tally(run_id, page), counted), None, "whoever counts a page last knows it best"))

    def is_waited_for(self, run_id: str, page: int) -> bool:
        item = self._table.get(keys.page(run_id, page), consistent=True)
        return item is not None and "due" in item


class DynamoLastOrders:
    """Reads rows of statistics, strongly consistent: a read unit for each customer."""

    def __init__(self, table: Table, customers: DynamoCustomers) -> None:
        self._table = table
        self._customers = customers

    def of(self, customer_ids: Sequence[str]) -> Mapping[str, datetime]:
        found = self._customers.find_many(customer_ids)
        roots = {each: found[each].merged_into or each if each in found else each for each in customer_ids}
        rows = self._table.get_many(map(keys.statistics, roots.values()), consistent=True)
        placed = {row["SK"]: from_text(row["last_order_at"]) for row in rows if "last_order_at" in row}
        return {each: placed[root] for each, root in roots.items() if root in placed}


def _item(key: keys.Key, counted: Counted) -> Item:
    tally = counted.tally
    item: Item = {
        "PK": key.pk,
        "SK": key.sk,
        "type": "tally",
        "v": 1,
        "counted_at": to_text(counted.at),
        "entries": tally.entries,
        "open": tally.open,
        "groups": [[*group, dict(counts)] for group, counts in tally.groups.items()],
        "reasons": {status: dict(counts) for status, counts in tally.reasons.items()},
        "links": [[*mail, dict(counts)] for mail, counts in tally.links.items()],
        "hours": [[hour, dict(counts)] for hour, counts in tally.hours.items()],
    }
    item |= {"piloted_at": to_text(tally.piloted_at)} if tally.piloted_at else {}
    return item | ({"ordered": [[*group, count] for group, count in tally.ordered.items()]} if tally.ordered is not None else {})


def _tally_of(item: Item) -> Tally:
    return Tally(
        entries=item["entries"],
        open=item["open"],
        groups={Group(*group): Counter(counts) for *group, counts in item["groups"]},
        reasons={status: Counter(counts) for status, counts in item["reasons"].items()},
        links={(message, treatment): Counter(counts) for message, treatment, counts in item["links"]},
        hours={hour: Counter(counts) for hour, counts in item["hours"]},
        piloted_at=from_text(item["piloted_at"]) if "piloted_at" in item else None,
        ordered=Counter({Group(*group): count for *group, count in item["ordered"]}) if "ordered" in item else None,
    )
