"""How long a company's customers take for their second purchase, from those who made it and those who may still.

Who has bought once may come back yet: leaving them out would make people seem faster than they are, counting them as never
would make a young shop's customers all lost. Their time is censored at today, which the estimate of Kaplan and Meier takes as
it is ("Nonparametric estimation from incomplete observations", Journal of the American Statistical Association 53, 1958, p.
457):

    F(t) = 1 − Π over times s ≤ t of (1 − came back after s days / still away before day s)

Many never come back, so F ends below 1. What it ends at is the share of those who do come back at all, and F divided by it is
their distribution (Maller and Zhou, "Estimating the proportion of immunes in a censored sample", Biometrika 79, 1992, p. 731).
Its quantile is the first day by which that part of them is back.

A quantile of 97.5 % needs forty who came back, or it is no more than the longest time; and a shop in which nobody could be away
for the fall-back's time has not seen who comes back late. Both then have the fall-back.
"""

from dataclasses import dataclass, field
from datetime import date
from typing import Self

from ecrm.domain.statistics import Purchases

from .counters import ValueCounts

AT_RISK, LOST = 0.9, 0.975
"""Parts of those who come back that are back by then."""
FEWEST_BACK = 40
"""One of forty is 2.5 %."""
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Times:
    """Days after the first purchase beyond which a customer who bought once is at risk, and lost."""

    at_risk_days: int
    lost_days: int


FALL_BACK = Times(180, 365)
"""Half a year and a year, until a company's own customers say otherwise: a guess, and a parameter."""


@dataclass(slots=True)
class SecondPurchaseCounts:
    """How many customers came back so many days after their first purchase, and how many have been away so long; mergeable.

    `longest` is how many days ago the first customer bought first.
    """

    back: ValueCounts = field(default_factory=ValueCounts)
    away: ValueCounts = field(default_factory=ValueCounts)
    longest: int = 0

    def add(self, purchases: Purchases, today: date) -> None:
        """Count one more customer. A first purchase that is tomorrow where it was made counts as today's."""
        known_for = max(0, (today - purchases.first_on).days)
        self.longest = max(self.longest, known_for)
        if purchases.second_on is None:
            self.away.add(known_for)
        else:
            self.back.add((purchases.second_on - purchases.first_on).days)

    def merge(self, other: Self) -> None:
        """Count the other's customers, too; they are others than ours."""
        self.longest = max(self.longest, other.longest)
        self.back.merge(other.back)
        self.away.merge(other.away)


def came_back(counts: SecondPurchaseCounts) -> list[tuple[int, float]]:
    """Give for each day after the first purchase on which somebody came back the part F of all who had by then.

    Who is away for exactly as long as another took to come back could still have come on that day.
    """
    back, away = counts.back.customers, counts.away.customers
    at_risk = counts.back.total + counts.away.total
    still_away, curve = 1.0, list[tuple[int, float]]()
    for days in sorted(back.keys() | away.keys()):
        if days in back:
            still_away *= 1 - back[days] / at_risk
            curve.append((days, 1 - still_away))
        at_risk -= back.get(days, 0) + away.get(days, 0)
    return curve


def times(counts: SecondPurchaseCounts, fall_back: Times = FALL_BACK) -> Times:
    """Estimate the company's times, or give the fall-back where there is too little to estimate them from."""
    if counts.back.total < FEWEST_BACK or counts.longest < fall_back.lost_days:
        return fall_back
    curve = came_back(counts)
    ever = curve[-1][1]
    at_risk, lost = (next(days for days, part in curve if part >= wanted * ever - _ROUNDING) for wanted in (AT_RISK, LOST))
    return Times(at_risk, lost)
