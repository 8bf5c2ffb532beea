"""Occurrences of campaigns: each begins once, at its time, and somebody comes back to its run until that is over.

Whatever is due stands in the worklist: campaigns at their next occurrence, runs at whatever comes next. An occurrence is named by
its scheduled time, and begins in one transaction with the campaign as it is thereafter: of any number who try, one does. What
follows may be done again: the machine that plans (`planning.py`) by its attempt, the waking of pages by their queue.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count

from ecrm.domain.campaigns import LATE_AFTER, Campaign, Head, LifeState, Occurrence, next_occurrence, occurrence
from ecrm.domain.errors import Flaw, NotFound, Unavailable
from ecrm.domain.instants import time_zone
from ecrm.domain.runs import Run, RunState, cancelled, paused, resumed, run_id

from .apart import each_apart
from .campaign_ports import Campaigns, DueCampaign, DueRun, Runs
from .campaigns import Named, frozen, problems
from .mail_ports import MessageQueue, SendingControl, Sends
from .night_ports import StatisticsRows
from .planning_ports import CampaignMachine, Rosters
from .ports import Clock, Contended, Sites
from .runs import LookedAfter
from .segment_ports import Nights
from .settling import PLANNED_AGAIN
from .templates import ReadyMade, Templates

CUSTOMERS_A_PAGE = 1_000
"""What a page of a roster is for, of the whole table; who is in the audience is some of them."""
MOST_DUE = 100
"""Campaigns and runs that one round takes."""
AGAIN = timedelta(minutes=1)
"""Before a run is looked at again that is being planned."""
AGAIN_AT_MOST = timedelta(hours=1)
"""So long, where attempt after attempt to plan it comes to nothing."""
BEHIND = timedelta(minutes=15)
"""What waits longer than that waits for somebody who does not come: one comes every minute."""

PLANNED_WITHIN = timedelta(hours=1)
SETTLED_WITHIN = timedelta(days=1)
"""After all of its mails have expired; what is in doubt then is settled within the hour."""

type LookAfter = Callable[[Run, Callable[[], bool]], LookedAfter]
"""Does for a planned run what is due (`runs.py`), and writes when somebody has to come back to it."""


@dataclass(slots=True)
class Round:
    """What was done about whatever was due: occurrences skipped by reason, and runs that were begun by their ids.

    `decided` are the pilots of messages, `unbalanced` the runs whose books do not balance.
    """

    is_armed: bool = True
    begun: list[str] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    planned: int = 0
    woken: int = 0
    decided: int = 0
    settled: int = 0
    unbalanced: list[str] = field(default_factory=list)
    failed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OccurrenceRoom:
    """All that beginning occurrences and coming back to runs read and write; `shards` are those that customers' rows are in."""

    campaigns: Campaigns
    runs: Runs
    rosters: Rosters
    sends: Sends
    machine: CampaignMachine
    queue: MessageQueue
    control: SendingControl
    sites: Sites
    templates: Templates
    ready_made: ReadyMade
    named: Callable[[], Named]
    nights: Nights
    rows: StatisticsRows
    look_after: LookAfter
    clock: Clock
    shards: int
    customers_a_page: int = CUSTOMERS_A_PAGE


def start_due(*, room: OccurrenceRoom, is_late: Callable[[], bool]) -> Round:
    """Begin each occurrence whose time has come, and come back to each run that is due; nothing while the table is not armed.

    One that breaks is in nobody's way: it is raised when all others are done. Nor is one that takes all the time there is.
    Half a read unit where nothing is due.
    """
    done, now = Round(), room.clock.now()
    due = _in_turn(tuple(room.runs.due(now, MOST_DUE)), now)
    if due and room.control.sending().armed_for != room.control.table_id():
        done.is_armed = False
        return done

    def come(each: DueCampaign | DueRun) -> None:
        if isinstance(each, DueCampaign):
            _begin(each.campaign, room, done)
        else:
            _come_back(each.run_id, room, done, is_late)

    done.failed = each_apart(due, come, is_late)
    return done


