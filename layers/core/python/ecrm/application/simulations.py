"""Trying a campaign out: what an occurrence that began now would come to. Nothing is written, and nothing is sent."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from itertools import islice
from typing import Any

from ecrm.analytics.experiments import smallest_effect
from ecrm.domain.assignment import share
from ecrm.domain.campaigns import Campaign, Occurrence, next_occurrence
from ecrm.domain.customers import Customer
from ecrm.domain.errors import EcrmError, Flaw, Unavailable
from ecrm.domain.instants import time_zone
from ecrm.domain.messages import Send, Status
from ecrm.domain.rosters import ends_at, instant, pilot_until
from ecrm.domain.runs import CampaignMessage, Costs, Run, Treatment
from ecrm.domain.sites import Site
from ecrm.domain.traits import Trait, TraitKind
from ecrm.domain.windows import Moment

from .campaign_ports import LastOrders
from .campaigns import Named, problems
from .facts import FactsOf
from .night_ports import StatisticsRows
from .occurrences import begun
from .planning import Choosing, EntryRoom, entries
from .planning_ports import Addressed
from .segment_ports import Nights, Segments
from .segments import Preview, preview, score_by
from .templates import Rendered

MOST_PEOPLE = 100
"""People of the audience who are looked at one by one; of all others it takes the same parts."""
MOST_NAMED = 20_000
MAILS = 3
OCCURRENCES = 3

_TIME_ZONE = Trait(TraitKind.PROFILE, "time_zone")

type Render = Callable[[Run, Send, Customer], Rendered]
"""Makes the mail of an entry of a run that is not there, with links that lead nowhere. Raises Invalid, NotFound, Unavailable."""


@dataclass(frozen=True, slots=True)
class Expected:
    """How many of the audience come to which end, or what they get: an estimate, of so many `seen` among those looked at."""

    name: str
    reason: str | None
    people: int
    seen: int


@dataclass(frozen=True, slots=True)
class Effect:
    """By how much the share of those who order within the days of attribution must grow to be seen as different from chance.

    `baseline` is that share in as many days until now. `smallest` is None where no growth is large enough.
    """

    treated: int
    control: int
    baseline: float
    smallest: float | None


@dataclass(frozen=True, slots=True)
class Sample:
    """The mail of somebody in the audience, or why it cannot be made."""

    customer_id: str
    message: str
    treatment: str
    mail: Rendered | None
    failure: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """`ends` are what becomes of the audience: planned, held out, or not reached and why; expired are those whom hours keep away.

    `looked_at` of them are what all but `audience` is estimated from. `cost_minor` is what the campaign says of its costs.
    """

    problems: Sequence[Flaw]
    audience: Preview | None
    looked_at: int
    ends: Sequence[Expected]
    treatments: Sequence[Expected]
    cost_minor: int | None
    costs: Costs | None
    occurrences: Sequence[Occurrence]
    effect: Effect | None
    mails: Sequence[Sample]


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationRoom(EntryRoom):
    """All that a simulation reads; `render` makes mails whose links lead nowhere. `zone` has the company's days."""

    named: Callable[[], Named]
    frozen: Callable[[Sequence[CampaignMessage]], tuple[CampaignMessage, ...]]
    segments: Segments
    nights: Nights
    rows: StatisticsRows
    facts_of: FactsOf
    last_orders: LastOrders
    render: Render
    zone: tzinfo
    shards: int


def simulate(campaign: Campaign, *, room: SimulationRoom, is_late: Callable[[], bool]) -> Simulation:
    """Say what an occurrence of a campaign would come to if it began now; where something hinders it, as far as that can be said.

    Whom quiet hours and its window let through in time is judged by the clock of the next one. Beside what a preview of its
    rule reads, some 11 read units for each of MOST_PEOPLE.
    """
    now, named = room.clock.now(), room.named()
    flaws = problems(campaign, named, now)
    site = named.sites.get(campaign.site)
    comes = _occurrences(campaign, time_zone(site.time_zone), now) if site else ()
    if any(flaw.pointer != "/schedule" for flaw in flaws):
        return Simulation(
            problems=flaws,
            audience=None,
            looked_at=0,
            ends=(),
            treatments=(),
            cost_minor=None,
            costs=campaign.costs,
            occurrences=comes,
            effect=None,
            mails=(),
        )
    run = replace(begun(campaign, Occurrence(now), now), messages=room.frozen(campaign.messages))
    found = preview(
        campaign.rule,
        segments=room.segments,
        nights=room.nights,
        rows=room.rows,
        facts_of=room.facts_of,
        zone=room.zone,
        clock=room.clock,
        is_late=is_late,
        shards=room.shards,
        sample=MOST_NAMED,
    )
    people = sorted(found.sample, key=lambda customer_id: share("", "simulation", customer_id))[:MOST_PEOPLE]
    looked_at = _looked_at(campaign, people, room, now, is_late)
    assigned = tuple(entries(run, 0, [each.addressed for each in looked_at], room))
    treated, control = (_estimated(found.count, assigned, status) for status in (Status.PLANNED, Status.HELD_OUT))
    first = comes[0] if comes else Occurrence(now)
    timed = begun(campaign, first, first.scheduled_at)
    zones = {each.addressed.customer_id: each.zone for each in looked_at}
    sends = tuple(_in_time(send, timed, named.sites[campaign.site], zones[send.customer_id]) for send in assigned)
    return Simulation(
        problems=flaws,
        audience=found,
        looked_at=len(sends),
        ends=_expected(found.count, sends, lambda send: (send.status.value, send.reason)),
        treatments=_expected(found.count, sends, _treatment_name),
        cost_minor=_cost(campaign.costs, _estimated(found.count, sends, Status.PLANNED)),
        costs=campaign.costs,
        occurrences=comes,
        effect=_effect(campaign, treated, control, [send for send in assigned if send.ineligible is None], room),
        mails=tuple(_samples(run, sends, room, is_late)),
    )


