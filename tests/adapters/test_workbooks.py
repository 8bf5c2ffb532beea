"""Workbooks as contact files: what cells say, and the bounds."""

import gzip
import io
import zipfile
from datetime import datetime

import pytest

from ecrm.domain.imports import FileFormat, Layout, Record
from tests.adapters.contact_files import Dropped
from tests.cloud import Cloud
from tests.workbooks import a_workbook, an_archive

PEOPLE = [["email", "name"], ["anna@example.com", "Zoë"], ["bea@example.com", "王小明"]]


def test_a_workbook_is_read_by_its_cells(cloud: Cloud) -> None:
    dropped = Dropped.of(cloud, a_workbook({"People": PEOPLE}))
    assert Layout(FileFormat.XLSX, ("email", "name"), sheet="People") == dropped.layout()
    assert [Record(1, 2, ("anna@example.com", "Zoë")), Record(2, 3, ("bea@example.com", "王小明"))] == dropped.records()


def test_a_workbook_may_be_packed_once_more(cloud: Cloud) -> None:
    dropped = Dropped.of(cloud, gzip.compress(a_workbook({"People": PEOPLE})))
    assert Layout(FileFormat.XLSX, ("email", "name"), sheet="People", is_gzipped=True) == dropped.layout()
    assert 2 == len(dropped.rows())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        (4915112345678.0, "4915112345678"),
        (19.9, "19.9"),
        (0.1 + 0.2, "0.3"),
        (-0.5, "-0.5"),
        (1e20, "100000000000000000000"),
        (1e-7, "0.0000001"),
        (True, "true"),
        (False, "false"),
        (datetime(1990, 5, 17), "1990-05-17"),  # noqa: DTZ001 (Excel knows no zone)
        (datetime(2026, 11, 22, 18, 30), "2026-11-22T18:30:00"),  # noqa: DTZ001
        ("01234", "01234"),
        (" a\nb ", " a\nb "),
        ("=HYPERLINK(1)", "worked out"),
        (None, ""),
    ],
)
def test_a_cell_is_written_as_one_would_type_it(cloud: Cloud, value: object, text: str) -> None:
    content = a_workbook({"1": [["name", "value"], ["anna", value]]})  # type: ignore[list-item]
    assert [("anna", text)] == Dropped.of(cloud, content).rows()


def test_the_first_sheet_that_a_person_sees_and_that_has_rows_is_read(cloud: Cloud) -> None:
    sheets = {"Old": [["no"], ["no"]], "Cover": [], "People": PEOPLE, "More": [["more"], ["more"]]}
    content = a_workbook(sheets, hidden=["Old"])
    assert "People" == Dropped.of(cloud, content).layout().sheet
    assert [("more",)] == Dropped.of(cloud, content).rows(sheet="More")
    assert [("no",)] == Dropped.of(cloud, content).rows(sheet="Old")
    assert "sheet_unknown" == Dropped.of(cloud, content).refusal(sheet="Nobody's")


def test_rows_keep_their_numbers_where_some_are_blank(cloud: Cloud) -> None:
    content = a_workbook({"1": [[], ["email", "name"], [], ["a@example.com"], [" ", ""], ["b@example.com", "B", "C"]]})
    assert [
        Record(1, 4, ("a@example.com", "")),
        Record(2, 6, ("b@example.com", "B", "C"), None, "ragged"),
    ] == Dropped.of(cloud, content).records()


def test_a_workbook_goes_on_after_the_row_where_it_stood(cloud: Cloud) -> None:
    dropped = Dropped.of(cloud, a_workbook({"1": [["id"], *([number] for number in range(600))]}))
    whole = dropped.chunks()
    assert [250, 250, 100] == [len(chunk) for chunk, _ in whole]
    assert whole[1:] == dropped.chunks(whole[0][1], dropped.layout())
    assert [] == dropped.chunks(whole[-1][1], dropped.layout())


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (a_workbook({"1": []}), "file_empty"),
        (a_workbook({"1": [["email"]]}), "no_rows"),
        (a_workbook({"1": PEOPLE})[:-300], "xlsx_damaged"),
        (an_archive({"people.csv": "email\na@example.com\n"}), "zip_unknown"),
        (an_archive({"xl/workbook.xml": "no XML at all"}), "xlsx_damaged"),
    ],
)
def test_a_workbook_that_cannot_be_read_is_refused_with_a_reason(cloud: Cloud, content: bytes, code: str) -> None:
    assert code == Dropped.of(cloud, content).refusal()


def bomb() -> bytes:
    """Half a megabyte that unpacks to more than half a gigabyte, and says so."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
        with archive.open("xl/worksheets/sheet1.xml", "w") as sheet:
            for _ in range(51):
                sheet.write(b" " * 10_000_000)
    return packed.getvalue()


def test_a_zip_bomb_is_refused_by_its_directory(cloud: Cloud) -> None:
    assert "xlsx_too_large" == Dropped.of(cloud, bomb()).refusal()


@pytest.mark.parametrize("place", ["CR1048576", "XFD1048576"])
def test_what_the_directory_does_not_tell_ends_a_child_and_not_us(cloud: Cloud, place: str) -> None:
    """The rectangle up to this cell takes 3 GB, and 512."""
    stray = f'<row r="1048576"><c r="{place}" t="inlineStr"><is><t>x</t></is></c></row>'
    assert "xlsx_too_large" == Dropped.of(cloud, a_workbook({"1": PEOPLE}, rows=stray)).refusal()


def test_a_cell_in_the_last_row_is_no_harm(cloud: Cloud) -> None:
    last_row = '<row r="1048576"><c r="A1048576" t="inlineStr"><is><t>z@example.com</t></is></c></row>'
    records = Dropped.of(cloud, a_workbook({"1": PEOPLE}, rows=last_row)).records()
    assert Record(3, 1_048_576, ("z@example.com", "")) == records[-1]
