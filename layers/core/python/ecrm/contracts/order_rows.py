"""Rows of orders and of shipments."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from ecrm.application.import_rows import OrderRow, ShipmentRow
from ecrm.application.orders import PlaceOrder, RecordOrderEvent
from ecrm.domain import instants
from ecrm.domain.imports import Record, Refusal
from ecrm.domain.reasons import ROW

from . import locales
from .import_rows import Cell, Reading, Wrong, amount, digest, held, judged, object_of, own_id, phone_of, whole
from .orders import DeliveredBody, PlaceOrderBody, ShippedBody

_ORDER_FIELDS = ("order_id", "placed_at", "currency", "total", "shipping", "tax", "tax_included", "discount", "coupon")
_BUYER_FIELDS = ("user_id", "email", "phone", "anonymous_id", "country")
_LINE_FIELDS = ("line_id", "sku", "name", "quantity", "unit_price", "line_discount", "category")


def orders(reading: Reading, records: Sequence[Record]) -> list[Any]:
    """Read orders: of a table, the consecutive rows of one id are one order; of NDJSON, each line is."""
    found: list[Any] = []
    for _, several in groupby(_with_cells(reading, records), key=lambda each: each[0]):
        found += _order_of(reading, [(record, cells) for _, record, cells in several])
    return found


def _with_cells(reading: Reading, records: Sequence[Record]) -> Iterator[tuple[object, Record, Mapping[str, Cell]]]:
    """Give records with what they say, and what those of one order have in common."""
    for record in records:
        if record.cells is None:
            yield record.row, record, {}
            continue
        cells = {cell.target: cell for cell in reading.cells(record)}
        order_id = cells["order_id"].text if "order_id" in cells else ""
        yield order_id or record.row, record, cells


def _order_of(reading: Reading, rows: Sequence[tuple[Record, Mapping[str, Cell]]]) -> list[Any]:
    first, cells = rows[0]
    if first.cells is None:
        return [judged(_order_line, reading, first)]
    lines: list[Any] = [judged(_line, reading, own, cells if at else None) for at, (_, own) in enumerate(rows)]
    if not any(isinstance(line, Refusal) for line in lines):
        placed = judged(_whole_order, reading, first, cells, lines)
        if not isinstance(placed, Refusal):
            return [placed, *[None] * (len(rows) - 1)]
        lines[0] = placed
    incomplete = Refusal("order_incomplete", ROW["order_incomplete"])
    return [line if isinstance(line, Refusal) else incomplete for line in lines]


def _order_line(reading: Reading, record: Record) -> OrderRow:
    body = PlaceOrderBody.model_validate(object_of(record))
    return _placed(reading, record, body, {})


def _line(reading: Reading, cells: Mapping[str, Cell], first: Mapping[str, Cell] | None) -> tuple[dict[str, Any], dict[str, str]]:
    """Read one line of an order. Raises Wrong, also where it contradicts the first row of the order."""
    for name in (*_ORDER_FIELDS, *_BUYER_FIELDS):
        if first is not None and name in cells and cells[name].text and cells[name].text != first[name].text:
            raise Wrong("order_contradicts", cells[name].name)
    given = {name: cells[name] for name in _LINE_FIELDS if name in cells and cells[name].text}
    for name in ("sku", "quantity", "unit_price"):
        if name not in given:
            raise Wrong("missing", cells[name].name)
    said: dict[str, Any] = {"sku": given["sku"].text, "name": given.get("name", given["sku"]).text}
    said["quantity"] = whole(given["quantity"], reading)
    said["unit_price"] = amount(given["unit_price"], reading)
    if "line_discount" in given:
        said["discount"] = amount(given["line_discount"], reading)
    said |= {name: given[name].text for name in ("line_id", "category") if name in given}
    return said, {("discount" if name == "line_discount" else name): cell.name for name, cell in given.items()}


def _whole_order(
    reading: Reading, record: Record, cells: Mapping[str, Cell], lines: Sequence[tuple[dict[str, Any], dict[str, str]]]
) -> OrderRow:
    given = {name: cells[name] for name in (*_ORDER_FIELDS, *_BUYER_FIELDS) if name in cells and cells[name].text}
    for name in ("order_id", "placed_at", "total"):
        if name not in given:
            raise Wrong("missing", cells[name].name)
    said: dict[str, Any] = {
        "order_id": given["order_id"].text,
        "placed_at": instants.to_text(given["placed_at"].read(locales.moment, reading.locale)),
        "currency": given["currency"].text.upper() if "currency" in given else reading.currency,
        "customer": _buyer(given, reading),
        "lines": [line for line, _ in lines],
    }
    said |= {name: amount(given[name], reading) for name in ("total", "shipping", "tax", "discount") if name in given}
    if "tax_included" in given:
        said["tax_included"] = given["tax_included"].read(locales.boolean)
    if "coupon" in given:
        said["coupon"] = given["coupon"].text
    columns = {name: cell.name for name, cell in given.items()}
    columns |= {f"lines/{at}/{name}": column for at, (_, names) in enumerate(lines) for name, column in names.items()}
    body = held(lambda: PlaceOrderBody.model_validate(said), columns)
    return _placed(reading, record, body, columns)


def _buyer(given: Mapping[str, Cell], reading: Reading) -> dict[str, str]:
    named = {name: own_id(given[name]) for name in ("user_id", "anonymous_id") if name in given}
    if "email" in given:
        named["email"] = given["email"].read(locales.email)
    if "phone" in given:
        named["phone"] = phone_of(given["phone"], given.get("country"), reading)
    if not named:
        raise Wrong("no_identifier")
    return named


def _placed(reading: Reading, record: Record, body: PlaceOrderBody, columns: Mapping[str, str]) -> OrderRow:
    """Make the command. Its digest stands for what it says, so that the same order in another file is the same."""
    site = body.site or reading.site
    command = held(lambda: body.to_command(site, digest="", source=reading.import_.event_source), columns)
    return OrderRow(
        row=record.row, command=replace(command, digest=_digest_of_order(command), backfill=reading.backfill or body.backfill)
    )


def _digest_of_order(command: PlaceOrder) -> str:
    terms = command.terms
    totals = (terms.total_minor, terms.shipping_minor, terms.tax_minor, terms.discount_minor, terms.tax_included)
    lines = [
        (each.line_id, each.sku, each.name, each.quantity, each.unit_price_minor, each.discount_minor, each.category)
        for each in command.lines
    ]
    who = [(each.kind, each.value, each.scope) for each in command.identifiers]
    at = instants.to_text(command.placed_at)
    return digest("order", command.site, command.order_id, at, command.currency, who, lines, totals, command.coupon)


def shipment(reading: Reading, record: Record) -> ShipmentRow:
    cells = {cell.target: cell for cell in reading.cells(record) if cell.text}
    if "order_id" not in cells:
        raise Wrong("no_identifier")
    order_id = cells["order_id"].text
    shipment_id = next((cells[name].text for name in ("shipment_id", "tracking_number") if name in cells), order_id)
    columns = {cell.target: cell.name for cell in cells.values()}
    happened = {
        name: instants.to_text(cells[name].read(locales.moment, reading.locale))
        for name in ("shipped_at", "delivered_at")
        if name in cells
    }
    if not happened:
        raise Wrong("missing", _column_of(reading, "shipped_at") or _column_of(reading, "delivered_at"))
    told: dict[str, str] = {name: cells[name].text for name in ("carrier", "tracking_number", "tracking_url") if name in cells}
    commands: list[RecordOrderEvent] = []
    said: dict[str, Any]
    if "shipped_at" in happened:
        said = {"type": "shipped", "occurred_at": happened["shipped_at"], "shipment_id": shipment_id, **told}
        commands.append(_happened(reading, order_id, said, ShippedBody, columns | {"occurred_at": columns["shipped_at"]}))
    if "delivered_at" in happened:
        said = {"type": "delivered", "occurred_at": happened["delivered_at"], "shipment_id": shipment_id}
        commands.append(_happened(reading, order_id, said, DeliveredBody, columns | {"occurred_at": columns["delivered_at"]}))
    return ShipmentRow(row=record.row, shipment_id=shipment_id, commands=tuple(commands))


def _happened(
    reading: Reading, order_id: str, said: dict[str, Any], body: type[ShippedBody | DeliveredBody], columns: Mapping[str, str]
) -> RecordOrderEvent:
    """Make the command; the event's name is the parcel's, so that the same parcel in another file is the same event."""
    event_id = f"{said['type']}:{digest(said['shipment_id'])[:32]}"
    named = said | {"event_id": event_id, "backfill": reading.backfill}
    checked = held(lambda: body.model_validate(named), columns)
    stands_for = digest(reading.site, order_id, said)
    return checked.to_command(reading.site, order_id, digest=stands_for, source=reading.import_.event_source)


def _column_of(reading: Reading, target: str) -> str | None:
    return next((name for name, meant in reading.mapping.items() if meant == target), None)
