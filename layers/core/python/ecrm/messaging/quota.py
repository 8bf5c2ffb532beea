"""How fast the account may send, as SES has it."""

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ecrm.domain.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client


class SesQuota:
    def __init__(self, client: "SESV2Client") -> None:
        self._client = client

    def rate(self) -> float:
        try:
            return float(self._client.get_account()["SendQuota"]["MaxSendRate"])
        except (BotoCoreError, ClientError) as error:
            raise Unavailable("SES does not tell the account's rate") from error
