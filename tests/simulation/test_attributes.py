"""A change of attributes is held to the attributes alone: beside mergers it says what it says, whoever comes first."""

from collections.abc import Callable
from datetime import timedelta
from functools import cache, partial

from ecrm.application.profiles import read_profile
from ecrm.domain.errors import Conflict
from tests.builders import NOON
from tests.simulation.company import Company, Counted, person
from tests.simulation.schedule import ROUGH, Schedule, hold
from tests.simulation.table import MemoryTable

LONG_AGO, EARLIER, NOW = (NOON - timedelta(minutes=minutes) for minutes in (60, 30, 0))
SARA, NILUFAR = "c1", "c2"


@cache
def two_people() -> MemoryTable:
    table = MemoryTable()
    company = Company(table)
    for number, city in enumerate(("Köln", "Bonn"), start=1):
        company.put(person(email=f"{number}@example.com"), {"city": city, "pet": "cat"}, LONG_AGO, LONG_AGO)
    return table


def raced(seed: int, *joins: str) -> Company:
    schedule = Schedule(seed, ROUGH, table=two_people())
    company = Company(schedule.table, Counted(10))

    def join(name: str) -> None:
        try:
            getattr(company, name)(SARA, NILUFAR, NOW)
        except Conflict:  # nothing to undo yet
            assert name == "unmerge"

    calls: dict[str, Callable[[], object]] = {
        "older": partial(company.update, NILUFAR, {"city": "Essen"}, EARLIER - timedelta(minutes=1), NOW),
        "newer": partial(company.update, NILUFAR, {"city": "Mainz", "pet": None}, EARLIER, NOW),
        "hers": partial(company.update, SARA, {"sport": "chess"}, EARLIER, NOW),
    }
    schedule.run(calls | {name: partial(join, name) for name in joins})
    return company


def attributes(company: Company, customer_id: str) -> dict[str, object]:
    profile = read_profile(customer_id, customers=company.customers, profiles=company.profiles)
    return {name: attribute.value for name, attribute in profile.attributes.items() if attribute.value is not None}


def test_what_is_said_of_two_who_are_merged_meanwhile_is_what_both_say_together() -> None:
    def check(seed: int) -> None:
        company = raced(seed, "merge")
        assert [{"city": "Mainz", "sport": "chess"}] * 2 == [attributes(company, each) for each in (SARA, NILUFAR)]

    hold(check, range(500))


def test_nothing_that_is_said_is_lost_while_two_are_merged_and_taken_apart() -> None:
    def check(seed: int) -> None:
        company = raced(seed, "merge", "unmerge")
        company.merge(SARA, NILUFAR, NOW)
        assert {"city": "Mainz", "sport": "chess"} == attributes(company, SARA)

    hold(check, range(500))
