"""Sending: each planned entry of a roster is claimed, composed and handed over once, and what stays in doubt is settled later.

The roster is the queue: a message of the queue names a page of it, and whoever comes second finds what is claimed or done. A
worker may die at any line. What it had claimed is doubted after twice the function's time-out; what it had not is still planned.

Of an entry of a run the run says what it is and when it may go out (`domain/rosters.py`); who it is for may still let it wait.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from math import ceil
from typing import Protocol

from ecrm.domain.contact_policy import Closed, ContactPolicy
from ecrm.domain.customers import Customer
from ecrm.domain.errors import EcrmError, Erased, NotFound, Unavailable
from ecrm.domain.messages import (
    LOCAL_TIME,
    NEVER_SENT,
    PRIORITY,
    Ambiguous,
    Budget,
    NotSent,
    Policy,
    Reply,
    Send,
    Status,
    claim,
    dropped,
    due_at,
    free,
    lost,
    no_room,
    postpone,
    reserve,
    resolve,
    settled,
    told,
)
from ecrm.domain.rosters import MERGED, NO_WINNER, comes_before, end_of, ends_at, instant, pilot_until, treatment
from ecrm.domain.runs import Run, RunState

from .identity import root
from .mail_ports import (
    Blocked,
    Breaker,
    Composed,
    Mailer,
    MessageQueue,
    Pause,
    Permission,
    Sending,
    SendingControl,
    SendingQuota,
    Sends,
    Waiting,
)
from .pace import MINUTE, Lease, Ration
from .ports import Clock, Contended, Customers

ATTEMPTS = 12
PERMISSION_HOLDS = timedelta(seconds=1)
"""A pause takes effect within two seconds: what allows a claim is no older than this."""
DOUBTS = 5
"""Ambiguous replies within a minute that open the breaker of a flow."""
DOUBTS_WITHIN = timedelta(minutes=1)
OPEN_FOR = timedelta(minutes=1)
"""An open breaker closes by itself. A worker that had an ambiguous reply sends nothing for as long, open or not: five workers
that wait for replies at once would otherwise have nine doubts before the fifth is known."""
NOT_NOW = timedelta(seconds=30)
"""Before a page is tried again whose mail the provider did not take for now."""
MOST_AHEAD = timedelta(seconds=10)
"""How long a worker waits for a slot: longer only where there are more workers than lanes, and then the others are enough."""
PAUSED_AGAIN = timedelta(minutes=1)
"""Before a page is looked at again that must not be sent."""
RUN_PAUSED_AGAIN = timedelta(hours=1)
"""The same where the run alone is paused: whoever resumes it wakes its pages."""
PLANNED_AGAIN = timedelta(minutes=15)
"""Before a page is asked for again whose message was handed to the queue."""
PAUSES_SECONDS = (0.1, 0.2, 0.4, 0.8, 1.6)
"""Between tries to write what the provider answered."""
MOST_WAITING = 200
"""Pages that one round takes of each shard of the worklist."""
RIVALS_KEPT = timedelta(seconds=30)
"""Runs begin and end by the minute, and thousands of mails ask which there are."""


class Compose(Protocol):
    def __call__(self, send: Send, customer: Customer, *, is_fresh: bool) -> Composed:
        """Render the mail of a send; older states do, unless `is_fresh`.

        Raises an EcrmError where that can never be done, as far as those states say; Unavailable where it cannot be done now.
        """
        ...


class Hold(StrEnum):
    """Why a planned send is left as it is."""

    NOT_ARMED = "not_armed"
    PAUSED = "paused"
    BREAKER = "breaker"
    NOT_NOW = "not_now"
    RATE = "rate"
    LATE = "late"


class Held(Exception):
    """Nothing more of this page is sent now."""

    def __init__(self, by: Hold, until: datetime) -> None:
        super().__init__(by)
        self.by = by
        self.until = until


class Never(Exception):
    """A planned send that must not be made, now or later."""

    def __init__(self, status: Status, reason: str | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.reason = reason


class NotYet(Exception):
    """A planned send that must not be made before some time, nor after its `end`, where that is its person's own."""

    def __init__(self, until: datetime, reason: str, end: datetime | None = None) -> None:
        super().__init__(reason)
        self.until = until
        self.reason = reason
        self.end = end


