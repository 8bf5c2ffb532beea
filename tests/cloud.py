"""A cloud in process: the table, the secret and the queue on moto, and the functions' handlers beside them.

moto is not thread-safe and never refuses a transaction for a conflict: `one_call_at_a_time` holds each call to itself, and races
are proven by what conditions decide. It reads an old version of a secret where AWSCURRENT was moved by itself:
`_reading_the_current_secret` mends that. Its tables have no ids: `_with_ids_of_tables` gives them some. What makes it slow is
spared by tests/light_moto.py.
"""

import itertools
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, cached_property
from typing import Any
from urllib.parse import quote_plus

import botocore.loaders
import botocore.retries.quota
import botocore.session
import moto.core.botocore_stubber
import moto.core.serialize
import moto.dynamodb.models.table
import moto.secretsmanager.models
import moto.sesv2.models
import pytest
from botocore.config import Config
from botocore.retries.quota import RetryQuota
from moto import mock_aws
from moto.core.models import DEFAULT_ACCOUNT_ID

from ecrm import bootstrap
from ecrm.application.api_keys import create_key
from ecrm.application.kill_switch import arm
from ecrm.domain.api_keys import KeyKind, Scope
from tests.builders import a_request, a_stored_site
from tests.light_moto import make_light

REGION = "eu-central-1"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": REGION,
    "TABLE_NAME": "table",
    "IDENTITY_SECRET_ID": "identity",
    "LINK_SECRET_ID": "links",
    "PUBLIC_URL": "https://shop.example.com",
    "EXPORTS_BUCKET": "exports",
    "IMPORTS_BUCKET": "imports",
    "NIGHTS_BUCKET": "nights",
    "CAMPAIGN_MACHINE_ARN": "arn:aws:states:eu-central-1:123456789012:stateMachine:campaigns",
    "LIFECYCLE_DAYS": "180,365,3,90",
    "RFM_GROUPS": "",
    "LIFETIME_VALUE": "365,10",
    "LOG_RETENTION_DAYS": "30",
    "TRANSACTIONAL_CONFIGURATION_SET": "transactional",
    "MARKETING_CONFIGURATION_SET": "marketing",
    "POWERTOOLS_SERVICE_NAME": "test",
    "POWERTOOLS_METRICS_NAMESPACE": "eCRM",
}


@dataclass
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    @cached_property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass(frozen=True, slots=True)
class Time:
    """A function's context: how long it may still run."""

    milliseconds: Callable[[], int] = lambda: 60_000

    def get_remaining_time_in_millis(self) -> int:
        return self.milliseconds()


