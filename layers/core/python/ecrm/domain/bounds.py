"""How often something happened, as far as a statistics row tells: never fewer times than `low`, never more than `high`.

The row counts behaviour by UTC day, for some days, and knows the first and the last instant of all; of orders it has the number
and these two instants. A window whose borders cut through what was counted leaves a margin; it is never on the wrong side of
what the facts say.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from .behaviour import DAYS, BehaviourCounts, NamedCounts
from .comparisons import MANY
from .statistics import CustomerStatistics
from .windows import DAY, Span

SURELY_KEPT = timedelta(days=398)
"""How far back the facts of behaviour are all there, for a night that lasts a day: they are kept for 400 days from their arrival,
and a clock may have run a day ahead of ours. What is older a row may still count when it is gone."""


class Bounds(NamedTuple):
    low: int
    high: int


NEVER, ANY = Bounds(0, 0), Bounds(0, MANY)


def happened(name: str, span: Span, now: datetime) -> Callable[[BehaviourCounts], Bounds]:
    """Bound how often behaviour of a name happened within a span."""
    start, end = span
    floor = max(start, now - SURELY_KEPT)
    start_day, end_day = start.date(), (end - timedelta(microseconds=1)).date()
    whole_from, whole_to = _first_whole_day(floor), end.date() - DAY

    def bound(counts: BehaviourCounts) -> Bounds:
        named = counts.events.get(name)
        if named is None:
            return ANY if counts.has_more else NEVER
        first, last = named.first_at, named.last_at
        if last < start or end <= first:
            return NEVER
        low = high = 0
        for day, count in named.days.items():
            if start_day <= day <= end_day:
                if whole_from <= day <= whole_to:
                    low, high = low + count, high + count
                else:
                    at_least, at_most = border(day, count, named)
                    low, high = low + at_least, high + at_most
        if counts.last_seen_at and first.date() < (since := counts.last_seen_at.date() - (DAYS - 1) * DAY):
            low += floor <= first < end
            high = MANY if start_day < since else high
        return Bounds(low, high)

    def border(day: date, count: int, named: NamedCounts) -> Bounds:
        """Bound the count of a day through which the span's start or end goes, by what is known to be before and after them."""
        known = {at for at in (named.first_at, named.last_at) if at.date() == day}
        begins = whole_from <= day or any(floor <= at for at in known & {named.first_at})
        ends = day <= whole_to or any(at < end for at in known & {named.last_at})
        if begins and ends:
            return Bounds(count, count)
        return Bounds(sum(floor <= at < end for at in known), count - sum(not span.holds(at) for at in known))

    return bound


def _first_whole_day(floor: datetime) -> date:
    midnight = datetime(floor.year, floor.month, floor.day, tzinfo=UTC)
    return floor.date() if floor == midnight else floor.date() + DAY


def bought(span: Span, currency: str | None) -> Callable[[CustomerStatistics], Bounds]:
    """Bound how many orders that are not wholly cancelled were placed within a span, in one currency or in all."""
    start, end = span

    def bound(statistics: CustomerStatistics) -> Bounds:
        first, last, count = statistics.first_order_at, statistics.last_order_at, statistics.orders
        if first is None or last is None or last < start or end <= first:
            return NEVER
        of_all = count
        if currency is not None:
            part = statistics.currencies.get(currency)
            count = part.orders if part else 0
        if start <= first and last < end:
            return Bounds(count, count)
        if count < of_all:
            return Bounds(0, count)  # the first and the last may be in another currency
        is_first_in, is_last_in = span.holds(first), span.holds(last)
        return Bounds(is_first_in + is_last_in, count - (not is_first_in) - (not is_last_in))

    return bound
