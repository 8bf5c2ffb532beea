"""The keys of links: a secret, `{"current": "<key id>", "<key id>": "<secret>", …}`, outside the table and its copies.

Of choice it names, in `"retired": "<key id>,…"`, keys that somebody else may know: they are good for unsubscribing alone.
"""

import json
from collections.abc import Callable
from datetime import datetime, timedelta

from ecrm.application.ports import Clock
from ecrm.domain.links import Keyring

LOOK_AGAIN = timedelta(minutes=1)
"""How often strange tokens may make a container read the secret again; no key is ever taken out of it."""


class SecretLinkKeys:
    def __init__(self, read: Callable[[], str], clock: Clock) -> None:
        self._read = read
        self._clock = clock
        self._kept: tuple[Keyring, datetime] | None = None

    def ring(self, *, fresh: bool = False) -> Keyring:
        now = self._clock.now()
        if self._kept is None or (fresh and now - self._kept[1] >= LOOK_AGAIN):
            self._kept = (keyring_of(self._read()), now)
        return self._kept[0]


def keyring_of(text: str) -> Keyring:
    said = json.loads(text)
    current, retired = said.pop("current"), said.pop("retired", "")
    secrets = {key_id: secret.encode() for key_id, secret in said.items()}
    return Keyring(current, secrets, frozenset(filter(None, retired.split(","))))


def rotated(text: str, secret: str, *, retire: bool = False) -> tuple[str, str]:
    """Add a key and make it the current one; gives the new text and the new key's id. With `retire` all others are retired."""
    said = json.loads(text)
    known = [name for name in said if name.isdigit()]
    key_id = str(1 + max(map(int, known)))
    retired = {"retired": ",".join(known)} if retire else {}
    return json.dumps(said | {"current": key_id, key_id: secret} | retired), key_id
