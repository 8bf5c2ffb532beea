"""G1: whoever a rule means, by a predicate that is written the dullest way, is whom its judge finds: from all facts, and from
the statistics row as far as that knows."""

from functools import cache
from random import Random

import pytest

from ecrm.contracts.segments import RuleBody, written
from ecrm.domain.judging import judge_of
from tests.properties.members import MOMENT, Member, a_member
from tests.properties.predicate import belongs
from tests.properties.rules import OTHERS, a_rule

CUSTOMERS, RULES, PARTS = 1_000, 500, 20
SEGMENTS = {segment: RuleBody.model_validate(rule).to_rule() for segment, rule in OTHERS.items()}


@cache
def members() -> tuple[Member, ...]:
    draw = Random(7)
    return tuple(a_member(draw, number) for number in range(CUSTOMERS))


@pytest.mark.parametrize("part", range(PARTS))
def test_a_segment_holds_exactly_those_whom_its_rule_means(part: int) -> None:
    """Also: the same rule as it is stored, and an explanation, say the same; and the row never says otherwise."""
    draw = Random(part)
    decided = meant = 0
    for _ in range(RULES // PARTS):
        said = a_rule(draw)
        rule = RuleBody.model_validate(said).to_rule()
        assert rule == RuleBody.model_validate(written(rule)).to_rule()
        judge = judge_of(rule, MOMENT, SEGMENTS)
        for number, member in enumerate(members()):
            expected = belongs(said, member.told)
            assert expected is judge.decide(member.all_facts), said
            by_row = judge.decide(member.row)
            assert by_row is None or by_row is expected, said
            decided, meant = decided + (by_row is not None), meant + expected
            if number % 20 == 0:
                assert expected is judge.explain(member.all_facts).truth
                assert by_row is judge.explain(member.row).truth
    asked = CUSTOMERS * RULES / PARTS
    assert 0.2 * asked < meant < 0.8 * asked, "rules tell customers apart"
    assert decided > 0.5 * asked, "the row alone decides most"
