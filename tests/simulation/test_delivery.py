"""S13, S14: what SES tells leads to one end, however often, in whatever order and beside whom it is told."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import cache, partial
from random import Random
from typing import Any

import pytest

from ecrm.application.delivery import Outcome, record_notice
from ecrm.application.ports import Standing
from ecrm.domain.consent import Channel, State, Subject
from ecrm.domain.delivery import Notice
from ecrm.domain.messages import Ambiguous, Send, Status, claim, resolve, settled
from ecrm.domain.suppressions import Address, Reason
from tests.builders import NOON, a_planned_send, its_request
from tests.notices import ADDRESS, told
from tests.simulation.company import NEWS, Company, Stopped, person
from tests.simulation.schedule import ROUGH, Schedule, hold
from tests.simulation.table import MemoryTable

CUSTOMER = "c1"
RUNS = tuple(f"m{number}" for number in range(7))
"""Messages of one customer. Nobody knows what became of the first attempt of m0, so there is a second one."""
AGAIN = NOON + timedelta(minutes=30)
NOW = NOON + timedelta(days=2)


def said(kind: str, seconds: float = 60, **changes: Any) -> Notice:
    return told(kind, seconds, customer=CUSTOMER, **changes)


@cache
def before() -> MemoryTable:
    """A customer who reads the news and has been sent seven messages, of which nothing is known yet."""
    table = MemoryTable()
    company = Company(table).open()
    company.put(person(user_id="u-1", email=ADDRESS), {}, NOON - timedelta(days=9), NOON)
    company.consent(CUSTOMER, State.GRANTED, NOON - timedelta(days=8), NOON)
    for run in RUNS:
        planned = a_planned_send(run, CUSTOMER)
        assert company.sends.add(planned, its_request(planned), Standing(CUSTOMER), None)
        steps: list[Callable[[Send], Send]] = [lambda send: claim(send, NOON)]
        if run == RUNS[0]:
            steps += [
                lambda send: resolve(send, 1, Ambiguous("ReadTimeoutError"), NOON),
                lambda send: settled(send, AGAIN),
                lambda send: claim(send, AGAIN),
            ]
        send = planned
        for step in steps:
            send = step(send)
            assert company.sends.write(send) is None
    return table


def record(company: Company, notice: Notice) -> Outcome:
    return record_notice(
        notice,
        sends=company.sends,
        suppressions=company.suppressions,
        consents=company.consents,
        customers=company.customers,
        topics=company.topics,
        timeline=company.timeline,
        requests=company.requests,
        clock=Stopped(NOW),
    )


def state_of(table: MemoryTable) -> list[dict[str, Any]]:
    """Everything that is stored, but for how often it was written."""
    items = ({name: value for name, value in item.items() if name != "version"} for item in table.items())
    return sorted(items, key=lambda item: (item["PK"], item["SK"]))


def soft(seconds: float, run: str, bounceSubType: str = "MailboxFull") -> Notice:  # noqa: N803 (SES's name)
    return said("Bounce", seconds, run=run, bounceType="Transient", bounceSubType=bounceSubType)


DAY = 86_400
SECOND: dict[str, Any] = {"attempt": 2, "sent": AGAIN, "run": "m0"}
SCENARIOS: dict[str, list[Notice]] = {
    "all that can be told of a message": [
        said("Send", run="m1"),
        said("Delivery", run="m1"),
        said("DeliveryDelay", 30, run="m1"),
        soft(20, "m1"),
        said("Bounce", 90, run="m1"),
        said("Complaint", 99, run="m1"),
        said("Complaint", 98, run="m1", complaintFeedbackType="not-spam"),
        said("Open", 70, run="m1"),
        said("Open", 80, run="m1"),
        said("Open", 2, run="m1", userAgent="Mozilla/5.0"),
        said("Click", 71, run="m1"),
        said("Click", 3, run="m1"),
        said("Subscription", run="m1"),
        said("Reject", run="m1"),
        said("Rendering Failure", run="m1"),
    ],
    "two attempts, both of which were accepted": [
        said("Send", run="m0"),
        said("Delivery", 90, run="m0"),
        said("Open", 999, run="m0"),
        said("Send", **SECOND),
        said("Delivery", 80, **SECOND),
        said("Click", 900, **SECOND),
        said("Bounce", 990, **SECOND),
    ],
    "a soft bounce, and a delivery after it": [soft(0, "m1"), said("Delivery", 60, run="m2")],
    "five soft bounces": [
        *(soft(at, run) for at, run in enumerate(RUNS[1:6])),
        said("Delivery", 500, run="m6", address="b@b.de"),
    ],
    "six, and a delivery before the second": [
        *(soft(at * 3_600, run) for at, run in enumerate(RUNS[1:])),
        said("Delivery", 1_800, run="m0"),
    ],
    "five, and a delivery between them": [
        *(soft(at * 3_600, run) for at, run in enumerate(RUNS[1:6])),
        said("Delivery", 9_000, run="m6"),
        soft(9_100, "m0", bounceSubType="MessageTooLarge"),
    ],
}


@pytest.mark.parametrize("part", range(2))
@pytest.mark.parametrize("what", SCENARIOS)
def test_in_500_orders_with_up_to_eight_copies_the_end_is_the_same(what: str, part: int) -> None:
    notices = SCENARIOS[what]

    def ended(order: list[Notice]) -> list[dict[str, Any]]:
        table = before().fork()
        company = Company(table)
        for notice in order:
            record(company, notice)
        return state_of(table)

    expected = ended(notices)
    assert len(expected) > len(state_of(before()))

    def check(seed: int) -> None:
        random = Random(seed)
        copies = [notice for notice in notices for _ in range(random.choice((1, 1, 2)))]
        copies += [random.choice(notices)] * 7
        random.shuffle(copies)
        assert expected == ended(copies)

    hold(check, range(500 * part, 500 * part + 500))


@pytest.mark.parametrize("what", SCENARIOS)
def test_whoever_tells_it_at_once_and_dies_the_end_is_the_same(what: str) -> None:
    notices = SCENARIOS[what]
    quiet = before().fork()
    for notice in notices:
        record(Company(quiet), notice)

    def check(seed: int) -> None:
        schedule = Schedule(seed, ROUGH, table=before())
        company = Company(schedule.table)
        schedule.run({f"{at} {notice.what}": partial(record, company, notice) for at, notice in enumerate(notices)})
        assert state_of(quiet) == state_of(schedule.table)

    hold(check, range(100))


# ── S14 ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def m1(kind: str, seconds: float = 60, **changes: Any) -> Notice:
    return said(kind, seconds, run="m1", **changes)


DELIVERED, OPENED, CLICKED = m1("Delivery"), m1("Open", 70), m1("Click", 80)
HARD, COMPLAINED, NOT_SPAM = m1("Bounce", 90), m1("Complaint", 99), m1("Complaint", 98, complaintFeedbackType="not-spam")
FREE: set[Reason] = set()
CASES: dict[str, tuple[list[Notice], str, set[Reason], State]] = {
    "sent": ([m1("Send")], "accepted", FREE, State.GRANTED),
    "delivered": ([DELIVERED], "delivered", FREE, State.GRANTED),
    "delayed": ([m1("DeliveryDelay")], "accepted", FREE, State.GRANTED),
    "delayed, then delivered": ([m1("DeliveryDelay"), DELIVERED], "delivered", FREE, State.GRANTED),
    "bounced for good": ([HARD], "bounced", {Reason.HARD_BOUNCE}, State.GRANTED),
    "delivered, then bounced for good": ([DELIVERED, HARD], "bounced", {Reason.HARD_BOUNCE}, State.GRANTED),
    "no such mailbox": ([m1("Bounce", bounceSubType="NoEmail")], "bounced", {Reason.HARD_BOUNCE}, State.GRANTED),
    "on SES's own list": ([m1("Bounce", bounceSubType="Suppressed")], "bounced", {Reason.HARD_BOUNCE}, State.GRANTED),
    "on the account's list": (
        [m1("Bounce", bounceSubType="OnAccountSuppressionList")],
        "bounced",
        {Reason.HARD_BOUNCE},
        State.GRANTED,
    ),
    "on the account's list, whatever its type": (
        [m1("Bounce", bounceType="Transient", bounceSubType="OnAccountSuppressionList")],
        "bounced",
        {Reason.HARD_BOUNCE},
        State.GRANTED,
    ),
    "on the account's list of complaints": (
        [m1("Complaint", complaintSubType="OnAccountSuppressionList", complaintFeedbackType=None)],
        "complained",
        {Reason.COMPLAINT},
        State.DENIED,
    ),
    "a soft bounce": ([soft(9, "m1")], "bounced", FREE, State.GRANTED),
    "delivered, then a soft bounce": ([DELIVERED, soft(99, "m1")], "bounced", FREE, State.GRANTED),
    "a bounce that SES cannot sort": (
        [m1("Bounce", bounceType="Undetermined", bounceSubType="Undetermined")],
        "bounced",
        FREE,
        State.GRANTED,
    ),
    "too large a mail": ([soft(9, "m1", bounceSubType="MessageTooLarge")], "bounced", FREE, State.GRANTED),
    "a soft bounce, then a hard one": ([soft(9, "m1"), HARD], "bounced", {Reason.HARD_BOUNCE}, State.GRANTED),
    "a complaint": ([COMPLAINED], "complained", {Reason.COMPLAINT}, State.DENIED),
    "a complaint without a type": ([m1("Complaint", complaintFeedbackType=None)], "complained", {Reason.COMPLAINT}, State.DENIED),
    "a complaint wins over all": (
        [DELIVERED, OPENED, CLICKED, HARD, COMPLAINED, NOT_SPAM],
        "complained",
        {Reason.HARD_BOUNCE, Reason.COMPLAINT},
        State.DENIED,
    ),
    "no spam": ([NOT_SPAM], "accepted", FREE, State.GRANTED),
    "delivered, and no spam": ([DELIVERED, NOT_SPAM], "delivered", FREE, State.GRANTED),
    "rejected": ([m1("Reject")], "rejected", FREE, State.GRANTED),
    "not rendered": ([m1("Rendering Failure")], "rejected", FREE, State.GRANTED),
    "a change of subscription, opened and clicked": ([m1("Subscription"), OPENED, CLICKED], "accepted", FREE, State.GRANTED),
}


@pytest.mark.parametrize("what", CASES)
def test_what_is_told_of_a_message_ends_as_the_table_says(what: str) -> None:
    notices, shown, reasons, consent = CASES[what]
    for order in (notices, notices[::-1]):
        table = before().fork()
        company = Company(table)
        assert {Outcome.RECORDED} == {record(company, notice) for notice in order}
        send = company.sends.find("m1", 0, CUSTOMER)
        assert send is not None
        found, _ = company.suppressions.find(Address(Channel.EMAIL, ADDRESS))
        state = company.consents.of(CUSTOMER).consents[Subject(Channel.EMAIL, NEWS)].state
        assert (shown, reasons, consent) == (send.shown, set(found.active(NOW)), state)


# ── soft bounces ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_five_soft_bounces_suppress_until_thirty_days_have_passed() -> None:
    table = before().fork()
    company = Company(table)
    for at, run in enumerate(RUNS[1:6]):
        record(company, soft(at * DAY, run))
    found, _ = company.suppressions.find(Address(Channel.EMAIL, ADDRESS))
    last = NOON + timedelta(days=4)
    assert {Reason.SOFT_BOUNCES} == set(found.active(last))
    assert {} == found.active(last + timedelta(days=30))
    record(company, said("Delivery", 5 * DAY, run="m6"))
    recovered, _ = company.suppressions.find(Address(Channel.EMAIL, ADDRESS))
    assert {} == recovered.active(last)


# ── what is not ours ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("notice", [told("Delivery", run="m9", customer=CUSTOMER), m1("Delivery", attempt=2)])
def test_a_notice_of_an_attempt_that_never_was_changes_nothing(notice: Notice) -> None:
    table = before().fork()
    assert Outcome.UNKNOWN == record(Company(table), notice)
    assert state_of(before()) == state_of(table)


def test_a_hard_bounce_of_a_message_that_is_not_there_suppresses_all_the_same() -> None:
    table = before().fork()
    company = Company(table)
    assert Outcome.UNKNOWN == record(company, told("Bounce", run="m9", customer=CUSTOMER))
    found, _ = company.suppressions.find(Address(Channel.EMAIL, ADDRESS))
    assert {Reason.HARD_BOUNCE} == set(found.active(NOW))


def test_a_proof_settles_whatever_nobody_knew() -> None:
    table = before().fork()
    company = Company(table)
    send = company.sends.find("m1", 0, CUSTOMER)
    assert send is not None
    doubted = resolve(send, 1, Ambiguous("500"), NOON)
    final = replace(doubted, status=Status.UNKNOWN_FINAL, settled_at=NOW, version=doubted.version + 1)
    assert company.sends.write(doubted) is None
    assert company.sends.write(final) is None
    assert Outcome.RECORDED == record(company, m1("Send"))
    proven = company.sends.find("m1", 0, CUSTOMER)
    assert proven is not None
    assert (Status.ACCEPTED, NOON, {1: "0100-m1-1"}) == (proven.status, proven.settled_at, proven.accepted)
    assert Outcome.REPEATED == record(company, m1("Send"))


# ── a complaint ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_complaint_that_comes_late_takes_nothing_back_that_was_said_since() -> None:
    table = before().fork()
    company = Company(table)
    record(company, COMPLAINED)
    state = company.consents.of(CUSTOMER).consents[Subject(Channel.EMAIL, NEWS)]
    assert (State.DENIED, COMPLAINED.at, "ses") == (state.state, state.decisive.at, state.decisive.source)
    told_once = len(table.items("EVENT#"))
    record(company, COMPLAINED)
    assert told_once == len(table.items("EVENT#"))


def test_a_complaint_of_somebody_who_was_erased_suppresses_the_address_and_tells_nobody() -> None:
    table = before().fork()
    company = Company(table)
    job_id = company.erase(CUSTOMER, NOW)
    assert job_id is not None
    company.work(job_id, NOW)
    assert Outcome.RECORDED == record(company, COMPLAINED)
    found, _ = company.suppressions.find(Address(Channel.EMAIL, ADDRESS))
    assert {Reason.ERASED, Reason.COMPLAINT} == set(found.active(NOW))
    assert ["PROFILE"] == [item["SK"] for item in table.items() if item["PK"] == f"CUSTOMER#{CUSTOMER}"]
    send = company.sends.find("m1", 0, CUSTOMER)
    assert send is not None
    assert (NOW, COMPLAINED.at, "complained") == (send.closed_at, send.complained_at, send.shown)
