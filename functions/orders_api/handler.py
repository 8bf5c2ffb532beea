"""Woken by any request under /v1/orders; leaves behind orders, their events and, where they are new, their customers."""

from ecrm import bootstrap as wired
from ecrm.contracts import links
from ecrm.contracts import orders as wire
from ecrm.entry import jobs
from ecrm.entry import links as link_door
from ecrm.entry import orders as door
from ecrm.entry.http import Call, Reply

handler = jobs.with_orders_job(wired.http_api(), wired.request_export)
read, write, batch = door.routes(handler)


@write("/v1/orders", body=wire.PlaceOrderBody, answer=wire.OrderBody, creates="OrdersPlaced")
def place_order(call: Call) -> Reply:
    """Place an order. The same order_id with the same body gives the order that is there."""
    return door.recorded(wire.OrderBody, door.place(call, call.raw, call.request, wired.place_order))


@batch("/v1/orders/batch", body=wire.PlaceOrdersBody, creates="OrdersPlaced")
def place_orders(call: Call) -> Reply:
    """Place up to 100 orders; each is judged by itself and answered as the single call would be."""
    return door.place_each(call, wired.place_order, wired.requests())


@write("/v1/orders/{order_id}/events", body=door.EVENT, answer=wire.OrderStateBody, creates="OrderEventsRecorded")
def record_event(call: Call) -> Reply:
    """Record what happened to an order. The same event_id with the same body is applied once."""
    return door.recorded(wire.OrderStateBody, door.record(call, call.raw, call.request, wired.record_order_event))


@batch("/v1/orders/events/batch", body=wire.RecordOrderEventsBody, creates="OrderEventsRecorded")
def record_events(call: Call) -> Reply:
    """Record up to 100 events of any orders; each carries its order_id and is judged by itself."""
    return door.record_each(call, wired.record_order_event, wired.requests())


@read("GET", "/v1/orders/{order_id}", query=wire.SiteQuery, answer=wire.OrderBody)
def read_order(call: Call) -> Reply:
    """Read an order: its status, lines, shipments and history."""
    return door.shown(call, orders=wired.orders())


@read("GET", "/v1/orders", query=wire.ListOrdersQuery, answer=wire.OrdersPage)
def list_orders(call: Call) -> Reply:
    """List a site's orders by the day they were placed on, newest first."""
    return door.listed(call, orders=wired.orders())


@read("POST", "/v1/orders/lookup", body=wire.LookupOrdersBody, answer=wire.OrdersPage)
def find_orders(call: Call) -> Reply:
    """Find the orders of whoever holds one of the identifiers, newest first."""
    return door.found(call, orders=wired.orders(), customers=wired.customers())


@read("POST", "/v1/orders/{order_id}/links", body=links.MakeLinkBody, answer=links.LinkBody)
def make_link(call: Call) -> Reply:
    """Make the link to an order's status page, for its customer. The same link each time; it does not end."""
    return link_door.made(call, wired.make_order_url)
