"""What a comparison says of a value, of one of another type, of none, and of a count that is only known to be within bounds."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecrm.domain.comparisons import MANY, NUMERIC, ORDERING, PRESENCE, Comparison, Op, Truth, predicate_of, truth_of_count
from ecrm.domain.windows import Moment

MOMENT = Moment(datetime(2026, 11, 20, 12, tzinfo=UTC), UTC)
TABLE: dict[Op, tuple[Any, list[Any], list[Any]]] = {
    Op.EQUAL: (2, [2, Decimal("2.0")], [3, "2", True, [2]]),
    Op.NOT_EQUAL: (1, [2, Decimal("1.5")], [1, Decimal(1), "2", True]),
    Op.LESS: (2, [1, Decimal("1.99"), -5], [2, 3, "1", False]),
    Op.AT_MOST: (2, [1, 2], [Decimal("2.01"), "1", True]),
    Op.MORE: (Decimal("2.5"), [3, Decimal("2.51")], [2, Decimal("2.5"), "3"]),
    Op.AT_LEAST: (0, [0, 1, 10**37], [-1, "1", True]),
    Op.BETWEEN: ((1, 3), [1, 2, 3, Decimal("2.5")], [0, Decimal("3.01"), "2", True]),
    Op.IS: ("gold", ["gold"], ["Gold", "golden", "", 7, True, ["gold"]]),
    Op.IS_NOT: ("gold", ["Gold", "", "silver"], ["gold", 7, False, ["silver"]]),
    Op.IN: (("gold", "silver"), ["gold", "silver"], ["Gold", "old", 1, True]),
    Op.NOT_IN: (("gold", "silver"), ["Gold", ""], ["gold", 1, False]),
    Op.CONTAINS: ("oo", ["oops", "boo"], ["o", "OO", 0, ["oo"]]),
    Op.STARTS_WITH: ("ab", ["abc", "ab"], ["xab", "AB", True]),
    Op.ENDS_WITH: ("ab", ["ab", "xab"], ["abc", 1]),
    Op.BEFORE: (date(2026, 11, 20), ["2026-11-19", "2026-11-19T23:59:59Z"], ["2026-11-20", "--01-01", "then", 20261119]),
    Op.AFTER: (date(2026, 11, 20), ["2026-11-21", "2026-11-21T00:00:00Z"], ["2026-11-20", "zzz", True]),
    Op.ON: (date(2026, 11, 20), ["2026-11-20", "2026-11-20T12:00:00+01:00"], ["2026-11-21", "2026-11-20 or so"]),
    Op.WITHIN_LAST: (1, ["2026-11-20", "2026-11-19"], ["2026-11-18", "2026-11-21", 1]),
    Op.WITHIN_NEXT: (1, ["2026-11-20", "2026-11-21"], ["2026-11-19", "2026-11-22", "1"]),
    Op.HAS: (1, [[1], ["a", Decimal(1)]], [[], ["1"], [True], [2], 1, "1"]),
    Op.HAS_ANY: (("a", True), [["a"], [True, 2]], [[], [1], ["A"], "a"]),
    Op.HAS_ALL: (("a", 1), [[1, "a"], ["a", Decimal("1.0"), True]], [["a"], ["a", True], [], "a1"]),
    Op.EXISTS: (None, ["", 0, False, [], "x"], []),
    Op.MISSING: (None, [], ["", 0, False, []]),
}


@pytest.mark.parametrize("op", Op)
def test_a_comparison_holds_for_what_it_says_and_for_nothing_of_another_type(op: Op) -> None:
    asked, holds, does_not = TABLE[op]
    test = predicate_of(Comparison(op, asked), MOMENT)
    assert [True] * len(holds) + [False] * len(does_not) == [test(value) for value in (*holds, *does_not)]


@pytest.mark.parametrize("op", Op)
def test_where_there_is_no_value_every_comparison_is_false_but_missing(op: Op) -> None:
    assert (op is Op.MISSING) is predicate_of(Comparison(op, TABLE[op][0]), MOMENT)(None)


@pytest.mark.parametrize("asked", [True, False])
def test_a_boolean_is_compared_with_booleans_alone(asked: bool) -> None:  # noqa: FBT001 (a value, not a switch)
    values: tuple[Any, ...] = (True, False, 1, 0, "true", "", None)
    for op, expected in ((Op.IS, asked), (Op.IS_NOT, not asked)):
        test = predicate_of(Comparison(op, asked), MOMENT)
        assert [value is expected for value in values] == [test(value) for value in values]


def test_texts_are_the_same_however_their_accents_are_written() -> None:
    composed, decomposed = "Caf\u00e9", "Cafe\u0301"
    for asked, seen in ((composed, decomposed), (decomposed, composed)):
        assert predicate_of(Comparison(Op.IS, asked), MOMENT)(seen)
        assert predicate_of(Comparison(Op.IN, (asked,)), MOMENT)(seen)
        assert predicate_of(Comparison(Op.HAS, asked), MOMENT)([seen])
        assert predicate_of(Comparison(Op.ENDS_WITH, asked[-2:]), MOMENT)(seen)


ASKED = st.one_of(
    st.builds(Comparison, st.sampled_from(sorted(ORDERING)), st.integers(0, 8)),
    st.builds(Comparison, st.just(Op.BETWEEN), st.tuples(st.integers(0, 8), st.integers(0, 8)).map(sorted).map(tuple)),
    st.builds(Comparison, st.sampled_from(sorted(PRESENCE))),
)


@given(asked=ASKED, low=st.integers(0, 8), width=st.integers(0, 8))
def test_of_a_count_within_bounds_as_much_is_known_as_all_that_it_may_be_agree_on(
    asked: Comparison, low: int, width: int
) -> None:
    test = predicate_of(asked, MOMENT)
    may_be = {test(count) for count in range(low, low + width + 1)}
    expected: Truth = may_be.pop() if len(may_be) == 1 else None
    assert expected is truth_of_count(asked)(low, low + width)


def test_a_count_without_an_upper_bound_is_more_than_anybody_asks_for() -> None:
    largest = 10**38 - 1
    known = {op: truth_of_count(Comparison(op, (3, largest) if op is Op.BETWEEN else 3))(3, MANY) for op in NUMERIC}
    expected: dict[Op, Truth] = dict.fromkeys(NUMERIC, None) | {Op.LESS: False, Op.AT_LEAST: True}
    assert expected == known
