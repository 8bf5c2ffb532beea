"""Nobody gets a mail twice, and none is lost in silence (S1 to S5, S7): the sender as it ships, in every order of events.

Workers, the settling, notices, and whoever says no race for a roster; processes die, replies are lost, clocks run on in the
middle of a send. When all is quiet again the books must balance with what the provider took.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache, partial
from itertools import pairwise
from typing import Any

import pytest

from ecrm.application.kill_switch import arm, pause, resume
from ecrm.application.mail_ports import Composed
from ecrm.application.suppressions import SuppressAddress, suppress_address
from ecrm.domain.consent import Channel, State
from ecrm.domain.contact_policy import Cap, ContactPolicy
from ecrm.domain.customers import Customer
from ecrm.domain.delivery import What
from ecrm.domain.messages import (
    DOUBTED_FOR,
    LOST_AFTER,
    NEVER_SENT,
    OPEN,
    Ambiguous,
    NotSent,
    Policy,
    Refused,
    Send,
    Status,
    send_id,
)
from ecrm.domain.runs import RunState
from ecrm.domain.suppressions import Address, Reason
from ecrm.store import keys
from ecrm.store.messages import send_item, send_of
from ecrm.store.runs import run_item
from ecrm.store.table import Action, Check, Put, from_wire
from tests.builders import NOON, a_run
from tests.simulation.company import NEWS, Company, Counted, Stopped, person
from tests.simulation.provider import AWKWARD, Mood, Moving, PostOffice, Taken, compose, planned
from tests.simulation.schedule import CALM, Schedule, Weather, hold
from tests.simulation.table import MemoryTable, Moment

ROUGH = Weather(kill=0.012, lose=0.008, resend=0.01, twice=0.2)
EARLIER = NOON - timedelta(hours=1)
PEOPLE = {"c1": "sara", "c2": "omid"}
NEWS_RUNS = ("r1", "r2")
MESSAGES = {"m1": "c1", "m2": "c2"}
NEWS_MESSAGES = {"n1": "c1", "n2": "c2", "n3": "c1"}
CAP = Cap(most=1, within=timedelta(days=1))


@cache
def audience() -> MemoryTable:
    """Two people with addresses, who all want the news; nothing is planned."""
    table = MemoryTable()
    company = Company(table).open()
    for customer_id, name in PEOPLE.items():
        company.put(person(email=f"{name}@example.com"), {"first_name": name}, EARLIER, EARLIER)
        company.consent(customer_id, State.GRANTED, EARLIER, EARLIER)
    arm(control=company.control)
    return table


@cache
def marketing() -> MemoryTable:
    """Two campaigns for the same people, who may get one mail a day; the second is over before there is room for both."""
    table = audience().fork()
    for run_id in NEWS_RUNS:
        run = a_run(run_id, expires_at=NOON + timedelta(days=14 if run_id == "r1" else 0.5))
        table.put(Put(run_item(run), None, "planned"))
        for customer_id in PEOPLE:
            table.put(Put(send_item(planned(run_id, customer_id, Policy.MARKETING, EARLIER, NEWS)), None, "planned"))
    return table


@cache
def transactional() -> MemoryTable:
    """Two messages, each a run of its own."""
    table = audience().fork()
    for run_id, customer_id in MESSAGES.items():
        send = replace(planned(run_id, customer_id, Policy.TRANSACTIONAL, EARLIER), requested_at=EARLIER)
        table.put(Put(send_item(send), None, "planned"))
    return table


@cache
def marketing_messages() -> MemoryTable:
    """Three messages of marketing, each a run of its own without a run's row, two of them to the first person."""
    table = audience().fork()
    for run_id, customer_id in NEWS_MESSAGES.items():
        send = planned(run_id, customer_id, Policy.MARKETING, EARLIER, NEWS)
        send = replace(send, requested_at=EARLIER, expires_at=EARLIER + timedelta(days=3))
        table.put(Put(send_item(send), None, "planned"))
    return table


def capped(send: Send, customer: Customer, *, is_fresh: bool) -> Composed:
    """Keep campaigns to the cap of a site."""
    composed = compose(send, customer, is_fresh=is_fresh)
    return replace(composed, policy=ContactPolicy(cap=CAP)) if send.is_of_many else composed


