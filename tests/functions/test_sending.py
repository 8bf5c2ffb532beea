"""Sending at the doors: armed, paused, in doubt; what goes over the wire, and what is counted."""

import json
from datetime import timedelta
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ReadTimeoutError

from ecrm import bootstrap
from ecrm.application.eligibility import Hold
from ecrm.application.sending import Worked
from ecrm.contracts.messages import PageMessage
from ecrm.domain.api_keys import KeyKind
from ecrm.domain.messages import send_id
from ecrm.entry.sending import work
from ecrm.store import keys
from send_messages.handler import handler as send_messages
from settle_sends.handler import handler as settle_sends
from tests.builders import a_site
from tests.cloud import Time
from tests.faults import Sent
from tests.functions.api import Shop, code_of
from tests.functions.conftest import Logs
from tests.functions.mail import send, ses, settle

MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def armed(shop: Shop) -> None:
    shop.cloud.arm()


def ask_for(shop: Shop, **changes: Any) -> str:
    asked = shop.call("POST", "/v1/messages", {"template": "order-confirmed", "customer": {"user_id": "u-77"}} | changes)
    assert 202 == asked.status, asked.text
    return str(asked.json["message_id"])


def status_of(shop: Shop, message_id: str) -> tuple[str, str | None, int]:
    found = shop.call("GET", f"/v1/messages/{message_id}").json
    return found["status"], found["reason"], found["attempts"]


def switch(shop: Shop, **policies: Any) -> Any:
    return shop.call("PUT", "/v1/sending", policies, key=shop.cloud.key(KeyKind.STAFF))


def lost(sent: Sent) -> AWSResponse:
    raise ReadTimeoutError(endpoint_url=sent.request.url)


def test_a_message_goes_out_once_with_what_its_site_says(shop: Shop) -> None:
    site = a_site(brand="نوت آبی", sender="hello@example.com", reply_to="service@example.com", postal_address="Ringstraße 1")
    assert 200 == shop.call("PUT", "/v1/sites/de", site, key=shop.cloud.key(KeyKind.STAFF)).status
    message_id = ask_for(shop, language="fa")
    (mail,) = send(shop)
    tags = {tag["Name"]: tag["Value"] for tag in mail["EmailTags"]}
    headers = {header["Name"]: header["Value"] for header in mail["Content"]["Simple"]["Headers"]}
    assert {"ToAddresses": ["sara@example.com"]} == mail["Destination"]
    assert ["service@example.com"] == mail["ReplyToAddresses"]
    assert mail["FromEmailAddress"].endswith("<hello@example.com>")
    assert "transactional" == mail["ConfigurationSetName"]
    assert {
        "send_id": send_id(message_id, shop.customer_id),
        "attempt": "1",
        "run": message_id,
        "shard": "0",
        "customer": shop.customer_id,
    } == tags
    assert {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "OOF, AutoReply"} == headers
    assert 'dir="rtl"' in mail["Content"]["Simple"]["Body"]["Html"]["Data"]
    assert ("accepted", None, 1) == status_of(shop, message_id)
    assert [] == send(shop)


def test_a_message_that_is_delivered_by_the_queue_again_is_not_sent_again(shop: Shop) -> None:
    message_id = ask_for(shop)
    assert 1 == len(send(shop))
    for _ in range(3):
        bootstrap.message_queue().send(message_id, 0, is_of_many=False)
    assert [] == send(shop)


def test_a_table_that_is_not_armed_sends_nothing_until_it_is(shop: Shop, logs: Logs) -> None:
    control = bootstrap.sending_control()
    unarmed = control.sending()
    assert control.write(type(unarmed)("another table's id", unarmed.paused, unarmed.version + 1))
    assert shop.call("GET", "/v1/sending", key=shop.cloud.key(KeyKind.STAFF)).json["armed"] is False
    message_id = ask_for(shop)
    assert ([], ("planned", None, 0)) == (send(shop), status_of(shop, message_id))
    assert '"SendingNotArmed":[1.0]' in logs.take()
    assert 1 == settle(2 * MINUTE).held[Hold.NOT_ARMED]
    shop.cloud.arm()
    settle(4 * MINUTE)
    assert (1, ("accepted", None, 1)) == (len(send(shop)), status_of(shop, message_id))


