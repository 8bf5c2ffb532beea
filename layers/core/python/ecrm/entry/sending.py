"""Sending at the door: a worker's time, and what is counted of what it did."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from ecrm.application.eligibility import Hold
from ecrm.application.sending import Worked
from ecrm.application.settling import Settled
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
    def __call__(self, run_id: str, shard: int, *, is_of_many: bool, is_late: Callable[[], bool]) -> Worked: ...


def in_turn(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give a batch with messages before pages of runs: a page takes all the time that there is, and whoever follows has none."""
    return {**event, "Records": sorted(event["Records"], key=lambda record: _is_page(record["body"]))}


def _is_page(body: str) -> bool:
    try:
        said = json.loads(body)
    except ValueError:  # whoever reads it says so
        return False
    return isinstance(said, dict) and said.get("type") == "page"


def work(message: PageMessage, *, context: object, use: Work) -> None:
    """Work on the page that a message names."""
    is_of_many = message.type == "page"
    worked = use(message.run_id, message.shard, is_of_many=is_of_many, is_late=lateness(context, SEND_MILLISECONDS))
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
