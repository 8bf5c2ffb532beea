"""Links for people: a token says which page it opens, and is worth nothing once a bit of it is changed.

A token is base64url without padding of a truncated HMAC-SHA-256 and the fields that it covers: version, key id, purpose, two that
say what is opened, and language. An order's are site and order; a report's are its night and when the link ends, in seconds since
1970. It is written in one way only, and holds nothing personal.
"""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum

from .errors import NotFound

VERSION = "1"
SEAL_BYTES = 16
"""128 bits: nobody guesses one, and a link still fits into a text message."""
LONGEST = 400


class Purpose(StrEnum):
    """What a link is for; it opens nothing else."""

    ORDER_STATUS = "order"
    REPORT = "report"


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
class Keyring:
    """Secrets by key id; new links are made with the `current` one, and whatever is in the ring opens old ones."""

    current: str
    secrets: Mapping[str, bytes]


def seal(link: Link, ring: Keyring) -> str:
    """Make the token of a link; the same link and key give the same token."""
    return _sealed(ring, link.purpose, link.site, link.order_id, link.language)


def unseal(token: str, purpose: str, ring: Keyring) -> Link:
    """Read a token that was made for this purpose. Raises NotFound, for whatever reason, in the same words."""
    site, order_id, language = _unsealed(token, purpose, ring)
    return Link(purpose, site, order_id, language)


def seal_report(link: ReportLink, ring: Keyring) -> str:
    """Make the token of a link to a report."""
    ends = str(int(link.expires_at.timestamp()))
    return _sealed(ring, Purpose.REPORT, link.night.isoformat(), ends, link.language)


def unseal_report(token: str, ring: Keyring, now: datetime) -> ReportLink:
    """Read a token of a report. Raises NotFound as `unseal` does, also for a link that has ended."""
    night, ends, language = _unsealed(token, Purpose.REPORT, ring)
    link = ReportLink(date.fromisoformat(night), datetime.fromtimestamp(int(ends), UTC), language)
    if now >= link.expires_at:
        raise _nothing()
    return link


def key_id_of(token: str) -> str:
    """Name the key that a token says it was made with; nothing vouches for that yet."""
    return _key_id(_raw(token)[SEAL_BYTES:])


def _sealed(ring: Keyring, purpose: str, first: str, second: str, language: Language | None) -> str:
    body = "\0".join((VERSION, ring.current, purpose, first, second, language or "")).encode()
    return urlsafe_b64encode(_mac(body, ring.secrets[ring.current]) + body).decode().rstrip("=")


def _unsealed(token: str, purpose: str, ring: Keyring) -> tuple[str, str, Language | None]:
    raw = _raw(token)
    mac, body = raw[:SEAL_BYTES], raw[SEAL_BYTES:]
    secret = ring.secrets.get(_key_id(body))
    if secret is not None and hmac.compare_digest(mac, _mac(body, secret)):
        version, _, said, first, second, language = body.decode().split("\0")
        if (version, said) == (VERSION, purpose):
            return first, second, Language(language) if language else None
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
