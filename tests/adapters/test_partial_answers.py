"""B2: what a 200 leaves undone is asked for again, with a bound, and then reported; nothing is dropped in silence."""

import json
from collections import Counter
from itertools import product
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from ecrm import bootstrap
from ecrm.domain.errors import Unavailable
from ecrm.store.keys import Key
from ecrm.store.table import MOST_DRAINS, Put, Table
from orders_api.handler import handler
from project_events.handler import handler as project
from tests.builders import a_record, an_order
from tests.cloud import Cloud
from tests.faults import Deliver, Fault, Sent, on, tapped

PERCENTS = range(0, 101, 10)


def leaving_keys_out(percent: int, dice: Random) -> Fault:
    """A read of many that leaves each key unprocessed with that probability."""

    def partial(sent: Sent, deliver: Deliver) -> Any:
        ((table, ask),) = sent.ask["RequestItems"].items()
        left = [key for key in ask["Keys"] if dice.randrange(100) < percent]
        answer = json.loads(deliver().content)
        items = [item for item in answer["Responses"][table] if {"PK": item["PK"], "SK": item["SK"]} not in left]
        unprocessed = {table: {**ask, "Keys": left}} if left else {}
        return sent.answer({"Responses": {table: items}, "UnprocessedKeys": unprocessed})

    return on("BatchGetItem", partial)


def refusing_messages(percent: int, dice: Random) -> Fault:
    """A queue that refuses each message of a batch with that probability."""

    def partial(sent: Sent, deliver: Deliver) -> Any:
        entries = sent.ask["Entries"]
        refused = [entry["Id"] for entry in entries if dice.randrange(100) < percent]
        sent.request.body = json.dumps(sent.ask | {"Entries": [entry for entry in entries if entry["Id"] not in refused]})
        answer = json.loads(deliver().content) if len(refused) < len(entries) else {"Successful": []}
        failed = [{"Id": at, "SenderFault": False, "Code": "InternalError"} for at in refused]
        return sent.answer(answer | {"Failed": failed})

    return on("SendMessageBatch", partial)


@pytest.fixture
def many(cloud: Cloud) -> list[Key]:
    """Keys of 110 items, two batches, and of five that do not exist."""
    del cloud
    keys = [Key(f"MANY#{at % 3}", str(at)) for at in range(115)]
    for key in keys[:110]:
        bootstrap.table().put(Put({"PK": key.pk, "SK": key.sk}, None, "here"))
    return keys


def test_a_read_of_many_gives_all_or_says_that_it_cannot(many: list[Key]) -> None:
    outcomes: dict[int, Counter[str]] = {percent: Counter() for percent in PERCENTS}
    for percent, seed in product(PERCENTS, range(5)):
        with tapped(leaving_keys_out(percent, Random(seed))) as calls:
            try:
                found = bootstrap.table().get_many(many)
            except Unavailable:
                outcomes[percent]["reported"] += 1
            else:
                assert (percent, 110, {key.sk for key in many[:110]}) == (percent, len(found), {item["SK"] for item in found})
                outcomes[percent]["whole"] += 1
        assert 1 <= len(calls) <= 2 * MOST_DRAINS
    assert [{"whole": 5}, {"reported": 5}] == [outcomes[0], outcomes[100]]
    assert all(outcomes[percent]["whole"] == 5 for percent in (10, 20))


def test_a_read_of_many_asks_again_for_what_was_left_and_for_nothing_else(many: list[Key]) -> None:
    asked: list[int] = []
    leave = leaving_keys_out(40, Random(1))

    def note(sent: Sent, deliver: Deliver) -> Any:
        answer = leave(sent, deliver)
        asked.append(len(sent.ask["RequestItems"]["table"]["Keys"]))
        return answer

    with tapped(note):
        bootstrap.table().get_many(many[:100])
    assert asked[0] == 100
    assert asked == sorted(set(asked), reverse=True)


