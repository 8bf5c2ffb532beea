"""Customers at the door."""

from collections.abc import Callable

from ecrm.application.customers import TimelineRange, event_position, is_event_position, read_customer, read_timeline
from ecrm.application.orders import list_customers_orders
from ecrm.application.ports import Customers, Orders, Timeline
from ecrm.application.segments import LastNight
from ecrm.contracts.customers import TimelineEventBody, TimelinePage, TimelineQuery
from ecrm.contracts.statistics import CustomersStatisticsBody, StatisticsQuery
from ecrm.domain.statistics import CustomerStatistics

from .cursors import fit, seal, unseal
from .http import Call, Reply
from .orders import page_of


def orders(call: Call, *, orders: Orders, customers: Customers) -> Reply:
    customer = read_customer(call.path["customer_id"], customers=customers)
    bound = ("orders", customer.customer_id)
    after = unseal(call.query.cursor, bool, *bound)
    page = list_customers_orders(customer.partitions, after=after, limit=call.query.limit, orders=orders)
    return page_of(call, page, *bound)


def stats(
    call: Call,
    read: Callable[[str, str | None], tuple[str, CustomerStatistics]],
    read_last_night: Callable[[str, CustomerStatistics], LastNight],
) -> Reply:
    query: StatisticsQuery = call.query
    customer_id, counted = read(call.path["customer_id"], query.event)
    return Reply(200, CustomersStatisticsBody.with_night(customer_id, counted, read_last_night(customer_id, counted)))


def timeline(call: Call, *, customers: Customers, timeline: Timeline) -> Reply:
    query: TimelineQuery = call.query
    bound = ("timeline", call.path["customer_id"], sorted(query.types), query.from_, query.to)
    page = read_timeline(
        call.path["customer_id"],
        TimelineRange(types=query.types, first=query.from_, last=query.to),
        after=unseal(query.cursor, is_event_position, *bound),
        limit=query.limit,
        customers=customers,
        timeline=timeline,
        now=call.now,
    )
    data, last = fit(((event_position(event), TimelineEventBody.of(event)) for event in page.items), page.last)
    return Reply(200, TimelinePage(data=data, next_cursor=seal(last, *bound)))
