"""Sending: each planned entry of a roster is claimed, composed and handed over once, and what stays in doubt is settled later.

The roster is the queue: a message of the queue names a page of it, and whoever comes second finds what is claimed or done. A
worker may die at any line. What it had claimed is doubted after twice the function's time-out; what it had not is still planned.

Of an entry of a run the run says what it is and when it may go out (`domain/rosters.py`); who it is for may still let it wait.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import ceil
from typing import Protocol

from ecrm.domain.budgets import reserve
from ecrm.domain.customers import Customer
from ecrm.domain.errors import EcrmError, Erased, NotFound, Unavailable
from ecrm.domain.messages import Ambiguous, NotSent, Policy, Reply, Send, Status, claim, dropped, lost, postpone, resolve
from ecrm.domain.rosters import comes_before, end_of
from ecrm.domain.runs import Run

from .eligibility import (
    Held,
    Hold,
    Never,
    NotYet,
    due_of,
    flow_of,
    held_by,
    may_be_sent,
    refuse_early,
    refuse_ended,
    refuse_merged,
    refuse_more,
    run_of,
    sooner,
    treated,
)
from .identity import root
from .ledger import ATTEMPTS, changed
from .mail_ports import Blocked, Breaker, Composed, Mailer, MessageQueue, Permission, SendingControl, SendingQuota, Sends
from .pace import MINUTE, Lease, Ration
from .ports import Clock, Contended, Customers
from .settling import PAUSED_AGAIN, PLANNED_AGAIN

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
PAUSES_SECONDS = (0.1, 0.2, 0.4, 0.8, 1.6)
"""Between tries to write what the provider answered."""
RIVALS_KEPT = timedelta(seconds=30)
"""Runs begin and end by the minute, and thousands of mails ask which there are."""


class Compose(Protocol):
    def __call__(self, send: Send, customer: Customer, *, is_fresh: bool) -> Composed:
        """Render the mail of a send; older states do, unless `is_fresh`.

        Raises an EcrmError where that can never be done, as far as those states say; Unavailable where it cannot be done now.
        """
        ...


@dataclass(slots=True)
class Worked:
    """What became of the entries that were worked on, why the others were left, and what one of them raised."""

    statuses: Counter[Status] = field(default_factory=Counter)
    held: Hold | None = None
    has_opened_breaker: bool = False
    broken: Exception | None = None


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
                    due = sooner(due, due_of(send, self._run(send), self._clock.now()))
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
        if end is None and not may_be_sent(send, run, now):
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
                send = treated(send, self._permitted(send).run)
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
        refuse_ended(send, run, now)
        self._refuse_rationed(send, run, now)
        try:
            customer = root(send.customer_id, customers=self._customers, consistent=is_fresh)
            refuse_merged(send, customer, run)
            composed = self._compose(send, customer, is_fresh=is_fresh)
        except Erased as error:
            raise Never(Status.CANCELLED, "erased") from error
        except Unavailable:
            raise
        except EcrmError as error:
            if not is_fresh:
                raise Contended("what is known may be out of date") from error
            raise Never(Status.FAILED, error.code) from error
        refuse_early(send, composed.policy, run, now)
        return customer, composed

    def _claimed(self, send: Send, customer: Customer, composed: Composed) -> Send:
        """Claim a send in a slot of its own. What allowed it before the wait for that may not any more."""
        self._wait_for_slot()
        run, now = self._permitted(send).run, self._clock.now()
        refuse_ended(send, run, now)
        refuse_early(send, composed.policy, run, now)
        self._refuse_rationed(send, run, now)
        budget = None
        if send.policy is Policy.MARKETING:
            budget = self._sends.budget(customer, run, self._rivals_of(run, now) if run else ())
            refuse_more(send, budget, composed.policy, run, now)
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
        if hold := held_by(send.policy, permission, self._control.table_id()):
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


def tags_of(send: Send) -> Mapping[str, str]:
    """What every notice about a mail brings back: ids alone."""
    return {
        "send_id": send.send_id,
        "attempt": str(send.attempt),
        "run": send.run_id,
        "shard": str(send.shard),
        "customer": send.customer_id,
    }
