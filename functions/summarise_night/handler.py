"""Woken by the machine of the night, when all rows are in the bucket; leaves behind the thresholds that are made of them."""

from collections.abc import Mapping
from typing import Any

from ecrm import bootstrap as wired
from ecrm.entry.nights import summarise


def handler(event: Mapping[str, Any], _context: object) -> None:
    summarise(event, wired.summarise_night)
