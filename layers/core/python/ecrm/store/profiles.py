"""Attributes: one item in each partition of a customer, beside the profile, which most writes to a customer are held to.

A change of attributes that are there is held to their own version alone, for 2 write units less. An erasure deletes them before
it looks for what is left, so that such a change comes before that or not at all; a merger leaves them where they are, so that
one which comes late says what it would have said before.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from ecrm.application.ports import AttributeBook, Contended, Outcome, Request, Standing
from ecrm.domain.attributes import Attribute
from ecrm.domain.events import Event
from ecrm.domain.instants import from_text, to_text

from . import keys, replays
from .customers import DynamoCustomers
from .events import put_event
from .table import Action, Item, Put, Table, put_as_seen


class DynamoProfiles:
    def __init__(self, table: Table, customers: DynamoCustomers) -> None:
        self._table = table
        self._customers = customers

    def of(self, customer_ids: Sequence[str], *, consistent: bool = True) -> tuple[AttributeBook, ...]:
        items = self._table.get_many((keys.attributes(customer_id) for customer_id in customer_ids), consistent=consistent)
        books = {keys.customer_id_of(item["PK"]): book_of(item) for item in items}
        return tuple(books.get(customer_id, AttributeBook()) for customer_id in customer_ids)

    def write(
        self,
        standing: Standing,
        book: AttributeBook | None,
        events: Sequence[Event],
        request: Request | None,
        *,
        now: datetime,
        outcome: Outcome,
    ) -> None:
        actions = (*self.puts(standing, book, events), *replays.puts(request, now, outcome))
        if replays.write(self._table, actions, request) is not None:
            raise Contended("the customer changed meanwhile")

    def puts(
        self, standing: Standing, book: AttributeBook | None, events: Sequence[Event], *, is_held: bool = False
    ) -> Iterator[Action]:
        """What a transaction must hold for a customer and their attributes; `is_held`: to the profile, whatever changes."""
        changes_attributes_alone = standing.claim is None and book is not None and book.version > 0
        if is_held or not changes_attributes_alone:
            yield from self._customers.puts(standing)
        if book is not None:
            yield _put(standing.customer_id, book)
        yield from (put_event(event, why=f"event is new: {event.id}") for event in events)


def _put(customer_id: str, book: AttributeBook) -> Put:
    item = book_item(customer_id, replace(book, version=book.version + 1))
    return put_as_seen(item, book.version, "attributes as they were seen")


def book_item(customer_id: str, book: AttributeBook) -> Item:
    key = keys.attributes(customer_id)
    return {
        "PK": key.pk,
        "SK": key.sk,
        "type": "attributes",
        "v": 1,
        "version": book.version,
        "attributes": {name: _attribute(attribute) for name, attribute in book.attributes.items()},
    }


def _attribute(attribute: Attribute) -> Item:
    item: Item = {"value": attribute.value, "at": to_text(attribute.at), "source": attribute.source}
    return item | ({"claimed": True} if attribute.is_claimed else {})


def book_of(item: Item) -> AttributeBook:
    attributes: Mapping[str, Item] = item["attributes"]
    return AttributeBook(
        item["version"],
        {
            name: Attribute(said["value"], from_text(said["at"]), said["source"], said.get("claimed", False))
            for name, said in attributes.items()
        },
    )
