"""Woken by every request that no other function answers; serves the API's description and leaves nothing behind."""

from pathlib import Path

from ecrm import bootstrap as wired
from ecrm.entry import reference as door
from ecrm.entry.http import Call, Reply

handler = wired.http_api()
HERE = Path(__file__).parent


@handler.route("GET", "/v1/openapi.json", answer=dict)
def openapi(_call: Call) -> Reply:
    """The OpenAPI 3.1 description of this API."""
    return door.description(HERE)


@handler.route("GET", "/v1/docs", answer=str)
def docs(_call: Call) -> Reply:
    """The same, as a page for people."""
    return door.page(HERE)
