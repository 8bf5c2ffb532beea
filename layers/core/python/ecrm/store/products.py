"""Products: in 16 partitions by the hash of their sku, because a big catalogue is written as fast as it is sent."""

import heapq
import json
from typing import TYPE_CHECKING

from ecrm.application.ports import Contended, Page, Unreadable, sifted
from ecrm.domain.errors import RuleBroken
from ecrm.domain.instants import from_text, to_text
from ecrm.domain.products import Product, Stated

from . import keys
from .table import Delete, Item, Put, Refused, Table, as_seen, put_as_seen

if TYPE_CHECKING:
    from ecrm.application.import_rows import RowChange

LARGEST = 64 * 1024
"""Bytes of JSON that a product may have: a page of a list reads a hundred of them."""
_WHY = "product as it was seen"


class DynamoProducts:
    def __init__(self, table: Table) -> None:
        self._table = table

    def find(self, sku: str) -> Product | None:
        item = self._table.get(keys.product(sku), consistent=True)
        return product_of(item) if item else None

    def write(self, product: Product, *, seen: int) -> Product | None:
        try:
            self._table.put(_as_seen(product, seen))
        except Refused as refused:
            return product_of(refused.found[_WHY])
        return None

    def write_row(self, product: Product, change: "RowChange", *, seen: int) -> None:
        from .import_rows import put_row  # noqa: PLC0415 (only a file has rows)

        try:
            self._table.write((_as_seen(product, seen), put_row(change)))
        except Refused:
            raise Contended("the product was written meanwhile") from None

    def remove_row(self, sku: str, change: "RowChange", *, seen: int) -> None:
        from .import_rows import put_row  # noqa: PLC0415 (the same)

        condition, values = as_seen(seen)
        try:
            self._table.write((Delete(keys.product(sku), condition, _WHY, values), put_row(change)))
        except Refused:
            raise Contended("the product was written meanwhile") from None

    def by_sku(self, *, after: str | None, limit: int) -> Page[Product]:
        shards = [
            self._table.query(keys.products_partition(shard), after=after, limit=limit) for shard in range(keys.PRODUCT_SHARDS)
        ]
        merged = heapq.merge(*shards, key=lambda item: item["SK"])
        items = [item for item, _ in zip(merged, range(limit), strict=False)]
        return _page(items, items[-1]["SK"] if len(items) == limit else None)

    def named(self, sku: str) -> Page[Product]:
        item = self._table.get(keys.product(sku), consistent=True)
        return _page([item] if item else [], None)


def _page(items: list[Item], last: str | None) -> Page[Product]:
    unreadable: list[Unreadable] = []
    products = tuple(sifted(items, product_of, lambda item: {"sku": item["SK"]}, unreadable))
    return Page(products, last, tuple(unreadable))


def _as_seen(product: Product, seen: int) -> Put:
    item = product_item(product)
    if len(json.dumps(item, ensure_ascii=False).encode()) > LARGEST:
        raise RuleBroken(f"a product holds at most {LARGEST} bytes", code="product_too_large")
    return put_as_seen(item, seen, _WHY)


def product_item(product: Product) -> Item:
    key = keys.product(product.sku)
    return {
        "PK": key.pk,
        "SK": key.sk,
        "type": "product",
        "v": 1,
        "version": product.version,
        "updated_at": to_text(product.updated_at),
        "fields": {name: {"value": stated.value, "at": to_text(stated.at)} for name, stated in product.fields.items()},
    }


def product_of(item: Item) -> Product:
    return Product(
        sku=item["SK"],
        fields={name: Stated(said["value"], from_text(said["at"])) for name, said in item["fields"].items()},
        updated_at=from_text(item["updated_at"]),
        version=item["version"],
    )
