"""What is written beside a contact file, and a file of rejects that is dropped again."""

import base64
import csv
import io
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Never

import pytest
from botocore.exceptions import ReadTimeoutError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecrm import bootstrap
from ecrm.domain.errors import Unavailable
from ecrm.domain.imports import FileFormat, FileRefused, Layout, Record, RowOutcome, RowResult
from ecrm.files.imports import S3ImportFiles
from ecrm.files.records import without_reject
from ecrm.files.rejects import RejectsFile
from tests.adapters.contact_files import NAME, Dropped
from tests.adapters.test_contact_files import NAUGHTY
from tests.cloud import Cloud
from tests.faults import Deliver, Fault, Sent, refused_with, tapped
from tests.workbooks import a_workbook


def silence(sent: Sent, _deliver: Deliver) -> Never:
    raise ReadTimeoutError(endpoint_url=sent.request.url)


TABLE = Layout(FileFormat.CSV, ("email", "name"), "utf-8", ";")
LINES = Layout(FileFormat.NDJSON, encoding="utf-8")
REJECTS = f"{NAME}.rejects.csv"
NAMES = [
    "is_ours",
    "sidecar",
    "write_sidecar",
    "open",
    "write_chunk",
    "chunk",
    "write_outcomes",
    "outcomes",
    "write_result",
    "rejects",
]
FAULTS = {
    "broken": refused_with("InternalError", 500),
    "busy": refused_with("SlowDown", 503),
    "forbidden": refused_with("AccessDenied", 403),
    "silent": silence,
}


def rejected(row: int, original: tuple[str, ...] | str | None, **about: Any) -> RowOutcome:
    told: dict[str, Any] = {"code": "bad_email", "column": "email", "detail": "This is no address.", "line": row + 1, **about}
    return RowOutcome(row, RowResult.REJECTED, original=original, **told)


def written(layout: Layout, *outcomes: RowOutcome) -> bytes:
    sent: list[bytes] = []
    file = RejectsFile(layout, sent.append)
    for outcome in outcomes:
        file.write(outcome)
    file.close()
    return b"".join(sent)


def test_a_table_of_rejects_says_of_each_row_why() -> None:
    assert (
        "\ufeffemail,name,_line,_column,_code,_message\r\n"
        'anna,"Anna, Esq.",2,email,bad_email,This is no address.\r\n'
        "'=1+1,'@b,3,email,bad_email,This is no address.\r\n"
        "bea,x;y;z,4,,ragged,\r\n"
        "carl,,5,,ragged,\r\n"
        '"dora;""d",,6,,unclosed_quote,\r\n'
    ).encode() == written(
        TABLE,
        rejected(1, ("anna", "Anna, Esq.")),
        rejected(2, ("=1+1", "@b")),
        rejected(3, ("bea", "x", "y", "z"), code="ragged", column=None, detail=None),
        rejected(4, ("carl",), code="ragged", column=None, detail=None),
        rejected(5, 'dora;"d', code="unclosed_quote", column=None, detail=None),
    )


def test_lines_of_rejects_are_the_objects_with_a_member_more() -> None:
    said = '"_reject":{"line": 2, "column": "email", "code": "bad_email", "message": "This is no address."}'
    assert f'{{ "email": 1.50,{said}}}\n{{{said}}}\n{{"_text": "[1}}", {said.replace(":{", ": {")}}}\n'.encode() == written(
        LINES, *(rejected(1, text) for text in ('{ "email": 1.50 }', "{}", "[1}"))
    )


words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
formulas = st.text(alphabet="'=+-@\"\t\r\n ,;1a\u200b＝", max_size=6)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(words, formulas), min_size=1, max_size=4))
def test_cells_come_back_from_a_file_of_rejects_byte_by_byte(cloud: Cloud, rows: list[tuple[str, str]]) -> None:
    records = Dropped.of(cloud, written(TABLE, *(rejected(row, cells) for row, cells in enumerate(rows, 1)))).records()
    assert [(cells, None) for cells in rows] == [(record.cells, record.flaw) for record in records]


def test_naughty_strings_come_back_from_a_file_of_rejects_byte_by_byte(cloud: Cloud) -> None:
    rows = [(f"{number}", text) for number, text in enumerate(NAUGHTY)]
    content = written(TABLE, *(rejected(row, cells) for row, cells in enumerate(rows, 1)))
    dropped = Dropped.of(cloud, content)
    assert ("email", "name") == dropped.layout().header
    assert rows == dropped.rows()


