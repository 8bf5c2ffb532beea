"""Imports on the wire: asking for the upload of a contact file, and how far a file is."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from ecrm.application.imports import RequestImport
from ecrm.domain import instants
from ecrm.domain.errors import Invalid
from ecrm.domain.imports import (
    LARGEST_FILE,
    RESULT,
    FileFormat,
    Import,
    ImportState,
    Kind,
    Layout,
    Progress,
    RowError,
    Tally,
    is_data,
    rejects_of,
)
from ecrm.domain.reasons import ROW

from .fields import Answer, Body, SiteId
from .sidecars import SidecarBody

FILES_KEPT = timedelta(days=29)
"""How long the bucket keeps a contact file and what was made of it."""
_MEDIA_TYPE = r"^[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}$"
_NOT_IN_NAMES = re.compile(r"[\x00-\x1f\x7f/\\]")

type Upload = tuple[str, Mapping[str, str], datetime]
type Link = Callable[[str], tuple[str, datetime] | None]


def _file_name(value: str) -> str:
    """Take what a file is called on somebody's own machine, unless our own files are called so."""
    if _NOT_IN_NAMES.search(value) or value != value.strip(" ."):
        raise PydanticCustomError(
            "bad_file_name", "a file's name has no slash or control character, and no blank or dot at its ends"
        )
    if not is_data(value):
        raise PydanticCustomError("reserved_file_name", "results and sidecars are called so: give the file another name")
    return value


class RequestImportBody(Body):
    """A file that is to be uploaded: what its rows are, what it is called, and how many bytes it has.

    `options` say what a sidecar beside a dropped file would.
    """

    kind: Literal["contacts", "suppressions", "orders", "shipments", "products"]
    name: Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_file_name)]
    size: Annotated[int, Field(ge=1, le=LARGEST_FILE)]
    content_type: Annotated[str, StringConstraints(pattern=_MEDIA_TYPE)] = "application/octet-stream"
    site: SiteId | None = None
    options: SidecarBody | None = None

    @property
    def named_site(self) -> str | None:
        """Give the site that is meant, which the options may say as well. Raises Invalid."""
        said = self.options.site if self.options else None
        if said is not None and self.site not in (None, said):
            raise Invalid.at("/options/site", "said_twice", "the body says another site")
        return said or self.site

    def to_command(self, site: str, source: str) -> RequestImport:
        sidecar = None if self.options is None else self.options.model_dump_json(exclude_unset=True).encode()
        return RequestImport(kind=Kind(self.kind), file_name=self.name, size=self.size, site=site, sidecar=sidecar, source=source)


class UploadBody(Answer):
    """A form that takes the file, and it alone: POST the fields as multipart/form-data to the URL, the file last, as `file`."""

    url: str
    fields: dict[str, str]
    expires_at: str

    @classmethod
    def of(cls, upload: Upload) -> Self:
        url, fields, expires_at = upload
        return cls(url=url, fields=dict(fields), expires_at=instants.to_answer(expires_at))


class LayoutBody(Answer):
    """How the file is written, as said or detected."""

    format: FileFormat
    gzipped: bool
    encoding: str | None
    delimiter: str | None
    sheet: str | None
    columns: list[str]

    @classmethod
    def of(cls, layout: Layout) -> Self:
        return cls(
            format=layout.format,
            gzipped=layout.is_gzipped,
            encoding=layout.encoding,
            delimiter=layout.delimiter,
            sheet=layout.sheet,
            columns=list(layout.header),
        )


class RowCountsBody(Answer):
    """Rows by what became of them, `rows` in all. `reasons` counts the rejected and skipped by code, `warnings` the others."""

    rows: int
    created: int
    updated: int
    unchanged: int
    rejected: int
    skipped: int
    reasons: dict[str, int]
    warnings: dict[str, int]

    @classmethod
    def of(cls, tally: Tally) -> Self:
        return cls(
            rows=tally.rows,
            created=tally.created,
            updated=tally.updated,
            unchanged=tally.unchanged,
            rejected=tally.rejected,
            skipped=tally.skipped,
            reasons=dict(tally.reasons),
            warnings=dict(tally.warnings),
        )


