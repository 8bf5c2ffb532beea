"""Links on the wire."""

from typing import Annotated

from pydantic import Field

from ecrm.domain.links import Language

from .fields import Answer, Body, SiteId


class MakeLinkBody(Body):
    """A link for the order's customer; without a language, the page is in that of the reader's browser."""

    site: SiteId | None = None
    language: Annotated[Language | None, Field(strict=False)] = None


class LinkBody(Answer):
    url: str