@dataclass
class Cloud:
    dynamodb: Any
    sqs: Any
    s3: Any
    queue_url: str
    jobs_url: str
    messages_url: str
    imports_url: str
    chunks_url: str
    secrets: dict[str, str] = field(default_factory=dict)
    uploads: Iterator[int] = field(default_factory=itertools.count)

    def items(self, prefix: str = "") -> list[dict[str, Any]]:
        """Every item whose SK begins with `prefix`, in DynamoDB's JSON."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName="table", ConsistentRead=True)
        return [item for page in pages for item in page["Items"] if item["SK"]["S"].startswith(prefix)]

    def parked(self) -> list[dict[str, Any]]:
        """Take every message out of the failure queue."""
        found: list[dict[str, Any]] = []
        while messages := self.sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                found.append(json.loads(message["Body"]))
                self.sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])
        return found

    def key(
        self, kind: KeyKind = KeyKind.SERVER, *, site: str = "de", sites: str = "", scopes: frozenset[Scope] | None = None
    ) -> str:
        """The secret of a key, made at its first use."""
        name = f"{kind} {site} {sites} {scopes}"
        if name not in self.secrets:
            self.secrets[name], _ = create_key(
                kind=kind,
                site=site,
                sites=frozenset(sites.split(",")) - {""},
                scopes=scopes,
                name=name,
                expires_at=None,
                keys=bootstrap.api_keys(),
                known_sites=bootstrap.sites(),
                clock=bootstrap.clock,
                ids=bootstrap.ids,
            )
        return self.secrets[name]

    def call(
        self,
        handler: Callable[[Mapping[str, Any], object], dict[str, Any]],
        method: str,
        path: str,
        body: Any = None,
        *,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        key: str | None = None,
    ) -> Answer:
        """Call a function as the gateway does; `body` is sent as it is where it is text, else as JSON."""
        sent = {"authorization": f"Bearer {key or self.key()}", "content-type": "application/json"} | dict(headers or {})
        text = body if body is None or isinstance(body, str) else json.dumps(body)
        answer = handler(a_request(method, path, body=text, query=query, headers=sent), None)
        return Answer(answer["statusCode"], answer["headers"], answer["body"])

    def verify(self, identity: str) -> None:
        """Let the account send in the name of an address, or of a domain; moto has it verify none by itself."""
        backend = moto.sesv2.models.sesv2_backends[DEFAULT_ACCOUNT_ID][REGION]
        backend.create_email_identity(identity, None, None, None).verified_for_sending_status = True

    def publish(self) -> None:
        """Let the outbox see every event there is."""
        from publish_events.handler import handler  # noqa: PLC0415 (reads the environment that the fixture sets)
        from tests.builders import a_record  # noqa: PLC0415

        handler({"Records": [a_record(item) for item in self.items("EVENT#")]}, None)

    def run_jobs(self, context: object = None) -> list[str]:
        """Work on every message of the queue of jobs, those too that come meanwhile; gives the ids of those that failed."""
        from run_jobs.handler import handler  # noqa: PLC0415 (the same)

        return self._drain(self.jobs_url, handler, context)

    def arm(self) -> None:
        """Let this table send."""
        arm(control=bootstrap.sending_control())

    def send(self, context: object = None) -> list[str]:
        """Work on every message of the queue of messages, those too that come meanwhile; gives the ids of those that failed."""
        from send_messages.handler import handler  # noqa: PLC0415 (the same)

        return self._drain(self.messages_url, handler, context)

    def _drain(self, url: str, handler: Callable[[Mapping[str, Any], Any], Mapping[str, Any]], context: object) -> list[str]:
        failed: list[str] = []
        while messages := self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            records = [{"messageId": message["MessageId"], "body": message["Body"]} for message in messages]
            answer = handler({"Records": records}, context or Time())
            for message in messages:
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            failed += [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
        return failed

    def work(self) -> None:
        """Bring every job that was asked for to its end."""
        self.publish()
        assert [] == self.run_jobs()

    def drop(self, name: str, content: bytes, *, sidecar: Any = None, at: datetime | None = None) -> str:
        """Put a contact file, and its sidecar before it, into the folder of imports, and let S3 tell of it; gives the notice."""
        if sidecar is not None:
            self.s3.put_object(Bucket="imports", Key=f"imports/{name}.json", Body=json.dumps(sidecar).encode())
        put = self.s3.put_object(Bucket="imports", Key=f"imports/{name}", Body=content)
        told = {
            "eventVersion": "2.1",
            "eventName": "ObjectCreated:Put",
            "eventTime": (at or bootstrap.clock.now()).isoformat().replace("+00:00", "Z"),
            "s3": {
                "bucket": {"name": "imports"},
                "object": {
                    "key": quote_plus(f"imports/{name}", safe="/"),
                    "size": len(content),
                    "eTag": put["ETag"].strip('"'),
                    "sequencer": f"{next(self.uploads):016X}",
                },
            },
        }
        notice = json.dumps({"Records": [told]})
        self.sqs.send_message(QueueUrl=self.imports_url, MessageBody=notice)
        return notice

    def import_files(self, context: object = None) -> None:
        """Work on every contact file to its end, chunks and what asks for itself meanwhile included."""
        from import_file.handler import handler as read  # noqa: PLC0415 (reads the environment that the fixture sets)
        from import_rows.handler import handler as write  # noqa: PLC0415 (the same)

        while self._waiting(self.imports_url) or self._waiting(self.chunks_url):
            assert [] == self._drain(self.imports_url, read, context)
            assert [] == self._drain(self.chunks_url, write, context)

    def _waiting(self, url: str) -> int:
        name = "ApproximateNumberOfMessages"
        return int(self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])

    def imported(self) -> dict[str, bytes]:
        """What the bucket of imports holds: name → content."""
        names = [found["Key"] for found in self.s3.list_objects_v2(Bucket="imports").get("Contents", ())]
        return {name: self.s3.get_object(Bucket="imports", Key=name)["Body"].read() for name in names}

    def files(self) -> dict[str, str]:
        """What the bucket of exports holds: name → text."""
        names = [found["Key"] for found in self.s3.list_objects_v2(Bucket="exports").get("Contents", ())]
        return {name: self.s3.get_object(Bucket="exports", Key=name)["Body"].read().decode() for name in names}

    def project(self) -> None:
        """Let the stream's consumer see every event there is."""
        from project_events.handler import handler  # noqa: PLC0415 (reads the environment that the fixture sets)
        from tests.builders import a_record  # noqa: PLC0415

        handler({"Records": [a_record(item) for item in self.items("EVENT#")]}, None)


def make_table(dynamodb: Any) -> None:
    dynamodb.create_table(
        TableName="table",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}, {"AttributeName": "SK", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("PK", "SK", "work", "due")],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "worklist",
                "KeySchema": [{"AttributeName": "work", "KeyType": "HASH"}, {"AttributeName": "due", "KeyType": "RANGE"}],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
    )


