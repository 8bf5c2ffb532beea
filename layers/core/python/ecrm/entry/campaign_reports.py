"""Reports of campaigns' runs at the door."""

import time
from collections.abc import Callable
from typing import Protocol

from ecrm.analytics.campaign_reports import CampaignReport
from ecrm.application.report_links import MadeLink
from ecrm.contracts.campaign_reports import CampaignReportBody
from ecrm.contracts.report_links import MakeReportLinkBody, ReportLinkBody
from ecrm.domain.api_keys import Scope
from ecrm.domain.links import Language
from ecrm.domain.runs import Run

from .campaigns import CampaignRoom, run_of
from .http import Call, HttpApi, Reply

COUNTED_SECONDS = 15
"""For how long is counted, of the 29 seconds that API Gateway waits."""


class ReportRun(Protocol):
    def __call__(self, run: Run, is_late: Callable[[], bool]) -> CampaignReport: ...


class MakeLink(Protocol):
    def __call__(self, run: Run, language: Language | None) -> tuple[MadeLink, str]:
        """Give the link, and its address."""
        ...


def with_campaign_reports(api: HttpApi, room: Callable[[], CampaignRoom], report_run: ReportRun, make_link: MakeLink) -> HttpApi:
    """Declare the reading of reports of runs."""

    def reported(call: Call) -> Reply:
        until = time.monotonic() + COUNTED_SECONDS
        return Reply(200, CampaignReportBody.of(report_run(run_of(call, room()), lambda: time.monotonic() > until)))

    @api.route("GET", "/v1/campaigns/{campaign}/report", scope=Scope.CAMPAIGNS_READ, answer=CampaignReportBody)
    def read_campaign_report(call: Call) -> Reply:
        """Read what became of the newest run, and what each number means; counted anew where that was a minute ago."""
        return reported(call)

    @api.route("GET", "/v1/campaigns/{campaign}/runs/{run_id}/report", scope=Scope.CAMPAIGNS_READ, answer=CampaignReportBody)
    def read_run_report(call: Call) -> Reply:
        """Read what became of a run, and what each number means; counted anew where that was a minute ago."""
        return reported(call)

    @api.route(
        "POST",
        "/v1/campaigns/{campaign}/runs/{run_id}/report-links",
        scope=Scope.CAMPAIGNS_READ,
        body=MakeReportLinkBody,
        answer=ReportLinkBody,
    )
    def make_campaign_report_link(call: Call) -> Reply:
        """Make a link to the page of a run's report, for colleagues without a key. It ends after thirty days."""
        body: MakeReportLinkBody = call.body
        made, url = make_link(run_of(call, room()), body.language)
        return Reply(200, ReportLinkBody.of(made, url))

    return api
