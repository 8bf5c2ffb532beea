"""Proofs on the wire: what shows that it was the person who agreed."""

from typing import Annotated, Literal, Self

from pydantic import Field

from ecrm.domain import instants
from ecrm.domain.consent import Proof, ProofKind

from .fields import Answer, Body, Instant, Name

ProofName = Literal["double_opt_in", "preference_centre", "signature", "recording"]


class ProofBody(Body):
    """What the person did and when, and of choice where that is kept."""

    kind: ProofName
    confirmed_at: Instant
    reference: Name | None = None
    ip: Annotated[str, Field(pattern=r"^[0-9A-Fa-f:.]{2,45}$")] | None = None

    def to_proof(self) -> Proof:
        return Proof(kind=ProofKind(self.kind), confirmed_at=self.confirmed_at, reference=self.reference, ip=self.ip)


class GivenProofBody(Answer):
    kind: str
    confirmed_at: str
    reference: str | None
    ip: str | None

    @classmethod
    def of(cls, proof: Proof) -> Self:
        return cls(
            kind=proof.kind,
            confirmed_at=instants.to_answer(proof.confirmed_at),
            reference=proof.reference,
            ip=proof.ip,
        )
