"""Settling: somebody comes back to each page that is due, whoever has died over it.

They end doubts whose time is over, and what a run has ended, and ask a worker for what is planned.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from ecrm.domain.messages import Send, Status, dropped, lost, settled
from ecrm.domain.rosters import end_of
from ecrm.domain.runs import Run, RunState

from .apart import each_apart
from .eligibility import Hold, due_of, flow_of, held_by, may_be_sent, run_of, sooner
from .ledger import changed
from .mail_ports import MessageQueue, Permission, SendingControl, Sends, Waiting
from .ports import Clock, Customers

PAUSED_AGAIN = timedelta(minutes=1)
"""Before a page is looked at again that must not be sent."""
RUN_PAUSED_AGAIN = timedelta(hours=1)
"""The same where the run alone is paused: whoever resumes it wakes its pages."""
PLANNED_AGAIN = timedelta(minutes=15)
"""Before a page is asked for again whose message was handed to the queue."""
MOST_WAITING = 200
"""Pages that one round takes of each shard of the worklist."""


@dataclass(slots=True)
class Settled:
    """How many pages were looked at, how many failed, what became of the doubts in them, and what holds what is planned."""

    pages: int = 0
    failed: int = 0
    statuses: Counter[Status] = field(default_factory=Counter)
    held: Counter[Hold] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlingRoom:
    """All that coming back to pages reads and writes."""

    sends: Sends
    control: SendingControl
    queue: MessageQueue
    customers: Customers
    clock: Clock


def settle_due(*, room: SettlingRoom, is_late: Callable[[], bool]) -> Settled:
    """Come back to every page that is due. One that breaks is in nobody's way: it is raised when all others are settled."""
    done = Settled()
    due = room.sends.due(room.clock.now(), MOST_WAITING)
    done.failed = each_apart(due, lambda waiting: _settle(waiting, room, done, is_late), is_late)
    return done


def _settle(waiting: Waiting, room: SettlingRoom, done: Settled, is_late: Callable[[], bool]) -> None:
    """End the doubts of a page whose time is over, and what its run has ended; ask for it again where something is planned.

    Where time is short the page stays due.
    """
    done.pages += 1
    now, sends, control = room.clock.now(), room.sends, room.control
    due: datetime | None = None
    planned: Send | None = None
    permission: Permission | None = None
    for entry in sends.page(waiting.run_id, waiting.shard):
        if not entry.is_open:
            continue
        if is_late():
            return
        send = changed(entry, _settled, sends=sends, customers=room.customers, now=now)
        if send.status is Status.PLANNED and permission is None:
            permission = control.permission(flow_of(send), run_of(send))
        run = permission.run if permission else None
        if permission is not None and run is not None and permission.sending.armed_for == control.table_id():
            send = changed(send, partial(_ended, run=run), sends=sends, customers=room.customers, now=now)
        if send.status is not entry.status:
            done.statuses[send.status] += 1
        if may_be_sent(send, run, now):
            planned = send
        else:
            due = sooner(due, due_of(send, run, now))
    if planned is not None and permission is not None:
        hold = held_by(planned.policy, permission, control.table_id())
        if hold is None:
            room.queue.send(waiting.run_id, waiting.shard, is_of_many=planned.is_of_many)
        else:
            done.held[hold] += 1
        due = sooner(due, now + _again_after(hold, permission))
    sends.put_off(waiting, due)


def _again_after(hold: Hold | None, permission: Permission) -> timedelta:
    if hold is None:
        return PLANNED_AGAIN
    is_run_s = permission.run is not None and permission.run.state is RunState.PAUSED and not permission.sending.paused
    return RUN_PAUSED_AGAIN if hold is Hold.PAUSED and is_run_s else PAUSED_AGAIN


def _ended(send: Send, now: datetime, *, run: Run) -> Send:
    end = end_of(send, run, now) if send.status is Status.PLANNED else None
    return dropped(send, end.status, end.reason, now) if end else send


def _settled(send: Send, now: datetime) -> Send:
    return settled(lost(send, now), now)
