"""Woken by requests under /v1/campaigns; leaves behind versions of campaigns, what becomes of them, and runs over the failed."""

from functools import partial

from ecrm import bootstrap as wired
from ecrm.contracts import campaigns as wire
from ecrm.domain.api_keys import Scope
from ecrm.entry import campaigns as door
from ecrm.entry.campaign_reports import with_campaign_reports
from ecrm.entry.http import Call, Reply
from ecrm.entry.simulations import with_simulation

handler = wired.http_api()
room = wired.campaign_room
read = partial(handler.route, "GET", scope=Scope.CAMPAIGNS_READ)


@read("/v1/campaigns", answer=wire.CampaignsPage)
def list_campaigns(call: Call) -> Reply:
    """List the campaigns, each with its state; of drafts, what hinders them from being launched."""
    return door.listed(call, room())


@read("/v1/campaigns/{campaign}", answer=wire.CampaignBody)
def read_campaign(call: Call) -> Reply:
    """Read the newest version of a campaign, its state, and of a draft what hinders it from being launched."""
    return door.shown(call, room())


@handler.route(
    "PUT", "/v1/campaigns/{campaign}", scope=Scope.CAMPAIGNS_WRITE, body=wire.PutCampaignBody, answer=wire.CampaignBody
)
def put_campaign(call: Call) -> Reply:
    """Write a version of a draft; once launched, it is not changed any more. With If-Match, only upon the version named."""
    return door.put(call, room())


@read("/v1/campaigns/{campaign}/versions/{version}", answer=wire.CampaignVersionBody)
def read_campaign_version(call: Call) -> Reply:
    """Read a version of a campaign as it was written."""
    return door.version_shown(call, room())


door.with_life(handler, room)
door.with_runs(handler, room)
with_campaign_reports(handler, room, wired.report_run, wired.make_campaign_report_link)
with_simulation(handler, room, wired.simulate_campaign)
