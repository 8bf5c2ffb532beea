"""Judging by a rule: what is so, what is not, what is not known, and why; and which rules there may be."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, timedelta
from decimal import Decimal
from itertools import product
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecrm.contracts.segments import RuleBody
from ecrm.domain.behaviour import NEVER_SEEN, Act, recount
from ecrm.domain.comparisons import Comparison, Op, Truth
from ecrm.domain.consent import Channel, State, Subject
from ecrm.domain.customers import Kind
from ecrm.domain.errors import Flaw, Invalid
from ecrm.domain.events import Event
from ecrm.domain.facts import (
    NO_SCORES,
    UNKNOWN,
    Facts,
    Occurrence,
    PlacedLine,
    PlacedOrder,
    RowFacts,
    Scores,
    occurrences,
)
from ecrm.domain.judging import Reason, Verdict, judge, judge_of, judges, measure, position
from ecrm.domain.orders import Line
from ecrm.domain.predictions import Prediction
from ecrm.domain.segments import (
    DEEPEST,
    MOST_CONDITIONS,
    And,
    ConsentCondition,
    Measure,
    Not,
    Or,
    ProfileCondition,
    Rule,
    SampleCondition,
    SegmentCondition,
    conditions,
    refuse_too_large,
    refuse_unsound,
    segments_named,
    traits_named,
)
from ecrm.domain.statistics import NOTHING, count
from ecrm.domain.traits import Trait, TraitKind
from ecrm.domain.windows import Moment
from tests.builders import NOON
from tests.properties import members, rules
from tests.unit.facts import AllFacts, an_agreement, cancelled, refunded

MOMENT = Moment(NOON, UTC)
A_NEW_CUSTOMER = AllFacts(
    customer_id="0" * 32,
    statistics=NOTHING,
    scores=NO_SCORES,
    attributes={},
    identifiers=frozenset(),
    consents={},
    behaviour={},
    orders=(),
)
A_NEW_ROW = RowFacts("0" * 32, NOTHING)


def a_rule(said: Mapping[str, Any]) -> Rule:
    return RuleBody.model_validate(said).to_rule()


IN_A_WEEK = {"window": {"last": {"days": 7}}}
HAS_NOT: dict[str, Any] = {
    "has not bought in seven days": {"not": {"order": {"op": ">=", "value": 1} | IN_A_WEEK}},
    "has bought nothing in seven days": {"order": {"op": "=", "value": 0} | IN_A_WEEK},
    "has bought less than twice": {"order": {"op": "<", "value": 2}},
    "has not bought jazz": {
        "not": {"order": {"op": ">", "value": 0, "where": [{"field": "category", "op": "is", "value": "jazz"}]}}
    },
    "has spent less than 50": {"order": {"measure": "sum", "of": "net_revenue", "currency": "EUR", "op": "<", "value": 50}},
    "has brought less than 50": {"stats": {"field": "net_revenue", "currency": "EUR", "op": "<", "value": "50"}},
    "has no order": {"stats": {"field": "orders", "op": "=", "value": 0}},
    "has no mean order value": {"stats": {"field": "mean_order_value", "currency": "EUR", "op": "missing"}},
    "has not bought lately": {"not": {"stats": {"field": "recency_days", "op": "<=", "value": 90}}},
    "has never bought": {"stats": {"field": "recency_days", "op": "missing"}},
    "has not looked at a product in seven days": {
        "not": {"event": {"name": "Product Viewed", "op": ">=", "value": 1} | IN_A_WEEK}
    },
    "has looked at no product": {"event": {"name": "Product Viewed", "op": "=", "value": 0} | IN_A_WEEK},
    "has no dearest product": {"event": {"name": "Product Viewed", "measure": "max", "of": "price", "op": "missing"}},
    "is no champion": {"not": {"stats": {"field": "rfm.group", "currency": "EUR", "op": "is", "value": "champions"}}},
    "was never seen": {"stats": {"field": "last_seen_days", "op": "missing"}},
    "is predicted nothing": {"predicted": {"field": "p_alive", "currency": "EUR", "op": "missing"}},
    "is not likely to be a customer": {"not": {"predicted": {"field": "p_alive", "currency": "EUR", "op": ">=", "value": 0}}},
    "is in no life cycle that a night has worked out": {"stats": {"field": "lifecycle", "op": "missing"}},
}
HAS_NOT_BY_FACTS: dict[str, Any] = {
    "has no plan": {"profile": {"path": "plan", "op": "missing"}},
    "is not on gold": {"not": {"profile": {"path": "plan", "op": "is", "value": "gold"}}},
    "has not consented": {"not": {"consent": {"channel": "email", "topic": "news"}}},
    "has no address": {"profile": {"path": "email", "op": "missing"}},
    "has no birthday soon": {"not": {"anniversary": {"path": "birthday", "within_days": 366}}},
}
"""What a row that copied nothing does not know."""


@pytest.mark.parametrize("case", HAS_NOT | HAS_NOT_BY_FACTS)
def test_has_not_includes_new_customers(case: str) -> None:
    rule = a_rule((HAS_NOT | HAS_NOT_BY_FACTS)[case])
    expected: tuple[Truth, Truth] = (True, True if case in HAS_NOT else None)
    assert expected == (judge(rule, A_NEW_CUSTOMER, MOMENT).truth, judge(rule, A_NEW_ROW, MOMENT).truth)


HAS: dict[str, Any] = {
    "a value that is not gold": {"profile": {"path": "plan", "op": "is_not", "value": "gold"}},
    "a number that is not 1": {"profile": {"path": "level", "op": "!=", "value": 1}},
    "bought more than nine days ago": {"stats": {"field": "recency_days", "op": ">", "value": 9}},
    "a mean of less than 50": {"stats": {"field": "mean_order_value", "currency": "EUR", "op": "<", "value": "50"}},
    "a least price below 50": {"event": {"name": "x", "measure": "min", "of": "price", "op": "<", "value": 50}},
    "unlikely to be a customer still": {"predicted": {"field": "p_alive", "currency": "EUR", "op": "<=", "value": 1}},
    "an order that is not to come soon": {
        "predicted": {"field": "next_order_on", "currency": "EUR", "op": "after", "value": "2026-01-01"}
    },
    "denied": {"consent": {"channel": "email", "topic": "news", "state": "denied"}},
    "an anniversary": {"anniversary": {"path": "first_order_at", "within_days": 366}},
}


@pytest.mark.parametrize("case", HAS)
def test_what_is_asked_of_a_value_is_not_so_where_there_is_none(case: str) -> None:
    assert judge(a_rule(HAS[case]), A_NEW_CUSTOMER, MOMENT).truth is False


TRUE, FALSE = (ProfileCondition("known", Comparison(op)) for op in (Op.EXISTS, Op.MISSING))
OPEN = ProfileCondition("not copied", Comparison(Op.EXISTS))
KLEENE: dict[Truth, Rule] = {True: TRUE, False: FALSE, None: OPEN}
ROW = replace(A_NEW_ROW, traits={Trait(TraitKind.PROFILE, "known"): "x"})


@pytest.mark.parametrize(("one", "other"), [*product(KLEENE, repeat=2)])
def test_and_or_and_not_are_those_of_three_valued_logic(one: Truth, other: Truth) -> None:
    """Kleene's: the least, the most and the opposite of true > not known > false."""
    rank: dict[Truth, int] = {False: 0, None: 1, True: 2}
    both, either = min(one, other, key=rank.__getitem__), max(one, other, key=rank.__getitem__)
    opposite = None if one is None else not one
    parts = (KLEENE[one], KLEENE[other])
    found = [judge_of(rule, MOMENT, {}) for rule in (And(parts), Or(parts), Not(parts[0]))]
    assert [both, either, opposite] == [one.decide(ROW) for one in found] == [one.explain(ROW).truth for one in found]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**9))
