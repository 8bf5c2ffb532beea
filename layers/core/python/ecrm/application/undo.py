"""Undoing an import: a job that goes back over the rows that changed something, the last one first.

What a row changed is put back where it still is as the row left it; what was said since, or must not be taken back, is left and
listed. Each row's part is written with an event of its own, so that it is done and counted once.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from ecrm.domain.attributes import Attribute, Attributes, difference
from ecrm.domain.consent import Channel, Consent, ConsentFact, Method, State, Subject, details, fact_of, with_fact
from ecrm.domain.customers import Customer, Held, Identifier, Kind
from ecrm.domain.errors import Conflict, NotFound
from ecrm.domain.events import Event
from ecrm.domain.imports import Import, ImportState, RowOutcome, RowResult, Skip, fact_at, undone
from ecrm.domain.imports import Kind as RowKind
from ecrm.domain.instants import from_text
from ecrm.domain.jobs import ENDED, FileFormat, Job, JobKind, progressed
from ecrm.domain.undo import Left, Result, RowUndone

from .contact_rows import ContactRows, CustomerChange, event_id
from .import_ports import ImportFiles, Imports
from .jobs import Requested, add_job
from .ports import (
    AttributeBook,
    Claim,
    Clock,
    ConsentBook,
    Consents,
    Contended,
    Customers,
    ExportFiles,
    JobIds,
    Jobs,
    Profiles,
    Request,
    Standing,
)

ATTEMPTS = 12
RESTORED_EVENT = "customer.restored"
UNDOABLE = timedelta(days=28)
"""How long the bucket keeps for sure what an undo reads."""
FACTS = frozenset({RowKind.ORDERS, RowKind.SHIPMENTS})
"""Kinds whose rows are facts: what happened is not undone, but told anew, such as by a cancellation."""
ITS_OWN = frozenset({"profile", "attributes", "consents", "consent"})
"""What may stand beside events in the partition of a customer on whom nothing has happened."""


type UndoRows = Callable[[Import, Job, Sequence[RowOutcome]], Sequence[RowUndone]]
"""Take back what some rows changed, given in the order in which they are undone."""


def request_undo(
    import_id: str, request: Request | None, *, source: str, imports: Imports, jobs: Jobs, clock: Clock, ids: JobIds
) -> Requested:
    """Ask for an import to be undone. Raises NotFound; Conflict where it has not ended, or nothing of it can be undone."""
    now = clock.now()
    import_ = imports.find(import_id)
    if import_ is None:
        raise NotFound("no such import", code="import_not_found")
    if request and (answered := jobs.answered(request, now)):
        return Requested(answered, replayed=True)
    if import_.kind in FACTS:
        raise Conflict("orders and shipments are facts, which no undo takes back", code="not_undoable")
    if import_.state is ImportState.UNDONE:
        raise Conflict("the import is undone already", code="already_undone")
    if not import_.has_ended:
        raise Conflict("the import is being worked on; cancel it, or wait until it has ended", code="import_running")
    if now - import_.requested_at > UNDOABLE:
        raise Conflict("an import is undone within 28 days, while what it did is surely kept", code="undo_too_late")
    if import_.is_dry_run:
        raise Conflict("a dry run has changed nothing", code="nothing_to_undo")
    job = Job(job_id=ids.job_id(now), kind=JobKind.UNDO_IMPORT, requested_at=now, source=source, import_id=import_id)
    return add_job(job, request, now, jobs)


def undo_import(
    job: Job,
    _is_late: Callable[[], bool],
    *,
    imports: Imports,
    files: ImportFiles,
    exports: ExportFiles,
    rows: Mapping[RowKind, UndoRows],
) -> Iterator[Job]:
    """Give the job after each chunk, from the last to the first; its files list what is left. A chunk may be done again."""
    import_ = imports.find(str(job.import_id))
    if import_ is None:
        raise NotFound("the import has expired, and with it what it changed", code="import_not_found")
    if import_.state is ImportState.UNDONE:
        yield progressed(job, ENDED, {})
        return
    first = int(job.position) if job.position else imports.progress(import_.import_id).chunks
    chunks = range(first - 1, -1, -1)
    for chunk, outcomes in zip(chunks, files.outcomes(import_.import_id, chunks), strict=True):
        changed = [outcome for outcome in reversed(outcomes) if _may_have_changed(outcome)]
        done = rows[import_.kind](import_, job, changed) if changed else ()
        listed = [{"row": each.row, "what": what, "reason": reason.value} for each in done for what, reason in each.left.items()]
        made = exports.write(f"all/{job.job_id}/{chunk + 1:06d}-left", FileFormat.CSV, listed) if listed else None
        yield (job := progressed(job, str(chunk), _counts(done), (made,) if made else ()))
    _end(import_, job, imports)
    yield progressed(job, ENDED, {})


def _may_have_changed(outcome: RowOutcome) -> bool:
    """Also a row that was superseded may have been written before the last one was."""
    is_superseded = outcome.result is RowResult.SKIPPED and outcome.code == Skip.SUPERSEDED
    return outcome.touched is not None and (outcome.result in (RowResult.CREATED, RowResult.UPDATED) or is_superseded)


def _counts(done: Sequence[RowUndone]) -> dict[str, int]:
    counts = {"rows": len(done)}
    for each in done:
        for name in (each.result.value, *(f"left_{reason.value}" for reason in each.left.values())):
            counts[name] = counts.get(name, 0) + 1
    return counts


def _end(import_: Import, job: Job, imports: Imports) -> None:
    for _ in range(ATTEMPTS):
        if import_.state is ImportState.UNDONE or imports.write(undone(import_, job.job_id)):
            return
        import_ = imports.find(import_.import_id) or import_
    raise Contended("the import is written by many at once")


def undo_contacts(
    import_: Import,
    job: Job,
    outcomes: Sequence[RowOutcome],
    *,
    store: ContactRows,
    customers: Customers,
    profiles: Profiles,
    consents: Consents,
    clock: Clock,
) -> Sequence[RowUndone]:
    """Take back what rows changed on customers; one whom a row made, and on whom nothing happened since, is removed."""
    worker = _Contacts(import_, job, clock.now(), store, customers, profiles, consents)
    return [done for some in _apart(outcomes) for done in worker.undo(some)]


def _apart(outcomes: Sequence[RowOutcome]) -> Iterator[list[RowOutcome]]:
    """Give rows of which no two are about the same customer, those of one customer one after the other."""
    waiting = list(outcomes)
    while waiting:
        some = {_touched(outcome): outcome for outcome in reversed(waiting)}
        yield list(some.values())[::-1]
        chosen = {outcome.row for outcome in some.values()}
        waiting = [outcome for outcome in waiting if outcome.row not in chosen]


def _touched(outcome: RowOutcome) -> str:
    return str(outcome.touched).partition("#")[0]


@dataclass(frozen=True, slots=True)
class _Row:
    """A row, and what is known of its customer now; None for what is not there."""

    number: int
    result: RowResult
    customer: Customer | None
    told: Event | None
    undone: Event | None
    book: AttributeBook
    consents: ConsentBook
    held: Mapping[Identifier, Held]


@dataclass(frozen=True, slots=True)
class _Contacts:
    import_: Import
    job: Job
    now: datetime
    store: ContactRows
    customers: Customers
    profiles: Profiles
    consents: Consents

    def undo(self, outcomes: Sequence[RowOutcome]) -> list[RowUndone]:
        """Take back rows of different customers."""
        done: dict[int, RowUndone] = {}
        changes: dict[int, CustomerChange] = {}
        for row in self._rows(outcomes):
            what, change = self._decided(row)
            done[row.number] = what
            if change is not None:
                changes[row.number] = change
        numbers = list(changes)
        for place in self.store.write(list(changes.values())):
            number = numbers[place]
            done[number] = self._alone(next(outcome for outcome in outcomes if outcome.row == number))
        return [done[outcome.row] for outcome in outcomes]

    def _alone(self, outcome: RowOutcome) -> RowUndone:
        for _ in range(ATTEMPTS):
            (row,) = self._rows([outcome])
            what, change = self._decided(row)
            if change is None or not self.store.write([change]):
                return what
        raise Contended("many requests for this customer at once; try again")

    def _rows(self, outcomes: Sequence[RowOutcome]) -> Iterator[_Row]:
        whose = {outcome.row: _touched(outcome) for outcome in outcomes}
        results = {outcome.row: outcome.result for outcome in outcomes}
        ids = list(dict.fromkeys(whose.values()))
        names = {row: event_id(self.import_.import_id, row) for row in whose}
        told = self.store.happened(
            named
            for row, customer_id in whose.items()
            for named in (
                (customer_id, fact_at(self.import_, row), names[row]),
                (customer_id, self.job.requested_at, _undone(names[row])),
            )
        )
        found = self.customers.find_many(ids)
        books = dict(zip(ids, self.profiles.of(ids), strict=True))
        rows = {row: told.get((customer_id, names[row])) for row, customer_id in whose.items()}
        gained = {i for event in rows.values() if event for i in _identifiers(event)}
        held = self.customers.held(gained, consistent=True) if gained else {}
        asked = {event.customer_id: [subject for subject, _ in _answers(event)] for event in rows.values() if event}
        answers = self.consents.of_many({customer_id: subjects for customer_id, subjects in asked.items() if subjects})
        for row, customer_id in whose.items():
            yield _Row(
                row,
                results[row],
                found.get(customer_id),
                rows[row],
                told.get((customer_id, _undone(names[row]))),
                books[customer_id],
                answers.get(customer_id, ConsentBook(0, {})),
                held,
            )

    def _decided(self, row: _Row) -> tuple[RowUndone, CustomerChange | None]:
        customer = row.customer
        if customer is None:
            return RowUndone(row.number, Result.RESTORED if row.result is RowResult.UPDATED else Result.REMOVED), None
        is_made = row.told is not None and row.told.data["created"] and row.undone is None
        is_itself = customer.erased_at is None and customer.merged_into is None
        if (customer.is_leaving or (is_made and is_itself)) and self._is_removed(customer):
            return RowUndone(row.number, Result.REMOVED), None
        if row.undone is not None:
            left = {what: Left(reason) for what, reason in row.undone.data["left"].items()}
            return RowUndone(row.number, Result.RESTORED, left), None
        reason = _why_left(row, customer)
        if row.told is None or reason is not None:
            return RowUndone(row.number, Result.UNTOUCHED, {"row": reason} if reason else {}), None
        return self._restored(row, customer, row.told)

    def _is_removed(self, customer: Customer) -> bool:
        """Remove a customer of whom the import alone has told; nobody writes to them while that is looked at for good."""
        if not customer.is_leaving:
            if not self._is_alone(customer):
                return False
            customer = self.store.leave(customer)
        (book,) = self.profiles.of((customer.customer_id,))
        if not self._is_alone(customer):
            self.store.stay(customer)
            raise Contended("something happened to the customer meanwhile")
        held = self.customers.held(customer.identifiers, consistent=True)
        theirs = {i: each for i, each in held.items() if each.customer_id == customer.customer_id}
        self.store.remove(customer, book, theirs)
        return True

    def _is_alone(self, customer: Customer) -> bool:
        """Say whether nothing has happened to the customer but this import; a "no" is never forgotten."""
        if customer.absorbed:
            return False
        types, events = self.store.contents(customer.customer_id)
        ours = event_id(self.import_.import_id, 0)[:-1]
        if not types <= ITS_OWN or any(e.source != self.import_.event_source and not e.id.startswith(ours) for e in events):
            return False
        return "consent" not in types or not any(
            consent.denied for consent in self.consents.of(customer.customer_id).consents.values()
        )

    def _restored(self, row: _Row, customer: Customer, told: Event) -> tuple[RowUndone, CustomerChange | None]:
        attributes, kept = _attributes_before(row.book.attributes, told)
        freed, held_on = _freed(row, customer, told)
        withheld, events, denied = self._withheld(row, told)
        left = {**kept, **held_on, **denied}
        back = difference(row.book.attributes, attributes)
        is_changed = attributes != row.book.attributes
        if not (is_changed or freed or withheld):
            return RowUndone(row.number, Result.UNTOUCHED, left), None
        name = event_id(self.import_.import_id, row.number)
        event = self._event(
            told,
            _undone(name),
            RESTORED_EVENT,
            {
                "import_id": self.import_.import_id,
                "row": row.number,
                "attributes": back,
                "identifiers": [{"kind": i.kind.value, "value": i.value} for i in freed],
                "left": {what: reason.value for what, reason in left.items()},
            },
        )
        change = CustomerChange(
            standing=Standing(customer.customer_id, _without(customer, frozenset(freed)) if freed else None, customer),
            book=replace(row.book, attributes=attributes) if is_changed else None,
            consents=withheld,
            seen=row.consents.version,
            answers=events,
            event=event,
            freed=freed,
        )
        return RowUndone(row.number, Result.RESTORED, left), change

    def _withheld(self, row: _Row, told: Event) -> tuple[dict[Subject, Consent], tuple[Event, ...], dict[str, Left]]:
        """Take back what was granted, unless it was granted anew since; a "no" stays."""
        changed: dict[Subject, Consent] = {}
        events: list[Event] = []
        left: dict[str, Left] = {}
        for number, (subject, fact) in enumerate(_answers(told)):
            what = f"consent {subject.channel} {subject.topic}"
            stands = row.consents.consents.get(subject)
            if fact.state is State.DENIED:
                left[what] = Left.DENIED
            elif stands is not None and stands.grants and set(stands.grants) <= {fact}:
                taken = replace(fact, state=State.PENDING, at=self.now, method=Method.UNDO, proof=None)
                changed[subject] = with_fact(stands, taken)
                data = {"channel": subject.channel.value, "topic": subject.topic, **details(taken)}
                name = f"{_undone(event_id(self.import_.import_id, row.number))}:consent:{number}"
                events.append(self._event(told, name, "consent.changed", data))
            elif fact.state is State.GRANTED:
                left[what] = Left.CHANGED_SINCE
        return changed, tuple(events), left

    def _event(self, told: Event, name: str, event_type: str, data: Mapping[str, Any]) -> Event:
        return Event(
            id=name,
            type=event_type,
            occurred_at=self.job.requested_at,
            received_at=self.now,
            site=told.site,
            customer_id=told.customer_id,
            source=f"job:{self.job.job_id}",
            data=data,
            backfill=True,
        )


def _undone(name: str) -> str:
    return f"{name}:undone"


def _why_left(row: _Row, customer: Customer) -> Left | None:
    """Say why nothing of a row can be put back. Without an event all that it may have changed is a suppression."""
    if customer.erased_at is not None:
        return Left.ERASED
    if customer.merged_into is not None:
        return Left.MERGED
    return Left.DENIED if row.told is None and row.result is RowResult.UPDATED else None


def _attributes_before(attributes: Attributes, told: Event) -> tuple[Attributes, dict[str, Left]]:
    """Give attributes with what stood before, where the import is still who said them last: its later rows are undone first."""
    before, stood = told.data["before"], told.data.get("stood", {})
    now = dict(attributes)
    left: dict[str, Left] = {}
    for name in told.data["after"]:
        stands = now.get(name)
        if stands is None or stands.source != told.source:
            left[f"attribute {name}"] = Left.CHANGED_SINCE
        elif name in stood:
            now[name] = _attribute_of(stood[name], before[name])
        else:
            del now[name]
    return now, left


def _attribute_of(stood: Mapping[str, Any], value: Any) -> Attribute:
    return Attribute(stood.get("value", value), from_text(stood["at"]), stood["source"], stood.get("claimed", False))


def _freed(row: _Row, customer: Customer, told: Event) -> tuple[dict[Identifier, datetime | None], dict[str, Left]]:
    """Choose identifiers that lead to the customer no more. One whom the row made, and who is still there, keeps all."""
    freed: dict[Identifier, datetime | None] = {}
    left: dict[str, Left] = {}
    for identifier in _identifiers(told):
        held = row.held.get(identifier)
        is_theirs = held is not None and held.customer_id == customer.customer_id and identifier in customer.identifiers
        if told.data["created"]:
            is_denied = any(consent.denied for consent in row.consents.consents.values())
            left[f"identifier {identifier.kind}"] = Left.DENIED if is_denied else Left.IN_USE
        elif held is None or not is_theirs:
            left[f"identifier {identifier.kind}"] = Left.CHANGED_SINCE
        else:
            freed[identifier] = held.erased_at
    if freed and len(freed) == len(customer.identifiers):
        return {}, left | {f"identifier {identifier.kind}": Left.IN_USE for identifier in freed}
    return freed, left


def _without(customer: Customer, freed: frozenset[Identifier]) -> Claim:
    identifiers = tuple(i for i in customer.identifiers if i not in freed)
    kinds = {i.kind for i in identifiers}
    after = replace(
        customer,
        identifiers=identifiers,
        claimed=customer.claimed - freed,
        stated={kind: at for kind, at in customer.stated.items() if kind in kinds},
        version=customer.version + 1,
    )
    return Claim(after, customer.version, (), ())


def _identifiers(told: Event) -> Iterator[Identifier]:
    return (Identifier(Kind(said["kind"]), said["value"], said.get("scope", "")) for said in told.data["identifiers"])


def _answers(told: Event) -> Iterator[tuple[Subject, ConsentFact]]:
    for channel, topic, at, said in told.data.get("consents", ()):
        yield Subject(Channel(channel), topic), fact_of(from_text(at), said)
