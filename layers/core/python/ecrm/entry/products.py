"""Products at the door."""

import base64
import re
from functools import partial
from urllib.parse import quote

from ecrm.application.ports import Clock, Outcome, Products, Requests, sifted
from ecrm.application.products import list_products, put_product, read_product
from ecrm.contracts import products as wire
from ecrm.domain.errors import Invalid, NotFound
from ecrm.domain.products import Product

from . import observability
from .batches import Judged, Results, run_batch
from .cursors import fit, seal, unseal
from .http import Call, Reply, shaped

_RESULTS = Results("sku", wire.ProductResultBody, wire.ProductsBatchBody.of)
_LONGEST_SKU = 200
_PLAIN = re.compile(r"[A-Za-z0-9._~-]+", re.ASCII)
"""Skus that are the same in a path however often it is decoded on its way."""
_OF_PLAIN = "of letters, digits, hyphens, dots, underscores and tildes"


def put(call: Call, *, products: Products, clock: Clock) -> Reply:
    """Take the product of the path, or of the body where no path names it."""
    body: wire.UpdateProductBody = call.body
    sku = body.sku if isinstance(body, wire.PutProductBody) else call.path["sku"]
    if "sku" in call.path and not _PLAIN.fullmatch(sku):
        raise Invalid(f"a path names a sku {_OF_PLAIN}; tell another in the body of PUT /v1/products", code="bad_sku")
    product, outcome = put_product(body.to_command(sku), products=products, clock=clock)
    here = f"/v1/products/{sku}" if _PLAIN.fullmatch(sku) else f"/v1/products?sku={quote(sku, safe='')}"
    return Reply(201 if outcome is Outcome.CREATED else 200, wire.ProductBody.of(product), {"location": here})


def shown(call: Call, *, products: Products) -> Reply:
    sku = call.path["sku"]
    if not _PLAIN.fullmatch(sku):
        raise NotFound(f"a path names a sku {_OF_PLAIN}; ask for another with ?sku=", code="product_not_found")
    return Reply(200, wire.ProductBody.of(read_product(sku, products=products)))


def put_each(call: Call, *, products: Products, clock: Clock, requests: Requests) -> Reply:
    return run_batch(call, call.body.products, partial(_judged, products=products, clock=clock), requests, _RESULTS)


def _judged(element: object, *, products: Products, clock: Clock) -> Judged:
    body: wire.PutProductBody = shaped(wire.PutProductBody, element)
    product, outcome = put_product(body.to_command(body.sku), products=products, clock=clock)
    return Judged(outcome, {"sku": product.sku})


def listed(call: Call, *, products: Products) -> Reply:
    query: wire.ListProductsQuery = call.query
    bound = ("products", query.sku)
    at = unseal(query.cursor, _is_position, *bound)
    page = list_products(query.sku, after=_sku(at) if at else None, limit=query.limit, products=products)
    unreadable = list(page.unreadable)
    bodies = sifted(page.items, _placed_in_list, lambda product: {"sku": product.sku}, unreadable)
    data, last = fit(bodies, _position(page.last) if page.last else None)
    observability.name(unreadable, correlation_id=call.correlation_id)
    return Reply(200, wire.ProductsPage(data=data, next_cursor=seal(last, *bound)))


def _placed_in_list(product: Product) -> tuple[str, wire.ProductBody]:
    return _position(product.sku), wire.ProductBody.of(product)


def _position(sku: str) -> str:
    """Write a sku in ASCII, as a cursor wants it, and as short as it goes."""
    return base64.urlsafe_b64encode(sku.encode()).decode()


def _sku(position: str) -> str:
    return base64.b64decode(position, altchars="-_", validate=True).decode()


def _is_position(text: str) -> bool:
    try:
        return 0 < len(_sku(text)) <= _LONGEST_SKU
    except ValueError:
        return False
