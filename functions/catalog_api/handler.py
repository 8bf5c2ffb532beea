"""Woken by any request under /v1/products; leaves behind what was said of products."""

from functools import partial

from ecrm import bootstrap as wired
from ecrm.contracts import products as wire
from ecrm.domain.api_keys import Scope
from ecrm.entry import products as door
from ecrm.entry.http import LARGEST_BATCH, Call, Reply

handler = wired.http_api()
read = partial(handler.route, "GET", scope=Scope.CATALOG_READ)
write = partial(handler.route, scope=Scope.CATALOG_WRITE)


@write("PUT", "/v1/products/{sku}", body=wire.UpdateProductBody, answer=wire.ProductBody)
def put_product(call: Call) -> Reply:
    """Create or update a product. What is missing is left alone, null clears, and an older fact changes nothing."""
    return door.put(call, products=wired.products(), clock=wired.clock)


@write("PUT", "/v1/products", body=wire.PutProductBody, answer=wire.ProductBody)
def put_named_product(call: Call) -> Reply:
    """Create or update a product that the body names. For any sku, such as one with a slash, which a path cannot name."""
    return door.put(call, products=wired.products(), clock=wired.clock)


@write(
    "POST",
    "/v1/products/batch",
    body=wire.PutProductsBody,
    answer=wire.ProductsBatchBody,
    creates="ProductsCreated",
    largest=LARGEST_BATCH,
)
def put_products(call: Call) -> Reply:
    """Create or update up to 100 products; each is judged by itself and answered as the single call would be."""
    return door.put_each(call, products=wired.products(), clock=wired.clock, requests=wired.requests())


@read("/v1/products/{sku}", answer=wire.ProductBody)
def read_product(call: Call) -> Reply:
    """Read a product."""
    return door.shown(call, products=wired.products())


@read("/v1/products", query=wire.ListProductsQuery, answer=wire.ProductsPage)
def list_products(call: Call) -> Reply:
    """List the products by sku, or find the one of that sku."""
    return door.listed(call, products=wired.products())
