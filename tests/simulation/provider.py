"""The mail provider and the queue, as awkward as they are allowed to be, and workers as they ship."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random

from ecrm.application.delivery import record_notice
from ecrm.application.mail_ports import Composed, Mail, MessageQueue
from ecrm.application.ports import Clock
from ecrm.application.sending import Compose, Sender
from ecrm.application.settling import SettlingRoom, settle_due
from ecrm.domain.assignment import Arm
from ecrm.domain.customers import Customer
from ecrm.domain.delivery import Notice, What
from ecrm.domain.errors import Invalid, Unavailable
from ecrm.domain.instants import from_text
from ecrm.domain.messages import (
    Accepted,
    Ambiguous,
    NotSent,
    Policy,
    Refused,
    Reply,
    Send,
    mailbox_of,
)
from tests.simulation.company import Company
from tests.simulation.table import Moment

type Pause = Callable[[Moment, str], None]
type Page = tuple[str, int]


@dataclass
class Moving:
    """A clock that moves a little whenever somebody looks at it, and as far as somebody moves it, slowed down by `slow`."""

    at: datetime
    slow: float = 1.0

    def now(self) -> datetime:
        self.at += timedelta(milliseconds=1)
        return self.at

    def wait(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds / self.slow)


@dataclass(frozen=True, slots=True)
class Taken:
    """One acceptance: whose send, by which attempt, when, to which address."""

    send: tuple[str, int, str]
    attempt: int
    at: datetime
    to: str

    @property
    def message_id(self) -> str:
        return f"{self.send[0]}-{self.send[2]}-{self.attempt}"


@dataclass(frozen=True, slots=True)
class Mood:
    """How likely the provider does not just take the mail; `again` sends once more what has no answer, as an SDK."""

    lose: float = 0.0
    swallow: float = 0.0
    throttle: float = 0.0
    refuse: float = 0.0
    again: bool = False


KIND = Mood()
AWKWARD = Mood(lose=0.12, swallow=0.06, throttle=0.12, refuse=0.05)


@dataclass
class Provider:
    """`replies` has what it answered to each attempt, whether anybody got to know it or not.

    `meanwhile` is what happens to everybody else while a reply is on its way, or a mail.
    """

    clock: Moving
    random: Random
    pause: Pause
    mood: Mood = KIND
    taken: list[Taken] = field(default_factory=list)
    replies: dict[tuple[str, str], list[Reply]] = field(default_factory=dict)
    meanwhile: Callable[[], object] = lambda: None

    def send(self, mail: Mail) -> Reply:
        try:
            self.pause(Moment.BEFORE, "provider")
        except Unavailable:
            return self._told(mail, NotSent("connect"))
        self.meanwhile()
        reply = self._answer(mail)
        if isinstance(reply, Ambiguous) and self.mood.again:
            reply = self._answer(mail)
        self.meanwhile()
        try:
            self.pause(Moment.AFTER, "provider")
        except Unavailable:
            reply = Ambiguous("lost")
        return self._told(mail, reply)

    def _told(self, mail: Mail, reply: Reply) -> Reply:
        self.replies.setdefault((mail.tags["send_id"], mail.tags["attempt"]), []).append(reply)
        return reply

    def _answer(self, mail: Mail) -> Reply:
        draw, mood = self.random.random(), self.mood
        if draw < mood.throttle:
            return NotSent("throttled")
        if (draw := draw - mood.throttle) < mood.refuse:
            return Refused("MessageRejected")
        if (draw := draw - mood.refuse) < mood.swallow:
            return Ambiguous("500")
        tags = mail.tags
        send = (tags["run"], int(tags["shard"]), tags["customer"])
        taken = Taken(send, int(tags["attempt"]), self.clock.now(), mail.to)
        self.taken.append(taken)
        return Ambiguous("lost") if draw - mood.swallow < mood.lose else Accepted(taken.message_id)


def is_run(run_id: str) -> bool:
    """Say whether it is a run of many: they are r1, r2 and so on here, messages m1, n1."""
    return run_id.startswith("r")


@dataclass
class Queue:
    """Messages that name pages; each is there from a time on."""

    clock: Moving
    pause: Pause
    messages: list[tuple[datetime, Page]] = field(default_factory=list)

    def send(self, run_id: str, shard: int, delay_seconds: int = 0, *, is_of_many: bool) -> None:
        assert 0 <= delay_seconds <= 900
        assert is_of_many is is_run(run_id)
        self.pause(Moment.BEFORE, "queue")
        self.messages.append((self.clock.now() + timedelta(seconds=delay_seconds), (run_id, shard)))
        self.pause(Moment.AFTER, "queue")

    def due(self) -> Iterator[Page]:
        """Take out what is there by now."""
        now = self.clock.now()
        there = [message for message in self.messages if message[0] <= now]
        self.messages = [message for message in self.messages if message[0] > now]
        return (page for _, page in there)


@dataclass(frozen=True, slots=True)
class Quota:
    mails_a_second: float = 1000.0

    def rate(self) -> float:
        return self.mails_a_second


def compose(send: Send, customer: Customer, *, is_fresh: bool) -> Composed:  # noqa: ARG001 (it reads nothing more)
    """What the sender needs of a mail, and no words."""
    to = mailbox_of(customer)
    if to is None:
        raise Invalid("nobody to write to", code="no_address")
    mail = Mail(
        from_name="",
        from_address="shop@example.com",
        to=to,
        reply_to=None,
        subject=send.template,
        html="",
        text="",
        policy=send.policy,
    )
    return Composed(mail)


def settling(company: Company, queue: MessageQueue, clock: Clock) -> SettlingRoom:
    return SettlingRoom(sends=company.sends, control=company.control, queue=queue, customers=company.customers, clock=clock)


def go_on(_moment: Moment, _operation: str) -> None:
    """Hold nothing up."""


@dataclass
class PostOffice:
    """A company that sends: every worker is a container of its own."""

    company: Company
    clock: Moving
    random: Random
    pause: Pause = go_on
    mood: Mood = KIND
    quota: Quota = Quota()
    composes: Compose = compose

    def __post_init__(self) -> None:
        self.provider = Provider(self.clock, self.random, self.pause, self.mood)
        self.queue = Queue(self.clock, self.pause)

    def worker(self) -> Sender:
        return Sender(
            sends=self.company.sends,
            control=self.company.control,
            quota=self.quota,
            mailer=self.provider,
            queue=self.queue,
            customers=self.company.customers,
            compose=self.composes,
            clock=self.clock,
            wait=self.clock.wait,
        )

    def work(self, page: Page, *, at_once: int = 1_000) -> None:
        """Work on a page in a new container; time is short after `at_once` questions about its entries."""
        left = iter(range(1 + at_once))
        self.worker().work(*page, is_of_many=is_run(page[0]), is_late=lambda: next(left, None) is None)

    def settle(self) -> None:
        room = settling(self.company, self.queue, self.clock)
        settle_due(room=room, is_late=lambda: False)

    def notify(self, taken: Taken, what: What = What.DELIVERED) -> None:
        """Let the provider tell what became of a mail."""
        run_id, shard, customer_id = taken.send
        notice = Notice(
            what=what,
            at=taken.at + timedelta(seconds=2),
            sent_at=taken.at,
            message_id=taken.message_id,
            run_id=run_id,
            shard=shard,
            customer_id=customer_id,
            attempt=taken.attempt,
            address=taken.to,
            cause=what,
        )
        company = self.company
        record_notice(
            notice,
            sends=company.sends,
            suppressions=company.suppressions,
            consents=company.consents,
            customers=company.customers,
            topics=company.topics,
            timeline=company.timeline,
            requests=company.requests,
            clock=self.clock,
        )

    def come_to_rest(self, *, rounds: int = 60) -> None:
        """Let time pass and everybody come back, until the queue is empty and nobody waits; nothing goes wrong any more."""
        self.provider.mood = KIND
        for _ in range(rounds):
            for page in self.queue.due():
                self.work(page)
            self.settle()
            waits = [from_text(item["due"]) for item in self.company.table.items("PAGE") if "due" in item]
            if not (waits or self.queue.messages):
                return
            self.clock.at = max(self.clock.at, min([*waits, *(at for at, _ in self.queue.messages)]))
        raise AssertionError("never at rest")


def planned(run_id: str, customer_id: str, policy: Policy, at: datetime, topic: str | None = None) -> Send:
    """An entry of a roster, as whoever plans a run writes it; with a topic, of `a_run`."""
    send = Send(
        run_id=run_id,
        shard=0,
        customer_id=customer_id,
        policy=policy,
        site="de",
        template="news" if topic else "order-confirmed",
        topic=topic,
        planned_at=at,
    )
    return replace(send, arm=Arm.TREATED, message="spring", treatment="a") if topic else send
