"""Woken by what SES tells of mails, by way of a queue; leaves it behind in the ledger and on the customer's timeline."""

from collections.abc import Mapping
from typing import Any

from ecrm import bootstrap as wired
from ecrm.entry.delivery import consume


def handler(event: Mapping[str, Any], _context: object) -> Mapping[str, Any]:
    return consume(event, wired.record_notice)
