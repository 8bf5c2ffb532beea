"""Sign-up at the door."""

from collections.abc import Callable

from ecrm.application.subscriptions import Subscribe
from ecrm.contracts.subscriptions import SubscribeBody, SubscribedBody

from . import observability
from .http import Call, Reply
from .messages import Page, answered
from .public import accepted_languages


def subscribe(call: Call, use: Callable[[Subscribe], object], page: Callable[[], Page]) -> Reply:
    """Answer the same whoever is known at the address; to a form, with a page in its own language, else in the reader's."""
    body: SubscribeBody = call.body
    command = body.to_command(call.site(body.site), call.ip)
    if not body.is_trapped and use(command) is not None:
        observability.count("SignUpsAsked")
    return answered(call, SubscribedBody(), "asked_to_confirm", page, accepted_languages(body.language or ""))
