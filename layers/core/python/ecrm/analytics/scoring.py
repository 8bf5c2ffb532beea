"""What a night computed from all customers, and what it makes of one of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from ecrm.domain import lifecycle
from ecrm.domain.facts import NO_SCORES, Rfm, Scores
from ecrm.domain.lifecycle import stage
from ecrm.domain.statistics import CustomerStatistics

from .rfm import GroupTable, RfmScale


@dataclass(frozen=True, slots=True, kw_only=True)
class NightThresholds:
    """`scales` are by currency. With them a customer who bought since is scored as last night would have."""

    lifecycle: lifecycle.Thresholds
    scales: Mapping[str, RfmScale] = field(default_factory=dict)
    groups: GroupTable = field(default_factory=GroupTable)


def scores_of(row: CustomerStatistics, thresholds: NightThresholds, today: date) -> Scores:
    """Score a customer; a currency in which nobody had bought that night has no scores, nor has an outdated row."""
    if row.is_outdated:
        return NO_SCORES
    rfm: dict[str, Rfm] = {}
    for currency, part in row.currencies.items():
        scale = thresholds.scales.get(currency)
        scores = scale.scores(part) if scale else None
        if scores is not None:
            rfm[currency] = Rfm(scores.recency, scores.frequency, scores.monetary, thresholds.groups.group(scores))
    return Scores(rfm, stage(row.purchases, thresholds.lifecycle, today))
