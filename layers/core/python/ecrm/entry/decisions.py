"""Decisions not to send, at the door."""

from collections.abc import Callable

from ecrm.application.customers import event_position, is_event_position
from ecrm.application.decisions import Decisions
from ecrm.contracts.decisions import CampaignDecisionBody, DecisionBody, DecisionsPage, HeldBody
from ecrm.contracts.fields import PageQuery
from ecrm.domain.api_keys import Scope

from .cursors import fit, seal, unseal
from .http import Call, HttpApi, Reply


def with_reading(api: HttpApi, read: Callable[[str, str | None, int], Decisions]) -> HttpApi:
    """Declare what tells why a customer was not written to."""

    @api.route(
        "GET",
        "/v1/customers/{customer_id}/decisions",
        scope=Scope.CUSTOMERS_READ,
        query=PageQuery,
        answer=DecisionsPage,
    )
    def read_decisions(call: Call) -> Reply:
        """List what was not sent to a customer, or not yet, and why; newest first."""
        bound = ("decisions", call.path["customer_id"])
        found = read(call.path["customer_id"], unseal(call.query.cursor, is_event_position, *bound), call.query.limit)
        bodies = ((event_position(event), DecisionBody.of(event)) for event in found.page.items)
        data, last = fit(bodies, found.page.last)
        held = [HeldBody.of(policy, one) for policy, one in found.held.items()]
        campaigns = list(map(CampaignDecisionBody.of, found.campaigns))
        return Reply(200, DecisionsPage(data=data, held=held, campaigns=campaigns, next_cursor=seal(last, *bound)))

    return api
