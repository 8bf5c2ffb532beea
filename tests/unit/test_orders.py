"""What an order's facts come to."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from ecrm.domain import orders as domain
from ecrm.domain.errors import Conflict, RuleBroken
from ecrm.domain.orders import (
    Fact,
    LineState,
    Order,
    OrderState,
    Shipment,
    ShipmentState,
    Status,
    check,
    fold,
    with_fact,
)
from tests.builders import NOON
from tests.unit.facts import (
    LINES,
    amended,
    an_agreement,
    cancelled,
    delivered,
    hour,
    in_words,
    packed,
    paid,
    refunded,
    returned,
    shipped,
    some_terms,
    told,
)

ALL_OF_IT = {"1": 2, "2": 1}


def test_an_order_of_which_nothing_was_heard_is_placed() -> None:
    expected = OrderState(
        status=Status.PLACED,
        terms=some_terms(),
        amended_by=None,
        lines={"1": LineState(2, 0, 0, 0, 0), "2": LineState(1, 0, 0, 0, 0)},
        shipments=(),
        paid_at=None,
        refunded_minor=0,
        cancelled_minor=0,
        needs_attention=(),
        history=(),
    )
    assert expected == fold(an_agreement())


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ((paid(1),), "paid"),
        ((packed(1),), "packed"),
        ((paid(2), packed(1)), "packed"),
        ((shipped(1, lines={"1": 1}),), "partially_shipped"),
        ((shipped(1, lines={"1": 2}),), "partially_shipped"),
        ((shipped(1, lines=ALL_OF_IT),), "shipped"),
        ((shipped(1),), "shipped"),
        ((shipped(1, "p1", {"1": 2}), shipped(2, "p2")), "shipped"),
        ((shipped(1, lines={"1": 2}), cancelled(2)), "shipped"),
        ((shipped(1, lines={"1": 2}), cancelled(2, {"2": 1})), "shipped"),
        ((shipped(1, lines={"1": 1}), cancelled(2, {"2": 1})), "partially_shipped"),
        ((shipped(1, "p1", {"1": 2}), delivered(2, "p1")), "partially_shipped"),
        ((shipped(1, "p1", {"1": 2}), shipped(1, "p2", {"2": 1}), delivered(2, "p1")), "shipped"),
        ((shipped(1, "p1", {"1": 2}), shipped(1, "p2", {"2": 1}), delivered(2, "p1"), delivered(3, "p2")), "delivered"),
        ((shipped(1), delivered(2, "p1")), "delivered"),
        ((delivered(2),), "delivered"),
        ((delivered(2, lines=ALL_OF_IT),), "delivered"),
        ((delivered(2, lines={"1": 2}),), "partially_shipped"),
        ((shipped(1), delivered(2, lines={"1": 2})), "shipped"),
        ((delivered(3), cancelled(1, {"1": 2})), "delivered"),
        ((delivered(2), returned(3, {"1": 2})), "delivered"),
        ((delivered(2), returned(3, {"1": 2}), returned(4, {"2": 1})), "returned"),
        ((delivered(2), returned(3)), "returned"),
        ((shipped(1, lines={"1": 2}), cancelled(2), delivered(3), returned(4, {"1": 2})), "returned"),
        ((delivered(2), refunded(3, 2789)), "delivered"),
        ((delivered(2), refunded(3, 2790)), "refunded"),
        ((delivered(2), refunded(3)), "refunded"),
        ((refunded(3, 1000), refunded(4)), "refunded"),
        ((delivered(2), returned(3), refunded(4)), "refunded"),
        ((cancelled(1),), "cancelled"),
        ((cancelled(1, ALL_OF_IT),), "cancelled"),
        ((cancelled(1, {"1": 2}), cancelled(2)), "cancelled"),
        ((cancelled(1, {"1": 2}),), "placed"),
        ((paid(1), cancelled(2), refunded(3)), "cancelled"),
        ((paid(1), cancelled(2, {"1": 2})), "paid"),
        ((cancelled(1), amended(2, {"1": (3, 800)})), "cancelled"),
        ((cancelled(1, {"1": 2}), amended(2, {"1": (3, 800)})), "placed"),
        ((shipped(1, lines={"1": 2}), amended(2, {"1": (2, 800)})), "shipped"),
        ((delivered(1), cancelled(2)), "delivered"),
        ((delivered(1, lines={"1": 2}), cancelled(2)), "delivered"),
    ],
    ids=in_words,
)
def test_an_orders_status_is_the_furthest_that_its_facts_agree_on(facts: tuple[Fact, ...], status: str) -> None:
    assert status == fold(an_agreement(*facts)).status


@pytest.mark.parametrize("hours", [1, 3])
def test_a_fact_is_judged_by_when_it_happened_not_by_when_it_was_told(hours: int) -> None:
    facts = (cancelled(2), shipped(hours))
    states = {fold(an_agreement(*told)).status for told in (facts, facts[::-1])}
    assert {Status.SHIPPED if hours == 1 else Status.CANCELLED} == states


def test_of_two_facts_of_one_instant_the_smaller_event_id_comes_first() -> None:
    order = an_agreement(cancelled(1, event_id="b"), shipped(1, event_id="a"))
    assert Status.SHIPPED == fold(order).status
    order = an_agreement(cancelled(1, event_id="a"), shipped(1, event_id="b"))
    assert Status.CANCELLED == fold(order).status


@pytest.mark.parametrize(
    ("facts", "lines"),
    [
        ((shipped(1, "p1", {"1": 1}), shipped(2, "p2", {"1": 1})), {"1": (2, 0, 0, 0), "2": (0, 0, 0, 0)}),
        ((shipped(2, "p1"), shipped(1, "p2", {"1": 1}), shipped(3, "p3")), {"1": (2, 0, 0, 0), "2": (1, 0, 0, 0)}),
        ((cancelled(3, {"1": 1}), shipped(1)), {"1": (1, 0, 1, 0), "2": (1, 0, 0, 0)}),
        ((shipped(1, "p1", {"1": 1}), delivered(2, "p1")), {"1": (1, 1, 0, 0), "2": (0, 0, 0, 0)}),
        ((delivered(2, lines={"1": 1}), delivered(3, lines={"1": 1})), {"1": (2, 2, 0, 0), "2": (0, 0, 0, 0)}),
        ((delivered(2, lines={"1": 1}), delivered(3)), {"1": (2, 2, 0, 0), "2": (1, 1, 0, 0)}),
        ((cancelled(1, {"1": 1}), delivered(2)), {"1": (1, 1, 1, 0), "2": (1, 1, 0, 0)}),
        ((delivered(1), returned(2, {"1": 1}), returned(3)), {"1": (2, 2, 0, 2), "2": (1, 1, 0, 1)}),
        ((shipped(1, "p1", {"1": 2}), cancelled(2), delivered(3), returned(4)), {"1": (2, 2, 0, 2), "2": (0, 0, 1, 0)}),
        ((delivered(1), cancelled(2)), {"1": (2, 2, 0, 0), "2": (1, 1, 0, 0)}),
        ((delivered(1), cancelled(2), shipped(3)), {"1": (2, 2, 0, 0), "2": (1, 1, 0, 0)}),
        ((cancelled(1), cancelled(2)), {"1": (0, 0, 2, 0), "2": (0, 0, 1, 0)}),
        ((cancelled(1), shipped(2)), {"1": (0, 0, 2, 0), "2": (0, 0, 1, 0)}),
        ((shipped(1, "p1"), shipped(2, "p2")), {"1": (2, 0, 0, 0), "2": (1, 0, 0, 0)}),
        ((delivered(2), cancelled(1)), {"1": (0, 0, 2, 0), "2": (0, 0, 1, 0)}),
        ((delivered(2), shipped(1, lines={"1": 1}), cancelled(3)), {"1": (2, 2, 0, 0), "2": (1, 1, 0, 0)}),
        ((delivered(3, lines={"1": 1}), cancelled(1)), {"1": (1, 1, 1, 0), "2": (0, 0, 1, 0)}),
        ((delivered(2, lines={"1": 1}), shipped(1, lines={"1": 1}), cancelled(3)), {"1": (1, 1, 1, 0), "2": (0, 0, 1, 0)}),
        ((delivered(2, "p1", {"1": 1}), delivered(3, "p1"), shipped(1, "p1")), {"1": (2, 2, 0, 0), "2": (1, 1, 0, 0)}),
        (
            (shipped(1), delivered(2, "p1", {"1": 1}), delivered(3, lines={"1": 1})),
            {"1": (2, 2, 0, 0), "2": (1, 0, 0, 0)},
        ),
    ],
    ids=in_words,
)
def test_each_line_counts_what_was_shipped_delivered_cancelled_and_returned(
    facts: tuple[Fact, ...], lines: Mapping[str, tuple[int, int, int, int]]
) -> None:
    expected = {line_id: LineState(LINES[line_id][0], *counts) for line_id, counts in lines.items()}
    state = fold(an_agreement(*facts))
    assert (expected, ()) == (state.lines, state.needs_attention)


def test_a_parcel_shows_the_latest_word_on_each_of_its_details() -> None:
    order = an_agreement(
        shipped(2, "p1", {"1": 2}, carrier="DHL", tracking_number="1", estimated_on=date(2026, 11, 24)),
        told(5, "p1", ShipmentState.HELD),
        told(4, "p1", ShipmentState.IN_TRANSIT, estimated_on=date(2026, 11, 25)),
        shipped(3, "p1", {"2": 1}, carrier="UPS", tracking_url="https://ups.example/1"),
    )
    expected = Shipment(
        shipment_id="p1",
        shipped_at=hour(2),
        carrier="UPS",
        tracking_number="1",
        tracking_url="https://ups.example/1",
        state=ShipmentState.HELD,
        estimated_on=date(2026, 11, 25),
        delivered_at=None,
        lines=ALL_OF_IT,
    )
    assert (expected,) == fold(order).shipments


def test_a_delivered_parcel_stays_delivered_whatever_the_carrier_says_later() -> None:
    order = an_agreement(
        shipped(1, "p1"), told(4, "p1", ShipmentState.HELD), delivered(3, "p1"), delivered(2, "p1", event_id="first")
    )
    (parcel,) = fold(order).shipments
    assert (ShipmentState.DELIVERED, hour(2)) == (parcel.state, parcel.delivered_at)


def test_parcels_stand_in_the_order_in_which_they_are_first_heard_of() -> None:
    order = an_agreement(shipped(3, "p1", {"1": 1}), shipped(2, "p2", {"1": 1}), told(1, "p3", ShipmentState.IN_TRANSIT))
    assert ["p3", "p2", "p1"] == [parcel.shipment_id for parcel in fold(order).shipments]


def test_an_order_is_paid_when_it_first_was() -> None:
    assert hour(1) == fold(an_agreement(paid(2), paid(1))).paid_at


@pytest.mark.parametrize(
    ("facts", "attention"),
    [
        ((told(2, "p1", ShipmentState.HELD),), ("unknown_shipment",)),
        ((delivered(2, "p1"),), ("unknown_shipment",)),
        ((returned(2, {"1": 1}),), ("returned_not_shipped",)),
        ((returned(2),), ("returned_not_shipped",)),
        ((cancelled(1, {"1": 1}), shipped(2, lines={"1": 2})), ("cancelled_and_shipped",)),
        ((cancelled(1, {"1": 2}), delivered(2, lines={"1": 1})), ("cancelled_and_shipped",)),
        ((shipped(1, lines={"1": 2}), amended(2, {"1": (1, 800)})), ("shipped_exceeds_ordered", "cancelled_and_shipped")),
        ((cancelled(1, {"1": 2}), amended(2, {"1": (1, 800)})), ("cancelled_exceeds_ordered", "cancelled_and_shipped")),
        ((refunded(1, 2000), amended(2, {"1": (1, 800)})), ("refund_exceeds_total",)),
        (
            (shipped(1, "p1", {"1": 2}), delivered(2, "p1"), delivered(3, lines={"1": 1})),
            ("shipped_exceeds_ordered", "delivered_exceeds_ordered", "cancelled_and_shipped"),
        ),
        (
            (shipped(1), returned(2, {"2": 1}), amended(3, {"1": (2, 800)})),
            ("returned_exceeds_ordered", "returned_not_shipped"),
        ),
    ],
    ids=lambda facts: (
        "-".join(fact.event_id for fact in facts) if isinstance(facts, tuple) and isinstance(facts[0], Fact) else None
    ),
)
def test_facts_that_contradict_each_other_are_kept_and_named(facts: tuple[Fact, ...], attention: tuple[str, ...]) -> None:
    assert attention == fold(an_agreement(*facts)).needs_attention


@pytest.mark.parametrize(
    ("facts", "missing"),
    [
        ((told(2, "p1", ShipmentState.HELD),), shipped(1, "p1")),
        ((delivered(2, "p1"),), shipped(1, "p1")),
        ((returned(2, {"1": 1}),), shipped(1, "p1", {"1": 1})),
        ((returned(2),), delivered(1)),
        ((cancelled(1, {"1": 1}), shipped(2, lines={"1": 2})), amended(0, {"1": (3, 800), "2": (1, 700)})),
        ((shipped(1, lines={"1": 2}), amended(2, {"1": (1, 800)})), amended(3, {"1": (2, 800)})),
        ((refunded(1, 2000), amended(2, {"1": (1, 800)})), amended(3, {"1": (2, 800)})),
    ],
    ids=in_words,
)
def test_a_contradiction_goes_away_when_the_missing_fact_arrives(facts: tuple[Fact, ...], missing: Fact) -> None:
    order = an_agreement(*facts)
    check(order, missing)
    assert (True, ()) == (bool(fold(order).needs_attention), fold(with_fact(order, missing)).needs_attention)


@pytest.mark.parametrize(
    ("facts", "fact", "code"),
    [
        ((), shipped(1, lines={"9": 1}), "unknown_line"),
        ((), returned(1, lines={"9": 1}), "unknown_line"),
        ((), refunded(1, 1, {"9": 1}), "unknown_line"),
        ((), shipped(1, lines={"1": 3}), "shipped_exceeds_ordered"),
        ((), delivered(1, lines={"1": 3}), "delivered_exceeds_ordered"),
        ((), cancelled(1, lines={"1": 3}), "cancelled_exceeds_ordered"),
        ((), returned(1, lines={"1": 3}), "returned_exceeds_ordered"),
        ((shipped(1, lines={"1": 1}),), shipped(2, "p2", {"1": 2}), "shipped_exceeds_ordered"),
        ((shipped(3, lines={"1": 2}),), shipped(1, "p2", {"1": 1}), "shipped_exceeds_ordered"),
        ((amended(1, {"1": (3, 800)}),), shipped(2, lines={"1": 4}), "shipped_exceeds_ordered"),
        ((amended(1, {"1": (1, 800)}),), shipped(2, lines={"1": 3}), "shipped_exceeds_ordered"),
        ((), refunded(1, 2791), "refund_exceeds_total"),
        ((refunded(1, 2000),), refunded(2, 791), "refund_exceeds_total"),
        ((amended(1, {"1": (1, 800)}),), refunded(2, 2791), "refund_exceeds_total"),
    ],
    ids=in_words,
)
def test_what_no_order_of_arrival_could_make_right_is_refused(facts: tuple[Fact, ...], fact: Fact, code: str) -> None:
    with pytest.raises(Conflict) as refused:
        check(an_agreement(*facts), fact)
    assert code == refused.value.code


def test_a_refused_refund_says_by_how_much_it_is_too_large() -> None:
    with pytest.raises(Conflict, match=r"^refunds exceed the order's total by 0\.01 EUR$"):
        check(an_agreement(refunded(1, 2000)), refunded(2, 791))


@pytest.mark.parametrize(
    ("facts", "fact"),
    [
        ((), shipped(1, lines=ALL_OF_IT)),
        ((shipped(1),), shipped(2, "p2", ALL_OF_IT)),
        ((cancelled(1, ALL_OF_IT),), shipped(2, lines=ALL_OF_IT)),
        ((amended(1, {"1": (3, 800)}),), shipped(2, lines={"1": 3})),
        ((amended(1, {"1": (1, 800)}),), shipped(2, lines={"1": 2, "2": 1})),
        ((amended(1, {"1": (9, 800)}),), refunded(2, 7690)),
        ((), refunded(1, 2790)),
        ((refunded(1, 2790),), refunded(2)),
        ((refunded(1, 500, {"2": 1}),), refunded(2, 200, {"2": 1})),
        ((refunded(1),), refunded(2, 2790)),
        ((shipped(1, lines=ALL_OF_IT),), amended(2, {"2": (1, 700)})),
        ((shipped(1), delivered(2), cancelled(3), returned(4)), cancelled(5)),
        ((), told(1, "p9", ShipmentState.HELD)),
        ((), delivered(1, "p9")),
        ((), returned(1, ALL_OF_IT)),
    ],
    ids=in_words,
)
def test_what_another_fact_could_still_make_right_is_taken(facts: tuple[Fact, ...], fact: Fact) -> None:
    check(an_agreement(*facts), fact)


def test_an_order_keeps_200_facts_and_no_more() -> None:
    order = an_agreement(*(paid(1, f"paid-{at}") for at in range(199)))
    check(order, paid(1, "the 200th"))
    with pytest.raises(RuleBroken) as refused:
        check(with_fact(order, paid(1, "the 200th")), paid(1, "one more"))
    assert "too_many_events" == refused.value.code


@pytest.mark.parametrize(
    ("facts", "cancelled_minor", "refunded_minor", "net_revenue_minor"),
    [
        ((), 0, 0, 2300),
        ((paid(1), shipped(2), delivered(3)), 0, 0, 2300),
        ((cancelled(1, {"1": 1}),), 800, 0, 1500),
        ((cancelled(1, {"1": 1}), refunded(2, 500)), 800, 500, 1500),
        ((cancelled(1, {"1": 1}), refunded(2, 800)), 800, 800, 1500),
        ((cancelled(1, {"1": 1}), refunded(2, 1000)), 800, 1000, 1300),
        ((delivered(1), returned(2, {"1": 1}), refunded(3, 800)), 0, 800, 1500),
        ((delivered(1), returned(2)), 0, 0, 2300),
        ((cancelled(1),), 2300, 0, 0),
        ((cancelled(1), refunded(2)), 2300, 2790, 0),
        ((refunded(2),), 0, 2790, 0),
        ((refunded(1, 300), refunded(2)), 0, 2790, 0),
        ((amended(1, {"1": (1, 800)}),), 0, 0, 800),
        ((amended(1, {"1": (1, 800)}), refunded(2, 1500)), 0, 1500, 0),
        ((amended(1, {"1": (1, 800)}), refunded(2)), 0, 1290, 0),
        ((amended(1, {"1": (1, 800)}), refunded(2), refunded(3, 2000)), 0, 2000, 0),
        ((cancelled(1, {"1": 2}), amended(2, {"1": (1, 800), "2": (1, 700)})), 800, 0, 700),
    ],
    ids=in_words,
)
def test_net_revenue_is_the_lines_minus_what_was_cancelled_or_paid_back_and_never_both(
    facts: tuple[Fact, ...], cancelled_minor: int, refunded_minor: int, net_revenue_minor: int
) -> None:
    state = fold(an_agreement(*facts))
    assert (cancelled_minor, refunded_minor, net_revenue_minor) == (
        state.cancelled_minor,
        state.refunded_minor,
        state.net_revenue_minor,
    )


def test_the_last_amendment_by_time_holds() -> None:
    late, early = amended(3, {"1": (1, 800)}), amended(2, {"1": (5, 800)})
    state = fold(an_agreement(late, early))
    assert (late, late.terms) == (state.amended_by, state.terms)


def test_a_version_counts_the_facts_and_a_fact_is_found_by_its_id() -> None:
    order = an_agreement(paid(1), packed(2))
    assert (3, packed(2), None) == (order.version, order.fact("packed-2"), order.fact("packed-1"))


@pytest.mark.parametrize(
    ("fact", "said"),
    [
        (paid(1), {"event_id": "paid-1"}),
        (
            shipped(1, "p1", {"1": 2}, estimated_on=date(2026, 11, 24)),
            {"event_id": "shipped-1", "shipment_id": "p1", "lines": {"1": 2}, "estimated_on": "2026-11-24"},
        ),
        (told(1, "p1", ShipmentState.HELD), {"event_id": "shipment_updated-1", "shipment_id": "p1", "state": "held"}),
        (refunded(1, 500), {"event_id": "refunded-1", "amount_minor": 500}),
        (amended(1, LINES), {"event_id": "amended-1"}),
    ],
    ids=in_words,
)
def test_a_facts_details_are_plain_data_without_its_time_its_digest_and_its_terms(fact: Fact, said: dict[str, Any]) -> None:
    assert said == domain.details(fact)


def test_no_two_facts_share_the_name_of_their_event() -> None:
    orders: list[Order] = [an_agreement(order_id=order_id) for order_id in ("A", "A#1", "A#1#2")]
    facts = [replace(paid(1), event_id=event_id) for event_id in ("1", "2", "x")]
    names = {domain.event_id(order, fact) for order in orders for fact in facts}
    assert len(orders) * len(facts) == len(names | {domain.placed_event_id(order) for order in orders}) - len(orders)


def test_the_position_in_a_list_sorts_by_time_then_id() -> None:
    orders = [an_agreement(order_id="B"), an_agreement(order_id="A", placed_at=hour(1)), an_agreement(order_id="A")]
    expected = [f"2026-11-20T12:00:00.000000Z#{order_id}" for order_id in "AB"] + ["2026-11-20T13:00:00.000000Z#A"]
    assert expected == sorted(map(domain.position, orders))
    assert NOON == orders[0].placed_at
