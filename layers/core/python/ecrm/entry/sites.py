"""Sites at the door."""

from ecrm.application.ports import Sites
from ecrm.application.sites import put_site
from ecrm.contracts.sites import PutSiteBody, SiteBody
from ecrm.domain.sites import Site

from .definitions import expected_version
from .http import Call, Reply


def site(status: int, found: Site) -> Reply:
    return Reply(status, SiteBody.of(found), {"etag": f'"{found.version}"'})


def put(call: Call, *, sites: Sites) -> Reply:
    body: PutSiteBody = call.body
    stored, is_new = put_site(body.to_site(call.path["site"], call.now), expected_version=expected_version(call), sites=sites)
    return site(201 if is_new else 200, stored)
