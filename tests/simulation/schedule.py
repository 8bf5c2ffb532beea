"""Schedules: who goes on at each moment at which somebody waits for the table, and who dies there. One seed is one schedule.

Every actor runs in a greenlet of its own, so that a use case is held up wherever it calls the table, without a line of it
changed. Nothing here knows what the actors do.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from random import Random

from greenlet import getcurrent, greenlet

from ecrm.domain.errors import EcrmError, Unavailable
from tests.faults import Kill
from tests.simulation.table import MemoryTable, Moment, Resent

MOST_DELIVERIES = 60
"""How often one is tried: more means that nobody can ever be done."""
ROUGH_DELIVERIES = 8
"""After so many, all goes well with this one: what is asked for in the end is that everybody is done."""
PAGE = 3
EAGERNESS = (0.1, 0.4, 0.9)
"""How likely it is that somebody else goes on: a schedule of long stretches finds other things than one of short ones."""


@dataclass(frozen=True, slots=True)
class Weather:
    """How likely it is at each moment that a process dies, a reply is lost, or the SDK asks twice; and that one comes twice."""

    kill: float = 0.0
    lose: float = 0.0
    resend: float = 0.0
    twice: float = 0.0


CALM = Weather()
ROUGH = Weather(kill=0.003, lose=0.004, resend=0.01, twice=0.15)

type Told = dict[str, list[object]]
"""What each actor was told at last, once for each delivery: what the call returned, or the EcrmError that refused it."""


class Schedule:
    """`table` is what the actors share; what is done before and after `run` is done by nobody, and never held up."""

    def __init__(self, seed: int, weather: Weather = ROUGH, *, table: MemoryTable | None = None) -> None:
        self.random = Random(seed)
        self.table = (table or MemoryTable()).fork(pause=self.pause, stale=Random(seed), page=PAGE)
        self.trace: list[tuple[str, str, str]] = []
        self._weather = weather
        self._eagerness = self.random.choice(EAGERNESS)
        self._alive: list[_Actor] = []

    def run(self, actors: Mapping[str, Callable[[], object]]) -> Told:
        """Let all actors live until each is done.

        One who is killed, or finds the table unavailable, is delivered again, as a queue or a caller would; some are
        delivered twice at once. What else an actor raises ends the run.
        """
        told: Told = {name: [] for name in actors}
        for name, call in actors.items():
            for _ in range(2 if self.random.random() < self._weather.twice else 1):
                self._alive.append(_Actor(self, name, call, told[name]))
        try:
            while self._alive:
                self._next().switch()
        finally:
            for actor in self._alive:
                if not actor.dead:
                    actor.throw()
            self._alive.clear()
        return told

    def _next(self) -> "_Actor":
        return self._alive[int(self.random.random() * len(self._alive))]

    def done(self, actor: "_Actor") -> None:
        self._alive.remove(actor)

    def pause(self, moment: Moment, operation: str) -> None:
        """Hold up whoever calls, and let them die or fail; for the calls of other things than the table, too."""
        actor = getcurrent()
        if not isinstance(actor, _Actor):
            return
        self.trace.append((actor.name, moment, operation))
        if self.random.random() < self._eagerness:
            other = self._next()
            if other is not actor:
                other.switch()
        if actor.deliveries <= ROUGH_DELIVERIES:
            self._stumble(moment, operation)

    def _stumble(self, moment: Moment, operation: str) -> None:
        draw, weather = self.random.random(), self._weather
        if draw < weather.kill:
            raise Kill
        if moment is Moment.WITHIN:
            return
        draw -= weather.kill
        if draw < weather.lose:
            raise Unavailable("the table cannot be reached")
        if moment is Moment.AFTER and operation in ("put", "write") and draw - weather.lose < weather.resend:
            raise Resent


class _Actor(greenlet):
    def __init__(self, schedule: Schedule, name: str, call: Callable[[], object], told: list[object]) -> None:
        super().__init__()
        self.name = name
        self.deliveries = 0
        self._schedule = schedule
        self._call = call
        self._told = told

    def run(self) -> None:
        for self.deliveries in range(1, MOST_DELIVERIES + 1):
            try:
                self._told.append(self._call())
            except (Kill, Unavailable):
                continue
            except EcrmError as refused:
                self._told.append(refused)
            self._schedule.done(self)
            return
        raise AssertionError(f"{self.name} is never done")


def hold(check: Callable[[int], object], seeds: Iterable[int]) -> None:
    """Check every seed's schedule; a failure says whose it is, and `check` of that seed alone shows it again."""
    for seed in seeds:
        try:
            check(seed)
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise
