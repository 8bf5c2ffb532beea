"""Notices of SES: valid by default, as a configuration set's event destination publishes them."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from ecrm.contracts.delivery import Ignored, read_notice
from ecrm.domain.delivery import Notice
from ecrm.domain.instants import to_text
from ecrm.domain.messages import send_id
from tests.builders import NOON

BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
ADDRESS = "sara@example.com"
RUN, CUSTOMER = "019aa2c7d1e07a3e9b1f5a9b2d4e6f81", "019aa2c6f0b07d3e8c1f5a9b2d4e6f80"

_SECTIONS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "Send": ("send", {}),
    "Delivery": ("delivery", {"processingTimeMillis": 1_893, "smtpResponse": "250 2.6.0 Message received"}),
    "Bounce": ("bounce", {"bounceType": "Permanent", "bounceSubType": "General", "feedbackId": "f-1"}),
    "Complaint": ("complaint", {"complaintFeedbackType": "abuse", "complaintSubType": None, "feedbackId": "f-2"}),
    "DeliveryDelay": ("deliveryDelay", {"delayType": "MailboxFull"}),
    "Reject": ("reject", {"reason": "Bad content"}),
    "Rendering Failure": ("failure", {"errorMessage": "An attribute is missing", "templateName": "a"}),
    "Open": ("open", {"ipAddress": "192.0.2.1", "userAgent": BROWSER}),
    "Click": ("click", {"ipAddress": "192.0.2.1", "userAgent": BROWSER, "link": "https://shop.example.com/records?page=2"}),
    "Subscription": ("subscription", {"contactList": "all", "source": "UnsubscribeHeader"}),
}
_TIMELESS = ("Send", "Reject", "Rendering Failure")


def a_notice(  # one argument for each thing that tells two notices apart
    kind: str = "Delivery",
    seconds: float = 60,
    *,
    run: str = RUN,
    customer: str = CUSTOMER,
    attempt: int = 1,
    sent: datetime = NOON,
    address: str = ADDRESS,
    tags: Mapping[str, str] | None = None,
    mail: Mapping[str, Any] | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """What SES publishes `seconds` after it took an attempt to send a message, which it did at `sent`."""
    name, section = _SECTIONS[kind]
    time = {} if kind in _TIMELESS else {"timestamp": to_text(sent + timedelta(seconds=seconds))}
    people = {"Bounce": "bouncedRecipients", "Complaint": "complainedRecipients"}
    whom = {people[kind]: [{"emailAddress": address}]} if kind in people else {}
    if tags is None:
        ours = {"send_id": send_id(run, customer), "attempt": str(attempt), "run": run, "shard": "0", "customer": customer}
    else:
        ours = dict(tags)
    return {
        "eventType": kind,
        "mail": {
            "timestamp": to_text(sent),
            "source": "shop@example.com",
            "messageId": f"0100-{run}-{attempt}",
            "destination": [address],
            "headers": [{"name": "To", "value": address}],
            "commonHeaders": {"to": [address], "subject": "Your order"},
            "tags": {"ses:configuration-set": ["transactional"], **{name: [value] for name, value in ours.items()}},
            **(mail or {}),
        },
        name: {**section, **time, **whom, **changes},
    }


def wrapped(notice: Any) -> str:
    """The body of a queue's message: SNS's envelope around a notice."""
    inner = notice if isinstance(notice, str) else json.dumps(notice)
    return json.dumps(
        {
            "Type": "Notification",
            "MessageId": "2b3d6ba0-5d0a-5b7e-9d43-7f1f2f0f6b11",
            "TopicArn": "arn:aws:sns:eu-central-1:123456789012:mail",
            "Subject": "Amazon SES Email Event Notification",
            "Message": inner,
            "Timestamp": "2026-11-20T12:01:00.123Z",
        }
    )


def told(kind: str, seconds: float = 60, **changes: Any) -> Notice:
    """A notice as it is read."""
    notice = read_notice(wrapped(a_notice(kind, seconds, **changes)))
    assert not isinstance(notice, Ignored)
    return notice
