"""A timeline is one, whatever its customer was known as: newest first over all partitions, without what has expired."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from customers_api.handler import handler
from ecrm import bootstrap
from ecrm.domain.events import Event
from ecrm.store import keys
from ecrm.store.events import put_event
from ecrm.store.table import Put
from tests.builders import NOON
from tests.cloud import Cloud
from tests.faults import Kept

ROOT, *ABSORBED = (str(number) * 32 for number in range(4))


def write(partition: str, name: str, at: datetime, kind: str = "order.paid", **more: Any) -> Event:
    event = Event(name, kind, at, NOON, "de", partition, "test", **more)
    bootstrap.table().put(put_event(event, why="event is new"))
    return event


def make(customer_id: str, **more: Any) -> None:
    key = keys.profile(customer_id)
    item = {"PK": key.pk, "SK": key.sk, "type": "profile", "v": 1, "version": 1, "identifiers": []}
    bootstrap.table().put(Put(item | {"created_at": "2026-11-20T12:00:00.000000Z"} | more, None, "customer"))


@pytest.fixture
def merged(cloud: Cloud) -> Cloud:
    """A customer who turned out to be three others, too."""
    make(ROOT, absorbed=ABSORBED)
    for customer_id in ABSORBED:
        make(customer_id, merged_into=ROOT)
    cloud.key()
    return cloud


def pages(cloud: Cloud, query: str = "", customer_id: str = ROOT) -> Iterator[list[dict[str, Any]]]:
    cursor = ""
    while True:
        answer = cloud.call(handler, "GET", f"/v1/customers/{customer_id}/timeline", query=query + cursor)
        assert 200 == answer.status, answer.text
        yield answer.json["data"]
        if answer.json["next_cursor"] is None:
            return
        cursor = f"&cursor={answer.json['next_cursor']}"


def names(cloud: Cloud, query: str = "", customer_id: str = ROOT) -> list[str]:
    return [event["id"] for page in pages(cloud, query, customer_id) for event in page]


over_moto = settings(
    max_examples=40,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to shrink through moto takes minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
happened = st.tuples(
    st.sampled_from([ROOT, *ABSORBED]), st.integers(0, 9), st.sampled_from(["order.paid", "page.viewed"]), st.booleans()
)


@over_moto
@given(facts=st.lists(happened, max_size=25), limit=st.integers(1, 9), types=st.sampled_from(["", "order.*", "page.viewed"]))
def test_pages_of_any_size_tell_all_of_every_partition_once(
    merged: Cloud, facts: list[tuple[str, int, str, bool]], limit: int, types: str
) -> None:
    kept = Kept()
    past, future = (bootstrap.clock.now() + timedelta(days=days) for days in (-1, 1))
    expected = []
    for number, (partition, hour, kind, is_over) in enumerate(facts):
        write(partition, f"{number:02}", NOON + timedelta(hours=hour), kind, expires_at=past if is_over else future)
        if not is_over and (not types or kind.startswith(types.removesuffix("*"))):
            expected.append((hour, f"{number:02}"))
    found = [*pages(merged, f"limit={limit}&type={types}")]
    kept.restore()
    assert [name for _, name in sorted(expected, reverse=True)] == [event["id"] for page in found for event in page]
    assert {ROOT} >= {event["customer_id"] for page in found for event in page}
    assert max(map(len, found)) <= limit


def test_what_two_partitions_hold_is_told_once(merged: Cloud) -> None:
    """A fact that was sent again after its customers became one."""
    for partition in (ABSORBED[0], ROOT, ABSORBED[2]):
        write(partition, "twice", NOON)
        write(partition, "before", NOON - timedelta(hours=1))
    for limit in (1, 2, 3, 100):
        assert ["twice", "before"] == names(merged, f"limit={limit}")


def test_whoever_was_absorbed_leads_to_the_whole_timeline(merged: Cloud) -> None:
    write(ROOT, "own", NOON)
    write(ABSORBED[1], "theirs", NOON + timedelta(hours=1))
    assert ["theirs", "own"] == names(merged, customer_id=ABSORBED[0]) == names(merged)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("from=2026-11-20&to=2026-11-20", ["20-end", "20"]),
        ("from=2026-11-20", ["21", "20-end", "20"]),
        ("to=2026-11-20", ["20-end", "20", "19-end"]),
        ("to=2026-11-19", ["19-end"]),
        ("from=2026-11-21&to=2999-12-31", ["21"]),
        ("from=2026-11-22", []),
        ("to=1970-01-01", []),
    ],
)
@pytest.mark.parametrize("limit", [1, 100])
def test_a_timeline_is_cut_at_days_of_utc(merged: Cloud, query: str, expected: list[str], limit: int) -> None:
    at = {
        "19-end": datetime(2026, 11, 19, 23, 59, 59, 999_999, UTC),
        "20": datetime(2026, 11, 20, tzinfo=UTC),
        "20-end": datetime(2026, 11, 20, 23, 59, 59, 999_999, UTC),
        "21": datetime(2026, 11, 21, tzinfo=UTC),
    }
    for partition, (name, instant) in zip((ROOT, *ABSORBED), at.items(), strict=True):
        write(partition, name, instant)
    assert expected == names(merged, f"{query}&limit={limit}")


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        ("order.*", ["order.paid", "order.shipped"]),
        ("order.paid", ["order.paid"]),
        ("order.paid,orders.paid", ["order.paid", "orders.paid"]),
        ("page.*,order.shipped", ["order.shipped", "page.viewed"]),
        ("order*", []),
        ("order.", []),
        ("*", []),
        (".*", []),
        ("", ["order.paid", "order.shipped", "orders.paid", "page.viewed"]),
    ],
)
def test_a_type_is_named_whole_or_by_how_it_begins(merged: Cloud, types: str, expected: list[str]) -> None:
    for number, kind in enumerate(["page.viewed", "orders.paid", "order.shipped", "order.paid"]):
        write(ROOT, kind, NOON + timedelta(hours=number), kind)
    assert expected == names(merged, f"type={types}")


def test_days_in_the_wrong_order_are_refused(merged: Cloud) -> None:
    answer = merged.call(handler, "GET", f"/v1/customers/{ROOT}/timeline", query="from=2026-11-20&to=2026-11-19")
    assert (422, "range", "?from") == (answer.status, answer.json["code"], answer.json["errors"][0]["pointer"])


def test_a_cursor_continues_no_other_days_or_types(merged: Cloud) -> None:
    for number in range(3):
        write(ROOT, str(number), NOON + timedelta(hours=number))
    path = f"/v1/customers/{ROOT}/timeline"
    cursor = merged.call(handler, "GET", path, query="limit=1&from=2026-11-20").json["next_cursor"]
    assert 200 == merged.call(handler, "GET", path, query=f"from=2026-11-20&cursor={cursor}").status
    for query in ("from=2026-11-19", "from=2026-11-20&to=2026-11-20", "from=2026-11-20&type=order.*", ""):
        answer = merged.call(handler, "GET", path, query=f"{query}&cursor={cursor}")
        assert (422, "bad_cursor") == (answer.status, answer.json["code"])
