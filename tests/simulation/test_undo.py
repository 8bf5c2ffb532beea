"""Undoing contacts: what a file changed is put back where nothing changed it since, and what is left is listed."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache, partial
from typing import Any

import pytest

from ecrm.application import jobs, undo
from ecrm.application.import_rows import ContactRow
from ecrm.application.ports import Contended
from ecrm.domain.consent import State
from ecrm.domain.customers import Customer
from ecrm.domain.errors import Conflict, NotFound
from ecrm.domain.imports import Import, ImportState, Kind, Options, Progress, RowOutcome, RowResult, Tally, finished
from ecrm.domain.jobs import ExportFile, FileFormat, Job, JobKind
from ecrm.store.contact_rows import DynamoContactRows
from ecrm.store.imports import DynamoImports
from ecrm.store.keys import customer_partition
from ecrm.store.table import Item
from tests.builders import NOON
from tests.simulation.company import SITE, Company, Counted, Stopped, person
from tests.simulation.schedule import ROUGH, Schedule, hold
from tests.simulation.table import MemoryTable
from tests.simulation.test_contact_rows import FILE, LATER, answer, attributes, line, state_of, taken

BEFORE, UNDONE_AT = NOON - timedelta(days=1), NOON + timedelta(hours=2)
SARA: dict[str, Any] = {"email": "sara@example.com"}
OMID: dict[str, Any] = {"email": "omid@example.com"}


@dataclass
class Files:
    """What an import has left in its bucket, and what its undo lists."""

    chunks: list[tuple[RowOutcome, ...]] = field(default_factory=list)
    left: list[tuple[str, list[Mapping[str, Any]]]] = field(default_factory=list)

    def outcomes(self, _import_id: str, chunks: Iterable[int]) -> Iterator[tuple[RowOutcome, ...]]:
        return (self.chunks[chunk] for chunk in chunks)

    def write(self, name: str, file_format: FileFormat, rows: Iterable[Mapping[str, Any]]) -> ExportFile:
        listed = list(rows)
        self.left.append((name, listed))
        return ExportFile(f"{name}.{file_format}", len(listed), 1)


class Office:
    """A company that has worked on a file, and may undo it."""

    def __init__(self, company: Company) -> None:
        self.company = company
        self.files = Files()
        self.imports = DynamoImports(company.table)

    def imported(self, *chunks: Iterable[ContactRow], file: Import = FILE) -> None:
        self.files.chunks = [self.company.import_contacts(file, chunk, LATER) for chunk in chunks]
        self.imports.announce(file, "1")
        self.imports.write_progress(file, Progress(chunks=len(chunks), is_split=True, version=1))
        assert self.imports.write(finished(file, LATER, Tally()))

    def ask(self, import_id: str = "i1") -> Job:
        return undo.request_undo(
            import_id,
            None,
            source="key:1",
            imports=self.imports,
            jobs=self.company.jobs,
            clock=Stopped(UNDONE_AT),
            ids=self.company.ids,
        ).job

    def work(self, job_id: str, *, is_late: Callable[[], bool] = lambda: False) -> Job:
        company = self.company
        contacts = partial(
            undo.undo_contacts,
            store=company.contact_rows,
            customers=company.customers,
            profiles=company.profiles,
            consents=company.consents,
            clock=Stopped(UNDONE_AT),
        )
        files: Any = self.files
        steps = partial(undo.undo_import, imports=self.imports, files=files, exports=files, rows={Kind.CONTACTS: contacts})
        jobs.work(
            job_id,
            steps={JobKind.UNDO_IMPORT: steps},
            receipts={},
            is_late=is_late,
            jobs=company.jobs,
            queue=company,
            clock=Stopped(UNDONE_AT),
        )
        return jobs.read_job(job_id, jobs=company.jobs)

    def undo(self) -> tuple[dict[str, int], list[tuple[int, str, str]]]:
        """Undo the file; gives what was counted, and what was left."""
        job = self.work(self.ask().job_id)
        left = [(row["row"], row["what"], row["reason"]) for _, listed in self.files.left for row in listed]
        return dict(job.counts), left


@pytest.fixture
def company() -> Company:
    return Company(MemoryTable()).open()


@pytest.fixture
def office(company: Company) -> Office:
    return Office(company)


def standing(company: Company) -> list[Item]:
    """What stands there of customers, apart from versions and what happened."""
    kept = [
        item for item in company.table.items() if item["type"] in {"profile", "attributes", "identity", "consents", "consent"}
    ]
    return sorted(({n: v for n, v in item.items() if n != "version"} for item in kept), key=lambda item: (item["PK"], item["SK"]))


def test_what_a_file_changed_is_as_it_was_before(company: Company, office: Office) -> None:
    company.put(person(**SARA), {"city": "Berlin", "plan": "gold"}, BEFORE, NOON)
    company.put(person(**OMID), {"plan": "silver"}, BEFORE, NOON)
    before = standing(company)
    office.imported(
        [line(1, {"city": "Köln", "plan": "gold", "shoe": 42}, tags=("fair",), phone="+491701234567", **SARA)],
        [line(2, {"plan": None}, **OMID), line(3, {"first_name": "Ali"}, email="ali@example.com")],
    )

    assert ({"rows": 3, "restored": 2, "removed": 1}, []) == office.undo()
    back = standing(company)
    shown = {"attributes": {"city": "Berlin", "plan": "gold"}, "omid": {"plan": "silver"}}
    assert shown == {"attributes": attributes(company, "c1"), "omid": attributes(company, "c2")}
    assert [(item["PK"], item["SK"]) for item in before] == [(item["PK"], item["SK"]) for item in back]
    found = office.imports.find("i1")
    assert found is not None
    assert ImportState.UNDONE is found.state


def test_of_several_rows_about_one_customer_the_first_ones_before_comes_back(company: Company, office: Office) -> None:
    company.put(person(**SARA), {"plan": "gold"}, BEFORE, NOON)
    office.imported([line(1, {"plan": "silver"}), line(2, {"plan": "bronze"})], [line(3, {"plan": "tin"})])
    assert ({"rows": 3, "restored": 3}, []) == office.undo()
    assert {"plan": "gold"} == attributes(company, "c1")


def test_what_was_said_since_stays_and_is_listed(company: Company, office: Office) -> None:
    company.put(person(**SARA), {"city": "Berlin", "plan": "gold"}, BEFORE, NOON)
    office.imported([line(1, {"city": "Köln", "plan": "silver"})])
    company.put(person(**SARA), {"city": "Bonn"}, NOON + timedelta(minutes=1), LATER)

    assert ({"rows": 1, "restored": 1, "left_changed_since": 1}, [(1, "attribute city", "changed_since")]) == office.undo()
    assert {"city": "Bonn", "plan": "gold"} == attributes(company, "c1")


def test_what_somebody_else_has_said_as_well_stays(company: Company, office: Office) -> None:
    company.put(person(**SARA), {"city": "Berlin"}, BEFORE, NOON)
    office.imported([line(1, {"city": "Köln"})])
    company.put(person(**SARA), {"city": "Köln"}, NOON + timedelta(minutes=1), LATER)
    assert [(1, "attribute city", "changed_since")] == office.undo()[1]
    assert {"city": "Köln"} == attributes(company, "c1")


def test_a_customer_who_has_ordered_since_stays_with_their_identifiers(company: Company, office: Office) -> None:
    office.imported([line(1, {"city": "Köln"})])
    company.place(person(**SARA), "A-1", LATER, LATER)

    assert ({"rows": 1, "restored": 1, "left_in_use": 1}, [(1, "identifier email", "in_use")]) == office.undo()
    assert {} == attributes(company, "c1")
    assert company.orders.find(SITE, "A-1") is not None


def test_a_customer_who_is_removed_leaves_nothing(company: Company, office: Office) -> None:
    untouched = standing(company)
    office.imported([line(1, {"city": "Köln"}, phone="+491701234567", consents=(answer(State.GRANTED),), **SARA)])
    company.recount("c1")

    assert ({"rows": 1, "removed": 1}, []) == office.undo()
    assert untouched == standing(company)
    assert [] == [item for item in company.table.items() if "c1" in (item["PK"] + item["SK"])]


def test_a_no_of_a_file_stays_with_the_customer_whom_it_is_about(company: Company, office: Office) -> None:
    office.imported([line(1, {"city": "Köln"}, consents=(answer(State.DENIED),))])
    counts, left = office.undo()
    assert ({"rows": 1, "restored": 1, "left_denied": 2}, State.DENIED, {}) == (
        counts,
        state_of(company, "c1"),
        attributes(company, "c1"),
    )
    assert [(1, "identifier email", "denied"), (1, "consent email news", "denied")] == left


def test_a_yes_of_a_file_is_taken_back_but_no_later_one(company: Company, office: Office) -> None:
    company.put(person(**SARA), {}, BEFORE, NOON)
    company.put(person(**OMID), {}, BEFORE, NOON)
    office.imported([line(1, consents=(answer(State.GRANTED),)), line(2, consents=(answer(State.GRANTED, 2),), **OMID)])
    company.consent("c2", State.GRANTED, NOON + timedelta(minutes=1), LATER)

    counts, left = office.undo()

    assert (
        {"rows": 2, "untouched": 1, "restored": 1, "left_changed_since": 1},
        [(2, "consent email news", "changed_since")],
    ) == (
        counts,
        left,
    )
    assert (State.PENDING, State.GRANTED) == (state_of(company, "c1"), state_of(company, "c2"))


def test_of_the_erased_and_the_merged_nothing_is_put_back(company: Company, office: Office) -> None:
    company.put(person(**SARA), {}, BEFORE, NOON)
    company.put(person(**OMID), {}, BEFORE, NOON)
    company.put(person(user_id="u3"), {}, BEFORE, NOON)
    office.imported([line(1, {"city": "Köln"}), line(2, {"city": "Köln"}, **OMID)])
    company.work(str(company.erase("c1", LATER)), LATER)
    company.merge("c3", "c2", LATER)

    counts, left = office.undo()

    assert ({"rows": 2, "untouched": 2, "left_erased": 1, "left_merged": 1}, [(2, "row", "merged"), (1, "row", "erased")]) == (
        counts,
        left,
    )


def test_an_undo_whose_time_is_short_goes_on_where_it_stood(company: Company, office: Office) -> None:
    company.put(person(**SARA), {"plan": "gold"}, BEFORE, NOON)
    office.imported([line(1, {"plan": "silver"})], [line(2, {"plan": "bronze"})], [line(3, {"plan": "tin"})])
    job = office.ask()
    for _ in range(3):
        office.work(job.job_id, is_late=lambda: True)
    assert {"rows": 3, "restored": 3} == office.work(job.job_id).counts
    assert {"plan": "gold"} == attributes(company, "c1")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"kind": Kind.ORDERS}, "not_undoable"),
        ({"kind": Kind.SHIPMENTS}, "not_undoable"),
        ({"options": Options(is_dry_run=True)}, "nothing_to_undo"),
        ({"requested_at": NOON - timedelta(days=29)}, "undo_too_late"),
    ],
)
def test_what_no_undo_takes_back_is_refused(office: Office, changes: dict[str, Any], code: str) -> None:
    office.imported(file=replace(FILE, **changes))
    with pytest.raises(Conflict) as refused:
        office.ask()
    assert code == refused.value.code


def test_only_an_import_that_has_ended_is_undone_and_once(office: Office) -> None:
    codes = [code_of(office.ask)]
    office.imports.announce(FILE, "1")
    codes.append(code_of(office.ask))
    office.imported()
    office.work(office.ask().job_id)
    codes.append(code_of(office.ask))
    assert ["import_not_found", "import_running", "already_undone"] == codes


def code_of(call: Callable[[], object]) -> str | None:
    try:
        call()
    except (Conflict, NotFound) as error:
        return error.code
    return None


# ── somebody writes while a file is undone ───────────────────────────────────────────────────────────────────────────


def once(call: Callable[[], object]) -> None:
    """Say something of a customer known by id, who may be no more, or may be leaving: then the caller is to come back."""
    with suppress(NotFound, Contended):
        call()


JOB = Job(job_id="j0", kind=JobKind.UNDO_IMPORT, requested_at=UNDONE_AT, source="key:1", import_id="i1")
SECOND = replace(FILE, import_id="i2", at=NOON + timedelta(hours=1))
MADE = [RowOutcome(1, RowResult.CREATED, "c1"), RowOutcome(2, RowResult.UPDATED, "c1")]
WRITERS: dict[str, Callable[[Company], object]] = {
    "order": lambda company: company.place(person(**SARA), "A-1", LATER, LATER),
    "put": lambda company: company.put(person(**SARA), {"city": "Bonn"}, LATER, LATER),
    "update": lambda company: once(lambda: company.update("c1", {"city": "Bonn"}, LATER, LATER)),
    "consent": lambda company: once(lambda: company.consent("c1", State.DENIED, LATER, LATER)),
    "contact": lambda company: once(lambda: company.contact("c1", "call-1", "hello", LATER, LATER)),
    "import": lambda company: company.import_contacts(SECOND, [line(1, {"city": "Bonn"}, file=SECOND)], LATER),
    "erasure": lambda company: once(lambda: company.erase("c1", LATER)),
    "projection": lambda company: once(lambda: company.recount("c1")),
}


@cache
def made() -> MemoryTable:
    """Somebody whom a file has made, and told something of once more."""
    company = Company(MemoryTable()).open()
    rows = [line(1, {"city": "Köln"}, consents=(answer(State.GRANTED),)), line(2, {"city": "Ulm"}, phone="+491701234567", **SARA)]
    assert [(RowResult.CREATED, "c1", ()), (RowResult.UPDATED, "c1", ())] == taken(company, *rows)
    company.recount("c1")
    return company.table


def raced(seed: int, kind: type[DynamoContactRows] = DynamoContactRows) -> Schedule:
    schedule = Schedule(seed, ROUGH, table=made())
    company = Company(schedule.table, Counted(10))
    company.contact_rows = kind(company.table, company.customers, company.profiles, lambda: b"for tests only")
    names = schedule.random.sample(sorted(WRITERS), schedule.random.randint(1, 2))
    schedule.run({"undo": lambda: undone_by(company)} | {name: partial(WRITERS[name], company) for name in names})
    return schedule


def undone_by(company: Company) -> object:
    return undo.undo_contacts(
        FILE,
        JOB,
        MADE[::-1],
        store=company.contact_rows,
        customers=company.customers,
        profiles=company.profiles,
        consents=company.consents,
        clock=Stopped(UNDONE_AT),
    )


def astray(items: Iterable[Item]) -> list[str]:
    """Facts without their customer, customers whom nobody may write to, and identifiers that lead to nobody."""
    items = list(items)
    profiles = {item["PK"]: item for item in items if item["SK"] == "PROFILE"}
    alone = [f"{item['PK']} {item['SK']}" for item in items if item["PK"].startswith("CUSTOMER#") and item["PK"] not in profiles]
    leaving = [pk for pk, item in profiles.items() if pk == customer_partition(item.get("merged_into", ""))]
    lost = [item["PK"] for item in items if "customer_id" in item and customer_partition(item["customer_id"]) not in profiles]
    return [*alone, *leaving, *lost]


def test_nobody_is_removed_of_whom_something_else_is_told_at_that_moment() -> None:
    def check(seed: int) -> None:
        assert [] == astray(raced(seed).table.items())

    hold(check, range(2_000))


class AtOnce(DynamoContactRows):
    """Removes customers without letting nobody write to them before."""

    def leave(self, customer: Customer) -> Customer:
        return customer


def test_without_leaving_first_facts_would_lose_their_customer() -> None:
    assert any(astray(raced(seed, AtOnce).table.items()) for seed in range(2_000))
