"""Exports: everything that is known, walked over from where the last part ended, in parts that fit into memory.

The books of an export: every customer met is `counted`, and is either `written` or `left_out` because they are no more.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from ecrm.domain.customers import Customer
from ecrm.domain.errors import Erased, NotFound, Unavailable
from ecrm.domain.jobs import ENDED, ExportFile, FileFormat, Job, progressed
from ecrm.domain.messages import Send
from ecrm.domain.statistics import NOTHING, CustomerStatistics

from .consent import ConsentsView
from .identity import root
from .orders import OrderView, folded, ids_of
from .ports import Customers, CustomerWalk, ExportFiles, Exports, Orders, Profiles, Statistics, Unreadable
from .profiles import Profile, read_profile

LARGEST_PART = 8_000_000
"""About as many characters as a part has before it is written; all of it is in memory until then."""

type Row = Mapping[str, Any]
type Shapes = Mapping[FileFormat, Callable[[Row], Iterable[Row]]]
"""The formats that a part is written in, and the rows that each makes of one."""


@dataclass(frozen=True, slots=True)
class CustomerRecord:
    """A customer as a bulk export tells of them."""

    profile: Profile
    statistics: CustomerStatistics
    consents: ConsentsView


def folder_of(job: Job) -> str:
    """Name the folder of a job's files; a person's own exports are in one, so that an erasure finds them."""
    return f"customers/{job.customer_id}/{job.job_id}" if job.customer_id else f"all/{job.job_id}"


def export_all(
    job: Job,
    is_late: Callable[[], bool],
    *,
    rows_of: Callable[[str], tuple[list[Row], Sequence[Unreadable]]],
    name: Callable[[Iterable[Unreadable]], None],
    shape: Callable[[FileFormat], Shapes],
    exports: CustomerWalk,
    files: ExportFiles,
) -> Iterator[Job]:
    """Write a part whenever enough rows are there or time is short.

    `rows_of` gives a customer's rows, and what could not be read; it raises Erased or NotFound for who is no more. What could
    not be read is counted, and given to `name`.
    """

    def met() -> Iterator[_Met]:
        for position, customer_id in exports.customers(job.position):
            try:
                rows, unreadable = rows_of(customer_id)
            except (Erased, NotFound):
                yield _Met(position, None)
            else:
                name(unreadable)
                yield _Met(position, rows, len(unreadable))

    return _exported(job, is_late, met(), shape(job.format or FileFormat.NDJSON), files)


def export_recipients(
    job: Job,
    is_late: Callable[[], bool],
    *,
    roster: Callable[[str, str | None], Iterable[tuple[str, Send]]],
    row_of: Callable[[Send], Row],
    shape: Callable[[FileFormat], Shapes],
    files: ExportFiles,
) -> Iterator[Job]:
    """Write the entries of a run, each where the `roster` beyond a position has it; those of the erased are left out."""
    entries = roster(str(job.run_id), job.position)
    met = (_Met(position, [row_of(send)] if send.closed_at is None else None) for position, send in entries)
    return _exported(job, is_late, met, shape(job.format or FileFormat.NDJSON), files)


class _Met(NamedTuple):
    """A customer who was met at a position, with their rows; None where they are no more."""

    position: str
    rows: list[Row] | None
    unreadable: int = 0


def _exported(job: Job, is_late: Callable[[], bool], met: Iterable[_Met], shapes: Shapes, files: ExportFiles) -> Iterator[Job]:
    part = _Part(job)
    for position, rows, unreadable in met:
        part.counted("customers_counted")
        if rows is None:
            part.counted("customers_left_out")
        else:
            part.counted("customers_written")
            part.counted("unreadable", unreadable)
            part.add(*rows)
        part.position = position
        if part.is_full or is_late():
            yield (job := part.written(files, shapes))
            part = _Part(job)
    yield replace(part.written(files, shapes), position=ENDED)


def export_person(
    job: Job,
    is_late: Callable[[], bool],
    *,
    customers: Customers,
    exports: Exports,
    shapes: Shapes,
    files: ExportFiles,
) -> Iterator[Job]:
    """Write everything that is stored of a person, as JSON and as CSV.

    Whoever is erased meanwhile is found out after each part, and what was written is deleted again: an erasure deletes the files
    that it finds, and these may have come after it. Raises Erased, NotFound.
    """
    part = _Part(job)
    customer = root(str(job.customer_id), customers=customers)
    for position, item in exports.everything(customer.partitions, job.addressed, job.position):
        part.add(item)
        part.position = position
        if part.is_full or is_late():
            yield (job := _still_there(part.written(files, shapes), customers, files))
            part = _Part(job)
    yield replace(_still_there(part.written(files, shapes), customers, files), position=ENDED)


def _still_there(job: Job, customers: Customers, files: ExportFiles) -> Job:
    try:
        root(str(job.customer_id), customers=customers)
    except Erased:
        files.remove(str(job.customer_id))
        raise
    return job


class _Part:
    """What is in memory: rows, counts, and where the walk stands."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.rows: list[Row] = []
        self.size = 0
        self.counts: dict[str, int] = {}
        self.position = job.position

    @property
    def is_full(self) -> bool:
        return self.size >= LARGEST_PART

    def add(self, *rows: Row) -> None:
        self.rows += rows
        self.size += sum(len(repr(row)) for row in rows)

    def counted(self, name: str, times: int = 1) -> None:
        self.counts[name] = self.counts.get(name, 0) + times

    def written(self, files: ExportFiles, shapes: Shapes) -> Job:
        """Write the part under a name that nobody else writes: whoever takes the job up has another version of it."""
        made: list[ExportFile] = []
        if self.rows:
            number = len(self.job.files) // len(shapes) + 1
            name = f"{folder_of(self.job)}/{number:05d}-{self.job.version}"
            made = [
                files.write(name, each, (shaped for row in self.rows for shaped in shape(row))) for each, shape in shapes.items()
            ]
        counts = self.counts | {"rows_written": len(self.rows)}
        return progressed(self.job, self.position or "", counts, tuple(made))


