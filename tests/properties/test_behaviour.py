"""O2 and O5 for behaviour: whatever is sent twice, merged, and delivered by the stream in whichever order, each person's row is a
recount of their facts, and agrees with a bookkeeper who knows who is who."""

from collections import Counter
from datetime import date, timedelta
from random import Random
from typing import Any

import pytest

from ecrm import bootstrap
from ecrm.application.identity import root
from ecrm.domain.api_keys import KeyKind
from ecrm.domain.customers import Identifier, Kind
from tests.builders import a_record
from tests.cloud import Cloud

SEEDS = 6
PEOPLE = 8
NAMES = ("Product Viewed", "Product Added", "Basket Licked")

type Call = dict[str, Any]


def a_life(draw: Random, number: int) -> list[Call]:
    """A browser is used, its user says who they are, and both go on; each call belongs to the person of this number."""
    user, device = f"u-{number}", f"browser-{number}"
    who = [{"anonymousId": device}, {"userId": user, "anonymousId": device}, {"userId": user}]
    calls = [
        {"type": "track", "event": draw.choice(NAMES), "messageId": f"m-{number}-{at}", "timestamp": a_time(draw)}
        | draw.choice(who)
        for at in range(draw.randint(3, 12))
    ]
    alias = {"type": "alias", "userId": user, "previousId": device, "messageId": f"a-{number}", "timestamp": a_time(draw)}
    calls.insert(draw.randrange(len(calls)), alias)
    return calls


def a_time(draw: Random) -> str:
    return f"2026-{draw.randint(8, 11):02}-{draw.randint(1, 20):02}T{draw.randrange(24):02}:{draw.randrange(60):02}:00Z"


def deliver(cloud: Cloud, draw: Random) -> None:
    """Hand every event to the projection: in any order, cut anywhere, some of them twice."""
    from project_events.handler import handler  # noqa: PLC0415 (reads the environment that the cloud sets)

    records = [a_record(item) for item in cloud.items("EVENT#")]
    records = draw.sample(records + records[::3], len(records) + len(records[::3]))
    while records:
        cut = draw.randint(1, 9)
        assert {"batchItemFailures": []} == handler({"Records": records[:cut]}, None)
        records = records[cut:]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_each_row_is_a_recount_of_the_facts_of_one_person(cloud: Cloud, seed: int) -> None:
    from ingest_api.handler import handler  # noqa: PLC0415 (the same)

    draw = Random(seed)
    lives = [a_life(draw, number) for number in range(PEOPLE)]
    calls = [call for life in lives for call in life]
    calls = draw.sample(calls + calls[::2], len(calls) + len(calls[::2]))
    while calls:
        cut = draw.randint(1, 30)
        answer = cloud.call(handler, "POST", "/v1/batch", {"batch": calls[:cut]}, key=cloud.key(KeyKind.SERVER))
        assert {"success": True, "errors": []} == answer.json
        calls = calls[cut:]
        if draw.random() < 0.5:
            deliver(cloud, draw)
    for number in range(PEOPLE):  # whoever was not named together with their browser is, in the end
        alias = {"type": "alias", "userId": f"u-{number}", "previousId": f"browser-{number}"}
        assert 200 == cloud.call(handler, "POST", "/v1/alias", alias).status
    deliver(cloud, draw)

    people = []
    for number, life in enumerate(lives):
        (held,) = bootstrap.customers().held([Identifier(Kind.USER_ID, f"u-{number}", "de")]).values()
        customer = root(held.customer_id or "", customers=bootstrap.customers())
        people.append(customer.customer_id)
        row, _ = bootstrap.statistics().find(customer.customer_id) or pytest.fail("there is no row")
        assert not bootstrap.recount(customer.customer_id, dry_run=True)
        expected = Counter((call["event"], call["timestamp"][:10]) for call in life if call["type"] == "track")
        since = (row.behaviour.last_seen_at or pytest.fail("never seen")).date() - timedelta(days=89)
        counted = {(name, day.isoformat()): n for name, named in row.behaviour.events.items() for day, n in named.days.items()}
        in_time = {(name, day): n for (name, day), n in expected.items() if date.fromisoformat(day) >= since}
        assert in_time == counted
    assert sorted(people) == sorted(item["SK"]["S"] for item in cloud.items() if item["PK"]["S"].startswith("STATS#"))
    assert [] == cloud.parked()
