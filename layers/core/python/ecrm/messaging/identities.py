"""In whose name the account may send, as SES has it."""

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ecrm.domain.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client


class SesIdentities:
    def __init__(self, client: "SESV2Client") -> None:
        self._client = client

    def is_verified(self, address: str) -> bool:
        """An address needs no identity of its own where its domain has one."""
        return any(map(self._is_verified, (address, address.rpartition("@")[2])))

    def _is_verified(self, identity: str) -> bool:
        try:
            return self._client.get_email_identity(EmailIdentity=identity).get("VerifiedForSendingStatus", False)
        except ClientError as error:
            if error.response["Error"]["Code"] == "NotFoundException":
                return False
            raise Unavailable("SES does not tell of the identity") from error
        except BotoCoreError as error:
            raise Unavailable("SES does not tell of the identity") from error
