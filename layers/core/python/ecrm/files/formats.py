"""Rows as NDJSON, JSON and CSV, in UTF-8.

A spreadsheet evaluates a CSV cell that begins with one of = + - @, a tab or a carriage return, also behind blanks and quotes
and in full width; CSV has no way to say that it is text. Such a cell gets an apostrophe in front, and so does one that begins
with an apostrophe: whoever takes one away has the text as it was (CWE-1236).
"""

import csv
import io
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from ecrm.domain.jobs import FileFormat

_NUMBER = re.compile(r"-?\d{1,16}(\.\d{1,6})?", re.ASCII)
_STARTS = frozenset("=+-@\t\r\u2212")
_QUOTES = frozenset("\"'`\u00b4")
_SKIPPED = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp", "Pi", "Pf"})
"""Unicode's categories of controls, invisible characters, blanks, and quotes that open or close."""

type Row = Mapping[str, Any]


def encode(rows: Iterable[Row], file_format: FileFormat) -> tuple[bytes, int]:
    """Give a file's content, and how many rows it has."""
    match file_format:
        case FileFormat.CSV:
            text, count = _csv(rows)
        case FileFormat.NDJSON:
            lines = [_json(row) for row in rows]
            text, count = "".join(f"{line}\n" for line in lines), len(lines)
        case FileFormat.JSON:
            lines = [_json(row) for row in rows]
            text, count = "[\n" + ",\n".join(lines) + "\n]\n", len(lines)
    return text.encode(), count


def _csv(rows: Iterable[Row]) -> tuple[str, int]:
    """The first row's names are the head: every row has the same."""
    sheet = io.StringIO(newline="")
    writer: csv.DictWriter[str] | None = None
    count = 0
    for row in rows:
        if writer is None:
            writer = csv.DictWriter(sheet, list(row), lineterminator="\r\n")  # as RFC 4180 has it
            writer.writeheader()
        writer.writerow({name: cell(value) for name, value in row.items()})
        count += 1
    return sheet.getvalue(), count


def cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return inert(value)
        case list() | tuple() if all(isinstance(one, str) for one in value):
            return inert("; ".join(value))
        case list() | tuple() | Mapping():
            return inert(_json(value))
        case _:
            return inert(str(value))


def inert(text: str) -> str:
    """Keep a spreadsheet from taking a text for a formula; a plain number is none."""
    if _NUMBER.fullmatch(text):
        return text
    return f"'{text}" if text.startswith("'") or _is_formula(text) else text


def _is_formula(text: str) -> bool:
    for char in text:
        plain = unicodedata.normalize("NFKC", char)
        if plain[:1] in _STARTS:
            return True
        if plain not in _QUOTES and unicodedata.category(char) not in _SKIPPED:
            return False
    return False


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
