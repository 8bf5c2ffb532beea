"""What a contact file may look like, and what is read of it."""

import codecs
import gzip
import json
import random
import zlib
from pathlib import Path

import pytest

from ecrm.domain.imports import FileFormat, Layout, Position, Record
from tests.adapters.contact_files import Dropped
from tests.architecture.sources import ROOT
from tests.cloud import Cloud

SPECTRUM = ROOT / "tests/data/csv_spectrum"
NAUGHTY: list[str] = json.loads((ROOT / "tests/data/naughty_strings.json").read_text(encoding="utf-8"))
GERMAN = "E-Mail;Vorname;Stadt\nanna@example.com;Jürgen;Köln\nbea@example.com;Zoë;Düsseldorf\n"
FRENCH = "email,prénom,ville\na@example.com,Hélène,Besançon\nc@example.com,François,Orléans\n"
PERSIAN = "email,نام,شهر\nali@example.com,علي,تهران\nmaryam@example.com,مريم,شيراز\n"
CHINESE = "邮箱,姓名,城市\nwang@example.com,王小明,北京\nli@example.com,李雷,上海\n"
ARABIC = "email,الاسم,المدينة\na@example.com,محمد أحمد,القاهرة\nb@example.com,فاطمة,الرياض\n"


@pytest.mark.parametrize("path", sorted((SPECTRUM / "csvs").iterdir()), ids=lambda path: path.stem)
def test_csv_spectrum_is_read_as_it_says(cloud: Cloud, path: Path) -> None:
    said = json.loads((SPECTRUM / "json" / f"{path.stem}.json").read_text(encoding="utf-8"))
    said = said if isinstance(said, list) else [said]
    content = path.read_bytes()
    if path.stem == "location_coordinates":  # the one place where its two files are not of one opinion
        said[0]["Contact Phone Number"] = "2095257564"
    dropped = Dropped.of(cloud, content)
    assert said == [dict(zip(dropped.layout().header, row, strict=True)) for row in dropped.rows()]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_table_is_read_however_it_is_written(cloud: Cloud, delimiter: str, end: str, mark: str) -> None:
    rows = [("email", "name"), ("anna@example.com", 'Anna "the\nBrave", Esq.; |'), ("bea@example.com", "")]
    quoted = ('"' + cell.replace('"', '""') + '"' for row in rows for cell in row)
    text = mark + "".join(f"{cell}{delimiter}{next(quoted)}{end}" for cell in quoted)
    dropped = Dropped.of(cloud, text.encode())
    assert Layout(FileFormat.CSV, rows[0], "utf-8", delimiter) == dropped.layout()
    assert rows[1:] == dropped.rows()


@pytest.mark.parametrize(
    ("text", "encoding", "found"),
    [
        *((text, "utf-8", "utf-8") for text in (GERMAN, FRENCH, PERSIAN, CHINESE)),
        *((text, "utf-8-sig", "utf-8") for text in (GERMAN, PERSIAN)),
        *((text, encoding, encoding) for text in (GERMAN, CHINESE) for encoding in ("utf-16-le", "utf-16-be")),
        *((text, "utf-16", "utf-16-le") for text in (GERMAN, PERSIAN, CHINESE)),
        *((text, "cp1252", "cp1252") for text in (GERMAN, FRENCH)),
        *((text, "cp1256", "cp1256") for text in (PERSIAN, ARABIC)),
        (CHINESE, "gb18030", "gb18030"),
    ],
)
def test_an_encoding_is_detected(cloud: Cloud, text: str, encoding: str, found: str) -> None:
    dropped = Dropped.of(cloud, text.encode(encoding))
    delimiter = ";" if text is GERMAN else ","
    header, *rows = [tuple(line.split(delimiter)) for line in text.splitlines()]
    assert Layout(FileFormat.CSV, tuple(header), found, delimiter) == dropped.layout()
    assert rows == dropped.rows()


@pytest.mark.parametrize("encoding", ["cp1252", "cp1256", "gb18030", "utf-8", "utf-16"])
def test_an_encoding_that_is_told_is_believed(cloud: Cloud, encoding: str) -> None:
    dropped = Dropped.of(cloud, "email,price\na@example.com,€\n".encode(encoding))
    assert [("a@example.com", "€")] == dropped.rows(encoding=encoding)


