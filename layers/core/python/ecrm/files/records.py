"""Records from lines: of tables by the standard library's CSV reader, and one a line in NDJSON.

A quote that is opened and not closed would take the rest of a file into one cell. So a record has a bound; past it, its first
line alone is flawed, and the reading goes on with the line after it. What was looked at in vain is bounded for each chunk:
past that, a cell of this chunk ends with its line. So chunks and flaws depend on the file alone, not on where a reading began.
"""

import csv
import json
import re
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from ecrm.domain.imports import MOST_RECORDS, Position, Record

from .formats import inert
from .refusals import refused
from .streams import MOST_LINE, LongLine

MOST_FIELD = 64_000
MOST_COLUMNS = 1_000
MOST_BYTES = 1_000_000
"""Of a chunk, before its last record."""
MOST_GROUPED = 1_000
MOST_GROUPED_BYTES = 4_000_000
_MOST_BLANK = 1_000_000
"""Blank lines in a row: a gigabyte of them would be read for half an hour, and nothing be found to note where it stands."""
_MOST_LOOKED = 256_000
"""Bytes that a chunk's flawed records may be looked at in vain, a line counted as so many more."""
_LINE_COST = 64
_KEPT = 1_000
"""Characters that a line is known by which is too long to be kept."""
REJECT_COLUMNS = ("_line", "_column", "_code", "_message")
REJECT_NAME = "_reject"
TEXT_NAME = "_text"
_REJECT = re.compile(rf'(?<=[{{,])\s*"{REJECT_NAME}"\s*:\s*')

csv.field_size_limit(4 * MOST_LINE)  # the bound is ours, so that an error of the reader is never about size

type Group = Callable[[Record], str | None]


class Records(Protocol):
    """A file's records, forwards; `position` is after the last that was read, and `size` its bytes."""

    @property
    def position(self) -> Position: ...

    @property
    def size(self) -> int: ...

    def read(self) -> Record | None: ...

    def give_back(self) -> None:
        """Let the last record be read again."""
        ...

    def renew(self) -> None:
        """Begin a chunk."""
        ...


@dataclass(frozen=True, slots=True)
class Columns:
    """A table's columns. `kept` are the places of those in `header`, None for all; a file of our rejects has more."""

    header: tuple[str, ...]
    width: int
    kept: tuple[int, ...] | None = None

    @classmethod
    def of(cls, cells: list[str]) -> "Columns":
        """Raises FileRefused."""
        if len(cells) > MOST_COLUMNS:
            raise refused("too_many_columns")
        names = [cell.strip("\ufeff \t\r\n\u00a0") for cell in cells]
        if not set(REJECT_COLUMNS) <= set(names):
            return cls(tuple(names), len(names))
        kept = tuple(at for at, name in enumerate(names) if name not in REJECT_COLUMNS)
        return cls(tuple(active(names[at]) for at in kept), len(names), kept)

    def record(self, row: int, line: int, cells: list[str], flaw: str | None) -> Record:
        if flaw is None and len(cells) != self.width:
            flaw = "ragged"
        if self.kept is None or flaw == "ragged":
            return Record(row, line, tuple(cells), None, flaw)
        return Record(row, line, tuple([active(cells[at]) for at in self.kept]), None, flaw)


def active(cell: str) -> str:
    """Take away the apostrophe that `inert` put before a cell, and no other."""
    return cell[1:] if cell.startswith("'") and inert(cell[1:]) == cell else cell


