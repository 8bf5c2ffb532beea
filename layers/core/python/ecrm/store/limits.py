"""Limits: how often something was asked for of late, counted from the first time on until its window is over."""

from collections.abc import Callable
from datetime import datetime

from . import keys
from .table import Item, Put, Refused, Table

ATTEMPTS = 5


class DynamoLimits:
    """`secret` gives the key of the HMAC under which is known what is limited."""

    def __init__(self, table: Table, secret: Callable[[], bytes]) -> None:
        self._table = table
        self._secret = secret

    def allow(self, kind: str, subject: str, most: int, window_seconds: int, now: datetime) -> bool:
        """Where many ask at once, the last of them are told that it is not: a limit is no place to wait."""
        key = keys.limit(kind, subject, self._secret())
        seen = self._table.get(key, consistent=True)
        at = int(now.timestamp())
        for _ in range(ATTEMPTS):
            counted, until = (
                (seen["counted"], seen["expires_at"]) if seen and seen["expires_at"] > at else (0, at + window_seconds)
            )
            if counted >= most:
                return False
            as_seen = "counted = :counted AND expires_at = :until" if seen else "attribute_not_exists(PK)"
            values = {":counted": seen["counted"], ":until": seen["expires_at"]} if seen else None
            try:
                self._table.put(Put(_item(key, counted + 1, until), as_seen, _WHY, values))
            except Refused as refused:
                seen = refused.found[_WHY] or None
                continue
            return True
        return False


_WHY = "limit as it was seen"


def _item(key: keys.Key, counted: int, until: int) -> Item:
    return {"PK": key.pk, "SK": key.sk, "type": "limit", "v": 1, "counted": counted, "expires_at": until}
