"""Campaigns and their runs on the wire."""

import json
import re
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError, PydanticKnownError

from ecrm.application.campaigns import CampaignView
from ecrm.domain import instants, money
from ecrm.domain.campaigns import Audience, Campaign, Every, Schedule, Unit
from ecrm.domain.contact_policy import Window
from ecrm.domain.errors import Flaw, Invalid
from ecrm.domain.runs import CampaignMessage, Costs, Otherwise, Pilot, PilotMetric, Run, RunState, Treatment
from ecrm.domain.segments import MOST_CONDITIONS, Rule, conditions_in, refuse_too_large

from .customers import json_of
from .fields import Amount, Answer, Body, Currency, Day, Name, Restated, SiteId, TemplateName, TopicId, storable
from .segments import RuleBody, SegmentId, written
from .sites import WallClock

CAMPAIGN_ID = r"^[a-z0-9][a-z0-9_-]{0,39}$"
CampaignId = Annotated[str, StringConstraints(pattern=CAMPAIGN_ID)]
PartName = Annotated[str, StringConstraints(pattern=CAMPAIGN_ID)]
"""Messages and treatments are named as campaigns are."""
MOST_DATA = 16 * 1024
"""Bytes of JSON of all treatments together: they are in every run's item, which each worker reads once a second."""
MOST_MESSAGES, MOST_TREATMENTS = 10, 5
LEAST_RATE = 12
"""Mails a minute."""
_FINEST = Decimal("0.0001")


def _part_of_all(least: Decimal, most: int) -> Any:
    def take(value: Any) -> Decimal:
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise PydanticCustomError("wrong_type", "a percentage is a number")
        percent = Decimal(storable(value))
        if percent < least:
            raise PydanticKnownError("greater_than_equal", {"ge": float(least)})
        if percent > most:
            raise PydanticKnownError("less_than_equal", {"le": most})
        if percent % _FINEST:
            raise PydanticCustomError("too_many_decimals", "a percentage has at most four decimals")
        return percent

    return BeforeValidator(take)


ControlPercent = Annotated[Decimal, _part_of_all(Decimal(0), 50), WithJsonSchema({"type": "number", "minimum": 0, "maximum": 50})]
PilotPercent = Annotated[Decimal, _part_of_all(Decimal(1), 90), WithJsonSchema({"type": "number", "minimum": 1, "maximum": 90})]


class TreatmentBody(Restated):
    """A template with data of its own, which it finds under `data`; its part of all is its weight's of the sum of them."""

    READ_ONLY = frozenset({"template_version"})

    name: PartName
    template: TemplateName
    weight: Annotated[int, Field(ge=1, le=1_000)] = 1
    data: Annotated[dict[str, Any], AfterValidator(storable)] = Field(default_factory=dict)

    def to_treatment(self) -> Treatment:
        return Treatment(name=self.name, template=self.template, weight=self.weight, data=self.data)


class CampaignMessageBody(Body):
    """What those in a segment get who are in none of a message before it; without a segment, all who are left."""

    name: PartName
    segment: SegmentId | None = None
    treatments: Annotated[list[TreatmentBody], Field(min_length=1, max_length=MOST_TREATMENTS)]

    def to_message(self) -> CampaignMessage:
        return CampaignMessage(
            name=self.name, segment=self.segment, treatments=tuple(each.to_treatment() for each in self.treatments)
        )


class AudienceBody(Body):
    """All for whom `include` holds and `exclude` does not, judged when an occurrence is planned."""

    include: RuleBody
    exclude: RuleBody | None = None

    def to_audience(self) -> Audience:
        """Raises Invalid for a rule that is too deep, and for both together where they are too long."""
        audience = Audience(_rule(self.include, "include"), _rule(self.exclude, "exclude") if self.exclude else None)
        if conditions_in(audience.rule) > MOST_CONDITIONS:
            detail = f"an audience has at most {MOST_CONDITIONS} conditions"
            raise Invalid.at("/audience", "too_many_conditions", detail)
        return audience


