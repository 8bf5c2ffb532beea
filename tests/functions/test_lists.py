"""Lists: by day and status, per customer, by identifier, and the timeline; page by page, with cursors bound to their query."""

import base64
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from ecrm import bootstrap
from ecrm.entry.cursors import seal
from tests.builders import an_event
from tests.cloud import Answer, a_cloud
from tests.functions.api import NOBODY, Shop, a_new_order, code_of, open_shop
from tests.functions.conftest import Logs
from tests.functions.test_leaks import CORRUPT, corrupt

DAYS = ("2026-10-01", "2026-10-02", "2026-10-05")
"""Days on which the shop of this module sold five orders each: the first one paid, the second one cancelled."""


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with a_cloud() as cloud:
        shop = open_shop(cloud)
        orders = [
            a_new_order(order_id=f"{day}.{hour}", placed_at=f"{day}T0{hour}:00:00Z", customer={"email": f"{hour}@example.com"})
            for day in DAYS
            for hour in range(5)
        ]
        events = [an_event(type_, order_id=f"{day}.{hour}") for day in DAYS for hour, type_ in enumerate(("paid", "cancelled"))]
        assert 15 == shop.call("POST", "/v1/orders/batch", {"orders": orders}).json["created"]
        assert 6 == shop.call("POST", "/v1/orders/events/batch", {"events": events}).json["created"]
        yield shop


def pages(shop: Shop, path: str, query: str) -> Iterator[list[Any]]:
    cursor = ""
    while True:
        answer = shop.call("GET", path, query=query + cursor)
        assert 200 == answer.status, answer.text
        assert {"data", "next_cursor"} == set(answer.json)
        yield answer.json["data"]
        if answer.json["next_cursor"] is None:
            return
        cursor = f"&cursor={answer.json['next_cursor']}"


def ids(data: list[Any]) -> list[str]:
    return [order["order_id"] for order in data]


def newest_first(*days: str, hours: tuple[int, ...] = (0, 1, 2, 3, 4)) -> list[str]:
    return [f"{day}.{hour}" for day in sorted(days, reverse=True) for hour in sorted(hours, reverse=True)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("from=2026-10-01&to=2026-10-05", newest_first(*DAYS)),
        ("from=2026-10-01&to=2026-10-04", newest_first(*DAYS[:2])),
        ("from=2026-10-02&to=2026-10-02", newest_first(DAYS[1])),
        ("from=2026-10-03&to=2026-10-04", []),
        ("to=2026-10-07", newest_first(*DAYS)),
        ("to=2026-10-08", newest_first(*DAYS[1:])),
        ("to=2026-10-12", []),
        ("from=2026-09-05", newest_first(*DAYS)),
        ("from=2026-09-04", newest_first(*DAYS[:2])),
        ("from=2026-10-01&to=2026-10-05&status=paid", newest_first(*DAYS, hours=(0,))),
        ("from=2026-10-01&to=2026-10-05&status=cancelled", newest_first(*DAYS, hours=(1,))),
        ("from=2026-10-01&to=2026-10-05&status=placed", newest_first(*DAYS, hours=(2, 3, 4))),
        ("from=2026-10-01&to=2026-10-05&status=shipped", []),
        ("from=2026-10-01&to=2026-10-05&site=fr", []),
        ("from=1970-01-01&to=1970-01-02", []),
        ("from=2999-12-30&to=2999-12-31", []),
    ],
)
def test_a_site_lists_its_orders_by_day_and_status(shop: Shop, query: str, expected: list[str]) -> None:
    found = list(pages(shop, "/v1/orders", f"{query}&limit=4"))
    assert expected == [order_id for page in found for order_id in ids(page)]


@pytest.mark.parametrize("limit", [1, 2, 7, 100])
@pytest.mark.parametrize("status", ["", "&status=placed"])
def test_pages_of_any_size_repeat_nothing_and_leave_nothing_out(shop: Shop, limit: int, status: str) -> None:
    found = list(pages(shop, "/v1/orders", f"from=2026-10-01&to=2026-10-05{status}&limit={limit}"))
    hours = (2, 3, 4) if status else (0, 1, 2, 3, 4)
    assert newest_first(*DAYS, hours=hours) == [order_id for page in found for order_id in ids(page)]
    assert max(map(len, found)) <= limit


