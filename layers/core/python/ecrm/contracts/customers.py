"""Customers, their statistics and timeline on the wire."""

from typing import Annotated, Any, Self

from pydantic import Field

from ecrm.domain import instants, money
from ecrm.domain.customers import Customer
from ecrm.domain.events import Event
from ecrm.domain.statistics import CustomerStatistics

from .fields import Answer, PageQuery


class IdentifierBody(Answer):
    kind: str
    value: str
    site: str | None


class CustomerBody(Answer):
    customer_id: str
    identifiers: list[IdentifierBody]
    created_at: str
    has_role_address: bool
    """Whether an address belongs to a function (info@, sales@), not to a person."""

    @classmethod
    def of(cls, customer: Customer) -> Self:
        return cls(
            customer_id=customer.customer_id,
            identifiers=[IdentifierBody(kind=i.kind, value=i.value, site=i.scope or None) for i in customer.identifiers],
            created_at=instants.to_answer(customer.created_at),
            has_role_address=customer.has_role_address,
        )


class CurrencyStatisticsBody(Answer):
    """`gross`: lines after all discounts, without tax and shipping. `net_revenue`: that, minus what was cancelled or refunded."""

    orders: int
    items: int
    gross: str
    cancelled: str
    refunded: str
    net_revenue: str
    mean_order_value: str


class StatisticsBody(Answer):
    customer_id: str
    orders: int
    cancelled_orders: int
    orders_with_returns: int
    returned_items: int
    first_order_at: str | None
    last_order_at: str | None
    currencies: dict[str, CurrencyStatisticsBody]

    @classmethod
    def of(cls, customer_id: str, counted: CustomerStatistics) -> Self:
        return cls(
            customer_id=customer_id,
            orders=counted.orders,
            cancelled_orders=counted.cancelled_orders,
            orders_with_returns=counted.orders_with_returns,
            returned_items=counted.returned_items,
            first_order_at=instants.to_answer(counted.first_order_at) if counted.first_order_at else None,
            last_order_at=instants.to_answer(counted.last_order_at) if counted.last_order_at else None,
            currencies={
                currency: CurrencyStatisticsBody(
                    orders=part.orders,
                    items=part.items,
                    gross=money.to_text(part.gross_minor, currency),
                    cancelled=money.to_text(part.cancelled_minor, currency),
                    refunded=money.to_text(part.refunded_minor, currency),
                    net_revenue=money.to_text(part.net_revenue_minor, currency),
                    mean_order_value=money.to_text(part.mean_order_value_minor, currency),
                )
                for currency, part in counted.currencies.items()
            },
        )


class TimelineEventBody(Answer):
    """One event of the timeline; amounts in `data` end in `_minor` and are minor units of its `currency`."""

    id: str
    type: str
    v: int
    occurred_at: str
    received_at: str
    site: str
    customer_id: str
    source: str
    backfill: bool
    data: dict[str, Any]

    @classmethod
    def of(cls, event: Event) -> Self:
        return cls(
            id=event.id,
            type=event.type,
            v=event.v,
            occurred_at=instants.to_answer(event.occurred_at),
            received_at=instants.to_answer(event.received_at),
            site=event.site,
            customer_id=event.customer_id,
            source=event.source,
            backfill=event.backfill,
            data=dict(event.data),
        )


class TimelineQuery(PageQuery):
    """`type` keeps events of one type, or of several divided by commas."""

    type: Annotated[str, Field(max_length=500)] | None = None

    @property
    def types(self) -> frozenset[str]:
        return frozenset((self.type or "").split(",")) - {""}


class TimelinePage(Answer):
    data: list[TimelineEventBody]
    next_cursor: str | None
