"""One customer, one profile, one history: what a site, a marketer and the person themselves do with it on the deployed stack."""

import json
import random
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest

from local.api import Api
from local.demo.visitor import Tellers, visit
from local.down import drain
from local.stack import Stack
from tests.builders import an_order

CUSTOMERS, BATCHES, CALLS = 50, 5, 100
SECONDS = 60


@pytest.fixture(scope="module")
def staff(facts: dict[str, Any]) -> Iterator[Api]:
    with Api(facts["api_url"], facts["staff_key"]) as connection:
        yield connection


@pytest.fixture(scope="module")
def browser(facts: dict[str, Any]) -> Iterator[Api]:
    with Api(facts["api_url"], facts["write_key"]) as connection:
        yield connection


def wait_for_job(api: Api, path: str, body: dict[str, Any]) -> Any:
    """Ask for a job, and wait until it has ended, a minute longer than it gets on."""
    job = api.post(path, body, 202)
    counted, deadline = None, time.monotonic() + SECONDS
    while job["state"] not in {"done", "failed"} and time.monotonic() < deadline:
        time.sleep(0.5)
        job = api.get(f"/v1/jobs/{job['job_id']}")
        if job["counts"] != counted:
            counted, deadline = job["counts"], time.monotonic() + SECONDS
    assert (job["state"], job["error"]) == ("done", None)
    return job


def fetched(url: str) -> str:
    """Read a file by its link."""
    at = urlsplit(url)
    connection = HTTPConnection(at.netloc, timeout=60)
    connection.request("GET", f"{at.path}?{at.query}")
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    assert answer.status == 200, text
    return text


def test_a_visitor_becomes_a_known_customer_with_one_timeline(stack: Stack, api: Api, staff: Api, browser: Api) -> None:
    *_, (_, customer_id) = visit(Tellers(browser, api, staff))
    assert drain(stack) == {}
    told = [event["type"] for event in staff.get(f"/v1/customers/{customer_id}/timeline?limit=100")["data"]]
    expected = ["page.viewed", "product.viewed", "product.added", "checkout.started", "order.placed", "contact.recorded"]
    assert [event for event in reversed(told) if event in expected] == expected
    profile = staff.get(f"/v1/customers/{customer_id}")
    assert [i["kind"] for i in profile["identifiers"]] == ["anonymous_id", "user_id", "email"]
    assert {"first_name": "Nilu"}.items() <= profile["traits"].items()
    counted = staff.get(f"/v1/customers/{customer_id}/stats")
    assert (counted["orders"], sum(counted["visits"].values())) == (1, 1)
    assert {name: sum(series["days"].values()) for name, series in counted["events"].items()} == {
        "Page Viewed": 1,
        "Product Viewed": 1,
        "Product Added": 1,
        "Checkout Started": 1,
    }


def test_batches_delivered_twice_and_shuffled_are_counted_once(stack: Stack, api: Api, staff: Api) -> None:
    chance = random.Random(4)
    calls = [
        {
            "type": "track",
            "event": chance.choice(["Product Viewed", "Product Added", "Coffee Smelled"]),
            "userId": f"crowd-{chance.randrange(CUSTOMERS)}",
            "messageId": f"crowd-{number}",
            "timestamp": f"2026-11-{chance.randrange(1, 21):02}T{chance.randrange(24):02}:{chance.randrange(60):02}:00Z",
        }
        for number in range(BATCHES * CALLS)
    ]
    expected: dict[str, dict[str, dict[str, int]]] = {}
    for call in calls:
        days = expected.setdefault(call["userId"], {}).setdefault(call["event"], {})
        days[call["timestamp"][:10]] = days.get(call["timestamp"][:10], 0) + 1
    sent = calls * 2
    chance.shuffle(sent)
    for at in range(0, len(sent), CALLS):
        assert api.post("/v1/batch", {"batch": sent[at : at + CALLS]}, 200) == {"success": True, "errors": []}
    assert drain(stack) == {}
    counted = {}
    for user_id in expected:
        (customer,) = staff.post("/v1/customers/lookup", {"user_id": user_id}, 200)["data"]
        events = staff.get(f"/v1/customers/{customer['customer_id']}/stats")["events"]
        counted[user_id] = {name: series["days"] for name, series in events.items()}
    assert counted == expected


