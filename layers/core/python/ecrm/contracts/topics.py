"""Topics on the wire."""

import re
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field

from ecrm.domain import instants
from ecrm.domain.consent import Channel
from ecrm.domain.errors import Invalid
from ecrm.domain.topics import Topic

from .fields import TOPIC_ID, Answer, Language, Name, Restated, Text, TopicId

ChannelName = Literal["email", "sms", "push", "post"]


class PutTopicBody(Restated):
    """What a person may agree to be told about; with `double_opt_in` a grant holds once it is proven."""

    READ_ONLY = frozenset({"topic", "updated_at", "version"})

    names: Annotated[dict[Language, Name], Field(min_length=1, max_length=20)]
    descriptions: Annotated[dict[Language, Text], Field(max_length=20)] | None = None
    double_opt_in: bool = False
    channels: Annotated[list[ChannelName], Field(min_length=1, max_length=len(Channel))] | None = None

    def to_topic(self, topic: str, now: datetime) -> Topic:
        if not re.fullmatch(TOPIC_ID, topic):
            raise Invalid("a topic is named by lower-case letters, digits, hyphens and underscores, 40 at most", code="bad_topic")
        return Topic(
            topic=topic,
            names=self.names,
            descriptions=self.descriptions or {},
            double_opt_in=self.double_opt_in,
            channels=tuple(channel for channel in Channel if self.channels is None or channel in self.channels),
            updated_at=now,
        )


class TopicBody(Answer):
    topic: TopicId
    names: dict[str, str]
    descriptions: dict[str, str]
    double_opt_in: bool
    channels: list[str]
    updated_at: str
    version: int

    @classmethod
    def of(cls, topic: Topic) -> Self:
        return cls(
            topic=topic.topic,
            names=dict(topic.names),
            descriptions=dict(topic.descriptions),
            double_opt_in=topic.double_opt_in,
            channels=[*topic.channels],
            updated_at=instants.to_answer(topic.updated_at),
            version=topic.version,
        )


class TopicsPage(Answer):
    data: list[TopicBody]
    next_cursor: str | None
