"""Imports: a file is taken up, cut into chunks, its chunks are worked on by whoever comes, and its result is written.

Whoever works here may die at any line, and is asked again. Cutting a file gives the same chunks each time, working on a chunk
gives the same outcomes, and each chunk is counted in the transaction that says it is done. So nothing is counted that was not
done, and nothing twice, and the result is made of what was written.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from math import ceil
from typing import Any

from ecrm.domain.errors import Conflict, NotFound, Unavailable
from ecrm.domain.imports import (
    FOLDER,
    LARGEST_FILE,
    MOST_ROWS,
    RESULT,
    Drop,
    FileRefused,
    Import,
    ImportState,
    Kind,
    Options,
    Progress,
    Record,
    Refusal,
    RowOutcome,
    RowResult,
    Skip,
    Tally,
    announced_id,
    cancelled,
    content_digest,
    drop_id,
    errors_of,
    finished,
    first_errors,
    is_data,
    is_rejects,
    kind_of,
    queued,
    refused,
    rejects_of,
    result_of,
    started,
    tally,
    upload_name,
)
from ecrm.domain.instants import to_answer
from ecrm.domain.reasons import sentence

from .import_ports import ChunkQueue, ImportFiles, ImportQueue, Imports, Interpret, Row, Rows, RowsOf
from .ports import AlreadyAnswered, Clock, Contended, JobIds, Page, Request, Sites

ATTEMPTS = 12
CHECKPOINT = 20
"""Chunks between two notes of how far the reading is: what is read again after a death."""
LARGEST_HEADER = 64 * 1024
"""Bytes of the names of all columns: they stand in the import's item, twice, beside a sidecar of at most as much."""
DROPPED = "drop"
"""The source of an import that came by the bucket alone."""
AT_ONCE = 500_000
"""Rows whose subjects are held in memory at once, about 100 MB, when they are counted."""
_DIGEST = 8
_TAKEN = (RowResult.CREATED, RowResult.UPDATED, RowResult.UNCHANGED)
"""What a row does, from the most to the least."""
_CHANGED = frozenset({RowResult.CREATED, RowResult.UPDATED})
_SETTLED = frozenset({Kind.CONTACTS, Kind.PRODUCTS})
"""What rows say something of bit by bit: a later row that had nothing new to say may have, once an earlier one has spoken."""
_OF_A_SITE = frozenset({Kind.CONTACTS, Kind.ORDERS, Kind.SHIPMENTS})


