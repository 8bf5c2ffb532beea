"""Links to reports, for colleagues without a key."""

from dataclasses import dataclass
from datetime import datetime, timedelta

LINK_LIVES = timedelta(days=30)
"""A report is passed around in the company; whoever has left has nothing to open a month later."""


@dataclass(frozen=True, slots=True)
class MadeLink:
    token: str
    expires_at: datetime


def ends_at(now: datetime) -> datetime:
    """Say when a link that is made now ends, in whole seconds."""
    return now.replace(microsecond=0) + LINK_LIVES
