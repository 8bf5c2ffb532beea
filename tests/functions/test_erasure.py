"""P1, P2 and P4: an export holds all of a person, and an erasure leaves nothing of them, moves no sum and lasts.

Forty canaries are planted through the API, in whatever takes a text, and looked for in every spelling that a store, a queue or a
log could give them.
"""

import csv
import io
import json
from collections import Counter
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from ecrm import bootstrap
from ecrm.domain.api_keys import KeyKind
from ecrm.domain.instants import to_answer
from ingest_api.handler import handler as ingest
from public_api.handler import handler as public
from tests.builders import a_request, an_event, an_order
from tests.cloud import Answer, Cloud
from tests.functions.api import handler_at
from tests.functions.conftest import Logs
from tests.functions.test_privacy import spellings

WORDS = (
    "Sittich",
    "قناری",
    "金丝雀",
    "Канарейка",
    "canary bird",
    "Zeisig & Söhne",
    "<fink>",
    'amsel "the" quill',
    "o'star",
    "=meise+1",
)
CANARIES = [f"{word} {number}" for number in range(4) for word in WORDS]
USER_ID, DEVICE, EMAIL, PHONE = "canary-user-77", "canary-device-77", "canary.77@xn--kanarie-s2a.example", "+4930777777177"
IDENTIFIERS = (USER_ID, DEVICE, EMAIL, PHONE)
ALL = (*CANARIES, *IDENTIFIERS)

REFUND = {"is": "refunded", "at": "2026-11-20T13:00:00.000000Z", "event_id": "r", "digest": "r", "amount_minor": "a text"}
UNREADABLE: tuple[dict[str, Any], ...] = (
    {"terms": {"S": "none"}},
    {"facts": {"L": [{"M": {name: {"S": value} for name, value in REFUND.items()}}]}},
)


def send(cloud: Cloud, path: str, body: Any, method: str = "POST", kind: KeyKind = KeyKind.SERVER) -> Answer:
    handler = ingest if path == "/v1/batch" else handler_at(path)
    answer = cloud.call(handler, method, path, body, key=cloud.key(kind))
    assert answer.status in (200, 201, 202), answer.text
    return answer


def planted(cloud: Cloud) -> str:
    """A person in every kind of item, under two ids that became one; gives the one that stays."""
    left = iter(CANARIES)

    def word() -> str:
        return next(left)

    lines = [{"line_id": word(), "sku": word(), "name": word(), "category": word(), "quantity": 2, "unit_price": "5.00"}]
    order = an_order(
        customer={"user_id": USER_ID, "email": EMAIL, "phone": PHONE, "anonymous_id": DEVICE},
        coupon=word(),
        lines=lines,
        total="19.27",
    )
    customer_id = str(send(cloud, "/v1/orders", order).json["customer_id"])
    for event in (
        an_event("shipped", shipment_id=word(), carrier=word(), tracking_number=word()),
        an_event("returned", reason=word()),
        an_event("refunded", amount="1.00", reason=word()),
        an_event("cancelled", reason=word()),
        an_event("amended", lines=[lines[0] | {"name": word(), "line_id": word()}], reason=word(), total="19.27"),
    ):
        send(cloud, "/v1/orders/A-1001/events", event)
    send(
        cloud,
        "/v1/customers",
        {"user_id": USER_ID, "traits": {"nickname": word(), "last_name": word(), "pets": [word(), word()]}},
        "PUT",
    )
    send(cloud, f"/v1/customers/{customer_id}", {"traits": {"nickname": word(), "city": word()}}, "PATCH")
    contact: dict[str, Any] = {"channel": "call", "direction": "inbound", "text": word(), "contact_id": "c-1", "subject": word()}
    contact |= {"occurred_at": "2026-11-20T12:00:00Z", "author": {"name": word(), "role": "agent"}}
    send(cloud, f"/v1/customers/{customer_id}/contacts", contact)
    topic = {"names": {"en": "News"}, "double_opt_in": False, "channels": ["email"]}
    send(cloud, "/v1/topics/news", topic, "PUT", KeyKind.STAFF)
    said = {"channel": "email", "topic": "news", "state": "granted", "at": "2026-11-20T12:00:00Z", "method": "form"}
    send(cloud, f"/v1/customers/{customer_id}/consents", {"consents": [said | {"source": word(), "text_version": word()}]})
    suppressed = {"channel": "sms", "address": PHONE, "reason": "manual", "note": word()}
    send(cloud, "/v1/suppressions", suppressed)
    calls = [
        {"type": "page", "name": word(), "properties": {"title": word(), "path": word()}},
        {
            "type": "track",
            "event": "Product Viewed",
            "properties": {"sku": word(), "name": word()},
            "context": {"userAgent": word()},
        },
        {"type": "track", "event": word(), "properties": {word(): word()}},
        {"type": "identify", "traits": {"hobby": word()}},
        {"type": "screen", "name": word(), "properties": {"section": word(), "list": [word()]}},
    ]
    calls = [call | {"userId": USER_ID, "messageId": str(at)} for at, call in enumerate(calls)]
    send(cloud, "/v1/batch", {"batch": calls})
    other = an_order(order_id="A-2", customer={"email": f"other-{EMAIL}"}, coupon=word())
    absorbed = send(cloud, "/v1/orders", other).json["customer_id"]
    send(cloud, f"/v1/customers/{customer_id}/merge", {"customer_id": absorbed})
    assert [] == list(left)
    cloud.project()
    return customer_id


