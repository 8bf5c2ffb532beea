"""A cart, as a site's behaviour tells it: what was put in and taken out since it was last seen whole or ordered.

Only skus and quantities are taken from behaviour: whoever has a write key, which is public, may say the rest as they like, and it
would stand in a mail of ours.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from .events import Event

KEPT = timedelta(days=30)
"""A cart that was not touched for so long is nothing to come back to."""
MOST_LINES = 20
MOST_OF_ONE = 999

_WHOLE = frozenset({"cart.viewed", "checkout.started"})
_ORDERED = frozenset({"order.placed", "claimed.order_completed"})
"""A shop's word, or a browser's: for a cart that may be bought already nobody is written to."""
_CHANGES = {"product.added": 1, "wishlist.product_moved": 1, "product.removed": -1}
TYPES = frozenset({*_WHOLE, *_ORDERED, *_CHANGES})


def cart_of(events: Iterable[Event], site: str) -> Mapping[str, int]:
    """Give quantities by sku, in the order in which they were put in. `events` are the newest first."""
    cart: dict[str, int] = {}
    for event in _since_whole(events, site):
        if event.type in _ORDERED:
            continue
        properties = event.data.get("properties", {})
        if event.type in _WHOLE:
            cart = {sku: quantity for sku, quantity in map(_line, _products(properties)) if sku}
            continue
        sku, quantity = _line(properties)
        if sku:
            cart[sku] = cart.get(sku, 0) + _CHANGES[event.type] * quantity
            if cart[sku] <= 0:
                del cart[sku]
    return {sku: min(quantity, MOST_OF_ONE) for sku, quantity in list(cart.items())[:MOST_LINES]}


def _since_whole(events: Iterable[Event], site: str) -> list[Event]:
    """Give what happened since the cart was last seen whole or ordered, the oldest first."""
    since: list[Event] = []
    for event in events:
        if event.site != site or event.type not in TYPES:
            continue
        since.append(event)
        is_whole = event.type in _WHOLE and isinstance(event.data.get("properties", {}).get("products"), list)
        if event.type in _ORDERED or is_whole:
            break
    return [event for event in reversed(since) if event.type not in _WHOLE or event is since[-1]]


def _products(properties: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    products = properties.get("products")
    return [each for each in products if isinstance(each, Mapping)] if isinstance(products, list) else []


def _line(product: Mapping[str, Any]) -> tuple[str, int]:
    """Read sku and quantity as an order's line is read; no sku where there is none that could be one."""
    sku = product.get("sku") or product.get("product_id")
    quantity = product.get("quantity", 1)
    whole = int(quantity) if isinstance(quantity, int) and not isinstance(quantity, bool) and quantity > 0 else 1
    return (sku if isinstance(sku, str) else str(sku) if isinstance(sku, int) and not isinstance(sku, bool) else ""), whole
