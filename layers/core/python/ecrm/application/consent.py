"""Changing and reading a customer's consents."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from ecrm.domain.consent import (
    ADDRESSED,
    Channel,
    Consent,
    ConsentFact,
    Method,
    Proof,
    State,
    Subject,
    address_of,
    details,
    digest_of,
    effective,
    proof_details,
    settled,
    stricter,
    with_fact,
)
from ecrm.domain.customers import Customer
from ecrm.domain.errors import Flaw, Invalid
from ecrm.domain.events import Event
from ecrm.domain.instants import AHEAD, to_text
from ecrm.domain.suppressions import Address, Ground, Reason
from ecrm.domain.topics import Topic

from .identity import root
from .ports import (
    AlreadyAnswered,
    Clock,
    ConsentBook,
    Consents,
    Contended,
    Customers,
    NamedTopics,
    Outcome,
    Request,
    Requests,
    Suppressions,
)

ATTEMPTS = 12
MOST_CHANGES = 40
"""With an event each, what one transaction can hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentChange:
    """What a caller says of a consent. Without a source it is the caller's key; without a text version, the topic's own text.

    `address` is the digest of the one that it is said for, where that is known; else it is said for the address of now.
    """

    channel: Channel
    topic: str
    state: State
    at: datetime
    source: str | None
    method: Method
    text_version: str | None
    proof: Proof | None
    address: str | None = None

    @property
    def subject(self) -> Subject:
        return Subject(self.channel, self.topic)

    @property
    def event_id(self) -> str:
        """Made of all that was said, so that the same said again is the same event."""
        proof = proof_details(self.proof) if self.proof else {}
        said = (self.state, to_text(self.at), self.source, self.method, self.text_version, *map(str, sorted(proof.items())))
        return f"consent:{self.channel}:{self.topic}:{digest_of(said)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeConsents:
    customer_id: str
    changes: tuple[ConsentChange, ...]
    site: str
    source: str


@dataclass(frozen=True, slots=True)
class Changed:
    """`replayed` says that an Idempotency-Key was recognised."""

    outcome: Outcome
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class ConsentView:
    """`effective` is what holds for the address at which the customer is reached now."""

    subject: Subject
    consent: Consent
    effective: State


@dataclass(frozen=True, slots=True)
class ConsentsView:
    """`suppressed` are those of the customer's addresses that nothing may be sent to, and why."""

    customer_id: str
    consents: tuple[ConsentView, ...]
    suppressed: tuple[tuple[Address, Mapping[Reason, Ground]], ...]


def change_consents(
    command: ChangeConsents,
    request: Request | None,
    *,
    consents: Consents,
    customers: Customers,
    topics: NamedTopics,
    requests: Requests,
    clock: Clock,
) -> Changed:
    """Add what was said to the history, all of it or nothing; what was said before changes nothing.

    4 write units for each change that is new, 4 for all of them and 2 for an Idempotency-Key. Raises NotFound, Erased; Invalid
    where a topic does not exist, is not offered on the channel, or a time lies ahead.
    """
    now = clock.now()
    defined = topics.named({change.topic for change in command.changes})
    refuse(command.changes, defined, now)
    known: frozenset[str] = frozenset()
    for _ in range(ATTEMPTS):
        customer = root(command.customer_id, customers=customers)
        new = {change.event_id: change for change in command.changes if change.event_id not in known}
        if not new:
            earlier = requests.recognise(request, Outcome.EXISTING, now) if request else None
            return Changed(earlier or Outcome.EXISTING, replayed=earlier is not None)
        book = consents.of(customer.customer_id)
        digests = {channel: consents.digest(channel, address) for channel, address in reached(customer).items()}
        said = Answers(
            customer_id=customer.customer_id,
            site=command.site,
            source=command.source,
            digests=digests,
            defined=defined,
            now=now,
        )
        changed = joined(book.consents, ((change.subject, said.fact(change)) for change in new.values()))
        events = tuple(said.event(change) for change in new.values())
        try:
            there = consents.write(customer.customer_id, changed, events, request, seen=book.version)
        except AlreadyAnswered as answered:
            return Changed(answered.outcome, replayed=True)
        except Contended:
            continue
        if not there:
            return Changed(Outcome.CREATED)
        known |= there
    raise Contended("many requests for this customer at once; try again")


