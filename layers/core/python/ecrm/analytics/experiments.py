"""Comparing parts of an audience that differ by chance and by what they got: which is better, how surely, and what could be seen.

All of it is of shares: of so many recipients so many did something.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import exp, fsum, lgamma, sqrt
from statistics import NormalDist

LEVEL = 0.05
"""How often a difference is called one where there is none."""
POWER = 0.8
"""How often the smallest detectable effect is detected."""

_NEARLY = 1 + 1e-7
"""Tables of the same probability may differ in the last digits of their sums."""
_STEPS = 60


@dataclass(frozen=True, slots=True)
class Part:
    """`successes` of its `recipients` did what is counted."""

    name: str
    recipients: int
    successes: int


@dataclass(frozen=True, slots=True)
class Interval:
    """A share, and between what the true one lies in 95 of 100 cases."""

    share: float
    low: float
    high: float


def wilson(successes: int, of: int) -> Interval | None:
    """Give a share with its score interval (Wilson 1927, JASA 22:209-212); None where there is nobody."""
    if not of:
        return None
    z = NormalDist().inv_cdf(1 - LEVEL / 2)
    share = successes / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z * sqrt(share * (1 - share) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return Interval(share, max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half)))


def fisher(one: Part, other: Part) -> float:
    """Give the two-sided p-value of Fisher's exact test: how probable tables as rare as this are, given its sums."""
    recipients, successes = one.recipients + other.recipients, one.successes + other.successes
    least, most = max(0, successes - other.recipients), min(successes, one.recipients)

    def logarithm(of_one: int) -> float:
        return _log_choose(one.recipients, of_one) + _log_choose(other.recipients, successes - of_one)

    seen = logarithm(one.successes)
    whole = _log_choose(recipients, successes)
    rare = (logarithm(number) for number in range(least, most + 1))
    return min(1.0, fsum(exp(each - whole) for each in rare if exp(each - seen) <= _NEARLY))


def _log_choose(of: int, some: int) -> float:
    return lgamma(of + 1) - lgamma(some + 1) - lgamma(of - some + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for being several (Holm 1979, Scand. J. Statist. 6:65-70), in their order."""
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, number in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, p_values[number] * (len(p_values) - rank)))
        adjusted[number] = highest
    return adjusted


@dataclass(frozen=True, slots=True)
class Compared:
    """Two parts, and how probable so great a difference is where there is none, adjusted for all pairs."""

    one: str
    other: str
    p: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """Who won, None where nobody did; `why` is `better`, `no_difference` or `too_few`."""

    winner: str | None
    why: str
    pairs: tuple[Compared, ...] = ()


def winner(parts: Sequence[Part], minimum: int) -> Outcome:
    """Give the part that is better than each other one at LEVEL, by Fisher's test of all pairs, adjusted after Holm.

    Nothing is compared before each part has `minimum` recipients.
    """
    if min((part.recipients for part in parts), default=0) < max(minimum, 1):
        return Outcome(None, "too_few")
    pairs = tuple(_compared(parts))
    best = max(parts, key=lambda part: part.successes / part.recipients)
    is_better = all(pair.p < LEVEL for pair in pairs if best.name in (pair.one, pair.other))
    return Outcome(best.name, "better", pairs) if is_better else Outcome(None, "no_difference", pairs)


def _compared(parts: Sequence[Part]) -> Iterator[Compared]:
    pairs = list(combinations(parts, 2))
    for (one, other), p in zip(pairs, holm([fisher(*pair) for pair in pairs]), strict=True):
        yield Compared(one.name, other.name, p)


def smallest_effect(treated: int, control: int, baseline: float) -> float | None:
    """Give by how much the share of the treated must exceed that of the control, `baseline`, to be seen at LEVEL with POWER.

    The normal approximation without a correction for continuity (Fleiss, Levin and Paik 2003, Statistical Methods for Rates and
    Proportions, section 4.2); None where no effect is large enough.
    """
    if not treated or not control or baseline >= 1:
        return None
    z_level, z_power = NormalDist().inv_cdf(1 - LEVEL / 2), NormalDist().inv_cdf(POWER)

    def is_seen(share: float) -> bool:
        pooled = (treated * share + control * baseline) / (treated + control)
        by_chance = z_level * sqrt(pooled * (1 - pooled) * (1 / treated + 1 / control))
        spread = z_power * sqrt(share * (1 - share) / treated + baseline * (1 - baseline) / control)
        return share - baseline >= by_chance + spread

    low, high = baseline, 1.0
    if not is_seen(high):
        return None
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if is_seen(middle) else (middle, high)
    return high - baseline
