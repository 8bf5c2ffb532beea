"""Consent: on which channel and about which topic a person may be addressed; its state is a fold over facts that never change.

The latest fact of each sort is all that the state depends on, so facts may arrive in any order and more than once. Only a proof
raises a "no": a denial gives way to nothing but a proven grant that is later.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from enum import StrEnum
from functools import reduce
from typing import Any, NamedTuple

from .customers import Customer, Kind
from .instants import from_text, to_text


class Channel(StrEnum):
    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"
    POST = "post"


class State(StrEnum):
    GRANTED = "granted"
    DENIED = "denied"
    PENDING = "pending"


class Method(StrEnum):
    """How a consent came to us."""

    FORM = "form"
    CHECKOUT = "checkout"
    DOUBLE_OPT_IN = "double_opt_in"
    PREFERENCE_CENTRE = "preference_centre"
    UNSUBSCRIBE = "unsubscribe"
    SERVICE = "service"
    IMPORT = "import"
    API = "api"
    MERGE = "merge"
    UNDO = "undo"
    COMPLAINT = "complaint"


class ProofKind(StrEnum):
    """What the person did that nobody else could have done for them."""

    DOUBLE_OPT_IN = "double_opt_in"
    PREFERENCE_CENTRE = "preference_centre"
    SIGNATURE = "signature"
    RECORDING = "recording"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What shows that the person agreed: what they did and when; `reference` is the name of a message, a file or a recording."""

    kind: ProofKind
    confirmed_at: datetime
    reference: str | None = None
    ip: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentFact:
    """What somebody said of a consent. `address` is the digest of the address that it was said for, None where none was known."""

    state: State
    at: datetime
    source: str
    method: Method
    text_version: str
    proof: Proof | None = None
    address: str | None = None

    @property
    def since(self) -> datetime:
        """From when on it counts: a proof that is older than what it is shown for proves no more than its own time."""
        return min(self.at, self.proof.confirmed_at) if self.proof else self.at


class Subject(NamedTuple):
    """What a consent is about."""

    channel: Channel
    topic: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """The latest fact of each sort; a join of two is the latest of both.

    `withheld` is the pending that a merge leaves, or an import that is undone: unlike one that a form leaves, it takes back the
    grants before it.
    """

    denied: ConsentFact | None = None
    withheld: ConsentFact | None = None
    proven: ConsentFact | None = None
    granted: ConsentFact | None = None
    pending: ConsentFact | None = None

    @property
    def facts(self) -> tuple[ConsentFact, ...]:
        latest = (getattr(self, sort) for sort in SORTS)
        return tuple(fact for fact in latest if fact is not None)

    @property
    def grants(self) -> tuple[ConsentFact, ...]:
        """The grants that hold, a proven one first. Of a denial and a grant of the same time the denial holds."""
        unproven = self.granted if self.denied is None else None
        against = [fact.since for fact in (self.denied, self.withheld) if fact]
        return tuple(fact for fact in (self.proven, unproven) if fact and all(fact.since > since for since in against))

    @property
    def decisive(self) -> ConsentFact:
        """The fact that makes the state what it is."""
        if self.grants:
            return self.grants[0]
        if self.denied and not (self.proven and self.proven.since > self.denied.since):
            return self.denied
        return max(filter(None, (self.withheld, self.pending)), key=_order)

    @property
    def state(self) -> State:
        return self.decisive.state

    @property
    def addresses(self) -> frozenset[str]:
        """Digests of the addresses for which it is granted."""
        return frozenset(fact.address for fact in self.grants if fact.address is not None)


SORTS = tuple(sort.name for sort in fields(Consent))


def fold(facts: Iterable[ConsentFact]) -> Consent:
    return reduce(with_fact, facts, Consent())


def with_fact(consent: Consent, fact: ConsentFact) -> Consent:
    sort = _sort(fact)
    known: ConsentFact | None = getattr(consent, sort)
    return replace(consent, **{sort: fact}) if known is None or _order(fact) > _order(known) else consent


