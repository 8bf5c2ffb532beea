"""Links for people: a token says which page it opens, and is worth nothing once a bit of it is changed.

A token is base64url without padding of a truncated HMAC-SHA-256 and the fields that it covers: version, key id, purpose, what it
opens, and language. An order's are site and order; a report's are its night, or the run of a campaign, and when the link ends,
in seconds since 1970; a person's are those of `PersonLink`, in its order. It is written in one way only, and holds nothing
personal.
"""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from .errors import NotFound

VERSION = "1"
SEAL_BYTES = 16
"""128 bits: nobody guesses one, and a link still fits into a text message."""
LONGEST = 800


class Purpose(StrEnum):
    """What a link is for; it opens nothing else."""

    ORDER_STATUS = "order"
    REPORT = "report"
    CAMPAIGN_REPORT = "campaign-report"
    UNSUBSCRIBE = "unsubscribe"
    PREFERENCES = "preferences"
    CONFIRM = "confirm"
    VIEW = "view"
    MY_DATA = "my-data"
    DATA_REQUEST = "data-request"
    DATA = "data"


LASTS: Mapping[str, timedelta | None] = {
    Purpose.UNSUBSCRIBE: None,
    Purpose.PREFERENCES: None,
    Purpose.CONFIRM: timedelta(hours=72),
    Purpose.VIEW: timedelta(days=60),
    Purpose.MY_DATA: None,
    Purpose.DATA_REQUEST: timedelta(hours=24),
    Purpose.DATA: timedelta(days=3),
}
"""How long a link to a person's own page opens it, for ever where None."""
PATHS: Mapping[str, str] = {
    Purpose.UNSUBSCRIBE: "/public/u/",
    Purpose.PREFERENCES: "/public/preferences/",
    Purpose.CONFIRM: "/public/confirm/",
    Purpose.VIEW: "/public/view/",
    Purpose.MY_DATA: "/public/my-data/",
    Purpose.DATA_REQUEST: "/public/data-requests/",
    Purpose.DATA: "/public/data/",
}
"""Where the pages of a person are; the token follows."""


class Language(StrEnum):
    """The languages of the pages."""

    ENGLISH = "en"
    PERSIAN = "fa"
    CHINESE = "zh"


@dataclass(frozen=True, slots=True)
class Link:
    """`language` None leaves it to the reader's browser."""

    purpose: str
    site: str
    order_id: str
    language: Language | None = None


@dataclass(frozen=True, slots=True)
class ReportLink:
    """`expires_at` is a whole second; `language` as above."""

    night: date
    expires_at: datetime
    language: Language | None = None


@dataclass(frozen=True, slots=True)
class CampaignReportLink:
    """A link to the report of a run; the rest as above."""

    run_id: str
    expires_at: datetime
    language: Language | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonLink:
    """A link to a customer's own page.

    `about` is what of theirs it is about: the topic to be unsubscribed from, and the shard of the mail's run; run and shard of a
    mail to be viewed; the kind of data request; or the job whose files are shown. `sent_to` is the `mark_of` the address that it
    was sent to, where that matters; `reference` is the run of the mail that it stood in. `expires_at` is a whole second.
    """

    purpose: Purpose
    site: str
    customer_id: str
    about: tuple[str, ...] = ()
    sent_to: str = ""
    reference: str = ""
    expires_at: datetime | None = None
    language: Language | None = None


@dataclass(frozen=True, slots=True)
class Keyring:
    """Secrets by key id; new links are made with the `current` one, and whatever is in the ring opens old ones.

    What a `retired` key has made opens nothing any more, but for unsubscribing: that is for ever.
    """

    current: str
    secrets: Mapping[str, bytes]
    retired: frozenset[str] = frozenset()


def seal(link: Link, ring: Keyring) -> str:
    """Make the token of a link; the same link and key give the same token."""
    return _sealed(ring, link.purpose, (link.site, link.order_id), link.language)


def unseal(token: str, purpose: str, ring: Keyring) -> Link:
    """Read a token that was made for this purpose. Raises NotFound, for whatever reason, in the same words."""
    (site, order_id), language = _unsealed(token, purpose, ring)
    return Link(purpose, site, order_id, language)


def seal_report(link: ReportLink, ring: Keyring) -> str:
    """Make the token of a link to a report."""
    return _sealed(ring, Purpose.REPORT, (link.night.isoformat(), _seconds(link.expires_at)), link.language)


