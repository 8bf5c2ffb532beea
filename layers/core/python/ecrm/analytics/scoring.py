"""What a night computed from all customers, and what it makes of one of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache

from ecrm.domain import lifecycle
from ecrm.domain.facts import NO_SCORES, Rfm, Scores
from ecrm.domain.lifecycle import stage
from ecrm.domain.predictions import Prediction
from ecrm.domain.statistics import CustomerStatistics

from .forecasts import CurrencyModel, Forecaster, Horizon
from .rfm import GroupTable, RfmScale


@dataclass(frozen=True, slots=True, kw_only=True)
class NightThresholds:
    """`scales` and `models` are by currency. With them a customer who bought since is scored as last night would have.

    `horizon` is the one that lifetime values of this night look as far as.
    """

    lifecycle: lifecycle.Thresholds
    scales: Mapping[str, RfmScale] = field(default_factory=dict)
    groups: GroupTable = field(default_factory=GroupTable)
    models: Mapping[str, CurrencyModel] = field(default_factory=dict)
    horizon: Horizon = field(default_factory=Horizon)


type MakeForecaster = Callable[[CurrencyModel, Horizon], Forecaster]

kept_forecaster: MakeForecaster = lru_cache(maxsize=32)(Forecaster)
"""For one customer at a time: what a model says of a history is a few hundred microseconds to work out, and some to look up."""


def scorer(
    thresholds: NightThresholds, today: date, forecaster_of: MakeForecaster = Forecaster
) -> Callable[[CustomerStatistics], Scores]:
    """Give what scores customers; made once for many, as forecasts keep what they have worked out.

    A currency in which nobody had bought that night has neither scores nor predictions, and an outdated row has none at all.
    """
    forecasters = {currency: forecaster_of(model, thresholds.horizon) for currency, model in thresholds.models.items()}

    def score(row: CustomerStatistics) -> Scores:
        if row.is_outdated:
            return NO_SCORES
        rfm: dict[str, Rfm] = {}
        predictions: dict[str, Prediction] = {}
        for currency, part in row.currencies.items():
            scale, forecaster = thresholds.scales.get(currency), forecasters.get(currency)
            scores = scale.scores(part) if scale else None
            if scores is not None:
                rfm[currency] = Rfm(scores.recency, scores.frequency, scores.monetary, thresholds.groups.group(scores))
            prediction = forecaster.predict(part, today) if forecaster else None
            if prediction is not None:
                predictions[currency] = prediction
        return Scores(rfm, stage(row.purchases, thresholds.lifecycle, today), predictions)

    return score
