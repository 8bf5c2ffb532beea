"""Imports: a file of rows, worked on in numbered chunks, and what became of each row.

An import is counted from the outcomes of its chunks, and each chunk is counted once, whoever works on it how often. The time
of a row's fact is made from the file's time and the row's number, so that the last row wins in whatever order chunks are done.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from heapq import nsmallest
from typing import Any

from .errors import Invalid

FOLDER = "imports/"
MOST_ROWS = 2**24
LARGEST_FILE = 1024**3
"""Bytes of a file as it is dropped or uploaded."""
MOST_RECORDS = 250
"""Of a chunk."""
FIRST_ERRORS = 10
KEPT = timedelta(days=30)
"""How long the bucket keeps files, and the table what is written of an import: none is of use without the other."""

RESULT = ".result.json"
REJECTS_CSV = ".rejects.csv"
REJECTS_NDJSON = ".rejects.ndjson"
SIDECAR = ".json"
_ENDINGS = (".csv", ".tsv", ".txt", ".ndjson", ".jsonl", ".json", ".xlsx", ".gz")
_HEX_SEQUENCER = re.compile(r"[0-9A-Fa-f]{1,64}")
_ANNOUNCED = re.compile(r"imports/[a-z]+/([0-9a-f]{32})/[^/]+")
_DROP_DIGITS = 20


class Kind(StrEnum):
    """What the rows of a file are; also the name of the folder in which it is dropped."""

    CONTACTS = "contacts"
    SUPPRESSIONS = "suppressions"
    ORDERS = "orders"
    SHIPMENTS = "shipments"
    PRODUCTS = "products"


class FileFormat(StrEnum):
    CSV = "csv"
    NDJSON = "ndjson"
    XLSX = "xlsx"


class ImportState(StrEnum):
    AWAITING_UPLOAD = "awaiting_upload"
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"
    UNDONE = "undone"


class RowResult(StrEnum):
    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REJECTED = "rejected"
    SKIPPED = "skipped"


class Skip(StrEnum):
    """Why a row was not worked on."""

    SUPERSEDED = "superseded"
    ERASED = "erased"
    SAME_CONTENT = "same_content"
    CANCELLED = "cancelled"
    BLANK = "blank"


class FileRefused(Invalid):
    """A file that nothing is read of, or nothing more: why, in words that hold nothing of what is in it."""

    code = "file_refused"


@dataclass(frozen=True, slots=True)
class Record:
    """What stands in a file as one row: `cells` of a table, the `text` of a line of NDJSON.

    `row` counts records from 1, without the header; `line` is the physical line where it begins (in a sheet, its row). A record
    of which the reader could make nothing has a `flaw`, which is a reason's code, and its `text`.
    """

    row: int
    line: int
    cells: tuple[str, ...] | None = None
    text: str | None = None
    flaw: str | None = None

    @property
    def is_blank(self) -> bool:
        if self.flaw is not None:
            return False
        return not (self.text or "").strip() and not any(cell.strip() for cell in self.cells or ())

    @property
    def original(self) -> "tuple[str, ...] | str | None":
        return self.text if self.cells is None else self.cells


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file is written, as said or detected. `header` is empty for NDJSON."""

    format: FileFormat
    header: tuple[str, ...] = ()
    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    is_gzipped: bool = False


@dataclass(frozen=True, slots=True)
class Position:
    """Where a reader goes on: after so many records and physical lines, and at a byte of the object where that can be said."""

    row: int = 0
    line: int = 0
    offset: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a sidecar says of the file, as far as it concerns all kinds; `said` is the sidecar whole, as plain JSON."""

    site: str | None = None
    at: datetime | None = None
    is_dry_run: bool = False
    fires_automations: bool = False
    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    said: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """How the rows of a file are read: `mapping` names what each column becomes, None where it is left out.

    `said` is what the reading of rows needs besides, as plain JSON; `warnings` are codes with what they are about (a column).
    """

    mapping: Mapping[str, str | None] = field(default_factory=dict)
    said: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a row cannot be taken, and the column that says so; `detail` is for people and quotes no cell."""

    code: str
    detail: str
    column: str | None = None


@dataclass(frozen=True, slots=True)
class RowOutcome:
    """What became of a row; `touched` stands for whom or what it is about, and is the same for all rows about the same.

    `warnings` are codes of what was left aside in a row that was taken; `original` is kept of rejected rows alone.
    """

    row: int
    result: RowResult
    touched: str | None = None
    code: str | None = None
    column: str | None = None
    detail: str | None = None
    warnings: tuple[str, ...] = ()
    line: int | None = None
    original: tuple[str, ...] | str | None = None


