"""A step of a state machine at the door: which errors the machine may try again after."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ecrm.domain.errors import EcrmError, Unavailable

from . import observability


class StepFailed(Exception):
    """A step cannot be done, however often it is tried. Its words name no more than a code."""


@contextmanager
def guarded_step(name: str, ids: Mapping[str, Any]) -> Iterator[None]:
    """Let out what may be tried again as Unavailable, and all else as StepFailed: the state machine knows errors by their class.

    Nothing else of an error comes out: its words may repeat somebody's data, and the machine writes them down.
    """
    try:
        yield
    except Unavailable as error:
        observability.warn("unavailable", error, step=name, **ids)
        raise Unavailable(error.detail) from None
    except EcrmError as error:
        observability.warn("a step failed", error, step=name, **ids)
        raise StepFailed(error.code) from None
    except Exception as error:  # noqa: BLE001 (whatever it is, its words stay here)
        observability.alarm("unhandled in a step", error, step=name, **ids)
        raise StepFailed("internal") from None