@dataclass
class Race:
    """Everybody who does something about the rosters of one table, at once.

    `answered` has when a page of the first person's own had answered, for the first time, what they posted there.
    """

    schedule: Schedule
    office: PostOffice
    answered: dict[str, datetime] = field(default_factory=dict)

    @classmethod
    def of(cls, seed: int, table: MemoryTable, *, weather: Weather = ROUGH, mood: Mood = AWKWARD) -> "Race":
        schedule = Schedule(seed, weather, table=table)
        company = Company(schedule.table, Counted(10))
        return cls(schedule, PostOffice(company, Moving(NOON), schedule.random, schedule.pause, mood, composes=capped))

    def run(self, pages: Iterable[str], others: Iterable[str]) -> "Race":
        """Work on each page twice over, as a queue may have it, while others do what they do; then let all come to rest."""
        calls: dict[str, Callable[[], object]] = {name: partial(OTHERS[name], self) for name in others}
        for run_id in pages:
            for worker in ("a", "b"):
                at_once = self.schedule.random.choice((1, 100, 100))
                calls[f"{run_id} {worker}"] = partial(self.office.work, (run_id, 0), at_once=at_once)
        self.schedule.run(calls)
        self.office.come_to_rest()
        return self

    def time_passes(self, steps: tuple[int, ...]) -> None:
        for _ in range(self.schedule.random.randint(1, 4)):
            self.office.clock.wait(self.schedule.random.choice(steps))
            self.office.settle()

    def notices(self) -> None:
        """Tell of some of what was taken so far, some of it twice."""
        for _ in range(3):
            for taken in tuple(self.office.provider.taken):
                if self.schedule.random.random() < 0.4:
                    self.office.notify(taken)
            self.office.clock.wait(30)

    def complain(self) -> None:
        """Complain of what was taken so far; if that is nothing, of nothing."""
        for taken in tuple(self.office.provider.taken)[:1]:
            self.office.notify(taken, What.COMPLAINED)

    def suppress(self) -> None:
        command = SuppressAddress(address=ADDRESSES["c1"], reason=Reason.MANUAL, at=None, note=None, source="test")
        company = self.office.company
        clock = Stopped(self.office.clock.now())
        suppress_address(command, None, suppressions=company.suppressions, requests=company.requests, clock=clock)

    def unsubscribe(self) -> None:
        self.office.company.one_click("c1", self.office.clock.now())
        self.answered.setdefault("unsubscribe", self.office.clock.now())

    def rest(self) -> None:
        self.office.company.take_a_rest("c1", self.office.clock.now())
        self.answered.setdefault("rest", self.office.clock.now())

    def erase(self) -> None:
        company, now = self.office.company, self.office.clock.now()
        company.erase("c1", now)
        for job in {change.key.pk.removeprefix("JOB#") for change in self.schedule.table.stream if change.key.sk == "JOB"}:
            company.work(job, now)

    def pause(self) -> None:
        control = self.office.company.control
        for policy in Policy:
            pause(policy, reason="test", by="test", control=control, clock=self.office.clock)
        self.office.clock.wait(self.schedule.random.choice((1, 100)))
        for policy in Policy:
            resume(policy, control=control)

    def cancel(self) -> None:
        item = self.schedule.table.get(keys.run("r2"), consistent=True)
        assert item is not None
        self.schedule.table.put(Put(item | {"state": RunState.CANCELLED}, None, "cancelled"))


ADDRESSES = {customer_id: Address(Channel.EMAIL, f"{name}@example.com") for customer_id, name in PEOPLE.items()}
SUPPRESSIONS = {keys.suppression(address, b"for tests only"): customer_id for customer_id, address in ADDRESSES.items()}
OTHERS: dict[str, Callable[[Race], object]] = {
    "time": lambda race: race.time_passes((20, 130, 400, 960)),
    "notices": Race.notices,
    "complain": Race.complain,
    "suppress": Race.suppress,
    "unsubscribe": Race.unsubscribe,
    "rest": Race.rest,
    "erase": Race.erase,
    "pause": Race.pause,
    "cancel": Race.cancel,
}


