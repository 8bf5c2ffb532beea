"""Whatever an adapter is given it gives back: each value of the domain, through the table and back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ecrm import bootstrap
from ecrm.application.orders import LONGEST_POSITION
from ecrm.application.ports import Claim, Contended, IdentityEntry
from ecrm.domain import api_keys, customers, events, instants, orders, sites, statistics
from ecrm.domain.orders import Order
from ecrm.store.table import from_wire, to_wire
from orders_api.handler import handler
from tests.adapters.people import here
from tests.builders import NOON, an_event, an_order
from tests.cloud import Cloud
from tests.faults import Kept
from tests.unit.facts import purchases_on

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
names = texts.filter(bool)
ids = st.text("abcXYZ019._:@+=~#-", min_size=1, max_size=100)
event_ids = st.text("abcXYZ019._:@+=~-", min_size=1, max_size=100)
moments = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 (aware by timezones=)
days = st.dates()
minor = st.integers(0, 10**16)
line_terms = st.builds(orders.LineTerms, quantity=st.integers(1, 10**6), net_minor=minor)
terms = st.builds(
    orders.Terms,
    lines=st.dictionaries(names, line_terms, min_size=1, max_size=4),
    total_minor=minor,
    shipping_minor=minor,
    tax_minor=minor,
    discount_minor=minor,
    tax_included=st.booleans(),
)
quantities = st.none() | st.dictionaries(names, st.integers(1, 10**6), min_size=1, max_size=4)
told = {"occurred_at": moments, "digest": st.text("0123456789abcdef", min_size=32, max_size=32)}
OWN: dict[type[orders.Fact], dict[str, st.SearchStrategy[Any]]] = {
    orders.Paid: {},
    orders.Packed: {},
    orders.Shipped: {
        "shipment_id": names,
        "lines": quantities,
        "carrier": st.none() | names,
        "tracking_number": st.none() | names,
        "tracking_url": st.none() | names,
        "estimated_on": st.none() | days,
    },
    orders.ShipmentUpdated: {
        "shipment_id": names,
        "state": st.none() | st.sampled_from(orders.ShipmentState),
        "estimated_on": st.none() | days,
    },
    orders.Delivered: {"shipment_id": st.none() | names, "lines": quantities},
    orders.Amended: {"terms": terms, "reason": st.none() | texts},
    orders.Cancelled: {"lines": quantities, "reason": st.none() | texts},
    orders.Refunded: {"amount_minor": st.none() | minor, "lines": quantities, "reason": st.none() | texts},
    orders.Returned: {"lines": quantities, "reason": st.none() | texts},
}
FACTS = [st.builds(kind, event_id=event_ids, **told, **own) for kind, own in OWN.items()]
placed = st.builds(
    Order,
    site=st.just("de"),
    order_id=ids,
    customer_id=st.text("0123456789abcdef", min_size=32, max_size=32),
    currency=st.sampled_from(["EUR", "JPY", "CLF"]),
    placed_at=moments,
    terms=terms,
    coupon=st.none() | names,
    backfill=st.booleans(),
)
plain: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**37), 10**37) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)
happened = st.builds(
    events.Event,
    id=event_ids,
    type=st.sampled_from(list(events.CATALOGUE)),
    occurred_at=moments,
    received_at=moments,
    site=st.just("de"),
    customer_id=st.just("c"),
    source=names,
    data=st.dictionaries(names, plain, max_size=4),
    backfill=st.booleans(),
    v=st.integers(1, 9),
)
EVERYTHING: Any = {"now": datetime(1970, 1, 1, tzinfo=UTC), "since": None, "before": None}
over_moto = settings(
    max_examples=40,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to shrink through moto takes minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def kept(cloud: Cloud) -> Kept:
    """The table without orders, to be restored before each example."""
    del cloud
    return Kept()


def event_of(order: Order, id_: str) -> events.Event:
    return events.Event(id_, "order.placed", NOON, NOON, order.site, order.customer_id, "test")


def test_every_kind_of_fact_is_tried_here() -> None:
    assert set(orders.FACTS.values()) == set(OWN)
    for kind, own in OWN.items():
        assert set(kind.__dataclass_fields__) == {"event_id", *told, *own}


@over_moto
@given(order=placed, facts=st.tuples(*FACTS).flatmap(st.permutations).map(tuple))
def test_an_order_with_every_kind_of_fact_comes_back_as_it_was(kept: Kept, order: Order, facts: tuple[orders.Fact, ...]) -> None:
    kept.restore()
    store = bootstrap.orders()
    assert store.place(order, event_of(order, "placed"), "digest", here(order.customer_id), None) is None
    assert order == store.find(order.site, order.order_id)
    for at, fact in enumerate(facts):
        named = replace(fact, event_id=f"{at}")
        assert store.append(order, named, event_of(order, f"event {at}"), None) is None
        order = orders.with_fact(order, named)
    for consistent in (False, True):
        assert order == store.find(order.site, order.order_id, consistent=consistent)
    assert (order,) == store.of_customer(order.customer_id)
    day = order.placed_at.date()
    assert ((order,), None) == ((page := store.placed_on(order.site, day, after=None, limit=2)).items, page.last)
    assert len(f"{day}|{orders.position(order)}") < LONGEST_POSITION


@over_moto
@given(order=placed, first=FACTS[0], second=st.one_of(FACTS))
def test_who_comes_late_is_given_what_the_first_one_left(
    kept: Kept, order: Order, first: orders.Fact, second: orders.Fact
) -> None:
    kept.restore()
    store = bootstrap.orders()
    first, second = replace(first, event_id="1"), replace(second, event_id="2")
    assert store.place(order, event_of(order, "placed"), "digest of the first", here(order.customer_id), None) is None
    assert "digest of the first" == store.place(
        order, event_of(order, "placed"), "digest of the second", here(order.customer_id), None
    )
    assert store.append(order, first, event_of(order, "first"), None) is None
    assert orders.with_fact(order, first) == store.append(order, second, event_of(order, "second"), None)
    assert orders.with_fact(order, first) == store.find(order.site, order.order_id)


def test_an_event_that_is_there_though_the_order_does_not_know_it_is_never_overwritten(kept: Kept) -> None:
    del kept
    store = bootstrap.orders()
    order = Order(
        site="de",
        order_id="A-1",
        customer_id="c",
        currency="EUR",
        placed_at=NOON,
        terms=orders.Terms({}, 0, 0, 0, 0, tax_included=False),
    )
    store.place(order, event_of(order, "placed"), "digest", here(order.customer_id), None)
    with pytest.raises(Contended):
        store.append(order, orders.Paid(event_id="1", occurred_at=NOON, digest=""), event_of(order, "placed"), None)
    assert order == store.find("de", "A-1")


@given(item=st.dictionaries(names, plain | st.decimals(-(10**20), 10**20, places=6), max_size=5))
def test_an_item_comes_back_from_the_wire_as_it_was(item: dict[str, Any]) -> None:
    assert item == from_wire(to_wire(item))


def test_numbers_come_back_as_whole_as_they_were() -> None:
    item = from_wire({"whole": {"N": "7"}, "part": {"N": "7.50"}, "large": {"N": "1E+3"}})
    assert {"whole": 7, "part": Decimal("7.50"), "large": Decimal(1000)} == item
    assert [int, Decimal, Decimal] == [type(value) for value in item.values()]


@over_moto
@given(event=happened)
def test_an_event_comes_back_as_it_was(kept: Kept, event: events.Event) -> None:
    kept.restore()
    order = Order(
        site="de",
        order_id="A-1",
        customer_id="c",
        currency="EUR",
        placed_at=NOON,
        terms=orders.Terms({}, 0, 0, 0, 0, tax_included=False),
    )
    bootstrap.orders().place(order, event, "digest", here(order.customer_id), None)
    page = bootstrap.timeline().events(["c"], frozenset(), **EVERYTHING, limit=2)
    assert ((event,), None) == (page.items, page.last)
    assert (event,) == bootstrap.timeline().events(["c"], frozenset({event.type}), **EVERYTHING, limit=2).items


purchases = st.none() | st.sets(st.dates(), min_size=1, max_size=5).map(purchases_on)
months = st.dictionaries(st.integers(12, 119_999), st.tuples(st.integers(0, 31), st.integers(0, 31), minor), max_size=5).map(
    lambda known: tuple(statistics.Month(number, *known[number]) for number in sorted(known))
)
amounts = st.builds(
    statistics.CurrencyStatistics,
    orders=st.integers(0, 10**6),
    items=st.integers(0, 10**9),
    gross_minor=minor,
    cancelled_minor=minor,
    refunded_minor=minor,
    net_revenue_minor=minor,
    purchases=purchases,
    first_day_net_revenue_minor=minor,
    first_90_days_net_revenue_minor=minor,
    months=months,
).map(lambda part: part if part.purchases else replace(part, first_day_net_revenue_minor=0, first_90_days_net_revenue_minor=0))
counted = st.builds(
    statistics.CustomerStatistics,
    orders=st.integers(0, 10**6),
    cancelled_orders=st.integers(0, 10**6),
    returned_items=st.integers(0, 10**6),
    orders_with_returns=st.integers(0, 10**6),
    first_order_at=st.none() | moments,
    last_order_at=st.none() | moments,
    currencies=st.dictionaries(st.sampled_from(["EUR", "JPY", "USD"]), amounts),
    purchases=purchases,
)


@over_moto
@given(first=counted, second=counted)
def test_statistics_come_back_as_they_were_and_only_over_what_was_seen(
    kept: Kept, first: statistics.CustomerStatistics, second: statistics.CustomerStatistics
) -> None:
    kept.restore()
    store = bootstrap.statistics()
    assert store.find("c") is None
    store.write("c", first, seen=0)
    assert (first, 1) == store.find("c")
    for seen in (0, 2):
        with pytest.raises(Contended):
            store.write("c", second, seen=seen)
    assert (first, 1) == store.find("c")
    store.write("c", second, seen=1)
    assert (second, 2) == store.find("c")


keys = st.builds(
    api_keys.ApiKey,
    key_id=ids,
    kind=st.sampled_from(api_keys.KeyKind),
    site=st.just("de"),
    sites=st.frozensets(st.sampled_from(["de", "fr", "*"])),
    scopes=st.frozensets(st.sampled_from(api_keys.Scope)),
    name=texts,
    created_at=moments,
    expires_at=st.none() | moments,
)


@over_moto
@given(first=keys, second=keys)
def test_a_key_comes_back_as_it_was_and_is_revoked_alone(kept: Kept, first: api_keys.ApiKey, second: api_keys.ApiKey) -> None:
    kept.restore()
    store = bootstrap.api_keys()
    first, second = replace(first, key_id="first"), replace(second, key_id="second")
    store.add("a secret", first)
    store.add("another", second)
    assert (first, second, None) == (store.find("a secret"), store.find("another"), store.find("A secret"))
    revoked = replace(first, revoked_at=NOON)
    assert (revoked, None) == (store.revoke("first", NOON), store.revoke("third", NOON))
    assert (revoked, second) == (store.find("a secret"), store.find("another"))
    assert {revoked, second} == set(store.all())


@over_moto
@given(
    site=st.builds(
        sites.Site,
        site=st.just("fr"),
        brand=names,
        languages=st.lists(names, min_size=1, max_size=3).map(tuple),
        time_zone=names,
        currency=st.just("EUR"),
        sender=st.none() | names,
        reply_to=st.none() | names,
        postal_address=st.none() | texts,
        url=st.none() | names,
        logo_url=st.none() | names,
        accent=st.none() | names,
        test_recipients=st.lists(names, max_size=3).map(tuple),
        updated_at=moments,
    )
)
def test_a_site_comes_back_as_it_was_and_is_replaced_only_as_it_was_seen(kept: Kept, site: sites.Site) -> None:
    kept.restore()
    store = bootstrap.sites()
    assert store.write(site, seen=0) is None
    assert site == store.find("fr")
    second = replace(site, brand="Another", version=2)
    assert [site, site] == [store.write(second, seen=0), store.write(second, seen=2)]
    assert store.write(second, seen=1) is None
    assert ["de", "fr"] == [found.site for found in store.all()]
    assert second == store.all()[1]


identifiers = st.lists(
    st.builds(customers.Identifier, st.sampled_from(customers.Kind), names, st.sampled_from(["", "de", "fr"])),
    min_size=2,
    max_size=6,
    unique=True,
)


@over_moto
@given(held=identifiers, created_at=moments)
def test_a_customer_comes_back_as_they_were_and_is_found_by_each_identifier(
    kept: Kept, held: list[customers.Identifier], created_at: datetime
) -> None:
    kept.restore()
    store = bootstrap.customers()
    born = customers.Customer("c", tuple(held[:-1]), created_at)
    grown = customers.Customer(
        "c", tuple(held), created_at, version=2, claimed=frozenset(held[-1:]), is_vouched=True, absorbed=("a", "b")
    )
    first = tuple(IdentityEntry(i, customers.Held("c"), None) for i in born.identifiers)
    last = customers.Held("c", is_claimed=True, erased_at=created_at)
    for at, claim in enumerate(
        (
            Claim(born, 0, first, (event_at(0),)),
            Claim(grown, 1, (IdentityEntry(held[-1], last, None),), (event_at(1),)),
        )
    ):
        store.write(claim, None, NOON)
        assert claim.customer == store.find("c")
        expected = dict.fromkeys(born.identifiers, customers.Held("c")) | ({held[-1]: last} if at else {})
        assert [expected] * 2 == [store.held(held, consistent=consistent) for consistent in (False, True)]
        assert at + 1 == len(bootstrap.timeline().events(["c"], frozenset(), **EVERYTHING, limit=9).items)
    assert ["c"] == list(store.all_ids())


def event_at(second: int) -> events.Event:
    at = NOON + timedelta(seconds=second)
    return events.Event("e", "customer.created", at, at, "de", "c", "test")


LINES = [
    {"line_id": "#", "sku": "CD-5", "name": "آبی", "quantity": 3, "unit_price": "0.33", "discount": "0.01", "category": "jazz"},
    {"line_id": "1.2", "sku": "=1+1", "name": "蓝 🎷", "quantity": 1, "unit_price": "0.00", "discount": "0.00", "category": None},
]


@pytest.mark.parametrize("agreement", ["placed", "amended"])
def test_lines_come_back_as_they_were_agreed(cloud: Cloud, agreement: str) -> None:
    agreed = {"lines": [{k: v for k, v in line.items() if v is not None} for line in LINES], "tax": "0.00", "total": "5.88"}
    body = an_order(**agreed) if agreement == "placed" else an_order()
    assert 201 == cloud.call(handler, "POST", "/v1/orders", body).status
    if agreement == "amended":
        for at, lines in enumerate((an_order()["lines"], agreed["lines"])):
            changes = agreed | {"lines": lines} | ({"total": "27.90"} if at == 0 else {})
            said = an_event("amended", event_id=f"{at}", occurred_at=f"2026-11-20T13:00:0{at}Z", **changes)
            assert 201 == cloud.call(handler, "POST", "/v1/orders/A-1001/events", said).status
    read = cloud.call(handler, "GET", "/v1/orders/A-1001").json
    assert LINES == [{name: line[name] for name in LINES[0]} for line in read["lines"]]
    assert ("5.88", "4.90", "0.00", "0.98") == (read["total"], read["shipping"], read["tax"], read["net_revenue"])
    assert instants.to_answer(NOON) == read["placed_at"]
