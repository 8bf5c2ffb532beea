"""Hours in seconds: actors who wait for the table, the provider and one another, on a clock that jumps to what is next."""

import heapq
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from greenlet import getcurrent, greenlet


class Timeline:
    """A clock that is right, and on which every actor has its own present."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        self._next: list[tuple[datetime, int, greenlet]] = []
        self._hub: greenlet | None = None
        self._asked = 0

    def now(self) -> datetime:
        return self.at

    def wait(self, seconds: float) -> None:
        """Let others go on for as long; who waits outside of a run waits for nobody."""
        if self._hub is None:
            self.at += timedelta(seconds=seconds)
            return
        self._push(seconds, getcurrent())
        self._hub.switch()

    def run(self, actors: Iterable[Callable[[], object]]) -> None:
        """Let all actors live until each is done."""
        self._hub = getcurrent()
        for actor in actors:
            self._push(0, greenlet(actor, self._hub))
        while self._next:
            self.at, _, next_actor = heapq.heappop(self._next)
            next_actor.switch()
        self._hub = None

    def _push(self, seconds: float, actor: greenlet) -> None:
        self._asked += 1
        heapq.heappush(self._next, (self.at + timedelta(seconds=seconds), self._asked, actor))
