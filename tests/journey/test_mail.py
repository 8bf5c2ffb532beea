"""A mail from what asks for it to what became of it, on the deployed stack: once, and to nobody who must not get it."""

import contextlib
import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr
from functools import partial
from http.client import HTTPConnection
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest

from ecrm.application.sending import PERMISSION_HOLDS
from ecrm.domain.customers import Customer, Identifier, Kind
from ecrm.domain.instants import from_text, to_text
from ecrm.domain.messages import Policy, Send, Status
from ecrm.store import keys
from ecrm.store.customers import profile_item
from ecrm.store.messages import send_item, send_of
from local import mail
from local.api import Api
from local.demo.mails import NAMES, readers
from local.down import drain
from local.mailbox import links
from local.ses import Mail
from local.stack import Stack
from local.tick import tick
from local.tool import tool
from local.up import wait_until
from tests.journey.conftest import LETTERS

PEOPLE, SHARDS, KILLS = 500, 25, 50
BAD_ENDS = [("bounce", ("bounced", "hard_bounce", "granted")), ("complain", ("complained", "complaint", "denied"))]
"""What a report makes of the message's status, the address's suppression and the consent."""
MOMENTS = ("claimed_at", "doubted_at", "due", "postponed_until")
numbers = count(1)


@pytest.fixture(scope="module")
def staff(facts: dict[str, Any]) -> Iterator[Api]:
    with Api(facts["api_url"], facts["staff_key"]) as connection:
        yield connection


def a_customer(shop: Api, **about: Any) -> tuple[str, str]:
    """Make a customer with an address of their own; return both."""
    email = f"reader-{next(numbers)}@example.org"
    return shop.put("/v1/customers", {"email": email} | about, 200, 201)["customer_id"], email


def ask(shop: Api, customer_id: str, **headers: str) -> dict[str, Any]:
    """Ask for a note to a customer; return the message."""
    body = {"template": "note", "customer": {"customer_id": customer_id}, "data": {"words": "Hello."}}
    answer = shop.call("POST", "/v1/messages", body, **headers)
    assert answer.status == 202, answer.body
    message: dict[str, Any] = answer.body
    return message


def sent(stack: Stack, email: str) -> list[Mail]:
    """All mails to somebody, once nothing is under way."""
    assert drain(stack) == {}
    return [each for each in mail.mails(stack) if each["To"] == [email]]


def tags_of(sent_mail: Mail) -> dict[str, str]:
    """Whose mail it is; what others hand to SES says none of this."""
    return {tag["Name"]: tag["Value"] for tag in sent_mail["EmailTags"]}


def reported(stack: Stack, sent_mail: Mail, *words: str, link: str = "") -> None:
    """Let SES report what became of a mail, and let it arrive."""
    for word in words:
        mail.report(stack, mail.number_of(stack, sent_mail), word, link)
    assert drain(stack) == {}


def status_of(shop: Api, message: dict[str, Any]) -> str:
    status: str = shop.get(f"/v1/messages/{message['message_id']}")["status"]
    return status


def told(staff: Api, customer_id: str) -> list[str]:
    """The messages on a customer's timeline, oldest first."""
    events = staff.get(f"/v1/customers/{customer_id}/timeline?limit=100&type=message.*")["data"]
    return [event["type"] for event in reversed(events)]


def let_pass(table: Any, run_id: str, shard: int, passed: timedelta) -> None:
    """Let time pass for a page of a roster: whatever is noted there happened so much earlier. Nobody may be at work on it."""
    for item in page_of(table, run_id, shard):
        earlier = {name: to_text(from_text(item[name]) - passed) for name in MOMENTS if name in item}
        seen = "due" if item["SK"] == keys.PAGE else "version"
        if earlier:
            table.put_item(Item=item | earlier, ConditionExpression=boto3.dynamodb.conditions.Attr(seen).eq(item[seen]))


def page_of(table: Any, run_id: str, shard: int) -> list[dict[str, Any]]:
    condition = boto3.dynamodb.conditions.Key("PK").eq(keys.page_partition(run_id, shard))
    items: list[dict[str, Any]] = table.query(KeyConditionExpression=condition, ConsistentRead=True)["Items"]
    return items


