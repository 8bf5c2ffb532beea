"""Woken by the machine of the night, for each group of shards; leaves behind their rows in the bucket, counted."""

from collections.abc import Mapping
from typing import Any

from ecrm import bootstrap as wired
from ecrm.entry.nights import snapshot


def handler(event: Mapping[str, Any], context: object) -> None:
    snapshot(event, context, wired.snapshot_customers)
