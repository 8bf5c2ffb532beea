"""Experiments: the numbers are those of the literature, and nobody wins by chance more often than said."""

import random
from fractions import Fraction
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecrm.analytics.experiments import LEVEL, Compared, Interval, Outcome, Part, fisher, holm, smallest_effect, wilson, winner


@pytest.mark.parametrize(
    ("successes", "of", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilsons_interval_is_that_of_newcombes_examples(successes: int, of: int, low: float, high: float) -> None:
    """Newcombe 1998, Statistics in Medicine 17:857-872, table I, method 3."""
    found = wilson(successes, of)
    assert found is not None
    assert found.share == successes / of
    assert found.low == pytest.approx(low, abs=5e-5)
    assert found.high == pytest.approx(high, abs=5e-5)


def test_of_nobody_there_is_no_share_and_all_of_all_is_one() -> None:
    assert wilson(0, 0) is None
    all_of_seven = wilson(7, 7)
    assert all_of_seven is not None
    assert all_of_seven == Interval(1.0, all_of_seven.low, 1.0)
    assert all_of_seven.low == pytest.approx(0.6457, abs=5e-5)


@pytest.mark.parametrize(
    ("one", "other", "p"),
    [
        ((4, 3), (4, 1), 34 / 70),  # Fisher's lady, who tasted tea: 1 + 16 tables of 70 at either end
        ((9, 8), (7, 2), 0.0349650),
        ((10, 0), (10, 0), 1.0),
        ((5, 5), (5, 0), 2 / 252),
    ],
)
def test_fishers_test_is_exact(one: tuple[int, int], other: tuple[int, int], p: float) -> None:
    assert fisher(Part("a", *one), Part("b", *other)) == pytest.approx(p, abs=5e-8)
    assert fisher(Part("b", *other), Part("a", *one)) == pytest.approx(p, abs=5e-8)


def _by_counting(one: Part, other: Part) -> Fraction:
    """Fisher's test in whole numbers."""
    successes = one.successes + other.successes
    ways = [comb(one.recipients, of_one) * comb(other.recipients, successes - of_one) for of_one in range(successes + 1)]
    return Fraction(sum(each for each in ways if each <= ways[one.successes]), sum(ways))


@given(st.integers(1, 60), st.integers(1, 60), st.data())
def test_fishers_test_is_what_counting_all_tables_gives(one: int, other: int, data: st.DataObject) -> None:
    parts = (Part("a", one, data.draw(st.integers(0, one))), Part("b", other, data.draw(st.integers(0, other))))
    assert fisher(*parts) == pytest.approx(float(_by_counting(*parts)), rel=1e-6)


def test_holm_adjusts_the_rarest_most_and_keeps_the_order() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == [1.0, 1.0]


def test_the_best_wins_where_it_is_surely_better_than_each_other() -> None:
    found = winner([Part("a", 1_000, 20), Part("b", 1_000, 60), Part("c", 1_000, 25)], 100)
    assert (found.winner, found.why) == ("b", "better")
    assert [(pair.one, pair.other) for pair in found.pairs] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert [pair.p < LEVEL for pair in found.pairs] == [True, False, True]


def test_nobody_wins_by_a_difference_that_chance_makes() -> None:
    one, other = Part("a", 200, 10), Part("b", 200, 14)
    found = winner([one, other], 100)
    assert found == Outcome(None, "no_difference", (Compared("a", "b", found.pairs[0].p),))
    assert found.pairs[0].p == pytest.approx(float(_by_counting(one, other)), rel=1e-9)


def test_nobody_wins_who_is_not_better_than_the_second() -> None:
    found = winner([Part("a", 1_000, 60), Part("b", 1_000, 58), Part("c", 1_000, 5)], 100)
    assert (found.winner, found.why) == (None, "no_difference")


def test_nothing_is_decided_before_each_has_enough_recipients() -> None:
    assert winner([Part("a", 99, 0), Part("b", 5_000, 5_000)], 100) == Outcome(None, "too_few")
    assert winner([Part("a", 0, 0), Part("b", 0, 0)], 0) == Outcome(None, "too_few")


def test_where_treatments_do_the_same_one_wins_in_at_most_one_of_twenty() -> None:
    chance = random.Random(1)
    wins = sum(
        winner([Part(name, 150, sum(chance.random() < 0.2 for _ in range(150))) for name in "abc"], 100).winner is not None
        for _ in range(400)
    )
    assert wins / 400 <= LEVEL


def test_the_smallest_effect_is_that_of_fleiss_table() -> None:
    """0.10 against 0.15 asks for 686 a group (table A.4 of the third edition, before its correction for continuity)."""
    assert smallest_effect(686, 686, 0.10) == pytest.approx(0.05, abs=5e-5)


def test_the_smallest_effect_is_less_with_more_people_and_none_with_too_few() -> None:
    effects = [smallest_effect(9 * people, people, 0.05) or 0.0 for people in (50, 500, 5_000)]
    assert 1 > effects[0] > effects[1] > effects[2] > 0
    assert smallest_effect(2, 2, 0.5) is None
    assert smallest_effect(0, 10, 0.1) is None
    assert smallest_effect(500, 500, 1.0) is None