def entries_of(table: Any, run_id: str, shards: int) -> list[Send]:
    pages = (page_of(table, run_id, shard) for shard in range(shards))
    return [send_of(item) for page in pages for item in page if item["SK"] != keys.PAGE]


def workers(stack: Stack, state: str, function: str = "SendMessages") -> list[int]:
    """The processes of a function that are `busy`, or `idle`."""
    found = (stack.status() or {})["workers"]
    return [pid for name, of in found.items() if function in name for pid in of[state]]


def has_taken(stack: Stack, mails: int) -> bool:
    """Tell whether SES took so many mails."""
    return bool((stack.status() or {})["mails"] >= mails)


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has ended by itself
        os.kill(pid, signal.SIGKILL)


def has_killed_one(stack: Stack, chance: random.Random, function: str = "SendMessages") -> bool:
    """Kill any of a function's workers that are busy, and tell whether there was one."""
    busy = workers(stack, "busy", function)
    if busy:
        kill(chance.choice(busy))
    return busy != []


def fetch(url: str) -> tuple[int, str]:
    """Open a link as its reader does."""
    at = urlsplit(url)
    connection = HTTPConnection("127.0.0.1", at.port or 80, timeout=60)
    connection.request("GET", at.path, headers={"Host": at.netloc})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def test_two_customers_read_of_their_orders_in_their_own_languages(
    stack: Stack, shop: Api, staff: Api, outputs: dict[str, str]
) -> None:
    for reader in readers(shop):
        placed, shipped = sorted(sent(stack, reader.email), key=lambda each: each["Timestamp"])
        direction, word = {"fa": ('dir="rtl"', "سفارش"), "en": ('dir="ltr"', "order")}[reader.language]
        for each in (placed, shipped):
            assert parseaddr(each["Source"]) == ("Letters", "shop@demo.example.com")
            assert each["ReplyToAddresses"] == ["help@demo.example.com"]
            assert each["ConfigurationSetName"] == outputs["TransactionalConfigurationSetName"]
            assert {header["Name"]: header["Value"] for header in each["Headers"]}["Auto-Submitted"] == "auto-generated"
            assert word in each["Subject"] + each["BodyText"]
            assert NAMES[reader.language] in each["BodyText"]
            assert direction in each["BodyHtml"]
            assert "Demo, 1 Example Street" in each["BodyText"]
            assert reader.order_id in each["BodyText"]
            tags = tags_of(each)
            assert (set(tags), tags["attempt"], tags["customer"]) == (
                {"send_id", "attempt", "run", "shard", "customer"},
                "1",
                reader.customer_id,
            )
            assert shop.get(f"/v1/messages/{tags['run']}")["status"] == "accepted"
        (page,) = [link for link in links(placed) if "/public/orders/" in link]
        status, text = fetch(page)
        assert (status, reader.order_id in text, f'<html lang="{reader.language}"' in text) == (200, True, True)
        assert Counter(told(staff, reader.customer_id)) == {"message.requested": 2, "message.accepted": 2}


def test_a_message_asked_for_twice_under_one_key_is_one_mail(stack: Stack, shop: Api) -> None:
    customer_id, email = a_customer(shop)
    first, second = (ask(shop, customer_id, Idempotency_Key=f"note-{customer_id}") for _ in range(2))
    assert first["message_id"] == second["message_id"]
    (only,) = sent(stack, email)
    assert (only["Subject"], tags_of(only)["run"], status_of(shop, first)) == ("A note", first["message_id"], "accepted")


