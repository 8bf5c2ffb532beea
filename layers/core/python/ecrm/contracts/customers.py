"""The timeline of a customer on the wire."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import Field

from ecrm.domain import instants
from ecrm.domain.events import Event

from .fields import Answer, Day, PageQuery


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
            data=json_of(event.data),
        )


def json_of(value: Any) -> Any:
    """Give a number with a fraction as a number, as it was sent; pydantic would write it as text."""
    if isinstance(value, Mapping):
        return {name: json_of(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [json_of(inner) for inner in value]
    return float(value) if isinstance(value, Decimal) else value


class TimelineQuery(PageQuery):
    """`type` keeps events of one type, or of several divided by commas; `order.*` is all that begin with `order.`."""

    type: Annotated[str, Field(max_length=500)] | None = None
    from_: Annotated[Day | None, Field(alias="from")] = None
    to: Day | None = None

    @property
    def types(self) -> frozenset[str]:
        return frozenset((self.type or "").split(",")) - {""}


class TimelinePage(Answer):
    data: list[TimelineEventBody]
    next_cursor: str | None
