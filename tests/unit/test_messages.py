"""The lattice of a send: whatever arrives late, twice or in another order, it leads to the same end."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecrm.domain.customers import Customer, Identifier, Kind
from ecrm.domain.messages import (
    DOUBTED_FOR,
    LOST_AFTER,
    NEVER_SENT,
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
    due_at,
    lost,
    mailbox_of,
    postpone,
    proven,
    resolve,
    send_id,
    settled,
    told,
)
from tests.builders import NOON, a_planned_send

PLANNED = a_planned_send("m1", "c1")
CLAIMED = claim(PLANNED, NOON)
REPLIES: list[Reply] = [Accepted("ses-1"), Refused("MessageRejected"), NotSent("throttled"), Ambiguous("500")]


def test_a_send_is_named_by_its_run_its_customer_and_its_channel() -> None:
    names = {send_id("m1", "c1"), send_id("m2", "c1"), send_id("m1", "c2"), send_id("m1\0c1", "")}
    assert (4, {32}) == (len(names), {len(name) for name in names})
    assert send_id("m1", "c1") == PLANNED.send_id


@pytest.mark.parametrize("reply", REPLIES, ids=lambda reply: type(reply).__name__)
def test_who_was_overtaken_by_a_later_attempt_changes_nothing(reply: Reply) -> None:
    later = claim(replace(CLAIMED, status=Status.PLANNED), NOON)
    assert later == resolve(later, 1, reply, NOON)


@pytest.mark.parametrize("status", Status)
def test_an_attempt_that_is_proven_is_accepted_wherever_it_stands(status: Status) -> None:
    send = proven(replace(CLAIMED, status=status), 1, "ses-1", NOON)
    assert (Status.ACCEPTED, {1: "ses-1"}) == (send.status, send.accepted)
    assert send == proven(send, 1, "ses-1", NOON + timedelta(days=1))


@pytest.mark.parametrize("reply", REPLIES[1:], ids=lambda reply: type(reply).__name__)
def test_what_is_proven_no_reply_takes_back(reply: Reply) -> None:
    send = proven(CLAIMED, 1, "ses-1", NOON)
    assert send == resolve(send, 1, reply, NOON)


def test_a_late_reply_that_the_mail_was_taken_ends_the_doubt() -> None:
    doubted = lost(CLAIMED, NOON + LOST_AFTER)
    assert Status.UNKNOWN is doubted.status
    assert Status.ACCEPTED is resolve(doubted, 1, Accepted("ses-1"), NOON).status


def test_no_claim_and_no_doubt_ends_before_its_time() -> None:
    doubted = resolve(CLAIMED, 1, Ambiguous("500"), NOON)
    moment = timedelta(microseconds=1)
    assert CLAIMED == lost(CLAIMED, NOON + LOST_AFTER - moment)
    assert doubted == settled(doubted, NOON + DOUBTED_FOR - moment)


@pytest.mark.parametrize(
    ("end", "code"),
    [(lambda s: resolve(s, 2, Refused("no"), NOON), "no"), (lambda s: dropped(s, Status.EXPIRED, None, NOON), None)],
)
def test_what_may_have_reached_the_person_is_never_said_to_be_unsent(end: Callable[[Send], Send], code: str | None) -> None:
    again = claim(settled(resolve(CLAIMED, 1, Ambiguous("500"), NOON), NOON + DOUBTED_FOR), NOON)
    assert (Status.UNKNOWN_FINAL, code) == ((ended := end(again)).status, ended.reason)


STEPS: list[Callable[[Send, int], Send]] = [
    lambda send, _: claim(send, NOON) if send.status is Status.PLANNED else send,
    *(lambda send, attempt, reply=reply: resolve(send, attempt, reply, NOON) for reply in REPLIES),
    lambda send, _: lost(send, NOON + LOST_AFTER),
    lambda send, _: settled(send, NOON + LOST_AFTER + DOUBTED_FOR),
    lambda send, attempt: proven(send, attempt, "ses-1", NOON) if 0 < attempt <= send.attempt else send,
    lambda send, _: dropped(send, Status.CANCELLED, None, NOON) if send.status is Status.PLANNED else send,
]


@given(
    policy=st.sampled_from(Policy),
    steps=st.lists(st.tuples(st.sampled_from(range(len(STEPS))), st.integers(1, 3)), max_size=20),
)
def test_an_end_is_an_end_but_for_a_proof_and_every_change_is_a_version(policy: Policy, steps: list[tuple[int, int]]) -> None:
    send = replace(PLANNED, policy=policy)
    for step, attempt in steps:
        after = STEPS[step](send, attempt)
        assert (after == send) or after.version == send.version + 1
        assert after.attempt >= send.attempt
        if send.status in NEVER_SENT | {Status.UNKNOWN_FINAL, Status.ACCEPTED}:
            assert after.status in (send.status, Status.ACCEPTED)
        if policy is Policy.MARKETING and send.status is Status.UNKNOWN:
            assert after.status in (Status.UNKNOWN, Status.UNKNOWN_FINAL, Status.ACCEPTED)
        send = after


@pytest.mark.parametrize(
    ("facts", "shown"),
    [
        ((), "accepted"),
        (("delivered_at",), "delivered"),
        (("delivered_at", "bounced_at"), "bounced"),
        (("delivered_at", "rejected_at"), "rejected"),
        (("delivered_at", "bounced_at", "rejected_at", "complained_at"), "complained"),
    ],
)
def test_the_furthest_that_is_known_is_shown(facts: tuple[str, ...], shown: str) -> None:
    known: dict[str, Any] = dict.fromkeys(facts, NOON)
    assert shown == replace(proven(CLAIMED, 1, "ses-1", NOON), **known).shown
    assert "planned" == replace(PLANNED, **known).shown


def test_each_decision_not_to_send_is_told_but_that_a_run_was_cancelled() -> None:
    entry = replace(PLANNED, requested_at=None)
    kinds = {
        status: [event.data["status"] for event in told(entry, dropped(entry, status, None, NOON), NOON)]
        for status in NEVER_SENT - {Status.FAILED}
    }
    assert {status: [] if status is Status.CANCELLED else [status] for status in NEVER_SENT - {Status.FAILED}} == kinds
    cancelled = dropped(PLANNED, Status.CANCELLED, None, NOON)
    assert ["message.dropped"] == [event.type for event in told(PLANNED, cancelled, NOON)]
    assert () == told(PLANNED, replace(dropped(PLANNED, Status.SUPPRESSED, None, NOON), closed_at=NOON), NOON)


def test_what_is_postponed_is_told_once_for_each_time_and_is_due_then() -> None:
    until = NOON + timedelta(hours=9)
    waits = postpone(PLANNED, until, "quiet_hours")
    (event,) = told(PLANNED, waits, NOON)
    assert ("message.postponed", "quiet_hours", "2026-11-20T21:00:00.000000Z") == (
        event.type,
        event.data["reason"],
        event.data["until"],
    )
    assert () == told(waits, postpone(waits, until, "quiet_hours"), NOON)
    later = postpone(waits, until + timedelta(days=1), "quiet_hours")
    assert event.id != told(waits, later, NOON)[0].id
    assert (until, until + timedelta(days=1)) == (due_at(waits, NOON), due_at(waits, until + timedelta(days=1)))
    assert (None, None, 3) == ((mine := claim(waits, until, 3)).postponed_until, mine.reason, mine.template_version)


def test_mail_goes_to_the_newest_address_that_a_voucher_has_named() -> None:
    first, second, claimed = (Identifier(Kind.EMAIL, f"{name}@example.com") for name in ("a", "b", "c"))
    customer = Customer("c1", (first, second, claimed), NOON, claimed=frozenset({claimed}))
    assert "b@example.com" == mailbox_of(customer)
    assert mailbox_of(replace(customer, claimed=frozenset(customer.identifiers))) is None
