"""Files of exports: nothing in a sheet is a formula, and nothing in any of them is lost."""

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecrm.domain.jobs import FileFormat
from ecrm.files.formats import cell, encode, inert

FORMULAS = [
    '=HYPERLINK("https://example.com","x")',
    "+49 30 123",
    "-1+1",
    "-",
    "@SUM(A1)",
    "\t=1",
    "\ttext",
    "\r=1",
    "\rtext",
    "\n=1",
    '"=1"',
    "'=1",
    "'text",
    "  =1",
    "\u00a0=1",
    "\u3000=1",
    "\u200b=1",
    "\ufeff=1",
    "\u202e=1",
    "“=1",
    "«=1",
    "＝1+1",
    "＋1",
    "－1",
    "＠SUM",
    "＂＝1",
    "﹦1",
    "﹢1",
    "﹣1",
    "﹫1",
    "−1",
    " ' \" =1",
    "+4930777777777",
    "-1e5",
    "-1,5",
]
PLAIN = ["", "a=1", "Sara", "12.50", "-12.50", "0", "2026-11-20", "a@b.example", "1+1", "قناری", "(=1)", "x\t=1", "{}", "#REF"]


@pytest.mark.parametrize("text", FORMULAS)
def test_what_a_spreadsheet_could_evaluate_gets_an_apostrophe(text: str) -> None:
    assert f"'{text}" == inert(text)


@pytest.mark.parametrize("text", PLAIN)
def test_what_it_could_not_stays_as_it_is(text: str) -> None:
    assert text == inert(text)


@given(st.text())
def test_an_apostrophe_taken_away_gives_the_text_back(text: str) -> None:
    """Also a text that had one of its own."""
    made = inert(text)
    assert text == made.removeprefix("'")
    assert not made.startswith(tuple("=+@\t\r"))


@given(st.lists(st.fixed_dictionaries({"a": st.text(), "b": st.integers() | st.none() | st.booleans()})))
def test_a_sheet_reads_back_as_it_was_written(rows: list[dict[str, object]]) -> None:
    content, count = encode(rows, FileFormat.CSV)
    read = list(csv.DictReader(io.StringIO(content.decode(), newline="")))
    assert len(rows) == count
    assert [{name: cell(value) for name, value in row.items()} for row in rows] == read


@given(st.lists(st.dictionaries(st.text(), st.text() | st.lists(st.integers()) | st.none())))
def test_json_reads_back_as_it_was_written(rows: list[dict[str, object]]) -> None:
    lines, _ = encode(rows, FileFormat.NDJSON)
    whole, count = encode(rows, FileFormat.JSON)
    assert rows == [json.loads(line) for line in lines.decode().split("\n")[:-1]]
    assert (rows, len(rows)) == (json.loads(whole), count)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ""),
        (True, "true"),
        (7, "7"),
        (["a@example.com", "=b"], "a@example.com; =b"),
        (["=b", "a"], "'=b; a"),
        ([], ""),
        ({"a": ["é"]}, '{"a": ["é"]}'),
        ([{"a": 1}], '[{"a": 1}]'),
    ],
)
def test_what_is_no_text_has_one_spelling_in_a_cell(value: object, expected: str) -> None:
    assert expected == cell(value)