class Overtaken(Exception):
    """Somebody else is further in the same file, and was asked as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestImport:
    """`sidecar` is what stands beside the file, as bytes; `size` in bytes is the most that may be uploaded."""

    kind: Kind
    file_name: str
    size: int
    site: str | None
    sidecar: bytes | None
    source: str


@dataclass(frozen=True, slots=True)
class Requested:
    """`replayed` says that an Idempotency-Key was recognised."""

    import_: Import
    replayed: bool = False


def request_import(
    command: RequestImport,
    request: Request | None,
    *,
    imports: Imports,
    files: ImportFiles,
    interpret: Interpret,
    clock: Clock,
    ids: JobIds,
) -> Requested:
    """Announce a file that is to be uploaded. Raises FileRefused where its sidecar cannot be followed.

    The sidecar is written first: an upload is taken up as soon as it is there.
    """
    now = clock.now()
    if answered := imports.answered(request, now):
        return Requested(answered, replayed=True)
    import_id = ids.job_id(now)
    import_ = Import(
        import_id=import_id,
        kind=command.kind,
        name=upload_name(command.kind, import_id, command.file_name),
        state=ImportState.AWAITING_UPLOAD,
        requested_at=now,
        source=command.source,
        size=command.size,
        site=command.site,
    )
    interpret(import_, command.sidecar)
    if command.sidecar is not None:
        files.write_sidecar(import_.name, command.sidecar)
    try:
        imports.add(import_, request)
    except AlreadyAnswered:
        answered = imports.answered(request, now)
        if answered is None:
            raise Contended("this request is being answered; try again") from None
        return Requested(answered, replayed=True)
    return Requested(import_)


def read_import(import_id: str, *, imports: Imports) -> tuple[Import, Progress]:
    return _found(import_id, imports), imports.progress(import_id)


def list_imports(*, after: str | None, limit: int, imports: Imports) -> Page[Import]:
    """List imports, the last first."""
    return imports.newest(after=after, limit=limit)


def cancel_import(import_id: str, *, imports: Imports, clock: Clock) -> Import:
    """Let nothing more of an import be begun; what was begun is worked on to its end.

    Raises NotFound, and Conflict where it has ended.
    """
    for _ in range(ATTEMPTS):
        import_ = _found(import_id, imports)
        if import_.state is ImportState.CANCELLED:
            return import_
        if import_.has_ended:
            raise Conflict("the import has ended; undo puts back what it changed", code="import_ended")
        after = cancelled(import_, clock.now())
        if imports.write(after):
            return after
    raise Contended("the import changes at this moment; try again")


def _found(import_id: str, imports: Imports) -> Import:
    found = imports.find(import_id)
    if found is None:
        raise NotFound("no such import", code="import_not_found")
    return found


def begin(drop: Drop, *, imports: Imports, files: ImportFiles) -> str | None:
    """Write down that a file has come; gives the import's id, for each notice of that upload the same.

    None where the object is no file of rows, where a later upload of its name came first, or where nobody wants it any more.
    """
    if not drop.name.startswith(FOLDER) or not is_data(drop.name):
        return None
    if is_rejects(drop.name) and files.is_ours(drop.name):
        return None
    kind = kind_of(drop.name)
    if kind is None:
        folders = ", ".join(f"{FOLDER}{each}/" for each in Kind)
        files.write_result(
            drop.name + RESULT, {"state": "failed", "error": "unknown_folder", "detail": f"the folders are {folders}"}
        )
        return None
    for _ in range(ATTEMPTS):
        announced = _announced(drop, imports)
        if announced is not None and announced.etag == drop.etag:
            return announced.import_id
        if announced is not None and announced.etag is None and announced.has_ended:
            return None
        is_awaited = announced is not None and announced.state is ImportState.AWAITING_UPLOAD
        import_ = queued(announced, drop) if announced is not None and is_awaited else _dropped(drop, kind)
        try:
            known = imports.announce(import_, drop.sequencer)
        except Contended:
            continue
        return known.import_id if known else None
    raise Contended("many notices of this file at once")


def _announced(drop: Drop, imports: Imports) -> Import | None:
    import_id = announced_id(drop.name)
    announced = imports.find(import_id) if import_id else None
    return announced if announced is not None and announced.name == drop.name else None


def _dropped(drop: Drop, kind: Kind) -> Import:
    return Import(
        import_id=drop_id(drop),
        kind=kind,
        name=drop.name,
        state=ImportState.QUEUED,
        requested_at=drop.at,
        source=DROPPED,
        size=drop.size,
        etag=drop.etag,
        at=drop.at,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Who takes files up, cuts them into chunks, and writes their results."""

    imports: Imports
    files: ImportFiles
    queue: ImportQueue
    chunks: ChunkQueue
    rows: RowsOf
    interpret: Interpret
    sites: Sites
    clock: Clock

    def work(self, import_id: str, is_late: Callable[[], bool]) -> None:
        """Go on with an import until all of it is cut, or time is short; then ask for it again. Ends it where all is done.

        Raises Unavailable, or what no time heals; in that case the import says so and ends when what was read is done.
        """
        for _ in range(ATTEMPTS):
            import_ = self.imports.find(import_id)
            if import_ is None or import_.has_ended or import_.state is ImportState.AWAITING_UPLOAD:
                return
            try:
                progress = self._cut(import_, is_late)
                if progress.is_complete:
                    self._end(import_id, progress, is_late)
            except Contended:
                continue
            except Overtaken:
                pass
            return
        raise Contended("many work on this import at once")

    def _cut(self, import_: Import, is_late: Callable[[], bool]) -> Progress:
        try:
            return self._read(import_, is_late)
        except FileRefused as error:
            return self._refuse(import_.import_id, error.code, error.detail)
        except (Unavailable, Overtaken):
            raise
        except Exception:
            self._refuse(import_.import_id, "internal", "something is wrong with us, not with the file; we were told")
            self.queue.send(import_.import_id)
            raise

    def _refuse(self, import_id: str, code: str, detail: str) -> Progress:
        """Say why nothing more is read; what was read is worked on."""
        import_ = _found(import_id, self.imports)
        if import_.error is None:
            self._write(refused(import_, code, detail))
        progress = self.imports.progress(import_id)
        return progress if progress.is_split else self._moved(import_, progress, replace(progress, is_split=True, is_cut=True))

    def _read(self, import_: Import, is_late: Callable[[], bool]) -> Progress:
        progress = self.imports.progress(import_.import_id)
        if progress.is_split:
            return progress if progress.is_complete else self._asked(import_, progress)
        if import_.state is ImportState.CANCELLED or import_.error is not None:
            return self._moved(import_, progress, replace(progress, is_split=True, is_cut=True))
        if import_.state is ImportState.QUEUED:
            import_ = self._started(import_)
        if import_.same_as is not None:
            return self._moved(import_, progress, replace(progress, is_split=True, is_cut=True))
        return self._split(import_, progress, is_late)

    def _started(self, import_: Import) -> Import:
        """Read what is said of the file, and look whether the same was there before."""
        if not import_.size:
            raise FileRefused("the file is empty", code="file_empty")
        if import_.size > LARGEST_FILE:
            raise FileRefused("a file is at most 1 GB; cut it in two", code="file_too_large")
        now = self.clock.now()
        sidecar = self.files.sidecar(import_.name)
        options = self.interpret(import_, sidecar)
        site = self._site(import_, options)
        content = content_digest(import_.kind, site, import_.etag or "", import_.size, sidecar)
        same = None if options.is_dry_run else self.imports.same_content(content)
        is_same = same is not None and same.state is ImportState.DONE
        return self._write(
            started(
                import_,
                now,
                options=options,
                site=site,
                at=options.at or import_.at,
                content=None if options.is_dry_run or is_same else content,
                same_as=same.import_id if same is not None and is_same else None,
            )
        )

    def _site(self, import_: Import, options: Options) -> str | None:
        """Say whose the rows are: as the sidecar says, or whoever asked; else there is but one site."""
        sites = [site.site for site in self.sites.all()]
        said = options.site or import_.site
        if said is not None and said not in sites:
            raise FileRefused("there is no such site", code="unknown_site")
        if said is None and import_.kind in _OF_A_SITE:
            if len(sites) != 1:
                raise FileRefused("there are several sites: the sidecar has to say which", code="site_needed")
            return sites[0]
        return said

    def _split(self, import_: Import, progress: Progress, is_late: Callable[[], bool]) -> Progress:
        rows = self.rows[import_.kind]
        with self.files.open(import_, import_.options, import_.layout, progress.position) as source:
            if import_.plan is None:
                if sum(len(name.encode()) for name in source.layout.header) > LARGEST_HEADER:
                    raise FileRefused("the names of all columns are at most 64 KB", code="header_too_large")
                plan = rows.plan(import_, source.layout, source.sample)
                import_ = self._write(replace(import_, layout=source.layout, plan=plan, version=import_.version + 1))
            after, fresh = self._asked(import_, progress), 0
            for records, position in source.chunks(rows.group(import_)):
                if position.row >= MOST_ROWS:
                    raise FileRefused(f"a file has at most {MOST_ROWS:,} rows; cut it in two", code="too_many_rows")
                self.files.write_chunk(import_.import_id, after.chunks, records)
                after = replace(after, position=position, rows=after.rows + len(records), chunks=after.chunks + 1)
                fresh += 1
                late = is_late()
                if fresh == CHECKPOINT or late:
                    progress = after = self._checked(import_, progress, after)
                    fresh = 0
                    if after.is_split:
                        return after
                if late:
                    self.queue.send(import_.import_id)
                    return after
        return self._checked(import_, progress, replace(after, is_split=True))

    def _checked(self, import_: Import, seen: Progress, after: Progress) -> Progress:
        """Note how far the reading is, no further where it was cancelled meanwhile; then ask for the chunks that are new."""
        if not after.is_split and _found(import_.import_id, self.imports).state is ImportState.CANCELLED:
            after = replace(after, is_split=True, is_cut=True)
        return self._asked(import_, self._moved(import_, seen, after))

    def _asked(self, import_: Import, progress: Progress) -> Progress:
        """Ask for what is noted, and for what may have been asked before: nobody works on a chunk that is not noted."""
        self.chunks.send(import_.import_id, range(progress.asked, progress.chunks))
        return replace(progress, asked=progress.chunks)

    def _moved(self, import_: Import, seen: Progress, after: Progress) -> Progress:
        """Note how far the reading is, whatever chunks are done meanwhile. Raises Overtaken."""
        for _ in range(ATTEMPTS):
            noted = replace(seen, version=seen.version + 1, **_reading(after))
            if self.imports.write_progress(import_, noted):
                return noted
            there = self.imports.progress(import_.import_id)
            if _reading(there) == _reading(after):  # the reply was lost, or somebody reads beside us
                return there
            if there.is_split or there.chunks > seen.chunks:
                raise Overtaken
            seen = there
        raise Contended("many chunks end at once")

    def _write(self, import_: Import) -> Import:
        """Write an import. Raises Contended where somebody else did, except where that says the same."""
        if not self.imports.write(import_) and self.imports.find(import_.import_id) != import_:
            raise Contended("the import has changed meanwhile")
        return import_

    def _end(self, import_id: str, progress: Progress, is_late: Callable[[], bool]) -> None:
        import_ = _found(import_id, self.imports)
        parts = ceil(progress.rows / AT_ONCE)
        while progress.parts < parts:
            progress = self._recounted(import_, progress, parts)
            if is_late() and progress.parts < parts:
                self.queue.send(import_id)
                return
        self._finish(import_, progress)

    def _recounted(self, import_: Import, progress: Progress, parts: int) -> Progress:
        """Count a part of the customers, products or addresses, each once, by the most that any of their rows did.

        The other rows are superseded. In whatever order chunks were worked on, the counts are the same, and so is what is kept:
        a row that had nothing new to say is applied again where an earlier one about the same was not done before it.
        """
        spans = self.imports.spans(import_.import_id) if import_.kind in _SETTLED and not import_.is_dry_run else {}
        results: Counter[str] = Counter(progress.taken)
        most: dict[bytes, RowResult] = {}
        changed: dict[bytes, int] = {}
        several = self.files.outcomes(import_.import_id, range(progress.chunks))
        for chunk, written in enumerate(several):
            subjects = {
                outcome.row: digest
                for outcome in written
                if outcome.touched is not None and (digest := _subject(outcome.touched))[0] % parts == progress.parts
            }
            begun, done = spans.get(chunk, (progress.chunks, 0))
            doubted = {
                outcome.row
                for outcome in written
                if outcome.result is RowResult.UNCHANGED and changed.get(subjects.get(outcome.row, b""), 0) > begun
            }
            outcomes = self._settled(import_, chunk, written, doubted) if doubted else written
            for before, outcome in zip(written, outcomes, strict=True):
                if outcome.result not in _TAKEN:
                    continue
                if outcome.touched is None:
                    results[outcome.result] += progress.parts == 0
                elif (subject := subjects.get(outcome.row)) is not None:
                    most[subject] = min(most.get(subject, outcome.result), outcome.result, key=_TAKEN.index)
                    if outcome.result in _CHANGED:
                        changed[subject] = max(changed.get(subject, 0), done if before is outcome else progress.chunks + 1)
        results.update(most.values())
        after = replace(progress, parts=progress.parts + 1, taken=dict(sorted(results.items())), version=progress.version + 1)
        if not self.imports.write_progress(import_, after):
            raise Contended("somebody counts beside us")
        return after

    def _settled(self, import_: Import, chunk: int, written: tuple[RowOutcome, ...], doubted: set[int]) -> tuple[RowOutcome, ...]:
        """Apply rows again, and write down of which that has changed something."""
        records = [record for record in self.files.chunk(import_.import_id, chunk) if record.row in doubted]
        applied = {outcome.row: outcome for outcome in _outcomes(import_, records, self.rows[import_.kind])}
        outcomes = tuple(_more(outcome, applied.get(outcome.row)) for outcome in written)
        if outcomes != written:
            self.files.write_outcomes(import_.import_id, chunk, outcomes)
        return outcomes

    def _finish(self, import_: Import, progress: Progress) -> None:
        """Write the result and the rejects, and that the import has ended."""
        counted = self._all_same(import_.same_as) if import_.same_as is not None else _superseding(progress)
        done = finished(import_, self.clock.now(), counted, is_cut=progress.is_cut and import_.same_as is None)
        if self.imports.is_newest(import_):
            if counted.rejected and import_.layout is not None:
                with self.files.rejects(rejects_of(import_), import_.layout) as writer:
                    for outcomes in self.files.outcomes(import_.import_id, range(progress.chunks)):
                        for outcome in outcomes:
                            if outcome.result is RowResult.REJECTED:
                                writer.write(outcome)
            self.files.write_result(result_of(import_), told(done, progress))
        if not self.imports.finish(done if done.state is ImportState.DONE else replace(done, content=None)):
            raise Contended("the import has changed meanwhile")

    def _all_same(self, import_id: str) -> Tally:
        """Count the rows of a file that says what another one has said: nothing is done about any."""
        same = self.imports.find(import_id)
        rows = same.tally.rows if same is not None and same.tally is not None else 0
        return Tally(skipped=rows, reasons={Skip.SAME_CONTENT.value: rows} if rows else {})


