"""Reports at the door."""

from collections.abc import Callable
from datetime import date
from typing import Protocol

from ecrm.application.report_links import MadeLink
from ecrm.application.reports import Reports, read_report
from ecrm.contracts.fields import PageQuery
from ecrm.contracts.report_links import MakeReportLinkBody, ReportLinkBody
from ecrm.contracts.reports import ReportBody, ReportHeadBody, ReportsPage
from ecrm.domain.api_keys import Scope
from ecrm.domain.errors import NotFound
from ecrm.domain.instants import day_named
from ecrm.domain.links import Language

from .cursors import seal, unseal
from .http import Call, HttpApi, Reply


class MakeLink(Protocol):
    def __call__(self, night: date, language: Language | None) -> tuple[MadeLink, str]:
        """Give the link, and its address."""
        ...


def with_reports(api: HttpApi, reports: Callable[[], Reports], make_link: MakeLink) -> HttpApi:
    """Declare the reading of reports."""

    @api.route("GET", "/v1/reports", scope=Scope.REPORTS_READ, query=PageQuery, answer=ReportsPage)
    def list_reports(call: Call) -> Reply:
        """List the nights that have a report, the last one first."""
        after = unseal(call.query.cursor, lambda text: day_named(text) is not None, "reports")
        page = reports().newest(after=after, limit=call.query.limit)
        data = [ReportHeadBody.of_night(night) for night in page.items]
        return Reply(200, ReportsPage(data=data, next_cursor=seal(page.last, "reports")))

    @api.route("GET", "/v1/reports/{night}", scope=Scope.REPORTS_READ, answer=ReportBody)
    def read_nights_report(call: Call) -> Reply:
        """Read what a night's report says: every number of its page and more, for all periods, with its definition."""
        return Reply(200, ReportBody.model_validate_json(read_report(_night(call), reports=reports())))

    @api.route("POST", "/v1/reports/{night}/links", scope=Scope.REPORTS_READ, body=MakeReportLinkBody, answer=ReportLinkBody)
    def make_report_link(call: Call) -> Reply:
        """Make a link to a report's page, for colleagues without a key. It ends after thirty days; nothing is stored."""
        body: MakeReportLinkBody = call.body
        made, url = make_link(_night(call), body.language)
        return Reply(200, ReportLinkBody.of(made, url))

    return api


def _night(call: Call) -> date:
    night = day_named(call.path["night"])
    if night is None:
        raise NotFound("there is no report of that night", code="report_not_found")
    return night
