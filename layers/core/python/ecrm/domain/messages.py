"""Messages: what is known of each one that was to be sent, and the only ways in which that may change.

Statuses form a lattice: whatever arrives late, twice or in another order leads to the same end. Every function here is pure; a
store writes what it gives if the stored version is still the one that it was given, else somebody decides anew.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from .assignment import Arm
from .consent import Channel
from .customers import Customer, Kind
from .events import Event
from .instants import to_text


class Policy(StrEnum):
    """Whether a mail belongs to something that the customer does, or advertises: for consent, for caps and for doubts."""

    TRANSACTIONAL = "transactional"
    MARKETING = "marketing"


class Status(StrEnum):
    PLANNED = "planned"
    CLAIMED = "claimed"
    UNKNOWN = "unknown"
    UNKNOWN_FINAL = "unknown_final"
    ACCEPTED = "accepted"
    FAILED = "failed"
    SUPPRESSED = "suppressed"
    NO_CONSENT = "no_consent"
    CAPPED = "capped"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    HELD_OUT = "held_out"


OPEN = frozenset({Status.PLANNED, Status.CLAIMED, Status.UNKNOWN})
"""Somebody has to come back to these; all others are an end, which only a proof of acceptance still changes."""

NEVER_SENT = frozenset(
    {Status.FAILED, Status.SUPPRESSED, Status.NO_CONSENT, Status.CAPPED, Status.EXPIRED, Status.CANCELLED, Status.HELD_OUT}
)
"""Ends of which it is certain that the person got nothing, as long as nobody proves the contrary."""

LOST_AFTER = timedelta(minutes=2)
"""Twice the time-out of the function that sends: whoever claimed so long ago is dead."""
DOUBTED_FOR = timedelta(minutes=15)
"""How long the provider's events are waited for before a doubt is settled without them."""
LOCAL_TIME = "local_time"
"""The reason of what waits for the campaign's time where its person is."""
PRIORITY = "priority"
"""The reason of what leaves its place to a campaign that comes first."""
MESSAGE_SHARD = 0
"""The shard of a message that is a run of its own."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider answered that it has the mail."""

    message_id: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider will never take this mail; `code` is its own."""

    code: str


@dataclass(frozen=True, slots=True)
class NotSent:
    """The provider certainly does not have the mail, and may take it later: not connected, throttled, paused."""

    why: str


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Nobody knows whether the provider has the mail: the reply was lost, came too late or was a 5xx."""

    why: str


type Reply = Accepted | Refused | NotSent | Ambiguous


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """One entry of a roster: who gets what, how far it is, and what the provider has said of it; ids and times only.

    `attempt` counts claims; `accepted` has the provider's message id of each attempt that it took. `resent_at` is when a
    transactional mail was planned anew because nobody could tell what became of the first. `requested_at` is the time of the
    event that asked for it, None in a run of many. Until `postponed_until` it waits, though it is planned. The mail of the last
    claim was made of `template_version`. After `closed_at` its person is erased: nothing is told of them any more.

    Of a run of many: `ineligible` is why they could not get it when it was planned, and stays; everybody else has an `arm`. They
    get `message`, as `treatment`, None where they are held out, or wait for what the pilot comes to; `template` is then what they
    would get. `links` are those that they followed, by a short hash, with when they first did.
    """

    run_id: str
    shard: int
    customer_id: str
    policy: Policy
    site: str
    template: str
    planned_at: datetime
    topic: str | None = None
    requested_at: datetime | None = None
    expires_at: datetime | None = None
    status: Status = Status.PLANNED
    attempt: int = 0
    reason: str | None = None
    postponed_until: datetime | None = None
    template_version: int | None = None
    claimed_at: datetime | None = None
    doubted_at: datetime | None = None
    resent_at: datetime | None = None
    settled_at: datetime | None = None
    accepted: Mapping[int, str] = field(default_factory=dict)
    delivered_at: datetime | None = None
    delayed_at: datetime | None = None
    bounced_at: datetime | None = None
    bounce: str | None = None
    complained_at: datetime | None = None
    rejected_at: datetime | None = None
    opened_at: datetime | None = None
    clicked_at: datetime | None = None
    closed_at: datetime | None = None
    arm: Arm | None = None
    message: str | None = None
    treatment: str | None = None
    is_pilot: bool = False
    ineligible: str | None = None
    links: Mapping[str, datetime] = field(default_factory=dict)
    unsubscribed_at: datetime | None = None
    version: int = 1

    @property
    def send_id(self) -> str:
        return send_id(self.run_id, self.customer_id)

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def is_of_many(self) -> bool:
        """Whether it belongs to a run of many, not to a message that was asked for by itself."""
        return self.policy is Policy.MARKETING and self.requested_at is None

    @property
    def is_named(self) -> bool:
        """Whether the customer's partition names this entry, so that an erasure finds it; if not, an event must."""
        return self.requested_at is not None or self.attempt > 0

    @property
    def is_told(self) -> bool:
        return self.closed_at is None and self.is_named

    @property
    def shown(self) -> str:
        """The furthest that is known, in one word."""
        if self.status is not Status.ACCEPTED:
            return self.status
        known = (
            ("complained", self.complained_at),
            ("bounced", self.bounced_at),
            ("rejected", self.rejected_at),
            ("delivered", self.delivered_at),
        )
        return next((name for name, at in known if at is not None), self.status)