def _reading(progress: Progress) -> dict[str, Any]:
    """What the reader says of an import's progress; the rest is said by who works on chunks."""
    return {name: getattr(progress, name) for name in ("position", "rows", "chunks", "asked", "is_split", "is_cut")}


def _subject(touched: str) -> bytes:
    return blake2b(touched.encode(), digest_size=_DIGEST).digest()


def _more(before: RowOutcome, again: RowOutcome | None) -> RowOutcome:
    """Give the outcome of a row that was applied again, where it has changed more than before."""
    if again is None or before.result is not RowResult.UNCHANGED or again.result not in _CHANGED:
        return before
    return again


def _superseding(progress: Progress) -> Tally:
    """Count as superseded what was taken of rows beside one for each customer, product or address."""
    counted = progress.tally
    if not progress.chunks:
        return counted
    taken = {result.value: progress.taken.get(result, 0) for result in _TAKEN}
    superseded = sum(getattr(counted, result) for result in _TAKEN) - sum(taken.values())
    reasons = dict(sorted((Counter(counted.reasons) + Counter({Skip.SUPERSEDED.value: superseded})).items()))
    return replace(counted, skipped=counted.skipped + superseded, reasons=reasons, **taken)  # type: ignore[arg-type]  # its numbers


def told(import_: Import, progress: Progress) -> Mapping[str, Any]:
    """Say what became of a file, as it is written beside it: no cell of it, and no more of its names than its columns'."""
    counted = import_.tally or Tally()
    layout, plan = import_.layout, import_.plan
    started_at, finished_at = import_.started_at or import_.requested_at, import_.finished_at or import_.requested_at
    return {
        "import_id": import_.import_id,
        "kind": import_.kind,
        "state": import_.state,
        "dry_run": import_.is_dry_run,
        "site": import_.site,
        "at": to_answer(import_.at) if import_.at else None,
        "rows": counted.rows,
        **{result.value: getattr(counted, result) for result in RowResult},
        "reasons": dict(counted.reasons),
        "warnings": dict(counted.warnings),
        "first_errors": [
            {"row": error.row, "line": error.line, "column": error.column, "code": error.code} for error in progress.errors
        ],
        "has_more_rows": import_.is_cut,
        "seconds": round((finished_at - started_at).total_seconds(), 1),
        "layout": {
            "format": layout.format,
            "encoding": layout.encoding,
            "delimiter": layout.delimiter,
            "sheet": layout.sheet,
            "gzipped": layout.is_gzipped,
        }
        if layout
        else None,
        "mapping": dict(plan.mapping) if plan else {},
        "column_warnings": [{"code": code, "column": about} for code, about in plan.warnings] if plan else [],
        "rejects": rejects_of(import_).rpartition("/")[2] if import_.has_rejects else None,
        "same_as": import_.same_as,
        "error": import_.error,
        "detail": import_.detail,
    }


