"""Defining and reading sites."""

from dataclasses import replace

from ecrm.domain.errors import Invalid, NotFound
from ecrm.domain.sites import Site

from .definitions import put_definition
from .ports import Sites


def put_site(site: Site, *, expected_version: int | None, sites: Sites) -> tuple[Site, bool]:
    """Create or replace a site, as `put_definition` does."""
    return put_definition(
        site.site, lambda version: replace(site, version=version), expected_version=expected_version, definitions=sites
    )


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