def send_id(run_id: str, customer_id: str, channel: Channel = Channel.EMAIL) -> str:
    """Name a send by what makes it one, so that planning it twice is planning it once."""
    return hashlib.sha256(f"{run_id}\0{customer_id}\0{channel}".encode()).hexdigest()[:32]


def mailbox_of(customer: Customer) -> str | None:
    """Give the address that mail goes to: the newest that a voucher has named, never one that only a browser has."""
    theirs = [i.value for i in customer.identifiers if i.kind is Kind.EMAIL and i not in customer.claimed]
    return theirs[-1] if theirs else None


def claim(send: Send, now: datetime, template_version: int | None = None) -> Send:
    """Take a planned send in hand: from here on nobody else sends it, whatever becomes of us."""
    return replace(
        send,
        status=Status.CLAIMED,
        attempt=send.attempt + 1,
        claimed_at=now,
        reason=None,
        postponed_until=None,
        template_version=template_version,
        version=send.version + 1,
    )


def postpone(send: Send, until: datetime, reason: str, expires_at: datetime | None = None) -> Send:
    """Let a planned send wait, and give it an end of its own where it had none."""
    ends_at = expires_at or send.expires_at
    return replace(send, postponed_until=until, reason=reason, expires_at=ends_at, version=send.version + 1)


def resolve(send: Send, attempt: int, reply: Reply, now: datetime) -> Send:
    """Write down what the provider answered to an attempt. Who was overtaken by a later attempt, or by doubt, changes nothing.

    But that it took the mail is a proof, also where the attempt was already doubted.
    """
    if attempt != send.attempt:
        return send
    if isinstance(reply, Accepted):
        return proven(send, attempt, reply.message_id, now)
    if send.status is not Status.CLAIMED:
        return send
    match reply:
        case Refused(code):
            return dropped(send, Status.FAILED, code, now)
        case NotSent(why):
            return replace(send, status=Status.PLANNED, reason=why, version=send.version + 1)
        case Ambiguous(why):
            return _doubted(send, why, now)


def lost(send: Send, now: datetime) -> Send:
    """Doubt a claim whose claimer must be dead."""
    if send.status is Status.CLAIMED and send.claimed_at is not None and now - send.claimed_at >= LOST_AFTER:
        return _doubted(send, "lost", now)
    return send


def settled(send: Send, now: datetime) -> Send:
    """End a doubt that no event of the provider has ended in time: marketing for good, transactional by one resend."""
    if send.status is not Status.UNKNOWN or send.doubted_at is None or now - send.doubted_at < DOUBTED_FOR:
        return send
    if send.policy is Policy.TRANSACTIONAL and send.resent_at is None:
        return replace(send, status=Status.PLANNED, resent_at=now, version=send.version + 1)
    return _to(send, Status.UNKNOWN_FINAL, send.reason, now)


