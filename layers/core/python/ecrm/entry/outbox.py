"""The table's stream as an outbox: what was asked for in a transaction is handed on after it."""

from collections.abc import Callable, Mapping
from typing import Any

from ecrm.application.messages import REQUESTED, Confirmed, OrderEvent
from ecrm.application.ports import FailureQueue
from ecrm.domain.errors import Unavailable
from ecrm.domain.instants import from_text

from . import observability
from .stream import failure

_JOB = "JOB#"
_CUSTOMER = "CUSTOMER#"
_ORDER = "order."
_CONSENT = "consent.changed"
_BY_MAIL = ("email", "granted", "double_opt_in")
_NAMED = ("event_id", "shipment_id")


def publish(
    event: Mapping[str, Any],
    *,
    send_job: Callable[[str], None],
    send_message: Callable[[str, int], None],
    plan: Callable[[OrderEvent], object],
    welcome: Callable[[Confirmed], object],
    failures: Callable[[], FailureQueue],
) -> dict[str, list[Any]]:
    """Hand on jobs and messages that were asked for, and plan the mails of orders and welcomes; all else is nothing to do.

    An event that makes no sense is parked by its key, and the batch goes on. Where a queue or the table is unavailable the batch
    is raised after all others were worked on: what is handed on twice is worked on once, and a mail is planned once.
    """
    unavailable: Unavailable | None = None
    confirmed = 0
    parked: list[dict[str, str]] = []
    for record in event["Records"]:
        image = record.get("dynamodb", {}).get("NewImage", {})
        if record.get("eventName") != "INSERT" or not image:
            continue
        try:
            hand_on(image, send_job=send_job, send_message=send_message, plan=plan, welcome=welcome)
            confirmed += is_confirmed(image)
        except Unavailable as error:
            unavailable = error
        except Exception as error:  # noqa: BLE001 (poison, whatever it is: parked for an engineer, never in the way of others)
            observability.warn("parked", error)
            parked.append(failure(record, error))
    if confirmed:
        observability.count("ConsentsConfirmed", confirmed)
    if parked:
        failures().park(parked)
        observability.count("EventsParked", len(parked))
    if unavailable is not None:
        raise unavailable
    return {"batchItemFailures": []}


def hand_on(
    image: Mapping[str, Any],
    *,
    send_job: Callable[[str], None],
    send_message: Callable[[str, int], None],
    plan: Callable[[OrderEvent], object],
    welcome: Callable[[Confirmed], object],
) -> None:
    """Do what one event asks for, given in DynamoDB's JSON; nothing, where it asks for nothing."""
    partition, kind = image["PK"]["S"], image["type"]["S"]
    if partition.startswith(_JOB) and kind == "job.requested":
        send_job(partition.removeprefix(_JOB))
    elif partition.startswith(_CUSTOMER) and kind == REQUESTED:
        said = image["data"]["M"]
        send_message(said["run_id"]["S"], int(said["shard"]["N"]))
    elif partition.startswith(_CUSTOMER) and kind.startswith(_ORDER):
        plan(_order_event(image))
    elif is_confirmed(image):
        welcome(_confirmed(image))


def is_confirmed(image: Mapping[str, Any]) -> bool:
    """Say whether somebody has confirmed by their mailbox, now: not a proof that a file or a merger brought."""
    if image["type"]["S"] != _CONSENT or not image["PK"]["S"].startswith(_CUSTOMER):
        return False
    said = image["data"]["M"]
    return (said["channel"]["S"], said["state"]["S"], said["method"]["S"]) == _BY_MAIL and "proof" in said


def _confirmed(image: Mapping[str, Any]) -> Confirmed:
    said = image["data"]["M"]
    return Confirmed(
        customer_id=image["PK"]["S"].removeprefix(_CUSTOMER),
        site=image["site"]["S"],
        topic=said["topic"]["S"],
        reference=said["proof"]["M"].get("reference", image["id"])["S"],
        occurred_at=from_text(image["occurred_at"]["S"]),
    )


def _order_event(image: Mapping[str, Any]) -> OrderEvent:
    said = image["data"]["M"]
    return OrderEvent(
        id=image["id"]["S"],
        type=image["type"]["S"],
        occurred_at=from_text(image["occurred_at"]["S"]),
        customer_id=image["PK"]["S"].removeprefix(_CUSTOMER),
        site=image["site"]["S"],
        order_id=said["order_id"]["S"],
        backfill=image.get("backfill", {}).get("BOOL", False),
        named={name: said[name]["S"] for name in _NAMED if name in said},
    )
