"""docs/segments.md beside the code: every rule on it can be saved, and what it lists is what there is."""

import json
import re

import pytest

from ecrm.analytics.rfm import CELLS
from ecrm.contracts.segments import PutSegmentBody, RuleBody
from ecrm.domain.comparisons import Op
from ecrm.domain.lifecycle import Stage
from ecrm.domain.ready_made_segments import ready_made
from ecrm.domain.segments import NAMES, Field, Predicted
from ecrm.entry.json_body import read_json
from tests.architecture.pages import code, table
from tests.architecture.sources import ROOT

PAGE = (ROOT / "docs" / "segments.md").read_text(encoding="utf-8")
RULES = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("number", range(len(RULES)))
def test_every_rule_of_the_page_can_be_saved(number: int) -> None:
    rule = RuleBody.model_validate(read_json(RULES[number].encode()))
    PutSegmentBody(name="Some", rule=rule).to_segment("some")


def test_the_segment_that_the_page_begins_with_can_be_saved() -> None:
    said = re.search(r"```http\nPUT /v1/segments/([\w-]+)\n(.*?)```", PAGE, re.DOTALL)
    assert said is not None
    PutSegmentBody.model_validate(read_json(said[2].encode())).to_segment(said[1])


def test_every_condition_has_an_example() -> None:
    assert set(NAMES.values()) <= set(re.findall(r'{"(\w+)":', " ".join(RULES)))


def test_the_ready_made_segments_are_told_as_they_are() -> None:
    listed = [(code(segment), who) for segment, who in table(PAGE, "segment", "who")]
    assert [(name, segment.description) for name, segment in ready_made("EUR").items()] == listed


def test_every_field_of_the_statistics_is_told_with_the_names_that_it_has() -> None:
    told = {code(field): about for field, about in table(PAGE, "field", "what it is")}
    assert {field.value for field in Field} == told.keys()
    assert {name for row in CELLS for name in row} == set(re.findall(r"`(\w+)`", told["rfm.group"]))
    assert {stage.value for stage in Stage} == set(re.findall(r"`(\w+)`", told["lifecycle"]))


def test_every_prediction_is_told() -> None:
    told = {name for names, _ in table(PAGE, "prediction", "what it is") for name in re.findall(r"`(\w+)`", names)}
    assert {field.value for field in Predicted} == told


def test_every_operator_is_told() -> None:
    told = {op for _, operators in table(PAGE, "of", "operators") for op in re.findall(r"`([^`]+)`", operators)}
    assert {op.value for op in Op} == told


def test_every_window_of_the_page_is_one() -> None:
    for window, _ in table(PAGE, "window", "which time"):
        event = {"name": "Product Viewed", "op": ">=", "value": 1, "window": json.loads(code(window))}
        RuleBody.model_validate({"event": event})
