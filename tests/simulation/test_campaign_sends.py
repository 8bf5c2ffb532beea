"""Campaigns as they are sent (S1, S3, S4, S11, S12): a pilot, a window, a local time, a rate and two priorities, all at once.

Workers, whoever comes every minute, notices, and whoever says no, pauses or cancels race for the rosters of two campaigns. When
all is quiet the books of both are closed, and balance.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, time, timedelta
from decimal import Decimal
from functools import cache, partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ecrm.application.mail_ports import Composed
from ecrm.domain.assignment import Arm
from ecrm.domain.contact_policy import Cap, ContactPolicy, QuietHours, Window
from ecrm.domain.customers import Customer
from ecrm.domain.errors import Conflict, Erased
from ecrm.domain.instants import instant_of
from ecrm.domain.messages import Send, Status
from ecrm.domain.runs import CampaignMessage, Otherwise, Pilot, Run, RunState, Treatment
from ecrm.store import keys
from ecrm.store.messages import send_of
from ecrm.store.runs import run_of
from ecrm.store.table import from_wire
from tests.builders import NOON, a_run
from tests.simulation.campaigns import Headquarters, entry, plan
from tests.simulation.company import Company, Counted
from tests.simulation.provider import AWKWARD, Moving, compose
from tests.simulation.schedule import Schedule, Weather, hold
from tests.simulation.table import MemoryTable
from tests.simulation.test_sends import OTHERS, PEOPLE, Ledger, Race, audience

ROUGH = Weather(kill=0.012, lose=0.008, resend=0.01, twice=0.2)
TREATMENTS = tuple(Treatment(name=name, template=f"news-{name}", template_version=1) for name in "ab")
PILOTED, LOCAL = "r1", "r2"
RATE = 1
DECIDE_AT = NOON + timedelta(minutes=20)
WALL = datetime(2026, 11, 20, 13, 30)  # noqa: DTZ001 (a clock on the wall is in no zone)
ZONES = {"c1": ZoneInfo("Europe/Berlin"), "c2": ZoneInfo("Africa/Lagos")}
QUIET = QuietHours(time(13, 10), time(14, 30))
"""In both it is one at the beginning: they come before the local time of the second campaign, and end after it."""
WINDOW = Window(time(13), time(19))
CAP = Cap(most=1, within=timedelta(hours=8))
"""Whoever got the first campaign before the second has room for it in the evening, out of its window."""
LOCAL_FOR = timedelta(hours=30)
AUDIENCE = [(run_id, customer_id) for run_id in (PILOTED, LOCAL) for customer_id in PEOPLE]


@cache
def planned_campaigns(otherwise: Otherwise = Otherwise.SPLIT, held_out: str | None = None) -> MemoryTable:
    """The first person is in the pilot of the first campaign; the second campaign comes before it, and may hold somebody out."""
    table = audience().fork()
    piloted = a_run(
        PILOTED,
        messages=(CampaignMessage(name="spring", treatments=TREATMENTS),),
        pilot=Pilot(percent=Decimal(50), wait=timedelta(minutes=20), otherwise=otherwise),
        decide_at=DECIDE_AT,
        rate_per_minute=RATE,
        expires_at=NOON + timedelta(hours=30),
        expires_after=timedelta(hours=30),
    )
    plan(table, piloted, [entry(PILOTED, "c1", is_pilot=True), entry(PILOTED, "c2", treatment=None)])
    local = a_run(
        LOCAL,
        campaign="morning",
        priority=8,
        wall=WALL,
        window=WINDOW,
        rate_per_minute=RATE,
        expires_at=NOON + timedelta(hours=60),
        expires_after=LOCAL_FOR,
    )
    spared: dict[str, Any] = {"status": Status.HELD_OUT, "arm": Arm.CONTROL, "settled_at": NOON}
    plan(table, local, [entry(LOCAL, name, **(spared if name == held_out else {})) for name in PEOPLE])
    return table


def composes(send: Send, customer: Customer, *, is_fresh: bool) -> Composed:
    policy = ContactPolicy(zone=ZONES[customer.customer_id], quiet_hours=QUIET, cap=CAP)
    return replace(compose(send, customer, is_fresh=is_fresh), policy=policy, template_version=send.template_version)


def comes_every_minute(race: Race) -> None:
    for seconds in (1, 60, 900, 700):
        house(race).comes_round()
        race.office.clock.wait(seconds)


def turns(race: Race, name: str) -> None:
    """Pause a campaign, and resume it some time later."""
    for turn in (house(race).pauses, house(race).resumes):
        try:
            turn(name)
        except Conflict:
            return  # it is cancelled
        race.office.clock.wait(race.schedule.random.choice((1, 100, 4_000)))


def cancels(race: Race, name: str) -> None:
    house(race).cancels(name)


def merges(race: Race) -> None:
    """Find out that the two are one person, whichever of them."""
    winner, loser = race.schedule.random.sample(sorted(PEOPLE), 2)
    try:
        race.office.company.merge(winner, loser, race.office.clock.now())
    except (Conflict, Erased):
        return  # they are one already, or not there any more


def house(race: Race) -> Headquarters:
    assert isinstance(race.office, Headquarters)
    return race.office


MORE: dict[str, Callable[[Race], object]] = {
    **{name: act for name, act in OTHERS.items() if name != "cancel"},
    "turn spring": partial(turns, name="spring"),
    "turn morning": partial(turns, name="morning"),
    "cancel spring": partial(cancels, name="spring"),
    "cancel morning": partial(cancels, name="morning"),
    "merge": merges,
}


def campaigns(
    seed: int, table: MemoryTable | None = None, others: Iterable[str] = MORE, kind: type[Headquarters] = Headquarters
) -> Ledger:
    schedule = Schedule(seed, ROUGH, table=table or planned_campaigns())
    company = Company(schedule.table, Counted(10))
    office = kind(company, Moving(NOON), schedule.random, schedule.pause, AWKWARD, composes=composes)
    race = Race(schedule, office)
    some = schedule.random.sample(sorted(others), schedule.random.randint(1, 3))
    calls: dict[str, Callable[[], object]] = {name: partial(MORE[name], race) for name in some}
    calls |= {"every minute": partial(comes_every_minute, race)}
    for run_id in (PILOTED, LOCAL):
        calls |= {f"{run_id} {worker}": partial(office.work, (run_id, 0)) for worker in "ab"}
    schedule.run(calls)
    office.come_to_rest()
    return Ledger.of(race)


def claims(ledger: Ledger) -> list[tuple[int, Send]]:
    """Every claim, by its place."""
    return [
        (at, send)
        for steps in ledger.steps.values()
        for at, before, send in steps
        if send.status is Status.CLAIMED and before is not None and before.status is Status.PLANNED
    ]


def joined_at(ledger: Ledger) -> int | None:
    """The place from which on two are one person, if they ever are."""
    changes = enumerate(ledger.race.schedule.table.stream)
    return next((at for at, change in changes if change.key.sk == keys.PROFILE and "merged_into" in (change.new or {})), None)


def who_turn_out_to_be_one_get_one(ledger: Ledger) -> None:
    """S1 for a person: from the merger on nothing is claimed for what another entry of theirs has had, or is to be spared."""
    at = joined_at(ledger)
    if at is None:
        return
    last = {name: steps[-1][2] for name, steps in ledger.steps.items()}
    for place, send in claims(ledger):
        others = [twin for twin in last.values() if twin.run_id == send.run_id and twin.customer_id != send.customer_id]
        if place > at:
            assert send.customer_id == ledger.person(send.customer_id), send
            assert not [twin for twin in others if twin.send_id in ledger.taken or twin.status is Status.HELD_OUT], send


def states(ledger: Ledger) -> list[tuple[int, Run]]:
    """Every run as it was from a place on."""
    changes = enumerate(ledger.race.schedule.table.stream)
    found = ((at, from_wire(change.new)) for at, change in changes if change.new is not None)
    return [(at, run_of(item)) for at, item in found if item["type"] == "run"]


def each_claim_is_in_its_time(ledger: Ledger) -> None:
    """S12: out of quiet hours, and of the second campaign in its window, at the time on the wall or after it, before its end."""
    for _, send in claims(ledger):
        assert send.claimed_at is not None
        zone = ZONES[send.customer_id]
        wall = send.claimed_at.astimezone(zone).time()
        assert not QUIET.holds(wall), send
        if send.run_id == LOCAL:
            begins = instant_of(WALL, zone)
            assert not WINDOW.outside.holds(wall), send
            assert begins <= send.claimed_at < begins + LOCAL_FOR, send


def each_gets_what_the_pilot_says(ledger: Ledger, otherwise: Otherwise = Otherwise.SPLIT) -> None:
    """Who is in the pilot gets their treatment, and nobody else anything before the verdict, which there is once at most."""
    verdicts = [(at, run.verdicts) for at, run in states(ledger) if run.run_id == PILOTED and run.verdicts]
    assert len({repr(verdict) for _, verdict in verdicts}) <= 1, verdicts
    for at, send in claims(ledger):
        if send.run_id != PILOTED:
            assert ("a", "news") == (send.treatment, send.template)
            continue
        assert (f"news-{send.treatment}", 1) == (send.template, send.template_version)
        if send.is_pilot:
            assert "a" == send.treatment
        else:
            assert otherwise is Otherwise.SPLIT
            assert verdicts
            assert verdicts[0][0] < at
            assert send.claimed_at is not None
            assert send.claimed_at >= DECIDE_AT


def no_minute_has_more_than_its_rate(ledger: Ledger) -> None:
    times = [(send.run_id, send.claimed_at) for _, send in claims(ledger) if send.claimed_at]
    minutes = Counter((run_id, at.replace(second=0, microsecond=0)) for run_id, at in times)
    assert all(many <= RATE for many in minutes.values()), minutes


def the_books_of_both_are_closed(ledger: Ledger) -> None:
    """S4: by what stands in the roster at the end."""
    last = {run.run_id: run for _, run in states(ledger)}
    entries = [send_of(item) for item in ledger.race.schedule.table.items() if item["type"] == "send"]
    for run in last.values():
        counted = Counter(send.status.value.removesuffix("_final") for send in entries if send.run_id == run.run_id)
        assert (sum(counted.values()), counted) == (run.audience, +Counter(run.books)), run
        assert run.state in (RunState.SETTLED, RunState.CANCELLED)


@pytest.mark.parametrize("part", range(3))
def test_campaigns_keep_their_word_to_each(part: int) -> None:
    def check(seed: int) -> None:
        ledger = campaigns(seed)
        ledger.nobody_gets_twice()
        ledger.nobody_gets_what_they_refused()
        ledger.what_is_answered_is_in_force()
        ledger.nobody_gets_too_much(dict.fromkeys(PEOPLE, CAP))
        ledger.every_step_has_its_reason()
        ledger.books_balance(AUDIENCE)
        each_claim_is_in_its_time(ledger)
        each_gets_what_the_pilot_says(ledger)
        no_minute_has_more_than_its_rate(ledger)
        who_turn_out_to_be_one_get_one(ledger)
        the_books_of_both_are_closed(ledger)

    hold(check, range(part, 600, 3))


def test_who_turn_out_to_be_one_person_get_one_mail_of_a_campaign_and_none_if_they_are_held_out() -> None:
    """The first of them is held out of the second campaign."""

    def check(seed: int) -> None:
        ledger = campaigns(seed, planned_campaigns(held_out="c1"), others=("merge", "time", "notices"))
        ledger.nobody_gets_twice()
        ledger.books_balance(AUDIENCE)
        who_turn_out_to_be_one_get_one(ledger)
        the_books_of_both_are_closed(ledger)

    hold(check, range(300))


def test_where_the_pilot_has_no_winner_the_others_may_get_nothing() -> None:
    def check(seed: int) -> None:
        ledger = campaigns(seed, planned_campaigns(Otherwise.STOP), others=("time", "notices", "pause", "turn spring"))
        each_gets_what_the_pilot_says(ledger, Otherwise.STOP)
        other = next(steps[-1][2] for steps in ledger.steps.values() if steps[-1][2].treatment is None)
        assert (Status.CANCELLED, "no_winner") == (other.status, other.reason)
        the_books_of_both_are_closed(ledger)

    hold(check, range(200))
