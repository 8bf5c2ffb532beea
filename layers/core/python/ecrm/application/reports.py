"""Reading the reports of nights: by key as data, and as a page by a link that ends."""

from collections.abc import Callable
from datetime import date
from typing import Protocol

from ecrm.domain.errors import NotFound
from ecrm.domain.links import Language, ReportLink, seal_report, unseal_report

from .link_keys import ring_for
from .ports import Clock, LinkKeys, Page
from .report_links import MadeLink, ends_at


class Reports(Protocol):
    """The reports that there are; everything here raises Unavailable."""

    def read(self, night: date) -> bytes | None:
        """Give what a report says, as JSON."""
        ...

    def page(self, night: date, language: Language) -> str | None: ...

    def newest(self, *, after: str | None, limit: int) -> Page[date]: ...


def read_report(night: date, *, reports: Reports) -> bytes:
    """Give what a report says. Raises NotFound."""
    said = reports.read(night)
    if said is None:
        raise NotFound("there is no report of that night", code="report_not_found")
    return said


def make_report_link(night: date, language: Language | None, *, keys: LinkKeys, reports: Reports, clock: Clock) -> MadeLink:
    """Make the token that opens a report's page for thirty days; writes nothing. Raises NotFound where there is no report."""
    read_report(night, reports=reports)
    expires_at = ends_at(clock.now())
    return MadeLink(seal_report(ReportLink(night, expires_at, language), keys.ring()), expires_at)


def read_public_report(
    token: str, choose: Callable[[Language | None], Language], *, keys: LinkKeys, reports: Reports, clock: Clock
) -> str:
    """Give the page behind a link, in the language chosen given the link's own.

    Raises NotFound: a link says nothing of why it leads nowhere.
    """
    link = unseal_report(token, ring_for(token, keys), clock.now())
    page = reports.page(link.night, choose(link.language))
    if page is None:
        raise NotFound("there is nothing behind this link", code="link_not_found")
    return page
