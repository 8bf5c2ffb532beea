"""Looking after a run, on the table: pilots are decided once and late enough, and books are closed when they balance alone."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import batched
from typing import Any

import pytest

from ecrm import bootstrap
from ecrm.application.campaign_ports import Counted
from ecrm.application.ports import Claim, Contended
from ecrm.application.runs import AT_ONCE, LOOK_AGAIN, UNBALANCED_AGAIN, LookedAfter, RunRoom, look_after, recount
from ecrm.domain.assignment import Arm
from ecrm.domain.customers import Customer
from ecrm.domain.errors import Unavailable
from ecrm.domain.messages import Policy, Send, Status
from ecrm.domain.runs import CampaignMessage, Otherwise, Pilot, PilotMetric, Run, RunState, Treatment, Tried, Verdict
from ecrm.domain.statistics import NOTHING
from ecrm.domain.tallies import Group, tally_of
from ecrm.store.messages import DynamoSends
from ecrm.store.rosters import DynamoRosters
from ecrm.store.runs import run_item
from ecrm.store.table import Put
from ecrm.store.tallies import DynamoLastOrders, DynamoTallies
from tests.builders import NOON, a_planned_send, a_run
from tests.cloud import Cloud

LATER = NOON + timedelta(hours=4)
TWO = (CampaignMessage(name="spring", treatments=(Treatment(name="a", template="news"), Treatment(name="b", template="news"))),)
PILOT = Pilot(percent=Decimal(20), wait=timedelta(hours=4), minimum=100, otherwise=Otherwise.SPLIT)


@dataclass
class At:
    """A clock that stands."""

    time: datetime

    def now(self) -> datetime:
        return self.time


@pytest.fixture
def room(cloud: Cloud) -> RunRoom:
    del cloud
    return a_room(LATER)


def rosters() -> DynamoRosters:
    return DynamoRosters(bootstrap.table())


def a_room(now: datetime) -> RunRoom:
    table = bootstrap.table()
    return RunRoom(
        runs=bootstrap.runs(),
        rosters=rosters(),
        sends=bootstrap.sends(),
        tallies=DynamoTallies(table),
        last_orders=DynamoLastOrders(table, bootstrap.customers()),
        clock=At(now),
    )


def entries(count: int, *, treatment: str | None = "a", status: Status = Status.ACCEPTED, clicks: int = 0) -> list[Send]:
    name = treatment or "waiting"
    return [
        replace(
            a_planned_send("r1", f"{name}{number:04}", policy=Policy.MARKETING, topic="news"),
            status=status,
            arm=Arm.TREATED,
            message="spring",
            treatment=treatment,
            is_pilot=treatment is not None,
            settled_at=NOON if status is Status.ACCEPTED else None,
            clicked_at=NOON + timedelta(hours=1) if number < clicks else None,
        )
        for number in range(count)
    ]


def there(run: Run, pages: Iterable[list[Send]]) -> Run:
    """Write a run as it is when all of its pages are planned."""
    audience = 0
    for page, roster in enumerate(pages):
        for some in batched(roster, AT_ONCE, strict=False):
            rosters().add([replace(send, shard=page) for send in some])
        rosters().plan(run.run_id, page, len(roster))
        audience += len(roster)
    run = replace(run, audience=audience, woken_at=NOON, due_at=LATER)
    bootstrap.table().put(Put(run_item(run), None, "it is there"))
    return run


def looked_after(run: Run, room: RunRoom, is_late: Callable[[], bool] = lambda: False) -> tuple[LookedAfter, Run]:
    done = look_after(run, is_late, room=room)
    found = room.runs.find(run.run_id)
    assert found is not None
    return done, found


def test_books_are_closed_when_nothing_is_open(room: RunRoom) -> None:
    held_out = [replace(send, status=Status.HELD_OUT, arm=Arm.CONTROL) for send in entries(3, treatment=None)]
    run = there(a_run(), [entries(5), held_out, []])
    done, after = looked_after(run, room)
    assert done == LookedAfter(is_settled=True)
    assert (after.state, after.settled_at, after.due_at) == (RunState.SETTLED, LATER, None)
    assert after.books is not None
    assert {name: count for name, count in after.books.items() if count} == {"accepted": 5, "held_out": 3}
    assert sum(after.books.values()) == after.audience == 8


def test_a_cancelled_run_stays_cancelled_with_its_books_closed(room: RunRoom) -> None:
    run = there(a_run(state=RunState.CANCELLED), [entries(2, status=Status.CANCELLED)])
    done, after = looked_after(run, room)
    assert done.is_settled
    assert (after.state, after.settled_at) == (RunState.CANCELLED, LATER)


@pytest.mark.parametrize("status", [Status.PLANNED, Status.CLAIMED, Status.UNKNOWN])
def test_books_are_not_closed_while_anything_is_open(room: RunRoom, status: Status) -> None:
    run = there(a_run(), [entries(5), entries(1, treatment="b", status=status)])
    done, after = looked_after(run, room)
    assert done == LookedAfter()
    assert (after.state, after.settled_at, after.due_at) == (RunState.SENDING, None, LATER + LOOK_AGAIN)


def test_a_page_that_somebody_comes_back_to_is_not_counted_yet(room: RunRoom) -> None:
    run = there(a_run(), [entries(5), entries(1, treatment="b", status=Status.PLANNED)])
    room.sends.come_back("r1", 1, LATER)
    looked_after(run, room)
    assert room.tallies.of("r1") == {0: Counted(tally_of(entries(5), NOON), LATER)}


def test_a_run_cannot_be_settled_with_entries_that_nobody_planned_or_without_some(room: RunRoom) -> None:
    run = there(a_run(), [entries(5)])
    rosters().add(entries(1, treatment="b"))
    done, after = looked_after(run, room)
    assert done == LookedAfter(is_unbalanced=True)
    assert (after.state, after.settled_at, after.due_at) == (RunState.SENDING, None, LATER + UNBALANCED_AGAIN)


def test_who_runs_out_of_time_goes_on_where_it_ended(room: RunRoom) -> None:
    run = there(a_run(), [entries(2), entries(2, treatment="b")])
    answers = iter([False, True])
    with pytest.raises(Unavailable):
        look_after(run, lambda: next(answers), room=room)
    assert set(room.tallies.of("r1")) == {0}
    done, _ = looked_after(run, room)
    assert done.is_settled


def test_two_who_settle_are_one(room: RunRoom) -> None:
    run = there(a_run(), [entries(2)])
    look_after(run, lambda: False, room=room)
    with pytest.raises(Contended):
        look_after(run, lambda: False, room=room)


def test_a_recount_sees_what_came_late(room: RunRoom) -> None:
    run = there(a_run(), [entries(2, status=Status.UNKNOWN_FINAL)])
    assert recount(run, 0, room=room).books["unknown"] == 2
    late = replace(entries(1)[0], version=2)
    room.sends.write(late)
    assert recount(run, 0, room=room).books == tally_of([late, entries(2, status=Status.UNKNOWN_FINAL)[1]], NOON).books


# ── the pilot ────────────────────────────────────────────────────────────────────────────────────────────────────────


def a_pilot(pilot: Pilot = PILOT, **changes: Any) -> Run:
    return a_run(messages=TWO, pilot=pilot, decide_at=LATER, **changes)


def test_the_treatment_that_is_surely_better_wins_and_whoever_waited_is_woken(room: RunRoom) -> None:
    waiting = entries(7, treatment=None, status=Status.PLANNED)
    run = there(a_pilot(), [entries(100, clicks=2), entries(100, treatment="b", clicks=20), waiting])
    done, after = looked_after(run, room)
    assert done == LookedAfter(decided=("spring",))
    assert after.verdicts == {"spring": Verdict("b", "better", (Tried("a", 100, 2), Tried("b", 100, 20)))}
    assert (after.woken_at, after.due_at, after.state) == (None, LATER, RunState.SENDING)


def test_no_winner_is_an_answer_too(room: RunRoom) -> None:
    run = there(a_pilot(), [entries(100, clicks=11), entries(100, treatment="b", clicks=14)])
    assert looked_after(run, room)[1].verdicts == {
        "spring": Verdict(None, "no_difference", (Tried("a", 100, 11), Tried("b", 100, 14)))
    }


def test_too_few_recipients_decide_nothing(room: RunRoom) -> None:
    run = there(a_pilot(), [entries(99), entries(500, treatment="b", clicks=500)])
    assert looked_after(run, room)[1].verdicts == {"spring": Verdict(None, "too_few", (Tried("a", 99, 0), Tried("b", 500, 500)))}


def test_a_pilot_is_decided_once(room: RunRoom) -> None:
    run = there(a_pilot(verdicts={"spring": Verdict("a", "better")}), [entries(100), entries(100, treatment="b", clicks=99)])
    done, after = looked_after(run, room)
    assert done.decided == ()
    assert after.verdicts == {"spring": Verdict("a", "better")}


@pytest.mark.parametrize("state", [RunState.PAUSED, RunState.CANCELLED])
def test_nothing_is_decided_of_a_run_that_does_not_send(room: RunRoom, state: RunState) -> None:
    run = there(a_pilot(state=state), [entries(100), entries(100, treatment="b", status=Status.PLANNED)])
    assert looked_after(run, room)[1].verdicts == {}


def test_nothing_is_decided_before_its_time(cloud: Cloud) -> None:
    del cloud
    run = there(a_pilot(), [entries(100), entries(100, treatment="b", clicks=99)])
    assert looked_after(run, a_room(LATER - timedelta(seconds=1)))[1].verdicts == {}


def test_a_pilot_waits_for_those_who_have_not_got_their_mail_but_not_for_ever(cloud: Cloud) -> None:
    del cloud
    late = entries(101, treatment="b", clicks=50)
    late[100] = replace(late[100], status=Status.PLANNED, settled_at=None)
    run = there(a_pilot(), [entries(100), late])
    done, after = looked_after(run, a_room(LATER))
    assert (done.decided, after.verdicts) == ((), {})
    half = LATER + (run.expires_at - LATER) / 2
    assert looked_after(after, a_room(half))[1].verdicts == {
        "spring": Verdict("b", "better", (Tried("a", 100, 0), Tried("b", 100, 50)))
    }


def test_the_time_in_which_people_may_click_begins_with_the_last_mail(cloud: Cloud) -> None:
    """A night's quiet hours lie between the beginning and the mails: they are not taken off the four hours."""
    del cloud
    morning = NOON + timedelta(hours=7)
    pages = [[replace(send, settled_at=morning) for send in entries(100, treatment=name)] for name in "ab"]
    run = there(a_pilot(), [*pages, entries(3, treatment=None, status=Status.PLANNED)])
    done, after = looked_after(run, a_room(morning + timedelta(minutes=1)))
    assert done.decided == ()
    assert (after.decide_at, after.verdicts) == (morning + PILOT.wait, {})
    room = a_room(morning + PILOT.wait)
    for send in pages[1][:20]:
        room.sends.write(replace(send, shard=1, clicked_at=morning + timedelta(hours=3), version=2))
    assert looked_after(after, room)[1].verdicts == {"spring": Verdict("b", "better", (Tried("a", 100, 0), Tried("b", 100, 20)))}


