"""Contact files as a test drops and reads them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ecrm import bootstrap
from ecrm.domain.imports import FileRefused, Import, ImportState, Kind, Layout, Options, Position, Record
from tests.builders import NOON
from tests.cloud import Cloud

NAME = "imports/contacts/people"

type Group = Callable[[Record], str | None]


def alone(_record: Record) -> None:
    """Each record stands for itself."""


@dataclass
class Dropped:
    """A file that was dropped."""

    import_: Import

    @classmethod
    def of(cls, cloud: Cloud, content: bytes, name: str = NAME) -> "Dropped":
        put = cloud.s3.put_object(Bucket="imports", Key=name, Body=content)
        etag = put["ETag"].strip('"')
        return cls(
            Import(
                import_id="1" * 32,
                kind=Kind.CONTACTS,
                name=name,
                state=ImportState.RUNNING,
                requested_at=NOON,
                source="s3",
                size=len(content),
                etag=etag,
            )
        )

    def layout(self, **options: Any) -> Layout:
        with bootstrap.import_files().open(self.import_, Options(**options), None, Position()) as source:
            return source.layout

    def chunks(
        self, position: Position | None = None, layout: Layout | None = None, group: Group = alone, **options: Any
    ) -> list[tuple[tuple[Record, ...], Position]]:
        with bootstrap.import_files().open(self.import_, Options(**options), layout, position or Position()) as source:
            return list(source.chunks(group))

    def records(self, **options: Any) -> list[Record]:
        return [record for chunk, _ in self.chunks(**options) for record in chunk]

    def rows(self, **options: Any) -> list[tuple[str, ...]]:
        records = self.records(**options)
        assert [] == [record.flaw for record in records if record.flaw]
        return [record.cells or () for record in records]

    def flaws(self, **options: Any) -> list[tuple[int, int, str | None]]:
        return [(record.row, record.line, record.flaw) for record in self.records(**options)]

    def refusal(self, **options: Any) -> str:
        """Why the file as a whole is not read."""
        try:
            self.chunks(**options)
        except FileRefused as error:
            return error.code
        return ""
