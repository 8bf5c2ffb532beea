"""What a template can speak of, in plain data: dictionaries, lists, texts, numbers and booleans, and nothing else."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from ecrm.application.links import PublicOrder
from ecrm.application.orders import OrderView
from ecrm.application.templates import CartItem, Material
from ecrm.domain.attributes import IDENTIFIERS
from ecrm.domain.orders import Refunded
from ecrm.domain.products import Product
from ecrm.domain.sites import Site
from ecrm.domain.templates import direction_of, looked_up

from .colours import colours
from .filters import page_language
from .formats import amount
from .orders import Values, order_view

MOST_DIGITS = 37
"""Of a number: fewer than 128 bits hold, as minijinja's numbers do."""


def values_of(material: Material, language: str) -> Values:
    site = material.site
    return {
        "customer": {name: plain(value) for name, value in material.attributes.items() if name not in IDENTIFIERS},
        "segments": list(material.segments),
        "products": [_product(each, language, site) for each in material.products],
        "cart": [_cart_item(each, language, site) for each in material.cart],
        "site": {
            "name": site.site,
            "brand": site.brand,
            "url": site.url,
            "logo_url": site.logo_url,
            **colours(site.accent),
            "postal_address": site.postal_address,
            "reply_to": site.reply_to,
            "currency": site.currency,
            "time_zone": site.time_zone,
        },
        "order": _order(material.order, site, language, material.data) if material.order else {},
        "data": plain(material.data),
        "campaign": {
            "id": material.campaign.campaign,
            "run": material.campaign.run,
            "message": material.campaign.message,
            "treatment": material.campaign.treatment,
        },
        "links": dict(material.links),
        "language": {"tag": language, "direction": direction_of(language)},
    }


def _product(product: Product, language: str, site: Site) -> Values:
    """A product in the words of a language, else in its own; `price` is written, and in minor units beside."""
    said = dict(product.translations())
    tag = looked_up(language, said)
    words = said[tag] if tag is not None else {}
    price = product.value("price")
    return {
        "sku": product.sku,
        "name": words.get("name") or product.value("name") or product.sku,
        "description": words.get("description") or "",
        "category": product.value("category"),
        "brand": product.value("brand"),
        "url": words.get("url") or product.value("url"),
        "image_url": product.value("image_url"),
        "price": amount(price["amount_minor"], price["currency"], page_language(language)) if price else None,
        "price_minor": price["amount_minor"] if price else None,
        "currency": price["currency"] if price else site.currency,
    }


def _cart_item(item: CartItem, language: str, site: Site) -> Values:
    """The same of something in a cart, with the amount for all of it."""
    told = _product(item.product, language, site)
    minor = None if told["price_minor"] is None else told["price_minor"] * item.quantity
    written = None if minor is None else amount(minor, told["currency"], page_language(language))
    return told | {"quantity": item.quantity, "amount": written, "amount_minor": minor}


def _order(view: OrderView, site: Site, language: str, data: Mapping[str, Any]) -> Values:
    """An order as its status page tells it, with the same in codes, minor units and instants for whoever writes it otherwise.

    `parcel` is the one that `data.shipment_id` names and `refund` the one of `data.event_id`, else the latest.
    """
    state, zone = view.state, ZoneInfo(site.time_zone)
    told = order_view(PublicOrder(view, site, None), page_language(language))
    refunds = [fact for fact in state.history if isinstance(fact, Refunded)]
    parcels = {parcel.shipment_id: at for at, parcel in enumerate(state.shipments)}
    back = {fact.event_id: at for at, fact in enumerate(refunds)}
    parcel, refund = parcels.get(str(data.get("shipment_id")), -1), back.get(str(data.get("event_id")), -1)
    lines = [
        words | {"sku": line.sku, "category": line.category, "amount_minor": line.amount_minor}
        for words, line in zip(told["lines"], view.lines, strict=True)
    ]
    return {name: told[name] for name in ("order_id", "status", "steps", "parcels", "sums", "returns", "refunds", "refunded")} | {
        "lines": lines,
        "parcel": told["parcels"][parcel] if told["parcels"] else {},
        "refund": told["refunds"][refund] if told["refunds"] else {},
        "state": state.status.value,
        "currency": view.order.currency,
        "total_minor": state.terms.total_minor,
        "refunded_minor": state.refunded_minor,
        "coupon": view.order.coupon,
        "placed_at": _local(view.order.placed_at, zone),
    }


def plain(value: Any) -> Any:
    """Give a value as a template knows values: a whole number stays whole, another becomes a double, a vast one a text."""
    match value:
        case None | str() | bool() | float():
            return value
        case int() | Decimal():
            return _number(value)
        case Mapping():
            return {str(name): plain(inner) for name, inner in value.items()}
        case _:
            return [plain(inner) for inner in value]


def _number(value: int | Decimal) -> int | float | str:
    number = Decimal(value)
    if abs(number.adjusted()) > MOST_DIGITS:
        return str(value)
    return int(number) if number == number.to_integral_value() else float(number)


def _local(instant: datetime, zone: ZoneInfo) -> str:
    return instant.astimezone(zone).isoformat()
