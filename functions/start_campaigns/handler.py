"""Woken every minute; leaves behind the runs of campaigns whose time has come, and pages for the senders."""

from collections.abc import Mapping
from typing import Any

from ecrm import bootstrap as wired
from ecrm.entry.occurrences import start


def handler(_event: Mapping[str, Any], context: object) -> None:
    start(context, wired.start_campaigns)
