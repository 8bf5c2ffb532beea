"""The queues of imports: a message names an import, or a chunk of one, and nothing else."""

import json
from collections.abc import Iterable
from itertools import batched
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ecrm.domain.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

AT_ONCE = 10
MOST_ROUNDS = 5
"""Of asking again for what SQS refused in an answer that is otherwise well."""


class SqsImportQueue:
    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def send(self, import_id: str) -> None:
        body = json.dumps({"type": "import", "v": 1, "import_id": import_id})
        try:
            self._client.send_message(QueueUrl=self._url, MessageBody=body)
        except (BotoCoreError, ClientError) as error:
            raise Unavailable("the queue of imports takes no message") from error


class SqsChunkQueue:
    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def send(self, import_id: str, chunks: Iterable[int]) -> None:
        """Ask for chunks to be worked on. Raises Unavailable where one of them was not taken."""
        for some in batched(chunks, AT_ONCE, strict=False):
            left = {str(chunk): json.dumps({"type": "chunk", "v": 1, "import_id": import_id, "chunk": chunk}) for chunk in some}
            for _ in range(MOST_ROUNDS):
                left = self._refused(left)
                if not left:
                    break
            else:
                raise Unavailable("the queue of chunks refuses messages")

    def _refused(self, bodies: dict[str, str]) -> dict[str, str]:
        """Send messages; gives those that were not taken."""
        entries: list[SendMessageBatchRequestEntryTypeDef] = [{"Id": name, "MessageBody": body} for name, body in bodies.items()]
        try:
            answer = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
        except (BotoCoreError, ClientError) as error:
            raise Unavailable("the queue of chunks takes no message") from error
        return {entry["Id"]: bodies[entry["Id"]] for entry in answer.get("Failed", ())}