def test_de_morgan_holds_for_what_is_known_and_for_what_is_not(seed: int) -> None:
    draw = Random(seed)
    parts = tuple(a_rule(rules.a_rule(draw)) for _ in range(draw.randint(1, 3)))
    opposites = tuple(map(Not, parts))
    others = {segment: a_rule(said) for segment, said in rules.OTHERS.items()}
    for number in range(20):
        member = members.a_member(draw, number)
        for facts in (member.all_facts, member.row):
            said = [judge(rule, facts, members.MOMENT, others).truth for rule in (And(parts), Not(Or(opposites)))]
            assert said[0] is said[1]
            said = [judge(rule, facts, members.MOMENT, others).truth for rule in (Or(parts), Not(And(opposites)))]
            assert said[0] is said[1]


def test_the_facts_leave_nothing_unknown() -> None:
    for said in (HAS_NOT | HAS_NOT_BY_FACTS | HAS).values():
        assert judge(a_rule(said), A_NEW_CUSTOMER, MOMENT).truth is not None


BUYER = AllFacts(
    customer_id="7" * 32,
    statistics=replace(
        count((an_agreement(placed_at=NOON - timedelta(days=40)),), lambda _: UTC),
        behaviour=recount(NEVER_SEEN, (Act("1", "Product Viewed", NOON - timedelta(hours=1)),)),
    ),
    scores=Scores(
        predictions={
            "EUR": Prediction(
                p_alive=0.61234567,
                orders_30=0.1,
                orders_90=0.25,
                orders_365=1 / 3,
                value_minor=4_250,
                next_order_on=date(2026, 12, 24),
                is_weak=True,
            )
        }
    ),
    attributes={"plan": "gold"},
    identifiers=frozenset({Kind.EMAIL}),
    consents={Subject(Channel.EMAIL, "news"): State.DENIED},
    behaviour={"Product Viewed": [Occurrence(NOON - timedelta(hours=1), {"price": Decimal("7.50")})]},
    orders=(PlacedOrder.of(an_agreement(placed_at=NOON - timedelta(days=40)), ()),),
)
EXPLAINED: dict[str, tuple[dict[str, Any], Facts, Truth, list[tuple[str, Any, Truth]]]] = {
    "all conditions of an and that holds": (
        {
            "and": [
                {"stats": {"field": "orders", "op": "=", "value": 1}},
                {"profile": {"path": "plan", "op": "is", "value": "gold"}},
            ]
        },
        BUYER,
        True,
        [("/and/0/stats", 1, True), ("/and/1/profile", "gold", True)],
    ),
    "those of an and that fail": (
        {"and": [{"stats": {"field": "orders", "op": "=", "value": 1}}, {"consent": {"channel": "email", "topic": "news"}}]},
        BUYER,
        False,
        [("/and/1/consent", "denied", False)],
    ),
    "those of an or that hold": (
        {"or": [{"stats": {"field": "orders", "op": ">", "value": 1}}, {"profile": {"path": "email", "op": "exists"}}]},
        BUYER,
        True,
        [("/or/1/profile", True, True)],
    ),
    "all of an or that fails": (
        {"or": [{"stats": {"field": "orders", "op": ">", "value": 1}}, {"profile": {"path": "phone", "op": "exists"}}]},
        BUYER,
        False,
        [("/or/0/stats", 1, False), ("/or/1/profile", None, False)],
    ),
    "those of a part that is turned round": (
        {"not": {"order": {"op": ">=", "value": 1, "window": {"last": {"days": 30}}}}},
        BUYER,
        True,
        [("/not/order", 0, False)],
    ),
    "a measure": (
        {"event": {"name": "Product Viewed", "measure": "sum", "of": "price", "op": ">=", "value": 7}},
        BUYER,
        True,
        [("/event", Decimal("7.50"), True)],
    ),
    "what is predicted, as it is shown": (
        {
            "and": [
                {"predicted": {"field": "p_alive", "currency": "EUR", "op": "=", "value": Decimal("0.6123")}},
                {"predicted": {"field": "orders_30", "currency": "EUR", "op": ">", "value": 0}},
                {"predicted": {"field": "orders_90", "currency": "EUR", "op": "<=", "value": Decimal("0.25")}},
                {"predicted": {"field": "orders_365", "currency": "EUR", "op": "between", "value": [0, 1]}},
                {"predicted": {"field": "clv", "currency": "EUR", "op": ">=", "value": "42.50"}},
                {"predicted": {"field": "next_order_on", "currency": "EUR", "op": "on", "value": "2026-12-24"}},
            ]
        },
        BUYER,
        True,
        [
            ("/and/0/predicted", Decimal("0.6123"), True),
            ("/and/1/predicted", Decimal("0.1000"), True),
            ("/and/2/predicted", Decimal("0.2500"), True),
            ("/and/3/predicted", Decimal("0.3333"), True),
            ("/and/4/predicted", 4_250, True),
            ("/and/5/predicted", "2026-12-24", True),
        ],
    ),
    "what is predicted in another currency": (
        {"predicted": {"field": "clv", "currency": "USD", "op": ">=", "value": "0.00"}},
        BUYER,
        False,
        [("/predicted", None, False)],
    ),
    "days": (
        {"stats": {"field": "recency_days", "op": ">", "value": 30}},
        BUYER,
        True,
        [("/stats", 40, True)],
    ),
    "a segment": (
        {"or": [{"segment": {"id": "buyers"}}, {"segment": {"id": "nothing"}}]},
        BUYER,
        True,
        [("/or/0/segment", True, True)],
    ),
    "an anniversary": (
        {"anniversary": {"path": "first_order_at", "within_days": 7}},
        BUYER,
        False,
        [("/anniversary", "2026-10-11", False)],
    ),
    "those that a row does not know": (
        {"and": [{"stats": {"field": "orders", "op": "=", "value": 0}}, {"profile": {"path": "plan", "op": "exists"}}]},
        A_NEW_ROW,
        None,
        [("/and/1/profile", None, None)],
    ),
    "a count that a row knows": (
        {"event": {"name": "Product Viewed", "op": ">=", "value": 1}},
        RowFacts("7" * 32, BUYER.statistics),
        True,
        [("/event", 1, True)],
    ),
}


