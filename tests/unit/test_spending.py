"""Gamma-Gamma against published figures, in any unit of money, and where it has nothing to go by."""

from collections.abc import Mapping

import pytest

from ecrm.analytics import spending
from ecrm.analytics.fitting import FitFailed
from ecrm.analytics.spending import RepeatSpend, Spending, fit
from tests.unit.buyers import CALIBRATED_ON, Spent, cdnow, repeat_spends, until

NOTE = Spending(p=6.25, q=3.74, gamma=15.44)
"""Fader and Hardie (2013), section 4, in dollars."""


@pytest.fixture(scope="module")
def customers() -> list[Spent]:
    return cdnow()


def values(model: Spending) -> list[float]:
    return [model.p, model.q, model.gamma]


def test_gamma_gamma_of_the_cdnow_sample_is_the_notes(customers: list[Spent]) -> None:
    spends = repeat_spends(customers)
    assert 946 == spends.total()
    assert pytest.approx(values(NOTE), rel=2e-3) == values(fit(spends))


def test_what_is_expected_of_the_first_ten_customers_is_what_the_note_says(customers: list[Spent]) -> None:
    """Of the ten, six never came back: they have the mean of all, 35.17."""
    model = fit(repeat_spends(customers))
    forecast = []
    for spent in customers[:10]:
        _, *repeats = [cents for _, cents in sorted(until(spent, CALIBRATED_ON).items())]
        forecast.append(model.expected(len(repeats), sum(repeats) / 100))
    assert pytest.approx([24.65, 18.91, 35.17, 35.17, 35.17, 71.46, 18.91, 35.17, 27.28, 35.17], abs=0.02) == forecast
    assert pytest.approx(35.17, abs=0.005) == model.mean


@pytest.mark.parametrize("minor", [1, 100, 1_000], ids=["JPY", "EUR", "KWD"])
def test_a_unit_of_money_changes_gamma_and_nothing_else(customers: list[Spent], minor: int) -> None:
    dollars = fit(repeat_spends(customers))
    model = fit({RepeatSpend(x, total * minor): count for (x, total), count in repeat_spends(customers).items()})
    assert pytest.approx([dollars.p, dollars.q, dollars.gamma * minor], rel=1e-5) == values(model)
    assert pytest.approx(dollars.expected(3, 90) * minor, rel=1e-5) == model.expected(3, 90 * minor)
    assert pytest.approx(values(model), rel=1e-5) == values(dollars.scaled(minor))


@pytest.mark.parametrize("at", [(6.25, 3.74, 0.4), (0.1, 1.5, 30.0), (300.0, 700.0, 2.0)])
def test_slopes_are_those_of_the_likelihood(at: tuple[float, ...]) -> None:
    spends = [(1, 0.5, 3), (2, 2.5, 1), (4.5, 3.0, 7), (300, 450.0, 1)]
    _, slopes = spending._likelihood(spends, at)
    for place, slope in enumerate(slopes):
        step = 1e-5 * at[place]
        sides = [spending._likelihood(spends, [*at[:place], at[place] + by, *at[place + 1 :]])[0] for by in (-step, step)]
        assert slope == pytest.approx((sides[1] - sides[0]) / (2 * step), rel=1e-4, abs=1e-5)


def test_who_got_more_back_than_they_paid_is_as_one_who_spent_nothing() -> None:
    assert [NOTE.expected(2, 0)] * 2 == [NOTE.expected(2, -5), NOTE.expected(2, -(10**12))]
    assert 0 < NOTE.expected(2, 0) < NOTE.mean


@pytest.mark.parametrize(
    "spends",
    [
        {RepeatSpend(1, 1_000): 1},
        {RepeatSpend(1, 1_000): 600_000, RepeatSpend(2, 2_000): 300_000, RepeatSpend(3, 3_000): 100_000},
        {RepeatSpend(1, 1_000): 999_999, RepeatSpend(1, 1_001): 1},
        {RepeatSpend(10_000, 10_000_000): 1, RepeatSpend(1, 1_000): 5},
    ],
    ids=["one customer", "a million of one price", "nearly all of one price", "ten thousand purchases"],
)
def test_in_a_shop_of_one_price_it_is_the_price_that_is_expected(spends: Mapping[RepeatSpend, int]) -> None:
    model = fit(spends)
    assert pytest.approx([1_000] * 3, rel=2e-3) == [model.mean, model.expected(1, 1_000), model.expected(10_000, 10_000_000)]


def test_customers_who_differ_without_a_mean_have_no_fit() -> None:
    """Ten times as much for each half as many."""
    with pytest.raises(FitFailed, match=r"^customers spend so differently that they have no mean$"):
        fit({RepeatSpend(1, 10**power): 10**6 // 2**power for power in range(1, 15)})


def test_without_repeat_purchases_there_is_no_fit() -> None:
    with pytest.raises(FitFailed, match=r"^there are no repeat purchases of any value$"):
        fit({})
