"""Placing orders, recording what happens to them, and reading them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from ecrm.domain import orders as domain
from ecrm.domain.customers import Identifier
from ecrm.domain.errors import AlreadyExists, Conflict, Invalid, NotFound, RuleBroken
from ecrm.domain.events import Event
from ecrm.domain.instants import AHEAD
from ecrm.domain.orders import Amended, Fact, Line, Order, OrderState, Status, Terms

from .identity import Authority, Person, whose
from .ports import (
    AlreadyAnswered,
    Clock,
    Contended,
    Customers,
    Ids,
    Orders,
    Outcome,
    Page,
    Request,
    Requests,
    Unreadable,
    sifted,
)

ATTEMPTS = 12
"""Tries before a crowd around one order or customer is answered with "come back"; each costs one refused transaction."""

MOST_DAYS = 31
LONGEST_POSITION = 400
MOST_READ = 1_000
"""Orders that one page of a list may read while it looks for those with a given status, READ_AT_ONCE of them at a time."""
READ_AT_ONCE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOrder:
    """`digest` stands for the body as sent."""

    site: str
    order_id: str
    placed_at: datetime
    currency: str
    identifiers: tuple[Identifier, ...]
    lines: tuple[Line, ...]
    terms: Terms
    coupon: str | None
    backfill: bool
    digest: str
    source: str


@dataclass(frozen=True, slots=True)
class Drafted:
    """A fact, and for an amendment the lines it brings."""

    fact: Fact
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordOrderEvent:
    """`draft` makes the fact once the order's currency is known."""

    site: str
    order_id: str
    event_id: str
    occurred_at: datetime
    backfill: bool
    digest: str
    source: str
    draft: Callable[[str], Drafted]


@dataclass(frozen=True, slots=True)
class OrderView:
    order: Order
    state: OrderState
    lines: tuple[Line, ...] = ()
    position: str = ""
    """Where it stands in the list that gave it."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """`replayed` says that an Idempotency-Key was recognised."""

    view: OrderView
    outcome: Outcome
    replayed: bool = False


def place_order(
    command: PlaceOrder,
    request: Request | None,
    *,
    orders: Orders,
    requests: Requests,
    customers: Customers,
    clock: Clock,
    ids: Ids,
) -> Recorded:
    """Place an order once, whatever is lost on the way: the same id and body again gives the order that is there.

    Raises AlreadyExists where the id belongs to an order with another body; Erased. 12 write units for a known customer, 10
    without an Idempotency-Key.
    """
    now = clock.now()
    _refuse_future(command.placed_at, now, "/placed_at")
    for attempt in range(ATTEMPTS):
        standing = whose(_buyer(command), customers=customers, now=now, ids=ids, consistent=attempt > 0)
        order = Order(
            site=command.site,
            order_id=command.order_id,
            customer_id=standing.customer_id,
            currency=command.currency,
            placed_at=command.placed_at,
            terms=command.terms,
            coupon=command.coupon,
            backfill=command.backfill,
        )
        try:
            existing = orders.place(order, _placed(order, command, now), command.digest, standing, request)
        except AlreadyAnswered as answered:
            return Recorded(read_order(command.site, command.order_id, orders=orders), answered.outcome, replayed=True)
        except Contended:
            continue
        if existing is None:
            return Recorded(OrderView(order, domain.fold(order), command.lines), Outcome.CREATED)
        if existing != command.digest:
            raise AlreadyExists("an order with this order_id exists and differs from this one", code="order_exists")
        return _remembered(read_order(command.site, command.order_id, orders=orders), request, requests, now)
    raise Contended("many requests for this order or customer at once; try again")


def record_order_event(
    command: RecordOrderEvent, request: Request | None, *, orders: Orders, requests: Requests, clock: Clock
) -> Recorded:
    """Add a fact to an order once: the same event id and body again gives the order as it is.

    Raises NotFound, Erased; AlreadyExists where the event id belongs to another body; Conflict where the fact can never become
    right. 6 write units, 4 without an Idempotency-Key. The view has no lines. While an erasure is worked on a fact may still be
    taken; it is deleted with its order.
    """
    now = clock.now()
    _refuse_future(command.occurred_at, now, "/occurred_at")
    winner: Order | None = None
    for attempt in range(ATTEMPTS):
        order = winner or find_order(command.site, command.order_id, orders, consistent=attempt > 0)
        if _has(order, command):
            return _remembered(_view(order), request, requests, now)
        try:
            drafted = _judged(command, order)
        except (AlreadyExists, Conflict, RuleBroken):
            if attempt == 0:
                continue  # this order may be an old one: only the latest is judged for good
            _refuse_reused(request, requests, now)
            raise
        try:
            winner = orders.append(order, drafted.fact, _happened(order, drafted, command, now), request)
        except AlreadyAnswered as answered:
            latest = find_order(command.site, command.order_id, orders, consistent=True)
            return Recorded(_view(latest), answered.outcome, replayed=True)
        except Contended:
            winner = None
            continue
        if winner is None:
            return Recorded(_view(domain.with_fact(order, drafted.fact)), Outcome.CREATED)
    raise Contended("many events for this order at once; try again")


def _has(order: Order, command: RecordOrderEvent) -> bool:
    known = order.fact(command.event_id)
    return known is not None and known.digest == command.digest


def _buyer(command: PlaceOrder) -> Person:
    return Person(
        site=command.site,
        identifiers=command.identifiers,
        authority=Authority.VOUCHER,
        statement=False,
        at=command.placed_at,
        cause=command.order_id,
        source=command.source,
        backfill=command.backfill,
    )


def _judged(command: RecordOrderEvent, order: Order) -> Drafted:
    """Draft the fact. Raises AlreadyExists, and what `domain.check` raises."""
    if order.fact(command.event_id) is not None:
        raise AlreadyExists("an event with this event_id exists and differs from this one", code="event_exists")
    drafted = command.draft(order.currency)
    domain.check(order, drafted.fact)
    return drafted


def _refuse_reused(request: Request | None, requests: Requests, now: datetime) -> None:
    """Say that an Idempotency-Key was used for another body before the body's own faults are told. Raises Invalid."""
    if request is not None:
        requests.find(request, now)


