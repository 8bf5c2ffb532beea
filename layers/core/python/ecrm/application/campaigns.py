"""Defining campaigns, and what becomes of them: launched, paused, resumed, cancelled, and sent anew to those whom it failed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from ecrm.domain.campaigns import Campaign, Head, Life, LifeState, Occurrence, next_occurrence
from ecrm.domain.consent import Channel
from ecrm.domain.contact_policy import Window
from ecrm.domain.errors import Conflict, Flaw, Invalid, NotFound, Stale
from ecrm.domain.instants import time_zone
from ecrm.domain.jobs import FileFormat, Job, JobKind
from ecrm.domain.messages import Send, Status
from ecrm.domain.runs import CampaignMessage, Run, RunState, cancelled, paused, resumed, retry_id
from ecrm.domain.segments import Rule, refuse_unsound
from ecrm.domain.sites import Site
from ecrm.domain.templates import Purpose, TemplateHead
from ecrm.domain.topics import Topic

from .campaign_ports import Campaigns, Runs, SenderIdentities
from .jobs import Requested, add_job
from .mail_ports import Sends
from .ports import AlreadyAnswered, Clock, Contended, JobIds, Jobs, Page, Request, Sites, Topics
from .segment_ports import Segments
from .templates import ReadyMade, Templates, list_templates, read_template

ATTEMPTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """All that campaigns may name, as it is now. `rules` are those of the segments that are not archived."""

    sites: Mapping[str, Site]
    topics: Mapping[str, Topic]
    templates: Mapping[str, TemplateHead]
    rules: Mapping[str, Rule]


def read_named(*, sites: Sites, topics: Topics, templates: Templates, ready_made: ReadyMade, segments: Segments) -> Named:
    return Named(
        sites={site.site: site for site in sites.all()},
        topics={topic.topic: topic for topic in topics.all()},
        templates={head.template: head for head in list_templates(templates=templates, ready_made=ready_made)},
        rules={segment.segment: segment.rule for segment in segments.published()},
    )


def problems(campaign: Campaign, named: Named, now: datetime) -> tuple[Flaw, ...]:
    """Say why a draft cannot be launched now, as far as definitions tell; none makes it validated."""
    return (
        *_problems_of_site(named.sites.get(campaign.site)),
        *_problems_of_topic(named.topics.get(campaign.topic)),
        *_problems_of_rules(campaign, named.rules),
        *_problems_of_messages(campaign, named),
        *_problems_of_window(campaign.window, named.sites.get(campaign.site)),
        *_problems_of_schedule(campaign, named.sites.get(campaign.site), now),
    )


def _problems_of_site(site: Site | None) -> Iterator[Flaw]:
    if site is None:
        yield Flaw("/site", "unknown_site", "no such site")
        return
    if site.sender is None:
        yield Flaw("/site", "no_sender", "the site has no sender")
    if site.postal_address is None:
        yield Flaw("/site", "no_postal_address", "the site has no postal address, which marketing must show")


def _problems_of_topic(topic: Topic | None) -> Iterator[Flaw]:
    if topic is None:
        yield Flaw("/topic", "unknown_topic", "no such topic")
    elif Channel.EMAIL not in topic.channels:
        yield Flaw("/topic", "channel_not_offered", "nobody can consent to be told of this topic by mail")


def _problems_of_rules(campaign: Campaign, rules: Mapping[str, Rule]) -> Iterator[Flaw]:
    for name, rule in (("include", campaign.audience.include), ("exclude", campaign.audience.exclude)):
        if rule is not None:
            try:
                refuse_unsound("", {**rules, "": rule}, f"/audience/{name}")
            except Invalid as error:
                yield from error.flaws
    for number, message in enumerate(campaign.messages):
        if message.segment is not None and message.segment not in rules:
            yield Flaw(f"/messages/{number}/segment", "unknown_segment", "there is no such segment")


def _problems_of_messages(campaign: Campaign, named: Named) -> Iterator[Flaw]:
    for number, message in enumerate(campaign.messages):
        for place, treatment in enumerate(message.treatments):
            pointer = f"/messages/{number}/treatments/{place}/template"
            template = named.templates.get(treatment.template)
            if template is None:
                yield Flaw(pointer, "unknown_template", "no such template")
            elif template.purpose is not Purpose.MARKETING:
                yield Flaw(pointer, "template_not_marketing", "a campaign sends marketing templates only")
            elif template.topic not in (None, campaign.topic):
                yield Flaw(pointer, "other_topic", f"it was written for the topic {template.topic}")


def _problems_of_window(window: Window | None, site: Site | None) -> Iterator[Flaw]:
    if window is not None and site is not None and site.quiet_hours is not None and window.is_within(site.quiet_hours):
        yield Flaw("/window", "no_hour", "the quiet hours of the site leave no hour of it")


def _problems_of_schedule(campaign: Campaign, site: Site | None, now: datetime) -> Iterator[Flaw]:
    if campaign.schedule is None or site is None:
        return
    if next_occurrence(campaign.schedule, time_zone(site.time_zone), now) is None:
        first = "at local times it begins 14 hours ahead of UTC: " if campaign.schedule.is_local else ""
        yield Flaw("/schedule", "in_the_past", f"{first}it has no occurrence that begins after now")


def put_campaign(campaign: Campaign, *, expected_version: int | None, campaigns: Campaigns) -> tuple[Head, bool]:
    """Write a version of a draft; says whether the campaign is new.

    Raises Stale where `expected_version` is given and is not the stored one (0: must not exist); Conflict once it is launched,
    or cancelled: whoever wants another one copies it under another name.
    """
    stored = campaigns.find(campaign.campaign)
    for _ in range(ATTEMPTS):
        seen = stored.campaign.version if stored else 0
        if expected_version is not None and expected_version != seen:
            raise Stale("it is not at the version named; read it again")
        life = stored.life if stored else Life()
        if life.state is LifeState.CANCELLED:
            raise Conflict("it is cancelled, and cannot be changed any more", code="campaign_cancelled")
        if life.state is not LifeState.DRAFT:
            raise Conflict("it is launched, and cannot be changed any more", code="campaign_launched")
        new = Head(replace(campaign, version=seen + 1), replace(life, revision=life.revision + 1))
        winner = campaigns.define(new)
        if winner is None:
            return new, seen == 0
        stored = winner
    raise Contended("it is written by many at once")


@dataclass(frozen=True, slots=True)
class CampaignView:
    """A campaign as it is shown: `state` is that of its newest run where no occurrence is to come. Only drafts have problems."""

    head: Head
    state: str
    problems: Sequence[Flaw] = ()


def list_campaigns(
    *, campaigns: Campaigns, runs: Runs, named: Callable[[], Named], sites: Callable[[str], bool], clock: Clock
) -> tuple[CampaignView, ...]:
    """Give every campaign of the `sites` that are asked for, by name."""
    heads = [head for head in campaigns.all() if sites(head.campaign.site)]
    return _views(heads, runs, named, clock)


def read_campaign(name: str, *, campaigns: Campaigns) -> Head:
    found = campaigns.find(name)
    if found is None:
        raise NotFound("no such campaign", code="campaign_not_found")
    return found


def read_campaign_version(name: str, version: int, *, campaigns: Campaigns) -> Campaign:
    found = campaigns.version(name, version)
    if found is None:
        raise NotFound("no such version of a campaign", code="campaign_not_found")
    return found


def view(head: Head, *, runs: Runs, named: Callable[[], Named], clock: Clock) -> CampaignView:
    return _views([head], runs, named, clock)[0]


def _views(heads: Sequence[Head], runs: Runs, named: Callable[[], Named], clock: Clock) -> tuple[CampaignView, ...]:
    """Read what is named only where there is a draft, and runs where they are all that is left."""
    now = clock.now()
    last = runs.find_many({head.life.last_run for head in heads if head.life.last_run and head.life.state is LifeState.ENDED})
    there = named() if any(head.life.state is LifeState.DRAFT for head in heads) else None
    views = []
    for head in heads:
        found = problems(head.campaign, there, now) if there and head.life.state is LifeState.DRAFT else ()
        run = last.get(head.life.last_run or "")
        if head.life.state is LifeState.DRAFT and not found:
            views.append(CampaignView(head, "validated"))
        else:
            views.append(CampaignView(head, run.state if run else head.life.state, found))
    return tuple(views)


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


def read_run(name: str, run_id: str, *, runs: Runs) -> Run:
    """Raises NotFound, also where it is another campaign's."""
    found = runs.find(run_id)
    if found is None or found.campaign != name:
        raise NotFound("no such run of this campaign", code="run_not_found")
    return found


