"""Contact files in S3: read by ranges, as the version that was announced and no other; and what is written beside them.

An object of ours under imports/ carries metadata that says so: its name alone cannot, for who corrects a file of rejects
may drop it again under the same name.
"""

import codecs
import json
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from ecrm.application.ports import LINK_SECONDS, Clock
from ecrm.domain.errors import Unavailable
from ecrm.domain.imports import (
    LARGEST_FILE,
    SIDECAR,
    FileFormat,
    Import,
    Layout,
    Options,
    Position,
    Record,
    RowOutcome,
    RowResult,
)

from . import sheets
from .detection import WIDE, Written, is_gzip, is_zip, mark, written
from .records import Columns, Group, LineRecords, Records, TableRecords, chunks
from .refusals import refused
from .rejects import RejectsFile
from .streams import Blocks, as_utf8, beyond, physical_lines, unpacked

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

MOST_SIDECAR = 64_000
UPLOAD_SECONDS = 3_600
SAMPLE = 50
HEAD = 1_000_000
OURS = {"ecrm": "result"}
_ENCODED = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_AHEAD = 16
_LOOKED_AT = 64_000
_PLACES = 4


@dataclass(frozen=True, slots=True)
class ReadSource:
    layout: Layout
    sample: tuple[Record, ...]
    records: Callable[[], Records]

    def chunks(self, group: Group) -> Iterator[tuple[tuple[Record, ...], Position]]:
        return chunks(self.records(), group)


class S3ImportFiles:
    def __init__(self, client: "S3Client", bucket: str, clock: Clock) -> None:
        self._client = client
        self._bucket = bucket
        self._clock = clock

    def is_ours(self, name: str) -> bool:
        try:
            found = self._client.head_object(Bucket=self._bucket, Key=name)
        except ClientError as error:
            if _status(error) == 404:  # noqa: PLR2004 (HTTP's not found)
                return True
            raise Unavailable("the bucket of imports does not answer") from error
        except BotoCoreError as error:
            raise Unavailable("the bucket of imports does not answer") from error
        return OURS.items() <= found["Metadata"].items()

    def sidecar(self, name: str) -> bytes | None:
        found = self._get(name + SIDECAR, Range=f"bytes=0-{MOST_SIDECAR}")
        if found is not None and len(found) > MOST_SIDECAR:
            raise refused("sidecar_too_large")
        return found

    def write_sidecar(self, name: str, content: bytes) -> None:
        self._put(name + SIDECAR, content, "application/json", OURS)

    @contextmanager
    def open(self, import_: Import, options: Options, layout: Layout | None, position: Position) -> Iterator[ReadSource]:
        """Read what was announced.

        `position.offset` is a byte of the text as it is read, unpacked and, where it was UTF-16, in UTF-8: up to it a file that
        cannot be read by ranges is read again, but not parsed.
        """
        if import_.size > LARGEST_FILE:
            raise refused("file_too_large")
        if import_.size == 0:
            raise refused("file_empty")
        blocks = Blocks(partial(self._range, import_), import_.size)
        is_gzipped = is_gzip(blocks.first)
        head = b"".join(_up_to(HEAD, unpacked(blocks.pieces()) if is_gzipped else blocks.pieces()))
        if is_zip(head):
            with _workbook(blocks, options, layout, position, is_gzipped=is_gzipped) as source:
                yield source
        else:
            yield _text(blocks, head, options, layout, position, is_gzipped=is_gzipped)

    def write_chunk(self, import_id: str, chunk: int, records: Sequence[Record]) -> None:
        lines = ([each.row, each.line, each.cells, each.text, each.flaw] for each in records)
        self._put(_chunk_name(import_id, chunk), _ndjson(lines), "application/x-ndjson")

    def chunk(self, import_id: str, chunk: int) -> tuple[Record, ...]:
        return tuple(_record(json.loads(line)) for line in self._needed(_chunk_name(import_id, chunk)).splitlines())

    def write_outcomes(self, import_id: str, chunk: int, outcomes: Sequence[RowOutcome]) -> None:
        lines = (
            [
                *(each.row, each.result, each.touched, each.code, each.column, each.detail, each.warnings, each.line),
                each.original,
            ]
            for each in outcomes
        )
        self._put(_outcomes_name(import_id, chunk), _ndjson(lines), "application/x-ndjson")

    def outcomes(self, import_id: str, chunks: Iterable[int]) -> Iterator[tuple[RowOutcome, ...]]:
        left = iter(chunks)
        with ThreadPoolExecutor(_AHEAD) as pool:
            ahead: deque[Future[bytes]] = deque()
            try:
                while True:
                    for chunk in islice(left, _AHEAD - len(ahead)):
                        ahead.append(pool.submit(self._needed, _outcomes_name(import_id, chunk)))
                    if not ahead:
                        return
                    yield tuple(_outcome(json.loads(line)) for line in ahead.popleft().result().splitlines())
            finally:
                for one in ahead:
                    one.cancel()

    @contextmanager
    def rejects(self, name: str, layout: Layout) -> Iterator[RejectsFile]:
        upload = _Upload(self._client, self._bucket, name, _rejects_type(layout))
        try:
            writer = RejectsFile(layout, upload.send)
            yield writer
            writer.close()
            upload.complete()
        except BaseException:
            upload.abort()
            raise

    def write_result(self, name: str, result: Mapping[str, Any]) -> None:
        content = json.dumps(result, ensure_ascii=False, indent=2).encode() + b"\n"
        self._put(name, content, "application/json", OURS)

    def upload(self, name: str, size: int, content_type: str) -> tuple[str, Mapping[str, str], datetime]:
        form = self._client.generate_presigned_post(
            self._bucket,
            name,
            Fields={"Content-Type": content_type},
            Conditions=[{"Content-Type": content_type}, ["content-length-range", size, size]],
            ExpiresIn=UPLOAD_SECONDS,
        )
        return form["url"], form["fields"], self._clock.now() + timedelta(seconds=UPLOAD_SECONDS)

    def link(self, name: str) -> str:
        return self._client.generate_presigned_url(
            "get_object", Params={"Bucket": self._bucket, "Key": name}, ExpiresIn=LINK_SECONDS
        )

    def _range(self, import_: Import, offset: int, size: int) -> bytes:
        """Read a part of an object as it was announced."""
        asked = {"Range": f"bytes={offset}-{offset + size - 1}", "IfMatch": f'"{import_.etag}"'}
        found = self._get(import_.name, **asked)
        if found is None:
            raise refused("file_gone")
        return found

    def _get(self, name: str, **how: str) -> bytes | None:
        try:
            return self._client.get_object(Bucket=self._bucket, Key=name, **how)["Body"].read()  # type: ignore[arg-type]
        except ClientError as error:
            match _status(error):
                case 404:
                    return None
                case 412:
                    raise refused("file_replaced") from error
                case 416:
                    return b""
                case _:
                    raise Unavailable("the bucket of imports does not answer") from error
        except BotoCoreError as error:
            raise Unavailable("the bucket of imports does not answer") from error

    def _needed(self, name: str) -> bytes:
        found = self._get(name)
        if found is None:
            raise Unavailable("a chunk of the import is not there")
        return found

    def _put(self, name: str, content: bytes, content_type: str, metadata: Mapping[str, str] | None = None) -> None:
        try:
            self._client.put_object(
                Bucket=self._bucket, Key=name, Body=content, ContentType=content_type, Metadata=metadata or {}
            )
        except (BotoCoreError, ClientError) as error:
            raise Unavailable("the bucket of imports takes no file") from error


