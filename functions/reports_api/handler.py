"""Woken by any request under /v1/reports; reads what nights reported, makes links to it, and leaves nothing behind."""

from ecrm import bootstrap as wired
from ecrm.entry.reports import with_reports

handler = with_reports(wired.http_api(), wired.reports, wired.make_report_link)
