"""BG/NBD and MBG/NBD against published figures, exact integrals, and what happened to CDNOW's customers; time in weeks."""

from collections import Counter
from datetime import date
from itertools import pairwise
from math import inf
from typing import Any

import pytest

from ecrm.analytics.fitting import FitFailed
from ecrm.analytics.purchasing import Purchasing, Triple, _likelihood, fit
from tests.unit.buyers import CALIBRATED_ON, FOLLOWED_UNTIL, HOLD_OUT, WEEK, Spent, cdnow, expected, triples, until, weekly

PAPERS = Purchasing(r=0.243, alpha=4.414, a=0.793, b=2.426, is_modified=False)
"""Fader, Hardie and Lee (2005), table 2."""


@pytest.fixture(scope="module")
def customers() -> list[Spent]:
    return cdnow()


def values(model: Purchasing) -> list[float]:
    return [model.r, model.alpha, model.a, model.b]


def test_bg_nbd_of_the_cdnow_sample_is_the_papers(customers: list[Spent]) -> None:
    histories = triples(customers)
    model = fit(histories, is_modified=False)
    assert pytest.approx(values(PAPERS), abs=1e-3) == values(model)
    assert pytest.approx(-9582.43, abs=0.01) == model.log_likelihood(histories)


def test_mbg_nbd_of_the_cdnow_sample_is_that_of_another_implementation(customers: list[Spent]) -> None:
    """`ModifiedBetaGeoFitter` of lifetimes 0.11.3, without penalty, to what its search leaves open; the R package BTYDplus has
    0.525, 6.183, 0.891 and 1.614.
    """
    histories = triples(customers)
    model = fit(histories)
    assert pytest.approx([0.524843, 6.183082, 0.891360, 1.614003], rel=2e-5) == values(model)
    assert pytest.approx(-9582.14, abs=0.01) == model.log_likelihood(histories)


@pytest.mark.parametrize("is_modified", [False, True])
def test_a_fit_that_begins_at_last_nights_ends_where_one_from_nowhere_does(customers: list[Spent], *, is_modified: bool) -> None:
    yesterdays = fit(triples(customers, date(1997, 9, 29)), is_modified=is_modified)
    today = triples(customers)
    cold, warm = fit(today, is_modified=is_modified), fit(today, yesterdays, is_modified=is_modified)
    assert pytest.approx(values(cold), rel=1e-4) == values(warm)


def test_time_in_days_changes_alpha_and_nothing_else(customers: list[Spent]) -> None:
    weeks, days = fit(triples(customers)), fit(triples(customers, unit=1))
    assert pytest.approx([weeks.r, weeks.alpha * WEEK, weeks.a, weeks.b], rel=1e-4) == values(days)


def test_the_order_in_which_customers_are_counted_changes_no_bit(customers: list[Spent]) -> None:
    histories = triples(customers)
    assert fit(histories) == fit(Counter(dict(reversed(histories.items()))))


@pytest.mark.parametrize("is_modified", [False, True])
@pytest.mark.parametrize("at", [(0.2, 4.0, 0.8, 2.4), (3.0, 0.5, 20.0, 1e-2), (1e-2, 300.0, 1.0, 50.0)])
def test_slopes_are_those_of_the_likelihood(at: tuple[float, ...], *, is_modified: bool) -> None:
    by_x = {0: [(0.0, 0.0, 5), (0.0, 40.0, 7)], 3: [(0.0, 0.0, 1), (20.0, 21.0, 4)], 40.5: [(10.0, 300.0, 2)]}
    _, slopes = _likelihood(by_x, at, is_modified=is_modified)
    for place, slope in enumerate(slopes):
        step = 1e-5 * at[place]
        sides = [
            _likelihood(by_x, [*at[:place], at[place] + by, *at[place + 1 :]], is_modified=is_modified)[0] for by in (-step, step)
        ]
        assert slope == pytest.approx((sides[1] - sides[0]) / (2 * step), rel=1e-5, abs=1e-6)


