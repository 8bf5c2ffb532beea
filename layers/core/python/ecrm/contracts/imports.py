"""Contact files on the wire: the sidecar, which column means what, and rows as commands.

What a row says is checked by the contracts that HTTP has; here it is found in the row, and read in the ways of the file's people.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ecrm.application.import_rows import ContactRow, Rule
from ecrm.application.ports import Sites, Topics
from ecrm.domain.attributes import IDENTIFIERS, LONGEST_NAME
from ecrm.domain.consent import Channel
from ecrm.domain.imports import FileFormat, FileRefused, Import, Kind, Layout, Plan, Record, Refusal
from ecrm.domain.reasons import FILE
from ecrm.domain.sites import Site

from . import headers
from .contact_rows import contact, contact_line
from .import_rows import ConsentTerms, Reading, each, object_of
from .locales import Locale, Unread, country_of, is_country, number
from .order_rows import orders, shipment
from .pinpoint import endpoint, is_endpoint
from .product_rows import product
from .sidecars import SidecarBody
from .suppression_rows import suppression


def plan(import_: Import, layout: Layout, sample: Sequence[Record], *, sites: Sites, topics: Topics) -> Plan:
    """Decide what each column means and how its cells are written. Raises FileRefused."""
    sidecar = SidecarBody.model_validate(import_.options.said)
    defined = {topic.topic: [channel.value for channel in topic.channels] for topic in topics.all()}
    if sidecar.consent is not None and sidecar.consent.topic not in defined:
        raise _refused("unknown_topic")
    mapping: dict[str, str | None] = {}
    warnings: list[tuple[str, str]] = []
    if layout.format is not FileFormat.NDJSON:
        mapping, warnings = _mapped(import_.kind, layout, sample, sidecar)
    _refuse_unknown(import_.kind, mapping if layout.header else None, sidecar)
    if layout.format is not FileFormat.NDJSON:
        _refuse_incomplete(import_.kind, layout.header, mapping)
    _refuse_topics(mapping.values(), defined)
    site = _site(import_, sites)
    language, _, region = (sidecar.locale or (site.languages[0] if site else "")).partition("-")
    home = country_of(site.time_zone) if site else None
    region = region.rpartition("-")[2] or sidecar.country or (home if sidecar.locale is None else None) or ""
    said = {
        "language": language,
        "region": region,
        "country": sidecar.country or (region if is_country(region) else home),
        "zone": site.time_zone if site else "UTC",
        "currency": site.currency if site else None,
        "topics": defined,
    }
    return Plan(mapping, said, tuple(warnings))


def _site(import_: Import, sites: Sites) -> Site | None:
    """Give the site whose ways of writing the file has, where its rows belong to none: the only one there is."""
    if import_.site is not None:
        return sites.find(import_.site)
    known = sites.all()
    return known[0] if len(known) == 1 else None


def _mapped(
    kind: Kind, layout: Layout, sample: Sequence[Record], sidecar: SidecarBody
) -> tuple[dict[str, str | None], list[tuple[str, str]]]:
    mapping: dict[str, str | None] = {}
    warnings: list[tuple[str, str]] = []
    taken: dict[str, int] = {}
    for at, name in enumerate(layout.header):
        if not name.strip():
            if any(record.cells and at < len(record.cells) and record.cells[at].strip() for record in sample):
                warnings.append(("unnamed_column", str(at + 1)))
            continue
        target = target_of(kind, name, sidecar.mapping)
        if target is None and name not in sidecar.mapping:
            warnings.append(("long_name" if len(name) > LONGEST_NAME else "unused_column", name[:LONGEST_NAME]))
        if name in mapping or (target is not None and target in taken):
            other = taken[target] if target in taken else layout.header.index(name)
            raise FileRefused(f"{FILE['duplicate_column']}: columns {other + 1} and {at + 1}", code="duplicate_column")
        mapping[name] = target
        if target is not None:
            taken[target] = at
    return mapping, warnings


_TRANSLATION = re.compile(
    r"(?:translations[.])?(name|title|description|url)[ ._-]+([a-z]{2}(?:[-_][a-z]{2,4})*)", re.ASCII | re.IGNORECASE
)
_CONSENT = re.compile(r"consent\.([a-z]+)\.([a-z0-9][a-z0-9_-]{0,39})", re.ASCII)
_OBJECTS = frozenset({"address", "company", "acquisition"})
"""Attributes that are no single value."""


def target_of(kind: Kind, name: str, mapping: Mapping[str, str | None]) -> str | None:
    """Say what a column means; None where it is left out."""
    if name in mapping:
        return mapping[name]
    if name in headers.OURS:
        return None
    found = headers.target_of(kind, name)
    if found is not None:
        return found
    if kind is Kind.PRODUCTS and (translated := _TRANSLATION.fullmatch(name)):
        field = translated[1].lower()
        return f"translations.{translated[2].replace('_', '-')}.{'name' if field == 'title' else field}"
    if kind is not Kind.CONTACTS or len(name) > LONGEST_NAME or name in _OBJECTS:
        return None
    return name


_NEEDED: Mapping[Kind, tuple[frozenset[str], ...]] = {
    Kind.CONTACTS: (IDENTIFIERS,),
    Kind.SUPPRESSIONS: (frozenset({"address", "email", "phone"}),),
    Kind.PRODUCTS: (frozenset({"sku"}),),
    Kind.ORDERS: (
        IDENTIFIERS,
        *(frozenset({name}) for name in ("order_id", "placed_at", "total", "sku", "quantity", "unit_price")),
    ),
    Kind.SHIPMENTS: (frozenset({"order_id"}), frozenset({"shipped_at", "delivered_at"})),
}
"""Of each of these sets a table has one column at least."""


def _refuse_incomplete(kind: Kind, header: Sequence[str], mapping: Mapping[str, str | None]) -> None:
    present = set(mapping.values())
    missing = [names for names in _NEEDED[kind] if not names & present]
    if not missing:
        return
    if any(_is_no_name(name) for name in header):
        raise _refused("no_header")
    wanted = " or ".join(sorted(missing[0]))
    code = "no_identifier_column" if missing[0] is _NEEDED[kind][0] and kind is not Kind.ORDERS else "missing_column"
    raise FileRefused(f"{FILE[code]}: {wanted}", code=code)


def _is_no_name(name: str) -> bool:
    """Say whether a column's name looks like what stands in a row: an address, or a number."""
    if re.search(r"\S@\S+\.\S", name):
        return True
    try:
        number(name, Locale(has_plain_numbers=True))
    except Unread:
        return False
    return True


