"""Sites at the door."""

from ecrm.application.ports import Sites
from ecrm.application.sites import TemplateList, put_site
from ecrm.contracts.sites import PutSiteBody, SiteBody
from ecrm.domain.sites import Site

from .definitions import expected_version
from .http import Call, Reply


def site(status: int, found: Site) -> Reply:
    return Reply(status, SiteBody.of(found), {"etag": f'"{found.version}"'})


def put(call: Call, *, sites: Sites, templates: TemplateList) -> Reply:
    body: PutSiteBody = call.body
    wanted = body.to_site(call.path["site"], call.now)
    stored, is_new = put_site(wanted, expected_version=expected_version(call), sites=sites, templates=templates)
    return site(201 if is_new else 200, stored)
