"""G1's rules, drawn at random as they come over the wire."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from random import Random
from typing import Any

from tests.properties.members import NAMES

type Json = dict[str, Any]


def a_rule(draw: Random, depth: int = 1) -> Json:
    kind = draw.random()
    if depth < 5 and kind < 0.22:
        return {"and": [a_rule(draw, depth + 1) for _ in range(draw.randint(1, 3))]}
    if depth < 5 and kind < 0.44:
        return {"or": [a_rule(draw, depth + 1) for _ in range(draw.randint(1, 3))]}
    if depth < 5 and kind < 0.56:
        return {"not": a_rule(draw, depth + 1)}
    return draw.choice(_CONDITIONS)(draw)


def _a_comparison(draw: Random, numbers: Sequence[Any]) -> Json:
    op = draw.choice(("=", "!=", "<", "<=", ">", ">=", "between"))
    if op == "between":
        return {"op": op, "value": sorted(draw.choices(numbers, k=2))}
    return {"op": op, "value": draw.choice(numbers)}


def _texts(draw: Random, texts: Sequence[str]) -> Json:
    op = draw.choice(("is", "is_not", "in", "not_in", "contains", "starts_with", "ends_with"))
    if op in ("in", "not_in"):
        return {"op": op, "value": draw.sample(list(texts), k=2)}
    text = draw.choice(texts)
    return {"op": op, "value": text if op in ("is", "is_not") else text[:3] if op == "starts_with" else text[-2:]}


def _dates(draw: Random, days: Sequence[str]) -> Json:
    if draw.random() < 0.5:
        return {"op": draw.choice(("within_last", "within_next")), "value": draw.choice((0, 1, 15, 400))}
    return {"op": draw.choice(("before", "after", "on")), "value": draw.choice(days)}


def _presence(draw: Random) -> Json:
    return {"op": draw.choice(("exists", "missing"))}


def _a_profile(draw: Random) -> Json:
    path = draw.choice(("plan", "level", "vip", "likes", "joined_on", "created_at", "address.city", "email", "phone"))
    if path in ("email", "phone") or draw.random() < 0.15:
        return {"profile": {"path": path, **_presence(draw)}}
    days = ("2026-11-03", "2026-10-31", "2025-11-09", "2020-11-01")
    lists: list[Json] = [
        {"op": "has", "value": draw.choice(("jazz", 1, True, Decimal("2.5")))},
        {"op": draw.choice(("has_any", "has_all")), "value": draw.choice((["jazz", 1], ["folk", True], [Decimal("2.50")]))},
    ]
    asked: dict[str, Json] = {
        "plan": _texts(draw, ("gold", "silver", "Café")),
        "level": _a_comparison(draw, (0, 2, Decimal("2.5"))),
        "vip": {"op": draw.choice(("is", "is_not")), "value": draw.choice((True, False, "true"))},
        "likes": draw.choice(lists),
        "joined_on": _dates(draw, days),
        "created_at": _dates(draw, days),
        "address.city": _texts(draw, ("Berlin", "Tehran")),
    }
    return {"profile": {"path": path, **asked[path]}}


def _a_stats(draw: Random) -> Json:
    field = draw.choice((*_COUNTS, *_DAYS, "net_revenue", "mean_order_value", *_SCORES, "rfm.group", "lifecycle"))
    currency = {"currency": draw.choice(("EUR", "EUR", "USD"))}
    if field in _COUNTS:
        return {"stats": {"field": field, **_a_comparison(draw, (0, 1, 2, 3))}}
    if field in _DAYS:
        asked = _presence(draw) if draw.random() < 0.15 else _a_comparison(draw, (0, 1, 7, 30, 90, 365))
        return {"stats": {"field": field, **asked}}
    if field in ("net_revenue", "mean_order_value"):
        return {"stats": {"field": field, **currency, **_a_comparison(draw, ("0", "20.00", "35.5", "80"))}}
    if field in _SCORES:
        return {"stats": {"field": field, **currency, **_a_comparison(draw, (1, 2, 3, 4, 5))}}
    names = ["lost", "champions"] if field == "rfm.group" else ["lost", "new"]
    choice: Json = {"op": draw.choice(("in", "not_in")), "value": names}
    asked = draw.choice((choice, {"op": draw.choice(("is", "is_not")), "value": "lost"}))
    return {"stats": {"field": field, **asked} | (currency if field == "rfm.group" else {})}


def _a_prediction(draw: Random) -> Json:
    field = draw.choice(("clv", "p_alive", "next_order_on", "orders_30", "orders_90", "orders_365"))
    said = {"field": field, "currency": draw.choice(("EUR", "EUR", "USD"))}
    if draw.random() < 0.15:
        return {"predicted": said | _presence(draw)}
    if field == "clv":
        return {"predicted": said | _a_comparison(draw, ("0", "20.00", "35.5", "80"))}
    if field == "next_order_on":
        return {"predicted": said | _dates(draw, ("2026-11-03", "2026-11-18", "2026-12-24"))}
    numbers = (0, Decimal("0.25"), Decimal("0.5"), Decimal("0.3334"), 1)
    return {"predicted": said | _a_comparison(draw, numbers)}


_COUNTS = ("orders", "cancelled_orders", "returned_items", "orders_with_returns", "visits")
_DAYS = ("recency_days", "days_since_first_order", "last_seen_days")
_SCORES = ("rfm.recency", "rfm.frequency", "rfm.monetary")


def _a_window(draw: Random) -> Json:
    return draw.choice(
        (
            {"last": {"days": draw.choice((1, 7, 30, 90, 365, 398, 400))}},
            {"last": {"hours": draw.choice((1, 24, 47))}},
            {"between": ["2026-10-31", draw.choice(("2026-10-31", "2026-11-01", "2026-11-03"))]},
            {"between": ["2025-09-01", draw.choice(("2025-11-30", "2026-08-05"))]},
            {"before": draw.choice(("2026-11-01", "2026-11-03", "2026-05-01", "2025-10-01"))},
            {"after": draw.choice(("2026-10-31", "2026-11-02", "2025-10-01"))},
            {"ever": True},
        )
    )


def _a_filter(draw: Random) -> Json:
    return draw.choice(
        (
            {"path": "price", **_a_comparison(draw, (5, Decimal("7.5"), 12))},
            {"path": "colour", **_texts(draw, ("red", "blue", "blau"))},
            {"path": "url.path", "op": "starts_with", "value": "/jazz"},
            {"path": "products.category", "op": "has", "value": draw.choice(("jazz", "folk"))},
            {"path": draw.choice(("colour", "products.category", "nothing.at.all")), **_presence(draw)},
        )
    )


def _an_event_condition(draw: Random) -> Json:
    said: Json = {"name": draw.choice((*NAMES, "Never Done"))}
    if draw.random() < 0.8:
        said["window"] = _a_window(draw)
    if draw.random() < 0.4:
        said["where"] = [_a_filter(draw) for _ in range(draw.randint(1, 2))]
    if draw.random() < 0.65:
        asked = {"op": ">=", "value": 1} if draw.random() < 0.4 else _a_comparison(draw, (0, 1, 2, 5))
        return {"event": said | asked}
    said |= {"measure": draw.choice(("sum", "avg", "min", "max")), "of": "price"}
    asked = _presence(draw) if draw.random() < 0.15 else _a_comparison(draw, (0, 5, Decimal("7.50"), 12, 30))
    return {"event": said | asked}


def _an_order_filter(draw: Random) -> Json:
    return draw.choice(
        (
            {"field": "status", "op": draw.choice(("is", "is_not")), "value": draw.choice(("cancelled", "delivered"))},
            {"field": "status", "op": draw.choice(("in", "not_in")), "value": ["placed", "cancelled"]},
            {"field": "site", "op": "is", "value": "us"},
            {"field": "coupon", **draw.choice((_presence(draw), _texts(draw, ("AUTUMN", "spring"))))},
            {"field": "sku", "op": draw.choice(("is", "is_not")), "value": "CD-5"},
            {"field": "name", "op": "contains", "value": "e"},
            {"field": "category", **draw.choice((_presence(draw), _texts(draw, ("jazz", "folk"))))},
        )
    )


def _an_order_condition(draw: Random) -> Json:
    said: Json = {}
    if draw.random() < 0.8:
        said["window"] = _a_window(draw)
    if draw.random() < 0.4:
        said["where"] = [_an_order_filter(draw) for _ in range(draw.randint(1, 3))]
    if draw.random() < 0.3:
        said["currency"] = draw.choice(("EUR", "USD"))
    if draw.random() < 0.6:
        return {"order": said | _a_comparison(draw, (0, 1, 2))}
    said["measure"] = draw.choice(("sum", "avg", "min", "max"))
    if draw.random() < 0.5:
        asked = _presence(draw) if draw.random() < 0.15 else _a_comparison(draw, (0, 2, 4, Decimal("2.5")))
        return {"order": said | {"of": "items"} | asked}
    return {"order": said | {"of": "net_revenue", "currency": "EUR"} | _a_comparison(draw, ("0", "20", "35.50", "80"))}


def _a_consent(draw: Random) -> Json:
    said: Json = {"channel": draw.choice(("email", "sms")), "topic": draw.choice(("news", "offers", "nothing"))}
    return {"consent": said if draw.random() < 0.5 else said | {"state": draw.choice(("granted", "denied", "pending"))}}


def _an_anniversary(draw: Random) -> Json:
    path = draw.choice(("birthday", "birthday", "created_at", "joined_on", "first_order_at", "last_order_at"))
    said = {"path": path, "within_days": draw.choice((0, 2, 7, 60, 366))}
    return {"anniversary": said if draw.random() < 0.5 else said | {"direction": draw.choice(("next", "last"))}}


def _a_sample(draw: Random) -> Json:
    return {"sample": {"percent": draw.choice((10, 50, Decimal("33.3"), 100)), "salt": draw.choice(("a", "spring sale"))}}


def _a_segment(draw: Random) -> Json:
    return {"segment": {"id": draw.choice(tuple(OTHERS))}}


OTHERS: Mapping[str, Json] = {
    "buyers": {"stats": {"field": "orders", "op": ">", "value": 0}},
    "viewers": {"event": {"name": "Product Viewed", "op": ">=", "value": 1, "window": {"last": {"days": 7}}}},
    "idle": {"not": {"or": [{"segment": {"id": "buyers"}}, {"segment": {"id": "viewers"}}]}},
}
"""Segments that rules may name."""
_CONDITIONS = (
    *(_a_profile, _a_stats, _an_event_condition, _an_order_condition) * 2,
    *(_a_prediction, _a_consent, _an_anniversary, _a_sample, _a_segment),
)