@dataclass(frozen=True, slots=True)
class RowError:
    row: int
    line: int | None
    column: str | None
    code: str


@dataclass(frozen=True, slots=True)
class Tally:
    """Rows by what became of them; `reasons` counts codes of the rejected and the skipped, `warnings` those of the others."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    skipped: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    warnings: Mapping[str, int] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return self.created + self.updated + self.unchanged + self.rejected + self.skipped

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.created + other.created,
            self.updated + other.updated,
            self.unchanged + other.unchanged,
            self.rejected + other.rejected,
            self.skipped + other.skipped,
            dict(sorted((Counter(self.reasons) + Counter(other.reasons)).items())),
            dict(sorted((Counter(self.warnings) + Counter(other.warnings)).items())),
        )


def tally(outcomes: Iterable[RowOutcome]) -> Tally:
    results: Counter[RowResult] = Counter()
    reasons: Counter[str] = Counter()
    warnings: Counter[str] = Counter()
    for outcome in outcomes:
        results[outcome.result] += 1
        if outcome.code is not None:
            reasons[outcome.code] += 1
        warnings.update(outcome.warnings)
    return Tally(
        **{result.value: results[result] for result in RowResult},
        reasons=dict(sorted(reasons.items())),
        warnings=dict(sorted(warnings.items())),
    )


def first_errors(*several: Iterable[RowError]) -> tuple[RowError, ...]:
    """Keep the first by row, whichever were known first."""
    return tuple(nsmallest(FIRST_ERRORS, (error for errors in several for error in errors), key=lambda error: error.row))


def errors_of(outcomes: Iterable[RowOutcome]) -> tuple[RowError, ...]:
    rejected = (outcome for outcome in outcomes if outcome.result is RowResult.REJECTED)
    return first_errors(RowError(each.row, each.line, each.column, each.code or "rejected") for each in rejected)


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """`name` is the key of its object, which may be personal: it goes into no log, no message and no other key.

    `at` is the time of the file's facts, `options` and `plan` say how its rows are read, and `tally` what became of them, once
    it has ended. `same_as` names an import that had this very content.
    """

    import_id: str
    kind: Kind
    name: str
    state: ImportState
    requested_at: datetime
    source: str
    size: int = 0
    etag: str | None = None
    site: str | None = None
    at: datetime | None = None
    content: str | None = None
    options: Options = field(default_factory=Options)
    layout: Layout | None = None
    plan: Plan | None = None
    tally: Tally | None = None
    same_as: str | None = None
    error: str | None = None
    detail: str | None = None
    is_cut: bool = False
    has_rejects: bool = False
    undo_job_id: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    version: int = 1

    @property
    def has_ended(self) -> bool:
        return self.finished_at is not None

    @property
    def is_dry_run(self) -> bool:
        return self.options.is_dry_run

    @property
    def event_source(self) -> str:
        """What the facts that it writes give as their source."""
        return f"import:{self.import_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an import is: the reader's `position`, `rows` and `chunks` until there, and the chunks that are done.

    Of the chunks, the first `asked` were asked to be worked on for certain; of the others nobody knows.
    `is_split` says that there will be no more chunks, `is_cut` that the file has more rows than were read. When all is done, the
    rows are counted once more in `parts`, each customer, product or address once, into `taken`.
    """

    position: Position = field(default_factory=Position)
    rows: int = 0
    chunks: int = 0
    asked: int = 0
    is_split: bool = False
    is_cut: bool = False
    done: int = 0
    tally: Tally = field(default_factory=Tally)
    errors: tuple[RowError, ...] = ()
    parts: int = 0
    taken: Mapping[str, int] = field(default_factory=dict)
    version: int = 0

    @property
    def is_complete(self) -> bool:
        return self.is_split and self.done == self.chunks


@dataclass(frozen=True, slots=True)
class Drop:
    """That an object was written, as S3 tells it; `at` is when, `sequencer` orders the notices of one name."""

    name: str
    size: int
    etag: str
    sequencer: str
    at: datetime


def kind_of(name: str) -> Kind | None:
    """Say what an object's rows are by its folder; None where it is in none of ours."""
    folder, _, rest = name.removeprefix(FOLDER).partition("/")
    if not name.startswith(FOLDER) or not rest or folder not in Kind:
        return None
    return Kind(folder)