def refuse(changes: Iterable[ConsentChange], defined: Mapping[str, Topic], now: datetime) -> None:
    """Raises Invalid where what is said of consents cannot be right. A "no" is taken on every channel."""
    flaws: list[Flaw] = []
    for at, change in enumerate(changes):
        topic = defined.get(change.topic)
        if topic is None:
            flaws.append(Flaw(f"/consents/{at}/topic", "unknown_topic", "no such topic"))
        elif change.channel not in topic.channels and change.state is not State.DENIED:
            flaws.append(Flaw(f"/consents/{at}/channel", "channel_not_offered", "the topic is not offered on this channel"))
        if change.at > now + AHEAD:
            flaws.append(Flaw(f"/consents/{at}/at", "in_the_future", "this lies in the future"))
        if change.proof is not None and change.proof.confirmed_at > now + AHEAD:
            flaws.append(Flaw(f"/consents/{at}/proof/confirmed_at", "in_the_future", "this lies in the future"))
    if flaws:
        raise Invalid(flaws[0].detail, flaws=tuple(flaws))


def joined(known: Mapping[Subject, Consent], facts: Iterable[tuple[Subject, ConsentFact]]) -> dict[Subject, Consent]:
    """Give the consents that some facts are about, with these facts."""
    changed: dict[Subject, Consent] = {}
    for subject, fact in facts:
        changed[subject] = with_fact(changed.get(subject) or known.get(subject) or Consent(), fact)
    return changed


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What changes mean here and now; `digests` are those of the addresses for which they are given."""

    customer_id: str
    site: str
    source: str
    digests: Mapping[Channel, str]
    defined: Mapping[str, Topic]
    now: datetime

    def fact(self, change: ConsentChange) -> ConsentFact:
        """Take a change as a fact.

        A time that lies ahead counts as now: else a caller's fast clock would let a grant outlive the "no" that follows it.
        """
        topic = self.defined[change.topic]
        fact = ConsentFact(
            state=change.state,
            at=min(change.at, self.now),
            source=change.source or self.source,
            method=change.method,
            text_version=change.text_version or topic.text_version,
            proof=change.proof,
            address=change.address or self.digests.get(change.channel),
        )
        return settled(fact, needs_proof=topic.double_opt_in)

    def event(self, change: ConsentChange) -> Event:
        fact = self.fact(change)
        return Event(
            id=change.event_id,
            type="consent.changed",
            occurred_at=change.at,
            received_at=self.now,
            site=self.site,
            customer_id=self.customer_id,
            source=self.source,
            data=_data(change.subject, fact),
            corrected_at=fact.at if fact.at != change.at else None,
        )


def _data(subject: Subject, fact: ConsentFact) -> dict[str, object]:
    return {"channel": subject.channel.value, "topic": subject.topic, **details(fact)}


def reached(customer: Customer) -> dict[Channel, str]:
    return {channel: address for channel in Channel if (address := address_of(customer, channel))}


def taken_over(
    winner: ConsentBook, losers: Iterable[tuple[Event, ConsentBook]]
) -> tuple[Mapping[Subject, Consent], tuple[Event, ...]]:
    """Give the consents that change where a customer absorbs others, and the events that say so.

    A loser comes with the `customer.merged` of its merger.
    """
    changed: dict[Subject, Consent] = {}
    events: list[Event] = []
    for merged, loser in losers:
        known = {**winner.consents, **changed}
        facts = stricter(known, loser.consents, merged.received_at)
        changed |= joined(known, facts)
        events += (_merging(merged, subject, fact) for subject, fact in facts)
    return changed, tuple(events)


def _merging(merged: Event, subject: Subject, fact: ConsentFact) -> Event:
    data = _data(subject, fact)
    said = digest_of([to_text(fact.at), *map(str, sorted(data.items()))])
    return replace(
        merged,
        id=f"consent:{subject.channel}:{subject.topic}:{merged.data['merged']}:{said}",
        type="consent.changed",
        occurred_at=fact.at,
        data=data | {"merged": merged.data["merged"]},
    )


def read_consents(
    customer_id: str, *, consents: Consents, customers: Customers, suppressions: Suppressions, clock: Clock
) -> ConsentsView:
    """Read what holds for a customer, strongly consistent. Raises NotFound, Erased."""
    customer = root(customer_id, customers=customers)
    book = consents.of(customer.customer_id)
    addresses = reached(customer)
    found = suppressions.of(addresses_of(customer))
    now = clock.now()
    suppressed = {address: grounds for address, suppression in found.items() if (grounds := suppression.active(now))}
    shown: list[ConsentView] = []
    for subject, consent in sorted(book.consents.items()):
        address = addresses.get(subject.channel)
        holds = effective(subject, consent, consents.digest(subject.channel, address) if address else None)
        if address and Address(subject.channel, address) in suppressed:
            holds = State.DENIED
        shown.append(ConsentView(subject, consent, holds))
    return ConsentsView(customer.customer_id, tuple(shown), tuple(suppressed.items()))


def addresses_of(customer: Customer) -> tuple[Address, ...]:
    """Give every address under which a customer is known, not only those at which they are reached now."""
    return tuple(Address(channel, i.value) for channel, kind in ADDRESSED.items() for i in customer.identifiers if i.kind is kind)
