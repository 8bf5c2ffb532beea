"""Templates at the door."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ecrm.application.api_keys import authorize
from ecrm.application.orders import OrderView
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
    including,
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

if TYPE_CHECKING:
    from ecrm.application.particulars import Particulars

LARGEST_TEMPLATE = 2 * 1024 * 1024
"""Bytes of a body: more than a template may have, so that one of a megabyte is told what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """What templates are written, read and tried with."""

    templates: Templates
    ready_made: ReadyMade
    sites: Sites
    topics: Topics
    renderer: Renderer
    profile: Callable[[str], Profile]
    order: Callable[[str, str], OrderView]
    particulars: "Particulars"
    send_test: Callable[[TryOut, Sequence[str]], tuple[Preview, Sequence[TestSent]]]

    def stored(self, name: str, version: int | None = None) -> Template:
        if version is None:
            return read_template(name, templates=self.templates, ready_made=self.ready_made)
        return read_template_version(name, version, templates=self.templates, ready_made=self.ready_made)

    def used_by(self, template: Template) -> Mapping[str, int]:
        return including(template, templates=self.templates, ready_made=self.ready_made)


def listed(shop: Workshop) -> Reply:
    heads = list_templates(templates=shop.templates, ready_made=shop.ready_made)
    return Reply(200, TemplatesPage(data=[TemplateHeadBody.of(head) for head in heads], next_cursor=None))


def shown(call: Call, shop: Workshop) -> Reply:
    return _template(shop.stored(call.path["template"]), shop)


def version_shown(call: Call, shop: Workshop) -> Reply:
    if not re.fullmatch(r"0|[1-9]\d{0,5}", call.path["version"], re.ASCII):
        raise NotFound("no such version of a template", code="template_not_found")
    return _template(shop.stored(call.path["template"], int(call.path["version"])), shop)


def _template(found: Template, shop: Workshop) -> Reply:
    return Reply(200, TemplateBody.of_template(found, shop.used_by(found)), {"etag": f'"{found.version}"'})


def put(call: Call, shop: Workshop) -> Reply:
    body: PutTemplateBody = call.body
    stored, is_new, warnings = put_template(
        body.to_template(call.path["template"], call.now),
        expected_version=expected_version(call),
        templates=shop.templates,
        ready_made=shop.ready_made,
        topics=shop.topics,
        sites=shop.sites,
        renderer=shop.renderer,
    )
    saved = TemplateSavedBody.of_saved(stored, shop.used_by(stored), warnings)
    return Reply(201 if is_new else 200, saved, {"etag": f'"{stored.version}"'})


def previewed(call: Call, shop: Workshop) -> Reply:
    """Try a template out, stored or not."""
    body: PreviewTemplateBody = call.body
    if (body.template is None) == (body.name is None):
        raise Invalid.at("/template", "missing", "either give a template or name one")
    if body.template is None:
        template = shop.stored(body.name or "", body.version)
    else:
        given = body.template.to_template("preview")
        template = pinned(given, templates=shop.templates, ready_made=shop.ready_made, renderer=shop.renderer)
    return Reply(200, PreviewBody.of(preview(_tried(call, template, shop), renderer=shop.renderer)))


def tested(call: Call, shop: Workshop) -> Reply:
    """Send a stored template to colleagues, as a preview shows it."""
    body: SendTestBody = call.body
    template = shop.stored(call.path["template"], body.version)
    made, sent = shop.send_test(_tried(call, template, shop), list(dict.fromkeys(body.to)))
    return Reply(200, TestSendBody.of(made, sent))


def _tried(call: Call, template: Template, shop: Workshop) -> TryOut:
    """Read what a template is tried with; who names a real customer or order needs to be allowed to read those."""
    body: TriedBody = call.body
    site = read_site(call.site(body.site), sites=shop.sites)
    for asked, scope in ((body.customer_id, Scope.CUSTOMERS_READ), (body.order_id, Scope.ORDERS_READ)):
        if asked is not None and call.key is not None:
            authorize(call.key, scope)
    data = body.data or {}
    profile = None if body.customer_id is None else shop.profile(body.customer_id)
    told = shop.particulars.of(profile.customer if profile else None, site.site, data, ("segments", "products", "cart"), call.now)
    return TryOut(
        template=template,
        site=site,
        language=body.language,
        profile=profile,
        attributes=_attributes(body.customer),
        order=None if body.order_id is None else shop.order(site.site, body.order_id),
        data=data,
        segments=told.segments if body.segments is None else body.segments,
        products=told.products,
        cart=told.cart,
    )


def _attributes(said: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Take sample attributes as a customer's would be taken, those that are null left out."""
    return {name: value for name, value in stated(said or {}, "/customer").items() if value is not None}
