"""Sign-up for a site's topics: whoever types an address into a form asks; who reads its mail agrees (double opt-in).

Whoever asks is told nothing. For whose the address is nothing changes but that they are asked: a pending consent neither grants nor
denies (docs/decisions/0018), and a stranger sets no language and no name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ecrm.domain.consent import Channel, Method, ProofKind, State, Subject, effective
from ecrm.domain.customers import Customer, Identifier, Kind
from ecrm.domain.errors import Erased, Flaw, Invalid, NotFound
from ecrm.domain.instants import to_text
from ecrm.domain.messages import MESSAGE_SHARD, Send, mailbox_of
from ecrm.domain.suppressions import Address, comparable
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
    Ids,
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
MAILS_A_DAY, MAILS_IN_ALL = 1, 3
"""Confirmation mails to one address; in all means until somebody there has confirmed."""
ATTEMPTS = 4
FOR_EVER = 100 * 365 * DAY


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
class SignUp:
    """What somebody is to confirm: `topics` by name, each with the version of the words that were shown."""

    customer_id: str
    site: str
    message_id: str
    topics: Mapping[str, str]
    language: str | None
    asked_at: datetime


def subscribe(
    asked: Subscribe,
    *,
    limits: Limits,
    customers: Customers,
    consents: Consents,
    suppressions: Suppressions,
    topics: Topics,
    requests: Requests,
    sites: Sites,
    sends: Sends,
    clock: Clock,
    ids: AllIds,
) -> Send | None:
    """Let the address be asked whether it was meant, where it may be; None where it is not.

    Whoever asks may not learn which it was: each way reads and writes about as much. An address that is suppressed, that has
    said yes already, or was asked often enough gets nothing. Raises Invalid for what is no secret: a site without a sender, an
    unknown topic. About 20 write units for a new customer.
    """
    now = clock.now()
    defined = _defined(asked, topics=topics, sites=sites)
    message_id = ids.message_id(now)
    is_allowed = limits.allow("subscribe-ip", asked.ip, SIGN_UPS_AN_IP, HOUR, now)
    found = _addressee(asked, message_id, customers=customers, now=now, ids=ids)
    customer = found[0] if found else Customer(message_id, (), now)
    book = consents.of(customer.customer_id)
    mailbox = mailbox_of(customer) or asked.email
    is_suppressed = suppressions.find(Address(Channel.EMAIL, mailbox))[0].is_active(now)
    open_topics = tuple(topic for topic in asked.topics if _is_open(topic, book, consents.digest(Channel.EMAIL, mailbox)))
    is_meant = found is not None and is_allowed and not is_suppressed and open_topics
    # Who gets no mail is counted as somebody whom nobody knows.
    counted = comparable(Address(Channel.EMAIL, mailbox)) if is_meant else message_id
    is_due = (
        limits.allow("opt-in-day", counted, MAILS_A_DAY, DAY, now),
        limits.allow("opt-in", f"{counted}\0{_last_confirmed(book)}", MAILS_IN_ALL, FOR_EVER if is_meant else DAY, now),
    )
    if not is_meant or not all(is_due):
        return None
    words = {topic: asked.text_version or defined[topic].text_version for topic in open_topics}
    command = RequestMessage(
        template=TEMPLATE,
        site=asked.site,
        customer_id=None,
        identifiers=(),
        data={"topics": words},
        language=asked.language,
        source=SOURCE,
    )
    for _ in range(ATTEMPTS):
        if found is None:
            return None
        send, requested = new_message(message_id, command, found[0].customer_id, now)
        try:
            sends.add(send, requested, found[1], None)
        except Contended:
            found = _addressee(asked, message_id, customers=customers, now=now, ids=ids)
            continue
        changes = tuple(_pending(topic, version, now) for topic, version in words.items())
        pending = ChangeConsents(customer_id=send.customer_id, changes=changes, site=asked.site, source=SOURCE)
        change_consents(pending, None, consents=consents, customers=customers, topics=topics, requests=requests, clock=clock)
        return send
    raise Contended("many requests for this address at once; try again")


def _defined(asked: Subscribe, *, topics: Topics, sites: Sites) -> Mapping[str, Topic]:
    site = sites.find(asked.site)
    if site is None or site.sender is None:
        raise Invalid.at("", "no_sender", "the site has no sender")
    defined = topics.named(asked.topics)
    flaws = tuple(
        Flaw(f"/topics/{at}", "unknown_topic", "no such topic that mail is about")
        for at, topic in enumerate(asked.topics)
        if topic not in defined or Channel.EMAIL not in defined[topic].channels
    )
    if flaws:
        raise Invalid(flaws[0].detail, flaws=flaws)
    return defined


def _addressee(
    asked: Subscribe, message_id: str, *, customers: Customers, now: datetime, ids: Ids
) -> tuple[Customer, Standing] | None:
    """Find whose the address is, or whom it makes; None where that person is being erased at this moment."""
    person = Person(
        site=asked.site,
        identifiers=(Identifier(Kind.EMAIL, asked.email),),
        authority=Authority.VOUCHER,
        statement=False,
        at=now,
        cause=f"sign-up:{message_id}",
        source=SOURCE,
    )
    try:
        standing = whose(person, customers=customers, now=now, ids=ids, consistent=True)
        if standing.claim is not None:
            return standing.claim.customer, standing
        customer = standing.found or root(standing.customer_id, customers=customers)
    except Erased:
        return None
    return customer, Standing(customer.customer_id, found=customer)


def _is_open(topic: str, book: ConsentBook, digest: str) -> bool:
    subject = Subject(Channel.EMAIL, topic)
    consent = book.consents.get(subject)
    return consent is None or effective(subject, consent, digest) is not State.GRANTED


def _last_confirmed(book: ConsentBook) -> str:
    """Say when somebody there has followed a confirmation's link last: from then on its mails are counted anew."""
    proven = (consent.proven for subject, consent in book.consents.items() if subject.channel is Channel.EMAIL)
    followed = [fact.since for fact in proven if fact and fact.proof and fact.proof.kind is ProofKind.DOUBLE_OPT_IN]
    return to_text(max(followed)) if followed else ""


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
