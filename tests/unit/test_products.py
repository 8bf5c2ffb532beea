"""A product is what was last said of each of its fields, in whatever order it is heard."""

from datetime import timedelta
from functools import reduce
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ecrm.domain.products import Product, Stated, merged
from tests.builders import NOON


def told(minute: int, **fields: Any) -> Product:
    at = NOON + timedelta(minutes=minute)
    return Product("CD-5", {field: Stated(value, at) for field, value in fields.items()}, at)


def values(product: Product) -> dict[str, Any]:
    return {field: product.value(field) for field in product.fields}


prices: st.SearchStrategy[Any] = st.builds(dict, amount_minor=st.integers(0, 3), currency=st.just("EUR"))
said = st.dictionaries(
    st.sampled_from(["name", "stock", "price", "available", "translations.fa"]),
    st.none() | st.booleans() | st.integers(0, 3) | prices | st.sampled_from(["a", "b"]),
)
facts = st.lists(st.builds(lambda minute, fields: told(minute, **fields), st.integers(0, 3), said), min_size=1, max_size=6)


@settings(max_examples=500)
@given(facts.flatmap(lambda heard: st.tuples(st.permutations(heard), st.permutations(heard + heard[:2]))))
def test_whatever_is_heard_twice_and_in_any_order_is_the_same_product(orders: tuple[list[Product], list[Product]]) -> None:
    one, other = (reduce(merged, heard) for heard in orders)
    assert one == other


def test_different_fields_said_at_different_times_are_both_kept() -> None:
    assert {"name": "Blue", "stock": 3} == values(merged(told(2, name="Blue"), told(1, stock=3)))


def test_an_older_value_overwrites_no_newer_one() -> None:
    known = told(2, stock=3)
    assert known == merged(known, told(1, stock=9))
    assert {"stock": 9} == values(merged(known, told(3, stock=9)))


def test_what_was_cleared_does_not_come_back_with_an_older_value() -> None:
    cleared = merged(told(1, stock=3), told(3, stock=None))
    assert cleared == merged(cleared, told(2, stock=9))
    assert {"stock": 9} == values(merged(cleared, told(4, stock=9)))


def test_of_two_values_of_one_moment_the_same_stays_whichever_came_first() -> None:
    assert (
        {"stock": 9} == values(merged(told(1, stock=9), told(1, stock=3))) == values(merged(told(1, stock=3), told(1, stock=9)))
    )


def test_a_product_is_as_new_as_its_newest_fact() -> None:
    assert NOON + timedelta(minutes=5) == merged(told(5, name="Blue"), told(1, stock=3)).updated_at


def test_languages_that_were_taken_away_are_not_among_the_translations() -> None:
    product = Product(
        "CD-5",
        {
            "translations.fa": Stated({"name": "آبی"}, NOON),
            "translations.de": Stated(None, NOON),
            "translations.ar": Stated({"name": "أزرق"}, NOON),
            "name": Stated("Blue", NOON),
        },
        NOON,
    )
    assert [("ar", {"name": "أزرق"}), ("fa", {"name": "آبی"})] == list(product.translations())
