"""Erasing a customer: what the job does after the profile became a tombstone, which lets nobody read or write them any more.

The order matters. Statistics are counted while the orders are still there; what is to be deleted is counted before it is
deleted, so that a job which dies and goes on counts nothing twice; the partitions are gone over until nothing is found, because
an order's event may still come in until the order itself is deleted, and a change of attributes until they are, which is why
these go first; files come last, when no export can begin any more.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice

from ecrm.domain.jobs import ENDED, Job, progressed
from ecrm.domain.statistics import NOTHING, count

from .orders import folded
from .ports import Contended, Erasure, ExportFiles, Orders, Statistics

EXPORTS_KEPT = timedelta(days=9)
"""Files that hold many people expire after seven days; S3 counts from the next midnight, and takes up to a day to delete them."""
IMPORTS_KEPT = timedelta(days=31)
"""Contact files expire after 29, likewise."""
NIGHTS_KEPT = timedelta(days=31)
"""So do the copies of statistics that nights go by, and the audiences of runs."""
BACKUPS_KEPT = timedelta(days=35)
NOTICES_KEPT = timedelta(days=14)
"""What the mail provider told and nobody could take down waits in a queue of dead letters, with the address, at most so long."""
ATTEMPTS = 5
AT_ONCE = 500
"""Items that are deleted before that is written down."""


def erase(
    job: Job,
    is_late: Callable[[], bool],
    *,
    erasure: Erasure,
    orders: Orders,
    statistics: Statistics,
    files: ExportFiles,
) -> Iterator[Job]:
    """Give the job after each step; each may be done again."""
    if job.position is None:
        keep_amounts(job, orders=orders, statistics=statistics)
        yield (job := progressed(job, "counting", {}))
    if job.position == "counting":
        yield (job := progressed(job, "deleting", erasure.count(job.partitions, job.addressed)))
    if job.position == "deleting":
        erasure.forget_attributes(job.partitions)
        while some := tuple(islice(erasure.items(job.partitions), AT_ONCE)):
            erasure.delete(some, job.requested_at)
            if is_late():
                yield (job := progressed(job, "deleting", {}))
        yield (job := progressed(job, "closing", {}))
    if job.position == "closing":
        erasure.close(job.addressed, job.partitions, at=job.requested_at, source=f"job:{job.job_id}")
        yield (job := progressed(job, "files", {}))
    yield progressed(job, ENDED, {"files": sum(files.remove(customer_id) for customer_id in job.partitions)})


def keep_amounts(job: Job, *, orders: Orders, statistics: Statistics) -> None:
    """Leave of a customer's statistics what sums are made of. Where an order cannot be read, the sums last counted stay.

    The row is always written, so that a projection that read the facts before they were deleted finds it changed.
    """
    customer_id = str(job.customer_id)
    for _ in range(ATTEMPTS):
        row, seen = statistics.find(customer_id) or (NOTHING, 0)
        pages = [orders.placed_by(partition) for partition in job.partitions]
        unreadable = [one for page in pages for one in page.unreadable]
        readable = [order for order, _ in folded((order for page in pages for order in page.items), unreadable)]
        counted = row if unreadable else count(readable, lambda _site: UTC)  # no day of them stays
        try:
            statistics.keep(customer_id, counted, seen=seen)
        except Contended:
            continue
        return
    raise Contended("the statistics row is written by many at once")


def receipt(job: Job, now: datetime, *, logs_kept: timedelta) -> Mapping[str, datetime]:
    """Say when the copies are gone that no job reaches: they expire."""
    return {
        "erased_at": job.requested_at,
        "deleted_at": now,
        "exports_expire_by": now + EXPORTS_KEPT,
        "imports_expire_by": now + IMPORTS_KEPT,
        "nights_expire_by": now + NIGHTS_KEPT,
        "backups_expire_by": now + BACKUPS_KEPT,
        "logs_expire_by": now + logs_kept,
        "notices_expire_by": now + NOTICES_KEPT,
    }
