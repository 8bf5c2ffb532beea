"""Notices of SES, as they come through SNS and a queue: in SNS's envelope, or raw.

SES adds fields and kinds of event as it likes, so nothing is refused for being unknown. What is refused is what no notice can be,
or a notice of ours that lacks what makes it one.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from ecrm.domain.consent import digest_of
from ecrm.domain.delivery import Bounce, Notice, What, bounce_of, cause_of, is_machine, shown_link
from ecrm.domain.messages import send_id

from .fields import Instant

LONGEST = 300
"""Characters of what another mail server has to say."""
_TAGS: Mapping[str, re.Pattern[str]] = {
    "send_id": re.compile(r"[0-9a-f]{32}"),
    "attempt": re.compile(r"[1-9][0-9]{0,3}"),
    "run": re.compile(r"[A-Za-z0-9_-]{1,64}"),
    "shard": re.compile(r"0|[1-9][0-9]{0,5}"),
    "customer": re.compile(r"[A-Za-z0-9_-]{1,64}"),
}
_ADDRESS = re.compile(r"[^@\s<>,]{1,64}@[^@\s<>,]{1,253}")
_GREETING = "Successfully validated SNS topic"
"""What SES says to a topic when it is told to use it: no JSON, and no notice."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """Nothing that we act upon: `why` is one of few words."""

    why: str


class _Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True, frozen=True, defer_build=True)


Word = Annotated[str, StringConstraints(max_length=1_000)]


class _Mail(_Wire):
    timestamp: Instant
    message_id: Annotated[str, Field(alias="messageId", min_length=1, max_length=200)]
    destination: list[str]
    tags: dict[str, list[str]] = Field(default_factory=dict)


class _Recipient(_Wire):
    status: str = ""
    diagnostic_code: str = Field("", alias="diagnosticCode")


class _Bounce(_Wire):
    timestamp: Instant
    feedback_id: Word = Field("", alias="feedbackId")
    bounce_type: Word = Field("Undetermined", alias="bounceType")
    bounce_sub_type: Word = Field("Undetermined", alias="bounceSubType")
    bounced_recipients: list[_Recipient] = Field(default_factory=list, alias="bouncedRecipients")


class _Complaint(_Wire):
    timestamp: Instant
    feedback_id: Word = Field("", alias="feedbackId")
    complaint_sub_type: Word | None = Field(None, alias="complaintSubType")
    complaint_feedback_type: Word | None = Field(None, alias="complaintFeedbackType")


class _Delivery(_Wire):
    timestamp: Instant
    processing_time_millis: int = Field(0, alias="processingTimeMillis")


class _Delay(_Wire):
    timestamp: Instant
    delay_type: Word = Field("Undetermined", alias="delayType")


class _Reject(_Wire):
    reason: str = ""


class _Failure(_Wire):
    error_message: str = Field("", alias="errorMessage")


class _Open(_Wire):
    timestamp: Instant
    user_agent: str = Field("", alias="userAgent")


class _Click(_Open):
    link: str = ""


class _Subscription(_Wire):
    timestamp: Instant
    contact_list: Word = Field("", alias="contactList")
    source: Word = ""


def read_notice(body: str) -> Notice | Ignored:
    """Read a message of the queue. Raises ValueError, of which pydantic's is one, where it is none that SES or SNS would send."""
    said = _unwrapped(body)
    if not isinstance(said, dict):
        return Ignored("greeting")
    read = _READERS.get(said.get("eventType", ""))
    if read is None:
        return Ignored("unknown_type")
    mail = _Mail.model_validate(said.get("mail"))
    tags = {name: values[0] for name, values in mail.tags.items() if len(values) == 1}
    if not all(pattern.fullmatch(tags.get(name, "")) for name, pattern in _TAGS.items()):
        return Ignored("foreign")
    if len(mail.destination) != 1:
        return Ignored("several_recipients")
    if tags["send_id"] != send_id(tags["run"], tags["customer"]) or not _ADDRESS.fullmatch(mail.destination[0]):
        return Ignored("foreign")
    return Notice(
        sent_at=mail.timestamp,
        message_id=mail.message_id,
        run_id=tags["run"],
        shard=int(tags["shard"]),
        customer_id=tags["customer"],
        attempt=int(tags["attempt"]),
        address=mail.destination[0],
        **read(said, mail.timestamp),
    )


def _unwrapped(body: str) -> Any:
    """Take SNS's envelope off, where there is one; gives text where SES greets a topic."""
    if body.startswith(_GREETING):
        return body
    said = json.loads(body)
    if not isinstance(said, dict):
        raise TypeError("a notice is an object")
    inner = said.get("Message")
    if "eventType" in said or not isinstance(inner, str):
        return said
    return inner if inner.startswith(_GREETING) else json.loads(inner)


