"""A night on the deployed stack, through its machine, whoever dies meanwhile; and what is known of a customer between nights."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest

from local import nightly
from local.api import Api
from local.down import drain
from local.stack import Stack
from local.up import wait_until
from tests.journey.conftest import make
from tests.journey.test_imports import workers
from tests.journey.test_mail import kill

OURS = {"profile": {"path": "came_by", "op": "is", "value": "night"}}
RULES = {
    "night-people": OURS,
    "night-buyers": {"and": [{"segment": {"id": "night-people"}}, {"stats": {"field": "orders", "op": ">=", "value": 1}}]},
    "night-jazz": {
        "and": [OURS, {"order": {"op": ">=", "value": 1, "where": [{"field": "sku", "op": "is", "value": "NIGHT-JAZZ"}]}}]
    },
    "night-alive": {"and": [OURS, {"predicted": {"field": "p_alive", "currency": "EUR", "op": ">=", "value": 0.5}}]},
}
"""The second one follows from a row; the third one takes orders to be read, and the fourth one the night's model."""


@pytest.fixture(scope="module")
def staff(facts: dict[str, Any]) -> Iterator[Api]:
    with Api(facts["api_url"], facts["staff_key"]) as connection:
        yield connection


@pytest.fixture(scope="module")
def people(facts: dict[str, Any], staff: Api, stack: Stack) -> dict[str, str]:
    """Four customers by name, of whom one has bought just now and one long ago; and the segments."""
    for name, rule in RULES.items():
        staff.put(f"/v1/segments/{name}", {"name": name, "description": "Of the journey.", "rule": rule}, 200, 201)
    with Api(facts["api_url"], facts["server_key"]) as shop:
        found = {
            name: shop.put("/v1/customers", {"user_id": f"night-{name}", "traits": {"came_by": "night"}}, 200, 201)["customer_id"]
            for name in ("buyer", "former", "later", "never")
        }
        buy(shop, "buyer", "NIGHT-BLUES")
        buy(shop, "former", "NIGHT-BLUES", ago=timedelta(days=400))
    assert drain(stack) == {}
    return found


def buy(shop: Api, name: str, sku: str, *, ago: timedelta = timedelta()) -> None:
    order = {
        "order_id": f"night-{name}-{sku}",
        "placed_at": (datetime.now(UTC) - ago).isoformat(),
        "backfill": bool(ago),
        "currency": "EUR",
        "customer": {"user_id": f"night-{name}"},
        "lines": [{"sku": sku, "name": "A record", "quantity": 1, "unit_price": "10.00"}],
        "total": "10.00",
    }
    shop.post("/v1/orders", order, 200, 201)


def members(staff: Api, people: dict[str, str]) -> dict[str, list[str]]:
    """Who is in each segment, by name, as the last night found them."""
    names = {customer_id: name for name, customer_id in people.items()}
    return {
        segment: sorted(names[each["customer_id"]] for each in staff.get(f"/v1/segments/{segment}/members")["data"])
        for segment in RULES
    }


def alive(staff: Api, people: dict[str, str]) -> list[str]:
    """Who is in the fourth segment if it goes by what is predicted of each."""
    predicted = {name: staff.get(f"/v1/customers/{customer_id}/stats")["predictions"] for name, customer_id in people.items()}
    return sorted(
        name for name, by_currency in predicted.items() if "EUR" in by_currency and by_currency["EUR"]["p_alive"] >= 0.5
    )


def timeline(staff: Api, customer_id: str) -> list[tuple[str, str]]:
    """What nights told of a customer: kinds of events, and the segment or stage that each leads to."""
    events = staff.get(f"/v1/customers/{customer_id}/timeline?limit=100")["data"]
    told = [event for event in reversed(events) if event["source"] == "night"]
    return sorted((event["type"], event["data"].get("segment") or event["data"]["to"]) for event in told)


def test_two_nights_go_through_however_workers_die_and_tell_who_is_where_who_moved_and_what_is_expected(
    stack: Stack, facts: dict[str, Any], api: Api, staff: Api, people: dict[str, str]
) -> None:
    goes_through(stack, staff, people)
    explains_an_order_and_tells_of_it(stack, api, staff, people)
    is_reported(facts, staff)


def goes_through(stack: Stack, staff: Api, people: dict[str, str]) -> None:
    """In spite of killed workers; and once more on that day it does nothing."""
    at = nightly.the_next(staff)
    night = first_night(stack, staff, people, at)
    found = {
        "night-people": ["buyer", "former", "later", "never"],
        "night-buyers": ["buyer", "former"],
        "night-jazz": [],
        "night-alive": ["buyer"],
    }
    assert members(staff, people) == found
    assert alive(staff, people) == found["night-alive"]
    assert {name: night["segments"][name]["size"] for name in RULES} == {name: len(those) for name, those in found.items()}
    stats = staff.get(f"/v1/customers/{people['buyer']}/stats")
    assert [segment for segment in stats["segments"] if segment in RULES] == ["night-alive", "night-buyers", "night-people"]
    assert stats["predictions"]["EUR"]["model"]["fitted_on"] == night["night"] == night["models"]["EUR"]["fitted_on"]
    assert nightly.nightly(stack, at)["skipped"] == "published"
    assert "There was nothing to do" in make("nightly", stack.port)
    assert staff.get(f"/v1/nights/{night['night']}") == night


