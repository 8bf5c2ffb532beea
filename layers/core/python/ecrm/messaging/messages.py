"""The queue of what is to be sent: a message names a run and a shard, and nothing else.

The group of a page is its run. SQS is fair to groups, and to each message that is in none: what somebody waits for passes the
pages of runs.
"""

import json
from typing import TYPE_CHECKING, TypedDict

from botocore.exceptions import BotoCoreError, ClientError

from ecrm.domain.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

LONGEST_DELAY_SECONDS = 900
"""What SQS knows; whoever has to wait longer comes back by the worklist."""


class _Group(TypedDict, total=False):
    MessageGroupId: str


class SqsMessageQueue:
    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def send(self, run_id: str, shard: int, delay_seconds: int = 0, *, is_of_many: bool) -> None:
        """Ask for a page to be worked on, in `delay_seconds` or, if that is sooner, in 15 minutes. Raises Unavailable."""
        group: _Group = {"MessageGroupId": run_id} if is_of_many else {}
        body = {"type": "page" if is_of_many else "message", "v": 1, "run_id": run_id, "shard": shard}
        try:
            self._client.send_message(
                QueueUrl=self._url,
                MessageBody=json.dumps(body),
                DelaySeconds=min(delay_seconds, LONGEST_DELAY_SECONDS),
                **group,
            )
        except (BotoCoreError, ClientError) as error:
            raise Unavailable("the queue of messages takes no message") from error
