"""The report of a campaign's run on the wire. Shares are parts of 1, amounts are in whole units of their currency."""

from collections.abc import Mapping
from typing import Any, Self

from ecrm.analytics.campaign_reports import Arms, CampaignReport, Followed, Hour, Mailed, Piloted
from ecrm.analytics.experiments import Interval
from ecrm.domain import instants, money
from ecrm.domain.runs import PilotMetric, Run, RunState
from ecrm.domain.tallies import FOLLOWED

from .campaigns import CampaignId
from .fields import Answer

_DIGITS = 6


class ShareBody(Answer):
    """People, the share that they are, and between what the true one lies in 95 of 100 cases; null where it is of nobody."""

    people: int
    share: float | None
    low: float | None
    high: float | None

    @classmethod
    def of(cls, people: int, found: Interval | None) -> Self:
        if found is None:
            return cls(people=people, share=None, low=None, high=None)
        share, low, high = (round(each, _DIGITS) for each in (found.share, found.low, found.high))
        return cls(people=people, share=share, low=low, high=high)


class BooksBody(Answer):
    """How many of the audience came to which end, each to one, and how many wait; `audience` is null before all are planned."""

    audience: int | None
    accepted: int
    held_out: int
    suppressed: int
    no_consent: int
    capped: int
    expired: int
    cancelled: int
    failed: int
    unknown: int
    open: int
    is_balanced: bool
    reasons: dict[str, dict[str, int]]

    @classmethod
    def of(cls, report: CampaignReport) -> Self:
        return cls(
            audience=report.run.audience,
            **report.total.books,
            open=report.total.open,
            is_balanced=report.is_balanced,
            reasons=report.reasons,
        )


class ArmsBody(Answer):
    """Whom the audience matched; `control_percent` is what was asked for, `control_share` what it came to of who was eligible."""

    ineligible: int
    treated: int
    control: int
    control_percent: float
    control_share: ShareBody

    @classmethod
    def of(cls, arms: Arms, run: Run) -> Self:
        return cls(
            ineligible=arms.ineligible,
            treated=arms.treated,
            control=arms.control,
            control_percent=float(run.control_percent),
            control_share=ShareBody.of(arms.control, arms.control_share),
        )


class MailedBody(Answer):
    """Treated people, whose mail was accepted of them, and what followed: shares of the accepted."""

    people: int
    accepted: int
    delivered: ShareBody
    bounced: ShareBody
    complained: ShareBody
    rejected: ShareBody
    opened: ShareBody
    clicked: ShareBody
    unsubscribed: ShareBody

    @classmethod
    def of(cls, mailed: Mailed) -> Self:
        return cls(**_counted(mailed))


def _counted(mailed: Mailed) -> dict[str, Any]:
    shares = {what: ShareBody.of(mailed.counted[what], mailed.share(what)) for what in FOLLOWED}
    return {"people": mailed.people, "accepted": mailed.accepted, **shares}


class TreatmentReportBody(MailedBody):
    """Of one message and treatment; null is who has none, because it has not been decided or was not before their end."""

    message: str
    treatment: str | None
    template: str | None
    template_version: int | None

    @classmethod
    def of(cls, mailed: Mailed) -> Self:
        given = mailed.treatment
        return cls(
            message=mailed.message,
            treatment=given.name if given else None,
            template=given.template if given else None,
            template_version=given.template_version if given else None,
            **_counted(mailed),
        )


class TriedBody(Answer):
    treatment: str
    recipients: int
    successes: int


class ComparedBody(Answer):
    """`p` is Fisher's two-sided one, adjusted after Holm for all pairs of the message."""

    one: str
    other: str
    p: float


