"""An order as its customer sees it, in plain data for a template.

What is between the shop and us stays there: contradictions, reasons of refunds, and who the customer is.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from ecrm.application.links import PublicOrder
from ecrm.application.orders import OrderView
from ecrm.domain.instants import to_answer
from ecrm.domain.links import Language
from ecrm.domain.orders import Cancelled, Delivered, Fact, Packed, Refunded, Returned, Shipment, Shipped, Status

from . import formats
from .words import LABELS, SHIPMENTS, STATUSES, STEPS, choices

type Values = dict[str, Any]

_ENDED = {Status.CANCELLED: Cancelled, Status.RETURNED: Returned, Status.REFUNDED: Refunded}
_ON_THE_WAY = (Status.PARTIALLY_SHIPPED, Status.SHIPPED, Status.DELIVERED, Status.RETURNED)


def order_view(found: PublicOrder, language: Language) -> Values:
    view, site = found.view, found.site
    words, state, currency = LABELS[language], view.state, view.order.currency
    money = partial(formats.amount, currency=currency, language=language)
    number = partial(formats.number, language=language)
    at = partial(_at, zone=ZoneInfo(site.time_zone), language=language)
    names = {line.line_id: line.name for line in view.lines}
    refunds = [fact for fact in state.history if isinstance(fact, Refunded)]

    def pieces(lines: Iterable[tuple[str, int]]) -> list[Values]:
        """What an amendment took out of the order has no name any more."""
        return [{"name": names.get(line_id, line_id), "quantity": number(count)} for line_id, count in lines if count > 0]

    return {
        "brand": site.brand,
        "order_id": view.order.order_id,
        "status": STATUSES[language][state.status],
        "steps": list(_steps(view, at, language)),
        "parcels": [
            {
                "number": number(position),
                "carrier": parcel.carrier,
                "state": SHIPMENTS[language][parcel.state],
                "facts": list(_facts(parcel, at, words, language)),
                "contents": pieces(parcel.lines.items()),
                "url": _safe(parcel.tracking_url),
            }
            for position, parcel in enumerate(state.shipments, start=1)
        ],
        "lines": [
            {
                "name": line.name,
                "quantity": number(line.quantity),
                "amount": money(line.amount_minor),
                "notes": [
                    f"{number(count)} {words[name]}"
                    for name, count in (
                        ("cancelled", state.lines[line.line_id].cancelled),
                        ("returned", state.lines[line.line_id].returned),
                    )
                    if count
                ],
            }
            for line in view.lines
        ],
        "sums": list(_sums(view, money, words)),
        "returns": pieces((line_id, line.returned) for line_id, line in state.lines.items()),
        "refunds": [
            {
                "at": at(fact.occurred_at),
                "amount": words["all_that_was_left"] if fact.amount_minor is None else money(fact.amount_minor),
            }
            for fact in refunds
        ],
        "refunded": money(state.refunded_minor),
        "choices": [] if found.language else choices(language),
    }


def _steps(view: OrderView, at: Callable[[datetime], Values], language: Language) -> Iterator[Values]:
    """The way of an order: what lies behind it with its time, then what is still to come.

    Packing is implied by shipping; payment is not, because some pay at the door.
    """
    state, ended = view.state, view.state.status in _ENDED
    sent = state.status in _ON_THE_WAY or any(line.shipped for line in state.lines.values())
    delivered = state.status is Status.DELIVERED or (ended and any(line.delivered for line in state.lines.values()))
    partly = state.status is Status.PARTIALLY_SHIPPED
    packed_at, shipped_at = _first(state.history, Packed), _first(state.history, Shipped)
    way: list[tuple[Status, bool, datetime | None]] = [(Status.PLACED, True, view.order.placed_at)]
    if state.paid_at or state.status is Status.PLACED:
        way.append((Status.PAID, state.paid_at is not None, state.paid_at))
    way += [
        (Status.PACKED, sent or packed_at is not None, packed_at),
        (Status.PARTIALLY_SHIPPED if partly else Status.SHIPPED, sent, shipped_at),
        (Status.DELIVERED, delivered, _last(state.history, Delivered) if delivered else None),
    ]
    if ended:
        way = [step for step in way if step[1]]
        way.append((state.status, True, _last(state.history, _ENDED[state.status])))
    last = max(position for position, (_, done, _) in enumerate(way) if done)
    for position, (status, done, when) in enumerate(way):
        yield {
            "name": STEPS[language][status],
            "done": done,
            "current": position == last,
            "at": at(when) if when and done else None,
        }


def _first(history: Iterable[Fact], kind: type[Fact]) -> datetime | None:
    return next((fact.occurred_at for fact in history if isinstance(fact, kind)), None)


def _last(history: tuple[Fact, ...], kind: type[Fact]) -> datetime | None:
    return _first(reversed(history), kind)


def _facts(parcel: Shipment, at: Callable[[datetime], Values], words: Mapping[str, str], language: Language) -> Iterator[Values]:
    if parcel.shipped_at:
        yield {"name": words["shipped_at"]} | at(parcel.shipped_at)
    if parcel.delivered_at:
        yield {"name": words["delivered_at"]} | at(parcel.delivered_at)
    elif parcel.estimated_on:
        on = parcel.estimated_on
        yield {"name": words["estimated_on"], "iso": on.isoformat(), "text": formats.day(on, language)}
    if parcel.tracking_number:
        yield {"name": words["tracking_number"], "iso": None, "text": parcel.tracking_number}


def _sums(view: OrderView, money: Callable[[int], str], words: Mapping[str, str]) -> Iterator[Values]:
    terms = view.state.terms
    goods = sum(line.amount_minor for line in view.lines)
    for name, minor in (
        ("subtotal", goods),
        ("discount", -terms.discount_minor),
        ("shipping", terms.shipping_minor),
        ("tax", 0 if terms.tax_included else terms.tax_minor),
    ):
        if minor or name == "subtotal":
            yield {"name": words[name], "amount": money(minor), "grand": False}
    yield {"name": words["total"], "amount": money(terms.total_minor), "grand": True}
    if terms.tax_included and terms.tax_minor:
        yield {"name": words["tax_included"], "amount": money(terms.tax_minor), "grand": False}


def _safe(url: str | None) -> str | None:
    """A link may lead to the web and to nowhere else, whatever an older contract has let in."""
    return url if url and url.startswith(("https://", "http://")) else None


def _at(instant: datetime, zone: ZoneInfo, language: Language) -> Values:
    return {"iso": to_answer(instant), "text": formats.moment(instant.astimezone(zone), language)}
