"""Definitions: what everything refers to by name, few and changed by hand; nobody overwrites one that they have not seen."""

from collections.abc import Callable
from typing import Protocol

from ecrm.domain.errors import Stale

from .ports import Contended

ATTEMPTS = 3


class Versioned(Protocol):
    @property
    def version(self) -> int: ...


class Replaceable[T](Protocol):
    """As much of `Definitions` as writing one takes."""

    def find(self, name: str, /) -> T | None: ...

    def write(self, definition: T, /, *, seen: int) -> T | None: ...


def put_definition[T: Versioned](
    name: str, at_version: Callable[[int], T], *, expected_version: int | None, definitions: Replaceable[T]
) -> tuple[T, bool]:
    """Create or replace a definition; says whether it is new.

    Raises Stale where `expected_version` is given and is not the stored one (0: must not exist).
    """
    stored = definitions.find(name)
    for _ in range(ATTEMPTS):
        seen = stored.version if stored else 0
        if expected_version is not None and expected_version != seen:
            raise Stale("it is not at the version named; read it again")
        new = at_version(seen + 1)
        winner = definitions.write(new, seen=seen)
        if winner is None:
            return new, seen == 0
        stored = winner
    raise Contended("it is written by many at once")