def is_data(name: str) -> bool:
    """Say whether an object's name is that of a file of rows: no folder, no result, and no sidecar of such a file."""
    if name.endswith(("/", RESULT)):
        return False
    return not (name.endswith(SIDECAR) and name.removesuffix(SIDECAR).lower().endswith(_ENDINGS))


def is_rejects(name: str) -> bool:
    """Say whether an object is named as our files of rejects are: ours, or one that was corrected and dropped again."""
    return name.endswith((REJECTS_CSV, REJECTS_NDJSON))


def announced_id(name: str) -> str | None:
    """Give the id of the import for which an object of this name was asked, if it is such a name."""
    found = _ANNOUNCED.fullmatch(name)
    return found[1] if found else None


def upload_name(kind: Kind, import_id: str, file_name: str) -> str:
    return f"{FOLDER}{kind}/{import_id}/{file_name}"


def drop_id(drop: Drop) -> str:
    """Give the id of a dropped file's import: the same for each notice of the same upload; ids sort by time."""
    digest = hashlib.sha256(f"{drop.name}\0{ordered(drop.sequencer)}".encode()).hexdigest()
    return f"{int(drop.at.timestamp() * 1000):012x}{digest[:_DROP_DIGITS]}"


def ordered(sequencer: str) -> str:
    """Give a sequencer so that those of one name compare as texts: hexadecimal, right-padded with zeros."""
    if not _HEX_SEQUENCER.fullmatch(sequencer):
        raise Invalid("a sequencer is hexadecimal", code="bad_sequencer")
    return sequencer.upper().ljust(64, "0")


def content_digest(kind: Kind, site: str | None, etag: str, size: int, sidecar: bytes | None) -> str:
    """Stand for what a file says: two of the same digest say the same."""
    said = "\0".join((kind, site or "", etag, str(size))).encode() + b"\0" + (b"-" if sidecar is None else b"+" + sidecar)
    return hashlib.sha256(said).hexdigest()


def fact_at(import_: Import, row: int) -> datetime:
    """Give the time of a row's fact: a microsecond after that of the row before, and none later than the file's own."""
    at = import_.at or import_.requested_at
    return (at - timedelta(microseconds=MOST_ROWS - row)).astimezone(UTC)


def queued(import_: Import, drop: Drop) -> Import:
    """Take an import up whose file has come."""
    return replace(import_, state=ImportState.QUEUED, size=drop.size, etag=drop.etag, at=drop.at, version=import_.version + 1)


def started(import_: Import, now: datetime, **found: Any) -> Import:
    return replace(
        import_,
        state=ImportState.RUNNING,
        started_at=import_.started_at or now,
        version=import_.version + 1,
        **found,
    )


def refused(import_: Import, error: str, detail: str) -> Import:
    """Say why nothing more is read of a file; the import ends as failed when what was read is done."""
    return replace(import_, error=error, detail=detail, version=import_.version + 1)


def finished(import_: Import, now: datetime, counted: Tally, *, is_cut: bool = False) -> Import:
    """End an import. One that was cancelled when there was nothing left to leave out is done."""
    was_cancelled = import_.state is ImportState.CANCELLED and (is_cut or Skip.CANCELLED in counted.reasons)
    state = ImportState.CANCELLED if was_cancelled else ImportState.FAILED if import_.error else ImportState.DONE
    return replace(
        import_,
        state=state,
        tally=counted,
        is_cut=is_cut,
        has_rejects=counted.rejected > 0,
        started_at=import_.started_at or now,
        finished_at=now,
        version=import_.version + 1,
    )


def cancelled(import_: Import, now: datetime) -> Import:
    """Let nothing more be worked on; one whose file has never come has ended with that."""
    has_ended = import_.state is ImportState.AWAITING_UPLOAD
    return replace(
        import_,
        state=ImportState.CANCELLED,
        finished_at=now if has_ended else None,
        version=import_.version + 1,
    )


def undone(import_: Import, job_id: str) -> Import:
    return replace(import_, state=ImportState.UNDONE, undo_job_id=job_id, version=import_.version + 1)


def result_of(import_: Import) -> str:
    """Name the result beside a file."""
    return import_.name + RESULT


def rejects_of(import_: Import) -> str:
    """Name the file of rejects beside a file."""
    is_lines = import_.layout is not None and import_.layout.format is FileFormat.NDJSON
    return import_.name + (REJECTS_NDJSON if is_lines else REJECTS_CSV)