@pytest.mark.parametrize("case", EXPLAINED)
def test_a_verdict_names_the_conditions_that_decided_and_what_they_saw(case: str) -> None:
    said, facts, truth, expected = EXPLAINED[case]
    rule = a_rule(said)
    placed = {one.pointer: one.condition for one in conditions(rule)}
    why = tuple(Reason(pointer, placed[pointer], seen, found) for pointer, seen, found in expected)
    others = {"buyers": a_rule({"stats": {"field": "orders", "op": ">", "value": 0}})}
    assert Verdict(truth, why) == judge(rule, facts, MOMENT, others)


def test_segments_are_judged_together_each_with_the_others_at_the_same_moment() -> None:
    named = {"buyers": a_rule({"stats": {"field": "orders", "op": ">", "value": 0}}), "others": Not(SegmentCondition("buyers"))}
    assert {"buyers": True, "others": False} == {name: one.decide(BUYER) for name, one in judges(named, MOMENT).items()}
    assert {"buyers": False, "others": True} == {name: one.decide(A_NEW_ROW) for name, one in judges(named, MOMENT).items()}


def test_a_segment_that_is_not_there_or_is_made_of_itself_has_no_members() -> None:
    circle: dict[str, Rule] = {"a": SegmentCondition("b"), "b": Or((SegmentCondition("a"), SegmentCondition("gone")))}
    assert {"a": False, "b": False} == {name: one.decide(BUYER) for name, one in judges(circle, MOMENT).items()}