@dataclass(slots=True)
class Worked:
    """What became of the entries that were worked on, why the others were left, and what one of them raised."""

    statuses: Counter[Status] = field(default_factory=Counter)
    held: Hold | None = None
    has_opened_breaker: bool = False
    broken: Exception | None = None


@dataclass(slots=True)
class Settled:
    """How many pages were looked at, how many failed, what became of the doubts in them, and what holds what is planned."""

    pages: int = 0
    failed: int = 0
    statuses: Counter[Status] = field(default_factory=Counter)
    held: Counter[Hold] = field(default_factory=Counter)


class Sender:
    """One worker. It keeps what it may keep between pages: a permission for a second, leased slots, and its own doubts.

    `wait` waits for as many seconds as it is given.
    """

    def __init__(
        self,
        *,
        sends: Sends,
        control: SendingControl,
        quota: SendingQuota,
        mailer: Mailer,
        queue: MessageQueue,
        customers: Customers,
        compose: Compose,
        clock: Clock,
        wait: Callable[[float], None],
    ) -> None:
        self._sends = sends
        self._control = control
        self._lease = Lease(control, quota)
        self._mailer = mailer
        self._queue = queue
        self._customers = customers
        self._compose = compose
        self._clock = clock
        self._wait = wait
        self._permissions: dict[str, tuple[datetime, Permission]] = {}
        self._actives: tuple[datetime, Sequence[Run]] | None = None
        self._rations: dict[str, Ration] = {}
        self._spent: dict[str, tuple[datetime, timedelta]] = {}
        self._cools_until: datetime | None = None

    def work(self, run_id: str, shard: int, *, is_of_many: bool, is_late: Callable[[], bool]) -> Worked:
        """Send what is planned on a page, until it is done or time is short; somebody comes back to what is left.

        May be done twice, at once too. An entry that breaks is in nobody's way: it is raised when all others are done. Where
        others are left it is not, for whoever is told that a page failed comes back to it, beside whoever was asked to.
        """
        worked = Worked()
        due: datetime | None = None
        try:
            self._refuse_spent(run_id, shard)
            self._refuse_late(is_late)  # a page may be a megabyte
            for entry in self._sends.page(run_id, shard):
                if not entry.is_open:
                    continue
                try:
                    send = self._worked(entry, is_late, worked)
                    due = _sooner(due, _due(send, self._run(send), self._clock.now()))
                except (Held, Unavailable):
                    raise
                except Exception as error:  # noqa: BLE001 (poison, whatever it is, is not in the way of others)
                    worked.broken = worked.broken or error
        except Held as held:
            worked.held = held.by
            self._hold(run_id, shard, held, is_of_many=is_of_many)
            return worked
        if due is not None:
            self._sends.come_back(run_id, shard, due)
        if worked.broken is not None:
            raise worked.broken
        if due is None and is_of_many:
            self._sends.leave(run_id, shard, self._clock.now())
        return worked

    def _hold(self, run_id: str, shard: int, held: Held, *, is_of_many: bool) -> None:
        """Let somebody come back: the queue where it is soon, and whoever settles where it does not."""
        if held.by in (Hold.NOT_ARMED, Hold.PAUSED):
            self._sends.come_back(run_id, shard, held.until)
            return
        # Before the queue is asked: else whoever settles asks it as well, every time, and each of its messages replaces itself.
        self._sends.come_back(run_id, shard, held.until + PLANNED_AGAIN)
        seconds = (held.until - self._clock.now()).total_seconds()
        self._queue.send(run_id, shard, max(0, ceil(seconds)), is_of_many=is_of_many)

    def _worked(self, send: Send, is_late: Callable[[], bool], worked: Worked) -> Send:
        now = self._clock.now()
        if send.status is Status.CLAIMED:
            return changed(send, lost, sends=self._sends, customers=self._customers, now=now)
        run = self._run(send)
        end = end_of(send, run, now) if run and send.status is Status.PLANNED else None
        if end is None and not _may_be_sent(send, run, now):
            return send
        self._refuse_late(is_late)
        after = self._dropped(send, Never(end.status, end.reason)) if end else self._sent(send, worked)
        worked.statuses[after.status] += 1
        return after

    def _sent(self, send: Send, worked: Worked) -> Send:
        """Claim and send one entry. Raises Held where it may not be sent now, and where the provider did not take it for now."""
        is_fresh = False
        for _ in range(ATTEMPTS):
            try:
                send = _treated(send, self._permitted(send).run)
                customer, composed = self._composed(send, is_fresh=is_fresh)
                claimed = self._claimed(send, customer, composed)
            except Never as never:
                return self._dropped(send, never)
            except NotYet as not_yet:
                return self._postponed(send, not_yet)
            except Contended:
                send, is_fresh = self._again(send), True
                if send.status is not Status.PLANNED:
                    return send
            else:
                return self._resolved(claimed, self._mailer.send(replace(composed.mail, tags=tags_of(claimed))), worked)
        raise Contended("many write this entry at once; try again")

    def _composed(self, send: Send, *, is_fresh: bool) -> tuple[Customer, Composed]:
        """Make the mail, of older states at first, for half the units: they may hold a send up, but never end it."""
        run, now = self._permitted(send).run, self._clock.now()
        _refuse_ended(send, run, now)
        self._refuse_rationed(send, run, now)
        try:
            customer = root(send.customer_id, customers=self._customers, consistent=is_fresh)
            _refuse_merged(send, customer, run)
            composed = self._compose(send, customer, is_fresh=is_fresh)
        except Erased as error:
            raise Never(Status.CANCELLED, "erased") from error
        except Unavailable:
            raise
        except EcrmError as error:
            if not is_fresh:
                raise Contended("what is known may be out of date") from error
            raise Never(Status.FAILED, error.code) from error
        _refuse_early(send, composed.policy, run, now)
        return customer, composed

    def _claimed(self, send: Send, customer: Customer, composed: Composed) -> Send:
        """Claim a send in a slot of its own. What allowed it before the wait for that may not any more."""
        self._wait_for_slot()
        run, now = self._permitted(send).run, self._clock.now()
        _refuse_ended(send, run, now)
        _refuse_early(send, composed.policy, run, now)
        self._refuse_rationed(send, run, now)
        budget = None
        if send.policy is Policy.MARKETING:
            budget = self._sends.budget(customer, run, self._rivals_of(run, now) if run else ())
            _refuse_more(send, budget, composed.policy, run, now)
            budget = reserve(budget, send, now)
        claimed = claim(send, now, composed.template_version)
        try:
            self._sends.claim(claimed, customer, composed.mail.to, budget, now)
        except Blocked as blocked:
            raise Never(blocked.by) from blocked
        if run is not None and run.run_id in self._rations:
            self._rations[run.run_id].use()
        return claimed

    def _permission(self, send: Send) -> Permission:
        """Read what allows a send, unless it was read within the last second. Raises NotFound."""
        flow = flow_of(send)
        now = self._clock.now()
        read_at, permission = self._permissions.get(flow, (None, None))
        if permission is None or read_at is None or now - read_at >= PERMISSION_HOLDS:
            permission = self._control.permission(flow, run_of(send))
            self._permissions[flow] = (now, permission)
        if run_of(send) and permission.run is None:
            raise NotFound("a roster without its run", code="run_not_found")
        return permission

    def _run(self, send: Send) -> Run | None:
        """Give the run of an entry, None for a message. Raises Held where this table may not even end what is over."""
        if run_of(send) is None:
            return None
        permission = self._permission(send)
        if permission.sending.armed_for != self._control.table_id():
            raise Held(Hold.NOT_ARMED, self._clock.now() + PAUSED_AGAIN)
        return permission.run

    def _permitted(self, send: Send) -> Permission:
        """Give what allows a send, a second old at most. Raises Held, NotFound."""
        permission, now = self._permission(send), self._clock.now()
        if hold := _hold(send.policy, permission, self._control.table_id()):
            raise Held(hold, now + PAUSED_AGAIN)
        open_until = max(filter(None, (permission.breaker.open_until, self._cools_until)), default=now)
        if open_until > now:
            raise Held(Hold.BREAKER, open_until)
        return permission

    def _rivals_of(self, run: Run, now: datetime) -> list[Run]:
        """Give the runs that come before one, as they were half a minute ago at most."""
        if self._actives is None or now - self._actives[0] >= RIVALS_KEPT:
            self._actives = now, self._control.active_runs()
        return [other for other in self._actives[1] if comes_before(other, run, now)]

    def _refuse_rationed(self, send: Send, run: Run | None, now: datetime) -> None:
        """Hold the page of a run that has sent as many as it may in this minute; its pages come back one after the other."""
        if run is None or run.rate_per_minute is None:
            return
        ration = self._rations.setdefault(run.run_id, Ration(self._control, run.run_id, run.rate_per_minute))
        until = ration.spent_until(now)
        if until is not None:
            self._spent[run.run_id] = until, MINUTE / run.pages
            self._refuse_spent(run.run_id, send.shard)

    def _refuse_spent(self, run_id: str, shard: int) -> None:
        """Hold a page whose run was found to have sent enough, before anything of it is read."""
        until, step = self._spent.get(run_id, (None, MINUTE))
        if until is not None and self._clock.now() < until:
            raise Held(Hold.RATE, until + step * shard)

    def _refuse_late(self, is_late: Callable[[], bool]) -> None:
        if is_late():
            raise Held(Hold.LATE, self._clock.now())

    def _wait_for_slot(self) -> None:
        now = self._clock.now()
        ahead = self._lease.take(now) - now
        if ahead > MOST_AHEAD:
            raise Held(Hold.NOT_NOW, now + NOT_NOW)
        if ahead > timedelta(0):
            self._wait(ahead.total_seconds())

    def _again(self, send: Send) -> Send:
        """Read an entry that somebody else wrote; rosters are never taken apart."""
        found = self._sends.find(send.run_id, send.shard, send.customer_id)
        if found is None:
            raise NotFound("an entry is gone", code="message_not_found")
        return found

    def _dropped(self, send: Send, never: Never) -> Send:
        """End a planned send, unless somebody has taken it meanwhile."""

        def drop(seen: Send, at: datetime) -> Send:
            return dropped(seen, never.status, never.reason, at) if seen.status is Status.PLANNED else seen

        return changed(send, drop, sends=self._sends, customers=self._customers, now=self._clock.now())

    def _postponed(self, send: Send, not_yet: NotYet) -> Send:
        """Let a planned send wait, unless somebody has taken it meanwhile, or found that it must wait as long."""

        def wait(seen: Send, _at: datetime) -> Send:
            is_put_off = seen.postponed_until is not None and seen.postponed_until >= not_yet.until
            if seen.status is not Status.PLANNED or is_put_off:
                return seen
            return postpone(seen, not_yet.until, not_yet.reason, not_yet.end)

        return changed(send, wait, sends=self._sends, customers=self._customers, now=self._clock.now())

    def _resolved(self, claimed: Send, reply: Reply, worked: Worked) -> Send:
        now = self._clock.now()

        def outcome(seen: Send, at: datetime) -> Send:
            return resolve(seen, claimed.attempt, reply, at)

        after = self._written(claimed, outcome, now)
        if isinstance(reply, Ambiguous):
            worked.has_opened_breaker |= self._doubt(flow_of(claimed), now)
        if isinstance(reply, NotSent):
            raise Held(Hold.NOT_NOW, now + NOT_NOW)
        return after

    def _written(self, claimed: Send, outcome: Callable[[Send, datetime], Send], now: datetime) -> Send:
        """Write an outcome, which nobody else knows: a table that is busy is asked again for some seconds."""
        for pause_seconds in PAUSES_SECONDS:
            try:
                return changed(claimed, outcome, sends=self._sends, customers=self._customers, now=now)
            except Unavailable:
                self._wait(pause_seconds)
        return changed(claimed, outcome, sends=self._sends, customers=self._customers, now=now)

    def _doubt(self, flow: str, now: datetime) -> bool:
        """Count an ambiguous reply of a flow; says whether that has opened its breaker."""
        self._cools_until = now + OPEN_FOR
        self._permissions.clear()
        breaker = self._control.permission(flow, None).breaker
        for _ in range(ATTEMPTS):
            doubts = (*(at for at in breaker.doubts if at > now - DOUBTS_WITHIN), now)
            opens = len(doubts) >= DOUBTS
            after = Breaker(doubts[-DOUBTS:], now + OPEN_FOR if opens else breaker.open_until, breaker.version + 1)
            there = self._control.doubt(flow, after)
            if there is None:
                return opens
            breaker = there
        raise Contended("many doubts at once")


