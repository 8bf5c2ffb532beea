"""Marketing on the deployed stack: with its way out, at its hour, no more than is welcome, and through hops that fail."""

import os
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from http.client import HTTPConnection
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from boto3.dynamodb.conditions import Key

from ecrm.domain.instants import from_text, to_text
from ecrm.domain.links import Language
from ecrm.messaging.person_words import WORDS
from ecrm.messaging.words import LABELS
from ecrm.store import keys
from local import mail
from local.api import Api
from local.demo.subscribers import TOPIC, page_of, post
from local.down import drain
from local.nightly import nightly, the_next
from local.ses import Mail
from local.stack import STACK_NAME, Stack
from local.tick import tick
from local.up import wait_until
from tests.journey.conftest import EDITOR, GAZETTE
from tests.journey.test_mail import has_killed_one, kill, let_pass, sent, status_of, tags_of, workers

numbers = count(1)


@pytest.fixture(scope="module")
def editor(facts: dict[str, Any], gazette: dict[str, str]) -> Iterator[Api]:
    """Somebody at the gazette."""
    with Api(facts["api_url"], gazette["staff"]) as connection:
        yield connection


@pytest.fixture(scope="module")
def press(facts: dict[str, Any], gazette: dict[str, str]) -> Iterator[Api]:
    """The gazette's own program."""
    with Api(facts["api_url"], gazette["server"]) as connection:
        yield connection


@pytest.fixture
def keep_to(stack: Stack, editor: Api) -> Iterator[Callable[..., None]]:
    """Change what the gazette keeps to, for one test."""
    known = editor.get(f"/v1/sites/{GAZETTE}")

    def put(**policy: object) -> None:
        editor.put(f"/v1/sites/{GAZETTE}", known | policy)
        assert drain(stack) == {}
        for pid in workers(stack, "idle"):  # they may keep what they know of a site for a minute
            kill(pid)

    yield put
    put()


def a_subscriber(press: Api) -> tuple[str, str]:
    """Make a customer who wants issues; return their id and their address."""
    email = f"subscriber-{next(numbers)}-{datetime.now(UTC):%H%M%S}@example.org"
    said = {"channel": "email", "topic": "issues", "state": "granted", "at": "2026-11-20T10:00:00Z", "method": "form"}
    return press.put("/v1/customers", {"email": email, "consents": [said]}, 200, 201)["customer_id"], email


def an_issue(press: Api, customer_id: str) -> dict[str, Any]:
    return press.post("/v1/messages", {"template": "issue", "customer": {"customer_id": customer_id}}, 202)


def decided(press: Api, customer_id: str) -> list[tuple[str, str, str | None]]:
    """What was not sent to somebody, or not yet, newest first: which message, its status, and the reason."""
    found = press.get(f"/v1/customers/{customer_id}/decisions")["data"]
    return [(each["message_id"], each["status"], each["reason"]) for each in found]


def consent(press: Api, customer_id: str) -> tuple[str, str]:
    (held,) = press.get(f"/v1/customers/{customer_id}/consents")["consents"]
    return held["effective"], held["method"]


def headers_of(sent_mail: Mail) -> dict[str, str]:
    return {header["Name"]: header["Value"] for header in sent_mail["Headers"]}


def one_click(url: str) -> int:
    """Unsubscribe as a mail program does: from its own server, with nothing but what RFC 8058 says."""
    at = urlsplit(url)
    connection = HTTPConnection("127.0.0.1", at.port or 80, timeout=60)
    kind = {"Host": at.netloc, "Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", at.path, "List-Unsubscribe=One-Click", kind)
    status = connection.getresponse().status
    connection.close()
    return status


def sign_up(facts: dict[str, Any], gazette: dict[str, str]) -> str:
    """Send the gazette's form; return the address."""
    email = f"reader-{next(numbers)}-{datetime.now(UTC):%H%M%S}@example.org"
    said = {"email": email, "topics": TOPIC, "language": "en", "text_version": "footer/1", "writeKey": gazette["write"]}
    assert post(f"{facts['api_url']}/public/subscribe", said) == LABELS[Language.ENGLISH]["asked_to_confirm"]
    return email


def confirm(facts: dict[str, Any], asked: Mail) -> None:
    said = post(page_of(asked, "confirm", facts["endpoint_url"]), {"do": "confirm"})
    assert said == WORDS[Language.ENGLISH]["confirmed"]


