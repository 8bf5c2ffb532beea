"""What a mail may tell its receiver beside their attributes: products, their cart, and what is meant for their segments."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ecrm.domain.carts import KEPT, TYPES, cart_of
from ecrm.domain.customers import Customer
from ecrm.domain.instants import to_text
from ecrm.domain.products import Product

from .memberships import held_segments
from .ports import Products, Timeline
from .segment_ports import Memberships, Nights
from .templates import CartItem

MOST_PRODUCTS = 24
MOST_EVENTS = 100
"""Of behaviour that is read for a cart."""


@dataclass(frozen=True, slots=True)
class Told:
    """`products` are those that were named, in that order; `segments` are by name."""

    segments: tuple[str, ...] = ()
    products: tuple[Product, ...] = ()
    cart: tuple[CartItem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Particulars:
    """Finds them, as far as a template asks for them."""

    timeline: Timeline
    products: Products
    nights: Nights
    memberships: Memberships

    def of(
        self,
        customer: Customer | None,
        site: str,
        data: Mapping[str, Any],
        asked: Iterable[str],
        now: datetime,
        *,
        cart_at: datetime | None = None,
    ) -> Told:
        """Give what is `asked` for, as `Renderer.asks_for` names it; `data.skus` names the products. Nobody has no more.

        The cart is as it stood at `cart_at`; where that is None, as it is. A product is one read unit; a cart 1 and its products;
        segments 3. Nothing is read of what is not asked for.
        """
        wanted = frozenset(asked)
        return Told(
            segments=self._segments(customer) if customer and "segments" in wanted else (),
            products=self._named(data) if "products" in wanted else (),
            cart=self._cart(customer, site, now, cart_at) if customer and "cart" in wanted else (),
        )

    def _segments(self, customer: Customer) -> tuple[str, ...]:
        """Those of the last night; a customer who was made one with another since is in both's."""
        held = (held_segments(each, nights=self.nights, memberships=self.memberships) for each in customer.partitions)
        return tuple(sorted({segment for segments in held for segment in segments}))

    def _named(self, data: Mapping[str, Any]) -> tuple[Product, ...]:
        """Give what `data.skus` names, in that order, without what is not in the catalogue or not to be had."""
        skus = data.get("skus")
        named = [sku for sku in skus if isinstance(sku, str)] if isinstance(skus, list) else []
        found = (self.products.find(sku) for sku in list(dict.fromkeys(named))[:MOST_PRODUCTS])
        return tuple(product for product in found if product is not None and product.value("available") is not False)

    def _cart(self, customer: Customer, site: str, now: datetime, at: datetime | None) -> tuple[CartItem, ...]:
        since, before = to_text((at or now) - KEPT), to_text(at) if at else None
        page = self.timeline.events(customer.partitions, TYPES, now=now, since=since, before=before, limit=MOST_EVENTS)
        found = ((self.products.find(sku), quantity) for sku, quantity in cart_of(page.items, site).items())
        return tuple(CartItem(product, quantity) for product, quantity in found if product is not None)
