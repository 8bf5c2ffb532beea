"""CDNOW's 23,570 customers through a whole night on the laptop's stack: time by step, requests, and what the night finds.

    make bench, or CUSTOMERS=500 PORT=4566 python -m benchmarks.night

The orders come in as a company's history would, as a file of orders by the import, in the file's order; its last day is taken
for yesterday, or everybody would have been lost for decades. Segments are the twelve ready-made ones and one for each group of
RFM. Then there are three nights: that of the first day that had none, the same again, which must change nothing, and that of the
next day, which writes what changed. Times are those of the machine's steps, requests those that the steps' roles were allowed;
what a transaction writes and checks is counted one by one. The emulator works on the same cores.
"""

import gzip
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import groupby, islice
from operator import attrgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import boto3

from benchmarks.machine import machine
from ecrm.analytics.rfm import CELLS
from ecrm.application.nights import READ_FOR
from ecrm.domain.imports import Kind
from ecrm.domain.ready_made_segments import ready_made
from local import nightly
from local.api import Api
from local.demo.cdnow import LAST_DAY, Purchase
from local.down import drain
from local.stack import Stack
from local.up import up
from tools.imports import hand_in, wait

MASTER = Path(__file__).parent / "data" / "cdnow_master.txt.gz"
CUSTOMERS = int(os.environ.get("CUSTOMERS") or 23_570)
STEPS = ("Plan", "Snapshot", "Summarise", "Score", "Publish", "Tell", "Report")
ROLES = ("PlanNight", "SnapshotCustomers", "SummariseNight", "ScoreCustomers", "PublishNight", "TellNight", "ReportNight")
"""Of the steps, in the same order; the machine's own calls are not counted."""


def purchases(customers: int, today: date) -> Iterator[Purchase]:
    """Give the purchases of the first customers of the file, as if its last day had been yesterday."""
    later = today - timedelta(days=1) - LAST_DAY
    with gzip.open(MASTER, "rt", encoding="utf-8") as lines:
        next(lines)
        every = (Purchase.of(number, line, later) for number, line in enumerate(lines, start=1))
        for _, theirs in islice(groupby(every, attrgetter("customer")), customers):
            yield from theirs


def load(stack: Stack, staff: Api, file: Path) -> None:
    """Import the orders, and wait until the statistics know them. Ends the program where one was refused."""
    orders = 0
    with file.open("w", encoding="utf-8") as opened:
        for purchase in purchases(CUSTOMERS, datetime.now(UTC).date()):
            opened.write(json.dumps(purchase.to_order()) + "\n")
            orders += 1
    began = time.monotonic()
    counts = wait(staff, hand_in(staff, file, Kind.ORDERS)["import_id"], lambda _: None)["counts"]
    seconds = time.monotonic() - began
    if counts["rows"] != orders or counts["rejected"] or counts["skipped"]:
        sys.exit(f"{counts} of {orders} orders")
    print(f"{'orders imported':32} {seconds:8.1f} s {orders:10,} orders {orders / seconds:8.0f}/s")
    began = time.monotonic()
    if left := drain(stack):
        sys.exit(f"the statistics do not get on: {left}")
    print(f"{'statistics, after the last one':32} {time.monotonic() - began:8.1f} s")


def define(staff: Api) -> None:
    """Save the ready-made segments, in the currency of the file, and one for each group of RFM."""
    for segment in ready_made("USD"):
        shown = staff.get(f"/v1/segments/{segment}")
        said = {name: shown[name] for name in ("name", "description")}
        rule = json.loads(json.dumps(shown["rule"]).replace(f'"{currency_of(staff)}"', '"USD"'))
        staff.put(f"/v1/segments/{segment}", {**said, "rule": rule}, 200, 201)
    for group in sorted({name for row in CELLS for name in row}):
        rule = {"stats": {"field": "rfm.group", "currency": "USD", "op": "is", "value": group}}
        staff.put(f"/v1/segments/{rfm(group)}", {"name": group, "description": "", "rule": rule}, 200, 201)


