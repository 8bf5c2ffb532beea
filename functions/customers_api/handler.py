"""Woken by any request under /v1/customers; reads all that is known of a customer, and leaves behind what is said of them."""

from functools import partial

from ecrm import bootstrap as wired
from ecrm.contracts import consent as said
from ecrm.contracts import customers as wire
from ecrm.contracts.fields import PageQuery
from ecrm.contracts.orders import OrdersPage
from ecrm.contracts.statistics import CustomersStatisticsBody, StatisticsQuery
from ecrm.domain.api_keys import Scope
from ecrm.entry import consent as consents_door
from ecrm.entry import contacts, decisions, jobs, profiles, segments
from ecrm.entry import customers as door
from ecrm.entry.http import Call, Reply

handler = wired.http_api()
profiles.with_writing(handler, wired.put_customer, wired.update_customer, wired.change_consents, wired.topics)
profiles.with_reading(handler, wired.read_profile, wired.find_profiles)
profiles.with_merging(handler, wired.merge_customers, wired.unmerge_customers)
contacts.with_recording(handler, wired.record_contact)
decisions.with_reading(handler, wired.read_decisions)
segments.with_explaining(handler, wired.explain_customer)
jobs.with_customers_jobs(handler, wired.request_export, wired.request_customers_export, wired.request_erasure)
read = partial(handler.route, "GET", scope=Scope.CUSTOMERS_READ)
write = partial(handler.route, "POST", scope=Scope.CUSTOMERS_WRITE)


@read("/v1/customers/{customer_id}/stats", query=StatisticsQuery, answer=CustomersStatisticsBody)
def read_stats(call: Call) -> Reply:
    """Read a customer's statistics, a second or two behind an order just placed, with what the last night adds to them."""
    return door.stats(call, wired.read_statistics, wired.read_last_night)


@read("/v1/customers/{customer_id}/orders", query=PageQuery, answer=OrdersPage)
def list_customers_orders(call: Call) -> Reply:
    """List a customer's orders on every site, newest first."""
    return door.orders(call, orders=wired.orders(), customers=wired.customers())


@read("/v1/customers/{customer_id}/timeline", query=wire.TimelineQuery, answer=wire.TimelinePage)
def read_timeline(call: Call) -> Reply:
    """Read everything that happened to a customer, newest first."""
    return door.timeline(call, customers=wired.customers(), timeline=wired.timeline())


@read("/v1/customers/{customer_id}/consents", answer=said.ConsentsBody)
def read_consents(call: Call) -> Reply:
    """Read what a customer consents to, by channel and topic, and which of their addresses are suppressed."""
    return consents_door.shown(call, wired.read_consents)


@write("/v1/customers/{customer_id}/consents", body=said.ChangeConsentsBody, answer=said.ConsentsBody, creates="ConsentsChanged")
def change_consents(call: Call) -> Reply:
    """Say what a customer consents to or refuses, all of it or nothing. Nothing but a proof raises a "no"."""
    return consents_door.change(call, wired.change_consents, wired.read_consents)
