"""How often customers buy and when they stop: MBG/NBD, and BG/NBD, on which it improves."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchasing:
    """The four parameters of MBG/NBD; `alpha` in days."""

    r: float
    alpha: float
    a: float
    b: float
