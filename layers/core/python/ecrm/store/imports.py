"""Imports: definition and state, progress, chunks, and what is known of files and their contents. All of it expires."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from ecrm.application.ports import Contended, Page, Request
from ecrm.domain.imports import (
    KEPT,
    FileFormat,
    Import,
    ImportState,
    Kind,
    Layout,
    Options,
    Plan,
    Position,
    Progress,
    RowError,
    Tally,
    ordered,
)
from ecrm.domain.instants import from_text, to_text

from . import keys, replays
from .table import Action, Check, Item, Put, Refused, Table, put_as_seen

_PLAIN = ("size", "etag", "site", "content", "same_as", "error", "detail", "is_cut", "has_rejects", "undo_job_id")
_TIMES = ("at", "started_at", "finished_at")
_AS_SEEN = "import as it was seen"


class DynamoImports:
    def __init__(self, table: Table) -> None:
        self._table = table

    def add(self, import_: Import, request: Request | None) -> None:
        actions = (*_new(import_), *replays.puts(request, import_.requested_at, resource=import_.import_id))
        if replays.write(self._table, actions, request) is not None:
            raise Contended("an import has this id")

    def answered(self, request: Request | None, now: datetime) -> Import | None:
        import_id = replays.resource_of(self._table, request, now) if request else None
        return self.find(import_id) if import_id else None

    def announce(self, import_: Import, sequencer: str) -> Import | None:
        key = keys.import_file(import_.name)
        newest = self._table.get(key, consistent=True)
        if newest is not None and newest["sequencer"] >= ordered(sequencer):
            return self.find(newest["import_id"] if newest["sequencer"] == ordered(sequencer) else import_.import_id)
        version = newest["version"] if newest else 0
        upload = _expiring(key, "import_file", import_) | {
            "version": version + 1,
            "sequencer": ordered(sequencer),
            "import_id": import_.import_id,
        }
        actions: tuple[Action, ...] = (
            *(_new(import_) if import_.version == 1 else (_as_seen(import_),)),
            put_as_seen(upload, version, "no later upload"),
        )
        try:
            self._table.write(actions)
        except Refused:
            raise Contended("another notice of this file is being worked on") from None
        return import_

    def is_newest(self, import_: Import) -> bool:
        newest = self._table.get(keys.import_file(import_.name), consistent=True)
        return newest is None or newest["import_id"] == import_.import_id

    def find(self, import_id: str) -> Import | None:
        item = self._table.get(keys.import_(import_id), consistent=True)
        return _import_of(item) if item else None

    def write(self, import_: Import) -> bool:
        try:
            self._table.put(_as_seen(import_))
        except Refused:
            return False
        return True

    def finish(self, import_: Import) -> bool:
        if import_.content is None:
            return self.write(import_)
        key = keys.import_content(import_.content)
        known = _expiring(key, "import_content", import_) | {"import_id": import_.import_id}
        try:
            self._table.write((_as_seen(import_), Put(known, None, "the last that finished")))
        except Refused:
            return False
        return True

    def same_content(self, content: str) -> Import | None:
        item = self._table.get(keys.import_content(content), consistent=True)
        return self.find(item["import_id"]) if item else None

    def newest(self, *, after: str | None, limit: int) -> Page[Import]:
        rows = list(self._table.query(keys.IMPORTS_PARTITION, after=after, backwards=True, limit=limit))
        found = {item["PK"]: _import_of(item) for item in self._table.get_many(keys.import_(row["SK"]) for row in rows)}
        imports = (found.get(keys.import_partition(row["SK"])) for row in rows)
        return Page(tuple(each for each in imports if each), rows[-1]["SK"] if len(rows) == limit else None)

    def progress(self, import_id: str) -> Progress:
        item = self._table.get(keys.import_progress(import_id), consistent=True)
        return _progress_of(item) if item else Progress()

    def write_progress(self, import_: Import, progress: Progress) -> bool:
        try:
            self._table.put(_progressed(import_, progress))
        except Refused:
            return False
        return True

    def has_ended_chunk(self, import_id: str, chunk: int) -> bool:
        item = self._table.get(keys.import_chunk(import_id, chunk), consistent=True)
        return item is not None and "tally" in item

    def begin_chunk(self, import_: Import, chunk: int, done: int) -> int | None:
        key = keys.import_chunk(import_.import_id, chunk)
        begun = _expiring(key, "import_chunk", import_) | {"begun": done}
        actions = (
            Put(begun, "attribute_not_exists(PK)", "chunk is new"),
            Check(keys.import_(import_.import_id), "attribute_exists(is_running)", "import is running"),
        )
        try:
            self._table.write(actions)
        except Refused as refused:
            there: int | None = refused.found.get("chunk is new", {}).get("begun")
            return there
        return done

    def spans(self, import_id: str) -> Mapping[int, tuple[int, int]]:
        items = self._table.query(keys.import_partition(import_id), prefix=keys.CHUNK_PREFIX, consistent=True)
        return {keys.chunk_of(item["SK"]): (item["begun"], item["done"]) for item in items if {"begun", "done"} <= item.keys()}

    def end_chunk(self, import_: Import, chunk: int, tally: Tally, progress: Progress, begun: int | None) -> bool:
        key = keys.import_chunk(import_.import_id, chunk)
        ended = _expiring(key, "import_chunk", import_) | {"done": progress.done, "tally": _tallied(tally)}
        put = Put(ended, "attribute_not_exists(PK)", "chunk was never begun")
        if begun is not None:
            put = Put(ended | {"begun": begun}, "attribute_exists(PK) AND attribute_not_exists(tally)", "chunk is not done")
        try:
            self._table.write((put, _progressed(import_, progress)))
        except Refused as refused:
            if put.why in refused.found:
                return False
            raise Contended("the progress has changed meanwhile") from None
        return True


def _expiring(key: keys.Key, kind: str, import_: Import) -> Item:
    """Begin an item of an import; `expires_at` is in seconds since 1970, as DynamoDB's TTL wants it."""
    expires_at = int((import_.requested_at + KEPT).timestamp())
    return {"PK": key.pk, "SK": key.sk, "type": kind, "v": 1, "expires_at": expires_at}


