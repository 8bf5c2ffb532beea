"""Rows of a contact file that one core can work on in a second, from the object to the items, and the memory of it.

    make bench

A million customers whom nobody knows, of twelve columns, as CSV, and fewer as lines of JSON; and beside them what nobody can do
without: `csv.reader`, or `json.loads`, over the same bytes. The table's client answers at once and keeps only what is told of
the import, and the bucket is a folder: what is measured is ours, not the SDK. Each is done by a process of its own, for the peak
of its memory.
"""

import csv
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any, cast

from botocore.exceptions import ClientError

from benchmarks.ingestion import Client
from benchmarks.machine import machine

ROWS = {"csv": 1_000_000, "ndjson": 100_000}
COLUMNS = (
    "email",
    "user_id",
    "phone",
    "first_name",
    "last_name",
    "city",
    "birthday",
    "language",
    "plan",
    "points",
    "member",
    "note",
)
BUCKET = "imports"
KEPT = ("IMPORT#", "LIST#", "FILE#", "CONTENT#")
"""What the table's client keeps: of customers nothing, for a million of them would be the memory that is measured."""


type Stage = tuple[str, Callable[[], object]]


class Folder:
    """S3's client over a folder: an object is a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get_object(self, Key: str, Range: str = "", **_: object) -> dict[str, Any]:  # noqa: N803 (S3's names, here and below)
        file = self._path / Key.replace("/", "#")
        if not file.exists():
            missing: Any = {"Error": {}, "ResponseMetadata": {"HTTPStatusCode": 404}}
            raise ClientError(missing, "GetObject")
        with file.open("rb") as opened:
            if not Range:
                return {"Body": BytesIO(opened.read())}
            first, last = Range.removeprefix("bytes=").split("-")
            opened.seek(int(first))
            return {"Body": BytesIO(opened.read(int(last) - int(first) + 1))}

    def put_object(self, Key: str, Body: bytes, **_: object) -> None:  # noqa: N803
        (self._path / Key.replace("/", "#")).write_bytes(Body)


class Forgetful(Client):
    """The client of ingestion's benchmark, which forgets customers."""

    def put_item(self, Item: Mapping[str, Any], **more: object) -> None:  # noqa: N803
        if Item["PK"]["S"].startswith(KEPT):
            super().put_item(Item, **more)

    def query(self, ExpressionAttributeValues: Mapping[str, Any], **_: object) -> dict[str, Any]:  # noqa: N803
        pk, prefix = (ExpressionAttributeValues.get(name, {"S": ""})["S"] for name in (":pk", ":prefix"))
        return {"Items": [item for (one, sk), item in sorted(self._items.items()) if one == pk and sk.startswith(prefix)]}


@dataclass
class Asked:
    """A queue, as a list."""

    waiting: list[Any] = field(default_factory=list)

    def send(self, *message: Any) -> None:
        self.waiting.append(message)


def a_row(number: int) -> tuple[str, ...]:
    return (
        f"customer{number}@example.com",
        f"u-{number}",
        f"+49170{number:07}",
        "Sara",
        "Ahmadi-Lindqvist",
        "Düsseldorf",
        f"19{number % 90 + 10}-0{number % 9 + 1}-1{number % 10}",
        "de",
        "gold" if number % 3 else "silver",
        str(number % 5_000),
        "yes" if number % 2 else "no",
        "likes jazz, and the records of Blue Note",
    )


def write_file(path: Path, file_format: str, rows: int) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        if file_format == "csv":
            csv.writer(file).writerows([COLUMNS])
            csv.writer(file).writerows(map(a_row, range(rows)))
        else:
            file.writelines(json.dumps(dict(zip(COLUMNS, a_row(number), strict=True))) + "\n" for number in range(rows))


def floor(path: Path, file_format: str) -> None:
    with path.open(newline="", encoding="utf-8") as file:
        for _ in csv.reader(file) if file_format == "csv" else map(json.loads, file):
            pass


