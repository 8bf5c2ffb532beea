"""Campaigns as they are defined and shown: drafts, their versions, and what keeps one from being launched."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ecrm.domain.campaigns import Campaign, Head, Life, LifeState, next_occurrence
from ecrm.domain.consent import Channel
from ecrm.domain.contact_policy import Window
from ecrm.domain.errors import Conflict, Flaw, Invalid, NotFound, Stale
from ecrm.domain.instants import time_zone
from ecrm.domain.runs import CampaignMessage
from ecrm.domain.segments import Rule, refuse_unsound
from ecrm.domain.sites import Site
from ecrm.domain.templates import Purpose, TemplateHead
from ecrm.domain.topics import Topic

from .campaign_ports import Campaigns, Runs
from .ports import Clock, Contended, Sites, Topics
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


def coming_campaigns(segment: str, *, campaigns: Campaigns) -> tuple[str, ...]:
    """Name those that name a segment and have an occurrence to come."""
    coming = (head.campaign for head in campaigns.all() if head.life.next_at)
    return tuple(sorted(campaign.campaign for campaign in coming if segment in campaign.segments))


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
