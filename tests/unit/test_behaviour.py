"""Behaviour counted by day: visits, named events and the room that they have."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecrm.domain.behaviour import (
    CLAIMED,
    CUSTOM,
    DAYS,
    NAMES,
    NEVER_SEEN,
    ORDER_NAMES,
    TYPES,
    Act,
    BehaviourCounts,
    NamedCounts,
    act_of,
    fitted,
    read,
    recount,
    type_of,
    written,
)
from ecrm.domain.events import CATALOGUE, Event
from ecrm.domain.statistics import LARGEST, NOTHING, CurrencyStatistics, Month, Purchases, months_fitted
from ecrm.domain.statistics import fitted as fitted_row
from ecrm.store.statistics import _item

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
TODAY = NOON.date()


def act(minutes: float, name: str = "Product Viewed", *, number: int = 0) -> Act:
    return Act(f"behaviour:{number}", name, NOON + timedelta(minutes=minutes))


def test_a_visit_ends_with_a_pause_of_more_than_half_an_hour_and_with_the_day() -> None:
    acts = [act(0), act(30), act(61), act(12 * 60 - 1), act(12 * 60 + 1)]
    assert {TODAY: 3, TODAY + timedelta(days=1): 1} == recount(NEVER_SEEN, acts).visits


def test_named_events_have_their_first_and_last_time_and_their_days() -> None:
    acts = [act(0), act(5), act(-24 * 60), act(3, "Cart Viewed")]
    assert {
        "Product Viewed": NamedCounts(
            NOON - timedelta(days=1), NOON + timedelta(minutes=5), {TODAY - timedelta(days=1): 1, TODAY: 2}
        ),
        "Cart Viewed": NamedCounts(NOON + timedelta(minutes=3), NOON + timedelta(minutes=3), {TODAY: 1}),
    } == recount(NEVER_SEEN, acts).events


def test_the_same_act_under_two_ids_of_one_person_counts_once() -> None:
    assert recount(NEVER_SEEN, [act(0)]) == recount(NEVER_SEEN, [act(0), act(0)])
    assert 2 == recount(NEVER_SEEN, [act(0), act(0, number=1)]).events["Product Viewed"].days[TODAY]


def test_days_are_forgotten_after_90_and_times_are_not() -> None:
    old = [act(-24 * 60 * back) for back in (DAYS - 1, DAYS)]
    counts = recount(NEVER_SEEN, [act(0), *old])
    assert [TODAY - timedelta(days=DAYS - 1), TODAY] == [*counts.events["Product Viewed"].days] == [*counts.visits]
    assert NOON - timedelta(days=DAYS) == counts.events["Product Viewed"].first_at


@pytest.mark.parametrize(("ahead", "counts"), [(-400, True), (0, True), (24, True), (25, False)])
def test_what_a_clock_far_ahead_says_is_kept_and_not_counted(ahead: int, counts: bool) -> None:  # noqa: FBT001
    event = Event("behaviour:1", "cart.viewed", NOON + timedelta(hours=ahead), NOON, "de", "c1", "api", {"name": "Cart Viewed"})
    assert counts is (act_of(event) is not None)


def test_what_is_no_behaviour_is_no_act() -> None:
    assert act_of(Event("order.paid:1", "order.paid", NOON, NOON, "de", "c1", "api")) is None


def test_page_screen_and_group_calls_are_counted_under_names_of_their_own() -> None:
    names = {}
    for kind in ("page.viewed", "screen.viewed", "group.joined"):
        found = act_of(Event("behaviour:1", kind, NOON, NOON, "de", "c1", "api", {"name": "Home"}))
        assert found is not None
        names[kind] = found.name
    assert {"page.viewed": "Page Viewed", "screen.viewed": "Screen Viewed", "group.joined": "Group Joined"} == names


def test_every_name_has_a_type_of_its_own_and_every_type_is_in_the_catalogue() -> None:
    assert len({type_of(name) for name in (*NAMES, *ORDER_NAMES)}) == len(NAMES) + len(ORDER_NAMES)
    assert {*map(type_of, ORDER_NAMES)} == {*CLAIMED.values()}
    assert (CUSTOM, CUSTOM) == (type_of("product viewed"), type_of("Basket Licked"))
    assert TYPES <= CATALOGUE.keys()


def test_counts_are_written_from_the_last_day_backwards() -> None:
    days = {date(2026, 11, 16): 1, date(2026, 11, 19): 12, date(2026, 11, 20): 3}
    assert "3,12,,,1" == written(days)
    assert days == read("3,12,,,1", date(2026, 11, 20))
    assert ("", {}) == (written({}), read("", date(2026, 11, 20)))


# ── room ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def crowded(draw: Random, names: int, *, letters: int = 20) -> BehaviourCounts:
    acts = [
        Act(
            f"behaviour:{number}",
            f"{number % names:03}".ljust(letters, draw.choice("xé中😀")),
            NOON - timedelta(hours=draw.randrange(2_500)),
        )
        for number in range(names * 20)
    ]
    return recount(NEVER_SEEN, acts)


def size(value: object) -> int:
    """Bytes as DynamoDB counts them (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html)."""
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, bool):
        return 1
    if isinstance(value, int):
        return (len(str(abs(value))) + 1) // 2 + 1 + (value < 0)
    if isinstance(value, dict):
        return 3 + sum(len(name.encode()) + size(inner) + 1 for name, inner in value.items())
    assert isinstance(value, list | tuple)
    return 3 + sum(size(inner) + 1 for inner in value)


@pytest.mark.parametrize("letters", [3, 20, 60, 200])
@pytest.mark.parametrize("currencies", [0, 1, 20])
def test_a_row_never_has_more_than_4_kb(letters: int, currencies: int) -> None:
    days = Purchases(days=10**5, first_on=date.min, second_on=date.min, previous_on=date.min, last_on=date.min)
    amounts = CurrencyStatistics(
        orders=10**5,
        items=10**6,
        gross_minor=10**15,
        cancelled_minor=10**15,
        refunded_minor=10**15,
        net_revenue_minor=10**15,
        purchases=days,
        first_day_net_revenue_minor=10**15,
        first_90_days_net_revenue_minor=10**15,
        months=tuple(Month(119_990 + 12 * number, 31, 31, 10**14) for number in range(60)),
    )
    codes = months_fitted({f"X{number:02}": amounts for number in range(currencies)})
    crowd = replace(
        NOTHING,
        orders=10**5,
        cancelled_orders=10**5,
        returned_items=10**5,
        orders_with_returns=10**5,
        first_order_at=NOON,
        last_order_at=NOON,
        purchases=days,
        currencies=codes,
        behaviour=crowded(Random(1), 80, letters=letters),
    )
    row = fitted_row(crowd)
    assert row.behaviour.has_more
    assert size(_item("0" * 32, row, 10**6)) - 3 <= LARGEST
    if currencies < 20 and letters < 200:
        assert len(row.behaviour.events) >= 5


def test_what_happened_last_is_what_stays() -> None:
    counts = crowded(Random(2), 60)
    kept = fitted(counts, 1_000).events
    dropped = [named.last_at for name, named in counts.events.items() if name not in kept]
    assert kept
    assert max(dropped) <= min(named.last_at for named in kept.values())


def test_a_row_that_left_something_out_never_says_that_it_did_not() -> None:
    once = fitted(crowded(Random(3), 60), 1_000)
    assert once == fitted(once, 1_000)
    assert fitted(once, 100_000).has_more


# ── in any order ─────────────────────────────────────────────────────────────────────────────────────────────────────

NAMED = ("Product Viewed", "Cart Viewed", "Page Viewed")
histories = st.lists(
    st.builds(
        lambda minutes, name, number: act(minutes, name, number=number),
        st.integers(-200 * 24 * 60, 0) | st.integers(-300, 0),
        st.sampled_from(NAMED),
        st.integers(0, 3),
    ),
    max_size=40,
)


def naive(acts: list[Act]) -> BehaviourCounts:
    """What a bookkeeper counts by hand."""
    acts = sorted({(a.at, a.id): a for a in reversed(acts)}.values(), key=lambda a: a.at)
    if not acts:
        return BehaviourCounts()
    since = acts[-1].at.date() - timedelta(days=89)
    visits: dict[date, int] = {}
    for place, one in enumerate(acts):
        before = acts[place - 1] if place else None
        is_new = before is None or before.at.date() != one.at.date() or one.at - before.at > timedelta(minutes=30)
        visits[one.at.date()] = visits.get(one.at.date(), 0) + is_new
    events = {}
    for name in {a.name for a in acts}:
        times = [a.at for a in acts if a.name == name]
        days = {at.date(): sum(other.date() == at.date() for other in times) for at in times}
        events[name] = NamedCounts(times[0], times[-1], {day: n for day, n in days.items() if day >= since})
    return BehaviourCounts(acts[-1].at, {day: n for day, n in visits.items() if day >= since}, events)


@settings(max_examples=500)
@given(acts=histories, data=st.data())
def test_counting_touched_days_in_any_order_and_again_gives_what_a_bookkeeper_counts(
    acts: list[Act], data: st.DataObject
) -> None:
    acts = [*{(a.at, a.id): a for a in reversed(acts)}.values()]
    arrived: list[Act] = []
    row = NEVER_SEEN
    waiting = data.draw(st.permutations(acts))
    while waiting:
        cut = data.draw(st.integers(1, 8))
        batch, waiting = waiting[:cut], waiting[cut:]
        arrived += batch
        again = data.draw(st.lists(st.sampled_from(arrived), max_size=3))
        days = {one.at.date() for one in (*batch, *again)}
        row = recount(row, (one for one in arrived if one.at.date() in days))
    assert naive(acts) == row == recount(NEVER_SEEN, acts)
