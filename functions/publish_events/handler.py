"""Woken by new events of the table's stream that ask for something; leaves behind messages on queues, mails, and welcomes."""

from collections.abc import Mapping
from typing import Any

from ecrm import bootstrap as wired
from ecrm.entry.outbox import publish


def handler(event: Mapping[str, Any], _context: object) -> Mapping[str, Any]:
    return publish(
        event,
        send_job=lambda job_id: wired.job_queue().send(job_id),
        send_message=lambda run_id, shard: wired.message_queue().send(run_id, shard, is_of_many=False),
        plan=wired.plan_order_mail,
        welcome=wired.plan_welcome,
        failures=wired.failure_queue,
    )