def test_a_decision_is_put_off_until_half_of_the_time_of_the_others_at_most(cloud: Cloud) -> None:
    del cloud
    run = a_pilot()
    half = LATER + (run.expires_at - LATER) / 2
    late = [[replace(send, settled_at=half - timedelta(hours=1)) for send in entries(100, treatment=name)] for name in "ab"]
    run = there(run, [*late, entries(1, treatment=None, status=Status.PLANNED)])
    _, after = looked_after(run, a_room(half - timedelta(minutes=30)))
    assert (after.decide_at, after.verdicts) == (half, {})
    assert looked_after(after, a_room(half))[1].verdicts == {
        "spring": Verdict(None, "no_difference", (Tried("a", 100, 0), Tried("b", 100, 0)))
    }


def test_a_page_that_waited_for_a_mail_is_counted_again_and_no_other_one_is(room: RunRoom) -> None:
    late = replace(entries(1, treatment="b")[0], status=Status.PLANNED, settled_at=None)
    run = there(a_pilot(replace(PILOT, minimum=1)), [entries(1), [late], entries(3, treatment="b", clicks=1)])
    _, after = looked_after(run, room)
    assert ({0, 1}, {}) == (set(room.tallies.of("r1")), after.verdicts)
    soon = a_room(LATER + LOOK_AGAIN)
    soon.sends.write(replace(late, shard=1, status=Status.EXPIRED, settled_at=LATER, version=2))
    asked: list[int] = []
    decided = looked_after(after, counting(soon, asked))[1].verdicts
    assert {"spring": Verdict(None, "no_difference", (Tried("a", 1, 0), Tried("b", 3, 1)))} == decided
    assert [1, 2] == asked


