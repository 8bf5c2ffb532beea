"""Keeping the catalogue: products are upserted field by field, read and listed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ecrm.domain.errors import Invalid, NotFound
from ecrm.domain.instants import AHEAD
from ecrm.domain.products import Product, Stated, merged

from .ports import Clock, Contended, Outcome, Page, Products

ATTEMPTS = 12
"""Tries before a crowd around one product is answered with "come back"; each costs one refused write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PutProduct:
    """`said` has the fields that the caller named, None where they are cleared; `at` is the time of the fact, ours where None."""

    sku: str
    said: Mapping[str, Any]
    at: datetime | None


def put_product(command: PutProduct, *, products: Products, clock: Clock) -> tuple[Product, Outcome]:
    """Keep what is said of a product where nothing newer is known; says whether the product is new.

    Two who say different things at once are both heard. What changes nothing writes nothing: 1 read unit, else 1 write unit
    more for each KB. Raises RuleBroken where more is said than a product can hold.
    """
    now = clock.now()
    at = command.at or now
    if at > now + AHEAD:
        raise Invalid.at("/updated_at", "in_the_future", "more than 24 hours ahead of our clock")
    told = Product(command.sku, {field: Stated(value, at) for field, value in command.said.items()}, at)
    stored = products.find(command.sku)
    for _ in range(ATTEMPTS):
        new = told if stored is None else merged(stored, told)
        if new == stored:
            return new, Outcome.EXISTING
        seen = stored.version if stored else 0
        written = replace(new, version=seen + 1)
        winner = products.write(written, seen=seen)
        if winner is None:
            return written, Outcome.EXISTING if seen else Outcome.CREATED
        stored = winner
    raise Contended("the product is written by many at once")


def read_product(sku: str, *, products: Products) -> Product:
    found = products.find(sku)
    if found is None:
        raise NotFound("no such product", code="product_not_found")
    return found


def list_products(sku: str | None, *, after: str | None, limit: int, products: Products) -> Page[Product]:
    """List the products by sku, in the order of its code points; with `sku`, that one where it is known."""
    return products.by_sku(after=after, limit=limit) if sku is None else products.named(sku)
