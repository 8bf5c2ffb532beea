"""Behaviour: events of a customer's partition, written many at a time, and read by day."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

from ecrm.application.ports import Contended, Standing
from ecrm.domain.behaviour import Act, act_of
from ecrm.domain.customers import Customer
from ecrm.domain.events import Event

from . import keys
from .customers import DynamoCustomers
from .events import event_of, put_event
from .table import MOST_ACTIONS, Action, Refused, Table


class DynamoBehaviour:
    def __init__(self, table: Table, customers: DynamoCustomers) -> None:
        self._table = table
        self._customers = customers

    def record(self, standing: Standing, events: Sequence[Event], *, consistent: bool = False) -> None:
        if standing.claim is None and not events:
            return
        customer = self._customer(standing, consistent=consistent)
        standing = Standing(customer.customer_id, standing.claim, customer)
        new = {keys.event(event.customer_id, event.occurred_at, event.id): event for event in events}
        there = self._recorded_before_a_merger(customer, new.values())
        pending = [event for key, event in new.items() if key.sk not in there]
        actions: list[Action] = list(self._customers.puts(standing)) if pending or standing.claim else []
        while actions:
            now = dict(enumerate(pending[: MOST_ACTIONS - len(actions)]))
            try:
                self._table.write([*actions, *(put_event(event, why=_why(number)) for number, event in now.items())])
            except Refused as refused:
                known = {number for number in now if _why(number) in refused.found}
                if len(known) < len(refused.found):
                    raise Contended("the customer changed meanwhile") from None
                pending = [event for number, event in enumerate(pending) if number not in known]
                actions = actions if pending or standing.claim else []
            else:
                pending = pending[len(now) :]
                standing = Standing(customer.customer_id, found=customer)
                actions = list(self._customers.puts(standing)) if pending else []

    def _customer(self, standing: Standing, *, consistent: bool) -> Customer:
        """Say whom they have absorbed as far as is known: what is written is held to that."""
        if standing.claim is not None:
            return standing.claim.customer
        found = standing.found or self._customers.find(standing.customer_id, consistent=consistent)
        if found is None or found.merged_into is not None or found.erased_at is not None:
            raise Contended("the customer is not there yet, or not any more")
        return found

    def _recorded_before_a_merger(self, customer: Customer, events: Iterable[Event]) -> set[str]:
        wanted = [keys.event(customer_id, event.occurred_at, event.id) for customer_id in customer.absorbed for event in events]
        return {item["SK"] for item in self._table.get_many(wanted, consistent=True)} if wanted else set()

    def acts(self, customer_id: str, day: date | None = None) -> Iterator[Act]:
        """Give what a customer did on a UTC day, or ever, as far as it is counted; strongly consistent."""
        return (act for act in map(act_of, self.events(customer_id, day)) if act is not None)

    def events(self, customer_id: str, day: date | None = None) -> Iterator[Event]:
        """Give everything that happened to a customer on a UTC day, or ever; strongly consistent."""
        prefix = keys.EVENT_PREFIX + (day.isoformat() if day else "")
        return map(event_of, self._table.query(keys.customer_partition(customer_id), prefix=prefix, consistent=True))


def _why(number: int) -> str:
    return f"event {number} is new"
