"""Topics at the door."""

from ecrm.application.ports import Topics
from ecrm.application.topics import put_topic
from ecrm.contracts.topics import PutTopicBody, TopicBody
from ecrm.domain.topics import Topic

from .definitions import expected_version
from .http import Call, Reply


def topic(status: int, found: Topic) -> Reply:
    return Reply(status, TopicBody.of(found), {"etag": f'"{found.version}"'})


def put(call: Call, *, topics: Topics) -> Reply:
    body: PutTopicBody = call.body
    stored, is_new = put_topic(
        body.to_topic(call.path["topic"], call.now), expected_version=expected_version(call), topics=topics
    )
    return topic(201 if is_new else 200, stored)
