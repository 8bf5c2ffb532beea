"""Double opt-in: the mailbox that was asked confirms, once, within 72 hours, and by a button: its scanners follow links, too."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from ecrm.domain.attributes import merged, vouched
from ecrm.domain.consent import Channel, Method, Proof, ProofKind, State
from ecrm.domain.links import Language, PersonLink, Purpose
from ecrm.domain.sites import Site
from ecrm.domain.topics import Topic

from .consent import ChangeConsents, ConsentChange, change_consents
from .identity import root
from .links import open_person_link, site_behind
from .mail_ports import Sends
from .person_links import refuse_former
from .ports import Clock, Consents, Customers, Ids, LinkKeys, NamedTopics, Profiles, Request, Requests, Sites, Timeline
from .profiles import UpdateCustomer, update_customer
from .subscriptions import SignUp, read_sign_up

SOURCE = "public:confirm"
REMEMBERED = timedelta(days=7)
"""How long it is known that a link was used: longer than it lasts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OptIn:
    """What is confirmed. `is_done`: it was, by this link."""

    site: Site
    language: Language | None
    topics: tuple[Topic, ...]
    is_done: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OptInRoom:
    """The collaborators of both use cases."""

    keys: LinkKeys
    sites: Sites
    topics: NamedTopics
    consents: Consents
    customers: Customers
    requests: Requests
    sends: Sends
    timeline: Timeline
    profiles: Profiles
    clock: Clock
    ids: Ids


def read_opt_in(token: str, *, room: OptInRoom) -> OptIn:
    """Read what a link confirms. Raises NotFound: ended, erased, or sent to an address that is not the customer's now."""
    link, sign_up, _ = _open(token, room)
    return _page(link, sign_up, room, is_done=room.requests.find(_once(link, room), room.clock.now()) is not None)


def confirm_opt_in(token: str, *, ip: str, room: OptInRoom) -> OptIn:
    """Grant what the mail asked about, with this as its proof; a second time changes nothing, whatever was said since.

    Who has no language yet has the sign-up's from now on: until here it was a stranger's word. Raises NotFound as `read_opt_in`
    does.
    """
    link, sign_up, mailbox = _open(token, room)
    now = room.clock.now()
    if sign_up.language and room.requests.find(_once(link, room), now) is None:
        _keep_language(link, sign_up.language, room)
    proof = Proof(kind=ProofKind.DOUBLE_OPT_IN, confirmed_at=now, reference=link.reference, ip=ip or None)
    changes = tuple(
        ConsentChange(
            channel=Channel.EMAIL,
            topic=topic,
            state=State.GRANTED,
            at=now,
            source=None,
            method=Method.DOUBLE_OPT_IN,
            text_version=text_version,
            proof=proof,
            address=mailbox,
        )
        for topic, text_version in sorted(sign_up.topics.items())
    )
    change_consents(
        ChangeConsents(customer_id=link.customer_id, changes=changes, site=link.site, source=SOURCE),
        _once(link, room),
        consents=room.consents,
        customers=room.customers,
        topics=room.topics,
        requests=room.requests,
        clock=room.clock,
    )
    return _page(link, sign_up, room, is_done=True)


def _open(token: str, room: OptInRoom) -> tuple[PersonLink, SignUp, str]:
    """Give the digest of the mailbox that confirms, too."""
    link = open_person_link(token, Purpose.CONFIRM, keys=room.keys, clock=room.clock)
    mailbox = refuse_former(link, root(link.customer_id, customers=room.customers), room.consents)
    return link, read_sign_up(link.customer_id, link.reference, sends=room.sends, timeline=room.timeline), mailbox


def _keep_language(link: PersonLink, language: str, room: OptInRoom) -> None:
    partitions = root(link.customer_id, customers=room.customers).partitions
    if "language" in vouched(merged(*(book.attributes for book in room.profiles.of(partitions)))):
        return
    update_customer(
        UpdateCustomer(
            site=link.site,
            identifiers=(),
            attributes={"language": language},
            at=None,
            cause="confirmation",
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


def _once(link: PersonLink, room: OptInRoom) -> Request:
    """Name the one use that a link is good for; it is written with what it does."""
    named = hashlib.sha256(f"confirm\0{link.reference}".encode()).hexdigest()
    return Request(key=named, digest=named, expires_at=room.clock.now() + REMEMBERED)


def _page(link: PersonLink, sign_up: SignUp, room: OptInRoom, *, is_done: bool) -> OptIn:
    named = room.topics.named(sign_up.topics)
    return OptIn(
        site=site_behind(link.site, room.sites),
        language=link.language,
        topics=tuple(named[topic] for topic in sorted(sign_up.topics) if topic in named),
        is_done=is_done,
    )