def test_what_ses_reports_is_known_of_the_message_once(stack: Stack, shop: Api, staff: Api) -> None:
    customer_id, email = a_customer(shop)
    message = ask(shop, customer_id)
    (only,) = sent(stack, email)
    reported(stack, only, "send", "delay", "deliver", "open")
    assert shop.get(f"/v1/messages/{message['message_id']}")["opened_at"] is None  # so soon opens a machine
    wait_until(lambda: time.time() > only["Timestamp"] + 6, "time stands still")
    reported(stack, only, "open")
    reported(stack, only, "click", link="https://example.com/more")
    known = shop.get(f"/v1/messages/{message['message_id']}")
    assert known["status"] == "delivered"
    assert None not in [known[name] for name in ("delayed_at", "delivered_at", "opened_at", "clicked_at")]
    assert known["bounced_at"] is known["complained_at"] is known["rejected_at"] is None
    assert Counter(told(staff, customer_id)) == {
        "message.requested": 1,
        "message.accepted": 1,
        "message.delayed": 1,
        "message.delivered": 1,
        "message.opened": 2,
        "message.clicked": 1,
    }


@pytest.mark.parametrize(("word", "becomes"), BAD_ENDS)
def test_an_address_that_bounces_or_complains_gets_nothing_more(
    stack: Stack, shop: Api, word: str, becomes: tuple[str, str, str]
) -> None:
    status, reason, consent = becomes
    said = {"channel": "email", "topic": "letters", "state": "granted", "at": "2026-11-20T10:00:00Z", "method": "form"}
    customer_id, email = a_customer(shop, consents=[said])
    first, waiting = ask(shop, customer_id), ask(shop, customer_id)
    reported(stack, next(each for each in sent(stack, email) if tags_of(each)["run"] == first["message_id"]), word)
    assert (status_of(shop, first), status_of(shop, waiting)) == (status, "accepted")
    address = {"channel": "email", "address": email}
    grounds = shop.post("/v1/suppressions/lookup", address, 200)["grounds"]
    assert [ground["reason"] for ground in grounds] == [reason]
    (known,) = shop.get(f"/v1/customers/{customer_id}/consents")["consents"]
    assert known["state"] == consent
    again = shop.call("POST", "/v1/messages", {"template": "note", "customer": {"customer_id": customer_id}})
    assert (again.status, again.body["code"]) == (409, "address_suppressed")
    assert len(sent(stack, email)) == 2


def test_who_lost_the_link_gets_it_again_and_who_only_guesses_learns_nothing(
    stack: Stack, facts: dict[str, Any], shop: Api
) -> None:
    reader = next(iter(readers(shop)))
    before = len(sent(stack, reader.email))
    asked = {"site": LETTERS, "order_id": reader.order_id, "email": reader.email.upper()}
    answers = []
    with Api(facts["api_url"], "") as nobody:
        for body in (asked, asked | {"email": "somebody-else@example.org"}, asked | {"order_id": "guessed"}):
            reply = nobody.call("POST", "/public/orders/find", body)
            answers.append((reply.status, reply.body))
    assert answers == [answers[0]] * 3
    *_, found = after = sent(stack, reader.email)
    assert len(after) == before + 1
    (page,) = [link for link in links(found) if "/public/orders/" in link]
    assert fetch(page)[0] == 200
    assert sent(stack, "somebody-else@example.org") == []


def wait_for_workers() -> None:
    """Let what a worker knows of the kill switch grow too old for it to go by: it may keep that for a second."""
    at = time.time()
    wait_until(lambda: time.time() > at + PERMISSION_HOLDS.total_seconds(), "time stands still")


@pytest.fixture
def paused(staff: Api) -> Iterator[None]:
    yield
    staff.put("/v1/sending", {"transactional": {"paused": False}})


@pytest.mark.usefixtures("paused")
def test_a_pause_holds_within_two_seconds_and_resuming_repeats_nobody(stack: Stack, table: Any, shop: Api, staff: Api) -> None:
    customer_id, email = a_customer(shop)
    messages = [ask(shop, customer_id) for _ in range(60)]
    switched = staff.put("/v1/sending", {"transactional": {"paused": True, "reason": "a test"}})
    at = time.time()
    assert (switched["armed"], switched["transactional"]["paused"], switched["marketing"]["paused"]) == (True, True, False)
    wait_until(lambda: time.time() > at + 2, "time stands still")
    messages.append(ask(shop, customer_id))
    times = [each["Timestamp"] for each in sent(stack, email)]
    assert [each for each in times if each > at + 2] == []
    held = [message for message in messages if status_of(shop, message) == "planned"]
    assert len(held) == len(messages) - len(times)
    assert messages[-1] in held

    staff.put("/v1/sending", {"transactional": {"paused": False}})
    wait_for_workers()
    for message in held:
        let_pass(table, message["message_id"], 0, timedelta(minutes=2))
    tick(stack)
    assert Counter(tags_of(each)["run"] for each in sent(stack, email)) == {message["message_id"]: 1 for message in messages}