def work(folder: Path, name: str, size: int) -> Iterator[Stage]:
    """Give the stages of an import: cutting, working on the chunks, and ending it."""
    from ecrm.application.contact_rows import apply_contacts  # noqa: PLC0415 (what a process of the benchmark loads alone)
    from ecrm.application.import_ports import Rows  # noqa: PLC0415
    from ecrm.application.imports import Reader, begin, work_chunk  # noqa: PLC0415
    from ecrm.bootstrap import RandomIds, SystemClock  # noqa: PLC0415
    from ecrm.contracts import imports as contracts  # noqa: PLC0415
    from ecrm.contracts.sidecars import interpret  # noqa: PLC0415
    from ecrm.domain.imports import Drop, Kind  # noqa: PLC0415
    from ecrm.domain.sites import Site  # noqa: PLC0415
    from ecrm.files.imports import S3ImportFiles  # noqa: PLC0415
    from ecrm.store.consent import DynamoConsents  # noqa: PLC0415
    from ecrm.store.contact_rows import DynamoContactRows  # noqa: PLC0415
    from ecrm.store.customers import DynamoCustomers  # noqa: PLC0415
    from ecrm.store.imports import DynamoImports  # noqa: PLC0415
    from ecrm.store.profiles import DynamoProfiles  # noqa: PLC0415
    from ecrm.store.sites import DynamoSites  # noqa: PLC0415
    from ecrm.store.table import Table  # noqa: PLC0415
    from ecrm.store.topics import DynamoTopics  # noqa: PLC0415

    def secret() -> bytes:
        return b"for benchmarks only, 32 bytes...."

    table = Table(cast("Any", Forgetful()), "table", time.sleep)
    clock, sites, topics = SystemClock(), DynamoSites(table), DynamoTopics(table)
    site = Site(
        site="de",
        brand="Blue Note",
        languages=("de",),
        time_zone="Europe/Berlin",
        currency="EUR",
        sender="hello@example.com",
        updated_at=clock.now(),
    )
    sites.write(site, seen=0)
    customers = DynamoCustomers(table, secret)
    profiles = DynamoProfiles(table, customers)
    apply = partial(
        apply_contacts,
        store=DynamoContactRows(table, customers, profiles, secret),
        customers=customers,
        profiles=profiles,
        consents=DynamoConsents(table, secret),
        topics=topics,
        clock=clock,
        ids=RandomIds(),
    )
    plan = partial(contracts.plan, sites=sites, topics=topics)
    rows: Any = {Kind.CONTACTS: Rows(plan=plan, group=contracts.group, reads=contracts.reads, apply=apply)}
    imports, files = DynamoImports(table), S3ImportFiles(cast("Any", Folder(folder)), BUCKET, clock)
    queue, chunks = Asked(), Asked()
    reader = Reader(
        imports=imports,
        files=files,
        queue=cast("Any", queue),
        chunks=cast("Any", chunks),
        rows=rows,
        interpret=interpret,
        sites=sites,
        clock=clock,
    )
    import_id = str(begin(Drop(name, size, "etag", "1", datetime.now(UTC)), imports=imports, files=files))

    def cut() -> None:
        reader.work(import_id, lambda: False)

    def chunk() -> None:
        for number in [number for _, some in chunks.waiting for number in some]:
            work_chunk(import_id, number, imports=imports, files=files, queue=cast("Any", queue), rows=rows)

    yield "cut into chunks", cut
    yield "chunks worked on", chunk
    yield "ended", cut
    found = imports.find(import_id)
    if found is None or found.tally is None or found.tally.created != found.tally.rows:
        raise RuntimeError(found)


def measure(file_format: str, rows: int) -> None:
    """Print, as JSON, the seconds of CPU of each stage, and the peak of this process in MB."""
    folder = Path(tempfile.mkdtemp())
    name = f"imports/contacts/customers.{file_format}"
    path = folder / name.replace("/", "#")
    seconds: dict[str, float] = {}
    try:
        write_file(path, file_format, rows)
        first: Stage = ("floor", partial(floor, path, file_format))
        for stage, call in chain([first], work(folder, name, path.stat().st_size)):
            began = time.process_time()
            call()
            seconds[stage] = time.process_time() - began
    finally:
        shutil.rmtree(folder)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak": peak}))


def main() -> None:
    if sys.argv[1:]:
        measure(sys.argv[1], int(sys.argv[2]))
        return
    print(f"contact import, new customers of {len(COLUMNS)} columns, null DynamoDB, one core · {machine()}")
    for file_format, rows in ROWS.items():
        child = [sys.executable, "-m", "benchmarks.imports", file_format, str(rows)]
        told = json.loads(subprocess.run(child, check=True, capture_output=True, text=True).stdout)
        least = told["seconds"].pop("floor")
        whole = sum(told["seconds"].values())
        for stage, seconds in (("floor", least), *told["seconds"].items(), ("all of it", whole)):
            print(f"{file_format:8} {stage:20} {rows / seconds:12,.0f} rows/s {seconds / least:8.1f} x floor")
        print(f"{file_format:8} {'peak memory':20} {told['peak']:12,.0f} MB ({rows:,} rows)")


if __name__ == "__main__":
    main()
