"""How much customers spend on a purchase day: the Gamma-Gamma model."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """The three parameters of Gamma-Gamma; `gamma` in minor units."""

    p: float
    q: float
    gamma: float