def work_chunk(
    import_id: str, chunk: int, *, imports: Imports, files: ImportFiles, queue: ImportQueue, rows: RowsOf
) -> Tally | None:
    """Work on a chunk, unless that is done, and count it; gives its counts where this has done it.

    Whoever finds that this was the last one asks for the import to be ended. Raises Unavailable.
    """
    import_ = imports.find(import_id)
    if import_ is None or import_.has_ended:
        return None
    counted = None
    if not imports.has_ended_chunk(import_id, chunk):
        records = files.chunk(import_id, chunk)
        begun = _begun(import_, chunk, imports)
        outcomes = _left_out(records) if begun is None else _outcomes(import_, records, rows[import_.kind])
        files.write_outcomes(import_id, chunk, outcomes)
        counted = _counted(import_, chunk, outcomes, begun, imports)
    if imports.progress(import_id).is_complete:
        queue.send(import_id)
    return counted


def _begun(import_: Import, chunk: int, imports: Imports) -> int | None:
    done = imports.progress(import_.import_id).done
    for _ in range(ATTEMPTS):
        try:
            return imports.begin_chunk(import_, chunk, done)
        except Contended:
            continue
    raise Contended("many chunks begin at once")


def _counted(import_: Import, chunk: int, outcomes: Sequence[RowOutcome], begun: int | None, imports: Imports) -> Tally | None:
    counted = tally(outcomes)
    errors = errors_of(outcomes)
    for _ in range(ATTEMPTS):
        seen = imports.progress(import_.import_id)
        after = replace(
            seen,
            done=seen.done + 1,
            tally=seen.tally + counted,
            errors=first_errors(seen.errors, errors),
            version=seen.version + 1,
        )
        try:
            return counted if imports.end_chunk(import_, chunk, counted, after, begun) else None
        except Contended:
            continue
    raise Contended("many chunks end at once")


