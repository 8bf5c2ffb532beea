"""Messages on the wire, what stops them, and the queue's word that a page of a roster is to be worked on."""

import json
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from ecrm.application.mail_ports import Sending
from ecrm.application.messages import FindOrder, RequestMessage
from ecrm.domain import instants
from ecrm.domain.errors import Invalid
from ecrm.domain.messages import Policy, Send

from .fields import (
    Answer,
    Body,
    CustomerId,
    Email,
    Language,
    Name,
    OrderId,
    SiteId,
    TemplateName,
    TopicId,
    storable,
)
from .orders import IdentifiersBody

MESSAGE_ID = r"^[0-9a-f]{32}$"
LARGEST_DATA = 32 * 1024
"""Bytes of JSON: what a template is given becomes an event of the customer's, which is one item of the table."""


def _small_enough(value: dict[str, Any]) -> dict[str, Any]:
    if len(json.dumps(value, ensure_ascii=False, default=str).encode()) > LARGEST_DATA:
        raise PydanticCustomError("data_too_large", "the data of a message is at most 32 KB of JSON")
    return value


class AddresseeBody(IdentifiersBody):
    """The customer by `customer_id`, or by identifiers; then one is made where nobody has them."""

    customer_id: CustomerId | None = None


class RequestMessageBody(Body):
    """A message to one customer. One made from a marketing template goes to who consented to its topic, and may go then.

    `topic` is for marketing whose template names none, as those do that are ready-made.
    """

    template: TemplateName
    customer: AddresseeBody
    data: Annotated[dict[str, Any], AfterValidator(storable), AfterValidator(_small_enough)] = Field(default_factory=dict)
    language: Language | None = None
    order_id: OrderId | None = None
    topic: TopicId | None = None
    site: SiteId | None = None

    def to_command(self, site: str, source: str) -> RequestMessage:
        """Raises Invalid where nobody is named, or in two ways."""
        named = self.customer.model_dump(exclude_none=True)
        if self.customer.customer_id is not None and len(named) > 1:
            raise Invalid.at("/customer", "named_twice", "name the customer by customer_id or by identifiers, not by both")
        return RequestMessage(
            template=self.template,
            site=site,
            customer_id=self.customer.customer_id,
            identifiers=() if self.customer.customer_id else self.customer.to_identifiers(site),
            data=self.data,
            language=self.language,
            order_id=self.order_id,
            topic=self.topic,
            source=source,
        )


class MessageBody(Answer):
    """A message as far as it is: `attempts` were made to hand it over; each of the times is null until it is known.

    `topic` is null where it is transactional; until `postponed_until` it waits.
    """

    message_id: str
    status: str
    reason: str | None
    customer_id: str
    template: str
    topic: str | None
    site: str
    attempts: int
    requested_at: str
    postponed_until: str | None
    expires_at: str | None
    settled_at: str | None
    delivered_at: str | None
    delayed_at: str | None
    bounced_at: str | None
    bounce: str | None
    complained_at: str | None
    rejected_at: str | None
    opened_at: str | None
    clicked_at: str | None

    @classmethod
    def of(cls, send: Send) -> Self:
        return cls(
            message_id=send.run_id,
            status=send.shown,
            reason=send.reason,
            customer_id=send.customer_id,
            template=send.template,
            topic=send.topic,
            site=send.site,
            attempts=send.attempt,
            requested_at=instants.to_answer(send.requested_at or send.planned_at),
            postponed_until=_at(send.postponed_until),
            expires_at=_at(send.expires_at),
            settled_at=_at(send.settled_at),
            delivered_at=_at(send.delivered_at),
            delayed_at=_at(send.delayed_at),
            bounced_at=_at(send.bounced_at),
            bounce=send.bounce,
            complained_at=_at(send.complained_at),
            rejected_at=_at(send.rejected_at),
            opened_at=_at(send.opened_at),
            clicked_at=_at(send.clicked_at),
        )


def _at(instant: datetime | None) -> str | None:
    return instants.to_answer(instant) if instant else None


class FindOrderBody(Body):
    """What somebody knows who has lost the link to their order."""

    order_id: OrderId
    email: Email
    site: SiteId

    def to_command(self, ip: str) -> FindOrder:
        return FindOrder(site=self.site, order_id=self.order_id, email=self.email, ip=ip)


class SoughtBody(Answer):
    """The same, whether there is such an order or not."""

    detail: str = "If this order was placed with this address, a link to it is on its way there."


class PolicyBody(Body):
    """Whether mail of this kind is to wait. What is paused stays as it is asked for, and goes out when it is resumed."""

    paused: bool
    reason: Name | None = None


class PutSendingBody(Body):
    """What is missing is left as it is. Nothing here arms a table: that is done at the place where the stack is deployed."""

    transactional: PolicyBody | None = None
    marketing: PolicyBody | None = None

    def changes(self) -> dict[Policy, PolicyBody]:
        """Raises Invalid where something is to be paused and nobody says why."""
        asked = {Policy.TRANSACTIONAL: self.transactional, Policy.MARKETING: self.marketing}
        wanted = {policy: body for policy, body in asked.items() if body is not None}
        for policy, body in wanted.items():
            if body.paused and body.reason is None:
                raise Invalid.at(f"/{policy}/reason", "missing", "say why it is paused: others will wonder")
        return wanted


class PolicyStateBody(Answer):
    paused: bool
    since: str | None = None
    by: str | None = None
    reason: str | None = None


class SendingBody(Answer):
    """`armed` says whether this table is the one that may send."""

    armed: bool
    transactional: PolicyStateBody
    marketing: PolicyStateBody

    @classmethod
    def of(cls, sending: Sending, *, is_armed: bool) -> Self:
        return cls(armed=is_armed, **{policy.value: _state(sending, policy) for policy in Policy})


def _state(sending: Sending, policy: Policy) -> PolicyStateBody:
    pause = sending.paused.get(policy)
    if pause is None:
        return PolicyStateBody(paused=False)
    return PolicyStateBody(paused=True, since=instants.to_answer(pause.since), by=pause.by, reason=pause.reason)


class PageMessage(Body):
    """Ids alone: what is to be sent is in the table. A page of a run, or a message that is a run of its own."""

    type: Literal["message", "page"]
    v: Literal[1]
    run_id: Annotated[str, Field(pattern=MESSAGE_ID)]
    shard: Annotated[int, Field(ge=0, le=255)]
