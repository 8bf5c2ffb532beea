"""Contact files at the door of their queue: what S3 tells of them, and what asks for one to be gone on with."""

from collections.abc import Callable, Mapping
from typing import Any

from ecrm.contracts.drops import Drops, ImportMessage, read_message
from ecrm.domain.imports import Drop

from . import observability
from .queue import consume_each


def consume(
    event: Mapping[str, Any], *, bucket: str, begin: Callable[[Drop], str | None], go_on: Callable[[str], object]
) -> dict[str, list[dict[str, str]]]:
    """Begin what was dropped, go on with what asks for it, and name the messages that failed.

    `begin` gives the import's id, or None where there is nothing to do. A notice of another bucket is acknowledged: the queue
    takes them from any bucket of the account. No log names a file, because its name may tell of a person.
    """

    def work(message: ImportMessage | Drops) -> None:
        if isinstance(message, ImportMessage):
            go_on(message.import_id)
            return
        for where, drop in message.told:
            import_id = begin(drop) if where == bucket else None
            if import_id is None:
                observability.note("notice ignored", sequencer=drop.sequencer)
            else:
                go_on(import_id)

    return consume_each(event, read=read_message, ids_of=_ids, work=work)


def _ids(message: ImportMessage | Drops) -> Mapping[str, Any]:
    if isinstance(message, ImportMessage):
        return {"import_id": message.import_id}
    return {"sequencers": [drop.sequencer for _, drop in message.told]}
