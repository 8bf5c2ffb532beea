"""Templates at the door."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from ecrm.application.api_keys import authorize
from ecrm.application.orders import OrderView
from ecrm.application.ports import Sites, Topics
from ecrm.application.profiles import Profile
from ecrm.application.sites import read_site
from ecrm.application.templates import (
    ReadyMade,
    Renderer,
    Templates,
    TryOut,
    list_templates,
    pinned,
    preview,
    put_template,
    read_template,
    read_template_version,
)
from ecrm.contracts.templates import (
    PreviewBody,
    PreviewTemplateBody,
    PutTemplateBody,
    TemplateBody,
    TemplateHeadBody,
    TemplateSavedBody,
    TemplatesPage,
)
from ecrm.domain.api_keys import Scope
from ecrm.domain.attributes import stated
from ecrm.domain.errors import Invalid, NotFound
from ecrm.domain.templates import Template

from .definitions import expected_version
from .http import Call, Reply

LARGEST_TEMPLATE = 2 * 1024 * 1024
"""Bytes of a body: more than a template may have, so that one of a megabyte is told what is wrong with it."""


def listed(*, templates: Templates, ready_made: ReadyMade) -> Reply:
    heads = list_templates(templates=templates, ready_made=ready_made)
    return Reply(200, TemplatesPage(data=[TemplateHeadBody.of(head) for head in heads], next_cursor=None))


def shown(call: Call, *, templates: Templates, ready_made: ReadyMade) -> Reply:
    return _template(read_template(call.path["template"], templates=templates, ready_made=ready_made))


def version_shown(call: Call, *, templates: Templates, ready_made: ReadyMade) -> Reply:
    if not re.fullmatch(r"0|[1-9]\d{0,5}", call.path["version"], re.ASCII):
        raise NotFound("no such version of a template", code="template_not_found")
    version = int(call.path["version"])
    return _template(read_template_version(call.path["template"], version, templates=templates, ready_made=ready_made))


def _template(found: Template) -> Reply:
    return Reply(200, TemplateBody.of_template(found), {"etag": f'"{found.version}"'})


def put(call: Call, *, templates: Templates, ready_made: ReadyMade, topics: Topics, sites: Sites, renderer: Renderer) -> Reply:
    body: PutTemplateBody = call.body
    stored, is_new, warnings = put_template(
        body.to_template(call.path["template"], call.now),
        expected_version=expected_version(call),
        templates=templates,
        ready_made=ready_made,
        topics=topics,
        sites=sites,
        renderer=renderer,
    )
    saved = TemplateSavedBody.of_saved(stored, warnings)
    return Reply(201 if is_new else 200, saved, {"etag": f'"{stored.version}"'})


def previewed(
    call: Call,
    *,
    templates: Templates,
    ready_made: ReadyMade,
    sites: Sites,
    renderer: Renderer,
    read_profile: Callable[[str], Profile],
    read_order: Callable[[str, str], OrderView],
) -> Reply:
    """Try a template out; who has it tried with a real customer or order needs to be allowed to read those."""
    body: PreviewTemplateBody = call.body
    site = read_site(call.site(body.site), sites=sites)
    for asked, scope in ((body.customer_id, Scope.CUSTOMERS_READ), (body.order_id, Scope.ORDERS_READ)):
        if asked is not None and call.key is not None:
            authorize(call.key, scope)
    wanted = TryOut(
        template=_asked(body, templates=templates, ready_made=ready_made, renderer=renderer),
        site=site,
        language=body.language,
        profile=None if body.customer_id is None else read_profile(body.customer_id),
        attributes=_attributes(body.customer),
        order=None if body.order_id is None else read_order(site.site, body.order_id),
        data=body.data or {},
    )
    return Reply(200, PreviewBody.of(preview(wanted, renderer=renderer)))


def _asked(body: PreviewTemplateBody, *, templates: Templates, ready_made: ReadyMade, renderer: Renderer) -> Template:
    if (body.template is None) == (body.name is None):
        raise Invalid.at("/template", "missing", "either give a template or name one")
    if body.template is not None:
        given = body.template.to_template("preview")
        return pinned(given, templates=templates, ready_made=ready_made, renderer=renderer)
    name = body.name or ""
    if body.version is None:
        return read_template(name, templates=templates, ready_made=ready_made)
    return read_template_version(name, body.version, templates=templates, ready_made=ready_made)


def _attributes(said: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Take sample attributes as a customer's would be taken, those that are null left out."""
    return {name: value for name, value in stated(said or {}, "/customer").items() if value is not None}
