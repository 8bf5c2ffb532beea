"""Rows of every kind, as they ship, killed at any call: what is left is what an import leaves that nobody disturbs (I2)."""

import json
from collections.abc import Iterator, Mapping
from functools import cache, partial
from typing import Any

import pytest

from ecrm.application.import_ports import Rows
from ecrm.application.import_rows import apply_orders, apply_products, apply_shipments, apply_suppressions
from ecrm.contracts.imports import group, plan, reads
from ecrm.domain.imports import Drop, Kind, RowResult
from ecrm.store.import_rows import DynamoRowChanges
from ecrm.store.products import DynamoProducts
from tests.simulation.bucket import LATER, Bucket, Calls, NowAndThen, Office, OneSite, Post
from tests.simulation.company import Company, Counted, Stopped
from tests.simulation.table import MemoryTable, Pause, go_on

FILES: Mapping[Kind, tuple[str, ...]] = {
    Kind.PRODUCTS: (
        "sku,name,price,currency",
        *(f"CD-{row % 5},Disc {row % 7},{row}.50,EUR" for row in range(12)),
        "CD-9,Without a price,much,EUR",
    ),
    Kind.SUPPRESSIONS: (
        "email,reason",
        *(f"p{row % 5}@example.com,unsubscribed" for row in range(9)),
        "nobody,unsubscribed",
    ),
    Kind.ORDERS: (
        "order id,order date,email,currency,sku,name,quantity,price,total",
        *(
            f"A-{row // 3},2026-11-{row // 3 + 1:02}T12:00:00Z,p{row // 6}@example.com,EUR,CD-{row},Disc,1,5.00,15.00"
            for row in range(12)
        ),
        "A-9,2026-11-01T12:00:00Z,p9@example.com,EUR,CD-1,Disc,1,5.00,99.00",
        "A-0,2026-11-01T12:00:00Z,p0@example.com,EUR,CD-1,Disc,2,5.00,10.00",
    ),
    Kind.SHIPMENTS: (
        "order id,carrier,tracking number,shipped at,delivered at",
        *(f"A-{row},DHL,T{row},2026-11-10T12:00:00Z,{'2026-11-12T12:00:00Z' if row % 2 else ''}" for row in range(4)),
        "A-8,DHL,T8,2026-11-10T12:00:00Z,",
        "A-1,DHL,T1,2026-11-10T12:00:00Z,2026-11-12T12:00:00Z",
    ),
}


def office_of(table: MemoryTable, pause: Pause) -> Office:
    company = Company(table.fork(pause=pause), Counted(1_000))
    office = Office(company, Bucket(pause, most=3), pause)
    clock, changes = Stopped(LATER), DynamoRowChanges(company.table)
    orders: dict[str, Any] = {"orders": company.orders, "requests": company.requests, "clock": clock}
    apply: dict[Kind, Any] = {
        Kind.PRODUCTS: partial(apply_products, products=DynamoProducts(company.table), changes=changes, clock=clock),
        Kind.SUPPRESSIONS: partial(apply_suppressions, suppressions=company.suppressions, changes=changes, clock=clock),
        Kind.ORDERS: partial(apply_orders, customers=company.customers, ids=company.ids, **orders),
        Kind.SHIPMENTS: partial(apply_shipments, **orders),
    }
    planned = partial(plan, sites=OneSite(), topics=company.topics)
    office.rows.update({kind: Rows(plan=planned, group=group, reads=reads, apply=each) for kind, each in apply.items()})
    return office


@cache
def shop(kind: Kind) -> MemoryTable:
    """What must be there before a file of this kind: for what was shipped, the orders."""
    if kind is not Kind.SHIPMENTS:
        return MemoryTable()
    office = office_of(MemoryTable(), go_on)
    Post(office).deliver(dropped(office, Kind.ORDERS))
    return office.company.table.fork()


def dropped(office: Office, kind: Kind) -> Drop:
    return office.bucket.drop(f"imports/{kind}/a.csv", "\n".join(FILES[kind]))


def imported(kind: Kind, pause: Pause) -> dict[str, Any]:
    """Import a file; gives all that is there then."""
    office = office_of(shop(kind), pause)
    Post(office).deliver(dropped(office, kind), is_late=NowAndThen())
    written = {name: office.bucket.text(name) for name in office.bucket.objects if name.startswith("imports/")}
    changes = can_be_put_back(office) if kind in {Kind.PRODUCTS, Kind.SUPPRESSIONS} else None
    return {"written": written, "kept": sorted(kept(office.company)), "can be put back": changes}


def kept(company: Company) -> Iterator[tuple[str, ...]]:
    """Give what is kept, without what depends on who was first: ids of customers, versions, and which row of several said it."""
    for item in company.table.items():
        match item["type"]:
            case "product":
                yield "product", item["SK"], repr(item["fields"])
            case "suppression":
                yield "suppression", item["PK"], repr(sorted(item["grounds"]))
            case "order":
                yield "order", item["SK"]
            case "order_pointer" | "identity" | "profile" | "order_listing" as kind:
                yield (kind,)
            case "customer.created" as kind:
                yield kind, repr(item["data"])
            case kind if "." in kind:
                yield kind, item["SK"], repr(item["data"])


def can_be_put_back(office: Office) -> bool:
    """Say whether the outcomes tell just those rows whose change was written down."""
    changed = {int(item["SK"].removeprefix("ROW#")) for item in office.company.table.items("ROW#")}
    told = {outcome for outcomes in office.bucket.outcomes_of.values() for outcome in outcomes}
    return changed == {outcome.row for outcome in told if outcome.result in {RowResult.CREATED, RowResult.UPDATED}}


@cache
def undisturbed(kind: Kind) -> tuple[dict[str, Any], int]:
    calls = Calls()
    return imported(kind, calls), calls.count


@pytest.mark.parametrize(
    ("kind", "counts", "is_undone"),
    [
        (Kind.PRODUCTS, {"created": 5, "rejected": 1, "skipped": 7}, True),
        (Kind.SUPPRESSIONS, {"created": 5, "rejected": 1, "skipped": 4}, True),
        (Kind.ORDERS, {"created": 12, "rejected": 2}, None),
        (Kind.SHIPMENTS, {"updated": 4, "rejected": 1, "skipped": 1}, None),
    ],
)
def test_every_kind_of_row_is_kept_and_told(kind: Kind, counts: dict[str, int], *, is_undone: bool | None) -> None:
    expected, _ = undisturbed(kind)
    told = json.loads(expected["written"][f"imports/{kind}/a.csv.result.json"])
    assert counts == {name: told[name] for name in RowResult if told[name]}
    assert is_undone is expected["can be put back"]


@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_is_killed_at_any_call_leaves_what_it_leaves_undisturbed(kind: Kind) -> None:
    expected, calls = undisturbed(kind)
    for killed_at in range(1, calls + 1):
        assert expected == imported(kind, Calls(killed_at)), killed_at
