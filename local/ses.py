"""What Amazon SES does and MiniStack does not: look closely at a mail before it takes it, and report what became of it.

Nothing here knows MiniStack: a request is SendEmail's of the API's second version, a mail is what `local/emulator.py` keeps
of one that was taken.
"""

import json
import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.header import Header
from email.utils import parseaddr
from typing import Any

import botocore.session

type Mail = dict[str, Any]
"""MiniStack's record of a mail, with `ConfigurationSetName`, `EmailTags`, `Headers` and `ReplyToAddresses` as they were sent,
and `Reported`: what was reported of it, oldest first."""

REPORTS = {
    "send": ("Send", "sent"),
    "reject": ("Reject", "rejected"),
    "deliver": ("Delivery", "delivered"),
    "bounce": ("Bounce", "hard bounce"),
    "soft": ("Bounce", "soft bounce"),
    "complain": ("Complaint", "complained"),
    "delay": ("DeliveryDelay", "delayed"),
    "open": ("Open", "opened"),
    "click": ("Click", "clicked"),
}
"""What can become of a mail: by the word for it, SES's name of the event, and how it is told."""
OF_SES = {"bcc", "cc", "content-disposition", "content-type", "date", "from", "message-id", "mime-version", "reply-to"} | {
    "return-path",
    "subject",
    "to",
}
"""Headers that SES sets itself and refuses (https://docs.aws.amazon.com/ses/latest/dg/header-fields.html)."""
TAG = re.compile(r"[A-Za-z0-9_-]{1,256}")
RECIPIENTS = 50
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


def refusal(request: dict[str, Any], configuration_sets: set[str]) -> tuple[str, str] | None:
    """Say why SES would not take a mail: its error's code and a sentence; None where it would.

    Lengths and patterns are those of botocore's model of the API. Whether the sender is verified, MiniStack looks at itself.
    """
    model = botocore.session.get_session().get_service_model("sesv2")
    for complaint in (*_outside(request, model.operation_model("SendEmail").input_shape, ""), *_beside(request)):
        return "BadRequestException", complaint
    name = request.get("ConfigurationSetName")
    if name is not None and name not in configuration_sets:
        return "NotFoundException", f"Configuration set <{name}> does not exist."
    return None


def _outside(value: Any, shape: Any, path: str) -> Iterator[str]:
    """What is longer, shorter or of other characters than the API's model allows; botocore's own check leaves these out."""
    least, most = shape.metadata.get("min", 0), shape.metadata.get("max")
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            if name in value:
                yield from _outside(value[name], member, f"{path}/{name}")
    elif shape.type_name == "list":
        for number, each in enumerate(value):
            yield from _outside(each, shape.member, f"{path}/{number}")
    if isinstance(value, str | list) and not least <= len(value) <= (most or len(value)):
        yield f"{path}: {len(value)} long, {least} to {most} are allowed"
    pattern = shape.metadata.get("pattern", "")
    if pattern and not re.fullmatch(pattern, value):
        yield f"{path}: does not match {pattern}"


def _beside(request: dict[str, Any]) -> Iterator[str]:
    """What SES refuses and its model does not say."""
    simple = request.get("Content", {}).get("Simple", {})
    headers = [header["Name"].lower() for header in simple.get("Headers", [])]
    addresses = [address for addresses in request.get("Destination", {}).values() for address in addresses]
    named = [request.get("FromEmailAddress", ""), *addresses, *request.get("ReplyToAddresses", [])]
    if simple and not simple.get("Body"):
        yield "Content/Simple/Body: neither Text nor Html"
    if set(headers) & OF_SES:
        yield f"Content/Simple/Headers: SES sets {sorted(set(headers) & OF_SES)} itself"
    if len(headers) != len(set(headers)):
        yield "Content/Simple/Headers: one of them twice"
    if not 1 <= len(addresses) <= RECIPIENTS:
        yield f"Destination: {len(addresses)} recipients, 1 to {RECIPIENTS} are allowed"
    if not all(address.isascii() and address.isprintable() and "@" in parseaddr(address)[1] for address in named):
        yield "an address is no address, or has letters that should be encoded"
    tags = [(tag["Name"], tag["Value"]) for tag in request.get("EmailTags", [])]
    if not all(TAG.fullmatch(part) for tag in tags for part in tag):
        yield "EmailTags: only letters, digits, _ and - of ASCII, 256 at most"
    if len(dict(tags)) != len(tags):
        yield "EmailTags: one of them twice"


