"""Woken by the queue of chunks; leaves behind what the rows of a chunk say, and in the bucket what became of each."""

from collections.abc import Mapping
from typing import Any

from ecrm import bootstrap as wired
from ecrm.contracts.drops import ChunkMessage
from ecrm.entry.queue import consume


def handler(event: Mapping[str, Any], _context: object) -> Mapping[str, Any]:
    return consume(event, ChunkMessage, lambda message: wired.work_on_chunk(message.import_id, message.chunk))