def list_runs(name: str, *, after: str | None, limit: int, runs: Runs) -> Page[Run]:
    """Give a campaign's runs, newest first."""
    return runs.of_campaign(name, after=after, limit=limit)


def newest_run(name: str, *, runs: Runs) -> Run:
    """Raises NotFound where it has none yet."""
    newest = runs.of_campaign(name, after=None, limit=1).items
    if not newest:
        raise NotFound("it has no run yet", code="run_not_found")
    return newest[0]


def retry_failed(
    name: str,
    run_id: str | None,
    *,
    campaigns: Campaigns,
    runs: Runs,
    templates: Templates,
    ready_made: ReadyMade,
    clock: Clock,
) -> tuple[Run, bool]:
    """Begin a run over those whom a run failed, its campaign's newest where none is named; says whether it is new.

    They get the same message and treatment, of the templates' newest versions. A run has one such run and no more: asking again
    gives it, and while it is the newest and goes on, so does asking for the newest. Raises NotFound; Conflict where its books are
    not closed yet, or nobody failed, and where the campaign is paused or cancelled.
    """
    run = read_run(name, run_id, runs=runs) if run_id else newest_run(name, runs=runs)
    for _ in range(ATTEMPTS):
        head = read_campaign(name, campaigns=campaigns)
        if run_id is None and run.retry_of is not None and not run.is_over:
            return run, False
        if run.retried_by is not None:
            return read_run(name, run.retried_by, runs=runs), False
        if not run.is_over:
            raise Conflict("the books of the run are not closed yet", code="run_not_settled")
        if not (run.books or {}).get(Status.FAILED):
            raise Conflict("nobody failed in this run", code="nothing_failed")
        _refuse_held(head.life)
        now = clock.now()
        new = replace(
            run,
            run_id=retry_id(run.run_id),
            messages=frozen(run.messages, templates=templates, ready_made=ready_made),
            scheduled_at=now,
            started_at=now,
            expires_at=now + run.expires_after,
            wall=None,
            state=RunState.PLANNING,
            reason=None,
            control_percent=Decimal(0),
            pilot=None,
            decide_at=None,
            verdicts={},
            retries=(*run.retries, run.run_id),
            planned_at=None,
            woken_at=None,
            settled_at=None,
            audience=None,
            books=None,
            due_at=now,
            version=1,
        )
        if runs.retry(new, replace(run, retried_by=new.run_id, version=run.version + 1), head):
            return new, True
        run = read_run(name, run.run_id, runs=runs)
    raise Contended("the run is changed by many at once")


