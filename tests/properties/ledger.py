"""A bookkeeper who counts a customer by hand, from the requests as they were sent: naive, exact, and nothing of `ecrm` but the
shape of the answer. Money is a Fraction of a minor unit until it is rounded, halves up.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from fractions import Fraction
from functools import cache
from math import floor
from typing import Any
from zoneinfo import ZoneInfo

from ecrm.domain.statistics import CurrencyStatistics, CustomerStatistics, Month, Purchases

type Body = dict[str, Any]

DECIMALS = {"EUR": 2, "JPY": 0}
ZONE = ZoneInfo("Europe/Berlin")
"""Where the site is whose orders are kept here."""
SAYS_LINES = ("shipped", "delivered", "cancelled", "returned", "refunded")


def rounded(amount: Fraction) -> int:
    return floor(amount + Fraction(1, 2))


@cache
def minor_units(text: str, decimals: int) -> int:
    amount = Fraction(text) * 10**decimals
    assert amount.denominator == 1
    return int(amount)


def by_line(body: Body) -> dict[str, int]:
    return {line["line_id"]: line["quantity"] for line in body.get("lines") or []}


@dataclass
class Told:
    """One order as it was placed, and the events that were taken."""

    placed: Body
    events: list[Body] = field(default_factory=list)

    def minor(self, text: str) -> int:
        return minor_units(text, DECIMALS[self.placed["currency"]])

    def of(self, *kinds: str) -> list[Body]:
        """Events of some kinds, in the order in which they happened."""
        return sorted(
            (event for event in self.events if event["type"] in kinds),
            key=lambda event: (datetime.fromisoformat(event["occurred_at"]), event["event_id"]),
        )

    def named(self, line_id: str, *kinds: str) -> int:
        if kinds == ("amended",):
            return 0
        return sum(by_line(event).get(line_id, 0) for event in self.of(*kinds))

    @property
    def agreed(self) -> Body:
        return self.of("amended")[-1] if self.of("amended") else self.placed

    def nets(self) -> dict[str, int]:
        """Each line's value after all discounts, without a tax that is included: what the order's discount and that tax take is
        handed out over the running sum of the lines.
        """
        goods = {
            line["line_id"]: line["quantity"] * self.minor(line["unit_price"]) - self.minor(line["discount"])
            for line in self.agreed["lines"]
        }
        worth = sum(goods.values())
        taken = self.minor(self.agreed["discount"])
        if self.agreed["tax_included"]:
            taken += self.minor(self.agreed["tax"])
        taken = min(taken, worth)
        nets, seen = {}, 0
        for line_id, value in goods.items():
            before = rounded(Fraction(taken * seen, worth)) if worth else 0
            seen += value
            after = rounded(Fraction(taken * seen, worth)) if worth else 0
            nets[line_id] = value - (after - before)
        return nets

    def cancelled(self) -> dict[str, int]:
        """Units cancelled of each line that is agreed on.

        What names its lines comes first. Then whoever first says "all that is left" has it: a parcel takes it away, a delivery
        puts it out of the reach of a cancellation, a cancellation takes what nobody had.
        """
        units = {}
        for line_id, ordered in by_line(self.agreed).items():
            named, shipped = self.named(line_id, "cancelled"), self.named(line_id, "shipped")
            left = max(0, max(0, ordered - named) - shipped)
            had = max(0, self.named(line_id, "delivered") - shipped)
            for event in self.of("shipped", "delivered", "cancelled"):
                if event.get("lines"):
                    continue
                if event["type"] == "shipped":
                    left = 0
                elif event["type"] == "delivered" and "shipment_id" not in event:
                    had = max(had, left)
                elif event["type"] == "cancelled":
                    free = max(0, left - had)
                    named, left = named + free, left - free
            units[line_id] = named
        return units

    def returned(self) -> int:
        everything = any(not event.get("lines") for event in self.of("returned"))
        cancelled = self.cancelled()
        items = 0
        for line_id, ordered in by_line(self.agreed).items():
            named = self.named(line_id, "returned")
            items += max(named, ordered - cancelled[line_id]) if everything else named
        return items

    def refunded(self) -> int:
        amounts = [event.get("amount") for event in self.of("refunded")]
        back = sum(self.minor(amount) for amount in amounts if amount)
        return max(back, self.minor(self.agreed["total"])) if None in amounts else back

    @property
    def is_kept(self) -> bool:
        """Whether anything of it is not cancelled."""
        gone = self.cancelled()
        return any(gone[line_id] < ordered for line_id, ordered in by_line(self.agreed).items())

    def net_revenue(self) -> int:
        nets, gone = self.nets(), self.cancelled()
        lost = [Fraction(nets[line] * min(gone[line], ordered), ordered) for line, ordered in by_line(self.agreed).items()]
        return max(0, sum(nets.values()) - max(sum(map(rounded, lost)), self.refunded()))

    def bought_on(self) -> date | None:
        """Where something of it was kept and some of the money was: its day on the site's own calendar."""
        total = self.minor(self.agreed["total"])
        if not self.is_kept or (total > 0 and self.refunded() >= total):
            return None
        return self.placed_on

    @property
    def placed_on(self) -> date:
        return datetime.fromisoformat(self.placed["placed_at"]).astimezone(ZONE).date()

    def refusal(self, event: Body) -> str | None:
        """Why an event could never be right, whatever else is still to come."""
        versions = [self.placed, *self.of("amended"), *([event] if event["type"] == "amended" else [])]
        if event["type"] in SAYS_LINES:
            for line_id, quantity in by_line(event).items():
                most = max((by_line(version).get(line_id, 0) for version in versions), default=0)
                if most == 0:
                    return "unknown_line"
                if event["type"] != "refunded" and self.named(line_id, event["type"]) + quantity > most:
                    return f"{event['type']}_exceeds_ordered"
        if event["type"] == "refunded":
            back = sum(self.minor(one["amount"]) for one in [*self.of("refunded"), event] if one.get("amount"))
            if back > max(self.minor(version["total"]) for version in versions):
                return "refund_exceeds_total"
        return None


