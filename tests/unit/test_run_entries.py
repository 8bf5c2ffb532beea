"""What a run makes the sender do with its entries: which treatment, when, how fast, who comes first, and what ends them."""

from collections import Counter
from dataclasses import replace
from datetime import datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ecrm.application.eligibility import Hold
from ecrm.application.kill_switch import pause, resume
from ecrm.application.mail_ports import Composed
from ecrm.application.settling import PAUSED_AGAIN, PLANNED_AGAIN, RUN_PAUSED_AGAIN, Settled, settle_due
from ecrm.domain.assignment import Arm, treatment_of
from ecrm.domain.contact_policy import Cap, ContactPolicy, QuietHours, Window
from ecrm.domain.customers import Customer
from ecrm.domain.messages import Policy, Send, Status
from ecrm.domain.rosters import UNDECIDED_FOR
from ecrm.domain.runs import CampaignMessage, Otherwise, Pilot, Run, RunState, Treatment, Verdict, page_of
from ecrm.store import keys
from ecrm.store.messages import send_item
from ecrm.store.runs import run_item
from ecrm.store.table import Put
from tests.builders import NOON, a_run
from tests.simulation.company import NEWS
from tests.simulation.provider import KIND, Mood, compose, planned, settling
from tests.unit.test_sending import EARLIER, PEOPLE, House

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TREATMENTS = (
    Treatment(name="a", template="spring", template_version=3),
    Treatment(name="b", template="discount", template_version=7, weight=2),
)
PILOT = Pilot(percent=Decimal(20), wait=4 * HOUR)
A_DAY_EACH = Cap(1, DAY)


