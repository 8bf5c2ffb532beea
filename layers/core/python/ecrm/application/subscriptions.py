"""Sign-up for a site's topics: whoever types an address into a form asks; who reads its mail agrees (double opt-in).

Whoever asks is told nothing. For whose the address is, nothing changes but that they are asked: a pending consent neither grants
nor denies (docs/decisions/0018), and a stranger sets no language and no name.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from ecrm.domain.consent import Channel, Method, State, Subject, effective
from ecrm.domain.customers import Customer, Identifier, Kind
from ecrm.domain.errors import Erased, Flaw, Invalid, NotFound
from ecrm.domain.instants import to_text
from ecrm.domain.messages import MESSAGE_SHARD, Send, mailbox_of
from ecrm.domain.sites import Site
from ecrm.domain.suppressions import Address, comparable
from ecrm.domain.templates import choose
from ecrm.domain.topics import Topic

from .consent import ChangeConsents, ConsentChange, change_consents
from .identity import Authority, Person, root, whose
from .mail_ports import Limits, Sends
from .messages import AllIds, RequestMessage, new_message, requested_id
from .ports import (
    Clock,
    ConsentBook,
    Consents,
    Contended,
    Customers,
    Requests,
    Sites,
    Standing,
    Suppressions,
    Timeline,
    Topics,
)

TEMPLATE = "confirm-address"
SOURCE = "public:subscribe"
HOUR, DAY = 3_600, 86_400
SIGN_UPS_AN_IP = 20
"""Sign-ups an hour that one place of the internet may ask for."""
MAILS_A_SITE = 10_240
"""Sign-ups an hour for which one site sends mail, whoever asks from wherever: twice what a large launch comes to."""
SITE_SHARDS = 32
"""Counters that one site's hour is spread over by chance, so that many who sign up at once are not in each other's way."""
MAILS_A_DAY, MAILS_IN_ALL = 1, 3
"""Confirmation mails to one mailbox; in all means until somebody there has proven that they agree."""
ATTEMPTS = 4
FOR_EVER = 100 * 365 * DAY
_GMAIL = frozenset({"gmail.com", "googlemail.com"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribe:
    """What stands in the form. `text_version` names the words beside its button, None those of the topics; `ip` is whence."""

    site: str
    email: str
    topics: tuple[str, ...]
    language: str | None
    text_version: str | None
    ip: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AskToConfirm:
    """That a known customer, who may have said no, wants to hear of some topics again."""

    customer_id: str
    site: str
    topics: tuple[str, ...]
    language: str | None
    text_version: str | None
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignUp:
    """What somebody is to confirm: `topics` by name, each with the version of the words that were shown."""

    customer_id: str
    site: str
    message_id: str
    topics: Mapping[str, str]
    language: str | None
    asked_at: datetime


type Addressee = tuple[Customer, Standing]


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmations:
    """Asks addresses by mail whether a consent is meant, no more often than MAILS_A_DAY and MAILS_IN_ALL allow.

    `refused` is called where a place or a site has asked for too many within the hour.
    """

    limits: Limits
    customers: Customers
    consents: Consents
    suppressions: Suppressions
    topics: Topics
    requests: Requests
    sites: Sites
    sends: Sends
    clock: Clock
    ids: AllIds
    refused: Callable[[], object]

    def subscribe(self, asked: Subscribe) -> Send | None:
        """Let the address be asked whether it was meant, where it may be; None where it is not.

        Whoever asks may not learn which it was: each way reads about as much. Nothing goes to an address that is
        suppressed, has said yes already, or was asked often enough. Raises Invalid for what is no secret: a site without a
        sender, an unknown topic. 22 write units for a new customer, and one for the index.
        """
        now = self.clock.now()
        known = AskToConfirm(
            customer_id=self.ids.message_id(now),
            site=asked.site,
            topics=asked.topics,
            language=asked.language,
            text_version=asked.text_version,
            source=SOURCE,
        )
        site, defined = self._defined(known)
        is_allowed = self.limits.allow("subscribe-ip", asked.ip, SIGN_UPS_AN_IP, HOUR, now)
        return self._ask(known, partial(self._whose, asked, known.customer_id, now), site, defined, now, is_allowed=is_allowed)

    def ask_to_confirm(self, asked: AskToConfirm) -> Send | None:
        """Ask a customer at the address at which they are reached, as `subscribe` does. Raises NotFound, Erased, Invalid."""
        site, defined = self._defined(asked)
        return self._ask(asked, partial(self._root, asked.customer_id), site, defined, self.clock.now(), is_allowed=True)

    def _ask(
        self,
        asked: AskToConfirm,
        addressee: Callable[[], Addressee | None],
        site: Site,
        defined: Mapping[str, Topic],
        now: datetime,
        *,
        is_allowed: bool,
    ) -> Send | None:
        found = addressee()
        message_id = self.ids.message_id(now)
        customer = found[0] if found else Customer(message_id, (), now)
        book = self.consents.of(customer.customer_id)
        address = Address(Channel.EMAIL, mailbox_of(customer) or "")
        is_suppressed = self.suppressions.find(address)[0].is_active(now)
        digest = self.consents.digest(Channel.EMAIL, address.address)
        wanted = [defined[topic] for topic in asked.topics if _is_open(topic, book, digest)]
        is_meant = is_allowed and bool(address.address and wanted) and not is_suppressed
        # Who gets no mail is counted as somebody whom nobody knows, on a site that nobody has.
        counter = site_counter(asked.site, message_id) if is_meant else message_id
        is_in_time = self.limits.allow("opt-in-site", counter, MAILS_A_SITE // SITE_SHARDS, HOUR, now)
        if not (is_allowed and is_in_time):
            self.refused()
        is_meant = is_meant and is_in_time
        counted = _mailbox(address) if is_meant else message_id
        is_due = self.limits.allow("opt-in-day", counted, MAILS_A_DAY, DAY, now)
        counted = counted if is_due else message_id
        is_left = self.limits.allow(
            "opt-in", f"{counted}\0{_proven_at(book)}", MAILS_IN_ALL, DAY if counted == message_id else FOR_EVER, now
        )
        if not (is_meant and is_due and is_left):
            return None
        words = {topic.topic: asked.text_version or topic.text_version for topic in wanted}
        names = [topic.names[choose(topic.names, asked.language, site.languages)] for topic in wanted]
        command = RequestMessage(
            template=TEMPLATE,
            site=asked.site,
            customer_id=None,
            identifiers=(),
            data={"topics": words, "names": names},
            language=asked.language,
            source=asked.source,
        )
        for _ in range(ATTEMPTS):
            if found is None:
                return None
            send, requested = new_message(message_id, command, found[0].customer_id, now)
            try:
                self.sends.add(send, requested, found[1], None)
            except Contended:
                found = addressee()
                continue
            self._leave_pending(send, words, asked.source)
            return send
        raise Contended("many requests for this address at once; try again")

    def _defined(self, asked: AskToConfirm) -> tuple[Site, Mapping[str, Topic]]:
        site = self.sites.find(asked.site)
        if site is None or site.sender is None:
            raise Invalid.at("", "no_sender", "the site has no sender")
        defined = self.topics.named(asked.topics)
        flaws = tuple(
            Flaw(f"/topics/{at}", "unknown_topic", "there is no mail about such a topic")
            for at, topic in enumerate(asked.topics)
            if topic not in defined or Channel.EMAIL not in defined[topic].channels
        )
        if flaws:
            raise Invalid(flaws[0].detail, flaws=flaws)
        return site, defined

    def _whose(self, asked: Subscribe, cause: str, now: datetime) -> Addressee | None:
        """Find whose the address is, or whom it makes; None where that person is being erased or removed at this moment."""
        person = Person(
            site=asked.site,
            identifiers=(Identifier(Kind.EMAIL, asked.email),),
            authority=Authority.VOUCHER,
            statement=False,
            at=now,
            cause=f"sign-up:{cause}",
            source=SOURCE,
            is_unconfirmed=True,
        )
        try:
            standing = whose(person, customers=self.customers, now=now, ids=self.ids, consistent=True)
            if standing.claim is not None:
                return standing.claim.customer, standing
            return self._root(standing.customer_id)
        except (Erased, Contended):
            return None

    def _root(self, customer_id: str) -> Addressee:
        customer = root(customer_id, customers=self.customers)
        return customer, Standing(customer.customer_id, found=customer)

    def _leave_pending(self, send: Send, words: Mapping[str, str], source: str) -> None:
        changes = tuple(_pending(topic, version, send.planned_at) for topic, version in words.items())
        change_consents(
            ChangeConsents(customer_id=send.customer_id, changes=changes, site=send.site, source=source),
            None,
            consents=self.consents,
            customers=self.customers,
            topics=self.topics,
            requests=self.requests,
            clock=self.clock,
        )


def read_sign_up(customer_id: str, message_id: str, *, sends: Sends, timeline: Timeline) -> SignUp:
    """Read what a confirmation mail asked for; two reads. Raises NotFound, also where the message is no confirmation."""
    send = sends.find(message_id, MESSAGE_SHARD, customer_id)
    if send is not None and send.requested_at is not None and send.closed_at is None:
        said = timeline.said(send.customer_id, send.requested_at, requested_id(message_id))
        topics = said.get("data", {}).get("topics") if said.get("template") == TEMPLATE else None
        if topics:
            return SignUp(
                customer_id=customer_id,
                site=send.site,
                message_id=message_id,
                topics=topics,
                language=said.get("language"),
                asked_at=send.requested_at,
            )
    raise NotFound("no such sign-up", code="sign_up_not_found")


def site_counter(site: str, message_id: str) -> str:
    """Name the counter of a site under which a mail is counted."""
    return f"{site}\0{int(message_id[-2:], 16) % SITE_SHARDS}"


def _mailbox(address: Address) -> str:
    """Name the mailbox that an address most likely leads to: what follows a + makes no other one (RFC 5233), nor do Gmail's dots.

    Where that is wrong, two are asked as often as one would be. Nothing else takes two addresses for one.
    """
    local, _, domain = comparable(address).rpartition("@")
    user = local.partition("+")[0] or local
    return f"{user.replace('.', '')}@gmail.com" if domain in _GMAIL else f"{user}@{domain}"


def _is_open(topic: str, book: ConsentBook, digest: str) -> bool:
    subject = Subject(Channel.EMAIL, topic)
    consent = book.consents.get(subject)
    return consent is None or effective(subject, consent, digest) is not State.GRANTED


def _proven_at(book: ConsentBook) -> str:
    """Say when somebody there has last proven that they agree, in any way: from then on the mails to them are counted anew.

    Of each consent the latest proof is known, so this only grows: no earlier count ever comes back.
    """
    proven = (consent.proven for subject, consent in book.consents.items() if subject.channel is Channel.EMAIL)
    return to_text(max(times)) if (times := [fact.since for fact in proven if fact]) else ""


def _pending(topic: str, version: str, now: datetime) -> ConsentChange:
    return ConsentChange(
        channel=Channel.EMAIL,
        topic=topic,
        state=State.PENDING,
        at=now,
        source=None,
        method=Method.FORM,
        text_version=version,
        proof=None,
    )
