"""Woken every five minutes; leaves behind messages for the queue, and in the ledger what became of those in doubt."""

from collections.abc import Mapping
from typing import Any

from ecrm import bootstrap as wired
from ecrm.entry.sending import settle


def handler(_event: Mapping[str, Any], context: object) -> None:
    settle(context, wired.settle_due, wired.is_behind)