def _new(import_: Import) -> tuple[Put, ...]:
    listing = _expiring(keys.import_listing(import_.import_id), "import_listing", import_)
    return (Put(_item(import_), "attribute_not_exists(PK)", "import is new"), Put(listing, None, "list row follows its import"))


def _as_seen(import_: Import) -> Put:
    return put_as_seen(_item(import_), import_.version - 1, _AS_SEEN)


def _item(import_: Import) -> Item:
    return _expiring(keys.import_(import_.import_id), "import", import_) | dict(_named(import_))


def _named(import_: Import) -> Iterator[tuple[str, Any]]:
    yield from (("version", import_.version), ("kind", import_.kind), ("state", import_.state), ("name", import_.name))
    yield from (("source", import_.source), ("requested_at", to_text(import_.requested_at)))
    if import_.state is ImportState.RUNNING:
        yield "is_running", True  # for a condition: `state` is a reserved word
    for name in _PLAIN:
        if value := getattr(import_, name):
            yield name, value
    for name in _TIMES:
        instant = getattr(import_, name)
        if instant is not None:
            yield name, to_text(instant)
    options = import_.options
    yield "options", _said(options) | ({"at": to_text(options.at)} if options.at else {})
    if import_.layout is not None:
        yield "layout", _said(import_.layout)
    if import_.plan is not None:
        yield "plan", _said(import_.plan)
    if import_.tally is not None:
        yield "tally", _tallied(import_.tally)


def _said(part: Options | Layout | Plan) -> Item:
    """Give what a part says, without what it leaves open."""
    return {name: value for name, value in asdict(part).items() if value and not isinstance(value, datetime)}


def _import_of(item: Item) -> Import:
    options, layout, plan = item["options"], item.get("layout"), item.get("plan")
    said: dict[str, Any] = {name: item[name] for name in _PLAIN if name in item}
    said |= {name: from_text(item[name]) for name in _TIMES if name in item}
    return Import(
        import_id=keys.import_id_of(item["PK"]),
        kind=Kind(item["kind"]),
        name=item["name"],
        state=ImportState(item["state"]),
        requested_at=from_text(item["requested_at"]),
        source=item["source"],
        **said,
        options=Options(**options | ({"at": from_text(options["at"])} if "at" in options else {})),
        layout=Layout(**layout | {"format": FileFormat(layout["format"]), "header": tuple(layout.get("header", ()))})
        if layout
        else None,
        plan=Plan(**plan | {"warnings": tuple((code, about) for code, about in plan.get("warnings", ()))})
        if plan is not None
        else None,
        tally=Tally(**item["tally"]) if "tally" in item else None,
        version=item["version"],
    )


def _tallied(tally: Tally) -> Item:
    return {name: value for name, value in asdict(tally).items() if value}


def _progressed(import_: Import, progress: Progress) -> Put:
    key = keys.import_progress(import_.import_id)
    position = {name: value for name, value in asdict(progress.position).items() if value is not None}
    item = _expiring(key, "import_progress", import_) | {
        "version": progress.version,
        "position": position,
        "rows": progress.rows,
        "chunks": progress.chunks,
        "asked": progress.asked,
        "is_split": progress.is_split,
        "is_cut": progress.is_cut,
        "done": progress.done,
        "tally": _tallied(progress.tally),
        "parts": progress.parts,
        "taken": dict(progress.taken),
        "errors": [[error.row, error.line, error.column, error.code] for error in progress.errors],
    }
    return put_as_seen(item, progress.version - 1, "progress as it was seen")


def _progress_of(item: Mapping[str, Any]) -> Progress:
    return Progress(
        position=Position(**item["position"]),
        rows=item["rows"],
        chunks=item["chunks"],
        asked=item["asked"],
        is_split=item["is_split"],
        is_cut=item["is_cut"],
        done=item["done"],
        tally=Tally(**item["tally"]),
        errors=tuple(RowError(*error) for error in item["errors"]),
        parts=item["parts"],
        taken=item["taken"],
        version=item["version"],
    )
