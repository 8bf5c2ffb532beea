"""Who is held out, who is in the pilot and who gets which treatment: decided by a salted hash, so that anybody can recompute it.

`docs/campaigns.md` has the formula. Nothing is stored that it needs but the salt, and the same customer gets the same for a salt
in every occurrence. The purposes are hashed apart: whoever is in the pilot is no likelier to get a treatment than another.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from itertools import accumulate

_ALL = 2**64


class Arm(StrEnum):
    """Whether an eligible person is one to whom the campaign is sent, or one who shows what happens without it."""

    TREATED = "treated"
    CONTROL = "control"


def share(salt: str, purpose: str, customer_id: str) -> float:
    """Give a customer's place between 0 and 1: the first 64 bits of SHA-256 over the three, with NUL between, by 2^64."""
    digest = hashlib.sha256(f"{salt}\0{purpose}\0{customer_id}".encode()).digest()
    return int.from_bytes(digest[:8]) / _ALL


def arm_of(salt: str, control_percent: Decimal, customer_id: str) -> Arm:
    return Arm.CONTROL if share(salt, "control", customer_id) < float(control_percent) / 100 else Arm.TREATED


def is_in_pilot(salt: str, pilot_percent: Decimal, customer_id: str) -> bool:
    return share(salt, "pilot", customer_id) < float(pilot_percent) / 100


def treatment_of(salt: str, weights: Sequence[int], customer_id: str) -> int:
    """Give the number of a customer's treatment, counted from 0; each has the part of all that its weight is of their sum."""
    place = share(salt, "treatment", customer_id) * sum(weights)
    return min(bisect_right(tuple(accumulate(weights)), place), len(weights) - 1)
