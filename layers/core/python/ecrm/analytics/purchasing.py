"""How often customers buy, and when they stop: MBG/NBD, and BG/NBD, which it improves on.

A customer buys at random times, λ a day, until they leave, which after each purchase they do with probability p; λ is gamma
distributed over customers (r, α), p is beta distributed (a, b). In BG/NBD (Fader, Hardie and Lee, ""Counting your customers" the
easy way", Marketing Science 24, 2005, p. 275) nobody leaves before a repeat purchase; in MBG/NBD (Batislam, Denizel and
Filiztekin, "Empirical validation and comparison of models for customer base analysis", International Journal of Research in
Marketing 24, 2007, p. 201) they may leave after the first one. Here BG/NBD's equations are written with β, which is b for BG/NBD
and b + 1 for MBG/NBD, in which every customer has stayed one time more.

Of a customer, x is the number of repeat purchases, t_x when the last one was and T how long they have been known, both since
the first purchase. Then (eq. 6 of 2005; where x = 0, BG/NBD has no second term)

    L = Γ(r + x) αʳ / Γ(r) · B(a, β + x) / B(a, b) · ((α + T)^−(r+x) + a / (β + x − 1) · (α + t_x)^−(r+x))

and the first term's part of the sum is the probability that they are still a customer. Who is, has λ ~ gamma(r + x, α + T) and
p ~ beta(a, β + x), and the purchases expected of them in the next t are the mean of (1 − e^−λpt) / p, which is

    ∫ (1 − (1 + p · t / (α + T))^−(r+x)) / p · beta(p; a, β + x) dp

The papers solve this with ₂F₁ (eq. 10 of 2005), whose factor 1 / (a − 1) has no value at a = 1 and no digits around it, and whose
series needs thousands of terms for young customers. Here it is integrated over ln p / (1 − p), where the trapezoidal rule is
exact to seven digits with some forty points (Trefethen and Weideman, "The exponentially convergent trapezoidal rule", SIAM Review
56, 2014, p. 385), whatever the arguments; each point's term grows with t and with x, and so does the sum.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import exp, expm1, floor, inf, lgamma, log, log1p, sqrt, sumprod
from typing import NamedTuple

from .fitting import Bounds, FitFailed, Vector, maximise
from .special import digamma

BOUNDS = (Bounds(1e-4, 1e4), Bounds(1e-9, 1e3), Bounds(1e-2, 1e4), Bounds(1e-4, 1e4))
"""Of r, r / α, a + b and a / b. Who is at one can hardly be told from who is beyond it, and within all are finite."""
_LARGEST_EXPONENT = 700.0
_STEP, _STEPS_A_DEVIATION, _LITTLE = 0.5, 1.5, 30.0
"""How far points are apart, at most and where the distribution is narrow, and how small, as a logarithm, what is left out is."""
_POINTS_KEPT = 1_024
_KNOTS = 16
"""For each factor of e."""


class Triple(NamedTuple):
    """x, t_x and T; x is no whole number where it stands for several customers' histories."""

    x: float
    t_x: float
    age: float


type Triples = Mapping[Triple, int]
"""How many customers have each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchasing:
    """Four parameters: `alpha` in the unit of time, which is days but in tests. Unless `is_modified` they are BG/NBD's."""

    r: float
    alpha: float
    a: float
    b: float
    is_modified: bool = True

    def p_alive(self, x: float, t_x: float, age: float) -> float:
        """Give the probability that a customer has not left; 0 ≤ t_x ≤ T."""
        if not x and not self.is_modified:
            return 1.0
        survived = self.b + self.is_modified + x
        left = log(self.a / (survived - 1)) + (self.r + x) * log1p((age - t_x) / (self.alpha + t_x))
        return 1 / (1 + exp(left)) if left < _LARGEST_EXPONENT else 0.0

    def expected_if_alive(self, x: float, age: float, times: Sequence[float]) -> list[float]:
        """Give the repeat purchases expected of who is still a customer from now until each of the times."""
        rate, unit = self.r + x, self.alpha + age
        points, weights = _points(self.a, self.b + self.is_modified + x, rate * max(times) / self.alpha)
        return [-sumprod(weights, [expm1(-rate * log1p(p * (time / unit))) for p in points]) for time in times]

    def curve(self, x: float, longest: float) -> "Curve":
        """Give the same for one x and times up to the longest, fast for many ages."""
        return Curve(self.r + x, *_points(self.a, self.b + self.is_modified + x, (self.r + x) * longest / self.alpha))

    def days_to_next(self, x: float, age: float) -> float:
        """Give the time by which half of those who are still customers have bought again; infinite beyond all floats."""
        doublings = log(2) / (self.r + x)
        return (self.alpha + age) * expm1(doublings) if doublings < _LARGEST_EXPONENT else inf

    def log_likelihood(self, triples: Triples) -> float:
        return _likelihood(_by_x(triples), (self.r, self.alpha, self.a, self.b), is_modified=self.is_modified)[0]


