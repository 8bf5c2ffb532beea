"""Who is in segments, on the wire: sizes, members, previews, and why a customer is in one."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Self

from pydantic import Field

from ecrm.application.segments import Explained, Preview, SegmentDetails, SegmentView
from ecrm.domain import instants, money
from ecrm.domain.judging import Reason, Verdict
from ecrm.domain.segments import (
    MONEY,
    OrderAmount,
    OrderCondition,
    Predicted,
    PredictedCondition,
    Rule,
    Segment,
    StatsCondition,
    refuse_too_large,
)

from .customers import json_of
from .fields import Answer, Body, Day
from .segments import RuleBody, SegmentBody, SegmentId, written
from .statistics import RfmBody


class SegmentHeadBody(Answer):
    """`size` is what the last published night counted; null where it did not count this segment."""

    segment: SegmentId
    name: str
    description: str
    archived: bool
    ready_made: bool
    version: int
    updated_at: str | None
    size: int | None
    night: str | None

    @classmethod
    def of(cls, view: SegmentView) -> Self:
        segment = view.segment
        return cls(
            segment=segment.segment,
            name=segment.name,
            description=segment.description,
            archived=segment.is_archived,
            ready_made=segment.version == 0,
            version=segment.version,
            updated_at=instants.to_answer(segment.updated_at) if segment.updated_at else None,
            size=view.size,
            night=view.night.isoformat() if view.night else None,
        )


class SegmentsPage(Answer):
    data: list[SegmentHeadBody]
    next_cursor: str | None


class SegmentNightBody(Answer):
    """`version` is that of the rule which the night went by."""

    night: str
    version: int | None
    size: int
    entered: int
    left: int


class SegmentDetailsBody(SegmentBody):
    """`nights` are the last 35 that counted it, the last one first; `used_by` names the segments whose rules name this one."""

    size: int | None
    night: str | None
    nights: list[SegmentNightBody]
    used_by: list[SegmentId]

    @classmethod
    def of_details(cls, details: SegmentDetails) -> Self:
        segment, view = details.view.segment.segment, details.view
        return cls(
            **dict(SegmentBody.of(view.segment)),
            size=view.size,
            night=view.night.isoformat() if view.night else None,
            nights=[
                SegmentNightBody(
                    night=night.night.isoformat(),
                    version=night.versions.get(segment),
                    size=night.sizes[segment],
                    entered=night.entered.get(segment, 0),
                    left=night.left.get(segment, 0),
                )
                for night in details.nights
            ],
            used_by=list(details.used_by),
        )


class PreviewSegmentBody(Body):
    """A rule that is to be tried; nothing is kept of it. With `as_of` it is tried on what the night of that day went by."""

    rule: RuleBody
    as_of: Day | None = None

    def to_rule(self) -> Rule:
        """Raises Invalid for a rule that is too deep or too long."""
        rule = self.rule.to_rule()
        refuse_too_large(rule)
        return rule


class SegmentPreviewBody(Answer):
    """Who would be in the segment now, by the thresholds of the last night, which is `night`; or as that of `as_of` found them.

    `count`, `customers`, `from_facts` and `undecided` are estimates unless `exact`: `read` customers were looked at, of a part
    that chance chose. `from_facts` says what a night costs beyond reading everybody's statistics: of so many it has to read the
    facts. What these were on an earlier day is not kept: of `undecided` customers it cannot be told, and `count` is without them.
    """

    count: int
    customers: int
    from_facts: int
    undecided: int
    read: int
    unreadable: int
    exact: bool
    sample: list[str]
    night: str | None

    @classmethod
    def of(cls, found: Preview) -> Self:
        return cls(
            count=found.count,
            customers=found.customers,
            from_facts=found.from_facts,
            undecided=found.undecided,
            read=found.read,
            unreadable=found.unreadable,
            exact=found.is_exact,
            sample=list(found.sample),
            night=found.night.isoformat() if found.night else None,
        )


class MemberBody(Answer):
    customer_id: str


class MembersPage(Answer):
    data: list[MemberBody]
    next_cursor: str | None


class ReasonBody(Answer):
    """A condition of the rule, by a JSON pointer into it, and the value that it saw: null where there is none."""

    pointer: str
    condition: dict[str, Any]
    seen: Any = Field(json_schema_extra={"description": "What the condition saw: a number, a text, true or false, a list."})
    holds: bool | None

    @classmethod
    def of(cls, reason: Reason) -> Self:
        condition: Mapping[str, Any] = written(reason.condition)
        return cls(pointer=reason.pointer, condition=json_of(condition), seen=json_of(_seen(reason)), holds=reason.truth)


def _seen(reason: Reason) -> Any:
    """Say money in its currency's own decimals, a mean to the nearest of its minor units."""
    currency = None
    match reason.condition:
        case StatsCondition(field, _, said) if field in MONEY:
            currency = said
        case PredictedCondition(Predicted.CLV, said):
            currency = said
        case OrderCondition(of=OrderAmount.NET_REVENUE, currency=said):
            currency = said
    if currency is None or not isinstance(reason.seen, int | Decimal):
        return reason.seen
    return money.to_text(round(reason.seen), currency)


class ExplainedSegmentBody(Answer):
    """`why`: each condition without which, or with whose opposite, the answer might be another."""

    segment: SegmentId
    name: str
    version: int
    member: bool | None
    why: list[ReasonBody]

    @classmethod
    def of(cls, segment: Segment, verdict: Verdict) -> Self:
        return cls(
            segment=segment.segment,
            name=segment.name,
            version=segment.version,
            member=verdict.truth,
            why=[ReasonBody.of(reason) for reason in verdict.why],
        )


class CustomersSegmentsBody(Answer):
    """A customer judged at this moment by every segment, with the thresholds of the last night."""

    customer_id: str
    evaluated_at: str
    night: str | None
    lifecycle: str | None
    rfm: dict[str, RfmBody]
    segments: list[ExplainedSegmentBody]

    @classmethod
    def of(cls, found: Explained) -> Self:
        return cls(
            customer_id=found.customer_id,
            evaluated_at=instants.to_answer(found.at),
            night=found.night.isoformat() if found.night else None,
            lifecycle=found.scores.lifecycle,
            rfm=RfmBody.by_currency(found.scores),
            segments=[ExplainedSegmentBody.of(segment, verdict) for segment, verdict in found.verdicts],
        )
