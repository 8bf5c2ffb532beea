"""Woken by the machine of the night, for each group of shards; leaves behind who is in which segment, for nobody to see yet."""

from collections.abc import Mapping
from typing import Any

from ecrm import bootstrap as wired
from ecrm.entry.nights import score


def handler(event: Mapping[str, Any], context: object) -> None:
    score(event, context, wired.score_customers)
