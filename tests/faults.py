"""Faults on the wire, between the SDK and moto: a request fails, a reply gets lost, or the process dies.

Everything of botocore is real: its handlers, its own retries (without the waiting), its errors. Where we ask
again ourselves, nothing waits either.
"""

import copy
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import botocore.endpoint
import moto.dynamodb.models
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError
from moto.core.botocore_stubber import BotocoreStubber, MockRawResponse

from ecrm import bootstrap
from tests.cloud import REGION

type Deliver = Callable[[], AWSResponse]
"""Let the request arrive, and give the answer to it."""


class Kill(BaseException):
    """kill -9: no `except Exception` softens it."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One request on the wire; the SDK's own retries have the `call` of the first try."""

    operation: str
    call: int
    attempt: int
    request: AWSPreparedRequest

    @property
    def ask(self) -> Any:
        return json.loads(self.request.body)  # type: ignore[arg-type]  # JSON protocols send text

    def answer(self, body: Mapping[str, Any], status: int = 200) -> AWSResponse:
        return AWSResponse(self.request.url, status, HTTPHeaders(), MockRawResponse(json.dumps(body)))

    def refuse(self, code: str, status: int = 400, **more: Any) -> AWSResponse:
        return self.answer({"__type": code, "Message": "injected", **more}, status)


type Fault = Callable[[Sent, Deliver], AWSResponse]


def no_fault(_sent: Sent, deliver: Deliver) -> AWSResponse:
    return deliver()


def fail(sent: Sent, _deliver: Deliver) -> AWSResponse:
    """The request does not arrive, nor do its retries."""
    raise ConnectTimeoutError(endpoint_url=sent.request.url)


def kill_before(_sent: Sent, _deliver: Deliver) -> AWSResponse:
    raise Kill


def kill_after(_sent: Sent, deliver: Deliver) -> AWSResponse:
    deliver()
    raise Kill


def lose_replies(sent: Sent, deliver: Deliver) -> AWSResponse:
    """The request arrives and so do its retries, and no answer comes back."""
    deliver()
    raise ReadTimeoutError(endpoint_url=sent.request.url)


def lose_first_reply(sent: Sent, deliver: Deliver) -> AWSResponse:
    return lose_replies(sent, deliver) if sent.attempt == 1 else deliver()


CRASHES: Mapping[str, Fault] = {
    "fail before": fail,
    "kill before": kill_before,
    "kill after": kill_after,
    "replies lost": lose_replies,
    "first reply lost": lose_first_reply,
}


def refused_with(code: str, status: int = 400, **more: Any) -> Fault:
    """The service refuses each try."""
    return lambda sent, _deliver: sent.refuse(code, status, **more)


def at(call: int, fault: Fault) -> Fault:
    return lambda sent, deliver: fault(sent, deliver) if sent.call == call else deliver()


def on(operation: str, fault: Fault) -> Fault:
    return lambda sent, deliver: fault(sent, deliver) if sent.operation == operation else deliver()


class Kept:
    """The table as it was when this was made."""

    def __init__(self) -> None:
        self._tables = moto.dynamodb.models.dynamodb_backends["123456789012"][REGION].tables
        self._table = copy.deepcopy(self._tables["table"])

    def restore(self) -> None:
        self._tables["table"] = copy.deepcopy(self._table)

    def behind(self, sent: Sent, deliver: Deliver) -> AWSResponse:
        """Reads that are eventually consistent see nothing newer."""
        if not sent.operation.endswith(("GetItem", "Query")) or '"ConsistentRead": true' in str(sent.request.body):
            return deliver()
        now, self._tables["table"] = self._tables["table"], self._table
        try:
            return deliver()
        finally:
            self._tables["table"] = now


@contextmanager
def tapped(fault: Fault = no_fault) -> Iterator[list[str]]:
    """Let every request pass through `fault`; gives the operations called, as they are called."""
    calls: list[str] = []
    numbers: dict[str, int] = {}
    original = BotocoreStubber.__call__

    def tap(self: BotocoreStubber, event_name: str, request: AWSPreparedRequest, **kwargs: Any) -> AWSResponse | None:
        invocation = request.headers["amz-sdk-invocation-id"]
        operation = event_name.rpartition(".")[2]
        if invocation not in numbers:
            numbers[invocation] = len(calls)
            calls.append(operation)
        attempt = re.search(r"attempt=(\d+)", str(request.headers["amz-sdk-request"]))
        sent = Sent(operation, numbers[invocation], int(attempt[1]) if attempt else 1, request)

        def deliver() -> AWSResponse:
            return original(self, event_name, request, **kwargs)  # type: ignore[return-value]  # moto answers all of ours

        return fault(sent, deliver)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.endpoint, "time", SimpleNamespace(time=time.time, sleep=lambda _: None))
        patch.setattr(bootstrap, "time", SimpleNamespace(sleep=lambda _: None, monotonic=time.monotonic))
        patch.setattr(BotocoreStubber, "__call__", tap)
        yield calls
