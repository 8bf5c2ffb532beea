"""Races of sixteen callers: whoever is first, each effect is there once.

In every second round all sixteen wait before their first write until all have read. The two tests of one key and body make the
200 rounds of O4: three times 40 and two times 40.
"""

from collections import Counter
from functools import partial
from typing import Any

import pytest

from customers_api.handler import handler as customers
from orders_api.handler import handler
from tests.adapters.races import CALLERS, Race
from tests.builders import an_event, an_order
from tests.cloud import Answer, Cloud
from tests.faults import Kept


def told(answers: list[Answer]) -> Counter[tuple[int, bool]]:
    return Counter((answer.status, "idempotent-replayed" in answer.headers) for answer in answers)


def send(cloud: Cloud, path: str, body: Any, name: str = "") -> Answer:
    return cloud.call(handler, "POST", path, body, headers={"idempotency-key": name} if name else {})


def pay(cloud: Cloud, names: list[str], number: int) -> Answer:
    return send(cloud, "/v1/orders/A-1001/events", an_event("paid", event_id=names[number]), names[number])


def kinds(cloud: Cloud) -> Counter[str]:
    return Counter(item["type"]["S"] for item in cloud.items() if item["type"]["S"] not in ("key", "site"))


ONE_ORDER = Counter(
    {"order": 1, "order_pointer": 1, "order_listing": 1, "order.placed": 1, "profile": 1, "identity": 2, "customer.created": 1}
)


@pytest.mark.parametrize("_part", range(3))
def test_one_key_and_order_sent_by_sixteen_has_one_effect_in_each_of_40_rounds(cloud: Cloud, race: Race, _part: int) -> None:
    cloud.key()
    kept = Kept()
    for at in range(40):
        kept.restore()
        answers = race.run(lambda _: send(cloud, "/v1/orders", an_order(), "once"), together=at % 2 == 0)
        assert {(201, False): 1, (201, True): 15} == told(answers)
        assert 1 == len({answer.text for answer in answers})
        assert ONE_ORDER + Counter(replay=1) == kinds(cloud)


@pytest.mark.parametrize("_part", range(2))
def test_one_key_and_event_sent_by_sixteen_has_one_effect_in_each_of_40_rounds(cloud: Cloud, race: Race, _part: int) -> None:
    assert 201 == send(cloud, "/v1/orders", an_order()).status
    kept = Kept()
    for at in range(40):
        kept.restore()
        answers = race.run(lambda _: send(cloud, "/v1/orders/A-1001/events", an_event("paid"), "once"), together=at % 2 == 0)
        assert {(201, False): 1, (201, True): 15} == told(answers)
        assert {"2"} == {item["version"]["N"] for item in cloud.items("ORDER#")}
        assert ONE_ORDER + Counter({"replay": 1, "order.paid": 1}) == kinds(cloud)


def test_one_key_with_two_bodies_has_the_effect_of_one(cloud: Cloud, race: Race) -> None:
    cloud.key()
    kept = Kept()
    for at in range(20):
        kept.restore()
        answers = race.run(
            lambda number: send(cloud, "/v1/orders", an_order(order_id=f"A-{number % 2}"), "once"), together=at % 2 == 0
        )
        assert {(201, False): 1, (201, True): 7, (422, False): 8} == told(answers)
        assert ONE_ORDER + Counter(replay=1) == kinds(cloud)


def test_one_order_sent_by_sixteen_without_a_key_is_placed_once(cloud: Cloud, race: Race) -> None:
    cloud.key()
    kept = Kept()
    for at in range(20):
        kept.restore()
        answers = race.run(lambda _: send(cloud, "/v1/orders", an_order()), together=at % 2 == 0)
        assert {(201, False): 1, (200, False): 15} == told(answers)
        assert ONE_ORDER == kinds(cloud)


