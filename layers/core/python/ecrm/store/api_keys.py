"""API keys: kept by the hash of their secret, listed in one small partition."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from ecrm.domain.api_keys import ApiKey, KeyKind, Scope
from ecrm.domain.instants import from_text, to_text

from . import keys
from .table import Item, Put, Table


class DynamoKeys:
    def __init__(self, table: Table) -> None:
        self._table = table

    def find(self, secret: str) -> ApiKey | None:
        name = keys.key(secret)
        item = self._table.get(name) or self._table.get(name, consistent=True)  # a key just made may not be seen at once
        return _key_of(item) if item else None

    def add(self, secret: str, key: ApiKey) -> None:
        self._table.put(Put(_item(keys.key(secret).sk, key), "attribute_not_exists(PK)", "secret is new"))

    def all(self) -> tuple[ApiKey, ...]:
        return tuple(_key_of(item) for item in self._table.query(keys.KEYS_PARTITION, consistent=True))

    def revoke(self, key_id: str, at: datetime) -> ApiKey | None:
        for item in self._table.query(keys.KEYS_PARTITION, consistent=True):
            if item["key_id"] == key_id:
                key = _key_of(item)
                revoked = replace(key, revoked_at=key.revoked_at or at)
                self._table.put(Put(_item(item["SK"], revoked), None, "a key only ever goes from valid to revoked"))
                return revoked
        return None


def _item(digest: str, key: ApiKey) -> Item:
    item: dict[str, Any] = {
        "PK": keys.KEYS_PARTITION,
        "SK": digest,
        "type": "key",
        "v": 1,
        "key_id": key.key_id,
        "kind": key.kind,
        "site": key.site,
        "sites": sorted(key.sites),
        "scopes": sorted(key.scopes),
        "name": key.name,
        "created_at": to_text(key.created_at),
    }
    item |= {"not_after": to_text(key.expires_at)} if key.expires_at else {}
    return item | ({"revoked_at": to_text(key.revoked_at)} if key.revoked_at else {})


def _key_of(item: Item) -> ApiKey:
    """The end of a key is `not_after`: `expires_at` would make DynamoDB's TTL delete what a list should still show."""
    ends, revoked = item.get("not_after"), item.get("revoked_at")
    return ApiKey(
        key_id=item["key_id"],
        kind=KeyKind(item["kind"]),
        site=item["site"],
        sites=frozenset(item["sites"]),
        scopes=frozenset(map(Scope, item["scopes"])),
        name=item["name"],
        created_at=from_text(item["created_at"]),
        expires_at=from_text(ends) if ends else None,
        revoked_at=from_text(revoked) if revoked else None,
    )
