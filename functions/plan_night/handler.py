"""Woken every night by its machine, which the schedule starts; leaves behind the plan that all other steps go by."""

from collections.abc import Mapping
from typing import Any

from ecrm import bootstrap as wired
from ecrm.entry.nights import plan


def handler(event: Mapping[str, Any], _context: object) -> Mapping[str, Any]:
    return plan(event, wired.plan_night)
