"""How long people take to come back: Kaplan and Meier's estimate, its quantiles, and what small shops have."""

from datetime import date, timedelta

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecrm.analytics.counters import count
from ecrm.analytics.rhythm import FALL_BACK, SecondPurchaseCounts, Times, came_back, times
from ecrm.domain.statistics import Purchases
from tests.unit.facts import cdnow, purchases_on

TODAY = date(2026, 11, 20)
LONG = 10_000


def counted(back: list[int], away: list[int], longest: int = LONG) -> SecondPurchaseCounts:
    return SecondPurchaseCounts(count(back), count(away), longest)


def of(purchases: list[Purchases], today: date = TODAY) -> SecondPurchaseCounts:
    counts = SecondPurchaseCounts()
    for one in purchases:
        counts.add(one, today)
    return counts


def bought(*days_ago: int) -> Purchases:
    return purchases_on(TODAY - timedelta(days=ago) for ago in days_ago)


def test_who_came_back_did_so_at_the_second_purchase_and_who_did_not_is_still_away() -> None:
    people = [bought(30), bought(30), bought(50, 43), bought(400, 393, 380, 1), bought(0)]
    assert counted([7, 7], [30, 30, 0], 400) == of(people)


def test_a_first_purchase_that_is_tomorrow_there_is_todays() -> None:
    assert counted([], [0], 0) == of([bought(-1)])


def test_the_estimate_is_that_of_the_leukaemia_trial() -> None:
    """Weeks in remission under 6-MP (Freireich and others, Blood 21, 1963; Cox and Oakes, Analysis of Survival Data, 1984)."""
    relapsed = [6, 6, 6, 7, 10, 13, 16, 22, 23]
    in_remission = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    curve = came_back(counted(relapsed, in_remission))
    assert [(6, 0.857), (7, 0.807), (10, 0.753), (13, 0.690), (16, 0.627), (22, 0.538), (23, 0.448)] == [
        (week, round(1 - part, 3)) for week, part in curve
    ]


@given(back=st.lists(st.integers(1, 40), min_size=1, max_size=60))
def test_where_nobody_is_still_away_the_estimate_is_the_share_of_those_who_are_back(back: list[int]) -> None:
    expected = [(day, sum(one <= day for one in back) / len(back)) for day in sorted(set(back))]
    assert [day for day, _ in expected] == [day for day, _ in came_back(counted(back, []))]
    assert [part for _, part in came_back(counted(back, []))] == pytest.approx([part for _, part in expected])


def test_the_quantiles_are_those_of_the_people_who_come_back() -> None:
    assert Times(36, 39) == times(counted(list(range(1, 41)), []))
    never = [LONG] * 1_000
    assert Times(36, 39) == times(counted(list(range(1, 41)), never))


def test_those_who_had_no_time_to_come_back_do_not_make_people_look_fast() -> None:
    """All come back after 1 to 100 days; half of them bought first at most 100 days ago, and are known for that long."""
    old = [bought(500, 500 - gap) for gap in range(1, 101)]
    young = [bought(known) if gap > known else bought(known, known - gap) for known in range(1, 100) for gap in range(1, 101)]
    hasty = of([one for one in (*old, *young) if one.second_on], TODAY)
    assert Times(90, 98) == times(of(old * 99))
    assert Times(90, 98) == times(of([*old * 99, *young]))
    assert times(hasty).at_risk_days < 90


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        (SecondPurchaseCounts(), FALL_BACK),
        (counted([5] * 39, []), FALL_BACK),
        (counted([5] * 40, []), Times(5, 5)),
        (counted([5] * 40, [], longest=364), FALL_BACK),
        (counted([5] * 40, [], longest=365), Times(5, 5)),
    ],
)
def test_a_shop_that_is_small_or_young_has_the_fall_back(counts: SecondPurchaseCounts, expected: Times) -> None:
    assert expected == times(counts)


def test_the_fall_back_is_the_companys_to_choose() -> None:
    assert Times(60, 120) == times(SecondPurchaseCounts(), Times(60, 120))


people = st.lists(st.lists(st.integers(0, 900), min_size=1, max_size=4).map(lambda ago: bought(*ago)), max_size=12)


@settings(max_examples=300)
@given(groups=st.lists(people, min_size=1, max_size=5), data=st.data())
def test_counting_in_parts_and_merging_them_in_any_order_gives_the_same(
    groups: list[list[Purchases]], data: st.DataObject
) -> None:
    parts = [of(group) for group in groups]
    while len(parts) > 1:
        one, other = (parts.pop(data.draw(st.integers(0, len(parts) - 1))) for _ in range(2))
        one.merge(other)
        parts.append(one)
    whole = of([one for group in groups for one in group])
    assert [whole] == parts
    assert times(whole) == times(parts[0])


def test_the_times_of_the_cdnow_sample_are_those_that_pandas_gives() -> None:
    ends = date(1998, 6, 30)
    sample = cdnow().values()
    frame = pd.DataFrame(
        [((one.second_on or ends) - one.first_on, one.second_on is not None) for one in sample], columns=["time", "is_back"]
    )
    frame["time"] = frame["time"].map(lambda gap: gap.days)
    by_day = frame.groupby("time")["is_back"].agg(["sum", "count"])
    known = by_day["count"][::-1].cumsum()[::-1]
    returned = 1 - (1 - by_day["sum"] / known).cumprod()
    days = [int((returned / returned.iloc[-1] >= part).idxmax()) for part in (0.9, 0.975)]
    assert [314, 462] == days
    assert Times(*days) == times(of(list(sample), ends))