def _refuse_held(life: Life) -> None:
    """Let nothing begin in the name of a campaign that was stopped."""
    if life.state is LifeState.CANCELLED:
        raise Conflict("it is cancelled", code="campaign_cancelled")
    if life.state is LifeState.PAUSED:
        raise Conflict("it is paused; resume it first", code="campaign_paused")


def frozen(messages: Sequence[CampaignMessage], *, templates: Templates, ready_made: ReadyMade) -> tuple[CampaignMessage, ...]:
    """Give messages with the newest version of each template. Raises NotFound."""
    versions = {
        name: read_template(name, templates=templates, ready_made=ready_made).version
        for name in {treatment.template for message in messages for treatment in message.treatments}
    }
    return tuple(
        replace(
            message,
            treatments=tuple(
                replace(treatment, template_version=versions[treatment.template]) for treatment in message.treatments
            ),
        )
        for message in messages
    )


def request_recipients(
    run: Run, file_format: FileFormat, request: Request | None, *, source: str, jobs: Jobs, clock: Clock, ids: JobIds
) -> Requested:
    """Ask for a run's roster as a file, as it is when it is written."""
    now = clock.now()
    job = Job(
        job_id=ids.job_id(now),
        kind=JobKind.EXPORT_RECIPIENTS,
        requested_at=now,
        source=source,
        format=file_format,
        run_id=run.run_id,
    )
    return add_job(job, request, now, jobs)


def roster(run_id: str, after: str | None, *, runs: Runs, sends: Sends) -> Iterator[tuple[str, Send]]:
    """Give the entries of a run beyond a position, each with its own. Raises NotFound."""
    run = runs.find(run_id)
    if run is None:
        raise NotFound("no such run", code="run_not_found")
    begun, _, customer_id = (after or "0#").partition("#")
    for page in range(int(begun), run.pages):
        for send in sends.page(run_id, page, after=customer_id or None):
            yield f"{page}#{send.customer_id}", send
        customer_id = ""
