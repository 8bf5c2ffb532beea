"""Taking what Segment's libraries say: behaviour, who somebody is, and orders."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ecrm.domain.customers import Identifier
from ecrm.domain.errors import Erased, Invalid, RuleBroken, Unavailable
from ecrm.domain.events import Event

from .identity import ATTEMPTS, Authority, Person, whose
from .ports import Behaviour, Contended, Customers, Ids, Standing

if TYPE_CHECKING:
    from .orders import PlaceOrder, Recorded, RecordOrderEvent
    from .profiles import ApplyTraits

KEPT = timedelta(days=400)
"""How long behaviour is kept, from its arrival."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One call. `name` is its message's, unique on its site; without an `event_type` it only says who somebody is."""

    identifiers: tuple[Identifier, ...]
    name: str
    at: datetime
    corrected_at: datetime | None
    backfill: bool
    event_type: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    traits: Mapping[str, Any] = field(default_factory=dict)
    is_statement: bool = False

    @property
    def happened_at(self) -> datetime:
        return self.corrected_at or self.at


type Order = PlaceOrder | RecordOrderEvent
type Result = Recorded | Exception | None
"""What became of a call: an order's, what refused it, or nothing to tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taking:
    """Takes the calls of one request, all of one key's; collaborators are passed in once."""

    site: str
    source: str
    authority: Authority
    now: datetime
    behaviour: Behaviour
    customers: Customers
    ids: Ids
    apply_traits: "Callable[[ApplyTraits], None]"
    keep_order: "Callable[[Order], Recorded]"

    def take(self, calls: Sequence[Said | Order]) -> tuple[Result, ...]:
        """Keep every call, each judged by itself; the same calls again change nothing.

        Those of one customer are written together: for one who is known, 2 write units for each transaction of 99 events,
        and 2 for each KB of an event. Raises Unavailable where not all can be kept now: all may then be said again.
        """
        results: list[Result] = [None] * len(calls)
        waiting: dict[str, list[_Group]] = {}
        for group in _groups(calls):
            self._begin(group, waiting, results)
        for customer_id, groups in waiting.items():
            try:
                self._write(Standing(customer_id), groups, results)
            except Contended:
                for group in groups:
                    self._settle(group, results, seen=1)
        for index, call in enumerate(calls):
            if not isinstance(call, Said):
                results[index] = self._order(call)
        return tuple(results)

    def _begin(self, group: "_Group", waiting: dict[str, list["_Group"]], results: list[Result]) -> None:
        """Find whose a group is: one who stays as they are waits for the other groups that are theirs."""
        try:
            standing = whose(self._person(group), customers=self.customers, now=self.now, ids=self.ids)
        except Erased as erased:
            self._refuse(group, erased, results)
            return
        if standing.claim is None:
            waiting.setdefault(standing.customer_id, []).append(group)
            return
        try:
            self._write(standing, [group], results)
        except Contended:
            self._settle(group, results, seen=1)

    def _settle(self, group: "_Group", results: list[Result], *, seen: int = 0) -> None:
        for _ in range(seen, ATTEMPTS):
            try:
                person = self._person(group)
                standing = whose(person, customers=self.customers, now=self.now, ids=self.ids, consistent=True)
                self._write(standing, [group], results, consistent=True)
            except Erased as erased:
                self._refuse(group, erased, results)
            except Contended:
                continue
            return
        raise Contended("many requests for this customer at once; try again")

    def _refuse(self, group: "_Group", erased: Erased, results: list[Result]) -> None:
        """What is newer than an erasure is kept; a write key is not told of what is older."""
        if len(group.calls) > 1:
            for one in group.calls.items():
                self._settle(_Group(dict([one])), results)
            return
        if self.authority is Authority.VOUCHER:
            results[next(iter(group.calls))] = erased

    def _write(self, standing: Standing, groups: Iterable["_Group"], results: list[Result], *, consistent: bool = False) -> None:
        said = {index: call for group in groups for index, call in group.calls.items()}
        events = [self._event(call, standing.customer_id) for call in said.values() if call.event_type is not None]
        self.behaviour.record(standing, events, consistent=consistent)
        for index, call in said.items():
            if call.traits:
                results[index] = self._traits(standing.customer_id, call)

    def _traits(self, customer_id: str, call: Said) -> Result:
        from .profiles import ApplyTraits  # noqa: PLC0415 (most calls say nothing of their customer, and a start need not wait)

        claims = self.authority is Authority.CLAIM
        said = ApplyTraits(
            customer_id=customer_id,
            site=self.site,
            traits=call.traits,
            at=call.happened_at,
            source=self.source,
            is_claimed=claims,
            backfill=call.backfill,
        )
        try:
            self.apply_traits(said)
        except Erased:
            raise Contended("the customer changed meanwhile") from None
        except RuleBroken as full:
            return None if claims else full  # how much is known of somebody is not a write key's to learn
        except Invalid as error:
            return error
        return None

    def _order(self, command: Order) -> Result:
        try:
            return self.keep_order(command)
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 (whatever is wrong with one call must not cost the others their answer)
            return error

    def _person(self, group: "_Group") -> Person:
        earliest = min(group.calls.values(), key=lambda call: call.happened_at)
        return Person(
            site=self.site,
            identifiers=earliest.identifiers,
            authority=self.authority,
            statement=earliest.is_statement,
            at=earliest.happened_at,
            cause=earliest.name,
            source=self.source,
            backfill=earliest.backfill,
        )

    def _event(self, call: Said, customer_id: str) -> Event:
        return Event(
            id=f"behaviour:{call.name}",
            type=call.event_type or "",
            occurred_at=call.at,
            received_at=self.now,
            site=self.site,
            customer_id=customer_id,
            source=self.source,
            data=call.data,
            backfill=call.backfill,
            corrected_at=call.corrected_at,
            expires_at=self.now + KEPT,
        )


@dataclass(frozen=True, slots=True)
class _Group:
    """Calls that name the same person in the same way, by their place in the request."""

    calls: dict[int, Said]


def _groups(calls: Sequence[Said | Order]) -> Iterable[_Group]:
    found: dict[tuple[object, ...], _Group] = {}
    for index, call in enumerate(calls):
        if isinstance(call, Said):
            found.setdefault((call.identifiers, call.is_statement, call.backfill), _Group({})).calls[index] = call
    return found.values()
