"""What a file is, seen from its first bytes: names and content types say too little and are often wrong.

What cannot be told apart for certain is read in the way that rejects rows, never in one that changes them.
"""

import codecs
import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from ecrm.domain.imports import FileFormat, FileRefused

_GZIP = b"\x1f\x8b"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_LOCKED = "EncryptedPackage".encode("utf-16-le")
"""The stream in which a workbook with a password stands."""
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (b"\x84\x31\x95\x33", "gb18030"),
)
_CANDIDATES = ["cp1252", "cp1256", "gb18030"]
"""What is left where it is no Unicode: Western, Arabic and Persian, and Chinese Windows."""
WIDE = ("utf-16-le", "utf-16-be")
"""Encodings in which a byte of ASCII may be a part of something else."""
_DELIMITERS = ",;\t|"
_ROWS = 50
_LOOKED_AT = 64_000
_SEPARATOR_LINE = re.compile(r'\ufeff?"?sep=(.)"?[\r\n]', re.IGNORECASE)
_CONTROLS = bytes(sorted(set(range(32)) - set(b"\0\t\n\r\f\x1a\x1b")))
_MOST_CONTROLS = 0.02
_NULS_OF_UTF16 = 0.1
"""The least share of characters that are ASCII in any table: delimiters, line ends, addresses, digits."""
_GOOD_TO_BAD = 2


@dataclass(frozen=True, slots=True)
class Written:
    """How a text is written; `has_separator_line` where the first line only names the delimiter, as Excel does it."""

    format: FileFormat
    encoding: str
    delimiter: str | None = None
    has_separator_line: bool = False


def is_gzip(head: bytes) -> bool:
    return head.startswith(_GZIP)


def is_zip(head: bytes) -> bool:
    return head.startswith(_ZIP)


def written(head: bytes, elsewhere: bytes, *, encoding: str | None, delimiter: str | None) -> Written:
    """Say how a text is written, from its first bytes and some whole lines from elsewhere; what is told is believed.

    Raises FileRefused where it is no text, or none that can be read by rows.
    """
    _refuse_binary(head)
    found = _known(encoding) if encoding else detected_encoding(head, elsewhere)
    text = head[:_LOOKED_AT].decode(found, "replace").removeprefix("\ufeff")
    start = text.lstrip()
    if not start:
        raise FileRefused("the file is empty", code="file_empty")
    if start.startswith("{"):
        return Written(FileFormat.NDJSON, found)
    if re.match(r"\[\s*\{", start):
        raise FileRefused("the file is one JSON array; write one object a line instead", code="json_array")
    named = _SEPARATOR_LINE.match(text)
    if delimiter is None:
        is_whole = len(head) <= _LOOKED_AT
        delimiter = named[1] if named else _detected_delimiter(text if is_whole else text[: text.rfind("\n") + 1] or text)
    return Written(FileFormat.CSV, found, delimiter, has_separator_line=named is not None)


def _refuse_binary(head: bytes) -> None:
    if head.startswith(_OLE):
        if _LOCKED in head:
            raise FileRefused("the workbook has a password; save it without one", code="xlsx_locked")
        raise FileRefused("the file is in Excel's old format; save it as XLSX or CSV", code="old_excel")
    looked = head[:_LOOKED_AT]
    controls = len(looked) - len(looked.translate(None, _CONTROLS))
    if controls > _MOST_CONTROLS * len(looked):
        raise FileRefused("the file is no text and no workbook", code="not_text")


def _known(encoding: str) -> str:
    """Give Python's name of an encoding in which ASCII is ASCII, or of UTF-16."""
    try:
        name = codecs.lookup(encoding).name
        if name == "utf-16":
            return "utf-16-le"
        is_ours = name in WIDE or bytes(range(128)).decode(name) == "".join(map(chr, range(128)))
    except (LookupError, UnicodeError, AssertionError):
        is_ours = False
    if not is_ours:
        raise FileRefused("the encoding that is named cannot be read", code="encoding_unknown")
    return {"utf-8-sig": "utf-8", "ascii": "utf-8"}.get(name, name)


def detected_encoding(head: bytes, elsewhere: bytes = b"") -> str:
    """Give UTF-8 wherever it can be."""
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            return encoding
    even, odd = (head[:_LOOKED_AT][at::2].count(0) for at in (0, 1))
    if max(even, odd) > _NULS_OF_UTF16 * min(len(head), _LOOKED_AT) / 2 and min(even, odd) * 10 < max(even, odd):
        return "utf-16-le" if odd > even else "utf-16-be"
    lines = [line for line in (head + elsewhere).splitlines() if not line.isascii()]
    if not lines or _is_utf8(b"\n".join(lines)):
        return "utf-8"
    import charset_normalizer  # noqa: PLC0415 (of a layer that only imports have)

    sample = b"\n".join(lines)[:_LOOKED_AT]
    guessed = charset_normalizer.from_bytes(sample, cp_isolation=_CANDIDATES).best()
    return "utf-8" if guessed is None else guessed.encoding


def _is_utf8(text: bytes) -> bool:
    """Say whether a text is UTF-8 but for a few bytes: its rows are to be rejected, not all others read as something else."""
    wrong = text.decode("utf-8", "replace").count("\ufffd") - text.count("\ufffd".encode())
    many = sum(1 for char in text.decode("utf-8", "ignore") if char > "\x7f")
    return many > _GOOD_TO_BAD * wrong


def _detected_delimiter(text: str) -> str:
    """Give the delimiter by which most rows have as many cells as the header, and among equals the most."""
    best, best_score = ",", (0.0, 1)
    for delimiter in _DELIMITERS:
        score = _score(_rows(text, delimiter))
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _rows(text: str, delimiter: str) -> list[list[str]]:
    lines = (line for line in text.splitlines(keepends=True) if line.strip())
    try:
        return list(islice(csv.reader(lines, delimiter=delimiter), _ROWS))
    except csv.Error:
        return []


def _score(rows: Sequence[Sequence[str]]) -> tuple[float, int]:
    if not rows or len(rows[0]) == 1:
        return 0.0, 1
    width = len(rows[0])
    return round(sum(len(row) == width for row in rows) / len(rows), 1), width
