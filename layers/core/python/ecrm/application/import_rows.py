"""The rows of contact files as commands, and what becomes of products, suppressions, orders and shipments.

A row is worked on once for all, however often its chunk is: what it changed of a product or a suppression is written beside it,
and an order or a shipment is a fact whose event names the import. So a row that changes nothing any more tells what it did.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from ecrm.domain import orders as facts
from ecrm.domain.customers import Identifier
from ecrm.domain.errors import AlreadyExists, Conflict, EcrmError, Erased, Invalid, NotFound, RuleBroken, Unavailable
from ecrm.domain.imports import KEPT, Import, Refusal, RowOutcome, RowResult, Skip
from ecrm.domain.instants import AHEAD
from ecrm.domain.products import Product, Stated, merged
from ecrm.domain.suppressions import Address, Ground, Reason, Suppression, comparable, with_ground

from .consent import ConsentChange
from .orders import PlaceOrder, RecordOrderEvent, place_order, record_order_event
from .ports import Clock, Contended, Customers, Ids, Orders, Outcome, Products, Requests, Suppressions
from .products import PutProduct
from .suppressions import SuppressAddress

ATTEMPTS = 12


class Rule(StrEnum):
    """What a column does to what is known: takes its place, only fills what is empty, or never touches it."""

    OVERWRITE = "overwrite"
    FILL_IF_EMPTY = "fill_if_empty"
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactRow:
    """What a row says of a customer; `attributes` are as `attributes.stated` gives them, None where one is cleared.

    `rules` name the attributes that do not simply overwrite, `tags` join those that are there. A row that `is_part` says one
    thing of several about the same customer: none of them supersedes another. `suppressed` are addresses at which the person
    wants nothing any more; `warnings` are codes of what was left aside.
    """

    row: int
    site: str
    identifiers: tuple[Identifier, ...]
    attributes: Mapping[str, Any]
    at: datetime
    rules: Mapping[str, Rule] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    consents: tuple[ConsentChange, ...] = ()
    is_part: bool = False
    suppressed: tuple[Address, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductRow:
    row: int
    command: PutProduct
    rules: Mapping[str, Rule] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressionRow:
    row: int
    command: SuppressAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRow:
    """An order; `row` is the first of its rows."""

    row: int
    command: PlaceOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentRow:
    """What happened to a parcel, in the order in which it did."""

    row: int
    shipment_id: str
    commands: tuple[RecordOrderEvent, ...]


type Was = Stated | Ground | None
"""A product's field or a suppression's ground, None where there was none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowChange:
    """What a row has changed: `before` and `after` by field or reason. Nothing of it is personal.

    `key` is a product's sku, or a name of a suppression that tells no address. `undone` says what became of it since, a word
    for the whole and one for each field that was left.
    """

    import_id: str
    row: int
    result: RowResult
    key: str
    before: Mapping[str, Was]
    after: Mapping[str, Was]
    expires_at: datetime
    undone: tuple[str, Mapping[str, str]] | None = None


class RowChanges(Protocol):
    def find(self, import_id: str, row: int) -> RowChange | None:
        """Give what a row has changed, strongly consistent."""
        ...


class ImportedProducts(Products, Protocol):
    def write_row(self, product: Product, change: RowChange, *, seen: int) -> None:
        """Write both in one transaction, if the stored version is still `seen` and the row has changed nothing yet.

        A change that is `undone` takes the place of what the row has changed. Raises RuleBroken, Contended.
        """
        ...

    def remove_row(self, sku: str, change: RowChange, *, seen: int) -> None:
        """Take a product out of the catalogue, with a change that is `undone`. Raises Contended."""
        ...


class ImportedSuppressions(Suppressions, Protocol):
    def write_row(self, address: Address, suppression: Suppression, change: RowChange, now: datetime, *, seen: int) -> None:
        """Write both in one transaction, if the stored version is still `seen` and the row has changed nothing yet.

        Raises Contended.
        """
        ...

    def key(self, address: Address) -> str:
        """Name an address's suppression without telling the address."""
        ...

    def named(self, key: str) -> tuple[Suppression, int]:
        """Give what is known of an address by the name of its suppression, and its version; strongly consistent."""
        ...

    def write_named_row(self, suppression: Suppression, change: RowChange, now: datetime, *, seen: int) -> None:
        """Write both by the name that the change holds, with a change that is `undone`. Raises Contended."""
        ...


class ImportedOrders(Orders, Protocol):
    def source_of(self, order: facts.Order, fact: facts.Fact | None) -> str | None:
        """Name who told of a fact, or without one of the order itself."""
        ...


def apply_products(
    import_: Import, rows: Sequence[ProductRow], *, products: ImportedProducts, changes: RowChanges, clock: Clock
) -> Sequence[RowOutcome]:
    """Keep what the rows say of products where nothing newer is known. 1 read unit a row that changes nothing, 2 where it did."""
    return [_judged(row.row, _digest(row.command.sku), _product(import_, row, products, changes, clock)) for row in rows]


