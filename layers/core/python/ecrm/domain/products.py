"""A product: what was last said of each of its fields, in whatever order it was said."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

TRANSLATION = "translations."
"""How the field of one language begins: `translations.fa`; the languages are fields of their own."""


@dataclass(frozen=True, slots=True)
class Stated:
    """A field's plain JSON value, or None where it was cleared, with the time of the fact.

    A cleared field is kept with its time, so that an older value that arrives later does not come back.
    """

    value: Any
    at: datetime


@dataclass(frozen=True, slots=True)
class Product:
    """`version` counts what was written; prices are `{amount_minor, currency}`."""

    sku: str
    fields: Mapping[str, Stated]
    updated_at: datetime
    version: int = 1

    def value(self, field: str) -> Any:
        """Give what the field says; None where nothing is known."""
        stated = self.fields.get(field)
        return None if stated is None else stated.value

    def translations(self) -> Iterator[tuple[str, Any]]:
        """Give each language that says something, by its tag."""
        for field, stated in sorted(self.fields.items()):
            if field.startswith(TRANSLATION) and stated.value is not None:
                yield field.removeprefix(TRANSLATION), stated.value


def merged(one: Product, other: Product) -> Product:
    """Keep of each field what was said last: the same product, whatever was said twice or arrived in another order.

    Of two values said of one moment, the greater in canonical JSON stays, so that it does not matter which came first.
    """
    fields = dict(one.fields)
    for field, stated in other.fields.items():
        known = fields.get(field)
        if known is None or _rank(known) < _rank(stated):
            fields[field] = stated
    return Product(one.sku, fields, max(one.updated_at, other.updated_at), one.version)


def _rank(stated: Stated) -> tuple[datetime, str]:
    return stated.at, json.dumps(stated.value, sort_keys=True)
