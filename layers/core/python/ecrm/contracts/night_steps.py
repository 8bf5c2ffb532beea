"""What the state machine of the night hands to its steps: names of things alone, for the data is in the bucket."""

from datetime import date
from typing import Annotated, Any, Self

from pydantic import Field

from ecrm.application.night_ports import Group, Place
from ecrm.application.nights import Planned

from .fields import Body, Day, Instant

MOST_SHARDS = 256
_Shard = Annotated[int, Field(ge=0, lt=MOST_SHARDS)]


class PlanStep(Body):
    """`scheduled_at` is the time for which the occurrence was meant, whenever it comes."""

    scheduled_at: Instant


class NightStep(Body):
    night: Day
    generation: Annotated[int, Field(ge=1)]

    @property
    def place(self) -> Place:
        return Place(self.night, self.generation)


class GroupStep(NightStep):
    """`first` and `last` are shards."""

    first: _Shard
    last: _Shard

    @property
    def group(self) -> Group:
        return Group(self.first, self.last)


class EndStep(NightStep):
    """`error` names what the night came to grief by; without it the night is to be published."""

    error: Annotated[str, Field(min_length=1, max_length=200)] | None = None


class PlannedBody(Body):
    """What the steps after the plan are handed: `groups` are the inputs of those that go over groups of shards."""

    night: date
    generation: int
    skipped: str | None
    groups: list[dict[str, Any]]

    @classmethod
    def of(cls, planned: Planned) -> Self:
        night = {"night": planned.night.isoformat(), "generation": planned.generation}
        groups = [night | {"first": group.first, "last": group.last} for group in planned.groups]
        return cls(night=planned.night, generation=planned.generation, skipped=planned.skipped, groups=groups)
