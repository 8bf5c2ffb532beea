"""A segment's rule on the wire: what is taken, how it is shown back, and what is refused, where and why."""

import json
from decimal import Decimal
from random import Random
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ecrm.contracts.problems import invalid_from
from ecrm.contracts.segments import (
    MOST_CHOICES,
    FieldName,
    MeasureName,
    OpName,
    PredictedName,
    PutSegmentBody,
    RuleBody,
    SegmentBody,
    written,
)
from ecrm.domain.comparisons import Op
from ecrm.domain.errors import Invalid
from ecrm.domain.segments import Field, Measure, Predicted
from ecrm.entry.json_body import read_json
from tests.builders import NOON
from tests.properties import rules

type Json = dict[str, Any]


def refusals(rule: Any) -> list[tuple[str, str]]:
    try:
        PutSegmentBody.model_validate({"name": "x", "rule": rule}).to_segment("x", NOON)
    except ValidationError as error:
        return [(flaw.pointer, flaw.code) for flaw in invalid_from(error).flaws]
    except Invalid as error:
        return [(flaw.pointer, flaw.code) for flaw in error.flaws]
    return []


def profile(**said: Any) -> Json:
    return {"profile": {"path": "plan", "op": "is", "value": "gold"} | said}


def stats(**said: Any) -> Json:
    return {"stats": {"field": "orders", "op": ">=", "value": 1} | said}


def predicted(**said: Any) -> Json:
    return {"predicted": {"field": "p_alive", "currency": "EUR", "op": "<", "value": 1} | said}


NOTHING_PREDICTED: Json = {"predicted": {"field": "p_alive", "currency": "EUR", "op": "missing"}}


def event(**said: Any) -> Json:
    return {"event": {"name": "Product Viewed", "op": ">=", "value": 1} | said}


def order(**said: Any) -> Json:
    return {"order": {"op": ">=", "value": 1} | said}


def a_filter(**said: Any) -> Json:
    return order(where=[{"field": "sku", "op": "is", "value": "CD-5"} | said])


TAKEN: dict[str, tuple[Json, Json]] = {
    "a tree": (
        {"and": [{"or": [stats(), {"not": profile()}]}, {"segment": {"id": "buyers"}}]},
        {"and": [{"or": [stats(), {"not": profile()}]}, {"segment": {"id": "buyers"}}]},
    ),
    "a consent, granted where nothing else is said": (
        {"consent": {"channel": "email", "topic": "news"}},
        {"consent": {"channel": "email", "topic": "news", "state": "granted"}},
    ),
    "an anniversary, the next where nothing else is said": (
        {"anniversary": {"path": "birthday", "within_days": 7}},
        {"anniversary": {"path": "birthday", "within_days": 7, "direction": "next"}},
    ),
    "a sample": ({"sample": {"percent": Decimal("12.5"), "salt": "spring"}}, {"sample": {"percent": 12.5, "salt": "spring"}}),
    "a count of events ever": (event(), event(measure="count", window={"ever": True})),
    "a count of events lately": (
        event(window={"last": {"hours": 48}}),
        event(measure="count", window={"last": {"hours": 48}}),
    ),
    "a measure of a property of some events": (
        event(
            measure="sum", of="price", value=Decimal("7.50"), where=[{"path": "products.category", "op": "has", "value": "jazz"}]
        ),
        event(
            measure="sum",
            of="price",
            value=7.5,
            window={"ever": True},
            where=[{"path": "products.category", "op": "has", "value": "jazz"}],
        ),
    ),
    "orders of some days": (
        order(window={"between": ["2026-11-01", "2026-11-30"]}, where=[{"field": "coupon", "op": "exists"}]),
        order(measure="count", window={"between": ["2026-11-01", "2026-11-30"]}, where=[{"field": "coupon", "op": "exists"}]),
    ),
    "money, in the currency's decimals": (
        order(measure="avg", of="net_revenue", currency="EUR", op="between", value=[7, "12.5"], window={"before": "2026-11-01"}),
        order(
            measure="avg",
            of="net_revenue",
            currency="EUR",
            op="between",
            value=["7.00", "12.50"],
            window={"before": "2026-11-01"},
        ),
    ),
    "money without decimals": (
        stats(field="net_revenue", currency="JPY", value=500),
        stats(field="net_revenue", currency="JPY", value="500"),
    ),
    "a group": (
        stats(field="rfm.group", currency="EUR", op="in", value=["champions", "loyal"]),
        stats(field="rfm.group", currency="EUR", op="in", value=["champions", "loyal"]),
    ),
    "a probability": (
        predicted(field="p_alive", op="between", value=[0, Decimal("0.35")]),
        predicted(field="p_alive", op="between", value=[0, 0.35]),
    ),
    "a lifetime value": (
        predicted(field="clv", currency="JPY", value=500),
        predicted(field="clv", currency="JPY", value="500"),
    ),
    "orders that are expected": (predicted(field="orders_90", value=Decimal("0.5")), predicted(field="orders_90", value=0.5)),
    "a day on which an order is expected": (
        predicted(field="next_order_on", op="within_next", value=14),
        predicted(field="next_order_on", op="within_next", value=14),
    ),
    "that nothing is predicted": (NOTHING_PREDICTED, NOTHING_PREDICTED),
    "a boolean": (profile(path="vip", op="is_not", value=False), profile(path="vip", op="is_not", value=False)),
    "zero": (profile(path="level", op="=", value=0), profile(path="level", op="=", value=0)),
    "a day": (
        profile(path="created_at", op="after", value="2026-01-01"),
        profile(path="created_at", op="after", value="2026-01-01"),
    ),
    "days": (profile(path="joined_on", op="within_last", value=0), profile(path="joined_on", op="within_last", value=0)),
    "a list": (profile(op="has_all", value=["a", 1, True]), profile(op="has_all", value=["a", 1, True])),
    "presence": ({"profile": {"path": "email", "op": "exists"}}, {"profile": {"path": "email", "op": "exists"}}),
    "a script that is not ours": (profile(path="نام", value="سارا 🎷"), profile(path="نام", value="سارا 🎷")),
}


