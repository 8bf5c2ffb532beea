"""Counts of values: exact, coarse above a bound, and the same however they are merged."""

from collections import Counter
from itertools import count as numbers

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecrm.analytics import counters
from ecrm.analytics.counters import ValueCounts, coarse, count

values = st.integers(0, 9) | st.integers(0, 200_000)


def parted(data: st.DataObject, parts: list[ValueCounts]) -> ValueCounts:
    """Merge parts in some grouping and order."""
    while len(parts) > 1:
        one, other = (parts.pop(data.draw(st.integers(0, len(parts) - 1))) for _ in range(2))
        one.merge(other)
        parts.append(one)
    return parts[0]


@given(values=st.lists(values))
def test_values_are_counted_exactly(values: list[int]) -> None:
    assert (dict(Counter(values)), len(values), False) == ((counts := count(values)).customers, counts.total, counts.is_coarse)
    assert sorted(Counter(values).items()) == list(counts.in_order())


@pytest.mark.parametrize("most", [5, 200_000])
@settings(max_examples=300)
@given(groups=st.lists(st.lists(values, max_size=8), min_size=1, max_size=6), data=st.data())
def test_merging_in_any_grouping_and_order_counts_what_one_worker_counts(
    most: int, groups: list[list[int]], data: st.DataObject
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counters, "MOST_VALUES", most)
        merged = parted(data, [count(group) for group in groups])
        everybody = [value for group in groups for value in group]
        assert count(everybody) == merged
        assert merged.is_coarse == (len(set(everybody)) > most)
        expected = Counter(map(coarse, everybody) if merged.is_coarse else everybody)
        assert dict(expected) == merged.customers


@pytest.mark.parametrize(
    ("value", "expected"), [(0, 0), (9_999, 9_999), (10_000, 10_000), (12_345, 12_340), (12_349, 12_340), (10**12 + 1, 10**12)]
)
def test_a_coarse_value_keeps_four_digits(value: int, expected: int) -> None:
    assert expected == coarse(value)


@given(one=st.integers(0, 10**13), other=st.integers(0, 10**13))
def test_rounding_is_by_less_than_a_thousandth_and_never_turns_two_values_round(one: int, other: int) -> None:
    assert 0 <= one - coarse(one) <= one // 1_000
    assert (coarse(one) <= coarse(other)) or one > other
    assert coarse(one) == coarse(coarse(one))


def test_more_distinct_values_than_are_kept_are_coarse_and_few() -> None:
    step = numbers(1, 4_999)
    counts = count(next(step) for _ in range(300_000))
    assert (True, 300_000) == (counts.is_coarse, counts.total)
    assert len(counts.customers) < 40_000


@pytest.mark.parametrize("other", [[3], [3, 12_345], []])
def test_a_coarse_part_makes_the_whole_coarse_whichever_is_merged_into_which(other: list[int]) -> None:
    """Many values that are few when they are coarse: a part that is exact would have room for them."""
    many = range(10**9, 10**9 + 200_001)
    one, two = count(many), count(other)
    one.merge(count(other))
    two.merge(count(many))
    expected = {10**9: 200_001} | {coarse(value): 1 for value in other}
    assert (expected, True) == (one.customers, one.is_coarse)
    assert one == two
