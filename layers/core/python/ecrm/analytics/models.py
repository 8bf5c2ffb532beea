"""Models as they are kept: plain names, texts, numbers and lists, for files and rows alike."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from typing import Any

from .forecasts import Check, CheckedRepeats, CurrencyModel, Source
from .purchasing import Purchasing
from .spending import Spending

_SOURCES = ("purchasing_source", "spending_source")


def written(model: CurrencyModel) -> dict[str, Any]:
    """Write a model, without what it has not."""
    said = asdict(model) | {"fitted_on": model.fitted_on.isoformat(), **_sources(model)}
    if model.check is not None:
        said["check"] |= {"as_of": model.check.as_of.isoformat(), "until": model.check.until.isoformat(), **_sources(model.check)}
        said["check"]["by_repeats"] = list(said["check"]["by_repeats"])
    return {name: value for name, value in said.items() if value is not None}


def _sources(of: CurrencyModel | Check) -> dict[str, str]:
    return {name: getattr(of, name).value for name in _SOURCES}


def read(said: Mapping[str, Any]) -> CurrencyModel:
    """Read what `written` wrote."""
    check = said.get("check")
    return CurrencyModel(
        **{
            **said,
            **_read_sources(said),
            "purchasing": Purchasing(**said["purchasing"]),
            "spending": Spending(**said["spending"]),
            "fitted_on": date.fromisoformat(said["fitted_on"]),
            "check": _check(check) if check else None,
        }
    )


def _check(said: Mapping[str, Any]) -> Check:
    return Check(
        **{
            **said,
            **_read_sources(said),
            "as_of": date.fromisoformat(said["as_of"]),
            "until": date.fromisoformat(said["until"]),
            "by_repeats": tuple(CheckedRepeats(**each) for each in said["by_repeats"]),
        }
    )


def _read_sources(said: Mapping[str, Any]) -> dict[str, Source]:
    return {name: Source(said[name]) for name in _SOURCES}