class ImportProgressBody(Answer):
    """`rows` were read so far, all of the file once `read` is true; `chunks` of them are to be worked on, `chunks_done` are."""

    rows: int
    read: bool
    chunks: int
    chunks_done: int


class RowErrorBody(Answer):
    row: int
    line: int | None
    column: str | None
    code: str
    detail: str

    @classmethod
    def of(cls, error: RowError) -> Self:
        return cls(row=error.row, line=error.line, column=error.column, code=error.code, detail=ROW.get(error.code, ""))


class ImportWarningBody(Answer):
    code: str
    column: str


class ImportErrorBody(Answer):
    """Why nothing of the file was taken."""

    code: str
    detail: str


class ImportFileBody(Answer):
    url: str
    expires_at: str


class ImportBody(Answer):
    """A contact file, and what became of its rows so far; `counts` are final once it has ended.

    `upload` is there in the answer that makes it, `result` and `rejects` where an import is read by itself.
    """

    import_id: str
    kind: Kind
    state: ImportState
    name: str
    size: int
    site: str | None
    dry_run: bool
    layout: LayoutBody | None
    mapping: dict[str, str | None]
    warnings: list[ImportWarningBody]
    progress: ImportProgressBody | None
    counts: RowCountsBody | None
    errors: list[RowErrorBody]
    truncated: bool
    same_as: str | None
    error: ImportErrorBody | None
    upload: UploadBody | None
    result: ImportFileBody | None
    rejects: ImportFileBody | None
    undo_job_id: str | None
    requested_at: str
    started_at: str | None
    finished_at: str | None

    @classmethod
    def of(
        cls,
        import_: Import,
        progress: Progress | None = None,
        *,
        upload: Upload | None = None,
        link: Link = lambda _: None,
    ) -> Self:
        """`link` makes the link to a file, and says when it ends."""
        counted = import_.tally or (progress.tally if progress else None)
        plan = import_.plan
        return cls(
            import_id=import_.import_id,
            kind=import_.kind,
            state=import_.state,
            name=import_.name.rpartition("/")[2],
            size=import_.size,
            site=import_.site,
            dry_run=import_.is_dry_run,
            layout=LayoutBody.of(import_.layout) if import_.layout else None,
            mapping=dict(plan.mapping) if plan else {},
            warnings=[ImportWarningBody(code=code, column=column) for code, column in plan.warnings] if plan else [],
            progress=ImportProgressBody(
                rows=progress.rows, read=progress.is_split, chunks=progress.chunks, chunks_done=progress.done
            )
            if progress
            else None,
            counts=RowCountsBody.of(counted) if counted else None,
            errors=[RowErrorBody.of(error) for error in progress.errors] if progress else [],
            truncated=import_.is_cut,
            same_as=import_.same_as,
            error=ImportErrorBody(code=import_.error, detail=import_.detail or "") if import_.error else None,
            upload=UploadBody.of(upload) if upload else None,
            result=_file(link, import_.name + RESULT) if import_.has_ended and import_.etag else None,
            rejects=_file(link, rejects_of(import_)) if import_.has_rejects else None,
            undo_job_id=import_.undo_job_id,
            requested_at=instants.to_answer(import_.requested_at),
            started_at=instants.to_answer(import_.started_at) if import_.started_at else None,
            finished_at=instants.to_answer(import_.finished_at) if import_.finished_at else None,
        )


def _file(link: Link, name: str) -> ImportFileBody | None:
    made = link(name)
    return ImportFileBody(url=made[0], expires_at=instants.to_answer(made[1])) if made else None


class ImportsPage(Answer):
    data: list[ImportBody]
    next_cursor: str | None