def _view(order: Order) -> OrderView:
    return OrderView(order, domain.fold(order))


def _remembered(view: OrderView, request: Request | None, requests: Requests, now: datetime) -> Recorded:
    """What was there already; an Idempotency-Key that comes again is told what it was told the first time."""
    earlier = requests.recognise(request, Outcome.EXISTING, now) if request else None
    return Recorded(view, earlier or Outcome.EXISTING, replayed=earlier is not None)


def read_order(site: str, order_id: str, *, orders: Orders) -> OrderView:
    """Read an order with its lines, strongly consistent. Raises NotFound, Erased. 3.5 read units."""
    order = find_order(site, order_id, orders, consistent=True)
    state = domain.fold(order)
    return OrderView(order, state, orders.lines_of(order, state.amended_by))


def list_orders(
    site: str, *, first: date, last: date, status: Status | None, after: str | None, limit: int, orders: Orders
) -> Page[OrderView]:
    """List a site's orders by the UTC day they were placed on, newest first; views without lines.

    A page may hold fewer than `limit` while more follow, because at most MOST_READ orders are read for one page. An order that
    cannot be read is left out of it, and named.
    """
    if not first <= last < first + timedelta(days=MOST_DAYS):
        raise Invalid.at("?from", "range", f"from and to span 1 to {MOST_DAYS} days")
    day, position = (date.fromisoformat(after[:10]), after[11:] or None) if after else (last, None)
    found: list[OrderView] = []
    unreadable: list[Unreadable] = []
    read = 0
    while first <= day <= last and read < MOST_READ:
        page = orders.placed_on(site, day, after=position, limit=READ_AT_ONCE if status else limit)
        read += len(page.items) + len(page.unreadable)
        unreadable += page.unreadable
        for order, state in folded(page.items, unreadable):
            if status in (None, state.status):
                found.append(OrderView(order, state, position=f"{day}|{domain.position(order)}"))
                if len(found) == limit:
                    return Page(tuple(found), found[-1].position, tuple(unreadable))
        day, position = (day, page.last) if page.last else (day - timedelta(days=1), None)
    return Page(tuple(found), f"{day}|{position or ''}" if first <= day <= last else None, tuple(unreadable))