def test_what_is_expected_of_the_papers_customer_is_what_it_says() -> None:
    """Fader, Hardie and Lee's note on the spreadsheet: x = 2, t_x = 30.43, T = 38.86, in 39 weeks."""
    assert pytest.approx(1.226, abs=5e-4) == expected(PAPERS, Triple(2, 30.43, 38.86))
    assert pytest.approx(0.7266, abs=5e-5) == PAPERS.p_alive(2, 30.43, 38.86)


@pytest.mark.parametrize(
    ("triple", "p_alive", "orders"),
    [
        (Triple(0, 0, 38.86), 0.389_735, 0.154_013),
        (Triple(1, 1.71, 38.86), 0.170_836, 0.188_837),
        (Triple(2, 30.43, 38.86), 0.706_202, 1.262_961),
        (Triple(7, 29.43, 38.86), 0.622_724, 3.167_572),
    ],
)
def test_mbg_nbd_says_of_customers_what_another_implementation_says(triple: Triple, p_alive: float, orders: float) -> None:
    """lifetimes 0.11.3, by ₂F₁."""
    model = Purchasing(r=0.525, alpha=6.183, a=0.891, b=1.614)
    assert pytest.approx([p_alive, orders], abs=1e-6) == [model.p_alive(*triple), expected(model, triple)]


@pytest.mark.parametrize(
    ("r", "alpha", "a", "b", "x", "age", "time", "orders"),
    [
        (0.525, 43.28, 0.891, 1.614, 0, 0, 365, 2.207_233_981_261_64),
        (0.525, 43.28, 0.891, 1.614, 0, 300, 30, 0.045_126_780_161_465_1),
        (0.525, 43.28, 0.891, 1.614, 7, 273, 365, 6.365_035_670_097_74),
        (0.525, 43.28, 0.891, 1.614, 60, 400, 90, 11.328_744_417_640_4),
        (0.525, 43.28, 0.999_999, 1.614, 2, 100, 365, 3.902_712_653_263_06),
        (0.05, 2_000, 0.02, 0.1, 1, 10, 365, 0.190_355_392_201_391),
        (3, 1, 1_000, 20, 5, 100, 365, 1.026_020_156_437_31),
        (0.6, 50, 0.8, 1.2, 10_000, 10_000, 365, 358.042_288_631_692),
        (40, 9_000, 0.8, 1.2, 3, 0, 365, 1.564_322_938_267_21),
    ],
)
def test_expected_orders_are_those_of_the_papers_formula_in_forty_digits(
    *, r: float, alpha: float, a: float, b: float, x: int, age: int, time: int, orders: float
) -> None:
    """Equation 10 with ₂F₁ by mpmath: young customers, a at 1, x = 10,000, and heterogeneity next to none."""
    assert pytest.approx([orders], rel=1e-7) == Purchasing(r=r, alpha=alpha, a=a, b=b).expected_if_alive(x, age, [time])


def test_expected_orders_are_right_where_nearly_everybody_leaves_at_once() -> None:
    """BG/NBD with b = 0.1, by mpmath: half of the distribution is where p is next to 1."""
    model = Purchasing(r=0.5, alpha=40, a=2, b=0.1, is_modified=False)
    assert pytest.approx([0.629_458_989_020_474], rel=1e-7) == model.expected_if_alive(0, 30, [365])


def test_half_of_those_who_are_customers_have_bought_by_the_next_order() -> None:
    """The time to the next purchase of x and T has the distribution 1 − ((α + T) / (α + T + t))^(r + x)."""
    model = Purchasing(r=0.525, alpha=43.28, a=0.891, b=1.614)
    days = model.days_to_next(2, 100)
    assert pytest.approx(0.5) == (143.28 / (143.28 + days)) ** 2.525


def test_who_never_came_back_is_alive_for_certain_to_bg_nbd_alone() -> None:
    assert 1 == PAPERS.p_alive(0, 0, 500)
    by_hand = 1 / (1 + 0.891 / 1.614 * (506.183 / 6.183) ** 0.525)
    assert pytest.approx(by_hand) == Purchasing(r=0.525, alpha=6.183, a=0.891, b=1.614).p_alive(0, 0, 500)


