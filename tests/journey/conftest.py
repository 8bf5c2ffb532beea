"""One stack for all journey tests: this template, built and deployed onto the emulator, empty at the start.

It has a port of its own, so that a stack that somebody is working with is left alone.
"""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest

from local.api import Api
from local.demo.mails import MAILS
from local.demo.subscribers import let_sign_up
from local.stack import ROOT, STACK_NAME, Stack
from local.up import KINDS, make_key, put_site

LETTERS = "letters"
"""A site that writes to its customers of their orders."""
GAZETTE, EDITOR = "gazette", "editor@example.com"
"""A site that people subscribe to, and who there is sent tests."""
ISSUE = {
    "purpose": "marketing",
    "topic": "issues",
    "variants": {
        "en": {
            "subject": "The new issue",
            "html": '<p>{{ site.postal_address }}</p><a href="{{ links.unsubscribe }}">No more</a> <a href="https://example.com/1">1</a>',
        }
    },
}
NOTE = {
    "purpose": "transactional",
    "variants": {"en": {"subject": "A note", "html": '<p>{{ data.words }} <a href="https://example.com/more">more</a></p>'}},
}
TO_ALL = {"purpose": "transactional", "variants": {"en": {"subject": "To all", "html": "<p>We are moving.</p>"}}}
PORT = int(os.environ.get("JOURNEY_PORT", "4591"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let every journey test reach this machine, and give the first one time to deploy."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.allow_hosts(["127.0.0.1"]))
            item.add_marker(pytest.mark.timeout(900))


def make(target: str, port: int, **settings: str) -> str:
    """Run `make target` as its user would, and return what it printed."""
    environment = {name: value for name, value in os.environ.items() if name not in {"FRESH", "MAKEFLAGS", "ONCE"}}
    outcome = subprocess.run(
        ["make", "--no-print-directory", target],
        cwd=ROOT,
        env=environment | {"PORT": str(port)} | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stdout
    return outcome.stdout


def started(port: int) -> Stack:
    """Start a fresh stack."""
    make("up", port, FRESH="1")
    return Stack(port)


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The stack that all journey tests share; whoever stops it starts it again."""
    yield started(PORT)
    make("down", PORT)


@pytest.fixture(scope="session")
def facts(stack: Stack) -> dict[str, Any]:
    """What stack.json says."""
    return stack.facts() or {}


@pytest.fixture(scope="session")
def connect(facts: dict[str, Any]) -> Callable[[], Api]:
    """A new connection with the server key."""
    return lambda: Api(facts["api_url"], facts["server_key"])


@pytest.fixture
def api(connect: Callable[[], Api]) -> Iterator[Api]:
    """A connection with the server key."""
    with connect() as connection:
        yield connection


@pytest.fixture(scope="session")
def connect_shop(stack: Stack, facts: dict[str, Any]) -> Callable[[], Api]:
    """A new connection of a site that writes after every step of an order, and has two templates of its own."""
    put_site(stack, LETTERS, "--mails", ",".join(f"{event}={template}" for event, template in MAILS.items()))
    secret = make_key(stack, LETTERS, "server")
    topic = {"names": {"en": "Letters"}, "channels": ["email"], "double_opt_in": False}
    with Api(facts["api_url"], facts["staff_key"]) as staff:
        staff.put("/v1/topics/letters", topic, 200, 201)
        staff.put("/v1/templates/note", NOTE, 200, 201)
        staff.put("/v1/templates/to-all", TO_ALL, 200, 201)
    return lambda: Api(facts["api_url"], secret)


@pytest.fixture(scope="session")
def shop(connect_shop: Callable[[], Api]) -> Iterator[Api]:
    with connect_shop() as connection:
        yield connection


@pytest.fixture(scope="session")
def gazette(stack: Stack, facts: dict[str, Any]) -> dict[str, str]:
    """A site that welcomes who has confirmed, and sends issues at any hour to who wants them; its keys by their kinds."""
    put_site(stack, GAZETTE, "--test-recipients", EDITOR)
    topic = {"names": {"en": "Issues"}, "channels": ["email"], "double_opt_in": False}
    with Api(facts["api_url"], facts["staff_key"]) as staff:
        let_sign_up(staff, GAZETTE, {})
        staff.put("/v1/topics/issues", topic, 200, 201)
        staff.put("/v1/templates/issue", ISSUE, 200, 201)
    return {kind: make_key(stack, GAZETTE, kind) for kind in KINDS}


@pytest.fixture(scope="session")
def table(stack: Stack, facts: dict[str, Any]) -> Any:
    return boto3.resource("dynamodb", **stack.client_settings()).Table(facts["table"])


@pytest.fixture(scope="session")
def outputs(stack: Stack) -> dict[str, str]:
    (found,) = boto3.client("cloudformation", **stack.client_settings()).describe_stacks(StackName=STACK_NAME)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in found["Outputs"]}


@contextmanager
def redelivering(stack: Stack, *, after_seconds: int) -> Iterator[Callable[[str], None]]:
    """The queue of pages, which gives a message of a dead worker to the next one so soon, not after six minutes."""
    sqs = boto3.client("sqs", **stack.client_settings())
    (url,) = sqs.list_queues(QueueNamePrefix=f"{STACK_NAME}-MessageQueue")["QueueUrls"]
    names = ["VisibilityTimeout", "RedrivePolicy"]
    before = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    redrive = json.dumps(json.loads(before["RedrivePolicy"]) | {"maxReceiveCount": 1000})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": str(after_seconds), "RedrivePolicy": redrive})
    yield lambda body: sqs.send_message(QueueUrl=url, MessageBody=body)
    sqs.set_queue_attributes(QueueUrl=url, Attributes=before)


@pytest.fixture
def impatient_queue(stack: Stack) -> Iterator[Callable[[str], None]]:
    """The queue of pages of which each is worked on for less than two seconds."""
    with redelivering(stack, after_seconds=2) as queue:
        yield queue