def _sent(_said: Mapping[str, Any], sent_at: datetime) -> dict[str, Any]:
    return {"what": What.SENT, "at": sent_at, "cause": ""}


def _delivered(said: Mapping[str, Any], _sent_at: datetime) -> dict[str, Any]:
    found = _Delivery.model_validate(said.get("delivery"))
    told = {"processing_ms": found.processing_time_millis}
    return {"what": What.DELIVERED, "at": found.timestamp, "cause": cause_of(found.timestamp), "said": told}


def _bounced(said: Mapping[str, Any], _sent_at: datetime) -> dict[str, Any]:
    found = _Bounce.model_validate(said.get("bounce"))
    bounce: Bounce = bounce_of(found.bounce_type, found.bounce_sub_type)
    told = {"bounce": bounce.value, "type": found.bounce_type, "sub_type": found.bounce_sub_type}
    for recipient in found.bounced_recipients[:1]:
        more = {"status": recipient.status[:LONGEST], "diagnostic": recipient.diagnostic_code[:LONGEST]}
        told |= {name: text for name, text in more.items() if text}
    cause = cause_of(found.timestamp, found.feedback_id)
    return {"what": What.BOUNCED, "at": found.timestamp, "cause": cause, "bounce": bounce, "said": told}


def _complained(said: Mapping[str, Any], _sent_at: datetime) -> dict[str, Any]:
    found = _Complaint.model_validate(said.get("complaint"))
    what = What.CLEARED if found.complaint_feedback_type == "not-spam" else What.COMPLAINED
    more = {"feedback_type": found.complaint_feedback_type, "sub_type": found.complaint_sub_type}
    told = {name: text for name, text in more.items() if text}
    return {"what": what, "at": found.timestamp, "cause": cause_of(found.timestamp, found.feedback_id), "said": told}


def _delayed(said: Mapping[str, Any], _sent_at: datetime) -> dict[str, Any]:
    found = _Delay.model_validate(said.get("deliveryDelay"))
    cause = cause_of(found.timestamp, found.delay_type)
    return {"what": What.DELAYED, "at": found.timestamp, "cause": cause, "said": {"type": found.delay_type}}


def _rejected(said: Mapping[str, Any], sent_at: datetime) -> dict[str, Any]:
    reason = _Reject.model_validate(said.get("reject")).reason[:LONGEST]
    return {"what": What.REJECTED, "at": sent_at, "cause": cause_of(sent_at, reason), "said": {"reason": reason}}


def _not_rendered(said: Mapping[str, Any], sent_at: datetime) -> dict[str, Any]:
    detail = _Failure.model_validate(said.get("failure")).error_message[:LONGEST]
    told = {"reason": "rendering_failure", "detail": detail}
    return {"what": What.REJECTED, "at": sent_at, "cause": cause_of(sent_at, detail), "said": told}


def _opened(said: Mapping[str, Any], sent_at: datetime) -> dict[str, Any]:
    found = _Open.model_validate(said.get("open"))
    return _looked(What.OPENED, found, sent_at, {}, "")


def _clicked(said: Mapping[str, Any], sent_at: datetime) -> dict[str, Any]:
    found = _Click.model_validate(said.get("click"))
    return _looked(What.CLICKED, found, sent_at, {"link": shown_link(found.link)}, found.link)


def _looked(what: What, found: _Open, sent_at: datetime, told: dict[str, Any], link: str) -> dict[str, Any]:
    machine = is_machine(found.user_agent, found.timestamp, sent_at)
    return {
        "what": what,
        "at": found.timestamp,
        "cause": cause_of(found.timestamp, link, found.user_agent),
        "is_machine": machine,
        "said": told | ({"machine": True} if machine else {}),
    }


def _subscribed(said: Mapping[str, Any], _sent_at: datetime) -> dict[str, Any]:
    found = _Subscription.model_validate(said.get("subscription"))
    told = {"source": found.source, "contact_list": found.contact_list}
    changed = digest_of([json.dumps(said["subscription"], sort_keys=True)])
    cause = cause_of(found.timestamp, changed)
    return {"what": What.SUBSCRIPTION_CHANGED, "at": found.timestamp, "cause": cause, "said": told}


_READERS = {
    "Send": _sent,
    "Delivery": _delivered,
    "Bounce": _bounced,
    "Complaint": _complained,
    "DeliveryDelay": _delayed,
    "Reject": _rejected,
    "Rendering Failure": _not_rendered,
    "Open": _opened,
    "Click": _clicked,
    "Subscription": _subscribed,
}
