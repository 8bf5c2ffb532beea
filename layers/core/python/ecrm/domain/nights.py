"""Nights: each counts all customers anew under a generation of its own, and readers see that of the last one published.

A generation is given out when a night is planned, and never again. Only the last one given out can be published: a night that
was overtaken, or that came to nothing, leaves memberships behind that nobody ever sees, whenever they were written.
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum


class NightState(StrEnum):
    PLANNED = "planned"
    PUBLISHED = "published"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Membership:
    """A customer is in a segment from a generation on, and from `until_generation` on no more."""

    segment: str
    customer_id: str
    from_generation: int
    until_generation: int | None = None

    @property
    def written_by(self) -> int:
        """The generation that says so."""
        return self.from_generation if self.until_generation is None else self.until_generation


@dataclass(frozen=True, slots=True)
class Generations:
    """`published` is what readers see, 0 before the first night; `last` was given out last.

    `unpublished` are those before the published one that never were.
    """

    published: int = 0
    last: int = 0
    unpublished: frozenset[int] = field(default_factory=frozenset)

    def with_next(self) -> "Generations":
        """Give one more out, which is then `last`."""
        return replace(self, last=self.last + 1)

    def with_last_published(self) -> "Generations":
        between = range(self.published + 1, self.last)
        return Generations(self.last, self.last, self.unpublished.union(between))

    def seen_from(self, generation: int) -> "Generations | None":
        """Give what whoever has begun to read with a published generation goes on with; None where it is not all there any more.

        A row tells of its last change and of the one before: so the published generation can be read while the next one is
        written, and the one before it as long as none is.
        """
        if generation == self.published:
            return self
        earlier = (one for one in range(self.published - 1, -1, -1) if one not in self.unpublished)
        is_there = generation == next(earlier, None) and self.last == self.published
        return replace(self, published=generation) if is_there else None

    def hold(self, membership: Membership) -> bool:
        """Say whether readers see a customer in a segment."""
        until = membership.until_generation
        return self._count(membership.from_generation) and (until is None or not self._count(until))

    def _count(self, generation: int) -> bool:
        return generation <= self.published and generation not in self.unpublished
