"""The state machine that has the pages of a run planned, each by a call of its own."""

import json
from typing import Protocol

from botocore.exceptions import BotoCoreError, ClientError

from ecrm.domain.errors import Unavailable


class Executions(Protocol):
    """Step Functions' client, as far as it is used."""

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> object: ...  # noqa: A002, N803 (AWS's names)


class StepFunctionsCampaignMachine:
    def __init__(self, client: Executions, machine: str) -> None:
        self._client = client
        self._machine = machine

    def start(self, run_id: str, attempt: int, pages: int) -> bool:
        """Name the execution after the attempt: one that runs is not started again, and of one that has ended AWS says so."""
        asked = json.dumps({"pages": [{"run_id": run_id, "page": page} for page in range(pages)]})
        try:
            self._client.start_execution(stateMachineArn=self._machine, name=f"{run_id}-{attempt}", input=asked)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ExecutionAlreadyExists":
                return False
            raise Unavailable("the machine of campaigns starts nothing") from error
        except BotoCoreError as error:
            raise Unavailable("the machine of campaigns cannot be reached") from error
        return True
