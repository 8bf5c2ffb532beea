"""B1: of a batch, exactly the poison goes to the failure queue, and nothing stands in anybody's way."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest

from ecrm.domain.errors import Unavailable
from ecrm.entry.stream import consume
from tests.builders import a_record, an_order
from tests.cloud import Cloud
from tests.faults import Kill

BATCHES = 1_000
POISON = (KeyError("currency"), ValueError("no such date"), TypeError(), RecursionError(), ArithmeticError())
FATES = ("fine", "fine", "fine", "poison", "unavailable", "of no concern", "gone")

type Record = dict[str, Any]


@pytest.fixture(autouse=True)
def _metrics_have_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "eCRM")


@dataclass
class Queue:
    is_open: bool = True
    parked: list[dict[str, str]] = field(default_factory=list)

    def park(self, failures: Iterable[Mapping[str, str]]) -> None:
        if not self.is_open:
            raise Unavailable("the failure queue cannot be reached")
        self.parked += map(dict, failures)


def records_of(draw: Random, customer_id: str, fate: str) -> list[Record]:
    """One to four records of one customer; what is of no concern is a type nobody counts, what is gone has no new image."""
    kinds = (
        ("customer.created", "weather.changed") if fate == "of no concern" else ("order.placed", "order.paid", "order.returned")
    )
    found = []
    for number in range(draw.randint(1, 4)):
        item = {
            "PK": {"S": f"CUSTOMER#{customer_id}"},
            "SK": {"S": f"EVENT#2026-11-20T12:00:00.000000Z#{number}"},
            "type": {"S": draw.choice(kinds)},
        }
        name = draw.choice(("REMOVE", "MODIFY")) if fate == "gone" else "INSERT"
        found.append(a_record(item, name=name, number=number))
    return found


def a_batch(draw: Random) -> tuple[dict[str, str], list[Record]]:
    """Customers with what becomes of them, and their records in an order in which a stream may have them."""
    fates = {f"c{number}": draw.choice(FATES) for number in range(draw.randint(0, 12))}
    records = [record for customer_id, fate in fates.items() for record in records_of(draw, customer_id, fate)]
    draw.shuffle(records)
    return fates, records


def test_in_1000_batches_exactly_the_poison_is_parked_and_everybody_else_is_worked_on() -> None:
    draw = Random(1)
    raised = 0
    for _ in range(BATCHES):
        fates, records = a_batch(draw)
        queue = Queue()
        worked: list[str] = []

        def work(customer_id: str, _happened: object, fates: dict[str, str] = fates, worked: list[str] = worked) -> None:
            worked.append(customer_id)
            if fates[customer_id] == "poison":
                raise draw.choice(POISON)
            if fates[customer_id] == "unavailable":
                raise Unavailable("the table is busy")

        answer: object = None
        try:
            answer = consume({"Records": records}, concerns=lambda kind: kind.startswith("order."), work=work, failures=queue)
        except Unavailable:
            raised += 1

        concerned = {name for name, fate in fates.items() if fate in ("fine", "poison", "unavailable")}
        assert sorted(concerned) == sorted(worked)
        poison = [(record["dynamodb"]["Keys"]["PK"]["S"], record["dynamodb"]["Keys"]["SK"]["S"]) for record in records]
        poison = [(pk, sk) for pk, sk in poison if fates[pk.removeprefix("CUSTOMER#")] == "poison"]
        assert sorted(poison) == sorted((message["pk"], message["sk"]) for message in queue.parked)
        assert (None if "unavailable" in fates.values() else {"batchItemFailures": []}) == answer
    assert 100 < raised < BATCHES - 100


def test_where_the_queue_is_closed_the_batch_comes_back_and_the_others_are_done() -> None:
    draw, queue = Random(2), Queue(is_open=False)
    worked: list[str] = []

    def work(customer_id: str, _happened: object) -> None:
        worked.append(customer_id)
        if customer_id == "b":
            raise KeyError(customer_id)

    records = [record for name in "abc" for record in records_of(draw, name, "fine")]
    with pytest.raises(Unavailable, match="the failure queue cannot be reached"):
        consume({"Records": records}, concerns=lambda _: True, work=work, failures=queue)
    assert ["a", "b", "c"] == worked


def test_a_death_is_nobodys_poison() -> None:
    queue = Queue()

    def work(_customer_id: str, _happened: object) -> None:
        raise Kill

    with pytest.raises(Kill):
        consume({"Records": records_of(Random(3), "a", "fine")}, concerns=lambda _: True, work=work, failures=queue)
    assert [] == queue.parked


def test_a_failure_names_the_event_and_the_error_and_nothing_of_the_person() -> None:
    queue = Queue()

    def work(_customer_id: str, _happened: object) -> None:
        raise ValueError("sara@example.com")

    item = {
        "PK": {"S": "CUSTOMER#c1"},
        "SK": {"S": "EVENT#2026-11-20T12:00:00.000000Z#1"},
        "type": {"S": "order.placed"},
        "data": {"S": "sara@example.com"},
    }
    consume({"Records": [a_record(item)]}, concerns=lambda _: True, work=work, failures=queue)
    assert [
        {
            "type": "parked_event",
            "v": "1",
            "pk": "CUSTOMER#c1",
            "sk": "EVENT#2026-11-20T12:00:00.000000Z#1",
            "error": "ValueError",
        }
    ] == queue.parked


def test_a_batch_of_nothing_that_concerns_us_is_acknowledged() -> None:
    item = {"PK": {"S": "CUSTOMER#c1"}, "SK": {"S": "EVENT#2026-11-20T12:00:00.000000Z#1"}, "type": {"S": "order.placed"}}
    bare: list[Record] = [
        {},
        {"eventName": "INSERT"},
        {"eventName": "INSERT", "dynamodb": {}},
        {"eventName": "INSERT", "dynamodb": {"NewImage": {}}},
        {"eventName": "INSERT", "dynamodb": {"NewImage": {"PK": {"S": "CUSTOMER#c1"}}}},
        {"eventName": "INSERT", "dynamodb": {"NewImage": item | {"PK": {"S": "LIST#keys"}}}},
        a_record(item, name="REMOVE") | {"userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"}},
        a_record(item, name="MODIFY"),
        a_record(item | {"type": {"S": "weather.changed"}}),
        a_record(item | {"type": {"N": "1"}}),
    ]

    def work(customer_id: str, _happened: object) -> None:
        raise AssertionError(customer_id)

    queue = Queue()
    answer = consume({"Records": bare}, concerns=lambda kind: kind.startswith("order."), work=work, failures=queue)
    assert ({"batchItemFailures": []}, []) == (answer, queue.parked)


def test_the_functions_queue_holds_exactly_the_events_of_those_who_cannot_be_counted(cloud: Cloud) -> None:
    """40 batches of 2 to 6 of 8 customers, of whom 3 are poison; more than one SQS call's ten messages at a time."""
    from orders_api.handler import handler as orders_api  # noqa: PLC0415 (reads the environment that the cloud sets)
    from project_events.handler import handler as project_events  # noqa: PLC0415

    for number in range(8):
        body = an_order(order_id=f"A-{number}", customer={"user_id": f"u-{number}"})
        assert cloud.call(orders_api, "POST", "/v1/orders", body).status == 201
    orders = cloud.items("ORDER#")
    poison = {order["PK"]["S"] for order in orders[:3]}
    for order in orders[:3]:
        spoilt = {name: value for name, value in order.items() if name != "terms"}
        cloud.dynamodb.put_item(TableName="table", Item=spoilt)

    draw = Random(4)
    for _ in range(40):
        chosen = draw.sample(orders, draw.randint(2, 6))
        records = [
            a_record({"PK": order["PK"], "SK": {"S": f"EVENT#2026-11-20T12:00:00.000000Z#{number}"}, "type": {"S": "order.paid"}})
            for order in chosen
            for number in range(draw.randint(1, 9))
        ]
        draw.shuffle(records)
        assert {"batchItemFailures": []} == project_events(json.loads(json.dumps({"Records": records})), None)
        keys = [record["dynamodb"]["Keys"] for record in records]
        expected = sorted((key["PK"]["S"], key["SK"]["S"]) for key in keys if key["PK"]["S"] in poison)
        assert expected == sorted((message["pk"], message["sk"]) for message in cloud.parked())
    counted = {f"CUSTOMER#{item['SK']['S']}" for item in cloud.items() if item["PK"]["S"].startswith("STATS#")}
    assert {order["PK"]["S"] for order in orders} - poison == counted
