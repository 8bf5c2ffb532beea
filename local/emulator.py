"""MiniStack, with what it does not tell and what it forgets. Runs with the tools environment's Python.

It tells nowhere how far a stream's consumer is behind: `GET /_local/status` does, and lists the last requests.
It forgets a stream's records at a restart but not how many of them were read, so that it skips as many new ones:
the undelivered records are saved with the rest of its state and come back at the same positions.
It asks for `sqs:SendMessageBatch`, an action that IAM does not have: AWS grants a batch by `sqs:SendMessage`.
It answers OPTIONS itself with 403 where the template says nothing of CORS: AWS hands it to the function, which answers.
It speaks no TLS, on which the policies of buckets insist: what comes from this machine counts as secure.
"""

import asyncio
import fcntl
import json
import os
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import ministack.app as ministack
from ministack.core import iam_evaluator
from ministack.core.persistence import load_state, save_state
from ministack.core.responses import AccountRegionScopedDict
from ministack.services import apigateway, dynamodb, lambda_svc, sqs

type Message = dict[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]

API = "/_aws/execute-api/"
API_HOST = b".execute-api."
"""The other way to an API, which links to status pages take."""
FOLDER = Path(os.environ["STATE_DIR"]).parent
serve = ministack.app
requests: deque[dict[str, Any]] = deque(maxlen=5000)
calls: dict[str, set[str]] = {}
enforce = iam_evaluator.enforce
resolve = iam_evaluator._resolve_condition_key
execute = apigateway._handle_execute_in_scope


async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Stand between the server and MiniStack."""
    path = scope.get("path", "")
    if scope["type"] == "lifespan":
        await serve(scope, _with_streams(receive), send)
    elif path == "/_local/status":
        after = int(parse_qs(scope["query_string"].decode()).get("after", ["-1"])[0])
        new = [request for request in requests if 0 <= after < request["number"]]
        body = json.dumps({"folder": str(FOLDER), "backlog": _backlog(), "requests": new, "calls": _calls()})
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-type", b"application/json")],
            }
        )
        await send({"type": "http.response.body", "body": body.encode()})
    elif path.startswith(API):
        await _recorded("/" + path.removeprefix(API).partition("/")[2], scope, receive, send)
    elif scope["type"] == "http" and API_HOST in dict(scope["headers"]).get(b"host", b""):
        await _recorded(path, scope, receive, send)
    else:
        await serve(scope, receive, send)


def _enforce(access_key: str, action: str, service: str, region: str, **about: Any) -> Any:
    """Let MiniStack decide as AWS would, and note which role asked for what and got it."""
    action = "sqs:SendMessage" if action == "sqs:SendMessageBatch" else action
    denied = enforce(access_key, action, service, region, **about)
    role = iam_evaluator.caller_arn().partition(":assumed-role/")[2].partition("/")[0]
    if role and not denied:
        calls.setdefault(role, set()).add(action)
    return denied


def _resolve(key: str, context: Any) -> Any:
    return "true" if key.lower() == "aws:securetransport" else resolve(key, context)


class _Options(str):
    """OPTIONS, but not to MiniStack, which compares."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return False


async def _execute(api_id: str, stage: str, path: str, method: str, *more: Any, **named: Any) -> Any:
    return await execute(api_id, stage, path, _Options(method) if method == "OPTIONS" else method, *more, **named)


def _calls() -> dict[str, list[str]]:
    return {role: sorted(actions) for role, actions in calls.items()}


async def _recorded(path: str, scope: dict[str, Any], receive: Receive, send: Send) -> None:
    started = time.perf_counter()

    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            requests.append(
                {
                    "number": requests[-1]["number"] + 1 if requests else 1,
                    "at": time.time(),
                    "method": scope["method"],
                    "path": path,
                    "status": message["status"],
                    "ms": round((time.perf_counter() - started) * 1000),
                }
            )
        await send(message)

    await serve(scope, receive, answer)


def _with_streams(receive: Receive) -> Receive:
    """Load the streams' records before MiniStack loads its own state, and save them before it does."""

    async def next_message() -> Message:
        message = await receive()
        await asyncio.to_thread({"lifespan.startup": _load, "lifespan.shutdown": _save}[message["type"]])
        return message

    return next_message


def _consumers() -> Iterator[tuple[tuple[str, str], str, str, int]]:
    """Each stream mapping: account and region, its function, its table, and the position it has read to."""
    for (account, region, mapping_id), mapping in lambda_svc._esms.all_items():
        if ":dynamodb:" in mapping["EventSourceArn"]:
            table = mapping["EventSourceArn"].split("/")[1]
            start = dynamodb.stream_start_position(table, account_id=account, region=region)
            read = lambda_svc._dynamodb_stream_positions.get_scoped(account, region, mapping_id, start)
            yield (account, region), mapping["FunctionArn"].split(":")[6], table, max(read, start)


def _backlog() -> Counter[str]:
    """How many records and messages each function has yet to be handed, by its name."""
    backlog: Counter[str] = Counter()
    for (account, region), function, table, read in _consumers():
        backlog[function] += dynamodb.stream_end_position(table, account_id=account, region=region) - read
    for _, mapping in lambda_svc._esms.all_items():
        queue = sqs._queue_by_arn(mapping["EventSourceArn"]) if ":sqs:" in mapping["EventSourceArn"] else None
        if queue is not None:
            backlog[mapping["FunctionArn"].split(":")[6]] += len(queue["messages"])
    return backlog


def _save() -> None:
    kept, trimmed = AccountRegionScopedDict(), AccountRegionScopedDict()
    for scope, _, table, read in sorted(_consumers(), key=lambda consumer: -consumer[3]):  # the slowest one last
        start = dynamodb.stream_start_position(table, account_id=scope[0], region=scope[1])
        records = dynamodb.stream_live_records(table, account_id=scope[0], region=scope[1])
        kept.set_scoped(*scope, table, records[read - start :])
        trimmed.set_scoped(*scope, table, read)
    save_state("local_streams", {"records": kept, "trimmed": trimmed})


def _load() -> None:
    state = load_state("local_streams") or {"records": {}, "trimmed": {}}
    dynamodb._stream_records.update(state["records"])
    dynamodb._stream_trimmed.update(state["trimmed"])


if __name__ == "__main__":
    with (FOLDER / "lock").open("a") as lock:  # held as long as this process lives: that is how others know
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        iam_evaluator.enforce = _enforce
        iam_evaluator._resolve_condition_key = _resolve
        apigateway._handle_execute_in_scope = _execute
        ministack.app = app
        ministack.main()
