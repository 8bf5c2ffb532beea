"""The search for a maximum: where it is, at a bound, and where there is none."""

from collections.abc import Sequence
from math import e, inf, log, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecrm.analytics.fitting import MOST_TRIALS, Bounds, FitFailed, maximise
from ecrm.analytics.special import digamma

WIDE = (Bounds(1e-6, 1e6), Bounds(1e-6, 1e6))
EULER = 0.577_215_664_901_532_9


def a_narrow_ridge(at: Sequence[float]) -> tuple[float, list[float]]:
    """A parabola of the logarithms, a thousand times as steep across as it is along; its top is at e and 2e."""
    x, y = at
    along, across = log(x) - 1, log(y) - log(2 * x)
    return -(along**2) - 1_000 * across**2, [(-2 * along + 2_000 * across) / x, -2_000 * across / y]


@pytest.mark.parametrize("start", [(1.0, 1.0), (1e-5, 1e5), (1e5, 1e-5)])
def test_the_top_of_a_narrow_ridge_is_found_from_anywhere(start: tuple[float, float]) -> None:
    assert pytest.approx([e, 2 * e], rel=1e-6) == maximise(a_narrow_ridge, start, WIDE)


def test_a_top_beyond_a_bound_is_given_at_the_bound_and_the_rest_is_best_there() -> None:
    """Soon: what was learnt of the curvature with the other parameter free is forgotten."""
    tried = []

    def saw(at: Sequence[float]) -> tuple[float, list[float]]:
        tried.append(at)
        return a_narrow_ridge(at)

    assert pytest.approx([1.0, 2.0], rel=1e-6) == maximise(saw, (0.1, 7.0), (Bounds(1e-6, 1.0), WIDE[1]))
    assert len(tried) <= 40


def test_what_is_even_is_where_it_began() -> None:
    assert pytest.approx([3.0, 5.0]) == maximise(lambda _: (0.0, [0.0, 0.0]), (3.0, 5.0), WIDE)


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_what_is_not_finite_fails(value: float) -> None:
    with pytest.raises(FitFailed, match=r"^the likelihood is not finite$"):
        maximise(lambda _: (value, [1.0, 1.0]), (1.0, 1.0), WIDE)


def test_a_slope_that_leads_nowhere_fails() -> None:
    with pytest.raises(FitFailed, match=r"^no step makes the likelihood larger$"):
        maximise(lambda at: (-at[0], [1.0, 0.0]), (1.0, 1.0), WIDE)


def test_a_search_without_end_is_given_up() -> None:
    tried = []

    def saw(at: Sequence[float]) -> tuple[float, list[float]]:
        """Rises by less and less, as its slope says it rises for ever."""
        tried.append(at)
        return 1e-4 * len(tried), [1.0, -1.0] if len(tried) % 2 else [-1.0, 1.0]

    with pytest.raises(FitFailed, match=f"^no maximum within {MOST_TRIALS} trials$"):
        maximise(saw, (1.0, 1.0), WIDE)
    assert MOST_TRIALS == len(tried)


def test_the_digamma_function_is_that_of_the_tables() -> None:
    """Abramowitz and Stegun, 6.3.2 and 6.3.3, and table 6.1."""
    assert pytest.approx([-EULER, -EULER - 2 * log(2), 0.422_784_335_1, 2.251_752_589]) == [
        digamma(x) for x in (1.0, 0.5, 2.0, 10.0)
    ]


@given(x=st.floats(1e-4, 1e6))
def test_the_digamma_function_grows_by_the_inverse(x: float) -> None:
    assert digamma(x + 1) == pytest.approx(digamma(x) + 1 / x, rel=1e-12, abs=1e-10)