def currency_of(staff: Api) -> str:
    return str(staff.get("/v1/sites/demo")["currency"])


def rfm(group: str) -> str:
    return f"rfm-{group.replace('_', '-')}"


def counts(stack: Stack) -> dict[str, Counter[str]]:
    """Give how often each step's role was allowed which action since the stack began."""
    told = (stack.status() or {})["counts"]
    return {
        step: Counter(next((found for role, found in told.items() if f"-{name}Role" in role), {}))
        for step, name in zip(STEPS, ROLES, strict=True)
    }


def seconds_by_step(stack: Stack, execution: str) -> dict[str, float]:
    """Give how long the machine was in each of its steps."""
    client = boto3.client("stepfunctions", **stack.client_settings())
    entered: dict[str, datetime] = {}
    found: dict[str, float] = {}
    for page in client.get_paginator("get_execution_history").paginate(executionArn=execution):
        for event in page["events"]:
            if "stateEnteredEventDetails" in event:
                entered.setdefault(event["stateEnteredEventDetails"]["name"], event["timestamp"])
            elif "stateExitedEventDetails" in event:
                name = event["stateExitedEventDetails"]["name"]
                found[name] = (event["timestamp"] - entered[name]).total_seconds()
    return {step: found[step] for step in STEPS if step in found}


def run(stack: Stack, staff: Api, what: str, at: datetime) -> dict[str, Any]:
    """Run a night and print what it took; gives the night as the API shows it."""
    before = counts(stack)
    began = time.monotonic()
    execution = nightly.start(stack, at)
    ended = nightly.outcome(stack, execution)
    seconds = time.monotonic() - began
    if ended["status"] != nightly.SUCCEEDED:
        sys.exit(f"the night failed: {ended.get('error')}")
    if left := drain(stack):
        sys.exit(f"what follows does not get on: {left}")
    planned = json.loads(ended["output"])
    night = staff.get(f"/v1/nights/{planned['night']}")
    skipped = f", nothing to do: {planned['skipped']}" if planned["skipped"] else f", {night['customers']:,} customers"
    print(f"{what:32} {seconds:8.1f} s{skipped}")
    if planned["skipped"]:
        return night
    after = counts(stack)
    for step, took in seconds_by_step(stack, execution).items():
        asked = after[step] - before[step]
        told = ", ".join(f"{action.partition(':')[2]} {number:,}" for action, number in sorted(asked.items()))
        print(f"  {step:30} {took:8.1f} s  {told}")
    total = sum((after[step] - before[step] for step in STEPS), Counter[str]())
    for service in ("dynamodb", "s3"):
        asked_for = sum(number for action, number in total.items() if action.startswith(service))
        print(f"  {service:30} {asked_for:8,} requests, {asked_for / night['customers']:.2f} a customer")
    return night


def main() -> None:
    stack = Stack.of_environment()
    facts = up(stack)
    print(f"{CUSTOMERS:,} customers of CDNOW on the laptop's stack · {machine()}")
    with Api(facts["api_url"], facts["staff_key"]) as staff, TemporaryDirectory() as folder:
        define(staff)
        load(stack, staff, Path(folder, f"cdnow-{int(time.time())}.ndjson"))
        now = nightly.the_next(staff)
        first = run(stack, staff, "first night", now)
        again = run(stack, staff, "the same again", now)
        if first != again:
            sys.exit("the same night again had an effect")
        time.sleep(READ_FOR.total_seconds())  # readers may still go by the night before the first one
        tomorrow = run(stack, staff, "the next night", now + timedelta(days=1))
        print("what the first night found, and what the next one changed")
        for segment, counted in first["segments"].items():
            then = tomorrow["segments"][segment]
            print(f"  {segment:30} {counted['size']:8,}  +{then['entered']:,} -{then['left']:,}")
        for stage, customers in first["stages"].items():
            print(f"  {stage:30} {customers:8,}  {tomorrow['stages'].get(stage, 0):,} the next night")


if __name__ == "__main__":
    main()
