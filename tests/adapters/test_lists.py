"""Lists: page after page, at every limit, nothing is lost, nothing comes twice and the order holds."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

import pytest

from customers_api.handler import handler as customers
from ecrm import bootstrap
from ecrm.application.orders import MOST_READ, list_orders
from ecrm.application.ports import Orders, Page
from ecrm.domain import events, orders
from ecrm.domain.instants import to_text
from ecrm.store import keys
from ecrm.store.events import MOST_READ as MOST_EVENTS_READ
from ecrm.store.events import put_event
from orders_api.handler import handler
from tests.adapters.people import here
from tests.builders import NOON, an_event, an_order
from tests.cloud import Cloud
from tests.faults import Deliver, Sent, on, tapped

MOST_PAGES = 50
SARA, OMID = {"user_id": "u-77", "email": "sara@example.com"}, {"user_id": "u-78", "phone": "+989121234567"}


def an_order_at(placed_at: datetime, order_id: str) -> orders.Order:
    terms = orders.Terms({"1": orders.LineTerms(1, 100)}, 100, 0, 0, 0, tax_included=False)
    return orders.Order(
        site="de", order_id=order_id, customer_id="c", currency="EUR", placed_at=placed_at, terms=terms, backfill=True
    )


def pages_of(read: Callable[[str | None], Page[orders.Order]]) -> list[tuple[orders.Order, ...]]:
    pages = [page := read(None)]
    while page.last is not None and len(pages) < MOST_PAGES:
        pages.append(page := read(page.last))
    return [page.items for page in pages]


def test_eight_shards_of_a_day_are_one_list_at_every_limit(cloud: Cloud) -> None:
    """24 orders of a day, some of the same instant, between those of the day before, of the day after and of another site."""
    del cloud
    store = bootstrap.orders()
    midnight = datetime(2026, 11, 20, tzinfo=UTC)
    instants = [
        midnight,
        *(midnight + timedelta(hours=at // 3) for at in range(22)),
        midnight + timedelta(days=1, microseconds=-1),
    ]
    placed = [an_order_at(at, f"A-{number}") for number, at in enumerate(instants)]
    others = [
        an_order_at(midnight - timedelta(microseconds=1), "yesterday"),
        an_order_at(midnight + timedelta(days=1), "tomorrow"),
    ]
    others.append(replace(placed[3], site="fr"))
    for order in placed + others:
        event = events.Event(f"{order.site} {order.order_id}", "order.placed", order.placed_at, NOON, order.site, "c", "test")
        assert store.place(order, event, "digest", here(order.customer_id), None) is None
    assert set(range(keys.LIST_SHARDS)) == {keys._shard(order.order_id, keys.LIST_SHARDS) for order in placed}

    newest_first = sorted(placed, key=lambda order: (order.placed_at, order.order_id), reverse=True)
    for limit in range(1, 26):

        def read(after: str | None, limit: int = limit) -> Page[orders.Order]:
            return store.placed_on("de", midnight.date(), after=after, limit=limit)

        pages = pages_of(read)
        assert (limit, newest_first) == (limit, [order for page in pages for order in page])
        assert {limit} >= {len(page) for page in pages[:-1]}


@dataclass
class Shelf:
    """A double of the store with many orders on each day."""

    days: dict[date, list[orders.Order]]
    read: int = 0
    asked: int = 0

    def placed_on(self, site: str, day: date, *, after: str | None, limit: int) -> Page[orders.Order]:
        assert site == "de"
        newest_first = self.days.get(day, [])
        start = 0 if after is None else 1 + [orders.position(order) for order in newest_first].index(after)
        found = newest_first[start : start + limit]
        self.read += len(found)
        self.asked += 1
        return Page(tuple(found), orders.position(found[-1]) if len(found) == limit else None)


def test_a_status_that_few_orders_have_is_found_over_many_pages_without_reading_too_many_for_one() -> None:
    """2,500 orders on two days; seven are paid, the first and the last of all among them."""
    first = date(2026, 11, 19)
    made = [an_order_at(datetime(2026, 11, 19, tzinfo=UTC) + timedelta(minutes=at), f"A-{at:04}") for at in range(2_500)]
    paid_at = {0, 1, 700, 1_439, 1_440, 2_000, 2_499}
    paid = orders.Paid(event_id="1", occurred_at=NOON, digest="")
    made = [orders.with_fact(order, paid) if at in paid_at else order for at, order in enumerate(made)]
    shelf = Shelf({day: [o for o in reversed(made) if o.placed_at.date() == day] for day in (first, first + timedelta(days=1))})
    expected = [made[at].order_id for at in sorted(paid_at, reverse=True)]
    for limit in (1, 2, 3, 50, 100):
        after, found, pages = None, [], 0
        while True:
            shelf.read = shelf.asked = 0
            page = list_orders(
                "de",
                first=first,
                last=first + timedelta(days=1),
                status=orders.Status.PAID,
                after=after,
                limit=limit,
                orders=cast("Orders", shelf),
            )
            assert shelf.read < MOST_READ + 100
            assert shelf.asked <= 12
            assert len(page.items) <= limit
            found += [view.order.order_id for view in page.items]
            after, pages = page.last, pages + 1
            if after is None:
                break
        assert (limit, expected) == (limit, found)
        assert pages <= len(expected) + 4


@pytest.fixture
def shop(cloud: Cloud) -> Cloud:
    """Twelve orders of two customers on three days: each third is paid, each fourth cancelled."""
    for at in range(12):
        body = an_order(
            order_id=f"A-{at}",
            placed_at=f"2026-11-{18 + at % 3}T12:00:0{at % 2}Z",
            customer=SARA if at % 4 else OMID,
        )
        assert 201 == cloud.call(handler, "POST", "/v1/orders", body).status
        for every, said in ((3, "paid"), (4, "cancelled")):
            if at % every == 0:
                assert 201 == cloud.call(handler, "POST", f"/v1/orders/A-{at}/events", an_event(said)).status
    return cloud


def everything(read: Callable[[str | None], Any]) -> tuple[list[Any], list[int]]:
    """Follow the cursor to its end; gives what the pages hold and how much each of them holds."""
    found: list[Any] = []
    sizes: list[int] = []
    cursor = None
    while len(sizes) < MOST_PAGES:
        page = read(cursor)
        found += page["data"]
        sizes.append(len(page["data"]))
        cursor = page["next_cursor"]
        if cursor is None:
            return found, sizes
    raise AssertionError("the cursor leads nowhere")


def newest_first(numbers: list[int]) -> list[str]:
    return [f"A-{at}" for at in sorted(numbers, key=lambda at: (at % 3, at % 2, f"A-{at}"), reverse=True)]


STATUSES = {
    None: list(range(12)),
    "placed": [1, 2, 5, 7, 10, 11],
    "paid": [3, 6, 9],
    "cancelled": [0, 4, 8],
    "shipped": [],
}


@pytest.mark.parametrize("status", STATUSES)
def test_orders_by_day_and_status_are_all_there_at_every_limit(shop: Cloud, status: str | None) -> None:
    for limit in range(1, 14):

        def read(cursor: str | None, limit: int = limit) -> Any:
            query = f"from=2026-11-18&to=2026-11-20&limit={limit}"
            query += (f"&status={status}" if status else "") + (f"&cursor={cursor}" if cursor else "")
            answer = shop.call(handler, "GET", "/v1/orders", query=query)
            assert 200 == answer.status
            return answer.json

        found, sizes = everything(read)
        assert (limit, newest_first(STATUSES[status])) == (limit, [order["order_id"] for order in found])
        assert max(sizes) <= limit


def test_orders_that_come_while_a_list_is_read_move_none_of_those_that_were_there(shop: Cloud) -> None:
    came = 0

    def read(cursor: str | None) -> Any:
        nonlocal came
        answer = shop.call(
            handler, "GET", "/v1/orders", query="from=2026-11-18&to=2026-11-20&limit=2" + (f"&cursor={cursor}" if cursor else "")
        )
        for day in ("20T23:59:59", "18T00:00:00"):
            came += 1
            body = an_order(order_id=f"B-{came:02}", placed_at=f"2026-11-{day}Z")
            assert 201 == shop.call(handler, "POST", "/v1/orders", body).status
        return answer.json

    found = [order["order_id"] for order in everything(read)[0]]
    assert newest_first(list(range(12))) == [order_id for order_id in found if order_id.startswith("A")]
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("way", ["of a customer", "looked up"])
def test_orders_of_a_customer_are_all_there_at_every_limit(shop: Cloud, way: str) -> None:
    customer_id = shop.call(handler, "GET", "/v1/orders/A-1").json["customer_id"]
    for limit in range(1, 11):

        def read(cursor: str | None, limit: int = limit) -> Any:
            if way == "looked up":
                body = {"email": "sara@example.com", "limit": limit} | ({"cursor": cursor} if cursor else {})
                answer = shop.call(handler, "POST", "/v1/orders/lookup", body)
            else:
                query = f"limit={limit}" + (f"&cursor={cursor}" if cursor else "")
                answer = shop.call(customers, "GET", f"/v1/customers/{customer_id}/orders", query=query)
            assert 200 == answer.status
            return answer.json

        found, sizes = everything(read)
        assert (limit, newest_first([at for at in range(12) if at % 4])) == (limit, [order["order_id"] for order in found])
        assert [limit] * (len(sizes) - 1) == sizes[:-1]


def test_a_lookup_by_identifiers_of_two_customers_gives_the_orders_of_both(shop: Cloud) -> None:
    def read(cursor: str | None) -> Any:
        body = {"email": "sara@example.com", "phone": "+989121234567", "limit": 5} | ({"cursor": cursor} if cursor else {})
        return shop.call(handler, "POST", "/v1/orders/lookup", body).json

    assert newest_first(list(range(12))) == [order["order_id"] for order in everything(read)[0]]


TYPES = {
    "": ["order.placed"] * 3 + ["order.paid"] + ["order.cancelled"] * 3 + ["customer.created"],
    "order.placed": ["order.placed"] * 3,
    "order.placed,customer.created": ["order.placed"] * 3 + ["customer.created"],
    "order.returned": [],
}


@pytest.mark.parametrize("types", TYPES)
def test_a_timeline_is_whole_at_every_limit_and_holds_the_types_asked_for(shop: Cloud, types: str) -> None:
    customer_id = shop.call(handler, "GET", "/v1/orders/A-0").json["customer_id"]
    whole = None
    for limit in range(1, 10):

        def read(cursor: str | None, limit: int = limit) -> Any:
            query = f"limit={limit}" + (f"&type={types}" if types else "") + (f"&cursor={cursor}" if cursor else "")
            answer = shop.call(customers, "GET", f"/v1/customers/{customer_id}/timeline", query=query)
            assert 200 == answer.status
            return answer.json

        found, sizes = everything(read)
        assert sorted(TYPES[types]) == sorted(event["type"] for event in found)
        assert sorted(found, key=lambda event: to_text(datetime.fromisoformat(event["occurred_at"])), reverse=True) == found
        assert (whole := whole or found) == found
        assert max(sizes) <= limit


def test_a_timeline_reads_no_more_than_it_gives(shop: Cloud) -> None:
    asked: list[int] = []

    def note(sent: Sent, deliver: Deliver) -> Any:
        asked.append(sent.ask["Limit"])
        return deliver()

    customer_id = shop.call(handler, "GET", "/v1/orders/A-0").json["customer_id"]
    with tapped(on("Query", note)):
        page = shop.call(customers, "GET", f"/v1/customers/{customer_id}/timeline", query="limit=3").json
    assert ([3], 3) == (asked, len(page["data"]))


def test_a_timeline_reads_on_over_more_events_of_other_types_than_one_page_may_read(cloud: Cloud) -> None:
    wanted = {0, 1, MOST_EVENTS_READ + 4, MOST_EVENTS_READ + 5}
    for at in range(MOST_EVENTS_READ + 6):
        kind = "order.paid" if at in wanted else "order.packed"
        event = events.Event(f"{at}", kind, NOON + timedelta(seconds=at), NOON, "de", "c", "test")
        bootstrap.table().put(put_event(event, why="event is new"))
    del cloud
    timeline, after, found, sizes = bootstrap.timeline(), None, [], []
    while True:
        page = timeline.events(["c"], frozenset({"order.paid"}), now=NOON, since=None, before=after, limit=3)
        found += [int(event.id) for event in page.items]
        sizes.append(len(page.items))
        after = page.last
        if after is None:
            break
    assert (sorted(wanted, reverse=True), [2, 2]) == (found, sizes)
