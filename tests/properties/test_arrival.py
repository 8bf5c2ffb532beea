"""O3: an order is what its facts say, in whatever order and however often they arrive."""

from itertools import permutations
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import an_event, an_order
from tests.cloud import Cloud
from tests.properties import requests
from tests.properties.shop import CloudShop, PureShop, Shop

type Body = dict[str, Any]
type Result = tuple[Body, object]

NEW_LINES = [
    {"line_id": "1", "sku": "CD-5", "name": "Blue", "quantity": 3, "unit_price": "9.00"},
    {"line_id": "3", "sku": "CD-7", "name": "Mingus", "quantity": 2, "unit_price": "5.00"},
]


def at(hour: int, kind: str, **said: Any) -> Body:
    """An event at an hour, its lines as `{"1": 2}`."""
    lines = said.pop("lines", None)
    if isinstance(lines, dict):
        lines = [{"line_id": line_id, "quantity": quantity} for line_id, quantity in lines.items()]
    event_id = f"{kind}-{hour}-{said.get('shipment_id', '')}"
    body = an_event(kind, occurred_at=f"2026-11-21T{hour:02}:00:00Z", event_id=event_id) | said
    return body if lines is None else body | {"lines": lines}


def amendment(hour: int, lines: list[Body], total: str) -> Body:
    return at(hour, "amended", shipping="0", tax="0", total=total) | {"lines": lines}


STORIES: dict[str, list[Body]] = {
    "parcels that name their lines": [
        at(1, "paid"),
        at(2, "shipped", shipment_id="p1", lines={"1": 1}),
        at(3, "shipped", shipment_id="p2", lines={"1": 1, "2": 1}),
        at(4, "delivered", shipment_id="p1"),
        at(5, "delivered", shipment_id="p2"),
        at(6, "returned", lines={"1": 1}),
    ],
    "all that is left": [
        at(1, "paid"),
        at(2, "packed"),
        at(3, "shipped", shipment_id="p1", lines={"1": 1}),
        at(4, "shipped", shipment_id="p2"),
        at(5, "delivered"),
        at(6, "refunded"),
    ],
    "all that is left, six times": [
        at(1, "shipped", shipment_id="p1"),
        at(2, "cancelled"),
        at(3, "shipped", shipment_id="p2"),
        at(4, "delivered"),
        at(5, "returned"),
        at(6, "refunded"),
    ],
    "two amendments, and what only they allow": [
        amendment(1, NEW_LINES, "37.00"),
        amendment(2, NEW_LINES[:1], "27.00"),
        at(3, "shipped", shipment_id="p1", lines={"1": 3}),
        at(4, "delivered", shipment_id="p1"),
        at(5, "refunded", amount="35.00"),
        at(6, "cancelled", lines={"3": 2}),
    ],
    "a cancellation between parcels": [
        at(1, "cancelled", lines={"1": 1}),
        at(2, "shipped", shipment_id="p1", lines={"2": 1}),
        at(3, "cancelled"),
        at(4, "delivered", shipment_id="p1"),
        at(5, "refunded", amount="8.00", lines={"1": 1}),
        at(6, "refunded", amount="8.00", lines={"1": 1}),
    ],
    "refunds in parts and of all": [
        at(1, "delivered"),
        at(2, "returned", lines={"2": 1}),
        at(3, "refunded", amount="7.00", lines={"2": 1}),
        at(4, "refunded", amount="1.27"),
        at(5, "refunded"),
        at(6, "returned"),
    ],
    "delivered before shipped": [
        at(1, "delivered", shipment_id="p1"),
        at(2, "delivered", lines={"2": 1}),
        at(3, "returned"),
        at(4, "shipped", shipment_id="p1", lines={"1": 2}),
        at(5, "shipped", shipment_id="p2"),
        at(6, "cancelled"),
    ],
    "the carrier speaks first": [
        at(1, "shipment_updated", state="in_transit", estimated_on="2026-11-24"),
        at(2, "shipment_updated", state="failed_attempt"),
        at(3, "shipment_updated", state="held", estimated_on="2026-11-26"),
        at(4, "shipped", estimated_on="2026-11-25", carrier="DHL", tracking_number="1"),
        at(5, "shipped", shipment_id="parcel-1", carrier="UPS", lines={"1": 1}),
        at(6, "delivered", shipment_id="parcel-1"),
    ],
    "six facts of one instant": [
        at(1, "shipped", event_id="c"),
        at(1, "cancelled", event_id="b"),
        at(1, "shipment_updated", state="held", event_id="d"),
        at(1, "shipment_updated", state="failed_attempt", event_id="e"),
        amendment(1, NEW_LINES, "37.00") | {"event_id": "a"},
        amendment(1, NEW_LINES[1:], "10.00") | {"event_id": "f"},
    ],
}
CONTRADICTIONS = {
    "two amendments, and what only they allow": ["cancelled_exceeds_ordered", "refund_exceeds_total"],
    "six facts of one instant": [],
}
"""What stays of a story in `needs_attention`, where anything does."""


