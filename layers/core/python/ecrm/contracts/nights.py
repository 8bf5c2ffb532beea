"""Nights on the wire."""

from datetime import date
from typing import Self

from ecrm.application.segment_ports import Night
from ecrm.domain import instants, money
from ecrm.domain.lifecycle import Stage
from ecrm.domain.nights import NightState

from .fields import Answer
from .predictions import ModelBody


class NightHeadBody(Answer):
    """`night` is the day in the company's time zone. `unreadable` of the customers were left out, which the log names.

    For `from_facts` of them a rule asked for more than their statistics tell.
    """

    night: str
    state: NightState
    scheduled_at: str
    started_at: str
    finished_at: str | None
    error: str | None
    customers: int
    unreadable: int
    from_facts: int

    @classmethod
    def of(cls, night: Night) -> Self:
        return cls(
            night=night.night.isoformat(),
            state=night.state,
            scheduled_at=instants.to_answer(night.scheduled_at),
            started_at=instants.to_answer(night.started_at),
            finished_at=instants.to_answer(night.finished_at) if night.finished_at else None,
            error=night.error,
            customers=night.customers,
            unreadable=night.unreadable,
            from_facts=night.from_facts,
        )


class NightsPage(Answer):
    data: list[NightHeadBody]
    next_cursor: str | None


class CountedSegmentBody(Answer):
    version: int | None
    size: int
    entered: int
    left: int


class ScaleBody(Answer):
    """The smallest value with a score of 2, 3, 4 and 5, as far as somebody has it: days as dates, purchase days, amounts."""

    recency: list[str]
    frequency: list[int]
    monetary: list[str]


class ThresholdsBody(Answer):
    """By how many days after a single purchase a customer is at risk, and lost; and the scales of RFM by currency.

    Lifetime values look `value_horizon_days` ahead, and are discounted by `discount_percent` a year.
    """

    at_risk_days: int
    lost_days: int
    rfm: dict[str, ScaleBody]
    value_horizon_days: int
    discount_percent: float


class NightBody(NightHeadBody):
    """`moves` are by the stage of the life cycle before, then by the one after; who is new to us is in none of them.

    `models`, by currency, are those by which customers are predicted until the next night, each held against what came.
    """

    segments: dict[str, CountedSegmentBody]
    stages: dict[Stage, int]
    moves: dict[Stage, dict[Stage, int]]
    thresholds: ThresholdsBody | None
    models: dict[str, ModelBody]

    @classmethod
    def of_night(cls, night: Night) -> Self:
        return cls(
            **dict(NightHeadBody.of(night)),
            segments={
                segment: CountedSegmentBody(
                    version=night.versions.get(segment),
                    size=size,
                    entered=night.entered.get(segment, 0),
                    left=night.left.get(segment, 0),
                )
                for segment, size in sorted(night.sizes.items())
            },
            stages=dict(night.stages),
            moves={before: dict(after) for before, after in night.moves.items()},
            thresholds=_thresholds(night),
            models={
                currency: ModelBody.of_currency(model, currency)
                for currency, model in (night.thresholds.models.items() if night.thresholds else ())
            },
        )


def _thresholds(night: Night) -> ThresholdsBody | None:
    if night.thresholds is None:
        return None
    return ThresholdsBody(
        at_risk_days=night.thresholds.lifecycle.at_risk_days,
        lost_days=night.thresholds.lifecycle.lost_days,
        rfm={
            currency: ScaleBody(
                recency=[date.fromordinal(cut).isoformat() for cut in scale.recency.cuts],
                frequency=list(scale.frequency.cuts),
                monetary=[money.to_text(cut, currency) for cut in scale.monetary.cuts],
            )
            for currency, scale in night.thresholds.scales.items()
        },
        value_horizon_days=night.thresholds.horizon.days,
        discount_percent=night.thresholds.horizon.discount_percent,
    )
