"""Woken by the queue of jobs; leaves behind what the job makes or deletes, and in its row how far it is."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from ecrm import bootstrap as wired
from ecrm.contracts.jobs import JobMessage
from ecrm.entry import observability
from ecrm.entry.queue import consume, lateness


def handler(event: Mapping[str, Any], context: object) -> Mapping[str, Any]:
    def work(message: JobMessage) -> None:
        wired.work_on(message.job_id, is_late=lateness(context), name=partial(observability.name, job_id=message.job_id))

    return consume(event, JobMessage, work)
