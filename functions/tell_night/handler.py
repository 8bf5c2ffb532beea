"""Woken by the machine of the night, for each group of shards, when it is published; leaves behind the events of who moved."""

from collections.abc import Mapping
from typing import Any

from ecrm import bootstrap as wired
from ecrm.entry.nights import tell


def handler(event: Mapping[str, Any], _context: object) -> None:
    tell(event, wired.tell_night)
