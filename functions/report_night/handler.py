"""Woken by the machine of the night, when all is told; leaves behind the night's report, as JSON and as pages."""

from collections.abc import Mapping
from typing import Any

from ecrm import bootstrap as wired
from ecrm.entry.nights import report


def handler(event: Mapping[str, Any], _context: object) -> None:
    report(event, wired.report_night)
