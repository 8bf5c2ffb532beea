"""Profiles at the door."""

from collections.abc import Callable
from functools import partial

from ecrm.application.ports import Outcome, Request, Topics
from ecrm.application.profiles import Joining, Kept, Profile, PutCustomer, UpdateCustomer
from ecrm.contracts import profiles as wire
from ecrm.domain.api_keys import Scope
from ecrm.domain.customers import Identifier

from .consent import Change, also_change, refuse_wrong
from .http import Call, HttpApi, Reply, digest_of

type Put = Callable[[PutCustomer], Kept]
type Update = Callable[[UpdateCustomer, Request | None], Kept]
type Find = Callable[[tuple[Identifier, ...]], tuple[Profile, ...]]
type Join = Callable[[Joining, Request | None], Kept]


def with_reading(api: HttpApi, read: Callable[[str], Profile], find: Find) -> HttpApi:
    """Declare what gives profiles."""

    @api.route("GET", "/v1/customers/{customer_id}", scope=Scope.CUSTOMERS_READ, answer=wire.CustomerBody)
    def read_customer(call: Call) -> Reply:
        """Read a customer: who they are, and what is known of them. By any id that was made one with theirs, too."""
        return Reply(200, wire.CustomerBody.of(read(call.path["customer_id"])))

    @api.route(
        "POST",
        "/v1/customers/lookup",
        scope=Scope.CUSTOMERS_READ,
        body=wire.LookupCustomersBody,
        answer=wire.CustomersBody,
    )
    def find_customers(call: Call) -> Reply:
        """Find whoever holds one of the identifiers, the strongest identifier first."""
        body: wire.LookupCustomersBody = call.body
        found = find(body.to_identifiers(call.site(body.site), ""))
        return Reply(200, wire.CustomersBody(data=[wire.CustomerBody.of(profile) for profile in found]))

    return api


def with_writing(api: HttpApi, put: Put, update: Update, change_consents: Change, topics: Callable[[], Topics]) -> HttpApi:
    """Declare what keeps profiles."""

    @api.route(
        "PUT",
        "/v1/customers",
        scope=Scope.CUSTOMERS_WRITE,
        body=wire.PutCustomerBody,
        answer=wire.KeptCustomerBody,
    )
    def put_customer(call: Call) -> Reply:
        """Create or update the customer whom the identifiers name. What is missing is left alone, null clears."""
        body: wire.PutCustomerBody = call.body
        refuse_wrong(call, body.consents, topics=topics())
        kept = put(body.to_put(call.site(body.site), cause=digest_of(call.raw), source=call.source))
        also_change(call, kept.profile.customer.customer_id, body.consents, change_consents)
        status = 201 if kept.outcome is Outcome.CREATED else 200
        return Reply(status, wire.KeptCustomerBody.of_kept(kept), _location(kept))

    @api.route(
        "PATCH",
        "/v1/customers/{customer_id}",
        scope=Scope.CUSTOMERS_WRITE,
        body=wire.UpdateCustomerBody,
        answer=wire.KeptCustomerBody,
    )
    def update_customer(call: Call) -> Reply:
        """Change what is known of a customer, and add identifiers. What is missing is left alone, null clears."""
        body: wire.UpdateCustomerBody = call.body
        site, cause = call.site(body.site), digest_of(call.raw)
        kept = update(body.to_command(call.path["customer_id"], site, cause=cause, source=call.source), call.request)
        return Reply(200, wire.KeptCustomerBody.of_kept(kept), _headers(kept))

    return api


def with_merging(api: HttpApi, merge: Join, unmerge: Join) -> HttpApi:
    """Declare what makes two customers one, and one two."""
    post = partial(api.route, "POST", scope=Scope.CUSTOMERS_WRITE, body=wire.OtherCustomerBody, answer=wire.CustomerBody)

    @post("/v1/customers/{customer_id}/merge", creates="CustomersMerged")
    def merge_customers(call: Call) -> Reply:
        """Make another customer one with this one. By reference: no fact moves, and it can be undone."""
        return _joined(call, merge)

    @post("/v1/customers/{customer_id}/unmerge", creates="CustomersUnmerged")
    def unmerge_customers(call: Call) -> Reply:
        """Take a customer out of this one; gives the one taken out. What was recorded since the merger stays with this one."""
        return _joined(call, unmerge)

    return api


def _joined(call: Call, join: Join) -> Reply:
    body: wire.OtherCustomerBody = call.body
    joining = Joining(customer_id=call.path["customer_id"], other_id=body.customer_id, site=call.site(None), source=call.source)
    kept = join(joining, call.request)
    made = kept.outcome is Outcome.CREATED
    headers = _headers(kept) | _location(kept)
    return Reply(201 if made else 200, wire.CustomerBody.of(kept.profile), headers, counted=int(made and not kept.replayed))


def _headers(kept: Kept) -> dict[str, str]:
    return {"idempotent-replayed": "true"} if kept.replayed else {}


def _location(kept: Kept) -> dict[str, str]:
    return {"location": f"/v1/customers/{kept.profile.customer.customer_id}"}
