"""API keys: who may do what, and for which sites."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from .errors import Forbidden


class Scope(StrEnum):
    EVENTS_WRITE = "events:write"
    ORDERS_READ = "orders:read"
    ORDERS_WRITE = "orders:write"
    CUSTOMERS_READ = "customers:read"
    CUSTOMERS_WRITE = "customers:write"
    SUPPRESSIONS_READ = "suppressions:read"
    SUPPRESSIONS_WRITE = "suppressions:write"
    PRIVACY_WRITE = "privacy:write"
    CATALOG_READ = "catalog:read"
    CATALOG_WRITE = "catalog:write"
    TOPICS_READ = "topics:read"
    TOPICS_WRITE = "topics:write"
    SITES_READ = "sites:read"
    SITES_WRITE = "sites:write"
    TEMPLATES_READ = "templates:read"
    TEMPLATES_WRITE = "templates:write"
    MESSAGES_READ = "messages:read"
    MESSAGES_WRITE = "messages:write"
    SENDING_READ = "sending:read"
    SENDING_WRITE = "sending:write"
    EXPORTS_WRITE = "exports:write"
    JOBS_READ = "jobs:read"
    IMPORTS_READ = "imports:read"
    IMPORTS_WRITE = "imports:write"
    SEGMENTS_READ = "segments:read"
    SEGMENTS_WRITE = "segments:write"
    REPORTS_READ = "reports:read"
    CAMPAIGNS_READ = "campaigns:read"
    CAMPAIGNS_WRITE = "campaigns:write"


class KeyKind(StrEnum):
    WRITE = "write"
    SERVER = "server"
    STAFF = "staff"


_BOTH = frozenset(
    {
        Scope.ORDERS_READ,
        Scope.CUSTOMERS_READ,
        Scope.CUSTOMERS_WRITE,
        Scope.SUPPRESSIONS_READ,
        Scope.SUPPRESSIONS_WRITE,
        Scope.PRIVACY_WRITE,
        Scope.CATALOG_READ,
        Scope.CATALOG_WRITE,
        Scope.TOPICS_READ,
        Scope.SITES_READ,
        Scope.TEMPLATES_READ,
        Scope.MESSAGES_READ,
        Scope.MESSAGES_WRITE,
        Scope.JOBS_READ,
        Scope.IMPORTS_READ,
        Scope.IMPORTS_WRITE,
        Scope.SEGMENTS_READ,
    }
)
ALLOWED: dict[KeyKind, frozenset[Scope]] = {
    KeyKind.WRITE: frozenset({Scope.EVENTS_WRITE}),
    KeyKind.SERVER: _BOTH | {Scope.EVENTS_WRITE, Scope.ORDERS_WRITE},
    KeyKind.STAFF: _BOTH
    | {
        Scope.TOPICS_WRITE,
        Scope.SITES_WRITE,
        Scope.EXPORTS_WRITE,
        Scope.TEMPLATES_WRITE,
        Scope.SENDING_READ,
        Scope.SENDING_WRITE,
        Scope.SEGMENTS_WRITE,
        Scope.REPORTS_READ,
        Scope.CAMPAIGNS_READ,
        Scope.CAMPAIGNS_WRITE,
    },
}
"""The most that a key of each kind may be given. A write key may be public in a browser, so it reads nothing."""

ANY_SITE = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """`key_id` names it in lists and logs; `site` is the one meant where a request names none."""

    key_id: str
    kind: KeyKind
    site: str
    sites: frozenset[str]
    scopes: frozenset[Scope]
    name: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def is_valid(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def site_for(self, asked: str | None) -> str:
        """Resolve the site that a request means. Raises Forbidden where the key does not reach it."""
        if asked is None or self.reaches(asked):
            return asked or self.site
        raise Forbidden("this key does not reach that site", code="site_forbidden")

    def reaches(self, site: str) -> bool:
        return site == self.site or ANY_SITE in self.sites or site in self.sites
