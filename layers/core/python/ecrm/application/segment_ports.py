"""What the use cases of segments and of the night need of the world, beside `ports.py`."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol

from ecrm.analytics.scoring import NightThresholds
from ecrm.domain.lifecycle import Stage
from ecrm.domain.nights import Generations, Membership, NightState
from ecrm.domain.segments import Segment
from ecrm.domain.traits import TraitList

from .ports import Page


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointer:
    """What readers see: the last published night with what it computed; before the first one neither is there."""

    generations: Generations = field(default_factory=Generations)
    night: date | None = None
    thresholds: NightThresholds | None = None
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """What is known of the night of a day, in the company's time zone; one that was skipped has no generation.

    `base` is the generation that it is compared with, that of the night `base_night`: 0 and None for the first one. `sizes` are
    by segment, `entered` and `left` too; `moves` are by stage before, then after. `customers` are those who were counted,
    `unreadable` those of them whose row could not be read, `from_facts` those for whom a rule asked for more than the row.
    """

    night: date
    state: NightState
    scheduled_at: datetime
    started_at: datetime
    generation: int = 0
    base: int = 0
    base_night: date | None = None
    finished_at: datetime | None = None
    error: str | None = None
    customers: int = 0
    unreadable: int = 0
    from_facts: int = 0
    sizes: Mapping[str, int] = field(default_factory=dict)
    entered: Mapping[str, int] = field(default_factory=dict)
    left: Mapping[str, int] = field(default_factory=dict)
    versions: Mapping[str, int] = field(default_factory=dict)
    """The version of each segment that was judged."""
    stages: Mapping[Stage, int] = field(default_factory=dict)
    moves: Mapping[Stage, Mapping[Stage, int]] = field(default_factory=dict)
    thresholds: NightThresholds | None = None
    version: int = 0


class Nights(Protocol):
    def pointer(self, *, consistent: bool = True) -> Pointer: ...

    def find(self, night: date) -> Night | None:
        """Give a night, strongly consistent."""
        ...

    def write(self, night: Night, *, pointer: Pointer | None = None) -> bool:
        """Write a night, and with it the pointer where one is given, each if the stored one is of the version before.

        One transaction, all or nothing; says whether it was written.
        """
        ...

    def newest(self, *, after: str | None, limit: int) -> Page[Night]: ...


class Memberships(Protocol):
    def write(self, memberships: Iterable[Membership]) -> None:
        """Write memberships, each unless a later generation has said something of it, and none of a customer who is erased.

        The same again changes nothing. Those of a customer stand together: two write units each, and two for the customer.
        """
        ...

    def of(self, customer_id: str, segments: Collection[str]) -> Mapping[str, Membership]:
        """Give what is kept of a customer, by segment, whoever sees it."""
        ...

    def in_shard(self, segment: str, shard: int, *, after: str | None = None, limit: int | None = None) -> Iterable[Membership]:
        """Give what is kept in a shard beyond the customer `after`, by customer, whoever sees it."""
        ...


class Segments(Protocol):
    def find(self, name: str, /) -> Segment | None:
        """Give the newest version, strongly consistent."""
        ...

    def version(self, name: str, version: int, /) -> Segment | None: ...

    def all(self) -> tuple[Segment, ...]:
        """Give every segment by name, those archived too, strongly consistent; a read unit for each 4 KB of them."""
        ...

    def published(self) -> tuple[Segment, ...]:
        """Give those that are not archived."""
        ...

    def write(self, segment: Segment, /, *, seen: int, traits: TraitList | None) -> Segment | None:
        """Write the next version if the newest is still `seen` (0: none yet), and a new list of traits; else give the newest.

        Raises Contended where the list is no longer the one before.
        """
        ...