@pytest.mark.parametrize("case", TAKEN)
def test_a_rule_is_shown_back_as_it_was_put_with_what_was_left_out_said(case: str) -> None:
    said, expected = TAKEN[case]
    segment = PutSegmentBody.model_validate({"name": "Some", "description": "…", "rule": said}).to_segment("some", NOON)
    answer = SegmentBody.of(segment).model_dump(mode="json")
    assert {
        "segment": "some",
        "name": "Some",
        "description": "…",
        "rule": expected,
        "archived": False,
        "ready_made": True,
        "updated_at": "2026-11-20T12:00:00Z",
        "version": 0,
    } == json.loads(json.dumps(answer))
    again = read_json(json.dumps(answer["rule"], ensure_ascii=False).encode())
    assert segment.rule == RuleBody.model_validate(again).to_rule()


REFUSED: dict[str, tuple[Any, str, str]] = {
    "no object": ([], "/rule", "wrong_type"),
    "an empty object": ({}, "/rule", "one_of"),
    "two things at once": ({**stats(), **profile()}, "/rule", "one_of"),
    "null": ({"and": None}, "/rule", "one_of"),
    "a thing with null beside it": ({**stats(), "not": None}, "/rule", "one_of"),
    "an unknown condition": ({"weather": {}}, "/rule/weather", "unknown_field"),
    "an and of nothing": ({"and": []}, "/rule/and", "too_few"),
    "an or of nothing": ({"or": []}, "/rule/or", "too_few"),
    "a not of many": ({"not": [stats()]}, "/rule/not", "wrong_type"),
    "too many parts": ({"or": [stats()] * 1001}, "/rule/or", "too_many"),
    "too many conditions": ({"or": [{"and": [stats()] * 501}] * 2}, "/rule", "too_many_conditions"),
    "deep inside": ({"and": [stats(), {"not": {"or": [stats(op="is")]}}]}, "/rule/and/1/not/or/0/stats/op", "wrong_operator"),
    "no path": ({"profile": {"op": "exists"}}, "/rule/profile/path", "missing"),
    "a blank path": (profile(path=" "), "/rule/profile/path", "blank"),
    "no operator": ({"profile": {"path": "plan"}}, "/rule/profile/op", "missing"),
    "an operator that is a pattern": (profile(op="matches"), "/rule/profile/op", "unknown_value"),
    "no value": ({"profile": {"path": "plan", "op": "is"}}, "/rule/profile/value", "missing"),
    "a value of nothing": (profile(value=None), "/rule/profile/value", "missing"),
    "a value that is not needed": (profile(op="exists"), "/rule/profile/value", "not_expected"),
    "an unknown field": (profile(case="lower"), "/rule/profile/case", "unknown_field"),
    "a text where a number is needed": (profile(op=">", value="7"), "/rule/profile/value", "wrong_type"),
    "a boolean where a number is needed": (profile(op="=", value=True), "/rule/profile/value", "wrong_type"),
    "a number where a text is needed": (profile(value=7), "/rule/profile/value", "wrong_type"),
    "a text where a list is needed": (profile(op="in", value="gold"), "/rule/profile/value", "wrong_type"),
    "an empty list": (profile(op="in", value=[]), "/rule/profile/value", "too_few"),
    "a long list": (profile(op="in", value=["a"] * (MOST_CHOICES + 1)), "/rule/profile/value", "too_many"),
    "a list of numbers where texts are needed": (profile(op="in", value=[1]), "/rule/profile/value", "wrong_type"),
    "a list in a list": (profile(op="has_any", value=[["a"]]), "/rule/profile/value", "wrong_type"),
    "an object": (profile(op="has", value={}), "/rule/profile/value", "wrong_type"),
    "a long text": (profile(value="x" * 2_049), "/rule/profile/value", "too_long"),
    "one of two": (profile(op="between", value=[1]), "/rule/profile/value", "wrong_type"),
    "two the wrong way round": (profile(op="between", value=[2, 1]), "/rule/profile/value", "wrong_order"),
    "a number beyond all": (profile(op=">", value=10**38), "/rule/profile/value", "number_out_of_range"),
    "a day that does not exist": (profile(op="on", value="2026-02-29"), "/rule/profile/value", "date_syntax"),
    "an instant for a day": (profile(op="on", value="2026-02-28T00:00:00Z"), "/rule/profile/value", "date_syntax"),
    "days before today": (profile(op="within_last", value=-1), "/rule/profile/value", "too_small"),
    "days without end": (profile(op="within_next", value=10**6), "/rule/profile/value", "too_large"),
    "half a day": (profile(op="within_last", value=Decimal("0.5")), "/rule/profile/value", "wrong_type"),
    "an address to compare with": (profile(path="email"), "/rule/profile/op", "wrong_operator"),
    "a birthday as a text": (profile(path="birthday"), "/rule/profile/op", "wrong_operator"),
    "a language as a number": (profile(path="language", op=">", value=1), "/rule/profile/op", "wrong_operator"),
    "an address as a text": (profile(path="address"), "/rule/profile/op", "wrong_operator"),
    "an unknown statistic": (stats(field="mood"), "/rule/stats/field", "unknown_value"),
    "a count as a text": (stats(op="is", value="1"), "/rule/stats/op", "wrong_operator"),
    "half an order": (stats(value=Decimal("1.5")), "/rule/stats/value", "wrong_type"),
    "an order and nothing of another": (stats(value=Decimal("1.0")), "/rule/stats/value", "wrong_type"),
    "orders in a currency": (stats(currency="EUR"), "/rule/stats/currency", "not_expected"),
    "money in no currency": (stats(field="net_revenue"), "/rule/stats/currency", "missing"),
    "money in an unknown currency": (stats(field="net_revenue", currency="ZZZ"), "/rule/stats/currency", "unknown_currency"),
    "half a cent": (stats(field="net_revenue", currency="EUR", value="0.005"), "/rule/stats/value", "too_many_decimals"),
    "money below nothing": (stats(field="net_revenue", currency="EUR", value=-1), "/rule/stats/value", "negative_amount"),
    "money between one": (stats(field="net_revenue", currency="EUR", op="between", value=1), "/rule/stats/value", "wrong_type"),
    "a group as a number": (stats(field="rfm.group", currency="EUR"), "/rule/stats/op", "wrong_operator"),
    "an unknown stage": (stats(field="lifecycle", op="is", value="asleep"), "/rule/stats/value", "unknown_value"),
    "a group as a boolean": (stats(field="lifecycle", op="is", value=True), "/rule/stats/value", "wrong_type"),
    "an unknown prediction": (predicted(field="mood"), "/rule/predicted/field", "unknown_value"),
    "a prediction in no currency": (
        {"predicted": {"field": "p_alive", "op": "<", "value": 1}},
        "/rule/predicted/currency",
        "missing",
    ),
    "a prediction in an unknown currency": (predicted(currency="ZZZ"), "/rule/predicted/currency", "unknown_currency"),
    "a probability in percent": (predicted(value=30), "/rule/predicted/value", "too_large"),
    "less than impossible": (predicted(value=-1), "/rule/predicted/value", "too_small"),
    "a probability as a text": (predicted(op="is", value="1"), "/rule/predicted/op", "wrong_operator"),
    "a value of half a cent": (predicted(field="clv", value="0.005"), "/rule/predicted/value", "too_many_decimals"),
    "a next order as a number": (predicted(field="next_order_on"), "/rule/predicted/op", "wrong_operator"),
    "a next order on no day": (predicted(field="next_order_on", op="on", value="soon"), "/rule/predicted/value", "date_syntax"),
    "an event of no name": ({"event": {"op": ">", "value": 1}}, "/rule/event/name", "missing"),
    "an unknown measure": (event(measure="median"), "/rule/event/measure", "unknown_value"),
    "a sum of nothing": (event(measure="sum"), "/rule/event/of", "missing"),
    "a count of something": (event(of="price"), "/rule/event/of", "not_expected"),
    "events as a text": (event(op="is", value="1"), "/rule/event/op", "wrong_operator"),
    "half an event": (event(value=Decimal("0.5")), "/rule/event/value", "wrong_type"),
    "no window": (event(window={}), "/rule/event/window", "one_of"),
    "two windows": (event(window={"ever": True, "before": "2026-01-01"}), "/rule/event/window", "one_of"),
    "never": (event(window={"ever": False}), "/rule/event/window/ever", "unknown_value"),
    "no last days": (event(window={"last": {"days": 0}}), "/rule/event/window/last/days", "too_small"),
    "too many last hours": (event(window={"last": {"hours": 10**6}}), "/rule/event/window/last/hours", "too_large"),
    "last days and hours": (event(window={"last": {"days": 1, "hours": 1}}), "/rule/event/window/last", "one_of"),
    "days the wrong way round": (
        event(window={"between": ["2026-01-02", "2026-01-01"]}),
        "/rule/event/window/between",
        "wrong_order",
    ),
    "between three days": (event(window={"between": ["2026-01-01"] * 3}), "/rule/event/window/between", "too_many"),
    "a bad day of two": (event(window={"between": ["2026-01-01", "x"]}), "/rule/event/window/between/1", "date_syntax"),
    "too many filters": (event(where=[{"path": "a", "op": "exists"}] * 21), "/rule/event/where", "too_many"),
    "a filter of another type": (
        event(where=[{"path": "a", "op": "exists"}, {"path": "a", "op": "<", "value": "b"}]),
        "/rule/event/where/1/value",
        "wrong_type",
    ),
    "orders' revenue in no currency": (order(measure="sum", of="net_revenue"), "/rule/order/currency", "missing"),
    "a measure of orders that is none": (order(measure="sum", of="weight"), "/rule/order/of", "unknown_value"),
    "an unknown field of an order": (a_filter(field="brand"), "/rule/order/where/0/field", "unknown_value"),
    "an unknown status": (a_filter(field="status", value="late"), "/rule/order/where/0/value", "unknown_value"),
    "unknown statuses": (
        a_filter(field="status", op="in", value=["paid", "late"]),
        "/rule/order/where/0/value",
        "unknown_value",
    ),
    "a part of a status": (a_filter(field="status", op="contains", value="p"), "/rule/order/where/0/op", "wrong_operator"),
    "a SKU as a boolean": (a_filter(value=True), "/rule/order/where/0/value", "wrong_type"),
    "a SKU as a number": (a_filter(op="=", value=5), "/rule/order/where/0/op", "wrong_operator"),
    "a segment's name with a slash": ({"segment": {"id": "a/b"}}, "/rule/segment/id", "bad_syntax"),
    "an unknown channel": ({"consent": {"channel": "fax", "topic": "news"}}, "/rule/consent/channel", "unknown_value"),
    "no topic": ({"consent": {"channel": "email"}}, "/rule/consent/topic", "missing"),
    "an anniversary of an address": (
        {"anniversary": {"path": "email", "within_days": 1}},
        "/rule/anniversary/path",
        "wrong_type",
    ),
    "an anniversary of a language": (
        {"anniversary": {"path": "language", "within_days": 1}},
        "/rule/anniversary/path",
        "wrong_type",
    ),
    "within two years": ({"anniversary": {"path": "birthday", "within_days": 700}}, "/rule/anniversary/within_days", "too_large"),
    "a sample of nobody": ({"sample": {"percent": 0, "salt": "x"}}, "/rule/sample/percent", "too_small"),
    "a sample of more than all": ({"sample": {"percent": 101, "salt": "x"}}, "/rule/sample/percent", "too_large"),
    "a sample too fine": ({"sample": {"percent": Decimal("1.00001"), "salt": "x"}}, "/rule/sample/percent", "too_many_decimals"),
    "a sample without salt": ({"sample": {"percent": 1, "salt": ""}}, "/rule/sample/salt", "too_short"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_refused_where_it_stands(case: str) -> None:
    rule, pointer, code = REFUSED[case]
    assert [(pointer, code)] == refusals(rule)


def test_a_rule_that_is_too_deep_is_refused_at_its_depth() -> None:
    rule: Json = stats()
    for _ in range(9):
        rule = {"not": rule}
    assert [] == refusals(rule)
    assert [("/rule" + "/not" * 10 + "/stats", "rule_too_deep")] == refusals({"not": rule})


def test_the_deepest_rule_is_no_deeper_than_a_body_may_be() -> None:
    rule: Json = event(where=[{"path": "a", "op": "has_any", "value": ["x"]}])
    for _ in range(9):
        rule = {"and": [rule]}
    said = read_json(json.dumps({"name": "x", "rule": rule}).encode())
    assert [] == refusals(said["rule"])


def test_everything_that_is_wrong_is_told_at_once() -> None:
    rule = {"or": [stats(op="is"), profile(), event(name=""), {"not": {}}]}
    expected = [("/rule/or/0/stats/op", "wrong_operator"), ("/rule/or/2/event/name", "too_short"), ("/rule/or/3/not", "one_of")]
    assert expected == refusals(rule)


@pytest.mark.parametrize("name", ["", "A", "a b", "a" * 41, "-a"])
def test_a_segment_has_a_name_that_fits_into_a_path(name: str) -> None:
    with pytest.raises(Invalid) as refused:
        PutSegmentBody.model_validate({"name": "x", "rule": stats()}).to_segment(name, NOON)
    assert "bad_segment" == refused.value.code


def test_the_contract_names_what_the_domain_knows() -> None:
    assert [*Op] == [*get_args(OpName)]
    assert [*Field] == [*get_args(FieldName)]
    assert [*Predicted] == [*get_args(PredictedName)]
    assert [*Measure] == [*get_args(MeasureName)]


@given(seed=st.integers(0, 10**9))
def test_any_rule_is_read_and_written_back_the_same(seed: int) -> None:
    said = rules.a_rule(Random(seed))
    rule = RuleBody.model_validate(said).to_rule()
    assert rule == RuleBody.model_validate(written(rule)).to_rule()
    assert written(rule) == written(RuleBody.model_validate(written(rule)).to_rule())


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.sampled_from(["2026-11-20", "EUR", "count", "net_revenue", *Op]),
)
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)


@settings(max_examples=400)
@given(seed=st.integers(0, 10**9), anything=ANYTHING, where=st.integers(0, 10**6))
def test_whatever_stands_in_a_rule_is_taken_or_refused(seed: int, anything: Any, where: int) -> None:
    """And never breaks what reads it."""
    rule = rules.a_rule(Random(seed))
    places: list[tuple[Any, Any]] = []
    waiting: list[Any] = [rule]
    while waiting:
        found = waiting.pop()
        inner = list(found.items()) if isinstance(found, dict) else list(enumerate(found))
        places += [(found, key) for key, _ in inner]
        waiting += [value for _, value in inner if isinstance(value, dict | list)]
    holder, key = places[where % len(places)]
    holder[key] = anything
    assert all(pointer.startswith("/rule") for pointer, _ in refusals(rule))


def test_a_time_that_is_not_known_is_not_shown() -> None:
    segment = PutSegmentBody.model_validate({"name": "x", "rule": stats()}).to_segment("x")
    assert SegmentBody.of(segment).updated_at is None
