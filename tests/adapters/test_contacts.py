"""A contact is recorded once, whatever dies, is lost or happens to its customer on the way."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from customers_api.handler import handler
from ecrm import bootstrap
from ecrm.store import keys
from ecrm.store.table import Put
from orders_api.handler import handler as orders
from tests.builders import an_order
from tests.cloud import Answer, Cloud, forget, one_call_at_a_time
from tests.faults import CRASHES, Kept, Kill, at, tapped

CALL = {
    "channel": "call",
    "direction": "inbound",
    "text": "Asks when the parcel comes.",
    "author": {"role": "agent"},
    "occurred_at": "2026-11-20T13:00:00Z",
    "contact_id": "call-1",
}


@pytest.fixture
def customer_id(cloud: Cloud) -> str:
    placed = cloud.call(orders, "POST", "/v1/orders", an_order())
    assert 201 == placed.status
    return str(placed.json["customer_id"])


def record(cloud: Cloud, customer_id: str, name: str = "", **changes: Any) -> Answer:
    headers = {"idempotency-key": name} if name else {}
    return cloud.call(handler, "POST", f"/v1/customers/{customer_id}/contacts", CALL | changes, headers=headers)


def kinds(cloud: Cloud) -> Counter[str]:
    return Counter(item["type"]["S"] for item in cloud.items() if item["type"]["S"] in ("contact", "contact.recorded", "replay"))


ONE = Counter({"contact": 1, "contact.recorded": 1})


@pytest.mark.parametrize("name", ["", "once"], ids=["without a key", "with an Idempotency-Key"])
def test_a_crash_at_any_call_and_a_retry_leave_one_contact(cloud: Cloud, customer_id: str, name: str) -> None:
    kept = Kept()
    with tapped() as calls:
        handler._seen_keys.clear()
        quiet = record(cloud, customer_id, name)
    whole = ONE + Counter(replay=1) if name else ONE
    assert (201, whole) == (quiet.status, kinds(cloud))
    for kind, fault in CRASHES.items():
        forget()
        for number, operation in enumerate(calls):
            kept.restore()
            handler._seen_keys.clear()
            where = f"{kind}, {operation} ({number + 1} of {len(calls)})"
            with tapped(at(number, fault)):
                try:
                    answered: Answer | None = record(cloud, customer_id, name)
                except Kill:
                    answered = None
            assert (where, kind.startswith("kill")) == (where, answered is None)
            left = kinds(cloud)
            assert left in (Counter(), whole), where
            again = record(cloud, customer_id, name)
            expected = 200 if left and not name else 201
            assert (where, expected, quiet.json, whole) == (where, again.status, again.json, kinds(cloud))


@pytest.fixture
def callers() -> Iterator[ThreadPoolExecutor]:
    with one_call_at_a_time(), ThreadPoolExecutor(16) as pool:
        yield pool


def test_one_contact_sent_by_sixteen_is_recorded_once(cloud: Cloud, customer_id: str, callers: ThreadPoolExecutor) -> None:
    kept = Kept()
    for _ in range(10):
        kept.restore()
        answers = [*callers.map(lambda _: record(cloud, customer_id), range(16))]
        assert (Counter({201: 1, 200: 15}), ONE) == (Counter(answer.status for answer in answers), kinds(cloud))


def test_of_sixteen_texts_under_one_id_one_is_kept(cloud: Cloud, customer_id: str, callers: ThreadPoolExecutor) -> None:
    answers = [*callers.map(lambda number: record(cloud, customer_id, text=f"words {number}"), range(16))]
    assert (Counter({201: 1, 409: 15}), ONE) == (Counter(answer.status for answer in answers), kinds(cloud))
    (event,) = cloud.items("EVENT#2026-11-20T13:00:00")
    assert [event["data"]["M"]["text"]["S"]] == [answer.json["text"] for answer in answers if answer.status == 201]


def becomes(customer_id: str, **change: Any) -> None:
    """Change a profile as a merger or an erasure does, without their other work."""
    key = keys.profile(customer_id)
    item = bootstrap.table().get(key, consistent=True) or {
        "PK": key.pk,
        "SK": key.sk,
        "type": "profile",
        "v": 1,
        "version": 0,
        "created_at": "2026-11-20T12:00:00.000000Z",
        "identifiers": [],
    }
    bootstrap.table().put(Put(item | {"version": item["version"] + 1} | change, None, "changed"))


OTHER = "0" * 31 + "1"


def test_a_customer_who_is_merged_in_the_meantime_takes_the_contact_along(cloud: Cloud, customer_id: str) -> None:
    is_merged = False

    def meanwhile(sent: Any, deliver: Any) -> Any:
        nonlocal is_merged
        if sent.operation == "TransactWriteItems" and not is_merged:
            is_merged = True
            becomes(OTHER, absorbed=[customer_id])
            becomes(customer_id, merged_into=OTHER)
        return deliver()

    with tapped(meanwhile):
        made = record(cloud, customer_id)
    assert (201, OTHER) == (made.status, made.json["customer_id"])
    assert [f"CUSTOMER#{OTHER}"] * 2 == [item["PK"]["S"] for item in cloud.items() if item["type"]["S"].startswith("contact")]


def test_a_customer_who_is_erased_in_the_meantime_gets_no_contact(cloud: Cloud, customer_id: str) -> None:
    is_erased = False

    def meanwhile(sent: Any, deliver: Any) -> Any:
        nonlocal is_erased
        if sent.operation == "TransactWriteItems" and not is_erased:
            is_erased = True
            becomes(customer_id, erased_at="2026-11-20T12:00:00.000000Z")
        return deliver()

    with tapped(meanwhile):
        refused = record(cloud, customer_id)
    assert (410, "customer_erased", Counter()) == (refused.status, refused.json["code"], kinds(cloud))


def test_a_contact_that_an_absorbed_customer_has_is_recorded_no_second_time(cloud: Cloud, customer_id: str) -> None:
    """It is sent again after its customer turned out to be another one."""
    assert 201 == record(cloud, customer_id).status
    becomes(OTHER, absorbed=[customer_id])
    becomes(customer_id, merged_into=OTHER)
    again = [record(cloud, customer_id), record(cloud, OTHER), record(cloud, OTHER, text="Other words.")]
    assert [200, 200, 409] == [answer.status for answer in again]
    assert {OTHER} == {answer.json["customer_id"] for answer in again[:2]}
    assert ONE == kinds(cloud)
