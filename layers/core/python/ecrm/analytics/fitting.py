"""Maximum likelihood for a handful of positive parameters: BFGS in their logarithms, within bounds.

Quasi-Newton steps with the update of Broyden, Fletcher, Goldfarb and Shanno (Nocedal and Wright, "Numerical Optimization", 2nd
ed., 2006, eq. 6.17) and Armijo's backtracking (algorithm 3.1). A parameter that is at a bound and wants beyond it stays there
for the step (gradient projection, section 16.7). The same input takes the same steps.
"""

from collections.abc import Callable, Sequence
from math import exp, isfinite, log
from typing import NamedTuple

type Vector = Sequence[float]
type Matrix = list[list[float]]
type Likelihood = Callable[[Vector], tuple[float, Vector]]
"""Gives, for the parameters, the mean log-likelihood and its derivatives by each of them."""

MOST_TRIALS = 300
"""How often the likelihood is computed at most; a fit that succeeds needs some forty."""
_FLAT = 1e-7
"""A slope of the mean log-likelihood, by the logarithm of a parameter, that is none."""
_NEARLY_FLAT = 1e-5
"""Where it is less, what a step gains may drown in rounding."""
_LONGEST = 2.0
"""A step changes no parameter by more than e² at once."""
_SHORTEST = 1e-10
_ENOUGH = 1e-4
"""Part of the gain that the slope promises which a step must bring."""


class FitFailed(Exception):
    """There is no maximum, or it was not found."""


class Bounds(NamedTuple):
    low: float
    high: float


class _Point(NamedTuple):
    """Logarithms of the parameters, and of what is minimised there the value and the slope."""

    at: Vector
    value: float
    slope: Vector


def maximise(likelihood: Likelihood, start: Vector, bounds: Sequence[Bounds]) -> list[float]:
    """Give the parameters that are likeliest within the bounds, which may be at one. Raises FitFailed."""
    low, high = [log(bound.low) for bound in bounds], [log(bound.high) for bound in bounds]
    trials = 0

    def point(at: Vector) -> _Point:
        nonlocal trials
        trials += 1
        if trials > MOST_TRIALS:
            raise FitFailed(f"no maximum within {MOST_TRIALS} trials")
        within = [min(max(value, least), most) for value, least, most in zip(at, low, high, strict=True)]
        parameters = [exp(value) for value in within]
        value, slope = likelihood(parameters)
        return _Point(within, -value, [-by * parameter for by, parameter in zip(slope, parameters, strict=True)])

    here = point([log(value) for value in start])
    inverse: Matrix | None = None
    learnt_of: list[bool] = []
    while True:
        if not isfinite(here.value) or not all(map(isfinite, here.slope)):
            raise FitFailed("the likelihood is not finite")
        free = [
            not ((by >= 0 and at <= least) or (by <= 0 and at >= most))
            for at, by, least, most in zip(here.at, here.slope, low, high, strict=True)
        ]
        if free != learnt_of:
            inverse, learnt_of = None, free
        slope = _among(free, here.slope)
        steepest = max(map(abs, slope))
        if steepest < _FLAT:
            return [exp(value) for value in here.at]
        there = _better(here, _direction(inverse, slope), point)
        if there is None and steepest < _NEARLY_FLAT:
            return [exp(value) for value in here.at]
        if there is None and inverse is None:
            raise FitFailed("no step makes the likelihood larger")
        if there is None:
            inverse = None
        else:
            inverse = _updated(inverse, _minus(there.at, here.at), _among(free, _minus(there.slope, here.slope)))
            here = there


def _among(free: Sequence[bool], vector: Vector) -> list[float]:
    return [part if is_free else 0.0 for part, is_free in zip(vector, free, strict=True)]


def _direction(inverse: Matrix | None, slope: Vector) -> list[float]:
    """Give the step to where a parabola would have its least value; without a parabola, downhill."""
    step = [-_dot(row, slope) for row in inverse] if inverse else []
    if not step or _dot(step, slope) >= 0:
        step = [-by for by in slope]
    longest = max(map(abs, step))
    return [part * min(1.0, _LONGEST / longest) for part in step]


def _better(here: _Point, step: Vector, point: Callable[[Vector], _Point]) -> _Point | None:
    """Halve the step until it gains enough; None where no step does."""
    part = 1.0
    while part > _SHORTEST:
        there = point([at + part * by for at, by in zip(here.at, step, strict=True)])
        gain = _dot(here.slope, _minus(there.at, here.at))
        if isfinite(there.value) and there.value < here.value + _ENOUGH * gain:
            return there
        part /= 2
    return None


def _updated(inverse: Matrix | None, moved: Vector, bent: Vector) -> Matrix | None:
    """Learn the curvature from a step (eq. 6.17; the first scale is eq. 6.20). What is not convex there teaches nothing."""
    curvature = _dot(moved, bent)
    if curvature <= 0:
        return inverse
    size = range(len(moved))
    if inverse is None:
        scale = curvature / _dot(bent, bent)
        inverse = [[scale * (row == column) for column in size] for row in size]
    seen = [_dot(row, bent) for row in inverse]
    weight = (1 + _dot(bent, seen) / curvature) / curvature
    return [
        [
            inverse[row][column]
            + weight * moved[row] * moved[column]
            - (seen[row] * moved[column] + moved[row] * seen[column]) / curvature
            for column in size
        ]
        for row in size
    ]


def _minus(left: Vector, right: Vector) -> list[float]:
    return [one - other for one, other in zip(left, right, strict=True)]


def _dot(left: Vector, right: Vector) -> float:
    return sum(one * other for one, other in zip(left, right, strict=True))
