"""G1's predicate: whom a rule means, written the dullest way, from the words of the API alone."""

import hashlib
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.properties.members import NOW, TODAY, ZONE
from tests.properties.rules import OTHERS

type Json = dict[str, Any]


def belongs(rule: Json, told: Json) -> bool:  # noqa: PLR0911 (one thing after another, on purpose)
    """Say whether somebody of whom this is told is meant by a rule; nothing here is the product's."""
    ((name, said),) = rule.items()
    if name == "and":
        return all(belongs(part, told) for part in said)
    if name == "or":
        return any(belongs(part, told) for part in said)
    if name == "not":
        return not belongs(said, told)
    if name == "segment":
        return belongs(OTHERS[said["id"]], told)
    if name == "consent":
        return bool(told["consents"].get((said["channel"], said["topic"])) == said.get("state", "granted"))
    if name == "sample":
        part = int(hashlib.sha256(f"{said['salt']}:{told['customer_id']}".encode()).hexdigest()[:16], 16) / Decimal(2**64)
        return bool(part * 100 < said["percent"])
    if name == "anniversary":
        return _anniversary_holds(said, told)
    return holds(_VALUES[name](said, told), said)


def _profile_value(said: Json, told: Json) -> Any:
    if said["path"] in ("email", "phone"):
        return True if said["path"] in told["identifiers"] else None
    if said["path"] == "address.city":
        return told["attributes"].get("address", {}).get("city")
    return told["attributes"].get(said["path"])


def _local_day(at: datetime) -> date:
    return at.astimezone(ZONE).date()


def _stats_value(said: Json, told: Json) -> Any:  # noqa: C901, PLR0911 (the same)
    field, currency = said["field"], said.get("currency")
    kept = [order for order in told["orders"] if order["status"] != "cancelled"]
    if field == "orders":
        return len(kept)
    if field == "cancelled_orders":
        return len(told["orders"]) - len(kept)
    if field == "returned_items":
        return sum(order["returned"] for order in told["orders"])
    if field == "orders_with_returns":
        return sum(1 for order in told["orders"] if order["returned"] > 0)
    if field == "visits":
        return _visits(told)
    if field in ("net_revenue", "mean_order_value"):
        ours = [order for order in kept if order["currency"] == currency]
        revenue = sum((order["net_revenue"] for order in ours), Decimal(0))
        if field == "net_revenue":
            return revenue
        return (revenue / len(ours)).quantize(Decimal("0.01"), "ROUND_HALF_UP") if ours else None
    if field in ("recency_days", "days_since_first_order"):
        times = sorted(order["at"] for order in kept)
        if not times:
            return None
        return max(0, (TODAY - _local_day(times[-1] if field == "recency_days" else times[0])).days)
    if field == "last_seen_days":
        seen = [event["at"] for event in told["counted"]]
        return max(0, (TODAY - _local_day(max(seen))).days) if seen else None
    if field == "lifecycle":
        return told["scores"].lifecycle
    scored = told["scores"].rfm.get(currency)
    return None if scored is None else getattr(scored, field.removeprefix("rfm."))


def _predicted_value(said: Json, told: Json) -> Any:
    expected = told["scores"].predictions.get(said["currency"])
    if expected is None:
        return None
    if said["field"] == "clv":
        return Decimal(expected.value_minor) / 100
    if said["field"] == "next_order_on":
        return str(expected.next_order_on) if expected.next_order_on else None
    return Decimal(getattr(expected, said["field"])).quantize(Decimal("0.0001"))


def _visits(told: Json) -> int:
    times = sorted(event["at"] for event in told["counted"])
    visits = 0
    for number, at in enumerate(times):
        if at.date() <= NOW.date() - timedelta(days=90):
            continue
        before = times[number - 1] if number else None
        if before is None or before.date() != at.date() or at - before > timedelta(minutes=30):
            visits += 1
    return visits


def is_within(window: Json, at: datetime) -> bool:
    ((name, said),) = window.items()
    if name == "last":
        hours = said["days"] * 24 if "days" in said else said["hours"]
        return NOW - timedelta(hours=hours) <= at <= NOW
    day = _local_day(at)
    if name == "between":
        return date.fromisoformat(said[0]) <= day <= date.fromisoformat(said[1])
    if name == "before":
        return day < date.fromisoformat(said)
    return day > date.fromisoformat(said) if name == "after" else True


def _measured(said: Json, values: list[Any]) -> Any:
    measure = said.get("measure", "count")
    if measure == "count":
        return len(values)
    numbers = [Decimal(value) for value in values if isinstance(value, int | Decimal) and not isinstance(value, bool)]
    if measure == "sum":
        return sum(numbers, Decimal(0))
    if not numbers:
        return None
    return {"avg": sum(numbers, Decimal(0)) / len(numbers), "min": min(numbers), "max": max(numbers)}[measure]


