"""Orders at the door: from a call to a command, and from what a use case found to a reply."""

from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import quote

from pydantic import ConfigDict, TypeAdapter

from ecrm.application.customers import find_customers
from ecrm.application.orders import (
    OrderView,
    PlaceOrder,
    Recorded,
    RecordOrderEvent,
    ids_of,
    is_position,
    list_customers_orders,
    list_orders,
    read_order,
)
from ecrm.application.ports import Customers, Orders, Page, Request, Requests, sifted
from ecrm.contracts import orders as wire
from ecrm.domain.api_keys import Scope

from . import observability
from .batches import Judged, Results, run_batch
from .cursors import fit, seal, unseal
from .http import LARGEST_BATCH, Call, HttpApi, Reply, digest_of, shaped

EVENT = TypeAdapter[Any](wire.OrderEventBody, config=ConfigDict(defer_build=True))
_RESULTS = Results("order_id", wire.BatchResultBody, wire.BatchBody.of)


type Declare = Callable[..., Callable[[Callable[[Call], Reply]], Callable[[Call], Reply]]]


def routes(api: HttpApi) -> tuple[Declare, Declare, Declare]:
    """Give the declarations that orders have: of a read, a write and a batch."""
    write = partial(api.route, "POST", scope=Scope.ORDERS_WRITE)
    return partial(api.route, scope=Scope.ORDERS_READ), write, partial(write, answer=wire.BatchBody, largest=LARGEST_BATCH)


def place(call: Call, element: Any, request: Request | None, use: Callable[[PlaceOrder, Request | None], Recorded]) -> Recorded:
    body: wire.PlaceOrderBody = shaped(wire.PlaceOrderBody, element)
    command = body.to_command(call.site(body.site), digest=digest_of(element), source=call.source)
    return use(command, request)


def record(
    call: Call, element: Any, request: Request | None, use: Callable[[RecordOrderEvent, Request | None], Recorded]
) -> Recorded:
    """Record an event; in a batch, where no path names the order, the element carries its `order_id`."""
    said, order_id = element, call.path.get("order_id")
    if order_id is None and isinstance(element, dict):
        said = dict(element)
        named = {"order_id": said.pop("order_id")} if "order_id" in said else {}
        order_id = shaped(wire.OrderNamed, named).order_id
    body: wire.OrderEventBase = shaped(EVENT, said)
    command = body.to_command(call.site(body.site), str(order_id), digest=digest_of(said), source=call.source)
    return use(command, request)


def place_each(call: Call, use: Callable[[PlaceOrder, Request | None], Recorded], requests: Requests) -> Reply:
    return run_batch(call, call.body.orders, lambda one: _judged(place(call, one, None, use)), requests, _RESULTS)


def record_each(call: Call, use: Callable[[RecordOrderEvent, Request | None], Recorded], requests: Requests) -> Reply:
    return run_batch(call, call.body.events, lambda one: _judged(record(call, one, None, use)), requests, _RESULTS)


def _judged(recorded: Recorded) -> Judged:
    order = recorded.view.order
    says = {"order_id": order.order_id, "customer_id": order.customer_id, "version": order.version}
    return Judged(recorded.outcome, says)


def shown(call: Call, *, orders: Orders) -> Reply:
    view = read_order(call.site(call.query.site), call.path["order_id"], orders=orders)
    return Reply(200, wire.OrderBody.of(view))


def recorded(shape: type[wire.OrderStateBody], result: Recorded) -> Reply:
    return Reply.of_recorded(result, shape.of(result.view), location=f"/v1/orders/{quote(result.view.order.order_id)}")


def listed(call: Call, *, orders: Orders) -> Reply:
    query: wire.ListOrdersQuery = call.query
    site = call.site(query.site)
    first, last = query.days(call.now.date())
    bound = (call.path, site, first, last, query.status)
    page = list_orders(
        site,
        first=first,
        last=last,
        status=query.status,
        after=unseal(query.cursor, is_position, *bound),
        limit=query.limit,
        orders=orders,
    )
    return page_of(call, page, *bound)


def found(call: Call, *, orders: Orders, customers: Customers) -> Reply:
    body: wire.LookupOrdersBody = call.body
    given = body.to_identifiers(call.site(body.site))
    bound = ("lookup", given)
    page = list_customers_orders(
        tuple(p for customer in find_customers(given, customers=customers) for p in customer.partitions),
        after=unseal(body.cursor, bool, *bound),
        limit=body.limit,
        orders=orders,
    )
    return page_of(call, page, *bound)


def _placed_in_list(view: OrderView) -> tuple[str, wire.OrderStateBody]:
    return view.position, wire.OrderStateBody.of(view)


def page_of(call: Call, page: Page[OrderView], *bound: object) -> Reply:
    """Show a page of orders; one that folds and cannot be shown is left out as one that cannot be read is."""
    unreadable = list(page.unreadable)
    bodies = sifted(page.items, _placed_in_list, lambda view: ids_of(view.order), unreadable)
    data, last = fit(bodies, page.last)
    observability.name(unreadable, correlation_id=call.correlation_id)
    return Reply(200, wire.OrdersPage(data=data, next_cursor=seal(last, *bound)))