def customer_of(press: Api, email: str) -> str:
    (found,) = press.post("/v1/customers/lookup", {"email": email}, 200)["data"]
    return str(found["customer_id"])


def test_an_issue_has_its_way_out_and_one_click_is_the_last_of_them(stack: Stack, press: Api, outputs: dict[str, str]) -> None:
    customer_id, email = a_subscriber(press)
    message = an_issue(press, customer_id)
    (only,) = sent(stack, email)
    assert (only["ConfigurationSetName"], status_of(press, message)) == (outputs["MarketingConfigurationSetName"], "accepted")
    url = headers_of(only)["List-Unsubscribe"].strip("<>")
    assert headers_of(only) == {"List-Unsubscribe": f"<{url}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    assert f'<a ses:no-track href="{url}">' in only["BodyHtml"]
    assert [one_click(url), one_click(url)] == [200, 200]
    assert consent(press, customer_id) == ("denied", "unsubscribe")
    refused = an_issue(press, customer_id)
    assert sent(stack, email) == [only]
    assert decided(press, customer_id) == [(refused["message_id"], "no_consent", None)]


def test_an_issue_of_the_night_waits_for_the_morning(stack: Stack, table: Any, press: Api, keep_to: Callable[..., None]) -> None:
    now = datetime.now(UTC)
    start, end = (f"{now + timedelta(hours=hours):%H:%M}" for hours in (-1, 2))
    keep_to(quiet_hours={"start": start, "end": end})
    customer_id, email = a_subscriber(press)
    message = an_issue(press, customer_id)
    assert sent(stack, email) == []
    assert decided(press, customer_id) == [(message["message_id"], "postponed", "quiet_hours")]
    assert press.get(f"/v1/messages/{message['message_id']}")["postponed_until"][11:16] == end
    tick(stack)
    assert sent(stack, email) == []

    keep_to(quiet_hours=None)  # the morning
    let_pass(table, message["message_id"], 0, timedelta(hours=4))
    tick(stack)
    (only,) = sent(stack, email)
    assert (tags_of(only)["run"], status_of(press, message)) == (message["message_id"], "accepted")


def test_who_has_had_as_many_as_a_site_allows_gets_no_more(stack: Stack, press: Api, keep_to: Callable[..., None]) -> None:
    keep_to(frequency_cap={"most": 1, "days": 7})
    customer_id, email = a_subscriber(press)
    first = an_issue(press, customer_id)
    assert [tags_of(each)["run"] for each in sent(stack, email)] == [first["message_id"]]
    second = an_issue(press, customer_id)
    assert [tags_of(each)["run"] for each in sent(stack, email)] == [first["message_id"]]
    assert decided(press, customer_id) == [(second["message_id"], "capped", "cap")]


def test_a_test_goes_to_a_colleague_and_to_nobody_else(stack: Stack, editor: Api, press: Api) -> None:
    customer_id, email = a_subscriber(press)
    try_an_issue(editor)
    *_, tried = sent(stack, EDITOR)
    assert tried["Subject"] == "[Test] The new issue"
    told = editor.call("POST", "/v1/templates/issue/test-sends", {"site": GAZETTE, "to": [email], "customer_id": customer_id})
    assert (told.status, told.body["errors"][0]["code"], sent(stack, email)) == (422, "not_a_test_recipient", [])


def try_an_issue(editor: Api) -> None:
    answer = editor.post("/v1/templates/issue/test-sends", {"site": GAZETTE, "to": [EDITOR]}, 200)
    assert [each["outcome"] for each in answer["sent"]] == ["accepted"]


def test_a_question_that_ses_throttles_is_asked_half_a_minute_later(
    stack: Stack, facts: dict[str, Any], gazette: dict[str, str], press: Api
) -> None:
    assert drain(stack) == {}
    mail.fail(stack, "throttle", 1)
    email = sign_up(facts, gazette)
    (asked,) = sent(stack, email)
    assert (tags_of(asked)["attempt"], consent(press, customer_of(press, email))[0]) == ("2", "pending")
    confirm(facts, asked)
    assert len(sent(stack, email)) == 2


@pytest.mark.usefixtures("impatient_queue")
def test_when_the_worker_dies_at_it_a_question_is_asked_once(
    stack: Stack, table: Any, facts: dict[str, Any], gazette: dict[str, str], press: Api
) -> None:
    assert drain(stack) == {}
    mail.fail(stack, "stall", 1)
    email = sign_up(facts, gazette)
    wait_until(partial(has_killed_one, stack, random.Random(9)), "no worker is busy")
    (taken,) = sent(stack, email)
    mail.report(stack, mail.number_of(stack, taken), "send")
    (requested,) = press.get(f"/v1/customers/{customer_of(press, email)}/timeline?type=message.requested")["data"]
    for _ in ("lost", "settled"):
        let_pass(table, requested["data"]["run_id"], 0, timedelta(minutes=20))
        tick(stack)
    (asked,) = sent(stack, email)
    confirm(facts, asked)
    assert len(sent(stack, email)) == 2


@contextmanager
def stopped(stack: Stack, function: str) -> Iterator[None]:
    """Let a function of the stream have nothing for a while, as when its mapping is switched off."""
    client = boto3.client("lambda", **stack.client_settings())
    found = client.get_paginator("list_event_source_mappings").paginate()
    mappings = [each for page in found for each in page["EventSourceMappings"]]
    (uuid,) = [each["UUID"] for each in mappings if f"{STACK_NAME}-{function}Function" in each["FunctionArn"]]
    client.update_event_source_mapping(UUID=uuid, Enabled=False)
    try:
        yield
    finally:
        client.update_event_source_mapping(UUID=uuid, Enabled=True)


def test_who_confirms_while_no_event_gets_on_is_welcomed_afterwards_and_once(
    stack: Stack, facts: dict[str, Any], gazette: dict[str, str], press: Api
) -> None:
    email = sign_up(facts, gazette)
    (asked,) = sent(stack, email)
    with stopped(stack, "PublishEvents"):
        for _ in range(2):
            confirm(facts, asked)
        assert consent(press, customer_of(press, email)) == ("granted", "double_opt_in")
        press.get(f"/v1/customers/{customer_of(press, email)}")
        backlog = (stack.status() or {})["backlog"]
        assert any(records for name, records in backlog.items() if "PublishEvents" in name)
        assert [each["Subject"] for each in mail.mails(stack) if each["To"] == [email]] == [asked["Subject"]]
        frozen = workers(stack, "idle", "PublishEvents")
        for pid in frozen:  # whichever gets the events will be found at work on them
            os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: set(frozen) & set(workers(stack, "busy", "PublishEvents")) != set(), "it does not get on")
    for pid in frozen:
        kill(pid)
    first, welcome = sent(stack, email)
    assert first == asked
    assert headers_of(welcome)["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    tick(stack)
    assert sent(stack, email) == [asked, welcome]


def let_a_month_pass(table: Any, customer_id: str) -> None:
    """Whatever stands in somebody's partition happened so much earlier, and is due so much earlier."""
    condition = Key("PK").eq(keys.customer_partition(customer_id))
    for item in table.query(KeyConditionExpression=condition, ConsistentRead=True)["Items"]:
        earlier = {name: to_text(from_text(item[name]) - timedelta(days=31)) for name in ("due", "occurred_at") if name in item}
        table.put_item(Item=item | earlier)


def test_who_has_not_confirmed_in_a_month_is_nobody_after_the_next_night(
    stack: Stack, table: Any, facts: dict[str, Any], gazette: dict[str, str], press: Api
) -> None:
    silent, late = (sign_up(facts, gazette) for _ in range(2))
    assert [len(sent(stack, email)) for email in (silent, late)] == [1, 1]
    let_a_month_pass(table, customer_of(press, silent))
    with Api(facts["api_url"], facts["staff_key"]) as staff:
        nightly(stack, the_next(staff))
    assert press.post("/v1/customers/lookup", {"email": silent}, 200)["data"] == []
    confirm(facts, sent(stack, late)[0])
    assert consent(press, customer_of(press, late)) == ("granted", "double_opt_in")


def decide(stack: Stack, facts: dict[str, Any], gazette: dict[str, str], outputs: dict[str, str]) -> None:
    """Let every function do what it does for people who decide what comes, and for who writes to them."""
    with Api(facts["api_url"], gazette["server"]) as press, Api(facts["api_url"], gazette["staff"]) as editor:
        try_an_issue(editor)
        test_an_issue_has_its_way_out_and_one_click_is_the_last_of_them(stack, press, outputs)
    email = sign_up(facts, gazette)
    (asked,) = sent(stack, email)
    confirm(facts, asked)
    assert len(sent(stack, email)) == 2