def _event_value(said: Json, told: Json) -> Any:
    chosen = []
    for event in told["events"]:
        if event["name"] != said["name"] or not is_within(said.get("window", {"ever": True}), event["at"]):
            continue
        if all(holds(_property(event["properties"], one["path"]), one) for one in said.get("where", [])):
            chosen.append(event["properties"].get("price"))
    return _measured(said, chosen)


def _property(properties: Json, path: str) -> Any:
    if path == "url.path":
        return properties.get("url", {}).get("path")
    if path == "products.category":
        return [each["category"] for each in properties.get("products", []) if each["category"] is not None] or None
    return properties.get(path)


def _order_value(said: Json, told: Json) -> Any:
    chosen = []
    where = said.get("where", [])
    for order in told["orders"]:
        if not is_within(said.get("window", {"ever": True}), order["at"]):
            continue
        if order["status"] == "cancelled" and not [one for one in where if one["field"] == "status"]:
            continue
        if "currency" in said and order["currency"] != said["currency"]:
            continue
        of_order = [one for one in where if one["field"] in ("status", "site", "coupon")]
        of_lines = [one for one in where if one["field"] in ("sku", "name", "category")]
        if not all(holds(order[one["field"]], one) for one in of_order):
            continue
        if of_lines and not [line for line in order["lines"] if all(holds(line[one["field"]], one) for one in of_lines)]:
            continue
        chosen.append(order[said.get("of", "items")])
    return _measured(said, chosen)


def _anniversary_holds(said: Json, told: Json) -> bool:
    path = said["path"]
    if path in ("first_order_at", "last_order_at"):
        times = sorted(order["at"] for order in told["orders"] if order["status"] != "cancelled")
        if not times:
            return False
        origin = _local_day(times[0] if path == "first_order_at" else times[-1]).isoformat()
    else:
        origin = told["attributes"].get(path)
        if not isinstance(origin, str) or origin == "soon":
            return False
        if "T" in origin:
            at = datetime.fromisoformat(origin)
            origin = origin[:10] if path == "birthday" else _local_day(at).isoformat()
    step = 1 if said.get("direction", "next") == "next" else -1
    days = [TODAY + timedelta(days=step * away) for away in range(said["within_days"] + 1)]
    return any(_is_kept_on(origin, day) for day in days)


def _is_kept_on(origin: str, day: date) -> bool:
    month_and_day = origin[-5:]
    if not origin.startswith("--") and day.year <= int(origin[:4]):
        return False
    is_leap = day.year % 4 == 0  # between 1901 and 2099
    if month_and_day == "02-29" and not is_leap:
        month_and_day = "02-28"
    return day.isoformat()[-5:] == month_and_day


_VALUES = {
    "profile": _profile_value,
    "stats": _stats_value,
    "predicted": _predicted_value,
    "event": _event_value,
    "order": _order_value,
}


def holds(value: Any, said: Json) -> bool:  # noqa: C901, PLR0911, PLR0912 (the same)
    op: str = said["op"]
    asked: Any = said.get("value")
    if op == "exists":
        return value is not None
    if op == "missing":
        return value is None
    if op in ("=", "!=", "<", "<=", ">", ">=", "between"):
        if not isinstance(value, int | Decimal) or isinstance(value, bool):
            return False
        if op == "between":
            return Decimal(asked[0]) <= value <= Decimal(asked[1])
        number = Decimal(asked)
        return {
            "=": value == number,
            "!=": value != number,
            "<": value < number,
            "<=": value <= number,
            ">": value > number,
            ">=": value >= number,
        }[op]
    if op in ("is", "is_not") and isinstance(asked, bool):
        return isinstance(value, bool) and ((value == asked) if op == "is" else (value != asked))
    if op in ("is", "is_not", "in", "not_in", "contains", "starts_with", "ends_with"):
        if not isinstance(value, str):
            return False
        text = value.replace("e\u0301", "é")
        if op in ("is", "is_not"):
            return bool((text == asked) if op == "is" else (text != asked))
        if op in ("in", "not_in"):
            return (text in asked) if op == "in" else (text not in asked)
        return {"contains": asked in text, "starts_with": text.startswith(asked), "ends_with": text.endswith(asked)}[op]
    if op in ("has", "has_any", "has_all"):
        if not isinstance(value, list):
            return False
        wanted = [asked] if op == "has" else asked
        there = [any(_is_same(each, one) for each in value) for one in wanted]
        return any(there) if op == "has_any" else all(there)
    if not isinstance(value, str) or value == "soon":
        return False
    day = _local_day(datetime.fromisoformat(value)) if "T" in value else date.fromisoformat(value)
    if op == "within_last":
        return TODAY - timedelta(days=asked) <= day <= TODAY
    if op == "within_next":
        return TODAY <= day <= TODAY + timedelta(days=asked)
    other = date.fromisoformat(asked)
    return {"before": day < other, "after": day > other, "on": day == other}[op]


def _is_same(one: Any, other: Any) -> bool:
    return isinstance(one, bool) == isinstance(other, bool) and isinstance(one, str) == isinstance(other, str) and one == other