def notice(mail: Mail, word: str, link: str, now: datetime) -> dict[str, Any]:
    """Write what SES publishes of an event, in the shape of its event publishing."""
    kind, _ = REPORTS[word]
    to, at = mail["To"], _instant(now)
    feedback = {"timestamp": at, "feedbackId": f"{uuid.uuid4()}-000000"}
    reader = {"timestamp": at, "ipAddress": "192.0.2.1", "userAgent": BROWSER}
    said: dict[str, dict[str, Any]] = {
        "send": {},
        "reject": {"reason": "Bad content"},
        "deliver": {
            "timestamp": at,
            "processingTimeMillis": 1200,
            "recipients": to,
            "smtpResponse": "250 2.6.0 Message received",
            "reportingMTA": "mta.example.com",
        },
        "bounce": feedback
        | {"bounceType": "Permanent", "bounceSubType": "General", "reportingMTA": "dsn; mta.example.com"}
        | {"bouncedRecipients": _failed(to, "failed", "5.1.1", "smtp; 550 5.1.1 user unknown")},
        "soft": feedback
        | {"bounceType": "Transient", "bounceSubType": "MailboxFull", "reportingMTA": "dsn; mta.example.com"}
        | {"bouncedRecipients": _failed(to, "failed", "4.2.2", "smtp; 452 4.2.2 mailbox full")},
        "complain": feedback
        | {"complainedRecipients": [{"emailAddress": address} for address in to], "arrivalDate": at}
        | {"complaintSubType": None, "complaintFeedbackType": "abuse", "userAgent": "ExampleCorp Feedback Loop (V0.01)"},
        "delay": {
            "timestamp": at,
            "delayType": "TransientCommunicationFailure",
            "expirationTime": _instant(now + timedelta(hours=12)),
            "delayedRecipients": [
                {"emailAddress": address, "status": "4.4.1", "diagnosticCode": "smtp; 421 4.4.1 Unable to connect"}
                for address in to
            ],
        },
        "open": reader,
        "click": reader | {"link": link, "linkTags": None},
    }
    field = kind[0].lower() + kind[1:]
    return {"eventType": kind, "mail": _mail(mail), field: said[word]}


def _failed(to: list[str], action: str, status: str, code: str) -> list[dict[str, str]]:
    return [{"emailAddress": address, "action": action, "status": status, "diagnosticCode": code} for address in to]


def _mail(mail: Mail) -> dict[str, Any]:
    """The mail as every event shows it: whom it was for, its headers and its tags."""
    tags = {tag["Name"]: tag["Value"] for tag in mail["EmailTags"]}
    sets = mail["ConfigurationSetName"]
    headers = [
        ("X-SES-CONFIGURATION-SET", sets),
        ("X-SES-MESSAGE-TAGS", ", ".join(f"{name}={value}" for name, value in tags.items())),
        ("From", mail["Source"]),
        ("Reply-To", ", ".join(mail["ReplyToAddresses"])),
        ("To", ", ".join(mail["To"])),
        ("Subject", Header(mail["Subject"], "utf-8").encode()),
        ("MIME-Version", "1.0"),
        ("Content-Type", 'multipart/alternative;  boundary="----=_Part_1"'),
        *((header["Name"], header["Value"]) for header in mail["Headers"]),
    ]
    own = {
        "ses:operation": "SendEmail",
        "ses:configuration-set": sets,
        "ses:source-ip": "192.0.2.2",
        "ses:from-domain": parseaddr(mail["Source"])[1].rpartition("@")[2],
        "ses:caller-identity": "SendMessagesFunction",
    }
    return {
        "timestamp": _instant(datetime.fromtimestamp(mail["Timestamp"], UTC)),
        "source": mail["Source"],
        "sendingAccountId": "000000000000",
        "messageId": mail["MessageId"],
        "destination": mail["To"],
        "headersTruncated": False,
        "headers": [{"name": name, "value": value} for name, value in headers if value],
        "commonHeaders": {
            "from": [mail["Source"]],
            "to": mail["To"],
            "messageId": mail["MessageId"],
            "subject": mail["Subject"],
        },
        "tags": {name: [value] for name, value in (own | tags).items() if value},
    }


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def as_message(event: dict[str, Any]) -> dict[str, str]:
    """Put an event into what SES hands to SNS."""
    return {"Subject": "Amazon SES Email Event Notification", "Message": json.dumps(event, ensure_ascii=False)}
