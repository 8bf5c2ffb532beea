"""The table's stream: each record is a new event, each customer named in a batch is worked on once."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ecrm.application.ports import FailureQueue
from ecrm.application.statistics import Happened
from ecrm.domain.errors import Unavailable
from ecrm.domain.instants import from_text

from . import observability

_PARTITION = "CUSTOMER#"


def consume(
    event: Mapping[str, Any],
    *,
    concerns: Callable[[str], bool],
    work: Callable[[str, Sequence[Happened]], object],
    failures: FailureQueue,
) -> dict[str, list[Any]]:
    """Call `work` once for each customer who has events whose type `concerns` us, with those.

    A customer whose facts cannot be worked on is parked by the key of each of their events, and the batch goes on. Where the
    table or the queue is unavailable the batch is raised after all others were worked on: everything here may be done twice.
    """
    unavailable: Unavailable | None = None
    parked: list[dict[str, str]] = []
    for customer_id, records in _by_customer(event["Records"], concerns).items():
        try:
            work(customer_id, [_happened(record) for record in records])
        except Unavailable as error:
            unavailable = error
        except Exception as error:  # noqa: BLE001 (poison, whatever it is: parked for an engineer, never in the way of others)
            observability.warn("parked", error, customer_id=customer_id, events=len(records))
            parked += [failure(record, error) for record in records]
    if parked:
        failures.park(parked)
        observability.count("EventsParked", len(parked))
    if unavailable is not None:
        raise unavailable
    return {"batchItemFailures": []}


def _by_customer(records: list[Mapping[str, Any]], concerns: Callable[[str], bool]) -> dict[str, list[Mapping[str, Any]]]:
    """Group what concerns us; a removal, a record without an image or of an unknown type is nothing to do."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        image = record.get("dynamodb", {}).get("NewImage", {})
        partition = image.get("PK", {}).get("S", "")
        kind = image.get("type", {}).get("S", "")
        if record.get("eventName") == "INSERT" and partition.startswith(_PARTITION) and concerns(kind):
            found.setdefault(partition.removeprefix(_PARTITION), []).append(record)
    return found


def _happened(record: Mapping[str, Any]) -> Happened:
    """Read type and time of an event, the time from its key."""
    image = record["dynamodb"]["NewImage"]
    _, occurred_at, _ = image["SK"]["S"].split("#", 2)
    return Happened(image["type"]["S"], from_text(occurred_at))


def failure(record: Mapping[str, Any], error: Exception) -> dict[str, str]:
    """Name the event by ids alone, for the queue and for whoever repairs it."""
    image = record["dynamodb"]["NewImage"]
    return {
        "type": "parked_event",
        "v": "1",
        "pk": image["PK"]["S"],
        "sk": image["SK"]["S"],
        "error": type(error).__name__,
    }
