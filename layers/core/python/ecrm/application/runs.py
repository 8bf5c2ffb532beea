"""Coming back to a run that is being sent: its pilot is decided once, and its books are closed when they balance, not before.

A run is counted from its roster, a page at a time; what is counted is kept by page, so whoever runs out of time goes on there.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import batched

from ecrm.analytics.experiments import Part, winner
from ecrm.domain.errors import Unavailable
from ecrm.domain.messages import Send, Status
from ecrm.domain.runs import CampaignMessage, PilotMetric, Run, RunState, Tried, Verdict
from ecrm.domain.tallies import Tally, tally_of

from .campaign_ports import Counted, LastOrders, Runs, Tallies
from .mail_ports import Sends
from .planning_ports import Rosters
from .ports import Clock, Contended

LOOK_AGAIN = timedelta(minutes=5)
"""Before a run is looked at again that is not at its end."""
UNBALANCED_AGAIN = timedelta(hours=1)
"""Before books are looked at again that do not balance: that is for somebody to look into."""
AT_ONCE = 100


@dataclass(slots=True)
class LookedAfter:
    """What became of a run when somebody came back to it. `is_unbalanced`: the roster has not the entries that were planned."""

    decided: tuple[str, ...] = ()
    is_settled: bool = False
    is_unbalanced: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRoom:
    """All that looking after a run reads and writes."""

    runs: Runs
    rosters: Rosters
    sends: Sends
    tallies: Tallies
    last_orders: LastOrders
    clock: Clock


def look_after(run: Run, is_late: Callable[[], bool], *, room: RunRoom) -> LookedAfter:
    """Do for a planned run what is due, and write when somebody has to come back to it.

    Raises Unavailable where time is short, with what was counted until then kept, and Contended where another wrote the run.
    """
    done, now = LookedAfter(), room.clock.now()
    piloted = _piloted(run, now, room, is_late)
    after = replace(piloted, due_at=now + LOOK_AGAIN, version=run.version + 1)
    if piloted.verdicts != run.verdicts:
        done.decided = tuple(piloted.verdicts)
        # Whoever waited for it is woken with all others.
        after = replace(after, woken_at=None, due_at=now)
    elif run.woken_at is not None and (total := _closed(run, room, is_late)) is not None:
        if total.entries == run.audience:
            state = run.state if run.state is RunState.CANCELLED else RunState.SETTLED
            after = replace(after, state=state, settled_at=now, books=total.books, due_at=None)
            done.is_settled = True
        else:
            after = replace(after, due_at=now + UNBALANCED_AGAIN)
            done.is_unbalanced = True
    if room.runs.write(after) is not None:
        raise Contended("the run was written meanwhile")
    return done


def recount(run: Run, page: int, *, room: RunRoom) -> Tally:
    """Count a page of a roster, and keep what was counted."""
    found = counted(run, page, sends=room.sends, clock=room.clock)
    room.tallies.write(run.run_id, page, found)
    return found.tally


def counted(run: Run, page: int, *, sends: Sends, clock: Clock) -> Counted:
    """Count a page of a roster."""
    at = clock.now()
    return Counted(tally_of(sends.page(run.run_id, page), run.started_at), at)


def _closed(run: Run, room: RunRoom, is_late: Callable[[], bool]) -> Tally | None:
    """Give the tally of a run in which nothing is open any more, None of any other.

    What is not open stays so: a page that was counted then is not counted again, and none while somebody has to come back to it.
    """
    kept = room.tallies.of(run.run_id)
    total = Tally()
    for page in _planned(run, room, is_late):
        found = kept.get(page)
        is_final = found is not None and not found.tally.open
        if not is_final and room.tallies.is_waited_for(run.run_id, page):
            return None
        tally = found.tally if found is not None and is_final else recount(run, page, room=room)
        if tally.open:
            return None
        total.merge(tally)
    return total


def _planned(run: Run, room: RunRoom, is_late: Callable[[], bool]) -> Iterator[int]:
    """Give the pages on which anybody is. Raises Unavailable where time is short."""
    for page, audience in sorted(room.rosters.planned(run.run_id).items()):
        if is_late():
            raise Unavailable("there is no time for all pages of the run")
        if audience:
            yield page


# ── the pilot ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _piloted(run: Run, now: datetime, room: RunRoom, is_late: Callable[[], bool]) -> Run:
    """Decide the pilot of each message that has one, all at once; nothing before it is due, or while the run is paused.

    Everybody in it is to have the whole `wait` from their mail on: as long as somebody has no mail yet, or has had it for less,
    the decision is put off, up to half of the time that the others had when it was due at first.
    """
    pilot, decide_at = run.pilot, run.decide_at
    if pilot is None or decide_at is None or run.verdicts or run.state is not RunState.SENDING or now < decide_at:
        return run
    tried = _Tried()
    for page in _planned(run, room, is_late):
        for some in batched(room.sends.page(run.run_id, page), AT_ONCE, strict=False):
            tried.add([send for send in some if send.is_pilot], pilot.metric, room.last_orders)
    soonest = run.started_at + pilot.wait
    latest = soonest + (run.expires_at - soonest) / 2
    if now < latest and tried.open:
        return run
    ready_at = min(latest, tried.last_at + pilot.wait) if tried.last_at else now
    if now < ready_at:
        return replace(run, decide_at=ready_at)
    verdicts = {
        message.name: _verdict(tried.parts(message), pilot.minimum) for message in run.messages if len(message.treatments) > 1
    }
    return replace(run, verdicts=verdicts)


def _verdict(parts: Sequence[Part], minimum: int) -> Verdict:
    outcome = winner(parts, minimum)
    return Verdict(outcome.winner, outcome.why, tuple(Tried(part.name, part.recipients, part.successes) for part in parts))


@dataclass(slots=True)
class _Tried:
    """Of each treatment of a message, who got it and who did what counts; how many wait for theirs, and when the last got it."""

    recipients: Counter[tuple[str, str]] = field(default_factory=Counter)
    successes: Counter[tuple[str, str]] = field(default_factory=Counter)
    open: int = 0
    last_at: datetime | None = None

    def add(self, sends: Sequence[Send], metric: PilotMetric, last_orders: LastOrders) -> None:
        self.open += sum(send.is_open for send in sends)
        got = [send for send in sends if send.status is Status.ACCEPTED]
        has_done = _have_ordered(got, last_orders) if metric is PilotMetric.ORDERS else _has_clicked
        for send in got:
            place = send.message or "", send.treatment or ""
            self.recipients[place] += 1
            self.successes[place] += has_done(send)
            self.last_at = max(filter(None, (self.last_at, send.settled_at)), default=None)

    def parts(self, message: CampaignMessage) -> list[Part]:
        return [
            Part(treatment.name, self.recipients[message.name, treatment.name], self.successes[message.name, treatment.name])
            for treatment in message.treatments
        ]


def _has_clicked(send: Send) -> bool:
    return send.clicked_at is not None


def _have_ordered(sends: Sequence[Send], last_orders: LastOrders) -> Callable[[Send], bool]:
    placed = last_orders.of([send.customer_id for send in sends])

    def has_ordered(send: Send) -> bool:
        last, got_at = placed.get(send.customer_id), send.settled_at
        return last is not None and got_at is not None and last >= got_at

    return has_ordered
