"""The bucket of imports and its queues in memory, and the readers and workers of imports as they ship.

What S3 and SQS allow is allowed here: notices come twice, late and in any order, so do messages, and whoever works may die
before or after each call.
"""

import csv
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from io import StringIO
from random import Random
from typing import Any

from ecrm.application.import_ports import Rows
from ecrm.application.import_rows import ContactRow
from ecrm.application.imports import Reader, begin, work_chunk
from ecrm.domain.imports import (
    Drop,
    FileFormat,
    FileRefused,
    Import,
    Kind,
    Layout,
    Options,
    Plan,
    Position,
    Record,
    Refusal,
    RowOutcome,
    fact_at,
)
from ecrm.domain.sites import Site
from ecrm.store.imports import DynamoImports
from tests.builders import NOON
from tests.faults import Kill
from tests.simulation.company import SITE, Company, Stopped, person
from tests.simulation.table import Moment, Pause, go_on

LATER = NOON + timedelta(hours=1)
BAD = "no address"
"""What a row of the tests says where its address should be, if it is to be refused."""
DAMAGED = "from here on the file is damaged"


@dataclass
class Upload:
    content: bytes
    at: datetime
    is_ours: bool = False

    @property
    def etag(self) -> str:
        return hashlib.md5(self.content, usedforsecurity=False).hexdigest()


@dataclass
class Bucket:
    """ImportFiles in memory: tables with a header, commas and UTF-8, cut into chunks of `most` records."""

    pause: Pause = go_on
    most: int = 10
    objects: dict[str, Upload] = field(default_factory=dict)
    outcomes_of: dict[tuple[str, int], tuple[RowOutcome, ...]] = field(default_factory=dict)
    told: int = 0

    def drop(self, name: str, text: str, at: datetime = NOON) -> Drop:
        """Upload a file; gives what its notice says."""
        self.told += 1
        upload = self.objects[name] = Upload(text.encode(), at)
        return Drop(name, len(upload.content), upload.etag, f"{self.told:04X}", at)

    def text(self, name: str) -> str:
        return self.objects[name].content.decode()

    def is_ours(self, name: str) -> bool:
        return name not in self.objects or self.objects[name].is_ours

    def sidecar(self, name: str) -> bytes | None:
        self.pause(Moment.BEFORE, "sidecar")
        found = self.objects.get(f"{name}.json")
        return found.content if found else None

    def write_sidecar(self, name: str, content: bytes) -> None:
        self._put(f"{name}.json", content)

    @contextmanager
    def open(self, import_: Import, _options: Options, _layout: Layout | None, position: Position) -> Iterator["Lines"]:
        self.pause(Moment.BEFORE, "open")
        found = self.objects.get(import_.name)
        if found is None:
            raise FileRefused("the file is gone", code="file_gone")
        if found.etag != import_.etag:
            raise FileRefused("the file was replaced", code="file_replaced")
        yield Lines(found.content.decode(), position, self.most)

    def write_chunk(self, import_id: str, chunk: int, records: Sequence[Record]) -> None:
        self._put(f"{import_id}/{chunk}", json.dumps([[record.row, record.cells] for record in records]).encode())

    def chunk(self, import_id: str, chunk: int) -> tuple[Record, ...]:
        self.pause(Moment.BEFORE, "chunk")
        records = json.loads(self.text(f"{import_id}/{chunk}"))
        return tuple(Record(row, row + 1, tuple(cells)) for row, cells in records)

    def write_outcomes(self, import_id: str, chunk: int, outcomes: Sequence[RowOutcome]) -> None:
        self.pause(Moment.BEFORE, "write_outcomes")
        self.outcomes_of[import_id, chunk] = tuple(outcomes)
        self.pause(Moment.AFTER, "write_outcomes")

    def outcomes(self, import_id: str, chunks: Iterable[int]) -> Iterator[tuple[RowOutcome, ...]]:
        for chunk in chunks:
            self.pause(Moment.BEFORE, "outcomes")
            yield self.outcomes_of[import_id, chunk]

    @contextmanager
    def rejects(self, name: str, layout: Layout) -> Iterator["Rejects"]:
        written = Rejects([",".join((*layout.header, "line", "column", "code"))])
        yield written
        self._put(name, "\n".join(written.lines).encode())

    def write_result(self, name: str, result: Mapping[str, Any]) -> None:
        self._put(name, json.dumps(result).encode())

    def upload(self, name: str, size: int, content_type: str) -> tuple[str, Mapping[str, str], datetime]:
        raise NotImplementedError

    def link(self, name: str) -> str:
        raise NotImplementedError

    def _put(self, name: str, content: bytes) -> None:
        self.pause(Moment.BEFORE, "put_object")
        self.objects[name] = Upload(content, LATER, is_ours=True)
        self.pause(Moment.AFTER, "put_object")


@dataclass
class Rejects:
    lines: list[str]

    def write(self, outcome: RowOutcome) -> None:
        self.lines.append(",".join((*(outcome.original or ()), str(outcome.line), str(outcome.column), str(outcome.code))))


class Lines:
    """A table as it is read from a position: no cell holds a line's end."""

    def __init__(self, text: str, position: Position, most: int) -> None:
        header, *self._rows = csv.reader(StringIO(text))
        self._position = position
        self._most = most
        self.layout = Layout(FileFormat.CSV, tuple(header), "utf-8", ",")
        self.sample = tuple(Record(row, row + 1, tuple(cells)) for row, cells in enumerate(self._rows[:9], 1))

    def chunks(self, group: Callable[[Record], str | None]) -> Iterator[tuple[tuple[Record, ...], Position]]:
        for some in self._together(group):
            if any((record.cells or ("",))[0] == DAMAGED for record in some):
                raise FileRefused("the compressed file is damaged", code="gzip_damaged")
            yield tuple(some), Position(some[-1].row, some[-1].line)

    def _together(self, group: Callable[[Record], str | None]) -> Iterator[list[Record]]:
        some: list[Record] = []
        for row, cells in enumerate(self._rows, 1):
            if row > self._position.row:
                record = Record(row, row + 1, tuple(cells))
                if len(some) >= self._most and (group(record) is None or group(record) != group(some[-1])):
                    yield some
                    some = []
                some.append(record)
        if some:
            yield some


