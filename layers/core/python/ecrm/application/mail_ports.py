"""What the use cases of mail need of the world, beside `ports.py`: what sends no mail loads none of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from ecrm.domain.budgets import Budget
from ecrm.domain.contact_policy import ContactPolicy
from ecrm.domain.customers import Customer
from ecrm.domain.events import Event
from ecrm.domain.messages import Policy, Reply, Send, Status
from ecrm.domain.runs import Run

from .ports import Request, Standing


class AlreadyRecorded(Exception):
    """The event that was to be written is there already."""


class Blocked(Exception):
    """A claim that must not be: `by` says whether the address is suppressed or the consent is not there."""

    def __init__(self, by: Literal[Status.SUPPRESSED, Status.NO_CONSENT]) -> None:
        super().__init__(by)
        self.by = by


@dataclass(frozen=True, slots=True)
class Waiting:
    """A page of a roster to which somebody has to come back, as it stood in the worklist."""

    run_id: str
    shard: int
    due: datetime


class Sends(Protocol):
    """The rosters: audience, send ledger and books in one."""

    def add(self, send: Send, requested: Event, standing: Standing, request: Request | None) -> bool:
        """Write a message of its own with the event that asks for it, in one transaction; False where it is there already.

        6 write units for a known customer, 2 more with an Idempotency-Key, whose resource is the run. Raises Contended where the
        customer is not there or not as seen, and AlreadyAnswered.
        """
        ...

    def answered(self, request: Request | None, now: datetime) -> str | None:
        """Give the run that a request has asked for before. Raises Invalid where its key came with another body."""
        ...

    def find(self, run_id: str, shard: int, customer_id: str, *, consistent: bool = True) -> Send | None: ...

    def page(self, run_id: str, shard: int, *, after: str | None = None) -> Iterable[Send]:
        """Give the entries of a page, those beyond a customer's, strongly consistent, read as they are asked for."""
        ...

    def budget(self, customer: Customer, run: Run | None = None, rivals: Iterable[Run] = ()) -> Budget:
        """Give the marketing mails to a person of late, what they said of them, and what other runs still wait to send them.

        With the entries of whoever they absorbed in a run, and in those that it retries. Strongly consistent, in one request.
        """
        ...

    def claim(self, claimed: Send, customer: Customer, to: str, budget: Budget | None, now: datetime) -> None:
        """Write a claim in one transaction, if the send is as it was seen and may still be made.

        It may where the customer is as they were seen, the address `to` is not suppressed, and for marketing the topic is
        consented to for this address and the budget, given as it will be, is as it was seen. 6 write units, 10 for marketing.
        Raises Blocked; Contended where somebody else wrote first.
        """
        ...

    def write(self, send: Send, events: Sequence[Event] = (), budget: Budget | None = None) -> Send | None:
        """Write an entry, what happened, and its customer's budget in one transaction, if the stored version is the one before.

        Gives None, or the entry as somebody else left it. Nothing is told of an entry that is closed. 4 write units with one
        event, 1 without. Raises AlreadyRecorded where an event is there already, Contended where the budget is not as seen.
        """
        ...

    def tell(self, send: Send, event: Event) -> None:
        """Write what happened and does not change the entry, unless it is closed; 4 write units. Raises AlreadyRecorded."""
        ...

    def name_link(self, run_id: str, link: str, shown: str) -> None:
        """Write what may be shown of a link that entries of a run name by `link`; 1 write unit."""
        ...

    def links(self, run_id: str) -> Mapping[str, str]:
        """Give what may be shown of the links of a run, by their names in entries."""
        ...

    def come_back(self, run_id: str, shard: int, due: datetime) -> None:
        """Let somebody come back to a page."""
        ...

    def leave(self, run_id: str, shard: int, now: datetime) -> None:
        """Let nobody come back to a page of which nothing is open any more."""
        ...

    def due(self, now: datetime, limit: int) -> Iterable[Waiting]:
        """Give pages to which somebody has to come back now, at most `limit` of each shard of the worklist.

        One of each shard in turn, the soonest first, and another shard first in each minute: whoever has no time for all starves
        none.
        """
        ...

    def put_off(self, waiting: Waiting, due: datetime | None) -> None:
        """Come back to a page later, or never where `due` is None, unless somebody has said otherwise meanwhile."""
        ...


