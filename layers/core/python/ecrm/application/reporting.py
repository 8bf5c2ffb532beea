"""Writing the report of a night, of the files that the night has left.

It is made after the night is published, so it says what readers of the API see; made again, it is the same.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

from ecrm.analytics import rfm
from ecrm.analytics.reporting import ReportCounts
from ecrm.analytics.reports import Report, currencies
from ecrm.analytics.rfm import RfmCounts
from ecrm.domain.links import Language

from .night_ports import NightFiles, Place
from .nights import merged, published_night, there
from .segment_ports import Nights


class Renderer(Protocol):
    def report(self, report: Report, language: Language) -> str: ...


class ReportFiles(Protocol):
    def write(self, report: Report, pages: Mapping[Language, str]) -> None:
        """Write a report's pages, then what it says, by which it is there; the same again changes nothing. Raises Unavailable."""
        ...


def report_night(
    place: Place, *, nights: Nights, files: NightFiles, reports: ReportFiles, renderer: Callable[[], Renderer]
) -> Report:
    """Write the report of a published night. Raises Conflict before it is published, and NotFound where its files are gone."""
    night = published_night(place, nights)
    plan = there(files.plan(place), "plan")
    thresholds = there(files.thresholds(place), "thresholds")
    counts, amounts = ReportCounts(), dict[str, RfmCounts]()
    for group in plan.groups:
        counted = there(files.counts(place, group), "counts")
        counts.merge(counted.report)
        rfm.merge(amounts, counted.rfm)
    tally = merged(there(files.moves(place, shard), "moves").tally for group in plan.groups for shard in group.shards)
    report = Report(
        night=night.night,
        generation=night.generation,
        as_of=plan.scheduled_at,
        time_zone=plan.settings.time_zone,
        customers=night.customers,
        unreadable=night.unreadable,
        base_night=night.base_night,
        stages=night.stages,
        moves=night.moves,
        lifecycle=thresholds.lifecycle,
        groups=thresholds.groups,
        horizon=thresholds.horizon,
        returns=counts.returns,
        currencies=currencies(counts, amounts, tally.scores, thresholds.models, plan.moment.today),
    )
    pages = renderer()
    reports.write(report, {language: pages.report(report, language) for language in Language})
    return report
