"""A queue is born with its dead letters, its alarm and its page in the runbook."""

from ecrm.domain.messages import LOST_AFTER
from ecrm.entry.sending import SEND_MILLISECONDS
from tests.architecture.stack import Properties, Stack, references

FOURTEEN_DAYS = 14 * 24 * 3600


def dead_letters(stack: Stack) -> set[str]:
    """Queues that something gives up to: another queue's redrive, a mapping's failures, or what a schedule could not start."""
    redrives = [queue.get("RedrivePolicy") for queue in stack.of("SQS::Queue").values()]
    failures = [mapping.get("DestinationConfig") for mapping in stack.of("Lambda::EventSourceMapping").values()]
    schedules = [schedule["Target"]["DeadLetterConfig"] for schedule in stack.of("Scheduler::Schedule").values()]
    return references([redrives, failures, schedules])


def alarms_on(stack: Stack, queue: str) -> list[Properties]:
    return [
        alarm
        for alarm in stack.of("CloudWatch::Alarm").values()
        if alarm["Namespace"] == "AWS/SQS" and queue in references(alarm["Dimensions"])
    ]


def test_a_queue_is_the_end_of_the_line_or_has_one(stack: Stack) -> None:
    ends = dead_letters(stack)
    for name, queue in stack.of("SQS::Queue").items():
        assert ("RedrivePolicy" in queue) != (name in ends), name


def test_dead_letters_are_called_so_and_kept_as_long_as_a_queue_can(stack: Stack) -> None:
    for name in dead_letters(stack):
        assert name.endswith("DeadLetters")
        assert stack.of("SQS::Queue")[name]["MessageRetentionPeriod"] == FOURTEEN_DAYS


def test_a_single_dead_letter_raises_an_alarm(stack: Stack) -> None:
    for name in dead_letters(stack):
        (alarm,) = alarms_on(stack, name)
        assert alarm["MetricName"] == "ApproximateNumberOfMessagesVisible"
        assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanThreshold", 0)


def test_every_mapping_has_somewhere_to_fail_to(stack: Stack) -> None:
    queues = stack.of("SQS::Queue")
    for mapping in stack.of("Lambda::EventSourceMapping").values():
        source = references(mapping["EventSourceArn"])
        if source <= set(queues):
            (queue,) = source
            assert "RedrivePolicy" in queues[queue]
        else:
            assert references(mapping["DestinationConfig"]["OnFailure"]["Destination"]) <= set(queues)


def test_a_message_stays_hidden_for_six_time_outs_of_its_worker(stack: Stack) -> None:
    queues = stack.of("SQS::Queue")
    for mapping in stack.of("Lambda::EventSourceMapping").values():
        function = stack.behind(mapping["FunctionName"])
        for queue in references(mapping["EventSourceArn"]) & set(queues):
            time_out = stack.resources[function]["Properties"]["Timeout"]
            assert queues[queue]["VisibilityTimeout"] >= 6 * time_out
            assert least(stack, mapping["ScalingConfig"]["MaximumConcurrency"]) >= 2


def least(stack: Stack, number: object) -> int:
    """A number, or the least that the parameter allows which stands in its place."""
    match number:
        case {"Ref": str(parameter)}:
            return int(stack.body["Parameters"][parameter]["MinValue"])
        case _:
            return int(str(number))


def test_a_claim_is_doubted_when_its_claimer_must_be_dead(stack: Stack) -> None:
    """INVARIANTS, section 2: after twice the time-out; and no send begins that the time-out could cut off."""
    time_out = stack.functions()["send_messages"]["Timeout"]
    assert LOST_AFTER.total_seconds() == 2 * time_out
    assert 12_000 < SEND_MILLISECONDS <= time_out * 500


def test_one_reply_in_doubt_for_each_worker_stays_below_what_an_outage_may_cost(stack: Stack) -> None:
    """INVARIANTS S16: at most five ambiguous replies a minute, and each worker has one on its way."""
    assert stack.body["Parameters"]["SendConcurrency"]["Default"] <= 5
    scaling = stack.of("Lambda::EventSourceMapping")["SendMessagesMapping"]["ScalingConfig"]
    assert scaling == {"MaximumConcurrency": {"Ref": "SendConcurrency"}}
