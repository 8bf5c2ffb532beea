"""The counts that reports are made of, as JSON: lists of numbers by what they are counted for, the smallest first."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ecrm.analytics.reporting import (
    CurrencyCounts,
    GroupCounts,
    OutlookCounts,
    ReportCounts,
    ReturnCounts,
    ScoreCounts,
    ScoresByCurrency,
)

_BY_MONTH = ("net_revenue", "new_revenue", "cohorts", "returned")
_BY_COHORT_AND_MONTH = ("active", "cohort_revenue")
_SPENDS = ("one_time", "repeat")
_SUMS = (
    *("customers", "weak", "p_alive_millionths", "orders_30_millionths", "orders_90_millionths", "orders_365_millionths"),
    "value_minor",
)


def counts_said(counts: ReportCounts) -> dict[str, Any]:
    returns = counts.returns
    return {
        "returns": [returns.buyers, returns.one_time, _listed(returns.known), _listed(returns.back)],
        "currencies": {currency: _currency(each) for currency, each in sorted(counts.currencies.items())},
    }


def counts_of(said: Mapping[str, Any]) -> ReportCounts:
    buyers, one_time, known, back = said["returns"]
    return ReportCounts(
        ReturnCounts(buyers, one_time, dict(known), dict(back)),
        {currency: _currency_of(each) for currency, each in said["currencies"].items()},
    )


def scores_said(counts: Mapping[str, ScoreCounts]) -> dict[str, Any]:
    return {
        currency: {
            "cells": [[*cell, *_group(each.cells[cell])] for cell in sorted(each.cells)],
            "outlook": [getattr(each.outlook, name) for name in _SUMS],
            "alive": _listed(each.outlook.alive),
            "values": [[step, *_group(each.outlook.values[step])] for step in sorted(each.outlook.values)],
        }
        for currency, each in sorted(counts.items())
    }


def scores_of(said: Mapping[str, Any]) -> ScoresByCurrency:
    found: ScoresByCurrency = {}
    for currency, each in said.items():
        values = {step: GroupCounts(*group) for step, *group in each["values"]}
        sums = dict(zip(_SUMS, each["outlook"], strict=True))
        cells = {(recency, other): GroupCounts(*group) for recency, other, *group in each["cells"]}
        found[currency] = ScoreCounts(cells, OutlookCounts(**sums, alive=dict(each["alive"]), values=values))
    return found


def _currency(counts: CurrencyCounts) -> dict[str, Any]:
    return (
        {name: _listed(getattr(counts, name)) for name in _BY_MONTH}
        | {name: [[*pair, value] for pair, value in sorted(getattr(counts, name).items())] for name in _BY_COHORT_AND_MONTH}
        | {name: _group(getattr(counts, name)) for name in _SPENDS}
    )


def _currency_of(said: Mapping[str, Any]) -> CurrencyCounts:
    parts: dict[str, Any] = {name: dict(said[name]) for name in _BY_MONTH}
    parts |= {name: _by_pair(said[name]) for name in _BY_COHORT_AND_MONTH}
    parts |= {name: GroupCounts(*said[name]) for name in _SPENDS}
    return CurrencyCounts(**parts)


def _by_pair(said: Iterable[Sequence[int]]) -> dict[tuple[int, int], int]:
    return {(cohort, month): value for cohort, month, value in said}


def _listed(counts: Mapping[int, int]) -> list[list[int]]:
    return [[key, counts[key]] for key in sorted(counts)]


def _group(counts: GroupCounts) -> list[int]:
    return [counts.customers, counts.net_revenue_minor]