def test_who_decides_a_pilot_goes_on_where_the_time_ended(room: RunRoom) -> None:
    """With time for two of twenty pages in each round; each of them is read once."""
    run = there(a_pilot(replace(PILOT, minimum=1)), [entries(2, treatment="ab"[page % 2], clicks=page % 2) for page in range(20)])
    asked: list[int] = []
    counts = counting(room, asked)
    for done in range(0, 18, 2):
        with pytest.raises(Unavailable):
            look_after(run, lambda done=done: len(asked) >= done + 2, room=counts)  # type: ignore[misc]  # a value of each round
    decided = looked_after(run, counts)[1].verdicts
    assert list(range(20)) == asked
    assert {"spring": Verdict("b", "better", (Tried("a", 20, 0), Tried("b", 20, 10)))} == decided


def counting(room: RunRoom, asked: list[int]) -> RunRoom:
    """A room that notes which pages are read."""

    class Sends(DynamoSends):
        def page(self, run_id: str, shard: int, *, after: str | None = None) -> Iterator[Send]:
            asked.append(shard)
            return super().page(run_id, shard, after=after)

    return replace(room, sends=Sends(bootstrap.table(), bootstrap.customers(), bytes))


def test_everybody_in_the_pilot_has_the_whole_time_also_where_another_never_got_theirs(cloud: Cloud) -> None:
    """What was counted when the decision was due at first is too early for somebody whose mail went out an hour before that."""
    del cloud
    wait = PILOT.wait
    late = [replace(send, settled_at=LATER - timedelta(hours=1)) for send in entries(100)]
    missing = replace(entries(101, treatment="b")[100], status=Status.PLANNED, settled_at=None)
    run = there(a_pilot(), [late, [*entries(100, treatment="b"), missing]])
    room = a_room(LATER)
    _, after = looked_after(run, room)
    assert {} == after.verdicts
    for send in late[:20]:
        room.sends.write(replace(send, clicked_at=LATER + timedelta(hours=1), version=2))
    room.sends.write(replace(missing, shard=1, status=Status.EXPIRED, settled_at=LATER, version=2))
    soon = LATER + wait
    _, after = looked_after(after, a_room(soon))
    assert {"spring": Verdict("a", "better", (Tried("a", 100, 20), Tried("b", 100, 0)))} == after.verdicts
    assert soon == after.decide_at