class Curve:
    """The repeat purchases expected of customers of one x who are still there, by t / (α + T), on which alone they depend.

    Interpolated between values and slopes (cubic Hermite) that are worked out where they are needed first, to seven digits.
    """

    __slots__ = ("_knots", "_points", "_rate", "_weights")

    def __init__(self, rate: float, points: Sequence[float], weights: Sequence[float]) -> None:
        self._rate, self._points, self._weights = rate, points, weights
        self._knots: dict[int, tuple[float, float]] = {}

    def at(self, share: float) -> float:
        if share <= 0:
            return 0.0
        place = log(share) * _KNOTS
        before = floor(place)
        part = place - before
        low, slope = self._knots.get(before) or self._knot(before)
        high, next_slope = self._knots.get(before + 1) or self._knot(before + 1)
        rise = high - low
        value = low + part * (slope + part * (3 * rise - 2 * slope - next_slope + part * (slope + next_slope - 2 * rise)))
        return min(max(value, low), high)

    def _knot(self, number: int) -> tuple[float, float]:
        """Give the value at e^(number / _KNOTS), and its slope to the next number."""
        share, rate = exp(number / _KNOTS), self._rate
        waits = [-rate * log1p(p * share) for p in self._points]
        value = -sumprod(self._weights, map(expm1, waits))
        slopes = [p * share * exp(wait) / (1 + p * share) for p, wait in zip(self._points, waits, strict=True)]
        self._knots[number] = found = value, rate * sumprod(self._weights, slopes) / _KNOTS
        return found


def fit(triples: Triples, start: Purchasing | None = None, *, is_modified: bool = True) -> Purchasing:
    """Give the likeliest parameters. Raises FitFailed."""
    customers = sum(triples.values())
    if not customers:
        raise FitFailed("there are no customers")
    by_x = _by_x(triples)

    def likelihood(traits: Vector) -> tuple[float, Vector]:
        _, alpha, a, b = parameters = _parameters(traits)
        value, (by_r, by_alpha, by_a, by_b) = _likelihood(by_x, parameters, is_modified=is_modified)
        _, rate, both, odds = traits
        slope = [
            by_r + by_alpha / rate,
            -by_alpha * alpha / rate,
            (by_a * a + by_b * b) / both,
            (by_a - by_b) * a * b / (both * odds),
        ]
        return value / customers, [by / customers for by in slope]

    r, alpha, a, b = _parameters(maximise(likelihood, _traits(start) if start else _start(triples), BOUNDS))
    return Purchasing(r=r, alpha=alpha, a=a, b=b, is_modified=is_modified)


def _traits(model: Purchasing) -> Vector:
    """Give what is fitted: r, the mean rate r / α, a + b, and the odds a / b of leaving.

    Where customers hardly differ r and α grow without end, or a and b do; these stay apart.
    """
    return (model.r, model.r / model.alpha, model.a + model.b, model.a / model.b)


def _parameters(traits: Vector) -> tuple[float, float, float, float]:
    r, rate, both, odds = traits
    return r, r / rate, both * odds / (1 + odds), both / (1 + odds)