def first_night(stack: Stack, staff: Api, people: dict[str, str], at: datetime) -> dict[str, Any]:
    """Run a night, killing each of its steps once while it is at work."""
    assert people
    execution = nightly.start(stack, at)
    for folder in ("SnapshotCustomers", "ScoreCustomers", "TellNight"):
        kill_one(stack, folder)
    ended = nightly.outcome(stack, execution)
    assert (ended["status"], ended.get("cause")) == ("SUCCEEDED", None)
    night = staff.get(f"/v1/nights/{at.date().isoformat()}")
    assert (night["state"], night["error"]) == ("published", None)
    return night


def kill_one(stack: Stack, folder: str) -> None:
    """Kill a worker of a function as soon as there is one."""
    busy: list[int] = []

    def is_at_work() -> bool:
        busy.extend(workers(stack, folder))
        return busy != []

    wait_until(is_at_work, f"{folder} is never at work")
    kill(busy[0])


def explains_an_order_and_tells_of_it(stack: Stack, api: Api, staff: Api, people: dict[str, str]) -> None:
    """A customer is explained as soon as an order is counted; the next night says who moved."""
    before = members(staff, people)
    buy(api, "later", "NIGHT-JAZZ")
    assert drain(stack) == {}
    now = staff.get(f"/v1/customers/{people['later']}/segments")
    found = {each["segment"]: each for each in now["segments"] if each["segment"] in RULES}
    assert {name: each["member"] for name, each in found.items()} == dict.fromkeys(RULES, True)
    assert [(why["pointer"], why["seen"], why["holds"]) for why in found["night-jazz"]["why"]] == [
        ("/and/0/profile", "night", True),
        ("/and/1/order", 1, True),
    ]
    assert members(staff, people) == before
    assert staff.get(f"/v1/customers/{people['later']}/stats")["predictions"].keys() == {"EUR"}, "by last night's model"
    planned = nightly.nightly(stack, nightly.the_next(staff))
    assert planned["skipped"] is None
    assert members(staff, people) == {
        "night-people": ["buyer", "former", "later", "never"],
        "night-buyers": ["buyer", "former", "later"],
        "night-jazz": ["later"],
        "night-alive": ["buyer", "later"],
    }
    assert alive(staff, people) == ["buyer", "later"]
    assert timeline(staff, people["later"]) == [
        ("customer.stage_changed", "new"),
        ("segment.entered", "night-alive"),
        ("segment.entered", "night-buyers"),
        ("segment.entered", "night-jazz"),
    ]
    assert timeline(staff, people["never"]) == []
    assert staff.get(f"/v1/nights/{planned['night']}")["moves"]["prospect"]["new"] >= 1


def is_reported(facts: dict[str, Any], staff: Api) -> None:
    """The last night has a report, as data and, by its link, in every language."""
    (last,) = staff.get("/v1/reports?limit=1")["data"]
    night = last["night"]
    assert night == staff.get("/v1/nights?limit=1")["data"][0]["night"]
    told, found = staff.get(f"/v1/reports/{night}"), staff.get(f"/v1/nights/{night}")
    assert (told["customers"], told["stages"], told["moves"]) == (found["customers"], found["stages"], found["moves"])
    buyers = sum(cohort["customers"] for cohort in told["currencies"]["EUR"]["cohorts"])
    assert buyers == told["currencies"]["EUR"]["spent"]["customers"] >= 1
    pages = nightly.report_pages(staff, facts["api_url"], night)
    shown = {language: visited(page) for language, page in pages.items()}
    assert {language: status for language, (status, _) in shown.items()} == {"en": 200, "fa": 200, "zh": 200}
    assert "Where customers stand" in shown["en"][1]
    assert [re.findall(r'<html lang="([\w-]+)"', text) for _, text in shown.values()] == [["en"], ["fa"], ["zh-Hans"]]
    status, text = visited(pages["en"][:-3] + "AAA" if not pages["en"].endswith("AAA") else pages["en"][:-3] + "BBB")
    assert (status, "Where customers stand" in text) == (404, False)


def visited(page: str) -> tuple[int, str]:
    url = urlsplit(page)
    connection = HTTPConnection("127.0.0.1", url.port or 80, timeout=60)
    connection.request("GET", url.path)
    response = connection.getresponse()
    answer = response.status, response.read().decode()
    connection.close()
    return answer
