"""Files of JSON lines, packed: written whole, and where others decide by them, written once (`If-None-Match: *`)."""

import gzip
import json
from collections.abc import Iterable, Iterator
from decimal import Decimal
from io import BytesIO
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from ecrm.domain.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_NOT_FOUND, _PRECONDITION_FAILED = 404, 412
_DECIMAL = "\0"
"""An object with this one name, which nothing else has, stands for a number with a fraction: floats would round it."""
_MARK = json.dumps(_DECIMAL)
_FASTEST = 1
"""zlib's level: half the time of the usual one, for a tenth more bytes that are gone in a month."""


class PackedFiles:
    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def object(self, key: str) -> Any:
        """Give the one line of a file, None where there is no file. Raises Unavailable."""
        lines = self.lines(key)
        return next(lines) if lines is not None else None

    def lines(self, key: str) -> Iterator[Any] | None:
        """Read a file's lines, None where there is no file. It is held packed: unpacked it is read line by line.

        Raises Unavailable.
        """
        try:
            packed = self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except ClientError as error:
            if _status(error) == _NOT_FOUND:
                return None
            raise Unavailable("the bucket of nights does not answer") from error
        except BotoCoreError as error:
            raise Unavailable("the bucket of nights does not answer") from error
        return map(_read, gzip.GzipFile(fileobj=BytesIO(packed)))

    def put(self, key: str, lines: Iterable[Any], *, once: bool = False) -> None:
        """Write a file; `once` leaves what is there as it is. Raises Unavailable."""
        condition = {"IfNoneMatch": "*"} if once else {}
        content = _packed(lines)
        try:
            self._client.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=content,
                ContentType="application/x-ndjson",
                ContentEncoding="gzip",
                **condition,  # type: ignore[arg-type]  # the stubs want each by its name
            )
        except ClientError as error:
            if not once or _status(error) != _PRECONDITION_FAILED:
                raise Unavailable("the bucket of nights takes no file") from error
        except BotoCoreError as error:
            raise Unavailable("the bucket of nights takes no file") from error


def _status(error: ClientError) -> int:
    return error.response["ResponseMetadata"]["HTTPStatusCode"]


def _packed(lines: Iterable[Any]) -> bytes:
    """Pack lines as they come; the same lines are the same bytes."""
    packed = BytesIO()
    encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_written_exactly).encode
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=_FASTEST, mtime=0) as file:
        file.writelines(f"{encode(line)}\n".encode() for line in lines)
    return packed.getvalue()


def _read(line: bytes) -> Any:
    """Read a line, with the hook only where it is needed: it is called for each object, and takes as long as the rest."""
    text = line.decode()
    return (_decode_exactly if _MARK in text else _decode)(text)


def _written_exactly(value: Any) -> dict[str, str]:
    if isinstance(value, Decimal):
        return {_DECIMAL: str(value)}
    raise TypeError(f"no file of a night holds a {type(value).__name__}")


def _exact(read: dict[str, Any]) -> Any:
    return Decimal(read[_DECIMAL]) if _DECIMAL in read else read


_decode = json.JSONDecoder().decode
_decode_exactly = json.JSONDecoder(object_hook=_exact).decode
