"""What an occurrence of a campaign would come to, on the wire."""

from typing import TYPE_CHECKING, Self

from ecrm.domain import instants, money

from .campaigns import CampaignProblemBody
from .fields import Answer

if TYPE_CHECKING:  # what tries a campaign out loads all that plans one, and few requests do
    from ecrm.application.simulations import Effect, Expected, Sample, Simulation


class ExpectedAudienceBody(Answer):
    """Who would be in the audience. `people` is an estimate unless `exact`: of `customers`, `read` were judged by chance."""

    people: int
    exact: bool
    customers: int
    read: int
    night: str | None


class ExpectedBody(Answer):
    """An estimate: so many `people` of the audience, from `seen` of those looked at."""

    name: str
    reason: str | None
    people: int
    seen: int

    @classmethod
    def of(cls, expected: "Expected") -> Self:
        return cls(name=expected.name, reason=expected.reason, people=expected.people, seen=expected.seen)


class ExpectedTreatmentBody(Answer):
    """`treatment` null gets what the pilot decides."""

    message: str
    treatment: str | None
    people: int
    seen: int

    @classmethod
    def of(cls, expected: "Expected") -> Self:
        return cls(message=expected.name, treatment=expected.reason, people=expected.people, seen=expected.seen)


class EffectBody(Answer):
    """By how much the share of those who order must be higher among `treated` than in the `control` group to be seen.

    `baseline` is that share now, in as many days as the campaign is given; `smallest` is a difference of shares, which is seen in
    80 of 100 cases where it is there, and in 5 where it is not. null: none is large enough.
    """

    treated: int
    control: int
    baseline: float
    smallest: float | None

    @classmethod
    def of(cls, effect: "Effect") -> Self:
        return cls(treated=effect.treated, control=effect.control, baseline=effect.baseline, smallest=effect.smallest)


class SampleBody(Answer):
    """The mail of somebody in the audience, with links that lead nowhere, or the code of why it cannot be made."""

    customer_id: str
    message: str
    treatment: str
    subject: str | None
    html: str | None
    text: str | None
    failure: str | None

    @classmethod
    def of(cls, sample: "Sample") -> Self:
        mail = sample.mail
        return cls(
            customer_id=sample.customer_id,
            message=sample.message,
            treatment=sample.treatment,
            subject=mail.subject if mail else None,
            html=mail.html if mail else None,
            text=mail.text if mail else None,
            failure=sample.failure,
        )


class CostBody(Answer):
    currency: str
    amount: str


class SimulationBody(Answer):
    """What an occurrence that began now would come to; where something but the schedule hinders it, only what hinders it.

    `ends` are what becomes of the audience: `planned` for those who get it, `held_out` for the control group, or why they are
    not reached; estimated, as `treatments` are, from `looked_at` people. Whom quiet hours or its window would keep away for too
    long, by the clock of its next occurrence, is `expired`; caps and pauses are judged when it is sent. `cost` is by what the
    campaign says of its costs.
    """

    problems: list[CampaignProblemBody]
    audience: ExpectedAudienceBody | None
    looked_at: int
    ends: list[ExpectedBody]
    treatments: list[ExpectedTreatmentBody]
    cost: CostBody | None
    occurrences: list[str]
    effect: EffectBody | None
    mails: list[SampleBody]

    @classmethod
    def of(cls, found: "Simulation") -> Self:
        audience, costs = found.audience, found.costs
        return cls(
            problems=list(map(CampaignProblemBody.of, found.problems)),
            audience=ExpectedAudienceBody(
                people=audience.count,
                exact=audience.is_exact,
                customers=audience.customers,
                read=audience.read,
                night=audience.night.isoformat() if audience.night else None,
            )
            if audience
            else None,
            looked_at=found.looked_at,
            ends=list(map(ExpectedBody.of, found.ends)),
            treatments=list(map(ExpectedTreatmentBody.of, found.treatments)),
            cost=CostBody(currency=costs.currency, amount=money.to_text(found.cost_minor, costs.currency))
            if costs and found.cost_minor is not None
            else None,
            occurrences=[instants.to_answer(comes.scheduled_at) for comes in found.occurrences],
            effect=EffectBody.of(found.effect) if found.effect else None,
            mails=list(map(SampleBody.of, found.mails)),
        )
