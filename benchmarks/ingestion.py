"""CPU time of a call within a Segment batch of 100, through the real handler, beside a floor in the same rounds.

    make bench

The table's client is in memory and answers at once, so that what is measured is ours: judging each call, finding whose it is, and
making the items; not the SDK. The floor is what nobody can do without: reading the body's JSON, and a call of nothing for each.
"""

import json
import os
import secrets
import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, cast

import pytest

from benchmarks.machine import machine
from ecrm import bootstrap
from ecrm.domain.api_keys import KeyKind
from ecrm.store.table import Table
from tests.builders import a_request
from tests.cloud import a_cloud, forget

CALLS = 100
ROUNDS = 7
CUSTOMERS = {"calls of one customer": 1, "calls of 50 customers": 50}


class Client:
    """DynamoDB's client as far as ingestion asks: it keeps what is put, and holds nothing to its condition."""

    def __init__(self) -> None:
        self._items: dict[tuple[str, str], Any] = {}

    def get_item(self, Key: Mapping[str, Any], **_: object) -> dict[str, Any]:  # noqa: N803 (DynamoDB's names, here and below)
        found = self._items.get(_key(Key))
        return {} if found is None else {"Item": found}

    def batch_get_item(self, RequestItems: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N803
        ((table, wanted),) = RequestItems.items()
        found = (self._items.get(_key(key)) for key in wanted["Keys"])
        return {"Responses": {table: [item for item in found if item is not None]}}

    def put_item(self, Item: Mapping[str, Any], **_: object) -> None:  # noqa: N803
        self._items[_key(Item)] = Item

    def transact_write_items(self, TransactItems: list[Mapping[str, Any]]) -> None:  # noqa: N803
        for action in TransactItems:
            if "Put" in action:
                self.put_item(action["Put"]["Item"])


def _key(item: Mapping[str, Any]) -> tuple[str, str]:
    return item["PK"]["S"], item["SK"]["S"]


def a_batch(customers: int) -> str:
    """Write a body of CALLS calls as a site's backend sends them, none of which was ever sent before."""
    calls = [
        {
            "type": "track",
            "userId": f"u-{number % customers}",
            "event": "Product Viewed",
            "messageId": f"node-next-{secrets.token_hex(16)}",
            "timestamp": "2026-11-20T12:00:00.000Z",
            "properties": {"sku": "CD-5", "name": "Blue", "category": "Records", "price": 9.0, "currency": "EUR"},
            "context": {"library": {"name": "@segment/analytics-node", "version": "3.1.0"}},
        }
        for number in range(CALLS)
    ]
    return json.dumps({"batch": calls, "sentAt": "2026-11-20T12:00:01.000Z"})


def microseconds(work: Callable[[], object]) -> float:
    """CPU time for each of CALLS calls."""
    began = time.process_time()
    work()
    return (time.process_time() - began) / CALLS * 1e6


def floor(body: str) -> None:
    def nothing(_call: object) -> None:
        pass

    for call in json.loads(body)["batch"]:
        nothing(call)


def measure() -> dict[str, list[float]]:
    """Microseconds of CPU a call in each round, by what was done; everybody and the key are known before the first one."""
    taken: dict[str, list[float]] = {name: [] for name in ("floor", *CUSTOMERS)}
    with a_cloud() as cloud, pytest.MonkeyPatch.context() as patch:
        (site,) = bootstrap.sites().all()
        forget()
        table = Table(cast("Any", Client()), "table", time.sleep)
        patch.setattr(bootstrap, "table", lambda: table)
        bootstrap.sites().write(site, seen=0)
        from ingest_api.handler import handler  # noqa: PLC0415 (wired inside the cloud)

        headers = {"authorization": f"Bearer {cloud.key(KeyKind.SERVER)}", "content-type": "application/json"}

        def send(body: str) -> None:
            answer = handler(a_request("POST", "/v1/batch", body=body, headers=headers), None)
            if answer["statusCode"] != 200 or json.loads(answer["body"]).get("errors"):  # noqa: PLR2004
                raise RuntimeError(answer["body"])

        for customers in CUSTOMERS.values():
            send(a_batch(customers))
        for _ in range(ROUNDS):
            for name, customers in CUSTOMERS.items():
                body = a_batch(customers)
                taken[name].append(microseconds(lambda: send(body)))  # noqa: B023 (called at once)
            taken["floor"].append(microseconds(lambda: floor(body)))  # noqa: B023
    return taken


def main() -> None:
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):  # what the function logs
        taken = measure()
    print(f"ingestion, CPU of a call in a batch of {CALLS}, medians of {ROUNDS} interleaved rounds · {machine()}")
    for name, times in taken.items():
        ratio = statistics.median(time / least for time, least in zip(times, taken["floor"], strict=True))
        print(f"{name:40} {statistics.median(times):8.1f} µs {ratio:6.1f} × floor")


if __name__ == "__main__":
    main()
