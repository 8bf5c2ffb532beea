"""Jobs: work that takes longer than a request, and goes on where it stood whoever dies over it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum


class JobKind(StrEnum):
    EXPORT_CUSTOMERS = "export_customers"
    EXPORT_ORDERS = "export_orders"
    EXPORT_CUSTOMER = "export_customer"
    EXPORT_SEGMENT = "export_segment"
    EXPORT_RECIPIENTS = "export_recipients"
    ERASE_CUSTOMER = "erase_customer"
    UNDO_IMPORT = "undo_import"
    REMOVE_UNCONFIRMED = "remove_unconfirmed"


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class FileFormat(StrEnum):
    NDJSON = "ndjson"
    CSV = "csv"
    JSON = "json"


ENDED = "ended"
"""The position after the last step: a job that has no time left to say so has nothing left to do, either."""


@dataclass(frozen=True, slots=True)
class ExportFile:
    """`name` is its key in the bucket, `rows` what was written into it."""

    name: str
    rows: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """`position` says where it stands, in words of its own kind; `counts` what it did until there.

    An erasure carries what it needs and what the customer can no longer tell: `partitions`, and in `addressed` the keys of items
    that belong to the person's identifiers. A removal carries in `partitions` whom it is about to look at. `generation` is that
    of the night whose members of a segment are meant, `run_id` the run whose roster is. `receipt` holds the dates by which copies
    that no job reaches are gone.
    """

    job_id: str
    kind: JobKind
    requested_at: datetime
    source: str
    format: FileFormat | None = None
    customer_id: str | None = None
    import_id: str | None = None
    segment: str | None = None
    generation: int | None = None
    run_id: str | None = None
    partitions: tuple[str, ...] = ()
    addressed: tuple[str, ...] = ()
    state: JobState = JobState.QUEUED
    position: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    files: tuple[ExportFile, ...] = ()
    error: str | None = None
    receipt: Mapping[str, datetime] = field(default_factory=dict)
    started_at: datetime | None = None
    finished_at: datetime | None = None
    version: int = 1


def started(job: Job, now: datetime) -> Job:
    """Take a job up, also one that failed: what it did is kept."""
    return replace(job, state=JobState.RUNNING, started_at=job.started_at or now, error=None, version=job.version + 1)


def progressed(job: Job, position: str, counted: Mapping[str, int], files: tuple[ExportFile, ...] = ()) -> Job:
    """Move a job on; what was `counted` is added to what it had counted before."""
    counts = dict(job.counts)
    for name, times in counted.items():
        counts[name] = counts.get(name, 0) + times
    return replace(job, position=position, counts=counts, files=(*job.files, *files), version=job.version + 1)


def done(job: Job, now: datetime, receipt: Mapping[str, datetime]) -> Job:
    """End a job; the keys that it carried are not needed any more."""
    return replace(
        job, state=JobState.DONE, finished_at=now, receipt=receipt, addressed=(), position=None, version=job.version + 1
    )


def failed(job: Job, now: datetime, error: str) -> Job:
    return replace(job, state=JobState.FAILED, finished_at=now, error=error, version=job.version + 1)