@dataclass
class Ledger:
    """What became of every entry, step by step, by the place of each step in the table's stream."""

    steps: dict[str, list[tuple[int, Send | None, Send]]]
    denied: dict[str, list[int]]
    taken: dict[str, list[Taken]]
    race: Race

    @classmethod
    def of(cls, race: Race) -> "Ledger":
        ledger = cls({}, {}, {}, race)
        for at, change in enumerate(race.schedule.table.stream):
            if change.new is None:
                continue
            if change.new["type"]["S"] == "send":
                new = send_of(from_wire(change.new))
                old = send_of(from_wire(change.old)) if change.old else None
                ledger.steps.setdefault(new.send_id, []).append((at, old, new))
                continue
            if change.key in SUPPRESSIONS and change.new["active"]["BOOL"]:
                ledger.denied.setdefault(SUPPRESSIONS[change.key], []).append(at)
            elif change.key.sk == keys.PROFILE and "erased_at" in change.new:
                ledger.denied.setdefault(keys.customer_id_of(change.key.pk), []).append(at)
            elif change.new["type"]["S"] == "consent" and not change.new["addresses"]["L"]:
                ledger.denied.setdefault(f"{keys.customer_id_of(change.key.pk)} news", []).append(at)
        for taken in race.office.provider.taken:
            ledger.taken.setdefault(send_id(taken.send[0], taken.send[2]), []).append(taken)
        return ledger

    def claimed(self, name: str, attempt: int) -> tuple[int, Send]:
        """The claim of an attempt, and its place."""
        return next((at, new) for at, _, new in self.steps[name] if new.status is Status.CLAIMED and new.attempt == attempt)

    def nobody_gets_twice(self) -> None:
        """S1, S2: one acceptance at most; of a transactional mail a second one, after a quarter of an hour of doubt."""
        for name, taken in self.taken.items():
            claims = [self.claimed(name, one.attempt)[1] for one in taken]
            assert len({one.attempt for one in taken}) == len(taken), taken
            assert len(taken) <= (2 if claims[0].policy is Policy.TRANSACTIONAL else 1), taken
            for claim in sorted(claims, key=lambda claim: claim.attempt)[1:]:
                assert claim.resent_at is not None, taken
                assert claim.doubted_at is not None, taken
                assert claim.resent_at - claim.doubted_at >= DOUBTED_FOR, taken

    def nobody_gets_what_they_refused(self) -> None:
        """S3: nothing was taken whose claim is later than the unsubscribe, suppression, complaint or erasure."""
        for name, taken in self.taken.items():
            for one in taken:
                at, claim = self.claimed(name, one.attempt)
                noes = self.denied.get(claim.customer_id, [])
                if claim.policy is Policy.MARKETING:
                    noes = noes + self.denied.get(f"{claim.customer_id} news", [])
                assert all(at < no for no in noes), (one, at, noes)

    def what_is_answered_is_in_force(self) -> None:
        """C2: nothing is claimed for the first person once one click, or a pause, was answered; the click is in the history.

        Whoever they turned out to be by then.
        """
        asked_at = min(self.race.answered.values(), default=None)
        if asked_at is None:
            return
        taken_up = (new for steps in self.steps.values() for _, _, new in steps if new.status is Status.CLAIMED)
        theirs = (send for send in taken_up if (send.customer_id, send.policy) == ("c1", Policy.MARKETING))
        assert [] == [send for send in theirs if send.claimed_at and send.claimed_at > asked_at], asked_at
        them = self.person("c1")
        items = [item for item in self.race.schedule.table.items() if keys.customer_partition(them) == item["PK"]]
        is_erased = any("erased_at" in item for item in items)
        if "unsubscribe" in self.race.answered and not is_erased:
            theirs_too = [keys.customer_partition(each) for each in PEOPLE if self.person(each) == them]
            changes = (item for item in self.race.schedule.table.items() if item["type"] == "consent.changed")
            history = {item["data"]["state"] for item in changes if item["PK"] in theirs_too}
            held = {item["state"] for item in items if item["type"] == "consent"}
            assert ({State.DENIED}, True) == (held, State.DENIED in history), (held, history)

    def person(self, customer_id: str) -> str:
        """Who somebody turned out to be in the end."""
        customers = self.race.office.company.customers
        while (found := customers.find(customer_id)) is not None and found.merged_into is not None:
            customer_id = found.merged_into
        return customer_id

    def every_step_has_its_reason(self) -> None:
        """S7: what becomes of an attempt is what the provider answered to this attempt, or time, or a proof; never another's."""
        for name, steps in self.steps.items():
            took = {one.attempt for one in self.taken.get(name, [])}
            for (_, _, old), (_, before, new) in pairwise(steps):
                assert old == before
                assert set(new.accepted) <= took
                if new.status is old.status:
                    continue
                assert new.attempt == old.attempt + (new.status is Status.CLAIMED)
                replies = self.race.office.provider.replies.get((name, str(old.attempt)), [])
                assert _reasons(old, new, replies), (old, new, replies)

    def books_balance(self, audience: Iterable[tuple[str, str]]) -> None:
        """S4: every entry is in exactly one end, and what was taken is in none that says it was never sent."""
        rosters = [send_of(item) for item in self.race.schedule.table.items() if item["type"] == "send"]
        assert sorted(audience) == sorted((send.run_id, send.customer_id) for send in rosters)
        counted = Counter(send.status for send in rosters)
        assert not OPEN & counted.keys(), counted
        for send in rosters:
            if send.status in NEVER_SENT:
                assert send.send_id not in self.taken, send
            if send.status is Status.ACCEPTED:
                assert send.send_id in self.taken, send

    def nobody_gets_too_much(self, caps: Mapping[str, Cap]) -> None:
        """S11: in no stretch of time as long as a person's cap looks back do they get more than it allows."""
        claims = [self.claimed(name, one.attempt)[1] for name, taken in self.taken.items() for one in taken]
        for customer_id, cap in caps.items():
            times = sorted(claim.claimed_at for claim in claims if claim.claimed_at and claim.customer_id == customer_id)
            assert all(later - first >= cap.within for first, later in zip(times, times[cap.most :], strict=False)), times


