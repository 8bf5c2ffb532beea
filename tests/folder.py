"""The folder of contact files, with the readers and the workers that ship: files in moto's S3, items in the table double.

moto copies its whole table in each transaction; ten thousand rows want the double, which answers alike (tests/simulation).
"""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from ecrm.application import import_rows, undo_rows
from ecrm.application.contact_rows import apply_contacts
from ecrm.application.import_ports import Rows
from ecrm.application.imports import Reader, begin, read_import, work_chunk
from ecrm.contracts import imports as wire
from ecrm.contracts.sidecars import interpret
from ecrm.domain.attributes import known
from ecrm.domain.consent import Channel
from ecrm.domain.imports import Drop, Import, Kind, RowOutcome
from ecrm.domain.jobs import Job
from ecrm.domain.sites import Site
from ecrm.domain.topics import Topic
from ecrm.domain.undo import RowUndone
from ecrm.files.imports import S3ImportFiles
from ecrm.store.import_rows import DynamoRowChanges
from ecrm.store.imports import DynamoImports
from ecrm.store.products import DynamoProducts
from ecrm.store.sites import DynamoSites
from tests.builders import NOON
from tests.simulation.company import Company, Counted, Stopped
from tests.simulation.table import MemoryTable

SITE = Site(site="shop", brand="Blue Note", languages=("de",), time_zone="Europe/Berlin", currency="EUR", updated_at=NOON)


def a_topic(name: str, *channels: Channel, double_opt_in: bool = False) -> Topic:
    offered = channels or (Channel.EMAIL, Channel.SMS)
    return Topic(topic=name, names={}, descriptions={}, double_opt_in=double_opt_in, channels=offered, updated_at=NOON)


@dataclass
class Folder:
    """Works on each file to its end as it is dropped."""

    s3: Any
    topics: Sequence[Topic] = (a_topic("news"),)
    table: MemoryTable = field(default_factory=MemoryTable)
    told: int = 0

    def __post_init__(self) -> None:
        self.clock = Stopped(NOON)
        self.company = Company(self.table, Counted(100_000))
        self.products = DynamoProducts(self.table)
        self.changes = DynamoRowChanges(self.table)
        self.imports = DynamoImports(self.table)
        self.files = S3ImportFiles(self.s3, "imports", self.clock)
        self.queued: list[tuple[str, int | None]] = []
        sites = DynamoSites(self.table)
        sites.write(SITE, seen=0)
        for topic in self.topics:
            self.company.topics.write(topic, seen=0)
        plan = partial(wire.plan, sites=sites, topics=self.company.topics)
        self.rows = {
            kind: Rows(plan=plan, group=wire.group, reads=wire.reads, apply=apply) for kind, apply in self._applied().items()
        }
        self.reader = Reader(
            imports=self.imports,
            files=self.files,
            queue=self,
            chunks=_Chunks(self.queued),
            rows=self.rows,
            interpret=interpret,
            sites=sites,
            clock=self.clock,
        )

    def _applied(self) -> dict[Kind, Any]:
        company, clock = self.company, self.clock
        suppressing: dict[str, Any] = {"suppressions": company.suppressions, "changes": self.changes, "clock": clock}
        ordering: dict[str, Any] = {"orders": company.orders, "requests": company.requests, "clock": clock}
        return {
            Kind.CONTACTS: partial(import_rows.apply_contacts, apply=self.apply_contacts, **suppressing),
            Kind.SUPPRESSIONS: partial(import_rows.apply_suppressions, **suppressing),
            Kind.PRODUCTS: partial(import_rows.apply_products, products=self.products, changes=self.changes, clock=clock),
            Kind.ORDERS: partial(import_rows.apply_orders, customers=company.customers, ids=company.ids, **ordering),
            Kind.SHIPMENTS: partial(import_rows.apply_shipments, **ordering),
        }

    def apply_contacts(self, import_: Import, rows: Sequence[import_rows.ContactRow]) -> Sequence[RowOutcome]:
        company = self.company
        return apply_contacts(
            import_,
            rows,
            store=company.contact_rows,
            customers=company.customers,
            profiles=company.profiles,
            consents=company.consents,
            topics=company.topics,
            clock=self.clock,
            ids=company.ids,
        )

    def send(self, import_id: str) -> None:
        self.queued.append((import_id, None))

    def drop(self, name: str, content: bytes | str, *, sidecar: Any = None) -> Any:
        """Drop a file a minute after the one before, work on it to its end; gives its result."""
        if sidecar is not None:
            self.s3.put_object(Bucket="imports", Key=f"imports/{name}.json", Body=json.dumps(sidecar).encode())
        raw = content.encode() if isinstance(content, str) else content
        etag = self.s3.put_object(Bucket="imports", Key=f"imports/{name}", Body=raw)["ETag"].strip('"')
        self.told += 1
        at = NOON + timedelta(minutes=self.told)
        import_id = begin(Drop(f"imports/{name}", len(raw), etag, f"{self.told:X}", at), imports=self.imports, files=self.files)
        assert import_id is not None
        self.send(import_id)
        while self.queued:
            self.deliver(*self.queued.pop(0))
        return self.read(f"{name}.result.json")

    def deliver(self, import_id: str, chunk: int | None) -> None:
        if chunk is None:
            self.reader.work(import_id, lambda: False)
        else:
            work_chunk(import_id, chunk, imports=self.imports, files=self.files, queue=self, rows=self.rows)

    def read(self, name: str) -> Any:
        return json.loads(self.raw(name))

    def raw(self, name: str) -> bytes:
        content: bytes = self.s3.get_object(Bucket="imports", Key=f"imports/{name}")["Body"].read()
        return content

    def rejects(self, name: str) -> list[dict[str, str]]:
        text = self.raw(f"{name}.rejects.csv").decode("utf-8-sig")
        return list(csv.DictReader(io.StringIO(text, newline="")))

    def import_of(self, result: Any) -> Import:
        return read_import(result["import_id"], imports=self.imports)[0]

    def undo(self, result: Any) -> list[RowUndone]:
        """Take back what the rows of a file changed, the last first."""
        import_ = self.import_of(result)
        job = Job(job_id="0" * 32, kind=None, requested_at=NOON, source="tests", import_id=import_.import_id)  # type: ignore[arg-type]  # no job runs
        progress = read_import(import_.import_id, imports=self.imports)[1]
        outcomes = [each for chunk in self.files.outcomes(import_.import_id, range(progress.chunks)) for each in chunk][::-1]
        if import_.kind is Kind.PRODUCTS:
            undone = undo_rows.undo_products(import_, job, outcomes, products=self.products, changes=self.changes)
        else:
            undone = undo_rows.undo_suppressions(
                import_, job, outcomes, suppressions=self.company.suppressions, changes=self.changes, clock=self.clock
            )
        return list(undone)

    def people(self) -> dict[str, dict[str, Any]]:
        """Every customer's attributes, by the identifiers they are known by."""
        found = {}
        for item in self.table.items("PROFILE"):
            customer_id = item["PK"].removeprefix("CUSTOMER#")
            customer = self.company.customers.find(customer_id)
            assert customer is not None
            name = " ".join(sorted(f"{each.kind}={each.value}" for each in customer.identifiers))
            (book,) = self.company.profiles.of((customer_id,))
            found[name] = known(book.attributes)
        return found


@dataclass(frozen=True)
class _Chunks:
    queued: list[tuple[str, int | None]]

    def send(self, import_id: str, chunks: Iterable[int]) -> None:
        self.queued.extend((import_id, chunk) for chunk in chunks)
