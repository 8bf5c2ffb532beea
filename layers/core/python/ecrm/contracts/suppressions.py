"""Suppressions on the wire; the address is what the caller knows already, so no answer here repeats it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, field_validator

from ecrm.application.suppressions import LiftSuppression, SuppressAddress
from ecrm.domain import instants
from ecrm.domain.consent import Channel
from ecrm.domain.suppressions import Address, Ground, Reason, Suppression

from .fields import Answer, Body, Instant, Name, email_address, phone_number
from .proofs import ProofBody
from .topics import ChannelName

ReasonName = Literal["hard_bounce", "complaint", "unsubscribe", "manual"]


class AddressBody(Body):
    """Where somebody is reached: a mailbox, a telephone, a device's token, a postal address."""

    channel: ChannelName
    address: Annotated[str, Field(min_length=1, max_length=1_000)]

    @field_validator("address")
    @classmethod
    def _spelt_for_its_channel(cls, value: str, info: ValidationInfo) -> str:
        match info.data.get("channel"):
            case "email":
                return email_address(value)
            case "sms":
                return phone_number(value)
            case _:
                return value

    def to_address(self) -> Address:
        return Address(Channel(self.channel), self.address)


class LookUpSuppressionBody(AddressBody):
    """An address, in a body, because addresses stand in no URL."""


class SuppressAddressBody(AddressBody):
    """That nothing may be sent to an address, whoever holds it."""

    reason: ReasonName
    at: Instant | None = None
    note: Name | None = None

    def to_command(self, source: str) -> SuppressAddress:
        return SuppressAddress(address=self.to_address(), reason=Reason(self.reason), at=self.at, note=self.note, source=source)


class LiftSuppressionBody(AddressBody):
    """That the person at an address wants to be written to again, and proved it."""

    proof: ProofBody

    def to_command(self, source: str) -> LiftSuppression:
        return LiftSuppression(address=self.to_address(), proof=self.proof.to_proof(), source=source)


class GroundBody(Answer):
    reason: str
    since: str
    source: str
    note: str | None
    until: str | None

    @classmethod
    def all_of(cls, grounds: Mapping[Reason, Ground]) -> list[Self]:
        """Give grounds, the latest first."""
        latest_first = sorted(grounds.items(), key=lambda item: (item[1].since, item[0]), reverse=True)
        return [
            cls(
                reason=reason,
                since=instants.to_answer(ground.since),
                source=ground.source,
                note=ground.note,
                until=instants.to_answer(ground.until) if ground.until else None,
            )
            for reason, ground in latest_first
        ]


class SuppressionBody(Answer):
    channel: str
    is_suppressed: bool
    grounds: list[GroundBody]
    lifted_at: str | None

    @classmethod
    def of(cls, address: Address, suppression: Suppression, now: datetime) -> Self:
        lifted = suppression.lifted
        return cls(
            channel=address.channel,
            is_suppressed=suppression.is_active(now),
            grounds=GroundBody.all_of(suppression.active(now)),
            lifted_at=instants.to_answer(lifted.at) if lifted else None,
        )
