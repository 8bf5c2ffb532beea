from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecrm.domain.instants import from_text, to_answer, to_text

instants = st.datetimes(min_value=datetime(1, 1, 3), max_value=datetime(9999, 12, 29), timezones=st.just(UTC))  # noqa: DTZ001
zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(instants, zones)
def test_an_instant_has_27_characters_whatever_its_zone_and_is_read_back_the_same(instant: datetime, zone: timezone) -> None:
    text = to_text(instant.astimezone(zone))
    assert (27, to_text(instant), instant, UTC) == (len(text), text, from_text(text), from_text(text).tzinfo)


@given(instants, instants)
def test_as_text_the_earlier_is_the_smaller(one: datetime, other: datetime) -> None:
    assert (one < other) is (to_text(one) < to_text(other))


@pytest.mark.parametrize(
    ("microsecond", "text"),
    [(0, "2026-11-20T18:03:11Z"), (1, "2026-11-20T18:03:11.000001Z"), (500_000, "2026-11-20T18:03:11.500000Z")],
)
def test_an_answer_leaves_out_a_fraction_of_nothing(microsecond: int, text: str) -> None:
    assert text == to_answer(datetime(2026, 11, 20, 18, 3, 11, microsecond, UTC))
