"""Races of sixteen callers.

moto takes one call at a time; what may be between two calls of a request is whatever the others do. Where all wait before their
first write until all have read, it is the worst that can happen.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.cloud import Answer
from tests.faults import Deliver, Sent

CALLERS = 16


class Race:
    """Sixteen callers who do something at once."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool
        self._all_have_read = threading.Barrier(CALLERS)
        self._mine = threading.local()

    def wait_for_all(self, sent: Sent, deliver: Deliver) -> Any:
        if sent.operation == "TransactWriteItems" and getattr(self._mine, "must_wait", False):
            self._mine.must_wait = False
            self._all_have_read.wait(30)
        return deliver()

    def run(self, does: Callable[[int], Answer], *, together: bool = True) -> list[Answer]:
        """Let each caller do it until it is answered otherwise than with "come back"; gives the last answers."""

        def call(number: int) -> Answer:
            self._mine.must_wait = together
            for _ in range(CALLERS):
                answer = does(number)
                if answer.status != 503:
                    return answer
                assert "contended" == answer.json["code"]
            raise AssertionError("told to come back more often than there are others")

        return list(self._pool.map(call, range(CALLERS)))
