"""Counts the units that DynamoDB would charge, from the requests made and the items read, by AWS's published rules.

Write: 1 unit per KB begun of the larger of the item before and after, doubled in a transaction; a condition check costs as much
as a write of the item. Read: half a unit per 4 KB begun of what was read, doubled where strongly consistent; an item that is not
there costs as much as a small one.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
"""

import base64
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from math import ceil
from typing import Any

type Item = Mapping[str, Mapping[str, Any]]

HALF = Decimal("0.5")


def size_of(item: Item) -> int:
    """Bytes of an item as DynamoDB counts them: names and values in UTF-8, numbers by their digits."""
    return sum(len(name.encode()) + _value(value) for name, value in item.items())


def _value(value: Mapping[str, Any]) -> int:
    ((kind, inner),) = value.items()
    match kind:
        case "S":
            return len(inner.encode())
        case "B":
            return len(base64.b64decode(inner))
        case "N":
            digits = len(inner.strip("-0."))
            return ceil(digits / 2) + 1 + int(inner.startswith("-"))
        case "M":
            return 3 + sum(1 + len(name.encode()) + _value(deeper) for name, deeper in inner.items())
        case "L":
            return 3 + sum(1 + _value(deeper) for deeper in inner)
        case _:
            return 1


@dataclass
class Meter:
    written: Decimal = Decimal(0)
    read: Decimal = Decimal(0)
    requests: list[str] = field(default_factory=list)
    stored: dict[tuple[str, str], int] = field(default_factory=dict)

    def reset(self) -> None:
        self.written = self.read = Decimal(0)
        self.requests = []

    def count(self, operation: str, asked: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        self.requests.append(operation)
        consistent = asked.get("ConsistentRead", False)
        match operation:
            case "GetItem":
                self._read([answer.get("Item", {})], consistent)
            case "BatchGetItem":
                ((table, wanted),) = asked["RequestItems"].items()
                found = answer["Responses"].get(table, [])
                missing: list[Item] = [{}] * (len(wanted["Keys"]) - len(found))
                for item in [*found, *missing]:
                    self._read([item], wanted.get("ConsistentRead", False))
            case "Query":
                self._read(answer["Items"], consistent)
            case "PutItem":
                self._write(asked["Item"], 1)
            case "TransactWriteItems":
                for action in asked["TransactItems"]:
                    if "Put" in action:
                        self._write(action["Put"]["Item"], 2)
                    else:
                        self._check(action["ConditionCheck"]["Key"])
            case "DescribeTable":
                pass  # costs nothing
            case _:
                raise NotImplementedError(operation)

    def _read(self, items: list[Item], consistent: bool) -> None:  # noqa: FBT001 (private)
        size = sum(map(size_of, items))
        self.read += max(1, ceil(size / 4096)) * (2 * HALF if consistent else HALF)

    def _write(self, item: Item, times: int) -> None:
        key = (item["PK"]["S"], item["SK"]["S"])
        size = size_of(item)
        self.written += times * ceil(max(size, self.stored.get(key, 0)) / 1024)
        self.stored[key] = size

    def _check(self, key: Item) -> None:
        self.written += 2 * max(1, ceil(self.stored.get((key["PK"]["S"], key["SK"]["S"]), 0) / 1024))


@contextmanager
def metered(client: Any) -> Iterator[Meter]:
    """Count what this DynamoDB client does."""
    meter = Meter()
    asked: list[Mapping[str, Any]] = []

    def before(params: Mapping[str, Any], **_: object) -> None:
        asked.append(params)

    def after(parsed: Mapping[str, Any], model: Any, **_: object) -> None:
        meter.count(model.name, asked.pop(), parsed)

    handlers: dict[str, Callable[..., None]] = {"provide-client-params.dynamodb": before, "after-call.dynamodb": after}
    for event, handler in handlers.items():
        client.meta.events.register(event, handler)
    try:
        yield meter
    finally:
        for event, handler in handlers.items():
            client.meta.events.unregister(event, handler)