def changed(send: Send, change: Callable[[Send, datetime], Send], *, sends: Sends, customers: Customers, now: datetime) -> Send:
    """Write what a change makes of a send and tell it; whoever was faster is read, and the change decided anew.

    A place in the budget of a marketing mail that was claimed and certainly never sent is given back with it.
    """
    for _ in range(ATTEMPTS):
        after = change(send, now)
        if after == send:
            return send
        budget = _freed(after, sends, customers)
        try:
            there = sends.write(after, told(send, after, now), budget)
        except Contended:
            continue
        if there is None:
            return after
        send = there
    raise Contended("many write this entry at once; try again")


def _freed(after: Send, sends: Sends, customers: Customers) -> Budget | None:
    if after.policy is not Policy.MARKETING or after.attempt == 0 or after.status not in NEVER_SENT:
        return None
    try:
        budget = sends.budget(root(after.customer_id, customers=customers))
    except NotFound:  # erased, and the budget with them
        return None
    freed = free(budget, after)
    return None if freed == budget else freed


def _may_be_sent(send: Send, run: Run | None, now: datetime) -> bool:
    is_waiting = send.postponed_until is not None and now < send.postponed_until
    return send.status is Status.PLANNED and not is_waiting and not (run and pilot_until(send, run, now))


def _due(send: Send, run: Run | None, now: datetime) -> datetime | None:
    """Say when somebody has to come back to an entry, None where never: when what it waits for is over, or it itself."""
    due = due_at(send, now)
    if due is None or run is None or send.status is not Status.PLANNED:
        return due
    return min(max(due, pilot_until(send, run, now) or due), max(now, ends_at(send, run)))


