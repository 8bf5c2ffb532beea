"""G1's people: customers drawn at random, told plainly for the predicate, and as the domain knows them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from ecrm.domain.behaviour import NEVER_SEEN, Act, fitted, recount
from ecrm.domain.consent import Channel, State, Subject
from ecrm.domain.customers import Kind
from ecrm.domain.facts import Occurrence, PlacedOrder, Rfm, RowFacts, Scores
from ecrm.domain.lifecycle import Stage
from ecrm.domain.orders import Cancelled, Delivered, Line, Order, Refunded, Returned, agree, fold
from ecrm.domain.predictions import Prediction
from ecrm.domain.segments import trait_at
from ecrm.domain.statistics import count
from ecrm.domain.traits import Trait, TraitKind, value_of
from ecrm.domain.windows import Moment
from tests.unit.facts import AllFacts

type Json = dict[str, Any]

NOW = datetime(2026, 11, 3, 11, 30, tzinfo=UTC)
ZONE = ZoneInfo("America/New_York")
"""Two days after its clocks were put back: days of 25 hours are among those asked for."""
MOMENT = Moment(NOW, ZONE)
TODAY = date(2026, 11, 3)
NAMES = ("Product Viewed", "Product Added", "Page Viewed", "Basket Licked")
CATEGORIES = ("jazz", "folk", None)
TRAITS = (
    *(trait_at(path) for path in ("plan", "level", "vip", "likes", "birthday", "address.city", "email", "phone")),
    Trait(TraitKind.CONSENT, "email/news"),
)
"""What rows copy; `joined_on`, `created_at` and other consents they do not."""


@dataclass(frozen=True, slots=True)
class Member:
    """One customer: what happened, told plainly, and what the domain makes of it, from all facts and from the row alone."""

    told: Json
    all_facts: AllFacts
    row: RowFacts


def a_member(draw: Random, number: int) -> Member:
    customer_id = f"{number:032x}"
    orders = [_an_order(draw, customer_id, at) for at in range(draw.choice((0, 0, 1, 1, 2, 3, 5)))]
    events = [_an_event(draw, at) for at in range(draw.choice((0, 0, 1, 2, 4, 8, 20)))]
    kept = [event for event in events if event["at"] > NOW - timedelta(days=400) or draw.random() < 0.3]
    behaviour = recount(NEVER_SEEN, (Act(str(at), event["name"], event["at"]) for at, event in enumerate(events)))
    if draw.random() < 0.2:
        behaviour = fitted(behaviour, draw.randint(0, 120))
    statistics = replace(count((order for order, _ in orders), lambda _: ZONE), behaviour=behaviour)
    attributes, identifiers, consents = _attributes(draw), _identifiers(draw), _consents(draw)
    scores = _scores(draw) if orders else Scores({}, Stage.PROSPECT)
    occurrences: dict[str, list[Occurrence]] = {}
    for event in kept:
        occurrences.setdefault(event["name"], []).append(Occurrence(event["at"], event["properties"]))
    by_subject = {Subject(Channel(channel), topic): State(state) for (channel, topic), state in consents.items()}
    copied = {one: value_of(one, attributes, identifiers, by_subject) for one in TRAITS if draw.random() < 0.9}
    return Member(
        told={
            "customer_id": customer_id,
            "attributes": attributes,
            "identifiers": {kind.value for kind in identifiers},
            "consents": consents,
            "events": kept,
            "counted": events,
            "orders": [_told(order, lines) for order, lines in orders],
            "scores": scores,
        },
        all_facts=AllFacts(
            customer_id=customer_id,
            statistics=statistics,
            scores=scores,
            attributes=attributes,
            identifiers=identifiers,
            consents=by_subject,
            behaviour=occurrences,
            orders=[PlacedOrder.of(order, lines) for order, lines in orders],
        ),
        row=RowFacts(customer_id, statistics, scores, copied),
    )


def _an_instant(draw: Random, number: int) -> datetime:
    """Soon or long ago, often where a window's border is, never twice the same."""
    days = draw.choice((0, 0, 1, 1, 2, 3, 7, 14, 30, 88, 90, 91, 180, 365, 397, 399, 450))
    border = NOW - timedelta(days=days)
    if draw.random() < 0.3:
        border = datetime(border.year, border.month, border.day, draw.choice((0, 4, 5)), tzinfo=UTC)
    off = draw.choice((0, 0, 1, -1, 60, -60, 3_600 * draw.randint(-30, 30), draw.randint(-90_000, 90_000)))
    return min(border + timedelta(seconds=off, microseconds=number), NOW + timedelta(hours=12))


def _an_event(draw: Random, number: int) -> Json:
    properties = {
        "price": draw.choice((1, 5, Decimal("7.50"), 12, "7.50", None, True)),
        "colour": draw.choice(("red", "blue", "blau", None)),
        "url": {"path": draw.choice(("/jazz/blue", "/folk/hejira"))},
        "products": [{"category": draw.choice(CATEGORIES)} for _ in range(draw.randint(0, 2))],
    }
    said = {name: value for name, value in properties.items() if draw.random() < 0.8}
    return {"name": draw.choice(NAMES), "at": _an_instant(draw, number), "properties": said}


