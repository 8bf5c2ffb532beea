"""The queue of jobs: a message names a job, and nothing else."""

import json
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ecrm.domain.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class SqsJobQueue:
    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def send(self, job_id: str) -> None:
        try:
            self._client.send_message(QueueUrl=self._url, MessageBody=json.dumps({"type": "job", "v": 1, "job_id": job_id}))
        except (BotoCoreError, ClientError) as error:
            raise Unavailable("the queue of jobs takes no message") from error
