"""Write and read units of one order placed, one status change and one recount, and what a million of each costs.

    make bench

The units are counted on an in-process table from the requests that the functions make. Dollars of compute come from assumptions
stated beside them, since no Lambda is near: they are there to show which part matters.
"""

import os
from collections.abc import Iterator
from contextlib import redirect_stdout
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import prices
from benchmarks.meter import metered
from tests.builders import an_event, an_order
from tests.cloud import Cloud, a_cloud

BILLED_SECONDS = Decimal("0.030")
MEMORY_GB = Decimal(1)
LOG_BYTES = Decimal(600)


class Units(NamedTuple):
    operation: str
    written: Decimal
    read: Decimal

    @property
    def dollars_per_million(self) -> Decimal:
        return (self.written * prices.WRITE_UNIT + self.read * prices.READ_UNIT) * prices.MILLION


def measure() -> Iterator[Units]:
    """Count each operation of the road, warm: key and site known, the identity key fetched."""
    with a_cloud() as cloud:
        from ecrm import bootstrap  # noqa: PLC0415 (wired inside the cloud)
        from orders_api.handler import handler  # noqa: PLC0415
        from project_events.handler import handler as project  # noqa: PLC0415

        def post(path: str, body: dict[str, Any], key: str | None = None) -> None:
            headers = {"idempotency-key": key} if key else {}
            answer = cloud.call(handler, "POST", path, body, headers=headers)
            assert answer.status == 201, answer.text  # noqa: PLR2004, S101 (a benchmark of refusals would flatter)

        post("/v1/orders", an_order(order_id="warm", customer={"user_id": "warm"}))
        with metered(bootstrap.table()._client) as meter:  # noqa: SLF001 (the one place where every request passes)

            def counted(operation: str) -> Units:
                units = Units(operation, meter.written, meter.read)
                meter.reset()
                return units

            meter.reset()
            post("/v1/orders", an_order(order_id="A-0"))
            yield counted("order placed, new customer with two identifiers")
            post("/v1/orders", an_order(order_id="A-1", customer={"user_id": "u-77"}))
            yield counted("order placed, known customer")
            post("/v1/orders", an_order(order_id="A-2", customer={"user_id": "u-77"}), key="one")
            yield counted("order placed, known customer, Idempotency-Key")
            post("/v1/orders/A-2/events", an_event("paid"))
            yield counted("status change")
            post("/v1/orders/A-2/events", an_event("packed"), key="two")
            yield counted("status change, Idempotency-Key")
            project({"Records": _packed(cloud)}, None)
            yield counted("statistics recounted after an event, customer with three orders")
            project({"Records": _packed(cloud)}, None)
            yield counted("the same event delivered again")


def _packed(cloud: Cloud) -> list[dict[str, Any]]:
    from tests.builders import a_record  # noqa: PLC0415

    return [a_record(next(item for item in cloud.items("EVENT#") if item["type"]["S"] == "order.packed"))]


def main() -> None:
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):  # what the functions log
        measured = list(measure())
    print(f"{'operation':70} {'write':>6} {'read':>6} {'$ per million':>14}")
    for units in measured:
        print(f"{units.operation:70} {units.written:6} {units.read:6} {units.dollars_per_million:14.2f}")
    placed, counted = measured[2], measured[5]
    compute = BILLED_SECONDS * MEMORY_GB * prices.LAMBDA_GB_SECOND + prices.LAMBDA_REQUEST
    logs = LOG_BYTES / 10**9 * prices.LOG_GB
    parts = {
        "table, order placed": placed.dollars_per_million,
        "table, statistics": counted.dollars_per_million,
        "HTTP API": prices.HTTP_REQUEST * prices.MILLION,
        f"two Lambda calls of {BILLED_SECONDS * 1000:.0f} ms at {MEMORY_GB} GB (assumed)": 2 * compute * prices.MILLION,
        f"{LOG_BYTES} bytes of log (assumed)": logs * prices.MILLION,
    }
    print("\na million orders over HTTP, each with an Idempotency-Key and its statistics:")
    for what, dollars in parts.items():
        print(f"  {what:60} ${dollars:6.2f}")
    print(f"  {'all':60} ${sum(parts.values()):6.2f}")


if __name__ == "__main__":
    main()