def _refuse_unknown(kind: Kind, mapping: Mapping[str, str | None] | None, sidecar: SidecarBody) -> None:
    """Hold a sidecar to the columns that there are, and its targets to those of the kind."""
    if mapping is not None:
        for at, names in (("mapping", sidecar.mapping), ("types", sidecar.types), ("rules", sidecar.rules)):
            if names.keys() - mapping.keys() - {"*"}:
                raise FileRefused(f"{FILE['unknown_column']}: {at}", code="unknown_column")
    for target in sidecar.mapping.values():
        if target is not None and not _is_target(kind, target):
            raise _refused("unknown_target")


def _is_target(kind: Kind, target: str) -> bool:
    if target in headers.targets(kind):
        return True
    if target.startswith("consent."):
        found = _CONSENT.fullmatch(target)
        return kind is Kind.CONTACTS and found is not None and found[1] in Channel
    if kind is Kind.PRODUCTS:
        return bool(re.fullmatch(r"translations\.[A-Za-z-]{2,11}\.(name|description|url)", target))
    return kind is Kind.CONTACTS and bool(target.strip()) and len(target) <= LONGEST_NAME and target not in _OBJECTS


def _refuse_topics(mapped: Iterable[str | None], defined: Mapping[str, Any]) -> None:
    for target in mapped:
        if target is None or not target.startswith("consent."):
            continue
        if not defined:
            raise _refused("no_topics")
        found = _CONSENT.fullmatch(target)
        if found is not None and found[2] not in defined:
            raise _refused("unknown_topic")


def _refused(code: str) -> FileRefused:
    return FileRefused(FILE[code], code=code)


def reading_of(import_: Import) -> Reading:
    """Say how the rows of an import are read, from what was planned."""
    if import_.plan is None or import_.layout is None:
        raise ValueError("an import whose rows are read has a plan")
    said, sidecar = import_.plan.said, SidecarBody.model_validate(import_.options.said)
    consent = sidecar.consent
    return Reading(
        import_=import_,
        header=import_.layout.header,
        mapping=import_.plan.mapping,
        target_of=lambda name: target_of(import_.kind, name, sidecar.mapping),
        locale=Locale(
            language=said["language"],
            region=said["region"],
            country=said["country"],
            zone=said["zone"],
            has_plain_numbers=import_.layout.format is FileFormat.XLSX,
        ),
        currency=said["currency"],
        topics={topic: frozenset(channels) for topic, channels in said["topics"].items()},
        types=sidecar.types,
        rules={name: Rule(rule) for name, rule in sidecar.rules.items()},
        clears=sidecar.empty == "clear",
        tags=tuple(sidecar.tags),
        consent=None
        if consent is None
        else ConsentTerms(
            channel=Channel(consent.channel),
            topic=consent.topic,
            state=consent.state,
            source=consent.source,
            at=consent.at,
            text_version=consent.text_version,
            proof=consent.proof.to_proof() if consent.proof else None,
        ),
    )


def _contact(reading: Reading, record: Record) -> ContactRow:
    if record.cells is not None:
        return contact(reading, record)
    line = object_of(record)
    return endpoint(reading, record, line) if is_endpoint(line) else contact_line(reading, record, line)


_READERS: Mapping[Kind, Callable[[Reading, Sequence[Record]], Sequence[Any]]] = {
    Kind.CONTACTS: each(_contact),
    Kind.SUPPRESSIONS: each(suppression),
    Kind.PRODUCTS: each(product),
    Kind.ORDERS: orders,
    Kind.SHIPMENTS: each(shipment),
}


def reads(import_: Import, records: Sequence[Record]) -> Sequence[Any | Refusal | None]:
    """Read the records of a chunk, in order: of each its command, why it is refused, or None where it is part of one before."""
    return _READERS[import_.kind](reading_of(import_), records)


def group(import_: Import) -> Callable[[Record], str | None]:
    """Name what a record must not be parted from: the rows of one order stand together in a table."""
    if import_.kind is not Kind.ORDERS or import_.plan is None or import_.layout is None:
        return lambda _: None
    mapping = import_.plan.mapping
    at = next((at for at, name in enumerate(import_.layout.header) if mapping.get(name) == "order_id"), None)
    if at is None:
        return lambda _: None
    return lambda record: record.cells[at].strip() or None if record.cells and at < len(record.cells) else None
