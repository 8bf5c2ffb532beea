"""One stack for all journey tests: this template, built and deployed onto the emulator, empty at the start.

It has a port of its own, so that a stack that somebody is working with is left alone.
"""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from local.api import Api
from local.demo.mails import MAILS
from local.stack import ROOT, Stack
from local.up import make_key, put_site

LETTERS = "letters"
"""A site that writes to its customers; the others do not."""
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
def table(stack: Stack, facts: dict[str, Any]) -> Any:
    return boto3.resource("dynamodb", **stack.client_settings()).Table(facts["table"])
