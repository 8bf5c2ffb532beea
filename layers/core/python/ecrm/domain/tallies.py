"""What a page of a roster comes to: counted anew from its entries each time, never added up; those of all pages are the run's.

The books of a run are how many of its audience came to which end, each to one. They balance where none is open any more and the
entries are as many as the audience.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from .messages import OPEN, Send, Status

BOOKS: Mapping[Status, str] = {
    Status.ACCEPTED: "accepted",
    Status.HELD_OUT: "held_out",
    Status.SUPPRESSED: "suppressed",
    Status.NO_CONSENT: "no_consent",
    Status.CAPPED: "capped",
    Status.EXPIRED: "expired",
    Status.CANCELLED: "cancelled",
    Status.FAILED: "failed",
    Status.UNKNOWN_FINAL: "unknown",
}
"""The ends, as the books name them."""
FOLLOWED = ("delivered", "bounced", "complained", "rejected", "opened", "clicked", "unsubscribed")
"""What may follow when a mail was accepted; people's opens and clicks, not those of machines."""
HOUR = timedelta(hours=1)
MOST_HOURS = 14 * 24
"""Hours since the beginning of a run that are told apart."""
MOST_LINKS = 100
"""Links that a page tells apart: those that most people followed."""


class Group(NamedTuple):
    """People who were assigned alike; no arm where they were ineligible, no treatment where it had not been decided."""

    message: str
    arm: str
    treatment: str
    is_pilot: bool


@dataclass(slots=True)
class Tally:
    """`groups` count entries, their statuses, and what followed; `reasons` are by status.

    `links` count who followed which, by message and treatment; `hours` are those since the run began, with what happened in each.
    `piloted_at` is when the last of the pilot got their mail; `ordered` counts who of it has ordered since, where anybody looked.
    """

    entries: int = 0
    open: int = 0
    groups: dict[Group, Counter[str]] = field(default_factory=dict)
    reasons: dict[str, Counter[str]] = field(default_factory=dict)
    links: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)
    hours: dict[int, Counter[str]] = field(default_factory=dict)
    piloted_at: datetime | None = None
    ordered: Counter[Group] | None = None

    @property
    def is_pilot_open(self) -> bool:
        """Whether somebody of the pilot may still get their mail."""
        return any(counted[status.value] for group, counted in self.groups.items() if group.is_pilot for status in OPEN)

    @property
    def books(self) -> dict[str, int]:
        """How many came to which end; sums up to the entries where none is open."""
        ended = sum(self.groups.values(), start=Counter[str]())
        return {name: ended[status.value] for status, name in BOOKS.items()}

    def merge(self, other: "Tally") -> None:
        self.entries += other.entries
        self.open += other.open
        _merge(self.groups, other.groups)
        _merge(self.reasons, other.reasons)
        _merge(self.links, other.links)
        _merge(self.hours, other.hours)
        self.piloted_at = max(filter(None, (self.piloted_at, other.piloted_at)), default=None)
        if other.ordered is not None:
            self.ordered = (self.ordered or Counter()) + other.ordered


def _merge[K](ours: dict[K, Counter[str]], theirs: Mapping[K, Counter[str]]) -> None:
    for key, counted in theirs.items():
        ours.setdefault(key, Counter()).update(counted)


def tally_of(entries: Iterable[Send], begun_at: datetime) -> Tally:
    """Count a page of a run that began at a time."""
    tally = Tally()
    for send in entries:
        _count(tally, send, begun_at)
    tally.links = {mail: Counter(dict(counted.most_common(MOST_LINKS))) for mail, counted in tally.links.items()}
    return tally


def merged(tallies: Iterable[Tally]) -> Tally:
    total = Tally()
    for tally in tallies:
        total.merge(tally)
    return total


def group_of(send: Send) -> Group:
    return Group(send.message or "", send.arm or "", send.treatment or "", send.is_pilot)


def _count(tally: Tally, send: Send, begun_at: datetime) -> None:
    tally.entries += 1
    tally.open += send.status in OPEN
    counted = tally.groups.setdefault(group_of(send), Counter())
    counted["entries"] += 1
    counted[send.status.value] += 1
    if send.reason is not None:
        tally.reasons.setdefault(send.status.value, Counter())[send.reason] += 1
    if send.status is not Status.ACCEPTED:
        return
    for what in FOLLOWED:
        counted[what] += getattr(send, f"{what}_at") is not None
    if send.is_pilot:
        tally.piloted_at = max(filter(None, (tally.piloted_at, send.settled_at)), default=None)
    if send.links:
        tally.links.setdefault((send.message or "", send.treatment or ""), Counter()).update(send.links.keys())
    for what, at in (("accepted", send.settled_at), ("opened", send.opened_at), ("clicked", send.clicked_at)):
        if at is not None:
            hour = min(max(at - begun_at, timedelta(0)) // HOUR, MOST_HOURS)
            tally.hours.setdefault(hour, Counter())[what] += 1
