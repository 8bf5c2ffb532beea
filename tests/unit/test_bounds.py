"""How often something happened, as far as a row tells: around the truth, and the truth itself where no border cuts a day."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecrm.application.behaviour import KEPT
from ecrm.domain.behaviour import AHEAD, DAYS, NEVER_SEEN, Act, BehaviourCounts, fitted, recount
from ecrm.domain.bounds import ANY, NEVER, SURELY_KEPT, Bounds, bought, happened
from ecrm.domain.comparisons import MANY
from ecrm.domain.statistics import NOTHING, count
from ecrm.domain.windows import EVER, LAST, Span
from tests.builders import NOON
from tests.unit.facts import an_agreement, cancelled

DAY = timedelta(days=1)
NAME = "Product Viewed"


def seen(*ago: timedelta, name: str = NAME) -> BehaviourCounts:
    return recount(NEVER_SEEN, (Act(str(number), name, NOON - each) for number, each in enumerate(ago)))


def since(ago: timedelta) -> Span:
    return Span(NOON - ago, NOON + timedelta(microseconds=1))


HOUR = timedelta(hours=1)
ROWS: dict[str, tuple[BehaviourCounts, Span, Bounds]] = {
    "nothing at all": (NEVER_SEEN, EVER, NEVER),
    "nothing of this name": (seen(HOUR, name="Page Viewed"), EVER, NEVER),
    "nothing of this name, in a row that leaves out some": (fitted(seen(HOUR, name="Page Viewed"), 0), EVER, ANY),
    "all there is": (seen(HOUR, DAY, 80 * DAY), EVER, Bounds(3, 3)),
    "all of it within": (seen(HOUR, DAY), since(7 * DAY), Bounds(2, 2)),
    "all of it before": (seen(8 * DAY, 9 * DAY), since(7 * DAY), NEVER),
    "all of it after": (seen(HOUR), Span(NOON - 9 * DAY, NOON - DAY), NEVER),
    "the last within, one long before": (seen(HOUR, 9 * DAY), since(7 * DAY), Bounds(1, 1)),
    "one on the day that the window begins in, which may be before": (
        seen(HOUR, 7 * DAY - 2 * HOUR, 9 * DAY),
        since(7 * DAY),
        Bounds(1, 2),
    ),
    "the first on that day, and before": (seen(HOUR, 7 * DAY + 2 * HOUR), since(7 * DAY), Bounds(1, 1)),
    "the first on that day, and within": (seen(HOUR, 7 * DAY - 2 * HOUR), since(7 * DAY), Bounds(2, 2)),
    "more on that day, after the first within": (seen(HOUR, 7 * DAY - HOUR, 7 * DAY - 2 * HOUR), since(7 * DAY), Bounds(3, 3)),
    "whole days": (seen(HOUR, 7 * DAY, 8 * DAY), Span(NOON - 7.5 * DAY, NOON - 0.5 * DAY), Bounds(1, 1)),
    "days that the row does not keep": (seen(HOUR, 95 * DAY, 100 * DAY), since(110 * DAY), Bounds(2, MANY)),
    "days of which facts may have gone": (seen(390 * DAY, 399 * DAY), since(410 * DAY), Bounds(1, 2)),
    "a clock that was ahead": (seen(-2 * HOUR, HOUR), since(DAY), Bounds(1, 1)),
}


@pytest.mark.parametrize("case", ROWS)
def test_a_row_bounds_what_happened(case: str) -> None:
    counts, span, expected = ROWS[case]
    assert expected == happened(NAME, span, NOON)(counts)


AGO = st.one_of(
    st.timedeltas(timedelta(hours=-12), timedelta(days=120)),
    st.integers(0, 130).map(lambda halves: halves * DAY / 2),
    st.integers(3_170, 3_220).map(lambda hours: hours * timedelta(hours=3)),
)


@settings(max_examples=500)
@given(ago=st.lists(AGO, max_size=12, unique=True), borders=st.tuples(AGO, AGO).map(sorted), gone=st.integers(0, 12))
def test_what_happened_is_within_what_the_row_says(ago: list[timedelta], borders: list[timedelta], gone: int) -> None:
    """Whether facts that were counted are still there where they may have gone, or not."""
    for span in (Span(NOON - borders[1], NOON - borders[0]), Span(NOON - borders[1], LAST), EVER):
        low, high = happened(NAME, span, NOON)(seen(*ago))
        there = [each for number, each in enumerate(ago) if each <= SURELY_KEPT or number % 3 == gone % 3]
        assert low <= sum(span.holds(NOON - each) for each in there) <= high


@given(days=st.lists(st.integers(0, 80), max_size=12), first=st.integers(0, 100), last=st.integers(0, 100))
def test_of_whole_days_that_a_row_keeps_it_tells_the_truth(days: list[int], first: int, last: int) -> None:
    midnight = datetime(2026, 11, 20, tzinfo=UTC)
    span = Span(midnight - first * DAY, midnight - last * DAY)
    acts = [Act(str(number), NAME, NOON - day * DAY - number * HOUR / 2) for number, day in enumerate(days)]
    exact = sum(span.holds(act.at) for act in acts)
    assert Bounds(exact, exact) == happened(NAME, span, NOON)(recount(NEVER_SEEN, acts))


def test_facts_are_there_for_as_long_as_a_row_is_taken_at_its_word() -> None:
    a_night = DAY
    assert KEPT - AHEAD - a_night == SURELY_KEPT
    assert DAYS * DAY < SURELY_KEPT


def test_a_row_bounds_how_many_orders_were_placed() -> None:
    first, second, third = (
        an_agreement(order_id=str(days), placed_at=NOON - days * DAY, currency=currency)
        for days, currency in ((30, "EUR"), (20, "EUR"), (3, "USD"))
    )
    gone = an_agreement(cancelled(1), order_id="gone", placed_at=NOON - DAY)
    statistics = count((first, second, third, gone), lambda _: UTC)
    asked = {
        "ever": (EVER, None),
        "ever, in euros": (EVER, "EUR"),
        "in yen": (EVER, "JPY"),
        "within a month, at the end of which the first is": (since(30 * DAY), None),
        "within a week": (since(7 * DAY), None),
        "within a day": (since(DAY), None),
        "before a week ago": (Span(NOON - 90 * DAY, NOON - 7 * DAY), None),
        "in between": (Span(NOON - 25 * DAY, NOON - 15 * DAY), None),
        "within a week, in euros": (since(7 * DAY), "EUR"),
    }
    expected = {
        "ever": Bounds(3, 3),
        "ever, in euros": Bounds(2, 2),
        "in yen": Bounds(0, 0),
        "within a month, at the end of which the first is": Bounds(3, 3),
        "within a week": Bounds(1, 2),
        "within a day": Bounds(0, 0),
        "before a week ago": Bounds(1, 2),
        "in between": Bounds(0, 1),
        "within a week, in euros": Bounds(0, 2),
    }
    assert expected == {name: bought(span, currency)(statistics) for name, (span, currency) in asked.items()}
    assert NEVER == bought(EVER, None)(NOTHING)
