"""MiniStack, with what it does not tell and what it forgets. Runs with the tools environment's Python.

It tells nowhere how far a stream's consumer is behind: `GET /_local/status` does, and lists the last requests.
It forgets a stream's records at a restart but not how many of them were read, so that it skips as many new ones:
the undelivered records are saved with the rest of its state and come back at the same positions.
It asks for `sqs:SendMessageBatch`, an action that IAM does not have: AWS grants a batch by `sqs:SendMessage`.
It answers OPTIONS itself with 403 where the template says nothing of CORS: AWS hands it to the function, which answers.
It speaks no TLS, on which the policies of buckets insist: what comes from this machine counts as secure.
Of a mail that SES took it forgets headers, tags, configuration set and reply-to, it checks none of them, reports nothing of
it and keeps no mail over a restart. Here they are kept and checked (`local/ses.py`), `/_local/mailbox` shows them and reports
what is asked for, and `POST /_local/ses/faults` makes the next calls of SendEmail fail, each once.
It lets nobody's policy name what SendEmail uses: AWS asks for the sender's identity and for the configuration set.
It keeps a template's parameter as the text that it is, and cannot compare the MaximumConcurrency that one gives to anything.
It unpacks code and layers anew for every process that runs a function: here once, and each process gets links to that.
It does not say which process runs which function: `GET /_local/status` does, so that tests can kill one at work. When one
dies while it starts, it kills all others of the function, at whatever they are: here that is one call that failed.
"""

import asyncio
import fcntl
import hashlib
import json
import os
import threading
import time
import zipfile
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator
from contextvars import ContextVar
from datetime import UTC, datetime
from email.utils import parseaddr
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs

import boto3
import ministack.app as ministack
from ministack.core import iam_actions, iam_evaluator, lambda_runtime
from ministack.core.persistence import load_state, save_state
from ministack.core.responses import AccountRegionScopedDict, get_account_id
from ministack.services import apigateway, dynamodb, lambda_svc, ses, ses_v2, sqs

from local import mailbox
from local.ses import REPORTS, Mail, as_message, notice, refusal

type Message = dict[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]

API = "/_aws/execute-api/"
HTTP_OK = 200
API_HOST = b".execute-api."
"""The other way to an API, which links to status pages take."""
SEND_EMAIL = "/v2/email/outbound-emails"
FOLDER = Path(os.environ["STATE_DIR"]).parent
ENDPOINT = f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}"
serve = ministack.app
faults: deque[str] = deque()
"""What the next calls of SendEmail meet: `throttle`, `error`, or `lose`, which takes the mail and loses the reply; `stall` does
so some seconds later."""
STALLED_SECONDS = 8
"""Less than the sender's patience: whoever waits is at it for certain."""
requests: deque[dict[str, Any]] = deque(maxlen=5000)
calls: dict[str, Counter[str]] = {}
"""How often each role was allowed which action."""
enforce = iam_evaluator.enforce
resolve = iam_evaluator._resolve_condition_key
execute = apigateway._handle_execute_in_scope
answer_ses = ses_v2.handle_request
spawn, invoke = lambda_runtime.Worker._spawn, lambda_runtime.Worker.invoke
started: dict[Any, int] = {}
"""The process of each worker of Lambda that got as far as the function's handler."""
concurrency_of = lambda_svc._sqs_esm_concurrency
name_resource = iam_actions._ses_v2_resource_arn
configuration_set: ContextVar[str] = ContextVar("configuration_set", default="")
"""The ARN of the one that the current call of SendEmail names."""


