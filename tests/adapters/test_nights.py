"""Nights and memberships in the table: written under what was seen, and read as they were written."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

import pytest

from ecrm import bootstrap
from ecrm.analytics.forecasts import Horizon
from ecrm.analytics.rfm import CELLS, GroupTable, RfmScale, Scale
from ecrm.analytics.scoring import NightThresholds
from ecrm.application.segment_ports import Night, Pointer
from ecrm.domain.events import Event
from ecrm.domain.lifecycle import Stage, Thresholds
from ecrm.domain.nights import Generations, Membership, NightState
from ecrm.store import keys
from ecrm.store.keys import SHARDS
from ecrm.store.memberships import DynamoMemberships
from ecrm.store.nights import DynamoMoveEvents
from ecrm.store.table import Put
from tests.adapters.people import here
from tests.builders import A_MODEL, NOON
from tests.cloud import Cloud

DAY = date(2026, 11, 20)
THRESHOLDS = NightThresholds(
    lifecycle=Thresholds(at_risk_days=60, lost_days=120, at_risk_factor=2.1, lost_factor=1 / 3, loyal_days=5, won_back_days=7),
    scales={"EUR": RfmScale(Scale((739_000,)), Scale(()), Scale((1, 10**15)))},
    groups=GroupTable(tuple(tuple(name.upper() for name in row) for row in CELLS)),
    models={"EUR": A_MODEL, "JPY": replace(A_MODEL, check=None, failure="it did not converge", is_weak=True)},
    horizon=Horizon(days=730, discount_percent=0.1 + 0.2),
)
WHOLE = Night(
    night=DAY,
    state=NightState.FAILED,
    scheduled_at=NOON,
    started_at=NOON + timedelta(seconds=1),
    generation=7,
    base=5,
    base_night=DAY - timedelta(days=1),
    finished_at=NOON + timedelta(minutes=3),
    error="night_overtaken",
    customers=12,
    unreadable=1,
    from_facts=3,
    sizes={"vip": 4},
    entered={"vip": 2},
    left={"vip": 1},
    versions={"vip": 3},
    stages={Stage.NEW: 5, Stage.LOST: 6},
    moves={Stage.NEW: {Stage.LOST: 2}},
    thresholds=THRESHOLDS,
    version=1,
)
PLANNED = Night(night=DAY, state=NightState.PLANNED, scheduled_at=NOON, started_at=NOON, generation=1, version=1)


@pytest.mark.usefixtures("cloud")
@pytest.mark.parametrize("night", [WHOLE, PLANNED, replace(WHOLE, thresholds=replace(THRESHOLDS, groups=GroupTable()))])
def test_a_night_is_read_as_it_was_written(night: Night) -> None:
    nights = bootstrap.nights()
    pointer = Pointer(generations=Generations(5, 7, frozenset({4})), night=DAY, thresholds=night.thresholds, version=1)
    assert nights.write(night, pointer=pointer)
    assert (night, pointer) == (nights.find(night.night), nights.pointer())
    assert (night,) == nights.newest(after=None, limit=5).items


@pytest.mark.usefixtures("cloud")
def test_a_night_and_the_pointer_are_written_together_or_not_at_all() -> None:
    nights = bootstrap.nights()
    assert (Pointer(), None) == (nights.pointer(), nights.find(DAY))
    first = Pointer(generations=Generations(0, 1), version=1)
    assert nights.write(PLANNED, pointer=first)
    assert not nights.write(PLANNED, pointer=replace(first, version=2))
    assert not nights.write(replace(PLANNED, version=2), pointer=first)
    assert (PLANNED, first) == (nights.find(DAY), nights.pointer())
    published = replace(PLANNED, state=NightState.PUBLISHED, version=2)
    assert nights.write(published, pointer=replace(first, generations=Generations(1, 1), version=2))
    assert (published, 1) == (nights.find(DAY), nights.pointer().generations.published)


def test_a_night_before_anything_was_predicted_can_be_read(cloud: Cloud) -> None:
    """Readers go by the last one until the next."""
    nights = bootstrap.nights()
    nights.write(WHOLE, pointer=Pointer(generations=Generations(7, 7), night=DAY, thresholds=THRESHOLDS, version=1))
    for item in cloud.items("2026-11-20") + cloud.items("CONTROL"):
        for name in ("models", "horizon"):
            del item["thresholds"]["M"][name]
        cloud.dynamodb.put_item(TableName="table", Item=item)
    before = replace(THRESHOLDS, models={}, horizon=Horizon())
    assert (replace(WHOLE, thresholds=before), before) == (nights.find(DAY), nights.pointer().thresholds)


def test_a_night_goes_after_four_hundred_days(cloud: Cloud) -> None:
    bootstrap.nights().write(PLANNED)
    (item,) = cloud.items("2026-11-20")
    assert int((NOON + timedelta(days=400)).timestamp()) == int(item["expires_at"]["N"])


@pytest.mark.usefixtures("cloud")
def test_a_membership_is_never_written_over_by_an_earlier_night() -> None:
    memberships = bootstrap.memberships()
    memberships.write([Membership("vip", "c1", 3), Membership("vip", "c2", 1, 3)])
    memberships.write([Membership("vip", "c1", 1, 2), Membership("vip", "c2", 2), Membership("vip", "c3", 2)])
    memberships.write([Membership("vip", "c1", 3)])
    expected = {"c1": Membership("vip", "c1", 3), "c2": Membership("vip", "c2", 1, 3), "c3": Membership("vip", "c3", 2)}
    assert expected == {name: memberships.of(name, ("vip", "none"))["vip"] for name in expected}
    memberships.write([Membership("vip", "c1", 3, 4)])
    assert {"vip": Membership("vip", "c1", 3, 4)} == memberships.of("c1", ("vip",))


@pytest.mark.usefixtures("cloud")
@pytest.mark.parametrize("at_once", [1, 4])
def test_all_memberships_are_written_also_beside_each_other(at_once: int) -> None:
    memberships = DynamoMemberships(bootstrap.table(), at_once)
    customers = [f"c{number}" for number in range(300)]
    memberships.write(Membership("vip", customer, 1) for customer in customers)
    found = [membership.customer_id for shard in range(SHARDS) for membership in memberships.in_shard("vip", shard)]
    assert sorted(customers) == sorted(found)


@pytest.mark.usefixtures("cloud")
def test_no_membership_is_written_of_the_erased_and_all_of_others_also_of_the_merged() -> None:
    """In transactions of a hundred actions at most, some of which a later night forbids."""
    table, segments = bootstrap.table(), [f"s{number}" for number in range(120)]
    for customer_id, state in (("erased", "erased_at"), ("merged", "merged_into")):
        key = keys.profile(customer_id)
        table.put(Put({"PK": key.pk, "SK": key.sk, "type": "profile", "v": 1, "version": 2, state: "then"}, None, state))
    memberships = bootstrap.memberships()
    memberships.write([Membership("s7", "merged", 3)])
    memberships.write(Membership(name, customer, 1, 2) for customer in ("erased", "merged") for name in segments)
    ended = {name: Membership(name, "merged", 1, 2) for name in segments}
    assert ended | {"s7": Membership("s7", "merged", 3)} == memberships.of("merged", segments)
    assert {} == memberships.of("erased", segments)


@pytest.mark.parametrize("at_once", [1, 4])
def test_a_table_that_is_not_there_for_one_membership_is_told(cloud: Cloud, at_once: int) -> None:
    memberships = DynamoMemberships(bootstrap.table(), at_once)
    cloud.dynamodb.delete_table(TableName="table")
    with pytest.raises(Exception, match="ResourceNotFound"):
        memberships.write(Membership("vip", f"c{number}", 1) for number in range(9))


def events(customer_id: str, number: int) -> Iterator[Event]:
    for at in range(number):
        yield Event(
            id=f"segment:vip{at}:1:entered",
            type="segment.entered",
            occurred_at=NOON,
            received_at=NOON,
            site="de",
            customer_id=customer_id,
            source="night",
        )


def test_moves_are_told_once_however_many_and_however_often(cloud: Cloud) -> None:
    here("c1")
    moves = DynamoMoveEvents(bootstrap.table())
    told = list(events("c1", 120))
    moves.record("c1", told[50:60])
    moves.record("c1", told)
    moves.record("c1", told)
    assert {event.id for event in told} == {item["id"]["S"] for item in cloud.items("EVENT#")}
    assert 120 == len(cloud.items("EVENT#"))


def test_nothing_is_told_of_who_is_not_there(cloud: Cloud) -> None:
    DynamoMoveEvents(bootstrap.table()).record("c1", list(events("c1", 2)))
    assert [] == cloud.items("EVENT#")
