"""Sign-ups on the wire."""

from typing import Annotated

from pydantic import Field

from ecrm.application.subscriptions import Subscribe

from .fields import Answer, Body, Email, Language, Name, SiteId, Text, TopicId

MOST_TOPICS = 10


class SubscribeBody(Body):
    """What a site's form sends for somebody who wants its mail. All that goes to the address is the question."""

    email: Email
    topics: Annotated[list[TopicId], Field(min_length=1, max_length=MOST_TOPICS)]
    language: Language | None = None
    text_version: Name | None = None
    website: Text | None = None
    site: SiteId | None = None
    write_key: Annotated[str | None, Field(alias="writeKey")] = None

    @property
    def is_trapped(self) -> bool:
        """Whether a field is filled in that people do not see."""
        return bool(self.website)

    def to_command(self, site: str, ip: str) -> Subscribe:
        return Subscribe(
            site=site,
            email=self.email,
            topics=tuple(dict.fromkeys(self.topics)),
            language=self.language,
            text_version=self.text_version,
            ip=ip,
        )


class SubscribedBody(Answer):
    """The same, whoever is known at the address and whatever they have said."""

    detail: str = "If there is something left to confirm, a mail is on its way to the address. Its link completes the sign-up."
