"""Recording what was said between a customer and the company elsewhere: calls, visits, chats, letters."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ecrm.domain.errors import AlreadyExists, Invalid
from ecrm.domain.events import Event
from ecrm.domain.instants import AHEAD

from .identity import root
from .ports import AlreadyAnswered, Clock, Contacts, Contended, Customers, Outcome, Request, Requests

ATTEMPTS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordContact:
    """`contact_id` is unique on its site within the customer; `digest` stands for the body as sent, `said` for its words."""

    customer_id: str
    site: str
    contact_id: str
    occurred_at: datetime
    said: Mapping[str, Any]
    backfill: bool
    digest: str
    source: str


@dataclass(frozen=True, slots=True)
class ContactRecorded:
    """`replayed` says that an Idempotency-Key was recognised."""

    customer_id: str
    outcome: Outcome
    replayed: bool = False


def record_contact(
    command: RecordContact,
    request: Request | None,
    *,
    contacts: Contacts,
    customers: Customers,
    requests: Requests,
    clock: Clock,
) -> ContactRecorded:
    """Add a contact to a customer's timeline once: the same id and body again changes nothing.

    6 write units for a text of up to 1 KB, 8 with an Idempotency-Key. Raises NotFound, Erased; AlreadyExists where the id
    belongs to another body.
    """
    now = clock.now()
    if command.occurred_at > now + AHEAD:
        raise Invalid.at("/occurred_at", "in_the_future", "more than 24 hours ahead of our clock")
    for _ in range(ATTEMPTS):
        customer = root(command.customer_id, customers=customers)
        digest = contacts.digest(customer.partitions, command.site, command.contact_id)
        if digest is None:
            try:
                digest = contacts.record(_event(command, customer.customer_id, now), command.contact_id, command.digest, request)
            except AlreadyAnswered as answered:
                return ContactRecorded(customer.customer_id, answered.outcome, replayed=True)
            except Contended:
                continue
            if digest is None:
                return ContactRecorded(customer.customer_id, Outcome.CREATED)
        if digest != command.digest:
            if request is not None:
                requests.find(request, now)
            raise AlreadyExists("a contact with this contact_id exists and differs from this one", code="contact_exists")
        earlier = requests.recognise(request, Outcome.EXISTING, now) if request else None
        return ContactRecorded(customer.customer_id, earlier or Outcome.EXISTING, replayed=earlier is not None)
    raise Contended("many requests for this customer at once; try again")


def _event(command: RecordContact, customer_id: str, now: datetime) -> Event:
    return Event(
        id=f"contact:{command.site}:{command.contact_id}",
        type="contact.recorded",
        occurred_at=command.occurred_at,
        received_at=now,
        site=command.site,
        customer_id=customer_id,
        source=command.source,
        data={"contact_id": command.contact_id} | dict(command.said),
        backfill=command.backfill,
    )