def _rule(body: RuleBody, name: str) -> Rule:
    rule = body.to_rule()
    refuse_too_large(rule, f"/audience/{name}")
    return rule


class EveryBody(Body):
    """Every day; each week on `days`, Monday is 1; or each month on `days`, the last is -1. A month may lack a day."""

    unit: Literal["day", "week", "month"]
    days: Annotated[list[int], Field(max_length=31)] = Field(default_factory=list)

    def to_every(self) -> Every:
        """Raises Invalid where the days do not fit the unit."""
        known = {"day": range(0), "week": range(1, 8), "month": (-1, *range(1, 32))}[self.unit]
        if not set(self.days) <= set(known) or len(set(self.days)) < len(self.days) or bool(self.days) != bool(known):
            detail = "a week has days 1 to 7, a month 1 to 31 and -1, each named once; every day names none"
            raise Invalid.at("/schedule/every/days", "range", detail)
        return Every(Unit(self.unit), tuple(sorted(self.days)))


class ScheduleBody(Body):
    """At a time of the site's wall clock from `day` on, or with `local` of each recipient's; once, or `every` so often."""

    day: Day
    at: WallClock
    every: EveryBody | None = None
    until: Day | None = None
    local: bool = False

    def to_schedule(self) -> Schedule:
        """Raises Invalid for an end without a beginning before it, or of what comes once."""
        if self.until is not None and (self.every is None or self.until < self.day):
            raise Invalid.at("/schedule/until", "range", "what comes again and again may end, on its first day or after it")
        return Schedule(
            day=self.day,
            at=time.fromisoformat(self.at),
            every=self.every.to_every() if self.every else None,
            until=self.until,
            is_local=self.local,
        )


class SendingWindowBody(Body):
    """The part of each day in which it is sent, by the recipient's clock, through midnight where it ends before it starts."""

    start: WallClock
    end: WallClock

    @classmethod
    def of(cls, window: Window) -> Self:
        return cls(start=window.start.isoformat("minutes"), end=window.end.isoformat("minutes"))

    def to_window(self) -> Window:
        """Raises Invalid where it would be empty."""
        if self.start == self.end:
            raise Invalid.at("/window/end", "range", "a window ends at another time than it starts")
        return Window(time.fromisoformat(self.start), time.fromisoformat(self.end))


class PilotBody(Body):
    """The treatments are tried on a part of the treated; `wait_minutes` after the last mail of it, the winner goes to the others.

    It is decided by `clicks` or `orders` per recipient, once each treatment has its `minimum` of recipients. Where there is no
    winner, the others get the treatments by their weights, or `otherwise` nothing.
    """

    percent: PilotPercent
    wait_minutes: Annotated[int, Field(ge=1, le=20_160)]
    metric: Literal["clicks", "orders"] = "clicks"
    minimum: Annotated[int, Field(ge=1, le=1_000_000)] = 100
    otherwise: Literal["split", "stop"] = "split"

    def to_pilot(self) -> Pilot:
        return Pilot(
            percent=self.percent,
            wait=timedelta(minutes=self.wait_minutes),
            metric=PilotMetric(self.metric),
            minimum=self.minimum,
            otherwise=Otherwise(self.otherwise),
        )


class CostsBody(Body):
    """What a run costs, in major units; a message may cost a fraction of a minor unit."""

    currency: Currency
    fixed: Amount = Decimal(0)
    per_message: Amount = Decimal(0)

    def to_costs(self) -> Costs:
        """Raises Invalid for decimals that the currency does not have."""
        digits = money.DIGITS[self.currency]
        fixed = money.to_minor(self.fixed, self.currency, pointer="/costs/fixed")
        return Costs(self.currency, fixed, self.per_message.scaleb(digits))