class _Upload:
    """An object that is sent by parts, or in one where there is but one; nobody sees it before it is complete."""

    def __init__(self, client: "S3Client", bucket: str, name: str, content_type: str) -> None:
        self._client = client
        self._bucket = bucket
        self._name = name
        self._content_type = content_type
        self._id: str | None = None
        self._parts: list[CompletedPartTypeDef] = []

    def send(self, content: bytes) -> None:
        try:
            if self._id is None:
                begun = self._client.create_multipart_upload(
                    Bucket=self._bucket, Key=self._name, ContentType=self._content_type, Metadata=OURS
                )
                self._id = begun["UploadId"]
            number = len(self._parts) + 1
            sent = self._client.upload_part(
                Bucket=self._bucket, Key=self._name, UploadId=self._id, PartNumber=number, Body=content
            )
        except (BotoCoreError, ClientError) as error:
            raise Unavailable("the bucket of imports takes no file") from error
        self._parts.append({"PartNumber": number, "ETag": sent["ETag"]})

    def complete(self) -> None:
        if self._id is None:
            return
        try:
            self._client.complete_multipart_upload(
                Bucket=self._bucket, Key=self._name, UploadId=self._id, MultipartUpload={"Parts": self._parts}
            )
        except (BotoCoreError, ClientError) as error:
            raise Unavailable("the bucket of imports takes no file") from error

    def abort(self) -> None:
        """Let the parts go at once; where that fails, the bucket's life cycle does it."""
        if self._id is None:
            return
        with suppress(BotoCoreError, ClientError):
            self._client.abort_multipart_upload(Bucket=self._bucket, Key=self._name, UploadId=self._id)


