"""Links to reports on the wire."""

from typing import Annotated, Self

from pydantic import Field

from ecrm.application.report_links import MadeLink
from ecrm.domain import instants
from ecrm.domain.links import Language

from .fields import Answer, Body


class MakeReportLinkBody(Body):
    """A link for colleagues; without a language, the page is in that of the reader's browser."""

    language: Annotated[Language | None, Field(strict=False)] = None


class ReportLinkBody(Answer):
    """Whoever has it can read the report until then."""

    url: str
    expires_at: str

    @classmethod
    def of(cls, made: MadeLink, url: str) -> Self:
        return cls(url=url, expires_at=instants.to_answer(made.expires_at))