def test_two_customers_who_are_one_are_merged_and_parted_again(stack: Stack, api: Api, staff: Api) -> None:
    one = api.post("/v1/orders", an_order(order_id="merge-1", customer={"user_id": "merge-1"}))["customer_id"]
    other = api.post("/v1/orders", an_order(order_id="merge-2", customer={"email": "merge-2@example.com"}))["customer_id"]
    assert staff.post(f"/v1/customers/{one}/merge", {"customer_id": other})["customer_id"] == one
    assert drain(stack) == {}
    assert staff.get(f"/v1/customers/{other}/stats")["orders"] == 2
    assert {order["order_id"] for order in staff.get(f"/v1/customers/{one}/orders")["data"]} == {"merge-1", "merge-2"}
    staff.post(f"/v1/customers/{one}/unmerge", {"customer_id": other})
    assert drain(stack) == {}
    assert [staff.get(f"/v1/customers/{customer_id}/stats")["orders"] for customer_id in (one, other)] == [1, 1]


def test_a_no_is_raised_by_a_proof_alone(api: Api, staff: Api) -> None:
    names = {"names": {"en": "Offers"}, "channels": ["email"], "double_opt_in": False}
    assert staff.call("PUT", "/v1/topics/offers", names).status in {200, 201}
    customer = api.call("PUT", "/v1/customers", {"user_id": "consents", "email": "consents@example.com"}).body["customer_id"]
    path = f"/v1/customers/{customer}/consents"

    def say(state: str, at: str, **more: Any) -> str:
        said = {"channel": "email", "topic": "offers", "state": state, "at": at, "method": "form"}
        api.post(path, {"consents": [said | more]}, 200, 201)
        (held,) = staff.get(path)["consents"]
        return str(held["effective"])

    proof = {"kind": "double_opt_in", "confirmed_at": "2026-11-20T13:00:00Z"}
    assert [
        say("granted", "2026-11-20T10:00:00Z"),
        say("denied", "2026-11-20T11:00:00Z"),
        say("granted", "2026-11-20T12:00:00Z"),
        say("granted", "2026-11-20T13:00:00Z", proof=proof),
    ] == ["granted", "denied", "denied", "granted"]


def test_a_public_key_learns_nothing_and_takes_over_nobody(stack: Stack, api: Api, staff: Api, browser: Api) -> None:
    known = api.call(
        "PUT", "/v1/customers", {"user_id": "target", "email": "target@example.com", "traits": {"first_name": "Sara"}}
    )
    customer_id = known.body["customer_id"]
    said = {"anonymousId": "stranger", "traits": {"email": "mine@example.com", "first_name": "Mallory"}}
    answers = [browser.call("POST", "/v1/identify", said | {"userId": user_id}) for user_id in ("target", "nobody-knows")]
    assert [(answer.status, answer.body) for answer in answers] == [(200, {"success": True})] * 2
    assert drain(stack) == {}
    profile = staff.get(f"/v1/customers/{customer_id}")
    assert [(i["kind"], i["value"]) for i in profile["identifiers"]] == [("user_id", "target"), ("email", "target@example.com")]
    assert profile["traits"]["first_name"] == "Sara"
    asked = [("GET", f"/v1/customers/{customer_id}"), ("POST", "/v1/customers/lookup"), ("PUT", "/v1/customers")]
    refused = [browser.call(method, path, {"user_id": "target"} if method != "GET" else None) for method, path in asked]
    assert [(answer.status, answer.body["code"]) for answer in refused] == [(403, "scope_missing")] * 3