@dataclass(frozen=True, slots=True)
class Pause:
    """Why nothing is sent under a policy: since when, by whom (a key's source), and for what reason."""

    since: datetime
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Sending:
    """The kill switch. `armed_for` is the id of the one table that may send."""

    armed_for: str | None = None
    paused: Mapping[Policy, Pause] = field(default_factory=dict)
    version: int = 0


@dataclass(frozen=True, slots=True)
class Breaker:
    """The ambiguous replies of a flow in the last minute; while it is open, nothing of the flow is sent."""

    doubts: tuple[datetime, ...] = ()
    open_until: datetime | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class Permission:
    """What decides whether a flow may send, as it stood at one moment. `run` is None for transactional mail, or where none is."""

    sending: Sending
    breaker: Breaker
    run: Run | None


@dataclass(frozen=True, slots=True)
class Pace:
    """The account's rate, when it was asked for, and how many lanes are leased of the window that begins at `window`."""

    rate: float
    rated_at: datetime
    window: datetime
    lanes: int
    version: int = 0


@dataclass(frozen=True, slots=True)
class Leased:
    """How many mails of a run with a rate of its own workers have leased of the minute of the clock that begins at `minute`."""

    minute: datetime
    mails: int
    version: int = 0


class SendingControl(Protocol):
    """What all who send must agree on."""

    def table_id(self) -> str:
        """Give the id that AWS gave the table when it was made; a restored copy has another."""
        ...

    def permission(self, flow: str, run_id: str | None) -> Permission:
        """Read all that decides, strongly consistent, in one request of 2 read units, 3 with a run."""
        ...

    def sending(self) -> Sending:
        """Read the kill switch, strongly consistent."""
        ...

    def write(self, sending: Sending) -> bool:
        """Write if the stored version is the one before; says whether it was."""
        ...

    def doubt(self, flow: str, breaker: Breaker) -> Breaker | None:
        """Write a breaker if the stored version is the one before; else give the stored one."""
        ...

    def pace(self) -> Pace | None: ...

    def lease(self, pace: Pace) -> Pace | None:
        """Write the pace if the stored version is the one before; else give the stored one."""
        ...

    def leased(self, run_id: str) -> Leased | None: ...

    def lease_of(self, run_id: str, leased: Leased) -> Leased | None:
        """Write what is leased of a run if the stored version is the one before; else give the stored one."""
        ...

    def run(self, run_id: str) -> Run | None: ...

    def active_runs(self) -> Sequence[Run]:
        """Give the runs that are not over, maybe as they were a moment ago; half a unit for each and for their list."""
        ...


class SendingQuota(Protocol):
    def rate(self) -> float:
        """Give how many mails a second the account may send. Raises Unavailable."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail to one mailbox, rendered; `policy` chooses the configuration set, `tags` come back with every notice about it.

    Of the addresses that are `untracked` the provider may not count who follows them, nor lead there by a way of its own.
    """

    from_name: str
    from_address: str
    to: str
    reply_to: str | None
    subject: str
    html: str
    text: str
    policy: Policy
    headers: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    untracked: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Composed:
    """A mail, what holds back marketing to its person, and the version of the template that it was made of."""

    mail: Mail
    policy: ContactPolicy = field(default_factory=ContactPolicy)
    template_version: int | None = None


class Mailer(Protocol):
    def send(self, mail: Mail) -> Reply:
        """Hand a mail to the provider, in one attempt and no more; whatever the provider answers is a reply."""
        ...


class MessageQueue(Protocol):
    def send(self, run_id: str, shard: int, delay_seconds: int = 0, *, is_of_many: bool) -> None:
        """Ask for a page of a run of many to be worked on, or for a message, after at most 900 seconds. Raises Unavailable."""
        ...


class MessageIds(Protocol):
    def message_id(self, now: datetime) -> str:
        """Make an id that is random and sorts by time."""
        ...


class Limits(Protocol):
    def allow(self, kind: str, subject: str, most: int, window_seconds: int, now: datetime) -> bool:
        """Count one more, and say whether that is at most `most` within the window."""
        ...
