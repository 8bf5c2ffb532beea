"""A person's preferences: what they hear about, how often, in which language; chosen on a page that only their mails lead to."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from ecrm.domain.attributes import merged, vouched
from ecrm.domain.consent import Channel, Consent, Method, Proof, ProofKind, State, Subject, effective
from ecrm.domain.customers import Customer
from ecrm.domain.errors import Invalid
from ecrm.domain.events import Event
from ecrm.domain.instants import to_text
from ecrm.domain.links import Language, PersonLink, Purpose, person_url
from ecrm.domain.messages import mailbox_of
from ecrm.domain.preferences import PAUSE, Frequency, Preferences, is_hard_no
from ecrm.domain.sites import Site
from ecrm.domain.suppressions import Address
from ecrm.domain.topics import Topic

from .consent import MOST_CHANGES, ChangeConsents, ConsentChange, change_consents
from .identity import root
from .link_keys import ring_for
from .links import mailbox_behind, open_person_link, site_behind
from .ports import Contended, Ids, PreferenceBook, Profiles, Suppressions
from .profiles import UpdateCustomer, update_customer
from .unsubscribes import UnsubscribeRoom, deny

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


@dataclass(frozen=True, slots=True)
class TopicChoice:
    topic: Topic
    is_on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferencePage:
    """What the page shows. Of the birthday only whether one is known: a mail may have been passed on.

    `is_blocked`: nothing is sent to the address, whatever is chosen here. Of `asked` a mail asks whether they are meant.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Choose:
    """What is chosen. `shown` are the topics that were to be chosen from, `wanted` those that were; None leaves a thing as it is.

    `pause`: begin one, or end it. `attributes` are as a profile keeps them.
    """

    shown: frozenset[str]
    wanted: frozenset[str]
    frequency: Frequency | None
    pause: bool | None
    attributes: Mapping[str, Any]
    ip: str


def read_preferences(token: str, *, room: PreferenceRoom) -> PreferencePage:
    """Read what holds for whoever has the link. Raises NotFound, also where the customer is erased."""
    link = open_person_link(token, Purpose.PREFERENCES, keys=room.keys, clock=room.clock)
    return _page(token, link, room)


def choose(token: str, chosen: Choose, *, room: PreferenceRoom) -> PreferencePage:
    """Keep what is chosen: every "no" first, and at once.

    A "yes" counts with the page as its proof, where the link was sent to the address at which the customer is reached now; not
    so where it complained or somebody else said no: then a mail asks that address. Raises NotFound, Invalid.
    """
    link = open_person_link(token, Purpose.PREFERENCES, keys=room.keys, clock=room.clock)
    customer = root(link.customer_id, customers=room.customers)
    topics = {topic.topic: topic for topic in _offered(room)}
    if not chosen.shown | chosen.wanted <= topics.keys():
        raise Invalid.at("/topics", "unknown_topic", "no such topic")
    state = _State(customer, link, room)
    deny(
        sorted(topic for topic in chosen.shown - chosen.wanted if state.is_open(topic)),
        link,
        method=Method.PREFERENCE_CENTRE,
        source=SOURCE,
        room=room,
    )
    wanted = sorted(topic for topic in chosen.wanted if not state.is_on(topic))
    to_ask = tuple(topic for topic in wanted if not state.may_raise(topic))
    _grant([topic for topic in wanted if topic not in to_ask], state.mailbox, link, chosen.ip, room)
    if to_ask and not state.is_blocked:
        _ask(to_ask, customer, link, room)
    _keep_pace(link, chosen, room)
    if chosen.attributes:
        _keep_attributes(link, chosen.attributes, room)
    return replace(_page(token, link, room), is_saved=True, asked=tuple(topics[topic] for topic in to_ask))


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
    book = room.consents.of(root(link.customer_id, customers=room.customers).customer_id).consents
    named = {topic.topic for topic in _offered(room)} | {each.topic for each in book if each.channel is Channel.EMAIL}
    denied = {each.topic for each, consent in book.items() if each.channel is Channel.EMAIL and consent.state is State.DENIED}
    deny(sorted(named - denied), link, method=Method.PREFERENCE_CENTRE, source=SOURCE, room=room)
    return replace(_page(token, link, room), is_saved=True)


class _State:
    """What holds for the address at which a customer is reached by mail."""

    def __init__(self, customer: Customer, link: PersonLink, room: PreferenceRoom) -> None:
        self._book = room.consents.of(customer.customer_id).consents
        mailbox = mailbox_of(customer)
        self._digest = room.consents.digest(Channel.EMAIL, mailbox) if mailbox else None
        self.mailbox = mailbox_behind(link, customer, room.consents)
        self.is_blocked = bool(mailbox) and room.suppressions.find(Address(Channel.EMAIL, str(mailbox)))[0].is_active(
            room.clock.now()
        )

    def _consent(self, topic: str) -> Consent | None:
        return self._book.get(Subject(Channel.EMAIL, topic))

    def is_on(self, topic: str) -> bool:
        consent = self._consent(topic)
        return consent is not None and effective(Subject(Channel.EMAIL, topic), consent, self._digest) is State.GRANTED

    def is_open(self, topic: str) -> bool:
        """Say whether a "no" would say something new."""
        consent = self._consent(topic)
        return consent is not None and consent.state is not State.DENIED

    def may_raise(self, topic: str) -> bool:
        return self.mailbox is not None and not self.is_blocked and not is_hard_no(self._consent(topic))


def _offered(room: PreferenceRoom) -> tuple[Topic, ...]:
    return tuple(topic for topic in room.topics.all() if Channel.EMAIL in topic.channels)


def _grant(topics: list[str], mailbox: str | None, link: PersonLink, ip: str, room: PreferenceRoom) -> None:
    """Grant for the mailbox that the link proves: another address that the customer has by now has agreed to nothing."""
    now = room.clock.now()
    proof = Proof(
        kind=ProofKind.PREFERENCE_CENTRE,
        confirmed_at=now,
        reference=f"message:{link.reference}" if link.reference else None,
        ip=ip or None,
    )
    for start in range(0, len(topics), MOST_CHANGES):
        changes = tuple(
            ConsentChange(
                channel=Channel.EMAIL,
                topic=topic,
                state=State.GRANTED,
                at=now,
                source=None,
                method=Method.PREFERENCE_CENTRE,
                text_version=None,
                proof=proof,
                address=mailbox,
            )
            for topic in topics[start : start + MOST_CHANGES]
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
        topics=tuple(TopicChoice(topic, state.is_on(topic.topic)) for topic in _offered(room)),
        frequency=preferences.frequency,
        paused_until=preferences.paused_until if preferences.is_paused(now) else None,
        language=attributes.get("language"),
        has_birthday="birthday" in attributes,
        is_blocked=state.is_blocked,
        my_data_url=person_url(room.public_url, my_data, ring_for(token, room.keys)),
    )