def test_sixteen_bodies_for_one_order_id_leave_the_first_and_a_conflict_for_the_others(cloud: Cloud, race: Race) -> None:
    cloud.key()
    kept = Kept()
    for at in range(10):
        kept.restore()
        answers = race.run(lambda number: send(cloud, "/v1/orders", an_order(coupon=f"C{number}")), together=at % 2 == 0)
        assert {(201, False): 1, (409, False): 15} == told(answers)
        (placed,) = (answer.json["coupon"] for answer in answers if answer.status == 201)
        assert [placed] == [item["coupon"]["S"] for item in cloud.items("ORDER#")]


def test_sixteen_events_for_one_order_are_each_applied_once(cloud: Cloud, race: Race) -> None:
    assert 201 == send(cloud, "/v1/orders", an_order()).status
    kept = Kept()
    for at in range(4):
        kept.restore()
        for part in range(2):
            names = [f"{part}-{number}" for number in range(CALLERS)]
            answers = race.run(partial(pay, cloud, names), together=at % 2 == 0)
            assert {(201, False): CALLERS} == told(answers)
            assert set(range(2 + CALLERS * part, 2 + CALLERS * (part + 1))) == {answer.json["version"] for answer in answers}
        order = cloud.call(handler, "GET", "/v1/orders/A-1001").json
        everything = sorted(f"{part}-{number}" for part in range(2) for number in range(CALLERS))
        assert (1 + 2 * CALLERS, everything) == (order["version"], sorted(said["event_id"] for said in order["history"]))
        assert 2 * CALLERS == kinds(cloud)["order.paid"]


def test_sixteen_people_who_share_an_address_are_sixteen_customers_and_one_holds_it(cloud: Cloud, race: Race) -> None:
    cloud.key()
    kept = Kept()
    for at in range(6):
        kept.restore()
        answers = race.run(
            lambda number: send(
                cloud,
                "/v1/orders",
                an_order(order_id=f"A-{number}", customer={"user_id": f"u-{number}", "email": "sara@example.com"}),
            ),
            together=at % 2 == 0,
        )
        assert {(201, False): CALLERS} == told(answers)
        assert CALLERS == len({answer.json["customer_id"] for answer in answers})
        found = kinds(cloud)
        assert (CALLERS, CALLERS + 1, CALLERS) == (found["profile"], found["identity"], found["customer.created"])


def test_sixteen_first_orders_of_one_person_make_one_customer(cloud: Cloud, race: Race) -> None:
    """Half of them know a telephone number more, which is gained once; the others know a browser each, and none is lost."""
    cloud.key()
    kept = Kept()
    person = {"user_id": "u-77", "email": "sara@example.com"}

    def more(number: int) -> dict[str, str]:
        return {"phone": "+989121234567"} if number % 2 else {"anonymous_id": f"browser-{number}"}

    for at in range(10):
        kept.restore()
        answers = race.run(
            lambda number: send(
                cloud,
                "/v1/orders",
                an_order(order_id=f"A-{number}", customer=person | more(number)),
            ),
            together=at % 2 == 0,
        )
        assert {(201, False): CALLERS} == told(answers)
        (customer_id,) = {answer.json["customer_id"] for answer in answers}
        customer = cloud.call(customers, "GET", f"/v1/customers/{customer_id}").json
        expected = {"sara@example.com", "u-77", "+989121234567"} | {f"browser-{number}" for number in range(0, CALLERS, 2)}
        assert sorted(expected) == sorted(identifier["value"] for identifier in customer["identifiers"])
        found = kinds(cloud)
        one_each = {"profile": 1, "identity": len(expected), "customer.created": 1} | dict.fromkeys(
            ("order", "order_pointer"), CALLERS
        )
        assert one_each == {kind: found[kind] for kind in one_each}
        listed = cloud.call(customers, "GET", f"/v1/customers/{customer_id}/orders").json["data"]
        assert sorted(f"A-{number}" for number in range(CALLERS)) == sorted(order["order_id"] for order in listed)