class Lines:
    """Physical lines that can be given back, and how many rows, lines and bytes are behind."""

    def __init__(self, lines: Iterator[bytes], encoding: str, position: Position) -> None:
        self._lines = lines
        self._again: deque[bytes] = deque()
        self._encoding = encoding
        self.row, self.line, self._offset = position.row, position.line, position.offset or 0
        self._before = (self.row, self.line, self._offset)
        self._blank = 0
        self.taken: list[bytes] = []

    @property
    def position(self) -> Position:
        return Position(self.row, self.line, self._offset)

    def begin(self) -> None:
        self._before = (self.row, self.line, self._offset)
        self.taken = []

    def take(self) -> bytes | None:
        line = self._again.popleft() if self._again else next(self._lines, None)
        if line is not None:
            self.taken.append(line)
        return line

    def end(self, rows: int, taken: int | None = None) -> None:
        """Count the lines that were taken; where that is said, so many of them, and the others are given back.

        Raises FileRefused where there are no rows for too long.
        """
        while taken is not None and len(self.taken) > taken:
            self._again.appendleft(self.taken.pop())
        for line in self.taken:
            self._offset += line.size if isinstance(line, LongLine) else len(line)
        self.line += len(self.taken)
        self.row += rows
        self._blank = 0 if rows else self._blank + 1
        if self._blank > _MOST_BLANK:
            raise refused("not_text")

    def give_back(self) -> None:
        self._again.extendleft(reversed(self.taken))
        self.taken = []
        self.row, self.line, self._offset = self._before

    def text(self, line: bytes) -> str:
        kept = line[: 4 * _KEPT] if is_long(line) else line
        text = kept.decode(self._encoding, "replace").rstrip("\r\n")
        return f"{text[:_KEPT]}…" if is_long(line) else text


def is_long(line: bytes) -> bool:
    return len(line) > MOST_LINE or isinstance(line, LongLine)


class _Unending(Exception):
    """A record does not end where it has to."""


class TableRecords:
    """A table's records; without `columns`, the first that is no blank line tells them."""

    def __init__(self, lines: Iterator[bytes], encoding: str, delimiter: str, position: Position) -> None:
        self._lines = Lines(lines, encoding, position)
        self._encoding = encoding
        self._delimiter = delimiter
        self._parser = self._new_parser()
        self._is_garbled = False
        self._has_nul = False
        self._left = _MOST_LOOKED
        self._cost = 0
        self.size = 0
        self.columns: Columns | None = None

    @property
    def position(self) -> Position:
        return self._lines.position

    def pass_over(self) -> None:
        """Leave out a line."""
        self._lines.begin()
        self._lines.take()
        self._lines.end(0)

    def head(self) -> Columns | None:
        """Read the columns, None where there is nothing."""
        found = self._cells()
        if found is None:
            return None
        cells, flaw = found
        if cells is None or flaw is not None:
            raise refused("no_header")
        self._lines.end(0)
        self.columns = Columns.of(cells)
        return self.columns

    def read(self) -> Record | None:
        found = self._cells()
        if found is None or self.columns is None:
            return None
        cells, flaw = found
        row, line = self._lines.row + 1, self._lines.line + 1
        if cells is not None:
            self._lines.end(1)
            return self.columns.record(row, line, cells, flaw)
        self._lines.end(1, taken=1)
        text = self._lines.text(self._lines.taken[0])
        self.size = len(text)
        return Record(row, line, None, text, flaw)

    def give_back(self) -> None:
        self._lines.give_back()

    def renew(self) -> None:
        self._left = _MOST_LOOKED

    def _new_parser(self) -> Iterator[list[str]]:
        return csv.reader(iter(self._next_line, None), delimiter=self._delimiter, strict=True)

    def _next_line(self) -> str | None:
        taken = self._lines.taken
        if taken and (self._cost > MOST_LINE or self._left <= 0):
            raise _Unending
        line = self._lines.take()
        if line is None:
            return None
        if is_long(line):
            raise _Unending
        self.size += len(line)
        self._cost += len(line) + _LINE_COST
        self._has_nul |= b"\0" in line
        try:
            return line.decode(self._encoding)
        except UnicodeDecodeError:
            self._is_garbled = True
            return line.decode(self._encoding, "replace")

    def _cells(self) -> tuple[list[str] | None, str | None] | None:
        """Give a record's cells, or none of them, and its flaw; None at the end. Lines that are blank are passed over."""
        while True:
            self._lines.begin()
            self.size = self._cost = 0
            self._is_garbled = self._has_nul = False
            try:
                cells = next(self._parser, None)
            except (csv.Error, _Unending) as error:
                return None, self._unread(error)
            if cells is None:
                return None
            if len(cells) > 1 or self._lines.taken[0].strip():
                return cells, self._flaw(cells)
            self._lines.end(0)

    def _flaw(self, cells: list[str]) -> str | None:
        if self._is_garbled:
            return "bad_encoding"
        if self._has_nul:
            return "nul"
        if self.size > MOST_FIELD and any(len(cell.encode()) > MOST_FIELD for cell in cells):
            return "field_too_large"
        return None

    def _unread(self, error: Exception) -> str:
        self._parser = self._new_parser()
        taken = self._lines.taken
        if is_long(taken[0]):
            return "line_too_large"
        self._left -= self._cost - len(taken[0])
        is_open = len(taken) > 1 or isinstance(error, _Unending) or "unexpected end" in str(error)
        return "unclosed_quote" if is_open else "stray_quote"


