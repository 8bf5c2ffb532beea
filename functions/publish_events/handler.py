"""Woken by new events on the table's stream that ask for a job; leaves behind a message on the queue of jobs for each."""

from collections.abc import Mapping
from typing import Any

from ecrm import bootstrap as wired
from ecrm.entry.outbox import publish


def handler(event: Mapping[str, Any], _context: object) -> Mapping[str, Any]:
    return publish(event, wired.job_queue().send)