def _sort(fact: ConsentFact) -> str:
    match fact.state:
        case State.DENIED:
            return "denied"
        case State.GRANTED:
            return "proven" if fact.proof else "granted"
        case State.PENDING:
            return "withheld" if fact.method in (Method.MERGE, Method.UNDO) else "pending"


def _order(fact: ConsentFact) -> tuple[datetime, str]:
    """By time; of one time by all that they say, so that two are the same or one is later."""
    return fact.since, json.dumps([to_text(fact.at), details(fact)], sort_keys=True)


def settled(fact: ConsentFact, *, needs_proof: bool) -> ConsentFact:
    """Take a grant without the proof that its topic asks for as what it is: asked for, not yet confirmed."""
    unproven = fact.state is State.GRANTED and fact.proof is None
    return replace(fact, state=State.PENDING) if unproven and needs_proof else fact


ADDRESSED = {Channel.EMAIL: Kind.EMAIL, Channel.SMS: Kind.PHONE}
"""Channels whose address is an identifier of the customer: a grant on them is one for that address and no other."""


def address_of(customer: Customer, channel: Channel) -> str | None:
    """Give the address at which a customer is reached: of several the one that came last."""
    theirs = [i.value for i in customer.identifiers if i.kind is ADDRESSED.get(channel)]
    return theirs[-1] if theirs else None


def effective(subject: Subject, consent: Consent, address: str | None) -> State:
    """Say what holds for the address at which the customer is reached now, given as its digest.

    Where it is another than the one that the grant was given for, the grant waits until it is confirmed.
    """
    state = consent.state
    waits = state is State.GRANTED and subject.channel in ADDRESSED and address not in consent.addresses
    return State.PENDING if waits else state


_STRICTNESS = (State.GRANTED, State.PENDING, State.DENIED)


def stricter(
    winner: Mapping[Subject, Consent], loser: Mapping[Subject, Consent], at: datetime
) -> tuple[tuple[Subject, ConsentFact], ...]:
    """Give the facts that a customer takes over who absorbs another one at `at`: of two answers the stricter is kept.

    An answer to what the winner was never asked is taken over with its own facts.
    """
    facts: list[tuple[Subject, ConsentFact]] = []
    for subject in sorted(loser):
        ours, theirs = winner.get(subject), loser[subject]
        if ours is None:
            facts += ((subject, fact) for fact in theirs.facts)
        elif _STRICTNESS.index(theirs.state) > _STRICTNESS.index(ours.state):
            facts.append((subject, replace(theirs.decisive, at=at, method=Method.MERGE, proof=None)))
    return tuple(facts)


def details(fact: ConsentFact) -> dict[str, Any]:
    """Write what a fact says, but for when, as JSON; what it does not say is left out."""
    said: dict[str, Any] = {
        "state": fact.state.value,
        "source": fact.source,
        "method": fact.method.value,
        "text_version": fact.text_version,
        "proof": proof_details(fact.proof) if fact.proof else None,
        "address_digest": fact.address,
    }
    return {name: value for name, value in said.items() if value is not None}


def proof_details(proof: Proof) -> dict[str, str]:
    said = {"kind": proof.kind.value, "confirmed_at": to_text(proof.confirmed_at), "reference": proof.reference, "ip": proof.ip}
    return {name: value for name, value in said.items() if value is not None}


def fact_of(at: datetime, said: Mapping[str, Any]) -> ConsentFact:
    """Read what `details` wrote."""
    return ConsentFact(
        state=State(said["state"]),
        at=at,
        source=said["source"],
        method=Method(said["method"]),
        text_version=said["text_version"],
        proof=proof_of(said["proof"]) if "proof" in said else None,
        address=said.get("address_digest"),
    )


def proof_of(said: Mapping[str, str]) -> Proof:
    return Proof(
        kind=ProofKind(said["kind"]),
        confirmed_at=from_text(said["confirmed_at"]),
        reference=said.get("reference"),
        ip=said.get("ip"),
    )


def digest_of(parts: Iterable[str | None]) -> str:
    """Stand for what was said, so that saying it again is recognised."""
    return hashlib.sha256(json.dumps([*parts]).encode()).hexdigest()[:32]