def found_in(text: str) -> list[str]:
    lower = text.lower()
    return [canary for canary in ALL if any(one.lower() in lower for one in spellings(canary))]


def sums(cloud: Cloud) -> dict[str, Counter[str]]:
    """What all customers together have bought; the days on which they did stand behind the amounts."""
    added: dict[str, Counter[str]] = {}
    for item in cloud.items():
        if item["PK"]["S"].startswith("STATS#"):
            added.setdefault("orders", Counter())["orders"] += int(item.get("orders", {}).get("N", 0))
            for currency, amounts in item["currencies"]["M"].items():
                numbers = {str(at): int(amount["N"]) for at, amount in enumerate(amounts["L"][:6])}
                added.setdefault(currency, Counter()).update(numbers)
    return added


def test_an_export_holds_everything_that_was_planted_as_json_and_as_a_sheet(cloud: Cloud) -> None:
    customer_id = planted(cloud)
    send(cloud, f"/v1/customers/{customer_id}/export-jobs", None)
    cloud.work()
    files = cloud.files()
    assert {"csv", "json"} == {name.rpartition(".")[2] for name in files}
    (whole,) = (json.loads(text) for name, text in files.items() if name.endswith("json"))
    (sheet,) = (text for name, text in files.items() if name.endswith("csv"))
    held = set(texts(whole))
    cells = {value.removeprefix("'") for row in csv.DictReader(io.StringIO(sheet, newline="")) for value in row.values()}
    paths = {row["field"] for row in csv.DictReader(io.StringIO(sheet, newline=""))}
    assert [] == [canary for canary in ALL if not any(canary in text for text in held)]
    assert [] == [canary for canary in ALL if not any(canary in text for text in cells | paths)]
    assert "'=meise" in sheet
    stored = [item for item in cloud.items() if item["PK"]["S"].startswith("CUSTOMER#")]
    assert len(stored) == sum("customer_id" in row and "kept_under" not in row for row in whole)


def texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for pair in value.items() for part in pair for text in texts(part)]
    return (
        [text for part in value for text in texts(part)] if isinstance(value, list) else [value] if isinstance(value, str) else []
    )


def test_after_an_erasure_no_byte_of_the_person_is_anywhere_and_the_sums_are_as_they_were(cloud: Cloud, logs: Logs) -> None:
    customer_id = planted(cloud)
    send(cloud, f"/v1/customers/{customer_id}/export-jobs", None)
    cloud.work()
    before = sums(cloud)
    assert sorted(ALL) == sorted(found_in(json.dumps(cloud.items(), ensure_ascii=False) + json.dumps(cloud.files())))

    asked = send(cloud, f"/v1/customers/{customer_id}/erasure-jobs", None)
    cloud.publish()
    messages = cloud.sqs.receive_message(QueueUrl=cloud.jobs_url, VisibilityTimeout=0).get("Messages", ())
    assert [] == cloud.run_jobs()
    cloud.project()
    assert {} == cloud.files()
    assert [] == found_in(json.dumps(cloud.items(), ensure_ascii=False))
    assert [] == found_in(json.dumps([message["Body"] for message in messages]) + json.dumps(cloud.parked()))
    assert [] == found_in(logs.take())
    assert before == sums(cloud)
    (kept,) = (item for item in cloud.items(customer_id) if item["PK"]["S"].startswith("STATS#"))
    assert {"PK", "SK", "type", "v", "version", "orders", "cancelled_orders", "currencies", "erased"} == kept.keys()
    assert [6] == [len(amounts["L"]) for amounts in kept["currencies"]["M"].values()]

    job = send(cloud, asked.headers["location"], None, "GET").json
    assert ("done", 2, 2, 5) == (job["state"], job["counts"]["profiles"], job["counts"]["orders"], job["counts"]["identifiers"])
    assert 2 == job["counts"]["files"]
    finished = bootstrap.jobs().find(job["job_id"])
    assert finished is not None
    assert () == finished.addressed
    copies = {f"{what}_expire_by" for what in ("exports", "imports", "nights", "backups", "logs", "notices")}
    assert {"erased_at", "deleted_at", *copies} == set(job["receipt"])
    assert timedelta(days=35) == finished.receipt["backups_expire_by"] - finished.receipt["deleted_at"]