def test_what_is_paused_waits_and_goes_out_once_when_it_is_resumed(shop: Shop) -> None:
    paused = switch(shop, transactional={"paused": True, "reason": "wrong prices"})
    state = paused.json["transactional"]
    assert (200, True, "wrong prices") == (paused.status, state["paused"], state["reason"])
    again = switch(shop, transactional={"paused": True, "reason": "another reason"}).json["transactional"]
    assert state == again
    message_id = ask_for(shop)
    assert ([], ("planned", None, 0)) == (send(shop), status_of(shop, message_id))
    assert 1 == settle(2 * MINUTE).held[Hold.PAUSED]
    assert [] == send(shop)
    resumed = switch(shop, transactional={"paused": False}).json
    assert {"paused": False, "since": None, "by": None, "reason": None} == resumed["transactional"] == resumed["marketing"]
    settle(5 * MINUTE)
    assert (1, ("accepted", None, 1)) == (len(send(shop)), status_of(shop, message_id))


def test_whoever_pauses_says_why_and_leaves_the_other_kind_alone(shop: Shop) -> None:
    assert (422, "missing") == code_of(switch(shop, marketing={"paused": True}))
    switch(shop, marketing={"paused": True, "reason": "a test"})
    assert switch(shop).json == switch(shop, transactional={"paused": False}).json
    assert switch(shop, marketing={"paused": False}).json["marketing"]["paused"] is False


def test_nothing_over_http_arms_a_table(shop: Shop) -> None:
    assert (422, "unknown_field") == code_of(switch(shop, armed=True))


def test_a_lost_reply_is_a_doubt_that_one_resend_ends_after_a_quarter_of_an_hour(shop: Shop) -> None:
    message_id = ask_for(shop)
    assert (1, ("unknown", "ReadTimeoutError", 1)) == (len(send(shop, lost)), status_of(shop, message_id))
    bootstrap.message_queue().send(message_id, 0, is_of_many=False)
    assert ([], 0) == (send(shop), settle(14 * MINUTE).statuses.total())
    settle(16 * MINUTE)
    tags = [{tag["Name"]: tag["Value"] for tag in mail["EmailTags"]} for mail in send(shop)]
    assert ["2"] == [each["attempt"] for each in tags if each["run"] == message_id]  # others are in doubt, too
    assert ("accepted", None, 2) == status_of(shop, message_id)


def test_five_doubts_within_a_minute_stop_the_flow_and_ring(shop: Shop, logs: Logs) -> None:
    asked = [ask_for(shop) for _ in range(7)]
    mails = send(shop, lost)
    states = [status_of(shop, message_id)[0] for message_id in asked]
    assert len(mails) == states.count("unknown") <= 5
    assert len(asked) - len(mails) == states.count("planned")
    assert ('"SendingBroken":[1.0]' in logs.take()) is (len(mails) == 5)
    bootstrap.table().remove_many([keys.breaker("transactional")])  # a minute passes
    assert len(asked) - len(mails) == len(send(shop))


def test_an_address_that_is_suppressed_before_the_mail_is_sent_gets_none(shop: Shop) -> None:
    message_id = ask_for(shop, customer={"email": "late@example.com"})
    shop.call("POST", "/v1/suppressions", {"channel": "email", "address": "late@example.com", "reason": "complaint"})
    assert ([], "suppressed") == (send(shop), status_of(shop, message_id)[0])


def test_what_was_asked_for_and_cannot_be_made_any_more_fails_with_its_reason(shop: Shop) -> None:
    staff = shop.cloud.key(KeyKind.STAFF)
    assert 201 == shop.call("PUT", "/v1/sites/brief", a_site(sender="hello@example.com"), key=staff).status
    message_id = ask_for(shop, site="brief", customer={"customer_id": shop.customer_id})
    assert 200 == shop.call("PUT", "/v1/sites/brief", a_site(), key=staff).status
    assert ([], ("failed", "no_sender", 0)) == (send(shop), status_of(shop, message_id))


def test_a_worker_without_time_begins_nothing_and_asks_for_the_page_again(shop: Shop) -> None:
    message_id = ask_for(shop)
    record = {"messageId": "1", "body": json.dumps({"type": "message", "v": 1, "run_id": message_id, "shard": 0})}
    with ses() as provider:
        assert {"batchItemFailures": []} == send_messages({"Records": [record]}, Time(lambda: 29_000))
    assert ([], "planned") == (provider.mails, status_of(shop, message_id)[0])
    assert 1 == len(send(shop))


def test_an_entry_that_breaks_beside_others_rings_at_once(logs: Logs) -> None:
    message = PageMessage(type="page", v=1, run_id="1" * 32, shard=0)
    work(message, context=Time(), use=lambda *_, **__: Worked(held=Hold.LATE, broken=KeyError("corrupt")))
    assert '"UnhandledErrors":[1.0]' in logs.take()


def test_settling_says_what_it_did_and_nothing_of_whom(shop: Shop, logs: Logs) -> None:
    ask_for(shop)
    settle_sends({}, Time())
    told = logs.take()
    assert '"message":"settled"' in told
    assert "sara@example.com" not in told
    send(shop)
