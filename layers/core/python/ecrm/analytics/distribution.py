"""How an amount is distributed among customers: its middle, its ends, and how much of the whole the best of them have."""

from collections.abc import Sequence
from dataclasses import dataclass

from .counters import ValueCounts
from .reporting import step_of

PARTS = 10


@dataclass(frozen=True, slots=True)
class Tenth:
    """A tenth of the customers, as even as whole numbers allow, and what they have together."""

    customers: int
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """`tenths` begin with those who have most. `steps` are by the least of 1, 2, 5, 10 … that a customer has, 0 below.

    A percentile is the least amount that so many percent of the customers do not exceed. Where `is_rounded`, amounts were rounded
    down by less than a thousandth, because there were too many to keep each.
    """

    customers: int
    total: int
    median: int
    percentile_90: int
    percentile_99: int
    tenths: tuple[Tenth, ...]
    steps: tuple[tuple[int, int], ...]
    is_rounded: bool = False

    @classmethod
    def of(cls, counts: ValueCounts) -> "Distribution | None":
        """None where nobody is counted."""
        values = list(counts.in_order())
        customers = counts.total
        if not customers:
            return None
        steps: dict[int, int] = {}
        for value, count in values:
            steps[step_of(value)] = steps.get(step_of(value), 0) + count
        return cls(
            customers=customers,
            total=sum(value * count for value, count in values),
            median=_percentile(values, customers, 50),
            percentile_90=_percentile(values, customers, 90),
            percentile_99=_percentile(values, customers, 99),
            tenths=_tenths(values, customers),
            steps=tuple(sorted(steps.items())),
            is_rounded=counts.is_coarse,
        )


def _percentile(values: Sequence[tuple[int, int]], customers: int, percent: int) -> int:
    wanted, seen = -(-customers * percent // 100), 0
    for value, count in values:
        seen += count
        if seen >= wanted:
            return value
    raise AssertionError("somebody is counted")


def _tenths(values: Sequence[tuple[int, int]], customers: int) -> tuple[Tenth, ...]:
    """Part the customers from the top; of those who have the same, as many as fit into a tenth belong to it."""
    bounds = [-(-customers * number // PARTS) for number in range(1, PARTS + 1)]
    amounts, seen, at = [0] * PARTS, 0, 0
    for value, count in reversed(values):
        left = count
        while left:
            while bounds[at] == seen:
                at += 1
            taken = min(left, bounds[at] - seen)
            amounts[at] += value * taken
            seen += taken
            left -= taken
    sizes = (bound - before for before, bound in zip([0, *bounds], bounds, strict=False))
    return tuple(Tenth(size, amount) for size, amount in zip(sizes, amounts, strict=True))
