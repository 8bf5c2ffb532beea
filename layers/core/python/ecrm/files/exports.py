"""Exports in S3: a part is one object, written whole, so that half a part is never seen."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from ecrm.application.ports import LINK_SECONDS
from ecrm.domain.errors import Unavailable
from ecrm.domain.jobs import ExportFile, FileFormat

from .formats import encode

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONTENT_TYPES = {
    FileFormat.NDJSON: "application/x-ndjson",
    FileFormat.CSV: "text/csv; charset=utf-8",
    FileFormat.JSON: "application/json",
}
MOST_ROUNDS = 5
AT_ONCE = 1_000


class S3ExportFiles:
    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def write(self, name: str, file_format: FileFormat, rows: Iterable[Mapping[str, Any]]) -> ExportFile:
        content, count = encode(rows, file_format)
        name = f"{name}.{file_format}"
        try:
            self._client.put_object(Bucket=self._bucket, Key=name, Body=content, ContentType=CONTENT_TYPES[file_format])
        except (BotoCoreError, ClientError) as error:
            raise Unavailable("the bucket of exports takes no file") from error
        return ExportFile(name, count, len(content))

    def remove(self, customer_id: str) -> int:
        """Delete every file of a person's exports, those too that nobody wrote down."""
        removed = 0
        for _ in range(MOST_ROUNDS):
            names = list(self._names(f"customers/{customer_id}/"))
            if not names:
                return removed
            removed += self._delete(names)
        raise Unavailable("the bucket of exports keeps files that were deleted")

    def _names(self, folder: str) -> Iterator[str]:
        try:
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=folder)
            for page in pages:
                yield from (found["Key"] for found in page.get("Contents", ()))
        except (BotoCoreError, ClientError) as error:
            raise Unavailable("the bucket of exports cannot be listed") from error

    def _delete(self, names: list[str]) -> int:
        """Say how many were deleted; what S3 refuses in an answer that is otherwise well is asked for again."""
        removed = 0
        for at in range(0, len(names), AT_ONCE):
            some = names[at : at + AT_ONCE]
            try:
                answer = self._client.delete_objects(Bucket=self._bucket, Delete={"Objects": [{"Key": name} for name in some]})
            except (BotoCoreError, ClientError) as error:
                raise Unavailable("the bucket of exports cannot be emptied") from error
            removed += len(some) - len(answer.get("Errors", ()))
        return removed

    def link(self, name: str) -> str:
        return self._client.generate_presigned_url(
            "get_object", Params={"Bucket": self._bucket, "Key": name}, ExpiresIn=LINK_SECONDS
        )
