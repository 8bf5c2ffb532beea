"""Woken by new events on the table's stream; leaves behind each customer's statistics row, recounted from the facts."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from ecrm import bootstrap as wired
from ecrm.application.statistics import concerns, recount
from ecrm.entry.stream import consume


def handler(event: Mapping[str, Any], _context: object) -> Mapping[str, Any]:
    work = partial(recount, orders=wired.orders(), statistics=wired.statistics())
    return consume(event, concerns=concerns, work=work, failures=wired.failure_queue())
