"""S11, S12: however many send at once, nobody gets more than the site and they themselves allow, nor anything while they sleep.

Two campaigns and a message race for the same two people; a cap, a wish, quiet hours that begin in the middle of it and erasures
are in their way. When all is quiet, what was decided of each is told once, and nothing of who is erased.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest

from ecrm.application.mail_ports import Composed
from ecrm.application.ports import Standing
from ecrm.domain.contact_policy import Cap, ContactPolicy, QuietHours
from ecrm.domain.customers import Customer
from ecrm.domain.events import Event
from ecrm.domain.messages import NEVER_SENT, Policy, Send, Status
from ecrm.domain.preferences import Frequency, Preferences
from ecrm.store.messages import send_item
from ecrm.store.preferences import DynamoPreferences
from ecrm.store.runs import run_item
from ecrm.store.table import Put, from_wire
from tests.builders import NOON, a_run, its_request
from tests.simulation.company import NEWS, Company
from tests.simulation.provider import compose, planned
from tests.simulation.schedule import hold
from tests.simulation.table import MemoryTable
from tests.simulation.test_sends import EARLIER, NEWS_RUNS, PEOPLE, Ledger, Race, Unbudgeted, audience, first_red

MESSAGE = "m9"
CAP = Cap(most=1, within=timedelta(days=1))
CAPS = {"c1": CAP, "c2": Cap(most=1, within=timedelta(days=7))}
QUIET = QuietHours(time(13, 10), time(14, 30))
"""In Berlin they begin ten minutes after the race does; in London they are an hour away."""
BEGINNINGS = (0, 599.98)
"""Seconds after noon: at the second one a worker who has made a mail finds its reader asleep when they claim it."""
ZONES = {"c1": ZoneInfo("Europe/Berlin"), "c2": ZoneInfo("Europe/London")}
AUDIENCE = [(run_id, customer_id) for run_id in NEWS_RUNS for customer_id in PEOPLE] + [(MESSAGE, "c1")]
OTHERS = ("time", "notices", "unsubscribe", "rest", "suppress", "erase", "pause", "cancel")


@cache
def marketing() -> MemoryTable:
    """Two campaigns without a cap of their own, and a message; the second person takes one mail a week."""
    table = audience().fork()
    for run_id in NEWS_RUNS:
        run = a_run(run_id, expires_at=NOON + timedelta(days=3 if run_id == "r1" else 0.5))
        table.put(Put(run_item(run), None, "planned"))
        for customer_id in PEOPLE:
            table.put(Put(send_item(planned(run_id, customer_id, Policy.MARKETING, EARLIER, NEWS)), None, "planned"))
    message = replace(planned(MESSAGE, "c1", Policy.MARKETING, EARLIER, NEWS), requested_at=EARLIER)
    message = replace(message, arm=None, message=None, treatment=None, expires_at=NOON + timedelta(days=3))
    assert Company(table).sends.add(message, its_request(message), Standing("c1"), None)
    event = Event("chosen", "preferences.changed", EARLIER, EARLIER, "de", "c2", "test", {})
    DynamoPreferences(table).write("c2", Preferences(frequency=Frequency.WEEKLY, frequency_at=EARLIER), event, seen=0)
    return table


def composes(send: Send, customer: Customer, *, is_fresh: bool) -> Composed:
    """The first person has the site's cap alone, the second their own alone; both sleep."""
    theirs = customer.customer_id
    policy = ContactPolicy(zone=ZONES[theirs], quiet_hours=QUIET, cap=CAP if theirs == "c1" else None)
    return replace(compose(send, customer, is_fresh=is_fresh), policy=policy)


def campaigns(seed: int, table: MemoryTable | None = None, others: Iterable[str] = OTHERS) -> Ledger:
    race = Race.of(seed, table or marketing())
    race.office.composes = composes
    race.office.clock.wait(race.schedule.random.choice(BEGINNINGS))
    some = race.schedule.random.sample(sorted(others), race.schedule.random.randint(2, 3))
    return Ledger.of(race.run((*NEWS_RUNS, MESSAGE), some))


def nobody_is_woken(ledger: Ledger) -> None:
    """S12: the claim is what allows a mail."""
    for steps in ledger.steps.values():
        for _, before, send in steps:
            if send.status is Status.CLAIMED and before is not None and before.status is Status.PLANNED:
                assert send.claimed_at is not None
                wall = send.claimed_at.astimezone(ZONES[send.customer_id]).time()
                assert not QUIET.holds(wall), send


def every_decision_is_told(ledger: Ledger) -> None:
    """What was ended without having been sent, and each time that something was put off; of who is erased nothing is left."""
    table = ledger.race.schedule.table
    told = Counter(
        (item["data"]["send_id"], item["type"], item["data"].get("status"), item["data"].get("until"))
        for change in table.stream
        if change.new is not None and (item := from_wire(change.new))["type"] in ("message.dropped", "message.postponed")
    )
    assert all(times == 1 for times in told.values()), told
    for name, steps in ledger.steps.items():
        send = steps[-1][2]
        is_told = send.closed_at is None and (send.is_named or send.status is not Status.CANCELLED)
        if send.status in NEVER_SENT - {Status.FAILED} and is_told and not is_erased(table, send.customer_id):
            assert 1 == told[name, "message.dropped", send.status.value, None], (send, told)
    for customer_id in PEOPLE:
        if is_erased(table, customer_id):
            left = [item["SK"] for item in table.items() if item["PK"] == f"CUSTOMER#{customer_id}"]
            assert ["PROFILE"] == left


def is_erased(table: MemoryTable, customer_id: str) -> bool:
    return any(item["PK"] == f"CUSTOMER#{customer_id}" and "erased_at" in item for item in table.items("PROFILE"))


@pytest.mark.parametrize("part", range(3))
def test_nobody_gets_too_much_nor_anything_while_they_sleep(part: int) -> None:
    def check(seed: int) -> None:
        ledger = campaigns(seed)
        ledger.nobody_gets_too_much(CAPS)
        nobody_is_woken(ledger)
        every_decision_is_told(ledger)
        ledger.nobody_gets_twice()
        ledger.nobody_gets_what_they_refused()
        ledger.what_is_answered_is_in_force()
        ledger.every_step_has_its_reason()
        ledger.books_balance(AUDIENCE)

    hold(check, range(part, 1_500, 3))


def test_without_the_budgets_condition_somebody_gets_too_much() -> None:
    unbudgeted = marketing().fork(kind=Unbudgeted)
    with pytest.raises(AssertionError, match="datetime"):
        first_red(lambda seed: campaigns(seed, unbudgeted, others=("time", "notices", "pause")).nobody_gets_too_much(CAPS))
