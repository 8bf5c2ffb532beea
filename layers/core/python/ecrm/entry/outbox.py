"""The table's stream as an outbox: what was asked for in a transaction is handed on after it."""

from collections.abc import Callable, Mapping
from typing import Any

_PARTITION = "JOB#"
_REQUESTED = "job.requested"


def publish(event: Mapping[str, Any], send: Callable[[str], None]) -> dict[str, list[Any]]:
    """Hand on every job that was asked for; a removal, a record without an image or of an unknown type is nothing to do.

    Where the queue takes nothing the batch is raised: a job that is handed on twice is worked on once.
    """
    for record in event["Records"]:
        image = record.get("dynamodb", {}).get("NewImage", {})
        partition = image.get("PK", {}).get("S", "")
        is_request = image.get("type", {}).get("S") == _REQUESTED and partition.startswith(_PARTITION)
        if record.get("eventName") == "INSERT" and is_request:
            send(partition.removeprefix(_PARTITION))
    return {"batchItemFailures": []}