def folded(orders: Iterable[Order], unreadable: list[Unreadable]) -> Iterator[tuple[Order, OrderState]]:
    """Fold each order; one whose facts make no sense joins those that could not be read."""
    return sifted(orders, lambda order: (order, domain.fold(order)), ids_of, unreadable)


def ids_of(order: Order) -> dict[str, str]:
    """Name an order, for the log."""
    return {"customer_id": order.customer_id, "site": order.site, "order_id": order.order_id}


def is_position(text: str) -> bool:
    """Say whether a text is a position that `list_orders` could have given."""
    try:
        date.fromisoformat(text[:10])
    except ValueError:
        return False
    return text[10:11] == "|" and len(text) < LONGEST_POSITION


def list_customers_orders(customer_ids: tuple[str, ...], *, after: str | None, limit: int, orders: Orders) -> Page[OrderView]:
    """List the orders of some customers, newest first; views without lines.

    An order that cannot be read is left out, and named on every page.
    """
    pages = [orders.placed_by(customer_id) for customer_id in customer_ids]
    unreadable = [one for page in pages for one in page.unreadable]
    newest = sorted((order for page in pages for order in page.items), key=_newest_first, reverse=True)
    rest = [order for order in newest if after is None or _newest_first(order) < after]
    views = [OrderView(order, state, position=_newest_first(order)) for order, state in folded(rest[:limit], unreadable)]
    return Page(tuple(views), _newest_first(rest[limit - 1]) if len(rest) > limit else None, tuple(unreadable))


def _newest_first(order: Order) -> str:
    return f"{domain.position(order)}#{order.site}"


def find_order(site: str, order_id: str, orders: Orders, *, consistent: bool = False) -> Order:
    """Find an order without its lines. Raises NotFound, Erased.

    An older state, for a third of the units, may still be found while its customer's erasure is worked on.
    """
    order = orders.find(site, order_id, consistent=consistent)
    if order is None and not consistent:
        order = orders.find(site, order_id, consistent=True)  # an eventually consistent read may miss an order just placed
    if order is None:
        raise NotFound("no such order on this site", code="order_not_found")
    return order


def _refuse_future(instant: datetime, now: datetime, pointer: str) -> None:
    if instant > now + AHEAD:
        raise Invalid.at(pointer, "in_the_future", "more than 24 hours ahead of our clock")


def _placed(order: Order, command: PlaceOrder, now: datetime) -> Event:
    return Event(
        id=domain.placed_event_id(order),
        type="order.placed",
        occurred_at=order.placed_at,
        received_at=now,
        site=order.site,
        customer_id=order.customer_id,
        source=command.source,
        data=_agreement(order, order.terms, command.lines) | ({"coupon": order.coupon} if order.coupon else {}),
        backfill=order.backfill,
    )


def _happened(order: Order, drafted: Drafted, command: RecordOrderEvent, now: datetime) -> Event:
    fact = drafted.fact
    details = domain.details(fact)
    if isinstance(fact, Amended):
        details |= _agreement(order, fact.terms, drafted.lines)
    return Event(
        id=domain.event_id(order, fact),
        type=f"order.{domain.TYPES[type(fact)]}",
        occurred_at=fact.occurred_at,
        received_at=now,
        site=order.site,
        customer_id=order.customer_id,
        source=command.source,
        data={"order_id": order.order_id, "currency": order.currency} | details,
        backfill=command.backfill,
    )


def _agreement(order: Order, terms: Terms, lines: tuple[Line, ...]) -> dict[str, Any]:
    return {
        "order_id": order.order_id,
        "currency": order.currency,
        "lines": [domain.line_details(line) for line in lines],
        "total_minor": terms.total_minor,
        "shipping_minor": terms.shipping_minor,
        "tax_minor": terms.tax_minor,
        "discount_minor": terms.discount_minor,
        "tax_included": terms.tax_included,
    }
