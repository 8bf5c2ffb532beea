"""A site, an order and products that never were, for trying a template out before the first customer has ordered."""

from datetime import UTC, date, datetime, timedelta
from secrets import token_bytes
from typing import Any

from ecrm.application.orders import OrderView
from ecrm.application.templates import CartItem
from ecrm.domain.links import Keyring
from ecrm.domain.orders import Delivered, Line, Order, Paid, Refunded, Shipped, agree, fold, with_fact
from ecrm.domain.products import Product, Stated
from ecrm.domain.sites import Site

PLACED_AT = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
SITE = Site(
    site="sample",
    brand="Example",
    languages=("en",),
    time_zone="Europe/Berlin",
    currency="EUR",
    reply_to="shop@example.com",
    postal_address="1 Example Street, 10115 Berlin",
    updated_at=PLACED_AT,
)
LINKS = {
    "order_status": "https://example.com/public/orders/sample",
    "confirm": "https://example.com/public/confirm/sample",
    "data_request": "https://example.com/public/data/sample",
    "preferences": "https://example.com/public/preferences/sample",
    "unsubscribe": "https://example.com/public/unsubscribe/sample",
    "view": "https://example.com/public/mails/sample",
}


class NobodysLinkKeys:
    """Keys that nobody has: what they seal opens nothing."""

    def ring(self, *, fresh: bool = False) -> Keyring:
        """Give another one each time."""
        del fresh
        return Keyring("sample", {"sample": token_bytes(32)})


def sample_products(site: Site) -> tuple[Product, ...]:
    """Four, of which the last has neither picture nor price."""
    names = (
        ("CD-5", "Kind of Blue (CD)", 1250, "Jazz"),
        ("LP-1", "Hejira (LP, 180 g)", 2790, "Folk"),
        ("LP-2", "Blue (LP, 180 g)", 2490, "Folk"),
        ("T-1", "Turntable mat", None, "Accessories"),
    )
    return tuple(_sample_product(site, *each) for each in names)


def sample_cart(site: Site) -> tuple[CartItem, ...]:
    products = sample_products(site)
    return CartItem(products[0], 2), CartItem(products[1], 1)


def _sample_product(site: Site, sku: str, name: str, price_minor: int | None, category: str) -> Product:
    said: dict[str, Any] = {"name": name, "category": category, "url": f"https://example.com/products/{sku}"}
    if price_minor is not None:
        said["image_url"] = f"https://example.com/pictures/{sku}.jpg"
        said["price"] = {"amount_minor": price_minor, "currency": site.currency}
    return Product(sku, {field: Stated(value, PLACED_AT) for field, value in said.items()}, PLACED_AT)


def sample_order(site: Site) -> OrderView:
    """Three things, paid, sent and delivered in one parcel, one of them refunded."""
    lines = (
        Line("1", "CD-5", "Kind of Blue (CD)", 2, 1250, 200),
        Line("2", "LP-1", "Hejira (LP, 180 g)", 1, 2790, 0),
    )
    terms = agree(
        lines,
        currency=site.currency,
        shipping_minor=490,
        tax_minor=881,
        discount_minor=0,
        total_minor=5580,
        tax_included=True,
    )
    order = Order(
        site=site.site,
        order_id="A-1001",
        customer_id="0" * 32,
        currency=site.currency,
        placed_at=PLACED_AT,
        terms=terms,
    )
    for fact in (
        Paid(event_id="paid", occurred_at=PLACED_AT + timedelta(minutes=2), digest=""),
        Shipped(
            event_id="shipped",
            occurred_at=PLACED_AT + timedelta(days=1),
            digest="",
            shipment_id="1",
            carrier="DHL",
            tracking_number="JD014600003815",
            tracking_url="https://example.com/track/JD014600003815",
            estimated_on=date(2026, 11, 24),
        ),
        Delivered(event_id="delivered", occurred_at=PLACED_AT + timedelta(days=3), digest="", shipment_id="1"),
        Refunded(event_id="refunded", occurred_at=PLACED_AT + timedelta(days=5), digest="", amount_minor=1150),
    ):
        order = with_fact(order, fact)
    return OrderView(order, fold(order), lines)
