"""What marketing mails tell beside attributes: the catalogue's words for products and carts, and the last night's segments."""

from datetime import datetime, timedelta
from typing import Any

from ecrm import bootstrap
from ecrm.application.particulars import Told
from ecrm.application.templates import CartItem
from ecrm.domain.api_keys import KeyKind
from ecrm.domain.products import Product
from tests.functions.api import Shop, in_hours
from tests.functions.test_segments import a_night

EVERYTHING = ("segments", "products", "cart", "customer")


def sell(shop: Shop, sku: str, **said: Any) -> Product:
    assert shop.call("PUT", f"/v1/products/{sku}", {"name": f"Name of {sku}"} | said).status in (200, 201)
    found = bootstrap.products().find(sku)
    assert found is not None
    return found


def track(shop: Shop, name: str, hours: float, /, **properties: Any) -> None:
    said = {
        "userId": "u-77",
        "event": name,
        "properties": properties,
        "timestamp": in_hours(hours),
        "messageId": f"{name}{hours}",
    }
    assert 200 == shop.call("POST", "/v1/track", said, key=shop.cloud.key(KeyKind.WRITE)).status


def told(shop: Shop, data: dict[str, Any], *asked: str, cart_at: datetime | None = None) -> Told:
    customer = bootstrap.customers().find(shop.customer_id)
    assert customer is not None
    return bootstrap.particulars().of(customer, "de", data, asked or EVERYTHING, bootstrap.clock.now(), cart_at=cart_at)


def test_products_are_those_that_were_named_as_the_catalogue_has_them(shop: Shop) -> None:
    one, two = sell(shop, "N-1"), sell(shop, "N-2", available=True)
    sell(shop, "N-3", available=False)
    skus = ["N-2", "N-3", "absent", 7, "N-1", "N-2"]
    assert (two, one) == told(shop, {"skus": skus}).products
    assert () == told(shop, {"skus": "N-1"}).products
    assert Told() == told(shop, {"skus": skus}, "customer")


def test_a_cart_has_the_words_of_the_catalogue_whatever_a_browser_says(shop: Shop) -> None:
    cd = sell(shop, "C-1")
    lies = {"name": "You have won", "url": "https://evil.example", "image_url": "https://evil.example/x.png", "price": 1}
    track(shop, "Product Added", -3, sku="C-1", quantity=2, **lies)
    track(shop, "Product Added", -2, sku="not-sold", **lies)
    assert (CartItem(cd, 2),) == told(shop, {}).cart
    track(shop, "Product Removed", -1, sku="C-1", quantity=2)
    assert () == told(shop, {}).cart
    hours_ago = [bootstrap.clock.now() - timedelta(hours=hours) for hours in (1.5, 3.5)]
    assert [(CartItem(cd, 2),), ()] == [told(shop, {}, cart_at=at).cart for at in hours_ago]


def test_a_cart_that_was_left_long_ago_is_none(shop: Shop) -> None:
    sell(shop, "C-1")
    track(shop, "Product Added", -24 * 31, sku="C-1")
    assert () == told(shop, {}).cart


def test_segments_are_those_of_the_last_night(shop: Shop) -> None:
    a_night(("vip", shop.customer_id), ("new", shop.customer_id), ("lost", "f" * 32))
    assert ("new", "vip") == told(shop, {}).segments
