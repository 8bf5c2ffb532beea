"""Rosters and what all who send agree on, in the table: what is written comes back, and each condition refuses what it is for."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, time, timedelta
from decimal import Decimal
from functools import reduce
from typing import Any

import pytest

from ecrm import bootstrap
from ecrm.application.mail_ports import AlreadyRecorded, Blocked, Breaker, Pace, Pause, Permission, Sending, Waiting
from ecrm.application.ports import AlreadyAnswered, Claim, Contended, Outcome, Request, Standing
from ecrm.domain.assignment import Arm
from ecrm.domain.budgets import Budget, free, has_room, reserve
from ecrm.domain.consent import Channel, Consent, ConsentFact, Method, State, Subject
from ecrm.domain.contact_policy import Cap, Window
from ecrm.domain.customers import Customer, Identifier, Kind
from ecrm.domain.events import Event
from ecrm.domain.messages import Policy, Send, Status, claim, dropped, place_of, told
from ecrm.domain.preferences import Frequency, Preferences
from ecrm.domain.runs import CampaignMessage, Costs, Otherwise, Pilot, PilotMetric, RunState, Treatment, Tried, Verdict, page_of
from ecrm.domain.suppressions import Address, Ground, Reason, Suppression, with_soft_bounce
from ecrm.store import keys
from ecrm.store.messages import close, send_item, send_of
from ecrm.store.runs import run_item
from ecrm.store.table import Put
from tests.builders import NOON, a_planned_send, a_run, its_request
from tests.cloud import Cloud, one_call_at_a_time

TO = "sara@example.com"
ADDRESS = Address(Channel.EMAIL, TO)
SARA = Customer("c1", (Identifier(Kind.EMAIL, TO),), NOON)
LATER = NOON + timedelta(minutes=5)
CALLERS = 16


@pytest.fixture(autouse=True)
def _sara_is_there(cloud: Cloud) -> None:
    del cloud
    bootstrap.customers().write(Claim(SARA, 0, (), ()), None, NOON)


def a_send(policy: Policy = Policy.TRANSACTIONAL, **changes: Any) -> Send:
    topic = "news" if policy is Policy.MARKETING else None
    return replace(a_planned_send("m1", "c1", policy=policy, topic=topic), **changes)


def added(policy: Policy = Policy.TRANSACTIONAL, request: Request | None = None) -> Send:
    send = a_send(policy)
    assert bootstrap.sends().add(send, its_request(send), Standing("c1"), request)
    return send


def happened(send: Send, name: str = "opened") -> Event:
    return Event(f"message:{name}", f"message.{name}", LATER, LATER, "de", send.customer_id, "ses", place_of(send, 1))


def events(cloud: Cloud) -> list[str]:
    return sorted(item["id"]["S"] for item in cloud.items("EVENT#"))


def test_a_message_is_asked_for_once(cloud: Cloud) -> None:
    send = added()
    assert not bootstrap.sends().add(send, its_request(send), Standing("c1"), None)
    assert [send] == list(bootstrap.sends().page("m1", 0))
    assert ["message:m1:requested"] == events(cloud)


def test_a_request_that_is_told_again_names_the_message_that_it_made() -> None:
    request = Request("key", "digest", LATER)
    send = added(request=request)
    assert "m1" == bootstrap.sends().answered(request, NOON)
    with pytest.raises(AlreadyAnswered) as again:
        bootstrap.sends().add(replace(send, run_id="m2"), its_request(send), Standing("c1"), request)
    assert Outcome.CREATED is again.value.outcome


@pytest.mark.parametrize("gone", [{"erased_at": NOON}, {"merged_into": "c2"}], ids=["erased", "merged"])
def test_nothing_is_asked_for_whom_is_not_there_any_more(cloud: Cloud, gone: dict[str, Any]) -> None:
    bootstrap.customers().write(Claim(replace(SARA, version=2, **gone), 1, (), ()), None, NOON)
    send = a_send()
    with pytest.raises(Contended):
        bootstrap.sends().add(send, its_request(send), Standing("c1"), None)
    assert [] == events(cloud)


def test_an_entry_comes_back_as_it_was_written() -> None:
    send = a_send(
        Policy.MARKETING,
        status=Status.ACCEPTED,
        attempt=2,
        reason="500",
        bounce="hard",
        accepted={1: "ses-1", 2: "ses-2"},
        version=7,
        template_version=3,
        expires_at=LATER,
        arm=Arm.TREATED,
        message="spring",
        treatment="a",
        is_pilot=True,
        ineligible="no_address",
        links={"1a2b3c4d": LATER},
        **dict.fromkeys(
            (
                *(
                    "postponed_until",
                    "claimed_at",
                    "doubted_at",
                    "resent_at",
                    "settled_at",
                    "delivered_at",
                    "delayed_at",
                    "bounced_at",
                ),
                *("complained_at", "rejected_at", "opened_at", "clicked_at", "closed_at", "unsubscribed_at"),
            ),
            LATER,
        ),
    )
    assert None not in (value for value in (getattr(send, name) for name in send.__slots__))
    bootstrap.table().put(Put(send_item(send), None, "planned"))
    assert send == bootstrap.sends().find("m1", 0, "c1")
    assert "expires_at" not in send_item(send)


def test_a_page_is_its_entries_alone() -> None:
    send = added()
    bootstrap.sends().come_back("m1", 0, NOON)
    assert [send] == list(bootstrap.sends().page("m1", 0))
    assert [] == list(bootstrap.sends().page("m1", 1))
    assert bootstrap.sends().find("m1", 0, "c2") is None


def consented(address: str = TO, state: State = State.GRANTED) -> None:
    digest = bootstrap.consents().digest(Channel.EMAIL, address)
    fact = ConsentFact(state=state, at=NOON, source="test", method=Method.FORM, text_version="1", address=digest)
    consent = Consent(granted=fact) if state is State.GRANTED else Consent(denied=fact)
    event = Event(f"consent {state}", "consent.changed", NOON, NOON, "de", "c1", "test")
    assert not bootstrap.consents().write("c1", {Subject(Channel.EMAIL, "news"): consent}, [event], None, seen=0)


def budget_of(send: Send) -> Budget:
    return reserve(bootstrap.sends().budget(SARA), send, NOON)


def test_a_claim_of_what_may_be_sent_is_written() -> None:
    send = added(Policy.MARKETING)
    consented()
    claimed = claim(send, NOON)
    bootstrap.sends().claim(claimed, SARA, TO, budget_of(send), NOON)
    assert claimed == bootstrap.sends().find("m1", 0, "c1")
    assert budget_of(send).sends == bootstrap.sends().budget(SARA).sends


def suppressed(suppression: Suppression) -> Callable[[], None]:
    return lambda: bootstrap.suppressions().write(ADDRESS, suppression, None, NOON, seen=0)


HARD = Suppression({Reason.HARD_BOUNCE: Ground(since=NOON, source="ses")})
SOFT = reduce(with_soft_bounce, (NOON - timedelta(days=days) for days in range(10, 5, -1)), Suppression())


@pytest.mark.parametrize("policy", Policy)
@pytest.mark.parametrize("suppression", [HARD, SOFT], ids=["hard bounce", "soft bounces"])
def test_a_suppressed_address_is_not_sent_to(policy: Policy, suppression: Suppression) -> None:
    send = added(policy)
    suppressed(suppression)()
    with pytest.raises(Blocked) as blocked:
        bootstrap.sends().claim(claim(send, NOON), SARA, TO, None, NOON)
    assert Status.SUPPRESSED is blocked.value.by
    assert send == bootstrap.sends().find("m1", 0, "c1")


def test_a_suppression_that_has_ended_by_itself_is_none() -> None:
    send = added()
    suppressed(SOFT)()
    bootstrap.sends().claim(claim(send, NOON), SARA, TO, None, NOON + timedelta(days=40))


@pytest.mark.parametrize(
    "said",
    [lambda: None, lambda: consented(state=State.DENIED), lambda: consented(address="other@example.com")],
    ids=["nothing", "no", "yes, for another address"],
)
def test_a_campaign_needs_the_consent_for_this_address(said: Callable[[], None]) -> None:
    send = added(Policy.MARKETING)
    said()
    with pytest.raises(Blocked) as blocked:
        bootstrap.sends().claim(claim(send, NOON), SARA, TO, budget_of(send), NOON)
    assert Status.NO_CONSENT is blocked.value.by


@pytest.mark.parametrize(
    "changes",
    [
        lambda send: bootstrap.sends().write(claim(send, NOON)),
        lambda _: bootstrap.customers().write(Claim(replace(SARA, version=2), 1, (), ()), None, NOON),
        lambda send: bootstrap.sends().claim(claim(replace(send, run_id="m0"), NOON), SARA, TO, budget_of(send), NOON),
    ],
    ids=["the entry", "the customer", "their budget"],
)
def test_what_was_read_before_somebody_else_wrote_claims_nothing(changes: Callable[[Send], object]) -> None:
    send = added(Policy.MARKETING)
    bootstrap.table().put(Put(send_item(replace(send, run_id="m0")), None, "planned"))
    consented()
    budget = budget_of(send)
    changes(send)
    with pytest.raises(Contended):
        bootstrap.sends().claim(claim(send, NOON), SARA, TO, budget, NOON)


def test_of_sixteen_who_claim_at_once_one_does() -> None:
    send = added()

    def claims(number: int) -> str:
        try:
            bootstrap.sends().claim(claim(send, NOON + timedelta(seconds=number)), SARA, TO, None, NOON)
        except Contended:
            return "contended"
        return "claimed"

    with one_call_at_a_time(), ThreadPoolExecutor(CALLERS) as pool:
        assert Counter(claimed=1, contended=CALLERS - 1) == Counter(pool.map(claims, range(CALLERS)))
    (entry,) = bootstrap.sends().page("m1", 0)
    assert (Status.CLAIMED, 1) == (entry.status, entry.attempt)


def test_of_sixteen_who_write_at_once_one_does_and_the_others_learn_what() -> None:
    send = added()

    def writes(number: int) -> Send | None:
        after = dropped(send, Status.CANCELLED, str(number), NOON)
        return bootstrap.sends().write(after, told(send, after, NOON))

    with one_call_at_a_time(), ThreadPoolExecutor(CALLERS) as pool:
        answers = list(pool.map(writes, range(CALLERS)))
    entry = bootstrap.sends().find("m1", 0, "c1")
    assert 1 == answers.count(None)
    assert CALLERS - 1 == answers.count(entry)


def test_a_place_in_the_budget_is_taken_and_given_back() -> None:
    send = added(Policy.MARKETING)
    consented()
    cap = Cap(1, timedelta(days=1))
    other = replace(send, run_id="m2")
    bootstrap.sends().claim(claim(send, NOON), SARA, TO, budget_of(send), NOON)
    budget = bootstrap.sends().budget(SARA)
    assert (True, False) == (has_room(budget, cap, send, LATER), has_room(budget, cap, other, LATER))
    failed = dropped(claim(send, NOON), Status.FAILED, "MessageRejected", LATER)
    assert bootstrap.sends().write(failed, told(send, failed, LATER), free(budget, failed)) is None
    assert has_room(bootstrap.sends().budget(SARA), cap, other, LATER)


def test_a_budget_that_is_gone_is_not_brought_back() -> None:
    send = added(Policy.MARKETING)
    budget = replace(reserve(Budget("c1"), send, NOON), version=5)
    with pytest.raises(Contended):
        bootstrap.sends().write(dropped(send, Status.FAILED, None, NOON), (), budget)
    assert Budget("c1") == bootstrap.sends().budget(SARA)


def test_the_mails_to_whom_somebody_absorbed_count() -> None:
    send = added(Policy.MARKETING)
    consented()
    bootstrap.sends().claim(claim(send, NOON), SARA, TO, budget_of(send), NOON)
    winner = Customer("c2", SARA.identifiers, NOON, absorbed=("c1",))
    budget = bootstrap.sends().budget(winner)
    assert ("c2", 0, {}, [send.send_id]) == (budget.customer_id, budget.version, budget.sends, [*budget.inherited])
    assert not has_room(budget, Cap(1, timedelta(days=1)), replace(send, run_id="m2"), LATER)


def test_an_event_that_is_there_is_not_written_again(cloud: Cloud) -> None:
    send = added()
    bootstrap.sends().tell(send, happened(send))
    with pytest.raises(AlreadyRecorded):
        bootstrap.sends().tell(send, happened(send))
    with pytest.raises(AlreadyRecorded):
        bootstrap.sends().write(claim(send, NOON), [happened(send)])
    assert ["message:m1:requested", "message:opened"] == events(cloud)
    assert send == bootstrap.sends().find("m1", 0, "c1")


def test_nothing_is_told_of_an_entry_that_is_closed(cloud: Cloud) -> None:
    send = added()
    for _ in range(2):
        close(bootstrap.table(), keys.send("m1", 0, "c1"), LATER)
    found = bootstrap.sends().find("m1", 0, "c1")
    assert replace(send, closed_at=LATER, version=send.version + 1) == found
    assert found is not None
    bootstrap.sends().tell(send, happened(send))
    assert bootstrap.sends().write(claim(send, NOON), [happened(send)]) == found
    assert bootstrap.sends().write(claim(found, NOON), [happened(found)]) is None
    assert ["message:m1:requested"] == events(cloud)


def a_decision(run_id: str) -> tuple[Send, Send]:
    """An entry of a campaign that nobody has claimed, and what it came to."""
    entry = replace(a_send(Policy.MARKETING), run_id=run_id, requested_at=None)
    bootstrap.table().put(Put(send_item(entry), None, "planned"))
    return entry, dropped(entry, Status.NO_CONSENT, None, LATER)


def test_what_was_decided_of_an_entry_that_nobody_claimed_is_told_while_its_person_is_there(cloud: Cloud) -> None:
    before, after = a_decision("r1")
    assert bootstrap.sends().write(after, told(before, after, LATER)) is None
    bootstrap.customers().write(Claim(replace(SARA, version=2, erased_at=LATER), 1, (), ()), None, LATER)
    before, after = a_decision("r2")
    assert bootstrap.sends().write(after, told(before, after, LATER)) is None
    assert (after, ["r1"]) == (
        bootstrap.sends().find("r2", 0, "c1"),
        [item["data"]["M"]["run_id"]["S"] for item in cloud.items("EVENT#") if item["type"]["S"] == "message.dropped"],
    )


def test_a_budget_comes_with_what_its_person_has_chosen_whoever_they_were_then() -> None:
    bootstrap.customers().write(Claim(Customer("c2", (), NOON), 0, (), ()), None, NOON)
    for customer_id, at, frequency in (("c2", LATER, Frequency.MONTHLY), ("c1", NOON, Frequency.WEEKLY)):
        preferences = Preferences(frequency=frequency, frequency_at=at)
        event = Event(f"chosen:{customer_id}", "preferences.changed", at, at, "de", customer_id, "test", {})
        bootstrap.preference_books().write(customer_id, preferences, event, seen=0)
    assert Cap(1, timedelta(days=30)) == bootstrap.sends().budget(replace(SARA, absorbed=("c2",))).wishes.cap


def test_a_budget_knows_the_entries_in_a_run_of_whoever_was_absorbed() -> None:
    run, again = a_run("r1", pages=7), a_run("r1-again", pages=7, retries=("r0", "r1"))
    theirs = [
        replace(a_planned_send(run_id, "c2", policy=Policy.MARKETING), shard=page_of(keys.shard_of("c2"), run.pages, keys.SHARDS))
        for run_id in ("r1", "r2", "r0")
    ]
    for send in theirs:
        bootstrap.table().put(Put(send_item(send), None, "planned"))
    joined = replace(SARA, absorbed=("c2",))
    assert (theirs[0],) == bootstrap.sends().budget(joined, run).twins
    assert {"r0", "r1"} == {twin.run_id for twin in bootstrap.sends().budget(joined, again).twins}, "in all that it retries"
    assert () == bootstrap.sends().budget(joined).twins == bootstrap.sends().budget(SARA, run).twins
    assert (theirs[1],) == bootstrap.sends().budget(joined, run, [a_run("r2", pages=7)]).ahead


def test_who_is_due_is_told_until_somebody_came() -> None:
    sends = bootstrap.sends()
    for shard in range(40):
        sends.come_back("r1", shard, NOON + timedelta(minutes=shard))
    assert set(range(10)) == {waiting.shard for waiting in sends.due(NOON + timedelta(minutes=9), 100)}
    first = Waiting("r1", 0, NOON)
    assert first in list(sends.due(NOON, 1))
    sends.put_off(first, LATER)
    sends.put_off(first, None)  # somebody has said otherwise meanwhile
    assert [Waiting("r1", 0, LATER)] == [waiting for waiting in sends.due(LATER, 100) if waiting.shard == 0]
    sends.put_off(Waiting("r1", 0, LATER), None)
    assert set(range(1, 40)) == {waiting.shard for waiting in sends.due(NOON + timedelta(hours=1), 100)}
    sends.come_back("r1", 0, NOON)
    assert first in list(sends.due(NOON, 100))


def test_what_all_who_send_agree_on_comes_back_as_it_was_written() -> None:
    control = bootstrap.sending_control()
    assert Permission(Sending(), Breaker(), None) == control.permission("r1", "r1")
    sending = Sending("table", {Policy.MARKETING: Pause(NOON, "key:1", "too many complaints")}, 1)
    breaker = Breaker((NOON, LATER), LATER, 1)
    run = a_run(
        campaign_version=2,
        messages=(
            CampaignMessage(
                name="loyal",
                segment="loyal",
                treatments=(
                    Treatment(name="a", template="news", template_version=0),
                    Treatment(name="b", template="news", weight=3, data={"percent": Decimal("12.5")}, template_version=4),
                ),
            ),
        ),
        scheduled_at=NOON,
        started_at=LATER,
        expires_at=LATER,
        expires_after=timedelta(hours=6),
        pages=17,
        wall=datetime(2026, 11, 20, 9),  # noqa: DTZ001 (a clock on the wall is in no zone)
        state=RunState.PAUSED,
        reason="late",
        salt="spring",
        control_percent=Decimal("7.5"),
        pilot=Pilot(percent=Decimal(20), wait=timedelta(hours=4), metric=PilotMetric.ORDERS, minimum=7, otherwise=Otherwise.STOP),
        decide_at=LATER,
        verdicts={
            "loyal": Verdict("b", "more orders", (Tried("a", 100, 3), Tried("b", 99, 50))),
            "new": Verdict(None, "too few"),
        },
        priority=9,
        rate_per_minute=600,
        window=Window(time(9), time(17, 30)),
        attribution_days=7,
        costs=Costs("EUR", 5_000, Decimal("0.09")),
        retries=("q9", "r0"),
        retried_by="r2",
        planned_at=NOON,
        woken_at=LATER,
        settled_at=LATER,
        audience=2,
        books={"accepted": 1, "held_out": 1},
        due_at=LATER,
        version=3,
    )
    bootstrap.table().put(Put(run_item(run), None, "planned"))
    assert control.write(sending)
    assert control.doubt("r1", breaker) is None
    assert Permission(sending, breaker, run) == control.permission("r1", "r1")
    assert Permission(sending, Breaker(), None) == control.permission("transactional", None)


def test_who_decides_on_what_was_read_before_somebody_else_decided_learns_of_it() -> None:
    control = bootstrap.sending_control()
    pace = Pace(14.0, NOON, NOON, 1, 1)
    assert control.pace() is None
    assert (None, pace) == (control.lease(pace), control.lease(replace(pace, lanes=2)))
    assert control.lease(replace(pace, lanes=2, version=2)) is None
    assert replace(pace, lanes=2, version=2) == control.pace()
    breaker = Breaker((NOON,), None, 1)
    assert (None, breaker) == (control.doubt("r1", breaker), control.doubt("r1", breaker))
    assert (True, False) == (control.write(Sending(version=1)), control.write(Sending(version=1)))


def test_an_entry_is_read_by_its_own_key_alone() -> None:
    item = send_item(a_send(run_id="f" * 32, shard=255))
    assert ("RUN#" + "f" * 32 + "#255", "c1") == (item["PK"], item["SK"])
    assert ("f" * 32, 255, "c1") == ((send := send_of(item)).run_id, send.shard, send.customer_id)


def test_whoever_has_no_time_for_all_pages_that_are_due_starves_no_shard_of_the_worklist() -> None:
    sends = bootstrap.sends()
    wanted = {("r1", page): NOON + timedelta(seconds=page) for page in range(100)}
    for (run_id, page), due in wanted.items():
        sends.come_back(run_id, page, due)

    def found(minutes: int) -> list[tuple[str, Waiting]]:
        now = NOON + timedelta(minutes=minutes)
        return [(keys.work(keys.page(each.run_id, each.shard).pk), each) for each in sends.due(now, 100)]

    first = [found(minutes)[0][0] for minutes in range(10, 10 + keys.WORK_SHARDS)]
    assert keys.WORK_SHARDS == len(set(first))
    places = found(10)
    assert keys.WORK_SHARDS == len({shard for shard, _ in places[: keys.WORK_SHARDS]})
    assert wanted == {(each.run_id, each.shard): each.due for _, each in places}
    for shard in set(first):
        theirs = [each.due for name, each in places if name == shard]
        assert sorted(theirs) == theirs
