"""Templates at the door."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ecrm.application.api_keys import authorize
from ecrm.application.orders import OrderView
from ecrm.application.particulars import Particulars, Told
from ecrm.application.ports import Sites, Topics
from ecrm.application.profiles import Profile
from ecrm.application.sites import read_site
from ecrm.application.templates import (
    Preview,
    ReadyMade,
    Renderer,
    Templates,
    TestSent,
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
    SendTestBody,
    TemplateBody,
    TemplateHeadBody,
    TemplateSavedBody,
    TemplatesPage,
    TestSendBody,
    TriedBody,
)
from ecrm.domain.api_keys import Scope
from ecrm.domain.attributes import stated
from ecrm.domain.errors import Invalid, NotFound
from ecrm.domain.templates import Template

from .definitions import expected_version
from .http import Call, Reply

LARGEST_TEMPLATE = 2 * 1024 * 1024
"""Bytes of a body: more than a template may have, so that one of a megabyte is told what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Reads what a template may be tried with."""

    profile: Callable[[str], Profile]
    order: Callable[[str, str], OrderView]
    particulars: Particulars


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
    reader: Reader,
) -> Reply:
    """Try a template out; who has it tried with a real customer or order needs to be allowed to read those."""
    template = _asked(call.body, templates=templates, ready_made=ready_made, renderer=renderer)
    return Reply(200, PreviewBody.of(preview(_tried(call, template, sites, reader), renderer=renderer)))


def tested(
    call: Call,
    *,
    templates: Templates,
    ready_made: ReadyMade,
    sites: Sites,
    reader: Reader,
    send_test: Callable[[TryOut, Sequence[str]], tuple[Preview, Sequence[TestSent]]],
) -> Reply:
    """Send a stored template to colleagues, as a preview shows it."""
    body: SendTestBody = call.body
    template = _stored(call.path["template"], body.version, templates=templates, ready_made=ready_made)
    made, sent = send_test(_tried(call, template, sites, reader), list(dict.fromkeys(body.to)))
    return Reply(200, TestSendBody.of(made, sent))


def _tried(call: Call, template: Template, sites: Sites, reader: Reader) -> TryOut:
    body: TriedBody = call.body
    site = read_site(call.site(body.site), sites=sites)
    for asked, scope in ((body.customer_id, Scope.CUSTOMERS_READ), (body.order_id, Scope.ORDERS_READ)):
        if asked is not None and call.key is not None:
            authorize(call.key, scope)
    data = body.data or {}
    profile = None if body.customer_id is None else reader.profile(body.customer_id)
    if profile is None:
        told = Told(products=reader.particulars.named(data))
    else:
        told = reader.particulars.of(profile.customer, site.site, data, ("segments", "products", "cart"), call.now)
    return TryOut(
        template=template,
        site=site,
        language=body.language,
        profile=profile,
        attributes=_attributes(body.customer),
        order=None if body.order_id is None else reader.order(site.site, body.order_id),
        data=data,
        segments=told.segments if body.segments is None else body.segments,
        products=told.products,
        cart=told.cart,
    )


def _asked(body: PreviewTemplateBody, *, templates: Templates, ready_made: ReadyMade, renderer: Renderer) -> Template:
    if (body.template is None) == (body.name is None):
        raise Invalid.at("/template", "missing", "either give a template or name one")
    if body.template is not None:
        given = body.template.to_template("preview")
        return pinned(given, templates=templates, ready_made=ready_made, renderer=renderer)
    return _stored(body.name or "", body.version, templates=templates, ready_made=ready_made)


def _stored(name: str, version: int | None, *, templates: Templates, ready_made: ReadyMade) -> Template:
    if version is None:
        return read_template(name, templates=templates, ready_made=ready_made)
    return read_template_version(name, version, templates=templates, ready_made=ready_made)


def _attributes(said: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Take sample attributes as a customer's would be taken, those that are null left out."""
    return {name: value for name, value in stated(said or {}, "/customer").items() if value is not None}
