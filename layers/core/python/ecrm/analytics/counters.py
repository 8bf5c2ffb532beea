"""How many customers have each value: exact, and mergeable, so that many workers count what one would have counted."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

MOST_VALUES = 200_000
"""Distinct values that are kept exactly; amounts of money have more in a large company."""
DIGITS = 4
"""Leading digits that are kept above that: 9,000 values for each power of ten, and an error below a thousandth."""


@dataclass(slots=True)
class ValueCounts:
    """Whole numbers, zero or more, and how many customers have each.

    What is counted depends on who is counted alone, not on how they are parted among workers or in which order parts are merged:
    a union has more than `MOST_VALUES` distinct values if any part has, and rounding down keeps the order of values.
    """

    customers: dict[int, int] = field(default_factory=dict)
    is_coarse: bool = False

    def add(self, value: int, customers: int = 1) -> None:
        value = coarse(value) if self.is_coarse else value
        self.customers[value] = self.customers.get(value, 0) + customers
        if len(self.customers) > MOST_VALUES and not self.is_coarse:
            self._coarsen()

    def merge(self, other: "ValueCounts") -> None:
        """Count the other's customers, too; they are others than ours."""
        if other.is_coarse and not self.is_coarse:
            self._coarsen()
        for value, customers in other.customers.items():
            self.add(value, customers)

    def in_order(self) -> Iterator[tuple[int, int]]:
        """Give the values with their customers, the smallest first."""
        return iter(sorted(self.customers.items()))

    @property
    def total(self) -> int:
        return sum(self.customers.values())

    def _coarsen(self) -> None:
        exact, self.customers, self.is_coarse = self.customers, {}, True
        for value, customers in exact.items():
            self.add(value, customers)


def count(values: Iterable[int]) -> ValueCounts:
    counts = ValueCounts()
    for value in values:
        counts.add(value)
    return counts


def coarse(value: int, digits: int = DIGITS) -> int:
    """Round down to so many leading digits."""
    return value - value % step_at(value, digits)


def step_at(value: int, digits: int) -> int:
    """Give how many numbers come down to the same as this one when rounded to so many leading digits."""
    return int(10 ** max(0, len(str(value)) - digits))
