"""Tallies: each entry is counted once, whatever page it stands on, and the books of ended entries sum up to them."""

import random
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

from ecrm.domain.assignment import Arm
from ecrm.domain.messages import OPEN, Policy, Send, Status
from ecrm.domain.tallies import BOOKS, MOST_HOURS, MOST_LINKS, Group, Tally, group_of, merged, tally_of
from tests.builders import NOON, a_planned_send

A = Group("spring", "treated", "a", is_pilot=False)


def entry(customer_id: str = "c1", status: Status = Status.ACCEPTED, **changes: Any) -> Send:
    send = a_planned_send("r1", customer_id, policy=Policy.MARKETING, topic="news")
    said: dict[str, Any] = {"arm": Arm.TREATED, "message": "spring", "treatment": "a", "settled_at": NOON, **changes}
    return replace(send, status=status, **said)


def test_every_status_is_open_or_an_end_of_the_books() -> None:
    assert {*OPEN, *BOOKS} == set(Status)
    assert not OPEN & BOOKS.keys()


def test_the_books_of_ended_entries_sum_up_to_them() -> None:
    ended = [entry(str(number), status) for number, status in enumerate(BOOKS)]
    tally = tally_of(ended, NOON)
    assert tally.books == dict.fromkeys(BOOKS.values(), 1)
    assert (tally.entries, tally.open) == (len(BOOKS), 0)


def test_what_is_open_is_in_no_book() -> None:
    tally = tally_of([entry(status, status) for status in OPEN], NOON)
    assert tally.books == dict.fromkeys(BOOKS.values(), 0)
    assert (tally.entries, tally.open) == (3, 3)


def test_what_followed_is_counted_of_accepted_mails_alone_by_treatment() -> None:
    later = NOON + timedelta(hours=2)
    tally = tally_of(
        [
            entry("c1", delivered_at=later, opened_at=later, clicked_at=later, links={"1a": later, "2b": later}),
            entry("c2", delivered_at=later, links={"1a": later}),
            entry("c3", Status.HELD_OUT, arm=Arm.CONTROL, treatment=None),
            entry("c4", Status.UNKNOWN_FINAL, opened_at=later),
            entry("c5", Status.NO_CONSENT, arm=None, treatment=None, reason="no_address"),
        ],
        NOON,
    )
    assert tally.groups[A] == Counter(entries=3, accepted=2, unknown_final=1, delivered=2, opened=1, clicked=1)
    assert tally.groups[Group("spring", "control", "", is_pilot=False)] == Counter(entries=1, held_out=1)
    assert tally.groups[Group("spring", "", "", is_pilot=False)] == Counter(entries=1, no_consent=1)
    assert tally.reasons == {"no_consent": Counter(no_address=1)}
    assert tally.links == {("spring", "a"): Counter({"1a": 2, "2b": 1})}
    assert tally.hours == {0: Counter(accepted=2), 2: Counter(opened=1, clicked=1)}


def test_hours_and_links_have_bounds() -> None:
    late = NOON + timedelta(days=40)
    followed = {f"{number:03}": late for number in range(MOST_LINKS + 1)}
    tally = tally_of([entry("c1", links=followed, clicked_at=late), entry("c2", links={"100": late})], NOON)
    assert set(tally.hours) == {0, MOST_HOURS}
    assert len(tally.links["spring", "a"]) == MOST_LINKS
    assert tally.links["spring", "a"]["100"] == 2


def test_the_pages_of_a_run_come_to_what_one_page_of_all_would() -> None:
    chance = random.Random(5)
    entries = [
        entry(
            str(number),
            chance.choice(list(Status)),
            treatment=chance.choice(["a", "b"]),
            reason=chance.choice([None, "cap"]),
            clicked_at=chance.choice([None, NOON + timedelta(hours=chance.randrange(9))]),
            links=chance.choice([{}, {"1a": NOON}]),
        )
        for number in range(500)
    ]
    pages = [entries[at::7] for at in range(7)]
    assert merged(tally_of(page, NOON) for page in pages) == tally_of(entries, NOON)
    assert merged([]) == Tally()
    assert group_of(entries[0]).message == "spring"
