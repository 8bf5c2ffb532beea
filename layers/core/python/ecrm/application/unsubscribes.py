"""Unsubscribing: in force before it is answered, for links however old, and never refused for what became of the rest."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from ecrm.domain.consent import Channel, Method, State, Subject
from ecrm.domain.errors import NotFound, Unavailable
from ecrm.domain.links import Language, PersonLink, Purpose, key_id_of, person_url
from ecrm.domain.sites import Site
from ecrm.domain.topics import Topic

from .consent import MOST_CHANGES, ChangeConsents, ConsentChange, change_consents
from .identity import root
from .link_keys import ring_for
from .links import open_person_link, site_behind
from .ports import Clock, ConsentBook, Consents, Customers, LinkKeys, NamedTopics, Requests, Sites

if TYPE_CHECKING:  # only the type is needed: showing a page loads nothing of mail
    from .mail_ports import Sends

SOURCE = "public:unsubscribe"
_WITH_SHARD = 2
"""What a link is about that stood in a mail: the topic, and the shard of the mail's run."""


class AllTopics(NamedTopics, Protocol):
    """Topics by name, and all of them."""

    def all(self) -> tuple[Topic, ...]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsubscribing:
    """What the page says: of which topic (None where it is not told any more) and site, and whether it is done, for one or all.

    `preferences_url` leads on to everything else that the customer can choose; None where somebody else may have made the link.
    """

    site: Site
    topic: Topic | None
    language: Language | None
    preferences_url: str | None
    is_done: bool = False
    is_everything: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsubscribeRoom:
    """The collaborators of both use cases; the `sends` are loaded when somebody unsubscribes, for the page does without."""

    keys: LinkKeys
    sites: Sites
    topics: AllTopics
    consents: Consents
    customers: Customers
    requests: Requests
    sends: Callable[[], "Sends"]
    clock: Clock
    public_url: str


def read_unsubscribing(token: str, *, room: UnsubscribeRoom) -> Unsubscribing:
    """Read what a link unsubscribes from, and whether it did. Raises NotFound, also where the customer is erased."""
    link = open_person_link(token, Purpose.UNSUBSCRIBE, keys=room.keys, clock=room.clock)
    book = room.consents.of(root(link.customer_id, customers=room.customers).customer_id)
    denied = {subject for subject, consent in book.consents.items() if consent.state is State.DENIED}
    is_done = denied >= _named(link) > set()
    return _page(token, link, room, is_done=is_done, is_everything=is_done and denied >= mail_subjects(book, room.topics))


def unsubscribe(token: str, *, is_everything: bool, room: UnsubscribeRoom) -> Unsubscribing | None:
    """Deny the link's topic by mail, or every topic, before this returns; once more changes nothing.

    None where nobody is written to any more, because the customer is erased or gone, or where there is no page to show. 8 write
    units and 4 for each further topic. Raises NotFound where the token is not ours.
    """
    link = open_person_link(token, Purpose.UNSUBSCRIBE, keys=room.keys, clock=room.clock)
    try:
        customer = root(link.customer_id, customers=room.customers)
    except NotFound:
        return None
    book = room.consents.of(customer.customer_id)
    named = _named(link) | (mail_subjects(book, room.topics) if is_everything else set())
    consents = {subject: book.consents.get(subject) for subject in sorted(named)}
    open_ = [subject for subject, consent in consents.items() if consent is None or consent.state is not State.DENIED]
    deny(open_, link, method=Method.UNSUBSCRIBE, source=SOURCE, room=room)
    if open_:
        _mark(link, room)
    try:
        return _page(token, link, room, is_done=True, is_everything=is_everything)
    except NotFound:
        return None


def _named(link: PersonLink) -> set[Subject]:
    return {Subject(Channel.EMAIL, topic) for topic in link.about[:1]}


def mail_subjects(book: ConsentBook, topics: AllTopics) -> set[Subject]:
    """Give every topic by mail: those that there are, and those that something is said of."""
    offered = {Subject(Channel.EMAIL, topic.topic) for topic in topics.all() if Channel.EMAIL in topic.channels}
    return offered | {subject for subject in book.consents if subject.channel is Channel.EMAIL}


def deny(subjects: Iterable[Subject], link: PersonLink, *, method: Method, source: str, room: UnsubscribeRoom) -> None:
    """Write a "no" to each of some subjects, also of topics that are not defined any more."""
    now, named = room.clock.now(), tuple(subjects)
    for start in range(0, len(named), MOST_CHANGES):
        changes = tuple(_denied(subject, method, link, now) for subject in named[start : start + MOST_CHANGES])
        change_consents(
            ChangeConsents(customer_id=link.customer_id, changes=changes, site=link.site, source=source),
            None,
            consents=room.consents,
            customers=room.customers,
            topics=_EvenGone(room.topics, now),
            requests=room.requests,
            clock=room.clock,
        )


def _mark(link: PersonLink, room: UnsubscribeRoom) -> None:
    """Say in the entry of the mail which the link stood in that it made its person leave.

    The "no" is in force already: what keeps this from being said is no reason not to answer so.
    """
    if len(link.about) < _WITH_SHARD:
        return
    with suppress(Unavailable):
        sends = room.sends()
        send = sends.find(link.reference, int(link.about[1]), link.customer_id)
        while send is not None and send.unsubscribed_at is None:
            send = sends.write(replace(send, unsubscribed_at=room.clock.now(), version=send.version + 1))


def _denied(subject: Subject, method: Method, link: PersonLink, now: datetime) -> ConsentChange:
    return ConsentChange(
        channel=subject.channel,
        topic=subject.topic,
        state=State.DENIED,
        at=now,
        source=f"message:{link.reference}" if link.reference else None,
        method=method,
        text_version=None,
        proof=None,
    )


def _page(
    token: str, link: PersonLink, room: UnsubscribeRoom, *, is_done: bool = False, is_everything: bool = False
) -> Unsubscribing:
    ring = ring_for(token, room.keys)
    preferences = PersonLink(
        purpose=Purpose.PREFERENCES, site=link.site, customer_id=link.customer_id, sent_to=link.sent_to, language=link.language
    )
    return Unsubscribing(
        site=site_behind(link.site, room.sites),
        topic=next(iter(room.topics.named(link.about[:1]).values()), None),
        language=link.language,
        preferences_url=None if key_id_of(token) in ring.retired else person_url(room.public_url, preferences, ring),
        is_done=is_done,
        is_everything=is_everything,
    )


@dataclass(frozen=True, slots=True)
class _EvenGone:
    """Topics, in which those that are not there any more can still be denied."""

    topics: NamedTopics
    now: datetime

    def named(self, names: Iterable[str]) -> Mapping[str, Topic]:
        names = tuple(names)
        return {name: _gone(name, self.now) for name in names} | dict(self.topics.named(names))


def _gone(name: str, now: datetime) -> Topic:
    return Topic(topic=name, names={}, descriptions={}, double_opt_in=True, channels=(Channel.EMAIL,), updated_at=now, version=0)
