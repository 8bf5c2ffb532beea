"""SES: one mail, one HTTP request, and what its answer says of the mail.

SES has no token that would make sending twice be once, so a request is never repeated here, whatever became of it. An answer
below 500 says that SES did not take the mail, and whether it ever would. Anything else leaves it open: an answer that did not
come, or that speaks of SES's own trouble, says nothing of what happened before it.
https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html#API_SendEmail_Errors
"""

import re
from collections.abc import Callable, Iterable, Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ProxyConnectionError,
)

from ecrm.application.mail_ports import Mail
from ecrm.domain.errors import Invalid
from ecrm.domain.messages import Accepted, Ambiguous, NotSent, Policy, Refused, Reply

from . import headers

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client

ONE_ATTEMPT = Config(
    retries={"mode": "standard", "total_max_attempts": 1}, connect_timeout=2, read_timeout=10, tcp_keepalive=True
)
"""botocore would send a mail three times by itself."""
IDLE_SECONDS = 5
"""A connection that was not used for so long is not used again: a function may have been frozen meanwhile, and a mail that goes
into a connection whose other end is gone is one of which nobody knows."""

_REFUSED = frozenset(
    {
        "BadRequestException",
        "MailFromDomainNotVerifiedException",
        "MessageRejected",
        "RequestEntityTooLargeException",
        "ValidationError",
        "ValidationException",
    }
)
"""What SES says of this mail, and would say of it again."""
_ABORTED = "RequestAbortedException"
"""Below 500, and yet it says only that the answer was not waited for."""
_NEVER_LEFT = (
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
    ProxyConnectionError,
)
"""What botocore raises before the first byte of a request is sent."""
_CLIENT_ERRORS = range(400, 500)
_LINK = re.compile(r"(?<![\w:-])href\s*=\s*[\"']?\s*", re.IGNORECASE)
"""All in front of a link's address, however an author writes it."""


class SesMailer:
    """`configuration_sets` has one for each policy. `monotonic` counts seconds. The client is to be made with ONE_ATTEMPT."""

    def __init__(self, client: "SESV2Client", configuration_sets: Mapping[Policy, str], monotonic: Callable[[], float]) -> None:
        self._client = client
        self._sets = configuration_sets
        self._monotonic = monotonic
        self._used_at = monotonic()

    def send(self, mail: Mail) -> Reply:
        try:
            ask = self._ask(mail)
        except Invalid as error:
            return Refused(error.code)
        if self._monotonic() - self._used_at >= IDLE_SECONDS:
            self._client.close()
        try:
            answer = self._client.send_email(**ask)
        except ClientError as error:
            return _answered(error)
        except ParamValidationError as error:
            return Refused(type(error).__name__)
        except _NEVER_LEFT as error:
            return NotSent(type(error).__name__)
        except BotoCoreError as error:
            return Ambiguous(type(error).__name__)
        finally:
            self._used_at = self._monotonic()
        message_id = answer.get("MessageId")
        return Accepted(message_id) if message_id else Ambiguous("NoMessageId")

    def _ask(self, mail: Mail) -> dict[str, Any]:
        simple: dict[str, Any] = {
            "Subject": _text(headers.subject(mail.subject)),
            "Body": {"Html": _text(_untracked(mail.html, mail.untracked)), "Text": _text(mail.text)},
            "Headers": [{"Name": name, "Value": headers.value(text)} for name, text in mail.headers.items()],
        }
        ask: dict[str, Any] = {
            "FromEmailAddress": headers.mailbox(mail.from_name, mail.from_address),
            "Destination": {"ToAddresses": [headers.addr_spec(mail.to)]},
            "Content": {"Simple": simple},
            "EmailTags": [{"Name": name, "Value": value} for name, value in mail.tags.items()],
            "ConfigurationSetName": self._sets[mail.policy],
        }
        return ask | ({"ReplyToAddresses": [headers.addr_spec(mail.reply_to)]} if mail.reply_to else {})


def _untracked(html: str, addresses: Iterable[str]) -> str:
    """Mark links that lead there without a detour; SES takes the mark out again.

    https://docs.aws.amazon.com/ses/latest/dg/faqs-metrics.html#sending-metric-faqs-clicks-q4
    """
    ours = tuple(map(escape, addresses))

    def marked(link: re.Match[str]) -> str:
        return f"ses:no-track {link[0]}" if html.startswith(ours, link.end()) else link[0]

    return _LINK.sub(marked, html)


def _text(data: str) -> dict[str, str]:
    return {"Data": data, "Charset": "UTF-8"}


def _answered(error: ClientError) -> Reply:
    code = error.response["Error"]["Code"]
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    if status not in _CLIENT_ERRORS or code == _ABORTED:
        return Ambiguous(code)
    return Refused(code) if code in _REFUSED else NotSent(code)
