"""Woken by the machine of campaigns, for each page of a roster; leaves behind an entry for each in the audience."""

from collections.abc import Mapping
from typing import Any

from ecrm import bootstrap as wired
from ecrm.entry.occurrences import plan


def handler(event: Mapping[str, Any], context: object) -> None:
    plan(event, context, wired.plan_audience, wired.failure_queue().park)
