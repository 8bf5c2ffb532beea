"""Carts: what behaviour says is in one, whatever else it says."""

from datetime import timedelta
from typing import Any

import pytest

from ecrm.domain.carts import MOST_LINES, MOST_OF_ONE, cart_of
from ecrm.domain.events import Event
from tests.builders import NOON

type Said = tuple[str, dict[str, Any]]


def happened(*said: Said, site: str = "de") -> list[Event]:
    """Events, the oldest given first, as the timeline gives them."""
    events = [
        Event(
            id=str(at),
            type=type_,
            occurred_at=NOON + timedelta(minutes=at),
            received_at=NOON,
            site=site,
            customer_id="c",
            source="test",
            data={"name": type_, "properties": properties},
        )
        for at, (type_, properties) in enumerate(said)
    ]
    return events[::-1]


def added(sku: object, **more: Any) -> Said:
    return "product.added", {"sku": sku} | more


def removed(sku: str, **more: Any) -> Said:
    return "product.removed", {"sku": sku} | more


def viewed(*products: Any, **more: Any) -> Said:
    return "cart.viewed", {"products": list(products)} | more


ORDERED: Said = ("order.placed", {})
CARTS: dict[str, tuple[list[Said], dict[str, int]]] = {
    "nothing": ([], {}),
    "one thing": ([added("A")], {"A": 1}),
    "the same twice": ([added("A", quantity=2), added("A")], {"A": 3}),
    "in the order in which they came": ([added("B"), added("A")], {"B": 1, "A": 1}),
    "taken out again": ([added("A"), added("B"), removed("A")], {"B": 1}),
    "more taken out than there was": ([added("A"), removed("A", quantity=5), added("A")], {"A": 1}),
    "seen whole": ([added("X"), viewed({"sku": "A", "quantity": 2}, {"product_id": "B"}), added("C")], {"A": 2, "B": 1, "C": 1}),
    "seen whole and empty": ([added("X"), viewed()], {}),
    "seen, but nobody says what is in it": ([added("A"), ("cart.viewed", {}), added("B")], {"A": 1, "B": 1}),
    "ordered": ([added("A"), ORDERED], {}),
    "ordered, says the browser": ([added("A"), ("claimed.order_completed", {})], {}),
    "ordered, and more": ([added("A"), ORDERED, added("B")], {"B": 1}),
    "numbers for skus": ([added(7)], {"7": 1}),
    "nonsense": (
        [added(None), added([1]), added("A", quantity="many"), added("B", quantity=-3), viewed("x", 3)],
        {},
    ),
    "too many of one": ([added("A", quantity=10**9)], {"A": MOST_OF_ONE}),
}


@pytest.mark.parametrize("what", CARTS)
def test_a_cart_is_what_was_put_in_since_it_was_last_whole_or_ordered(what: str) -> None:
    said, expected = CARTS[what]
    assert list(expected.items()) == list(cart_of(happened(*said), "de").items())


def test_a_cart_is_of_one_site() -> None:
    assert {} == cart_of(happened(added("A"), site="fr"), "de")


def test_a_cart_has_no_end_of_lines() -> None:
    assert MOST_LINES == len(cart_of(happened(*(added(f"S-{at}") for at in range(50))), "de"))
