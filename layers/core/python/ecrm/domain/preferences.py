"""Preferences: how often a person wants to hear from the company at most, and until when not at all.

Of several that stand under one person's ids, the latest of each counts: it is what they said last, whoever they were then.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from .consent import ADDRESSED, Channel, Consent, Method, State
from .contact_policy import Cap

PAUSE = timedelta(days=30)
_NEVER = datetime.min.replace(tzinfo=UTC)


class Frequency(StrEnum):
    AS_IT_COMES = "as_it_comes"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """`frequency` was chosen at `frequency_at`; a pause lasts from `pause_at`, when it was chosen or ended, to `paused_until`."""

    frequency: Frequency = Frequency.AS_IT_COMES
    frequency_at: datetime | None = None
    paused_until: datetime | None = None
    pause_at: datetime | None = None

    def is_paused(self, now: datetime) -> bool:
        return self.paused_until is not None and now < self.paused_until

    @property
    def cap(self) -> Cap | None:
        """The person's own, beside the company's; None where they take whatever comes."""
        within = _WITHIN.get(self.frequency)
        return Cap(1, within) if within else None


_WITHIN = {Frequency.WEEKLY: timedelta(days=7), Frequency.MONTHLY: timedelta(days=30)}


_OWN_WORDS = frozenset({Method.UNSUBSCRIBE, Method.PREFERENCE_CENTRE, Method.DOUBLE_OPT_IN, Method.FORM, Method.CHECKOUT})
"""Ways in which a person says no by themselves, and may say yes again by themselves."""


def is_hard_no(consent: Consent | None) -> bool:
    """Say whether only the mailbox itself can raise this: it complained, or somebody else said no, such as our service."""
    return consent is not None and consent.state is State.DENIED and consent.decisive.method not in _OWN_WORDS


def may_resume(channel: Channel, consent: Consent, address: str | None) -> bool:
    """Say whether a person who left a channel by themselves may take it again on a page that proves another one's address.

    They may where they had it before, for the address of now, given as its digest: so it is theirs. What a merger, or the undoing
    of an import, took back was never had.
    """
    if consent.state is not State.DENIED or is_hard_no(consent) or (channel in ADDRESSED and address is None):
        return False
    given = [fact for fact in (consent.proven, consent.granted) if fact and fact.address == address]
    return any(consent.withheld is None or fact.since > consent.withheld.since for fact in given)


def joined(books: Iterable[Preferences]) -> Preferences:
    """Keep of each choice the latest."""
    books = (Preferences(), *books)
    chosen = max(books, key=lambda each: (each.frequency_at or _NEVER, each.frequency))
    paused = max(books, key=lambda each: (each.pause_at or _NEVER, each.paused_until or _NEVER))
    return Preferences(
        frequency=chosen.frequency,
        frequency_at=chosen.frequency_at,
        paused_until=paused.paused_until,
        pause_at=paused.pause_at,
    )
