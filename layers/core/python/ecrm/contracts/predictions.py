"""What is predicted of customers, and by which models, on the wire."""

from collections.abc import Mapping
from typing import Self

from ecrm.analytics.forecasts import Check, CurrencyModel, Source
from ecrm.analytics.scoring import NightThresholds
from ecrm.domain import money
from ecrm.domain.predictions import Prediction, rounded

from .fields import Answer


class ErrorBody(Answer):
    """By which part of what came the model expected more (or less, below 0) when it was last held against 90 days or more.

    Null where nothing came.
    """

    orders: float | None
    value: float | None


class ModelHeadBody(Answer):
    """The model of a currency: `buyers` are those that it was fitted on; `error` is null where there is too little to check."""

    name: str
    version: int
    fitted_on: str
    buyers: int
    error: ErrorBody | None

    @classmethod
    def of(cls, model: CurrencyModel) -> Self:
        return cls(
            name=model.name,
            version=model.version,
            fitted_on=model.fitted_on.isoformat(),
            buyers=model.buyers,
            error=_error(model.check) if model.check else None,
        )


def _error(check: Check) -> ErrorBody:
    return ErrorBody(orders=_shown(check.orders_error), value=_shown(check.value_error))


def _shown(number: float | None) -> float | None:
    return None if number is None else float(rounded(number))


class PredictionBody(Answer):
    """What is expected of a customer in one currency.

    `p_alive` from 0 to 1 is the probability that they are still a customer; `orders_30` and so on are the days with an order
    expected in so many days from now; `value` is the net revenue expected in `value_horizon_days`, discounted to today. By
    `next_order_on` an order is as likely as not, if they are still a customer; null where that is years away. `weak`: there were
    too few buyers in this currency for a model of their own.
    """

    p_alive: float
    orders_30: float
    orders_90: float
    orders_365: float
    value: str
    value_horizon_days: int
    next_order_on: str | None
    weak: bool
    model: ModelHeadBody

    @classmethod
    def by_currency(cls, predictions: Mapping[str, Prediction], thresholds: NightThresholds | None) -> dict[str, Self]:
        """Predictions are those that these thresholds made."""
        if thresholds is None:
            return {}
        return {
            currency: cls(
                p_alive=float(rounded(one.p_alive)),
                orders_30=float(rounded(one.orders_30)),
                orders_90=float(rounded(one.orders_90)),
                orders_365=float(rounded(one.orders_365)),
                value=money.to_text(one.value_minor, currency),
                value_horizon_days=thresholds.horizon.days,
                next_order_on=one.next_order_on.isoformat() if one.next_order_on else None,
                weak=one.is_weak,
                model=ModelHeadBody.of(thresholds.models[currency]),
            )
            for currency, one in predictions.items()
        }


class CheckedRepeatsBody(Answer):
    """Customers who had come back on `repeats` days, or on more up to the next class; those days are not counted as orders."""

    repeats: int
    customers: int
    expected_orders: float
    actual_orders: int


class CheckBody(Answer):
    """What the model, fitted as of a month's end 90 days ago or more, expected until this night, and what came.

    Orders are days with an order, values net revenue, not discounted.
    """

    as_of: str
    until: str
    purchasing_source: Source
    spending_source: Source
    customers: int
    expected_orders: float
    actual_orders: int
    expected_value: str
    actual_value: str
    error: ErrorBody
    by_repeats: list[CheckedRepeatsBody]

    @classmethod
    def of(cls, check: Check, currency: str) -> Self:
        return cls(
            as_of=check.as_of.isoformat(),
            until=check.until.isoformat(),
            purchasing_source=check.purchasing_source,
            spending_source=check.spending_source,
            customers=check.customers,
            expected_orders=float(rounded(check.expected_orders)),
            actual_orders=check.actual_orders,
            expected_value=money.to_text(check.expected_value_minor, currency),
            actual_value=money.to_text(check.actual_value_minor, currency),
            error=_error(check),
            by_repeats=[
                CheckedRepeatsBody(
                    repeats=one.repeats,
                    customers=one.customers,
                    expected_orders=float(rounded(one.expected_orders)),
                    actual_orders=one.actual_orders,
                )
                for one in check.by_repeats
            ],
        )


class ParametersBody(Answer):
    """How often customers buy (`r`, `alpha_days`), when they leave (`a`, `b`), and what they spend (`p`, `q`, `gamma`).

    `gamma` is money, in whole units of the currency.
    """

    r: float
    alpha_days: float
    a: float
    b: float
    p: float
    q: float
    gamma: float

    @classmethod
    def of(cls, model: CurrencyModel, currency: str) -> Self:
        purchasing, spending = model.purchasing, model.spending
        return cls(
            r=purchasing.r,
            alpha_days=purchasing.alpha,
            a=purchasing.a,
            b=purchasing.b,
            p=spending.p,
            q=spending.q,
            gamma=spending.gamma / 10 ** money.DIGITS[currency],
        )


class ModelBody(ModelHeadBody):
    """`purchasing_source` and `spending_source` say on whose customers the two parts of the model were fitted.

    This currency's own, those of all currencies (`pooled`), nobody's of this company (`built_in`), or yesterday's, where the fit
    failed, which `failure` then says. `weak` is whatever is not the currency's own.
    """

    purchasing_source: Source
    spending_source: Source
    weak: bool
    repeat_buyers: int
    failure: str | None
    parameters: ParametersBody
    check: CheckBody | None

    @classmethod
    def of_currency(cls, model: CurrencyModel, currency: str) -> Self:
        return cls(
            **dict(ModelHeadBody.of(model)),
            purchasing_source=model.purchasing_source,
            spending_source=model.spending_source,
            weak=model.is_weak,
            repeat_buyers=model.repeat_buyers,
            failure=model.failure,
            parameters=ParametersBody.of(model, currency),
            check=CheckBody.of(model.check, currency) if model.check else None,
        )
