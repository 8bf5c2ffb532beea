"""One after another, so that one that breaks is in nobody's way."""

from collections.abc import Callable, Iterable

from ecrm.domain.errors import Unavailable


def each_apart[T](those: Iterable[T], do: Callable[[T], object], is_late: Callable[[], bool]) -> int:
    """Do it with each until time is short, and give how many could not be done now.

    What is unavailable is left for whoever comes next. What else one raises is raised when all others are done.
    """
    unavailable = 0
    broken: Exception | None = None
    for each in those:
        if is_late():
            break
        try:
            do(each)
        except Unavailable:
            unavailable += 1
        except Exception as error:  # noqa: BLE001 (poison, whatever it is, is not in the way of others)
            broken = broken or error
    if broken is not None:
        raise broken
    return unavailable