@contextmanager
def one_call_at_a_time() -> Iterator[None]:
    """Hold moto's entry for each call, so that threads can race through it."""
    lock = threading.RLock()
    stubber = moto.core.botocore_stubber.BotocoreStubber
    original = stubber.__call__

    def locked(self: Any, *args: Any, **kwargs: Any) -> Any:
        with lock:
            return original(self, *args, **kwargs)

    stubber.__call__ = locked  # type: ignore[method-assign]
    try:
        yield
    finally:
        stubber.__call__ = original  # type: ignore[method-assign]


def forget() -> None:
    """Make bootstrap wire everything anew."""
    for made in vars(bootstrap).values():
        if hasattr(made, "cache_clear"):
            made.cache_clear()


def _reading_the_current_secret(patch: pytest.MonkeyPatch) -> None:
    backend = moto.secretsmanager.models.SecretsManagerBackend
    read = backend.get_secret_value

    def current(self: Any, secret_id: str, version_id: str | None, version_stage: str | None) -> Any:
        return read(self, secret_id, version_id, version_stage or (None if version_id else "AWSCURRENT"))  # type: ignore[arg-type]

    patch.setattr(backend, "get_secret_value", current)


def _with_ids_of_tables(patch: pytest.MonkeyPatch) -> None:
    """AWS gives each table an id that no other ever has: who sends asks for it."""
    made = moto.dynamodb.models.table.Table
    describe = made.describe

    def described(self: Any, base_key: str = "TableDescription") -> Any:
        answer = describe(self, base_key)
        answer[base_key]["TableId"] = f"{self.name} of {self.created_at.isoformat()}"
        return answer

    patch.setattr(made, "describe", described)


_loader = cache(botocore.loaders.create_loader)
_clients: dict[str, Any] = {}
_quotas: list[RetryQuota] = []


def a_session() -> botocore.session.Session:
    """Make a session that reads the description of each service once for all: 0.16 s less.

    Not one session for all: moto makes some by boto3, each adds methods to its session's S3 clients, and twice is an error.
    """
    session = botocore.session.Session()
    session.register_component("data_loader", _loader())
    return session


class _Session:
    """A session of which all clouds have the same clients: a client takes longer to make than a small test to run."""

    @cached_property
    def _own(self) -> botocore.session.Session:
        return a_session()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own, name)

    def create_client(self, service_name: str, config: Config | None = None, **more: Any) -> Any:
        if more:
            return self._own.create_client(service_name, config=config, **more)
        name = f"{service_name} {vars(config) if config else ''}"
        if name not in _clients:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(botocore.retries.quota, "RetryQuota", _kept_quota)
                _clients[name] = self._own.create_client(service_name, config=config)
        return _clients[name]


def _kept_quota() -> RetryQuota:
    _quotas.append(RetryQuota())
    return _quotas[-1]


def _refill_quotas() -> None:
    """Let no test have fewer retries for what failed in another."""
    for quota in _quotas:
        quota.release(RetryQuota.INITIAL_CAPACITY)


@contextmanager
def a_cloud() -> Iterator[Cloud]:
    """A cloud with one site, `de`."""
    with pytest.MonkeyPatch.context() as patch, mock_aws(), one_call_at_a_time():  # a night writes memberships by threads
        make_light(patch)
        _reading_the_current_secret(patch)
        _with_ids_of_tables(patch)
        patch.setattr(botocore.session, "get_session", _Session)
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        forget()
        _refill_quotas()
        session: Any = botocore.session.get_session()
        dynamodb, sqs = session.create_client("dynamodb"), session.create_client("sqs")
        make_table(dynamodb)
        secrets = session.create_client("secretsmanager")
        secrets.create_secret(Name="identity", SecretString="for tests only, 32 bytes long....")
        secrets.create_secret(Name="links", SecretString='{"current": "1", "1": "for tests only, 32 bytes long too"}')
        url = sqs.create_queue(QueueName="failures")["QueueUrl"]
        patch.setenv("FAILURE_QUEUE_URL", url)
        jobs_url = sqs.create_queue(QueueName="jobs")["QueueUrl"]
        patch.setenv("JOB_QUEUE_URL", jobs_url)
        messages_url = sqs.create_queue(QueueName="messages")["QueueUrl"]
        patch.setenv("MESSAGE_QUEUE_URL", messages_url)
        s3 = session.create_client("s3")
        for bucket in ("exports", "imports", "nights"):
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        imports_url = sqs.create_queue(QueueName="imports")["QueueUrl"]
        patch.setenv("IMPORT_QUEUE_URL", imports_url)
        chunks_url = sqs.create_queue(QueueName="chunks")["QueueUrl"]
        patch.setenv("CHUNK_QUEUE_URL", chunks_url)
        bootstrap.sites().write(a_stored_site(languages=["de"], sender="hello@example.com"), seen=0)
        try:
            yield Cloud(dynamodb, sqs, s3, url, jobs_url, messages_url, imports_url, chunks_url)
        finally:
            forget()
