"""The queue of messages: what it is told names a page of a roster, and it waits no longer than SQS can."""

import json

import pytest

from ecrm import bootstrap
from ecrm.domain.errors import Unavailable
from ecrm.messaging.messages import LONGEST_DELAY_SECONDS
from tests.cloud import Cloud


def test_a_message_names_a_run_and_a_shard_and_nothing_else(cloud: Cloud) -> None:
    bootstrap.message_queue().send("r1", 7)
    (message,) = cloud.sqs.receive_message(QueueUrl=cloud.messages_url)["Messages"]
    assert {"type": "page", "v": 1, "run_id": "r1", "shard": 7} == json.loads(message["Body"])


@pytest.mark.parametrize("seconds", [1, LONGEST_DELAY_SECONDS, LONGEST_DELAY_SECONDS + 1, 86_400])
def test_a_message_for_later_waits_at_most_as_long_as_a_queue_can(cloud: Cloud, seconds: int) -> None:
    bootstrap.message_queue().send("r1", 7, seconds)
    name = "ApproximateNumberOfMessagesDelayed"
    found = cloud.sqs.get_queue_attributes(QueueUrl=cloud.messages_url, AttributeNames=[name])
    assert "1" == found["Attributes"][name]


def test_a_queue_that_takes_nothing_is_unavailable(cloud: Cloud) -> None:
    cloud.sqs.delete_queue(QueueUrl=cloud.messages_url)
    with pytest.raises(Unavailable):
        bootstrap.message_queue().send("r1", 7)