def _product(
    import_: Import, row: ProductRow, products: ImportedProducts, changes: RowChanges, clock: Clock
) -> Callable[[], RowResult]:
    def kept() -> RowResult:
        command, now = row.command, clock.now()
        at = command.at or now
        if at > now + AHEAD:
            raise Invalid.at("/updated_at", "in_the_future", "more than 24 hours ahead of our clock")
        for _ in range(ATTEMPTS):
            stored = products.find(command.sku)
            said = _news(stored, command.said, row.rules)
            told = Product(command.sku, {name: Stated(value, at) for name, value in said.items()}, at)
            new = told if stored is None else merged(stored, told)
            if stored is not None and new.fields == stored.fields:
                return _done_before(import_, row.row, changes)
            result = RowResult.UPDATED if stored else RowResult.CREATED
            if import_.is_dry_run:
                return result
            seen = stored.version if stored else 0
            change = _change(import_, row.row, result, command.sku, before=_stated(stored, said), after=_stated(new, said))
            try:
                products.write_row(replace(new, version=seen + 1), change, seen=seen)
            except Contended:
                if done := changes.find(import_.import_id, row.row):
                    return done.result
                continue
            return result
        raise Contended("the product is written by many at once")

    return kept


def _news(stored: Product | None, said: Mapping[str, Any], rules: Mapping[str, Rule]) -> Mapping[str, Any]:
    """Give what a row has to say: all that its rules let it say, or nothing, where all of it is known."""
    known = {name: stored.value(name) if stored else None for name in said}
    allowed = {name: value for name, value in said.items() if _may_say(rules.get(name, Rule.OVERWRITE), known[name], stored)}
    return allowed if any(value != known[name] for name, value in allowed.items()) else {}


def _may_say(rule: Rule, known: Any, stored: Product | None) -> bool:
    match rule:
        case Rule.NEVER:
            return stored is None
        case Rule.FILL_IF_EMPTY:
            return known is None
        case Rule.OVERWRITE:
            return True


def _stated(product: Product | None, names: Mapping[str, Any]) -> dict[str, Was]:
    fields = product.fields if product else {}
    return {name: fields.get(name) for name in names}


def apply_suppressions(
    import_: Import, rows: Sequence[SuppressionRow], *, suppressions: ImportedSuppressions, changes: RowChanges, clock: Clock
) -> Sequence[RowOutcome]:
    """Let nothing be sent to the addresses. One that is suppressed for the same reason already is left as it is."""
    return [
        _judged(
            row.row,
            _digest(row.command.address.channel, comparable(row.command.address)),
            lambda row=row: suppressed(import_, row.row, row.command, suppressions=suppressions, changes=changes, clock=clock),  # type: ignore[misc]  # mypy infers no lambda with a default
        )
        for row in rows
    ]


def suppressed(
    import_: Import,
    row: int,
    command: SuppressAddress,
    *,
    suppressions: ImportedSuppressions,
    changes: RowChanges,
    clock: Clock,
) -> RowResult:
    now = clock.now()
    at = command.at or now
    if at > now + AHEAD:
        raise Invalid.at("/at", "in_the_future", "this lies in the future")
    ground = Ground(since=min(at, now), source=command.source, note=command.note)
    for _ in range(ATTEMPTS):
        seen, version = suppressions.find(command.address)
        after = with_ground(seen, command.reason, ground)
        if command.reason in seen.active(now) or after == seen:
            return _done_before(import_, row, changes)
        result = RowResult.UPDATED if seen.grounds else RowResult.CREATED
        if import_.is_dry_run:
            return result
        key, reason = suppressions.key(command.address), command.reason.value
        change = _change(import_, row, result, key, before={reason: seen.grounds.get(command.reason)}, after={reason: ground})
        try:
            suppressions.write_row(command.address, after, change, now, seen=version)
        except Contended:
            if done := changes.find(import_.import_id, row):
                return done.result
            continue
        return result
    raise Contended("many requests for this address at once; try again")


def apply_contacts(
    import_: Import,
    rows: Sequence[ContactRow],
    *,
    apply: Callable[[Import, Sequence[ContactRow]], Sequence[RowOutcome]],
    suppressions: ImportedSuppressions,
    changes: RowChanges,
    clock: Clock,
) -> Sequence[RowOutcome]:
    """Suppress what the rows want suppressed, then keep the contacts: whoever said no is never there without it.

    A row that suppressed an address for the first time has changed something, whatever else it says.
    """
    fresh: set[int] = set()
    for row in rows:
        for address in row.suppressed:
            command = SuppressAddress(
                address=address, reason=Reason.UNSUBSCRIBE, at=row.at, note=None, source=import_.event_source
            )
            done = suppressed(import_, row.row, command, suppressions=suppressions, changes=changes, clock=clock)
            if done is not RowResult.UNCHANGED:
                fresh.add(row.row)
    return [
        replace(outcome, result=RowResult.UPDATED) if outcome.result is RowResult.UNCHANGED and outcome.row in fresh else outcome
        for outcome in apply(import_, rows)
    ]


