"""The histories that models are fitted on, as JSON: lists of numbers, the smallest first."""

from collections.abc import Mapping, Sequence
from typing import Any

from ecrm.analytics.histories import (
    CurrencyHistories,
    Histories,
    HistoriesByCurrency,
    History,
    HistoryCounts,
    Since,
    Spend,
    SpendCounts,
)


def histories_said(counts: Mapping[str, CurrencyHistories]) -> dict[str, Any]:
    return {
        currency: {
            "today": _histories(each.today),
            "past": _histories(each.past),
            "since": [
                [repeats, since.customers, since.orders, since.revenue_minor] for repeats, since in sorted(each.since.items())
            ],
        }
        for currency, each in sorted(counts.items())
    }


def histories_of(said: Mapping[str, Any]) -> HistoriesByCurrency:
    return {
        currency: CurrencyHistories(
            _histories_of(each["today"]), _histories_of(each["past"]), {repeats: Since(*sums) for repeats, *sums in each["since"]}
        )
        for currency, each in said.items()
    }


def _histories(counts: Histories) -> list[Any]:
    purchases, spends = counts.purchases, counts.spends
    return [
        [
            purchases.level,
            [[*each, purchases.customers[each], purchases.revenue_minor[each]] for each in sorted(purchases.customers)],
        ],
        [spends.level, [[*each, spends.customers[each]] for each in sorted(spends.customers)]],
        [counts.first_days, counts.first_days_revenue_minor],
    ]


def _histories_of(said: Sequence[Any]) -> Histories:
    (level, listed), (spends_level, spends), first_days = said
    histories = {History(*each[:3]): each for each in listed}
    purchases = HistoryCounts(
        {history: each[3] for history, each in histories.items()},
        {history: each[4] for history, each in histories.items()},
        level,
    )
    return Histories(purchases, SpendCounts({Spend(*each[:2]): each[2] for each in spends}, spends_level), *first_days)