def _occurrences(campaign: Campaign, zone: tzinfo, now: datetime) -> tuple[Occurrence, ...]:
    if campaign.schedule is None:
        return (Occurrence(now),)
    comes: list[Occurrence] = []
    after = now
    while len(comes) < OCCURRENCES and (following := next_occurrence(campaign.schedule, zone, after)):
        comes.append(following)
        after = following.scheduled_at
    return tuple(comes)


@dataclass(frozen=True, slots=True)
class _LookedAt:
    """Somebody of the audience, with the time zone that their profile says."""

    addressed: Addressed
    zone: Any


def _looked_at(
    campaign: Campaign, people: Sequence[str], room: SimulationRoom, now: datetime, is_late: Callable[[], bool]
) -> list[_LookedAt]:
    """Give the message of each, as far as there is time."""
    rules = {segment.segment: segment.rule for segment in room.segments.published()}
    moment = Moment(now, room.zone)
    choosing, score = Choosing.of(campaign, rules, moment), score_by(room.nights.pointer().thresholds, moment.today)
    looked_at: list[_LookedAt] = []
    for customer_id in people:
        if looked_at and is_late():
            break
        facts = room.facts_of(customer_id, score)
        _, message = choosing.message(facts) if facts else (True, None)
        if facts is not None and message is not None:
            looked_at.append(_LookedAt(Addressed(customer_id, message), facts.trait(_TIME_ZONE)))
    return looked_at


def _in_time(send: Send, run: Run, site: Site, zone: Any) -> Send:
    """Let somebody's mail expire whose hours come only after its end, by their clock."""
    if send.status is not Status.PLANNED:
        return send
    policy = site.contact_policy(zone)
    begins_at = max(filter(None, (run.started_at, instant(run, policy.zone), pilot_until(send, run, run.started_at))))
    wait = policy.closed(begins_at, run.window)
    if wait is None or wait.until < ends_at(send, run, policy.zone):
        return send
    return replace(send, status=Status.EXPIRED, reason=wait.reason)


def _expected(count: int, sends: Sequence[Send], name: Callable[[Send], tuple[str, str | None] | None]) -> tuple[Expected, ...]:
    seen = Counter(filter(None, map(name, sends)))
    in_order = sorted(seen.items(), key=lambda each: (-each[1], each[0][0], each[0][1] or ""))
    return tuple(Expected(*names, round(count * times / len(sends)), times) for names, times in in_order)


def _treatment_name(send: Send) -> tuple[str, str | None] | None:
    """Name what somebody gets; who waits for the pilot gets what that says."""
    if send.status is not Status.PLANNED:
        return None
    return send.message or "", send.treatment


def _estimated(count: int, sends: Sequence[Send], status: Status) -> int:
    return round(count * sum(send.status is status for send in sends) / len(sends)) if sends else 0


def _cost(costs: Costs | None, treated: int) -> int | None:
    return round(costs.fixed + costs.per_message * treated) if costs else None


def _effect(campaign: Campaign, treated: int, control: int, eligible: Sequence[Send], room: SimulationRoom) -> Effect | None:
    if not eligible or not campaign.control_percent:
        return None
    now, placed = room.clock.now(), room.last_orders.of([send.customer_id for send in eligible])
    baseline = sum((now - at).days < campaign.attribution_days for at in placed.values()) / len(eligible)
    return Effect(treated, control, baseline, smallest_effect(treated, control, baseline))


def _samples(run: Run, sends: Sequence[Send], room: SimulationRoom, is_late: Callable[[], bool]) -> list[Sample]:
    """Make some mails, of as many treatments as there are."""
    reached = [send for send in sends if send.status is Status.PLANNED]
    wanted = [(message, treatment) for message in run.messages for treatment in message.treatments]
    samples: list[Sample] = []
    for send, treatment in islice(_matched(reached, wanted), MAILS):
        if is_late():
            break
        samples.append(_sample(run, send, treatment, room))
    return samples


def _matched(sends: Sequence[Send], wanted: Sequence[tuple[CampaignMessage, Treatment]]) -> list[tuple[Send, Treatment]]:
    """Give each treatment somebody of its message, by turns, until there are mails enough."""
    by_message: Mapping[str, list[Send]] = {
        message.name: [send for send in sends if send.message == message.name] for message, _ in wanted
    }
    matched: list[tuple[Send, Treatment]] = []
    for turn in range(MAILS):
        for number, (message, treatment) in enumerate(wanted):
            people = by_message[message.name]
            place = turn * len(wanted) + number
            if place < len(people):
                matched.append((people[place], treatment))
    return matched


def _sample(run: Run, send: Send, treatment: Treatment, room: SimulationRoom) -> Sample:
    entry = replace(send, treatment=treatment.name, template=treatment.template, template_version=treatment.template_version)
    place = (send.customer_id, send.message or "", treatment.name)
    customer = room.customers.find(send.customer_id)
    try:
        mail = room.render(run, entry, customer) if customer else None
    except Unavailable:
        raise
    except EcrmError as error:
        return Sample(*place, None, error.code)
    return Sample(*place, mail, None if mail else "customer_not_found")
