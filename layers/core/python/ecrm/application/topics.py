"""Defining and reading topics."""

from dataclasses import replace

from ecrm.domain.errors import NotFound
from ecrm.domain.topics import Topic

from .definitions import put_definition
from .ports import Topics


def put_topic(topic: Topic, *, expected_version: int | None, topics: Topics) -> tuple[Topic, bool]:
    """Create or replace a topic, as `put_definition` does."""
    return put_definition(
        topic.topic, lambda version: replace(topic, version=version), expected_version=expected_version, definitions=topics
    )


def read_topic(topic: str, *, topics: Topics) -> Topic:
    found = topics.find(topic)
    if found is None:
        raise NotFound("no such topic", code="topic_not_found")
    return found
