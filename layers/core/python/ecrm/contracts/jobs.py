"""Jobs on the wire, and the message that asks for one to be worked on."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import Field

from ecrm.domain import instants
from ecrm.domain.jobs import FileFormat, Job, JobKind, JobState

from .fields import Answer, Body

FILES_KEPT = timedelta(days=7)
"""How long the bucket keeps an export."""
JOB_ID = r"^[0-9a-f]{32}$"


class RequestExportBody(Body):
    """A file of rows, or several, in one of two formats."""

    format: Literal["ndjson", "csv"] = "ndjson"

    def to_format(self) -> FileFormat:
        return FileFormat(self.format)


class JobFileBody(Answer):
    """`url` is null when the file has expired."""

    name: str
    rows: int
    bytes: int
    url: str | None
    url_expires_at: str | None


class ReceiptBody(Answer):
    """When an erasure was in force, when all was deleted, and when copies are gone that only time reaches."""

    erased_at: str
    deleted_at: str
    exports_expire_by: str
    imports_expire_by: str | None = None
    nights_expire_by: str | None = None
    backups_expire_by: str
    logs_expire_by: str
    notices_expire_by: str


class JobBody(Answer):
    job_id: str
    kind: JobKind
    state: JobState
    customer_id: str | None
    import_id: str | None
    segment: str | None
    run_id: str | None
    format: FileFormat | None
    counts: dict[str, int]
    files: list[JobFileBody]
    receipt: ReceiptBody | None
    error: str | None
    requested_at: str
    started_at: str | None
    finished_at: str | None

    @classmethod
    def of(cls, job: Job, link: Callable[[str], tuple[str, datetime] | None] = lambda _: None) -> Self:
        """`link` makes the link to a file, and says when it ends."""
        links = [link(file.name) for file in job.files]
        return cls(
            job_id=job.job_id,
            kind=job.kind,
            state=job.state,
            customer_id=job.customer_id,
            import_id=job.import_id,
            segment=job.segment,
            run_id=job.run_id,
            format=job.format,
            counts=dict(job.counts),
            files=[
                JobFileBody(
                    name=file.name.rpartition("/")[2],
                    rows=file.rows,
                    bytes=file.size,
                    url=made[0] if made else None,
                    url_expires_at=instants.to_answer(made[1]) if made else None,
                )
                for file, made in zip(job.files, links, strict=True)
            ],
            receipt=ReceiptBody(**{name: instants.to_answer(at) for name, at in job.receipt.items()}) if job.receipt else None,
            error=job.error,
            requested_at=instants.to_answer(job.requested_at),
            started_at=instants.to_answer(job.started_at) if job.started_at else None,
            finished_at=instants.to_answer(job.finished_at) if job.finished_at else None,
        )


class JobsPage(Answer):
    data: list[JobBody]
    next_cursor: str | None


class JobMessage(Body):
    """Ids alone: what the job is about is in the table."""

    type: Literal["job"]
    v: Literal[1]
    job_id: Annotated[str, Field(pattern=JOB_ID)]
