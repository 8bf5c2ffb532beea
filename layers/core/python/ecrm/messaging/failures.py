"""Handing failures to the queue that an engineer repairs from."""

import json
from collections.abc import Iterable, Mapping
from itertools import batched
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ecrm.domain.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

BATCH = 10
MOST_ROUNDS = 5


class SqsFailureQueue:
    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def park(self, failures: Iterable[Mapping[str, str | int]]) -> None:
        """Send every failure; what SQS refuses is sent again, at most MOST_ROUNDS times, then Unavailable is raised."""
        for batch in batched(failures, BATCH, strict=False):
            entries = {str(at): json.dumps(failure) for at, failure in enumerate(batch)}
            for _ in range(MOST_ROUNDS):
                entries = self._send(entries)
                if not entries:
                    break
            else:
                raise Unavailable("the failure queue refuses messages")

    def _send(self, entries: Mapping[str, str]) -> dict[str, str]:
        """Give the entries that were refused."""
        try:
            answer = self._client.send_message_batch(
                QueueUrl=self._url, Entries=[{"Id": at, "MessageBody": body} for at, body in entries.items()]
            )
        except (ClientError, BotoCoreError) as error:
            raise Unavailable("the failure queue cannot be reached") from error
        return {failed["Id"]: entries[failed["Id"]] for failed in answer.get("Failed", ())}
