"""What people do on a site: the names of it, and a customer's behaviour counted by UTC day.

The names are those of Segment's e-commerce spec, version 2 (https://www.twilio.com/docs/segment/connections/spec/ecommerce/v2),
and what that spec lacks; any other name is a custom event.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import pairwise

from .events import Event

NAMES: dict[str, str] = {
    "Products Searched": "products.searched",
    "Product List Viewed": "product_list.viewed",
    "Product List Filtered": "product_list.filtered",
    "Promotion Viewed": "promotion.viewed",
    "Promotion Clicked": "promotion.clicked",
    "Product Clicked": "product.clicked",
    "Product Viewed": "product.viewed",
    "Product Added": "product.added",
    "Product Removed": "product.removed",
    "Cart Viewed": "cart.viewed",
    "Checkout Started": "checkout.started",
    "Checkout Step Viewed": "checkout_step.viewed",
    "Checkout Step Completed": "checkout_step.completed",
    "Payment Info Entered": "payment_info.entered",
    "Coupon Entered": "coupon.entered",
    "Coupon Applied": "coupon.applied",
    "Coupon Denied": "coupon.denied",
    "Coupon Removed": "coupon.removed",
    "Product Added to Wishlist": "wishlist.product_added",
    "Product Removed from Wishlist": "wishlist.product_removed",
    "Wishlist Product Added to Cart": "wishlist.product_moved",
    "Product Shared": "product.shared",
    "Cart Shared": "cart.shared",
    "Product Reviewed": "product.reviewed",
    "Complaint Opened": "complaint.opened",
    "Survey Answered": "survey.answered",
}
"""What a track call's name makes of it."""

ORDER_NAMES: dict[str, str] = {
    "Order Completed": "placed",
    "Order Updated": "amended",
    "Order Refunded": "refunded",
    "Order Cancelled": "cancelled",
    "Order Shipped": "shipped",
    "Order Delivered": "delivered",
    "Order Returned": "returned",
}
"""Names that a server key makes an order's facts of. Said by a write key they are a claim, kept as behaviour."""

CLAIMED = {name: f"claimed.{name.lower().replace(' ', '_')}" for name in ORDER_NAMES}
PAGE, SCREEN, GROUP, CUSTOM = "page.viewed", "screen.viewed", "group.joined", "custom.tracked"
TITLES = {PAGE: "Page Viewed", SCREEN: "Screen Viewed", GROUP: "Group Joined"}
"""The names under which calls that are no track calls are counted."""
TYPES = frozenset({*NAMES.values(), *CLAIMED.values(), *TITLES, CUSTOM})

DAYS = 90
"""Days whose counts are kept, up to the day on which the customer was last seen."""
PAUSE = timedelta(minutes=30)
"""A pause that is longer ends a visit; the day's end does, too."""
AHEAD = timedelta(hours=24)
"""How far a clock may run ahead of ours; what a worse one says is kept and not counted."""


def type_of(name: str) -> str:
    """Give the event type of a track call's name, as a write key may say it."""
    return NAMES.get(name) or CLAIMED.get(name, CUSTOM)


@dataclass(frozen=True, slots=True)
class Act:
    """One thing done, as far as it is counted; `id` and `at` are those of its event."""

    id: str
    name: str
    at: datetime


def act_of(event: Event) -> Act | None:
    """Read what an event says was done; None where that is not behaviour, or of a clock too far ahead of ours."""
    if event.type not in TYPES or event.occurred_at > event.received_at + AHEAD:
        return None
    return Act(event.id, TITLES.get(event.type) or event.data["name"], event.occurred_at)


@dataclass(frozen=True, slots=True)
class NamedCounts:
    """How often a named event happened on each UTC day, and when at first and at last, before those days too."""

    first_at: datetime
    last_at: datetime
    days: Mapping[date, int]


