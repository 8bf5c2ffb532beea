"""Creating, recognising and revoking API keys."""

from collections.abc import Callable
from datetime import datetime

from ecrm.domain.api_keys import ALLOWED, ApiKey, KeyKind, Scope
from ecrm.domain.errors import Forbidden, Invalid, NotFound, Unauthenticated

from .ports import Clock, Ids, Keys, Sites

LONGEST_SECRET = 200


def create_key(
    *,
    kind: KeyKind,
    site: str,
    sites: frozenset[str],
    scopes: frozenset[Scope] | None,
    name: str,
    expires_at: datetime | None,
    keys: Keys,
    known_sites: Sites,
    clock: Clock,
    ids: Ids,
) -> tuple[str, ApiKey]:
    """Create a key and give its secret, which is not kept and cannot be shown again.

    Raises Invalid where a scope is more than the kind may have, or a site does not exist.
    """
    for named in {site} | (sites - {"*"}):
        if known_sites.find(named) is None:
            raise Invalid(f"there is no site {named}", code="unknown_site")
    granted = ALLOWED[kind] if scopes is None else scopes
    if granted - ALLOWED[kind]:
        raise Invalid(f"a {kind} key cannot have {', '.join(sorted(granted - ALLOWED[kind]))}", code="scope_not_allowed")
    secret = f"ecrm_{kind}_{ids.key_secret()}"
    key = ApiKey(
        key_id=ids.key_secret()[:12],
        kind=kind,
        site=site,
        sites=sites,
        scopes=granted,
        name=name,
        created_at=clock.now(),
        expires_at=expires_at,
    )
    keys.add(secret, key)
    return secret, key


def authenticate(secret: str | None, *, find: Callable[[str], ApiKey | None], now: datetime) -> ApiKey:
    """Recognise a key. Raises Unauthenticated, with the same words whatever is wrong."""
    key = find(secret) if secret is not None and len(secret) <= LONGEST_SECRET and secret.isascii() else None
    if key is None or not key.is_valid(now):
        raise Unauthenticated("a valid API key is needed")
    return key


def authorize(key: ApiKey, scope: Scope) -> None:
    if scope not in key.scopes:
        raise Forbidden(f"this key lacks the scope {scope}", code="scope_missing")


def revoke_key(key_id: str, *, keys: Keys, clock: Clock) -> ApiKey:
    key = keys.revoke(key_id, clock.now())
    if key is None:
        raise NotFound(f"there is no key {key_id}", code="key_not_found")
    return key