@pytest.fixture
def disarmed(stack: Stack, table: Any) -> Iterator[None]:
    """The table as a copy of it would be: it says that another one is armed."""
    key = {"PK": keys.sending().pk, "SK": keys.sending().sk}
    table.update_item(Key=key, UpdateExpression="SET armed_for = :other", ExpressionAttributeValues={":other": "another table"})
    wait_for_workers()
    yield
    tool(stack, "sending", "arm")


@pytest.mark.usefixtures("disarmed")
def test_a_table_that_is_not_armed_sends_nothing_until_it_is(stack: Stack, table: Any, shop: Api, staff: Api) -> None:
    customer_id, email = a_customer(shop)
    wait_until(lambda: not staff.get("/v1/sending")["armed"], "it is armed")
    message = ask(shop, customer_id)
    assert (sent(stack, email), status_of(shop, message)) == ([], "planned")
    tool(stack, "sending", "arm")
    wait_for_workers()
    let_pass(table, message["message_id"], 0, timedelta(minutes=2))
    tick(stack)
    assert (len(sent(stack, email)), status_of(shop, message)) == (1, "accepted")


def test_a_mail_that_ses_throttles_goes_out_half_a_minute_later(stack: Stack, shop: Api) -> None:
    customer_id, email = a_customer(shop)
    mail.fail(stack, "throttle", 1)
    message = ask(shop, customer_id)
    (only,) = sent(stack, email)
    assert (tags_of(only)["attempt"], status_of(shop, message)) == ("2", "accepted")


@pytest.fixture
def doubted(stack: Stack) -> Iterator[None]:
    """A worker that had a doubt sends nothing for a minute: here it makes room for a new one."""
    yield
    for pid in workers(stack, "idle"):
        kill(pid)


@pytest.mark.usefixtures("doubted")
@pytest.mark.parametrize(("fault", "mails"), [("lose", 1), ("error", 0)])
def test_a_mail_in_doubt_is_not_sent_again_before_ses_had_its_time_to_tell(
    stack: Stack, table: Any, shop: Api, fault: str, mails: int
) -> None:
    customer_id, email = a_customer(shop)
    mail.fail(stack, fault, 1)
    message = ask(shop, customer_id)
    assert (len(sent(stack, email)), status_of(shop, message)) == (mails, "unknown")
    tick(stack)
    assert (len(sent(stack, email)), status_of(shop, message)) == (mails, "unknown")
    if mails:
        reported(stack, sent(stack, email)[0], "send")
    for pid in workers(stack, "idle"):
        kill(pid)
    let_pass(table, message["message_id"], 0, timedelta(minutes=16))
    tick(stack)
    (only,) = sent(stack, email)
    assert (tags_of(only)["attempt"], status_of(shop, message)) == (("1" if mails else "2"), "accepted")


def exchange(stack: Stack, table: Any, shop: Api, staff: Api, facts: dict[str, Any]) -> None:
    """Let every function that has to do with mail do all that it may."""
    table.delete_item(Key={"PK": keys.pace().pk, "SK": keys.pace().sk})  # so that a worker who is new asks for the account's rate
    for pid in workers(stack, "idle"):
        kill(pid)
    test_who_lost_the_link_gets_it_again_and_who_only_guesses_learns_nothing(stack, facts, shop)
    test_a_message_asked_for_twice_under_one_key_is_one_mail(stack, shop)
    for word, becomes in BAD_ENDS:
        test_an_address_that_bounces_or_complains_gets_nothing_more(stack, shop, word, becomes)
    test_a_mail_in_doubt_is_not_sent_again_before_ses_had_its_time_to_tell(stack, table, shop, "error", 0)
    shop.post("/v1/messages", {"template": "note", "customer": {"email": a_customer(shop)[1]}}, 202)
    staff.get("/v1/templates")
    staff.post("/v1/templates/preview", {"name": "note", "customer_id": a_customer(shop)[0], "data": {"words": "Hello."}}, 200)
    staff.put("/v1/sending", {"marketing": {"paused": False}})