def send(shop: Shop, arrival: tuple[Body, ...], *, twice: bool = False) -> tuple[Result, set[str]]:
    """Tell an order's events; the sender of one that is refused tries again later. Gives the order and who was ever refused."""
    assert shop.place(an_order()) == "created"
    waiting: list[Body] = []
    refused: set[str] = set()
    for event in arrival:
        waiting.append(event)
        while taken := next((one for one in waiting if _is_taken(shop, one, refused)), None):
            waiting.remove(taken)
            if twice:
                assert shop.tell("A-1001", taken) == "existing"
    assert waiting == []
    return (shop.order("A-1001"), shop.statistics()), refused


def _is_taken(shop: Shop, event: Body, refused: set[str]) -> bool:
    became = shop.tell("A-1001", event)
    if became != "created":
        assert became in ("unknown_line", "refund_exceeds_total") or became.endswith("_exceeds_ordered"), became
        refused.add(event["event_id"])
    return became == "created"


@pytest.mark.parametrize("name", STORIES)
def test_the_720_orders_of_arrival_of_six_facts_give_one_order_and_one_row(name: str) -> None:
    straight, _ = send(PureShop(), tuple(STORIES[name]))
    results = [send(PureShop(), arrival)[0] for arrival in permutations(STORIES[name])]
    assert (720, 720) == (len(results), results.count(straight))
    order, _ = straight
    assert (7, CONTRADICTIONS.get(name, [])) == (order["version"], order["needs_attention"])


@pytest.mark.parametrize("name", STORIES)
def test_a_duplicate_changes_nothing_wherever_it_arrives(name: str) -> None:
    straight, _ = send(PureShop(), tuple(STORIES[name]))
    for arrival in Random(7).sample(list(permutations(STORIES[name])), 60):
        shop = PureShop()
        assert straight == send(shop, arrival, twice=True)[0]
        for event in arrival:
            assert ("existing", "event_exists") == (shop.tell("A-1001", event), shop.tell("A-1001", event | {"backfill": True}))
        assert straight == (shop.order("A-1001"), shop.statistics())


def test_what_an_amendment_allows_is_refused_until_it_arrives() -> None:
    story = STORIES["two amendments, and what only they allow"]
    assert set() == send(PureShop(), tuple(story))[1]
    assert {story[2]["event_id"], story[4]["event_id"], story[5]["event_id"]} == send(PureShop(), (*story[2:], *story[:2]))[1]


@pytest.mark.parametrize("name", STORIES)
def test_the_table_tells_the_same_story_as_memory(cloud: Cloud, name: str) -> None:
    straight, _ = send(PureShop(), tuple(STORIES[name]))
    for number, arrival in enumerate(Random(7).sample(list(permutations(STORIES[name])), 3)):
        shop = CloudShop(cloud, f"u-{number}")
        (order, row), _ = send(shop, arrival, twice=True)
        theirs = {"order_id": f"u-{number}:A-1001", "customer_id": shop.customer_id}
        assert (straight[0] | theirs, straight[1]) == (order, row)


@settings(max_examples=300)
@given(st.lists(requests.events("EUR"), min_size=2, max_size=8), st.data())
def test_facts_that_can_all_be_right_make_one_order_however_they_arrive(events: list[Body], data: st.DataObject) -> None:
    """What one order of arrival takes whole, another takes whole too, after the senders' retries."""
    named = [event | {"event_id": f"e-{number}"} for number, event in enumerate(events)]
    shop = PureShop()
    shop.place(an_order())
    taken = tuple(event for event in named if shop.tell("A-1001", event) == "created")
    shuffled = tuple(data.draw(st.permutations(taken)))
    assert (shop.order("A-1001"), shop.statistics()) == send(PureShop(), shuffled)[0]


def test_of_two_facts_that_cannot_both_be_right_the_first_is_kept() -> None:
    one, other = at(2, "shipped", shipment_id="p1", lines={"1": 2}), at(1, "shipped", shipment_id="p2", lines={"1": 1})
    for first, second in ((one, other), (other, one)):
        shop = PureShop()
        shop.place(an_order())
        assert ("created", "shipped_exceeds_ordered") == (shop.tell("A-1001", first), shop.tell("A-1001", second))
        assert [first["shipment_id"]] == [parcel["shipment_id"] for parcel in shop.order("A-1001")["shipments"]]


def test_an_order_sent_again_is_there_and_with_another_body_it_is_refused() -> None:
    shop = PureShop()
    became = [shop.place(body) for body in (an_order(), an_order(), an_order(coupon="AUTUMN"))]
    assert ["created", "existing", "order_exists"] == became