def test_an_encoding_is_detected_from_letters_that_come_late(cloud: Cloud) -> None:
    plain = b"anna@example.com;Anna;Bonn\n" * 60_000
    dropped = Dropped.of(cloud, b"email;name;stadt\n" + plain + "bea@example.com;Zoë;Köln\n".encode("cp1252") * 20_000)
    assert "cp1252" == dropped.layout().encoding


def test_a_line_that_is_not_of_its_files_encoding_is_flawed_and_no_other(cloud: Cloud) -> None:
    content = GERMAN.encode() * 5 + "otto@example.com;Günther;Fürth\n".encode("cp1252") + b"rudi@example.com;Rudi;Ulm\n"
    records = Dropped.of(cloud, content).records()
    assert ["bad_encoding"] == [record.flaw for record in records if record.flaw]
    assert ("rudi@example.com", "Rudi", "Ulm") == records[-1].cells


def test_the_line_by_which_excel_names_the_delimiter_is_no_header(cloud: Cloud) -> None:
    dropped = Dropped.of(cloud, b"sep=;\r\nemail;name\r\na@example.com;A,1\r\n")
    assert Layout(FileFormat.CSV, ("email", "name"), "utf-8", ";") == dropped.layout()
    assert [Record(1, 3, ("a@example.com", "A,1"))] == dropped.records()


def test_naughty_strings_come_through_a_table_byte_by_byte(cloud: Cloud) -> None:
    rows = [(f"{number}@example.com", text) for number, text in enumerate(NAUGHTY)]
    told = "".join(f'{email},"{text.replace(chr(34), chr(34) * 2)}"\r\n' for email, text in [("email", "note"), *rows])
    records = Dropped.of(cloud, told.encode()).records()
    assert rows == [record.cells for record in records]
    assert {None} == {record.flaw for record in records}


def test_naughty_strings_come_through_ndjson_byte_by_byte(cloud: Cloud) -> None:
    lines = [json.dumps({"note": text}, ensure_ascii=False) for text in NAUGHTY]
    assert lines == [record.text for record in Dropped.of(cloud, "\n".join(lines).encode()).records()]


def test_ndjson_is_known_by_what_it_says_and_its_blank_lines_are_no_rows(cloud: Cloud) -> None:
    dropped = Dropped.of(cloud, b'\xef\xbb\xbf{"email": "a@example.com"}\r\n\r\n  \nnull\n{"email": "b@example.com"}')
    assert Layout(FileFormat.NDJSON, encoding="utf-8") == dropped.layout()
    assert [
        Record(1, 1, None, '{"email": "a@example.com"}'),
        Record(2, 4, None, "null"),
        Record(3, 5, None, '{"email": "b@example.com"}'),
    ] == dropped.records()


@pytest.mark.parametrize("name", ["people.csv", "people.csv.gz", "people.xlsx", "people"])
def test_a_file_is_what_it_holds_and_not_what_it_is_called(cloud: Cloud, name: str) -> None:
    dropped = Dropped.of(cloud, gzip.compress(GERMAN.encode("cp1252")), f"imports/contacts/{name}")
    assert Layout(FileFormat.CSV, ("E-Mail", "Vorname", "Stadt"), "cp1252", ";", is_gzipped=True) == dropped.layout()
    assert ("anna@example.com", "Jürgen", "Köln") == dropped.rows()[0]