class PutCampaignBody(Restated):
    """Who gets what, when and how often. What it names need not be there before it is launched."""

    READ_ONLY = frozenset(
        ("campaign", "version", "updated_at", "state", "problems", "next_at", "launched_at", "launched_by", "last_run")
    )

    name: Name
    site: SiteId | None = None
    topic: TopicId
    audience: AudienceBody
    messages: Annotated[list[CampaignMessageBody], Field(min_length=1, max_length=MOST_MESSAGES)]
    schedule: ScheduleBody | None = None
    window: SendingWindowBody | None = None
    expires_after_hours: Annotated[int, Field(ge=1, le=336)] = 24
    priority: Annotated[int, Field(ge=0, le=9)] = 5
    rate_per_minute: Annotated[int, Field(ge=LEAST_RATE, le=1_000_000)] | None = None
    control_percent: Annotated[ControlPercent, Field(json_schema_extra={"default": 10})] = Decimal(10)
    salt: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = None
    pilot: PilotBody | None = None
    attribution_days: Annotated[int, Field(ge=1, le=365)] = 30
    costs: CostsBody | None = None

    def to_campaign(self, campaign: str, site: str, now: datetime) -> Campaign:
        """Raises Invalid for what contradicts itself."""
        if not re.fullmatch(CAMPAIGN_ID, campaign):
            detail = "a campaign is named by lower-case letters, digits, hyphens and underscores, 40 at most"
            raise Invalid(detail, code="bad_campaign")
        self._refuse_ambiguous()
        return Campaign(
            campaign=campaign,
            name=self.name,
            site=site,
            topic=self.topic,
            audience=self.audience.to_audience(),
            messages=tuple(message.to_message() for message in self.messages),
            schedule=self.schedule.to_schedule() if self.schedule else None,
            window=self.window.to_window() if self.window else None,
            expires_after=timedelta(hours=self.expires_after_hours),
            priority=self.priority,
            rate_per_minute=self.rate_per_minute,
            control_percent=self.control_percent,
            salt=campaign if self.salt is None else self.salt,
            pilot=self._pilot(),
            attribution_days=self.attribution_days,
            costs=self.costs.to_costs() if self.costs else None,
            updated_at=now,
        )

    def _refuse_ambiguous(self) -> None:
        _refuse_repeated("/messages", [message.name for message in self.messages])
        data = [treatment.data for message in self.messages for treatment in message.treatments]
        if len(json.dumps(data, ensure_ascii=False, default=str).encode()) > MOST_DATA:
            raise Invalid.at("/messages", "data_too_large", "the data of all treatments are at most 16 KB of JSON")
        for number, message in enumerate(self.messages):
            _refuse_repeated(f"/messages/{number}/treatments", [treatment.name for treatment in message.treatments])
            if message.segment is None and number + 1 < len(self.messages):
                detail = "only the last message is for all who are left"
                raise Invalid.at(f"/messages/{number}/segment", "missing", detail)

    def _pilot(self) -> Pilot | None:
        if self.pilot is None:
            return None
        if all(len(message.treatments) == 1 for message in self.messages):
            raise Invalid.at("/pilot", "nothing_to_try", "a pilot needs a message of two treatments at least")
        if self.pilot.wait_minutes >= self.expires_after_hours * 60:
            raise Invalid.at("/pilot/wait_minutes", "range", "the pilot is decided after the mails have expired")
        return self.pilot.to_pilot()


def _refuse_repeated(pointer: str, names: list[str]) -> None:
    for number, name in enumerate(names):
        if name in names[:number]:
            raise Invalid.at(f"{pointer}/{number}/name", "repeated", "two have this name")


class PilotAnswerBody(Answer):
    percent: float
    wait_minutes: int
    metric: PilotMetric
    minimum: int
    otherwise: Otherwise

    @classmethod
    def of(cls, pilot: Pilot) -> Self:
        return cls(
            percent=float(pilot.percent),
            wait_minutes=pilot.wait // timedelta(minutes=1),
            metric=pilot.metric,
            minimum=pilot.minimum,
            otherwise=pilot.otherwise,
        )


class CostsAnswerBody(Answer):
    currency: str
    fixed: str
    per_message: str

    @classmethod
    def of(cls, costs: Costs) -> Self:
        per_message = costs.per_message.scaleb(-money.DIGITS[costs.currency])
        return cls(
            currency=costs.currency, fixed=money.to_text(costs.fixed, costs.currency), per_message=format(per_message, "f")
        )


