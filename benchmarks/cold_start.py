"""CPU time that a function takes from nothing to its first answer, beside the empty handler and an idiomatic one. Linux only.

    make bench

AWS's own Runtime Interface Emulator starts the runtime, which runs what `sam build` made: the function's folder and its layers,
in one tree as under /opt, with no bytecode written. Reads are answered by a table over loopback, outside of what is measured.
The rounds are interleaved and the ratio to the empty handler is what counts: machines change their speed within a minute.
"""

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from benchmarks.artefacts import Artefacts, built
from benchmarks.loopback import Loopback, served
from benchmarks.machine import machine
from local.stack import ARCHITECTURE, ROOT

ROUNDS = 15
PORTS = (4740, 4741)
PATIENCE_SECONDS = 30
GOOD = (200, 202)
ENVIRONMENT = ROOT / ".venv-bench"
RUNTIME = ENVIRONMENT / "bin" / "python"
EMULATOR = f"lib/python3.13/site-packages/samcli/local/rapid/aws-lambda-rie-{ARCHITECTURE}"

EMPTY = """
def handler(event, context):
    return {"statusCode": 200, "body": ""}
"""
IDIOMATIC = """
import os

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from pydantic import BaseModel

logger = Logger()
metrics = Metrics()
app = APIGatewayHttpResolver(enable_validation=True)
table = boto3.resource("dynamodb").Table(os.environ["TABLE_NAME"])


class Order(BaseModel):
    PK: str
    SK: str


@app.get("/v1/orders/<order_id>")
def read_order(order_id: str) -> Order:
    return Order.model_validate(table.get_item(Key={"PK": PK, "SK": SK})["Item"])


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event, context):
    return app.resolve(event, context)
"""


class Contestant(NamedTuple):
    name: str
    handler: str
    task: Path
    layers: Path | None
    event: Mapping[str, Any]


def contestants(folder: Path, artefacts: Artefacts, cloud: Loopback) -> Iterator[Contestant]:
    """Lay out what is compared; nothing is shared between two of them but the runtime."""
    read = cloud.requests["orders_api"]
    yield Contestant("empty", "empty.handler", _written(folder / "empty", "empty", EMPTY), None, read)
    idiomatic = _written(folder / "idiomatic", "idiomatic", f"PK, SK = {cloud.order!r}\n{IDIOMATIC}")
    shutil.copytree(_packages(), idiomatic, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    yield Contestant("idiomatic, as sam build ships it", "idiomatic.handler", idiomatic, None, read)
    for name, event in cloud.requests.items():
        function = name.partition(",")[0]
        yield Contestant(name, f"{function}.handler.handler", artefacts.functions[function], artefacts.layers, event)


def _written(task: Path, name: str, source: str) -> Path:
    task.mkdir()
    (task / f"{name}.py").write_text(source)
    return task


def _packages() -> Path:
    return next((ENVIRONMENT / "lib").glob("python3*")) / "site-packages"


def start(contestant: Contestant, settings: Mapping[str, str]) -> float:
    """CPU milliseconds of the runtime's process until its first answer."""
    address, runtime_api = (f"127.0.0.1:{port}" for port in PORTS)
    emulator = subprocess.Popen(
        [
            *(ROOT / ".venv-tools" / EMULATOR, "--runtime-interface-emulator-address", address),
            *("--runtime-api-address", runtime_api, "--log-level", "error"),
            *(RUNTIME, "-m", "awslambdaric", contestant.handler),
        ],
        cwd=contestant.task,
        env={**settings, "PYTHONPATH": f"{contestant.task}:{contestant.layers or ''}".rstrip(":")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        answer = _invoke(contestant.event)
        if contestant.name != "empty" and not _is_good(answer):
            sys.exit(f"{contestant.name} answered {answer}")
        return _cpu_of_child(emulator.pid)
    finally:
        children = _children(emulator.pid)
        emulator.terminate()
        emulator.wait()
        for child in children:
            if Path(f"/proc/{child}").exists():
                os.kill(child, 9)


def _is_good(answer: Any) -> bool:
    return isinstance(answer, dict) and (answer.get("statusCode") in GOOD or answer == {"batchItemFailures": []})


def _invoke(event: Mapping[str, Any]) -> Any:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        connection = HTTPConnection("127.0.0.1", PORTS[0], timeout=PATIENCE_SECONDS)
        try:
            connection.request("POST", "/2015-03-31/functions/function/invocations", json.dumps(event))
            return json.load(connection.getresponse())
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        finally:
            connection.close()


def _children(pid: int) -> list[int]:
    return [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]


def _cpu_of_child(pid: int) -> float:
    (runtime,) = _children(pid)
    threads = Path(f"/proc/{runtime}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e6


@contextmanager
def prepared() -> Iterator[tuple[list[Contestant], dict[str, str]]]:
    """What is compared, and the environment of its runtime."""
    subprocess.run([str(RUNTIME), "-m", "compileall", "-q", str(_packages())], check=True)
    with TemporaryDirectory() as folder, served() as cloud:
        settings = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "PYTHONDONTWRITEBYTECODE": "1",
            "AWS_LAMBDA_FUNCTION_NAME": "function",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
            "PYDANTIC_DISABLE_PLUGINS": "__all__",
            **cloud.environment,
        }
        yield list(contestants(Path(folder), built(), cloud)), settings


def main() -> None:
    if platform.system() != "Linux":
        sys.exit("cold starts are measured on Linux, where the emulator runs")
    rounds = int(os.environ.get("ROUNDS", ROUNDS))
    with prepared() as (compared, settings):
        for contestant in compared:  # the disk's cache is warm for all of them
            start(contestant, settings)
        taken: dict[str, list[float]] = {contestant.name: [] for contestant in compared}
        for _ in range(rounds):
            for contestant in compared:
                taken[contestant.name].append(start(contestant, settings))
    print(f"cold start, CPU of the runtime until its first answer, medians of {rounds} interleaved rounds · {machine()}")
    floor = taken["empty"]
    for name, times in taken.items():
        ratio = statistics.median(time / empty for time, empty in zip(times, floor, strict=True))
        print(f"{name:40} {statistics.median(times):8.1f} ms {ratio:6.1f} × empty")


if __name__ == "__main__":
    main()
