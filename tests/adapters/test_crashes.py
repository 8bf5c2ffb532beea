"""O1: every order and event answered 2xx exists exactly once, whatever dies or gets lost at whichever call on the way."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from ecrm import bootstrap
from orders_api.handler import handler
from tests.builders import an_event, an_order
from tests.cloud import Answer, Cloud, forget
from tests.faults import CRASHES, Fault, Kept, Kill, at, tapped

SARA = {"user_id": "u-77", "email": "sara@example.com"}
OMID = {"user_id": "u-78", "email": "omid@example.com", "anonymous_id": "browser-1"}


@dataclass(frozen=True)
class Scenario:
    path: str
    body: dict[str, Any]
    before: tuple[tuple[str, dict[str, Any]], ...] = ()


PLACED = (("/v1/orders", an_order()),)
SCENARIOS = {
    "the first order of a new customer": Scenario("/v1/orders", an_order()),
    "an order of a known customer": Scenario("/v1/orders", an_order(order_id="A-1002"), PLACED),
    "an order that gains an identifier": Scenario(
        "/v1/orders", an_order(order_id="A-1002", customer=SARA | {"phone": "+989121234567"}), PLACED
    ),
    "an order of two people with one address": Scenario(
        "/v1/orders", an_order(order_id="A-1002", customer=SARA | {"user_id": "u-78"}), PLACED
    ),
    "an event": Scenario("/v1/orders/A-1001/events", an_event("shipped", lines=[{"line_id": "1", "quantity": 1}]), PLACED),
    "an amendment": Scenario("/v1/orders/A-1001/events", an_event("amended"), PLACED),
    "a batch of orders": Scenario(
        "/v1/orders/batch",
        {
            "orders": [
                an_order(order_id="B-1", customer=SARA),
                an_order(order_id="B-2", customer=OMID),
                an_order(order_id="B-3", customer=SARA),
                an_order(order_id="B-4", customer=OMID | {"phone": "+989121234567"}),
                an_order(order_id="B-5", customer={"anonymous_id": "browser-2"}),
            ]
        },
    ),
    "a batch of events": Scenario(
        "/v1/orders/events/batch",
        {
            "events": [
                an_event("paid", order_id="A-1001"),
                an_event("paid", order_id="A-1002"),
                an_event("shipped", order_id="A-1001"),
                an_event("amended", order_id="A-1002"),
                an_event("delivered", order_id="A-1001", shipment_id="parcel-1"),
            ]
        },
        (*PLACED, ("/v1/orders", an_order(order_id="A-1002", customer=OMID))),
    ),
}
SAID = {"2026-11-20T12:00:00.000000Z", "2026-11-20T13:00:00.000000Z"}
"""The instants in the bodies; any other is the clock's."""


def facts(cloud: Cloud) -> list[dict[str, Any]]:
    """What the table holds beside keys and sites."""
    return [item for item in cloud.items() if item["PK"]["S"] not in ("LIST#keys", "LIST#sites")]


def masked(cloud: Cloud, value: Any) -> Any:
    """A value with each customer named by their first order, and without what the clock made."""
    text = json.dumps(value)
    owner: dict[str, str] = {}
    for item in sorted(cloud.items("ORDER#"), key=lambda item: item["SK"]["S"]):
        owner.setdefault(item["PK"]["S"].removeprefix("CUSTOMER#"), item["SK"]["S"])
    for customer_id, order in owner.items():
        text = text.replace(customer_id, f"who placed {order}")
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", lambda found: found[0] if found[0] in SAID else "now", text)
    return json.loads(re.sub(r'"expires_at": {"N": "\d+"}', '"expires_at": "a day from now"', text))


def dump(cloud: Cloud) -> list[dict[str, Any]]:
    """The table, in a form that is the same for every run that did the same."""
    found: list[dict[str, Any]] = masked(cloud, facts(cloud))
    for item in found:
        if "facts" in item:  # a set: the order of arrival may be another
            item["facts"]["L"].sort(key=json.dumps)
    return sorted(found, key=lambda item: (item["PK"]["S"], item["SK"]["S"]))


