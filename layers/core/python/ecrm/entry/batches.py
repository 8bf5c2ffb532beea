"""Batches: each element is judged by itself, and answered as the single call would have been."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from ecrm.application.ports import Outcome, Requests
from ecrm.contracts.batches import ElementResultBody
from ecrm.domain.errors import EcrmError, TooLarge

from . import observability
from .http import LARGEST_BODY, Call, Reply
from .problems import internal_problem, problem_of, status_of


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of an element, and what its result says beside its place and status."""

    outcome: Outcome
    says: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Results[R: ElementResultBody]:
    """How a batch is answered: `names` is the field of an element that its result repeats where it is refused."""

    names: str
    each: type[R]
    all: Callable[[Sequence[R]], BaseModel]


def run_batch[R: ElementResultBody](
    call: Call, elements: Sequence[Any], judge: Callable[[Any], Judged], requests: Requests, results: Results[R]
) -> Reply:
    """Judge every element in the order given; one that is refused does not stop the others.

    The whole batch may be sent again: what was recorded is then answered as what is there.
    """
    known = call.request is not None and requests.recognise(call.request, Outcome.CREATED, call.now) is not None
    judged = [_one(call, index, element, judge, results) for index, element in enumerate(elements)]
    if any(result.status == 503 for result in judged):  # noqa: PLR2004
        # The request itself is a 200, and whoever looks for what the table refuses shall find its sender all the same.
        observability.note(
            "unavailable in a batch", correlation_id=call.correlation_id, key_id=call.key and call.key.key_id, status=503
        )
    created = sum(result.status == 201 for result in judged)  # noqa: PLR2004
    return Reply(200, results.all(judged), {"idempotent-replayed": "true"} if known else {}, counted=created)


def _one[R: ElementResultBody](call: Call, index: int, element: Any, judge: Callable[[Any], Judged], results: Results[R]) -> R:
    named = element.get(results.names) if isinstance(element, dict) else None
    said = {results.names: named if isinstance(named, str) else None}
    try:
        _refuse_large(element)
        judged = judge(element)
    except EcrmError as error:
        return results.each(index=index, status=status_of(error), error=problem_of(error, call.correlation_id), **said)
    except Exception as error:  # noqa: BLE001 (one element must not cost the others their answer)
        observability.alarm("unhandled in a batch", error, correlation_id=call.correlation_id, index=index)
        return results.each(index=index, status=500, error=internal_problem(call.correlation_id), **said)
    return results.each(index=index, status=201 if judged.outcome is Outcome.CREATED else 200, **judged.says)


def _refuse_large(element: Any) -> None:
    """Hold an element to the size of a single call's body."""
    if len(json.dumps(element, ensure_ascii=False, default=str).encode()) > LARGEST_BODY:
        raise TooLarge(f"one element is at most {LARGEST_BODY} bytes")