def _start(triples: Triples) -> Vector:
    """Begin where customers buy as often as they did in the mean over all of their time."""
    time = sum(triple.age * customers for triple, customers in triples.items())
    purchases = sum(triple.x * customers for triple, customers in triples.items())
    return (0.5, max(purchases, 1.0) / max(time, 1.0), 2.0, 0.5)


type _ByX = dict[float, list[tuple[float, float, int]]]


def _by_x(triples: Triples) -> _ByX:
    """Group by x, all sorted: sums are the same whatever the order in which customers were counted."""
    grouped: _ByX = {}
    for (x, t_x, age), customers in sorted(triples.items()):
        grouped.setdefault(x, []).append((t_x, age, customers))
    return grouped


def _likelihood(by_x: _ByX, parameters: Vector, *, is_modified: bool) -> tuple[float, list[float]]:
    """Give the log-likelihood and its derivatives by r, α, a and b."""
    r, alpha, a, b = parameters
    times = {time for cells in by_x.values() for t_x, age, _ in cells for time in (t_x, age)}
    logs = {time: log(alpha + time) for time in times}
    inverses = {time: 1 / (alpha + time) for time in times}
    value = by_r = by_alpha = by_a = by_b = 0.0
    for x, cells in by_x.items():
        rate, survived = r + x, b + is_modified + x
        odds = log(a / (survived - 1)) if x or is_modified else None
        customers, terms, left, by_rate, by_time = 0, 0.0, 0.0, 0.0, 0.0
        for t_x, age, count in cells:
            customers += count
            later, inverse = logs[age], inverses[age]
            terms -= count * rate * later
            by_rate -= count * later
            by_time -= count * inverse
            if odds is not None:
                lead = later - logs[t_x]
                exponent = odds + rate * lead
                small = exp(-abs(exponent))
                terms += count * (max(exponent, 0.0) + log1p(small))
                has_left = count * (1.0 if exponent > 0 else small) / (1 + small)
                left += has_left
                by_rate += has_left * lead
                by_time += has_left * (inverse - inverses[t_x])
        value += terms + customers * (
            (lgamma(rate) - lgamma(r) + r * log(alpha)) + (lgamma(survived) - lgamma(a + survived)) - (lgamma(b) - lgamma(a + b))
        )
        both = digamma(a + survived)
        by_r += by_rate + customers * (digamma(rate) - digamma(r) + log(alpha))
        by_alpha += rate * by_time + customers * r / alpha
        by_a += left / a + customers * (digamma(a + b) - both)
        by_b += customers * (digamma(survived) - both - digamma(b) + digamma(a + b))
        by_b -= left / (survived - 1) if odds is not None else 0.0
    return value, [by_r, by_alpha, by_a, by_b]


@lru_cache(_POINTS_KEPT)
def _points(a: float, b: float, most: float) -> tuple[list[float], list[float]]:
    """Give values of p, and how much of the beta distribution each stands for, divided by p.

    The integrand, which is even where p is much smaller than 1 / `most` or near 1, is left alone where too little of the
    distribution is for its slope to matter. The outer points stand for all that would follow at the same distance.
    """
    step = min(_STEP, sqrt(1 / a + 1 / b) / _STEPS_A_DEVIATION)
    top, scale = log(a / b), lgamma(a + b) - lgamma(a) - lgamma(b)

    def density(logit: float) -> float:
        return scale + a * logit - (a + b) * (max(logit, 0.0) + log1p(exp(-abs(logit))))

    def until_little(step: float) -> Iterator[float]:
        logit, least = top, density(top) - _LITTLE
        while density(logit) - max(logit, 0.0) + min(logit + log(most), 0.0) > least:
            yield logit
            logit += step

    logits = sorted({top, *until_little(step), *until_little(-step)})
    points = [1 / (1 + exp(-logit)) for logit in logits]
    parts = [step * exp(density(logit)) for logit in logits]
    parts[0] /= -expm1(-a * step)
    parts[-1] /= -expm1(-b * step)
    return points, [part / p for part, p in zip(parts, points, strict=True)]