class Campaigns(House):
    """`seen` has each mail that was made: to whom, as which treatment, of which version of which template."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, str | None, str, int | None]] = []
        self.policies: dict[str, ContactPolicy] = {}
        self.composes = self.made
        self.sender = self.worker()

    def made(self, send: Send, customer: Customer, *, is_fresh: bool) -> Composed:
        self.seen.append((customer.customer_id, send.treatment, send.template, send.template_version))
        policy = self.policies.get(customer.customer_id, ContactPolicy())
        return replace(compose(send, customer, is_fresh=is_fresh), policy=policy, template_version=send.template_version)

    def begin(self, run: Run, *sends: Send) -> Run:
        """Write a run that is active, and its roster: `sends`, else everybody as the first treatment."""
        self.put(run)
        key = keys.active_run(run.run_id)
        self.company.table.put(Put({"PK": key.pk, "SK": key.sk, "type": "active_run", "v": 1}, None, "active"))
        for send in sends or [planned(run.run_id, name, Policy.MARKETING, EARLIER, NEWS) for name in PEOPLE]:
            self.company.table.put(Put(send_item(send), None, "planned"))
        return run

    def put(self, run: Run) -> None:
        self.company.table.put(Put(run_item(run), None, "as it is now"))

    def entry(self, customer_id: str = "c1", run_id: str = "r1") -> Send:
        found = self.company.sends.find(run_id, 0, customer_id)
        assert found is not None
        return found

    def later(self, by: timedelta, run_id: str = "r1") -> Counter[Status]:
        """Work some time later, in a new container."""
        self.clock.at += by
        self.sender = self.worker()
        return self.works(run_id).statuses

    def settles(self, *, at_once: int = 1_000) -> Settled:
        left = iter(range(at_once))
        room = settling(self.company, self.queue, self.clock)
        return settle_due(room=room, is_late=lambda: next(left, None) is None)


def of_two(**changes: Any) -> Run:
    """A run with two treatments, the second for twice as many."""
    return a_run(messages=(CampaignMessage(name="spring", treatments=TREATMENTS),), salt="salt", **changes)


def piloted(house: Campaigns, **changes: Any) -> Run:
    """A run of which the first two try a treatment each, and the others wait for four hours."""
    run = of_two(pilot=PILOT, decide_at=NOON + PILOT.wait, **changes)
    sends = [replace(planned("r1", name, Policy.MARKETING, EARLIER, NEWS), treatment=None) for name in PEOPLE]
    tried = [replace(send, treatment=name, is_pilot=True) for send, name in zip(sends, "ab", strict=False)]
    return house.begin(run, *tried, *sends[2:])


def test_each_gets_their_treatment_of_its_frozen_version() -> None:
    house = Campaigns()
    sends = [planned("r1", name, Policy.MARKETING, EARLIER, NEWS) for name in PEOPLE]
    house.begin(of_two(), *(replace(send, treatment="b") if send.customer_id == "c4" else send for send in sends))
    assert {Status.ACCEPTED: 10} == house.works("r1").statuses
    expected = {(name, "a", "spring", 3) for name in PEOPLE if name != "c4"} | {("c4", "b", "discount", 7)}
    assert expected == set(house.seen)
    assert ("discount", 7) == (house.entry("c4").template, house.entry("c4").template_version)


def test_who_is_not_in_the_pilot_waits_for_it_and_nothing_is_written_for_that() -> None:
    house = Campaigns()
    piloted(house)
    assert {Status.ACCEPTED: 2} == house.works("r1").statuses
    assert (1, None) == (house.entry("c3").version, house.entry("c3").postponed_until)
    assert [NOON + PILOT.wait] == [waiting.due for waiting in house.company.sends.due(NOON + DAY, 10)]
    house.settles()
    assert ([], 1) == (house.queue.messages, house.entry("c3").version)


def test_a_pilot_that_nobody_has_decided_in_time_is_waited_for_a_little() -> None:
    house = Campaigns()
    piloted(house)
    house.works("r1")
    house.clock.at = NOON + PILOT.wait
    assert {} == house.later(timedelta(0))
    (due,) = [waiting.due for waiting in house.company.sends.due(NOON + DAY, 10)]
    assert (round(UNDECIDED_FOR.total_seconds()), 1) == (round((due - house.clock.at).total_seconds()), house.entry("c3").version)
    house.clock.at = due
    house.settles()
    assert [] == house.queue.messages


def test_the_others_get_what_has_won() -> None:
    house = Campaigns()
    run = piloted(house)
    house.works("r1")
    house.put(replace(run, verdicts={"spring": Verdict("b", "more clicks")}, version=2))
    house.seen.clear()
    assert {Status.ACCEPTED: 8} == house.later(HOUR)
    assert {("b", "discount", 7)} == {said[1:] for said in house.seen}
    assert {"b"} == {house.entry(name).treatment for name in PEOPLE[2:]}


def test_where_nothing_has_won_the_weights_decide() -> None:
    house = Campaigns()
    run = piloted(house)
    house.works("r1")
    house.put(replace(run, verdicts={"spring": Verdict(None, "too few")}, version=2))
    assert {Status.ACCEPTED: 8} == house.later(5 * HOUR)
    expected = {name: "ab"[treatment_of("salt", (1, 2), name)] for name in PEOPLE[2:]}
    assert expected == {name: house.entry(name).treatment for name in PEOPLE[2:]}
    assert {"a", "b"} == set(expected.values())


def test_where_nothing_has_won_the_others_may_get_nothing() -> None:
    house = Campaigns()
    run = piloted(house)
    house.works("r1")
    stops = replace(PILOT, otherwise=Otherwise.STOP)
    house.put(replace(run, pilot=stops, verdicts={"spring": Verdict(None, "too few")}, version=2))
    assert {Status.CANCELLED: 8} == house.later(5 * HOUR)
    assert (Status.CANCELLED, "no_winner") == (house.entry("c3").status, house.entry("c3").reason)


def test_who_has_waited_for_a_pilot_until_the_end_gets_nothing() -> None:
    house = Campaigns()
    piloted(house, expires_at=NOON + 5 * HOUR)
    house.works("r1")
    assert {Status.EXPIRED: 8} == house.later(6 * HOUR)
    assert "pilot" == house.entry("c3").reason


def test_a_campaign_s_window_is_by_the_clock_of_each() -> None:
    """At noon by UTC it is one in Berlin and seven in New York."""
    house = Campaigns()
    house.policies["c1"] = ContactPolicy(zone=ZoneInfo("Europe/Berlin"), quiet_hours=QuietHours(time(21), time(8)))
    house.policies["c2"] = ContactPolicy(zone=ZoneInfo("America/New_York"))
    sends = [planned("r1", name, Policy.MARKETING, EARLIER, NEWS) for name in ("c1", "c2")]
    house.begin(a_run(window=Window(time(9), time(12))), *sends)
    assert {Status.PLANNED: 2} == house.works("r1").statuses
    tomorrow, soon = datetime.fromisoformat("2026-11-21T08:00:00Z"), datetime.fromisoformat("2026-11-20T14:00:00Z")
    assert [(tomorrow, "window"), (soon, "window")] == [
        (entry.postponed_until, entry.reason) for entry in (house.entry("c1"), house.entry("c2"))
    ]
    assert soon == min(waiting.due for waiting in house.company.sends.due(NOON + DAY, 10))
    house.clock.at = soon
    assert {Status.ACCEPTED: 1} == house.later(timedelta(0))
    house.clock.at = tomorrow
    assert {Status.ACCEPTED: 1} == house.later(timedelta(0))


def test_a_window_within_quiet_hours_is_never_open() -> None:
    policy = ContactPolicy(quiet_hours=QuietHours(time(21), time(8)))
    closed = policy.closed(NOON, Window(time(22), time(23)))
    assert closed is not None
    assert closed.until > NOON + 3 * DAY
    house = Campaigns()
    house.policies = dict.fromkeys(PEOPLE, policy)
    house.begin(a_run(window=Window(time(22), time(23)), expires_at=NOON + DAY))
    assert {Status.EXPIRED: 10} == house.works("r1").statuses
    assert "window" == house.entry().reason


ZONES = {"c1": "Pacific/Kiritimati", "c2": "Asia/Tehran", "c3": "Europe/Berlin", "c4": "America/New_York"}
"""Where they are when it is nine in the morning: as many hours after 19:00 UTC of the day before."""
BEGINS = datetime.fromisoformat("2026-11-19T19:00:00Z")
INSTANTS = {"c1": BEGINS, "c2": BEGINS + 10.5 * HOUR, "c3": BEGINS + 13 * HOUR, "c4": BEGINS + 19 * HOUR}


def local(house: Campaigns, **changes: Any) -> None:
    house.clock.at = BEGINS
    house.policies = {name: ContactPolicy(zone=ZoneInfo(zone)) for name, zone in ZONES.items()}
    run = a_run(wall=datetime(2026, 11, 20, 9), expires_at=BEGINS + 50 * HOUR, expires_after=24 * HOUR)  # noqa: DTZ001 (on the wall)
    house.begin(replace(run, **changes), *(planned("r1", name, Policy.MARKETING, EARLIER, NEWS) for name in ZONES))


def test_a_campaign_at_a_local_time_reaches_each_at_theirs() -> None:
    house = Campaigns()
    local(house)
    assert {Status.ACCEPTED: 1, Status.PLANNED: 3} == house.works("r1").statuses
    waiting = {name: house.entry(name) for name in ZONES if name != "c1"}
    expected = {name: (INSTANTS[name], "local_time", INSTANTS[name] + 24 * HOUR) for name in waiting}
    assert expected == {name: (send.postponed_until, send.reason, send.expires_at) for name, send in waiting.items()}
    assert ["message.accepted"] == [kind for kind, _ in house.told()]
    for name in ("c2", "c3", "c4"):
        assert [INSTANTS[name]] == [waiting.due for waiting in house.company.sends.due(NOON + 2 * DAY, 10)]
        house.clock.at = INSTANTS[name]
        house.settles()
        ((_, page),) = house.queue.messages
        house.queue.messages.clear()
        assert {Status.ACCEPTED: 1} == house.later(timedelta(0), page[0])
        assert INSTANTS[name] <= house.provider.taken[-1].at < INSTANTS[name] + timedelta(seconds=1)


def test_who_is_found_after_their_time_gets_it_until_their_own_end() -> None:
    house = Campaigns()
    local(house)
    house.clock.at = INSTANTS["c1"] + 24 * HOUR
    worked = house.works("r1").statuses
    assert {Status.EXPIRED: 1, Status.ACCEPTED: 3} == worked
    assert {"c1": Status.EXPIRED} == {name: house.entry(name).status for name in ZONES if house.entry(name).attempt == 0}


def test_where_there_is_a_pilot_the_others_have_their_time_from_its_decision_on_wherever_they_live() -> None:
    """Its decision waits for those in the west of it, and comes when the time of the east would be over."""
    house = Campaigns()
    messages = (CampaignMessage(name="spring", treatments=TREATMENTS),)
    decided_at = INSTANTS["c1"] + 27 * HOUR
    house.clock.at = decided_at
    house.policies = {name: ContactPolicy(zone=ZoneInfo(zone)) for name, zone in ZONES.items()}
    run = a_run(
        wall=datetime(2026, 11, 20, 9),  # noqa: DTZ001 (on the wall)
        messages=messages,
        pilot=PILOT,
        decide_at=decided_at,
        verdicts={"spring": Verdict("b", "better")},
        expires_at=BEGINS + 50 * HOUR,
        expires_after=12 * HOUR,
    )
    sends = [replace(planned("r1", name, Policy.MARKETING, EARLIER, NEWS), treatment=None) for name in ("c1", "c2")]
    tried = [replace(planned("r1", name, Policy.MARKETING, EARLIER, NEWS), is_pilot=True) for name in ("c3", "c4")]
    house.begin(run, *sends, *tried)
    assert {Status.ACCEPTED: 3, Status.EXPIRED: 1} == house.works("r1").statuses
    assert Status.EXPIRED is house.entry("c3").status
    house.begin(run, *sends)
    house.clock.at = decided_at + 12 * HOUR
    assert {Status.EXPIRED: 2} == house.later(timedelta(0))


def test_whose_night_it_is_at_the_local_time_waits_for_its_end_at_once() -> None:
    house = Campaigns()
    local(house, wall=datetime(2026, 11, 20, 7), expires_after=24 * HOUR)  # noqa: DTZ001 (on the wall)
    house.policies["c4"] = replace(house.policies["c4"], quiet_hours=QuietHours(time(21), time(8)))
    house.works("r1")
    entry = house.entry("c4")
    assert (INSTANTS["c4"] - HOUR, "quiet_hours", 2) == (entry.postponed_until, entry.reason, entry.version)


def rivals(house: Campaigns, **higher: Any) -> tuple[Run, Run]:
    """Two runs to everybody, who has room for one mail a day; the second has the higher priority."""
    house.policies = dict.fromkeys(PEOPLE, ContactPolicy(cap=A_DAY_EACH))
    run = house.begin(a_run("r1", expires_at=NOON + 3 * HOUR))
    sends = [planned("r2", name, Policy.MARKETING, EARLIER, NEWS) for name in PEOPLE]
    other = house.begin(replace(a_run("r2", priority=8), **higher), *sends)
    return run, other


def test_a_campaign_of_higher_priority_comes_first() -> None:
    house = Campaigns()
    rivals(house)
    assert {Status.PLANNED: 10} == house.works("r1").statuses
    assert "priority" == house.entry().reason
    assert [("message.postponed", "priority")] * 10 == [(kind, said["reason"]) for kind, said in house.told()]
    assert {Status.PLANNED: 10} == house.later(HOUR)
    assert 10 == len(house.told())
    assert {Status.ACCEPTED: 10} == house.later(timedelta(0), "r2")
    assert {Status.CAPPED: 10} == house.later(HOUR)
    assert "cap" == house.entry().reason


def test_who_left_their_place_until_the_end_is_capped() -> None:
    house = Campaigns()
    rivals(house)
    house.works("r1")
    assert {Status.CAPPED: 10} == house.later(3 * HOUR)
    assert "priority" == house.entry().reason


@pytest.mark.parametrize(
    "higher",
    [
        {"state": RunState.PAUSED},
        {"state": RunState.CANCELLED},
        {"expires_at": NOON},
        {"priority": 5},
        {"priority": 4},
    ],
    ids=lambda changes: "-".join(map(str, changes.values())),
)
def test_nobody_waits_for_a_campaign_that_does_not_come_before(higher: dict[str, Any]) -> None:
    house = Campaigns()
    rivals(house, **higher)
    assert {Status.ACCEPTED: 10} == house.works("r1").statuses


def test_nobody_waits_for_what_comes_when_there_is_room_again() -> None:
    house = Campaigns()
    rivals(house)
    for name, days in (("c1", 2), ("c2", 0.5)):
        entry = house.entry(name, "r2")
        house.company.sends.write(replace(entry, postponed_until=NOON + days * DAY, reason="window", version=2))
    house.works("r1")
    assert (Status.ACCEPTED, Status.PLANNED) == (house.entry("c1").status, house.entry("c2").status)


def test_a_run_sends_no_more_in_a_minute_than_it_may() -> None:
    house = Campaigns()
    house.begin(a_run(rate_per_minute=4))
    worked = house.works("r1")
    assert ({Status.ACCEPTED: 4}, Hold.RATE) == (worked.statuses, worked.held)
    assert [(NOON + timedelta(minutes=1), ("r1", 0))] == [(at.replace(microsecond=0), page) for at, page in house.queue.messages]
    assert ({}, Hold.RATE) == ((again := house.works("r1")).statuses, again.held)
    house.queue.messages.clear()
    assert {Status.ACCEPTED: 4} == house.later(timedelta(minutes=1))
    assert {Status.ACCEPTED: 2} == house.later(timedelta(minutes=1))
    minutes = Counter(
        entry.claimed_at.replace(second=0, microsecond=0) for name in PEOPLE if (entry := house.entry(name)).claimed_at
    )
    assert [4, 4, 2] == [minutes[at] for at in sorted(minutes)]


def test_workers_share_a_run_s_minute_and_its_pages_come_back_one_after_the_other() -> None:
    house = Campaigns()
    run = a_run(rate_per_minute=5, pages=4)
    house.begin(run, *(replace(planned("r1", name, Policy.MARKETING, EARLIER, NEWS), shard=int(name[1:]) % 4) for name in PEOPLE))
    workers = [house.worker() for _ in range(4)]
    worked = [workers[page].work("r1", page, is_of_many=True, is_late=lambda: False) for page in range(4)]
    assert 5 == sum(one.statuses[Status.ACCEPTED] for one in worked)
    times = sorted(at for at, _ in house.queue.messages)
    assert {15} == {round((later - at).total_seconds()) for at, later in pairwise(times)}


def test_what_is_put_off_takes_nothing_of_a_run_s_minute() -> None:
    house = Campaigns()
    asleep = ContactPolicy(quiet_hours=QuietHours(time(11), time(15)))
    house.policies = dict.fromkeys(PEOPLE[:8], asleep)
    house.begin(a_run(rate_per_minute=2))
    assert {Status.PLANNED: 8, Status.ACCEPTED: 2} == house.works("r1").statuses


@pytest.mark.parametrize(
    ("changes", "status", "reason"),
    [
        ({"state": RunState.CANCELLED}, Status.CANCELLED, None),
        ({"expires_at": NOON}, Status.EXPIRED, "quiet_hours"),
    ],
    ids=["cancelled", "expired"],
)
def test_whoever_settles_ends_what_a_run_has_ended_though_it_waits(
    changes: dict[str, Any], status: Status, reason: str | None
) -> None:
    house = Campaigns()
    run = house.begin(a_run())
    for name in PEOPLE[:5]:
        waits = replace(house.entry(name), postponed_until=NOON + DAY, reason="quiet_hours", version=2)
        house.company.sends.write(waits)
    house.put(replace(run, **changes, version=2))
    house.company.sends.come_back("r1", 0, NOON)
    pause(Policy.MARKETING, reason="wrong price", by="key:1", control=house.company.control, clock=house.clock)
    assert {status: 10} == house.settles().statuses
    assert ([], []) == (house.queue.messages, house.due_in())
    assert (reason, None) == (house.entry("c1").reason, house.entry("c10").reason)


def test_a_worker_ends_what_a_run_has_ended_though_it_waits() -> None:
    house = Campaigns()
    run = house.begin(a_run())
    house.company.sends.write(replace(house.entry(), postponed_until=NOON + DAY, reason="quiet_hours", version=2))
    house.put(replace(run, state=RunState.CANCELLED, version=2))
    assert {Status.CANCELLED: 10} == house.works("r1").statuses


def test_a_page_for_which_there_is_no_time_stays_due() -> None:
    house = Campaigns()
    house.begin(a_run(state=RunState.CANCELLED))
    house.company.sends.come_back("r1", 0, NOON)
    assert {Status.CANCELLED: 3} == house.settles(at_once=4).statuses
    assert [NOON] == [waiting.due for waiting in house.company.sends.due(NOON, 10)]
    assert {Status.CANCELLED: 7} == house.settles().statuses


@pytest.mark.parametrize("state", [RunState.PAUSED, RunState.PLANNING])
def test_a_run_that_is_not_to_be_sent_is_held_and_looked_at_now_and_then(state: RunState) -> None:
    house = Campaigns()
    run = house.begin(a_run(state=state))
    assert (Hold.PAUSED, {}) == ((worked := house.works("r1")).held, worked.statuses)
    house.clock.at += PAUSED_AGAIN
    assert {Hold.PAUSED: 1} == house.settles().held
    again = RUN_PAUSED_AGAIN if state is RunState.PAUSED else PAUSED_AGAIN
    assert [again] == [
        timedelta(seconds=round((waiting.due - house.clock.at).total_seconds()))
        for waiting in house.company.sends.due(NOON + DAY, 9)
    ]
    house.put(replace(run, state=RunState.SENDING, version=2))
    assert {Status.ACCEPTED: 10} == house.later(timedelta(0))


def test_a_table_that_is_not_armed_ends_nothing() -> None:
    house = Campaigns()
    house.begin(a_run(expires_at=NOON))
    control = house.company.control
    sending = control.sending()
    assert control.write(replace(sending, armed_for="another", version=sending.version + 1))
    assert (Hold.NOT_ARMED, {}) == ((worked := house.works("r1")).held, worked.statuses)
    house.clock.at += PAUSED_AGAIN
    assert ({Hold.NOT_ARMED: 1}, {}) == ((settled := house.settles()).held, settled.statuses)
    assert Status.PLANNED is house.entry().status


def test_what_the_kill_switch_holds_ends_in_its_time_all_the_same() -> None:
    house = Campaigns()
    house.begin(a_run(expires_at=NOON + HOUR))
    pause(Policy.MARKETING, reason="wrong price", by="key:1", control=house.company.control, clock=house.clock)
    assert Hold.PAUSED is house.works("r1").held
    assert {Status.EXPIRED: 10} == house.later(HOUR)
    resume(Policy.MARKETING, control=house.company.control)


def test_a_rival_is_looked_for_on_the_page_that_it_is_on() -> None:
    house = Campaigns()
    run, other = rivals(house)
    pages = 7
    for name in PEOPLE:
        send = planned("r2", name, Policy.MARKETING, EARLIER, NEWS)
        there = replace(send, shard=page_of(keys.shard_of(name), pages, keys.SHARDS))
        house.company.table.put(Put(send_item(there), None, "on its page"))
        if there.shard:
            house.company.table.remove_many([keys.send("r2", 0, name)])
    house.put(replace(other, pages=pages, version=2))
    assert {Status.PLANNED: 10} == house.works(run.run_id).statuses


def control(house: Campaigns, *names: str) -> None:
    """Hold some out of a run that is planned."""
    for name in names:
        house.company.sends.write(replace(house.entry(name), status=Status.HELD_OUT, arm=Arm.CONTROL, version=2))


def outcome(house: Campaigns, name: str) -> tuple[Status, str | None]:
    entry = house.entry(name)
    return entry.status, entry.reason


MERGED = (Status.CANCELLED, "merged")


def test_two_who_turn_out_to_be_one_person_before_either_s_turn_get_one_mail() -> None:
    house = Campaigns()
    house.begin(a_run())
    house.company.merge("c2", "c1", NOON)
    assert {Status.ACCEPTED: 9, Status.CANCELLED: 1} == house.works("r1").statuses
    assert (MERGED, 1) == (outcome(house, "c1"), [taken.to for taken in house.provider.taken].count("c2@example.com"))


def test_two_who_turn_out_to_be_one_person_between_their_turns_get_one_mail() -> None:
    house = Campaigns()
    house.begin(a_run())
    assert {Status.ACCEPTED: 1} == house.works("r1", at_once=1).statuses
    house.company.merge("c2", "c1", NOON)
    assert {Status.ACCEPTED: 8, Status.CANCELLED: 1} == house.works("r1").statuses
    assert (Status.ACCEPTED, MERGED) == (house.entry("c1").status, outcome(house, "c2"))


def test_what_was_certainly_never_sent_is_in_nobody_s_way_when_two_turn_out_to_be_one() -> None:
    house = Campaigns()
    house.begin(a_run(), *(planned("r1", name, Policy.MARKETING, EARLIER, NEWS) for name in ("c1", "c2")))
    house.company.sends.write(replace(house.entry("c1"), status=Status.FAILED, reason="no_address", version=2))
    house.company.merge("c2", "c1", NOON)
    assert {Status.ACCEPTED: 1} == house.works("r1").statuses


def test_a_place_that_was_never_used_is_given_back_though_two_turned_out_to_be_one() -> None:
    house = Campaigns()
    house.policies = dict.fromkeys(PEOPLE, ContactPolicy(cap=A_DAY_EACH))
    house.begin(a_run(), *(planned("r1", name, Policy.MARKETING, EARLIER, NEWS) for name in ("c1", "c2")))
    house.provider.mood = Mood(throttle=1.0)
    assert Hold.NOT_NOW is house.works("r1").held
    house.provider.mood = KIND
    house.company.merge("c2", "c1", NOON)
    assert {Status.CANCELLED: 1, Status.ACCEPTED: 1} == house.later(timedelta(minutes=1))
    assert ["c2"] == [taken.send[2] for taken in house.provider.taken]


@pytest.mark.parametrize("held_out", ["c1", "c2"])
def test_who_turns_out_to_be_held_out_gets_nothing(held_out: str) -> None:
    house = Campaigns()
    house.begin(a_run(), *(planned("r1", name, Policy.MARKETING, EARLIER, NEWS) for name in ("c1", "c2")))
    control(house, held_out)
    house.company.merge("c2", "c1", NOON)
    assert {Status.CANCELLED: 1} == house.works("r1").statuses
    assert ([], MERGED) == (house.provider.taken, outcome(house, "c1" if held_out == "c2" else "c2"))


def test_a_merger_that_is_undone_in_time_ends_nothing() -> None:
    house = Campaigns()
    house.begin(a_run(), planned("r1", "c1", Policy.MARKETING, EARLIER, NEWS))
    house.company.merge("c2", "c1", NOON)
    house.company.unmerge("c2", "c1", NOON)
    assert {Status.ACCEPTED: 1} == house.works("r1").statuses
    assert ["c1@example.com"] == [taken.to for taken in house.provider.taken]


def test_a_page_that_takes_for_hours_is_asked_for_by_one_message() -> None:
    house = Campaigns()
    house.begin(a_run())
    house.company.sends.come_back("r1", 0, NOON + PLANNED_AGAIN)
    house.queue.send("r1", 0, is_of_many=True)
    many: list[int] = []
    for minute in range(180):
        house.clock.at = NOON + timedelta(minutes=minute, seconds=1)
        for page in house.queue.due():
            assert Hold.LATE is house.works(page[0], at_once=0).held
        if minute % 5 == 0:
            house.settles()
        many.append(len(house.queue.messages))
    assert [1] * 180 == many


def test_a_page_on_which_an_entry_breaks_fails_when_all_others_are_done_and_is_handed_on_until_then() -> None:
    house = Campaigns()
    house.begin(a_run())

    def broken(send: Send, customer: Customer, *, is_fresh: bool) -> Composed:
        if customer.customer_id == "c1":
            raise ZeroDivisionError
        return compose(send, customer, is_fresh=is_fresh)

    house.composes = broken
    for _ in range(8):
        house.sender = house.worker()
        worked = house.works("r1", at_once=2)
        assert (Hold.LATE, ZeroDivisionError) == (worked.held, type(worked.broken))
        assert [("r1", 0)] == [page for _, page in house.queue.messages]
        house.queue.messages.clear()
    with pytest.raises(ZeroDivisionError):
        house.works("r1")
    assert [] == house.queue.messages
    assert [Status.PLANNED] + [Status.ACCEPTED] * 9 == [house.entry(name).status for name in PEOPLE]


def test_nobody_comes_back_to_a_page_of_which_nothing_is_left() -> None:
    house = Campaigns()
    house.begin(a_run(rate_per_minute=6))
    house.works("r1")
    assert [timedelta(minutes=1) + PLANNED_AGAIN] == [
        timedelta(seconds=round((waiting.due - NOON).total_seconds())) for waiting in house.company.sends.due(NOON + DAY, 9)
    ]
    assert {Status.ACCEPTED: 4} == house.later(timedelta(minutes=1))
    assert [] == list(house.company.sends.due(NOON + DAY, 9))