@pytest.fixture
def planted(table: Any) -> Iterator[str]:
    """Write 500 customers, for as long as the test takes, and a roster of them, 20 to a page; give its run's id.

    It is transactional, so that in the end each of them must have it: who is in doubt is sent it again, if SES told nothing.
    """
    now = datetime.now(UTC)
    moment = f"{int(now.timestamp() * 1000):012x}"
    run_id = f"{moment}{0:020x}"
    people = [
        Customer(f"{moment}{number:020x}", (Identifier(Kind.EMAIL, f"one-of-many-{number}@example.org"),), now)
        for number in range(1, PEOPLE + 1)
    ]

    def entry(number: int, customer_id: str) -> Send:
        return Send(
            run_id=run_id,
            shard=number % SHARDS,
            customer_id=customer_id,
            policy=Policy.TRANSACTIONAL,
            site=LETTERS,
            template="to-all",
            planned_at=now,
        )

    with table.batch_writer() as batch:
        for number, customer in enumerate(people):
            batch.put_item(Item=profile_item(customer))
            batch.put_item(Item=send_item(entry(number, customer.customer_id)))
    yield run_id
    with table.batch_writer() as batch:
        for customer in people:
            key = keys.profile(customer.customer_id)
            batch.delete_item(Key={"PK": key.pk, "SK": key.sk})


@pytest.mark.usefixtures("shop")
def test_when_workers_are_killed_fifty_times_in_a_run_of_500_everybody_gets_it_once(
    stack: Stack, table: Any, planted: str, impatient_queue: Callable[[str], None]
) -> None:
    run_id, chance = planted, random.Random(500)
    before = len(mail.mails(stack))
    for shard in chance.sample(range(SHARDS), SHARDS):
        impatient_queue(json.dumps({"type": "page", "v": 1, "run_id": run_id, "shard": shard}))
    for point in sorted(chance.sample(range(PEOPLE * 9 // 10), KILLS)):
        wait_until(partial(has_taken, stack, before + point), "the run does not get on")
        time.sleep(chance.uniform(0, 0.1))  # so that it is at any line
        wait_until(partial(has_killed_one, stack, chance), "no worker is busy any more")
    assert drain(stack) == {}

    def receivers() -> Counter[str]:
        return Counter(tags["customer"] for each in mail.mails(stack) if (tags := tags_of(each)).get("run") == run_id)

    entries, got = entries_of(table, run_id, SHARDS), receivers()
    statuses = {status: {e.customer_id for e in entries if e.status is status} for status in Status}
    people = {entry.customer_id for entry in entries}
    in_doubt = statuses[Status.CLAIMED] | statuses[Status.UNKNOWN]
    assert (len(people), statuses[Status.ACCEPTED] | in_doubt) == (PEOPLE, people)
    assert len(in_doubt) <= KILLS
    assert statuses[Status.ACCEPTED] <= got.keys()
    assert set(got.values()) == {1}

    for number, each in enumerate(mail.mails(stack), start=1):
        if tags_of(each).get("run") == run_id and tags_of(each)["customer"] in in_doubt:
            mail.report(stack, number, "send")  # what its worker died before it wrote down
    assert drain(stack) == {}
    for _ in ("lost", "settled"):
        for shard in range(SHARDS):
            let_pass(table, run_id, shard, timedelta(minutes=20))
        tick(stack)
    assert receivers() == dict.fromkeys(people, 1)
    assert {entry.status for entry in entries_of(table, run_id, SHARDS)} == {Status.ACCEPTED}
