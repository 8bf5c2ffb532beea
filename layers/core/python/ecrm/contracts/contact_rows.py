"""Rows of contacts: who a row is about, what it says of them, and whether they may be written to."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from ecrm.application.consent import ConsentChange
from ecrm.application.import_rows import ContactRow
from ecrm.domain import attributes, instants
from ecrm.domain.consent import Channel, Method, State, Subject
from ecrm.domain.customers import Identifier, identifiers_of
from ecrm.domain.imports import Record, fact_at

from . import locales
from .fields import storable
from .import_rows import Cell, Reading, Wrong, held, own_id, phone_of
from .locales import Locale, Unread
from .profiles import PutCustomerBody

_LIST = re.compile(r"[;|,\u060c\u3001\uff1b\uff0c\n]")
_NO_ATTRIBUTES = attributes.IDENTIFIERS | {"tags", "updated_at"}
_TRIMMED = frozenset({"first_name", "last_name", "name", "gender", "country", "city", "postal_code", "street", "company_name"})
"""Attributes that a mail writes: blanks around them are slips. Texts of other columns stay as they stand."""


def contact(reading: Reading, record: Record) -> ContactRow:
    """Take a row of a table. Raises Wrong."""
    return _person(reading, record, reading.cells(record))


def contact_line(reading: Reading, record: Record, line: Mapping[str, Any]) -> ContactRow:
    """Take a line of NDJSON; one that has `traits` or `consents` is a body of PUT /v1/customers. Raises Wrong."""
    is_body = "traits" in line or "consents" in line
    return _put(reading, record, line) if is_body else _person(reading, record, reading.said(line))


def _put(reading: Reading, record: Record, line: Mapping[str, Any]) -> ContactRow:
    """Take a line that is the body of PUT /v1/customers."""
    body = PutCustomerBody.model_validate(line)
    site = body.site or reading.site
    command = body.to_put(site, cause="", source=reading.import_.event_source)
    changes = tuple(replace(consent.to_change(), method=Method.IMPORT) for consent in body.consents)
    return ContactRow(
        row=record.row,
        site=site,
        identifiers=command.identifiers,
        attributes=command.attributes,
        at=command.at or fact_at(reading.import_, record.row),
        tags=reading.tags,
        consents=with_terms(reading, changes, command.at or fact_at(reading.import_, record.row)),
    )


def _person(reading: Reading, record: Record, cells: Sequence[Cell]) -> ContactRow:
    by_target = {cell.target: cell for cell in cells}
    updated_at = by_target.get("updated_at")
    at = (
        updated_at.read(locales.moment, reading.locale)
        if updated_at and updated_at.text
        else fact_at(reading.import_, record.row)
    )
    changes, warnings = _consents(reading, [cell for cell in cells if cell.target.startswith("consent.")], at)
    tags = _list(by_target["tags"]) if "tags" in by_target else ()
    return ContactRow(
        row=record.row,
        site=reading.site,
        identifiers=identifiers(reading.site, _named(reading, by_target)),
        attributes=_attributes(reading, cells),
        at=at,
        rules=reading.rules_of(cells),
        tags=tuple(dict.fromkeys((*reading.tags, *tags))),
        consents=with_terms(reading, changes, at),
        warnings=warnings,
    )


def _named(reading: Reading, cells: Mapping[str, Cell]) -> dict[str, str]:
    given = {name: cells[name] for name in attributes.IDENTIFIERS if name in cells and cells[name].text}
    named: dict[str, str] = {name: own_id(given[name]) for name in ("user_id", "anonymous_id") if name in given}
    if "email" in given:
        named["email"] = given["email"].read(locales.email)
    if "phone" in given:
        named["phone"] = phone_of(given["phone"], cells.get("country"), reading)
    return named


def identifiers(site: str, named: Mapping[str, str]) -> tuple[Identifier, ...]:
    """Give identifiers, strongest first. Raises Wrong where there is none."""
    if not named:
        raise Wrong("no_identifier")
    return identifiers_of(
        site,
        user_id=named.get("user_id"),
        email=named.get("email"),
        phone=named.get("phone"),
        anonymous_id=named.get("anonymous_id"),
    )


def _attributes(reading: Reading, cells: Sequence[Cell]) -> dict[str, Any]:
    traits: dict[str, Any] = {}
    columns: dict[str, str] = {}
    for cell in cells:
        if cell.target not in _NO_ATTRIBUTES and not cell.target.startswith("consent."):
            _take(reading, cell, traits)
            columns[f"traits/{cell.target}"] = cell.name
    return held(lambda: attributes.stated(traits), columns)


def _take(reading: Reading, cell: Cell, traits: dict[str, Any]) -> None:
    """Add an attribute; an empty cell says nothing, or that it is to be cleared."""
    if not isinstance(cell.value, str) and cell.value is not None:
        is_typed = cell.name in reading.types and not isinstance(cell.value, list | dict)
        if not is_typed and cell.target not in _KINDS:
            traits[cell.name if isinstance(cell.value, dict) else cell.target] = _storable(cell)
            return
    text = cell.text
    if not text:
        if reading.clears:
            traits[cell.target] = None
        return
    kind = reading.types.get(cell.name) or _KINDS.get(cell.target, "text")
    traits[cell.target] = _TYPES[kind](cell, reading.locale)


def _storable(cell: Cell) -> Any:
    try:
        return storable(cell.value)
    except ValueError:
        raise Wrong("value_type", cell.name) from None


def _text(cell: Cell, _: Locale) -> str:
    return cell.text if cell.target in _TRIMMED or not isinstance(cell.value, str) else cell.value


def _number(cell: Cell, locale: Locale) -> int | Decimal:
    return cell.read(locales.number, locale)


def _date(cell: Cell, locale: Locale) -> str:
    """Write a day as a day, and a moment as a moment."""
    text = cell.text
    if attributes.is_date(text):
        return text
    try:
        return locales.day(text, locale).isoformat()
    except Unread as unread:
        if unread.code != "bad_date":
            raise Wrong(unread.code, cell.name) from None
    return instants.to_answer(cell.read(locales.moment, locale))


def _birthday(cell: Cell, locale: Locale) -> str:
    text = locales.ascii_digits(cell.text)
    return text if text.startswith("--") else cell.read(locales.day, locale).isoformat()


def _boolean(cell: Cell, _: Locale) -> bool:
    return cell.read(locales.boolean)


def _texts(cell: Cell, _: Locale) -> list[str]:
    return _list(cell)


def _list(cell: Cell) -> list[str]:
    if isinstance(cell.value, list):
        if not all(isinstance(each, str) for each in cell.value):
            raise Wrong("value_type", cell.name)
        return [text for each in cell.value if (text := locales.trimmed(each))]
    return [text for each in _LIST.split(cell.text) if (text := locales.trimmed(each))]


def _language(cell: Cell, _: Locale) -> str:
    return cell.read(locales.language)


_TYPES: Mapping[str, Callable[[Cell, Locale], Any]] = {
    "text": _text,
    "number": _number,
    "date": _date,
    "boolean": _boolean,
    "list": _texts,
    "birthday": _birthday,
    "language": _language,
    "plain": lambda cell, _: cell.text,
}
_KINDS = {"birthday": "birthday", "created_at": "date", "language": "language", "time_zone": "plain"}
"""Attributes whose values are of a kind, whatever is said."""

_GRANTED = frozenset(
    map(
        locales.word,
        (
            *(
                "granted",
                "subscribed",
                "opted in",
                "opt-in",
                "opt in",
                "optin",
                "opted-in",
                "active",
                "confirmed",
                "double opt-in",
            ),
            *(
                "accepted",
                "allowed",
                "عضو",
                "مشترک",
                "فعال",
                "订阅",
                "已订阅",
                "abonniert",
                "angemeldet",
                "abonné",
                "inscrit",
                "suscrito",
            ),
        ),
    )
)
_DENIED = frozenset(
    map(
        locales.word,
        (
            *(
                "denied",
                "unsubscribed",
                "opted out",
                "opt-out",
                "opt out",
                "optout",
                "opted-out",
                "inactive",
                "cleaned",
                "bounced",
            ),
            *(
                "complained",
                "revoked",
                "withdrawn",
                "never",
                "none",
                "blocked",
                "suppressed",
                "not subscribed",
                "لغو شده",
                "انصراف",
            ),
            *(
                "غیرفعال",
                "退订",
                "已退订",
                "未订阅",
                "abgemeldet",
                "abbestellt",
                "widerrufen",
                "désabonné",
                "désinscrit",
                "baja",
                "cancelado",
            ),
        ),
    )
)
_PENDING = frozenset(
    map(locales.word, ("pending", "unconfirmed", "در انتظار", "待确认", "ausstehend", "en attente", "pendiente"))
)


def _consents(reading: Reading, cells: Sequence[Cell], at: datetime) -> tuple[tuple[ConsentChange, ...], tuple[str, ...]]:
    """Read what a row's cells say of consents, with codes of what was not taken."""
    changes: dict[Subject, ConsentChange] = {}
    warnings: list[str] = []
    for cell in cells:
        if not cell.text:
            continue
        state, since = _state(cell, reading.locale)
        if state is None:
            continue
        _, channel, *topic = cell.target.removesuffix("!").split(".", 2)
        topics = topic or _topics_of(reading, channel, state)
        if not topics:
            warnings.append("yes_without_topic")
        for each in topics:
            subject = Subject(Channel(channel), each)
            known = changes.get(subject)
            if known is None or state is State.DENIED:  # of a yes and a no in one row the no holds
                changes[subject] = _change(reading, subject, state, since or at)
    return tuple(changes.values()), tuple(dict.fromkeys(warnings))


