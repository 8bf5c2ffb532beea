"""Rows of products."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ecrm.application.import_rows import ProductRow, Rule
from ecrm.domain import instants
from ecrm.domain.imports import Record, fact_at

from . import locales
from .import_rows import Cell, Reading, Wrong, amount, held, object_of, whole
from .products import PutProductBody


def product(reading: Reading, record: Record) -> ProductRow:
    if record.cells is None:
        body = PutProductBody.model_validate(object_of(record))
        return _row(reading, record, body, {}, {})
    cells = {cell.target: cell for cell in reading.cells(record)}
    columns = {target: cell.name for target, cell in cells.items()}
    if "sku" not in cells or not cells["sku"].text:
        raise Wrong("no_identifier", columns.get("sku"))
    said: dict[str, Any] = {}
    for target, cell in cells.items():
        if target == "currency" or target.startswith("translations."):
            continue
        if cell.text:
            said[target] = _READERS.get(target, _text)(cell, reading)
        elif reading.clears and target != "updated_at":
            said[target] = None
    if said.get("price") is not None:
        named = cells["currency"].text.upper() if "currency" in cells else ""
        said["price"] = {"amount": said["price"], "currency": named or reading.currency or ""}
        columns["price/currency"] = columns.get("currency", columns["price"])
    if words := _translations(cells):
        said["translations"] = words
    body = held(lambda: PutProductBody.model_validate(said), columns)
    return _row(reading, record, body, columns, reading.rules_of(tuple(cells.values())))


def _row(
    reading: Reading, record: Record, body: PutProductBody, columns: Mapping[str, str], rules: Mapping[str, Rule]
) -> ProductRow:
    command = held(lambda: body.to_command(body.sku), columns)
    return ProductRow(
        row=record.row, command=replace(command, at=command.at or fact_at(reading.import_, record.row)), rules=rules
    )


def _translations(cells: Mapping[str, Cell]) -> dict[str, dict[str, str]]:
    words: dict[str, dict[str, str]] = {}
    for target, cell in cells.items():
        if target.startswith("translations.") and cell.text:
            _, language, name = target.split(".")
            words.setdefault(Cell(cell.name, target, language).read(locales.language), {})[name] = cell.text
    return words


def _text(cell: Cell, _: Reading) -> str:
    return cell.text


def _moment(cell: Cell, reading: Reading) -> str:
    return instants.to_text(cell.read(locales.moment, reading.locale))


_AVAILABLE = {
    **dict.fromkeys(("instock", "in_stock", "in stock", "available", "موجود", "有货", "lieferbar", "disponible"), True),
    **dict.fromkeys(("outofstock", "out_of_stock", "out of stock", "sold out", "unavailable", "ناموجود", "缺货", "无货"), False),
    **dict.fromkeys(("ausverkauft", "nicht lieferbar", "épuisé", "indisponible", "agotado"), False),
}
_STOCK_WORDS = {locales.word(text): is_available for text, is_available in _AVAILABLE.items()}


def _available(cell: Cell, _: Reading) -> bool:
    found = _STOCK_WORDS.get(locales.word(cell.text))
    return cell.read(locales.boolean) if found is None else found


_READERS: Mapping[str, Callable[[Cell, Reading], Any]] = {
    "price": amount,
    "stock": whole,
    "replenishment_days": whole,
    "available": _available,
    "updated_at": _moment,
}
