"""A site: one storefront of the company, and how it speaks."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    site: str
    brand: str
    languages: tuple[str, ...]
    time_zone: str
    currency: str
    sender: str | None = None
    reply_to: str | None = None
    postal_address: str | None = None
    updated_at: datetime
    version: int = 1
