"""Occurrences and the planning of their runs at the door: what was begun, skipped and planned, and what nobody can plan."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ecrm.application.occurrences import Round
from ecrm.application.planning import PagePlanned
from ecrm.contracts.campaign_steps import PageStep
from ecrm.domain.messages import Status

from . import observability
from .queue import lateness
from .steps import StepFailed, guarded_step

PAGE_MILLISECONDS = 60_000
"""What a hundred customers or entries may take that have begun."""

type Park = Callable[[Iterable[Mapping[str, str | int]]], None]
"""Hands to an engineer what cannot be done."""


def start(context: object, use: Callable[[Callable[[], bool]], Round]) -> None:
    """Begin what is due, and come back to what is under way."""
    done = use(lateness(context))
    if not done.is_armed:
        observability.count("SendingNotArmed")
    for run_id in done.begun:
        observability.note("run begun", run_id=run_id)
    for reason, times in done.skipped.items():
        observability.note("occurrence skipped", why=reason)
        observability.count("OccurrencesSkipped", times)
    for run_id in done.unbalanced:
        observability.note("books do not balance", run_id=run_id)
        observability.count("CampaignsUnbalanced")
    counted = {name: getattr(done, name) for name in ("planned", "woken", "decided", "settled", "failed")}
    if any(counted.values()):
        observability.note("runs", **counted)


def plan(
    event: Mapping[str, Any],
    context: object,
    use: Callable[[str, int, Callable[[], bool]], PagePlanned],
    park: Park,
) -> None:
    """Plan a page. One that can never be planned is parked by its name, as the message that would have it sent."""
    ids = {name: event[name] for name in ("run_id", "page") if name in event}
    try:
        with guarded_step("plan_audience", ids):
            step = PageStep.model_validate(dict(event))
            planned = use(step.run_id, step.page, lateness(context, PAGE_MILLISECONDS))
            observability.name(planned.unreadable, run_id=step.run_id)
            statuses = {status.value: planned.statuses[status] for status in Status if planned.statuses[status]}
            observability.note("planned", **ids, audience=planned.audience, from_facts=planned.from_facts, **statuses)
    except StepFailed:
        observability.count("PagesUnplanned")
        park([{"type": "page", "v": 1, "run_id": ids.get("run_id", ""), "shard": ids.get("page", 0)}])
        raise
