"""The report of a campaign's run, made of what is counted of its pages: by key as data, and as a page by a link that ends."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from ecrm.analytics.campaign_reports import CampaignReport
from ecrm.domain.errors import NotFound
from ecrm.domain.links import CampaignReportLink, Language, seal_campaign_report, unseal_campaign_report
from ecrm.domain.runs import Run, RunState
from ecrm.domain.tallies import merged

from .campaign_ports import Campaigns, Counted, Runs, Tallies
from .link_keys import ring_for
from .mail_ports import Sends
from .planning_ports import Rosters
from .ports import Clock, LinkKeys, Sites
from .report_links import MadeLink, ends_at
from .runs import counted

LASTS = timedelta(minutes=1)
"""How long what was counted of a page is good enough while a run goes on."""
_OF_ITS_AGE = 100
"""When it is over, a hundredth of the time since: what follows a mail comes ever more slowly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignReportRoom:
    """All that a report is made of."""

    runs: Runs
    campaigns: Campaigns
    sites: Sites
    rosters: Rosters
    sends: Sends
    tallies: Tallies
    clock: Clock


def report_run(run: Run, is_late: Callable[[], bool], *, room: CampaignReportRoom, keeps: bool = True) -> CampaignReport:
    """Count anew what is too old of a run, what was counted longest ago first, as far as time allows, and report it.

    What is counted is kept by page, or not, where nothing may change. Raises Unavailable.
    """
    now = room.clock.now()
    pages = [page for page, audience in sorted(room.rosters.planned(run.run_id).items()) if audience]
    kept = {page: found for page, found in room.tallies.of(run.run_id).items() if page in pages}
    good_since = now - _lasts(run, now)
    for page in sorted(pages, key=lambda each: (each in kept, kept[each].at if each in kept else now)):
        if is_late() or (page in kept and kept[page].at >= good_since):
            break
        kept[page] = counted(run, page, sends=room.sends, clock=room.clock)
        if keeps:
            room.tallies.write(run.run_id, page, kept[page])
    total = merged(found.tally for found in kept.values())
    return CampaignReport(
        run=run,
        name=_name(run, room.campaigns),
        time_zone=_time_zone(run, room.sites),
        as_of=_as_of(kept, pages, now),
        is_complete=(run.planned_at is not None or run.state is RunState.SKIPPED) and len(kept) == len(pages),
        total=total,
        shown=room.sends.links(run.run_id) if total.links else {},
    )


def _lasts(run: Run, now: datetime) -> timedelta:
    return LASTS if run.settled_at is None else max(LASTS, (now - run.settled_at) / _OF_ITS_AGE)


def _as_of(kept: Mapping[int, Counted], pages: list[int], now: datetime) -> datetime | None:
    """Where there is nobody there is nothing that could be too old."""
    return min((found.at for found in kept.values()), default=None if pages else now)


def _name(run: Run, campaigns: Campaigns) -> str:
    found = campaigns.version(run.campaign, run.campaign_version)
    return found.name if found else run.campaign


def _time_zone(run: Run, sites: Sites) -> str:
    found = sites.find(run.site)
    return found.time_zone if found else "UTC"


def make_campaign_report_link(run: Run, language: Language | None, *, keys: LinkKeys, clock: Clock) -> MadeLink:
    """Make the token that opens the report of a run for thirty days; writes nothing."""
    expires_at = ends_at(clock.now())
    return MadeLink(seal_campaign_report(CampaignReportLink(run.run_id, expires_at, language), keys.ring()), expires_at)


def read_public_campaign_report(
    token: str, is_late: Callable[[], bool], *, keys: LinkKeys, room: CampaignReportRoom
) -> tuple[CampaignReport, Language | None]:
    """Give the report behind a link, as it stands now, and the link's own language; writes nothing.

    Raises NotFound: a link says nothing of why it leads nowhere.
    """
    link = unseal_campaign_report(token, ring_for(token, keys), room.clock.now())
    run = room.runs.find(link.run_id)
    if run is None:
        raise NotFound("there is nothing behind this link", code="link_not_found")
    return report_run(run, is_late, room=room, keeps=False), link.language
