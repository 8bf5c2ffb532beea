"""Decisions not to send, on the wire."""

from typing import Self

from ecrm.application.decisions import Held, PlannedWithout
from ecrm.domain import instants
from ecrm.domain.events import Event

from .fields import Answer


class DecisionBody(Answer):
    """What was decided of a message: `postponed` until a time, or the status in which it ended, and the reason for either.

    A message that is not there by itself is an entry of a run, which `message_id` names.
    """

    decided_at: str
    status: str
    reason: str | None
    until: str | None
    message_id: str
    template: str
    site: str

    @classmethod
    def of(cls, event: Event) -> Self:
        said, kind = event.data, event.type.removeprefix("message.")
        until = said.get("until")
        return cls(
            decided_at=instants.to_answer(event.occurred_at),
            status=said.get("status", kind),
            reason=said.get("reason", said.get("code")),
            until=instants.to_answer(instants.from_text(until)) if until else None,
            message_id=said["run_id"],
            template=said["template"],
            site=event.site,
        )


class CampaignDecisionBody(Answer):
    """What was decided of a person when a run of a campaign was planned: `held_out` to measure it, or why they cannot get it."""

    decided_at: str
    status: str
    reason: str | None
    campaign: str
    message_id: str
    template: str
    site: str

    @classmethod
    def of(cls, decided: PlannedWithout) -> Self:
        return cls(
            decided_at=instants.to_answer(decided.decided_at),
            status=decided.status,
            reason=decided.reason,
            campaign=decided.campaign,
            message_id=decided.run_id,
            template=decided.template,
            site=decided.site,
        )


class HeldBody(Answer):
    """That nothing of a kind is sent to anybody for now: what is due to this customer waits."""

    policy: str
    since: str
    reason: str

    @classmethod
    def of(cls, policy: str, held: Held) -> Self:
        return cls(policy=policy, since=instants.to_answer(held.since), reason=held.reason)


class DecisionsPage(Answer):
    """`campaigns` are of the newest hundred runs, and stand on the first page alone."""

    data: list[DecisionBody]
    held: list[HeldBody]
    campaigns: list[CampaignDecisionBody]
    next_cursor: str | None