class MessagePilotBody(Answer):
    """What was tried when the pilot was decided; `why` is null before: `better`, `no_difference` or `too_few`."""

    message: str
    winner: str | None
    why: str | None
    tried: list[TriedBody]
    compared: list[ComparedBody]

    @classmethod
    def of(cls, piloted: Piloted) -> Self:
        verdict = piloted.verdict
        return cls(
            message=piloted.message,
            winner=verdict.winner if verdict else None,
            why=verdict.why if verdict else None,
            tried=[TriedBody(**tried._asdict()) for tried in (verdict.tried if verdict else ())],
            compared=[ComparedBody(one=pair.one, other=pair.other, p=float(f"{pair.p:.{_DIGITS}g}")) for pair in piloted.pairs],
        )


class PilotReportBody(Answer):
    """`minimum` are the recipients that each treatment needs; what has not been decided is so at `decide_at`."""

    metric: PilotMetric
    minimum: int
    decide_at: str | None
    test: str
    messages: list[MessagePilotBody]

    @classmethod
    def of(cls, report: CampaignReport) -> Self | None:
        pilot, decide_at = report.run.pilot, report.run.decide_at
        if pilot is None:
            return None
        return cls(
            metric=pilot.metric,
            minimum=pilot.minimum,
            decide_at=instants.to_answer(decide_at) if decide_at else None,
            test=TEST,
            messages=list(map(MessagePilotBody.of, report.piloted)),
        )


TEST = (
    "Fisher's exact test, two-sided, of each pair of treatments, p-values adjusted after Holm; the best one wins where it "
    "differs from every other one with p below 0.05."
)


class FollowedBody(Answer):
    """`url` is as it may be shown, without its query; null where that is not known."""

    message: str
    treatment: str
    url: str | None
    people: int

    @classmethod
    def of(cls, followed: Followed) -> Self:
        return cls(message=followed.message, treatment=followed.treatment, url=followed.url, people=followed.people)


class HourBody(Answer):
    """An hour since the run began, the first is 0; the last one that is told apart, 336, has all that came later, too."""

    hour: int
    begins_at: str
    accepted: int
    opened: int
    clicked: int

    @classmethod
    def of(cls, hour: Hour) -> Self:
        counted = {name: hour.counted[name] for name in ("accepted", "opened", "clicked")}
        return cls(hour=hour.number, begins_at=instants.to_answer(hour.begins_at), **counted)


class SpentBody(Answer):
    """`messages` is what the accepted mails cost."""

    currency: str
    fixed: str
    messages: str
    total: str

    @classmethod
    def of(cls, report: CampaignReport) -> Self | None:
        spent, costs = report.spent, report.run.costs
        if spent is None or costs is None:
            return None
        fixed, messages, total = (money.to_text(each, costs.currency) for each in (spent.fixed, spent.messages, spent.total))
        return cls(currency=costs.currency, fixed=fixed, messages=messages, total=total)


class SmallestEffectBody(Answer):
    """If `baseline` is the share of the control group that does what is compared, a difference from `effect` on shows."""

    baseline: float
    effect: float


