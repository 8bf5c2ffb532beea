"""Campaigns at the door: their definitions, their life and their runs."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from ecrm.application import campaign_lives as use
from ecrm.application.campaign_ports import Campaigns, Runs, SenderIdentities
from ecrm.application.campaign_runs import list_runs, newest_run, read_run
from ecrm.application.campaigns import Named, list_campaigns, put_campaign, read_campaign, read_campaign_version, view
from ecrm.application.jobs import Requested
from ecrm.application.ports import Clock, Request
from ecrm.contracts.campaigns import (
    CampaignBody,
    CampaignHeadBody,
    CampaignsPage,
    CampaignVersionBody,
    PutCampaignBody,
    RunBody,
    RunsPage,
)
from ecrm.contracts.fields import PageQuery
from ecrm.contracts.jobs import JobBody, RequestExportBody
from ecrm.domain.api_keys import Scope
from ecrm.domain.campaigns import Campaign, Head
from ecrm.domain.errors import NotFound
from ecrm.domain.jobs import FileFormat
from ecrm.domain.runs import Run

from .cursors import seal, unseal
from .definitions import expected_version
from .http import Call, HttpApi, Reply
from .jobs import requested

LOOKED_SECONDS = 15
"""For how long a launch looks for somebody in the audience, of the 29 seconds that API Gateway waits."""
_RUN_POSITION = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]{15}Z#[0-9a-f]{32}", re.ASCII)


class IsEmpty(Protocol):
    def __call__(self, campaign: Campaign, is_late: Callable[[], bool]) -> bool: ...


class RetryFailed(Protocol):
    def __call__(self, campaign: str, run_id: str | None) -> tuple[Run, bool]: ...


class RequestExport(Protocol):
    def __call__(self, run: Run, file_format: FileFormat, request: Request | None, source: str) -> Requested: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignRoom:
    """What campaigns are written, launched and read with."""

    campaigns: Campaigns
    runs: Runs
    named: Callable[[], Named]
    is_empty: IsEmpty
    identities: SenderIdentities
    retry: RetryFailed
    export: RequestExport
    clock: Clock

    def shown(self, head: Head, status: int = 200) -> Reply:
        found = view(head, runs=self.runs, named=self.named, clock=self.clock)
        return Reply(status, CampaignBody.of_view(found), {"etag": f'"{head.campaign.version}"'})


def reached(call: Call, room: CampaignRoom) -> Head:
    """Read the campaign of a path. Raises NotFound, and Forbidden where the key does not reach its site."""
    head = read_campaign(call.path["campaign"], campaigns=room.campaigns)
    call.site(head.campaign.site)
    return head


def listed(call: Call, room: CampaignRoom) -> Reply:
    key = call.key
    views = list_campaigns(
        campaigns=room.campaigns,
        runs=room.runs,
        named=room.named,
        sites=lambda site: key is not None and key.reaches(site),
        clock=room.clock,
    )
    return Reply(200, CampaignsPage(data=[CampaignHeadBody.of_view(found) for found in views], next_cursor=None))


def shown(call: Call, room: CampaignRoom) -> Reply:
    return room.shown(reached(call, room))


def version_shown(call: Call, room: CampaignRoom) -> Reply:
    if not re.fullmatch(r"[1-9]\d{0,5}", call.path["version"], re.ASCII):
        raise NotFound("no such version of a campaign", code="campaign_not_found")
    found = read_campaign_version(call.path["campaign"], int(call.path["version"]), campaigns=room.campaigns)
    call.site(found.site)
    return Reply(200, CampaignVersionBody.of(found), {"etag": f'"{found.version}"'})


def put(call: Call, room: CampaignRoom) -> Reply:
    """Write a version; who may not reach the site that a campaign has may not give it another one."""
    body: PutCampaignBody = call.body
    campaign = body.to_campaign(call.path["campaign"], call.site(body.site), call.now)
    if stored := room.campaigns.find(campaign.campaign):
        call.site(stored.campaign.site)
    head, is_new = put_campaign(campaign, expected_version=expected_version(call), campaigns=room.campaigns)
    return room.shown(head, 201 if is_new else 200)


def with_life(api: HttpApi, room: Callable[[], CampaignRoom]) -> HttpApi:
    """Declare what becomes of a campaign."""
    do = partial(api.route, "POST", scope=Scope.CAMPAIGNS_WRITE, answer=CampaignBody)

    @do("/v1/campaigns/{campaign}/launch", creates="CampaignsLaunched")
    def launch_campaign(call: Call) -> Reply:
        """Let a campaign's occurrences come, at once where it has no schedule. With If-Match, only of the version named."""
        return _launched(call, room())

    @do("/v1/campaigns/{campaign}/pause")
    def pause_campaign(call: Call) -> Reply:
        """Send nothing more of a campaign, in force within two seconds; occurrences that come meanwhile are skipped."""
        name = reached(call, room()).campaign.campaign
        return room().shown(use.pause_campaign(name, campaigns=room().campaigns, runs=room().runs))

    @do("/v1/campaigns/{campaign}/resume")
    def resume_campaign(call: Call) -> Reply:
        """Go on with a paused campaign: what is left and has not expired goes out, from within a minute on."""
        name = reached(call, room()).campaign.campaign
        return room().shown(use.resume_campaign(name, campaigns=room().campaigns, runs=room().runs, clock=room().clock))

    @do("/v1/campaigns/{campaign}/cancel")
    def cancel_campaign(call: Call) -> Reply:
        """End a campaign for good, at any point: who has not got it gets it no more, and the books of its runs are closed."""
        name = reached(call, room()).campaign.campaign
        return room().shown(use.cancel_campaign(name, campaigns=room().campaigns, runs=room().runs, clock=room().clock))

    return api


