"""A file becomes the same contacts and the same counts, whoever dies over it, and however often its notices come (I1, I2)."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, partial
from random import Random
from typing import Any

import pytest

from ecrm.application.imports import cancel_import, read_import
from ecrm.application.profiles import read_profile
from ecrm.domain.attributes import known
from ecrm.domain.customers import Kind
from ecrm.domain.imports import Drop, Import, ImportState, RowResult
from tests.builders import NOON
from tests.faults import Kill
from tests.simulation.bucket import BAD, LATER, Bucket, Calls, NowAndThen, Office, Post, table_of
from tests.simulation.company import Company, Counted, Stopped, person
from tests.simulation.schedule import Schedule, Weather, hold
from tests.simulation.table import MemoryTable, Moment

NAME = "imports/contacts/fair.csv"
RESULT = f"{NAME}.result.json"
REJECTS = f"{NAME}.rejects.csv"
HEADER = ("email", "first_name", "city")
KILLED = Weather(kill=0.004, lose=0.004, resend=0.01, twice=0.2)
DEADLY = Weather(kill=0.03, lose=0.004, resend=0.01, twice=0.2)
SOON = timedelta(minutes=5)


def rows_of(number: int, *, people: int, bad_every: int = 17) -> list[tuple[str, str, str]]:
    """Rows about fewer people, so that some are named again, near and far; some rows are to be refused."""
    return [
        (BAD, f"n{row}", "x")
        if row % bad_every == 0
        else (f"p{row * 7 % people}@example.com", f"n{row % 5}", ("", "Köln", "Ulm")[row % 3])
        for row in range(1, number + 1)
    ]


def text_of(number: int, *, people: int) -> str:
    return table_of(rows_of(number, people=people), *HEADER)


@cache
def town(people: int) -> MemoryTable:
    """Some of the people are known already."""
    table = MemoryTable()
    company = Company(table).open()
    for number in range(0, people, 3):
        before = NOON - timedelta(days=1)
        company.put(person(email=f"p{number}@example.com"), {"first_name": "n0", "city": "Ulm"}, before, before)
    return table


@dataclass(frozen=True)
class Outcome:
    """All that an import leaves behind, as people see it."""

    people: dict[str, dict[str, Any]]
    result: dict[str, Any]
    rejects: str | None
    told: list[tuple[int, str]]


def people_of(company: Company) -> dict[str, dict[str, Any]]:
    found = {}
    for item in company.table.items("PROFILE"):
        profile = read_profile(item["PK"].removeprefix("CUSTOMER#"), customers=company.customers, profiles=company.profiles)
        (email,) = (each.value for each in profile.customer.identifiers if each.kind is Kind.EMAIL)
        found[email] = known(profile.attributes)
    return found


def outcome_of(office: Office, name: str = NAME) -> Outcome:
    result = json.loads(office.bucket.text(f"{name}.result.json"))
    rejects = office.bucket.objects.get(f"{name}.rejects.csv")
    told = [item["data"] for item in office.company.table.items("EVENT#") if item["type"] == "customer.imported"]
    return Outcome(
        people=people_of(office.company),
        result=result,
        rejects=rejects.content.decode() if rejects else None,
        told=sorted((data["row"], data["import_id"]) for data in told),
    )


def office_of(table: MemoryTable, pause: Any = None, *, most: int = 10) -> Office:
    forked = table.fork(pause=pause) if pause else table.fork()
    more = {"pause": pause} if pause else {}
    return Office(Company(forked, Counted(100_000)), Bucket(most=most, **more), **more)


def folded(rows: Iterable[Sequence[str]], people: int) -> dict[str, dict[str, Any]]:
    """What the rows say, one after the other."""
    found: dict[str, dict[str, Any]] = {
        f"p{number}@example.com": {"first_name": "n0", "city": "Ulm"} for number in range(0, people, 3)
    }
    for email, *values in rows:
        if email != BAD:
            said = {name: value for name, value in zip(HEADER[1:], values, strict=True) if value}
            found[email] = found.get(email, {}) | said
    return found


def test_a_file_becomes_contacts_and_a_result() -> None:
    office = office_of(town(60))
    Post(office).deliver(office.bucket.drop(NAME, text_of(101, people=60)))

    outcome = outcome_of(office)
    rows = rows_of(101, people=60)
    bad = [number for number, row in enumerate(rows, 1) if row[0] == BAD]
    assert folded(rows, 60) == outcome.people
    assert {
        "state": "done",
        "rows": 101,
        "rejected": len(bad),
        "skipped": 101 - len(bad) - len({row[0] for row in rows if row[0] != BAD}),
        "has_more_rows": False,
        "rejects": "fair.csv.rejects.csv",
        "error": None,
    }.items() <= outcome.result.items()
    assert 101 == sum(outcome.result[result] for result in RowResult)
    assert [f"{BAD},n{row},x,{row + 1},email,bad_address" for row in bad] == (outcome.rejects or "").splitlines()[1:]


@cache
def undisturbed(number: int, people: int, most: int) -> tuple[Outcome, int]:
    calls = Calls()
    office = office_of(town(people), calls, most=most)
    Post(office).deliver(office.bucket.drop(NAME, text_of(number, people=people)), is_late=NowAndThen())
    count = calls.count
    return outcome_of(office), count


@pytest.mark.parametrize("part", range(8))
def test_an_import_that_is_killed_at_any_call_ends_as_one_that_is_not(part: int) -> None:
    """I2: 101 rows in eleven chunks, and time is short now and then; before and after each call."""
    expected, calls = undisturbed(101, 60, 10)
    for killed_at in range(1 + part, calls + 1, 8):
        office = office_of(town(60), Calls(killed_at))
        Post(office).deliver(office.bucket.drop(NAME, text_of(101, people=60)), is_late=NowAndThen())
        assert expected == outcome_of(office), killed_at


def test_an_import_of_ten_thousand_rows_is_exact_whoever_dies_over_it() -> None:
    """I2: fifty deaths at 10,007 rows."""
    expected, calls = undisturbed(10_007, 8_000, 250)
    random = Random(10_007)
    deaths = set(random.sample(range(1, calls), 50))
    killed = Calls()

    def pause(moment: Moment, operation: str) -> None:
        killed(moment, operation)
        if killed.count in deaths and moment is not Moment.WITHIN:
            deaths.remove(killed.count)
            raise Kill

    office = office_of(town(8_000), pause, most=250)
    Post(office, random).deliver(office.bucket.drop(NAME, text_of(10_007, people=8_000)))

    assert not deaths
    assert expected == outcome_of(office)
    assert 10_007 == sum(expected.result[result] for result in RowResult)


@dataclass
class Race:
    """Notices of one name and all that follows from them, at once and in any order, some of it twice."""

    seed: int
    schedule: Schedule
    office: Office

    @classmethod
    def of(cls, seed: int, weather: Weather = KILLED) -> "Race":
        schedule = Schedule(seed, weather, table=town(12))
        bucket = Bucket(schedule.pause, most=3)
        return cls(seed, schedule, Office(Company(schedule.table, Counted(1_000)), bucket, schedule.pause))

    def run(self, *drops: Drop, others: Iterable[Callable[[], object]] = ()) -> "Race":
        """Deliver everything, a few things at a time, until nothing waits."""
        random, office = self.schedule.random, self.office
        waiting: list[Callable[[], object]] = [partial(office.notify, drop, self.is_late) for drop in drops]
        waiting += others
        while waiting or office.waiting:
            waiting += [partial(office.deliver, message, self.is_late) for message in office.waiting]
            office.waiting.clear()
            random.shuffle(waiting)
            some = [waiting.pop() for _ in range(min(len(waiting), random.randint(1, 5)))]
            self.schedule.run({f"{number}": call for number, call in enumerate(some)})
        return self

    def is_late(self) -> bool:
        return self.schedule.random.random() < 0.2

    def imports(self) -> list[Import]:
        ids = [item["PK"].removeprefix("IMPORT#") for item in self.schedule.table.items("IMPORT")]
        return [read_import(import_id, imports=self.office.imports)[0] for import_id in ids]

    def balance(self) -> None:
        """Each row is counted once, and what is said to have changed something is what has."""
        office = self.office
        for import_ in self.imports():
            assert import_.has_ended, import_
            assert import_.tally is not None, import_
            progress = office.imports.progress(import_.import_id)
            outcomes = [
                outcome for chunk in office.bucket.outcomes(import_.import_id, range(progress.chunks)) for outcome in chunk
            ]
            if import_.same_as is None:
                assert list(range(1, import_.tally.rows + 1)) == [outcome.row for outcome in outcomes], import_
            told = [
                item["data"]["row"]
                for item in self.schedule.table.items("EVENT#")
                if item["type"] == "customer.imported" and item["data"]["import_id"] == import_.import_id
            ]
            changed = {RowResult.CREATED, RowResult.UPDATED}
            assert sorted(told) == [outcome.row for outcome in outcomes if outcome.result in changed], import_


def the_same_file_twice(seed: int) -> None:
    race = Race.of(seed)
    bucket, text = race.office.bucket, text_of(25, people=12)
    first, second = bucket.drop(NAME, text), bucket.drop(NAME, text, NOON + SOON)
    race.run(*race.schedule.random.sample([first, second, first, second], 4))

    assert folded(rows_of(25, people=12), 12) == people_of(race.office.company), "other contacts"
    race.balance()


@pytest.mark.parametrize("part", range(10))
def test_the_same_file_twice_with_its_notices_in_any_order_gives_the_same_contacts(part: int) -> None:
    """I1: 500 permutations, with chunks in any order, several at once, deaths and lost replies."""
    hold(the_same_file_twice, range(part * 50, part * 50 + 50))


def cancelled_in_the_middle(seed: int) -> None:
    race = Race.of(seed, DEADLY)
    bucket, imports = race.office.bucket, race.office.imports
    drop = bucket.drop(NAME, text_of(25, people=12))

    def cancel() -> None:
        for import_ in race.imports():
            cancel_import(import_.import_id, imports=imports, clock=Stopped(LATER))

    race.run(drop, drop, others=[cancel] * race.schedule.random.randint(1, 3))

    (import_,) = race.imports()
    assert import_.state in {ImportState.DONE, ImportState.CANCELLED}
    if import_.state is ImportState.DONE:
        assert import_.tally is not None
        assert 25 == import_.tally.rows
    race.balance()


def test_an_import_that_is_cancelled_at_any_moment_counts_what_it_did() -> None:
    hold(cancelled_in_the_middle, range(100))
