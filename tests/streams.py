"""AWS's side of a table's stream, in process: what the writes leave in it, and the mapping that feeds a function from it.

The rules are those of the Lambda developer guide, "Process DynamoDB records with Lambda" and its pages on partial batch responses
and on retaining discarded records:

- a shard is read in the order of its writes, one batch at a time; what the filter leaves out is passed over;
- a batch is done where the function answers nothing, null, or no failures;
- where it answers failures, the batch goes on from the lowest sequence number among them; an identifier that is empty or not in
  the batch fails all of it;
- where it raises, times out or dies, the batch is halved (that is no retry), and one that cannot be halved is tried again;
- after MaximumRetryAttempts retries the batch is given up, and its place in the stream, not its records, goes to the destination;
- anything may be delivered again.
"""

import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from botocore.awsrequest import AWSResponse

from tests.faults import Deliver, Kill, Sent

type Item = dict[str, Any]
type Record = dict[str, Any]
type Function = Callable[[dict[str, Any], object], Mapping[str, Any] | None]


@dataclass
class Stream:
    """What was written, by shard. A partition is in one shard: customers are dealt out as they come, whatever their ids."""

    shards: tuple[list[Record], ...] = field(default_factory=lambda: tuple([] for _ in range(4)))
    images: dict[tuple[str, str], Item] = field(default_factory=dict)
    homes: dict[str, int] = field(default_factory=dict)

    def written(self, sent: Sent, deliver: Deliver) -> AWSResponse:
        """Let a request arrive, and keep what it wrote."""
        answer = deliver()
        if answer.status_code == 200:
            for item in _puts(sent):
                self.put(item)
        return answer

    def put(self, item: Item) -> None:
        key = item["PK"]["S"], item["SK"]["S"]
        old = self.images.get(key)
        self.images[key] = item
        images = {"NewImage": item} | ({"OldImage": old} if old else {})
        self.add("MODIFY" if old else "INSERT", item, **images)

    def add(self, name: str, item: Item, **said: Any) -> None:
        number = str(1 + sum(map(len, self.shards)))
        change = {"Keys": {"PK": item["PK"], "SK": item["SK"]}, "SequenceNumber": number.zfill(21), **said}
        record = {"eventID": number, "eventName": name, "eventSource": "aws:dynamodb", "dynamodb": change}
        kind, _, name = item["PK"]["S"].partition("#")
        home = self.homes.setdefault(f"{kind}#{name}" if kind == "CUSTOMER" else kind, len(self.homes))
        self.shards[home % len(self.shards)].append(record)


def _puts(sent: Sent) -> Iterable[Item]:
    if sent.operation == "PutItem":
        return [sent.ask["Item"]]
    if sent.operation == "TransactWriteItems":
        return [write["Put"]["Item"] for write in sent.ask["TransactItems"] if "Put" in write]
    return []


@dataclass(frozen=True, kw_only=True)
class Settings:
    batch_size: int
    maximum_retry_attempts: int
    bisects: bool
    takes_partial_answers: bool
    patterns: tuple[Any, ...] = ()

    @classmethod
    def of(cls, properties: Mapping[str, Any]) -> Self:
        """Read the properties of an AWS::Lambda::EventSourceMapping."""
        filters = properties.get("FilterCriteria", {}).get("Filters", [])
        return cls(
            batch_size=properties["BatchSize"],
            maximum_retry_attempts=properties["MaximumRetryAttempts"],
            bisects=properties.get("BisectBatchOnFunctionError", False),
            takes_partial_answers="ReportBatchItemFailures" in properties.get("FunctionResponseTypes", []),
            patterns=tuple(json.loads(one["Pattern"]) for one in filters),
        )

    def wants(self, record: Record) -> bool:
        return not self.patterns or any(_matches(pattern, record) for pattern in self.patterns)


def _matches(pattern: Any, value: Any) -> bool:
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(_matches(rule, value.get(name)) for name, rule in pattern.items())
    return any(_is(rule, value) for rule in pattern)