def test_gzip_of_several_members_and_padding_is_one_file(cloud: Cloud) -> None:
    half = len(GERMAN) // 2
    packed = gzip.compress(GERMAN[:half].encode()) + gzip.compress(GERMAN[half:].encode()) + b"\0" * 600
    assert 2 == len(Dropped.of(cloud, packed).rows())


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "file_empty"),
        (b"\n\r\n  \n", "file_empty"),
        (b"\xef\xbb\xbf", "file_empty"),
        (b"email,name\n", "no_rows"),
        (b"email,name", "no_rows"),
        (b'"email,name\na@example.com,A\n', "no_header"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(32)) * 20, "not_text"),
        (b"%PDF-1.7\n" + bytes(range(256)) * 20, "not_text"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "old_excel"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"), "xlsx_locked"),
        (b'[{"email": "a@example.com"}]', "json_array"),
        (gzip.compress(GERMAN.encode(), mtime=0)[:-9], "gzip_damaged"),
        (b"\x1f\x8b\x08\x00" + b"nothing that was packed", "gzip_damaged"),
        (b",".join(b"%d" % number for number in range(1_001)) + b"\n1\n", "too_many_columns"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_a_reason(cloud: Cloud, content: bytes, code: str) -> None:
    assert code == Dropped.of(cloud, content).refusal()


@pytest.mark.parametrize("encoding", ["utf-7", "klingon", "rot13", "utf-32", "hz", "base64"])
def test_an_encoding_that_cannot_be_read_is_refused(cloud: Cloud, encoding: str) -> None:
    assert "encoding_unknown" == Dropped.of(cloud, GERMAN.encode()).refusal(encoding=encoding)


def test_a_file_that_was_replaced_or_is_gone_is_not_read(cloud: Cloud) -> None:
    dropped = Dropped.of(cloud, GERMAN.encode())
    Dropped.of(cloud, FRENCH.encode())
    assert "file_replaced" == dropped.refusal()
    cloud.s3.delete_object(Bucket="imports", Key=dropped.import_.name)
    assert "file_gone" == dropped.refusal()


def test_a_gzip_bomb_is_refused_before_it_goes_off(cloud: Cloud) -> None:
    packer = zlib.compressobj(9, wbits=31)
    packed = packer.compress(b"email,name\n") + b"".join(packer.compress(b"a,b\n" * 250_000) for _ in range(200)) + packer.flush()
    assert len(packed) < 1_000_000
    assert "gzip_too_large" == Dropped.of(cloud, packed).refusal()


ROWS = [
    (b"b,2\n", None),
    (b"c\n", "ragged"),
    (b"d,4,4\n", "ragged"),
    (b'e,"5"5\n', "stray_quote"),
    (b"f,6\0\n", "nul"),
    (b"g," + b"7" * 64_001 + b"\n", "field_too_large"),
    (b"h," + b"8" * 200_000 + b"\n", "field_too_large"),
    (b"i," + b"9" * 256_000 + b"\n", "line_too_large"),
    (b"j," + b"0" * 3_000_000 + b"\n", "line_too_large"),
    (b"k,\xff\xfe\n", "bad_encoding"),
    (b'l,"12\nm,13\nn,14\n', "unclosed_quote"),
]


@pytest.mark.parametrize(("line", "flaw"), ROWS, ids=[f"{flaw}-{at}" for at, (_, flaw) in enumerate(ROWS)])
def test_a_row_that_cannot_be_read_spoils_no_other(cloud: Cloud, line: bytes, flaw: str | None) -> None:
    content = "name,ä\na,ü\n".encode() + line + "y,ö\nz,ß\n".encode()
    lines = line.count(b"\n")
    assert [
        (1, 2, None),
        (2, 3, flaw),
        *((2 + more, 3 + more, None) for more in range(1, lines)),
        (2 + lines, 3 + lines, None),
        (3 + lines, 4 + lines, None),
    ] == Dropped.of(cloud, content).flaws()


def test_a_line_that_is_too_long_is_known_by_its_beginning(cloud: Cloud) -> None:
    flawed = Dropped.of(cloud, b"name,note\nanna," + b"x" * 5_000_000 + b"\nbea,1\n").records()[0]
    assert Record(1, 2, None, "anna," + "x" * 995 + "…", "line_too_large") == flawed


def test_a_row_that_is_flawed_keeps_its_cells_where_it_has_some(cloud: Cloud) -> None:
    records = Dropped.of(cloud, b'name,note\nanna,1,2\nbea\n,"c\n').records()
    assert [
        Record(1, 2, ("anna", "1", "2"), None, "ragged"),
        Record(2, 3, ("bea",), None, "ragged"),
        Record(3, 4, None, ',"c', "unclosed_quote"),
    ] == records


def test_rows_of_blanks_are_rows_and_blank_lines_are_none(cloud: Cloud) -> None:
    dropped = Dropped.of(cloud, b"\n\nname,note\n\n,\nanna,1\n   \n\n")
    assert [Record(1, 5, ("", "")), Record(2, 6, ("anna", "1"))] == dropped.records()
    assert [True, False] == [record.is_blank for record in dropped.records()]


def people(rows: int, seed: int) -> bytes:
    """A table in which all goes wrong that can, now and then."""
    chance = random.Random(seed)
    kinds = [
        b"%d,plain,Zo\xc3\xab\n",
        b'%d,"two\nlines",""\n',
        b'%d,"never closed,\n',
        b'%d,"stray"s,\n',
        b"%d,few\n",
        b"\n",
        b"%d,\xff,\n",
    ]
    weights = [60, 10, 3, 3, 3, 3, 3]
    lines = [kind % at if b"%d" in kind else kind for at, kind in enumerate(chance.choices(kinds, weights, k=rows))]
    return b"id,note,name\n" + b"".join(lines)


@pytest.mark.parametrize("form", ["plain", "gzip", "utf-16", "open quotes"])
def test_chunks_are_the_same_from_wherever_the_reading_begins(cloud: Cloud, form: str) -> None:
    content = people(3_000, 1)
    match form:
        case "open quotes":  # more is looked at in vain than a chunk may, and after that a cell ends with its line
            lines = [b'x","y,\n', b'z,"two\nlines",\n', b"z,2,3\n"]
            content += b"".join(random.Random(2).choices(lines, [20, 1, 1], k=4_000))
        case "gzip":
            content = gzip.compress(content)
        case "utf-16":
            content = codecs.BOM_UTF16_LE + content.replace(b"\xff", b"").decode().encode("utf-16-le")
    dropped = Dropped.of(cloud, content)
    whole = dropped.chunks(group=pairs)
    assert len(whole) > 9
    for at in (0, 3, 8, len(whole) - 3):
        assert whole[at + 1 :] == dropped.chunks(whole[at][1], dropped.layout(), group=pairs)


def pairs(record: Record) -> str | None:
    """Two in a row belong together."""
    first = (record.cells or ("",))[0]
    return str(int(first) // 2) if first.isdecimal() else None


def test_ndjson_goes_on_where_it_stood(cloud: Cloud) -> None:
    dropped = Dropped.of(cloud, b"".join(b'{"id": %d}\n\n' % number for number in range(700)))
    whole = dropped.chunks()
    assert [250, 250, 200] == [len(chunk) for chunk, _ in whole]
    assert whole[1:] == dropped.chunks(whole[0][1], dropped.layout())


def test_a_chunk_holds_so_many_rows_or_so_many_bytes(cloud: Cloud) -> None:
    small = Dropped.of(cloud, b"a,b\n" + b"1,2\n" * 600).chunks()
    assert [250, 250, 100] == [len(chunk) for chunk, _ in small]
    assert [Position(250, 251, 1_004), Position(500, 501, 2_004), Position(600, 601, 2_404)] == [after for _, after in small]
    large = Dropped.of(cloud, b"a,b\n" + (b"1," + b"2" * 60_000 + b"\n") * 40).chunks()
    assert [16, 16, 8] == [len(chunk) for chunk, _ in large]


def by_first(record: Record) -> str | None:
    return (record.cells or ("",))[0]


def test_rows_that_belong_together_stay_in_one_chunk(cloud: Cloud) -> None:
    rows = [(249, "a"), (200, "b"), (1, "c"), (300, "d"), (5, "e")]
    content = b"order,line\n" + b"".join(f"{name},{at}\n".encode() for count, name in rows for at in range(count))
    chunks = Dropped.of(cloud, content).chunks(group=by_first)
    assert [449, 301, 5] == [len(chunk) for chunk, _ in chunks]


def test_a_flawed_row_parts_nothing_from_what_it_stands_between(cloud: Cloud) -> None:
    content = b"order,line\n" + b"a,1\n" * 249 + b"b,1\n?\nb,2\nc,1\n"
    chunks = Dropped.of(cloud, content).chunks(group=by_first)
    assert [252, 1] == [len(chunk) for chunk, _ in chunks]


def test_many_flawed_rows_in_a_row_belong_to_nothing(cloud: Cloud) -> None:
    content = b"order,line\na,1\n" + b"?\n" * 2_000 + b"b,1\n"
    chunks = Dropped.of(cloud, content).chunks(group=by_first)
    assert [251, *[250] * 7, 1] == [len(chunk) for chunk, _ in chunks]


def test_more_rows_than_belong_together_anywhere_refuse_the_file(cloud: Cloud) -> None:
    content = b"order,line\n" + b"".join(b"a,%d\n" % number for number in range(1_001))
    assert "group_too_large" == Dropped.of(cloud, content).refusal(group=by_first)


@pytest.mark.parametrize(
    "line", [b'x","\n', b'"\n', b'a"b,"c\n', b',"' + b"y" * 1_000 + b"\n"], ids=["open", "bare", "stray", "long"]
)
def test_quotes_that_are_never_closed_cost_no_more_than_a_bound(cloud: Cloud, line: bytes) -> None:
    """Unbounded, each of these lines would be read a quarter of a megabyte far: 10 GB here."""
    content = b"a,b\n" + line * (500_000 // len(line))
    dropped = Dropped.of(cloud, content)
    assert len(dropped.records()) > 200
