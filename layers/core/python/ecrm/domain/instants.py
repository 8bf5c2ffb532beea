"""Instants: aware UTC datetimes, written at one fixed width so that text order is time order."""

import re
from datetime import UTC, date, datetime, timedelta, tzinfo

AHEAD = timedelta(hours=24)
"""How far a caller's clock may run ahead of ours."""

_WIDTH = len("2026-11-20T18:03:11.000000")


def to_text(instant: datetime) -> str:
    """Write as `2026-11-20T18:03:11.000000Z`, always 27 characters."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds")[:_WIDTH] + "Z"


def from_text(text: str) -> datetime:
    return datetime.fromisoformat(text)


def to_answer(instant: datetime) -> str:
    """Write for an answer: without a fraction where it is zero."""
    return to_text(instant).replace(".000000Z", "Z")


def day_named(text: str) -> date | None:
    """Read a day as it stands in an address, `2026-11-20`; None where there is none of that name."""
    try:
        return date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII) else None
    except ValueError:
        return None


def time_zone(name: str) -> tzinfo:
    """Give one of IANA's time zones. Raises KeyError, ValueError or OSError where there is none of that name."""
    from zoneinfo import ZoneInfo  # noqa: PLC0415 (4 ms that only its users pay)

    return ZoneInfo(name)


def is_time_zone(name: str) -> bool:
    """Say whether a name is one of IANA's time zones."""
    try:
        time_zone(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def instant_of(wall: datetime, zone: tzinfo) -> datetime:
    """Give when a clock in a zone shows a time: the first time of two, and where it is jumped over, when it would have come."""
    return wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
