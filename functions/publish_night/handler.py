"""Woken by the machine of the night, at its end; leaves behind the pointer, by which all see it, or that it failed."""

from collections.abc import Mapping
from typing import Any

from ecrm import bootstrap as wired
from ecrm.entry.nights import end


def handler(event: Mapping[str, Any], _context: object) -> None:
    end(event, wired.publish_night, wired.fail_night)
