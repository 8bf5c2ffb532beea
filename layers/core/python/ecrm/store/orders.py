"""Orders: the order item with its facts, the pointer that keeps its id unique, and its row in the site's list by day."""

import heapq
import json
from collections.abc import Callable, Iterable
from datetime import date
from typing import Any

from ecrm.application.ports import Contended, Page, Request, Standing, Unreadable, sifted
from ecrm.domain import orders as domain
from ecrm.domain.errors import Erased, RuleBroken
from ecrm.domain.events import Event
from ecrm.domain.instants import from_text, to_text
from ecrm.domain.orders import Amended, Fact, Line, LineTerms, Order, ShipmentState, Terms

from . import keys, replays
from .customers import DynamoCustomers
from .events import event_data, put_event
from .table import Action, Item, Put, Table, put_as_seen

LARGEST = 350_000
"""Bytes of JSON that an order item may have; DynamoDB holds 400 KB and counts a little differently."""


class DynamoOrders:
    def __init__(self, table: Table, customers: DynamoCustomers) -> None:
        self._table = table
        self._customers = customers

    def find(self, site: str, order_id: str, *, consistent: bool = False) -> Order | None:
        pointer = self._table.get(keys.order_pointer(site, order_id), consistent=consistent)
        if pointer is None:
            return None
        _refuse_erased(pointer)
        customer_id = pointer["customer_id"]
        if consistent:
            _refuse_erased(self._table.get(keys.profile(customer_id), consistent=True) or {})
        item = self._table.get(keys.order(customer_id, site, order_id), consistent=consistent)
        return order_of(item) if item else None

    def lines_of(self, order: Order, amended_by: Amended | None) -> tuple[Line, ...]:
        """Read the lines from the event that brought them; they are too many to be carried by every change of the order.

        Raises Erased.
        """
        if amended_by is None:
            data = event_data(self._table, order.customer_id, order.placed_at, domain.placed_event_id(order))
        else:
            data = event_data(self._table, order.customer_id, amended_by.occurred_at, domain.event_id(order, amended_by))
        if "lines" not in data:  # an erasure deletes the events before the order
            raise Erased("the customer of this order is being erased")
        return tuple(Line(**line) for line in data["lines"])

    def place(self, order: Order, event: Event, digest: str, standing: Standing, request: Request | None) -> str | None:
        pointer = keys.order_pointer(order.site, order.order_id)
        listing = keys.order_listing(order.site, order.placed_at.date(), order.order_id, domain.position(order))
        id_is_free = "order id is free on its site"
        actions: list[Action] = [
            Put(
                {
                    "PK": pointer.pk,
                    "SK": pointer.sk,
                    "type": "order_pointer",
                    "v": 1,
                    "customer_id": order.customer_id,
                    "digest": digest,
                },
                "attribute_not_exists(PK)",
                id_is_free,
            ),
            Put(_item(order), "attribute_not_exists(PK)", "order is new"),
            put_event(event, why="placed event is new"),
            Put(
                {"PK": listing.pk, "SK": listing.sk, "type": "order_listing", "v": 1, "customer_id": order.customer_id},
                None,
                "list row follows the pointer",
            ),
            *self._customers.puts(standing),
            *replays.puts(request, event.received_at),
        ]
        refused = replays.write(self._table, actions, request)
        if refused is None:
            return None
        if id_is_free in refused:
            _refuse_erased(refused[id_is_free])
            return str(refused[id_is_free]["digest"])
        raise Contended("the customer changed meanwhile")

    def append(self, order: Order, fact: Fact, event: Event, request: Request | None) -> Order | None:
        why = "order as it was seen"
        item = _item(domain.with_fact(order, fact))
        if len(json.dumps(item, ensure_ascii=False).encode()) > LARGEST:
            raise RuleBroken("the order's events say more than an order can hold", code="order_too_large")
        actions: list[Action] = [
            put_as_seen(item, order.version, why),
            put_event(event, why="event is new"),
            *replays.puts(request, event.received_at),
        ]
        refused = replays.write(self._table, actions, request)
        if refused is None:
            return None
        if refused.get(why):
            return order_of(refused[why])
        raise Contended("the event was written meanwhile")

    def source_of(self, order: Order, fact: Fact | None) -> str | None:
        at = order.placed_at if fact is None else fact.occurred_at
        event_id = domain.placed_event_id(order) if fact is None else domain.event_id(order, fact)
        item = self._table.get(keys.event(order.customer_id, at, event_id), consistent=True)
        return item["source"] if item else None

    def of_customer(self, customer_id: str) -> tuple[Order, ...]:
        return tuple(map(order_of, self._items_of(customer_id)))

    def placed_by(self, customer_id: str) -> Page[Order]:
        unreadable: list[Unreadable] = []
        orders = tuple(sifted(self._items_of(customer_id), order_of, _ids, unreadable))
        return Page(orders, None, tuple(unreadable))

    def _items_of(self, customer_id: str) -> Iterable[Item]:
        return self._table.query(keys.customer_partition(customer_id), prefix=keys.ORDER_PREFIX, consistent=True)

    def placed_on(self, site: str, day: date, *, after: str | None, limit: int) -> Page[Order]:
        shards = [
            self._table.query(keys.order_listing_partition(site, day, shard), after=after, backwards=True, limit=limit)
            for shard in range(keys.LIST_SHARDS)
        ]
        merged = heapq.merge(*shards, key=lambda row: row["SK"], reverse=True)
        rows = [row for row, _ in zip(merged, range(limit), strict=False)]
        erased = self._customers.erased(row["customer_id"] for row in rows)
        wanted = [
            keys.order(row["customer_id"], site, row["SK"].partition("#")[2]) for row in rows if row["customer_id"] not in erased
        ]
        items = self._table.get_many(wanted)
        if len(items) < len(wanted):  # the list's row may be seen before the order itself
            items = self._table.get_many(wanted, consistent=True)
        unreadable: list[Unreadable] = []
        orders = sorted(sifted(items, order_of, _ids, unreadable), key=domain.position, reverse=True)
        return Page(tuple(orders), rows[-1]["SK"] if len(rows) == limit else None, tuple(unreadable))