def unseal_report(token: str, ring: Keyring, now: datetime) -> ReportLink:
    """Read a token of a report. Raises NotFound as `unseal` does, also for a link that has ended."""
    (night, ends), language = _unsealed(token, Purpose.REPORT, ring)
    return ReportLink(date.fromisoformat(night), _unended(ends, now), language)


def seal_campaign_report(link: CampaignReportLink, ring: Keyring) -> str:
    """Make the token of a link to the report of a run."""
    return _sealed(ring, Purpose.CAMPAIGN_REPORT, (link.run_id, _seconds(link.expires_at)), link.language)


def unseal_campaign_report(token: str, ring: Keyring, now: datetime) -> CampaignReportLink:
    """Read a token of the report of a run. Raises NotFound as `unseal` does, also for a link that has ended."""
    (run_id, ends), language = _unsealed(token, Purpose.CAMPAIGN_REPORT, ring)
    return CampaignReportLink(run_id, _unended(ends, now), language)


def seal_person(link: PersonLink, ring: Keyring) -> str:
    """Make the token of a link to a customer's own page."""
    ends = "" if link.expires_at is None else _seconds(link.expires_at)
    fields = (link.site, link.customer_id, ",".join(link.about), link.sent_to, link.reference, ends)
    return _sealed(ring, link.purpose, fields, link.language)


def unseal_person(token: str, purpose: Purpose, ring: Keyring, now: datetime) -> PersonLink:
    """Read a token of a customer's own page. Raises NotFound as `unseal` does, also for a link that has ended."""
    (site, customer_id, about, sent_to, reference, ends), language = _unsealed(token, purpose, ring)
    expires_at = _unended(ends, now) if ends else None
    return PersonLink(
        purpose=purpose,
        site=site,
        customer_id=customer_id,
        about=tuple(about.split(",")) if about else (),
        sent_to=sent_to,
        reference=reference,
        expires_at=expires_at,
        language=language,
    )


def person_url(public_url: str, link: PersonLink, ring: Keyring) -> str:
    """Write the whole address of a customer's own page."""
    return f"{public_url}{PATHS[link.purpose]}{seal_person(link, ring)}"


def ends_at(purpose: Purpose, now: datetime) -> datetime | None:
    """Say when a link that is made now ends, in whole seconds."""
    lasts = LASTS[purpose]
    return None if lasts is None else now.replace(microsecond=0) + lasts


def mark_of(digest: str) -> str:
    """Shorten the digest of an address to what tells a person's few addresses apart."""
    return digest[:16]


def key_id_of(token: str) -> str:
    """Name the key that a token says it was made with; nothing vouches for that yet."""
    return _key_id(_raw(token)[SEAL_BYTES:])


def _seconds(at: datetime) -> str:
    return str(int(at.timestamp()))


def _unended(ends: str, now: datetime) -> datetime:
    """Read when a link ends. Raises NotFound for one that has."""
    at = datetime.fromtimestamp(int(ends), UTC)
    if now >= at:
        raise _nothing()
    return at


def _sealed(ring: Keyring, purpose: str, fields: Sequence[str], language: Language | None) -> str:
    body = "\0".join((VERSION, ring.current, purpose, *fields, language or "")).encode()
    return urlsafe_b64encode(_mac(body, ring.secrets[ring.current]) + body).decode().rstrip("=")


def _unsealed(token: str, purpose: str, ring: Keyring) -> tuple[Sequence[str], Language | None]:
    raw = _raw(token)
    mac, body = raw[:SEAL_BYTES], raw[SEAL_BYTES:]
    secret = ring.secrets.get(_key_id(body))
    if secret is not None and hmac.compare_digest(mac, _mac(body, secret)):
        version, key_id, said, *fields, language = body.decode().split("\0")
        is_good = key_id not in ring.retired or said == Purpose.UNSUBSCRIBE
        if is_good and (version, said) == (VERSION, purpose):
            return fields, Language(language) if language else None
    raise _nothing()


def _nothing() -> NotFound:
    return NotFound("there is nothing behind this link", code="link_not_found")


def _mac(body: bytes, secret: bytes) -> bytes:
    return hmac.digest(secret, body, hashlib.sha256)[:SEAL_BYTES]


def _raw(token: str) -> bytes:
    """Decode a token; nothing where it is not written in the one way."""
    if len(token) > LONGEST or not token.isascii():
        return b""
    try:
        raw = urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except ValueError:
        return b""
    return raw if urlsafe_b64encode(raw).decode().rstrip("=") == token else b""


def _key_id(body: bytes) -> str:
    _, _, rest = body.partition(b"\0")
    return rest.partition(b"\0")[0].decode("ascii", "replace")
