"""Batches: each element is judged by itself, and answered as the single call would have been."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from ecrm.application.orders import Recorded
from ecrm.application.ports import Outcome, Requests
from ecrm.contracts.orders import BatchBody, BatchResultBody
from ecrm.domain.errors import EcrmError, TooLarge

from . import observability
from .http import LARGEST_BODY, Call, Reply
from .problems import internal_problem, problem_of, status_of


def run_batch(call: Call, elements: Sequence[Any], record: Callable[[Any, None], Recorded], requests: Requests) -> Reply:
    """Record every element in the order given; one that is refused does not stop the others.

    The whole batch may be sent again: what was recorded is then answered as replayed.
    """
    known = call.request is not None and requests.recognise(call.request, Outcome.CREATED, call.now) is not None
    results = [_one(call, index, element, record) for index, element in enumerate(elements)]
    created = sum(result.status == 201 for result in results)  # noqa: PLR2004
    replayed = sum(result.status == 200 for result in results)  # noqa: PLR2004
    if any(result.status == 503 for result in results):  # noqa: PLR2004
        # The request itself is a 200, and whoever looks for what the table refuses shall find its sender all the same.
        observability.note(
            "unavailable in a batch", correlation_id=call.correlation_id, key_id=call.key and call.key.key_id, status=503
        )
    body = BatchBody(results=results, created=created, replayed=replayed, rejected=len(results) - created - replayed)
    return Reply(200, body, {"idempotent-replayed": "true"} if known else {}, counted=created)


def _one(call: Call, index: int, element: Any, record: Callable[[Any, None], Recorded]) -> BatchResultBody:
    named = element.get("order_id") if isinstance(element, dict) else None
    order_id = named if isinstance(named, str) else None
    try:
        _refuse_large(element)
        recorded = record(element, None)
    except EcrmError as error:
        return BatchResultBody(
            index=index, status=status_of(error), order_id=order_id, error=problem_of(error, call.correlation_id)
        )
    except Exception as error:  # noqa: BLE001 (one element must not cost the others their answer)
        observability.alarm("unhandled in a batch", error, correlation_id=call.correlation_id, index=index)
        return BatchResultBody(index=index, status=500, order_id=order_id, error=internal_problem(call.correlation_id))
    order = recorded.view.order
    return BatchResultBody(
        index=index,
        status=201 if recorded.outcome is Outcome.CREATED else 200,
        order_id=order.order_id,
        customer_id=order.customer_id,
        version=order.version,
    )


def _refuse_large(element: Any) -> None:
    """Hold an element to the size of a single call's body."""
    if len(json.dumps(element, ensure_ascii=False, default=str).encode()) > LARGEST_BODY:
        raise TooLarge(f"one element is at most {LARGEST_BODY} bytes")
