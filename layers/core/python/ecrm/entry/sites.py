"""Sites at the door."""

import re

from ecrm.application.ports import Sites
from ecrm.application.sites import put_site
from ecrm.contracts.sites import PutSiteBody, SiteBody
from ecrm.domain.sites import Site

from .http import Call, Reply
from .problems import Refusal


def site(status: int, found: Site) -> Reply:
    return Reply(status, SiteBody.of(found), {"etag": f'"{found.version}"'})


def put(call: Call, *, sites: Sites) -> Reply:
    body: PutSiteBody = call.body
    stored, is_new = put_site(body.to_site(call.path["site"], call.now), expected_version=_expected(call), sites=sites)
    return site(201 if is_new else 200, stored)


def _expected(call: Call) -> int | None:
    """Read the version that the caller means to change; 0 where it must be new, None where any will do."""
    match, none_match = call.headers.get("if-match"), call.headers.get("if-none-match")
    if none_match is not None:
        if none_match != "*":
            raise Refusal(400, "bad_precondition", "If-None-Match takes * here")
        return 0
    if match is None:
        return None
    found = re.fullmatch(r'"(\d{1,9})"', match, re.ASCII)
    if found is None:
        raise Refusal(400, "bad_precondition", "If-Match takes the ETag that was answered")
    return int(found[1])