def _treated(send: Send, run: Run | None) -> Send:
    """Give an entry of a run what it gets."""
    if run is None:
        return send
    chosen = treatment(send, run)
    if chosen is None:
        raise Never(Status.CANCELLED, NO_WINNER)
    return replace(send, treatment=chosen.name, template=chosen.template, template_version=chosen.template_version)


def _refuse_ended(send: Send, run: Run | None, now: datetime) -> None:
    if run is not None and (end := end_of(send, run, now)):
        raise Never(end.status, end.reason)
    if send.expires_at is not None and send.expires_at <= now:
        raise Never(Status.EXPIRED)


def _refuse_merged(send: Send, customer: Customer, run: Run | None) -> None:
    """End an entry of a run whose person turned out to be another one, as planning does: that one has an entry, or was not meant.

    A message that was asked for by itself goes to whoever they are.
    """
    if run is not None and customer.customer_id != send.customer_id:
        raise Never(Status.CANCELLED, MERGED)


def _refuse_early(send: Send, policy: ContactPolicy, run: Run | None, now: datetime) -> None:
    """Let marketing wait for its time where its person is, and for an hour at which it may reach them."""
    if send.policy is not Policy.MARKETING:
        return
    theirs = instant(run, policy.zone) if run else None
    begins_at = max(now, theirs or now)
    wait = policy.closed(begins_at, run.window if run else None) or Closed(LOCAL_TIME, begins_at)
    end = ends_at(send, run, policy.zone) if run else send.expires_at
    if end is not None and end <= max(now, wait.until):
        raise Never(Status.EXPIRED, wait.reason if now < wait.until else send.reason)
    if now < wait.until:
        raise NotYet(wait.until, wait.reason, end if theirs else None)


