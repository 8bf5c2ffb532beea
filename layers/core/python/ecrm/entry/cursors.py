"""Cursors: opaque, versioned, and bound to the query that they continue."""

import base64
import hashlib
import json
from collections.abc import Callable, Iterable

from pydantic import BaseModel

from ecrm.domain.errors import Invalid

_VERSION = 1
LARGEST_PAGE = 4 * 1024 * 1024
"""Bytes of the bodies on one page; Lambda gives back at most 6 MB."""


def fit[B: BaseModel](bodies: Iterable[tuple[str, B]], last: str | None) -> tuple[list[B], str | None]:
    """Keep the bodies that fit on one page, one at least; gives the position after which the next page begins."""
    kept: list[B] = []
    size, position = 0, last
    for at, body in bodies:
        size += len(body.model_dump_json())
        if kept and size > LARGEST_PAGE:
            return kept, position
        kept.append(body)
        position = at
    return kept, last


def seal(position: str | None, *query: object) -> str | None:
    if position is None:
        return None
    body = json.dumps([_VERSION, _fingerprint(query), position], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(body).decode().rstrip("=")


def unseal(cursor: str | None, is_position: Callable[[str], bool], *query: object) -> str | None:
    """Give the position, if it is one that this list could have given. Raises Invalid."""
    if cursor is None:
        return None
    try:
        version, fingerprint, position = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, TypeError):
        raise _bad() from None
    if [version, fingerprint] != [_VERSION, _fingerprint(query)] or not isinstance(position, str):
        raise _bad()
    if not (position.isascii() and is_position(position)):
        raise _bad()
    return position


def _bad() -> Invalid:
    """Made anew each time: an exception that is raised again keeps the frames of every time before."""
    return Invalid.at("?cursor", "bad_cursor", "this cursor does not continue this query")


def _fingerprint(query: tuple[object, ...]) -> str:
    return hashlib.sha256(repr(query).encode()).hexdigest()[:16]
