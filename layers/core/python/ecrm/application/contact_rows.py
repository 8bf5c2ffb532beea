"""Contacts out of a file: many rows at once, each as a profile's own upsert would keep it, and each with an event of its own.

A file states and vouches, but it makes no two customers one, brings nobody back who was erased, and raises no "no". The event's
id and time are made from the import and the row, and it is written with what it tells of: who works on a row again finds it,
and reports what it says.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from ecrm.domain.attributes import Attribute, Attributes, known, merged
from ecrm.domain.consent import ADDRESSED, Channel, Consent, ConsentFact, State, Subject, details, with_fact
from ecrm.domain.customers import Customer, Held, Identifier
from ecrm.domain.errors import EcrmError, Erased, Invalid, RuleBroken
from ecrm.domain.events import Event
from ecrm.domain.imports import Import, RowOutcome, RowResult, Skip, fact_at
from ecrm.domain.instants import AHEAD, to_text
from ecrm.domain.topics import Topic

from .consent import MOST_CHANGES, Answers, reached, refuse
from .identity import ATTEMPTS, Authority, Person, whose
from .import_rows import ContactRow, Rule, refusal_of
from .ports import (
    AttributeBook,
    Clock,
    ConsentBook,
    Consents,
    Contended,
    Customers,
    Ids,
    Profiles,
    Standing,
    Topics,
)
from .profiles import AttributeChange, change_of

IMPORTED = "customer.imported"
NOT_TAKEN = "not_taken"
"""An identifier of the row stays with somebody else."""
DENIAL_STAYS = "denial_stays"
"""The row's "yes" has no proof, and the customer said "no"."""
NEEDS_PROOF = "needs_proof"
"""The row's "yes" waits until the customer confirms it."""
TAGS = "tags"
"""The attribute that a file adds to and never replaces."""
NOTHING_SAID = AttributeBook()
NOTHING_ANSWERED = ConsentBook(0, {})


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerChange:
    """What a row changes on one customer, in one transaction; `consents` follow the version `seen`."""

    standing: Standing
    book: AttributeBook | None
    consents: Mapping[Subject, Consent]
    seen: int
    answers: tuple[Event, ...]
    event: Event
    freed: Mapping[Identifier, datetime | None] = field(default_factory=dict)
    """Identifiers that lead to the customer no more, and when their last holder was erased, if one was."""


def event_id(import_id: str, row: int) -> str:
    return f"import:{import_id}:{row}"


class ContactRows(Protocol):
    def name_of(self, identifier: Identifier) -> str:
        """Stand for an identifier without saying which it is, in hexadecimal."""
        ...

    def happened(self, told: Iterable[tuple[str, datetime, str]]) -> Mapping[tuple[str, str], Event]:
        """Give those events that there are, each named by customer, time and id; by customer and id, strongly consistent."""
        ...

    def write(self, changes: Sequence[CustomerChange]) -> frozenset[int]:
        """Write changes of different customers, each all or nothing; gives the places of those that were not as seen."""
        ...

    def contents(self, customer_id: str) -> tuple[frozenset[str], tuple[Event, ...]]:
        """Give the types of what stands in a customer's partition beside events, and these; strongly consistent."""
        ...

    def leave(self, customer: Customer) -> Customer:
        """Let nobody write to a customer who is about to be removed; gives them as they are then. Raises Contended."""
        ...

    def stay(self, leaving: Customer) -> None:
        """Let a customer be written to again, who was not removed after all. Raises Contended."""
        ...

    def remove(self, leaving: Customer, book: AttributeBook, held: Mapping[Identifier, Held]) -> None:
        """Remove a customer who is leaving, with all that stands in their partition, if the book is as it was seen.

        `held` are identifiers that lead to them. Raises Contended.
        """
        ...


def apply_contacts(
    import_: Import,
    rows: Sequence[ContactRow],
    *,
    store: ContactRows,
    customers: Customers,
    profiles: Profiles,
    consents: Consents,
    topics: Topics,
    clock: Clock,
    ids: Ids,
) -> tuple[RowOutcome, ...]:
    """Keep what the rows say, those of one customer one after the other in the order of their numbers.

    Gives an outcome for each row, in their order; in a dry run nothing is written. 3.5 read units a known customer; 4 write units
    where attributes change, and 2 for each further KB. Raises Contended.
    """
    worker = _Rows(import_, clock.now(), store, customers, profiles, consents, topics, ids)
    return worker.work(rows)


