"""Life cycle: the stages, their limits, and what waiting does."""

from datetime import date, timedelta
from itertools import pairwise
from math import exp

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ecrm.domain.lifecycle import Stage, Thresholds, limits, stage
from tests.unit.facts import purchases_on

TODAY = date(2026, 11, 20)
THRESHOLDS = Thresholds(at_risk_days=100, lost_days=200)


def at(*days_ago: int, thresholds: Thresholds = THRESHOLDS) -> Stage:
    """The stage of who bought so many days ago."""
    return stage(purchases_on(TODAY - timedelta(days=ago) for ago in days_ago), thresholds, TODAY)


def test_who_never_bought_is_a_prospect() -> None:
    assert Stage.PROSPECT == stage(None, THRESHOLDS, TODAY)


@pytest.mark.parametrize(
    ("ago", "expected"),
    [(-1, Stage.NEW), (0, Stage.NEW), (100, Stage.NEW), (101, Stage.AT_RISK), (200, Stage.AT_RISK), (201, Stage.LOST)],
)
def test_who_bought_once_has_the_companys_time(ago: int, expected: Stage) -> None:
    assert expected == at(ago)


def test_the_factors_are_quantiles_of_the_exponential_distribution() -> None:
    assert (0.9, 0.975) == pytest.approx((1 - exp(-THRESHOLDS.at_risk_factor), 1 - exp(-THRESHOLDS.lost_factor)))


@pytest.mark.parametrize(
    ("days", "at_risk", "lost"),
    [
        ((0,), 100, 200),
        ((0, 1), (100 + 2.302585) / 2, (200 + 3.688879) / 2),
        ((0, 30), (100 + 30 * 2.302585) / 2, (200 + 30 * 3.688879) / 2),
        (tuple(range(0, 71, 7)), (100 + 70 * 2.302585) / 11, (200 + 70 * 3.688879) / 11),
    ],
)
def test_the_more_often_somebody_bought_the_more_their_own_rhythm_says(
    days: tuple[int, ...], at_risk: float, lost: float
) -> None:
    found = limits(purchases_on(TODAY + timedelta(days=day) for day in days), THRESHOLDS)
    assert (at_risk, lost) == pytest.approx((found.at_risk, found.lost))


@pytest.mark.parametrize(
    ("ago", "expected"),
    [
        ((10, 5), Stage.ACTIVE),
        ((10, 7, 5), Stage.LOYAL),
        ((110, 80, 50, 20), Stage.LOYAL),
        ((190, 160, 130, 100), Stage.AT_RISK),
        ((290, 260, 230, 200), Stage.LOST),
        ((500, 0), Stage.WON_BACK),
        ((290, 90), Stage.ACTIVE),
        ((291, 90), Stage.WON_BACK),
        ((292, 91), Stage.ACTIVE),
        ((500, 250, 0), Stage.LOYAL),
        ((900, 880, 860, 0), Stage.WON_BACK),
    ],
)
def test_who_bought_more_often_is_where_their_own_rhythm_puts_them(ago: tuple[int, ...], expected: Stage) -> None:
    assert expected == at(*ago)


def test_every_threshold_is_a_parameter() -> None:
    assert Stage.LOYAL == at(10, 5, thresholds=Thresholds(at_risk_days=100, lost_days=200, loyal_days=2))
    assert Stage.ACTIVE == at(300, 10, thresholds=Thresholds(at_risk_days=100, lost_days=200, won_back_days=9))
    patient = Thresholds(at_risk_days=100, lost_days=200, at_risk_factor=9, lost_factor=9)
    assert (Stage.LOST, Stage.LOYAL) == (at(290, 260, 230, 200), at(290, 260, 230, 200, thresholds=patient))


ORDER = [{Stage.WON_BACK}, {Stage.NEW, Stage.ACTIVE, Stage.LOYAL}, {Stage.AT_RISK}, {Stage.LOST}]
histories = st.lists(st.integers(0, 900), min_size=1, max_size=8)
thresholds = st.builds(
    lambda at_risk, more, loyal, won: Thresholds(
        at_risk_days=at_risk, lost_days=at_risk + more, loyal_days=loyal, won_back_days=won
    ),
    st.integers(1, 300),
    st.integers(0, 300),
    st.integers(2, 5),
    st.integers(0, 120),
)


@settings(max_examples=300)
@given(ago=histories, thresholds=thresholds)
def test_who_waits_only_moves_towards_being_lost(ago: list[int], thresholds: Thresholds) -> None:
    bought = purchases_on(TODAY - timedelta(days=one) for one in ago)
    stages = [stage(bought, thresholds, bought.last_on + timedelta(days=days)) for days in range(0, 2_000, 7)]
    places = [next(place for place, among in enumerate(ORDER) if one in among) for one in stages]
    assert sorted(places) == places


def by_hand(ago: list[int], thresholds: Thresholds) -> tuple[Stage, float]:
    """The stage from all days and their gaps, and how near the nearest limit was."""
    days = sorted(set(ago), reverse=True)
    gaps = [before - after for before, after in pairwise(days)]

    def limit(gaps: list[int], company: int, factor: float) -> float:
        if not gaps:
            return company
        trust = len(gaps) / (len(gaps) + 1)
        return trust * factor * sum(gaps) / len(gaps) + (1 - trust) * company

    away = days[-1]
    at_risk = limit(gaps, thresholds.at_risk_days, thresholds.at_risk_factor)
    lost = limit(gaps, thresholds.lost_days, thresholds.lost_factor)
    was_lost = limit(gaps[:-1], thresholds.lost_days, thresholds.lost_factor)
    near = min(abs(away - at_risk), abs(away - lost), *(abs(gap - was_lost) for gap in gaps[-1:]))
    if away > lost:
        return Stage.LOST, near
    if away > at_risk:
        return Stage.AT_RISK, near
    if not gaps:
        return Stage.NEW, near
    if gaps[-1] > was_lost and away <= thresholds.won_back_days:
        return Stage.WON_BACK, near
    return (Stage.LOYAL if len(days) >= thresholds.loyal_days else Stage.ACTIVE), near


@settings(max_examples=500)
@given(ago=histories, thresholds=thresholds)
def test_the_row_alone_says_what_all_days_and_their_gaps_say(ago: list[int], thresholds: Thresholds) -> None:
    expected, near = by_hand(ago, thresholds)
    assume(near > 1e-6)
    assert expected == at(*ago, thresholds=thresholds)
