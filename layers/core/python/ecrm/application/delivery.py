"""Taking down what the mail provider tells: in the ledger, on the customer's timeline, and in what may still be sent to whom.

A notice may come again, late, and beside others about the same address. So what concerns the address follows what concerns the
message, is done again whenever the notice comes again, and depends on facts alone, never on which of them came first.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from enum import StrEnum
from itertools import batched

from ecrm.domain.consent import Channel, Method, State
from ecrm.domain.delivery import Bounce, Notice, What, events_of, link_of, with_notice
from ecrm.domain.errors import NotFound
from ecrm.domain.instants import to_text
from ecrm.domain.messages import Send
from ecrm.domain.suppressions import Address, Ground, Reason, Suppression, with_delivery, with_ground, with_soft_bounce

from .consent import MOST_CHANGES, ChangeConsents, ConsentChange, change_consents
from .identity import root
from .mail_ports import AlreadyRecorded, Sends
from .ports import Clock, ConsentBook, Consents, Contended, Customers, Requests, Suppressions, Timeline, Topics

ATTEMPTS = 12
SOURCE = "ses"
_DELIVERED = frozenset({"message.delivered"})
_AT_ONCE = 100


class Outcome(StrEnum):
    """UNKNOWN: no entry of ours is meant."""

    RECORDED = "recorded"
    REPEATED = "repeated"
    UNKNOWN = "unknown"


def record_notice(
    notice: Notice,
    *,
    sends: Sends,
    suppressions: Suppressions,
    consents: Consents,
    customers: Customers,
    topics: Topics,
    timeline: Timeline,
    requests: Requests,
    clock: Clock,
) -> Outcome:
    """Write down a notice, whatever came before it. What must not be sent to any more is suppressed before anything else.

    Half a read unit and 4 write units; a delivery 1 read unit more. Raises Unavailable: then it is to be told again.
    """
    now = clock.now()
    address = Address(Channel.EMAIL, notice.address)

    def change(to: Callable[[Suppression], Suppression]) -> Suppression:
        return _changed(address, to, now, suppressions)

    reason = _reason(notice)
    if reason is not None:
        ground = Ground(since=notice.at, source=SOURCE, note=_note(notice))
        change(lambda seen: with_ground(seen, reason, ground))
    digest = consents.digest(*address)
    send, outcome = _recorded(notice, digest, sends, now)
    if send is None:
        return outcome
    match notice.what:
        case What.DELIVERED:
            change(lambda seen: with_delivery(seen, notice.at))
        case What.BOUNCED if notice.bounce is Bounce.SOFT:
            first, *_ = change(lambda seen: with_soft_bounce(seen, notice.at)).soft.bounced_at
            latest = _last_delivery(send, digest, first, now, customers=customers, timeline=timeline)
            if latest is not None:
                change(lambda seen: with_delivery(seen, latest))
        case What.COMPLAINED:
            _withdraw(send, notice.at, consents=consents, customers=customers, topics=topics, requests=requests, clock=clock)
    return outcome


def _reason(notice: Notice) -> Reason | None:
    if notice.what is What.COMPLAINED:
        return Reason.COMPLAINT
    return Reason.HARD_BOUNCE if notice.bounce is Bounce.HARD else None


def _note(notice: Notice) -> str | None:
    """Say why, in SES's words and without anybody else's."""
    words = (notice.said.get(name) for name in ("sub_type", "feedback_type"))
    return next((str(word) for word in words if word), None)


def _recorded(notice: Notice, digest: str, sends: Sends, now: datetime) -> tuple[Send | None, Outcome]:
    """Write the entry and the event, always the one with the other; gives the entry, where there is one.

    An older state does at first, for half the units: what it lacks is found when it is written, or is not there at all.
    """
    for again in range(ATTEMPTS):
        send = sends.find(notice.run_id, notice.shard, notice.customer_id, consistent=again > 0)
        if send is None or notice.attempt > send.attempt:
            if again:
                return None, Outcome.UNKNOWN
            continue
        try:
            is_told = _tell(send, notice, digest, sends, now)
        except AlreadyRecorded:
            return send, Outcome.REPEATED
        except Contended:
            continue
        return send, Outcome.RECORDED if is_told else Outcome.REPEATED
    raise Contended("many notices of this message at once; try again")


def _tell(send: Send, notice: Notice, digest: str, sends: Sends, now: datetime) -> bool:
    """Write what a notice says; False where that is nothing. Raises Contended where the entry is not as it was seen."""
    after = with_notice(send, notice)
    events = events_of(send, after, notice, digest, now)
    if after.links.keys() - send.links.keys():
        sends.name_link(send.run_id, link_of(notice), str(notice.said["link"]))
    if after is not send and sends.write(after, events) is not None:
        raise Contended("the entry changed meanwhile")
    if after is send:
        for event in events:
            sends.tell(send, event)
    return after is not send or bool(events)


def _changed(
    address: Address, change: Callable[[Suppression], Suppression], now: datetime, suppressions: Suppressions
) -> Suppression:
    for _ in range(ATTEMPTS):
        seen, version = suppressions.find(address)
        after = change(seen)
        if after == seen:
            return seen
        try:
            suppressions.write(address, after, None, now, seen=version)
        except Contended:
            continue
        return after
    raise Contended("many notices about this address at once; try again")


def _last_delivery(
    send: Send, digest: str, since: datetime, now: datetime, *, customers: Customers, timeline: Timeline
) -> datetime | None:
    """Look for the latest delivery to an address since the first of its soft bounces that count.

    A delivery that is written down at this moment finds the bounce, which stands already; one that was before is found here.
    """
    try:
        partitions = root(send.customer_id, customers=customers).partitions
    except NotFound:
        return None
    before: str | None = None
    while True:
        page = timeline.events(
            partitions, _DELIVERED, now=now, since=to_text(since), before=before, limit=_AT_ONCE, consistent=True
        )
        found = [event.occurred_at for event in page.items if event.data.get("address_digest") == digest]
        if found or page.last is None:
            return max(found, default=None)
        before = page.last


def _withdraw(
    send: Send,
    at: datetime,
    *,
    consents: Consents,
    customers: Customers,
    topics: Topics,
    requests: Requests,
    clock: Clock,
) -> None:
    """Take a complaint as a "no" to every topic that the customer had been asked about by mail when they complained."""
    try:
        customer = root(send.customer_id, customers=customers)
        for some in batched(_denials(consents.of(customer.customer_id), at), MOST_CHANGES, strict=False):
            command = ChangeConsents(customer_id=customer.customer_id, changes=some, site=send.site, source=SOURCE)
            change_consents(command, None, consents=consents, customers=customers, topics=topics, requests=requests, clock=clock)
    except NotFound:  # erased meanwhile, or for long
        return


def _denials(book: ConsentBook, at: datetime) -> Iterator[ConsentChange]:
    """What was asked later, or has been denied since, a complaint says nothing of: it may come late, and twice."""
    for subject, consent in sorted(book.consents.items()):
        is_denied = consent.denied is not None and consent.denied.since >= at
        was_asked = any(fact.since <= at for fact in consent.facts if fact.state is not State.DENIED)
        if subject.channel is Channel.EMAIL and was_asked and not is_denied:
            yield ConsentChange(
                channel=subject.channel,
                topic=subject.topic,
                state=State.DENIED,
                at=at,
                source=SOURCE,
                method=Method.COMPLAINT,
                text_version=consent.decisive.text_version,
                proof=None,
            )
