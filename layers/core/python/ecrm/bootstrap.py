"""The wiring: the only place that knows the environment and every adapter. Each collaborator is made once per container."""

import os
import secrets
import time
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, cast

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ecrm.application import links
from ecrm.application import orders as use
from ecrm.domain.errors import Unavailable
from ecrm.store.api_keys import DynamoKeys
from ecrm.store.customers import DynamoCustomers
from ecrm.store.events import DynamoTimeline
from ecrm.store.links import SecretLinkKeys
from ecrm.store.orders import DynamoOrders
from ecrm.store.replays import DynamoRequests
from ecrm.store.sites import DynamoSites
from ecrm.store.statistics import DynamoStatistics
from ecrm.store.table import Table, time_heals

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

    from ecrm.application.orders import PlaceOrder, Recorded, RecordOrderEvent
    from ecrm.application.ports import Request
    from ecrm.domain.links import Language
    from ecrm.entry.http import HttpApi
    from ecrm.entry.public import PublicPages
    from ecrm.messaging.failures import SqsFailureQueue
    from ecrm.messaging.rendering import Pages

_PATIENCE = Config(retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=1, read_timeout=5, tcp_keepalive=True)
"""Three tries within the 29 s that API Gateway waits; every write survives being sent twice."""


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class RandomIds:
    def customer_id(self, now: datetime) -> str:
        """48 bits of milliseconds, then 80 random bits, in hex."""
        return f"{int(now.timestamp() * 1000):012x}{secrets.token_hex(10)}"

    def key_secret(self) -> str:
        return secrets.token_hex(20)


def _pause(most_seconds: float) -> None:
    """Sleep for a random part of the time (full jitter): who was refused together does not come back together."""
    time.sleep(secrets.SystemRandom().uniform(0, most_seconds))


clock = SystemClock()
ids = RandomIds()


@cache
def _session() -> botocore.session.Session:
    return botocore.session.get_session()


@cache
def table() -> Table:
    client = cast("DynamoDBClient", _session().create_client("dynamodb", config=_PATIENCE))
    return Table(client, os.environ["TABLE_NAME"], _pause)


def _secret(secret_id: str) -> str:
    client = cast("SecretsManagerClient", _session().create_client("secretsmanager", config=_PATIENCE))
    try:
        return client.get_secret_value(SecretId=secret_id)["SecretString"]
    except BotoCoreError as error:
        raise Unavailable("a secret cannot be reached") from error
    except ClientError as error:
        raise (Unavailable("a secret cannot be read") if time_heals(error) else error) from error


@cache
def _identity_secret() -> bytes:
    return _secret(os.environ["IDENTITY_SECRET_ID"]).encode()


@cache
def customers() -> DynamoCustomers:
    return DynamoCustomers(table(), _identity_secret)


@cache
def orders() -> DynamoOrders:
    return DynamoOrders(table(), customers())


@cache
def requests() -> DynamoRequests:
    return DynamoRequests(table())


@cache
def timeline() -> DynamoTimeline:
    return DynamoTimeline(table())


@cache
def statistics() -> DynamoStatistics:
    return DynamoStatistics(table())


@cache
def api_keys() -> DynamoKeys:
    return DynamoKeys(table())


@cache
def sites() -> DynamoSites:
    return DynamoSites(table())


@cache
def link_keys() -> SecretLinkKeys:
    return SecretLinkKeys(lambda: _secret(os.environ["LINK_SECRET_ID"]), clock)


@cache
def failure_queue() -> "SqsFailureQueue":
    from ecrm.messaging.failures import SqsFailureQueue  # noqa: PLC0415 (only stream consumers carry SQS)

    client = cast("SQSClient", _session().create_client("sqs", config=_PATIENCE))
    return SqsFailureQueue(client, os.environ["FAILURE_QUEUE_URL"])


def place_order(command: "PlaceOrder", request: "Request | None") -> "Recorded":
    return use.place_order(command, request, orders=orders(), requests=requests(), customers=customers(), clock=clock, ids=ids)


def record_order_event(command: "RecordOrderEvent", request: "Request | None") -> "Recorded":
    return use.record_order_event(command, request, orders=orders(), requests=requests(), clock=clock)


def make_order_url(site: str, order_id: str, language: "Language | None") -> str:
    token = links.make_order_link(site, order_id, language, keys=link_keys(), orders=orders())
    return f"{os.environ['PUBLIC_URL'].rstrip('/')}/public/orders/{token}"


@cache
def pages() -> "Pages":
    from ecrm.messaging.rendering import Pages  # noqa: PLC0415 (only public_api carries templates)

    return Pages()


def public_pages() -> "PublicPages":
    from ecrm.entry.public import PublicPages  # noqa: PLC0415 (each function imports its own door)

    return PublicPages(pages)


def http_api() -> "HttpApi":
    from ecrm.entry.http import HttpApi  # noqa: PLC0415 (pydantic and Powertools, which public_api does without)

    return HttpApi(keys=api_keys, sites=sites, clock=clock)