class CampaignReportBody(Answer):
    """What was counted at `as_of` or since, null where nothing was yet; `is_complete` where it is everybody in the audience.

    `definitions` say what each part means, in English.
    """

    campaign: CampaignId
    name: str
    run_id: str
    campaign_version: int
    site: str
    time_zone: str
    state: RunState
    reason: str | None
    scheduled_at: str
    started_at: str
    settled_at: str | None
    as_of: str | None
    is_complete: bool
    books: BooksBody
    arms: ArmsBody
    mails: MailedBody
    treatments: list[TreatmentReportBody]
    pilot: PilotReportBody | None
    links: list[FollowedBody]
    hours: list[HourBody]
    costs: SpentBody | None
    smallest_effects: list[SmallestEffectBody]
    attribution_days: int
    definitions: dict[str, str]

    @classmethod
    def of(cls, report: CampaignReport) -> Self:
        run = report.run
        return cls(
            campaign=run.campaign,
            name=report.name,
            run_id=run.run_id,
            campaign_version=run.campaign_version,
            site=run.site,
            time_zone=report.time_zone,
            state=run.state,
            reason=run.reason,
            scheduled_at=instants.to_answer(run.scheduled_at),
            started_at=instants.to_answer(run.started_at),
            settled_at=instants.to_answer(run.settled_at) if run.settled_at else None,
            as_of=instants.to_answer(report.as_of) if report.as_of else None,
            is_complete=report.is_complete,
            books=BooksBody.of(report),
            arms=ArmsBody.of(report.arms, run),
            mails=MailedBody.of(report.all_mailed),
            treatments=list(map(TreatmentReportBody.of, report.mailed)),
            pilot=PilotReportBody.of(report),
            links=list(map(FollowedBody.of, report.followed)),
            hours=list(map(HourBody.of, report.hours)),
            costs=SpentBody.of(report),
            smallest_effects=[
                SmallestEffectBody(baseline=baseline, effect=round(effect, _DIGITS))
                for baseline, effect in report.smallest_effects
            ],
            attribution_days=run.attribution_days,
            definitions=dict(DEFINITIONS),
        )


DEFINITIONS: Mapping[str, str] = {
    "as_of": "When the page of the audience was counted that was counted longest ago. What has happened since may be missing.",
    "books": "The audience is everybody whom the campaign's rule matched when the run began. Each is accepted, held out, "
    "suppressed, without consent, capped, expired, cancelled, failed, unknown or still open, and nobody is two of them.",
    "accepted": "The mail provider took the mail. Not yet that it arrived.",
    "held_out": "In the control group: could have got it, and deliberately did not.",
    "suppressed": "The address bounced, complained, or is blocked.",
    "no_consent": "No address, or no consent to the topic for that address, when it was planned or when it was to go out.",
    "capped": "Had had enough mails, or had paused them, until the mail expired.",
    "expired": "The mail came to its end before it could go out.",
    "cancelled": "The run was cancelled, the person is erased or is somebody else's part, or the pilot had no winner.",
    "failed": "The mail could not be made, or the provider refused it for good.",
    "unknown": "Nobody can tell whether the provider took the mail, so it is not sent a second time.",
    "open": "Waits for its time, for room, for the pilot, or for an answer of the provider.",
    "arms": "Who could not get it when it was planned is ineligible, alike for both arms. The others are treated or control, "
    "by a salted hash, whatever became of them since. The share is that of the control among the two.",
    "mails": "People of the treated arm, by the message and treatment that they were given. Shares are of the accepted mails, "
    "with Wilson's interval of 95 %.",
    "delivered": "The mailbox's server took the mail. Who bounced later is in both.",
    "bounced": "The mail came back, for now or for good.",
    "complained": "The person told their mailbox that it is spam; not every mailbox tells us.",
    "rejected": "The provider took the mail and then did not send it, because of what is in it.",
    "opened": "A person has opened it, as far as anybody can tell: what programs open by themselves is left out, and who reads "
    "without images is not seen.",
    "clicked": "A person has followed a link, not a program.",
    "unsubscribed": "The person left, from this topic or from all, by a link in this mail.",
    "pilot": "Recipients whose mail was accepted, and those of them who had clicked, or ordered after it, when the pilot was "
    "decided. It is decided once.",
    "links": "People who followed a link, of the hundred links that most followed on each page of the audience; of one person, "
    "the first twenty.",
    "hours": "Accepted mails, and people by when they first opened or clicked, by hours since the run began.",
    "costs": "The campaign's fixed costs, and for each accepted mail what a message costs. Discounts are not among them.",
    "smallest_effects": "What the audience can show at all: the least difference between the shares of the arms that a test at "
    "the level of 0.05 sees in four cases of five, for several shares of the control group: nobody knows the true one yet.",
    "attribution_days": "The window in which what people of either arm do will be compared, in days from when the mail was to go "
    "out. Nothing in this report says what the campaign has caused.",
}
