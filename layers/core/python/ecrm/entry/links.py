"""Links at the door."""

from collections.abc import Callable

from ecrm.contracts.links import LinkBody, MakeLinkBody
from ecrm.domain.links import Language

from .http import Call, Reply


def made(call: Call, make_url: Callable[[str, str, Language | None], str]) -> Reply:
    """Nothing is stored, so a link asked for again is the same link."""
    body: MakeLinkBody = call.body
    return Reply(200, LinkBody(url=make_url(call.site(body.site), call.path["order_id"], body.language)))
