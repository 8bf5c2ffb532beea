"""What imports need of the world: where they are written down, the files, the queues, and how rows of a kind are worked on."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from ecrm.domain.imports import (
    Import,
    Kind,
    Layout,
    Options,
    Plan,
    Position,
    Progress,
    Record,
    Refusal,
    RowOutcome,
    Tally,
)

from .ports import Page, Request


class Imports(Protocol):
    def add(self, import_: Import, request: Request | None) -> None:
        """Write an import whose file is still to come, with its row in the list. Raises AlreadyAnswered."""
        ...

    def answered(self, request: Request | None, now: datetime) -> Import | None:
        """Give the import that a request has asked for before. Raises Invalid where its key came with another body."""
        ...

    def announce(self, import_: Import, sequencer: str) -> Import | None:
        """Write an import whose file has come, unless there was a later upload of that name; one transaction.

        An import at version 1 is new, with its row in the list; a later one must be as it was seen. Gives it, as it stands
        where an earlier notice of this upload has written it, or None where a later upload came first. Raises Contended.
        """
        ...

    def is_newest(self, import_: Import) -> bool:
        """Say whether no later upload of the same name was announced; strongly consistent."""
        ...

    def find(self, import_id: str) -> Import | None:
        """Give an import, strongly consistent."""
        ...

    def write(self, import_: Import) -> bool:
        """Write if the stored version is the one before; says whether it was."""
        ...

    def finish(self, import_: Import) -> bool:
        """Write the same, and remember its `content`, where it has one, in one transaction."""
        ...

    def same_content(self, content: str) -> Import | None:
        """Give the import that finished last with this content, as it stands now."""
        ...

    def newest(self, *, after: str | None, limit: int) -> Page[Import]: ...

    def progress(self, import_id: str) -> Progress:
        """Give how far an import is, strongly consistent; a new one's, at version 0, where nothing is written yet."""
        ...

    def write_progress(self, import_: Import, progress: Progress) -> bool:
        """Write if the stored version is the one before; says whether it was."""
        ...

    def has_ended_chunk(self, import_id: str, chunk: int) -> bool: ...

    def begin_chunk(self, import_: Import, chunk: int, done: int) -> int | None:
        """Write that a chunk is begun when so many were `done`, if the import is running.

        Gives how many were done when it was first begun, None where it never was, nor may be: one that is begun is worked on to
        its end, whatever is said meanwhile. Raises Contended.
        """
        ...

    def spans(self, import_id: str) -> Mapping[int, tuple[int, int]]:
        """Say of each chunk that was worked on how many were done when it was begun, and when it was done, itself included."""
        ...

    def end_chunk(self, import_: Import, chunk: int, tally: Tally, progress: Progress, begun: int | None) -> bool:
        """Write that a chunk is done, and the progress with it, if that is as it was seen; one transaction.

        `begun` is what its beginning gave. False where the chunk is done already. Raises Contended where the progress is not as
        seen.
        """
        ...


class Source(Protocol):
    """An object that is being read, once and forwards. `sample` is its first records, wherever the reading begins."""

    @property
    def layout(self) -> Layout: ...

    @property
    def sample(self) -> Sequence[Record]: ...

    def chunks(self, group: Callable[[Record], str | None]) -> Iterator[tuple[tuple[Record, ...], Position]]:
        """Give records by chunks, each with the position after it; the same ones from wherever the reading begins.

        Consecutive records with one `group` stay together. Raises FileRefused, Unavailable.
        """
        ...


class RejectsWriter(Protocol):
    def write(self, outcome: RowOutcome) -> None: ...


class ImportFiles(Protocol):
    """The bucket of imports. Everything here raises Unavailable."""

    def is_ours(self, name: str) -> bool:
        """Say whether an object is one that we wrote; also where it is gone."""
        ...

    def sidecar(self, name: str) -> bytes | None:
        """Give the sidecar of a file. Raises FileRefused where it is larger than a sidecar can be."""
        ...

    def write_sidecar(self, name: str, content: bytes) -> None: ...

    def open(
        self, import_: Import, options: Options, layout: Layout | None, position: Position
    ) -> AbstractContextManager[Source]:
        """Read an import's object from a position, by the layout that was found before, if one was.

        Raises FileRefused: `file_gone`, `file_replaced`, and what makes a file unreadable.
        """
        ...

    def write_chunk(self, import_id: str, chunk: int, records: Sequence[Record]) -> None: ...

    def chunk(self, import_id: str, chunk: int) -> tuple[Record, ...]: ...

    def write_outcomes(self, import_id: str, chunk: int, outcomes: Sequence[RowOutcome]) -> None: ...

    def outcomes(self, import_id: str, chunks: Iterable[int]) -> Iterator[tuple[RowOutcome, ...]]:
        """Give what was written of some chunks, one after the other; the next few are fetched meanwhile."""
        ...

    def rejects(self, name: str, layout: Layout) -> AbstractContextManager[RejectsWriter]:
        """Write a file of rejects under this name; it is there when the context ends well, and not before."""
        ...

    def write_result(self, name: str, result: Mapping[str, Any]) -> None:
        """Write a result under this name, as JSON."""
        ...

    def upload(self, name: str, size: int, content_type: str) -> tuple[str, Mapping[str, str], datetime]:
        """Make a form (presigned POST) that takes an object of this name, size and type: address, fields, end."""
        ...

    def link(self, name: str) -> str:
        """Make a link to a file, good for LINK_SECONDS."""
        ...


class ImportQueue(Protocol):
    def send(self, import_id: str) -> None:
        """Ask for an import to be gone on with. Raises Unavailable."""
        ...


class ChunkQueue(Protocol):
    def send(self, import_id: str, chunks: Iterable[int]) -> None:
        """Ask for chunks to be worked on. Raises Unavailable where one of them was not taken."""
        ...


class Row(Protocol):
    """A row that can be worked on: a command."""

    @property
    def row(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Rows[R: Row]:
    """How the rows of a kind are read and worked on.

    `plan` decides how, from the layout and some first records, and raises FileRefused; `group` names what a record must not be
    parted from; `reads` reads the records of a chunk, in order, and gives for each its command or why it is refused, or None
    where it is part of the row before; `apply` works on the commands of a chunk, and gives at least the outcome of each.
    """

    plan: Callable[[Import, Layout, Sequence[Record]], Plan]
    group: Callable[[Import], Callable[[Record], str | None]]
    reads: Callable[[Import, Sequence[Record]], Sequence[R | Refusal | None]]
    apply: Callable[[Import, Sequence[R]], Sequence[RowOutcome]]


type RowsOf = Mapping[Kind, Rows[Any]]
type Interpret = Callable[[Import, bytes | None], Options]
"""Read a sidecar. Raises FileRefused."""