def _text(
    blocks: Blocks, head: bytes, options: Options, layout: Layout | None, position: Position, *, is_gzipped: bool
) -> ReadSource:
    found = _written(blocks, head, options, layout, is_gzipped=is_gzipped)
    is_wide = found.encoding in WIDE
    encoding = "utf-8" if is_wide else found.encoding
    start = Position(0, 0, len(codecs.BOM_UTF8 if is_wide and mark(head) else mark(head)))
    at = position if position.row else start

    def lines(at: Position) -> Iterator[bytes]:
        offset = at.offset or 0
        if not is_gzipped and not is_wide:
            return physical_lines(blocks.pieces(offset))
        pieces = unpacked(blocks.pieces()) if is_gzipped else blocks.pieces()
        return physical_lines(beyond(as_utf8(pieces, found.encoding) if is_wide else pieces, offset))

    if found.format is FileFormat.NDJSON:
        told = Layout(FileFormat.NDJSON, encoding=found.encoding, is_gzipped=is_gzipped)

        def texts(at: Position) -> Records:
            return LineRecords(lines(at), encoding, at)

        return _source(told, texts(start), partial(texts, at), position)
    table = TableRecords(lines(start), encoding, found.delimiter or ",", start)
    if found.has_separator_line:
        table.pass_over()
    columns = table.head()
    if columns is None:
        raise refused("file_empty")
    begin = table.position

    def rows(at: Position) -> Records:
        made = TableRecords(lines(at), encoding, found.delimiter or ",", at)
        made.columns = columns
        return made

    told = Layout(FileFormat.CSV, columns.header, found.encoding, found.delimiter, is_gzipped=is_gzipped)
    return _source(told, rows(begin), partial(rows, position if position.row else begin), position)


def _written(blocks: Blocks, head: bytes, options: Options, layout: Layout | None, *, is_gzipped: bool) -> Written:
    """Look at the beginning, and where that is all ASCII also at places further on."""
    encoding, delimiter = options.encoding, options.delimiter
    if layout is not None:
        encoding, delimiter = layout.encoding, layout.delimiter
    elsewhere = b"" if is_gzipped or encoding or not head.isascii() else b"\n".join(_further(blocks))
    is_whole = len(head) < HEAD
    return written(head if is_whole else head[: head.rfind(b"\n") + 1] or head, elsewhere, encoding=encoding, delimiter=delimiter)


def _further(blocks: Blocks) -> Iterator[bytes]:
    step = (blocks.size - HEAD) // _PLACES
    for place in range(_PLACES if step > _LOOKED_AT else 0):
        looked = blocks.at(HEAD + place * step, _LOOKED_AT)
        yield looked[looked.find(b"\n") + 1 : looked.rfind(b"\n") + 1]


@contextmanager
def _workbook(
    blocks: Blocks, options: Options, layout: Layout | None, position: Position, *, is_gzipped: bool
) -> Iterator[ReadSource]:
    sheet = options.sheet if layout is None else layout.sheet
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "book.xlsx")
        with path.open("wb") as file:
            file.writelines(_up_to(sheets.MOST_PACKED + 1, unpacked(blocks.pieces()) if is_gzipped else blocks.pieces()))
        sheets.check(path)
        with sheets.opened(path, sheet, position.line) as book:
            columns = Columns.of(book.head)
            first = list(islice(book.rows, SAMPLE))
            rows = sheets.SheetRecords(chain(first, book.rows), columns, position)
            sample = sheets.SheetRecords(first, columns, position)
            found = Layout(FileFormat.XLSX, columns.header, sheet=book.name, is_gzipped=is_gzipped)
            yield _source(found, sample, lambda: rows, position)


def _source(layout: Layout, first: Records, records: Callable[[], Records], position: Position) -> ReadSource:
    sample = tuple(islice(iter(first.read, None), SAMPLE))
    if not sample and position.row == 0:
        raise refused("no_rows")
    return ReadSource(layout, sample, records)


def _up_to(most: int, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Give pieces until they are so many bytes or more."""
    given = 0
    for piece in pieces:
        yield piece
        given += len(piece)
        if given >= most:
            return


def _chunk_name(import_id: str, chunk: int) -> str:
    return f"chunks/{import_id}/{chunk}.ndjson"


def _outcomes_name(import_id: str, chunk: int) -> str:
    return f"chunks/{import_id}/{chunk}.outcome.ndjson"


def _rejects_type(layout: Layout) -> str:
    return "application/x-ndjson" if layout.format is FileFormat.NDJSON else "text/csv; charset=utf-8"


def _ndjson(values: Iterable[Sequence[Any]]) -> bytes:
    return "".join([f"{_ENCODED(value)}\n" for value in values]).encode()


def _record(told: Sequence[Any]) -> Record:
    row, line, cells, text, flaw = told
    return Record(row, line, None if cells is None else tuple(cells), text, flaw)


def _outcome(told: Sequence[Any]) -> RowOutcome:
    row, result, touched, code, column, detail, warnings, line, original = told
    original = tuple(original) if isinstance(original, list) else original
    return RowOutcome(row, RowResult(result), touched, code, column, detail, tuple(warnings), line, original)


def _status(error: ClientError) -> int:
    return error.response["ResponseMetadata"]["HTTPStatusCode"]