def proven(send: Send, attempt: int, message_id: str, now: datetime) -> Send:
    """Take it as accepted, wherever it stands: the provider has named this attempt."""
    if send.status is Status.ACCEPTED and send.accepted.get(attempt) == message_id:
        return send
    accepted = {**send.accepted, attempt: message_id}
    settled_at = send.settled_at if send.status is Status.ACCEPTED else now
    return replace(send, status=Status.ACCEPTED, accepted=accepted, reason=None, settled_at=settled_at, version=send.version + 1)


def dropped(send: Send, status: Status, reason: str | None, now: datetime) -> Send:
    """End a send that was not made; one that may have reached the person by an earlier attempt, as what nobody knows."""
    return _to(send, Status.UNKNOWN_FINAL if send.resent_at else status, reason, now)


def told(before: Send, after: Send, now: datetime) -> tuple[Event, ...]:
    """What the customer's timeline learns from a change of a send: what it came to, and each decision not to send, or not yet.

    That a run was cancelled is nothing that was decided of them, and is told only to who was told of the mail before. That a
    campaign comes at a time where they are is no decision either, and that another one comes first is told once.
    """
    if after.closed_at is not None:
        return ()
    if after.status is Status.ACCEPTED:
        news = [attempt for attempt in after.accepted if attempt not in before.accepted]
        return tuple(_event(after, attempt, "accepted", now, {"message_id": after.accepted[attempt]}) for attempt in sorted(news))
    until = after.postponed_until
    if after.status is Status.PLANNED and until is not None and until != before.postponed_until:
        if after.reason == LOCAL_TIME or (after.reason == PRIORITY == before.reason):
            return ()
        return (
            _event(after, after.attempt, f"postponed:{to_text(until)}", now, {"reason": after.reason, "until": to_text(until)}),
        )
    is_decided = after.status is not before.status and not after.is_open
    return _ended(after, now) if is_decided else ()


def _ended(send: Send, now: datetime) -> tuple[Event, ...]:
    match send.status:
        case Status.FAILED:
            return (_event(send, send.attempt, "failed", now, {"code": send.reason}),)
        case Status.UNKNOWN_FINAL:
            return (_event(send, send.attempt, "unresolved", now, {}),)
        case Status.CANCELLED if not send.is_named:
            return ()
        case _:
            said = {"status": send.status.value} | ({"reason": send.reason} if send.reason else {})
            return (_event(send, send.attempt, "dropped", now, said),)


def _event(send: Send, attempt: int, what: str, now: datetime, said: Mapping[str, str | None]) -> Event:
    return Event(
        id=f"message:{send.send_id}:{attempt}:{what}",
        type=f"message.{what.partition(':')[0]}",
        occurred_at=now,
        received_at=now,
        site=send.site,
        customer_id=send.customer_id,
        source="sender",
        data={**place_of(send, attempt), **said},
    )


def place_of(send: Send, attempt: int) -> dict[str, str | int]:
    """What every event about a message says of it: which it is, and where its entry is, so that an erasure finds it."""
    return {
        "run_id": send.run_id,
        "shard": send.shard,
        "send_id": send.send_id,
        "attempt": attempt,
        "template": send.template,
    }


def due_at(send: Send, now: datetime) -> datetime | None:
    """Say when somebody has to come back to a send, None where never."""
    match send.status:
        case Status.PLANNED:
            return max(now, send.postponed_until or now)
        case Status.CLAIMED:
            return (send.claimed_at or now) + LOST_AFTER
        case Status.UNKNOWN:
            return (send.doubted_at or now) + DOUBTED_FOR
        case _:
            return None


def _doubted(send: Send, why: str, now: datetime) -> Send:
    return replace(send, status=Status.UNKNOWN, reason=why, doubted_at=now, version=send.version + 1)


def _to(send: Send, status: Status, reason: str | None, now: datetime) -> Send:
    return replace(send, status=status, reason=reason, settled_at=now, version=send.version + 1)
