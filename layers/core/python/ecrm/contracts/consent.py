"""Consents on the wire."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field

from ecrm.application.consent import MOST_CHANGES, ConsentChange, ConsentsView, ConsentView
from ecrm.domain import instants
from ecrm.domain.consent import Channel, Method, State
from ecrm.domain.suppressions import Address, Ground, Reason

from .fields import Answer, Body, Instant, Name, TopicId
from .proofs import GivenProofBody, ProofBody
from .suppressions import GroundBody
from .topics import ChannelName

StateName = Literal["granted", "denied", "pending"]
MethodName = Literal["form", "checkout", "double_opt_in", "preference_centre", "service", "import", "api"]


class ConsentBody(Body):
    """What a person said about being addressed on a channel about a topic."""

    channel: ChannelName
    topic: TopicId
    state: StateName
    at: Instant
    source: Name | None = None
    method: MethodName = "api"
    text_version: Name | None = None
    proof: ProofBody | None = None

    def to_change(self) -> ConsentChange:
        return ConsentChange(
            channel=Channel(self.channel),
            topic=self.topic,
            state=State(self.state),
            at=self.at,
            source=self.source,
            method=Method(self.method),
            text_version=self.text_version,
            proof=self.proof.to_proof() if self.proof else None,
        )


class ChangeConsentsBody(Body):
    """All of them are taken, or none."""

    consents: Annotated[list[ConsentBody], Field(min_length=1, max_length=MOST_CHANGES)]


class ConsentStateBody(Answer):
    """`state` is what the person said last that counts; `effective` whether they may be addressed now."""

    channel: str
    topic: str
    state: str
    effective: str
    since: str
    source: str
    method: str
    text_version: str
    proof: GivenProofBody | None

    @classmethod
    def of(cls, view: ConsentView) -> Self:
        fact = view.consent.decisive
        return cls(
            channel=view.subject.channel,
            topic=view.subject.topic,
            state=view.consent.state,
            effective=view.effective,
            since=instants.to_answer(fact.since),
            source=fact.source,
            method=fact.method,
            text_version=fact.text_version,
            proof=GivenProofBody.of(fact.proof) if fact.proof else None,
        )


class SuppressedAddressBody(Answer):
    channel: str
    address: str
    grounds: list[GroundBody]

    @classmethod
    def of(cls, address: Address, grounds: Mapping[Reason, Ground]) -> Self:
        return cls(channel=address.channel, address=address.address, grounds=GroundBody.all_of(grounds))


class ConsentsBody(Answer):
    customer_id: str
    consents: list[ConsentStateBody]
    suppressed: list[SuppressedAddressBody]

    @classmethod
    def of(cls, view: ConsentsView) -> Self:
        return cls(
            customer_id=view.customer_id,
            consents=[ConsentStateBody.of(one) for one in view.consents],
            suppressed=[SuppressedAddressBody.of(address, grounds) for address, grounds in view.suppressed],
        )
