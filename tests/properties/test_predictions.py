"""Predictions of whatever customers there may be, by whatever parameters a fit may end at: finite, and ordered as theory says."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from math import isfinite

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ecrm.analytics import purchasing, spending
from ecrm.analytics.fitting import FitFailed
from ecrm.analytics.forecasts import CurrencyModel, Forecaster, Horizon, Source, fit
from ecrm.analytics.histories import CurrencyHistories
from ecrm.analytics.purchasing import Purchasing
from ecrm.analytics.spending import Spending
from ecrm.domain.predictions import Prediction
from ecrm.domain.statistics import CurrencyStatistics
from tests.unit.buyers import a_part, counted

TODAY = date(2026, 11, 20)
ROUNDING = 1e-9
AGES = st.integers(0, 3_000)


ORDINARY = CurrencyModel(
    purchasing=Purchasing(r=0.525, alpha=43.28, a=0.891, b=1.614),
    spending=Spending(p=6.25, q=3.74, gamma=1_544),
    purchasing_source=Source.OWN,
    spending_source=Source.OWN,
    buyers=500,
    repeat_buyers=100,
    fitted_on=TODAY,
    is_weak=False,
)
TEN_THOUSAND = a_part({TODAY - timedelta(day): 100 for day in range(10_001)})


def powers(low: float, high: float) -> st.SearchStrategy[float]:
    """Numbers of all sizes."""
    return st.floats(low, high).map(lambda power: 10.0**power)


@st.composite
def models(draw: Callable[[st.SearchStrategy[float]], float]) -> CurrencyModel:
    """Anything within the bounds of fits."""
    r, rate, both, odds = draw(powers(-4, 4)), draw(powers(-9, 3)), draw(powers(-2, 4)), draw(powers(-4, 4))
    p, q, mean = draw(powers(-3, 3)), 1 + draw(powers(-3, 3)), draw(powers(-1, 12))
    return replace(
        ORDINARY,
        purchasing=Purchasing(r=r, alpha=r / rate, a=both * odds / (1 + odds), b=both / (1 + odds)),
        spending=Spending(p=p, q=q, gamma=mean * (q - 1) / p),
    )


@st.composite
def buyers(draw: Callable[[st.SearchStrategy[int]], int]) -> CurrencyStatistics:
    """One purchase day or thousands, today's or old ones, for much, nothing or less."""
    days = draw(st.integers(0, 40) | st.sampled_from([200, 1_000]))
    every, ago = draw(st.integers(1, 90)), draw(st.integers(-1, 4_000))
    minor = draw(st.sampled_from([-5_000, -1, 0, 1, 1_999, 10**9, 10**12]))
    return a_part({TODAY - timedelta(ago + (1 if days > 40 else every) * before): minor for before in range(days)})


def predicted(model: CurrencyModel, part: CurrencyStatistics, horizon: Horizon | None = None) -> Prediction | None:
    return Forecaster(model, horizon or Horizon()).predict(part, TODAY)


@settings(max_examples=200)
@example(model=ORDINARY, part=TEN_THOUSAND, days=365, percent=10)
@example(model=ORDINARY, part=a_part({TODAY: 0}), days=365, percent=10)
@given(model=models(), part=buyers(), days=st.integers(30, 1_825), percent=st.integers(0, 100))
def test_every_prediction_is_made_of_finite_numbers_that_agree_with_each_other(
    model: CurrencyModel, part: CurrencyStatistics, days: int, percent: int
) -> None:
    prediction = predicted(model, part, Horizon(days=days, discount_percent=percent))
    if prediction is None:
        assert part.purchases is None
        return
    assert 0 <= prediction.p_alive <= 1
    assert 0 <= prediction.orders_30 <= prediction.orders_90 <= prediction.orders_365
    assert isfinite(prediction.orders_365)
    assert prediction.value_minor >= 0
    assert prediction.next_order_on is None or TODAY < prediction.next_order_on <= TODAY + timedelta(1_095)


@settings(max_examples=150)
@given(model=models(), x=st.integers(0, 300), t_x=st.integers(0, 2_000), away=st.integers(0, 2_000), more=st.integers(1, 500))
def test_who_is_away_for_longer_is_less_likely_a_customer_and_buys_less(
    model: CurrencyModel, x: int, t_x: int, away: int, more: int
) -> None:
    known = model.purchasing
    t_x = t_x if x else 0
    soon, late = known.p_alive(x, t_x, t_x + away), known.p_alive(x, t_x, t_x + away + more)
    assert late <= soon
    (orders,), (later,) = (known.expected_if_alive(x, t_x + gone, [365]) for gone in (away, away + more))
    assert later <= orders * (1 + ROUNDING)


