"""What the table's stream wakes, and the net under it."""

import json

import pytest

from tests.architecture.stack import Stack, references


def test_the_stream_has_the_readers_listed_here(stack: Stack) -> None:
    """Two at the most, ever: DynamoDB throttles a shard's third reader."""
    mappings = stack.of("Lambda::EventSourceMapping").values()
    readers = [
        stack.folder(stack.behind(mapping["FunctionName"]))
        for mapping in mappings
        if references(mapping["EventSourceArn"]) == {"Table"}
    ]
    assert readers == ["project_events"]


def test_only_new_events_wake_the_projection(stack: Stack) -> None:
    (one,) = stack.of("Lambda::EventSourceMapping")["ProjectEventsMapping"]["FilterCriteria"]["Filters"]
    assert json.loads(one["Pattern"]) == {
        "eventName": ["INSERT"],
        "dynamodb": {"Keys": {"SK": {"S": [{"prefix": "EVENT#"}]}}},
    }


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("EventSourceArn", {"Fn::GetAtt": ["Table", "StreamArn"]}),
        ("StartingPosition", "TRIM_HORIZON"),
        ("FunctionResponseTypes", ["ReportBatchItemFailures"]),
        ("BisectBatchOnFunctionError", True),
        ("DestinationConfig", {"OnFailure": {"Destination": {"Fn::GetAtt": ["ProjectEventsDeadLetters", "Arn"]}}}),
        ("ParallelizationFactor", 1),
    ],
)
def test_the_mapping_loses_nothing_and_waits_for_nobody(stack: Stack, setting: str, expected: object) -> None:
    assert stack.of("Lambda::EventSourceMapping")["ProjectEventsMapping"][setting] == expected


def test_the_mappings_patience_has_an_end_within_the_streams_day(stack: Stack) -> None:
    mapping = stack.of("Lambda::EventSourceMapping")["ProjectEventsMapping"]
    assert 1 <= mapping["MaximumRetryAttempts"] <= 100
    assert 3600 <= mapping["MaximumRecordAgeInSeconds"] <= 43200  # half of what the stream keeps: time to read what was given up
    assert 10 <= mapping["BatchSize"] <= 1000
    assert 0 <= mapping["MaximumBatchingWindowInSeconds"] <= 5


def test_the_function_parks_in_the_queue_that_its_mapping_fails_to(stack: Stack) -> None:
    """One place to look, whoever gave up."""
    variables = stack.functions()["project_events"]["Environment"]["Variables"]
    mapping = stack.of("Lambda::EventSourceMapping")["ProjectEventsMapping"]
    assert variables["FAILURE_QUEUE_URL"] == {"Ref": "ProjectEventsDeadLetters"}
    assert references(mapping["DestinationConfig"]) == {"ProjectEventsDeadLetters"}
