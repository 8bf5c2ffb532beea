"""Sites on the wire."""

import re
from datetime import datetime, time, timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints

from ecrm.domain import instants
from ecrm.domain.contact_policy import FREQUENCY_CAP, QUIET_HOURS, Cap, QuietHours
from ecrm.domain.errors import Invalid
from ecrm.domain.sites import Site

from .fields import SITE_ID, Answer, Body, Currency, Email, Language, Name, Restated, SiteId, TemplateName, Text, TimeZone

Colour = Annotated[str, StringConstraints(max_length=7, pattern=r"^#[0-9a-fA-F]{6}$")]
SecureUrl = Annotated[str, StringConstraints(max_length=1_000, pattern=r"^https://[^\s<>\"'`\\]+$")]
WallClock = Annotated[str, StringConstraints(max_length=5, pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
MailedEvent = Literal[
    "consent.confirmed",
    "order.placed",
    "order.paid",
    "order.packed",
    "order.shipped",
    "order.shipment_updated",
    "order.delivered",
    "order.amended",
    "order.cancelled",
    "order.refunded",
    "order.returned",
]


class QuietHoursBody(Body):
    """A part of each day, through midnight where it ends before it starts."""

    start: WallClock
    end: WallClock

    @classmethod
    def of(cls, hours: QuietHours) -> Self:
        return cls(start=hours.start.isoformat("minutes"), end=hours.end.isoformat("minutes"))

    def to_quiet_hours(self) -> QuietHours:
        """Raises Invalid where they would last all day."""
        if self.start == self.end:
            raise Invalid.at("/quiet_hours/end", "range", "quiet hours end at another time than they start")
        return QuietHours(time.fromisoformat(self.start), time.fromisoformat(self.end))


class FrequencyCapBody(Body):
    """At most so many marketing mails to a person within so many days."""

    most: Annotated[int, Field(ge=1, le=100)]
    days: Annotated[int, Field(ge=1, le=7)]

    @classmethod
    def of(cls, cap: Cap) -> Self:
        return cls(most=cap.most, days=cap.within.days)

    def to_cap(self) -> Cap:
        return Cap(self.most, timedelta(days=self.days))


class PutSiteBody(Restated):
    """A storefront: how it looks, speaks and counts; the first language is its own."""

    READ_ONLY = frozenset({"site", "updated_at", "version"})

    brand: Name
    languages: Annotated[list[Language], Field(min_length=1, max_length=20)]
    time_zone: TimeZone
    currency: Currency
    sender: Email | None = None
    reply_to: Email | None = None
    postal_address: Text | None = None
    url: SecureUrl | None = None
    logo_url: SecureUrl | None = None
    accent: Colour | None = None
    test_recipients: Annotated[list[Email], Field(max_length=20)] = Field(default_factory=list)
    quiet_hours: QuietHoursBody | None = QuietHoursBody.of(QUIET_HOURS)
    frequency_cap: FrequencyCapBody | None = FrequencyCapBody.of(FREQUENCY_CAP)
    mails: dict[MailedEvent, TemplateName] = Field(default_factory=dict)

    def to_site(self, site: str, now: datetime) -> Site:
        if not re.fullmatch(SITE_ID, site):
            raise Invalid("a site is named by lower-case letters, digits and hyphens, 40 at most", code="bad_site")
        return Site(
            site=site,
            brand=self.brand,
            languages=tuple(self.languages),
            time_zone=self.time_zone,
            currency=self.currency,
            sender=self.sender,
            reply_to=self.reply_to,
            postal_address=self.postal_address,
            url=self.url,
            logo_url=self.logo_url,
            accent=self.accent,
            test_recipients=tuple(dict.fromkeys(self.test_recipients)),
            quiet_hours=self.quiet_hours.to_quiet_hours() if self.quiet_hours else None,
            frequency_cap=self.frequency_cap.to_cap() if self.frequency_cap else None,
            mails={str(event): template for event, template in self.mails.items()},
            updated_at=now,
        )


class SiteBody(Answer):
    site: SiteId
    brand: str
    languages: list[str]
    time_zone: str
    currency: str
    sender: str | None
    reply_to: str | None
    postal_address: str | None
    url: str | None
    logo_url: str | None
    accent: str | None
    test_recipients: list[str]
    quiet_hours: QuietHoursBody | None
    frequency_cap: FrequencyCapBody | None
    mails: dict[str, str]
    updated_at: str
    version: int

    @classmethod
    def of(cls, site: Site) -> Self:
        return cls(
            site=site.site,
            brand=site.brand,
            languages=list(site.languages),
            time_zone=site.time_zone,
            currency=site.currency,
            sender=site.sender,
            reply_to=site.reply_to,
            postal_address=site.postal_address,
            url=site.url,
            logo_url=site.logo_url,
            accent=site.accent,
            test_recipients=list(site.test_recipients),
            quiet_hours=QuietHoursBody.of(site.quiet_hours) if site.quiet_hours else None,
            frequency_cap=FrequencyCapBody.of(site.frequency_cap) if site.frequency_cap else None,
            mails=dict(site.mails),
            updated_at=instants.to_answer(site.updated_at),
            version=site.version,
        )


class SitesPage(Answer):
    data: list[SiteBody]
    next_cursor: str | None