def _refuse_more(send: Send, budget: Budget, policy: ContactPolicy, run: Run | None, now: datetime) -> None:
    """Let marketing wait until its person has room for it, if that is before its end; nobody gets two mails of a run."""
    if budget.is_served:
        raise Never(Status.CANCELLED, MERGED)
    wait = no_room(budget, policy.cap, send, now)
    if wait is None:
        return
    end = ends_at(send, run, policy.zone) if run else send.expires_at
    if wait.reason == PRIORITY:
        raise NotYet(_sooner(wait.until, end) or wait.until, wait.reason)
    if end is not None and end <= wait.until:
        raise Never(Status.CAPPED, wait.reason)
    raise NotYet(wait.until, wait.reason)


def _hold(policy: Policy, permission: Permission, table_id: str) -> Hold | None:
    if permission.sending.armed_for != table_id:
        return Hold.NOT_ARMED
    return Hold.PAUSED if _is_paused(permission.run) or policy in permission.sending.paused else None


def _is_paused(run: Run | None) -> bool:
    """Say whether a run is held, by a hand or because it is not planned yet."""
    return run is not None and run.state not in (RunState.SENDING, RunState.CANCELLED)


def _sooner(one: datetime | None, other: datetime | None) -> datetime | None:
    return min(filter(None, (one, other)), default=None)


