"""An alarm wakes somebody, so it says what to do; and the runbook speaks of nothing that cannot happen."""

import re

from tests.architecture.pages import anchor, anchors, headings, section
from tests.architecture.sources import ROOT
from tests.architecture.stack import Stack, references

RUNBOOK = ROOT / "docs" / "operations.md"
DESCRIPTION = re.compile(r"[A-Z].+\. Runbook: docs/operations\.md#([\w-]+)")


def test_every_alarm_names_a_section_of_the_runbook_that_is_there(stack: Stack) -> None:
    for name, alarm in stack.of("CloudWatch::Alarm").items():
        described = DESCRIPTION.fullmatch(alarm["AlarmDescription"])
        assert described, name
        assert described[1] in anchors(RUNBOOK), name


def test_every_section_on_alarms_has_an_alarm(stack: Stack) -> None:
    text = section(RUNBOOK, "Alarms")
    sections = {anchor(title) for title in headings(RUNBOOK) if f"### {title}\n" in text}
    named = {alarm["AlarmDescription"].rpartition("#")[2] for alarm in stack.of("CloudWatch::Alarm").values()}
    assert sections == named


def test_every_section_on_alarms_says_what_it_means_and_what_to_do(stack: Stack) -> None:
    for alarm in stack.of("CloudWatch::Alarm").values():
        (title,) = (title for title in headings(RUNBOOK) if anchor(title) == alarm["AlarmDescription"].rpartition("#")[2])
        text = section(RUNBOOK, title)
        for part in ("**It means**", "**Look**", "**Do**"):
            assert part in text, title


def test_the_runbook_names_the_alarms_as_the_template_does(stack: Stack) -> None:
    named = set(re.findall(r"`(\w+Alarm)`", section(RUNBOOK, "Alarms")))
    assert named == set(stack.of("CloudWatch::Alarm"))


def test_every_alarm_is_heard_and_so_is_its_end(stack: Stack) -> None:
    for name, alarm in stack.of("CloudWatch::Alarm").items():
        assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": "AlarmTopic"}], name


def test_an_idle_stack_is_no_alarm(stack: Stack) -> None:
    for name, alarm in stack.of("CloudWatch::Alarm").items():
        assert alarm["TreatMissingData"] == "notBreaching", name


def test_an_alarm_watches_this_stack_alone(stack: Stack) -> None:
    """A metric without a dimension or a namespace of ours is the whole account's."""
    for name, alarm in stack.of("CloudWatch::Alarm").items():
        assert references([alarm["Namespace"], alarm["Dimensions"]]), name


def test_no_alarm_fires_for_what_a_caller_did_wrong(stack: Stack) -> None:
    watched = {alarm["MetricName"] for alarm in stack.of("CloudWatch::Alarm").values()}
    assert "5xx" in watched
    assert not {"4xx", "4xxError", "Count", "UserErrors", "ConditionalCheckFailedRequests"} & watched


def test_each_stream_consumer_is_watched_for_lag_failure_and_loss(stack: Stack) -> None:
    watched = {(alarm["MetricName"], *references(alarm["Dimensions"])) for alarm in stack.of("CloudWatch::Alarm").values()}
    for mapping in stack.of("Lambda::EventSourceMapping").values():
        if references(mapping["EventSourceArn"]) != {"Table"}:
            continue  # what a queue gives up is heard by the alarm on its dead letters
        function = stack.behind(mapping["FunctionName"])
        for metric in ("Errors", "IteratorAge", "DestinationDeliveryFailures"):
            assert (metric, function) in watched


def test_the_address_is_asked_only_where_one_is_given(stack: Stack) -> None:
    (subscription,) = (name for name, each in stack.of("SNS::Subscription").items() if each["TopicArn"] == {"Ref": "AlarmTopic"})
    assert stack.resources[subscription]["Condition"] == "HasAlarmAddress"
    assert stack.body["Conditions"]["HasAlarmAddress"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "AlarmAddress"}, ""]}]}
