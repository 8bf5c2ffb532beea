"""A contact file as people have it: seven scripts, a hundred of 10,007 rows bad in twenty ways, corrected and dropped again."""

import csv
import io
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.cloud import Cloud
from tests.folder import Folder

ROWS = 10_007
SCRIPTS = ["Zoë Müller", "سارا احمدی", "王小明", "Анна Иванова", "Ελένη Παππά", "आशा शर्मा", "נועה כהן"]
HEADER = ["ایمیل", "user id", "Vorname", "电话", "country", "Geburtsdatum", "language", "Zeitzone", "newsletter", "points", "vip"]
HEADER += ["updated_at", "note"]
SIDECAR = {"locale": "de-DE", "country": "DE", "types": {"points": "number", "vip": "boolean"}}


def good(row: int) -> list[str]:
    name = SCRIPTS[row % len(SCRIPTS)]
    return [
        f"Person{row}@Example.com",
        f"u-{row}",
        name,
        f"0171 {row:07}",
        "DE",
        ["20.11.1990", "1990-11-20", "۱۳۶۹/۰۸/۲۹", "1990年11月20日"][row % 4],
        ["de", "fa", "zh-Hans", "ru"][row % 4],
        "Europe/Berlin",
        ["ja", "nein", "", "بله"][row % 4],
        ["1.234,5", "۱۲", "１２", ""][row % 4],
        ["ja", "否", "", "true"][row % 4],
        "",
        f'"{name}", said;\nand more' if row % 3 == 0 else " ",
    ]


def replaced(at: int, value: str) -> Callable[[list[str]], str]:
    return lambda cells: line([*cells[:at], value, *cells[at + 1 :]])


def line(cells: list[str]) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=";").writerow(cells)
    return text.getvalue()


BAD: dict[str, tuple[str | None, str, Callable[[list[str]], str | bytes]]] = {
    "too few cells": (None, "ragged", lambda cells: line(cells[:-2])),
    "too many cells": (None, "ragged", lambda cells: line([*cells, "x"])),
    "a quote that does not end": (None, "unclosed_quote", lambda cells: '"' + ";".join(cells[:-1]) + ";\r\n"),
    "text behind a quote": (None, "stray_quote", lambda cells: '"a"b;' + ";".join(cells[1:-1]) + ";\r\n"),
    "bytes of another encoding": (None, "bad_encoding", lambda cells: ";".join(cells[:-1]).encode() + b";M\xfcller\r\n"),
    "a NUL": (None, "nul", replaced(12, "a\0b")),
    "a field of 70 KB": (None, "field_too_large", replaced(12, "x" * 70_000)),
    "nobody": (None, "no_identifier", lambda cells: line(["", "", cells[2], "", *cells[4:]])),
    "no address": ("ایمیل", "bad_email", replaced(0, "person.example.com")),
    "an address of two": ("ایمیل", "bad_email", replaced(0, "a@example.com, b@example.com")),
    "a sheet's number": ("电话", "bad_phone", replaced(3, "4,91712E+11")),
    "a country in words": ("电话", "unknown_country", replaced(4, "Deutschland")),
    "an endless id": ("user id", "bad_id", replaced(1, "u" * 201)),
    "a day that is not": ("Geburtsdatum", "bad_date", replaced(5, "31.02.1990")),
    "a language in words": ("language", "bad_language", replaced(6, "Deutsch")),
    "no time zone": ("Zeitzone", "unknown_time_zone", replaced(7, "Berlin")),
    "perhaps": ("newsletter", "bad_consent", replaced(8, "vielleicht")),
    "no number": ("points", "bad_number", replaced(9, "12 Punkte")),
    "neither yes nor no": ("vip", "bad_boolean", replaced(10, "gold")),
    "tomorrow": (None, "in_the_future", replaced(11, "2099-01-01")),
    "a novel": ("note", "value_too_large", replaced(12, "x" * 3_000)),
}
KINDS = [*BAD]


def bad_rows() -> dict[int, str]:
    """Every hundredth row, each kind in turn."""
    return {row: KINDS[(row // 100) % len(KINDS)] for row in range(50, ROWS, 100)}


def written(row: int, bad: dict[int, str]) -> bytes:
    made = BAD[bad[row]][2](good(row)) if row in bad else line(good(row))
    return made if isinstance(made, bytes) else made.encode()


def lines_of(rows: list[bytes]) -> dict[int, int]:
    """The physical line where each row begins."""
    found, at = {}, 2
    for number, content in enumerate(rows, 1):
        found[number] = at
        at += content.count(b"\n")
    return found


def name(row: int) -> str:
    return f"email=Person{row}@example.com phone=+49171{row:07} user_id=u-{row}"


def attributes(row: int) -> dict[str, Any]:
    """What a good row says."""
    points = [Decimal("1234.5"), 12, 12, None][row % 4]
    vip = [True, False, None, True][row % 4]
    said = {
        "first_name": SCRIPTS[row % len(SCRIPTS)],
        "country": "DE",
        "birthday": "1990-11-20",
        "language": ["de", "fa", "zh-Hans", "ru"][row % 4],
        "time_zone": "Europe/Berlin",
        "points": points,
        "vip": vip,
        "note": good(row)[12].strip() and good(row)[12],
    }
    return {name: value for name, value in said.items() if value not in (None, "")}


@pytest.fixture
def folder(cloud: Cloud) -> Folder:
    return Folder(cloud.s3)


def test_bad_rows_are_named_and_the_corrected_file_finishes_the_job(folder: Folder) -> None:
    bad = bad_rows()
    rows = [written(row, bad) for row in range(1, ROWS + 1)]
    told = folder.drop("contacts/seven scripts.csv", line(HEADER).encode() + b"".join(rows), sidecar=SIDECAR)
    reasons = Counter(BAD[kind][1] for kind in bad.values())
    assert dict(sorted(reasons.items())) == told["reasons"]
    counts = {"rows": ROWS, "created": ROWS - len(bad), "updated": 0, "unchanged": 0, "rejected": len(bad), "skipped": 0}
    assert counts == {name: told[name] for name in counts}

    lines = lines_of(rows)
    rejected = folder.rejects("contacts/seven scripts.csv")
    named = [(int(each["_line"]), each["_column"] or None, each["_code"]) for each in rejected]
    assert [(lines[row], *BAD[kind][:2]) for row, kind in bad.items()] == named

    corrected = b"\xef\xbb\xbf" + b"".join(
        [line([*HEADER, *(f"_{name}" for name in ("line", "column", "code", "message"))]).encode()]
        + [line([*good(row), *list(each.values())[-4:]]).encode() for row, each in zip(bad, rejected, strict=True)]
    )
    again = folder.drop("contacts/corrected.csv", corrected, sidecar=SIDECAR)
    assert {"rows": len(bad), "created": len(bad), "rejected": 0} == {
        name: again[name] for name in ("rows", "created", "rejected")
    }
    assert {name(row): attributes(row) for row in range(1, ROWS + 1)} == folder.people()
