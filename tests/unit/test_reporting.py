"""What a report says, against pandas and the CDNOW sample's file; and counts, in whatever parts they are counted."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecrm.analytics.counters import count
from ecrm.analytics.distribution import Distribution, Tenth
from ecrm.analytics.reporting import (
    CurrencyCounts,
    GroupCounts,
    ReportCounts,
    ReturnCounts,
    ScoresByCurrency,
    add_scores,
    merge_scores,
    step_of,
)
from ecrm.analytics.reports import Report, currencies
from ecrm.domain.facts import Rfm, Scores
from ecrm.domain.orders import Order
from ecrm.domain.predictions import Prediction
from ecrm.domain.statistics import NOTHING, CurrencyStatistics, CustomerStatistics, Month, months_fitted
from ecrm.domain.statistics import count as counted
from ecrm.files.reporting import counts_of, counts_said, scores_of, scores_said
from local.demo.cdnow import FILE
from tests.unit.facts import in_berlin, purchases_on
from tools.sample_report import NIGHT_BEFORE, TODAY, report

USD = "USD"


@pytest.fixture(scope="module")
def told() -> Report:
    return report()


@pytest.fixture(scope="module")
def bought() -> "pd.DataFrame":
    """A row for each customer and purchase day of the file, and nothing of ours but the file."""
    frame = pd.read_csv(FILE, sep=r"\s+", names=["master", "customer", "day", "discs", "dollars"], dtype={"day": str})
    frame["day"] = pd.to_datetime(frame["day"], format="%Y%m%d")
    frame["cents"] = (frame["dollars"] * 100).round().astype(int)
    days = frame.groupby(["customer", "day"], as_index=False)["cents"].sum()
    days["first"] = days.groupby("customer")["day"].transform("min")
    days["since"] = (days["day"] - days["first"]).dt.days
    days["age"] = (pd.Timestamp(TODAY) - days["first"]).dt.days
    return days


def number(period: Any) -> int:
    """A month's number, of pandas' period."""
    return int(period.year * 12 + period.month - 1)


def test_who_came_back_within_how_many_days_is_what_pandas_counts(told: Report, bought: "pd.DataFrame") -> None:
    people = bought.groupby("customer").agg(age=("age", "first"), days=("day", "nunique"))
    people["second"] = bought[bought["since"] > 0].groupby("customer")["since"].min()
    windows = {days: people[people["age"] >= days] for days in (30, 60, 90, 180, 365, 730)}
    expected = ReturnCounts(
        buyers=len(people),
        one_time=int((people["days"] == 1).sum()),
        known={days: len(known) for days, known in windows.items() if len(known)},
        back={days: int((known["second"] <= days).sum()) for days, known in windows.items() if len(known)},
    )
    assert (2_357, 1_218) == (expected.buyers, expected.one_time)
    assert expected == told.returns


def test_new_and_repeat_revenue_of_every_quarter_is_what_pandas_sums(told: Report, bought: "pd.DataFrame") -> None:
    quarters = bought["day"].dt.to_period("Q")
    new = bought[bought["since"] == 0].groupby(quarters)["cents"].sum()
    every = bought.groupby(quarters)["cents"].sum()
    first = bought[bought["since"] == 0].groupby(quarters)["customer"].nunique()
    expected = [
        (
            number(quarter.asfreq("M", "start")),
            int(new.get(quarter, 0)),
            int(every[quarter] - new.get(quarter, 0)),
            int(first.get(quarter, 0)),
            True,
        )
        for quarter in every.index
    ]
    found = [
        (each.first_month, each.new_revenue_minor, each.repeat_revenue_minor, each.new_customers, each.is_over)
        for each in told.currencies[USD].quarters
    ]
    assert 6 == len(expected)
    assert [*expected, (1998 * 12 + 6, 0, 0, 0, False)] == found


def test_the_first_three_months_of_who_came_back_and_who_did_not_are_what_pandas_sums(
    told: Report, bought: "pd.DataFrame"
) -> None:
    days = bought.groupby("customer")["day"].transform("nunique")
    early = bought[(bought["age"] >= 90) & (bought["since"] < 90)]
    expected = {
        is_back: GroupCounts(part["customer"].nunique(), int(part["cents"].sum()))
        for is_back, part in early.groupby(days[early.index] > 1)
    }
    part = told.currencies[USD]
    assert expected == {False: part.first_days_one_time, True: part.first_days_repeat}


def test_every_cohort_has_the_customers_returners_activity_and_revenue_that_pandas_counts(
    told: Report, bought: "pd.DataFrame"
) -> None:
    frame = bought.assign(cohort=bought["first"].dt.to_period("M"), month=bought["day"].dt.to_period("M"))
    active = frame.groupby(["cohort", "month"])["customer"].nunique()
    revenue = frame.groupby(["cohort", "month"])["cents"].sum()
    sizes = frame.groupby("cohort")["customer"].nunique()
    back = frame[frame["since"] > 0].groupby("cohort")["customer"].nunique()
    expected = {
        number(cohort): (
            int(sizes[cohort]),
            int(back[cohort]),
            {number(month): (int(active[cohort, month]), int(revenue[cohort, month])) for month in active[cohort].index},
        )
        for cohort in sizes.index
    }
    assert [781, 857, 719] == [size for size, _, _ in expected.values()]
    assert expected == {
        each.month: (
            each.customers,
            each.returned,
            {
                each.month + after: (month.customers, month.net_revenue_minor)
                for after, month in enumerate(each.months)
                if (month.customers, month.net_revenue_minor) != (0, 0)
            },
        )
        for each in told.currencies[USD].cohorts
    }


def test_what_customers_have_spent_is_distributed_as_pandas_says(told: Report, bought: "pd.DataFrame") -> None:
    spent = bought.groupby("customer")["cents"].sum().sort_values(ascending=False, kind="stable")
    tenth = pd.Series(range(len(spent)), index=spent.index) * 10 // len(spent)
    parts = spent.groupby(tenth)
    at_most = spent.rank(method="max") / len(spent)
    percentiles = {percent: int(spent[at_most >= percent / 100].min()) for percent in (50, 90, 99)}
    found = told.currencies[USD].distribution
    assert found is not None
    steps = pd.Series([step_of(int(cents)) for cents in spent]).value_counts().sort_index()
    assert (2_357, 24_409_194, [4_306, 24_230, 94_048]) == (len(spent), int(spent.sum()), list(percentiles.values()))
    assert found == Distribution(
        customers=len(spent),
        total=int(spent.sum()),
        median=percentiles[50],
        percentile_90=percentiles[90],
        percentile_99=percentiles[99],
        tenths=tuple(Tenth(len(part), int(part.sum())) for _, part in parts),
        steps=tuple((int(step), int(customers)) for step, customers in steps.items()),
    )


def test_the_map_has_every_customer_where_pandas_ranks_place_them(told: Report, bought: "pd.DataFrame") -> None:
    measures = bought.groupby("customer").agg(recency=("day", "max"), frequency=("day", "nunique"), monetary=("cents", "sum"))
    places = (measures.rank(method="average") - 0.5) / len(measures)
    scores = places.apply(lambda place: pd.cut(place, [0, 0.2, 0.4, 0.6, 0.8, 1], right=False, labels=range(1, 6)).astype(int))
    other = (scores["frequency"] + scores["monetary"] + 1) // 2
    cells = measures.groupby([scores["recency"], other])["monetary"].agg(["count", "sum"])
    found = told.currencies[USD].cells
    assert {(int(at[0]), int(at[1])): GroupCounts(int(row["count"]), int(row["sum"])) for at, row in cells.iterrows()} == {
        (recency, mean): cell
        for recency, row in enumerate(found, start=1)
        for mean, cell in enumerate(row, start=1)
        if cell.customers
    }


def test_stages_and_moves_add_up_to_everybody(told: Report) -> None:
    moved = [count for row in told.moves.values() for count in row.values()]
    assert (2_357, 2_357, 2_357) == (told.customers, sum(told.stages.values()), sum(moved))
    before = report(NIGHT_BEFORE, None)
    assert {stage: sum(row.values()) for stage, row in told.moves.items()} == dict(before.stages)


def test_what_is_expected_adds_up(told: Report) -> None:
    outlook = told.currencies[USD].outlook
    assert (2_357, 2_357) == (outlook.customers, sum(outlook.alive.values()))
    assert (2_357, outlook.value_minor) == (
        sum(step.customers for step in outlook.values.values()),
        sum(step.net_revenue_minor for step in outlook.values.values()),
    )
    assert 0 < outlook.orders_30_millionths < outlook.orders_90_millionths < outlook.orders_365_millionths


# ── counting ─────────────────────────────────────────────────────────────────────────────────────────────────────────

days = st.dates(date(2024, 1, 1), date(2026, 11, 20))


@st.composite
def customers(draw: st.DrawFn) -> tuple[CustomerStatistics, Scores]:
    parts, every = {}, []
    for currency in draw(st.lists(st.sampled_from(["EUR", "JPY", "KWD"]), unique=True, max_size=2)):
        on = sorted(set(draw(st.lists(days, min_size=1, max_size=6))))
        every += on
        paid = draw(st.lists(st.integers(-50, 9_999), min_size=len(on), max_size=len(on)))
        numbers = sorted({day.year * 12 + day.month - 1 for day in on})
        months = tuple(
            Month(number, len(these), these[-1].day, sum(paid[on.index(day)] for day in these))
            for number in numbers
            for these in [[day for day in on if day.year * 12 + day.month - 1 == number]]
        )
        parts[currency] = replace(
            CurrencyStatistics(
                orders=len(on), items=1, gross_minor=1, cancelled_minor=0, refunded_minor=0, net_revenue_minor=sum(paid)
            ),
            purchases=purchases_on(on),
            first_day_net_revenue_minor=paid[0],
            months=months,
        )
    row = replace(NOTHING, currencies=parts, purchases=purchases_on(every) if every else None)
    chance = draw(st.floats(0, 1))
    found = Prediction(
        p_alive=chance,
        orders_30=chance,
        orders_90=2 * chance,
        orders_365=5.5,
        value_minor=draw(st.integers(0, 10**9)),
        next_order_on=None,
        is_weak=draw(st.booleans()),
    )
    rfm = Rfm(draw(st.integers(1, 5)), draw(st.integers(1, 5)), 3, "loyal")
    return row, Scores(dict.fromkeys(parts, rfm), None, dict.fromkeys(parts, found))


def of(people: list[tuple[CustomerStatistics, Scores]]) -> tuple[ReportCounts, ScoresByCurrency]:
    counts, scores = ReportCounts(), ScoresByCurrency.__value__()
    for row, found in people:
        counts.add(row, date(2026, 11, 20))
        add_scores(scores, row, found)
    return counts, scores


@settings(max_examples=60, deadline=None)
@given(groups=st.lists(st.lists(customers(), max_size=6), min_size=1, max_size=4), data=st.data())
def test_parts_merged_in_any_order_and_kept_as_json_are_what_one_count_would_be(groups: Any, data: st.DataObject) -> None:
    whole, scores = of([each for group in groups for each in group])
    merged, merged_scores = ReportCounts(), ScoresByCurrency.__value__()
    for part, part_scores in map(of, data.draw(st.permutations(groups))):
        merged.merge(counts_of(counts_said(part)))
        merge_scores(merged_scores, scores_of(scores_said(part_scores)))
    assert (whole, scores) == (merged, merged_scores)
    assert counts_said(whole) == counts_said(merged)
    money = sum(part.net_revenue_minor for group in groups for row, _ in group for part in row.currencies.values())
    assert money == sum(sum(each.net_revenue.values()) for each in whole.currencies.values())
    told = currencies(whole, {}, scores, {}, date(2026, 11, 20))
    assert money == sum(
        quarter.new_revenue_minor + quarter.repeat_revenue_minor for each in told.values() for quarter in each.quarters
    )


def test_an_outdated_row_is_not_counted() -> None:
    counts = ReportCounts()
    counts.add(replace(NOTHING, purchases=purchases_on([date(2026, 1, 1)]), is_outdated=True), date(2026, 11, 20))
    assert ReportCounts() == counts


def test_the_first_purchase_is_taken_out_of_months_that_are_one_entry() -> None:
    """A row keeps as many months as it has room for; the older ones are one, in the last of them."""
    every = tuple(Month(number, 1, 5, 1_000_000) for number in range(24_000, 24_200))
    first_on = date(2000, 1, 5)
    part = CurrencyStatistics(
        orders=200,
        items=200,
        gross_minor=200_000_000,
        cancelled_minor=0,
        refunded_minor=0,
        net_revenue_minor=200_000_000,
        purchases=purchases_on(date(number // 12, number % 12 + 1, 5) for number in range(24_000, 24_200)),
        first_day_net_revenue_minor=1_000_000,
        months=every,
    )
    kept = months_fitted({"EUR": part})["EUR"]
    assert len(kept.months) < 200
    counts = CurrencyCounts()
    counts.add(kept, first_on + timedelta(days=9_999))
    assert (24_000, 1_000_000, 200_000_000) == (
        min(counts.net_revenue),
        counts.net_revenue[24_000],
        sum(counts.net_revenue.values()),
    )
    assert {24_000: 1_000_000} == counts.new_revenue
    assert 1 == counts.active[24_000, 24_000]


def test_a_first_purchase_that_is_tomorrow_where_it_was_made_is_young() -> None:
    counts = ReturnCounts()
    counts.add(purchases_on([date(2026, 11, 21)]), date(2026, 11, 20))
    assert ReturnCounts(1, 1) == counts


def test_money_without_a_purchase_day_is_revenue_of_nobodys_cohort() -> None:
    order: list[Order] = []
    assert {} == counted(order, in_berlin).currencies
    part = CurrencyStatistics(
        orders=0,
        items=0,
        gross_minor=500,
        cancelled_minor=0,
        refunded_minor=0,
        net_revenue_minor=490,
        months=(Month(24_300, 0, 0, 490),),
    )
    counts = CurrencyCounts()
    counts.add(part, date(2026, 11, 20))
    assert CurrencyCounts(net_revenue={24_300: 490}) == counts


@pytest.mark.parametrize(
    ("amount", "step"), [(-5, 0), (0, 0), (1, 1), (2, 2), (4, 2), (5, 5), (9, 5), (10, 10), (499, 200), (10**12 - 1, 5 * 10**11)]
)
def test_steps_are_1_2_and_5_of_each_power_of_ten(amount: int, step: int) -> None:
    assert step == step_of(amount)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, None),
        ({7: 1}, (7, 7, 7, [(1, 7), *[(0, 0)] * 9])),
        ({5: 1_000_000}, (5, 5, 5, [(100_000, 500_000)] * 10)),
        ({-3: 1, 0: 1, 10: 18}, (10, 10, 10, [(2, 20)] * 9 + [(2, -3)])),
    ],
)
def test_a_few_a_million_equal_ones_and_less_than_nothing_are_distributed(values: Mapping[int, int], expected: Any) -> None:
    found = Distribution.of(count(value for value, customers in values.items() for _ in range(customers)))
    assert expected == (
        (found.median, found.percentile_90, found.percentile_99, [(each.customers, each.amount) for each in found.tenths])
        if found
        else None
    )