class AudienceAnswerBody(Answer):
    include: dict[str, Any]
    exclude: dict[str, Any] | None

    @classmethod
    def of(cls, audience: Audience) -> Self:
        exclude = audience.exclude
        return cls(include=json_of(written(audience.include)), exclude=None if exclude is None else json_of(written(exclude)))


class TreatmentAnswerBody(Answer):
    """`template_version` is that of a run, 0 a ready-made one; a campaign has none yet."""

    name: str
    template: str
    weight: int
    data: dict[str, Any]
    template_version: int | None


class MessageAnswerBody(Answer):
    name: str
    segment: str | None
    treatments: list[TreatmentAnswerBody]

    @classmethod
    def of(cls, message: CampaignMessage) -> Self:
        return cls(
            name=message.name,
            segment=message.segment,
            treatments=[
                TreatmentAnswerBody(
                    name=treatment.name,
                    template=treatment.template,
                    weight=treatment.weight,
                    data=json_of(treatment.data),
                    template_version=treatment.template_version,
                )
                for treatment in message.treatments
            ],
        )


class EveryAnswerBody(Answer):
    unit: str
    days: list[int]


class ScheduleAnswerBody(Answer):
    day: str
    at: str
    every: EveryAnswerBody | None
    until: str | None
    local: bool

    @classmethod
    def of(cls, schedule: Schedule) -> Self:
        every = schedule.every
        return cls(
            day=schedule.day.isoformat(),
            at=schedule.at.isoformat("minutes"),
            every=EveryAnswerBody(unit=every.unit, days=list(every.days)) if every else None,
            until=schedule.until.isoformat() if schedule.until else None,
            local=schedule.is_local,
        )


class CampaignVersionBody(Answer):
    """A definition as it was put, with what was left out said."""

    campaign: CampaignId
    name: str
    site: str
    topic: str
    audience: AudienceAnswerBody
    messages: list[MessageAnswerBody]
    schedule: ScheduleAnswerBody | None
    window: SendingWindowBody | None
    expires_after_hours: int
    priority: int
    rate_per_minute: int | None
    control_percent: float
    salt: str
    pilot: PilotAnswerBody | None
    attribution_days: int
    costs: CostsAnswerBody | None
    version: int
    updated_at: str

    @classmethod
    def of(cls, campaign: Campaign) -> Self:
        return cls(**_said(campaign))


def _said(campaign: Campaign) -> dict[str, Any]:
    return {
        "campaign": campaign.campaign,
        "name": campaign.name,
        "site": campaign.site,
        "topic": campaign.topic,
        "audience": AudienceAnswerBody.of(campaign.audience),
        "messages": list(map(MessageAnswerBody.of, campaign.messages)),
        "schedule": ScheduleAnswerBody.of(campaign.schedule) if campaign.schedule else None,
        "window": SendingWindowBody.of(campaign.window) if campaign.window else None,
        "expires_after_hours": campaign.expires_after // timedelta(hours=1),
        "priority": campaign.priority,
        "rate_per_minute": campaign.rate_per_minute,
        "control_percent": float(campaign.control_percent),
        "salt": campaign.salt,
        "pilot": PilotAnswerBody.of(campaign.pilot) if campaign.pilot else None,
        "attribution_days": campaign.attribution_days,
        "costs": CostsAnswerBody.of(campaign.costs) if campaign.costs else None,
        "version": campaign.version,
        "updated_at": instants.to_answer(campaign.updated_at),
    }


CampaignStateName = Literal[
    "draft", "validated", "scheduled", "planning", "sending", "paused", "settled", "skipped", "cancelled", "ended"
]


class CampaignProblemBody(Answer):
    """What hinders a draft from being launched; `pointer` leads to it in the definition."""

    pointer: str
    code: str
    detail: str

    @classmethod
    def of(cls, flaw: Flaw) -> Self:
        return cls(pointer=flaw.pointer, code=flaw.code, detail=flaw.detail)