def test_nobody_reads_an_order_once_its_customers_erasure_is_answered(cloud: Cloud) -> None:
    """A-1001 is the customer's own, A-2 is of somebody whom they absorbed; the job has not begun."""
    customer_id = planted(cloud)
    own, absorbed = "/v1/orders/A-1001", "/v1/orders/A-2"
    day = "from=2026-11-20&to=2026-11-20"
    listed = cloud.call(handler_at(own), "GET", "/v1/orders", query=day, key=cloud.key(KeyKind.STAFF)).json["data"]
    assert ["A-2", "A-1001"] == [order["order_id"] for order in listed]
    link = urlsplit(send(cloud, f"{own}/links", {}).json["url"]).path
    assert 200 == public(a_request("GET", link), None)["statusCode"]

    send(cloud, f"/v1/customers/{customer_id}/erasure-jobs", None)
    asked = [("GET", own), ("GET", absorbed), ("POST", f"{own}/links"), ("POST", f"{absorbed}/links")]
    answers = [cloud.call(handler_at(path), method, path, {} if method == "POST" else None) for method, path in asked]
    assert [(410, "customer_erased")] * 4 == [(answer.status, answer.json["code"]) for answer in answers]
    assert 404 == public(a_request("GET", link), None)["statusCode"]
    page = cloud.call(handler_at(own), "GET", "/v1/orders", query=day, key=cloud.key(KeyKind.STAFF)).json
    assert {"data": [], "next_cursor": None} == page
    assert {"data": [], "next_cursor": None} == send(cloud, "/v1/orders/lookup", {"email": EMAIL}).json

    send(cloud, f"{own}/events", an_event("delivered", event_id="late"))
    cloud.work()
    assert [] == found_in(json.dumps(cloud.items(), ensure_ascii=False))
    assert {"PROFILE"} == {item["SK"]["S"] for item in cloud.items() if item["PK"]["S"].startswith("CUSTOMER#")}


@pytest.mark.parametrize("change", UNREADABLE, ids=["unreadable", "does not fold"])
def test_an_order_that_makes_no_sense_holds_no_erasure_up_and_moves_no_sum(cloud: Cloud, change: dict[str, Any]) -> None:
    customer_id = planted(cloud)
    before = sums(cloud)
    (order,) = cloud.items("ORDER#de#A-1001")
    cloud.dynamodb.put_item(TableName="table", Item=order | change)
    send(cloud, f"/v1/customers/{customer_id}/erasure-jobs", None)
    cloud.work()
    assert before == sums(cloud)
    assert [] == found_in(json.dumps(cloud.items(), ensure_ascii=False))


def test_what_is_told_late_stays_refused_and_what_happens_later_begins_a_new_history(cloud: Cloud) -> None:
    customer_id = planted(cloud)
    asked = send(cloud, f"/v1/customers/{customer_id}/erasure-jobs", None)
    later = to_answer(bootstrap.clock.now() + timedelta(minutes=5))
    for done in (False, True):
        late = an_order(order_id=f"B-{done}", customer={"email": EMAIL})
        answer = cloud.call(handler_at("/v1/orders"), "POST", "/v1/orders", late)
        assert (done, 410, "customer_erased") == (done, answer.status, answer.json.get("code"))
        again = cloud.call(handler_at("/v1/orders"), "POST", "/v1/orders", an_order(customer={"email": "another@example.com"}))
        assert again.status in (409, 410)
        assert 410 == cloud.call(handler_at("/v1/customers"), "GET", f"/v1/customers/{customer_id}").status
        if not done:
            cloud.work()
    assert "done" == send(cloud, asked.headers["location"], None, "GET").json["state"]
    new = an_order(order_id="N-1", customer={"email": EMAIL}, placed_at=later)
    placed = send(cloud, "/v1/orders", new).json
    assert placed["customer_id"] != customer_id
    cloud.project()
    assert 1 == send(cloud, f"/v1/customers/{placed['customer_id']}/stats", None, "GET").json["orders"]
    looked = send(cloud, "/v1/suppressions/lookup", {"channel": "email", "address": EMAIL}).json
    assert looked["is_suppressed"]
