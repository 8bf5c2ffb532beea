"""Behaviour in the table: whatever dies or gets lost on the way, each call is kept once; erasure and mergers win every race."""

import json
import re
from datetime import datetime
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from ecrm import bootstrap
from ecrm.application.mergers import merge
from ecrm.domain.api_keys import KeyKind
from ecrm.domain.customers import Identifier, Kind
from ingest_api.handler import handler
from tests.cloud import Answer, Cloud, forget
from tests.faults import CRASHES, Deliver, Kept, Kill, Sent, at, tapped

WHEN = "2026-11-20T12:00:00Z"


def track(number: int, **changes: Any) -> dict[str, Any]:
    return {"type": "track", "event": "Cart Viewed", "messageId": f"m-{number}", "timestamp": WHEN, "userId": "u-1"} | changes


PAGE = track(9, type="page", userId=None, anonymousId="browser-1")
BATCHES: dict[str, list[dict[str, Any]]] = {
    "a visitor's first page": [PAGE],
    "a visitor who says who they are": [PAGE, track(1, type="identify", anonymousId="browser-1", traits={"plan": "gold"})],
    "two customers, one of them twice": [track(1), track(2, userId="u-2"), track(3)],
    "more than one transaction holds": [track(number) for number in range(120)],
}


@pytest.fixture(autouse=True)
def _key_is_made(cloud: Cloud) -> None:
    cloud.key(KeyKind.WRITE)
    cloud.key()


def say(cloud: Cloud, calls: list[dict[str, Any]], kind: KeyKind = KeyKind.WRITE) -> Answer:
    return cloud.call(handler, "POST", "/v1/batch", {"batch": calls}, key=cloud.key(kind))


def dump(cloud: Cloud) -> list[Any]:
    """The table with its customers named by what they did first, and without what the clock or chance made."""
    items = [item for item in cloud.items() if not item["PK"]["S"].startswith("LIST#")]
    names: dict[str, str] = {}
    for item in sorted(items, key=lambda item: item["SK"]["S"]):
        if item["SK"]["S"].startswith("EVENT#2026-11-20"):
            names.setdefault(item["PK"]["S"].removeprefix("CUSTOMER#"), item["SK"]["S"])
    text = json.dumps(items)
    for customer_id, name in names.items():
        text = text.replace(customer_id, f"who did {name}")
    text = re.sub(
        r"\d{4}-\d\d-\d\dT[\d:.]+Z", lambda found: found[0] if found[0].startswith("2026-11-20T12:00:00") else "now", text
    )
    text = re.sub(r'"expires_at": {"N": "\d+"}', '"expires_at": "in 400 days"', text)
    return sorted(json.loads(text), key=lambda item: json.dumps([item["PK"], item["SK"]]))


@pytest.mark.parametrize("name", BATCHES)
def test_a_crash_at_any_call_and_a_retry_leave_what_one_quiet_request_leaves(cloud: Cloud, name: str) -> None:
    calls, kept = BATCHES[name], Kept()

    def chill() -> None:
        kept.restore()
        bootstrap._identity_secret.cache_clear()
        handler._seen_keys.clear()

    chill()
    with tapped() as made:
        assert 200 == say(cloud, calls).status
    quiet, made = dump(cloud), list(made)
    assert len(calls) <= len([item for item in quiet if "EVENT#2026-11-20" in item["SK"]["S"]]) + 1
    for kind, fault in CRASHES.items():
        forget()
        for call, operation in enumerate(made):
            chill()
            where = f"{kind}, {operation} ({call + 1} of {len(made)})"
            with tapped(at(call, fault)):
                try:
                    answer = say(cloud, calls)
                except Kill:
                    assert kind.startswith("kill"), where
                else:
                    expected = 200 if kind == "first reply lost" else 503
                    assert expected == answer.status, where
            assert (200, []) == (say(cloud, calls).status, say(cloud, calls).json["errors"]), where
            assert quiet == dump(cloud), where


def held(kind: Kind, value: str) -> str:
    (found,) = bootstrap.customers().held([Identifier(kind, value, "de")]).values()
    return found.customer_id or ""


def acts(customer_id: str) -> int:
    return len([*bootstrap.behaviour().acts(customer_id)])


@pytest.mark.parametrize("operation", ["BatchGetItem", "GetItem", "TransactWriteItems"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_what_races_with_a_merger_is_kept_once_under_the_one_who_is_left(cloud: Cloud, operation: str, moment: str) -> None:
    say(cloud, [track(0, type="identify", traits={"plan": "gold"}), track(5)], KeyKind.SERVER)
    say(cloud, [PAGE], KeyKind.SERVER)
    winner, loser = held(Kind.ANONYMOUS_ID, "browser-1"), held(Kind.USER_ID, "u-1")
    pending = [True]

    def merged() -> None:
        merge(winner, loser, None, site="de", source="test", customers=bootstrap.customers(), clock=bootstrap.clock)

    def race(sent: Sent, deliver: Deliver) -> AWSResponse:
        if not pending or sent.operation != operation:
            return deliver()
        pending.clear()
        answer = deliver() if moment == "after" else None
        merged()
        return answer or deliver()

    with tapped(race):
        assert 200 == say(cloud, [track(5), track(7)]).status
    assert [] == pending
    assert 3 == acts(winner) + acts(loser)


def test_batches_of_one_customer_at_once_are_all_kept(cloud: Cloud) -> None:
    """Another batch comes in at each of the calls of the first."""
    say(cloud, [track(0)])
    waiting = [[track(number), track(0)] for number in range(1, 6)]

    def crowded(_sent: Sent, deliver: Deliver) -> AWSResponse:
        if waiting:
            say(cloud, waiting.pop())
        return deliver()

    with tapped(crowded):
        assert 200 == say(cloud, [track(6)]).status
    assert 7 == acts(held(Kind.USER_ID, "u-1"))


def test_what_was_kept_is_forgotten_after_400_days(cloud: Cloud) -> None:
    say(cloud, [track(1)])
    (item,) = cloud.items("EVENT#2026-11-20")
    received = datetime.fromisoformat(item["received_at"]["S"])
    assert 400 * 24 * 3600 == int(item["expires_at"]["N"]) - int(received.timestamp())
