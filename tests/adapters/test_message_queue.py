"""The queue of messages: what it is told names a page of a roster, and it waits no longer than SQS can."""

import json

import pytest

from ecrm import bootstrap
from ecrm.domain.errors import Unavailable
from ecrm.messaging.messages import LONGEST_DELAY_SECONDS
from tests.cloud import Cloud


@pytest.mark.parametrize(
    ("is_of_many", "kind", "group"), [(True, "page", {"MessageGroupId": "r1"}), (False, "message", {})], ids=["page", "message"]
)
def test_a_message_names_a_run_and_a_shard_and_nothing_else_and_pages_are_grouped_by_their_run(
    cloud: Cloud,
    is_of_many: bool,  # noqa: FBT001 (a case)
    kind: str,
    group: dict[str, str],
) -> None:
    bootstrap.message_queue().send("r1", 7, is_of_many=is_of_many)
    (message,) = cloud.sqs.receive_message(QueueUrl=cloud.messages_url, MessageSystemAttributeNames=["MessageGroupId"])[
        "Messages"
    ]
    assert {"type": kind, "v": 1, "run_id": "r1", "shard": 7} == json.loads(message["Body"])
    assert group == message.get("Attributes", {})


@pytest.mark.parametrize("seconds", [1, LONGEST_DELAY_SECONDS, LONGEST_DELAY_SECONDS + 1, 86_400])
def test_a_message_for_later_waits_at_most_as_long_as_a_queue_can(cloud: Cloud, seconds: int) -> None:
    bootstrap.message_queue().send("r1", 7, seconds, is_of_many=True)
    name = "ApproximateNumberOfMessagesDelayed"
    found = cloud.sqs.get_queue_attributes(QueueUrl=cloud.messages_url, AttributeNames=[name])
    assert "1" == found["Attributes"][name]


def test_a_queue_that_takes_nothing_is_unavailable(cloud: Cloud) -> None:
    cloud.sqs.delete_queue(QueueUrl=cloud.messages_url)
    with pytest.raises(Unavailable):
        bootstrap.message_queue().send("r1", 7, is_of_many=True)