def _launched(call: Call, room: CampaignRoom) -> Reply:
    name = reached(call, room).campaign.campaign
    until = time.monotonic() + LOOKED_SECONDS
    head, is_replayed = use.launch(
        name,
        call.request,
        by=call.source,
        expected_version=expected_version(call),
        named=room.named,
        is_empty=lambda campaign: room.is_empty(campaign, lambda: time.monotonic() > until),
        identities=room.identities,
        campaigns=room.campaigns,
        clock=room.clock,
    )
    reply = room.shown(head)
    replayed = {"idempotent-replayed": "true"} if is_replayed else {}
    return Reply(200, reply.body, {**reply.headers, **replayed}, counted=int(not is_replayed))


def with_runs(api: HttpApi, room: Callable[[], CampaignRoom]) -> HttpApi:
    """Declare the runs of a campaign."""

    @api.route("GET", "/v1/campaigns/{campaign}/runs", scope=Scope.CAMPAIGNS_READ, query=PageQuery, answer=RunsPage)
    def list_campaign_runs(call: Call) -> Reply:
        """List the runs of a campaign, newest first; those that were skipped say why."""
        name = reached(call, room()).campaign.campaign
        after = unseal(call.query.cursor, lambda text: _RUN_POSITION.fullmatch(text) is not None, "runs", name)
        page = list_runs(name, after=after, limit=call.query.limit, runs=room().runs)
        return Reply(200, RunsPage(data=list(map(RunBody.of, page.items)), next_cursor=seal(page.last, "runs", name)))

    @api.route("GET", "/v1/campaigns/{campaign}/runs/{run_id}", scope=Scope.CAMPAIGNS_READ, answer=RunBody)
    def read_campaign_run(call: Call) -> Reply:
        """Read a run: what it goes by, how far it is, and its books once they are closed."""
        return Reply(200, RunBody.of(run_of(call, room())))

    @api.route("POST", "/v1/campaigns/{campaign}/retry-failed", scope=Scope.CAMPAIGNS_WRITE, answer=RunBody)
    def retry_failed(call: Call) -> Reply:
        """Begin a run over those whom the newest run failed; while that goes on, asking again gives the same one."""
        return _retried(call, room())

    @api.route("POST", "/v1/campaigns/{campaign}/runs/{run_id}/retry-failed", scope=Scope.CAMPAIGNS_WRITE, answer=RunBody)
    def retry_failed_of_run(call: Call) -> Reply:
        """Begin a run over those whom a run failed; asking again gives the same one."""
        return _retried(call, room())

    @api.route(
        "POST",
        "/v1/campaigns/{campaign}/runs/{run_id}/export-jobs",
        scope=Scope.EXPORTS_WRITE,
        body=RequestExportBody,
        answer=JobBody,
        creates="JobsRequested",
    )
    def export_recipients(call: Call) -> Reply:
        """Export a run's audience: who got what and what became of it, who not and why. A job, with files for seven days."""
        return requested(room().export(run_of(call, room()), call.body.to_format(), call.request, call.source))

    return api


def run_of(call: Call, room: CampaignRoom) -> Run:
    """Read the run of a path, or its campaign's newest where the path names none."""
    name = reached(call, room).campaign.campaign
    run_id = call.path.get("run_id")
    return read_run(name, run_id, runs=room.runs) if run_id else newest_run(name, runs=room.runs)


def _retried(call: Call, room: CampaignRoom) -> Reply:
    run, is_new = room.retry(reached(call, room).campaign.campaign, call.path.get("run_id"))
    location = f"/v1/campaigns/{run.campaign}/runs/{run.run_id}"
    return Reply(201 if is_new else 200, RunBody.of(run), {"location": location})
