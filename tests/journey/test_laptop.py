"""The laptop's contract: the stack keeps what it holds, loses no event, and disturbs no other one."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.exceptions import ClientError

from local import mail
from local.api import Api
from local.demo.cdnow import Sums, purchases
from local.demo.load import load, sum_statistics
from local.down import drain
from local.run import status_pages
from local.ses import Mail
from local.stack import ROOT, Stack
from local.up import DOMAIN, wait_until
from tests.journey.conftest import PORT, make, started

numbers = count(1)
SAMPLE = purchases()[:1000]


def place(api: Api, user: str) -> tuple[str, str]:
    """Place one order; return its id and its customer's."""
    order = {
        "order_id": f"laptop-{next(numbers)}",
        "placed_at": "2026-11-20T18:03:11Z",
        "currency": "EUR",
        "customer": {"user_id": user},
        "lines": [{"sku": "CD-5", "name": "Blue", "quantity": 1, "unit_price": "10.00"}],
        "total": "10.00",
    }
    placed = api.post("/v1/orders", order)
    return placed["order_id"], placed["customer_id"]


def orders_counted(stack: Stack, api: Api, customer_id: str) -> int:
    """What the customer's statistics say once the stream is empty."""
    assert drain(stack) == {}
    orders: int = api.get(f"/v1/customers/{customer_id}/stats")["orders"]
    return orders


def hand_in(stack: Stack, to: str, **changes: Any) -> Mail:
    """Give SES a mail as the account's owner; return what the mailbox has of it."""
    simple = {"Subject": {"Data": "سلام"}, "Body": {"Text": {"Data": "سلام"}, "Html": {"Data": "<p dir=rtl>سلام</p>"}}}
    request = {
        "FromEmailAddress": f"shop@{DOMAIN}",
        "Destination": {"ToAddresses": [to]},
        "Content": {"Simple": simple},
        "EmailTags": [{"Name": "send_id", "Value": "x"}],
    }
    message_id = boto3.client("sesv2", **stack.client_settings()).send_email(**request | changes)["MessageId"]
    (taken,) = [each for each in mail.mails(stack) if each["MessageId"] == message_id]
    return taken


@pytest.fixture(scope="module")
def other() -> Iterator[Stack]:
    yield started(PORT + 1)
    make("down", PORT + 1)


def test_stack_json_tells_other_tools_where_everything_is(stack: Stack, facts: dict[str, Any]) -> None:
    assert set(facts) >= {
        *("api_url", "endpoint_url", "region", "table", "imports_bucket", "mailbox_url"),
        *("write_key", "server_key", "staff_key"),
    }
    assert facts["endpoint_url"] == f"http://127.0.0.1:{stack.port}"
    assert (stack.folder / "stack.json").stat().st_mode & 0o077 == 0


def test_up_again_says_so_and_deploys_nothing(stack: Stack, facts: dict[str, Any]) -> None:
    said = make("up", stack.port)
    assert f"MiniStack is up already on port {stack.port}" in said
    assert "Deployed" not in said
    assert facts == stack.facts()


def test_after_down_and_up_the_orders_are_there_and_new_ones_are_counted(stack: Stack, api: Api) -> None:
    order_id, customer_id = place(api, "keeps-its-orders")
    mails = [*mail.mails(stack), hand_in(stack, "keeps-its-mails@example.org")]
    make("down", stack.port)
    assert not stack.is_running()
    make("up", stack.port)
    assert mail.mails(stack) == mails
    assert api.get(f"/v1/orders/{order_id}")["customer_id"] == customer_id
    assert orders_counted(stack, api, customer_id) == 1
    for _ in range(5):
        place(api, "keeps-its-orders")
    assert orders_counted(stack, api, customer_id) == 6


def test_an_event_that_was_not_delivered_before_the_stop_is_delivered_after_it(stack: Stack, api: Api) -> None:
    placed = {place(api, f"undelivered-{number}")[1] for number in range(20)}
    os.kill(stack.pid(), signal.SIGTERM)
    wait_until(lambda: not stack.is_running(), "it does not stop")
    make("up", stack.port)
    assert {orders_counted(stack, api, customer_id) for customer_id in placed} == {1}


def test_two_stacks_side_by_side_do_not_see_each_other(stack: Stack, api: Api, other: Stack) -> None:
    order_id, _ = place(api, "of-the-first-stack")
    theirs = other.facts() or {}
    with Api(theirs["api_url"], theirs["server_key"]) as other_api:
        assert other_api.call("GET", f"/v1/orders/{order_id}").status == 404
        place(other_api, "of-the-other-stack")
    make("down", other.port)
    assert stack.is_running()
    assert api.get(f"/v1/orders/{order_id}")["order_id"] == order_id
    make("up", other.port)


