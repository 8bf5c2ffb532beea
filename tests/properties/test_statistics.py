"""O2: a customer's statistics are a fold of the facts, in minor units per currency, whatever is told, repeated or refused."""

from collections import Counter
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from tests.cloud import Cloud
from tests.properties import requests
from tests.properties.ledger import Ledger
from tests.properties.shop import CloudShop, PureShop, Shop

type Body = dict[str, Any]

anything = st.integers(0, 10**6)


class OneCustomersLife(RuleBasedStateMachine):
    """The shop says something, the bookkeeper writes it down; after each word both must have counted the same."""

    def __init__(self, shop: Shop, seen: Counter[str]) -> None:
        super().__init__()
        self.shop = shop
        self.seen = seen
        self.ledger = Ledger()
        self.placed: list[Body] = []
        self.told: list[tuple[str, Body]] = []

    def place(self, body: Body) -> None:
        expected = self.ledger.place(body)
        assert expected == self.shop.place(body)
        self.seen[f"place {expected}"] += 1

    def tell(self, order_id: str, body: Body) -> None:
        expected = self.ledger.tell(order_id, body)
        assert expected == self.shop.tell(order_id, body)
        self.seen[f"{body['type']} {expected}" if "exist" not in expected else f"event {expected}"] += 1

    @precondition(lambda self: len(self.placed) < 2 or (len(self.told) > 6 and len(self.placed) < 4))
    @rule(body=requests.orders())
    def an_order_is_placed(self, body: Body) -> None:
        self.placed.append(body | {"order_id": f"A-{len(self.placed)}"})
        self.place(self.placed[-1])

    @precondition(lambda self: self.placed)
    @rule(data=st.data(), which=anything, times=st.integers(2, 6))
    def something_happens_to_an_order(self, data: st.DataObject, which: int, times: int) -> None:
        order = self.placed[which % len(self.placed)]
        for _ in range(times):
            body = data.draw(requests.events(order["currency"])) | {"event_id": f"e-{len(self.told)}"}
            self.told.append((order["order_id"], body))
            self.tell(*self.told[-1])

    @precondition(lambda self: self.told)
    @rule(which=anything, change=st.sampled_from(({}, {"backfill": True})))
    def an_order_is_sent_again(self, which: int, change: Body) -> None:
        self.place(self.placed[which % len(self.placed)] | change)

    @precondition(lambda self: self.told)
    @rule(which=anything, change=st.sampled_from(({}, {"backfill": True})))
    def an_event_is_sent_again(self, which: int, change: Body) -> None:
        order_id, body = self.told[which % len(self.told)]
        self.tell(order_id, body | change)

    @invariant()
    def the_statistics_are_the_bookkeepers(self) -> None:
        assert self.ledger.statistics() == self.shop.statistics()


def live(shop: Callable[[], Shop], seen: Counter[str], *, runs: int, steps: int) -> None:
    class ALife(OneCustomersLife):
        def __init__(self) -> None:
            super().__init__(shop(), seen)

    plan = settings(max_examples=runs, stateful_step_count=steps, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(ALife, settings=plan)


def test_the_statistics_of_500_lives_are_what_a_bookkeeper_counts_by_hand() -> None:
    seen: Counter[str] = Counter()
    live(PureShop, seen, runs=500, steps=15)
    assert [] == [word for word in EVERYTHING if seen[word] < 10]


KINDS = ("paid", "packed", "shipped", "shipment_updated", "delivered", "amended", "cancelled", "refunded", "returned")
LINES_KINDS = ("shipped", "delivered", "cancelled", "refunded", "returned")
EVERYTHING = [
    *(f"place {became}" for became in ("created", "existing", "order_exists")),
    *(f"event {became}" for became in ("existing", "event_exists")),
    *(f"{kind} created" for kind in KINDS),
    *(f"{kind} unknown_line" for kind in LINES_KINDS),
    *(f"{kind} {kind}_exceeds_ordered" for kind in LINES_KINDS if kind != "refunded"),
    "refunded refund_exceeds_total",
]
"""What may become of a request: 500 lives must have met each."""


@pytest.fixture
def customers(cloud: Cloud) -> Callable[[], Shop]:
    number = count()
    return lambda: CloudShop(cloud, f"u-{next(number)}")


def test_the_rows_that_the_stream_leaves_behind_are_the_bookkeepers(customers: Callable[[], Shop]) -> None:
    seen: Counter[str] = Counter()
    live(customers, seen, runs=25, steps=15)
    assert {"place created", "cancelled created", "amended created"} <= set(seen)
