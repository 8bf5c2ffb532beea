"""Sending at the door: a worker's time, and what is counted of what it did."""

from collections import Counter
from collections.abc import Callable
from typing import Protocol

from ecrm.application.sending import Hold, Settled, Worked
from ecrm.contracts.messages import PageMessage
from ecrm.domain.messages import Status

from . import observability
from .queue import lateness

SEND_MILLISECONDS = 30_000
"""What one send may take that has begun: a slot of the rate, the claim, twelve seconds of SES, and the outcome."""
COUNTED = {
    Status.ACCEPTED: "MessagesAccepted",
    Status.FAILED: "MessagesFailed",
    Status.SUPPRESSED: "MessagesSuppressed",
    Status.UNKNOWN: "MessagesInDoubt",
    Status.UNKNOWN_FINAL: "MessagesUnresolved",
    Status.NO_CONSENT: "MessagesWithoutConsent",
    Status.CAPPED: "MessagesCapped",
    Status.EXPIRED: "MessagesExpired",
}


class Work(Protocol):
    def __call__(self, run_id: str, shard: int, *, is_late: Callable[[], bool]) -> Worked: ...


def work(message: PageMessage, *, context: object, use: Work) -> None:
    """Work on the page that a message names."""
    worked = use(message.run_id, message.shard, is_late=lateness(context, SEND_MILLISECONDS))
    _count(worked.statuses)
    if worked.statuses[Status.PLANNED]:  # it was their turn, and their receivers sleep
        observability.count("MessagesPostponed", worked.statuses[Status.PLANNED])
    if worked.held is not None:
        observability.note("held", run_id=message.run_id, shard=message.shard, by=worked.held)
    if worked.held is Hold.NOT_ARMED:
        observability.count("SendingNotArmed")
    if worked.broken is not None:
        observability.alarm("an entry breaks beside others", worked.broken, run_id=message.run_id, shard=message.shard)
    if worked.has_opened_breaker:
        observability.count("SendingBroken")


class CampaignsBehind(Exception):
    """Nobody comes back to campaigns, or a run is stuck: whoever settles sends says so, because its errors ring."""


def settle(context: object, use: Callable[[Callable[[], bool]], Settled], is_behind: Callable[[], bool]) -> None:
    """Come back to every page that is due. Raises CampaignsBehind when that is done."""
    settled = use(lateness(context))
    _count(settled.statuses)
    observability.note("settled", pages=settled.pages, failed=settled.failed)
    if settled.held[Hold.NOT_ARMED]:
        observability.count("SendingNotArmed")
    if is_behind():
        raise CampaignsBehind


def _count(statuses: Counter[Status]) -> None:
    for status, metric in COUNTED.items():
        if statuses[status]:
            observability.count(metric, statuses[status])