class LineRecords:
    """NDJSON's records: lines that are not blank."""

    def __init__(self, lines: Iterator[bytes], encoding: str, position: Position) -> None:
        self._lines = Lines(lines, encoding, position)
        self._encoding = encoding
        self.size = 0

    @property
    def position(self) -> Position:
        return self._lines.position

    def read(self) -> Record | None:
        while True:
            self._lines.begin()
            raw = self._lines.take()
            if raw is None:
                return None
            text, flaw = self._text(raw)
            is_blank = flaw is None and not text.strip("\ufeff \t")
            self._lines.end(0 if is_blank else 1)
            if not is_blank:
                self.size = len(raw)
                return Record(self._lines.row, self._lines.line, None, text, flaw)

    def give_back(self) -> None:
        self._lines.give_back()

    def renew(self) -> None:
        """Nothing is looked at in vain."""

    def _text(self, raw: bytes) -> tuple[str, str | None]:
        if is_long(raw):
            return self._lines.text(raw), "line_too_large"
        try:
            return without_reject(raw.decode(self._encoding).rstrip("\r\n")), None
        except UnicodeDecodeError:
            return self._lines.text(raw), "bad_encoding"


def without_reject(text: str) -> str:
    """Give a line as it was before it was rejected; what is not an object of our rejects stays as it is."""
    for name in _REJECT.finditer(text):
        before, after = text[: name.start()], text[name.end() :]
        try:
            about, end = json.JSONDecoder().raw_decode(after)
            whole = f"{before.removesuffix(',')}}}"
            original = json.loads(whole)
        except (ValueError, RecursionError):
            continue
        if isinstance(about, dict) and after[end:].strip() == "}":
            match original:
                case {"_text": str() as line, **others} if not others:
                    return line
                case _:
                    return whole
    return text


def chunks(records: Records, group: Group) -> Iterator[tuple[tuple[Record, ...], Position]]:
    """Cut records into chunks, each with the position after it. Raises FileRefused."""
    while chunk := _chunk(records, group):
        yield chunk, records.position


def _chunk(records: Records, group: Group) -> tuple[Record, ...]:
    records.renew()
    chunk: list[Record] = []
    size = grouped = grouped_size = flawed = 0
    name = last = None
    while (record := records.read()) is not None:
        flawed = 0 if record.flaw is None else flawed + 1
        if record.flaw is None:
            name = group(record)
        elif flawed > MOST_RECORDS:  # a few between two rows part nothing
            name = None
        is_parted = name is None or name != last
        if chunk and is_parted and (len(chunk) >= MOST_RECORDS or size + records.size > MOST_BYTES):
            records.give_back()
            break
        grouped, grouped_size = (0, 0) if is_parted else (grouped + 1, grouped_size + records.size)
        if grouped >= MOST_GROUPED or grouped_size > MOST_GROUPED_BYTES:
            raise refused("group_too_large")
        chunk.append(record)
        size += records.size
        last = name
    return tuple(chunk)
