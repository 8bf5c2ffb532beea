"""Woken by the queue of messages; leaves behind a mail at SES for each that is planned, and in the ledger what SES answered."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from ecrm import bootstrap as wired
from ecrm.contracts.messages import PageMessage
from ecrm.entry.queue import consume
from ecrm.entry.sending import in_turn, work


def handler(event: Mapping[str, Any], context: object) -> Mapping[str, Any]:
    return consume(in_turn(event), PageMessage, partial(work, context=context, use=wired.sender().work))
