"""Delivery: what the mail provider tells of a message once it has it.

Its notices come several times and in any order, and some never do. So each is one fact with an id of its own, an entry keeps the
first time of each sort of fact, and the worst of what bounces said: whatever the order, the end is the same.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from .events import Event
from .instants import to_text
from .messages import Send, place_of, proven, send_id, told


class What(StrEnum):
    """What a notice says; all but the first are named as their events."""

    SENT = "sent"
    DELIVERED = "delivered"
    DELAYED = "delayed"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    CLEARED = "cleared"
    REJECTED = "rejected"
    OPENED = "opened"
    CLICKED = "clicked"
    SUBSCRIPTION_CHANGED = "subscription_changed"


class Bounce(StrEnum):
    """HARD: never again. SOFT: of this mailbox, for now. MAIL: of this mail, which says nothing of the mailbox."""

    HARD = "hard"
    SOFT = "soft"
    MAIL = "mail"


_WORST_FIRST = (Bounce.HARD, Bounce.SOFT, Bounce.MAIL)
_LISTED = frozenset({"Suppressed", "OnAccountSuppressionList"})
"""The address stands on a list of SES's, the world's or the account's: SES did not even try."""
_OF_THE_MAIL = frozenset({"MessageTooLarge", "ContentRejected", "AttachmentRejected"})

MOST_LINKS = 20
"""Links that an entry keeps: it is read with all others of its page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One fact about an attempt to send a message to `address`.

    `at` is when it happened and `sent_at` when the provider took the mail, both by the provider's clock. `cause` tells it from
    others of its sort. `said` is what its event tells beside that.
    """

    what: What
    at: datetime
    sent_at: datetime
    message_id: str
    run_id: str
    shard: int
    customer_id: str
    attempt: int
    address: str
    cause: str
    bounce: Bounce | None = None
    is_machine: bool = False
    said: Mapping[str, Any] = field(default_factory=dict)

    @property
    def send_id(self) -> str:
        return send_id(self.run_id, self.customer_id)


def bounce_of(bounce_type: str, sub_type: str) -> Bounce:
    """Sort a bounce by SES's words; what SES cannot sort is soft."""
    if bounce_type == "Permanent" or sub_type in _LISTED:
        return Bounce.HARD
    return Bounce.MAIL if sub_type in _OF_THE_MAIL else Bounce.SOFT


def with_notice(send: Send, notice: Notice) -> Send:
    """Give the entry as it is with a notice, one version later; the very same where it says nothing new."""
    after = replace(send, version=send.version)
    if notice.attempt not in send.accepted:
        after = proven(send, notice.attempt, notice.message_id, notice.sent_at)
        after = replace(after, settled_at=_first(send.settled_at if send.accepted else None, notice.sent_at))
    match notice.what:
        case What.DELIVERED:
            after = replace(after, delivered_at=_first(send.delivered_at, notice.at))
        case What.DELAYED:
            after = replace(after, delayed_at=_first(send.delayed_at, notice.at))
        case What.BOUNCED:
            worst = min(filter(None, (send.bounce, notice.bounce)), key=_WORST_FIRST.index)
            after = replace(after, bounced_at=_first(send.bounced_at, notice.at), bounce=worst)
        case What.COMPLAINED:
            after = replace(after, complained_at=_first(send.complained_at, notice.at))
        case What.REJECTED:
            after = replace(after, rejected_at=_first(send.rejected_at, notice.at))
        case What.OPENED if not notice.is_machine:
            after = replace(after, opened_at=_first(send.opened_at, notice.at))
        case What.CLICKED if not notice.is_machine:
            after = replace(after, clicked_at=_first(send.clicked_at, notice.at), links=_followed(send, notice))
    after = replace(after, version=send.version)
    return send if after == send else replace(after, version=send.version + 1)


def _first(known: datetime | None, at: datetime) -> datetime:
    return at if known is None else min(known, at)


def link_of(notice: Notice) -> str:
    """Name a link in an entry by a short hash of what is kept of it."""
    return hashlib.sha256(str(notice.said.get("link", "")).encode()).hexdigest()[:8]


def _followed(send: Send, notice: Notice) -> Mapping[str, datetime]:
    """Give the links that somebody followed in a mail of a campaign, those that they followed first where there are many."""
    if not send.is_of_many:
        return send.links
    link = link_of(notice)
    times = {**send.links, link: _first(send.links.get(link), notice.at)}
    return dict(sorted(times.items(), key=lambda one: (one[1], one[0]))[:MOST_LINKS])


def events_of(before: Send, after: Send, notice: Notice, address_digest: str, now: datetime) -> tuple[Event, ...]:
    """What the customer's timeline learns: that the provider took the mail, where nobody knew, and the fact itself.

    A delivery says to which address, by its digest: the soft bounces of an address are counted from there.
    """
    if not after.is_told:
        return ()
    accepted = told(before, after, notice.sent_at)
    if notice.what is What.SENT:
        return accepted
    what = notice.what.value
    delivered_to = {"address_digest": address_digest} if notice.what is What.DELIVERED else {}
    event = Event(
        id=f"message:{notice.send_id}:{notice.attempt}:{what}:{notice.cause}",
        type=f"message.{what}",
        occurred_at=notice.at,
        received_at=now,
        site=after.site,
        customer_id=after.customer_id,
        source="ses",
        data={**place_of(after, notice.attempt), **notice.said, **delivered_to},
    )
    return (*accepted, event)


def cause_of(at: datetime, *words: str) -> str:
    """Tell a notice from others of its sort about the same attempt, by all that is not the same in them."""
    return hashlib.sha256("\0".join((to_text(at), *words)).encode()).hexdigest()[:16]


# ── machines ─────────────────────────────────────────────────────────────────────────────────────────────────────────

TOO_SOON = timedelta(seconds=5)
"""A mail is on its way for longer than this before a person has read it; gateways that scan it are faster."""
_APPLE = "Mozilla/5.0"
"""Mail Privacy Protection, which opens every mail that arrives, read or not."""
_GMAIL = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/42.0.2311.135 Safari/537.36 "
    "Edge/12.246 Mozilla/5.0"
)
"""Opens what arrives while somebody has Gmail open; where they look at it, it says GoogleImageProxy instead."""
_SCANNERS = re.compile(
    r"(?<!cu)bot|crawl|spider|scan|preview|headless|phantomjs|curl/|wget/|python|go-http-client|java/|httpclient|libwww"
    r"|barracuda|proofpoint|mimecast|safelinks|existence discovery|facebookexternalhit|whatsapp",
    re.IGNORECASE,
)
"""What programs that are no mail reader and no browser say of themselves; a Cubot is a telephone."""


def is_machine(user_agent: str, at: datetime, sent_at: datetime) -> bool:
    """Say whether a mail was opened, or a link followed, by a program on its own.

    By this one notice alone, so that the answer never depends on which other one came first.
    """
    agent = user_agent.strip()
    return agent in {"", _APPLE, _GMAIL} or _SCANNERS.search(agent) is not None or at - sent_at < TOO_SOON


def shown_link(url: str) -> str:
    """Give what may be kept of a link that was followed: no query, and nothing that opens a page of the customer's."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    path = "/".join(parts.path.split("/")[:3]) if parts.path.startswith("/public/") else parts.path
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{path}"[:300]
