"""A shop that sends one customer's orders and their events: to the use cases over orders kept in memory, or to the functions over
moto. Both say what became of a request in one word: `created`, `existing`, or the code of the refusal.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Protocol

from ecrm import bootstrap
from ecrm.application.orders import OrderView, place_order, record_order_event
from ecrm.application.ports import Claim, Outcome, Page, Request, Standing
from ecrm.contracts.orders import OrderStateBody, PlaceOrderBody
from ecrm.domain.customers import Customer, Held, Identifier
from ecrm.domain.errors import EcrmError
from ecrm.domain.events import Event
from ecrm.domain.orders import Amended, Fact, Line, Order, fold, with_fact
from ecrm.domain.statistics import NOTHING, CustomerStatistics, count
from ecrm.entry.http import digest_of
from ecrm.entry.orders import EVENT
from tests.builders import NOON, a_record
from tests.cloud import Cloud
from tests.unit.facts import in_berlin

NOW = NOON + timedelta(days=30)
type Body = dict[str, Any]


class Shop(Protocol):
    def place(self, body: Body) -> str: ...

    def tell(self, order_id: str, body: Body) -> str: ...

    def order(self, order_id: str) -> Body:
        """The order as a list shows it."""
        ...

    def statistics(self) -> CustomerStatistics: ...


@dataclass
class FakeOrders:
    """Orders in memory, as the port promises them."""

    kept: dict[str, Order] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    events: dict[str, Event] = field(default_factory=dict)

    def find(self, _site: str, order_id: str, *, consistent: bool = False) -> Order | None:  # noqa: ARG002 (always is)
        return self.kept.get(order_id)

    def lines_of(self, order: Order, amended_by: Amended | None) -> tuple[Line, ...]:
        name = amended_by.event_id if amended_by else ""
        return tuple(Line(**line) for line in self.events[f"{order.order_id}#{name}"].data["lines"])

    def place(self, order: Order, event: Event, digest: str, _standing: Standing, _request: Request | None) -> str | None:
        if order.order_id in self.kept:
            return self.digests[order.order_id]
        self.kept[order.order_id], self.digests[order.order_id] = order, digest
        self.events[f"{order.order_id}#"] = event
        return None

    def append(self, order: Order, fact: Fact, event: Event, _request: Request | None) -> Order | None:
        stored = self.kept[order.order_id]
        if stored.version != order.version:
            return stored
        self.kept[order.order_id] = with_fact(order, fact)
        self.events[f"{order.order_id}#{fact.event_id}"] = event
        return None

    def of_customer(self, _customer_id: str) -> tuple[Order, ...]:
        return tuple(self.kept.values())

    def placed_by(self, customer_id: str) -> Page[Order]:
        return Page(self.of_customer(customer_id), None)

    def placed_on(self, site: str, day: date, *, after: str | None, limit: int) -> Page[Order]:
        raise NotImplementedError


class OneCustomer:
    """Everybody is the same person, who is known already."""

    def known_as(self, identifiers: Iterable[Identifier]) -> tuple[Identifier, ...]:
        return tuple(identifiers)

    def held(self, identifiers: Iterable[Identifier], *, consistent: bool = False) -> Mapping[Identifier, Held]:  # noqa: ARG002
        return dict.fromkeys(identifiers, Held("c1"))

    def find(self, customer_id: str, *, consistent: bool = True) -> Customer | None:
        raise NotImplementedError

    def find_many(self, customer_ids: Iterable[str]) -> Mapping[str, Customer]:
        raise NotImplementedError

    def write(self, claim: Claim, request: Request | None, now: datetime) -> None:
        raise NotImplementedError


class NoRequests:
    """Nobody sends an Idempotency-Key here."""

    def find(self, request: Request, now: datetime) -> Outcome | None:
        raise NotImplementedError

    def recognise(self, request: Request, outcome: Outcome, now: datetime) -> Outcome | None:
        raise NotImplementedError


class AClock:
    def now(self) -> datetime:
        return NOW


@dataclass
class PureShop:
    orders: FakeOrders = field(default_factory=FakeOrders)

    def place(self, body: Body) -> str:
        try:
            command = PlaceOrderBody.model_validate(body).to_command("de", digest=digest_of(body), source="test")
            recorded = place_order(
                command,
                None,
                orders=self.orders,
                requests=NoRequests(),
                customers=OneCustomer(),
                clock=AClock(),
                ids=bootstrap.ids,
            )
        except EcrmError as refused:
            return refused.code
        return recorded.outcome

    def tell(self, order_id: str, body: Body) -> str:
        try:
            command = EVENT.validate_python(body).to_command("de", order_id, digest=digest_of(body), source="test")
            recorded = record_order_event(command, None, orders=self.orders, requests=NoRequests(), clock=AClock())
        except EcrmError as refused:
            return refused.code
        return recorded.outcome.value

    def order(self, order_id: str) -> Body:
        order = self.orders.kept[order_id]
        return OrderStateBody.of(OrderView(order, fold(order))).model_dump(mode="json")

    def statistics(self) -> CustomerStatistics:
        return count(self.orders.of_customer("c1"), in_berlin)


class CloudShop:
    """The whole road: function, transaction, stream record, projection, row."""

    def __init__(self, cloud: Cloud, user_id: str) -> None:
        self.cloud = cloud
        self.user_id = user_id
        self.customer_id: str | None = None

    def place(self, body: Body) -> str:
        theirs = body | {"order_id": self._name(body["order_id"]), "customer": {"user_id": self.user_id}}
        return self._send("/v1/orders", theirs)

    def tell(self, order_id: str, body: Body) -> str:
        return self._send(f"/v1/orders/{self._name(order_id)}/events", body)

    def order(self, order_id: str) -> Body:
        found = bootstrap.orders().find("de", self._name(order_id), consistent=True)
        assert found is not None
        return OrderStateBody.of(OrderView(found, fold(found))).model_dump(mode="json")

    def statistics(self) -> CustomerStatistics:
        row = bootstrap.statistics().find(self.customer_id) if self.customer_id else None
        return row[0] if row else NOTHING

    def _name(self, order_id: str) -> str:
        return f"{self.user_id}:{order_id}"

    def _send(self, path: str, body: Body) -> str:
        from orders_api.handler import handler as orders_api  # noqa: PLC0415 (reads the environment that the cloud sets)
        from project_events.handler import handler as project_events  # noqa: PLC0415

        answer = self.cloud.call(orders_api, "POST", path, body)
        if answer.status not in (200, 201):
            return str(answer.json["code"])
        self.customer_id = answer.json["customer_id"]
        item = {
            "PK": {"S": f"CUSTOMER#{self.customer_id}"},
            "SK": {"S": "EVENT#2026-11-20T12:00:00.000000Z#told"},
            "type": {"S": "order.placed"},
        }
        project_events({"Records": [a_record(item)]}, None)
        return "created" if answer.status == 201 else "existing"
