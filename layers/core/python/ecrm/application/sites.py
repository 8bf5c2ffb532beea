"""Defining and reading sites."""

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from ecrm.domain.errors import Flaw, Invalid, NotFound
from ecrm.domain.sites import WELCOMED, Site

from .definitions import put_definition
from .ports import Sites

if TYPE_CHECKING:
    from ecrm.domain.templates import TemplateHead


class TemplateList(Protocol):
    def heads(self) -> "Iterable[TemplateHead]": ...


def put_site(site: Site, *, expected_version: int | None, sites: Sites, templates: TemplateList) -> tuple[Site, bool]:
    """Create or replace a site, as `put_definition` does. Raises Invalid where its mails could not be sent."""
    if site.mails:
        _refuse_mails(site, templates)
    return put_definition(
        site.site, lambda version: replace(site, version=version), expected_version=expected_version, definitions=sites
    )


def _refuse_mails(site: Site, templates: TemplateList) -> None:
    from ecrm.domain.templates import READY_MADE, Purpose  # noqa: PLC0415 (every API reads sites, one defines them)

    if site.sender is None:
        raise Invalid.at("/sender", "no_sender", "a site that sends mails has a sender")
    purposes = READY_MADE | {head.template: head.purpose for head in templates.heads()}
    flaws: list[Flaw] = []
    if WELCOMED in site.mails and not site.has_postal_address:
        flaws.append(Flaw("/postal_address", "no_postal_address", "a welcome is marketing, which says where it comes from"))
    for event, template in site.mails.items():
        if template not in purposes:
            flaws.append(Flaw(f"/mails/{event}", "unknown_template", "no such template"))
        elif event == WELCOMED and purposes[template] is Purpose.TRANSACTIONAL:
            flaws.append(Flaw(f"/mails/{event}", "template_is_transactional", "a welcome is marketing, to which they agreed"))
        elif event != WELCOMED and purposes[template] is Purpose.MARKETING:
            flaws.append(Flaw(f"/mails/{event}", "template_is_marketing", "an order's mail is owed, and advertises nothing"))
        elif purposes[template] is Purpose.PARTIAL:
            flaws.append(Flaw(f"/mails/{event}", "template_is_partial", "a partial is a piece of mails, and none itself"))
    if flaws:
        raise Invalid(flaws[0].detail, flaws=tuple(flaws))


def read_site(site: str, *, sites: Sites) -> Site:
    found = sites.find(site)
    if found is None:
        raise NotFound("no such site", code="site_not_found")
    return found


def require_site(site: str, *, sites: Sites) -> str:
    """Raises Invalid where the site named in a request does not exist."""
    if sites.find(site) is None:
        raise Invalid.at("/site", "unknown_site", "no such site")
    return site
