"""What becomes of a row when its import is undone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Left(StrEnum):
    """Why something that a row changed is not put back."""

    CHANGED_SINCE = "changed_since"
    """It is not any more what the row said."""
    DENIED = "denied"
    """It says "no", which is never forgotten."""
    ERASED = "erased"
    IN_USE = "in_use"
    """Something has happened to the customer since, who can be found by it."""
    MERGED = "merged"


class Result(StrEnum):
    RESTORED = "restored"
    REMOVED = "removed"
    UNTOUCHED = "untouched"


@dataclass(frozen=True, slots=True)
class RowUndone:
    """What became of a row: `left` says of each thing that is not put back what it is, and why."""

    row: int
    result: Result
    left: Mapping[str, Left] = field(default_factory=dict)
