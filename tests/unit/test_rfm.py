"""RFM: scores among others, ties, groups, and the CDNOW sample against pandas."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecrm.analytics.counters import count
from ecrm.analytics.rfm import CELLS, CountsByCurrency, GroupTable, RfmScale, Scale, Scores, add, merge
from ecrm.domain.errors import Invalid
from ecrm.domain.statistics import NOTHING, CurrencyStatistics, CustomerStatistics, Purchases
from local.demo.cdnow import purchases
from tests.unit.facts import cdnow, purchases_on

FIRST = date(2026, 1, 1)


def scored(values: Sequence[int]) -> list[int]:
    return list(map(Scale.of(count(values)).score, values))


def bought(days: int = 1, last: int = 0) -> Purchases:
    """So many purchase days, the last one so many days after the first."""
    return replace(purchases_on((FIRST, FIRST + timedelta(days=last))), days=days)


def a_part(net_revenue_minor: int = 0, purchases: Purchases | None = None) -> CurrencyStatistics:
    return CurrencyStatistics(
        orders=1,
        items=1,
        gross_minor=net_revenue_minor,
        cancelled_minor=0,
        refunded_minor=0,
        net_revenue_minor=net_revenue_minor,
        purchases=purchases,
    )


# ── one measure ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_ten_customers_of_ten_values_come_out_in_pairs() -> None:
    assert [1, 1, 2, 2, 3, 3, 4, 4, 5, 5] == scored(range(10))


@pytest.mark.parametrize("customers", [1, 2, 10, 1_000_000])
def test_customers_who_are_all_equal_are_all_in_the_middle(customers: int) -> None:
    scale = Scale.of(count([7] * customers))
    assert 3 == scale.score(7)


@pytest.mark.parametrize(("once", "expected"), [(3, (1, 4)), (5, (2, 4)), (7, (2, 5)), (8, (3, 5)), (9, (3, 5))])
def test_of_ten_of_whom_most_bought_once_the_middle_of_their_ranks_decides(once: int, expected: tuple[int, int]) -> None:
    scores = scored([1] * once + [2] * (10 - once))
    assert expected == (scores[0], scores[-1])


def test_two_customers_are_a_low_and_a_high_one() -> None:
    assert [2, 4] == scored([10, 20])


@pytest.mark.parametrize(("value", "expected"), [(0, 1), (10, 2), (15, 2), (20, 4), (99, 4)])
def test_a_value_that_nobody_had_scores_as_the_next_smaller_one(value: int, expected: int) -> None:
    assert expected == Scale.of(count([10, 20])).score(value)


def by_hand(values: list[int], value: int) -> int:
    """Count who is worse, and who is no better: the customer stands in the middle of both."""
    worse, no_better = sum(one < value for one in values), sum(one <= value for one in values)
    place = Fraction(worse + no_better, 2 * len(values))
    return next(score for score in range(1, 6) if place < Fraction(score, 5))


@settings(max_examples=500)
@given(values=st.lists(st.integers(0, 12) | st.integers(0, 10**9), min_size=1, max_size=60))
def test_a_score_is_what_counting_by_hand_gives(values: list[int]) -> None:
    assert [by_hand(values, value) for value in values] == scored(values)


@given(values=st.lists(st.integers(0, 30), min_size=1, max_size=60), one=st.integers(0, 40), other=st.integers(0, 40))
def test_who_has_more_never_scores_less(values: list[int], one: int, other: int) -> None:
    scale = Scale.of(count(values))
    assert (one <= other) <= (scale.score(one) <= scale.score(other))


@given(values=st.lists(st.integers(0, 30), min_size=1, max_size=40), times=st.integers(2, 9))
def test_scores_depend_on_shares_and_not_on_how_many_there_are(values: list[int], times: int) -> None:
    assert scored(values) == scored(values * times)[: len(values)]


@given(values=st.lists(st.integers(0, 10**9), min_size=5, max_size=200, unique=True))
def test_each_score_has_a_fifth_of_customers_who_are_all_different(values: list[int]) -> None:
    per_score = Counter(scored(values))
    assert all(abs(per_score[score] - len(values) / 5) <= 1 for score in range(1, 6))


# ── a customer ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_currency_has_customers_and_scores_of_its_own() -> None:
    rows = [
        replace(NOTHING, currencies={"EUR": a_part(100, bought(1)), "JPY": a_part(7, bought(1))}),
        replace(NOTHING, currencies={"EUR": a_part(900, bought(4, 9)), "JPY": a_part(0)}),
        NOTHING,
    ]
    counts: CountsByCurrency = {}
    for row in rows:
        add(counts, row)
    scales = {currency: RfmScale.of(part) for currency, part in counts.items()}
    found = [{currency: scales[currency].scores(part) for currency, part in row.currencies.items()} for row in rows]
    assert [
        {"EUR": Scores(2, 2, 2), "JPY": Scores(3, 3, 3)},
        {"EUR": Scores(4, 4, 4), "JPY": None},
        {},
    ] == found


parts = st.builds(
    lambda net, days, last: a_part(net, bought(days, last) if days else None),
    st.integers(0, 5_000),
    st.integers(0, 4),
    st.integers(0, 50),
)
rows = st.builds(
    lambda currencies: replace(NOTHING, currencies=currencies), st.dictionaries(st.sampled_from(("EUR", "JPY")), parts)
)


@given(groups=st.lists(st.lists(rows, max_size=8), min_size=1, max_size=5), data=st.data())
def test_counting_in_parts_and_merging_them_in_any_order_gives_the_same_scores(
    groups: list[list[CustomerStatistics]], data: st.DataObject
) -> None:
    whole: CountsByCurrency = {}
    for row in (row for group in groups for row in group):
        add(whole, row)
    parted: list[CountsByCurrency] = [{} for _ in groups]
    for counts, group in zip(parted, groups, strict=True):
        for row in group:
            add(counts, row)
    while len(parted) > 1:
        one, other = (parted.pop(data.draw(st.integers(0, len(parted) - 1))) for _ in range(2))
        merge(one, other)
        parted.append(one)
    assert [whole] == parted


# ── groups ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("scores", "group"),
    [
        (Scores(5, 5, 5), "champions"),
        (Scores(5, 4, 3), "champions"),
        (Scores(4, 4, 4), "loyal"),
        (Scores(4, 3, 3), "potential_loyalists"),
        (Scores(5, 1, 1), "new_customers"),
        (Scores(4, 1, 1), "promising"),
        (Scores(3, 3, 3), "need_attention"),
        (Scores(3, 2, 1), "about_to_sleep"),
        (Scores(2, 3, 4), "at_risk"),
        (Scores(1, 5, 5), "cannot_lose_them"),
        (Scores(2, 2, 2), "hibernating"),
        (Scores(1, 1, 1), "lost"),
    ],
)
def test_a_group_is_named_by_recency_and_the_mean_of_the_others(scores: Scores, group: str) -> None:
    assert group == GroupTable().group(scores)


def test_all_eleven_usual_names_are_in_the_table() -> None:
    assert 11 == len({name for row in CELLS for name in row})


def test_a_company_may_have_a_table_of_its_own() -> None:
    table = GroupTable(tuple(tuple(f"{recency}/{rest}" for rest in range(1, 6)) for recency in range(1, 6)))
    assert "2/4" == table.group(Scores(2, 3, 5))


@pytest.mark.parametrize("cells", [CELLS[:4], (*CELLS[:4], CELLS[4][:4]), ()])
def test_a_table_without_five_rows_of_five_names_is_refused(cells: tuple[tuple[str, ...], ...]) -> None:
    with pytest.raises(Invalid):
        GroupTable(cells)


# ── CDNOW ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def of_pandas() -> "pd.DataFrame":
    """Scores of the sample by ranks: a tie has its average rank, and its place is cut into fifths."""
    frame = pd.DataFrame(
        [(purchase.customer, purchase.date, purchase.cents) for purchase in purchases()], columns=["customer", "day", "cents"]
    )
    frame["day"] = pd.to_datetime(frame["day"])
    measures = frame.groupby("customer").agg(recency=("day", "max"), frequency=("day", "nunique"), monetary=("cents", "sum"))
    places = (measures.rank(method="average") - 0.5) / len(measures)
    fifths = [0, 0.2, 0.4, 0.6, 0.8, 1]
    return places.apply(lambda place: pd.cut(place, fifths, right=False, labels=range(1, 6)).astype(int))


def test_every_customer_of_the_cdnow_sample_has_the_scores_that_pandas_ranks_give() -> None:
    cents: Counter[str] = Counter()
    for purchase in purchases():
        cents[purchase.customer] += purchase.cents
    sample = {customer: a_part(cents[customer], days) for customer, days in cdnow().items()}
    counts: CountsByCurrency = {}
    for part in sample.values():
        add(counts, replace(NOTHING, currencies={"USD": part}))
    scale = RfmScale.of(counts["USD"])
    expected = {customer: Scores(*scores) for customer, *scores in of_pandas().itertuples(name=None)}
    assert 2_357 == len(expected)
    assert expected == {customer: scale.scores(part) for customer, part in sample.items()}
    assert {2: 1_218, 4: 612, 5: 527} == Counter(found.frequency for found in expected.values())
    assert {
        "champions": 455,
        "loyal": 530,
        "potential_loyalists": 55,
        "need_attention": 117,
        "about_to_sleep": 263,
        "at_risk": 328,
        "cannot_lose_them": 14,
        "hibernating": 595,
    } == Counter(map(GroupTable().group, expected.values()))