def read_record(
    customer_id: str,
    *,
    customers: Customers,
    profiles: Profiles,
    statistics: Statistics,
    consents: Callable[[str], ConsentsView],
) -> CustomerRecord:
    """Read what a bulk export tells of a customer. Raises Erased, NotFound."""
    customer = _itself(customer_id, customers)
    row = statistics.find(customer.customer_id)
    profile = read_profile(customer_id, customers=customers, profiles=profiles)
    return CustomerRecord(profile, row[0] if row else NOTHING, consents(customer_id))


def read_orders(
    customer_id: str, row_of: Callable[[OrderView], Row], *, customers: Customers, orders: Orders
) -> tuple[list[Row], Sequence[Unreadable]]:
    """Give the rows of a customer's orders with their lines; an order that cannot be read or shown hides no other.

    Raises Erased, NotFound.
    """
    pages = [orders.placed_by(partition) for partition in _itself(customer_id, customers).partitions]
    unreadable = [one for page in pages for one in page.unreadable]
    rows: list[Row] = []
    for order, state in folded((order for page in pages for order in page.items), unreadable):
        try:
            rows.append(row_of(OrderView(order, state, orders.lines_of(order, state.amended_by))))
        except (Erased, Unavailable):
            raise
        except Exception as error:  # noqa: BLE001 (whatever a corrupt one raises)
            unreadable.append(Unreadable(ids_of(order), error))
    return rows, unreadable


def _itself(customer_id: str, customers: Customers) -> Customer:
    """Read a customer who is nobody else: one who was absorbed is told of where the winner is."""
    customer = root(customer_id, customers=customers)
    if customer.customer_id != customer_id:
        raise NotFound("this customer was merged into another one", code="customer_not_found")
    return customer
