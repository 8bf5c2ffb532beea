"""What the rosters of runs say of one person."""

from collections.abc import Iterator, Sequence
from heapq import nlargest

from ecrm.domain.messages import Send, Status
from ecrm.domain.runs import Run

from .campaign_ports import Campaigns, ListedRun, Runs
from .decisions import PlannedWithout
from .planning_ports import Rosters

NEWEST = 100
"""Runs that are looked at."""


def planned_without(
    customer_ids: Sequence[str], *, campaigns: Campaigns, runs: Runs, rosters: Rosters
) -> tuple[PlannedWithout, ...]:
    """Give what was decided of a person, whose ids these are, when the newest runs were planned; the newest first.

    A query of the list of each campaign that was ever launched; then, for NEWEST runs at most, a read unit or more for each, and
    half of one for each of the ids in it.
    """
    newest = runs.find_many(listed.run_id for listed in nlargest(NEWEST, _begun(campaigns, runs)))
    found = (send for send in rosters.of_person(customer_ids, tuple(newest.values())) if _is_untold(send))
    told = (_told(newest[send.run_id], send) for send in found)
    return tuple(sorted(told, key=lambda one: one.decided_at, reverse=True))


def _begun(campaigns: Campaigns, runs: Runs) -> Iterator[ListedRun]:
    for head in campaigns.all():
        if head.life.last_run is not None:
            yield from runs.newest(head.campaign.campaign, NEWEST)


def _is_untold(send: Send) -> bool:
    """Say whether no event tells of an end; what ended when the turn of its person came is on their timeline."""
    is_held_out = send.status is Status.HELD_OUT or send.ineligible is not None
    return send.closed_at is None and (is_held_out or (send.status is Status.CANCELLED and not send.is_named))


def _told(run: Run, send: Send) -> PlannedWithout:
    return PlannedWithout(
        campaign=run.campaign,
        run_id=run.run_id,
        decided_at=send.settled_at or send.planned_at,
        status=send.status.value,
        reason=send.reason,
        template=send.template,
        site=send.site,
    )