def test_columns_keep_their_names_in_a_file_of_rejects(cloud: Cloud) -> None:
    header = ("=email", "'name", "")
    content = written(Layout(FileFormat.CSV, header, "utf-8", ","), rejected(1, ("a", "b", "c")))
    assert header == Dropped.of(cloud, content).layout().header


def test_a_file_of_rejects_is_known_by_its_columns_wherever_they_stand(cloud: Cloud) -> None:
    dropped = Dropped.of(cloud, b"_code;email;_line;_message;name;_column\nx;'=a;2;y;'b;z\nx;c\n")
    assert ("email", "name") == dropped.layout().header
    assert [Record(1, 2, ("=a", "'b")), Record(2, 3, ("x", "c"), None, "ragged")] == dropped.records()


def test_apostrophes_of_others_stay(cloud: Cloud) -> None:
    assert [("'=a", "'t Hooft")] == Dropped.of(cloud, b"email,name\n'=a,'t Hooft\n").rows()


def test_a_file_of_rejects_may_come_back_as_a_workbook(cloud: Cloud) -> None:
    content = written(TABLE, rejected(1, ("=1+1", "Zoë")), rejected(2, ("b@example.com", "-Bea")))
    book = a_workbook({"rejects": list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))})
    dropped = Dropped.of(cloud, book)
    assert ("email", "name") == dropped.layout().header
    assert [("=1+1", "Zoë"), ("b@example.com", "-Bea")] == dropped.rows()


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1.10, "b": "}"}',
        "{}",
        '{"a": 1, "a": 2}',
        "not JSON",
        '["a"]',
        "null",
        '"_reject"',
        '{"_reject": 1}',
        '{"b": "_reject"}',
    ],
)
def test_a_line_comes_back_from_a_file_of_rejects_as_it_was(cloud: Cloud, text: str) -> None:
    content = written(LINES, rejected(1, text))
    assert [text] == [record.text for record in Dropped.of(cloud, content).records()]


@pytest.mark.parametrize("text", ['{"a": 1, "_reject": {"line": 1}, "b": 2}', '{"_reject": {"line": 1}', '{"a": "_reject"}'])
def test_a_line_that_only_looks_like_ours_stays_as_it_is(text: str) -> None:
    assert text == without_reject(text)


@pytest.mark.parametrize("layout", [TABLE, LINES], ids=["table", "lines"])
def test_a_large_file_of_rejects_goes_up_in_parts_and_is_seen_when_it_is_whole(cloud: Cloud, layout: Layout) -> None:
    files = bootstrap.import_files()
    original = ("a" * 30_000, "ü" * 15_000) if layout is TABLE else json.dumps({"name": "ü" * 30_000}, ensure_ascii=False)
    outcomes = [rejected(row, original) for row in range(1, 401)]
    with tapped() as calls, files.rejects(REJECTS, layout) as writer:
        for outcome in outcomes:
            writer.write(outcome)
    assert ["CreateMultipartUpload", "UploadPart", "UploadPart", "UploadPart", "CompleteMultipartUpload"] == calls
    assert written(layout, *outcomes) == cloud.imported()[REJECTS]
    assert files.is_ours(REJECTS)


def test_a_file_of_rejects_that_is_not_finished_leaves_nothing(cloud: Cloud) -> None:
    files = bootstrap.import_files()
    unwritable = RowOutcome(1, RowResult.REJECTED, original=("\udcff",))
    outcomes = [*(rejected(row, ("a" * 60_000, "")) for row in range(400)), unwritable]
    with pytest.raises(UnicodeEncodeError), files.rejects(REJECTS, TABLE) as writer:
        list(map(writer.write, outcomes))
    assert {} == cloud.imported()
    assert "Uploads" not in cloud.s3.list_multipart_uploads(Bucket="imports")


def test_what_a_person_dropped_is_not_ours_and_what_is_gone_is(cloud: Cloud) -> None:
    files = bootstrap.import_files()
    assert files.is_ours(REJECTS)
    cloud.s3.put_object(Bucket="imports", Key=REJECTS, Body=b"email\n")
    assert not files.is_ours(REJECTS)
    with files.rejects(REJECTS, TABLE):
        """Nothing is rejected."""
    assert files.is_ours(REJECTS)


def test_a_result_stands_beside_its_file(cloud: Cloud) -> None:
    bootstrap.import_files().write_result(f"{NAME}.result.json", {"rows": 2, "mapping": {"نام": "first_name"}})
    assert {
        f"{NAME}.result.json": '{\n  "rows": 2,\n  "mapping": {\n    "نام": "first_name"\n  }\n}\n'.encode()
    } == cloud.imported()