def _reasons(old: Send, new: Send, replies: list[Any]) -> bool:
    """Whether a step from one status to another is one that there is, for a reason that there was."""
    if new.status is Status.ACCEPTED:
        return True
    if old.status is Status.PLANNED:
        return new.status is Status.CLAIMED or new.status in NEVER_SENT or (new.status is Status.UNKNOWN_FINAL)
    if old.status is Status.CLAIMED:
        assert old.claimed_at is not None
        if new.status is Status.UNKNOWN:
            assert new.doubted_at is not None
            return new.doubted_at - old.claimed_at >= LOST_AFTER or any(isinstance(reply, Ambiguous) for reply in replies)
        wanted = NotSent if new.status is Status.PLANNED else Refused
        return any(isinstance(reply, wanted) for reply in replies)
    if old.status is Status.UNKNOWN:
        assert old.doubted_at is not None
        at = new.resent_at if new.status is Status.PLANNED else new.settled_at
        return at is not None and at - old.doubted_at >= DOUBTED_FOR
    return False


CAMPAIGNS = [(run_id, customer_id) for run_id in NEWS_RUNS for customer_id in PEOPLE]


def campaigns(seed: int, table: MemoryTable | None = None, mood: Mood = AWKWARD) -> Ledger:
    race = Race.of(seed, table or marketing(), mood=mood)
    others = race.schedule.random.sample(sorted(OTHERS), race.schedule.random.randint(2, 4))
    return Ledger.of(race.run(NEWS_RUNS, others))


def messages(seed: int, table: MemoryTable | None = None, mood: Mood = AWKWARD) -> Ledger:
    race = Race.of(seed, table or transactional(), mood=mood)
    others = race.schedule.random.sample(sorted(set(OTHERS) - {"cancel"}), race.schedule.random.randint(2, 4))
    return Ledger.of(race.run(MESSAGES, others))


def news(seed: int, table: MemoryTable | None = None, mood: Mood = AWKWARD) -> Ledger:
    race = Race.of(seed, table or marketing_messages(), mood=mood)
    others = race.schedule.random.sample(sorted(set(OTHERS) - {"cancel"}), race.schedule.random.randint(2, 4))
    return Ledger.of(race.run(NEWS_MESSAGES, others))


@pytest.mark.parametrize("part", range(6))
def test_nobody_gets_a_campaign_twice_nor_what_they_refused(part: int) -> None:
    def check(seed: int) -> None:
        ledger = campaigns(seed)
        ledger.nobody_gets_twice()
        ledger.nobody_gets_what_they_refused()
        ledger.what_is_answered_is_in_force()
        ledger.nobody_gets_too_much(dict.fromkeys(PEOPLE, CAP))
        ledger.every_step_has_its_reason()
        ledger.books_balance(CAMPAIGNS)

    hold(check, range(part, 10_000, 6))