async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Stand between the server and MiniStack."""
    path = scope.get("path", "")
    if scope["type"] == "lifespan":
        await serve(scope, _with_streams(receive), send)
    elif path == "/_local/status":
        after = int(parse_qs(scope["query_string"].decode()).get("after", ["-1"])[0])
        new = [request for request in requests if 0 <= after < request["number"]]
        status: dict[str, Any] = {"folder": str(FOLDER), "backlog": _backlog(), "requests": new, "calls": _calls()}
        status |= {"counts": calls, "workers": _workers(), "mails": sum(map(len, _mails().values()))}
        await _reply(send, 200, json.dumps(status), "application/json")
    elif path == "/_local/ses/faults":
        asked = json.loads(await _body(receive))
        faults.clear()
        faults.extend([asked["fault"]] * asked["times"])
        await _reply(send, 204, "", "application/json")
    elif path == SEND_EMAIL and faults:
        await _fail(faults.popleft(), scope, receive, send)
    elif path == "/_ministack/ses/messages":
        await _reply(send, 200, json.dumps({"messages": _mails()}), "application/json")
    elif path.startswith(mailbox.ROOT):
        await _show_mailbox(path, scope, receive, send)
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
    if action == "ses:SendEmail" and not denied and configuration_set.get():
        denied = enforce(access_key, action, service, region, **about | {"resource_arn": configuration_set.get()})
    caller = iam_evaluator.caller_arn()
    if action.startswith("ses:") and access_key:  # MiniStack has not yet noted whose call of SES it is
        caller = iam_evaluator.resolve_principal(access_key, get_account_id()).arn
    role = caller.partition(":assumed-role/")[2].partition("/")[0]
    if role and not denied:
        calls.setdefault(role, Counter())[action] += 1
    return denied


def _resolve(key: str, context: Any) -> Any:
    return "true" if key.lower() == "aws:securetransport" else resolve(key, context)


def _name_resource(method: str, path: str, body: bytes, region: str, account: str) -> Any:
    """Name the sender's identity as what SendEmail uses, its domain's where the address has none of its own."""
    if (method, path) != ("POST", SEND_EMAIL):
        return name_resource(method, path, body, region, account)
    request = json.loads(body)
    address = parseaddr(request.get("FromEmailAddress", ""))[1]
    identity = address if address in ses_v2._identities else address.rpartition("@")[2]
    name = request.get("ConfigurationSetName")
    configuration_set.set(f"arn:aws:ses:{region}:{account}:configuration-set/{name}" if name else "")
    return f"arn:aws:ses:{region}:{account}:identity/{identity}"


class _UnpackedOnce(zipfile.ZipFile):
    """A function's code or a layer, of which thousands of files need not be written for each process."""

    one_at_a_time = threading.Lock()

    def extractall(self, path: Any, *_: Any) -> None:  # type: ignore[override]  # MiniStack gives nothing but the path
        unpacked = FOLDER / "tmp" / "unpacked" / hashlib.sha256(Path(str(self.filename)).read_bytes()).hexdigest()
        with self.one_at_a_time:
            if not unpacked.exists():
                half = unpacked.with_suffix(".half")
                super().extractall(half)
                half.rename(unpacked)
        for each in unpacked.iterdir():
            (Path(path) / each.name).symlink_to(each)


def _spawn(worker: Any) -> None:
    spawn(worker)
    started[worker] = worker._proc.pid


def _invoke(worker: Any, *arguments: Any, **named: Any) -> Any:
    try:
        return invoke(worker, *arguments, **named)
    except Exception as error:  # noqa: BLE001 (whatever kept it from starting is that call's own)
        return {"status": "error", "error": str(error), "cold_start": True, "log": ""}


def _concurrency_of(mapping: dict[str, Any], *more: Any) -> Any:
    scaling = mapping.get("ScalingConfig") or {}
    scaling |= {name: int(value) for name, value in scaling.items()}
    return concurrency_of(mapping, *more)