@dataclass(frozen=True, slots=True)
class BehaviourCounts:
    """A customer's behaviour, by UTC day. `has_more` says that there are named events that had no room in `events`."""

    last_seen_at: datetime | None = None
    visits: Mapping[date, int] = field(default_factory=dict)
    events: Mapping[str, NamedCounts] = field(default_factory=dict)
    has_more: bool = False


NEVER_SEEN = BehaviourCounts()


def recount(counts: BehaviourCounts, acts: Iterable[Act]) -> BehaviourCounts:
    """Count anew the days on which `acts` happened: all acts of those days, in any order, however often each is given.

    Counting every day gives the same as counting them one after another, in any order, and again. Not to be asked of counts
    that leave out events.
    """
    by_day: dict[date, dict[tuple[datetime, str], Act]] = {}
    for act in acts:
        by_day.setdefault(act.at.date(), {})[act.at, act.id] = act
    if not by_day:
        return counts
    days = {day: [known[key] for key in sorted(known)] for day, known in by_day.items()}
    latest = max(done[-1].at for done in days.values())
    last_seen_at = max(latest, counts.last_seen_at or latest)
    since = last_seen_at.date() - timedelta(days=DAYS - 1)
    visits = {**counts.visits, **{day: _visits(done) for day, done in days.items()}}
    events = dict(counts.events)
    for day in sorted(days):
        events |= _counted(events, day, days[day])
    return BehaviourCounts(
        last_seen_at,
        _within(visits, since),
        {name: replace(named, days=_within(named.days, since)) for name, named in events.items()},
    )


def _visits(done: list[Act]) -> int:
    """Count runs of acts without a pause; `done` is one day's, by time."""
    return 1 + sum(after.at - before.at > PAUSE for before, after in pairwise(done))


def _counted(events: Mapping[str, NamedCounts], day: date, done: list[Act]) -> dict[str, NamedCounts]:
    times: dict[str, list[datetime]] = {}
    for act in done:
        times.setdefault(act.name, []).append(act.at)
    counted: dict[str, NamedCounts] = {}
    for name, at in times.items():
        known = events.get(name) or NamedCounts(at[0], at[-1], {})
        counted[name] = NamedCounts(min(known.first_at, at[0]), max(known.last_at, at[-1]), {**known.days, day: len(at)})
    return counted


def _within(days: Mapping[date, int], since: date) -> dict[date, int]:
    return {day: days[day] for day in sorted(days) if day >= since}


def fitted(counts: BehaviourCounts, room: int) -> BehaviourCounts:
    """Leave out named events until the rest has room: `room` is in bytes as the table counts them.

    Those that happened last are kept, the name decides between two; so whoever counts the same facts leaves out the same.
    """
    kept: dict[str, NamedCounts] = {}
    left = room - len(written(counts.visits))
    for name in sorted(sorted(counts.events), key=lambda name: counts.events[name].last_at, reverse=True):
        left -= _weight(name, counts.events[name])
        if left < 0:
            break
        kept[name] = counts.events[name]
    return replace(counts, events=kept, has_more=counts.has_more or len(kept) < len(counts.events))


def _weight(name: str, named: NamedCounts) -> int:
    """Bound the bytes that a named event takes: its name, two instants of 16 digits, and the counts as text."""
    return len(name.encode()) + 2 * 9 + len(written(named.days)) + 12


def written(days: Mapping[date, int]) -> str:
    """Write counts from the last day backwards, divided by commas; `3,,1` is 3, then nothing on the day before, then 1."""
    if not days:
        return ""
    last, first = max(days), min(days)
    return ",".join(str(days.get(last - timedelta(days=back)) or "") for back in range((last - first).days + 1))


def read(text: str, last: date) -> dict[date, int]:
    """Read what `written` wrote, whose last day is `last`."""
    counts = {last - timedelta(days=back): int(count) for back, count in enumerate(text.split(",")) if count}
    return {day: counts[day] for day in sorted(counts)}