@pytest.mark.parametrize("part", range(4))
def test_nobody_gets_a_message_three_times_nor_twice_without_a_doubt(part: int) -> None:
    def check(seed: int) -> None:
        ledger = messages(seed)
        ledger.nobody_gets_twice()
        ledger.nobody_gets_what_they_refused()
        ledger.what_is_answered_is_in_force()
        ledger.every_step_has_its_reason()
        ledger.books_balance(MESSAGES.items())

    hold(check, range(part, 10_000, 4))


@pytest.mark.parametrize("part", range(4))
def test_nobody_gets_a_message_of_marketing_twice_nor_what_they_refused(part: int) -> None:
    """S1, S3: it is claimed as a campaign's entry is, and has no run that could be cancelled."""

    def check(seed: int) -> None:
        ledger = news(seed)
        ledger.nobody_gets_twice()
        ledger.nobody_gets_what_they_refused()
        ledger.what_is_answered_is_in_force()
        ledger.every_step_has_its_reason()
        ledger.books_balance(NEWS_MESSAGES.items())

    hold(check, range(part, 10_000, 4))


@pytest.mark.parametrize(
    ("table", "audience"), [(transactional, MESSAGES), (marketing_messages, NEWS_MESSAGES)], ids=["owed", "marketing"]
)
def test_whoever_pauses_and_resumes_messages_at_any_point_skips_nobody(
    table: Callable[[], MemoryTable], audience: dict[str, str]
) -> None:
    """S8: where the provider takes everything, each of them has it once."""

    def check(seed: int) -> None:
        race = Race.of(seed, table(), weather=Weather(twice=0.3), mood=Mood(throttle=0.2))
        race.office.clock.slow = 50
        ledger = Ledger.of(race.run(audience, ("pause", "time", "notices")))
        assert sorted(audience.items()) == sorted((one.send[0], one.send[2]) for taken in ledger.taken.values() for one in taken)
        ledger.books_balance(audience.items())

    hold(check, range(500))


class Unguarded(MemoryTable):
    """A table that takes no notice of some conditions: what happens then is what only they prevent."""

    @staticmethod
    def loosened(action: Action) -> Action | None:
        """Give what is left of an action."""
        raise NotImplementedError

    def put(self, put: Put) -> None:
        loose = self.loosened(put)
        assert isinstance(loose, Put)
        super().put(loose)

    def write(self, actions: Iterable[Action]) -> None:
        super().write(loose for action in actions if (loose := self.loosened(action)) is not None)


class Unfenced(Unguarded):
    """Whoever claimed writes the outcome, whoever has claimed since."""

    @staticmethod
    def loosened(action: Action) -> Action:
        is_outcome = isinstance(action, Put) and action.item.get("type") == "send" and action.item["status"] != Status.CLAIMED
        return replace(action, condition=None, values=None) if isinstance(action, Put) and is_outcome else action


class Unasked(Unguarded):
    """Nobody asks for the consent."""

    @staticmethod
    def loosened(action: Action) -> Action | None:
        return None if isinstance(action, Check) and action.condition.startswith("contains(") else action


class Unbudgeted(Unguarded):
    """Two campaigns each write the budget as they saw it."""

    @staticmethod
    def loosened(action: Action) -> Action:
        is_budget = isinstance(action, Put) and action.item.get("type") == "budget"
        return replace(action, condition=None, values=None) if isinstance(action, Put) and is_budget else action


def zombies(seed: int, table: MemoryTable | None = None) -> Ledger:
    """Let workers fall asleep while they wait for the provider, for as long as it takes others to give them up and go on."""
    race = Race.of(seed, table or transactional(), weather=CALM, mood=Mood(0.2, 0.2, 0.2, 0.2))
    office, random = race.office, race.schedule.random

    def sleep() -> None:
        office.provider.meanwhile = sleep if random.random() < 0.3 else awake
        if random.random() < 0.6:
            for seconds in (LOST_AFTER.total_seconds(), DOUBTED_FOR.total_seconds()):
                office.clock.wait(seconds)
                office.work(("m1", 0))
                office.settle()
            for page in office.queue.due():
                office.work(page)

    def awake() -> None:
        return

    office.provider.meanwhile = sleep
    for run_id in MESSAGES:
        office.work((run_id, 0))
    office.provider.meanwhile = awake
    office.come_to_rest()
    return Ledger.of(race)


