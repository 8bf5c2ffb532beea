"""What the table's stream wakes, and the net under it."""

import json

import pytest

from tests.architecture.stack import Stack, references

CONSUMERS = ("ProjectEvents", "PublishEvents")


def test_the_stream_has_the_readers_listed_here(stack: Stack) -> None:
    """Two at the most, ever: DynamoDB throttles a shard's third reader."""
    mappings = stack.of("Lambda::EventSourceMapping").values()
    readers = [
        stack.folder(stack.behind(mapping["FunctionName"]))
        for mapping in mappings
        if references(mapping["EventSourceArn"]) == {"Table"}
    ]
    assert sorted(readers) == ["project_events", "publish_events"]


@pytest.mark.parametrize(
    ("consumer", "wanted"),
    [
        ("ProjectEvents", [("CUSTOMER#", {})]),
        (
            "PublishEvents",
            [
                ("JOB#", {}),
                ("CUSTOMER#", {"type": {"S": ["message.requested", {"prefix": "order."}]}}),
                ("CUSTOMER#", {"type": {"S": ["consent.changed"]}, "data": {"M": {"method": {"S": ["double_opt_in"]}}}}),
            ],
        ),
    ],
)
def test_only_new_events_wake_a_consumer_and_only_those_that_it_works_on(
    stack: Stack, consumer: str, wanted: list[tuple[str, dict[str, object]]]
) -> None:
    filters = stack.of("Lambda::EventSourceMapping")[f"{consumer}Mapping"]["FilterCriteria"]["Filters"]
    assert [json.loads(each["Pattern"]) for each in filters] == [pattern(*each) for each in wanted]


def pattern(partition: str, image: dict[str, object]) -> dict[str, object]:
    keys = {"PK": {"S": [{"prefix": partition}]}, "SK": {"S": [{"prefix": "EVENT#"}]}}
    return {"eventName": ["INSERT"], "dynamodb": {"Keys": keys, **({"NewImage": image} if image else {})}}


@pytest.mark.parametrize("consumer", CONSUMERS)
@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("EventSourceArn", {"Fn::GetAtt": ["Table", "StreamArn"]}),
        ("StartingPosition", "TRIM_HORIZON"),
        ("FunctionResponseTypes", ["ReportBatchItemFailures"]),
        ("BisectBatchOnFunctionError", True),
        ("ParallelizationFactor", 1),
    ],
)
def test_a_mapping_loses_nothing_and_waits_for_nobody(stack: Stack, consumer: str, setting: str, expected: object) -> None:
    assert stack.of("Lambda::EventSourceMapping")[f"{consumer}Mapping"][setting] == expected


@pytest.mark.parametrize("consumer", CONSUMERS)
def test_a_mappings_patience_has_an_end_within_the_streams_day(stack: Stack, consumer: str) -> None:
    mapping = stack.of("Lambda::EventSourceMapping")[f"{consumer}Mapping"]
    assert 1 <= mapping["MaximumRetryAttempts"] <= 100
    assert 3600 <= mapping["MaximumRecordAgeInSeconds"] <= 43200  # half of what the stream keeps: time to read what was given up
    assert 10 <= mapping["BatchSize"] <= 1000
    assert 0 <= mapping["MaximumBatchingWindowInSeconds"] <= 5


@pytest.mark.parametrize("consumer", CONSUMERS)
def test_a_consumer_parks_in_the_queue_that_its_mapping_fails_to(stack: Stack, consumer: str) -> None:
    """One place to look, whoever gave up."""
    variables = stack.of("Lambda::Function")[f"{consumer}Function"]["Environment"]["Variables"]
    assert variables["FAILURE_QUEUE_URL"] == {"Ref": f"{consumer}DeadLetters"}


@pytest.mark.parametrize("consumer", CONSUMERS)
def test_a_mapping_fails_to_the_dead_letters_of_its_function(stack: Stack, consumer: str) -> None:
    mapping = stack.of("Lambda::EventSourceMapping")[f"{consumer}Mapping"]
    assert mapping["DestinationConfig"] == {"OnFailure": {"Destination": {"Fn::GetAtt": [f"{consumer}DeadLetters", "Arn"]}}}