def flow_of(send: Send) -> str:
    """Name what a breaker is for: a run of many, or all messages of a policy."""
    return run_of(send) or send.policy.value


def run_of(send: Send) -> str | None:
    """Name the run of many to which a send belongs; None for a message, which was asked for by itself."""
    return send.run_id if send.is_of_many else None


def tags_of(send: Send) -> Mapping[str, str]:
    """What every notice about a mail brings back: ids alone."""
    return {
        "send_id": send.send_id,
        "attempt": str(send.attempt),
        "run": send.run_id,
        "shard": str(send.shard),
        "customer": send.customer_id,
    }


def settle_due(
    *,
    sends: Sends,
    control: SendingControl,
    queue: MessageQueue,
    customers: Customers,
    clock: Clock,
    is_late: Callable[[], bool],
) -> Settled:
    """Come back to every page that is due. One that breaks is in nobody's way: it is raised when all others are settled."""
    done = Settled()
    broken: Exception | None = None
    for waiting in sends.due(clock.now(), MOST_WAITING):
        if is_late():
            break
        done.pages += 1
        try:
            settle(waiting, done, sends=sends, control=control, queue=queue, customers=customers, clock=clock, is_late=is_late)
        except Unavailable:
            done.failed += 1
        except Exception as error:  # noqa: BLE001 (poison, whatever it is, is not in the way of others)
            done.failed += 1
            broken = broken or error
    if broken is not None:
        raise broken
    return done


def settle(
    waiting: Waiting,
    done: Settled,
    *,
    sends: Sends,
    control: SendingControl,
    queue: MessageQueue,
    customers: Customers,
    clock: Clock,
    is_late: Callable[[], bool],
) -> None:
    """End the doubts of a page whose time is over, and what its run has ended; ask for it again where something is planned.

    Where time is short the page stays due.
    """
    now = clock.now()
    due: datetime | None = None
    planned: Send | None = None
    permission: Permission | None = None
    for entry in sends.page(waiting.run_id, waiting.shard):
        if not entry.is_open:
            continue
        if is_late():
            return
        send = changed(entry, _settled, sends=sends, customers=customers, now=now)
        if send.status is Status.PLANNED and permission is None:
            permission = control.permission(flow_of(send), run_of(send))
        run = permission.run if permission else None
        if permission is not None and run is not None and permission.sending.armed_for == control.table_id():
            send = changed(send, partial(_ended, run=run), sends=sends, customers=customers, now=now)
        if send.status is not entry.status:
            done.statuses[send.status] += 1
        if _may_be_sent(send, run, now):
            planned = send
        else:
            due = _sooner(due, _due(send, run, now))
    if planned is not None and permission is not None:
        hold = _hold(planned.policy, permission, control.table_id())
        if hold is None:
            queue.send(waiting.run_id, waiting.shard, is_of_many=planned.is_of_many)
        else:
            done.held[hold] += 1
        due = _sooner(due, now + _again_after(hold, permission))
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


def read_sending(*, control: SendingControl) -> tuple[Sending, bool]:
    """Give the kill switch, and whether this table is the one that may send."""
    sending = control.sending()
    return sending, sending.armed_for == control.table_id()


def arm(*, control: SendingControl) -> Sending:
    """Let this table send, and no copy of it."""
    table_id = control.table_id()
    return _switched(lambda seen: replace(seen, armed_for=table_id), control)


def pause(policy: Policy, *, reason: str, by: str, control: SendingControl, clock: Clock) -> Sending:
    """Send nothing under a policy, within two seconds. What is paused already stays so, since when it was."""
    since = Pause(clock.now(), by, reason)
    return _switched(lambda seen: replace(seen, paused={policy: since, **seen.paused}), control)


def resume(policy: Policy, *, control: SendingControl) -> Sending:
    """Send again; what is left goes out when somebody comes back to it, within minutes."""
    return _switched(
        lambda seen: replace(seen, paused={paused: why for paused, why in seen.paused.items() if paused is not policy}), control
    )


def _switched(change: Callable[[Sending], Sending], control: SendingControl) -> Sending:
    for _ in range(ATTEMPTS):
        seen = control.sending()
        after = change(seen)
        if after == seen:
            return seen
        after = replace(after, version=seen.version + 1)
        if control.write(after):
            return after
    raise Contended("many switch at once; try again")
