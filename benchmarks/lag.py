"""How far statistics are behind: from an order answered to its customer's statistics row, on the laptop stack that is up.

    make up && make bench        SECONDS=60 and RATE=4 orders unless the environment says otherwise

An order and the looks for its row are at most 20 requests a second. Each order is of a new customer, so that its row is its own.
Growth is the median of the last third over that of the first.
"""

import json
import os
import secrets
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

from benchmarks.machine import machine
from local.stack import Stack
from tests.builders import an_order

PATIENCE_SECONDS = 60
WORKERS = 8
POLL_SECONDS = 0.5


class Api:
    """The stack's API, over one connection a thread; status 0 is no answer."""

    def __init__(self, url: str, key: str) -> None:
        self._at = urlsplit(url)
        self._headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        self._kept = threading.local()

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        if not hasattr(self._kept, "connection"):
            self._kept.connection = HTTPConnection(self._at.netloc, timeout=PATIENCE_SECONDS)
        connection: HTTPConnection = self._kept.connection
        try:
            connection.request(method, self._at.path + path, body and json.dumps(body), self._headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, HTTPException, ValueError):
            connection.close()
            return 0, None


def lag_of_one(api: Api, order_id: str) -> float | None:
    """Seconds from the answer to the row; None where an order is refused or its row does not come."""
    status, placed = api.call("POST", "/v1/orders", an_order(order_id=order_id, customer={"user_id": order_id}))
    answered = time.monotonic()
    if status != 201:  # noqa: PLR2004
        return None
    while time.monotonic() < answered + PATIENCE_SECONDS:
        status, counted = api.call("GET", f"/v1/customers/{placed['customer_id']}/stats")
        if status == 200 and counted.get("currencies"):  # noqa: PLR2004
            return time.monotonic() - answered
        time.sleep(POLL_SECONDS)
    return None


def measure(api: Api, *, seconds: float, rate: float) -> tuple[list[float | None], float]:
    """Place orders at a steady rate as far as the stack keeps up; gives the lags in order, and the rate that was kept."""
    run = secrets.token_hex(4)
    started = time.monotonic()
    with ThreadPoolExecutor(WORKERS) as pool:
        waiting = []
        for number in range(int(seconds * rate)):
            time.sleep(max(0.0, started + number / rate - time.monotonic()))
            waiting.append(pool.submit(lag_of_one, api, f"lag-{run}-{number}"))
        lags = [one.result() for one in waiting]
    return lags, len(lags) / (time.monotonic() - started)


def main() -> None:
    facts = Stack.of_environment().facts()
    if facts is None:
        print("lag: no stack is up, `make up` starts one")
        return
    seconds, rate = (float(os.environ.get(name, usual)) for name, usual in (("SECONDS", "60"), ("RATE", "4")))
    lags, kept = measure(Api(facts["api_url"], facts["server_key"]), seconds=seconds, rate=rate)
    seen = [lag for lag in lags if lag is not None]
    print(
        f"lag, order answered → statistics row, {len(lags)} orders, {rate:.0f} asked and {kept:.1f} kept a second · {machine()}"
    )
    print(f"never seen  {len(lags) - len(seen)}")
    if len(seen) < 10:  # noqa: PLR2004 (too few for a percentile)
        return
    print(f"p50         {statistics.median(seen):.2f} s")
    print(f"p99         {statistics.quantiles(seen, n=100)[98]:.2f} s")
    third = len(seen) // 3
    print(f"growth      × {statistics.median(seen[-third:]) / statistics.median(seen[:third]):.2f}")


if __name__ == "__main__":
    main()
