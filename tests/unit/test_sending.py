"""The sender, case by case: what it does with an entry, and what it leaves for somebody to come back to."""

from collections import Counter
from dataclasses import replace
from datetime import time, timedelta
from functools import cache
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ecrm.application.eligibility import Hold
from ecrm.application.identity import root
from ecrm.application.kill_switch import arm, pause, read_sending, resume
from ecrm.application.mail_ports import Composed, Mail
from ecrm.application.ports import Claim, Standing
from ecrm.application.sending import Compose, Worked
from ecrm.domain.consent import State
from ecrm.domain.contact_policy import Cap, ContactPolicy, QuietHours
from ecrm.domain.customers import Customer, identifiers_of
from ecrm.domain.errors import Invalid, NotFound
from ecrm.domain.events import Event
from ecrm.domain.messages import (
    DOUBTED_FOR,
    LOST_AFTER,
    Accepted,
    Ambiguous,
    NotSent,
    Policy,
    Refused,
    Reply,
    Send,
    Status,
    claim,
    dropped,
    mailbox_of,
    place_of,
    told,
)
from ecrm.domain.preferences import PAUSE, Frequency, Preferences
from ecrm.domain.runs import RunState
from ecrm.store.messages import send_item
from ecrm.store.preferences import DynamoPreferences
from ecrm.store.runs import run_item
from ecrm.store.table import Put
from tests.builders import NOON, a_run
from tests.simulation.company import NEWS, SITE, TABLE_ID, Company, person
from tests.simulation.provider import KIND, Moving, PostOffice, Quota, compose, is_run, planned
from tests.simulation.table import MemoryTable

EARLIER = NOON - timedelta(hours=1)
PEOPLE = [f"c{number}" for number in range(1, 11)]


@cache
def shop() -> MemoryTable:
    """Ten people with addresses who want the news, and whose table may send."""
    table = MemoryTable()
    company = Company(table).open()
    for customer_id in PEOPLE:
        company.put(person(email=f"{customer_id}@example.com"), {}, EARLIER, EARLIER)
        company.consent(customer_id, State.GRANTED, EARLIER, EARLIER)
    arm(control=company.control)
    return table


class House(PostOffice):
    """Its provider answers as it is told, and else takes the mail."""

    def __init__(self, *replies: Reply) -> None:
        super().__init__(Company(shop().fork()), Moving(NOON), Random(1), mood=KIND, quota=Quota(1e6))
        self.sender = self.worker()
        told = list(replies)
        takes = self.provider.send

        def send(mail: Mail) -> Reply:
            return told.pop(0) if told else takes(mail)

        self.provider.send = send  # type: ignore[method-assign]

    def works(self, run_id: str = "m1", *, at_once: int = 1_000) -> Worked:
        left = iter(range(1 + at_once))  # it asks before it reads the page
        return self.sender.work(run_id, 0, is_of_many=is_run(run_id), is_late=lambda: next(left, None) is None)

    def message(self, run_id: str = "m1", **changes: Any) -> Send:
        send = replace(planned(run_id, "c1", Policy.TRANSACTIONAL, EARLIER), requested_at=EARLIER, **changes)
        name, customer_id = f"message:{run_id}:requested", send.customer_id
        event = Event(name, "message.requested", EARLIER, EARLIER, "de", customer_id, "test", place_of(send, 0))
        assert self.company.sends.add(send, event, Standing(customer_id), None)
        return send

    def campaign(self, run_id: str = "r1", **changes: Any) -> None:
        run = replace(a_run(run_id, expires_at=self.clock.at + timedelta(days=14)), **changes)
        self.company.table.put(Put(run_item(run), None, "planned"))
        for customer_id in PEOPLE:
            send = planned(run_id, customer_id, Policy.MARKETING, EARLIER, NEWS)
            self.company.table.put(Put(send_item(send), None, "planned"))

    def worked_as(self, run_id: str, compose: Compose) -> Counter[Status]:
        """Work in a new container, which has waited for nobody yet."""
        self.sender = self.worker()
        self.sender._compose = compose
        return self.works(run_id).statuses

    def statuses(self, run_id: str = "m1") -> list[Status]:
        return [send.status for send in self.company.sends.page(run_id, 0)]

    def told(self) -> list[tuple[str, Any]]:
        """What the timelines say of the messages, but for what was asked for."""
        events = [item for item in self.company.table.items("EVENT#") if item["type"].startswith("message.")]
        known = {"run_id", "shard", "send_id", "attempt", "template"}
        return [
            (event["type"], {name: said for name, said in event["data"].items() if name not in known})
            for event in events
            if event["type"] != "message.requested"
        ]

    def due_in(self) -> list[float]:
        """In how many seconds somebody comes back to a page."""
        in_an_hour = self.clock.at + timedelta(hours=1)
        return [(waiting.due - self.clock.at).total_seconds() for waiting in self.company.sends.due(in_an_hour, 10)]


