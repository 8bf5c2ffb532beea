"""Woken by new events on the table's stream; leaves behind each customer's statistics row, recounted from the facts."""

from collections.abc import Mapping, Sequence
from typing import Any

from ecrm import bootstrap as wired
from ecrm.application.statistics import Happened, concerns, touched
from ecrm.entry.stream import consume


def handler(event: Mapping[str, Any], _context: object) -> Mapping[str, Any]:
    def work(customer_id: str, happened: Sequence[Happened]) -> None:
        wired.recount(customer_id, touched(happened))

    return consume(event, concerns=concerns, work=work, failures=wired.failure_queue())