def test_fresh_starts_empty(other: Stack) -> None:
    before = other.facts() or {}
    with Api(before["api_url"], before["server_key"]) as api:
        order_id, _ = place(api, "forgotten")
    make("up", other.port, FRESH="1")
    after = other.facts() or {}
    assert after["server_key"] != before["server_key"]
    with Api(after["api_url"], after["server_key"]) as api:
        assert api.call("GET", f"/v1/orders/{order_id}").status == 404


def test_the_statistics_of_the_cdnow_sample_are_those_of_the_file(stack: Stack, connect: Callable[[], Api]) -> None:
    """A thousand of its orders; `make run` does all 6,919."""

    def quietly(_: int) -> None:
        pass

    first = load(connect, SAMPLE, quietly)
    again = load(connect, SAMPLE, quietly)
    assert (first.created, first.replayed) == (1000, 0)
    assert (again.created, again.replayed) == (0, 1000)
    assert first.customer_ids == again.customer_ids
    assert drain(stack) == {}
    assert sum_statistics(connect, first.customer_ids, quietly) == Sums.of(SAMPLE)


def test_the_pages_that_the_demo_names_open_in_their_languages(api: Api, facts: dict[str, Any]) -> None:
    order_id, _ = place(api, "opens-the-page")
    connection, told = HTTPConnection("127.0.0.1", urlsplit(facts["api_url"]).port or 80, timeout=60), {}
    for language, page in status_pages(api, facts["api_url"], order_id).items():
        assert page.startswith(f"{facts['api_url']}/public/orders/")
        connection.request("GET", urlsplit(page).path)
        shown = connection.getresponse()
        text = shown.read().decode()
        told[language] = (shown.status, re.findall(r'<html lang="[\w-]+" dir="\w+">', text), order_id in text)
    connection.close()
    assert told == {
        "en": (200, ['<html lang="en" dir="ltr">'], True),
        "fa": (200, ['<html lang="fa" dir="rtl">'], True),
        "zh": (200, ['<html lang="zh-Hans" dir="ltr">'], True),
    }


def test_the_mailbox_shows_a_mail_that_ses_took_and_not_one_that_aws_would_refuse(stack: Stack, facts: dict[str, Any]) -> None:
    hand_in(stack, "reads-it@example.org")
    refused = {"EmailTags": [{"Name": "send id", "Value": "x"}]}
    with pytest.raises(ClientError, match="EmailTags"):
        hand_in(stack, "never-gets-it@example.org", **refused)
    number = len(mail.mails(stack))
    pages = {}
    connection, at = HTTPConnection("127.0.0.1", stack.port, timeout=60), urlsplit(facts["mailbox_url"]).path
    for path in ("", f"/{number}", f"/{number}/html"):
        connection.request("GET", at + path)
        answer = connection.getresponse()
        pages[path] = (answer.status, "default-src 'none'" in answer.headers["content-security-policy"], answer.read().decode())
    connection.close()
    assert {path: page[:2] for path, page in pages.items()} == dict.fromkeys(pages, (200, True))
    assert "reads-it@example.org" in pages[""][2]
    assert "never-gets-it@example.org" not in pages[""][2]
    assert "<p dir=rtl>سلام</p>" in pages[f"/{number}/html"][2]
    assert "reads-it@example.org" in make("mail", stack.port)


def test_a_page_opened_at_the_links_own_host_is_told_of_like_every_request(stack: Stack, api: Api) -> None:
    order_id, _ = place(api, "opens-the-link")
    seen = (stack.status(after=0) or {})["requests"][-1]["number"]
    path = f"/v1/orders/{order_id}/links"
    url = urlsplit(api.post(path, {}, 200)["url"])
    connection = HTTPConnection("127.0.0.1", url.port or 80, timeout=60)
    connection.request("GET", url.path, headers={"Host": url.netloc})
    assert connection.getresponse().status == 200
    connection.close()
    told = [(each["method"], each["path"], each["status"]) for each in (stack.status(after=seen) or {})["requests"]]
    assert told == [("POST", path, 200), ("GET", url.path, 200)]


def test_every_function_imports_with_nothing_but_its_layers(stack: Stack) -> None:
    """The emulator runs functions with its own packages within reach, which AWS does not have."""
    assert stack.is_running()
    build = ROOT / ".aws-sam" / "build"
    functions = sorted(path.parent for path in build.glob("*/*/handler.py"))
    assert len(functions) == len(list((ROOT / "functions").glob("*/handler.py")))
    for function in functions:
        layers = [str(build / layer / "python") for layer in ("DepsLayer", "CoreLayer")]
        program = f"import sys; sys.path[:0] = {[str(function.parent), *layers]}; import {function.name}.handler"
        environment = {"AWS_DEFAULT_REGION": "us-east-1"}
        command = [sys.executable, "-I", "-S", "-c", program]
        outcome = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert outcome.returncode == 0, f"{function.name}: {outcome.stderr}"