def test_a_sample_is_the_same_for_ever() -> None:
    """The digits are coreutils': `printf 'spring:%s' 777…7 | sha256sum`."""
    golden = {"0" * 32: 0x7CC667D6380F5A86, "7" * 32: 0xF6DDCA60F6E3F825}
    expected = {customer_id: digits * 1_000_000 // 2**64 for customer_id, digits in golden.items()}
    assert expected == {customer_id: position("spring", customer_id) for customer_id in golden}


@pytest.mark.parametrize("percent", [1, 10, 50, Decimal("33.3"), 99])
def test_a_sample_is_near_its_percentage(percent: Decimal) -> None:
    sample = judge_of(SampleCondition(Decimal(percent), "spring"), MOMENT, {})
    people = [replace(A_NEW_ROW, customer_id=f"{number:032x}") for number in range(20_000)]
    share = Decimal(sum(sample.decide(person) is True for person in people)) / 200
    assert abs(share - percent) < Decimal("1.1"), "three standard deviations of half"


def test_a_larger_sample_holds_the_smaller_one_and_another_salt_draws_anew() -> None:
    people = [replace(A_NEW_ROW, customer_id=f"{number:032x}") for number in range(2_000)]

    def drawn(percent: int, salt: str) -> set[str]:
        sample = judge_of(SampleCondition(Decimal(percent), salt), MOMENT, {})
        return {person.customer_id for person in people if sample.decide(person)}

    assert drawn(10, "a") < drawn(20, "a") < drawn(100, "a") == {person.customer_id for person in people}
    assert 0.3 < len(drawn(50, "a") & drawn(50, "b")) / len(drawn(50, "a")) < 0.7


def test_measures_are_exact_and_pass_over_what_is_no_number() -> None:
    values = (1, Decimal("0.1"), Decimal("1E+30"), 10**37, "7", True, None, [1])
    whole = Decimal("10000001000000000000000000000000000001.1")
    mean = Decimal("2500000250000000000000000000000000000.275")
    expected = {Measure.SUM: whole, Measure.AVERAGE: mean, Measure.LEAST: Decimal("0.1"), Measure.MOST: 10**37}
    assert expected == {what: measure(what, values) for what in expected}
    assert [0, None, None, None] == [measure(what, ("x",)) for what in expected]


def test_an_order_is_as_its_facts_say_with_the_lines_that_were_agreed_last() -> None:
    order = an_agreement(cancelled(1, {"1": 1}), refunded(2, 300), coupon="AUTUMN")
    expected = PlacedOrder(
        placed_at=NOON,
        site="de",
        currency="EUR",
        status="placed",
        coupon="AUTUMN",
        net_revenue_minor=1500,
        items=2,
        lines=(PlacedLine("CD-5", "Blue", "jazz"),),
    )
    assert expected == PlacedOrder.of(order, (Line("1", "CD-5", "Blue", 2, 800, 0, "jazz"),))


def test_behaviour_is_read_under_the_names_by_which_it_is_counted() -> None:
    def event(number: int, kind: str, off: timedelta = timedelta(), **data: Any) -> Event:
        return Event(str(number), kind, NOON + off, NOON, "de", "7" * 32, "key", data)

    told = [
        event(1, "product.viewed", name="Product Viewed", properties={"price": 5}),
        event(2, "page.viewed", name="Home"),
        event(3, "product.viewed", timedelta(hours=25), name="Product Viewed"),
        event(4, "order.placed", lines=[]),
    ]
    assert {"Product Viewed": [Occurrence(NOON, {"price": 5})], "Page Viewed": [Occurrence(NOON, {})]} == occurrences(told)


def test_a_row_that_did_not_copy_a_trait_does_not_know_it() -> None:
    assert UNKNOWN is A_NEW_ROW.trait(Trait(TraitKind.PROFILE, "plan"))


def test_a_rule_names_the_traits_that_its_row_is_to_copy() -> None:
    said = {
        "and": [
            {"not": {"profile": {"path": "address.city", "op": "is", "value": "Berlin"}}},
            {"profile": {"path": "email", "op": "exists"}},
            {"consent": {"channel": "email", "topic": "news"}},
            {"anniversary": {"path": "birthday", "within_days": 7}},
            {"anniversary": {"path": "first_order_at", "within_days": 7}},
            {"stats": {"field": "orders", "op": ">", "value": 1}},
            {"segment": {"id": "others"}},
        ]
    }
    expected = frozenset(
        {
            Trait(TraitKind.PROFILE, "address.city"),
            Trait(TraitKind.IDENTIFIER, "email"),
            Trait(TraitKind.CONSENT, "email/news"),
            Trait(TraitKind.PROFILE, "birthday"),
        }
    )
    assert (expected, frozenset({"others"})) == (traits_named(a_rule(said)), segments_named(a_rule(said)))


def deep(levels: int, inner: Rule = TRUE) -> Rule:
    return inner if levels == 1 else Not(deep(levels - 1, inner))


def refusal(rule: Rule) -> tuple[Flaw, ...]:
    with pytest.raises(Invalid) as refused:
        refuse_too_large(rule)
    return refused.value.flaws


def test_a_rule_has_at_most_ten_levels() -> None:
    refuse_too_large(deep(DEEPEST))
    assert (Flaw("/rule" + "/not" * DEEPEST + "/profile", "rule_too_deep", "a rule has at most 10 levels"),) == refusal(
        deep(DEEPEST + 1)
    )


def test_a_rule_has_at_most_a_thousand_conditions_and_filters() -> None:
    filtered = a_rule({"event": {"name": "x", "op": ">", "value": 0, "where": [{"path": "a", "op": "exists"}]}})
    many = (TRUE,) * (MOST_CONDITIONS - 2)
    refuse_too_large(And((*many, filtered)))
    flaw = Flaw("/rule", "too_many_conditions", "a rule has at most 1000 conditions")
    assert (flaw,) == refusal(And((*many, filtered, TRUE))) == refusal(And((*many, TRUE, filtered)))


def unsound(segment: str, named: Mapping[str, Rule]) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as refused:
        refuse_unsound(segment, named)
    return [(flaw.pointer, flaw.code) for flaw in refused.value.flaws]


def test_a_segment_is_not_made_of_itself() -> None:
    a, b, c = map(SegmentCondition, "abc")
    assert [("/rule/segment/id", "segment_circle")] == unsound("a", {"a": a})
    chain: dict[str, Rule] = {"a": Or((TRUE, b)), "b": Not(c), "c": And((a, TRUE))}
    assert [("/rule/and/0/segment/id", "segment_circle")] == unsound("c", chain)
    refuse_unsound("a", chain | {"c": TRUE})


def test_a_segment_names_only_those_that_are_there() -> None:
    assert [("/rule/or/1/segment/id", "unknown_segment")] == unsound("a", {"a": Or((TRUE, SegmentCondition("gone")))})


def test_the_levels_and_conditions_of_named_segments_count() -> None:
    five: dict[str, Rule] = {"five": deep(5)}
    refuse_unsound("a", five | {"a": deep(5, SegmentCondition("five"))})
    assert [("/rule", "rule_too_deep")] == unsound("a", five | {"a": deep(6, SegmentCondition("five"))})
    half: dict[str, Rule] = {"half": And((TRUE,) * 499)}
    refuse_unsound("a", half | {"a": And((SegmentCondition("half"),) * 2)})
    assert [("/rule", "too_many_conditions")] == unsound("a", half | {"a": And((SegmentCondition("half"),) * 2 + (TRUE,))})


def test_a_segment_may_not_grow_beyond_what_those_that_name_it_may_have() -> None:
    naming: dict[str, Rule] = {"outer": deep(6, SegmentCondition("middle")), "middle": SegmentCondition("a")}
    refuse_unsound("a", naming | {"a": deep(3)})
    assert [("/rule", "rule_too_deep")] == unsound("a", naming | {"a": deep(4)})


def test_what_is_unsound_already_does_not_stop_the_check() -> None:
    """Two who save at once could make a circle: the next one is told of their own rule."""
    circle: dict[str, Rule] = {"b": SegmentCondition("c"), "c": SegmentCondition("b")}
    refuse_unsound("a", circle | {"a": SegmentCondition("b")})


def test_consents_are_asked_by_their_state() -> None:
    asked = {state: judge(ConsentCondition(Channel.EMAIL, "news", state), BUYER, MOMENT).truth for state in State}
    assert {State.GRANTED: False, State.DENIED: True, State.PENDING: False} == asked


def test_a_day_is_the_company_s_where_a_customer_s_last_order_is_counted_back() -> None:
    moment = Moment(NOON, members.ZONE)
    assert date(2026, 11, 20) == moment.today
    placed = an_agreement(placed_at=NOON.replace(day=20, hour=4))
    late = replace(A_NEW_ROW, statistics=count((placed,), lambda _: UTC))
    yesterday = a_rule({"stats": {"field": "recency_days", "op": "=", "value": 1}})
    assert [True, False] == [judge(yesterday, late, each).truth for each in (moment, MOMENT)]
