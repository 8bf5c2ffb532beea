"""The stand-in for AWS's event source mapping keeps AWS's rules; what is proven with it is worth no more than this."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from tests.faults import Kill
from tests.streams import Feed, Record, Settings, Stream

PLAIN = Settings(batch_size=4, maximum_retry_attempts=2, bisects=False, takes_partial_answers=False)
HALVING = Settings(batch_size=4, maximum_retry_attempts=2, bisects=True, takes_partial_answers=True)


def a_stream(count: int = 8) -> Stream:
    stream = Stream(([],))
    for number in range(1, count + 1):
        stream.put({"PK": {"S": "P"}, "SK": {"S": f"EVENT#{number}"}})
    return stream


def names(records: Iterable[Record]) -> str:
    return "".join(record["dynamodb"]["Keys"]["SK"]["S"].removeprefix("EVENT#") for record in records)


def fed(settings: Settings, function: Callable[[str], Any], stream: Stream | None = None) -> tuple[list[str], list[str]]:
    """Feed a function that sees its batch as a word; gives the words, and what was given up as `first-last`."""
    words: list[str] = []
    given_up: list[str] = []

    def seen(event: dict[str, Any], _context: object) -> Any:
        words.append(names(event["Records"]))
        return function(words[-1])

    def give_up(message: dict[str, Any]) -> None:
        place = message["DDBStreamBatchInfo"]
        given_up.append(f"{int(place['startSequenceNumber'])}-{int(place['endSequenceNumber'])}")

    Feed(stream or a_stream(), settings, seen, give_up).drain()
    return words, given_up


def failing_at(*numbers: str, error: type[BaseException] = ValueError) -> Callable[[str], None]:
    def function(word: str) -> None:
        if set(word) & set(numbers):
            raise error

    return function


def reporting(*numbers: str) -> Callable[[str], Any]:
    def function(word: str) -> Any:
        return {"batchItemFailures": [{"itemIdentifier": number.zfill(21)} for number in word[::-1] if number in numbers]}

    return function


@pytest.mark.parametrize("answer", [None, {}, {"batchItemFailures": []}, {"batchItemFailures": None}], ids=str)
def test_a_shard_is_read_in_its_order_batch_by_batch(answer: Any) -> None:
    assert (["1234", "5678"], []) == fed(HALVING, lambda _: answer)


@pytest.mark.parametrize("error", [ValueError, Kill])
def test_a_batch_that_fails_is_tried_again_as_a_whole_and_given_up_after_its_retries(error: type[BaseException]) -> None:
    assert (["1234", "1234", "1234", "5678"], ["1-4"]) == fed(PLAIN, failing_at("3", error=error))


def test_halving_is_no_retry_and_finds_the_one_that_fails() -> None:
    words = ["1234", "12", "34", "3", "3", "3", "4", "5678"]
    assert (words, ["3-3"]) == fed(HALVING, failing_at("3"))


def test_a_partial_answer_goes_on_from_the_lowest_failure() -> None:
    assert (["1234", "234", "234", "5678"], ["2-4"]) == fed(HALVING, reporting("2", "4"))


def test_a_partial_answer_does_not_deliver_again_what_came_before_it() -> None:
    answers = iter([{"itemIdentifier": number.zfill(21)} for number in "23"])

    def function(_word: str) -> Any:
        return {"batchItemFailures": [failure for failure in [next(answers, None)] if failure]}

    assert (["1234", "234", "34", "5678"], []) == fed(HALVING, function)


def test_a_partial_answer_counts_for_nothing_where_it_was_not_asked_for() -> None:
    assert (["1234", "5678"], []) == fed(PLAIN, reporting("2"))


@pytest.mark.parametrize("identifier", ["", None, "9".zfill(21)], ids=repr)
def test_a_failure_without_a_name_fails_the_batch(identifier: object) -> None:
    def function(word: str) -> Any:
        return {"batchItemFailures": [{"itemIdentifier": identifier}] if len(word) > 2 else []}

    assert (["1234", "12", "34", "5678", "56", "78"], []) == fed(HALVING, function)


def test_what_the_filter_leaves_out_is_passed_over() -> None:
    stream = a_stream(3)
    stream.put({"PK": {"S": "P"}, "SK": {"S": "PROFILE"}})
    stream.put({"PK": {"S": "P"}, "SK": {"S": "EVENT#2"}})
    stream.put({"PK": {"S": "P"}, "SK": {"S": "EVENT#4"}})
    mapping = {
        "BatchSize": 2,
        "MaximumRetryAttempts": 1,
        "FilterCriteria": {
            "Filters": [{"Pattern": '{"eventName": ["INSERT"], "dynamodb": {"Keys": {"SK": {"S": [{"prefix": "EVENT#"}]}}}}'}]
        },
    }
    assert (["12", "34"], []) == fed(Settings.of(mapping), lambda _: None, stream)


def test_all_of_a_partition_is_in_one_shard_with_its_images() -> None:
    stream = Stream()
    versions: list[Any] = [{"PK": {"S": "P"}, "SK": {"S": "S"}, "version": {"N": str(version)}} for version in (1, 2)]
    for version in versions:
        stream.put(version)
    (records,) = [shard for shard in stream.shards if shard]
    seen = [(one["eventName"], one["dynamodb"]["NewImage"], one["dynamodb"].get("OldImage")) for one in records]
    assert [("INSERT", versions[0], None), ("MODIFY", versions[1], versions[0])] == seen


def test_anything_may_be_delivered_again() -> None:
    words: list[str] = []

    def function(event: dict[str, Any], _context: object) -> None:
        words.append(names(event["Records"]))

    feed = Feed(a_stream(), PLAIN, function, print)
    feed.poll(0)
    feed.again(0, 2)
    feed.drain()
    feed.from_the_start()
    feed.poll(0)
    assert ["1234", "3456", "78", "1234"] == words


def test_what_waits_for_its_retry_is_not_forgotten_with_a_checkpoint() -> None:
    words: list[str] = []

    def function(event: dict[str, Any], _context: object) -> None:
        words.append(names(event["Records"]))
        if words[-1] == "5678":
            raise ValueError

    feed = Feed(a_stream(), HALVING, function, print)
    feed.poll(0)
    feed.poll(0)
    feed.again(0, 1)
    feed.drain()
    assert ["1234", "5678", "4567", "8"] == words
