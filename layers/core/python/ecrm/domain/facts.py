"""What is known of a customer when a rule is judged: the statistics row alone, or all facts.

What the row cannot tell is not known; it never tells what the facts would contradict. The facts leave nothing unknown.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from .behaviour import act_of
from .events import Event
from .lifecycle import Stage
from .orders import Line, Order, fold
from .predictions import Prediction
from .statistics import CustomerStatistics
from .traits import Trait

UNKNOWN = object()
"""A value that is not known here; None is that there is none."""


@dataclass(frozen=True, slots=True)
class Rfm:
    """Scores from 1 to 5, the best, and the name of the group that they make."""

    recency: int
    frequency: int
    monetary: int
    group: str


@dataclass(frozen=True, slots=True)
class Scores:
    """What a night makes of a customer: RFM and predictions by currency, and where in their life cycle they are."""

    rfm: Mapping[str, Rfm] = field(default_factory=dict)
    lifecycle: Stage | None = None
    predictions: Mapping[str, Prediction] = field(default_factory=dict)


NO_SCORES = Scores()


@dataclass(frozen=True, slots=True)
class Occurrence:
    """Something done, as it is counted in the statistics, with what was said of it."""

    at: datetime
    properties: Mapping[str, Any]


def occurrences(events: Iterable[Event]) -> dict[str, list[Occurrence]]:
    """Give behaviour by the names under which it is counted; other events are passed over."""
    found: dict[str, list[Occurrence]] = {}
    for event in events:
        act = act_of(event)
        if act is not None:
            found.setdefault(act.name, []).append(Occurrence(act.at, event.data.get("properties", {})))
    return found


@dataclass(frozen=True, slots=True)
class PlacedLine:
    sku: str
    name: str
    category: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedOrder:
    """An order as rules see it; `items` are those that were not cancelled."""

    placed_at: datetime
    site: str
    currency: str
    status: str
    coupon: str | None
    net_revenue_minor: int
    items: int
    lines: tuple[PlacedLine, ...]

    @classmethod
    def of(cls, order: Order, lines: Iterable[Line]) -> "PlacedOrder":
        """Take an order with the lines that were agreed last."""
        state = fold(order)
        return cls(
            placed_at=order.placed_at,
            site=order.site,
            currency=order.currency,
            status=state.status.value,
            coupon=order.coupon,
            net_revenue_minor=state.net_revenue_minor,
            items=sum(max(0, line.quantity - line.cancelled) for line in state.lines.values()),
            lines=tuple(PlacedLine(line.sku, line.name, line.category) for line in lines),
        )


class Facts(Protocol):
    @property
    def customer_id(self) -> str: ...

    @property
    def statistics(self) -> CustomerStatistics: ...

    @property
    def scores(self) -> Scores: ...

    def trait(self, trait: Trait) -> Any:
        """Give a trait's value, None where there is none, or UNKNOWN."""
        ...

    def occurrences(self, name: str) -> Sequence[Occurrence] | None:
        """Give what happened under a name; None where only the statistics tell of it."""
        ...

    def placed_orders(self) -> Sequence[PlacedOrder] | None: ...


@dataclass(frozen=True, slots=True)
class RowFacts:
    """A statistics row, not of one who was erased, the traits that it copied, and a night's scores."""

    customer_id: str
    statistics: CustomerStatistics
    scores: Scores = NO_SCORES
    traits: Mapping[Trait, Any] = field(default_factory=dict)

    def trait(self, trait: Trait) -> Any:
        return self.traits.get(trait, UNKNOWN)

    def occurrences(self, name: str) -> None:
        """The row has counts alone."""

    def placed_orders(self) -> None:
        """The row has sums alone."""
