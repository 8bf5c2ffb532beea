"""What a customer's attributes may be, and which of several facts stays."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecrm.domain.attributes import (
    LARGEST,
    LARGEST_VALUE,
    MOST_KEPT,
    MOST_NAMES,
    Attribute,
    difference,
    known,
    merged,
    refuse_too_much,
    stated,
    type_of,
    vouched,
)
from ecrm.domain.errors import Flaw, Invalid, RuleBroken
from tests.builders import NOON

TAKEN: dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
    "a text": ({"plan": "gold"}, {"plan": "gold"}),
    "an empty text": ({"plan": ""}, {"plan": ""}),
    "a text in any script": ({"نام": "سارا 🎷"}, {"نام": "سارا 🎷"}),
    "a formula, as it is": ({"note": "=HYPERLINK(1)"}, {"note": "=HYPERLINK(1)"}),
    "a name that a language knows": ({"__proto__": "x"}, {"__proto__": "x"}),
    "numbers": ({"a": 0, "b": -7, "c": Decimal("1.50")}, {"a": 0, "b": -7, "c": Decimal("1.5")}),
    "a whole number with a point": ({"a": Decimal("1.0"), "b": Decimal("2E+3")}, {"a": 1, "b": 2000}),
    "the largest number": ({"a": 10**38 - 1}, {"a": 10**38 - 1}),
    "booleans": ({"a": True, "b": False}, {"a": True, "b": False}),
    "a list": ({"likes": ["jazz", 1, Decimal("0.5"), True]}, {"likes": ["jazz", 1, Decimal("0.5"), True]}),
    "an empty list": ({"likes": []}, {"likes": []}),
    "nothing, which clears": ({"plan": None}, {"plan": None}),
    "a text of 2 KB": ({"a": "é" * (LARGEST_VALUE // 2)}, {"a": "é" * (LARGEST_VALUE // 2)}),
    "a name of 64 characters": ({"n" * 64: 1}, {"n" * 64: 1}),
    "Segment's names in its spelling": (
        {"firstName": "Sara", "lastName": "Ahmadi", "createdAt": "2020-01-01"},
        {"first_name": "Sara", "last_name": "Ahmadi", "created_at": "2020-01-01"},
    ),
    "Segment's names in ours": ({"first_name": "Sara"}, {"first_name": "Sara"}),
    "a name of nobody's, as it is": ({"favouriteBand": "x"}, {"favouriteBand": "x"}),
    "an address": (
        {"address": {"street": "Ringstraße 1", "postalCode": "10115", "city": "Berlin", "state": None}},
        {"address": {"street": "Ringstraße 1", "postal_code": "10115", "city": "Berlin"}},
    ),
    "a company": ({"company": {"name": "X", "employeeCount": 7}}, {"company": {"name": "X", "employee_count": 7}}),
    "a birthday": ({"birthday": "1987-02-28"}, {"birthday": "1987-02-28"}),
    "a birthday as libraries send it": ({"birthday": "1987-02-28T00:00:00.000Z"}, {"birthday": "1987-02-28T00:00:00.000Z"}),
    "a birthday of any year": ({"birthday": "--02-29"}, {"birthday": "--02-29"}),
    "a language": ({"language": "zh-Hant-TW"}, {"language": "zh-Hant-TW"}),
    "a time zone": ({"time_zone": "Asia/Tehran"}, {"time_zone": "Asia/Tehran"}),
    "an acquisition": (
        {"acquisition": {"source": "google", "medium": "cpc", "cost": {"amount": "0.85", "currency": "EUR"}}},
        {"acquisition": {"source": "google", "medium": "cpc", "cost": {"amount_minor": 85, "currency": "EUR"}}},
    ),
    "an acquisition at a whole price": (
        {"acquisition": {"cost": {"amount": 900, "currency": "JPY"}}},
        {"acquisition": {"cost": {"amount_minor": 900, "currency": "JPY"}}},
    ),
}
REFUSED: dict[str, tuple[Mapping[str, Any], str, str]] = {
    "an object": ({"plan": {"name": "gold"}}, "/traits/plan", "value_type"),
    "a list in a list": ({"likes": [["jazz"]]}, "/traits/likes", "value_type"),
    "nothing in a list": ({"likes": [None]}, "/traits/likes", "value_type"),
    "a text of more than 2 KB": ({"a": "é" * (LARGEST_VALUE // 2) + "x"}, "/traits/a", "value_too_large"),
    "a list of more than 2 KB": ({"a": ["x" * 1_000] * 3}, "/traits/a", "value_too_large"),
    "a number of 39 digits": ({"a": 10**38}, "/traits/a", "number_out_of_range"),
    "a number too precise": ({"a": Decimal("0.123456789012345678")}, "/traits/a", "number_out_of_range"),
    "a number too large": ({"a": Decimal("1E+400")}, "/traits/a", "number_out_of_range"),
    "a name too long": ({"n" * 65: 1}, "/traits/" + "n" * 65, "bad_name"),
    "an empty name": ({"": 1}, "/traits/", "bad_name"),
    "a name of blanks": ({"  ": 1}, "/traits/  ", "bad_name"),
    "a name with signs of a pointer": ({"a/b~c": {}}, "/traits/a~1b~0c", "value_type"),
    "one name in two spellings": ({"first_name": "Sara", "firstName": "Tom"}, "/traits/firstName", "said_twice"),
    "an address as a text": ({"address": "Ringstraße 1"}, "/traits/address", "value_type"),
    "an address with a number": ({"address": {"postal_code": 10115}}, "/traits/address", "value_type"),
    "a company as a text": ({"company": "X"}, "/traits/company", "value_type"),
    "a birthday that is none": ({"birthday": "1987-02-30"}, "/traits/birthday", "bad_date"),
    "a birthday of no year": ({"birthday": "--02-30"}, "/traits/birthday", "bad_date"),
    "a birthday as a number": ({"birthday": 1987}, "/traits/birthday", "bad_date"),
    "a beginning of no year": ({"created_at": "--02-28"}, "/traits/created_at", "bad_date"),
    "a language by name": ({"language": "German"}, "/traits/language", "bad_language"),
    "a language with a line end": ({"language": "de\n"}, "/traits/language", "bad_language"),
    "a time zone of no place": ({"time_zone": "Europe/Nowhere"}, "/traits/time_zone", "unknown_time_zone"),
    "a time zone that is a folder": ({"time_zone": "Europe"}, "/traits/time_zone", "unknown_time_zone"),
    "a time zone that climbs": ({"time_zone": "../../etc/passwd"}, "/traits/time_zone", "unknown_time_zone"),
    "an acquisition with more": ({"acquisition": {"keyword": "cd"}}, "/traits/acquisition", "value_type"),
    "an acquisition from a number": ({"acquisition": {"source": 7}}, "/traits/acquisition", "value_type"),
    "a cost without a currency": ({"acquisition": {"cost": {"amount": "1"}}}, "/traits/acquisition", "bad_cost"),
    "a cost below nothing": ({"acquisition": {"cost": {"amount": -1, "currency": "EUR"}}}, "/traits/acquisition", "bad_cost"),
    "a cost that is true": ({"acquisition": {"cost": {"amount": True, "currency": "EUR"}}}, "/traits/acquisition", "bad_cost"),
    "a cost in a list": ({"acquisition": {"cost": {"amount": 1, "currency": ["EUR"]}}}, "/traits/acquisition", "bad_cost"),
    "a cost too exact": (
        {"acquisition": {"cost": {"amount": "0.855", "currency": "EUR"}}},
        "/traits/acquisition",
        "too_many_decimals",
    ),
    "no acquisition": ({"acquisition": None}, "/traits/acquisition", "not_cleared"),
}


@pytest.mark.parametrize("name", TAKEN)
def test_a_trait_is_kept_as_the_table_says(name: str) -> None:
    said, kept = TAKEN[name]
    found = stated(said)
    assert (kept, {each: type(value) for each, value in kept.items()}) == (
        found,
        {each: type(value) for each, value in found.items()},
    )


@pytest.mark.parametrize("name", REFUSED)
def test_a_trait_is_refused_as_the_table_says(name: str) -> None:
    said, pointer, code = REFUSED[name]
    with pytest.raises(Invalid) as refused:
        stated(said)
    assert [(pointer, code)] == [(flaw.pointer, flaw.code) for flaw in refused.value.flaws]


def test_every_wrong_trait_is_named_at_once() -> None:
    with pytest.raises(Invalid) as refused:
        stated({"plan": {}, "ok": 1, "language": "German"})
    assert (
        Flaw("/traits/plan", "value_type", "a value is a text, a number, a boolean or a list of these"),
        Flaw("/traits/language", "bad_language", "a BCP 47 tag such as de, pt-BR or zh-Hant is needed"),
    ) == refused.value.flaws


def test_a_call_names_a_hundred_traits_at_most() -> None:
    assert MOST_NAMES == len(stated({f"a{at}": at for at in range(MOST_NAMES)}))
    with pytest.raises(Invalid) as refused:
        stated({f"a{at}": at for at in range(MOST_NAMES + 1)})
    assert ["/traits"] == [flaw.pointer for flaw in refused.value.flaws]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("Sara", "string"),
        ("2026-11-20", "date"),
        ("2026-11-20T12:00:00Z", "date"),
        ("2026-11-20t12:00:00.5+03:30", "date"),
        ("2026-11-20T12:00:00", "string"),
        ("2026-13-20", "string"),
        ("20261120", "string"),
        ("٢٠٢٦-١١-٢٠", "string"),
        (True, "boolean"),
        (1, "number"),
        (Decimal("0.5"), "number"),
        ([], "list"),
        ({}, "object"),
    ],
)
def test_a_value_is_recognised(value: Any, kind: str) -> None:
    assert kind == type_of(value)


def said(value: Any, hour: int = 0, *, is_claimed: bool = False, source: str = "api:1") -> Attribute:
    return Attribute(value, NOON + timedelta(hours=hour), source, is_claimed)


VALUES = st.sampled_from([None, "a", "b", "1", 1, True, Decimal("1.5"), "1.5", ["a"], [Decimal("1.5")], ["1.5"]])
FACTS = st.tuples(
    st.sampled_from(["plan", "likes", "acquisition"]),
    st.builds(said, VALUES, st.integers(0, 2), is_claimed=st.booleans(), source=st.sampled_from(["api:1", "api:2"])),
)


@settings(max_examples=300)
@given(st.lists(FACTS, max_size=12), st.data())
def test_facts_in_any_order_and_repeated_make_the_same_attributes(
    facts: list[tuple[str, Attribute]], data: st.DataObject
) -> None:
    once = merged(*({name: fact} for name, fact in facts))
    again = data.draw(
        st.permutations([*facts, *data.draw(st.lists(st.sampled_from(facts), max_size=6) if facts else st.just([]))])
    )
    cut = data.draw(st.integers(0, len(again)))
    halves = (merged(*({name: fact} for name, fact in half)) for half in (again[:cut], again[cut:]))
    assert repr(sorted(once.items())) == repr(sorted(merged(*halves).items()))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (said("new", 2), said("old", 1)),
        (said("vouched", 1), said("claimed", 2, is_claimed=True)),
        (said(None, 2), said("old", 1)),
        (said(None, 1), said("claimed", 2, is_claimed=True)),
        (said("b"), said("a")),
    ],
    ids=["the later", "the vouched", "cleared later", "cleared by a voucher", "the greater at the same time"],
)
def test_of_two_facts_one_stays_whatever_comes_first(one: Attribute, other: Attribute) -> None:
    assert {"plan": one} == merged({"plan": one}, {"plan": other}) == merged({"plan": other}, {"plan": one})


def test_of_acquisitions_the_first_touch_stays_and_a_voucher_s_above_a_claim() -> None:
    first, later, claimed = said("first", 1), said("later", 2), said("claimed", 0, is_claimed=True)
    books = [{"acquisition": attribute} for attribute in (later, claimed, first)]
    assert {"acquisition": first} == merged(*books)


def test_what_was_cleared_is_kept_and_not_known() -> None:
    book = {"plan": said(None, 2), "likes": said(["jazz"])}
    assert {"likes": ["jazz"]} == known(book)


def test_what_is_only_claimed_is_known_and_not_vouched_for() -> None:
    book = {"plan": said("gold", is_claimed=True), "likes": said(["jazz"]), "city": said(None)}
    assert ({"plan": "gold", "likes": ["jazz"]}, {"likes": ["jazz"]}) == (known(book), vouched(book))


@pytest.mark.parametrize(("before", "after"), [(True, False), (False, True)], ids=["vouched for", "a claim again"])
def test_who_stands_for_a_value_is_a_difference_too(before: bool, after: bool) -> None:  # noqa: FBT001 (columns of the table)
    books = [{"plan": said("gold", is_claimed=claimed), "likes": said(1)} for claimed in (before, after)]
    assert {"plan": "gold"} == difference(*books)
    assert {} == difference(books[0], books[0])


def test_a_difference_tells_what_is_new_other_and_gone() -> None:
    before = {"same": said(1), "other": said(1), "gone": said("x"), "never": said(None)}
    after = {"same": said(1, 5), "other": said(value=True), "gone": said(None, 5), "new": said("1")}
    assert {"gone": None, "new": "1", "other": True} == difference(before, after)


def test_a_customer_has_a_hundred_attributes_and_what_was_cleared_makes_room() -> None:
    full = {f"a{at}": said(at) for at in range(MOST_NAMES)}
    refuse_too_much(full, is_claimed=False)
    refuse_too_much(full | {"gone": said(None)}, is_claimed=False)
    with pytest.raises(RuleBroken, match="at most 100 attributes") as refused:
        refuse_too_much(full | {"more": said(1)}, is_claimed=False)
    assert "too_many_attributes" == refused.value.code
    cleared = {f"c{at}": said(None) for at in range(MOST_KEPT + 1)}
    with pytest.raises(RuleBroken):
        refuse_too_much(cleared, is_claimed=False)


def test_a_customer_s_attributes_are_64_kb_in_all() -> None:
    full = {f"{at:02}": said("x" * (LARGEST // 64 - 2)) for at in range(64)}
    refuse_too_much(full, is_claimed=False)
    with pytest.raises(RuleBroken) as refused:
        refuse_too_much(full | {"m": said(1)}, is_claimed=False)
    assert "attributes_too_large" == refused.value.code


def test_what_is_claimed_takes_no_room_from_a_voucher_and_counts_whole_for_a_claim() -> None:
    claimed = {f"c{at}": said(at, is_claimed=True) for at in range(MOST_NAMES)}
    refuse_too_much(claimed, is_claimed=True)
    refuse_too_much(claimed | {"plan": said("gold")}, is_claimed=False)
    with pytest.raises(RuleBroken):
        refuse_too_much({**claimed, "plan": said("gold")}, is_claimed=True)
