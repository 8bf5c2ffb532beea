"""A queue's messages: each is worked on by itself, and exactly those that failed are delivered again."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel

from ecrm.domain.errors import Unavailable

from . import observability

RESERVE_MILLISECONDS = 20_000
"""What a function keeps of its time: a step that has begun must come to its end."""


def consume[M: BaseModel](
    event: Mapping[str, Any], shape: type[M], work: Callable[[M], object]
) -> dict[str, list[dict[str, str]]]:
    """Call `work` for each message, and name the messages that failed."""
    return consume_each(
        event,
        read=lambda body: shape.model_validate(json.loads(body)),
        ids_of=lambda message: message.model_dump(exclude={"type", "v"}),
        work=work,
    )


def consume_each[M](
    event: Mapping[str, Any],
    *,
    read: Callable[[str], M],
    ids_of: Callable[[M], Mapping[str, Any]],
    work: Callable[[M], object],
) -> dict[str, list[dict[str, str]]]:
    """Call `work` for what is read in each message, and name the messages that failed; logs have their ids.

    One that cannot be read fails as well, until the queue gives it up to its dead letters: nobody may lose it in silence.
    """
    failed: list[dict[str, str]] = []
    for record in event["Records"]:
        ids: Mapping[str, Any] = {}
        try:
            message = read(record["body"])
            ids = ids_of(message)
            work(message)
        except Unavailable as error:
            observability.warn("unavailable", error, record=record["messageId"], **ids)
            failed.append({"itemIdentifier": record["messageId"]})
        except Exception as error:  # noqa: BLE001 (poison, whatever it is, is never in the way of others)
            observability.alarm("unhandled in a queue", error, record=record["messageId"], **ids)
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}


def lateness(context: Any, reserve_milliseconds: int = RESERVE_MILLISECONDS) -> Callable[[], bool]:
    """Say whether a function should begin nothing new."""
    return lambda: context.get_remaining_time_in_millis() < reserve_milliseconds