@dataclass(frozen=True, slots=True)
class _Rows:
    import_: Import
    now: datetime
    store: ContactRows
    customers: Customers
    profiles: Profiles
    consents: Consents
    topics: Topics
    ids: Ids
    defined: dict[str, Topic] = field(default_factory=dict)

    def work(self, rows: Sequence[ContactRow]) -> tuple[RowOutcome, ...]:
        self.defined.update(self.topics.named({change.topic for row in rows for change in row.consents}))
        outcomes: dict[int, RowOutcome] = {}
        waiting = sorted(rows, key=lambda row: row.row)
        while waiting:
            apart, waiting = _apart(waiting)
            plans, later = _of_different_customers(self._plans(apart, consistent=False))
            waiting = sorted((*waiting, *later), key=lambda row: row.row)
            for outcome in self._done(plans):
                outcomes[outcome.row] = outcome
        return tuple(outcomes[row.row] for row in rows)

    def _done(self, plans: "Sequence[_Plan]") -> Iterator[RowOutcome]:
        if self.import_.is_dry_run:
            yield from (plan.outcome for plan in plans)
            return
        written = [plan for plan in plans if plan.change is not None]
        refused = {written[place].row.row for place in self.store.write([plan.change for plan in written if plan.change])}
        told = self._told([plan for plan in plans if plan.change is None and plan.customer is not None])
        for plan in plans:
            yield self._alone(plan.row) if plan.row.row in refused else told.get(plan.row.row, plan.outcome)

    def _alone(self, row: ContactRow) -> RowOutcome:
        """Keep one row by itself, from what is consistent, for somebody else was faster."""
        for _ in range(ATTEMPTS):
            (plan,) = self._plans([row], consistent=True)
            if plan.customer is not None and (told := self._told([plan])):
                return told[row.row]
            if plan.change is None or not self.store.write([plan.change]):
                return plan.outcome
        raise Contended("many requests for this customer at once; try again")

    def _told(self, plans: "Sequence[_Plan]") -> dict[int, RowOutcome]:
        """Say what became of those rows that were kept before, by their events."""
        names = {plan.row.row: event_id(self.import_.import_id, plan.row.row) for plan in plans}
        found = self.store.happened(
            (customer_id, fact_at(self.import_, plan.row.row), names[plan.row.row])
            for plan in plans
            if plan.customer is not None
            for customer_id in plan.customer.partitions
        )
        events = {name: event for (_, name), event in found.items()}
        return {
            plan.row.row: replace(plan.outcome, result=_result(is_new=events[names[plan.row.row]].data["created"]))
            for plan in plans
            if names[plan.row.row] in events
        }

    def _plans(self, rows: Sequence[ContactRow], *, consistent: bool) -> "list[_Plan]":
        stands = self._stands(rows, consistent=consistent)
        seen = {row.row: stand for row, stand in zip(rows, stands, strict=True) if isinstance(stand, Standing)}
        known_ones = {number: stand for number, stand in seen.items() if not _is_new(stand)}
        ids = dict.fromkeys(i for stand in known_ones.values() for i in _customer(stand).partitions)
        books = dict(zip(ids, self.profiles.of(tuple(ids)), strict=True)) if ids else {}
        asked = {
            _customer(known_ones[row.row]).customer_id: [change.subject for change in row.consents]
            for row in rows
            if row.consents and row.row in known_ones
        }
        answers = self.consents.of_many(asked) if asked else {}
        return [
            self._plan(row, stand, books, answers) if isinstance(stand, Standing) else _Plan(row, stand)
            for row, stand in zip(rows, stands, strict=True)
        ]

    def _stands(self, rows: Sequence[ContactRow], *, consistent: bool) -> list[Standing | RowOutcome]:
        named = {i for row in rows for i in self.customers.known_as(row.identifiers)}
        held = self.customers.held(named, consistent=consistent)
        holders = {each.customer_id for each in held.values() if each.customer_id is not None}
        seen = _Seen(self.customers, held, self.customers.find_many(sorted(holders)))
        return [self._stand(row, seen) for row in rows]

    def _stand(self, row: ContactRow, seen: "_Seen") -> Standing | RowOutcome:
        try:
            self._refuse(row)
            return whose(self._person(row), customers=seen, now=self.now, ids=self.ids, consistent=True)
        except Erased:
            return RowOutcome(row.row, RowResult.SKIPPED, code=Skip.ERASED)
        except Invalid as error:
            return _rejected(row, error)

    def _refuse(self, row: ContactRow) -> None:
        if row.at > self.now + AHEAD:
            raise Invalid.at("", "in_the_future", "more than 24 hours ahead of our clock")
        if len(row.consents) > MOST_CHANGES:
            raise Invalid.at("", "too_many_consents", f"a row says at most {MOST_CHANGES} consents")
        refuse(row.consents, self.defined, self.now)

    def _person(self, row: ContactRow) -> Person:
        proofs = [change.proof.confirmed_at for change in row.consents if change.proof and change.state is State.GRANTED]
        return Person(
            site=row.site,
            identifiers=row.identifiers,
            authority=Authority.VOUCHER,
            statement=True,
            at=row.at,
            cause=event_id(self.import_.import_id, row.row),
            source=self.import_.event_source,
            backfill=self.is_backfill,
            is_listed=True,
            acted_at=max(proofs, default=None),
        )

    @property
    def is_backfill(self) -> bool:
        return not self.import_.options.fires_automations

    def _plan(
        self, row: ContactRow, standing: Standing, books: Mapping[str, AttributeBook], answers: Mapping[str, ConsentBook]
    ) -> "_Plan":
        customer, is_new = _customer(standing), _is_new(standing)
        own = (NOTHING_SAID,) if is_new else tuple(books[customer_id] for customer_id in customer.partitions)
        source = self.import_.event_source
        before = merged(*(book.attributes for book in own))
        facts = _listed(before, row.attributes, rules=row.rules, tags=row.tags, at=row.at, source=source)
        try:
            change = change_of(own, facts, is_claimed=False)
        except RuleBroken as error:
            return _Plan(row, _rejected(row, error))
        book = change.book if change.seen else None
        said = self._answered(row, customer, answers.get(customer.customer_id, NOTHING_ANSWERED))
        not_taken = any(i not in customer.identifiers for i in self.customers.known_as(row.identifiers))
        warnings = (*((NOT_TAKEN,) if not_taken else ()), *said.warnings)
        if standing.claim is None and book is None and not said.changed:
            return _Plan(row, self._outcome(row, RowResult.UNCHANGED, customer.customer_id, warnings), customer)
        touched = f"new:{self.store.name_of(row.identifiers[0])}" if is_new and self.import_.is_dry_run else customer.customer_id
        changed = CustomerChange(
            standing=standing,
            book=book,
            consents=said.changed,
            seen=said.seen,
            answers=said.events,
            event=self._imported(row, standing, own[0], change, said),
        )
        return _Plan(row, self._outcome(row, _result(is_new=is_new), touched, warnings), customer, changed)

    def _outcome(self, row: ContactRow, result: RowResult, touched: str, warnings: tuple[str, ...]) -> RowOutcome:
        return RowOutcome(
            row.row, result, f"{touched}#{row.row}" if row.is_part else touched, warnings=(*row.warnings, *warnings)
        )

    def _answered(self, row: ContactRow, customer: Customer, book: ConsentBook) -> "_Answered":
        answers = Answers(
            customer_id=customer.customer_id,
            site=row.site,
            source=self.import_.event_source,
            digests=self._digests(row, customer),
            defined=self.defined,
            now=self.now,
        )
        changed: dict[Subject, Consent] = {}
        facts: list[tuple[Subject, ConsentFact]] = []
        events: list[Event] = []
        warnings: dict[str, None] = {}
        for number, asked in enumerate(row.consents):
            fact = answers.fact(asked)
            stood = changed.get(asked.subject) or book.consents.get(asked.subject)
            after = with_fact(stood or Consent(), fact)
            if asked.state is State.GRANTED and after.state is not State.GRANTED:
                warnings[DENIAL_STAYS if after.state is State.DENIED else NEEDS_PROOF] = None
            if stood is None or _says_more(stood, after, fact, has_own_time=asked.at != row.at):
                changed[asked.subject] = after
                facts.append((asked.subject, fact))
                name = f"{event_id(self.import_.import_id, row.row)}:consent:{number}"
                events.append(replace(answers.event(asked), id=name, backfill=self.is_backfill))
        return _Answered(changed, book.version, tuple(facts), tuple(events), tuple(warnings))

    def _digests(self, row: ContactRow, customer: Customer) -> dict[Channel, str]:
        """A consent of a row is one for the address that the row names, else for the one at which the customer is reached."""
        channels = {change.channel for change in row.consents}
        addresses = reached(customer) if channels else {}
        for channel, kind in ADDRESSED.items():
            named = [i.value for i in row.identifiers if i.kind is kind]
            if named:
                addresses[channel] = named[-1]
        return {channel: self.consents.digest(channel, addresses[channel]) for channel in channels if channel in addresses}

    def _imported(
        self, row: ContactRow, standing: Standing, own: AttributeBook, change: AttributeChange, said: "_Answered"
    ) -> Event:
        """Tell what the row changed, so that it can be put back: what stood in the customer's own book, and what is new."""
        before = known(change.before)
        stood = {name: own.attributes[name] for name in change.seen if name in own.attributes}
        data = {
            "import_id": self.import_.import_id,
            "row": row.row,
            "created": _is_new(standing),
            "before": {name: before.get(name) for name in change.seen},
            "after": change.seen,
            "identifiers": [identifier_details(i) for i in _gained(standing)],
        }
        more = {
            "stood": {name: _stood(attribute, before.get(name)) for name, attribute in stood.items()},
            "consents": [[*subject, to_text(fact.at), details(fact)] for subject, fact in said.facts],
        }
        return Event(
            id=event_id(self.import_.import_id, row.row),
            type=IMPORTED,
            occurred_at=fact_at(self.import_, row.row),
            received_at=self.now,
            site=row.site,
            customer_id=_customer(standing).customer_id,
            source=self.import_.event_source,
            data=data | {name: value for name, value in more.items() if value},
            backfill=self.is_backfill,
        )


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to become of a row: without a change it is as it is, without a customer it was not taken."""

    row: ContactRow
    outcome: RowOutcome
    customer: Customer | None = None
    change: CustomerChange | None = None


@dataclass(frozen=True, slots=True)
class _Answered:
    changed: Mapping[Subject, Consent]
    seen: int
    facts: tuple[tuple[Subject, ConsentFact], ...]
    events: tuple[Event, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Seen:
    """The customers as they were read for many rows at once; whom these were merged into is read when it is asked for."""

    customers: Customers
    entries: Mapping[Identifier, Held]
    found: Mapping[str, Customer]

    def known_as(self, identifiers: Iterable[Identifier]) -> tuple[Identifier, ...]:
        return self.customers.known_as(identifiers)

    def held(self, identifiers: Iterable[Identifier], *, consistent: bool = False) -> Mapping[Identifier, Held]:  # noqa: ARG002
        return {i: self.entries[i] for i in identifiers if i in self.entries}

    def find(self, customer_id: str, *, consistent: bool = True) -> Customer | None:
        return self.found.get(customer_id) or self.customers.find(customer_id, consistent=consistent)


def _apart(rows: Sequence[ContactRow]) -> tuple[list[ContactRow], list[ContactRow]]:
    """Choose rows of which no two name the same identifier, the first of each; gives the others, too."""
    apart: list[ContactRow] = []
    later: list[ContactRow] = []
    named: set[Identifier] = set()
    for row in rows:
        (apart if named.isdisjoint(row.identifiers) else later).append(row)
        named.update(row.identifiers)
    return apart, later


def _of_different_customers(plans: "Iterable[_Plan]") -> "tuple[list[_Plan], list[ContactRow]]":
    """Choose plans of which no two change the same customer, the first of each; gives the rows of the others, too."""
    chosen: list[_Plan] = []
    later: list[ContactRow] = []
    busy: set[str] = set()
    for plan in plans:
        partitions = plan.customer.partitions if plan.customer else ()
        if busy.isdisjoint(partitions):
            chosen.append(plan)
            busy.update(partitions if plan.change else ())
        else:
            later.append(plan.row)
    return chosen, later


def _says_more(stood: Consent, after: Consent, fact: ConsentFact, *, has_own_time: bool) -> bool:
    """Say whether a fact is worth writing down: what holds already is not said again, but for a proof, or a dated "no"."""
    if after == stood:
        return False
    is_evidence = fact.proof is not None or (has_own_time and fact.state is State.DENIED)
    return is_evidence or (after.state, after.addresses) != (stood.state, stood.addresses)


def _listed(
    before: Attributes, said: Mapping[str, Any], *, rules: Mapping[str, Rule], tags: Sequence[str], at: datetime, source: str
) -> dict[str, Attribute]:
    """Give what a list says of a customer as facts, as far as its rules let it speak.

    What the list itself has filled in counts as empty, so that the last of its rows fills it whichever comes first, and so does
    what is only claimed: no mail would say it.
    """
    facts: dict[str, Attribute] = {}
    for name, value in said.items():
        rule = rules.get(name, Rule.OVERWRITE)
        stands = before.get(name)
        is_filled = stands is not None and stands.value is not None and not stands.is_claimed and stands.source != source
        if rule is Rule.OVERWRITE or (rule is Rule.FILL_IF_EMPTY and not is_filled):
            facts[name] = Attribute(value, at, source)
    return facts | _tagged(before.get(TAGS), tags, at, source)


def _tagged(stands: Attribute | None, tags: Sequence[str], at: datetime, source: str) -> dict[str, Attribute]:
    """Add tags to those that there are, by a fact that is later than theirs: what two lists add is added by both.

    What is only claimed is not there: a list vouches for its own tags, and for none that a browser has named.
    """
    if not tags:
        return {}
    if stands is None or stands.value is None or stands.is_claimed:
        there = []
    else:
        there = stands.value if isinstance(stands.value, list) else [stands.value]
    added = [*there, *(tag for tag in dict.fromkeys(tags) if tag not in there)]
    if len(added) == len(there):
        return {}
    after = at if stands is None or stands.is_claimed or stands.at < at else stands.at + timedelta(microseconds=1)
    return {TAGS: Attribute(added, after, source)}


def _customer(standing: Standing) -> Customer:
    customer = standing.claim.customer if standing.claim else standing.found
    if customer is None:
        raise Contended("the customer was not read")
    return customer


def _is_new(standing: Standing) -> bool:
    return standing.claim is not None and standing.claim.seen == 0


def _gained(standing: Standing) -> tuple[Identifier, ...]:
    if standing.claim is None:
        return ()
    own = standing.claim.customer.partitions
    return tuple(e.identifier for e in standing.claim.entries if e.seen is None or e.seen.customer_id not in own)


def identifier_details(identifier: Identifier) -> dict[str, str]:
    said = {"kind": identifier.kind.value, "value": identifier.value}
    return said | ({"scope": identifier.scope} if identifier.scope else {})


def _stood(attribute: Attribute, shown: Any) -> dict[str, Any]:
    """Write an attribute whose value `before` has already, unless an absorbed customer's stood above it."""
    said: dict[str, Any] = {"at": to_text(attribute.at), "source": attribute.source}
    if attribute.is_claimed:
        said["claimed"] = True
    return said if attribute.value == shown else said | {"value": attribute.value}


def _result(*, is_new: bool) -> RowResult:
    return RowResult.CREATED if is_new else RowResult.UPDATED


def _rejected(row: ContactRow, error: EcrmError) -> RowOutcome:
    refused = refusal_of(error)
    return RowOutcome(row.row, RowResult.REJECTED, code=refused.code, detail=refused.detail)
