"""Woken by any request under /v1/templates; leaves behind versions of templates, which mails are made from, and tests of them."""

from functools import partial

from ecrm import bootstrap as wired
from ecrm.contracts import templates as wire
from ecrm.domain.api_keys import Scope
from ecrm.entry import templates as door
from ecrm.entry.http import Call, Reply

handler = wired.http_api()
read = partial(handler.route, "GET", scope=Scope.TEMPLATES_READ)
attempt = partial(handler.route, "POST", scope=Scope.TEMPLATES_READ, largest=door.LARGEST_TEMPLATE)
write = partial(handler.route, "PUT", scope=Scope.TEMPLATES_WRITE, largest=door.LARGEST_TEMPLATE)
send = partial(handler.route, "POST", scope=Scope.TEMPLATES_WRITE)


@read("/v1/templates", answer=wire.TemplatesPage)
def list_templates(_call: Call) -> Reply:
    """List the templates, without what they say: your own, and those ready-made ones that you have none of your own for."""
    return door.listed(wired.templates_workshop())


@write("/v1/templates/{template}", body=wire.PutTemplateBody, answer=wire.TemplateSavedBody)
def put_template(call: Call) -> Reply:
    """Write a version of a template. With If-Match, only upon the version named; with If-None-Match: *, only a first one."""
    return door.put(call, wired.templates_workshop())


@read("/v1/templates/{template}", answer=wire.TemplateBody)
def read_template(call: Call) -> Reply:
    """Read the newest version of a template, or the ready-made one; its ETag is what If-Match wants."""
    return door.shown(call, wired.templates_workshop())


@read("/v1/templates/{template}/versions/{version}", answer=wire.TemplateBody)
def read_template_version(call: Call) -> Reply:
    """Read a version of a template as it was written; 0 is the ready-made one."""
    return door.version_shown(call, wired.templates_workshop())


@attempt("/v1/templates/preview", body=wire.PreviewTemplateBody, answer=wire.PreviewBody)
def preview_template(call: Call) -> Reply:
    """Make a mail from a template, stored or not, without sending it. Customer and order are samples where none is named."""
    return door.previewed(call, wired.templates_workshop())


@send("/v1/templates/{template}/test-sends", body=wire.SendTestBody, answer=wire.TestSendBody)
def send_test(call: Call) -> Reply:
    """Send a template to test recipients of the site, marked as a test: in no customer's history, and never to a customer."""
    return door.tested(call, wired.templates_workshop())