def sleepers(seed: int) -> Ledger:
    """Let two workers who doze at the provider and time itself take turns: one wakes while a later attempt is under way."""
    race = Race.of(seed, transactional(), weather=CALM, mood=Mood(0.1, 0.3, 0.3, 0.2))
    office, random = race.office, race.schedule.random
    office.work(("m2", 0))

    def sleep() -> None:
        for _ in range(random.choice((10, 30, 80))):
            race.schedule.pause(Moment.BEFORE, "sleep")

    def works() -> None:
        for _ in range(4):
            office.work(("m1", 0))

    def time_passes() -> None:
        for _ in range(3):
            for seconds in (LOST_AFTER.total_seconds(), DOUBTED_FOR.total_seconds()):
                office.clock.wait(seconds)
                office.settle()

    office.provider.meanwhile = sleep
    race.schedule.run({"a": works, "b": works, "time": time_passes})
    office.come_to_rest()
    return Ledger.of(race)


@pytest.mark.parametrize(("race", "seeds"), [(zombies, 1_000), (sleepers, 1_500)], ids=["zombies", "sleepers"])
def test_a_worker_that_slept_too_long_changes_nothing_of_a_later_attempt(race: Callable[[int], Ledger], seeds: int) -> None:
    """S7."""

    def check(seed: int) -> None:
        ledger = race(seed)
        ledger.every_step_has_its_reason()
        ledger.nobody_gets_twice()
        ledger.books_balance(MESSAGES.items())

    hold(check, range(seeds))


def first_red(check: Callable[[int], object], seeds: int = 1_000) -> None:
    for seed in range(seeds):
        check(seed)


def test_without_the_fencing_somebody_gets_a_message_once_more() -> None:
    unfenced = transactional().fork(kind=Unfenced)
    with pytest.raises(AssertionError, match="Taken"):
        first_red(lambda seed: zombies(seed, unfenced).nobody_gets_twice())


def test_without_the_consent_check_somebody_gets_what_they_refused() -> None:
    unasked = marketing().fork(kind=Unasked)
    with pytest.raises(AssertionError, match="Taken"):
        first_red(lambda seed: campaigns(seed, unasked).nobody_gets_what_they_refused())


def test_without_the_consent_check_somebody_gets_a_message_of_marketing_that_they_refused() -> None:
    unasked = marketing_messages().fork(kind=Unasked)
    with pytest.raises(AssertionError, match="Taken"):
        first_red(lambda seed: news(seed, unasked).nobody_gets_what_they_refused())


def test_without_the_budgets_condition_somebody_gets_too_much() -> None:
    unbudgeted = marketing().fork(kind=Unbudgeted)
    with pytest.raises(AssertionError, match="datetime"):
        first_red(lambda seed: campaigns(seed, unbudgeted).nobody_gets_too_much(dict.fromkeys(PEOPLE, CAP)))


@pytest.mark.parametrize("race", [campaigns, news])
def test_with_an_sdk_that_tries_again_somebody_gets_marketing_twice(race: Callable[..., Ledger]) -> None:
    stubborn = replace(AWKWARD, again=True)
    with pytest.raises(AssertionError, match="Taken"):
        first_red(lambda seed: race(seed, mood=stubborn).nobody_gets_twice())


def test_where_nothing_breaks_nothing_is_unknown() -> None:
    """S5: refusals, throttling, pauses and duplicates leave no doubt."""

    def check(seed: int) -> None:
        race = Race.of(seed, marketing(), weather=Weather(twice=0.3), mood=Mood(throttle=0.2, refuse=0.1))
        race.office.clock.slow = 50
        ledger = Ledger.of(race.run(NEWS_RUNS, ("pause", "notices", "unsubscribe")))
        doubted = [new for steps in ledger.steps.values() for _, _, new in steps if new.status is Status.UNKNOWN]
        assert [] == doubted
        ledger.books_balance(CAMPAIGNS)

    hold(check, range(500))
