"""The bucket of nights in memory."""

from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from botocore.exceptions import ClientError

from tests.simulation.table import Moment, Pause, go_on


@dataclass
class Shelf:
    """S3's client, as far as nights need it."""

    pause: Pause = go_on
    objects: dict[str, bytes] = field(default_factory=dict)

    def get_object(self, *, Key: str, **_: object) -> dict[str, Any]:  # noqa: N803 (S3's names, here and below)
        self.pause(Moment.BEFORE, "get_object")
        if Key not in self.objects:
            raise _refusal(404, "GetObject")
        return {"Body": BytesIO(self.objects[Key])}

    def put_object(self, *, Key: str, Body: bytes, IfNoneMatch: str | None = None, **_: object) -> None:  # noqa: N803
        self.pause(Moment.BEFORE, "put_object")
        if IfNoneMatch == "*" and Key in self.objects:
            raise _refusal(412, "PutObject")
        self.objects[Key] = Body
        self.pause(Moment.AFTER, "put_object")


def _refusal(status: int, operation: str) -> ClientError:
    return ClientError({"Error": {}, "ResponseMetadata": {"HTTPStatusCode": status}}, operation)  # type: ignore[typeddict-item]
