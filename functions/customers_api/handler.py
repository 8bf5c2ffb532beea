"""Woken by any request under /v1/customers; reads customers, their orders, statistics and timeline, and leaves nothing behind."""

from functools import partial

from ecrm import bootstrap as wired
from ecrm.application.customers import read_customer as read_profile
from ecrm.application.statistics import read_statistics
from ecrm.contracts import customers as wire
from ecrm.contracts.fields import PageQuery
from ecrm.contracts.orders import OrdersPage
from ecrm.domain.api_keys import Scope
from ecrm.entry import customers as door
from ecrm.entry.http import Call, Reply

handler = wired.http_api()
read = partial(handler.route, "GET", scope=Scope.CUSTOMERS_READ)


@read("/v1/customers/{customer_id}", answer=wire.CustomerBody)
def read_customer(call: Call) -> Reply:
    """Read a customer: who they are."""
    return Reply(200, wire.CustomerBody.of(read_profile(call.path["customer_id"], customers=wired.customers())))


@read("/v1/customers/{customer_id}/stats", answer=wire.StatisticsBody)
def read_stats(call: Call) -> Reply:
    """Read a customer's statistics, as counted after the last event; a second or two behind an order just placed."""
    customer_id = call.path["customer_id"]
    counted = read_statistics(customer_id, customers=wired.customers(), statistics=wired.statistics())
    return Reply(200, wire.StatisticsBody.of(customer_id, counted))


@read("/v1/customers/{customer_id}/orders", query=PageQuery, answer=OrdersPage)
def list_customers_orders(call: Call) -> Reply:
    """List a customer's orders on every site, newest first."""
    return door.orders(call, orders=wired.orders(), customers=wired.customers())


@read("/v1/customers/{customer_id}/timeline", query=wire.TimelineQuery, answer=wire.TimelinePage)
def read_timeline(call: Call) -> Reply:
    """Read everything that happened to a customer, newest first."""
    return door.timeline(call, customers=wired.customers(), timeline=wired.timeline())
