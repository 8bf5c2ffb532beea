"""Workbooks (XLSX), read by calamine in a process of their own that has a bound of memory and of time.

calamine lays a sheet out whole: one cell in the last corner makes it ask for 512 GB, and a text that a million cells share is
copied a million times. Rust then ends the process, whichever it is. So the archive's directory is looked at first,
and what it does not tell ends a child (docs/decisions/0029).
"""

import json
import resource
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

from ecrm.domain.errors import Unavailable
from ecrm.domain.imports import Position, Record

from .records import Columns
from .refusals import refused

MOST_PACKED = 100_000_000
MOST_UNPACKED = 500_000_000
"""As the directory says; 560,000 rows of twelve columns, of which half a gigabyte of XML and 778 MB of memory were made."""
MOST_SAID = 2_000_000_000
"""Bytes of text in all: a text is kept once, whatever number of cells show it."""
MOST_PARTS = 5_000
MEMORY = 1 << 30
SECONDS = 90
_READABLE = (".xml", ".rels")
_EXACT = 10**15
"""Excel keeps fifteen digits; what is beyond is noise of the binary fraction."""
_CHILD = f"""
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from {__name__} import main
main(sys.argv[2:])
"""
_ENDED_BY_A_BOUND = {-signal.SIGABRT, -signal.SIGXCPU, -signal.SIGKILL, -signal.SIGSEGV}


def check(path: Path) -> None:
    """Look at the archive's directory alone. Raises FileRefused."""
    if path.stat().st_size > MOST_PACKED:
        raise refused("xlsx_too_large")
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise refused("xlsx_damaged") from error
    if "xl/workbook.xml" not in {part.filename.replace("\\", "/").removeprefix("/") for part in parts}:
        raise refused("zip_unknown")
    read = [part.file_size for part in parts if part.filename.endswith(_READABLE)]
    if len(parts) > MOST_PARTS or sum(read) > MOST_UNPACKED:
        raise refused("xlsx_too_large")


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet that is being read: `head` is its first row that is not blank, `rows` are those after a line."""

    name: str
    head: list[str]
    rows: Iterator[tuple[int, list[str]]]


@contextmanager
def opened(path: Path, name: str | None, after: int = 0) -> Iterator[Sheet]:
    """Read a sheet, the first that has rows where none is named. Raises then and while it is read."""
    child = subprocess.Popen(  # noqa: S603 (this very program, and a path of ours)
        [sys.executable, "-c", _CHILD, json.dumps(sys.path), str(path), json.dumps(name), str(after)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        said = _read(child)
        found = next(said, None)
        head = next(said, None)
        if head is None:
            raise refused("file_empty")
        yield Sheet(str(found), head[1], said)
    finally:
        child.kill()
        child.communicate()


def _read(child: subprocess.Popen[bytes]) -> Iterator[Any]:
    for line in child.stdout or ():
        said = json.loads(line)
        if isinstance(said, dict):
            raise refused(said["refused"])
        yield said
    code = child.wait()
    if code in _ENDED_BY_A_BOUND:
        raise refused("xlsx_too_large")
    if code != 0:
        raise Unavailable("the reader of workbooks ended before its work")


class SheetRecords:
    def __init__(self, rows: Iterable[tuple[int, list[str]]], columns: Columns, position: Position) -> None:
        self._rows = iter(rows)
        self._columns = columns
        self._before = position
        self._last: tuple[int, list[str]] | None = None
        self._is_given_back = False
        self.position = position
        self.size = 0

    def read(self) -> Record | None:
        if not self._is_given_back:
            self._last = next(self._rows, None)
        self._is_given_back = False
        if self._last is None:
            return None
        line, cells = self._last
        cells = [*cells, *[""] * (self._columns.width - len(cells))]
        self._before, self.position = self.position, Position(self.position.row + 1, line)
        self.size = sum(map(len, cells)) + 2 * len(cells)
        return self._columns.record(self.position.row, line, cells, None)

    def give_back(self) -> None:
        self._is_given_back = True
        self.position = self._before

    def renew(self) -> None:
        """Nothing is looked at in vain."""


def text(value: Any) -> str:
    """Write a cell as one would type it: ISO dates, no `.0` behind a whole number, `true` and `false`."""
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            is_whole = abs(value) < _EXACT and value == int(value)
            return str(int(value)) if is_whole else format(Decimal(format(value, ".15g")), "f")
        case datetime() if value.time() == time():
            return value.date().isoformat()
        case date() | time():
            return value.isoformat()
        case _:
            return str(value)


def rows(path: Path, sheet: str | None, after: int) -> Iterator[Any]:
    """Give the sheet's name, its first row and those after a line; a dictionary says why there is no more."""
    import python_calamine as calamine  # noqa: PLC0415 (of a layer that only imports have)

    try:
        with calamine.CalamineWorkbook.from_path(path) as workbook:
            names = _names(workbook.sheets_metadata, sheet, calamine)
            if not names:
                yield {"refused": "sheet_unknown" if sheet else "file_empty"}
                return
            for name in names:
                found = workbook.get_sheet_by_name(name)
                if found.height or name == names[-1]:
                    break
            yield name
            yield from _filled(found, after)
    except calamine.PasswordError:
        yield {"refused": "xlsx_locked"}
    except calamine.CalamineError:
        yield {"refused": "xlsx_damaged"}
    except MemoryError:
        yield {"refused": "xlsx_too_large"}


def _names(sheets: Sequence[Any], sheet: str | None, calamine: Any) -> list[str]:
    """Give the sheet that was named, or those that a person sees."""
    if sheet is not None:
        return [each.name for each in sheets if each.name == sheet]
    return [
        each.name
        for each in sheets
        if each.typ == calamine.SheetTypeEnum.WorkSheet and each.visible == calamine.SheetVisibleEnum.Visible
    ]


def _filled(sheet: Any, after: int) -> Iterator[tuple[int, list[str]]]:
    is_head = True
    for line, values in enumerate(sheet.iter_rows(), 1):
        cells = [text(value) for value in values]
        while cells and not cells[-1].strip():
            cells.pop()
        if cells and (is_head or line > after):
            yield line, cells
        is_head = is_head and not cells


def _bound() -> None:
    """Bound this process; where a system knows no such bound (macOS), it has to do without."""
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main(arguments: Sequence[str]) -> None:
    _bound()
    left = MOST_SAID
    for row in rows(Path(arguments[0]), json.loads(arguments[1]), int(arguments[2])):
        line = json.dumps(row)
        left -= len(line)
        print(line if left > 0 else json.dumps({"refused": "xlsx_too_large"}))  # noqa: T201 (its parent reads it)
