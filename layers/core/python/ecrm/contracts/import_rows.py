"""Rows of contact files: what a row says is found in its columns, read in the ways of its people, and held to a contract."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from ecrm.application.import_rows import Rule
from ecrm.domain.consent import Channel, Proof
from ecrm.domain.errors import Invalid
from ecrm.domain.imports import Import, Record, Refusal
from ecrm.domain.reasons import ROW

from . import locales
from .locales import Locale, Unread
from .objects import json_object
from .problems import invalid_from

LONGEST_ID = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentTerms:
    """What a sidecar says of the consents of a file."""

    channel: Channel
    topic: str
    state: str | None
    source: str | None
    at: datetime | None
    text_version: str | None
    proof: Proof | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How the rows of an import are read. `target_of` says what a field of an object means, which has no head."""

    import_: Import
    header: tuple[str, ...]
    mapping: Mapping[str, str | None]
    target_of: Callable[[str], str | None]
    locale: Locale
    currency: str | None
    topics: Mapping[str, frozenset[str]]
    types: Mapping[str, str] = field(default_factory=dict)
    rules: Mapping[str, Rule] = field(default_factory=dict)
    clears: bool = False
    tags: tuple[str, ...] = ()
    consent: ConsentTerms | None = None

    @property
    def site(self) -> str:
        return self.import_.site or ""

    @property
    def backfill(self) -> bool:
        return not self.import_.options.fires_automations

    def cells(self, record: Record) -> "list[Cell]":
        """Give what a record says, by column; what is left out is not there. Raises Wrong."""
        if record.cells is None:
            return self.said(object_of(record))
        said = zip(self.header, record.cells, strict=False)
        return [Cell(name, target, cell) for name, cell in said if (target := self.mapping.get(name)) is not None]

    def said(self, line: Mapping[str, Any]) -> "list[Cell]":
        return [Cell(name, target, value) for name, value in line.items() if (target := self.target_of(name)) is not None]

    def rule(self, name: str) -> Rule:
        return self.rules.get(name) or self.rules.get("*") or Rule.OVERWRITE

    def rules_of(self, cells: "Sequence[Cell]") -> dict[str, Rule]:
        if not self.rules:
            return {}
        found = {cell.target: self.rule(cell.name) for cell in cells}
        return {target: rule for target, rule in found.items() if rule is not Rule.OVERWRITE}


@dataclass(frozen=True, slots=True)
class Cell:
    """What a row says in a column: the text of a table's cell, or any JSON value of a line."""

    name: str
    target: str
    value: Any

    @property
    def text(self) -> str:
        """The value as a text, without blanks and invisible characters around it; empty where it says nothing. Raises Wrong."""
        match self.value:
            case str():
                return locales.trimmed(self.value)
            case None:
                return ""
            case bool():
                return "true" if self.value else "false"
            case int() | Decimal():
                return format(self.value, "f") if isinstance(self.value, Decimal) else str(self.value)
            case _:
                raise Wrong("value_type", self.name)

    def read[T](self, reader: Callable[..., T], *more: Any) -> T:
        """Read the text. Raises Wrong."""
        try:
            return reader(self.text, *more)
        except Unread as unread:
            raise Wrong(unread.code, self.name) from None


class Wrong(Exception):
    """A row that cannot be taken, and the column that says why."""

    def __init__(self, code: str, column: str | None = None, detail: str | None = None) -> None:
        super().__init__(code)
        self.refusal = Refusal(code, detail or ROW[code], column)


def object_of(record: Record) -> dict[str, Any]:
    try:
        return json_object(record.text or "")
    except Unread as unread:
        raise Wrong(unread.code) from None


def each(read: Callable[[Reading, Record], Any]) -> Callable[[Reading, Sequence[Record]], list[Any]]:
    """Read records one by one."""

    def all_of(reading: Reading, records: Sequence[Record]) -> list[Any]:
        return [judged(read, reading, record) for record in records]

    return all_of


def judged(read: Callable[..., Any], reading: Reading, *about: Any) -> Any:
    try:
        return read(reading, *about)
    except Wrong as wrong:
        return wrong.refusal
    except ValidationError as error:
        return _refusal(invalid_from(error), {})
    except Invalid as error:
        return _refusal(error, {})


def _refusal(error: Invalid, columns: Mapping[str, str]) -> Refusal:
    """Say what a contract found, by the column from which it came: `columns` are by the beginnings of pointers."""
    flaw = error.flaws[0] if error.flaws else None
    code, detail = (flaw.code, flaw.detail) if flaw else (error.code, error.detail)
    column = None
    steps = flaw.pointer.split("/")[1:] if flaw else []
    while steps and column is None:
        column = columns.get("/".join(steps))
        steps.pop()
    return Refusal(code if code in ROW else "bad_value", detail, column)


def held[T](build: Callable[[], T], columns: Mapping[str, str]) -> T:
    """Hold what was found in a row to a contract. Raises Wrong."""
    try:
        return build()
    except ValidationError as error:
        refusal = _refusal(invalid_from(error), columns)
    except Invalid as error:
        refusal = _refusal(error, columns)
    raise Wrong(refusal.code, refusal.column, refusal.detail)


def own_id(cell: Cell) -> str:
    """Take an identifier that a site made, byte for byte but for what nobody sees around it."""
    text = cell.text
    if len(text) > LONGEST_ID:
        raise Wrong("bad_id", cell.name)
    return text


def phone_of(phone: Cell, country: Cell | None, reading: Reading) -> str:
    """Read a telephone by the row's country, where it says one, else by the file's."""
    said = locales.trimmed(country.text).upper() if country else ""
    if said and not locales.is_country(said):
        try:
            return phone.read(locales.phone, None)
        except Wrong as wrong:
            raise Wrong("unknown_country" if wrong.refusal.code == "no_country" else wrong.refusal.code, phone.name) from None
    return phone.read(locales.phone, said or reading.locale.country)


def amount(cell: Cell, reading: Reading) -> str:
    amount = cell.read(locales.number, reading.locale)
    if amount < 0:
        raise Wrong("negative_amount", cell.name)
    return format(amount, "f")


def whole(cell: Cell, reading: Reading) -> int:
    found = cell.read(locales.number, reading.locale)
    if found != found.to_integral_value():
        raise Wrong("bad_number", cell.name)
    return int(found)


def digest(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
