"""The keys with which the links of people and reports are made and read."""

from ecrm.domain.links import Keyring, key_id_of

from .ports import LinkKeys


def ring_for(token: str, keys: LinkKeys) -> Keyring:
    """Give the keys; one that is not known yet may have been made since they were last read."""
    ring = keys.ring()
    return ring if key_id_of(token) in ring.secrets else keys.ring(fresh=True)
