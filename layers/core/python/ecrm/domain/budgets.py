"""Budgets: how much marketing a person has had of late, and whether there is room for one more."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from .contact_policy import Cap
from .messages import PRIORITY, Send, Status
from .preferences import Preferences

SERVED = frozenset({Status.CLAIMED, Status.UNKNOWN, Status.UNKNOWN_FINAL, Status.ACCEPTED, Status.HELD_OUT})
"""Whoever has an entry that stands there gets no other mail of its run: they have it, or may, or are held out."""
BUDGET_KEPT = timedelta(days=8)
"""How long a person's budget remembers a send at least: longer only where a cap of their own looks back further."""
PRIORITY_AGAIN = timedelta(hours=1)
"""Before a send is looked at again that leaves its place to a campaign of higher priority."""
PAUSED, CAP, FREQUENCY = "paused", "cap", "frequency"
WAITS_FOR_ROOM = frozenset({PAUSED, CAP, FREQUENCY, PRIORITY})
"""Reasons of what waits, or came to its end, because its person gets enough as it is."""


@dataclass(frozen=True, slots=True)
class Reserved:
    """What a budget remembers of a send: when, and where its entry is, so that an erasure finds it."""

    at: datetime
    run_id: str
    shard: int
    customer_id: str


@dataclass(frozen=True, slots=True)
class Budget:
    """The marketing mails to a person of late, by send id, at a version (0: none yet); `inherited` are of those they absorbed.

    `wishes` are what the person said of such mails. `ahead` are the mails to them that campaigns of higher priority still wait
    to send. `twins` are the entries that those they absorbed have in the run of the mail, and in those that it retries.
    """

    customer_id: str
    version: int = 0
    sends: Mapping[str, Reserved] = field(default_factory=dict)
    inherited: Mapping[str, Reserved] = field(default_factory=dict)
    wishes: Preferences = field(default_factory=Preferences)
    ahead: tuple[Send, ...] = ()
    twins: tuple[Send, ...] = ()

    @property
    def is_served(self) -> bool:
        """Whether the run of the mail has served the person already, as somebody who turned out to be them."""
        return any(twin.status in SERVED for twin in self.twins)


@dataclass(frozen=True, slots=True)
class NoRoom:
    """Why a person gets no more for now, and until when."""

    reason: str
    until: datetime


def no_room(budget: Budget, cap: Cap | None, send: Send, now: datetime) -> NoRoom | None:
    """Say what holds a marketing mail back, None where nothing does: a pause of the person's, the company's cap, their own.

    Of several it is the one that holds it longest. Where there is room, but not for what is ahead too, that comes first.
    """
    pause = (budget.wishes.paused_until if budget.wishes.is_paused(now) else None) or now
    caps = {CAP: cap, FREQUENCY: budget.wishes.cap}
    waits = {PAUSED: pause} | {reason: room_at(budget, each, send, now) for reason, each in caps.items()}
    reason, until = max(waits.items(), key=lambda wait: wait[1])
    if until > now:
        return NoRoom(reason, until)
    is_behind = not all(has_room(budget, each, send, now, len(_ahead(budget, each, now))) for each in caps.values())
    return NoRoom(PRIORITY, now + PRIORITY_AGAIN) if is_behind else None


def has_room(budget: Budget, cap: Cap | None, send: Send, now: datetime, ahead: int = 0) -> bool:
    """Say whether a cap leaves a place, beside those of so many mails that are ahead."""
    return cap is None or sum(at > now - cap.within for at in _times(budget, send)) + ahead < cap.most


def room_at(budget: Budget, cap: Cap | None, send: Send, now: datetime) -> datetime:
    """Say when a cap leaves a place: now, or as soon as enough of the mails that there were are long enough ago."""
    times = _times(budget, send)
    if cap is None or len(times) < cap.most:
        return now
    return max(now, times[-cap.most] + cap.within)


def _times(budget: Budget, send: Send) -> list[datetime]:
    """When a person was sent something, but for this send, in order."""
    others = {**budget.inherited, **budget.sends}
    others.pop(send.send_id, None)
    return sorted(reserved.at for reserved in others.values())


def _ahead(budget: Budget, cap: Cap | None, now: datetime) -> list[Send]:
    """What is ahead and would meet with a mail of now within the time of a cap."""
    until = now + cap.within if cap else now
    return [send for send in budget.ahead if (send.postponed_until or now) < until]


def reserve(budget: Budget, send: Send, now: datetime) -> Budget:
    """Give a send its place, and forget those of longer ago than BUDGET_KEPT, and than the person's own cap looks back."""
    since = now - max(BUDGET_KEPT, budget.wishes.cap.within if budget.wishes.cap else BUDGET_KEPT)
    places = {name: reserved for name, reserved in budget.sends.items() if reserved.at > since}
    places[send.send_id] = Reserved(now, send.run_id, send.shard, send.customer_id)
    return replace(budget, sends=places, version=budget.version + 1)


def free(budget: Budget, send: Send) -> Budget:
    """Give a place back that was never used."""
    if send.send_id not in budget.sends:
        return budget
    kept = {name: reserved for name, reserved in budget.sends.items() if name != send.send_id}
    return replace(budget, sends=kept, version=budget.version + 1)
