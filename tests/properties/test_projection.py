"""O5: whatever the stream does to its reader, each customer's row ends up equal to a recount of the facts.

The stream and the mapping that feeds the function are tests/streams.py; the function, its table and its queue are the real ones.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from botocore.awsrequest import AWSResponse

from ecrm import bootstrap
from ecrm.application.statistics import concerns
from ecrm.contracts.orders import PlaceOrderBody
from ecrm.domain.errors import EcrmError, Unavailable
from ecrm.domain.statistics import NOTHING, CustomerStatistics, count
from ecrm.entry.http import digest_of
from ecrm.entry.orders import EVENT
from tests.cloud import Cloud, a_cloud
from tests.faults import CRASHES, Deliver, Fault, Kill, Sent, fail, no_fault, refused_with, tapped
from tests.properties.histories import History, a_history
from tests.streams import Feed, Settings, Stream
from tests.unit.facts import in_berlin

SEEDS = 20
GROUPS = 2
TOGETHER = 25
"""20 seeds × 2 clouds × 25 customers = 1,000 histories."""

FAULTS: tuple[Fault, ...] = (
    *CRASHES.values(),
    refused_with("ThrottlingException"),
    refused_with("InternalServerError", 500),
)
SPOILERS: tuple[Callable[[dict[str, Any]], None], ...] = (
    lambda item: item.pop("currency"),
    lambda item: item.update(terms={"S": "nothing"}),
    lambda item: item.update(facts={"L": [{"M": {"is": {"S": "eaten"}, "at": {"S": "2026"}}}]}),
    lambda item: item.update(placed_at={"S": "yesterday"}),
)
"""Ways in which a stored order cannot be read."""


@cache
def mapping() -> Settings:
    """The mapping as template.yaml has it."""

    class Loader(yaml.SafeLoader):
        """Knows no intrinsic function: each is nothing."""

    Loader.add_multi_constructor("!", lambda _loader, _suffix, _node: None)
    template = yaml.load((Path(__file__).parents[2] / "template.yaml").read_text(), Loader)  # noqa: S506 (it is a SafeLoader)
    return Settings.of(template["Resources"]["ProjectEventsMapping"]["Properties"])


@dataclass
class World:
    """A cloud whose writes leave a stream behind, and the mapping that feeds the projection from it."""

    cloud: Cloud
    calls: list[str]
    settings: Settings = field(default_factory=mapping)
    stream: Stream = field(default_factory=Stream)
    given_up: list[dict[str, Any]] = field(default_factory=list)
    fault: Fault = no_fault
    draw: Random | None = None

    def __post_init__(self) -> None:
        self.feed = Feed(self.stream, self.settings, self.project, self.given_up.append)

    def project(self, event: dict[str, Any], context: object) -> Any:
        """Invoke the function; with `draw`, every other invocation meets a fault at some call."""
        from project_events.handler import handler  # noqa: PLC0415 (reads the environment that the cloud sets)

        if self.draw and self.draw.random() < 0.5:
            fault, at = self.draw.choice(FAULTS), len(self.calls) + int(self.draw.expovariate(0.2))
            self.fault = lambda sent, deliver: fault(sent, deliver) if sent.call == at else deliver()
        try:
            return handler(event, context)
        finally:
            self.fault = no_fault

    def send(self, history: History) -> None:
        """Send a customer's next request; the bookkeeper writes down what becomes of it."""
        order_id, body = history.to_send.pop(0)
        try:
            if order_id is None:
                order = PlaceOrderBody.model_validate(body).to_command("de", digest=digest_of(body), source="test")
                became = bootstrap.place_order(order, None)
                history.customer_id = became.view.order.customer_id
            else:
                event = EVENT.validate_python(body).to_command("de", order_id, digest=digest_of(body), source="test")
                became = bootstrap.record_order_event(event, None)
        except EcrmError as refused:
            outcome = refused.code
        else:
            outcome = became.outcome
        assert outcome == (history.ledger.place(body) if order_id is None else history.ledger.tell(order_id, body))

    def spoil(self, history: History, spoiler: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        """Make the customer's order unreadable; gives the order as it was."""
        (key,) = [key for key in self.stream.images if key[0].endswith(history.customer_id) and key[1].startswith("ORDER#")]
        item: dict[str, Any] = json.loads(json.dumps(self.stream.images[key]))
        spoilt = json.loads(json.dumps(item))
        spoiler(spoilt)
        self.cloud.dynamodb.put_item(TableName="table", Item=spoilt)
        return item

    def rows(self) -> dict[str, Any]:
        return {key[1]: item for key, item in self.stream.images.items() if key[0].startswith("STATS#")}


@contextmanager
def a_world(**changes: Any) -> Iterator[World]:
    with a_cloud() as cloud:
        holder: list[World] = []

        def each(sent: Sent, deliver: Deliver) -> AWSResponse:
            (world,) = holder
            return world.fault(sent, lambda: world.stream.written(sent, deliver))

        with tapped(each) as calls:
            holder.append(World(cloud, calls, **changes))
            yield holder[0]


def row(history: History) -> CustomerStatistics | None:
    found = bootstrap.statistics().find(history.customer_id)
    return found[0] if found else None


def rebuilt(history: History) -> CustomerStatistics:
    return count(bootstrap.orders().of_customer(history.customer_id), in_berlin)


def events_that_count(world: World, history: History) -> list[tuple[str, str]]:
    return [
        key
        for key, item in world.stream.images.items()
        if key[0].endswith(history.customer_id) and key[1].startswith("EVENT#") and concerns(item["type"]["S"])
    ]


def noise(draw: Random, stream: Stream, history: History) -> None:
    """What a stream may carry beside new events: removals, records without an image, types that nobody knows."""
    event = {"PK": {"S": f"CUSTOMER#{history.customer_id}"}, "SK": {"S": "EVENT#2026-11-20T12:00:00.000000Z#x"}}
    replay = {"PK": {"S": "REPLAY#1"}, "SK": {"S": "REPLAY"}, "type": {"S": "replay"}, "expires_at": {"N": "1"}}
    ttl = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    draw.choice(
        (
            lambda: stream.add("REMOVE", replay, OldImage=replay, userIdentity=ttl),
            lambda: stream.add("REMOVE", event, OldImage=event | {"type": {"S": "order.placed"}}),
            lambda: stream.add("INSERT", event),
            lambda: stream.add("INSERT", event, NewImage=event),
            lambda: stream.add("INSERT", event, NewImage=event | {"type": {"S": "weather.changed"}}),
            lambda: stream.add("INSERT", replay, NewImage=replay | {"type": {"S": "order.placed"}}),
            lambda: stream.add("MODIFY", event, NewImage=event | {"type": {"S": "order.placed"}}),
        )
    )()


def live(world: World, draw: Random, histories: list[History]) -> dict[str, dict[str, Any]]:
    """Send everything, while the stream is read between the requests; gives the orders made unreadable, by customer."""
    spoilt: dict[str, dict[str, Any]] = {}
    while unsent := [history for history in histories if history.to_send]:
        history = draw.choice(unsent)
        is_new = not history.customer_id
        world.send(history)
        if is_new and draw.random() < 0.1:
            spoilt[history.customer_id] = world.spoil(history, draw.choice(SPOILERS))
            history.to_send.clear()
        if draw.random() < 0.2:
            noise(draw, world.stream, history)
        shard = draw.randrange(len(world.stream.shards))
        if draw.random() < 0.3:
            world.feed.poll(shard)
        if draw.random() < 0.05:
            world.feed.again(shard, draw.randint(1, 10))
    world.feed.drain()
    return spoilt


@pytest.mark.parametrize("seed", range(SEEDS))
def test_whatever_the_stream_does_each_row_is_a_recount_of_the_facts(seed: int) -> None:
    draw = Random(seed)
    parked_in_all = 0
    for group in range(GROUPS):
        settings = replace(mapping(), batch_size=draw.choice((3, 10, 100)))
        settings = settings if group % 2 else replace(settings, patterns=())
        with a_world(settings=settings, draw=draw) as world:
            histories = [a_history(draw, f"u-{number}") for number in range(TOGETHER)]
            spoilt = live(world, draw, histories)
            healthy = [history for history in histories if history.customer_id not in spoilt]
            assert [history.ledger.statistics() for history in healthy] == [row(history) for history in healthy]
            assert [rebuilt(history) for history in healthy] == [row(history) for history in healthy]

            unreadable = [history for history in histories if history.customer_id in spoilt]
            parked = {(message["pk"], message["sk"]) for message in world.cloud.parked()}
            assert {event for history in unreadable for event in events_that_count(world, history)} == parked
            assert [] == world.given_up
            parked_in_all += len(parked)

            for history in unreadable:
                world.cloud.dynamodb.put_item(TableName="table", Item=spoilt[history.customer_id])
                bootstrap.recount(history.customer_id)
            assert [history.ledger.statistics() for history in histories] == [row(history) for history in histories]

            rows, world.draw, world.feed.settings = world.rows(), None, mapping()
            world.feed.from_the_start()
            world.feed.drain()
            assert (TOGETHER, rows, []) == (len(rows), world.rows(), world.cloud.parked())
    assert parked_in_all > 0


def some_customers(world: World, *seeds: int, called: str = "u") -> list[History]:
    """Customers whose requests were all sent; nothing was read from the stream yet."""
    histories = [a_history(Random(seed), f"{called}-{seed}") for seed in seeds]
    for history in histories:
        while history.to_send:
            world.send(history)
    return histories


def a_batch(world: World, *histories: History) -> dict[str, Any]:
    """Every record of these customers that the mapping would deliver."""
    names = {history.customer_id for history in histories}
    records = (record for shard in world.stream.shards for record in shard if world.settings.wants(record))
    return {"Records": [record for record in records if record["dynamodb"]["Keys"]["PK"]["S"].partition("#")[2] in names]}


def at_call(world: World, call: int, fault: Fault) -> Fault:
    """A fault at a call, counted from now."""
    number = len(world.calls) + call
    return lambda sent, deliver: fault(sent, deliver) if sent.call == number else deliver()


@pytest.mark.parametrize("name", CRASHES)
def test_a_reader_that_fails_or_dies_at_any_call_leaves_nothing_undone(name: str) -> None:
    """Three customers in one batch: profile, row, orders, behaviour and put for each."""
    survived = []
    with a_world() as world:
        for call in range(15):
            histories = some_customers(world, 3, 4, 5, called=f"u-{call}")
            batch, sent_before = a_batch(world, *histories), len(world.calls)
            world.fault = at_call(world, call, CRASHES[name])
            try:
                world.project(batch, None)
            except (Unavailable, Kill):
                survived.append(len([history for history in histories if row(history) == rebuilt(history)]))
            assert call < len(world.calls) - sent_before
            world.project(batch, None)
            assert [history.ledger.statistics() for history in histories] == [row(history) for history in histories]
            assert ([], 3 * (call + 1)) == (world.cloud.parked(), len(world.rows()))
    assert SURVIVED[name] == survived


SURVIVED = {
    "fail before": [2] * 15,
    "kill before": [0] * 5 + [1] * 5 + [2] * 5,
    "kill after": [0] * 4 + [1] * 5 + [2] * 5 + [3],
    "replies lost": [2, 2, 2, 2, 3] * 3,
    "first reply lost": [],
}
"""Of the three, whose row was right after the first, spoilt delivery: a failure holds up no other, a death those behind it."""


@pytest.mark.parametrize("seed", range(5))
def test_records_in_any_order_cut_anywhere_and_doubled_give_the_same_rows(seed: int) -> None:
    """Harsher than a stream, which keeps a partition's order."""
    draw = Random(seed)
    with a_world() as world:
        histories = some_customers(world, *range(6))
        records = a_batch(world, *histories)["Records"]
        records = draw.sample(records + records, 2 * len(records))
        while records:
            cut = draw.randint(1, 12)
            world.project({"Records": records[:cut]}, None)
            records = records[cut:]
        assert [history.ledger.statistics() for history in histories] == [row(history) for history in histories]


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("call", range(6))
def test_an_older_count_never_overwrites_a_newer_one(call: int, moment: str) -> None:
    """While a count is under way, at each of its calls, another order comes in and is counted by somebody else.

    The calls are profile, row, orders, site, behaviour and put.
    """
    with a_world() as world:
        (history,) = some_customers(world, 4)
        more = a_history(Random(8), history.user_id)
        more.ledger = history.ledger
        more.to_send = [(order_id and f"more-{order_id}", body | _renamed(body)) for order_id, body in more.to_send]

        def overtaken(_sent: Sent, deliver: Deliver) -> AWSResponse:
            world.fault = no_fault
            answer = deliver() if moment == "after" else None
            while more.to_send:
                world.send(more)
            world.project(a_batch(world, more), None)
            return answer or deliver()

        world.fault = at_call(world, call, overtaken)
        world.project(a_batch(world, history), None)
        assert (history.ledger.statistics(), rebuilt(history)) == (row(history), row(history))
        assert len(history.ledger.told) > 1


def test_a_count_that_comes_too_late_to_be_written_is_made_again() -> None:
    """Somebody who had counted before the last fact writes between our reading and our writing."""
    with a_world() as world:
        (history,) = some_customers(world, 3)

        def stale(_sent: Sent, deliver: Deliver) -> AWSResponse:
            world.fault = no_fault
            bootstrap.statistics().write(history.customer_id, replace(NOTHING, cancelled_orders=1), seen=0)
            return deliver()

        world.fault = at_call(world, 4, stale)
        world.project(a_batch(world, history), None)
        assert (history.ledger.statistics(), 2) == bootstrap.statistics().find(history.customer_id)


def _renamed(body: dict[str, Any]) -> dict[str, Any]:
    return {"order_id": f"more-{body['order_id']}"} if "order_id" in body else {}


def test_an_outage_longer_than_the_mappings_patience_is_told_and_mended_by_a_rebuild() -> None:
    with a_world(settings=replace(mapping(), maximum_retry_attempts=3)) as world:
        lost = some_customers(world, 3, 4, 5)
        world.fault = fail
        project = world.feed.function

        def out(event: dict[str, Any], context: object) -> Any:
            world.fault = fail
            return project(event, context)

        world.feed.function = out
        world.feed.drain()
        world.feed.function = project
        places = [message["DDBStreamBatchInfo"] for message in world.given_up]
        orders = [
            one["dynamodb"] for one in a_batch(world, *lost)["Records"] if concerns(one["dynamodb"]["NewImage"]["type"]["S"])
        ]
        expected = [(change["SequenceNumber"], change["SequenceNumber"], 1) for change in orders]
        assert expected == [(place["startSequenceNumber"], place["endSequenceNumber"], place["batchSize"]) for place in places]
        assert [None] * 3 == [row(history) for history in lost]

        found = some_customers(world, 6, 7)
        world.feed.drain()
        assert [history.ledger.statistics() for history in found] == [row(history) for history in found]

        for customer_id in bootstrap.customers().all_ids():
            bootstrap.recount(customer_id)
        everybody = [*lost, *found]
        assert [history.ledger.statistics() for history in everybody] == [row(history) for history in everybody]
