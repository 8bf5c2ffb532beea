"""A person's preferences: what they hear about, how often, in which language; chosen on a page that only their mails lead to."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from ecrm.domain.attributes import merged, vouched
from ecrm.domain.consent import Channel, Method, Proof, ProofKind, State, Subject, effective
from ecrm.domain.customers import Customer
from ecrm.domain.errors import Invalid
from ecrm.domain.events import Event
from ecrm.domain.instants import to_text
from ecrm.domain.links import Language, PersonLink, Purpose, person_url
from ecrm.domain.messages import mailbox_of
from ecrm.domain.preferences import PAUSE, Frequency, Preferences, is_hard_no, may_resume
from ecrm.domain.sites import Site
from ecrm.domain.suppressions import Address
from ecrm.domain.topics import Topic

from .consent import MOST_CHANGES, ChangeConsents, ConsentChange, change_consents, reached
from .identity import root
from .link_keys import ring_for
from .links import open_person_link, site_behind
from .person_links import mailbox_behind
from .ports import Contended, Ids, PreferenceBook, Profiles, Suppressions
from .profiles import UpdateCustomer, update_customer
from .unsubscribes import UnsubscribeRoom, deny, mail_subjects

if TYPE_CHECKING:
    from .subscriptions import AskToConfirm

SOURCE = "public:preferences"
ATTEMPTS = 5


class PreferenceBooks(Protocol):
    """How often people want to be written to."""

    def of(self, partitions: Sequence[str], /) -> PreferenceBook:
        """Give what counts of what stands under some ids, of which the first is the customer's own, strongly consistent."""
        ...

    def write(self, customer_id: str, preferences: Preferences, event: Event, /, *, seen: int) -> None:
        """Write version `seen` + 1 with what happened, if the customer is there and nobody was faster; 6 write units.

        Raises Contended.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferenceRoom(UnsubscribeRoom):
    """The collaborators of both use cases; `ask` sends a mail in which its reader confirms."""

    books: PreferenceBooks
    profiles: Profiles
    suppressions: Suppressions
    ids: Ids
    ask: Callable[["AskToConfirm"], object]


class Note(StrEnum):
    """Why what is asked for by a channel is not sent there."""

    WAITING = "waiting"
    """It is not confirmed for the address of now."""
    SHUT = "shut"
    """The address may not be written to, or only a proof that this page is not raises the "no"."""


@dataclass(frozen=True, slots=True)
class ChannelChoice:
    """A channel beside mail of which something is on record. `is_on`: it was not refused; `is_open`: the page can change that."""

    channel: Channel
    is_on: bool
    is_open: bool
    note: Note | None


@dataclass(frozen=True, slots=True)
class TopicChoice:
    """`is_on` is of mail, None where the topic is not offered by mail."""

    topic: Topic
    is_on: bool | None
    others: tuple[ChannelChoice, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferencePage:
    """What the page shows. Of the birthday only whether one is known: a mail may have been passed on.

    `is_blocked`: nothing is sent to the address, whatever is chosen here. Of `asked` a mail asks whether they are meant.
    `wrong_birthday` is a month and a day as they were posted, which are none.
    """

    site: Site
    link_language: Language | None
    topics: tuple[TopicChoice, ...]
    frequency: Frequency
    paused_until: datetime | None
    language: str | None
    has_birthday: bool
    is_blocked: bool
    my_data_url: str
    is_saved: bool = False
    asked: tuple[Topic, ...] = ()
    wrong_birthday: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choose:
    """What is chosen. `shown` is what was to be chosen from, `wanted` what was; None leaves a thing as it is.

    `pause`: begin one, or end it. `attributes` are as a profile keeps them; a `wrong_birthday` is not among them.
    """

    shown: frozenset[Subject]
    wanted: frozenset[Subject]
    frequency: Frequency | None
    pause: bool | None
    attributes: Mapping[str, Any]
    ip: str
    wrong_birthday: tuple[str, str] | None = None


def read_preferences(token: str, *, room: PreferenceRoom) -> PreferencePage:
    """Read what holds for whoever has the link. Raises NotFound, also where the customer is erased."""
    link = open_person_link(token, Purpose.PREFERENCES, keys=room.keys, clock=room.clock)
    return _page(token, link, room)


def choose(token: str, chosen: Choose, *, room: PreferenceRoom) -> PreferencePage:
    """Keep what is chosen: every "no" first, and at once.

    A "yes" counts with the page as its proof, where the link was sent to the address at which the customer is reached now; not
    so where it complained or somebody else said no: then a mail asks that address. On another channel it counts where the person
    had it before and left it by themselves; nobody is asked there. Raises NotFound, Invalid.
    """
    link = open_person_link(token, Purpose.PREFERENCES, keys=room.keys, clock=room.clock)
    customer = root(link.customer_id, customers=room.customers)
    state = _State(customer, link, room)
    if not chosen.shown | chosen.wanted <= state.offered():
        raise Invalid.at("/topics", "unknown_topic", "no such topic")
    deny(
        sorted(subject for subject in chosen.shown - chosen.wanted if state.is_open(subject)),
        link,
        method=Method.PREFERENCE_CENTRE,
        source=SOURCE,
        room=room,
    )
    wanted = sorted(subject for subject in chosen.wanted if not state.is_on(subject))
    raised = [subject for subject in wanted if state.may_raise(subject)]
    _grant(raised, state, link, chosen.ip, room)
    to_ask = tuple(each.topic for each in wanted if each.channel is Channel.EMAIL and each not in raised)
    if to_ask and not state.is_blocked:
        _ask(to_ask, customer, link, room)
    _keep_pace(link, chosen, room)
    if chosen.attributes:
        _keep_attributes(link, chosen.attributes, room)
    asked = tuple(state.topics[topic] for topic in to_ask)
    return replace(_page(token, link, room), is_saved=True, asked=asked, wrong_birthday=chosen.wrong_birthday)


def _ask(topics: tuple[str, ...], customer: Customer, link: PersonLink, room: PreferenceRoom) -> None:
    from .subscriptions import AskToConfirm  # noqa: PLC0415 (who only looks at the page sends nothing)

    room.ask(
        AskToConfirm(
            customer_id=customer.customer_id,
            site=link.site,
            topics=topics,
            language=link.language,
            text_version=None,
            source=SOURCE,
        )
    )


def stop_everything(token: str, *, room: PreferenceRoom) -> PreferencePage:
    """Deny every topic by mail, before this returns. Raises NotFound."""
    link = open_person_link(token, Purpose.PREFERENCES, keys=room.keys, clock=room.clock)
    book = room.consents.of(root(link.customer_id, customers=room.customers).customer_id)
    denied = {subject for subject, consent in book.consents.items() if consent.state is State.DENIED}
    deny(sorted(mail_subjects(book, room.topics) - denied), link, method=Method.PREFERENCE_CENTRE, source=SOURCE, room=room)
    return replace(_page(token, link, room), is_saved=True)


class _State:
    """What holds for the addresses at which a customer is reached; `mailbox` is the digest of the one that the link went to."""

    def __init__(self, customer: Customer, link: PersonLink, room: PreferenceRoom) -> None:
        self.topics = {topic.topic: topic for topic in room.topics.all()}
        self.mailbox = mailbox_behind(link, customer, room.consents)
        self._book = room.consents.of(customer.customer_id).consents
        used = {Channel.EMAIL, *(subject.channel for subject in self._book)}
        addresses = {channel: address for channel, address in _addresses(customer).items() if channel in used}
        found = room.suppressions.of(Address(channel, address) for channel, address in addresses.items())
        self._shut = {address.channel for address, suppression in found.items() if suppression.is_active(room.clock.now())}
        self._digests = {channel: room.consents.digest(channel, address) for channel, address in addresses.items()}

    @property
    def is_blocked(self) -> bool:
        return Channel.EMAIL in self._shut

    def offered(self) -> set[Subject]:
        """Give what can be chosen: each topic by mail that is sent so, and by any other channel that is on record."""
        by_mail = {Subject(Channel.EMAIL, each.topic) for each in self.topics.values() if Channel.EMAIL in each.channels}
        others = {each for each in self._book if each.channel is not Channel.EMAIL and each.topic in self.topics}
        return by_mail | others

    def choices(self) -> tuple[TopicChoice, ...]:
        """Give them by topic, without the topics that have none."""
        offered: dict[str, list[Subject]] = {}
        for subject in sorted(self.offered()):
            offered.setdefault(subject.topic, []).append(subject)
        return tuple(self._choice(topic, offered[name]) for name, topic in self.topics.items() if name in offered)

    def _choice(self, topic: Topic, offered: Sequence[Subject]) -> TopicChoice:
        mail = Subject(Channel.EMAIL, topic.topic)
        others = tuple(self._other(each) for each in offered if each != mail)
        return TopicChoice(topic, self.is_on(mail) if mail in offered else None, others)

    def _other(self, subject: Subject) -> ChannelChoice:
        is_on = self.is_on(subject)
        is_open = is_on or self.may_raise(subject)
        if subject.channel in self._shut or not is_open:
            return ChannelChoice(subject.channel, is_on, is_open, Note.SHUT)
        return ChannelChoice(subject.channel, is_on, is_open, Note.WAITING if is_on and not self._holds(subject) else None)

    def address(self, channel: Channel) -> str | None:
        return self._digests.get(channel)

    def is_on(self, subject: Subject) -> bool:
        """Say whether a "yes" would say nothing new: on a channel where nobody is asked, what waits stays so."""
        return self._holds(subject) if subject.channel is Channel.EMAIL else self.is_open(subject)

    def is_open(self, subject: Subject) -> bool:
        """Say whether a "no" would say something new."""
        consent = self._book.get(subject)
        return consent is not None and consent.state is not State.DENIED

    def may_raise(self, subject: Subject) -> bool:
        """Say whether the page is proof enough: by mail of what its own mailbox says, elsewhere of what was left by oneself."""
        if self.mailbox is None or self.is_blocked or subject.channel in self._shut:
            return False
        consent, channel = self._book.get(subject), subject.channel
        if channel is Channel.EMAIL:
            return not is_hard_no(consent)
        is_offered = channel in self.topics[subject.topic].channels
        return is_offered and consent is not None and may_resume(channel, consent, self.address(channel))

    def _holds(self, subject: Subject) -> bool:
        consent = self._book.get(subject)
        return consent is not None and effective(subject, consent, self.address(subject.channel)) is State.GRANTED


def _addresses(customer: Customer) -> dict[Channel, str]:
    """Give where a customer is reached; by mail at no address that is merely claimed."""
    mailbox = mailbox_of(customer)
    others = {channel: address for channel, address in reached(customer).items() if channel is not Channel.EMAIL}
    return others | ({Channel.EMAIL: mailbox} if mailbox else {})


def _grant(subjects: Sequence[Subject], state: _State, link: PersonLink, ip: str, room: PreferenceRoom) -> None:
    """Grant for the addresses of `state`: another one that the customer has by now has agreed to nothing."""
    now = room.clock.now()
    proof = Proof(
        kind=ProofKind.PREFERENCE_CENTRE,
        confirmed_at=now,
        reference=f"message:{link.reference}" if link.reference else None,
        ip=ip or None,
    )
    for start in range(0, len(subjects), MOST_CHANGES):
        changes = tuple(
            ConsentChange(
                channel=subject.channel,
                topic=subject.topic,
                state=State.GRANTED,
                at=now,
                source=None,
                method=Method.PREFERENCE_CENTRE,
                text_version=None,
                proof=proof,
                address=state.address(subject.channel),
            )
            for subject in subjects[start : start + MOST_CHANGES]
        )
        change_consents(
            ChangeConsents(customer_id=link.customer_id, changes=changes, site=link.site, source=SOURCE),
            None,
            consents=room.consents,
            customers=room.customers,
            topics=room.topics,
            requests=room.requests,
            clock=room.clock,
        )


def _keep_pace(link: PersonLink, chosen: Choose, room: PreferenceRoom) -> None:
    for _ in range(ATTEMPTS):
        customer, now = root(link.customer_id, customers=room.customers), room.clock.now()
        book = room.books.of(customer.partitions)
        before = after = book.preferences
        if chosen.frequency is not None and chosen.frequency is not before.frequency:
            after = replace(after, frequency=chosen.frequency, frequency_at=now)
        if chosen.pause is not None and chosen.pause is not before.is_paused(now):
            after = replace(after, paused_until=now + PAUSE if chosen.pause else None, pause_at=now)
        if after == before:
            return
        try:
            room.books.write(
                customer.customer_id, after, _changed(customer.customer_id, link.site, after, now), seen=book.version
            )
        except Contended:
            continue
        return
    raise Contended("many requests for this customer at once; try again")


def _changed(customer_id: str, site: str, preferences: Preferences, now: datetime) -> Event:
    until = preferences.paused_until
    return Event(
        id=f"preferences.changed:{to_text(now)}",
        type="preferences.changed",
        occurred_at=now,
        received_at=now,
        site=site,
        customer_id=customer_id,
        source=SOURCE,
        data={"frequency": preferences.frequency.value, "paused_until": to_text(until) if until else None},
    )


def _keep_attributes(link: PersonLink, attributes: Mapping[str, Any], room: PreferenceRoom) -> None:
    update_customer(
        UpdateCustomer(
            site=link.site,
            identifiers=(),
            attributes=attributes,
            at=None,
            cause="preferences",
            source=SOURCE,
            backfill=False,
            customer_id=link.customer_id,
        ),
        None,
        customers=room.customers,
        profiles=room.profiles,
        requests=room.requests,
        clock=room.clock,
        ids=room.ids,
    )


def _page(token: str, link: PersonLink, room: PreferenceRoom) -> PreferencePage:
    customer = root(link.customer_id, customers=room.customers)
    preferences, state = room.books.of(customer.partitions).preferences, _State(customer, link, room)
    attributes = vouched(merged(*(book.attributes for book in room.profiles.of(customer.partitions))))
    my_data = PersonLink(purpose=Purpose.MY_DATA, site=link.site, customer_id=link.customer_id, language=link.language)
    now = room.clock.now()
    return PreferencePage(
        site=site_behind(link.site, room.sites),
        link_language=link.language,
        topics=state.choices(),
        frequency=preferences.frequency,
        paused_until=preferences.paused_until if preferences.is_paused(now) else None,
        language=attributes.get("language"),
        has_birthday="birthday" in attributes,
        is_blocked=state.is_blocked,
        my_data_url=person_url(room.public_url, my_data, ring_for(token, room.keys)),
    )