def who_came(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The table with what each customer gained told at once: a retried batch may meet its customers in another order."""
    rest: list[dict[str, Any]] = []
    gained: dict[str, list[Any]] = {}
    for item in items:
        if item["type"]["S"].startswith("customer."):
            gained.setdefault(item["PK"]["S"], []).extend(item["data"]["M"]["identifiers"]["L"])
        elif item["type"]["S"] == "profile":
            met = sum(other["PK"] == item["PK"] and other["type"]["S"].startswith("customer.") for other in items)
            identifiers = sorted(item["identifiers"]["L"], key=json.dumps)
            rest.append(item | {"identifiers": {"L": identifiers}, "version": int(item["version"]["N"]) - met})
        else:
            rest.append(item)
    told = [{"PK": pk, "gained": sorted(identifiers, key=json.dumps)} for pk, identifiers in gained.items()]
    return rest + sorted(told, key=json.dumps)


def chill() -> None:
    """Forget what a container learns from the table and the secret, so that a request makes every call it can make."""
    bootstrap._identity_secret.cache_clear()
    handler._seen_keys.clear()


def prepare(cloud: Cloud, scenario: Scenario) -> Callable[[], None]:
    """Bring about what was before; gives what brings it about again, at once."""
    cloud.key()
    for path, body in scenario.before:
        assert 201 == cloud.call(handler, "POST", path, body).status
    kept = Kept()

    def again() -> None:
        kept.restore()
        chill()

    chill()
    return again


def send(cloud: Cloud, scenario: Scenario, headers: dict[str, str]) -> Answer:
    return cloud.call(handler, "POST", scenario.path, scenario.body, headers=headers)


def half_written(cloud: Cloud) -> dict[str, Counter[str]]:
    """Orders of which one of the four pieces is missing or there twice."""
    whole = Counter({"order": 1, "order_pointer": 1, "order_listing": 1, "order.placed": 1})
    pieces: dict[str, Counter[str]] = {}
    for item in facts(cloud):
        found = re.search(r"[AB]-\d+", item["PK"]["S"] + item["SK"]["S"])
        if found and (kind := item["type"]["S"]) in whole:
            pieces.setdefault(found[0], Counter())[kind] += 1
    return {order_id: kinds for order_id, kinds in pieces.items() if kinds != whole}


def crash(cloud: Cloud, scenario: Scenario, headers: dict[str, str], fault: Fault) -> Answer | None:
    """Send once while the fault is on; None where nobody was left to answer."""
    with tapped(fault):
        try:
            return send(cloud, scenario, headers)
        except Kill:
            return None


def every_crash(calls: list[str], restore: Callable[[], None]) -> Iterator[tuple[str, str, Fault]]:
    """Each kind at each call, over what was before; gives its name, where it strikes, and the fault."""
    for kind, fault in CRASHES.items():
        forget()
        for call, operation in enumerate(calls):
            restore()
            yield kind, f"{kind}, {operation} ({call + 1} of {len(calls)})", at(call, fault)


def expected_of(kind: str, answer: Answer | None) -> bool:
    """A killed process answers nothing, a reply that the SDK asks for again is a success, the rest says to come back."""
    if kind.startswith("kill"):
        return answer is None
    if kind == "first reply lost":
        return answer is not None and answer.status in (200, 201)
    return answer is not None and (503, "1", "application/problem+json") == (
        answer.status,
        answer.headers.get("retry-after"),
        answer.headers["content-type"],
    )


@pytest.mark.parametrize("keyed", [False, True], ids=["without a key", "with an Idempotency-Key"])
@pytest.mark.parametrize("name", [name for name in SCENARIOS if "batch" not in name])
def test_a_crash_at_any_call_and_a_retry_leave_what_one_quiet_request_leaves(cloud: Cloud, name: str, keyed: bool) -> None:  # noqa: FBT001
    scenario, headers = SCENARIOS[name], {"idempotency-key": "once"} if keyed else {}
    restore = prepare(cloud, scenario)
    before = dump(cloud)
    with tapped() as calls:
        quiet = send(cloud, scenario, headers)
    after, body = dump(cloud), masked(cloud, quiet.json)
    assert 201 == quiet.status

    for kind, where, fault in every_crash(calls, restore):
        answered = crash(cloud, scenario, headers, fault)
        assert (where, True) == (where, expected_of(kind, answered))
        left = dump(cloud)
        assert left in (before, after), where
        chill()
        again = send(cloud, scenario, headers)
        first = (201, None)
        known = (201, "true") if keyed else (200, None)
        expected = known if left == after else first
        assert (where, expected) == (where, (again.status, again.headers.get("idempotent-replayed")))
        assert (where, after, body) == (where, dump(cloud), masked(cloud, again.json))


@pytest.mark.parametrize("name", [name for name in SCENARIOS if "batch" in name])
def test_a_crash_at_any_call_of_a_batch_and_a_retry_leave_what_one_quiet_batch_leaves(cloud: Cloud, name: str) -> None:
    """With an Idempotency-Key, which adds a call and takes none away."""
    scenario, headers = SCENARIOS[name], {"idempotency-key": "once"}
    restore = prepare(cloud, scenario)
    with tapped() as calls:
        quiet = send(cloud, scenario, headers)
    after = who_came(dump(cloud))
    assert (200, 5, 0) == (quiet.status, quiet.json["created"], quiet.json["rejected"])

    for kind, where, fault in every_crash(calls, restore):
        answered = crash(cloud, scenario, headers, fault)
        assert (where, kind.startswith("kill")) == (where, answered is None)
        refused = [result["status"] for result in answered.json.get("results", ()) if result["status"] >= 400] if answered else []
        assert {503} >= set(refused), where
        assert (where, {}) == (where, half_written(cloud))
        remembered = any(item["type"]["S"] == "replay" for item in facts(cloud))
        chill()
        again = send(cloud, scenario, headers)
        assert (where, 200, 0) == (where, again.status, again.json["rejected"])
        assert (where, "true" if remembered else None) == (where, again.headers.get("idempotent-replayed"))
        assert (where, 5) == (where, again.json["created"] + again.json["replayed"])
        assert (where, after) == (where, who_came(dump(cloud)))
