"""Contacts on the wire."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from ecrm.application.contacts import RecordContact
from ecrm.domain import instants

from .fields import Answer, Body, EventId, Instant, Name, OrderId, SiteId

LONGEST_TEXT = 10 * 1024
"""Bytes of UTF-8."""

Channel = Literal["call", "visit", "chat", "partner", "post", "email", "sms"]
Direction = Literal["inbound", "outbound"]
Role = Literal["customer", "agent", "partner", "system"]


def _short_enough(value: str) -> str:
    if len(value.encode()) > LONGEST_TEXT:
        raise PydanticCustomError("text_too_large", "a text is at most 10 KB of UTF-8")
    return value


class AuthorBody(Body):
    role: Role
    name: Name | None = None


class RecordContactBody(Body):
    """Without a `contact_id` the body itself is the contact's name: the same body is recorded once."""

    channel: Channel
    direction: Direction
    text: Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT), AfterValidator(_short_enough)]
    subject: Name | None = None
    author: AuthorBody
    occurred_at: Instant
    contact_id: EventId | None = None
    order_id: OrderId | None = None
    site: SiteId | None = None
    backfill: bool = False

    def to_command(self, customer_id: str, site: str, *, digest: str, source: str) -> RecordContact:
        return RecordContact(
            customer_id=customer_id,
            site=site,
            contact_id=self.contact_id or digest,
            occurred_at=self.occurred_at,
            said=self.model_dump(include=_SAID, exclude_none=True),
            backfill=self.backfill,
            digest=digest,
            source=source,
        )


_SAID = {"channel", "direction", "text", "subject", "author", "order_id"}


class AuthorAnswer(Answer):
    role: str
    name: str | None = None


class ContactBody(Answer):
    """A contact as it stands on the timeline of the customer."""

    contact_id: str
    customer_id: str
    site: str
    channel: str
    direction: str
    text: str
    subject: str | None
    author: AuthorAnswer
    occurred_at: str
    order_id: str | None
    backfill: bool

    @classmethod
    def of(cls, command: RecordContact, customer_id: str) -> Self:
        told: dict[str, Any] = {"subject": None, "order_id": None} | dict(command.said)
        return cls(
            contact_id=command.contact_id,
            customer_id=customer_id,
            site=command.site,
            occurred_at=instants.to_answer(command.occurred_at),
            backfill=command.backfill,
            author=AuthorAnswer(**told.pop("author")),
            **told,
        )