def test_without_days_the_list_has_the_last_seven(shop: Shop) -> None:
    today = bootstrap.clock.now()
    for ago in (0, 6, 7):
        day = (today - timedelta(days=ago)).date().isoformat()
        shop.call("POST", "/v1/orders", a_new_order(order_id=f"ago-{ago}", placed_at=f"{day}T00:00:00Z", site="fr"))
    assert ["ago-0", "ago-6"] == ids(shop.call("GET", "/v1/orders", query="site=fr").json["data"])


def test_a_row_of_a_list_is_the_order_as_it_stands_without_what_its_lines_say(shop: Shop) -> None:
    read = shop.call("GET", f"/v1/orders/{DAYS[0]}.0").json
    told = {"sku", "name", "unit_price", "discount", "category"}
    expected = read | {"lines": [{name: value for name, value in line.items() if name not in told} for line in read["lines"]]}
    assert expected == shop.call("GET", "/v1/orders", query="from=2026-10-01&to=2026-10-01&status=paid").json["data"][0]


def cursor_of(shop: Shop, path: str, query: str) -> str:
    return str(shop.call("GET", path, query=query).json["next_cursor"])


MISUSED = {
    "another status": "from=2026-10-01&to=2026-10-05&status=paid",
    "another first day": "from=2026-10-02&to=2026-10-05",
    "another last day": "from=2026-10-01&to=2026-10-04",
    "another site": "from=2026-10-01&to=2026-10-05&site=fr",
}


@pytest.mark.parametrize("what", MISUSED)
def test_a_cursor_continues_no_other_query(shop: Shop, what: str) -> None:
    cursor = cursor_of(shop, "/v1/orders", "from=2026-10-01&to=2026-10-05&limit=2")
    assert 200 == shop.call("GET", "/v1/orders", query=f"from=2026-10-01&to=2026-10-05&limit=50&cursor={cursor}").status
    assert (422, "bad_cursor") == code_of(shop.call("GET", "/v1/orders", query=f"{MISUSED[what]}&cursor={cursor}"))


def test_a_cursor_continues_no_other_list_and_no_other_customer(shop: Shop) -> None:
    one = shop.call("GET", f"/v1/orders/{DAYS[0]}.0").json["customer_id"]
    other = shop.call("GET", f"/v1/orders/{DAYS[0]}.1").json["customer_id"]
    cursor = cursor_of(shop, f"/v1/customers/{one}/timeline", "limit=1")
    assert 200 == shop.call("GET", f"/v1/customers/{one}/timeline", query=f"cursor={cursor}").status
    for path in (f"/v1/customers/{other}/timeline", f"/v1/customers/{one}/orders", "/v1/orders"):
        assert (422, "bad_cursor") == code_of(shop.call("GET", path, query=f"cursor={cursor}")), path
    query = f"type=order.placed&cursor={cursor}"
    assert (422, "bad_cursor") == code_of(shop.call("GET", f"/v1/customers/{one}/timeline", query=query))


def test_a_cursor_that_was_tampered_with_is_refused(shop: Shop) -> None:
    cursor = cursor_of(shop, "/v1/orders", "from=2026-10-01&to=2026-10-05&limit=2")
    for at in range(len(cursor)):
        changed = cursor[:at] + ("A" if cursor[at] != "A" else "B") + cursor[at + 1 :]
        answer = shop.call("GET", "/v1/orders", query=f"from=2026-10-01&to=2026-10-05&cursor={changed}")
        if answer.status != 200:
            assert (422, "bad_cursor") == code_of(answer)
        elif position(changed) != position(cursor):
            assert set(ids(answer.json["data"])) <= set(newest_first(*DAYS))


def position(cursor: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))


@pytest.mark.parametrize("place", ["", "2026-10-01|\ud800", "2026-10-01|é", "EVENT#", "x", "9" * 400])
def test_a_forged_cursor_is_refused(shop: Shop, place: str) -> None:
    """Its fingerprint is no secret: whoever forges one gets no further than a refusal."""
    customer_id = shop.call("GET", f"/v1/orders/{DAYS[0]}.0").json["customer_id"]
    forged = seal(place, "timeline", customer_id, [])
    path = f"/v1/customers/{customer_id}/timeline"
    assert (422, "bad_cursor") == code_of(shop.call("GET", path, query=f"cursor={forged}"))


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_a_cursor_of_another_version_is_refused(shop: Shop, version: Any) -> None:
    _, fingerprint, place = position(cursor_of(shop, "/v1/orders", "from=2026-10-01&to=2026-10-05&limit=2"))
    forged = base64.urlsafe_b64encode(json.dumps([version, fingerprint, place]).encode()).decode().rstrip("=")
    answer = shop.call("GET", "/v1/orders", query=f"from=2026-10-01&to=2026-10-05&cursor={forged}")
    assert (422, "bad_cursor") == code_of(answer)


