"""The twelve segments that are there before anybody has made one: whom each means, and whom not."""

from dataclasses import replace
from datetime import UTC, timedelta

import pytest

from ecrm.contracts.segments import RuleBody, written
from ecrm.domain.behaviour import NEVER_SEEN, Act, recount
from ecrm.domain.facts import Facts, Rfm, RowFacts, Scores
from ecrm.domain.judging import judge
from ecrm.domain.lifecycle import Stage
from ecrm.domain.ready_made_segments import ready_made
from ecrm.domain.segments import SegmentCondition, conditions, refuse_too_large, trait_at
from ecrm.domain.statistics import NOTHING, count
from ecrm.domain.windows import Moment
from tests.builders import NOON
from tests.unit.facts import an_agreement, returned

SEGMENTS = ready_made("EUR")
DAY = timedelta(days=1)


def bought(*ago: int) -> RowFacts:
    orders = [an_agreement(order_id=str(days), placed_at=NOON - days * DAY) for days in ago]
    return RowFacts("7" * 32, count(orders, lambda _: UTC))


def did(name: str, *ago: int, to: RowFacts | None = None) -> RowFacts:
    facts = to or RowFacts("7" * 32, NOTHING)
    acts = (Act(str(days), name, NOON - days * DAY) for days in ago)
    return replace(facts, statistics=replace(facts.statistics, behaviour=recount(NEVER_SEEN, acts)))


def sent_back(times: int) -> RowFacts:
    orders = [an_agreement(returned(1, {"1": 1}), order_id=str(number)) for number in range(times)]
    return RowFacts("7" * 32, count(orders, lambda _: UTC))


def scored(group: str, monetary: int) -> RowFacts:
    return replace(bought(1), scores=Scores({"EUR": Rfm(5, 5, monetary, group)}))


def at_stage(stage: Stage) -> RowFacts:
    return replace(bought(1), scores=Scores({}, stage))


def born(day: str | None) -> RowFacts:
    return RowFacts("7" * 32, NOTHING, traits={trait_at("birthday"): day})


WHO: dict[str, tuple[list[Facts], list[Facts]]] = {
    "new-customers": ([at_stage(Stage.NEW)], [at_stage(Stage.ACTIVE), bought()]),
    "loyal-customers": ([at_stage(Stage.LOYAL)], [at_stage(Stage.NEW), bought()]),
    "at-risk": ([at_stage(Stage.AT_RISK)], [at_stage(Stage.LOST), bought()]),
    "lost": ([at_stage(Stage.LOST)], [at_stage(Stage.AT_RISK), bought()]),
    "won-back": ([at_stage(Stage.WON_BACK)], [at_stage(Stage.ACTIVE), bought()]),
    "champions": ([scored("champions", 5)], [scored("loyal", 5), bought(), at_stage(Stage.LOYAL)]),
    "big-spenders": ([scored("loyal", 5)], [scored("champions", 4), bought()]),
    "one-time-buyers": ([bought(31)], [bought(30), bought(31, 60), bought()]),
    "abandoned-carts": (
        [did("Product Added", 2), did("Product Added", 2, 90, to=bought(4))],
        [did("Product Added", 4), did("Product Added", 2, to=bought(1)), did("Product Viewed", 1), bought()],
    ),
    "window-shoppers": (
        [did("Product Viewed", 1, 5, 29), did("Product Viewed", 1, 2, 3, 4, 90)],
        [did("Product Viewed", 1, 5), did("Product Viewed", 1, 2, 3, to=bought(300)), did("Product Viewed", 1, 2, 40), bought()],
    ),
    "birthdays": ([born("1990-11-20"), born("--11-27")], [born("1990-11-19"), born("--11-28"), born(None)]),
    "frequent-returners": ([sent_back(2)], [sent_back(1), bought(1, 2, 3), bought()]),
}


@pytest.mark.parametrize("segment", SEGMENTS)
def test_a_ready_made_segment_means_whom_its_sentence_says(segment: str) -> None:
    inside, outside = WHO[segment]
    rule = SEGMENTS[segment].rule
    truths = [judge(rule, facts, Moment(NOON, UTC)).truth for facts in (*inside, *outside)]
    assert [True] * len(inside) + [False] * len(outside) == truths


def test_there_are_twelve_each_explained_in_one_sentence() -> None:
    assert (12, WHO.keys()) == (len(SEGMENTS), SEGMENTS.keys())
    for name, segment in SEGMENTS.items():
        assert (name, 0, None) == (segment.segment, segment.version, segment.updated_at)
        assert 1 == segment.description.count(".") == segment.description[-1].count(".")
        assert segment.name.strip()


@pytest.mark.parametrize("segment", SEGMENTS)
def test_a_ready_made_segment_is_one_that_anybody_could_have_put(segment: str) -> None:
    rule = SEGMENTS[segment].rule
    assert rule == RuleBody.model_validate(written(rule)).to_rule()
    refuse_too_large(rule)
    assert not any(isinstance(one.condition, SegmentCondition) for one in conditions(rule)), "each stands by itself"
