from decimal import Decimal
from fractions import Fraction
from math import floor

import iso4217
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecrm.domain.errors import Flaw, Invalid
from ecrm.domain.money import DIGITS, LARGEST, WITHDRAWN, allocate, share, to_minor, to_text

currencies = st.sampled_from(sorted(DIGITS))
minors = st.integers(0, 10**18)


def test_the_currencies_are_those_of_iso_4217_that_have_a_minor_unit_and_the_withdrawn_ones() -> None:
    published = {currency.code: currency.exponent for currency in iso4217.Currency if currency.exponent is not None}
    assert published | WITHDRAWN == DIGITS
    assert set() == WITHDRAWN.keys() & published.keys()


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (1250, "EUR", "12.50"),
        (0, "EUR", "0.00"),
        (5, "EUR", "0.05"),
        (1250, "JPY", "1250"),
        (1250, "BHD", "1.250"),
        (1, "CLF", "0.0001"),
    ],
)
def test_an_amount_is_written_with_its_currencys_decimals(minor: int, currency: str, text: str) -> None:
    assert text == to_text(minor, currency)


def test_what_is_owed_to_us_is_written_with_a_sign() -> None:
    assert "-0.01" == to_text(-1, "EUR")


@given(minors, currencies)
def test_an_amount_read_back_is_the_same_amount(minor: int, currency: str) -> None:
    assert minor == to_minor(Decimal(to_text(minor, currency)), currency, pointer="/total")


@given(st.integers(0, 10**16), currencies, st.integers(1, 6))
def test_more_decimals_than_the_currency_has_are_refused_even_where_they_are_zero(
    minor: int, currency: str, too_many: int
) -> None:
    amount = Decimal(minor).scaleb(-DIGITS[currency] - too_many)
    with pytest.raises(Invalid) as refused:
        to_minor(amount, currency, pointer="/lines/3/discount")
    flaw = Flaw("/lines/3/discount", "too_many_decimals", f"{currency} has {DIGITS[currency]} decimals")
    assert ("too_many_decimals", (flaw,)) == (refused.value.code, refused.value.flaws)


@given(st.decimals(0, LARGEST, places=6), currencies)
def test_an_amount_is_exact_or_refused_and_never_rounded(amount: Decimal, currency: str) -> None:
    try:
        minor = to_minor(amount, currency, pointer="/total")
    except Invalid:
        return
    assert Fraction(amount) * 10 ** DIGITS[currency] == minor


@pytest.mark.parametrize("text", ["1E+3", "1000", "1000.0", "1000.00"])
def test_an_amount_may_have_fewer_decimals_than_its_currency(text: str) -> None:
    assert 100_000 == to_minor(Decimal(text), "EUR", pointer="/total")


@given(minors, st.integers(0, 10**6), st.integers(1, 10**6))
def test_a_share_is_the_exact_part_to_the_nearest_minor_unit(total: int, part: int, whole: int) -> None:
    assert floor(Fraction(total * part, whole) + Fraction(1, 2)) == share(total, part, whole)


@given(minors, st.integers(1, 10**6))
def test_the_share_of_all_is_all_and_of_none_is_nothing(total: int, whole: int) -> None:
    assert (total, 0, 0) == (share(total, whole, whole), share(total, 0, whole), share(total, 0, 0))


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=200), st.data())
def test_what_is_allocated_adds_up_and_takes_from_nobody_more_than_they_have(weights: list[int], data: st.DataObject) -> None:
    whole = sum(weights)
    amount = data.draw(st.integers(0, whole))
    parts = allocate(amount, tuple(weights))
    assert amount == sum(parts)
    assert all(0 <= part <= weight for part, weight in zip(parts, weights, strict=True))
    exact = [Fraction(amount * weight, whole or 1) for weight in weights]
    assert all(abs(part - fair) < 1 for part, fair in zip(parts, exact, strict=True))


def test_a_cent_that_does_not_divide_goes_where_the_running_sum_first_reaches_its_half() -> None:
    assert (3, 4, 3) == allocate(10, (1, 1, 1))
