"""Contacts at the door."""

from collections.abc import Callable

from ecrm.application.contacts import ContactRecorded, RecordContact
from ecrm.application.ports import Outcome, Request
from ecrm.contracts.contacts import ContactBody, RecordContactBody
from ecrm.domain.api_keys import Scope

from .http import Call, HttpApi, Reply, digest_of

type Record = Callable[[RecordContact, Request | None], ContactRecorded]


def with_recording(api: HttpApi, use: Record) -> HttpApi:
    """Declare what records a contact."""

    @api.route(
        "POST",
        "/v1/customers/{customer_id}/contacts",
        scope=Scope.CUSTOMERS_WRITE,
        body=RecordContactBody,
        answer=ContactBody,
        creates="ContactsRecorded",
    )
    def record_contact(call: Call) -> Reply:
        """Record a call, visit, chat or letter on a customer's timeline. The same contact_id and body is recorded once."""
        return _recorded(call, use)

    return api


def _recorded(call: Call, use: Record) -> Reply:
    """Answer what was said: the same id is only ever taken with the same words."""
    body: RecordContactBody = call.body
    command = body.to_command(call.path["customer_id"], call.site(body.site), digest=digest_of(call.raw), source=call.source)
    recorded = use(command, call.request)
    made = recorded.outcome is Outcome.CREATED
    headers = {"location": f"/v1/customers/{recorded.customer_id}/timeline"}
    headers |= {"idempotent-replayed": "true"} if recorded.replayed else {}
    answer = ContactBody.of(command, recorded.customer_id)
    return Reply(201 if made else 200, answer, headers, counted=int(made and not recorded.replayed))