def test_nobody_is_no_fit() -> None:
    with pytest.raises(FitFailed, match=r"^there are no customers$"):
        fit({})


@pytest.mark.parametrize(
    ("is_modified", "at_the_end", "mean_error"), [(False, -0.040, 0.194), (True, -0.066, 0.196)], ids=["BG/NBD", "MBG/NBD"]
)
def test_the_weekly_curve_of_the_hold_out_is_as_far_off_as_the_paper_says(
    customers: list[Spent], at_the_end: float, mean_error: float, *, is_modified: bool
) -> None:
    """Weeks 40 to 78; of BG/NBD the paper says that after 78 weeks it is 4 % below what was bought."""
    model = fit(triples(customers), is_modified=is_modified)
    curve = weekly(model, customers)
    (_, forecast, actual) = curve[-1]
    assert pytest.approx(at_the_end, abs=1e-3) == forecast / actual - 1
    weeks = [(later[1] - one[1], later[2] - one[2]) for one, later in pairwise(curve[38:])]
    assert (HOLD_OUT, 1_882) == (len(weeks), sum(bought for _, bought in weeks))
    assert pytest.approx(mean_error, abs=1e-3) == sum(abs(forecast / bought - 1) for forecast, bought in weeks) / len(weeks)


def test_the_forecast_for_the_hold_out_is_the_one_that_lifetimes_makes(customers: list[Spent]) -> None:
    """1576.73 orders by lifetimes 0.11.3; 1,882 were made."""
    histories = triples(customers)
    model = fit(histories)
    assert pytest.approx(1_576.73, abs=0.01) == sum(count * expected(model, triple) for triple, count in histories.items())
    later = sum(len(until(spent, FOLLOWED_UNTIL)) - len(until(spent, CALIBRATED_ON)) for spent in customers)
    assert 1_882 == later


EQUAL: dict[str, Any] = {
    "one customer": {Triple(1, 5, 9): 1},
    "one who never came back": {Triple(0, 0, 100): 1},
    "today's customers alone": {Triple(0, 0, 0): 10},
    "a million equal ones": {Triple(3, 100, 200): 1_000_000},
    "ten thousand purchases": {Triple(10_000, 10_000, 10_000): 1, Triple(0, 0, 10_000): 5},
    "ten thousand purchases on a day": {Triple(10_000, 0, 0): 1},
    "who bought today": {Triple(x, 300, 300): 100 for x in range(1, 20)},
    "who stopped at once": {Triple(1, 1, 300): 1_000, Triple(0, 0, 300): 1_000},
}


@pytest.mark.parametrize("histories", EQUAL.values(), ids=EQUAL)
def test_customers_that_leave_parameters_open_have_a_fit_of_finite_numbers_or_none(histories: dict[Triple, int]) -> None:
    try:
        model = fit(histories)
    except FitFailed:
        return
    for triple in histories:
        assert 0 <= model.p_alive(*triple) <= 1
        assert 0 <= expected(model, triple, 365) < inf


@pytest.mark.parametrize("x", [0, 1, 60, 10_000])
@pytest.mark.parametrize(
    "model",
    [
        Purchasing(r=0.525, alpha=43.28, a=0.891, b=1.614),
        Purchasing(r=0.1, alpha=1, a=3, b=0.1),
        Purchasing(r=1e4, alpha=1e6, a=1e3, b=1e3),
    ],
)
def test_a_curve_is_what_is_expected_at_any_age_and_time(model: Purchasing, x: int) -> None:
    curve, times = model.curve(x, 1_825), [0, 1, 30, 90, 365, 1_825]
    for age in (0, 1, 37, 300, 3_000):
        exact = model.expected_if_alive(x, age, times)
        assert pytest.approx(exact, rel=2e-7) == [curve.at(time / (model.alpha + age)) for time in times]