@settings(max_examples=150)
@given(
    model=models(), x=st.integers(1, 300), age=st.integers(0, 3_000), days=st.tuples(st.integers(0, 3_000), st.integers(0, 3_000))
)
def test_of_two_who_bought_as_often_in_the_same_time_the_one_who_bought_last_is_likelier_a_customer(
    model: CurrencyModel, x: int, age: int, days: tuple[int, int]
) -> None:
    earlier, later = sorted(min(day, age) for day in days)
    assert model.purchasing.p_alive(x, earlier, age) <= model.purchasing.p_alive(x, later, age)


@settings(max_examples=150)
@given(model=models(), x=st.integers(0, 10_000), age=st.integers(0, 10_000))
def test_the_more_time_and_the_more_purchases_before_the_more_are_expected_of_a_customer(
    model: CurrencyModel, x: int, age: int
) -> None:
    known = model.purchasing
    times = [0, 1, 30, 90, 365, 1_825]
    orders = known.expected_if_alive(x, age, times)
    assert 0 == orders[0]
    assert all(sooner <= later for sooner, later in pairwise(orders))
    assert all(fewer <= more * (1 + 1e-6) for fewer, more in zip(orders, known.expected_if_alive(x + 1, age, times), strict=True))
    assert known.days_to_next(x + 1, age) <= known.days_to_next(x, age)
    assert known.days_to_next(x, age) <= known.days_to_next(x, age + 1)


@given(model=models(), x=st.integers(0, 10_000), total=st.integers(-(10**15), 10**15), more=st.integers(0, 10**15))
def test_who_spent_more_is_expected_to_spend_more(model: CurrencyModel, x: int, total: int, more: int) -> None:
    assert 0 < model.spending.expected(x, total) <= model.spending.expected(x, total + more)


@given(model=models(), part=buyers(), percent=st.integers(0, 99), days=st.integers(30, 1_000))
def test_value_falls_with_the_discount_and_grows_with_the_horizon(
    model: CurrencyModel, part: CurrencyStatistics, percent: int, days: int
) -> None:
    given_horizon, dearer, farther = (
        predicted(model, part, Horizon(days=days + more, discount_percent=percent + by)) for more, by in ((0, 0), (0, 1), (30, 0))
    )
    if given_horizon is not None and dearer is not None and farther is not None:
        value = given_horizon.value_minor
        assert dearer.value_minor <= value + 1
        assert value <= farther.value_minor * (1 + 1e-6) + 1


@settings(max_examples=20)
@given(
    parts=st.lists(st.tuples(buyers(), st.sampled_from([1, 3, 300])), max_size=8),
    others=st.lists(st.tuples(buyers(), st.sampled_from([1, 500])), max_size=3),
)
def test_a_company_of_any_customers_has_models_and_predictions_of_all_of_them(
    parts: list[tuple[CurrencyStatistics, int]], others: list[tuple[CurrencyStatistics, int]]
) -> None:
    counts: dict[str, CurrencyHistories] = {
        currency: counted([part for part, customers in those for _ in range(customers)], TODAY)
        for currency, those in (("JPY", parts), ("KWD", others))
    }
    models = fit(counts, {}, TODAY)
    again = fit(counts, models, TODAY)
    for currency, those in (("JPY", parts), ("KWD", others)):
        for part, _ in those:
            for model in (models[currency], again[currency]):
                prediction = predicted(model, part)
                assert prediction is None or isfinite(prediction.orders_365)
        check = models[currency].check
        assert check is None or (isfinite(check.expected_orders) and check.expected_orders >= 0)


@settings(max_examples=60)
@given(
    triples=st.dictionaries(
        st.tuples(st.integers(0, 30), st.integers(0, 900), st.integers(0, 900)).map(
            lambda each: purchasing.Triple(each[0], min(each[1:]) if each[0] else 0, max(each[1:]))
        ),
        st.integers(1, 10**6),
        min_size=1,
        max_size=12,
    ),
    spends=st.dictionaries(
        st.tuples(st.integers(1, 10_000), powers(-3, 12)).map(lambda each: spending.RepeatSpend(*each)),
        st.integers(1, 10**6),
        min_size=1,
        max_size=12,
    ),
)
def test_a_fit_ends_within_its_bounds_or_says_that_it_failed(
    triples: dict[purchasing.Triple, int], spends: dict[spending.RepeatSpend, int]
) -> None:
    try:
        known = purchasing.fit(triples)
        for number in (known.r, known.alpha, known.a, known.b, known.log_likelihood(triples)):
            assert isfinite(number)
    except FitFailed:
        pass
    try:
        model = spending.fit(spends)
        assert isfinite(model.mean)
        assert model.q > 1
    except FitFailed:
        pass
