"""Jobs: the job's own item, the event that the stream hands to the queue, and a row in the list."""

from collections.abc import Iterator
from datetime import datetime

from ecrm.application.consent import addresses_of
from ecrm.application.ports import Contended, Page, Request
from ecrm.domain.customers import Customer
from ecrm.domain.instants import from_text, to_text
from ecrm.domain.jobs import ExportFile, FileFormat, Job, JobKind, JobState

from . import keys, replays
from .customers import DynamoCustomers
from .suppressions import DynamoSuppressions
from .table import Item, Put, Refused, Table, put_as_seen

_TIMES = ("started_at", "finished_at")


class DynamoJobs:
    def __init__(self, table: Table, customers: DynamoCustomers, suppressions: DynamoSuppressions) -> None:
        self._table = table
        self._customers = customers
        self._suppressions = suppressions

    def add(self, job: Job, request: Request | None, *, erased: Customer | None = None) -> None:
        actions = (
            Put(_item(job), "attribute_not_exists(PK)", "job is new"),
            Put(_requested(job), None, "event follows its job"),
            Put(_listing(job), None, "list row follows its job"),
            *(self._customers.tombstones(erased, job.requested_at) if erased else ()),
            *replays.puts(request, job.requested_at, resource=job.job_id),
        )
        if replays.write(self._table, actions, request) is not None:
            raise Contended("the customer changed meanwhile")

    def answered(self, request: Request | None, now: datetime) -> Job | None:
        job_id = replays.resource_of(self._table, request, now) if request else None
        return self.find(job_id) if job_id else None

    def addressed(self, customer: Customer) -> tuple[str, ...]:
        return tuple(
            key.pk for key in (*self._customers.identity_keys(customer), *self._suppressions.keys_of(addresses_of(customer)))
        )

    def find(self, job_id: str) -> Job | None:
        item = self._table.get(keys.job(job_id), consistent=True)
        return _job_of(item) if item else None

    def write(self, job: Job) -> bool:
        try:
            self._table.put(put_as_seen(_item(job), job.version - 1, "job as it was seen"))
        except Refused:
            return False
        return True

    def newest(self, *, after: str | None, limit: int) -> Page[Job]:
        rows = [
            row
            for row, _ in zip(
                self._table.query(keys.JOBS_PARTITION, after=after, backwards=True, limit=limit), range(limit), strict=False
            )
        ]
        found = {item["PK"]: _job_of(item) for item in self._table.get_many(keys.job(row["SK"]) for row in rows)}
        jobs = (found.get(keys.job(row["SK"]).pk) for row in rows)
        return Page(tuple(job for job in jobs if job), rows[-1]["SK"] if len(rows) == limit else None)


def _requested(job: Job) -> Item:
    key = keys.job_event(job.job_id, job.requested_at, "job.requested")
    return {
        "PK": key.pk,
        "SK": key.sk,
        "type": "job.requested",
        "v": 1,
        "id": "job.requested",
        "occurred_at": to_text(job.requested_at),
        "source": job.source,
        "data": {"kind": job.kind},
    }


def _listing(job: Job) -> Item:
    return {"PK": keys.JOBS_PARTITION, "SK": job.job_id, "type": "job_listing", "v": 1}


def _item(job: Job) -> Item:
    return dict(_named(job))


def _named(job: Job) -> Iterator[tuple[str, object]]:
    key = keys.job(job.job_id)
    yield from (("PK", key.pk), ("SK", key.sk), ("type", "job"), ("v", 1), ("version", job.version))
    yield from (("kind", job.kind), ("state", job.state), ("source", job.source), ("requested_at", to_text(job.requested_at)))
    for name in (
        "format",
        "customer_id",
        "import_id",
        "segment",
        "generation",
        "run_id",
        "partitions",
        "addressed",
        "position",
        "counts",
        "error",
    ):
        if value := getattr(job, name):
            yield name, value
    for name in _TIMES:
        instant = getattr(job, name)
        if instant is not None:
            yield name, to_text(instant)
    if job.files:
        yield "files", [[file.name, file.rows, file.size] for file in job.files]
    if job.receipt:
        yield "receipt", {name: to_text(instant) for name, instant in job.receipt.items()}


def _job_of(item: Item) -> Job:
    return Job(
        job_id=keys.job_id_of(item["PK"]),
        kind=JobKind(item["kind"]),
        state=JobState(item["state"]),
        source=item["source"],
        requested_at=from_text(item["requested_at"]),
        format=FileFormat(item["format"]) if "format" in item else None,
        customer_id=item.get("customer_id"),
        import_id=item.get("import_id"),
        segment=item.get("segment"),
        generation=item.get("generation"),
        run_id=item.get("run_id"),
        partitions=tuple(item.get("partitions", ())),
        addressed=tuple(item.get("addressed", ())),
        position=item.get("position"),
        counts=item.get("counts", {}),
        files=tuple(ExportFile(*file) for file in item.get("files", ())),
        error=item.get("error"),
        receipt={name: from_text(text) for name, text in item.get("receipt", {}).items()},
        started_at=from_text(item["started_at"]) if "started_at" in item else None,
        finished_at=from_text(item["finished_at"]) if "finished_at" in item else None,
        version=item["version"],
    )