def _in_turn(due: Sequence[DueCampaign | DueRun], now: datetime) -> Sequence[DueCampaign | DueRun]:
    """Put campaigns first, whose occurrences take no time, and let another run come first in each minute."""
    runs = [each for each in due if isinstance(each, DueRun)]
    first = int(now.timestamp()) // 60 % max(1, len(runs))
    return [*(each for each in due if isinstance(each, DueCampaign)), *runs[first:], *runs[:first]]


def is_behind(*, runs: Runs, control: SendingControl, clock: Clock) -> bool:
    """Say whether somebody has to look into campaigns, in a table that may send.

    Something has been due for long, a run is still not planned, or not settled long after all of its mails have expired.
    """
    now = clock.now()
    is_due = any(True for _ in runs.due(now - BEHIND, 1))
    if not is_due and not any(_is_stuck(run, now) for run in runs.active()):
        return False
    return control.sending().armed_for == control.table_id()


def _is_stuck(run: Run, now: datetime) -> bool:
    planned_by = run.started_at + PLANNED_WITHIN
    return (run.planned_at is None and planned_by < now) or run.expires_at + SETTLED_WITHIN < now


def _begin(name: str, room: OccurrenceRoom, done: Round) -> None:
    """Begin a campaign's next occurrence, or write down that it is skipped, unless somebody else does."""
    head, now = room.campaigns.find(name), room.clock.now()
    if head is None or head.life.next_at is None or head.life.next_at > now:
        return  # the worklist was behind
    campaign, life = head.campaign, head.life
    site = room.sites.find(campaign.site)
    if site is None:
        raise NotFound("no such site", code="site_not_found")
    zone = time_zone(site.time_zone)
    run = _run(head, occurrence(campaign.schedule, head.life.next_at), room, now)
    following = next_occurrence(campaign.schedule, zone, run.scheduled_at, life.next_day) if campaign.schedule else None
    after = replace(
        life,
        state=life.state if following else LifeState.ENDED,
        next_at=following.scheduled_at if following else None,
        next_day=following.day if following else None,
        last_run=run.run_id,
        revision=life.revision + 1,
    )
    if not room.runs.begin(run, Head(campaign, after)):
        if room.runs.find(run.run_id) is not None:
            # Somebody was faster; else the campaign was restored and is behind its run, and this moves it on.
            room.campaigns.change(Head(campaign, after))
        return
    if run.state is RunState.SKIPPED:
        done.skipped[str(run.reason)] += 1
        return
    done.begun.append(run.run_id)
    room.machine.start(run.run_id, 1, run.pages)


def begun(campaign: Campaign, comes: Occurrence, now: datetime) -> Run:
    """Give the run of an occurrence that begins now, before anything else is looked at."""
    return Run(
        run_id=run_id(campaign.campaign, comes.scheduled_at),
        campaign=campaign.campaign,
        campaign_version=campaign.version,
        site=campaign.site,
        topic=campaign.topic,
        messages=campaign.messages,
        scheduled_at=comes.scheduled_at,
        started_at=now,
        expires_at=comes.ends_at + campaign.expires_after,
        expires_after=campaign.expires_after,
        wall=comes.wall,
        salt=campaign.salt,
        control_percent=campaign.control_percent,
        pilot=campaign.pilot,
        decide_at=now + campaign.pilot.wait if campaign.pilot else None,
        priority=campaign.priority,
        rate_per_minute=campaign.rate_per_minute,
        window=campaign.window,
        attribution_days=campaign.attribution_days,
        costs=campaign.costs,
        due_at=now + AGAIN,
    )


def _run(head: Head, comes: Occurrence, room: OccurrenceRoom, now: datetime) -> Run:
    campaign = head.campaign
    run = begun(campaign, comes, now)
    if head.life.state is not LifeState.SCHEDULED:
        return _skipped(run, head.life.state)
    if now - comes.scheduled_at > min(LATE_AFTER, campaign.expires_after):
        return _skipped(run, "late")
    if flaw := next(_flaws(campaign, room, now), None):
        return _skipped(run, flaw.code)
    messages = frozen(campaign.messages, templates=room.templates, ready_made=room.ready_made)
    return replace(run, messages=messages, pages=_pages(room))


