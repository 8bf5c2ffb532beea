"""What a file is, seen from its first bytes: names and content types say too little and are often wrong.

What cannot be told apart for certain is read in the way that rejects rows, never in one that changes them.
"""

import codecs
import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from ecrm.domain.imports import FileFormat

from .refusals import refused

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
_CONTROLS = [chr(code) for code in range(1, 32) if chr(code) not in "\t\n\r\f\x1a\x1b"]
_MOST_CONTROLS = 0.05
"""Half of what there are among bytes of no meaning."""
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


def mark(head: bytes) -> bytes:
    """Give the byte order mark with which a text begins."""
    return next((each for each, _ in _BOMS if head.startswith(each)), b"")


def written(head: bytes, elsewhere: bytes, *, encoding: str | None, delimiter: str | None) -> Written:
    """Say how a text is written, from its first bytes and some whole lines from elsewhere; what is told is believed.

    Raises FileRefused where it is no text, or none that can be read by rows.
    """
    if head.startswith(_OLE):
        if _LOCKED in head:
            raise refused("xlsx_locked")
        raise refused("old_excel")
    found = _known(encoding) if encoding else _of_unicode(head)
    looked = head[:_LOOKED_AT].decode(found or "latin-1", "replace")
    if sum(map(looked.count, _CONTROLS)) > _MOST_CONTROLS * len(looked):
        raise refused("not_text")
    if found is None:
        found = _of_letters([line for line in (head + elsewhere).splitlines() if not line.isascii()])
        looked = head[:_LOOKED_AT].decode(found, "replace")
    text = looked.removeprefix("\ufeff")
    start = text.lstrip()
    if not start:
        raise refused("file_empty")
    if start.startswith("{"):
        return Written(FileFormat.NDJSON, found)
    if re.match(r"\[\s*\{", start):
        raise refused("json_array")
    named = _SEPARATOR_LINE.match(text)
    if delimiter is None:
        is_whole = len(head) <= _LOOKED_AT
        delimiter = named[1] if named else _detected_delimiter(text if is_whole else text[: text.rfind("\n") + 1] or text)
    return Written(FileFormat.CSV, found, delimiter, has_separator_line=named is not None)


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
        raise refused("encoding_unknown")
    return {"utf-8-sig": "utf-8", "ascii": "utf-8"}.get(name, name)


def _of_unicode(head: bytes) -> str | None:
    """Give the encoding that a mark names, or UTF-16 without one: there, ASCII has a NUL on one side of each letter."""
    for each, encoding in _BOMS:
        if head.startswith(each):
            return encoding
    looked = head[:_LOOKED_AT]
    even, odd = (looked[at::2].count(0) for at in (0, 1))
    if max(even, odd) > _NULS_OF_UTF16 * len(looked) / 2 and min(even, odd) * 10 < max(even, odd):
        return "utf-16-le" if odd > even else "utf-16-be"
    return None


def _of_letters(lines: Sequence[bytes]) -> str:
    """Give the encoding of lines that are not ASCII: UTF-8 wherever it can be."""
    text = b"\n".join(lines)
    if not lines or _is_utf8(text):
        return "utf-8"
    import charset_normalizer  # noqa: PLC0415 (of a layer that only imports have)

    guessed = charset_normalizer.from_bytes(text[:_LOOKED_AT], cp_isolation=_CANDIDATES).best()
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
