"""What the queues of contact files carry: S3's notices that an object was written, and our own messages, which hold ids alone.

S3 adds fields and kinds of event as it likes, so nothing is refused for being unknown.
"""

import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import unquote_plus

from pydantic import BaseModel, ConfigDict, Field

from ecrm.domain.imports import Drop

from .fields import Body, Instant

IMPORT_ID = r"^[0-9a-f]{32}$"
_CREATED = "ObjectCreated:"
_TEST = "s3:TestEvent"
"""What S3 says to a queue when it is told to use it."""


class _Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True, frozen=True, defer_build=True)


class _Bucket(_Wire):
    name: Annotated[str, Field(min_length=1)]


class _Object(_Wire):
    key: Annotated[str, Field(min_length=1)]
    size: Annotated[int, Field(ge=0)]
    etag: Annotated[str, Field(alias="eTag", min_length=1)]
    sequencer: Annotated[str, Field(pattern=r"^[0-9A-Fa-f]{1,64}$")]


class _Stored(_Wire):
    bucket: _Bucket
    object: _Object


class _Notice(_Wire):
    at: Annotated[Instant, Field(alias="eventTime")]
    s3: _Stored


class ImportMessage(Body):
    """An import is to be gone on with."""

    type: Literal["import"]
    v: Literal[1]
    import_id: Annotated[str, Field(pattern=IMPORT_ID)]


class ChunkMessage(Body):
    """A chunk of an import is to be worked on; chunks are counted from 0."""

    type: Literal["chunk"]
    v: Literal[1]
    import_id: Annotated[str, Field(pattern=IMPORT_ID)]
    chunk: Annotated[int, Field(ge=0)]


@dataclass(frozen=True, slots=True)
class Drops:
    """The objects that S3 tells of, each with the bucket that it lies in; none where it tells of something else."""

    told: tuple[tuple[str, Drop], ...]


def read_message(body: str) -> ImportMessage | Drops:
    """Read a message of the queue. Raises ValueError, of which pydantic's is one, where it is none that S3 or we would send."""
    said = json.loads(body)
    if not isinstance(said, dict):
        raise TypeError("a message is an object")
    if isinstance(said.get("Records"), list):
        return Drops(tuple(_drop(notice) for notice in said["Records"] if _tells_of_an_object(notice)))
    return Drops(()) if said.get("Event") == _TEST else ImportMessage.model_validate(said)


def _tells_of_an_object(notice: Any) -> bool:
    """Say whether an object was written; with a change of S3's format that we do not know, the notice fails instead."""
    if not isinstance(notice, dict) or not str(notice.get("eventVersion", "")).startswith("2."):
        raise TypeError("no notice of S3 that we know")
    return str(notice.get("eventName", "")).removeprefix("s3:").startswith(_CREATED)


def _drop(notice: Any) -> tuple[str, Drop]:
    """Names come encoded as in a form: a blank is a plus sign."""
    said = _Notice.model_validate(notice)
    found = said.s3.object
    name = unquote_plus(found.key, errors="strict")
    return said.s3.bucket.name, Drop(name, found.size, found.etag.strip('"'), found.sequencer, said.at)
