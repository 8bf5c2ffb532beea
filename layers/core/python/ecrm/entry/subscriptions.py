"""Sign-up at the door."""

from collections.abc import Callable
from dataclasses import replace

from ecrm.application.subscriptions import Subscribe
from ecrm.contracts.subscriptions import SubscribeBody, SubscribedBody

from .http import Call, Reply
from .messages import Page, answered
from .public import accepted_languages


def subscribe(call: Call, use: Callable[[Subscribe], object], page: Callable[[], Page]) -> Reply:
    """Answer the same whoever is known at the address; to a form, with a page in its own language, else in the reader's."""
    body: SubscribeBody = call.body
    command = body.to_command(call.site(body.site), call.ip)
    is_asked = not body.is_trapped and use(command) is not None
    reply = answered(call, SubscribedBody(), "asked_to_confirm", page, accepted_languages(body.language or ""))
    return replace(reply, counted=int(is_asked))