# ── by customer ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("limit", [1, 2, 50])
def test_a_customers_orders_are_listed_newest_first(shop: Shop, limit: int) -> None:
    customer_id = shop.call("GET", f"/v1/orders/{DAYS[0]}.3").json["customer_id"]
    found = pages(shop, f"/v1/customers/{customer_id}/orders", f"limit={limit}")
    assert newest_first(*DAYS, hours=(3,)) == [order_id for page in found for order_id in ids(page)]


@pytest.mark.parametrize("path", ["", "/orders", "/stats", "/timeline"])
@pytest.mark.parametrize("customer_id", [NOBODY, "x", "CUSTOMER%23x", "%20", "x" * 200])
def test_there_is_nothing_about_a_customer_who_does_not_exist(shop: Shop, path: str, customer_id: str) -> None:
    assert (404, "customer_not_found") == code_of(shop.call("GET", f"/v1/customers/{customer_id}{path}"))


@pytest.mark.parametrize("limit", [1, 2, 50])
@pytest.mark.parametrize(
    ("types", "expected"),
    [
        ("", ["customer.created", *["order.paid"] * 3, *["order.placed"] * 3]),
        ("&type=order.placed", ["order.placed"] * 3),
        ("&type=order.placed,customer.created", ["customer.created", *["order.placed"] * 3]),
        ("&type=nothing.happened", []),
        ("&type=,", ["customer.created", *["order.paid"] * 3, *["order.placed"] * 3]),
    ],
)
def test_a_timeline_tells_what_happened_newest_first(shop: Shop, types: str, expected: list[str], limit: int) -> None:
    customer_id = shop.call("GET", f"/v1/orders/{DAYS[0]}.0").json["customer_id"]
    found = pages(shop, f"/v1/customers/{customer_id}/timeline", f"limit={limit}{types}")
    assert expected == [event["type"] for page in found for event in page]


# ── by identifier ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("limit", [1, 2, 50])
def test_orders_are_found_by_an_identifier_page_by_page(shop: Shop, limit: int) -> None:
    asked: dict[str, Any] = {"email": "2@EXAMPLE.com", "limit": limit}
    found: list[str] = []
    while True:
        answer = shop.call("POST", "/v1/orders/lookup", asked).json
        found += ids(answer["data"])
        if answer["next_cursor"] is None:
            break
        asked["cursor"] = answer["next_cursor"]
    assert newest_first(*DAYS, hours=(2,)) == found


def test_several_identifiers_find_the_orders_of_each_of_their_customers(shop: Shop) -> None:
    by_phone = a_new_order(order_id="by-phone", placed_at="2026-08-15T12:00:00Z", customer={"phone": "+4930123456"})
    shop.call("POST", "/v1/orders", by_phone)
    answer = shop.call("POST", "/v1/orders/lookup", {"email": "4@example.com", "phone": "+4930123456"})
    assert [*newest_first(*DAYS, hours=(4,)), "by-phone"] == ids(answer.json["data"])


@pytest.mark.parametrize(
    "asked",
    [{"email": "nobody@example.com"}, {"user_id": "4@example.com"}, {"anonymous_id": "4"}, {"email": "4@example.org"}],
)
def test_an_identifier_that_nobody_holds_finds_nothing(shop: Shop, asked: dict[str, Any]) -> None:
    assert {"data": [], "next_cursor": None} == shop.call("POST", "/v1/orders/lookup", asked).json


def test_a_user_id_is_that_of_its_site(shop: Shop) -> None:
    order = a_new_order(order_id="u-1-fr", site="fr", placed_at="2026-08-15T12:00:00Z", customer={"user_id": "u-1"})
    shop.call("POST", "/v1/orders", order)
    found = {}
    for site in ("de", "fr"):
        found[site] = ids(shop.call("POST", "/v1/orders/lookup", {"user_id": "u-1", "site": site}).json["data"])
    assert {"de": [], "fr": ["u-1-fr"]} == found


