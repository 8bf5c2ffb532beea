"""Links for people: a token says which page of whose order it opens, and is worth nothing once a bit of it is changed.

A token is base64url without padding of a truncated HMAC-SHA-256 and the fields that it covers: version, key id, purpose, site,
order and language. It is written in one way only, and holds nothing personal.
"""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from .errors import NotFound

VERSION = "1"
SEAL_BYTES = 16
"""128 bits: nobody guesses one, and a link still fits into a text message."""
LONGEST = 400


class Purpose(StrEnum):
    """What a link is for; it opens nothing else."""

    ORDER_STATUS = "order"


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
class Keyring:
    """Secrets by key id; new links are made with the `current` one, and whatever is in the ring opens old ones."""

    current: str
    secrets: Mapping[str, bytes]


def seal(link: Link, ring: Keyring) -> str:
    """Make the token of a link; the same link and key give the same token."""
    body = "\0".join((VERSION, ring.current, link.purpose, link.site, link.order_id, link.language or "")).encode()
    return urlsafe_b64encode(_mac(body, ring.secrets[ring.current]) + body).decode().rstrip("=")


def unseal(token: str, purpose: str, ring: Keyring) -> Link:
    """Read a token that was made for this purpose. Raises NotFound, for whatever reason, in the same words."""
    raw = _raw(token)
    mac, body = raw[:SEAL_BYTES], raw[SEAL_BYTES:]
    secret = ring.secrets.get(_key_id(body))
    if secret is not None and hmac.compare_digest(mac, _mac(body, secret)):
        version, _, said, site, order_id, language = body.decode().split("\0")
        if (version, said) == (VERSION, purpose):
            return Link(said, site, order_id, Language(language) if language else None)
    raise NotFound("there is nothing behind this link", code="link_not_found")


def key_id_of(token: str) -> str:
    """Name the key that a token says it was made with; nothing vouches for that yet."""
    return _key_id(_raw(token)[SEAL_BYTES:])


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
