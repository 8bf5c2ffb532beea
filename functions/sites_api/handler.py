"""Woken by any request under /v1/sites; leaves behind the definition of a site."""

from ecrm import bootstrap as wired
from ecrm.application.sites import read_site as read_definition
from ecrm.contracts import sites as wire
from ecrm.domain.api_keys import Scope
from ecrm.entry import sites as door
from ecrm.entry.http import Call, Reply

handler = wired.http_api()


@handler.route("GET", "/v1/sites", scope=Scope.SITES_READ, answer=wire.SitesPage)
def list_sites(_call: Call) -> Reply:
    """List the sites."""
    return Reply(200, wire.SitesPage(data=[wire.SiteBody.of(site) for site in wired.sites().all()], next_cursor=None))


@handler.route("GET", "/v1/sites/{site}", scope=Scope.SITES_READ, answer=wire.SiteBody)
def read_site(call: Call) -> Reply:
    """Read a site; its ETag is what If-Match wants."""
    return door.site(200, read_definition(call.path["site"], sites=wired.sites()))


@handler.route("PUT", "/v1/sites/{site}", scope=Scope.SITES_WRITE, body=wire.PutSiteBody, answer=wire.SiteBody)
def put_site(call: Call) -> Reply:
    """Create or replace a site. With If-Match, only the version named; with If-None-Match: *, only a new one."""
    return door.put(call, sites=wired.sites(), templates=wired.templates())
