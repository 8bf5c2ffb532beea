"""A site: one storefront of the company, and how it speaks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """`mails` names, for each type of an order's event, the template of the mail that goes out after it; others bring none.

    `logo_url` and `accent`, #rrggbb, are how its mails look. Mails that try a template out go to `test_recipients` alone.
    """

    site: str
    brand: str
    languages: tuple[str, ...]
    time_zone: str
    currency: str
    sender: str | None = None
    reply_to: str | None = None
    postal_address: str | None = None
    logo_url: str | None = None
    accent: str | None = None
    test_recipients: tuple[str, ...] = ()
    mails: Mapping[str, str] = field(default_factory=dict)
    updated_at: datetime
    version: int = 1
