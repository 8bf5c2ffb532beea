"""Imports: names of objects, ids, times of facts, and what is counted."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ecrm.domain.errors import Invalid
from ecrm.domain.imports import (
    MOST_ROWS,
    Drop,
    FileFormat,
    Import,
    ImportState,
    Kind,
    Layout,
    Record,
    RowError,
    RowOutcome,
    RowResult,
    Skip,
    Tally,
    announced_id,
    cancelled,
    content_digest,
    drop_id,
    errors_of,
    fact_at,
    finished,
    first_errors,
    is_data,
    is_rejects,
    kind_of,
    ordered,
    refused,
    rejects_of,
    result_of,
    tally,
    upload_name,
)
from tests.builders import NOON

ID = "019aa000000000000000000000000001"
IMPORT = Import(
    import_id=ID,
    kind=Kind.CONTACTS,
    name="imports/contacts/a.csv",
    state=ImportState.RUNNING,
    requested_at=NOON,
    source="drop",
    at=NOON,
)
DROP = Drop("imports/contacts/a.csv", 3, "e1", "0055AED6DCD90281E5", NOON)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("imports/contacts/a.csv", Kind.CONTACTS),
        ("imports/suppressions/2026/november/a.csv", Kind.SUPPRESSIONS),
        ("imports/orders/a", Kind.ORDERS),
        ("imports/shipments/a.xlsx", Kind.SHIPMENTS),
        ("imports/products/فهرست.csv", Kind.PRODUCTS),
        ("imports/customers/a.csv", None),
        ("imports/a.csv", None),
        ("imports/contacts", None),
        ("imports/contacts/", None),
        ("exports/contacts/a.csv", None),
        ("contacts/a.csv", None),
    ],
)
def test_a_folder_says_what_rows_are(name: str, kind: Kind | None) -> None:
    assert kind is kind_of(name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.csv", True),
        ("a", True),
        ("a.json", True),
        ("endpoints.json.gz", True),
        ("a.csv.json", False),
        ("A.CSV.json", False),
        ("a.json.json", False),
        ("a.csv.gz.json", False),
        ("a.csv.result.json", False),
        ("a.csv.rejects.csv", True),
        ("a.csv.rejects.csv.json", False),
        ("folder/", False),
    ],
)
def test_a_file_of_rows_is_no_folder_no_result_and_no_sidecar(name: str, expected: bool) -> None:  # noqa: FBT001 (a table)
    assert expected == is_data(f"imports/contacts/{name}")


def test_files_of_rejects_have_a_name_of_their_own() -> None:
    lines = replace(IMPORT, layout=Layout(FileFormat.NDJSON))
    assert ("imports/contacts/a.csv.rejects.csv", "imports/contacts/a.csv.rejects.ndjson") == (
        rejects_of(IMPORT),
        rejects_of(lines),
    )
    assert [True, True, False] == [is_rejects(name) for name in (rejects_of(IMPORT), rejects_of(lines), result_of(IMPORT))]
    assert not is_data(result_of(IMPORT))


def test_an_upload_that_was_asked_for_is_known_by_its_name() -> None:
    name = upload_name(Kind.ORDERS, ID, "a b.csv")
    assert (f"imports/orders/{ID}/a b.csv", ID) == (name, announced_id(name))
    assert [None, None] == [announced_id(f"imports/orders/{ID}"), announced_id(f"imports/orders/{ID}/a/b.csv")]


def test_a_dropped_files_import_has_one_id_for_all_notices_of_an_upload() -> None:
    again = replace(DROP, sequencer=DROP.sequencer.lower() + "00")
    other = replace(DROP, sequencer="0055AED6DCD90281E6")
    assert drop_id(DROP) == drop_id(again)
    assert drop_id(DROP) != drop_id(other)
    assert f"{int(NOON.timestamp() * 1000):012x}" == drop_id(DROP)[:12]
    assert 32 == len(drop_id(DROP))


def test_ids_of_dropped_files_sort_by_time() -> None:
    drops = [replace(DROP, at=NOON + timedelta(seconds=seconds)) for seconds in (0, 1, 60, 86_400)]
    ids = [drop_id(drop) for drop in drops]
    assert sorted(ids) == ids


def test_sequencers_of_different_lengths_compare_when_padded_on_the_right() -> None:
    assert ordered("0A") < ordered("0A1") < ordered("0b")
    assert ordered("0a") == ordered("0A00")
    with pytest.raises(Invalid):
        ordered("none")


def test_content_is_the_same_only_where_all_that_decides_is() -> None:
    digests = {
        content_digest(Kind.CONTACTS, "de", "e1", 3, None),
        content_digest(Kind.CONTACTS, "de", "e1", 3, b""),
        content_digest(Kind.CONTACTS, "de", "e1", 3, b"{}"),
        content_digest(Kind.CONTACTS, None, "e1", 3, None),
        content_digest(Kind.CONTACTS, "de", "e2", 3, None),
        content_digest(Kind.CONTACTS, "de", "e1", 4, None),
        content_digest(Kind.PRODUCTS, "de", "e1", 3, None),
    }
    assert 7 == len(digests)


def test_a_later_row_is_a_later_fact_and_none_is_later_than_the_file() -> None:
    assert NOON - timedelta(microseconds=1) == fact_at(IMPORT, MOST_ROWS - 1)
    assert timedelta(microseconds=1) == fact_at(IMPORT, 2) - fact_at(IMPORT, 1)
    assert timedelta(seconds=17) > NOON - fact_at(IMPORT, 1)
    assert UTC is fact_at(IMPORT, 1).tzinfo


def test_rows_are_counted_by_what_became_of_them() -> None:
    outcomes = [
        RowOutcome(1, RowResult.CREATED, "c1", warnings=("not_taken", "not_taken")),
        RowOutcome(2, RowResult.UPDATED, "c2"),
        RowOutcome(3, RowResult.UNCHANGED, "c3"),
        RowOutcome(4, RowResult.REJECTED, code="bad_email"),
        RowOutcome(5, RowResult.SKIPPED, code=Skip.BLANK),
        RowOutcome(6, RowResult.REJECTED, code="bad_email"),
    ]
    counted = tally(outcomes)
    assert Tally(1, 1, 1, 2, 1, {"bad_email": 2, "blank": 1}, {"not_taken": 2}) == counted
    assert 6 == counted.rows
    assert Tally(2, 2, 2, 4, 2, {"bad_email": 4, "blank": 2}, {"not_taken": 4}) == counted + counted


def test_the_first_errors_are_the_first_by_row() -> None:
    late = errors_of(RowOutcome(row, RowResult.REJECTED, code="ragged", line=row + 1) for row in range(8, 40))
    early = errors_of([RowOutcome(3, RowResult.REJECTED, code="nul", line=4), RowOutcome(4, RowResult.CREATED, "c1")])
    expected = (RowError(3, 4, None, "nul"), *(RowError(row, row + 1, None, "ragged") for row in range(8, 17)))
    assert expected == first_errors(late, early) == first_errors(early, late)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (Record(1, 2, ("", " ", "\t")), True),
        (Record(1, 2, ()), True),
        (Record(1, 2, ("", "0")), False),
        (Record(1, 2, text="  "), True),
        (Record(1, 2, text="{}"), False),
        (Record(1, 2, text="", flaw="nul"), False),
    ],
)
def test_a_record_is_blank_where_no_cell_says_anything(record: Record, expected: bool) -> None:  # noqa: FBT001 (a table)
    assert expected == record.is_blank


LATER = datetime(2026, 11, 20, 13, tzinfo=UTC)


@pytest.mark.parametrize(
    ("import_", "counted", "is_cut", "state"),
    [
        (IMPORT, Tally(created=3), False, ImportState.DONE),
        (refused(IMPORT, "gzip_damaged", "…"), Tally(created=3), True, ImportState.FAILED),
        (cancelled(IMPORT, NOON), Tally(created=3), False, ImportState.DONE),
        (cancelled(IMPORT, NOON), Tally(created=3), True, ImportState.CANCELLED),
        (cancelled(IMPORT, NOON), Tally(created=3, skipped=1, reasons={"cancelled": 1}), False, ImportState.CANCELLED),
    ],
)
def test_an_import_ends_as_what_it_was(import_: Import, counted: Tally, is_cut: bool, state: ImportState) -> None:  # noqa: FBT001 (a table)
    ended = finished(import_, LATER, counted, is_cut=is_cut)
    assert (state, counted, is_cut, LATER, LATER) == (
        ended.state,
        ended.tally,
        ended.is_cut,
        ended.started_at,
        ended.finished_at,
    )


def test_an_import_whose_file_never_came_ends_when_it_is_cancelled() -> None:
    awaited = replace(IMPORT, state=ImportState.AWAITING_UPLOAD)
    assert [True, False] == [cancelled(awaited, NOON).has_ended, cancelled(IMPORT, NOON).has_ended]