def _is(rule: Any, value: Any) -> bool:
    if isinstance(rule, dict):
        return isinstance(value, str) and value.startswith(rule["prefix"])
    return bool(rule == value)


@dataclass(frozen=True)
class Batch:
    records: tuple[Record, ...]
    retries: int = 0


@dataclass
class Feed:
    """An event source mapping: feeds `function` from a stream; what it gives up goes to `give_up`."""

    stream: Stream
    settings: Settings
    function: Function
    give_up: Callable[[dict[str, Any]], None]
    read: list[int] = field(init=False)
    waiting: list[deque[Batch]] = field(init=False)

    def __post_init__(self) -> None:
        self.from_the_start()

    def from_the_start(self) -> None:
        """TRIM_HORIZON: everything is delivered again."""
        self.read = [0] * len(self.stream.shards)
        self.waiting = [deque() for _ in self.stream.shards]

    def again(self, shard: int, records: int) -> None:
        """Lose the last checkpoints: some records that were done are delivered again, with all that were not."""
        if waiting := self.waiting[shard]:
            self.read[shard] = self.stream.shards[shard].index(waiting[0].records[0])
            waiting.clear()
        self.read[shard] = max(0, self.read[shard] - records)

    def is_done(self, shard: int) -> bool:
        return not self.waiting[shard] and self.read[shard] == len(self.stream.shards[shard])

    def poll(self, shard: int) -> None:
        """Invoke the function once for a shard, if there is something to be delivered."""
        waiting = self.waiting[shard]
        if not waiting and not (records := self._read(shard)):
            return
        batch = waiting.popleft() if waiting else Batch(records)
        waiting.extendleft(reversed(self._deliver(shard, batch)))

    def drain(self) -> None:
        for shard in range(len(self.stream.shards)):
            while not self.is_done(shard):
                self.poll(shard)

    def _read(self, shard: int) -> tuple[Record, ...]:
        at = self.read[shard]
        found: list[Record] = []
        for record in self.stream.shards[shard][at:]:
            at += 1
            if self.settings.wants(record):
                found.append(record)
            if len(found) == self.settings.batch_size:
                break
        self.read[shard] = at
        return tuple(found)

    def _deliver(self, shard: int, batch: Batch) -> list[Batch]:
        """Give what must be delivered after this, before the shard goes on."""
        try:
            answer = self.function({"Records": json.loads(json.dumps(batch.records))}, None) or {}
        except (Exception, Kill):  # noqa: BLE001 (whatever ends an invocation is the same to the mapping)
            return self._failed(shard, batch)
        failures = (answer.get("batchItemFailures") or []) if self.settings.takes_partial_answers else []
        if not failures:
            return []
        numbers = [record["dynamodb"]["SequenceNumber"] for record in batch.records]
        named = [failure.get("itemIdentifier") for failure in failures]
        if not set(named) <= set(numbers):
            return self._failed(shard, batch)
        return self._retried(shard, Batch(batch.records[numbers.index(min(named)) :], batch.retries))

    def _failed(self, shard: int, batch: Batch) -> list[Batch]:
        middle = len(batch.records) // 2
        if self.settings.bisects and middle:
            return [Batch(batch.records[:middle], batch.retries), Batch(batch.records[middle:], batch.retries)]
        return self._retried(shard, batch)

    def _retried(self, shard: int, batch: Batch) -> list[Batch]:
        if batch.retries < self.settings.maximum_retry_attempts:
            return [Batch(batch.records, batch.retries + 1)]
        self.give_up(
            {
                "requestContext": {"condition": "RetryAttemptsExhausted", "approximateInvokeCount": batch.retries + 1},
                "version": "1.0",
                "DDBStreamBatchInfo": {
                    "shardId": str(shard),
                    "startSequenceNumber": batch.records[0]["dynamodb"]["SequenceNumber"],
                    "endSequenceNumber": batch.records[-1]["dynamodb"]["SequenceNumber"],
                    "batchSize": len(batch.records),
                },
            }
        )
        return []
