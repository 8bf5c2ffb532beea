"""Sending: each planned entry of a roster is claimed, composed and handed over once, and what stays in doubt is settled later.

The roster is the queue: a message of the queue names a page of it, and whoever comes second finds what is claimed or done. A
worker may die at any line. What it had claimed is doubted after twice the function's time-out; what it had not is still planned.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from math import ceil
from typing import Protocol

from ecrm.domain.contact_policy import ContactPolicy
from ecrm.domain.customers import Customer
from ecrm.domain.errors import EcrmError, Erased, NotFound, Unavailable
from ecrm.domain.messages import (
    NEVER_SENT,
    Ambiguous,
    Budget,
    NotSent,
    Policy,
    Reply,
    RunState,
    Send,
    Status,
    claim,
    dropped,
    due_at,
    free,
    lost,
    postpone,
    refusal,
    reserve,
    resolve,
    settled,
    told,
)

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
from .pace import Lease
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
PLANNED_AGAIN = timedelta(minutes=15)
"""Before a page is asked for again whose message was handed to the queue."""
PAUSES_SECONDS = (0.1, 0.2, 0.4, 0.8, 1.6)
"""Between tries to write what the provider answered."""
MOST_WAITING = 200
"""Pages that one round takes of each shard of the worklist."""
QUIET_HOURS = "quiet_hours"
"""The reason of what waits, or came to its end, because its person sleeps."""


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
    """A planned send that must not be made before some time."""

    def __init__(self, until: datetime, reason: str) -> None:
        super().__init__(reason)
        self.until = until
        self.reason = reason


@dataclass(slots=True)
class Worked:
    """What became of the entries that were worked on, and why the others were left."""

    statuses: Counter[Status] = field(default_factory=Counter)
    held: Hold | None = None
    has_opened_breaker: bool = False


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
        self._cools_until: datetime | None = None

    def work(self, run_id: str, shard: int, *, is_late: Callable[[], bool]) -> Worked:
        """Send what is planned on a page, until it is done or time is short; somebody comes back to what is left.

        May be done twice, at once too. An entry that breaks is in nobody's way: it is raised when all others are done.
        """
        worked = Worked()
        due: datetime | None = None
        broken: Exception | None = None
        try:
            for entry in self._sends.page(run_id, shard):
                try:
                    send = self._worked(entry, is_late, worked) if entry.is_open else entry
                except (Held, Unavailable):
                    raise
                except Exception as error:  # noqa: BLE001 (poison, whatever it is, is not in the way of others)
                    broken = broken or error
                    continue
                due = _sooner(due, due_at(send, self._clock.now()))
        except Held as held:
            worked.held = held.by
            self._hold(run_id, shard, held)
            due = None
        if due is not None:
            self._sends.come_back(run_id, shard, due)
        if broken is not None:
            raise broken
        return worked

    def _hold(self, run_id: str, shard: int, held: Held) -> None:
        """Let somebody come back: the queue where it is soon, else whoever settles."""
        if held.by in (Hold.NOT_ARMED, Hold.PAUSED):
            self._sends.come_back(run_id, shard, held.until)
            return
        seconds = (held.until - self._clock.now()).total_seconds()
        self._queue.send(run_id, shard, max(0, ceil(seconds)))

    def _worked(self, send: Send, is_late: Callable[[], bool], worked: Worked) -> Send:
        if send.status is Status.CLAIMED:
            return changed(send, lost, sends=self._sends, customers=self._customers, now=self._clock.now())
        if not _may_be_sent(send, self._clock.now()):
            return send
        if is_late():
            raise Held(Hold.LATE, self._clock.now())
        after = self._sent(send, worked)
        worked.statuses[after.status] += 1
        return after

    def _sent(self, send: Send, worked: Worked) -> Send:
        """Claim and send one entry. Raises Held where it may not be sent now, and where the provider did not take it for now."""
        is_fresh = False
        for _ in range(ATTEMPTS):
            try:
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
        permission, now = self._permitted(send), self._clock.now()
        _refuse_ended(send, permission, now)
        try:
            customer = root(send.customer_id, customers=self._customers, consistent=is_fresh)
            composed = self._compose(send, customer, is_fresh=is_fresh)
        except Erased as error:
            raise Never(Status.CANCELLED, "erased") from error
        except Unavailable:
            raise
        except EcrmError as error:
            if not is_fresh:
                raise Contended("what is known may be out of date") from error
            raise Never(Status.FAILED, error.code) from error
        _refuse_quiet(send, composed.policy, permission, now)
        return customer, composed

    def _claimed(self, send: Send, customer: Customer, composed: Composed) -> Send:
        """Claim a send in a slot of its own. What allowed it before the wait for that may not any more."""
        self._wait_for_slot()
        permission, now = self._permitted(send), self._clock.now()
        _refuse_ended(send, permission, now)
        _refuse_quiet(send, composed.policy, permission, now)
        budget = None
        if send.policy is Policy.MARKETING:
            budget = self._sends.budget(customer)
            for cap in (composed.policy.cap, permission.run.cap if permission.run else None):
                if why := refusal(budget, cap, send, now):
                    raise Never(Status.CAPPED, why)
            budget = reserve(budget, send, now)
        claimed = claim(send, now, composed.template_version)
        try:
            self._sends.claim(claimed, customer, composed.mail.to, budget, now)
        except Blocked as blocked:
            raise Never(blocked.by) from blocked
        return claimed

    def _permitted(self, send: Send) -> Permission:
        """Read what allows a send, unless it was read within the last second. Raises Held, NotFound."""
        flow = flow_of(send)
        now = self._clock.now()
        read_at, permission = self._permissions.get(flow, (None, None))
        if permission is None or read_at is None or now - read_at >= PERMISSION_HOLDS:
            permission = self._control.permission(flow, run_of(send))
            self._permissions[flow] = (now, permission)
        if run_of(send) and permission.run is None:
            raise NotFound("a roster without its run", code="run_not_found")
        if hold := _hold(send.policy, permission, self._control.table_id()):
            raise Held(hold, now + PAUSED_AGAIN)
        open_until = max(filter(None, (permission.breaker.open_until, self._cools_until)), default=now)
        if open_until > now:
            raise Held(Hold.BREAKER, open_until)
        return permission

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
        """Let a planned send wait, unless somebody has taken it meanwhile."""

        def wait(seen: Send, _at: datetime) -> Send:
            return postpone(seen, not_yet.until, not_yet.reason) if seen.status is Status.PLANNED else seen

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


def _may_be_sent(send: Send, now: datetime) -> bool:
    return send.status is Status.PLANNED and (send.postponed_until is None or send.postponed_until <= now)


def _ends_at(send: Send, permission: Permission) -> datetime | None:
    return _sooner(send.expires_at, permission.run.expires_at if permission.run else None)


def _refuse_ended(send: Send, permission: Permission, now: datetime) -> None:
    run, end = permission.run, _ends_at(send, permission)
    if run is not None and run.state is RunState.CANCELLED:
        raise Never(Status.CANCELLED)
    if end is not None and end <= now:
        raise Never(Status.EXPIRED)


def _refuse_quiet(send: Send, policy: ContactPolicy, permission: Permission, now: datetime) -> None:
    until = policy.quiet_until(now) if send.policy is Policy.MARKETING else None
    if until is None:
        return
    end = _ends_at(send, permission)
    if end is not None and end <= until:
        raise Never(Status.EXPIRED, QUIET_HOURS)
    raise NotYet(until, QUIET_HOURS)


def _hold(policy: Policy, permission: Permission, table_id: str) -> Hold | None:
    if permission.sending.armed_for != table_id:
        return Hold.NOT_ARMED
    is_paused = permission.run is not None and permission.run.state is RunState.PAUSED
    return Hold.PAUSED if is_paused or policy in permission.sending.paused else None


def _sooner(one: datetime | None, other: datetime | None) -> datetime | None:
    return min(filter(None, (one, other)), default=None)


def flow_of(send: Send) -> str:
    """Name what a breaker is for: a run of many, or all messages of a policy."""
    return run_of(send) or send.policy.value


def run_of(send: Send) -> str | None:
    """Name the run of many to which a send belongs; None for a message, which was asked for by itself."""
    return send.run_id if send.policy is Policy.MARKETING and send.requested_at is None else None


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
            settle(waiting, done, sends=sends, control=control, queue=queue, customers=customers, clock=clock)
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
) -> None:
    """End the doubts of a page whose time is over, and ask for it again where something is planned."""
    now = clock.now()
    due: datetime | None = None
    planned: Send | None = None
    for entry in sends.page(waiting.run_id, waiting.shard):
        if not entry.is_open:
            continue
        send = changed(entry, _settled, sends=sends, customers=customers, now=now)
        if send.status is not entry.status:
            done.statuses[send.status] += 1
        if _may_be_sent(send, now):
            planned = send
        else:
            due = _sooner(due, due_at(send, now))
    if planned is not None:
        permission = control.permission(flow_of(planned), run_of(planned))
        hold = _hold(planned.policy, permission, control.table_id())
        if hold is None:
            queue.send(waiting.run_id, waiting.shard)
        else:
            done.held[hold] += 1
        due = _sooner(due, now + (PLANNED_AGAIN if hold is None else PAUSED_AGAIN))
    sends.put_off(waiting, due)


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
