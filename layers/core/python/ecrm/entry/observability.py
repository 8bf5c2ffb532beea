"""Logs and metrics, defined once: JSON lines and CloudWatch's embedded metric format, with ids only."""

import traceback
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import MetricUnit, single_metric

if TYPE_CHECKING:
    from ecrm.application.ports import Unreadable

_logger = Logger(location=None)


def note(message: str, **ids: Any) -> None:
    _logger.info(message, extra=ids)


def warn(message: str, error: BaseException, **ids: Any) -> None:
    """Log an error by its class and its place in the code; never by its words, which may repeat somebody's data."""
    _logger.warning(message, extra=ids | describe(error))


def alarm(message: str, error: BaseException, **ids: Any) -> None:
    """Log an error that somebody must look at, and count it under `UnhandledErrors`."""
    _logger.error(message, extra=ids | describe(error))
    count("UnhandledErrors")


def name(unreadable: Iterable["Unreadable"], **ids: str) -> None:
    """Tell us, not the caller, of each that a list or an export had to leave out; `ids` say which."""
    for one in unreadable:
        alarm("unreadable", one.error, **ids, **one.ids)


def count(metric: str, times: int = 1) -> None:
    with single_metric(name=metric, unit=MetricUnit.Count, value=times):
        pass


def describe(error: BaseException) -> dict[str, Any]:
    chain: list[str] = []
    inner: BaseException | None = error
    while inner is not None and len(chain) < 4:  # noqa: PLR2004 (enough to name a cause)
        chain.append(type(inner).__name__)
        inner = inner.__cause__ or inner.__context__
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    return {"error": chain, "at": [f"{frame.filename.rpartition('/ecrm/')[2]}:{frame.lineno}" for frame in frames]}