@pytest.mark.usefixtures("cloud")
def test_chunks_and_outcomes_come_back_as_they_were_written() -> None:
    files = bootstrap.import_files()
    records = (Record(1, 2, ("a", " b\r\n")), Record(2, 4, None, "ü\u2028", "nul"), Record(3, 5, None, "{}"))
    outcomes = [
        (rejected(1, ("a", " b\r\n")), RowOutcome(2, RowResult.CREATED, "0" * 26, warnings=("not_taken",))),
        (rejected(3, "\u2028"), RowOutcome(4, RowResult.SKIPPED, code="blank"), rejected(5, None)),
    ]
    files.write_chunk("1" * 32, 7, records)
    for chunk, several in enumerate(outcomes):
        files.write_outcomes("1" * 32, chunk, several)
    assert records == files.chunk("1" * 32, 7)
    assert outcomes == list(files.outcomes("1" * 32, range(2)))
    assert outcomes[::-1] == list(files.outcomes("1" * 32, (1, 0)))


@pytest.mark.usefixtures("cloud")
def test_outcomes_are_fetched_ahead_and_come_in_order() -> None:
    files = bootstrap.import_files()
    for chunk in range(40):
        files.write_outcomes("1" * 32, chunk, [RowOutcome(chunk, RowResult.UNCHANGED)])
    with tapped() as calls:
        given = files.outcomes("1" * 32, range(40))
        assert (RowOutcome(0, RowResult.UNCHANGED),) == next(given)
        given.close()  # type: ignore[attr-defined]  # what is not wanted is not waited for
    assert len(calls) <= 17
    assert list(range(40)) == [one.row for several in files.outcomes("1" * 32, range(40)) for one in several]


@pytest.mark.usefixtures("cloud")
def test_a_sidecar_is_read_if_there_is_one() -> None:
    files = bootstrap.import_files()
    assert files.sidecar(NAME) is None
    files.write_sidecar(NAME, b"{}")
    assert files.sidecar(NAME) == b"{}"
    files.write_sidecar(NAME, b" " * 64_000)
    assert files.sidecar(NAME) == b" " * 64_000
    files.write_sidecar(NAME, b" " * 64_001)
    with pytest.raises(FileRefused) as refused:
        files.sidecar(NAME)
    assert "sidecar_too_large" == refused.value.code


@pytest.mark.usefixtures("cloud")
def test_a_form_takes_a_file_of_one_name_size_and_type_for_an_hour() -> None:
    url, fields, expires_at = bootstrap.import_files().upload(NAME, 1_234, "text/csv")
    policy = json.loads(base64.b64decode(fields["policy"]))
    assert "https://imports.s3.eu-central-1.amazonaws.com/" == url
    assert timedelta(minutes=59) < expires_at - bootstrap.clock.now() <= timedelta(hours=1)
    assert [{"Content-Type": "text/csv"}, ["content-length-range", 1_234, 1_234], {"bucket": "imports"}, {"key": NAME}] == policy[
        "conditions"
    ][:4]
    assert {"key": NAME, "Content-Type": "text/csv"}.items() <= fields.items()


def every(cloud: Cloud) -> dict[str, Callable[[], object]]:
    """All that is asked of the bucket."""
    files, dropped = bootstrap.import_files(), Dropped.of(cloud, b"email\na@example.com\n")
    return {
        "is_ours": lambda: files.is_ours(NAME),
        "sidecar": lambda: files.sidecar(NAME),
        "write_sidecar": lambda: files.write_sidecar(NAME, b"{}"),
        "open": dropped.chunks,
        "write_chunk": lambda: files.write_chunk("1" * 32, 0, ()),
        "chunk": lambda: files.chunk("1" * 32, 0),
        "write_outcomes": lambda: files.write_outcomes("1" * 32, 0, ()),
        "outcomes": lambda: list(files.outcomes("1" * 32, [0])),
        "write_result": lambda: files.write_result(NAME, {}),
        "rejects": lambda: many(files),
    }


def many(files: S3ImportFiles) -> None:
    with files.rejects(REJECTS, TABLE) as writer:
        writer.write(rejected(1, ("a" * 9_000_000, "")))


@pytest.mark.parametrize("what", NAMES)
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_where_the_bucket_does_not_answer_it_is_asked_again_later(cloud: Cloud, what: str, fault: Fault) -> None:
    ask = every(cloud)[what]
    with tapped(fault), pytest.raises(Unavailable):
        ask()