def apply_orders(
    import_: Import,
    rows: Sequence[OrderRow],
    *,
    orders: ImportedOrders,
    requests: Requests,
    customers: Customers,
    clock: Clock,
    ids: Ids,
) -> Sequence[RowOutcome]:
    """Place the orders. One that is there and says the same, whoever told it, is left as it is."""

    def placed(command: PlaceOrder) -> RowResult:
        found = _found(command, orders)
        if found is None and import_.is_dry_run:
            return RowResult.CREATED
        if found is None:
            done = place_order(command, None, orders=orders, requests=requests, customers=customers, clock=clock, ids=ids)
            if done.outcome is Outcome.CREATED:
                return RowResult.CREATED
            found = _found(command, orders)
        if found is None:
            raise Contended("the order was written meanwhile")
        return _told_by(import_, orders.source_of(found, None), RowResult.CREATED)

    return [
        _judged(row.row, _digest(row.command.site, row.command.order_id), lambda row=row: placed(row.command))  # type: ignore[misc]  # see above
        for row in rows
    ]


def _found(command: PlaceOrder, orders: Orders) -> facts.Order | None:
    """Find the order that a command would place. Raises AlreadyExists where it says something else."""
    order = orders.find(command.site, command.order_id, consistent=True)
    if order is None:
        return None
    same = (command.placed_at, command.currency, command.terms, command.coupon)
    if (order.placed_at, order.currency, order.terms, order.coupon) != same or orders.lines_of(order, None) != command.lines:
        raise AlreadyExists("an order with this order_id exists and differs from this one", code="order_exists")
    return order


def apply_shipments(
    import_: Import, rows: Sequence[ShipmentRow], *, orders: ImportedOrders, requests: Requests, clock: Clock
) -> Sequence[RowOutcome]:
    """Record what happened to the parcels."""

    def recorded(command: RecordOrderEvent) -> RowResult:
        if import_.is_dry_run:
            return _would_record(command, orders)
        done = record_order_event(command, None, orders=orders, requests=requests, clock=clock)
        if done.outcome is Outcome.CREATED:
            return RowResult.UPDATED
        order = orders.find(command.site, command.order_id, consistent=True)
        fact = order.fact(command.event_id) if order else None
        if order is None or fact is None:
            raise Contended("the order was written meanwhile")
        return _told_by(import_, orders.source_of(order, fact), RowResult.UPDATED)

    def recorded_all(row: ShipmentRow) -> RowResult:
        results = {recorded(command) for command in row.commands}
        return RowResult.UPDATED if RowResult.UPDATED in results else RowResult.UNCHANGED

    return [
        _judged(
            row.row,
            _digest(row.commands[0].site, row.commands[0].order_id, row.shipment_id),
            lambda row=row: recorded_all(row),  # type: ignore[misc]  # see above
        )
        for row in rows
    ]


def _would_record(command: RecordOrderEvent, orders: Orders) -> RowResult:
    order = orders.find(command.site, command.order_id, consistent=True)
    if order is None:
        raise NotFound("no such order on this site", code="order_not_found")
    known = order.fact(command.event_id)
    if known is not None and known.digest == command.digest:
        return RowResult.UNCHANGED
    if known is not None:
        raise AlreadyExists("an event with this event_id exists and differs from this one", code="event_exists")
    facts.check(order, command.draft(order.currency).fact)
    return RowResult.UPDATED


def _told_by(import_: Import, source: str | None, result: RowResult) -> RowResult:
    return result if source == import_.event_source else RowResult.UNCHANGED


def _done_before(import_: Import, row: int, changes: RowChanges) -> RowResult:
    """Say what a row that changes nothing now did when its chunk was worked on before."""
    done = changes.find(import_.import_id, row)
    return done.result if done else RowResult.UNCHANGED


def _change(
    import_: Import, row: int, result: RowResult, key: str, *, before: Mapping[str, Was], after: Mapping[str, Was]
) -> RowChange:
    return RowChange(
        import_id=import_.import_id,
        row=row,
        result=result,
        key=key,
        before=before,
        after=after,
        expires_at=import_.requested_at + KEPT,
    )


def _judged(row: int, touched: str, work: Callable[[], RowResult]) -> RowOutcome:
    """Work on a row; what can never become right is its outcome, what time heals is raised."""
    try:
        return RowOutcome(row, work(), touched)
    except Unavailable:
        raise
    except Erased:
        return RowOutcome(row, RowResult.SKIPPED, None, Skip.ERASED)
    except (Invalid, NotFound, AlreadyExists, Conflict, RuleBroken) as error:
        refused = refusal_of(error)
        return RowOutcome(row, RowResult.REJECTED, None, refused.code, refused.column, refused.detail)


def refusal_of(error: EcrmError) -> Refusal:
    """Say why a row is refused by what the use case of its kind has raised."""
    flaw = error.flaws[0] if isinstance(error, Invalid) and error.flaws else None
    return Refusal(flaw.code if flaw else error.code, flaw.detail if flaw else error.detail)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
