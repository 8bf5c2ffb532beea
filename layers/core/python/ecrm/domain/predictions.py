"""What is expected of a customer in one currency, by the model that last night was fitted to all customers' purchases."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """Of who has a purchase day in the currency.

    `p_alive` is the probability that they are still a customer. `orders_30` and so on are the purchase days expected in so many
    days from today, `value_minor` the net revenue expected in the company's horizon, discounted to today. By `next_order_on` an
    order is as likely as not, if they are still a customer; None where that is years away. `is_weak` says that the model had too
    few buyers of this currency to be their own.
    """

    p_alive: float
    orders_30: float
    orders_90: float
    orders_365: float
    value_minor: int
    next_order_on: date | None
    is_weak: bool


def rounded(expected: float) -> Decimal:
    """Round to four decimals: as a probability or a number of orders is shown, so it is compared."""
    return Decimal(f"{expected:.4f}")
