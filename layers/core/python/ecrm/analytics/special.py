"""A special function that the standard library does not have."""

from math import log

_SHIFTED_TO = 6.0
"""From there on eight terms of the series are exact to the last digits of a float."""
_SERIES = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12, -3617 / 8160)


def digamma(x: float) -> float:
    """Give the derivative of `lgamma` for x > 0 (Abramowitz and Stegun, 6.3.5 and 6.3.18)."""
    value = 0.0
    while x < _SHIFTED_TO:
        value -= 1 / x
        x += 1
    square = 1 / (x * x)
    series = 0.0
    for term in reversed(_SERIES):
        series = (series + term) * square
    return value + log(x) - 1 / (2 * x) - series
