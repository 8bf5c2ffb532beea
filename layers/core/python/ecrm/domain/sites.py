"""A site: one storefront of the company, and how it speaks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .contact_policy import FREQUENCY_CAP, QUIET_HOURS, Cap, ContactPolicy, QuietHours
from .instants import is_time_zone, time_zone

WELCOMED = "consent.confirmed"
"""The one type of event among a site's mails that brings marketing: a mailbox has confirmed that it wants some."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """`mails` names, for a type of event, the template of the mail that goes out after it; others bring none.

    `url` is its own page; `logo_url` and `accent`, #rrggbb, are how its mails look. Mails that try a template out go to
    `test_recipients` alone.
    Marketing reaches nobody in `quiet_hours`, by the clock where they are, and with `frequency_cap` no more than so often.
    """

    site: str
    brand: str
    languages: tuple[str, ...]
    time_zone: str
    currency: str
    sender: str | None = None
    reply_to: str | None = None
    postal_address: str | None = None
    url: str | None = None
    logo_url: str | None = None
    accent: str | None = None
    test_recipients: tuple[str, ...] = ()
    quiet_hours: QuietHours | None = QUIET_HOURS
    frequency_cap: Cap | None = FREQUENCY_CAP
    mails: Mapping[str, str] = field(default_factory=dict)
    updated_at: datetime
    version: int = 1

    @property
    def has_postal_address(self) -> bool:
        """Whether its mails can say where they come from: without, it sends no marketing."""
        return bool((self.postal_address or "").strip())

    def contact_policy(self, zone: Any) -> ContactPolicy:
        """Give what it keeps to for somebody whose attribute says a time zone; by its own clock where that is none."""
        name = zone if isinstance(zone, str) and is_time_zone(zone) else self.time_zone
        return ContactPolicy(zone=time_zone(name), quiet_hours=self.quiet_hours, cap=self.frequency_cap)
