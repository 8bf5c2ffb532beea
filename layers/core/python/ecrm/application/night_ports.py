"""What the steps of the night need of the world, beside `segment_ports.py`: all customers' rows, and the files between steps."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple, Protocol

from ecrm.analytics import histories, rfm
from ecrm.analytics.forecasts import Horizon
from ecrm.analytics.histories import HistoriesByCurrency
from ecrm.analytics.reporting import ReportCounts, ScoresByCurrency
from ecrm.analytics.rfm import CountsByCurrency, GroupTable
from ecrm.analytics.rhythm import FALL_BACK, SecondPurchaseCounts
from ecrm.analytics.scoring import NightThresholds
from ecrm.domain.events import Event
from ecrm.domain.facts import Facts, Scores
from ecrm.domain.instants import time_zone
from ecrm.domain.lifecycle import Stage, Thresholds
from ecrm.domain.segments import Segment
from ecrm.domain.statistics import CustomerStatistics
from ecrm.domain.windows import Moment


class Place(NamedTuple):
    """Where a night's files are."""

    night: date
    generation: int


class Group(NamedTuple):
    """Consecutive shards, both named ones among them, that one worker has."""

    first: int
    last: int

    @property
    def shards(self) -> range:
        return range(self.first, self.last + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class NightSettings:
    """The company's own: days of `lifecycle` are what holds until its customers say otherwise."""

    time_zone: str = "UTC"
    lifecycle: Thresholds = field(
        default_factory=lambda: Thresholds(at_risk_days=FALL_BACK.at_risk_days, lost_days=FALL_BACK.lost_days)
    )
    groups: GroupTable = field(default_factory=GroupTable)
    horizon: Horizon = field(default_factory=Horizon)


@dataclass(frozen=True, slots=True, kw_only=True)
class NightPlan:
    """What a night goes by, frozen when it is planned.

    `base` is the night that it is compared with, None for the first one, `base_segments` are those that it judged. Moves are told
    of the segments in `told`: those that mean what they meant then.
    """

    place: Place
    scheduled_at: datetime
    settings: NightSettings
    segments: tuple[Segment, ...]
    groups: tuple[Group, ...]
    base: Place | None = None
    base_segments: tuple[str, ...] = ()
    told: frozenset[str] = frozenset()

    @property
    def moment(self) -> Moment:
        return Moment(self.scheduled_at, time_zone(self.settings.time_zone))


class StoredRow(NamedTuple):
    """A row of statistics as it is stored: `said` has what JSON has, and Decimals."""

    customer_id: str
    said: Mapping[str, Any]


class StatisticsRows(Protocol):
    def of_shard(self, shard: int) -> Iterator[StoredRow]:
        """Give the rows of a shard but those of erased customers; eventually consistent, half a read unit for 4 KB."""
        ...

    def read(self, stored: StoredRow) -> CustomerStatistics:
        """Read a row; raises whatever a corrupt one raises."""
        ...


@dataclass(slots=True)
class NightCounts:
    """What the night's thresholds, its models and its report are made of; mergeable."""

    rfm: CountsByCurrency = field(default_factory=dict)
    second_purchases: SecondPurchaseCounts = field(default_factory=SecondPurchaseCounts)
    histories: HistoriesByCurrency = field(default_factory=dict)
    report: ReportCounts = field(default_factory=ReportCounts)

    def add(self, customer: CustomerStatistics, today: date) -> None:
        """Count one more customer. What is not known of an outdated row is not counted."""
        rfm.add(self.rfm, customer)
        if customer.purchases is not None:
            self.second_purchases.add(customer.purchases, today)
        if not customer.is_outdated:
            histories.add(self.histories, customer, today)
            self.report.add(customer, today)

    def merge(self, other: "NightCounts") -> None:
        rfm.merge(self.rfm, other.rfm)
        self.second_purchases.merge(other.second_purchases)
        histories.merge(self.histories, other.histories)
        self.report.merge(other.report)


class Scored(NamedTuple):
    """Where a night found a customer: in which stage, None where it is not known, and since which generation in each segment."""

    stage: Stage | None
    since: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ShardScores:
    """`unreadable` are those whose row or facts are corrupt, `from_facts` those for whom the facts were read.

    `by_currency` sums up how the others were scored, and what is predicted of them.
    """

    customers: Mapping[str, Scored]
    unreadable: int = 0
    from_facts: int = 0
    by_currency: ScoresByCurrency = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Move:
    """What is told of a customer; stages only where they differ."""

    customer_id: str
    entered: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    stages: tuple[Stage, Stage] | None = None


@dataclass(slots=True)
class Tally:
    """What a night says of many customers; mergeable. `moves` are by stage before, then after; none on the first night."""

    customers: int = 0
    unreadable: int = 0
    from_facts: int = 0
    sizes: dict[str, int] = field(default_factory=dict)
    entered: dict[str, int] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)
    stages: dict[Stage, int] = field(default_factory=dict)
    moves: dict[Stage, dict[Stage, int]] = field(default_factory=dict)
    scores: ScoresByCurrency = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ShardMoves:
    tally: Tally
    moves: tuple[Move, ...]


class NightFiles(Protocol):
    """The bucket of nights. Everything here raises Unavailable; what is not there is None.

    What others decide by is written once: who comes second finds what is there, and goes by that.
    """

    def plan(self, place: Place) -> NightPlan | None: ...

    def write_plan(self, plan: NightPlan) -> None:
        """Write a plan, unless there is one."""
        ...

    def snapshot(self, place: Place, shard: int) -> Iterator[StoredRow] | None: ...

    def snapshots(self, place: Place, shards: Iterable[int]) -> Iterator[Iterator[StoredRow] | None]:
        """Give those of some shards in their order, with some more being read meanwhile."""
        ...

    def write_snapshot(self, place: Place, shard: int, rows: Iterable[StoredRow]) -> None:
        """Write a shard's rows, unless they are there."""
        ...

    def counts(self, place: Place, group: Group) -> NightCounts | None: ...

    def write_counts(self, place: Place, group: Group, counts: NightCounts) -> None: ...

    def thresholds(self, place: Place) -> NightThresholds | None: ...

    def write_thresholds(self, place: Place, thresholds: NightThresholds) -> None: ...

    def scores(self, place: Place, shard: int) -> ShardScores | None: ...

    def write_scores(self, place: Place, shard: int, scores: ShardScores) -> None:
        """Write a shard's scores, unless they are there."""
        ...

    def moves(self, place: Place, shard: int) -> ShardMoves | None: ...

    def write_moves(self, place: Place, shard: int, moves: ShardMoves) -> None: ...


type FactsOf = Callable[[str, Callable[[CustomerStatistics], Scores]], Facts | None]
"""Give all facts of a customer, scored by what is given for the statistics that go with them; None where they are no more.

Raises then, or when they are asked for, Unavailable, or whatever corrupt facts raise.
"""


class CountedSegments(Protocol):
    def published(self) -> Iterable[Segment]: ...


class MoveEvents(Protocol):
    def record(self, customer_id: str, events: Sequence[Event]) -> None:
        """Write what happened to a customer, each once; of one who was erased nothing."""
        ...
