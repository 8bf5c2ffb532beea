"""Histories are counted alike in any parts, are as of two days, and stay few."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from itertools import pairwise
from random import Random

import pytest

from ecrm.analytics import histories
from ecrm.analytics.histories import (
    LEVELS,
    MOST,
    CurrencyHistories,
    Histories,
    HistoriesByCurrency,
    History,
    HistoryCounts,
    Since,
    Spend,
    SpendCounts,
    class_of,
    past_of,
)
from ecrm.analytics.purchasing import Triple
from ecrm.analytics.spending import RepeatSpend
from ecrm.domain.statistics import NOTHING, Month
from tests.unit.buyers import a_part, counted

TODAY = date(2026, 11, 20)
PAST = date(2026, 7, 31)


@pytest.mark.parametrize(
    ("today", "past"),
    [
        (date(2026, 11, 20), date(2026, 7, 31)),
        (date(2026, 10, 29), date(2026, 7, 31)),
        (date(2026, 10, 28), date(2026, 6, 30)),
        (date(2026, 5, 29), date(2026, 2, 28)),
        (date(2024, 5, 29), date(2024, 2, 29)),
    ],
)
def test_the_past_is_the_last_months_end_that_is_ninety_days_ago(today: date, past: date) -> None:
    assert past == past_of(today)


def test_a_customer_is_counted_as_of_today_and_as_of_the_past_with_what_came_since() -> None:
    bought = {date(2026, 3, 2): 1_000, date(2026, 3, 9): 250, date(2026, 7, 31): 300, date(2026, 8, 1): 40, date(2026, 11, 19): 5}
    counts = counted([a_part(bought)], TODAY)
    assert (
        CurrencyHistories(
            today=Histories(
                HistoryCounts({History(4, 1, 263): 1}, {History(4, 1, 263): 595}), SpendCounts({Spend(4, 595): 1}), 1, 1_000
            ),
            past=Histories(
                HistoryCounts({History(2, 0, 151): 1}, {History(2, 0, 151): 550}), SpendCounts({Spend(2, 550): 1}), 1, 1_000
            ),
            since={2: Since(1, 2, 45)},
        )
        == counts
    )
    assert (1, 1, 319.0) == (counts.today.buyers, counts.today.repeat_buyers, counts.today.mean_spend_minor)


def test_who_first_bought_since_is_of_today_alone() -> None:
    counts = counted([a_part({date(2026, 8, 1): 100})], TODAY)
    assert (1, 0, {}) == (counts.today.buyers, counts.past.buyers, counts.since)


def test_a_sum_of_months_that_ends_since_tells_nothing_of_the_past() -> None:
    part = a_part({date(2026, 3, 2): 1_000, date(2026, 8, 3): 1_000})
    counts = counted([replace(part, months=(Month(2026 * 12 + 7, 2, 3, 2_000),))], TODAY)
    assert (1, 0, {}) == (counts.today.buyers, counts.past.buyers, counts.since)


def test_money_without_a_purchase_day_is_revenue_of_its_month() -> None:
    """As shipping that is kept of an order which was sent back."""
    part = a_part({date(2026, 3, 2): 1_000})
    counts = counted([replace(part, net_revenue_minor=1_300, months=(*part.months, Month(2026 * 12 + 9, 0, 0, 300)))], TODAY)
    assert {0: Since(1, 0, 300)} == counts.since
    assert ({History(0, 151, 151): 0}, {History(0, 263, 263): 300}) == (
        counts.past.purchases.revenue_minor,
        counts.today.purchases.revenue_minor,
    )


def test_a_purchase_that_is_tomorrow_where_it_was_made_is_todays() -> None:
    counts = counted([a_part({date(2026, 11, 21): 100}), a_part({date(2026, 11, 1): 100, date(2026, 11, 21): 100})], TODAY)
    assert {History(0, 0, 0): 1, History(1, 0, 20): 1} == counts.today.purchases.customers


def test_who_spent_nothing_or_less_counts_as_a_buyer_without_a_spend() -> None:
    bought = {date(2026, 3, 2): 0, date(2026, 3, 9): -250, date(2026, 7, 31): 250}
    counts = counted([a_part(bought)], TODAY)
    assert Histories(HistoryCounts({History(2, 112, 263): 1}, {History(2, 112, 263): 0}), SpendCounts(), 0, 0) == counts.today
    assert 0 == counts.today.mean_spend_minor


@pytest.mark.parametrize(("repeats", "least"), [(0, 0), (1, 1), (2, 2), (3, 3), (4, 3), (5, 5), (9, 5), (10, 10), (10_000, 10)])
def test_classes_of_repeats(repeats: int, least: int) -> None:
    assert least == class_of(repeats)


def test_a_coarse_history_stands_for_the_middle_of_those_that_it_holds() -> None:
    day, week, four_weeks = LEVELS[:3]
    assert Triple(12, 37, 40) == History(12, 3, 40).triple(day)
    assert History(12, 0, 35) == History(12, 3, 40).at(week)
    assert Triple(12, 35, 38) == History(12, 0, 35).triple(week)
    assert Triple(0, 0, 38) == History(0, 35, 35).triple(week)
    assert Triple(1, 2, 39) == History(1, 35, 35).triple(week)
    assert History(120, 28, 84) == History(123, 30, 100).at(four_weeks)
    assert Triple(124.5, 56, 97.5) == History(120, 28, 84).triple(four_weeks)
    assert Spend(12, 12_300) == Spend(12, 12_345).at(week)
    assert RepeatSpend(12, 12_349.5) == Spend(12, 12_300).total(week)
    assert RepeatSpend(124.5, 12_499.5) == Spend(120, 12_000).total(four_weeks)


def test_each_level_is_made_of_whole_ones_of_the_level_before() -> None:
    rng = Random(8)
    for _ in range(2_000):
        age = rng.randrange(4_000)
        history = History(rng.choice((rng.randrange(9), rng.randrange(20_000))), rng.randrange(age + 1), age)
        spend = Spend(history.repeats, rng.randrange(10 ** rng.randrange(1, 13)))
        for finer, coarser in pairwise(LEVELS):
            assert history.at(coarser) == history.at(finer).at(coarser)
            assert spend.at(coarser) == spend.at(finer).at(coarser)


def test_whoever_has_dates_and_amounts_fits_into_the_last_level() -> None:
    rng = Random(8)
    ages = [rng.randrange(date.max.toordinal()) for _ in range(5_000)]
    coarse = {History(rng.randrange(age + 1), rng.randrange(age + 1), age).at(LEVELS[-1]) for age in ages}
    assert {(0, 0)} == {(history.away_days, history.age_days) for history in coarse}
    assert 63 >= len(coarse)


def many(number: int, seed: int) -> list[tuple[History, int]]:
    """Customers of four years, and what each spent on repeat days."""
    rng = Random(seed)
    found = []
    for _ in range(number):
        age = rng.randrange(1_460)
        repeats = min(int(rng.paretovariate(0.7)) - 1, age, 700)
        found.append((History(repeats, rng.randrange(age + 1), age), rng.randrange(200_000) * repeats))
    return found


def count(customers: Iterable[tuple[History, int]]) -> Histories:
    counts = Histories()
    for history, minor in customers:
        counts.add(history, first_day_minor=minor // 3, repeats_minor=minor)
    return counts


@pytest.mark.parametrize(("number", "level", "spends_level"), [(1_000, 0, 0), (100_000, 2, 1)])
def test_counts_are_the_same_however_customers_are_parted_and_parts_are_merged(
    number: int, level: int, spends_level: int
) -> None:
    customers = many(number, seed=number)
    whole = count(customers)
    assert (level, spends_level) == (whole.purchases.level, whole.spends.level)
    assert max(len(whole.purchases.customers), len(whole.spends.customers)) <= MOST
    assert (number, sum(minor for _, minor in customers)) == (whole.buyers, sum(whole.purchases.revenue_minor.values()))
    for cuts in ([number // 2, number // 2, number - 3], [number - 3]):
        parts = [count(customers[begin:end]) for begin, end in pairwise([0, *cuts, number])]
        for order in (parts, reversed(parts)):
            merged = Histories()
            for part in order:
                merged.merge(part)
            assert whole == merged


def test_currencies_are_counted_apart() -> None:
    euros, yen = a_part({date(2026, 3, 2): 1_000}), a_part({date(2026, 3, 9): 70, date(2026, 9, 1): 80})
    customer = replace(NOTHING, currencies={"EUR": euros, "JPY": yen, "USD": a_part({})})
    one: HistoriesByCurrency = {}
    other: HistoriesByCurrency = {}
    both: HistoriesByCurrency = {}
    for counts in (one, other, both, both):
        histories.add(counts, customer, TODAY)
    histories.merge(one, other)
    assert {"EUR": counted([euros] * 2, TODAY), "JPY": counted([yen] * 2, TODAY)} == one == both
