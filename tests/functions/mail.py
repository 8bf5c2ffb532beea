"""Mail in the shop: SES as far as a sender sees it, and the ways of a message from what asks for it to its end."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from botocore.awsrequest import AWSResponse

from ecrm import bootstrap
from ecrm.application.settling import Settled, SettlingRoom, settle_due
from tests.faults import Deliver, Sent, tapped
from tests.functions.api import Shop

type Answering = Callable[[Sent], AWSResponse]


@dataclass
class Ses:
    """Takes every mail, unless `answering` says otherwise; `mails` are the requests for SendEmail as they came."""

    mails: list[dict[str, Any]] = field(default_factory=list)
    answering: Answering | None = None

    def __call__(self, sent: Sent, deliver: Deliver) -> AWSResponse:
        if sent.operation == "GetAccount":
            return sent.answer({"SendQuota": {"MaxSendRate": 1_000.0}})
        if sent.operation != "SendEmail":
            return deliver()
        self.mails.append(sent.ask)
        return self.answering(sent) if self.answering else sent.answer({"MessageId": f"ses-{len(self.mails)}"})


@contextmanager
def ses(answering: Answering | None = None) -> Iterator[Ses]:
    provider = Ses(answering=answering)
    with tapped(provider):
        yield provider


def send(shop: Shop, answering: Answering | None = None) -> list[dict[str, Any]]:
    """Let everything that was asked for go its way, in a container of its own; gives the mails."""
    bootstrap.sender.cache_clear()
    bootstrap.composer.cache_clear()
    with ses(answering) as provider:
        shop.cloud.publish()
        shop.cloud.publish()  # the events that the first round has written
        assert [] == shop.cloud.send()
    return provider.mails


@dataclass(frozen=True, slots=True)
class Later:
    """Our clock, some time later."""

    by: timedelta

    def now(self) -> datetime:
        return bootstrap.clock.now() + self.by


def settle(by: timedelta) -> Settled:
    """What `settle_sends` does some time later."""
    room = SettlingRoom(
        sends=bootstrap.sends(),
        control=bootstrap.sending_control(),
        queue=bootstrap.message_queue(),
        customers=bootstrap.customers(),
        clock=Later(by),
    )
    return settle_due(room=room, is_late=lambda: False)
