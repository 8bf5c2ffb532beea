"""Files of rejected rows: the rows as they were, and why, ready to be corrected and dropped again.

A table's is CSV in UTF-8 with a byte order mark, without which Excel takes it for the system's own encoding; its cells are
kept from being formulas, and `records.active` takes that away again.
"""

import csv
import io
import json
from collections.abc import Callable

from ecrm.domain.imports import FileFormat, Layout, RowOutcome

from .formats import inert
from .records import REJECT_COLUMNS, REJECT_NAME, TEXT_NAME

PART = 8_000_000
"""Bytes of a part; S3 takes no smaller one than 5 MiB but for the last."""


class RejectsFile:
    """Gives what is written on to `send`, by parts, and what is left when it is closed."""

    def __init__(self, layout: Layout, send: Callable[[bytes], None]) -> None:
        self._layout = layout
        self._send = send
        self._content = io.BytesIO()
        self._text = io.TextIOWrapper(self._content, "utf-8", newline="", write_through=True)
        self._table = csv.writer(self._text, lineterminator="\r\n")
        if layout.format is not FileFormat.NDJSON:
            self._text.write("\ufeff")
            self._table.writerow([*map(inert, layout.header), *REJECT_COLUMNS])

    def write(self, outcome: RowOutcome) -> None:
        if self._layout.format is FileFormat.NDJSON:
            self._text.write(_line(outcome))
        else:
            self._table.writerow(self._row(outcome))
        if self._content.tell() >= PART:
            self._flush()

    def close(self) -> None:
        self._flush()

    def _flush(self) -> None:
        self._send(self._content.getvalue())
        self._content.seek(0)
        self._content.truncate()

    def _row(self, outcome: RowOutcome) -> list[str]:
        """Give the row under its columns; cells that are too many stand in the last one, with delimiters between them."""
        width = len(self._layout.header)
        match outcome.original:
            case str() as text:
                cells = [text]
            case None:
                cells = []
            case told:
                cells = list(told)
        if len(cells) > width:
            cells[width - 1 :] = [(self._layout.delimiter or ",").join(cells[width - 1 :])]
        about = (str(outcome.line or ""), outcome.column or "", outcome.code or "", outcome.detail or "")
        return [*map(inert, cells), *[""] * (width - len(cells)), *map(inert, about)]


def _line(outcome: RowOutcome) -> str:
    """Give the line's own text with a member more; what is no object stands in one."""
    about = {"line": outcome.line, "column": outcome.column, "code": outcome.code, "message": outcome.detail}
    text = str(outcome.original or "").strip().lstrip("\ufeff")
    told = json.dumps(about, ensure_ascii=False)
    if not _is_object(text):
        return f'{{{json.dumps(TEXT_NAME)}: {json.dumps(text, ensure_ascii=False)}, "{REJECT_NAME}": {told}}}\n'
    inner = text[:-1].rstrip()
    return f'{inner}{"" if inner.endswith("{") else ","}"{REJECT_NAME}":{told}}}\n'


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