def test_orders_are_counted_since_each_got_their_mail_and_of_the_whole_person(room: RunRoom) -> None:
    """Half of b ordered since, one of them as a part of somebody else; all of a before."""
    pilot = replace(PILOT, metric=PilotMetric.ORDERS)
    run = there(a_pilot(pilot), [entries(100, clicks=100), entries(100, treatment="b")])
    for number in range(100):
        ordered(f"a{number:04}", NOON - timedelta(seconds=1))
        ordered(f"b{number:04}" if number else "winner", NOON if number < 50 else None)
    bootstrap.customers().write(Claim(Customer("b0000", (), NOON, merged_into="winner"), 0, (), ()), None, NOON)
    assert looked_after(run, room)[1].verdicts == {"spring": Verdict("b", "better", (Tried("a", 100, 0), Tried("b", 100, 50)))}
    (counted,) = (found.tally.ordered for found in room.tallies.of("r1").values() if found.tally.ordered)
    assert {Group("spring", Arm.TREATED, "b", is_pilot=True): 50} == counted
    found = room.last_orders.of(["a0000", "b0000", "b0099", "nobody"])
    assert found == {"a0000": NOON - timedelta(seconds=1), "b0000": NOON}


def ordered(customer_id: str, at: datetime | None) -> None:
    bootstrap.statistics().write(customer_id, replace(NOTHING, first_order_at=at, last_order_at=at), seen=0)
