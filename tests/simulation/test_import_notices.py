"""What becomes of one file: of its notices, of what stands beside it, and of what is said about it meanwhile."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ecrm.application.import_ports import Rows
from ecrm.application.imports import (
    Requested,
    RequestImport,
    cancel_import,
    list_imports,
    read_import,
    request_import,
)
from ecrm.application.ports import Request
from ecrm.application.profiles import read_profile
from ecrm.domain.attributes import known
from ecrm.domain.errors import Conflict, NotFound
from ecrm.domain.imports import Drop, Import, ImportState, Kind, RowResult
from tests.builders import NOON
from tests.simulation.bucket import BAD, DAMAGED, LATER, Bucket, Office, interpreted, table_of
from tests.simulation.company import Company, Counted, Stopped, person
from tests.simulation.table import MemoryTable

NAME = "imports/contacts/fair.csv"
ROWS = (("sara@example.com", "Sara"), ("omid@example.com", "Omid"), (BAD, "Nobody"), ("", ""))
TEXT = table_of(ROWS, "email", "first_name")
SOON = timedelta(minutes=5)


@pytest.fixture
def office() -> Office:
    return Office(Company(MemoryTable()).open(), Bucket(most=2))


def rest(office: Office, *drops: Drop, is_late: Callable[[], bool] = lambda: False) -> None:
    for drop in drops:
        office.notify(drop, is_late)
    office.come_to_rest()


def result(office: Office, name: str = NAME) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(office.bucket.text(f"{name}.result.json"))
    return found


def counts(found: dict[str, Any]) -> dict[str, int]:
    return {name: found[name] for name in RowResult if found[name]}


def names(office: Office) -> dict[str, Any]:
    """First names by address."""
    company = office.company
    found: dict[str, Any] = {}
    for item in company.table.items("PROFILE"):
        profile = read_profile(item["PK"].removeprefix("CUSTOMER#"), customers=company.customers, profiles=company.profiles)
        found[profile.customer.identifiers[0].value] = known(profile.attributes).get("first_name")
    return found


def imports(office: Office) -> tuple[Import, ...]:
    return list_imports(after=None, limit=10, imports=office.imports).items


def asked(office: Office, request: Request | None = None, *, sidecar: bytes | None = None) -> Requested:
    command = RequestImport(kind=Kind.CONTACTS, file_name="fair.csv", size=1_000, site="de", sidecar=sidecar, source="key:1")
    return request_import(
        command,
        request,
        imports=office.imports,
        files=office.bucket,
        interpret=interpreted,
        clock=Stopped(NOON),
        ids=Hexadecimal(),
    )


class Hexadecimal(Counted):
    def job_id(self, _now: object) -> str:
        self.given += 1
        return f"{self.given:032x}"


def test_a_file_is_told_by_its_result_and_its_rejects(office: Office) -> None:
    rest(office, office.bucket.drop(NAME, TEXT))

    (import_,) = imports(office)
    assert {
        "import_id": import_.import_id,
        "kind": "contacts",
        "state": "done",
        "dry_run": False,
        "site": "de",
        "at": "2026-11-20T12:00:00Z",
        "rows": 4,
        "created": 2,
        "updated": 0,
        "unchanged": 0,
        "rejected": 1,
        "skipped": 1,
        "reasons": {"bad_address": 1, "blank": 1},
        "warnings": {},
        "first_errors": [{"row": 3, "line": 4, "column": "email", "code": "bad_address"}],
        "has_more_rows": False,
        "seconds": 0.0,
        "layout": {"format": "csv", "encoding": "utf-8", "delimiter": ",", "sheet": None, "gzipped": False},
        "mapping": {"email": "email", "first_name": "first_name"},
        "column_warnings": [],
        "rejects": "fair.csv.rejects.csv",
        "same_as": None,
        "error": None,
        "detail": None,
    } == result(office)
    assert f"email,first_name,line,column,code\n{BAD},Nobody,4,email,bad_address" == office.bucket.text(f"{NAME}.rejects.csv")
    assert {"sara@example.com": "Sara", "omid@example.com": "Omid"} == names(office)


@pytest.mark.parametrize(
    "name",
    [
        "exports/contacts/fair.csv",
        "chunks/i1/0.ndjson",
        "imports/contacts/",
        "imports/contacts/fair.csv.json",
        "imports/contacts/fair.csv.result.json",
        "imports/contacts/gone.csv.rejects.csv",
    ],
)
def test_a_notice_of_something_else_has_no_effect(office: Office, name: str) -> None:
    rest(office, Drop(name, 12, "e1", "0A", NOON))
    assert ((), {}) == (imports(office), office.bucket.objects)


def test_our_own_rejects_have_no_effect_and_corrected_ones_have(office: Office) -> None:
    rest(office, office.bucket.drop(NAME, TEXT))
    ours = f"{NAME}.rejects.csv"
    rest(office, Drop(ours, 12, "e1", "0A", LATER))
    assert 1 == len(imports(office))

    corrected = table_of([("ida@example.com", "Ida", "4", "email", "bad_address")], "email", "first_name", "l", "c", "r")
    rest(office, office.bucket.drop(ours, corrected, LATER))
    assert {"created": 1} == counts(result(office, ours))
    assert {"sara@example.com", "omid@example.com", "ida@example.com"} == names(office).keys()


def test_a_file_in_a_folder_that_is_no_kind_is_told_so(office: Office) -> None:
    rest(office, office.bucket.drop("imports/customers/fair.csv", TEXT))
    assert () == imports(office)
    assert "unknown_folder" == result(office, "imports/customers/fair.csv")["error"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "file_empty"),
        (table_of(ROWS, "name", "first_name"), "no_identifier_column"),
        (table_of([], "email", "x" * 65_536), "header_too_large"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(office: Office, text: str, code: str) -> None:
    rest(office, office.bucket.drop(NAME, text))
    assert ("failed", code, {}) == (result(office)["state"], result(office)["error"], counts(result(office)))
    assert {} == names(office)


def test_a_file_that_is_gone_before_it_is_read_ends_without_rows(office: Office) -> None:
    drop = office.bucket.drop(NAME, TEXT)
    del office.bucket.objects[NAME]
    rest(office, drop, drop)
    (import_,) = imports(office)
    assert (ImportState.FAILED, "file_gone") == (import_.state, import_.error)


def test_a_file_that_is_replaced_before_it_is_read_leaves_its_place_to_the_new_one(office: Office) -> None:
    first = office.bucket.drop(NAME, TEXT)
    second = office.bucket.drop(NAME, TEXT.replace("Sara", "Sarah"), NOON + SOON)
    rest(office, first, second)
    new, old = imports(office)
    assert (ImportState.FAILED, "file_replaced", ImportState.DONE) == (old.state, old.error, new.state)
    assert new.import_id == result(office)["import_id"]
    assert "Sarah" == names(office)["sara@example.com"]


def test_an_older_upload_that_ends_late_does_not_overwrite_the_result_of_the_newer(office: Office) -> None:
    office.notify(office.bucket.drop(NAME, TEXT))
    waiting, office.waiting = office.waiting, []
    rest(office, office.bucket.drop(NAME, TEXT.replace("Sara", "Sarah"), NOON + SOON))
    office.waiting = waiting
    office.come_to_rest()
    new, old = imports(office)
    assert (ImportState.DONE, ImportState.DONE) == (old.state, new.state)
    assert new.import_id == result(office)["import_id"]
    assert "Sarah" == names(office)["sara@example.com"]


def test_a_file_that_is_damaged_further_on_is_kept_as_far_as_it_was_noted(office: Office) -> None:
    rows = [*((f"{number}@example.com", "x") for number in range(45)), (DAMAGED, "x")]
    rest(office, office.bucket.drop(NAME, table_of(rows, "email", "first_name")))
    found = result(office)
    assert ("failed", "gzip_damaged", True, {"created": 40}) == (
        found["state"],
        found["error"],
        found["has_more_rows"],
        counts(found),
    )
    assert 40 == len(names(office))


def test_what_no_time_heals_is_raised_once_and_said_to_whoever_dropped_the_file(office: Office) -> None:
    def broken(*_: object) -> Any:
        raise ZeroDivisionError

    rows: Rows[Any] = replace(office.rows[Kind.CONTACTS], plan=broken)
    office.rows[Kind.CONTACTS] = rows
    drop = office.bucket.drop(NAME, TEXT)
    with pytest.raises(ZeroDivisionError):
        office.notify(drop)
    rest(office, drop)
    assert ("failed", "internal") == (result(office)["state"], result(office)["error"])


def test_the_same_content_again_changes_nothing_and_says_so(office: Office) -> None:
    rest(office, office.bucket.drop(NAME, TEXT))
    written = len(office.company.table.items("EVENT#"))
    other = "imports/contacts/again.csv"
    rest(office, office.bucket.drop(other, TEXT, NOON + SOON))
    found = result(office, other)
    _, first = imports(office)
    assert ("done", first.import_id, {"skipped": 4}, {"same_content": 4}) == (
        found["state"],
        found["same_as"],
        counts(found),
        found["reasons"],
    )
    assert written == len(office.company.table.items("EVENT#"))

    office.bucket.drop(f"{other}.json", "{}")
    rest(office, office.bucket.drop(other, TEXT, NOON + 2 * SOON))
    assert (None, {"unchanged": 2, "rejected": 1, "skipped": 1}) == (
        result(office, other)["same_as"],
        counts(result(office, other)),
    )


def test_a_dry_run_tells_the_same_and_writes_nothing(office: Office) -> None:
    office.bucket.drop(f"{NAME}.json", '{"dry_run": true}')
    rest(office, office.bucket.drop(NAME, TEXT))
    dry = result(office)
    assert {} == names(office)

    office.bucket.drop(f"{NAME}.json", '{"dry_run": false}')
    rest(office, office.bucket.drop(NAME, TEXT, NOON + SOON))
    own = {"import_id", "dry_run", "at"}
    assert {name: value for name, value in dry.items() if name not in own} == {
        name: value for name, value in result(office).items() if name not in own
    }
    assert [True, False] == [dry["dry_run"], result(office)["dry_run"]]


def test_a_file_that_was_asked_for_is_read_by_the_settings_it_was_asked_with(office: Office) -> None:
    import_ = asked(office, sidecar=b'{"dry_run": true}').import_
    assert ImportState.AWAITING_UPLOAD is read_import(import_.import_id, imports=office.imports)[0].state
    drop = office.bucket.drop(import_.name, TEXT)
    rest(office, drop, drop)
    (done,) = imports(office)
    assert (import_.import_id, ImportState.DONE, True, "key:1") == (done.import_id, done.state, done.is_dry_run, done.source)


def test_asking_again_with_one_key_announces_one_file(office: Office) -> None:
    request = Request("k1", "d1", NOON + timedelta(days=1))
    first, again = asked(office, request), asked(office, request)
    assert ([False, True], first.import_) == ([first.replayed, again.replayed], again.import_)
    assert 1 == len(imports(office))


def test_a_file_that_comes_after_its_import_was_cancelled_has_no_effect(office: Office) -> None:
    import_ = asked(office).import_
    cancel_import(import_.import_id, imports=office.imports, clock=Stopped(LATER))
    rest(office, office.bucket.drop(import_.name, TEXT))
    (cancelled,) = imports(office)
    assert (ImportState.CANCELLED, {}) == (cancelled.state, names(office))


def test_what_was_not_begun_when_an_import_is_cancelled_is_left_out(office: Office) -> None:
    office.notify(office.bucket.drop(NAME, TEXT))
    office.deliver(office.waiting.pop(0))
    (import_,) = imports(office)
    cancel_import(import_.import_id, imports=office.imports, clock=Stopped(LATER))
    office.come_to_rest()
    found = result(office)
    assert ("cancelled", {"created": 2, "skipped": 2}, {"cancelled": 2}) == (found["state"], counts(found), found["reasons"])


def test_an_import_that_has_ended_is_not_cancelled(office: Office) -> None:
    rest(office, office.bucket.drop(NAME, TEXT))
    (import_,) = imports(office)
    with pytest.raises(Conflict) as refused:
        cancel_import(import_.import_id, imports=office.imports, clock=Stopped(LATER))
    assert "import_ended" == refused.value.code


def test_an_import_that_there_is_not_is_not_found(office: Office) -> None:
    with pytest.raises(NotFound) as refused:
        cancel_import("0" * 32, imports=office.imports, clock=Stopped(LATER))
    assert "import_not_found" == refused.value.code


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)])
def test_the_last_row_wins_in_whatever_order_chunks_are_worked_on(office: Office, order: Sequence[int]) -> None:
    """The last row says what was known before the import; the first one, worked on after it, says something else."""
    office.company.put(person(email="sara@example.com"), {"first_name": "Sara"}, NOON - SOON, NOON - SOON)
    rows = [("sara@example.com", "Zara"), ("a@example.com", "A"), ("sara@example.com", "Sahra"), ("b@example.com", "B")]
    rows += [("sara@example.com", "Sara"), ("c@example.com", "C")]
    office.notify(office.bucket.drop(NAME, table_of(rows, "email", "first_name")))
    chunks = list(office.waiting)
    office.waiting = [chunks[number] for number in order]
    office.come_to_rest()
    assert "Sara" == names(office)["sara@example.com"]
    assert {"created": 3, "updated": 1, "skipped": 2} == counts(result(office))