class CampaignHeadBody(Answer):
    """A campaign in a list; `next_at` is when its next occurrence begins, `last_run` the newest that has begun."""

    campaign: CampaignId
    name: str
    site: str
    topic: str
    state: CampaignStateName
    problems: list[CampaignProblemBody]
    next_at: str | None
    launched_at: str | None
    launched_by: str | None
    last_run: str | None
    version: int
    updated_at: str

    @classmethod
    def of_view(cls, view: CampaignView) -> Self:
        campaign = view.head.campaign
        return cls(
            campaign=campaign.campaign,
            name=campaign.name,
            site=campaign.site,
            topic=campaign.topic,
            version=campaign.version,
            updated_at=instants.to_answer(campaign.updated_at),
            **_lived(view),
        )


def _lived(view: CampaignView) -> dict[str, Any]:
    life = view.head.life
    return {
        "state": view.state,
        "problems": list(map(CampaignProblemBody.of, view.problems)),
        "next_at": _answered(life.next_at),
        "launched_at": _answered(life.launched_at),
        "launched_by": life.launched_by,
        "last_run": life.last_run,
    }


def _answered(instant: datetime | None) -> str | None:
    return instants.to_answer(instant) if instant else None


class CampaignBody(CampaignVersionBody):
    """The newest version, and how far its life is. A draft is `validated` when it has no problems."""

    state: CampaignStateName
    problems: list[CampaignProblemBody]
    next_at: str | None
    launched_at: str | None
    launched_by: str | None
    last_run: str | None

    @classmethod
    def of_view(cls, view: CampaignView) -> Self:
        return cls(**_said(view.head.campaign), **_lived(view))


class CampaignsPage(Answer):
    data: list[CampaignHeadBody]
    next_cursor: str | None


class VerdictBody(Answer):
    """What the pilot of a message came to: the winning treatment, or null, and why."""

    winner: str | None
    why: str


class RunBody(Answer):
    """An occurrence with what it goes by, frozen when it began. `books` are there once they are closed: entries by status.

    `wall` is the time of the wall clock at which each recipient gets it, where the campaign is sent at local times.
    """

    run_id: str
    campaign: CampaignId
    campaign_version: int
    state: RunState
    reason: str | None
    scheduled_at: str
    wall: str | None
    started_at: str
    planned_at: str | None
    settled_at: str | None
    expires_at: str
    messages: list[MessageAnswerBody]
    salt: str
    control_percent: float
    pilot: PilotAnswerBody | None
    decide_at: str | None
    verdicts: dict[str, VerdictBody]
    attribution_days: int
    costs: CostsAnswerBody | None
    audience: int | None
    books: dict[str, int] | None
    retry_of: str | None
    retried_by: str | None

    @classmethod
    def of(cls, run: Run) -> Self:
        return cls(
            run_id=run.run_id,
            campaign=run.campaign,
            campaign_version=run.campaign_version,
            state=run.state,
            reason=run.reason,
            scheduled_at=instants.to_answer(run.scheduled_at),
            wall=run.wall.isoformat(timespec="minutes") if run.wall else None,
            started_at=instants.to_answer(run.started_at),
            planned_at=_answered(run.planned_at),
            settled_at=_answered(run.settled_at),
            expires_at=instants.to_answer(run.expires_at),
            messages=list(map(MessageAnswerBody.of, run.messages)),
            salt=run.salt,
            control_percent=float(run.control_percent),
            pilot=PilotAnswerBody.of(run.pilot) if run.pilot else None,
            decide_at=_answered(run.decide_at),
            verdicts={name: VerdictBody(winner=one.winner, why=one.why) for name, one in run.verdicts.items()},
            attribution_days=run.attribution_days,
            costs=CostsAnswerBody.of(run.costs) if run.costs else None,
            audience=run.audience,
            books=dict(run.books) if run.books is not None else None,
            retry_of=run.retry_of,
            retried_by=run.retried_by,
        )


class RunsPage(Answer):
    data: list[RunBody]
    next_cursor: str | None