def test_a_planned_message_is_sent_with_the_tags_that_name_it() -> None:
    house = House()
    mails: list[Mail] = []
    takes = house.provider.send

    def watched(mail: Mail) -> Reply:
        mails.append(mail)
        return takes(mail)

    house.provider.send = watched  # type: ignore[method-assign]
    send = house.message()
    assert {Status.ACCEPTED: 1} == house.works().statuses
    tags = {"send_id": send.send_id, "attempt": "1", "run": "m1", "shard": "0", "customer": "c1"}
    assert [("c1@example.com", tags)] == [(mail.to, mail.tags) for mail in mails]
    assert [("message.accepted", {"message_id": "m1-c1-1"})] == house.told()
    assert {} == house.works().statuses
    assert [] == house.due_in()


@pytest.mark.parametrize(
    ("reply", "status", "event"),
    [
        (Accepted("ses-1"), Status.ACCEPTED, [("message.accepted", {"message_id": "ses-1"})]),
        (Refused("MessageRejected"), Status.FAILED, [("message.failed", {"code": "MessageRejected"})]),
        (NotSent("throttled"), Status.PLANNED, []),
        (Ambiguous("ReadTimeoutError"), Status.UNKNOWN, []),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_the_provider_answers_decides(reply: Reply, status: Status, event: list[Any]) -> None:
    house = House(reply)
    house.message()
    house.works()
    assert ([status], event) == (house.statuses(), house.told())


def test_what_the_provider_does_not_take_for_now_is_asked_for_again() -> None:
    house = House(NotSent("throttled"))
    house.message()
    assert Hold.NOT_NOW is house.works().held
    ((at, page),) = house.queue.messages
    assert (("m1", 0), 30) == (page, round((at - house.clock.at).total_seconds()))
    assert {Status.ACCEPTED: 1} == house.works().statuses
    assert 2 == house.provider.taken[0].attempt


def test_a_doubt_is_settled_by_one_resend_and_then_by_none() -> None:
    house = House(Ambiguous("500"), Ambiguous("500"))
    house.message()
    house.works()
    for expected in ([Status.PLANNED], [Status.UNKNOWN], [Status.UNKNOWN_FINAL]):
        house.clock.wait(DOUBTED_FOR.total_seconds())
        if expected == [Status.UNKNOWN]:
            house.works()
        else:
            house.settle()
        assert expected == house.statuses()
    assert [("message.unresolved", {})] == house.told()
    assert ([], []) == (house.provider.taken, house.due_in())


def test_a_campaign_s_doubt_is_never_settled_by_sending_again() -> None:
    house = House(Ambiguous("500"))
    house.campaign()
    house.works("r1")
    house.clock.wait(60)
    assert {Status.ACCEPTED: 9} == house.works("r1").statuses
    house.clock.wait(DOUBTED_FOR.total_seconds())
    house.settle()
    assert [Status.UNKNOWN_FINAL] == [status for status in house.statuses("r1") if status is not Status.ACCEPTED]


def test_a_claim_of_somebody_who_died_is_doubted_and_somebody_comes_back() -> None:
    house = House()
    send = house.message()
    house.company.sends.write(claim(send, NOON))
    house.works()
    assert [Status.CLAIMED] == house.statuses()
    assert [round(LOST_AFTER.total_seconds())] == [round(seconds) for seconds in house.due_in()]
    house.clock.wait(LOST_AFTER.total_seconds())
    house.works()
    assert [Status.UNKNOWN] == house.statuses()
    assert [round(DOUBTED_FOR.total_seconds())] == [round(seconds) for seconds in house.due_in()]


def test_a_table_that_is_not_armed_sends_nothing() -> None:
    house = House()
    house.message()
    control = house.company.control
    assert (True, TABLE_ID) == (read_sending(control=control)[1], read_sending(control=control)[0].armed_for)
    sending = control.sending()
    assert control.write(replace(sending, armed_for="another", version=sending.version + 1))
    assert Hold.NOT_ARMED is house.works().held
    assert ([], [60]) == (house.provider.taken, [round(seconds) for seconds in house.due_in()])
    house.clock.wait(61)
    house.settle()
    assert [] == house.queue.messages
    arm(control=control)
    house.come_to_rest()
    assert [Status.ACCEPTED] == house.statuses()


def test_a_pause_takes_effect_within_two_seconds_and_what_is_left_goes_out_after_it() -> None:
    house = House()
    house.campaign()
    control = house.company.control

    def pause_after_three() -> None:
        if len(house.provider.taken) == 3:
            pause(Policy.MARKETING, reason="wrong price", by="key:1", control=control, clock=house.clock)
            pause(Policy.MARKETING, reason="again", by="key:2", control=control, clock=house.clock)
        house.clock.wait(0.4)

    house.provider.meanwhile = pause_after_three
    assert Hold.PAUSED is house.works("r1").held
    (paused,) = control.sending().paused.values()
    assert "wrong price" == paused.reason
    assert all(taken.at - paused.since < timedelta(seconds=2) for taken in house.provider.taken)
    house.message()
    assert {Status.ACCEPTED: 1} == house.works().statuses
    resume(Policy.MARKETING, control=control)
    house.provider.meanwhile = lambda: None
    house.come_to_rest()
    assert [Status.ACCEPTED] * 10 == house.statuses("r1")
    assert 11 == len(house.provider.taken)


@pytest.mark.parametrize(
    ("changes", "status", "told"),
    [
        ({"state": RunState.CANCELLED}, Status.CANCELLED, []),
        ({"expires_at": NOON}, Status.EXPIRED, [("message.dropped", {"status": "expired"})] * 10),
    ],
    ids=["cancelled", "expired"],
)
def test_what_a_run_ends_is_never_sent(changes: dict[str, Any], status: Status, told: list[Any]) -> None:
    house = House()
    house.campaign(**changes)
    assert {status: 10} == house.works("r1").statuses
    assert ([], told) == (house.provider.taken, house.told())


def test_a_message_that_comes_too_late_is_not_sent() -> None:
    house = House()
    house.message(expires_at=NOON)
    house.works()
    assert [("message.dropped", {"status": "expired"})] == house.told()


def test_five_doubts_within_a_minute_open_the_breaker_for_one() -> None:
    house = House(*[Ambiguous("500")] * 5)
    for number in range(6):
        house.message(f"m{number}")
    opened = []
    for number in range(5):
        house.sender = house.worker()  # another container: this one would not send for a minute
        opened.append(house.works(f"m{number}").has_opened_breaker)
    assert [False] * 4 + [True] == opened
    house.sender = house.worker()
    assert Hold.BREAKER is house.works("m5").held
    house.clock.wait(61)
    assert {Status.ACCEPTED: 1} == house.works("m5").statuses


def test_a_worker_in_doubt_sends_nothing_for_a_minute() -> None:
    house = House(Ambiguous("500"))
    house.message("m1")
    house.message("m2")
    house.works("m1")
    assert Hold.BREAKER is house.works("m2").held
    assert [("m2", 0)] == [page for _, page in house.queue.messages]
    assert {Status.ACCEPTED: 1} == house.worker().work("m2", 0, is_of_many=False, is_late=lambda: False).statuses


def test_who_has_no_time_left_asks_for_the_rest() -> None:
    house = House()
    house.campaign()
    assert (Hold.LATE, {Status.ACCEPTED: 4}) == ((worked := house.works("r1", at_once=4)).held, worked.statuses)
    assert [("r1", 0)] == [page for _, page in house.queue.messages]
    assert {Status.ACCEPTED: 6} == house.works("r1").statuses


def test_a_page_for_which_there_is_no_time_is_not_even_read() -> None:
    house = House()
    house.campaign()
    asked: list[str] = []
    house.company = Company(house.company.table.fork(pause=lambda _moment, operation: asked.append(operation)))
    house.sender = house.worker()
    assert Hold.LATE is house.works("r1", at_once=-1).held
    assert {"put"} == set(asked)
    assert [("r1", 0)] == [page for _, page in house.queue.messages]


def test_an_entry_that_breaks_is_in_nobody_s_way() -> None:
    house = House()
    house.campaign()

    def broken(send: Send, customer: Customer, *, is_fresh: bool) -> Composed:
        if customer.customer_id == "c5":
            raise ZeroDivisionError
        if customer.customer_id == "c6":
            raise Invalid("too long", code="loop_too_long")
        return compose(send, customer, is_fresh=is_fresh)

    house.sender._compose = broken
    with pytest.raises(ZeroDivisionError):
        house.works("r1")
    expected = {"c5": Status.PLANNED, "c6": Status.FAILED}
    entries = {send.customer_id: send for send in house.company.sends.page("r1", 0)}
    assert {name: expected.get(name, Status.ACCEPTED) for name in PEOPLE} == {name: send.status for name, send in entries.items()}
    assert "loop_too_long" == entries["c6"].reason


def test_an_older_state_that_cannot_be_sent_ends_nothing() -> None:
    house = House()
    house.message()
    asked: list[bool] = []

    def of_the_time(send: Send, customer: Customer, *, is_fresh: bool) -> Composed:
        asked.append(is_fresh)
        if not is_fresh:
            raise Invalid("nobody to write to", code="no_address")
        return compose(send, customer, is_fresh=is_fresh)

    house.sender._compose = of_the_time
    assert {Status.ACCEPTED: 1} == house.works().statuses
    assert [False, True] == asked


def test_who_was_erased_gets_nothing() -> None:
    house = House()
    house.message()
    house.company.erase("c1", NOON)
    assert {Status.CANCELLED: 1} == house.works().statuses
    assert [] == house.provider.taken


def test_who_has_no_address_that_a_voucher_named_gets_nothing() -> None:
    house = House()
    claimed = identifiers_of(SITE, user_id="u-1", email="claimed@example.com", phone=None, anonymous_id=None)
    house.company.customers.write(Claim(Customer("c11", claimed, NOON, claimed=frozenset(claimed)), 0, (), ()), None, NOON)
    house.message(customer_id="c11")
    house.works()
    assert [("message.failed", {"code": "no_address"})] == house.told()


def test_a_roster_without_its_run_is_not_sent() -> None:
    house = House()
    house.company.table.put(Put(send_item(planned("r9", "c1", Policy.MARKETING, EARLIER, NEWS)), None, "planned"))
    with pytest.raises(NotFound):
        house.works("r9")
    assert [Status.PLANNED] == house.statuses("r9")


def test_what_was_merged_meanwhile_goes_to_whom_it_was_merged_into() -> None:
    house = House()
    house.message()
    house.company.merge("c2", "c1", NOON)
    house.works()
    customer = root("c1", customers=house.company.customers)
    assert ("c2", [mailbox_of(customer)]) == (customer.customer_id, [taken.to for taken in house.provider.taken])
    assert [("message.accepted", {"message_id": "m1-c1-1"})] == house.told()


def in_quiet_hours(send: Send, customer: Customer, *, is_fresh: bool) -> Composed:
    """As for somebody in London, who wants no marketing from eleven to three in the afternoon."""
    quiet = ContactPolicy(zone=ZoneInfo("Europe/London"), quiet_hours=QuietHours(time(11), time(15)))
    return replace(compose(send, customer, is_fresh=is_fresh), policy=quiet)


def test_marketing_waits_for_the_end_of_quiet_hours_and_goes_out_then() -> None:
    house = House()
    house.sender._compose = in_quiet_hours
    house.campaign()
    three = NOON + timedelta(hours=3)
    assert {Status.PLANNED: 10} == house.works("r1").statuses
    said = {"reason": "quiet_hours", "until": "2026-11-20T15:00:00.000000Z"}
    assert [("message.postponed", said)] * 10 == house.told()
    assert [three] == [waiting.due for waiting in house.company.sends.due(three, 10)]
    assert {} == house.works("r1").statuses
    house.settle()
    assert ([], 10, []) == (house.provider.taken, len(house.told()), house.queue.messages)
    house.message()
    assert {Status.ACCEPTED: 1} == house.works("m1").statuses  # transactional mail is exempt
    house.clock.at = three
    house.settle()
    assert [("r1", 0)] == list(house.queue.due())
    assert {Status.ACCEPTED: 10} == house.works("r1").statuses
    assert [(None, None)] * 10 == [(send.reason, send.postponed_until) for send in house.company.sends.page("r1", 0)]


def test_what_is_over_before_quiet_hours_end_is_never_sent() -> None:
    house = House()
    house.sender._compose = in_quiet_hours
    house.campaign(expires_at=NOON + timedelta(hours=3))
    assert {Status.EXPIRED: 10} == house.works("r1").statuses
    assert [("message.dropped", {"status": "expired", "reason": "quiet_hours"})] * 10 == house.told()


def test_quiet_hours_that_begin_while_a_worker_waits_for_its_slot_hold() -> None:
    house = House()
    eleven = NOON - timedelta(hours=1)
    house.clock.at = eleven - timedelta(seconds=3)
    house.quota = Quota(1.0)
    house.campaign()
    worked = house.worked_as("r1", in_quiet_hours)
    assert {Status.ACCEPTED, Status.PLANNED} == worked.keys()
    claimed = [send.claimed_at for send in house.company.sends.page("r1", 0) if send.claimed_at]
    assert (worked[Status.ACCEPTED], True) == (len(claimed), max(claimed) < eleven)


def chooses(house: House, customer_id: str, preferences: Preferences) -> None:
    event = Event(f"preferences:{customer_id}", "preferences.changed", NOON, NOON, "de", customer_id, "test", {})
    DynamoPreferences(house.company.table).write(customer_id, preferences, event, seen=0)


CAPS = pytest.mark.parametrize(
    ("cap", "preferences", "reason", "after"),
    [
        (Cap(1, timedelta(days=7)), Preferences(), "cap", timedelta(days=7)),
        (None, Preferences(frequency=Frequency.WEEKLY, frequency_at=NOON), "frequency", timedelta(days=7)),
        (None, Preferences(frequency=Frequency.MONTHLY, frequency_at=NOON), "frequency", timedelta(days=30)),
        (Cap(1, timedelta(days=7)), Preferences(paused_until=NOON + PAUSE, pause_at=NOON), "paused", PAUSE),
    ],
    ids=["cap", "weekly", "monthly", "paused"],
)


def a_second_campaign(cap: Cap | None, preferences: Preferences, expires_after: timedelta) -> tuple[House, Compose]:
    """Six days after a first one, which everybody got; the first person has their own wishes."""
    house = House()

    def capped(send: Send, customer: Customer, *, is_fresh: bool) -> Composed:
        return replace(compose(send, customer, is_fresh=is_fresh), policy=ContactPolicy(cap=cap))

    house.campaign("r1")
    assert {Status.ACCEPTED: 10} == house.worked_as("r1", capped)
    chooses(house, "c1", preferences)
    house.clock.at = NOON + timedelta(days=6)
    house.campaign("r2", expires_at=house.clock.at + expires_after)
    return house, capped


@CAPS
def test_who_gets_enough_as_it_is_waits_until_there_is_room(
    cap: Cap | None, preferences: Preferences, reason: str, after: timedelta
) -> None:
    house, capped = a_second_campaign(cap, preferences, timedelta(days=40))
    waiting = 10 if cap else 1
    worked = house.worked_as("r2", capped)
    assert {Status.PLANNED: waiting} | ({Status.ACCEPTED: 10 - waiting} if waiting < 10 else {}) == worked
    theirs = house.company.sends.find("r2", 0, "c1")
    assert theirs is not None
    assert theirs.postponed_until is not None
    assert (reason, after) == (theirs.reason, timedelta(seconds=round((theirs.postponed_until - NOON).total_seconds())))
    assert {} == house.worked_as("r2", capped)
    house.clock.at = theirs.postponed_until - timedelta(seconds=1)
    house.worked_as("r2", capped)
    assert house.company.sends.find("r2", 0, "c1") == theirs
    house.clock.at = theirs.postponed_until
    house.worked_as("r2", capped)
    assert [Status.ACCEPTED] * 10 == house.statuses("r2")
    assert waiting == len([kind for kind, _ in house.told() if kind == "message.postponed"])


@CAPS
def test_who_has_no_room_before_the_end_gets_nothing(
    cap: Cap | None, preferences: Preferences, reason: str, after: timedelta
) -> None:
    house, capped = a_second_campaign(cap, preferences, after - timedelta(days=6))
    refused = 10 if cap else 1
    worked = house.worked_as("r2", capped)
    in_time = {Status.PLANNED: 9} if reason == "paused" else {Status.ACCEPTED: 10 - refused} if refused < 10 else {}
    assert {Status.CAPPED: refused - worked[Status.PLANNED]} | in_time == worked
    dropped = [said for kind, said in house.told() if kind == "message.dropped"]
    assert {"status": "capped", "reason": reason} in dropped


def test_who_wants_one_mail_a_month_is_remembered_for_a_month() -> None:
    house = House()
    chooses(house, "c1", Preferences(frequency=Frequency.MONTHLY, frequency_at=NOON))
    for run_id, days, expected in (("r1", 0, Status.ACCEPTED), ("r2", 20, Status.CAPPED), ("r3", 9, Status.CAPPED)):
        house.clock.wait(timedelta(days=days).total_seconds())
        house.campaign(run_id, expires_at=house.clock.at + timedelta(hours=12))
        house.works(run_id)
        assert expected is house.company.sends.find(run_id, 0, "c1").status  # type: ignore[union-attr]
    house.clock.wait(timedelta(days=1).total_seconds())
    house.campaign("r4")
    assert {Status.ACCEPTED: 10} == house.works("r4").statuses


def test_a_marketing_message_needs_no_run_and_is_held_by_its_policy_alone() -> None:
    house = House(*[Ambiguous("500")] * 5)
    for number in range(6):
        house.message(f"m{number}", policy=Policy.MARKETING, topic=NEWS, template="news")
    for number in range(5):
        house.sender = house.worker()
        house.works(f"m{number}")
    house.sender = house.worker()
    assert Hold.BREAKER is house.works("m5").held
    house.message("m6")
    assert {Status.ACCEPTED: 1} == house.works("m6").statuses
    pause(Policy.MARKETING, reason="wrong price", by="key:1", control=house.company.control, clock=house.clock)
    house.clock.wait(61)
    assert Hold.PAUSED is house.works("m5").held


def test_what_was_decided_of_somebody_who_is_erased_is_told_nowhere() -> None:
    house = House()
    house.campaign()
    house.company.consent("c1", State.DENIED, NOON, NOON)
    before = house.company.sends.find("r1", 0, "c1")
    assert before is not None
    dropped_now = dropped(before, Status.NO_CONSENT, None, NOON)
    house.company.erase("c1", NOON)
    assert house.company.sends.write(dropped_now, told(before, dropped_now, NOON)) is None
    assert dropped_now == house.company.sends.find("r1", 0, "c1")
    assert [] == house.told()