BAD_LOOKUPS: dict[str, tuple[dict[str, Any], str]] = {
    "nobody": ({}, "no_identifier"),
    "nobody, said with null": ({"email": None}, "no_identifier"),
    "an unknown field": ({"name": "Sara"}, "unknown_field"),
    "a limit of zero": ({"email": "4@example.com", "limit": 0}, "too_small"),
    "a limit of 101": ({"email": "4@example.com", "limit": 101}, "too_large"),
    "a limit that is a text": ({"email": "4@example.com", "limit": "5"}, "wrong_type"),
    "a cursor that is none": ({"email": "4@example.com", "cursor": "x"}, "bad_cursor"),
    "a bad phone": ({"phone": "030 123456"}, "phone_syntax"),
}


@pytest.mark.parametrize("what", BAD_LOOKUPS)
def test_a_lookup_that_means_nothing_is_refused(shop: Shop, what: str) -> None:
    asked, code = BAD_LOOKUPS[what]
    assert (422, code) == code_of(shop.call("POST", "/v1/orders/lookup", asked))


def test_a_cursor_continues_no_other_lookup(shop: Shop) -> None:
    cursor = shop.call("POST", "/v1/orders/lookup", {"email": "4@example.com", "limit": 1}).json["next_cursor"]
    answer = shop.call("POST", "/v1/orders/lookup", {"email": "3@example.com", "limit": 1, "cursor": cursor})
    assert (422, "bad_cursor") == code_of(answer)


# ── what cannot be read ──────────────────────────────────────────────────────────────────────────────────────────────

MONA = {"email": "mona@example.com"}
UNREADABLE = (*CORRUPT.values(), {"currency": {"S": "sara@example.com"}})
"""The last one can be read, and cannot be shown."""
BY_TURNS = [f"{hour:02}-of-mona" for hour in range(2 * len(UNREADABLE) - 1)]
"""Orders of one customer and one day: the first is corrupt, the second whole, and so on; each corrupt in a way of its own."""


@pytest.fixture(scope="module")
def mona(shop: Shop) -> str:
    """The customer's id."""
    for hour, order_id in enumerate(BY_TURNS):
        order = a_new_order(order_id=order_id, placed_at=f"2026-07-01T{hour:02}:00:00Z", customer=MONA)
        customer_id = shop.call("POST", "/v1/orders", order).json["customer_id"]
    for order_id, change in zip(BY_TURNS[::2], UNREADABLE, strict=True):
        corrupt(shop.cloud, order_id, change)
    return str(customer_id)


@pytest.mark.parametrize("limit", [1, 2, 100])
@pytest.mark.parametrize("way", ["by day", "by day and status", "of a customer", "looked up"])
def test_a_corrupt_order_hides_no_other_and_is_named_in_the_log(shop: Shop, mona: str, logs: Logs, way: str, limit: int) -> None:
    def read(cursor: str | None) -> Answer:
        if way == "looked up":
            return shop.call("POST", "/v1/orders/lookup", MONA | {"limit": limit} | ({"cursor": cursor} if cursor else {}))
        query = f"limit={limit}" + (f"&cursor={cursor}" if cursor else "")
        if way == "of a customer":
            return shop.call("GET", f"/v1/customers/{mona}/orders", query=query)
        query += "&status=placed" if way == "by day and status" else ""
        return shop.call("GET", "/v1/orders", query=f"from=2026-07-01&to=2026-07-01&{query}")

    logs.take()
    answers = [read(None)]
    while answers[-1].status == 200 and (cursor := answers[-1].json["next_cursor"]):
        answers.append(read(cursor))
    assert [200] * len(answers) == [answer.status for answer in answers]
    assert BY_TURNS[-2::-2] == [order_id for answer in answers for order_id in ids(answer.json["data"])]

    written = logs.take()
    told = [line for line in map(json.loads, written.splitlines()) if line.get("level") == "ERROR"]
    named = {tuple(line[name] for name in ("message", "customer_id", "site", "order_id", "correlation_id")) for line in told}
    assert {("unreadable", mona, "de", order_id, "request-1") for order_id in BY_TURNS[::2]} == named
    assert len(told) == written.count('"UnhandledErrors":[1.0]')
    assert "@" not in written


@pytest.mark.usefixtures("mona")
def test_a_corrupt_order_by_itself_is_an_error_and_a_whole_one_beside_it_is_not(shop: Shop) -> None:
    statuses = [shop.call("GET", f"/v1/orders/{order_id}").status for order_id in BY_TURNS]
    assert [500 if at % 2 == 0 else 200 for at in range(len(BY_TURNS))] == statuses
