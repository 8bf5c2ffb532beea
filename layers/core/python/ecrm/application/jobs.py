"""Asking for jobs, and working on them: a step at a time, each step written down before the next one begins."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from ecrm.domain.errors import EcrmError, NotFound, Unavailable
from ecrm.domain.jobs import ENDED, FileFormat, Job, JobKind, JobState, done, failed, started

from .identity import root
from .ports import AlreadyAnswered, Clock, Contended, Customers, JobIds, JobQueue, Jobs, Page, Request

ATTEMPTS = 5

type Steps = Callable[[Job, Callable[[], bool]], Iterator[Job]]
"""What a kind of job does: gives the job as it is after each step that is done for good. A step ends soon when asked is true.

A step may be done again: it was done, and whoever did it died before it was written down.
"""


class Overtaken(Exception):
    """Somebody else has taken the job up meanwhile."""


@dataclass(frozen=True, slots=True)
class Requested:
    """`replayed` says that an Idempotency-Key was recognised."""

    job: Job
    replayed: bool = False


def request_export(
    kind: JobKind, file_format: FileFormat, request: Request | None, *, source: str, jobs: Jobs, clock: Clock, ids: JobIds
) -> Requested:
    """Ask for all customers or all orders."""
    now = clock.now()
    return add_job(
        Job(job_id=ids.job_id(now), kind=kind, requested_at=now, source=source, format=file_format), request, now, jobs
    )


def request_customers_export(
    customer_id: str, request: Request | None, *, source: str, jobs: Jobs, customers: Customers, clock: Clock, ids: JobIds
) -> Requested:
    """Ask for everything that is known of a customer. Raises NotFound, Erased."""
    now = clock.now()
    customer = root(customer_id, customers=customers)
    job = Job(
        job_id=ids.job_id(now),
        kind=JobKind.EXPORT_CUSTOMER,
        requested_at=now,
        source=source,
        customer_id=customer.customer_id,
        addressed=jobs.addressed(customer),
    )
    return add_job(job, request, now, jobs)


def request_erasure(
    customer_id: str, request: Request | None, *, source: str, jobs: Jobs, customers: Customers, clock: Clock, ids: JobIds
) -> Requested:
    """Erase a customer: nobody reads or writes them any more when this returns, and a job deletes what is there.

    Raises NotFound, Erased.
    """
    now = clock.now()
    for _ in range(ATTEMPTS):
        if answered := jobs.answered(request, now):
            return Requested(answered, replayed=True)
        customer = root(customer_id, customers=customers)
        job = Job(
            job_id=ids.job_id(now),
            kind=JobKind.ERASE_CUSTOMER,
            requested_at=now,
            source=source,
            customer_id=customer.customer_id,
            partitions=customer.partitions,
            addressed=jobs.addressed(customer),
        )
        try:
            jobs.add(job, request, erased=customer)
        except AlreadyAnswered:
            continue
        except Contended:  # the customer has changed meanwhile
            continue
        return Requested(job)
    raise Contended("many requests for this customer at once; try again")


def add_job(job: Job, request: Request | None, now: datetime, jobs: Jobs) -> Requested:
    """Write a job down, which the stream then hands to those who work on it."""
    try:
        jobs.add(job, request)
    except AlreadyAnswered:
        answered = jobs.answered(request, now)
        if answered is None:
            raise Contended("this request is being answered; try again") from None
        return Requested(answered, replayed=True)
    return Requested(job)


def read_job(job_id: str, *, jobs: Jobs) -> Job:
    found = jobs.find(job_id)
    if found is None:
        raise NotFound("no such job", code="job_not_found")
    return found


def list_jobs(*, after: str | None, limit: int, jobs: Jobs) -> Page[Job]:
    """List jobs, the one asked for last first."""
    return jobs.newest(after=after, limit=limit)


def work(
    job_id: str,
    *,
    steps: Mapping[JobKind, Steps],
    receipts: Mapping[JobKind, Callable[[Job, datetime], Mapping[str, datetime]]],
    is_late: Callable[[], bool],
    jobs: Jobs,
    queue: JobQueue,
    clock: Clock,
) -> None:
    """Go on with a job until it is done or time is short; then ask for it again.

    Whoever takes it up writes so first, and whoever had it before learns of it at the next step: two deliveries of one job
    never both go on. Raises Unavailable, or what no time heals; the job then says `failed`, and going on is possible.
    """
    job = read_job(job_id, jobs=jobs)
    if job.state is JobState.DONE:
        return
    try:
        job = _written(started(job, clock.now()), jobs)
        for after in steps[job.kind](job, is_late) if job.position != ENDED else ():
            job = _written(after, jobs)
            if is_late():
                queue.send(job.job_id)
                return
        now = clock.now()
        _written(done(job, now, receipts[job.kind](job, now) if job.kind in receipts else {}), jobs)
    except Overtaken:
        return
    except Unavailable:
        raise
    except Exception as error:
        jobs.write(failed(job, clock.now(), error.code if isinstance(error, EcrmError) else "internal"))
        if not isinstance(error, EcrmError):
            raise


def _written(job: Job, jobs: Jobs) -> Job:
    if not jobs.write(job):
        raise Overtaken
    return job
