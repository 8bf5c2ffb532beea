"""Defining and reading sites."""

from dataclasses import replace

from ecrm.domain.errors import Invalid, NotFound, Stale
from ecrm.domain.sites import Site

from .ports import Contended, Sites


def put_site(site: Site, *, expected_version: int | None, sites: Sites) -> tuple[Site, bool]:
    """Create or replace a site; says whether it is new.

    Raises Stale where `expected_version` is given and is not the stored one (0: must not exist).
    """
    stored = sites.find(site.site)
    for _ in range(3):
        seen = stored.version if stored else 0
        if expected_version is not None and expected_version != seen:
            raise Stale("the site is not at the version named; read it again")
        new = replace(site, version=seen + 1)
        winner = sites.write(new, seen=seen)
        if winner is None:
            return new, seen == 0
        stored = winner
    raise Contended("the site is written by many at once")


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