CANARIES = {
    "user_id": "canary-9d41-user",
    "email": "canary.9d41@example.com",
    "phone": "+4915550099410",
    "anonymous_id": "canary-9d41-browser",
}


def test_a_person_is_exported_and_erased_and_nothing_brings_them_back(
    stack: Stack, api: Api, staff: Api, facts: dict[str, Any]
) -> None:
    customer_id = api.call("PUT", "/v1/customers", CANARIES | {"traits": {"first_name": "canary-9d41-name"}}).body["customer_id"]
    order = an_order(order_id="erased-1", customer=CANARIES)
    api.post("/v1/orders", order)
    api.post("/v1/track", {"userId": CANARIES["user_id"], "event": "canary-9d41-event", "messageId": "canary-1"}, 200)
    note = {"channel": "call", "direction": "inbound", "author": {"role": "agent"}, "text": "canary-9d41-note"}
    staff.post(f"/v1/customers/{customer_id}/contacts", note | {"occurred_at": "2026-11-21T10:00:00Z"})
    assert drain(stack) == {}

    files = wait_for_job(staff, f"/v1/customers/{customer_id}/export-jobs", {"format": "ndjson"})["files"]
    exported = "\n".join(fetched(file["url"]) for file in files)
    planted = [*CANARIES.values(), "canary-9d41-name", "canary-9d41-event", "canary-9d41-note", "erased-1"]
    assert [canary for canary in planted if canary not in exported] == []

    job = wait_for_job(staff, f"/v1/customers/{customer_id}/erasure-jobs", {})
    assert job["receipt"].keys() >= {"erased_at", "deleted_at", "exports_expire_by", "backups_expire_by", "logs_expire_by"}
    assert staff.call("GET", f"/v1/customers/{customer_id}").body["code"] == "customer_erased"
    assert drain(stack) == {}
    dynamodb = boto3.client("dynamodb", **stack.client_settings())
    pages = dynamodb.get_paginator("scan").paginate(TableName=facts["table"])
    left = [
        item
        for page in pages
        for item in page["Items"]
        if any(canary in json.dumps(item) for canary in ("canary-9d41", "canary.9d41", CANARIES["phone"]))
    ]
    assert left == []

    assert api.call("POST", "/v1/orders", order).body["code"] == "customer_erased"
    later = an_order(order_id="erased-2", placed_at=job["finished_at"], customer={"user_id": CANARIES["user_id"]})
    assert api.post("/v1/orders", later)["customer_id"] != customer_id


def test_all_customers_and_all_orders_are_exported(stack: Stack, api: Api, staff: Api) -> None:
    api.post("/v1/orders", an_order(order_id="export-1", customer={"user_id": '=HYPERLINK("http://example.com")'}))
    assert drain(stack) == {}
    for what, form in (("customers", "csv"), ("orders", "ndjson")):
        job = wait_for_job(staff, f"/v1/{what}/export-jobs", {"format": form})
        texts = [fetched(file["url"]) for file in job["files"]]
        assert sum(file["rows"] for file in job["files"]) == job["counts"]["rows_written"] > 0
        assert form == "ndjson" or not any(line.startswith("=") or ",=" in line for text in texts for line in text.splitlines())


def test_a_message_that_no_job_can_be_made_of_holds_up_no_job(stack: Stack, api: Api, staff: Api) -> None:
    """The hop from the queue to the worker fails for one message."""
    customer_id = api.post("/v1/orders", an_order(order_id="beside-no-job"))["customer_id"]
    sqs = boto3.client("sqs", **stack.client_settings())
    (queue,) = [url for url in sqs.list_queues()["QueueUrls"] if "JobQueue" in url]
    sqs.send_message(QueueUrl=queue, MessageBody="no job")
    try:
        assert wait_for_job(staff, f"/v1/customers/{customer_id}/export-jobs", {})["state"] == "done"
    finally:
        sqs.purge_queue(QueueUrl=queue)