def _refuse_erased(item: Item) -> None:
    """Raise Erased for a tombstone: of an order's pointer, or of the profile in whose partition the order is."""
    if "erased_at" in item:
        raise Erased("the customer of this order was erased")


def _item(order: Order) -> Item:
    key = keys.order(order.customer_id, order.site, order.order_id)
    item = {
        "PK": key.pk,
        "SK": key.sk,
        "type": "order",
        "v": 1,
        "version": order.version,
        "currency": order.currency,
        "placed_at": to_text(order.placed_at),
        "terms": _terms(order.terms),
    }
    if order.coupon is not None:
        item["coupon"] = order.coupon
    if order.backfill:
        item["backfill"] = True
    if order.facts:
        item["facts"] = [_fact(fact) for fact in order.facts]
    return item


def _ids(item: Item) -> dict[str, str]:
    site, _, order_id = item["SK"].removeprefix(keys.ORDER_PREFIX).partition("#")
    return {"customer_id": keys.customer_id_of(item["PK"]), "site": site, "order_id": order_id}


def order_of(item: Item) -> Order:
    return Order(
        **_ids(item),
        currency=item["currency"],
        placed_at=from_text(item["placed_at"]),
        terms=_terms_of(item["terms"]),
        coupon=item.get("coupon"),
        backfill=item.get("backfill", False),
        facts=tuple(_fact_of(fact) for fact in item.get("facts", ())),
    )


def _terms(terms: Terms) -> Item:
    """Write amounts that are zero and a tax that is not included as nothing."""
    item: Item = {
        "lines": {line_id: [line.quantity, line.net_minor] for line_id, line in terms.lines.items()},
        "total": terms.total_minor,
    }
    sparse = {"shipping": terms.shipping_minor, "tax": terms.tax_minor, "discount": terms.discount_minor}
    return (
        item | {name: minor for name, minor in sparse.items() if minor} | ({"tax_included": True} if terms.tax_included else {})
    )


def _terms_of(item: Item) -> Terms:
    return Terms(
        lines={line_id: LineTerms(quantity, net) for line_id, (quantity, net) in item["lines"].items()},
        total_minor=item["total"],
        shipping_minor=item.get("shipping", 0),
        tax_minor=item.get("tax", 0),
        discount_minor=item.get("discount", 0),
        tax_included=item.get("tax_included", False),
    )


def _fact(fact: Fact) -> Item:
    own = {"is": domain.TYPES[type(fact)], "at": to_text(fact.occurred_at), "digest": fact.digest} | domain.details(fact)
    return own | ({"terms": _terms(fact.terms)} if isinstance(fact, Amended) else {})


_READERS: dict[str, Callable[[Any], Any]] = {
    "state": ShipmentState,
    "estimated_on": date.fromisoformat,
    "terms": _terms_of,
}


def _fact_of(item: Item) -> Fact:
    own = {name: _READERS.get(name, _as_it_is)(value) for name, value in item.items() if name not in ("is", "at")}
    return domain.FACTS[item["is"]](occurred_at=from_text(item["at"]), **own)


def _as_it_is(value: Any) -> Any:
    return value
