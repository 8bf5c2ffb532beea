"""The steps of the night at the door: what the state machine hands over, and what is told of what they did."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from ecrm.analytics.reports import Report
from ecrm.application.night_ports import Group, Place
from ecrm.application.nights import Planned, Worked
from ecrm.application.segment_ports import Night
from ecrm.contracts.night_steps import EndStep, GroupStep, NightStep, PlannedBody, PlanStep

from . import observability
from .queue import lateness
from .steps import guarded_step

SHARD_MILLISECONDS = 180_000
"""What a shard may take that has begun: a 256th of ten million customers, most of them new in a segment."""


def plan(event: Mapping[str, Any], use: Callable[[datetime], Planned]) -> dict[str, Any]:
    """Answer with what the other steps are handed."""
    with guarded_step("plan", _ids(event)):
        planned = use(_read(PlanStep, event).scheduled_at)
        if planned.skipped:
            observability.note("night skipped", night=planned.night.isoformat(), why=planned.skipped)
            observability.count("NightsSkipped")
        return PlannedBody.of(planned).model_dump(mode="json")


def snapshot(event: Mapping[str, Any], context: object, use: Callable[[Place, Group, Callable[[], bool]], None]) -> None:
    with guarded_step("snapshot", _ids(event)):
        step = _read(GroupStep, event)
        use(step.place, step.group, lateness(context, SHARD_MILLISECONDS))


def summarise(event: Mapping[str, Any], use: Callable[[Place], Mapping[str, str]]) -> None:
    """Tell of fits that failed, by currency: the night goes on with what it has instead."""
    with guarded_step("summarise", _ids(event)):
        for currency, why in use(_read(NightStep, event).place).items():
            observability.note("fit failed", **_ids(event), currency=currency, why=why)
            observability.count("FitsFailed")


def score(event: Mapping[str, Any], context: object, use: Callable[[Place, Group, Callable[[], bool]], Worked]) -> None:
    with guarded_step("score", _ids(event)):
        step = _read(GroupStep, event)
        worked = use(step.place, step.group, lateness(context, SHARD_MILLISECONDS))
        observability.name(worked.unreadable)
        _note("scored", event, customers=worked.customers, from_facts=worked.from_facts)


def end(event: Mapping[str, Any], publish: Callable[[Place], Night], fail: Callable[[Place, str], None]) -> None:
    with guarded_step("publish", _ids(event)):
        step = _read(EndStep, event)
        if step.error is None:
            night = publish(step.place)
            _note("published", event, customers=night.customers)
            observability.count("CustomersCounted", night.customers)
        else:
            fail(step.place, step.error)


def tell(event: Mapping[str, Any], use: Callable[[Place, Group], int]) -> None:
    with guarded_step("tell", _ids(event)):
        step = _read(GroupStep, event)
        _note("told", event, customers=use(step.place, step.group))


def report(event: Mapping[str, Any], use: Callable[[Place], Report]) -> None:
    with guarded_step("report", _ids(event)):
        _note("reported", event, customers=use(_read(NightStep, event).place).customers)


def _read[M: BaseModel](shape: type[M], event: Mapping[str, Any]) -> M:
    """Read as JSON, as which it came: the runtime has parsed it."""
    return shape.model_validate(dict(event))


def _note(message: str, event: Mapping[str, Any], **counted: int) -> None:
    observability.note(message, **_ids(event), **counted)


def _ids(event: Mapping[str, Any]) -> dict[str, Any]:
    return {name: event[name] for name in ("night", "generation", "first", "last") if name in event}
