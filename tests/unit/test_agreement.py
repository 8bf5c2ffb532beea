from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecrm.domain.errors import Flaw, Invalid
from ecrm.domain.orders import Line, LineTerms, Terms, agree
from tests.unit.facts import a_line

LINES = (a_line("1", 2, 1000, 100), a_line("2", 1, 600), a_line("3", 1, 0))
"""19.00, 6.00 and nothing: 25.00 of goods."""


def an_agreement(lines: tuple[Line, ...] = LINES, **changes: Any) -> Terms:
    said: dict[str, Any] = {
        "currency": "EUR",
        "shipping_minor": 490,
        "tax_minor": 300,
        "discount_minor": 0,
        "total_minor": 2500 + 490 + 300,
        "tax_included": False,
    }
    return agree(lines, **said | changes)


def refusal(lines: tuple[Line, ...] = LINES, **changes: Any) -> tuple[str, tuple[Flaw, ...]]:
    with pytest.raises(Invalid) as refused:
        an_agreement(lines, **changes)
    return refused.value.code, refused.value.flaws


def nets(terms: Terms) -> dict[str, int]:
    return {line_id: line.net_minor for line_id, line in terms.lines.items()}


def test_what_was_agreed_is_the_totals_and_each_lines_quantity_and_net_value() -> None:
    expected = Terms(
        lines={"1": LineTerms(2, 1900), "2": LineTerms(1, 600), "3": LineTerms(1, 0)},
        total_minor=3290,
        shipping_minor=490,
        tax_minor=300,
        discount_minor=0,
        tax_included=False,
    )
    assert expected == an_agreement()
    assert 2500 == an_agreement().net_minor


def test_the_orders_discount_is_taken_off_the_lines_by_their_value() -> None:
    assert {"1": 1140, "2": 360, "3": 0} == nets(an_agreement(discount_minor=1000, total_minor=2290))


def test_a_tax_that_is_included_is_not_added_and_is_taken_off_the_lines() -> None:
    terms = an_agreement(tax_included=True, tax_minor=500, total_minor=2990)
    assert ({"1": 1520, "2": 480, "3": 0}, 2000) == (nets(terms), terms.net_minor)


def test_a_tax_included_that_is_mostly_on_shipping_takes_no_more_than_the_goods() -> None:
    terms = an_agreement(tax_included=True, tax_minor=800, shipping_minor=5000, discount_minor=2000, total_minor=5500)
    assert {"1": 0, "2": 0, "3": 0} == nets(terms)


@pytest.mark.parametrize(
    ("total", "off"),
    [(3291, "0.01"), (3289, "-0.01"), (0, "-32.90"), (329_000, "3257.10")],
    ids=["above", "below", "none", "minor"],
)
def test_a_total_that_is_not_that_of_the_lines_is_told_by_how_much(total: int, off: str) -> None:
    detail = f"total is off by {off} EUR from its lines, discount, shipping and tax"
    assert ("total_mismatch", (Flaw("/total", "total_mismatch", detail),)) == refusal(total_minor=total)


def test_a_total_is_off_in_the_decimals_of_its_currency() -> None:
    _, (flaw,) = refusal(currency="JPY", total_minor=3300)
    assert "total is off by 10 JPY from its lines, discount, shipping and tax" == flaw.detail


def test_a_tax_added_twice_is_a_total_that_is_off() -> None:
    assert "total_mismatch" == refusal(tax_included=True)[0]


def test_two_lines_of_one_name_are_refused() -> None:
    flaw = Flaw("/lines", "duplicate_line_id", "two lines have the same line_id")
    assert ("duplicate_line_id", (flaw,)) == refusal((a_line("1"), a_line("1")), total_minor=2390)


def test_every_line_whose_discount_is_above_its_price_is_named() -> None:
    lines = (a_line("1", 1, 800, 801), a_line("2", 1, 800, 800), a_line("3", 2, 800, 1601))
    detail = "the line's discount is larger than its price"
    flaws = tuple(Flaw(f"/lines/{at}/discount", "discount_above_line", detail) for at in (0, 2))
    assert ("discount_above_line", flaws) == refusal(lines)


def test_a_discount_above_all_lines_is_refused() -> None:
    flaw = Flaw("/discount", "discount_above_lines", "the order's discount is larger than its lines")
    assert ("discount_above_lines", (flaw,)) == refusal(discount_minor=2501, total_minor=789)


def test_a_discount_of_all_lines_leaves_them_nothing() -> None:
    assert {"1": 0, "2": 0, "3": 0} == nets(an_agreement(discount_minor=2500, total_minor=790))


def test_a_tax_included_in_less_than_itself_is_refused() -> None:
    flaw = Flaw("/tax", "tax_above_total", "the tax included is larger than the total")
    assert ("tax_above_total", (flaw,)) == refusal(tax_included=True, tax_minor=2991, total_minor=2990)


def test_an_order_of_nothing_but_gifts_is_agreed() -> None:
    terms = an_agreement((a_line("1", 3, 0),), shipping_minor=0, tax_minor=0, total_minor=0)
    assert Terms({"1": LineTerms(3, 0)}, 0, 0, 0, 0, tax_included=False) == terms


amounts = st.integers(0, 10**6)
priced = st.lists(st.tuples(st.integers(1, 1000), amounts, st.integers(0, 100)), min_size=1, max_size=20)


@given(priced, amounts, amounts, st.integers(0, 100), st.booleans())
def test_lines_shipping_and_tax_add_up_to_the_total_to_the_last_minor_unit(
    drawn: list[tuple[int, int, int]],
    shipping: int,
    tax: int,
    percent: int,
    included: bool,  # noqa: FBT001
) -> None:
    lines = tuple(a_line(str(at), q, price, q * price * off // 100) for at, (q, price, off) in enumerate(drawn))
    goods = sum(quantity * price - quantity * price * off // 100 for quantity, price, off in drawn)
    discount = goods * percent // 100
    tax = min(tax, goods - discount) if included else tax
    total = goods - discount + shipping + (0 if included else tax)
    terms = an_agreement(
        lines, shipping_minor=shipping, tax_minor=tax, discount_minor=discount, total_minor=total, tax_included=included
    )
    assert total == terms.net_minor + shipping + tax
    assert all(0 <= net <= line.amount_minor for net, line in zip(nets(terms).values(), lines, strict=True))
