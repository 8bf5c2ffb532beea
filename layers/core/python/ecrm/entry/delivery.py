"""Delivery at the door: each notice is taken down by itself, and exactly those that failed are delivered again."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from ecrm.application.delivery import Outcome
from ecrm.contracts.delivery import Ignored, read_notice
from ecrm.domain.delivery import Notice, What
from ecrm.domain.errors import Unavailable

from . import observability

COUNTED = {
    What.DELIVERED: "MessagesDelivered",
    What.BOUNCED: "MessagesBounced",
    What.COMPLAINED: "MessagesComplained",
    What.REJECTED: "MessagesRejected",
}
"""What the dashboard shows; opens and clicks are the customers' and not the system's."""


def consume(event: Mapping[str, Any], use: Callable[[Notice], Outcome]) -> dict[str, list[dict[str, str]]]:
    """Take down the notice in each message, and name the messages that failed.

    A notice that is none of ours, or of a kind that we do not know, is counted and done. What is no notice at all fails, until
    the queue gives it up to its dead letters. Logs have ids alone: a notice is full of addresses.
    """
    failed: list[dict[str, str]] = []
    counted: Counter[str] = Counter()
    for record in event["Records"]:
        ids: dict[str, Any] = {"record": record["messageId"]}
        try:
            notice = read_notice(record["body"])
            if isinstance(notice, Ignored):
                observability.note("notice ignored", why=notice.why, **ids)
                counted["DeliveryNoticesIgnored"] += 1
                continue
            ids |= {"send_id": notice.send_id, "attempt": notice.attempt, "what": notice.what.value}
            outcome = use(notice)
            if outcome is Outcome.UNKNOWN:
                observability.note("notice ignored", why="unknown_send", **ids)
                counted["DeliveryNoticesIgnored"] += 1
            elif outcome is Outcome.RECORDED and notice.what in COUNTED:
                counted[COUNTED[notice.what]] += 1
        except Unavailable as error:
            observability.warn("unavailable", error, **ids)
            failed.append({"itemIdentifier": record["messageId"]})
        except Exception as error:  # noqa: BLE001 (poison, whatever it is, is never in the way of others)
            observability.alarm("unhandled in a queue", error, **ids)
            failed.append({"itemIdentifier": record["messageId"]})
    for metric, times in counted.items():
        observability.count(metric, times)
    return {"batchItemFailures": failed}
