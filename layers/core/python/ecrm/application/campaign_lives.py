"""What becomes of campaigns: launched, paused, resumed, cancelled."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from ecrm.domain.campaigns import Campaign, Head, Life, LifeState, Occurrence, next_occurrence
from ecrm.domain.errors import Conflict, Flaw, Invalid, Stale
from ecrm.domain.instants import time_zone
from ecrm.domain.runs import Run, cancelled, paused, resumed
from ecrm.domain.sites import Site

from .campaign_ports import Campaigns, Runs, SenderIdentities
from .campaigns import Named, problems, read_campaign
from .ports import AlreadyAnswered, Clock, Contended, Request

ATTEMPTS = 5


def launch(
    name: str,
    request: Request | None,
    *,
    by: str,
    expected_version: int | None,
    named: Callable[[], Named],
    is_empty: Callable[[Campaign], bool],
    identities: SenderIdentities,
    campaigns: Campaigns,
    clock: Clock,
) -> tuple[Head, bool]:
    """Let a campaign's occurrences come; says whether the request was recognised.

    Raises Conflict where it was launched before, Stale where it is not at the version named, and Invalid with all that hinders
    it: what its problems are, a sender that the provider does not let us use, an audience of nobody.
    """
    now = clock.now()
    for _ in range(ATTEMPTS):
        head = read_campaign(name, campaigns=campaigns)
        if campaigns.answered(request, now):
            return head, True
        _refuse_launched(head, expected_version)
        there = named()
        _refuse_flawed(head.campaign, there, is_empty, identities, now)
        first = _first(head.campaign, there.sites[head.campaign.site], now)
        life = replace(
            head.life,
            state=LifeState.SCHEDULED,
            next_at=first.scheduled_at,
            next_day=first.day,
            launched_at=now,
            launched_by=by,
            revision=head.life.revision + 1,
        )
        after = Head(head.campaign, life)
        try:
            if campaigns.launch(after, request, now) is None:
                return after, False
        except AlreadyAnswered:
            continue
    raise Contended("it is changed by many at once")


def _refuse_launched(head: Head, expected_version: int | None) -> None:
    if expected_version not in (None, head.campaign.version):
        raise Stale("it is not at the version named; read it again")
    if head.life.state is LifeState.CANCELLED:
        raise Conflict("it is cancelled", code="campaign_cancelled")
    if head.life.state is not LifeState.DRAFT:
        raise Conflict("it was launched before", code="already_launched")


def _refuse_flawed(
    campaign: Campaign, named: Named, is_empty: Callable[[Campaign], bool], identities: SenderIdentities, now: datetime
) -> None:
    flaws = problems(campaign, named, now)
    if not flaws:
        sender = named.sites[campaign.site].sender
        if sender is None or not identities.is_verified(sender):
            flaws = (Flaw("/site", "sender_not_verified", "the provider does not let us send as the site's sender"),)
        elif is_empty(campaign):
            flaws = (Flaw("/audience", "audience_empty", "nobody is in the audience now"),)
    if flaws:
        raise Invalid(flaws[0].detail, code=flaws[0].code, flaws=flaws)


def _first(campaign: Campaign, site: Site, now: datetime) -> Occurrence:
    first = next_occurrence(campaign.schedule, time_zone(site.time_zone), now) if campaign.schedule else None
    return first or Occurrence(now)


def pause_campaign(name: str, *, campaigns: Campaigns, runs: Runs) -> Head:
    """Send nothing more of a campaign, in force within two seconds; occurrences that come meanwhile are skipped.

    May be done twice. Raises Conflict where it was never launched, or where nothing of it is left.
    """

    def change(life: Life) -> LifeState:
        return LifeState.PAUSED if life.state in (LifeState.SCHEDULED, LifeState.ENDED) else life.state

    return _turned(name, change, paused, campaigns, runs)


def resume_campaign(name: str, *, campaigns: Campaigns, runs: Runs, clock: Clock) -> Head:
    """Go on with a paused campaign: what is left goes out within a minute, unless it has expired. May be done twice.

    Raises Conflict as pausing does.
    """

    def change(life: Life) -> LifeState:
        if life.state is not LifeState.PAUSED:
            return life.state
        return LifeState.SCHEDULED if life.next_at else LifeState.ENDED

    now = clock.now()
    return _turned(name, change, lambda run: resumed(run, now), campaigns, runs)


def cancel_campaign(name: str, *, campaigns: Campaigns, runs: Runs, clock: Clock) -> Head:
    """End a campaign for good, a draft too: nobody gets it any more who has not yet, and its runs' books are closed.

    May be done twice. Raises Conflict where nothing of it is left.
    """
    now = clock.now()

    def change(_: Life) -> LifeState:
        return LifeState.CANCELLED

    return _turned(name, change, lambda run: cancelled(run, now), campaigns, runs, is_final=True)


def _life(head: Head, state: LifeState) -> Head:
    after = replace(head.life, state=state, revision=head.life.revision + 1)
    return Head(head.campaign, replace(after, next_at=None, next_day=None) if state is LifeState.CANCELLED else after)


def _turned(
    name: str,
    change: Callable[[Life], LifeState],
    change_run: Callable[[Run], Run],
    campaigns: Campaigns,
    runs: Runs,
    *,
    is_final: bool = False,
) -> Head:
    """Change a campaign's life first, so that no run begins behind it, then the runs that are not over."""
    head = read_campaign(name, campaigns=campaigns)
    for _ in range(ATTEMPTS):
        active = [run for run in runs.active() if run.campaign == name]
        _refuse_idle(head.life, active, is_final=is_final)
        state = change(head.life)
        if state is head.life.state:
            break
        after = _life(head, state)
        winner = campaigns.change(after)
        if winner is None:
            head = after
            break
        head = winner
    else:
        raise Contended("it is changed by many at once")
    for run in (run for run in runs.active() if run.campaign == name):
        _turn_run(run, change_run, runs)
    return head


def _refuse_idle(life: Life, active: Sequence[Run], *, is_final: bool) -> None:
    if life.state is LifeState.DRAFT and not is_final:
        raise Conflict("it was not launched yet", code="campaign_not_launched")
    if life.state is LifeState.CANCELLED and not is_final:
        raise Conflict("it is cancelled", code="campaign_cancelled")
    if life.state is LifeState.ENDED and not active:
        raise Conflict("nothing of it is left to be sent", code="campaign_over")


def _turn_run(run: Run, change: Callable[[Run], Run], runs: Runs) -> None:
    for _ in range(ATTEMPTS):
        after = change(run)
        if after == run:
            return
        there = runs.write(after)
        if there is None:
            return
        run = there
    raise Contended("the run is changed by many at once")