def _left_out(records: Iterable[Record]) -> list[RowOutcome]:
    return [RowOutcome(record.row, RowResult.SKIPPED, code=Skip.CANCELLED) for record in records]


def _outcomes[R: Row](import_: Import, records: Sequence[Record], rows: Rows[R]) -> list[RowOutcome]:
    """Work on records; gives the outcome of each, in their order."""
    found: dict[int, RowOutcome] = {}
    readable: list[Record] = []
    for record in records:
        if record.flaw is not None:
            found[record.row] = RowOutcome(record.row, RowResult.REJECTED, code=record.flaw, detail=sentence(record.flaw))
        elif record.is_blank:
            found[record.row] = RowOutcome(record.row, RowResult.SKIPPED, code=Skip.BLANK)
        else:
            readable.append(record)
    commands: list[R] = []
    leads: dict[int, int] = {}
    lead = 0
    for record, read in zip(readable, rows.reads(import_, readable), strict=True):
        if read is None:
            leads[record.row] = lead
            continue
        lead = record.row
        if isinstance(read, Refusal):
            found[lead] = RowOutcome(lead, RowResult.REJECTED, code=read.code, column=read.column, detail=read.detail)
        else:
            commands.append(read)
    if commands:
        found |= {outcome.row: outcome for outcome in rows.apply(import_, commands)}
    found |= {row: replace(found[lead], row=row, touched=None, warnings=()) for row, lead in leads.items()}
    return [_with_original(found[record.row], record) for record in records]


def _with_original(outcome: RowOutcome, record: Record) -> RowOutcome:
    if outcome.result is not RowResult.REJECTED:
        return outcome
    return replace(outcome, line=record.line, original=record.original)