def _state(cell: Cell, locale: Locale) -> tuple[State | None, datetime | None]:
    """Read a cell; a day says that it was so from then on. Not to have opted out is not to have agreed."""
    said, is_no = locales.word(cell.text), cell.target.endswith("!")
    if is_no and (said in locales.NO or said in _GRANTED or said == "none"):
        return None, None
    if is_no and (said in locales.YES or said in _DENIED or said == "all"):
        return State.DENIED, None
    if said in locales.YES or said in _GRANTED:
        return State.GRANTED, None
    if said in locales.NO or said in _DENIED:
        return State.DENIED, None
    if said in _PENDING:
        return State.PENDING, None
    try:
        since = locales.moment(cell.text, locale)
    except Unread:
        raise Wrong("bad_consent", cell.name) from None
    return (State.DENIED if is_no else State.GRANTED), since


def _topics_of(reading: Reading, channel: str, state: State) -> Sequence[str]:
    """Name the topics that a column means which names none: of a no every one, of anything else the only one there is."""
    offered = [topic for topic, channels in reading.topics.items() if channel in channels]
    if state is State.DENIED:
        return offered or list(reading.topics)
    terms = reading.consent
    if terms is not None and terms.channel == channel:
        return [terms.topic]
    return offered if len(offered) == 1 else []


def _change(reading: Reading, subject: Subject, state: State, at: datetime) -> ConsentChange:
    terms = reading.consent
    is_meant = terms is not None and terms.channel is subject.channel and terms.topic == subject.topic
    return ConsentChange(
        channel=subject.channel,
        topic=subject.topic,
        state=state,
        at=at,
        source=terms.source if terms else None,
        method=Method.IMPORT,
        text_version=terms.text_version if terms and is_meant else None,
        proof=terms.proof if terms and is_meant and state is State.GRANTED else None,
    )


def with_terms(reading: Reading, changes: tuple[ConsentChange, ...], at: datetime) -> tuple[ConsentChange, ...]:
    """Add what the sidecar says of everybody, where the row itself says nothing about it."""
    terms = reading.consent
    if terms is None:
        return changes
    timed = tuple(replace(change, at=terms.at) if terms.at and change.at == at else change for change in changes)
    subject = Subject(terms.channel, terms.topic)
    if terms.state is None or any(change.subject == subject for change in timed):
        return timed
    return (*timed, _change(reading, subject, State(terms.state), terms.at or at))