class OneSite:
    def all(self) -> tuple[Site, ...]:
        return (
            Site(
                site=SITE,
                brand="The shop",
                languages=("de",),
                time_zone="Europe/Berlin",
                currency="EUR",
                updated_at=NOON,
            ),
        )

    def find(self, name: str) -> Site | None:
        return next((site for site in self.all() if site.site == name), None)

    def write(self, definition: Site, *, seen: int) -> Site | None:
        raise NotImplementedError


@dataclass
class Office:
    """Both queues, and who works on what is in them: a message is an import's id, or that of a chunk."""

    company: Company
    bucket: Bucket
    pause: Pause = go_on
    waiting: list[tuple[str, int | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.imports = DynamoImports(self.company.table)
        self.rows: dict[Kind, Rows[Any]] = {
            Kind.CONTACTS: Rows(plan=_plan, group=lambda _: lambda _: None, reads=_read, apply=self._apply)
        }
        self.reader = Reader(
            imports=self.imports,
            files=self.bucket,
            queue=Queue(self),
            chunks=Chunks(self),
            rows=self.rows,
            interpret=interpreted,
            sites=OneSite(),
            clock=Stopped(LATER),
        )

    def notify(self, drop: Drop, is_late: Callable[[], bool] = lambda: False) -> None:
        """What becomes of a notice."""
        import_id = begin(drop, imports=self.imports, files=self.bucket)
        if import_id is not None:
            self.reader.work(import_id, is_late)

    def deliver(self, message: tuple[str, int | None], is_late: Callable[[], bool] = lambda: False) -> None:
        import_id, chunk = message
        if chunk is None:
            self.reader.work(import_id, is_late)
        else:
            queue = Queue(self)
            work_chunk(import_id, chunk, imports=self.imports, files=self.bucket, queue=queue, rows=self.rows)

    def come_to_rest(self) -> None:
        while self.waiting:
            self.deliver(self.waiting.pop(0))

    def send(self, *messages: tuple[str, int | None]) -> None:
        self.pause(Moment.BEFORE, "send")
        self.waiting += messages
        self.pause(Moment.AFTER, "send")

    def _apply(self, import_: Import, rows: Sequence[ContactRow]) -> Sequence[RowOutcome]:
        return self.company.import_contacts(import_, rows, LATER)


@dataclass(frozen=True)
class Queue:
    office: Office

    def send(self, import_id: str) -> None:
        self.office.send((import_id, None))


@dataclass(frozen=True)
class Chunks:
    office: Office

    def send(self, import_id: str, chunks: Iterable[int]) -> None:
        self.office.send(*((import_id, chunk) for chunk in chunks))


def interpreted(_import: Import, sidecar: bytes | None) -> Options:
    said = json.loads(sidecar) if sidecar else {}
    return Options(is_dry_run=said.get("dry_run", False), said=said)


def _plan(_import: Import, layout: Layout, _sample: Sequence[Record]) -> Plan:
    if "email" not in layout.header:
        raise FileRefused("no column says who somebody is", code="no_identifier_column")
    return Plan(mapping={name: name for name in layout.header})


def _read(import_: Import, records: Sequence[Record]) -> list[ContactRow | Refusal | None]:
    return [_row(import_, record) for record in records]


def _row(import_: Import, record: Record) -> ContactRow | Refusal:
    assert import_.layout is not None
    said = dict(zip(import_.layout.header, record.cells or (), strict=True))
    email = said.pop("email")
    if email == BAD:
        return Refusal("bad_address", "an address of mail is needed", "email")
    attributes = {name: value for name, value in said.items() if value}
    return ContactRow(
        row=record.row,
        site=SITE,
        identifiers=person(email=email),
        at=fact_at(import_, record.row),
        attributes=attributes,
    )


def table_of(rows: Iterable[Sequence[str]], *header: str) -> str:
    return "\n".join(map(",".join, (header, *rows)))


@dataclass
class Calls:
    """Counts what is asked of the table, the bucket and the queues, and dies at one of the moments before or after."""

    killed_at: int | None = None
    count: int = 0

    def __call__(self, moment: Moment, _operation: str) -> None:
        if moment is Moment.WITHIN:
            return
        self.count += 1
        if self.count == self.killed_at:
            raise Kill


@dataclass
class Post:
    """Delivers notices and messages, one after the other; one whose worker dies is delivered again, last or first."""

    office: Office
    random: Random = field(default_factory=lambda: Random(0))

    def deliver(self, *drops: Drop, is_late: Callable[[], bool] = lambda: False) -> None:
        waiting: list[Callable[[], object]] = [partial(self.office.notify, drop, is_late) for drop in drops]
        while waiting or self.office.waiting:
            waiting += [partial(self.office.deliver, message, is_late) for message in self.office.waiting]
            self.office.waiting.clear()
            one = waiting.pop(0)
            try:
                one()
            except Kill:
                waiting.insert(self.random.randint(0, len(waiting)), one)


class NowAndThen:
    """Says of every fourth question that time is short."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> bool:
        self.asked += 1
        return self.asked % 4 == 0