def _flaws(campaign: Campaign, room: OccurrenceRoom, now: datetime) -> Iterator[Flaw]:
    """Give what was sound at the launch and is not any more; that there may be no further occurrence is no flaw."""
    return (flaw for flaw in problems(campaign, room.named(), now) if flaw.pointer != "/schedule")


def _skipped(run: Run, reason: str) -> Run:
    return replace(run, state=RunState.SKIPPED, reason=reason, due_at=None, decide_at=None)


def _pages(room: OccurrenceRoom) -> int:
    """Give a roster as many pages as the customers deserve whom the last night counted; before it, a shard stands for all."""
    published = room.nights.pointer().night
    night = room.nights.find(published) if published else None
    customers = night.customers if night else room.shards * sum(1 for _ in room.rows.of_shard(0))
    return min(max(1, -(-customers // room.customers_a_page)), room.shards)


def _come_back(name: str, room: OccurrenceRoom, done: Round, is_late: Callable[[], bool]) -> None:
    run, now = room.runs.find(name), room.clock.now()
    if run is None or run.is_over or run.due_at is None or run.due_at > now:
        return  # the worklist was behind
    run = _as_its_campaign(run, room, now)
    if run.planned_at is None:
        run = _planned(run, room, done)
        if run.planned_at is None:
            return
    if run.woken_at is None and (run.state is not RunState.PAUSED or run.expires_at <= now):
        # A paused run that was never woken is at its end, where nothing is sent any more, so that its entries come to theirs.
        run = _woken(run, room, is_late)
        done.woken += 1
    looked = room.look_after(run, is_late)
    done.decided += len(looked.decided)
    done.settled += looked.is_settled
    if looked.is_unbalanced:
        done.unbalanced.append(run.run_id)


def _as_its_campaign(run: Run, room: OccurrenceRoom, now: datetime) -> Run:
    """Hold a run, go on with it or end it as its campaign says: whoever turned that may have died before they came to the run."""
    head = room.campaigns.find(run.campaign)
    state = head.life.state if head else None
    if state is LifeState.CANCELLED:
        after = cancelled(run, now)
    elif state is LifeState.PAUSED:
        after = paused(run)
    else:
        after = resumed(run, now)
    return run if after == run else _written(run, lambda _: after, room.runs)


def _planned(run: Run, room: OccurrenceRoom, done: Round) -> Run:
    """Say that a run is planned where all of its pages are; else see to it that somebody plans them.

    A paused run is planned, too, and one that was cancelled: its pages are, with whoever was decided before.
    """
    pages, now = room.rosters.planned(run.run_id), room.clock.now()
    if len(pages) < run.pages:
        attempt = next(attempt for attempt in count(1) if room.machine.start(run.run_id, attempt, run.pages))
        again = min(AGAIN * 2 ** min(attempt - 1, 10), AGAIN_AT_MOST)
        return _written(run, lambda seen: replace(seen, due_at=now + again), room.runs)

    def sent(seen: Run) -> Run:
        state = RunState.SENDING if seen.state is RunState.PLANNING else seen.state
        return replace(seen, planned_at=now, audience=sum(pages.values()), state=state)

    done.planned += 1
    return _written(run, sent, room.runs)


def _woken(run: Run, room: OccurrenceRoom, is_late: Callable[[], bool]) -> Run:
    """Have somebody come to each page on which anybody is, at once."""
    now = room.clock.now()
    for page, audience in sorted(room.rosters.planned(run.run_id).items()):
        if is_late():
            raise Unavailable("there is no time to wake all pages")
        if audience:
            room.sends.come_back(run.run_id, page, now + PLANNED_AGAIN)
            room.queue.send(run.run_id, page, is_of_many=True)
    return _written(run, lambda seen: replace(seen, woken_at=now), room.runs)


def _written(run: Run, change: Callable[[Run], Run], runs: Runs) -> Run:
    """Write a change of a run; raises Contended where somebody else did: the next round decides anew."""
    after = replace(change(run), version=run.version + 1)
    if runs.write(after) is not None:
        raise Contended("the run was written meanwhile")
    return after
