"""How much customers spend on a purchase day: the Gamma-Gamma model.

What a customer spends is gamma distributed around a mean of their own, with shape p; its scale is gamma distributed over
customers (q, γ), and has nothing to do with how often they buy (Colombo and Jiang, "A stochastic RFM model", Journal of
Interactive Marketing 13, 1999, p. 2; here after Fader and Hardie, "The Gamma-Gamma model of monetary value", 2013,
http://www.brucehardie.com/notes/025/). Of a customer, x is the number of repeat purchases and z̄ their mean value; then (eq. 1a)

    L = Γ(px + q) / (Γ(px) Γ(q)) · γ^q z̄^(px−1) x^(px) / (γ + x z̄)^(px+q)

and the mean expected of them is (eq. 5), which for nobody's purchases is the mean of all customers, pγ / (q − 1),

    p (γ + x z̄) / (px + q − 1)

The first purchase is left out, as in the note. Who spent nothing or less has no likelihood, and counts as one who spent nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import lgamma, log
from typing import NamedTuple

from .fitting import Bounds, FitFailed, Vector, maximise
from .special import digamma

LEAST_Q = 1.001
"""At q = 1 the mean of all customers is infinite."""
BOUNDS = (Bounds(1e-3, 1e3), Bounds(LEAST_Q, 1e3), Bounds(1e-3, 1e3))
"""Of p, q and pγ / (q − 1), which is the mean of all customers and here in units of the one observed.

In a shop of one price p and q grow without end, and this mean stays where it is.
"""
_START = (2.0, 3.0, 1.0)


class RepeatSpend(NamedTuple):
    """x, and x z̄, which is more than 0; neither need be whole where they stand for several customers'."""

    x: float
    total: float


type RepeatSpends = Mapping[RepeatSpend, int]
"""How many customers have each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """Three parameters: `gamma` in the unit of money, which is minor units but in tests."""

    p: float
    q: float
    gamma: float

    @property
    def mean(self) -> float:
        """What customers of whom nothing is known spend on a purchase day."""
        return self.expected(0, 0)

    def expected(self, x: float, total: float) -> float:
        """Give what a customer will spend on a purchase day, who spent `total` on x repeat purchase days; linear in `total`."""
        return self.p * (self.gamma + max(total, 0)) / (self.p * x + self.q - 1)

    def scaled(self, factor: float) -> "Spending":
        """Give the same in another unit of money, of which one of this has `factor`."""
        return Spending(p=self.p, q=self.q, gamma=self.gamma * factor)


def fit(spends: RepeatSpends, start: Spending | None = None) -> Spending:
    """Give the likeliest parameters. Raises FitFailed, also where customers differ too much to have a mean."""
    customers = sum(spends.values())
    if not customers:
        raise FitFailed("there are no repeat purchases of any value")
    mean = sum(total / x * count for (x, total), count in sorted(spends.items())) / customers
    scaled = [(x, total / mean, count) for (x, total), count in sorted(spends.items())]

    def likelihood(traits: Vector) -> tuple[float, Vector]:
        p, q, level = traits
        gamma = level * (q - 1) / p
        value, (by_p, by_q, by_gamma) = _likelihood(scaled, (p, q, gamma))
        slope = [by_p - by_gamma * gamma / p, by_q + by_gamma * level / p, by_gamma * gamma / level]
        return value / customers, [by / customers for by in slope]

    begin = (start.p, start.q, start.mean / mean) if start else _START
    p, q, level = maximise(likelihood, begin, BOUNDS)
    if q <= LEAST_Q:
        raise FitFailed("customers spend so differently that they have no mean")
    return Spending(p=p, q=q, gamma=level * mean * (q - 1) / p)


def _likelihood(spends: list[tuple[float, float, int]], parameters: Vector) -> tuple[float, list[float]]:
    """Give the log-likelihood and its derivatives by p, q and γ."""
    p, q, gamma = parameters
    value = by_p = by_q = by_gamma = 0.0
    of_x = {x: (lgamma(p * x + q) - lgamma(p * x), digamma(p * x + q), digamma(p * x)) for x in {x for x, _, _ in spends}}
    for x, total, count in spends:
        normed, upper, lower = of_x[x]
        shape, spent, beyond = p * x + q, log(total), log(gamma + total)
        value += count * (normed + p * x * spent - log(total / x) - shape * beyond)
        by_p += count * x * (upper - lower + spent - beyond)
        by_q += count * (upper - beyond)
        by_gamma -= count * shape / (gamma + total)
    customers = sum(count for _, _, count in spends)
    value += customers * (q * log(gamma) - lgamma(q))
    by_q += customers * (log(gamma) - digamma(q))
    by_gamma += customers * q / gamma
    return value, [by_p, by_q, by_gamma]
