"""Models by currency, what they expect of customers, and what they expected of the past."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta

import pytest

from ecrm.analytics.forecasts import (
    CDNOW,
    CDNOW_SPENDING,
    Check,
    CheckedRepeats,
    CurrencyModel,
    Forecaster,
    Horizon,
    Source,
    fit,
)
from ecrm.analytics.histories import CurrencyHistories, class_of, history_of
from ecrm.analytics.purchasing import Purchasing
from ecrm.analytics.spending import Spending
from ecrm.domain.statistics import CurrencyStatistics
from tests.unit.buyers import CALIBRATED_ON, FOLLOWED_UNTIL, Spent, a_part, cdnow, counted, until

TODAY = FOLLOWED_UNTIL
YESTERDAY = TODAY - timedelta(1)
PAST = date(1998, 3, 31)
A_MODEL = CurrencyModel(
    purchasing=Purchasing(r=0.7, alpha=70.0, a=0.5, b=0.9),
    spending=Spending(p=5.0, q=4.0, gamma=2_100.0),
    purchasing_source=Source.OWN,
    spending_source=Source.OWN,
    buyers=2_300,
    repeat_buyers=1_000,
    fitted_on=YESTERDAY,
    is_weak=False,
)


@pytest.fixture(scope="module")
def customers() -> list[Spent]:
    return cdnow()


@pytest.fixture(scope="module")
def parts(customers: list[Spent]) -> list[CurrencyStatistics]:
    return [a_part(spent) for spent in customers]


@pytest.fixture(scope="module")
def counts(parts: list[CurrencyStatistics]) -> CurrencyHistories:
    return counted(parts, TODAY)


@pytest.fixture(scope="module")
def model(counts: CurrencyHistories) -> CurrencyModel:
    return fit({"USD": counts}, {}, TODAY)["USD"]


def sources(models: Mapping[str, CurrencyModel]) -> dict[str, tuple[Source, Source, bool]]:
    return {currency: (model.purchasing_source, model.spending_source, model.is_weak) for currency, model in models.items()}


def test_a_currency_with_customers_enough_has_models_of_its_own(customers: list[Spent], model: CurrencyModel) -> None:
    assert {"USD": (Source.OWN, Source.OWN, False)} == sources({"USD": model})
    repeat_buyers = sum(len(spent) > 1 for spent in customers)
    assert (2_357, repeat_buyers, TODAY, None) == (model.buyers, model.repeat_buyers, model.fitted_on, model.failure)


def test_built_in_parameters_are_those_of_the_cdnow_sample_when_the_papers_stopped(customers: list[Spent]) -> None:
    known = counted([a_part(until(spent, CALIBRATED_ON)) for spent in customers], CALIBRATED_ON)
    model = fit({"USD": known}, {}, CALIBRATED_ON)["USD"]
    mean = known.today.mean_spend_minor
    fitted = [model.purchasing.r, model.purchasing.alpha, model.purchasing.a, model.purchasing.b]
    assert pytest.approx([CDNOW.r, CDNOW.alpha, CDNOW.a, CDNOW.b], rel=1e-3) == fitted
    assert pytest.approx(3_602, abs=1) == mean
    spends = [model.spending.p, model.spending.q, model.spending.gamma / mean]
    assert pytest.approx([CDNOW_SPENDING.p, CDNOW_SPENDING.q, CDNOW_SPENDING.gamma], rel=2e-3) == spends


def test_a_currency_with_too_few_has_those_of_all_customers_in_its_own_money(parts: list[CurrencyStatistics]) -> None:
    few = [a_part(dict.fromkeys((TODAY - timedelta(300), TODAY - timedelta(20)), 2000))] * 499
    company = {"JPY": counted(few, TODAY), "USD": counted(parts, TODAY)}
    models = fit(company, {}, TODAY)
    assert {"JPY": (Source.POOLED, Source.POOLED, True), "USD": (Source.OWN, Source.OWN, False)} == sources(models)
    assert (499, 499) == (models["JPY"].buyers, models["JPY"].repeat_buyers)
    ratio = models["JPY"].spending.mean / models["USD"].spending.mean
    assert pytest.approx(2_000 / company["USD"].today.mean_spend_minor, rel=0.2) == ratio


def test_two_currencies_that_have_enough_only_together_share_a_model(customers: list[Spent]) -> None:
    yen, euros = customers[:450], [{day: 3 * cents for day, cents in spent.items()} for spent in customers[450:900]]
    models = fit({"EUR": of(euros), "JPY": of(yen)}, {}, TODAY)
    assert {"EUR": (Source.POOLED, Source.POOLED, True), "JPY": (Source.POOLED, Source.POOLED, True)} == sources(models)
    assert models["EUR"].purchasing == models["JPY"].purchasing != CDNOW


def of(customers: Sequence[Spent]) -> CurrencyHistories:
    return counted([a_part(spent) for spent in customers], TODAY)


def test_a_company_with_too_few_in_all_has_another_shops(customers: list[Spent]) -> None:
    models = fit({"EUR": of(customers[:200]), "KWD": of(customers[200:499])}, {}, TODAY)
    assert {"EUR": (Source.BUILT_IN, Source.BUILT_IN, True), "KWD": (Source.BUILT_IN, Source.BUILT_IN, True)} == sources(models)
    assert CDNOW == models["EUR"].purchasing
    assert CDNOW_SPENDING.scaled(of(customers[:200]).today.mean_spend_minor) == models["EUR"].spending


def test_who_buys_often_enough_but_for_nothing_has_purchases_of_their_own_and_no_spending(customers: list[Spent]) -> None:
    models = fit({"EUR": of([dict.fromkeys(spent, 0) for spent in customers])}, {}, TODAY)
    assert {"EUR": (Source.OWN, Source.BUILT_IN, True)} == sources(models)
    prediction = Forecaster(models["EUR"], Horizon()).predict(a_part({TODAY: 0}), TODAY)
    assert prediction is not None
    assert 0 == prediction.value_minor


def without_mean(customers: Sequence[Spent]) -> CurrencyHistories:
    """Customers who spend ten times as much for each half as many."""
    spent = []
    for number, days in enumerate(customers, start=1):
        level = 10 ** next(power for power in range(15, -1, -1) if number % 2**power == 0)
        spent.append(dict.fromkeys(days, 100 * level))
    return of(spent)


def test_a_fit_that_fails_keeps_the_one_of_the_night_before_and_says_so(customers: list[Spent]) -> None:
    models = fit({"EUR": without_mean(customers)}, {"EUR": A_MODEL}, TODAY)
    assert {"EUR": (Source.OWN, Source.YESTERDAY, False)} == sources(models)
    assert (A_MODEL.spending, TODAY, 2_357) == (models["EUR"].spending, models["EUR"].fitted_on, models["EUR"].buyers)
    assert "customers spend so differently that they have no mean" == models["EUR"].failure
    again = fit({"EUR": without_mean(customers)}, models, TODAY + timedelta(1))
    assert {"EUR": (Source.OWN, Source.YESTERDAY, False)} == sources(again)
    assert A_MODEL.spending == again["EUR"].spending


def test_a_fit_that_fails_on_the_first_night_has_another_shops_and_says_so(customers: list[Spent]) -> None:
    models = fit({"EUR": without_mean(customers)}, {}, TODAY)
    assert {"EUR": (Source.OWN, Source.BUILT_IN, True)} == sources(models)
    assert "customers spend so differently that they have no mean" == models["EUR"].failure


def test_what_was_not_the_currencys_own_is_not_kept(customers: list[Spent]) -> None:
    weak = replace(A_MODEL, purchasing_source=Source.POOLED, spending_source=Source.BUILT_IN, is_weak=True)
    models = fit({"EUR": of(customers[:200])}, {"EUR": weak}, TODAY)
    assert {"EUR": (Source.BUILT_IN, Source.BUILT_IN, True)} == sources(models)


def test_a_shop_that_has_become_too_small_keeps_its_own_with_the_night_in_which_it_was_fitted(customers: list[Spent]) -> None:
    models = fit({"EUR": of(customers[:200])}, {"EUR": A_MODEL}, TODAY)
    assert {"EUR": (Source.YESTERDAY, Source.YESTERDAY, False)} == sources(models)
    assert (YESTERDAY, 2_300, 1_000, None) == (
        models["EUR"].fitted_on,
        models["EUR"].buyers,
        models["EUR"].repeat_buyers,
        models["EUR"].failure,
    )


def test_a_currency_that_nobody_buys_in_any_more_has_no_model(counts: CurrencyHistories) -> None:
    assert ["USD"] == list(fit({"USD": counts}, {"EUR": A_MODEL, "USD": A_MODEL}, TODAY))


def test_the_check_is_what_was_expected_of_each_customer_and_what_each_did(customers: list[Spent], model: CurrencyModel) -> None:
    """Summed up one by one, from a fit to what was known by the end of March."""
    then = [until(spent, PAST) for spent in customers]
    known = fit({"USD": counted([a_part(spent) for spent in then], PAST)}, {}, PAST)["USD"]
    days = (TODAY - PAST).days
    found: dict[int, list[float]] = {}
    value = 0.0
    for before, spent in zip(then, customers, strict=True):
        repeats, away, age = history_of(len(before), min(before), max(before), PAST)
        (orders,) = known.purchasing.expected_if_alive(repeats, age, [days])
        orders *= known.purchasing.p_alive(repeats, age - away, age)
        value += orders * known.spending.expected(repeats, sum(before.values()) - before[min(before)])
        row = found.setdefault(class_of(repeats), [0, 0, 0])
        for place, more in enumerate((1, orders, len(spent) - len(before))):
            row[place] += more
    check = model.check
    assert check is not None
    assert (PAST, TODAY, Source.OWN, Source.OWN, 2_357) == (
        check.as_of,
        check.until,
        check.purchasing_source,
        check.spending_source,
        check.customers,
    )
    assert [(least, row[0], row[2]) for least, row in sorted(found.items())] == [
        (each.repeats, each.customers, each.actual_orders) for each in check.by_repeats
    ]
    assert pytest.approx([row[1] for _, row in sorted(found.items())], rel=1e-4) == [
        each.expected_orders for each in check.by_repeats
    ]
    assert pytest.approx(sum(row[1] for row in found.values()), rel=1e-4) == check.expected_orders
    assert pytest.approx(value, rel=1e-4) == check.expected_value_minor
    spent_since = sum(sum(spent.values()) - sum(before.values()) for before, spent in zip(then, customers, strict=True))
    orders_since = sum(len(spent) - len(before) for before, spent in zip(then, customers, strict=True))
    assert (orders_since, spent_since) == (check.actual_orders, check.actual_value_minor)


def test_errors_are_what_was_expected_beyond_what_was_done() -> None:
    check = Check(
        as_of=PAST,
        until=TODAY,
        purchasing_source=Source.OWN,
        spending_source=Source.OWN,
        customers=10,
        expected_orders=5.5,
        actual_orders=5,
        expected_value_minor=900,
        actual_value_minor=1_000,
        by_repeats=(CheckedRepeats(repeats=0, customers=10, expected_orders=5.5, actual_orders=5),),
    )
    assert pytest.approx([0.1, -0.1]) == [check.orders_error, check.value_error]
    nothing = replace(check, actual_orders=0, actual_value_minor=-5)
    assert [None, None] == [nothing.orders_error, nothing.value_error]


def test_where_nobody_had_bought_by_then_there_is_no_check() -> None:
    model = fit({"EUR": counted([a_part({TODAY: 1_000})], TODAY)}, {}, TODAY)["EUR"]
    assert (1, 0, None) == (model.buyers, model.repeat_buyers, model.check)


def test_a_prediction_is_the_models_with_the_value_discounted_by_steps_of_thirty_days() -> None:
    spent = {TODAY - timedelta(300): 5_000, TODAY - timedelta(200): 1_000, TODAY - timedelta(30): 3_000}
    alive = A_MODEL.purchasing.p_alive(2, 270, 300)
    ends = [30, 60, 90, 100]
    until_30, until_60, until_90, until_100, until_365 = (
        alive * orders for orders in A_MODEL.purchasing.expected_if_alive(2, 300, [*ends, 365])
    )
    spend = A_MODEL.spending.expected(2, 4_000)
    discounted = (
        until_30 / 1.21 ** (15 / 365)
        + (until_60 - until_30) / 1.21 ** (45 / 365)
        + (until_90 - until_60) / 1.21 ** (75 / 365)
        + (until_100 - until_90) / 1.21 ** (95 / 365)
    )
    days = 370 * (2 ** (1 / 2.7) - 1)
    prediction = Forecaster(A_MODEL, Horizon(days=100, discount_percent=21)).predict(a_part(spent), TODAY)
    assert prediction is not None
    assert pytest.approx([alive, until_30, until_90, until_365]) == [
        prediction.p_alive,
        prediction.orders_30,
        prediction.orders_90,
        prediction.orders_365,
    ]
    assert (round(discounted * spend), TODAY + timedelta(int(days) + 1), False) == (
        prediction.value_minor,
        prediction.next_order_on,
        prediction.is_weak,
    )


def test_a_forecaster_says_the_same_of_a_customer_whom_else_it_has_seen(parts: list[CurrencyStatistics]) -> None:
    seen = Forecaster(A_MODEL, Horizon())
    for part in parts[:300]:
        seen.predict(part, TODAY)
    assert [seen.predict(part, TODAY) for part in parts[:20]] == [
        Forecaster(A_MODEL, Horizon()).predict(part, TODAY) for part in parts[:20]
    ]


def test_nothing_is_predicted_of_who_has_no_purchase_day() -> None:
    assert Forecaster(A_MODEL, Horizon()).predict(a_part({}), TODAY) is None


def test_who_was_forecast_by_others_customers_is_marked() -> None:
    weak = Forecaster(replace(A_MODEL, is_weak=True), Horizon()).predict(a_part({TODAY: 100}), TODAY)
    assert weak is not None
    assert weak.is_weak


def test_no_next_order_is_named_that_is_more_than_three_years_away() -> None:
    rare = replace(A_MODEL, purchasing=Purchasing(r=1e-3, alpha=70.0, a=0.5, b=0.9))
    first, second = (
        Forecaster(rare, Horizon()).predict(a_part(spent), TODAY)
        for spent in ({TODAY: 100}, {TODAY - timedelta(9): 100, TODAY: 100})
    )
    assert first is not None
    assert second is not None
    assert (None, TODAY + timedelta(79)) == (first.next_order_on, second.next_order_on)
