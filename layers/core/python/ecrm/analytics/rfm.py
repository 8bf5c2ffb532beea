"""RFM: how recently, how often and for how much a customer bought, each beside all others who bought in the same currency.

Recency is the day of the last purchase (later is better, which is fewer days since), frequency the number of purchase days,
monetary value the net revenue in all. Whoever has no purchase day in a currency has no scores in it.

A score is a quintile, from 1 to 5 for the best. Where customers have the same value they have the same score, that of the
middle of their ranks (Parzen's mid-distribution function, "Quantile probability and statistical data modeling", Statistical
Science 19, 2004, p. 652): with `below` customers who have less and `at_most` who have as much or less, of `n`,

    score = 1 + ⌊5 × (below + at_most) / 2n⌋

Ten customers of ten values come out in pairs; a million of one value are all in the middle, with a 3; where four of five bought
once, these have a 3 and nobody less. Scores place customers among each other; in absolute words, life cycle says it.
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from ecrm.domain.errors import Invalid
from ecrm.domain.statistics import CurrencyStatistics, CustomerStatistics, Purchases

from .counters import ValueCounts

BEST = 5

CELLS = (
    ("lost", "hibernating", "at_risk", "at_risk", "cannot_lose_them"),
    ("hibernating", "hibernating", "at_risk", "at_risk", "cannot_lose_them"),
    ("about_to_sleep", "about_to_sleep", "need_attention", "loyal", "loyal"),
    ("promising", "potential_loyalists", "potential_loyalists", "loyal", "loyal"),
    ("new_customers", "potential_loyalists", "potential_loyalists", "champions", "champions"),
)
"""The groups by recency, 1 first, and by the mean of frequency and monetary value, 1 first.

The eleven names are the usual ones, as Putler published them (https://www.putler.com/rfm-analysis/). There their ranges
overlap; here each cell has one name, as in the table of recency and frequency that many tools share, whose worst cell alone is
`lost`.
"""


@dataclass(frozen=True, slots=True)
class GroupTable:
    """Names of groups by recency, then by the mean of frequency and monetary value. Raises Invalid unless five by five."""

    cells: tuple[tuple[str, ...], ...] = CELLS

    def __post_init__(self) -> None:
        if [len(row) for row in self.cells] != [BEST] * BEST:
            raise Invalid("a table of groups has five rows of five names")

    def group(self, scores: "Scores") -> str:
        return self.cells[scores.recency - 1][scores.frequency_monetary - 1]


@dataclass(frozen=True, slots=True)
class Scores:
    """Each from 1 to 5, for the best."""

    recency: int
    frequency: int
    monetary: int

    @property
    def frequency_monetary(self) -> int:
        """The mean of the two, halves up."""
        return (self.frequency + self.monetary + 1) // 2


@dataclass(slots=True)
class RfmCounts:
    """What all who bought in one currency have, by measure; mergeable."""

    recency: ValueCounts = field(default_factory=ValueCounts)
    frequency: ValueCounts = field(default_factory=ValueCounts)
    monetary: ValueCounts = field(default_factory=ValueCounts)

    def add(self, purchases: Purchases, net_revenue_minor: int) -> None:
        self.recency.add(purchases.last_on.toordinal())
        self.frequency.add(purchases.days)
        self.monetary.add(net_revenue_minor)

    def merge(self, other: Self) -> None:
        self.recency.merge(other.recency)
        self.frequency.merge(other.frequency)
        self.monetary.merge(other.monetary)


type CountsByCurrency = dict[str, RfmCounts]


def add(counts: CountsByCurrency, customer: CustomerStatistics) -> None:
    """Count one more customer, in each currency in which there is a purchase day."""
    for currency, part in customer.currencies.items():
        if part.purchases is not None:
            counts.setdefault(currency, RfmCounts()).add(part.purchases, part.net_revenue_minor)


def merge(counts: CountsByCurrency, other: Mapping[str, RfmCounts]) -> None:
    """Count the other's customers, too; they are others than ours."""
    for currency, theirs in other.items():
        counts.setdefault(currency, RfmCounts()).merge(theirs)


@dataclass(frozen=True, slots=True)
class Scale:
    """The smallest value that has a 2, a 3, a 4 and a 5, as far as anybody has that score.

    A value that nobody had when it was made has the score of the next smaller one that somebody had, and below all of them a 1.
    """

    cuts: tuple[int, ...]

    @classmethod
    def of(cls, counts: ValueCounts) -> Self:
        twice, at_most, cuts = 2 * counts.total, 0, list[int]()
        for value, customers in counts.in_order():
            below, at_most = at_most, at_most + customers
            score = 1 + BEST * (below + at_most) // twice
            cuts += [value] * (score - 1 - len(cuts))
        return cls(tuple(cuts))

    def score(self, value: int) -> int:
        return 1 + bisect_right(self.cuts, value)


@dataclass(frozen=True, slots=True)
class RfmScale:
    """Scores one currency's customers as they stood when its counts were made, whoever has bought since included."""

    recency: Scale
    frequency: Scale
    monetary: Scale

    @classmethod
    def of(cls, counts: RfmCounts) -> Self:
        return cls(Scale.of(counts.recency), Scale.of(counts.frequency), Scale.of(counts.monetary))

    def scores(self, part: CurrencyStatistics) -> Scores | None:
        """Score a customer; None where there is no purchase day."""
        if part.purchases is None:
            return None
        return Scores(
            self.recency.score(part.purchases.last_on.toordinal()),
            self.frequency.score(part.purchases.days),
            self.monetary.score(part.net_revenue_minor),
        )