class _Options(str):
    """OPTIONS, but not to MiniStack, which compares."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return False


async def _execute(api_id: str, stage: str, path: str, method: str, *more: Any, **named: Any) -> Any:
    return await execute(api_id, stage, path, _Options(method) if method == "OPTIONS" else method, *more, **named)


async def _answer_ses(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
    """Take a mail as SES would, and keep all that it was sent with."""
    if (method, path) != ("POST", SEND_EMAIL):
        return await answer_ses(method, path, headers, body, query)
    request = json.loads(body)
    if refused := refusal(request, set(ses_v2._config_sets)):
        return ses_v2._json_err(*refused, status=404 if refused[0] == "NotFoundException" else 400)
    answer = await answer_ses(method, path, headers, body, query)
    if answer[0] == HTTP_OK:
        (mail,) = [mail for mail in ses._sent_emails_list()[-1:] if mail["MessageId"] == json.loads(answer[2])["MessageId"]]
        mail["ConfigurationSetName"] = request.get("ConfigurationSetName")
        mail["EmailTags"] = request.get("EmailTags", [])
        mail["Headers"] = request["Content"].get("Simple", {}).get("Headers", [])
        mail["ReplyToAddresses"] = request.get("ReplyToAddresses", [])
        mail["Reported"] = []
    return answer


async def _fail(fault: str, scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Do to a call of SendEmail what the network or SES may do to it."""
    if fault == "throttle":
        await _reply(send, 429, '{"message":"Maximum sending rate exceeded."}', "application/json", "TooManyRequestsException")
    elif fault == "error":
        await _reply(send, 500, '{"message":"Internal failure"}', "application/json", "InternalServiceErrorException")
    else:
        await serve(scope, receive, _nowhere)
        if fault == "stall":
            await asyncio.sleep(STALLED_SECONDS)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": b"{", "more_body": True})  # nothing more: the server breaks it off


async def _nowhere(_: Message) -> None:
    """Lose what the emulator answers."""


async def _show_mailbox(path: str, scope: dict[str, Any], receive: Receive, send: Send) -> None:
    mails = [mail for each in _mails().values() for mail in each]
    if scope["method"] != "POST":
        query = {name: values[-1] for name, values in parse_qs(scope["query_string"].decode()).items()}
        status, page, security = mailbox.answer(path, query, mails, ENDPOINT)
        await _reply(send, status, page, "text/html; charset=utf-8", security=security)
        return
    number, _, word = path.removeprefix(mailbox.ROOT).strip("/").partition("/")
    link = parse_qs((await _body(receive)).decode()).get("link", [""])[0]
    if not number.isdecimal() or not 1 <= int(number) <= len(mails) or word not in REPORTS:
        said = f"There are {len(mails)} mails, which can be reported as: {', '.join(REPORTS)}."
        await _reply(send, 404, mailbox.notice_page("No such mail or report", said), "text/html; charset=utf-8")
    elif not await asyncio.to_thread(_report, mails[int(number) - 1], word, link):
        said = "The mail's configuration set has no destination for this kind of event, so SES would tell nobody."
        await _reply(send, 409, mailbox.notice_page("Nobody is told", said), "text/html; charset=utf-8")
    else:
        await _reply(send, 303, "", "text/html; charset=utf-8", location=f"{mailbox.ROOT}/{number}")


def _report(mail: Mail, word: str, link: str) -> int:
    """Publish an event to the topics that the mail's configuration set names for its kind; return to how many."""
    now = datetime.now(UTC)
    kind = REPORTS[word][0]
    wanted = "DELIVERY_DELAY" if kind == "DeliveryDelay" else kind.upper()
    topics = [
        destination["SnsDestination"]["TopicArn"]
        for (_, _, name), options in ses_v2._config_sets.all_items()
        for destination in options.get("EventDestinations", {}).values()
        if name == mail["ConfigurationSetName"] and "SnsDestination" in destination
        if destination["Enabled"] and wanted in destination["MatchingEventTypes"]
    ]
    settings = {"endpoint_url": ENDPOINT, "aws_access_key_id": "test", "aws_secret_access_key": "test"}
    for topic in topics:
        sns = boto3.client("sns", region_name=topic.split(":")[3], **settings)
        sns.publish(TopicArn=topic, **as_message(notice(mail, word, link, now)))
    if topics:
        mail["Reported"].append({"word": word, "at": now.timestamp(), "link": link})
    return len(topics)


def _mails() -> dict[str, list[Mail]]:
    """Every mail that SES took, by account, oldest first."""
    mails: dict[str, list[Mail]] = {}
    for (account, _, _), sent in ses._sent_emails.all_items():
        mails.setdefault(account, []).extend(sent)
    return mails


async def _body(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return body


async def _reply(
    send: Send, status: int, body: str, kind: str, error: str = "", *, security: str = "", location: str = ""
) -> None:
    headers = {"content-type": kind, "x-amzn-errortype": error, "content-security-policy": security, "location": location}
    content = body.encode()
    given = [(name.encode(), value.encode()) for name, value in headers.items() if value]
    head = [
        *given,
        (b"content-length", str(len(content)).encode()),
        (b"cache-control", b"no-store"),
        (b"referrer-policy", b"no-referrer"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": content})


def _workers() -> dict[str, dict[str, list[int]]]:
    """The processes of each function that have started: those that are `busy` with a call just now, and the `idle` ones."""
    found: dict[str, dict[str, list[int]]] = {}
    for worker in [worker for pool in list(lambda_runtime._workers.values()) for worker in pool]:
        of_function = found.setdefault(worker.func_name, {"busy": [], "idle": []})
        process = worker._proc
        if process is not None and process.poll() is None and started.get(worker) == process.pid:
            of_function["busy" if worker.in_use else "idle"].append(process.pid)
    return found


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
    save_state("local_mails", {"sent": ses._sent_emails})


def _load() -> None:
    state = load_state("local_streams") or {"records": {}, "trimmed": {}}
    dynamodb._stream_records.update(state["records"])
    dynamodb._stream_trimmed.update(state["trimmed"])
    if mails := load_state("local_mails"):
        ses._sent_emails.update(mails["sent"])


if __name__ == "__main__":
    os.chdir(FOLDER)  # it was started in the checkout, so that it finds the rest of `local`
    with (FOLDER / "lock").open("a") as lock:  # held as long as this process lives: that is how others know
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        iam_evaluator.enforce = _enforce
        iam_evaluator._resolve_condition_key = _resolve
        iam_actions._ses_v2_resource_arn = _name_resource
        apigateway._handle_execute_in_scope = _execute
        lambda_runtime.zipfile = SimpleNamespace(
            ZipFile=_UnpackedOnce, BadZipFile=zipfile.BadZipFile, LargeFileError=zipfile.LargeZipFile
        )
        lambda_runtime.Worker._spawn, lambda_runtime.Worker.invoke = _spawn, _invoke
        lambda_svc._sqs_esm_concurrency = _concurrency_of
        ses_v2.handle_request = _answer_ses
        ministack.app = app
        ministack.main()
