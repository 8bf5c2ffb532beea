"""Whether behaviour is counted exactly: batches for many customers, delivered twice and shuffled, on the laptop stack that is up.

    make up && make bench        BATCHES=20 of 100 calls for 50 customers, unless the environment says otherwise

The journey has the same with 5 batches. Anything but the exact counts ends the run with an error.
"""

import os
import random
import secrets
import sys
import time
from collections.abc import Iterable, Mapping
from typing import Any

from benchmarks.machine import machine
from local.api import Api
from local.down import drain
from local.stack import Stack

CUSTOMERS, BATCHES, CALLS = 50, 20, 100
EVENTS = ("Product Viewed", "Product Added", "Coffee Smelled")

type Counts = dict[str, dict[str, dict[str, int]]]
"""By customer, event and UTC day."""


def some_calls(chance: random.Random, run: str, batches: int) -> list[dict[str, Any]]:
    return [
        {
            "type": "track",
            "event": chance.choice(EVENTS),
            "userId": f"crowd-{run}-{chance.randrange(CUSTOMERS)}",
            "messageId": f"crowd-{run}-{number}",
            "timestamp": f"2026-11-{chance.randrange(1, 21):02}T{chance.randrange(24):02}:{chance.randrange(60):02}:00Z",
        }
        for number in range(batches * CALLS)
    ]


def counted(calls: Iterable[Mapping[str, Any]]) -> Counts:
    """Count as a bookkeeper would."""
    found: Counts = {}
    for call in calls:
        days = found.setdefault(call["userId"], {}).setdefault(call["event"], {})
        days[call["timestamp"][:10]] = days.get(call["timestamp"][:10], 0) + 1
    return found


def told(api: Api, user_ids: Iterable[str]) -> Counts:
    """Read what the stack has counted."""
    found: Counts = {}
    for user_id in user_ids:
        (customer,) = api.post("/v1/customers/lookup", {"user_id": user_id}, 200)["data"]
        events = api.get(f"/v1/customers/{customer['customer_id']}/stats")["events"]
        found[user_id] = {name: series["days"] for name, series in events.items()}
    return found


def main() -> None:
    stack = Stack.of_environment()
    facts = stack.facts()
    if facts is None:
        print("behaviour: no stack is up, `make up` starts one")
        return
    batches, seed = (int(os.environ.get(name, usual)) for name, usual in (("BATCHES", BATCHES), ("SEED", secrets.randbits(32))))
    chance = random.Random(seed)  # noqa: S311 (the same again with SEED=)
    calls = some_calls(chance, secrets.token_hex(4), batches)
    sent = calls * 2
    chance.shuffle(sent)
    with Api(facts["api_url"], facts["server_key"]) as api, Api(facts["api_url"], facts["staff_key"]) as staff:
        began = time.monotonic()
        for at in range(0, len(sent), CALLS):
            api.post("/v1/batch", {"batch": sent[at : at + CALLS]}, 200)
        answered = time.monotonic()
        left = drain(stack)
        done = time.monotonic()
        expected = counted(calls)
        found = told(staff, expected)
    print(f"behaviour, {batches} batches of {CALLS} calls, {CUSTOMERS} customers, twice and shuffled, seed {seed} · {machine()}")
    print(f"taken       {len(sent) / (answered - began):.0f} calls a second")
    print(f"counted     {done - answered:.1f} s after the last answer")
    wrong = [user_id for user_id in expected if found[user_id] != expected[user_id]]
    print(f"wrong       {len(wrong)} of {len(expected)} customers")
    if wrong or left:
        sys.exit(f"behaviour: not counted exactly: {wrong}, left in streams and queues: {left}")


if __name__ == "__main__":
    main()