def _an_order(draw: Random, customer_id: str, number: int) -> tuple[Order, tuple[Line, ...]]:
    lines = tuple(
        Line(
            str(at),
            draw.choice(("CD-5", "LP-1")),
            draw.choice(("Blue", "Hejira")),
            draw.randint(1, 3),
            draw.randint(1, 40) * 100,
            0,
            draw.choice(CATEGORIES),
        )
        for at in range(draw.randint(1, 3))
    )
    total = sum(line.amount_minor for line in lines)
    currency = draw.choice(("EUR", "EUR", "EUR", "USD"))
    terms = agree(
        lines,
        currency=currency,
        shipping_minor=0,
        tax_minor=0,
        discount_minor=0,
        total_minor=total,
        tax_included=False,
    )
    placed_at = _an_instant(draw, number)
    order = Order(
        site=draw.choice(("us", "de")),
        order_id=f"A-{number}",
        customer_id=customer_id,
        currency=currency,
        placed_at=placed_at,
        terms=terms,
        coupon=draw.choice((None, "AUTUMN", "spring")),
        facts=draw.choice(_LIVES)(placed_at, total),
    )
    return order, lines


def _said(at: datetime, number: int) -> dict[str, Any]:
    return {"event_id": str(number), "occurred_at": at, "digest": str(number)}


_LIVES: tuple[Any, ...] = (
    lambda _at, _total: (),
    lambda at, _total: (Delivered(**_said(at, 1)),),
    lambda at, _total: (Cancelled(**_said(at, 1)),),
    lambda at, total: (Cancelled(**_said(at, 1)), Refunded(**_said(at, 2), amount_minor=total)),
    lambda at, total: (Delivered(**_said(at, 1)), Refunded(**_said(at, 2), amount_minor=total // 2)),
    lambda at, _total: (Delivered(**_said(at, 1)), Returned(**_said(at, 2), lines={"0": 1})),
    lambda at, _total: (Cancelled(**_said(at, 1), lines={"0": 1}),),
)


def _told(order: Order, lines: Sequence[Line]) -> Json:
    """Tell an order plainly. What became of it is the fold's to say, which has tests of its own."""
    state = fold(order)
    return {
        "at": order.placed_at,
        "currency": order.currency,
        "net_revenue": Decimal(state.net_revenue_minor) / 100,
        "items": sum(max(0, line.quantity - line.cancelled) for line in state.lines.values()),
        "returned": sum(line.returned for line in state.lines.values()),
        "status": state.status.value,
        "site": order.site,
        "coupon": order.coupon,
        "lines": [{"sku": line.sku, "name": line.name, "category": line.category} for line in lines],
    }


def _attributes(draw: Random) -> Json:
    said = {
        "plan": draw.choice(("gold", "silver", "golden", "Gold", "Cafe\u0301", "Café", 7, True)),
        "level": draw.choice((0, 1, 2, Decimal("2.5"), -3, "2", False)),
        "vip": draw.choice((True, False, "true", 1)),
        "likes": draw.choice(([], ["jazz"], ["jazz", 1], ["folk", True, Decimal("2.5")], "jazz")),
        "birthday": draw.choice(("1990-11-05", "--11-03", "2000-02-29", "1987-10-30T23:00:00.000Z", "1970-12-31", "1980-01-02")),
        "joined_on": draw.choice(("2026-11-03", "2025-11-10T02:00:00Z", "2026-10-20", "2026-11-04T04:30:00+00:00", "soon", 5)),
        "created_at": draw.choice(("2020-11-01", "2026-11-01T00:30:00Z", "2024-11-09T12:00:00Z")),
        "address": draw.choice(({"city": "Berlin"}, {"city": "Tehran"}, {"street": "X"})),
    }
    return {name: value for name, value in said.items() if draw.random() < 0.7}


def _identifiers(draw: Random) -> frozenset[Kind]:
    return frozenset(kind for kind in Kind if draw.random() < 0.5)


def _consents(draw: Random) -> dict[tuple[str, str], str]:
    subjects = [(channel, topic) for channel in ("email", "sms") for topic in ("news", "offers")]
    return {subject: draw.choice(("granted", "denied", "pending")) for subject in subjects if draw.random() < 0.6}


def _scores(draw: Random) -> Scores:
    groups = ("champions", "loyal", "lost")
    rfm = Rfm(draw.randint(1, 5), draw.randint(1, 5), draw.randint(1, 5), draw.choice(groups))
    stage = draw.choice((Stage.NEW, Stage.ACTIVE, Stage.LOST))
    return Scores({"EUR": rfm}, stage, {"EUR": _a_prediction(draw)} if draw.random() < 0.8 else {})


def _a_prediction(draw: Random) -> Prediction:
    """Numbers that are often a border's, and what is rounded to one."""
    numbers = (0.0, 0.25, 0.25 + 1e-6, 0.5, 1 / 3, 0.33335, 1.0)
    return Prediction(
        p_alive=draw.choice(numbers),
        orders_30=draw.choice(numbers),
        orders_90=draw.choice(numbers),
        orders_365=draw.choice((*numbers, 1.75)),
        value_minor=draw.choice((0, 1_999, 2_000, 3_550, 8_000, 123_456)),
        next_order_on=draw.choice((None, TODAY, TODAY + timedelta(days=15), TODAY + timedelta(days=16), date(2026, 12, 24))),
        is_weak=draw.random() < 0.5,
    )