def test_each_time_we_ask_again_we_wait_for_up_to_twice_as_long_and_not_for_long_in_all(many: list[Key]) -> None:
    waits: list[float] = []
    table = Table(bootstrap.table()._client, "table", waits.append)
    with tapped(leaving_keys_out(100, Random(1))) as calls, pytest.raises(Unavailable):
        table.get_many(many)
    assert ([0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64], MOST_DRAINS) == (waits, len(calls))
    waits.clear()
    table.get_many(many)
    assert [] == waits


def test_a_wait_is_a_random_part_of_what_it_may_be(many: list[Key], monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    with tapped(leaving_keys_out(100, Random(1))):
        monkeypatch.setattr(bootstrap, "time", SimpleNamespace(sleep=slept.append))
        for _ in range(30):
            with pytest.raises(Unavailable):
                bootstrap.table().get_many(many[:1])
    parts = [seconds / (0.01 * 2 ** (at % 7)) for at, seconds in enumerate(slept)]
    assert 210 == len(parts)
    assert 0 <= min(parts) < 0.2
    assert 0.8 < max(parts) <= 1


@pytest.mark.parametrize("percent", [0, 50, 100])
def test_a_list_is_whole_or_refused(cloud: Cloud, percent: int) -> None:
    for at in range(6):
        assert 201 == cloud.call(handler, "POST", "/v1/orders", an_order(order_id=f"A-{at}")).status
    whole = [f"A-{at}" for at in range(5, -1, -1)]
    answers = []
    for seed in range(10):
        with tapped(leaving_keys_out(percent, Random(seed))):
            answer = cloud.call(handler, "GET", "/v1/orders", query="from=2026-11-20&to=2026-11-20")
        if answer.status == 200:
            assert whole == [order["order_id"] for order in answer.json["data"]]
        answers.append((answer.status, answer.headers.get("retry-after")))
    assert {(200, None), (503, "1")} >= set(answers)
    assert {0: {(200, None)}, 100: {(503, "1")}}.get(percent, set(answers)) == set(answers)


@pytest.mark.parametrize("percent", [0, 50, 100])
def test_an_order_never_takes_an_unanswered_identifier_for_a_free_one(cloud: Cloud, percent: int) -> None:
    first = cloud.call(handler, "POST", "/v1/orders", an_order()).json["customer_id"]
    for seed in range(10):
        with tapped(leaving_keys_out(percent, Random(seed))):
            answer = cloud.call(handler, "POST", "/v1/orders", an_order(order_id=f"B-{seed}"))
        expected = (201, first) if percent == 0 or (percent < 100 and answer.status == 201) else (503, None)
        assert expected == (answer.status, answer.json.get("customer_id"))
    assert 1 == len(cloud.items("PROFILE"))
    assert (percent == 100) == (len(cloud.items("ORDER#")) == 1)


def test_every_failure_reaches_the_queue_once_or_the_caller_hears_of_it(cloud: Cloud) -> None:
    outcomes: dict[int, Counter[str]] = {percent: Counter() for percent in PERCENTS}
    for percent, seed in product(PERCENTS, range(9)):
        failures = [f"{at:02}" for at in range(3 * seed)]
        with tapped(refusing_messages(percent, Random(seed))):
            try:
                bootstrap.failure_queue().park({"pk": pk} for pk in failures)
            except Unavailable:
                outcomes[percent]["reported"] += 1
                cloud.parked()
                continue
        outcomes[percent]["whole"] += 1
        assert (percent, failures) == (percent, sorted(message["pk"] for message in cloud.parked()))
    assert [{"whole": 9}, {"whole": 1, "reported": 8}] == [outcomes[0], outcomes[100]]


def test_a_batch_whose_poison_cannot_be_parked_comes_again(cloud: Cloud) -> None:
    assert 201 == cloud.call(handler, "POST", "/v1/orders", an_order()).status
    (order,) = cloud.items("ORDER#")
    cloud.dynamodb.put_item(TableName="table", Item=order | {"terms": {"S": "poison"}})
    records = {"Records": [a_record(item) for item in cloud.items("EVENT#")]}
    with tapped(refusing_messages(100, Random(1))), pytest.raises(Unavailable):
        project(records, None)
    assert {"batchItemFailures": []} == project(records, None)
    assert len(records["Records"]) == len(cloud.parked())
