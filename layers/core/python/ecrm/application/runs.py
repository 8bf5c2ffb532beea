"""Coming back to a run that is being sent: its pilot is decided once, and its books are closed when they balance, not before.

Both are counted from its roster, a page at a time; what is counted is kept by page, so whoever runs out of time goes on there.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import batched

from ecrm.analytics.experiments import Part, winner
from ecrm.domain.assignment import Arm
from ecrm.domain.errors import Unavailable
from ecrm.domain.messages import Send, Status
from ecrm.domain.runs import CampaignMessage, Pilot, PilotMetric, Run, RunState, Tried, Verdict
from ecrm.domain.tallies import Group, Tally, group_of, tally_of

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


def counted(run: Run, page: int, *, sends: Sends, clock: Clock, last_orders: LastOrders | None = None) -> Counted:
    """Count a page of a roster; who of its pilot has ordered where `last_orders` is given: two read units for each of it."""
    at = clock.now()
    entries = tuple(sends.page(run.run_id, page))
    tally = tally_of(entries, run.started_at)
    if last_orders is not None:
        tally.ordered = _ordered(entries, last_orders)
    return Counted(tally, at)


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
    soonest = run.started_at + pilot.wait
    latest = soonest + (run.expires_at - soonest) / 2
    waits = now < latest
    total = Tally()

    def is_good(found: Counted) -> bool:
        """Say whether what was counted, by whomever, need not be counted anew; so whoever is short of time comes to the end."""
        is_whole = pilot.metric is not PilotMetric.ORDERS or found.tally.ordered is not None
        return is_whole and found.at >= (decide_at if waits else latest) and not (waits and found.tally.is_pilot_open)

    for tally in _tried(run, pilot.metric, is_good, room, is_late):
        if waits and tally.is_pilot_open:
            return run
        total.merge(tally)
    ready_at = min(latest, total.piloted_at + pilot.wait) if total.piloted_at else decide_at
    if decide_at < ready_at:
        # Where that has come, too, what was counted before it is counted anew.
        return _piloted(replace(run, decide_at=ready_at), now, room, is_late)
    verdicts = {message.name: _verdict(message, total, pilot) for message in run.messages if len(message.treatments) > 1}
    return replace(run, verdicts=verdicts, decide_at=now)


def _tried(
    run: Run, metric: PilotMetric, is_good: Callable[[Counted], bool], room: RunRoom, is_late: Callable[[], bool]
) -> Iterator[Tally]:
    """Give what each page came to, as it was counted before where that is good."""
    kept = room.tallies.of(run.run_id)
    for page in _planned(run, room, is_late):
        found = kept.get(page)
        if found is None or not is_good(found):
            found = counted(
                run,
                page,
                sends=room.sends,
                clock=room.clock,
                last_orders=room.last_orders if metric is PilotMetric.ORDERS else None,
            )
            room.tallies.write(run.run_id, page, found)
        yield found.tally


def _ordered(entries: Iterable[Send], last_orders: LastOrders) -> Counter[Group]:
    """Count who of the pilot has ordered since they got their mail."""
    ordered = Counter[Group]()
    got = (send for send in entries if send.is_pilot and send.status is Status.ACCEPTED)
    for some in batched(got, AT_ONCE, strict=False):
        placed = last_orders.of([send.customer_id for send in some])
        ordered.update(group_of(send) for send in some if _has_ordered(send, placed.get(send.customer_id)))
    return ordered


def _has_ordered(send: Send, last_order_at: datetime | None) -> bool:
    return last_order_at is not None and send.settled_at is not None and last_order_at >= send.settled_at


def _verdict(message: CampaignMessage, total: Tally, pilot: Pilot) -> Verdict:
    parts = [_part(message.name, treatment.name, total, pilot) for treatment in message.treatments]
    outcome = winner(parts, pilot.minimum)
    return Verdict(outcome.winner, outcome.why, tuple(Tried(part.name, part.recipients, part.successes) for part in parts))


def _part(message: str, treatment: str, total: Tally, pilot: Pilot) -> Part:
    group = Group(message, Arm.TREATED, treatment, is_pilot=True)
    counts = total.groups.get(group, Counter[str]())
    did = (total.ordered or Counter[Group]())[group] if pilot.metric is PilotMetric.ORDERS else counts["clicked"]
    return Part(treatment, counts[Status.ACCEPTED.value], did)
