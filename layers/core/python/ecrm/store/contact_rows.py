"""Contacts out of a file: changes of many customers in a transaction, which no row needs to be all or nothing with another.

A transaction that is refused names the rows that were not as seen; the others are written by the next one.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from ecrm.application.contact_rows import CustomerChange
from ecrm.application.ports import AttributeBook, Contended
from ecrm.domain.customers import Customer, Identifier
from ecrm.domain.customers import Held as KnownBy
from ecrm.domain.events import Event

from . import keys
from .consent import puts
from .customers import DynamoCustomers, profile_item
from .events import event_of
from .profiles import DynamoProfiles
from .table import MOST_ACTIONS, Action, Delete, Held, Refused, Table, as_seen, put_as_seen

LARGEST = 3_000_000
"""Bytes that a transaction may come to at the very most; DynamoDB's own limit is 4 MB."""
_ATTRIBUTE = 2_200
"""Bytes of the largest attribute, with its name, time and source."""
_SEPARATOR = " of change "


class DynamoContactRows:
    def __init__(self, table: Table, customers: DynamoCustomers, profiles: DynamoProfiles, secret: Callable[[], bytes]) -> None:
        self._table = table
        self._customers = customers
        self._profiles = profiles
        self._secret = secret

    def name_of(self, identifier: Identifier) -> str:
        return keys.identity(identifier, self._secret()).pk.rpartition("#")[2]

    def happened(self, told: Iterable[tuple[str, datetime, str]]) -> Mapping[tuple[str, str], Event]:
        items = self._table.get_many((keys.event(*named) for named in told), consistent=True)
        events = map(event_of, items)
        return {(event.customer_id, event.id): event for event in events}

    def write(self, changes: Sequence[CustomerChange]) -> frozenset[int]:
        refused: set[int] = set()
        for places in _transactions([(tuple(self._puts(change)), _most_bytes(change)) for change in changes]):
            left = dict(places)
            for _ in range(2):
                stale = self._stale(left)
                refused |= stale
                left = {place: actions for place, actions in left.items() if place not in stale}
                if not stale or not left:
                    break
            else:
                refused |= left.keys()
        return frozenset(refused)

    def contents(self, customer_id: str) -> tuple[frozenset[str], tuple[Event, ...]]:
        items = list(self._table.query(keys.customer_partition(customer_id), consistent=True))
        events = tuple(event_of(item) for item in items if item["SK"].startswith(keys.EVENT_PREFIX))
        return frozenset(item["type"] for item in items if not item["SK"].startswith(keys.EVENT_PREFIX)), events

    def leave(self, customer: Customer) -> Customer:
        leaving = replace(customer, merged_into=customer.customer_id, version=customer.version + 1)
        self._write_profile(leaving)
        return leaving

    def stay(self, leaving: Customer) -> None:
        self._write_profile(replace(leaving, merged_into=None, version=leaving.version + 1))

    def _write_profile(self, customer: Customer) -> None:
        try:
            self._table.put(put_as_seen(profile_item(customer), customer.version - 1, "profile as it was seen"))
        except Refused:
            raise Contended("the customer changed meanwhile") from None

    def remove(self, leaving: Customer, book: AttributeBook, held: Mapping[Identifier, KnownBy]) -> None:
        """Attributes go first, as in an erasure: their changes are held to them alone. The profile goes last."""
        customer_id = leaving.customer_id
        condition, values = as_seen(book.version)
        first: list[Action] = [*self._customers.frees(customer_id, {i: each.erased_at for i, each in held.items()})]
        if book.version:
            first.append(Delete(keys.attributes(customer_id), condition, "attributes as they were seen", values))
        profile = keys.profile(customer_id)
        try:
            if first:
                self._table.write(first)
            left = (keys.Key(item["PK"], item["SK"]) for item in self._table.query(profile.pk, consistent=True))
            self._table.remove_many((keys.statistics(customer_id), *(key for key in left if key != profile)))
            condition, values = as_seen(leaving.version)
            self._table.write([Delete(profile, condition, "profile as it was seen", values)])
        except Refused:
            raise Contended("the customer changed meanwhile") from None

    def _stale(self, actions: Mapping[int, Sequence[Action]]) -> set[int]:
        """Write all or nothing; gives the places of the changes in whose way somebody was."""
        with suppress(Refused, Held):
            self._table.write(each for some in actions.values() for each in some)
            return set()
        named = (replace(each, why=f"{each.why}{_SEPARATOR}{place}") for place, some in actions.items() for each in some)
        try:
            self._table.write(named)
        except Refused as refused:
            whys: Iterable[str] = refused.found
        except Held as held:
            whys = held.whys
        else:
            return set()
        return {int(why.rpartition(_SEPARATOR)[2]) for why in whys}

    def _puts(self, change: CustomerChange) -> Iterator[Action]:
        """What a row's transaction holds: to the profile, too, where consents change."""
        yield from self._profiles.puts(change.standing, change.book, (change.event,), is_held=bool(change.consents))
        yield from self._customers.frees(change.standing.customer_id, change.freed)
        if change.consents:
            yield from puts(change.standing.customer_id, change.consents, change.answers, change.seen)


def _most_bytes(change: CustomerChange) -> int:
    """Bound a change from above, without weighing it: all attributes once, and twice what the event says of them."""
    told = max(len(change.event.data.get(name, ())) for name in ("after", "attributes"))
    kept = len(change.book.attributes) if change.book else 0
    return _ATTRIBUTE * (kept + 2 * told + 4 + 2 * len(change.consents))


def _transactions(changes: Sequence[tuple[tuple[Action, ...], int]]) -> Iterator[dict[int, tuple[Action, ...]]]:
    """Put as many changes into each transaction as it can hold, by their places."""
    held: dict[int, tuple[Action, ...]] = {}
    count = size = 0
    for place, (actions, most) in enumerate(changes):
        if held and (count + len(actions) > MOST_ACTIONS or size + most > LARGEST):
            yield held
            held, count, size = {}, 0, 0
        held[place] = actions
        count += len(actions)
        size += most
    if held:
        yield held
