"""Delivery at the door: each notice is taken down by itself, and exactly those that failed are delivered again."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from ecrm.application.delivery import Outcome
from ecrm.contracts.delivery import Ignored, read_notice
from ecrm.domain.delivery import Notice, What

from . import observability
from .queue import consume_each

COUNTED = {
    What.DELIVERED: "MessagesDelivered",
    What.BOUNCED: "MessagesBounced",
    What.COMPLAINED: "MessagesComplained",
    What.REJECTED: "MessagesRejected",
}
"""What the dashboard shows; opens and clicks are the customers' and not the system's."""


def consume(event: Mapping[str, Any], use: Callable[[Notice], Outcome]) -> dict[str, list[dict[str, str]]]:
    """Take down the notice in each message, and name the messages that failed.

    A notice that is none of ours, or of a kind that we do not know, is counted and done.
    """
    counted: Counter[str] = Counter()

    def take_down(notice: Notice | Ignored) -> None:
        outcome = None if isinstance(notice, Ignored) else use(notice)
        if isinstance(notice, Ignored) or outcome is Outcome.UNKNOWN:
            why = notice.why if isinstance(notice, Ignored) else "unknown_send"
            observability.note("notice ignored", why=why, **_ids(notice))
            counted["DeliveryNoticesIgnored"] += 1
        elif outcome is Outcome.RECORDED and notice.what in COUNTED:
            counted[COUNTED[notice.what]] += 1

    answer = consume_each(event, read=read_notice, ids_of=_ids, work=take_down)
    for metric, times in counted.items():
        observability.count(metric, times)
    return answer


def _ids(notice: Notice | Ignored) -> dict[str, Any]:
    """Name a notice in logs by ids alone: it is full of addresses."""
    if isinstance(notice, Ignored):
        return {}
    return {"send_id": notice.send_id, "attempt": notice.attempt, "what": notice.what.value}
