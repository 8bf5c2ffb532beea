"""Who is still a customer, how often they will buy and what that is worth, by the models of a night."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from ecrm.domain.statistics import CurrencyStatistics

from .histories import CurrencyHistories
from .purchasing import Purchasing
from .spending import Spending

MODEL = "mbg_nbd_gamma_gamma"
VERSION = 1
"""Changes with whatever changes numbers."""


class Source(StrEnum):
    """Whose data parameters were fitted on."""

    OWN = "own"
    POOLED = "pooled"
    BUILT_IN = "built_in"
    YESTERDAY = "yesterday"


@dataclass(frozen=True, slots=True, kw_only=True)
class Horizon:
    """How far lifetime value looks ahead, and by how much it is discounted in a year."""

    days: int = 365
    discount_percent: float = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedRepeats:
    """Customers by repeat purchases, `repeats` or more up to the next class: orders are purchase days since."""

    repeats: int
    customers: int
    expected_orders: float
    actual_orders: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What a model that was fitted as of a day in the past expected until today of everybody then known, and what happened.

    Values are net revenue in minor units, not discounted. `sources` are those of the checked model.
    """

    as_of: date
    until: date
    purchasing_source: Source
    spending_source: Source
    customers: int
    expected_orders: float
    actual_orders: int
    expected_value_minor: int
    actual_value_minor: int
    by_repeats: tuple[CheckedRepeats, ...]

    @property
    def orders_error(self) -> float | None:
        """Expected orders over actual ones less 1; None where there were none."""
        return self.expected_orders / self.actual_orders - 1 if self.actual_orders else None

    @property
    def value_error(self) -> float | None:
        """Expected value over the actual one less 1; None where there was none."""
        return self.expected_value_minor / self.actual_value_minor - 1 if self.actual_value_minor > 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrencyModel:
    """What customers of one currency are forecast by.

    `buyers` and `repeat_buyers` are those of the night in which `purchasing` was fitted, `fitted_on`; after a fit that failed
    these are yesterday's, and `failure` says why it did.
    """

    purchasing: Purchasing
    spending: Spending
    purchasing_source: Source
    spending_source: Source
    buyers: int
    repeat_buyers: int
    fitted_on: date
    is_weak: bool
    failure: str | None = None
    check: Check | None = None
    name: str = MODEL
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class Prediction:
    """Orders are purchase days; `value_minor` is net revenue over the horizon, discounted.

    `next_order_on` is the day by which whoever is still a customer has ordered again as likely as not, None where it is beyond
    three years.
    """

    p_alive: float
    orders_30: float
    orders_90: float
    orders_365: float
    value_minor: int
    next_order_on: date | None
    is_weak: bool


class Forecaster:
    """Predicts customers of one currency, some microseconds each; keeps what depends on few numbers, so make it once a night."""

    __slots__ = ("horizon", "model")

    def __init__(self, model: CurrencyModel, horizon: Horizon) -> None:
        self.model, self.horizon = model, horizon

    def predict(self, part: CurrencyStatistics, today: date) -> Prediction | None:
        """Predict a customer; None where there is no purchase day."""
        raise NotImplementedError


def fit(counts: Mapping[str, CurrencyHistories], yesterday: Mapping[str, CurrencyModel], today: date) -> dict[str, CurrencyModel]:
    """Fit each currency that somebody bought in. Never raises for what is in the counts."""
    raise NotImplementedError