@dataclass
class Ledger:
    told: dict[str, Told] = field(default_factory=dict)

    def place(self, body: Body) -> str:
        known = self.told.setdefault(body["order_id"], Told(body))
        if known.placed is body:
            return "created"
        return "existing" if known.placed == body else "order_exists"

    def tell(self, order_id: str, body: Body) -> str:
        told = self.told[order_id]
        for event in told.events:
            if event["event_id"] == body["event_id"]:
                return "existing" if event == body else "event_exists"
        refusal = told.refusal(body)
        if refusal is None:
            told.events.append(body)
        return refusal or "created"

    def statistics(self) -> CustomerStatistics:
        by_currency: dict[str, list[Told]] = defaultdict(list)
        kept: list[Told] = []
        for told in self.told.values():
            by_currency[told.placed["currency"]].append(told)
            if told.is_kept:
                kept.append(told)
        placed = sorted(datetime.fromisoformat(told.placed["placed_at"]) for told in kept)
        return CustomerStatistics(
            orders=len(kept),
            cancelled_orders=len(self.told) - len(kept),
            returned_items=sum(told.returned() for told in self.told.values()),
            orders_with_returns=len([told for told in self.told.values() if told.returned() > 0]),
            first_order_at=placed[0] if placed else None,
            last_order_at=placed[-1] if placed else None,
            currencies={
                currency: _in_one_currency(orders, [told for told in orders if told in kept])
                for currency, orders in by_currency.items()
            },
            purchases=_purchases(self.told.values()),
        )


def _purchases(orders: Iterable[Told]) -> Purchases | None:
    bought = {told.bought_on() for told in orders} - {None}
    days = sorted(day for day in bought if day)
    if not days:
        return None
    return Purchases(
        days=len(days),
        first_on=days[0],
        second_on=days[1] if len(days) >= 2 else None,
        previous_on=days[len(days) - 2] if len(days) >= 2 else None,
        last_on=days[len(days) - 1],
    )


def _in_one_currency(orders: list[Told], kept: list[Told]) -> CurrencyStatistics:
    items = gross = cancelled = refunded = 0
    for told in orders:
        nets, gone = told.nets(), told.cancelled()
        for line_id, ordered in by_line(told.agreed).items():
            items += max(0, ordered - gone[line_id])
            cancelled += rounded(Fraction(nets[line_id] * min(gone[line_id], ordered), ordered))
        gross += sum(nets.values())
        refunded += told.refunded()
    purchases = _purchases(orders)
    first_day = [told for told in orders if purchases and told.bought_on() == purchases.first_on]
    return CurrencyStatistics(
        orders=len(kept),
        items=items,
        gross_minor=gross,
        cancelled_minor=cancelled,
        refunded_minor=refunded,
        net_revenue_minor=sum(told.net_revenue() for told in orders),
        purchases=purchases,
        first_day_net_revenue_minor=sum(told.net_revenue() for told in first_day),
        first_90_days_net_revenue_minor=sum(
            told.net_revenue() for told in orders if purchases and 0 <= (told.placed_on - purchases.first_on).days < 90
        ),
        months=_months(orders),
    )


def _months(orders: list[Told]) -> tuple[Month, ...]:
    """A sheet for each month; with few orders there is room for all."""
    found = []
    for year, month in sorted({(told.placed_on.year, told.placed_on.month) for told in orders}):
        in_it = [told for told in orders if (told.placed_on.year, told.placed_on.month) == (year, month)]
        days = {day.day for told in in_it if (day := told.bought_on())}
        net = sum(told.net_revenue() for told in in_it)
        if days or net:
            found.append(Month(12 * year + month - 1, len(days), max(days, default=0), net))
    return tuple(found)
