"""Nothing personal in logs, metrics, queues, keys and headers: canaries go through every route and error, and are looked for."""

import base64
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import pytest

from ecrm import bootstrap
from ecrm.domain.api_keys import KeyKind
from ecrm.domain.consent import Channel
from ecrm.domain.links import PATHS, PersonLink, Purpose, mark_of, person_url
from project_events.handler import handler as project
from public_api.handler import handler as public
from tests.builders import a_consent, a_proof, a_record, a_request, a_site, an_event
from tests.cloud import Answer, Cloud, a_cloud
from tests.faults import refused_with, tapped
from tests.functions.api import KEYED, OPERATIONS, Shop, a_new_order, ask, open_shop
from tests.functions.conftest import Logs
from tests.functions.mail import send

USER_ID = "canary-user-id-7"
DEVICE = "canary-device-7"
EMAIL = "canary.mail@example.com"
PHONE = "+4930777777777"
NAME = "Kanariya Zolotaya-Ptitsa"
ADDRESS = "Kanarienvogelweg 7, 10777 Berlin"
REASON = "canary reason: the parcel was wet"
TRACKING = "CANARY00340434161094"
TRACKING_URL = "https://tracking.example.com/canary-7?name=canary"
CARRIER = "Canary Express"
COUPON = "CANARY-COUPON"
CANARIES = (
    USER_ID,
    DEVICE,
    EMAIL,
    PHONE,
    NAME,
    ADDRESS,
    REASON,
    TRACKING,
    TRACKING_URL,
    CARRIER,
    COUPON,
    "Канарейка 金丝雀 قناری",
)
UNICODE = CANARIES[-1]

ORDER: dict[str, Any] = {
    "customer": {"user_id": USER_ID, "email": EMAIL, "phone": PHONE, "anonymous_id": DEVICE},
    "coupon": COUPON,
    "lines": [{"line_id": UNICODE, "sku": NAME, "name": NAME, "category": ADDRESS, "quantity": 2, "unit_price": "0"}],
    "total": "9.27",
}
EVENTS: list[dict[str, Any]] = [
    an_event("paid"),
    an_event(
        "shipped",
        shipment_id=UNICODE,
        carrier=CARRIER,
        tracking_number=TRACKING,
        tracking_url=TRACKING_URL,
        lines=[{"line_id": UNICODE, "quantity": 1}],
    ),
    an_event("shipment_updated", shipment_id=UNICODE),
    an_event("delivered", shipment_id=UNICODE),
    an_event("cancelled", reason=REASON),
    an_event("returned", reason=ADDRESS),
    an_event("refunded", amount="1.00", reason=NAME),
    an_event("amended", lines=ORDER["lines"], shipping="4.90", tax="4.37", total="9.27", reason=REASON),
]
BAD: list[dict[str, Any]] = [
    ORDER | {"customer": {"email": f"{EMAIL} "}},
    ORDER | {"customer": {"phone": f"{PHONE} "}},
    ORDER | {"customer": {EMAIL: EMAIL}},
    ORDER | {"total": EMAIL},
    ORDER | {"currency": EMAIL},
    ORDER | {"placed_at": EMAIL},
    ORDER | {"total": "9.28"},
    ORDER | {"site": EMAIL},
    ORDER | {"lines": EMAIL},
    ORDER | {EMAIL: 1},
]


def spellings(canary: str) -> set[str]:
    """How a text looks in a log that repeats it, whatever it was written through."""
    raw = canary.encode()
    return {
        canary,
        canary.lower(),
        json.dumps(canary)[1:-1],
        json.dumps(json.dumps(canary))[1:-1],
        repr(canary)[1:-1],
        ascii(canary)[1:-1],
        quote(canary),
        quote(canary, safe=""),
        quote_plus(canary),
        raw.hex(),
        base64.b64encode(raw).decode().rstrip("="),
        base64.urlsafe_b64encode(raw).decode().rstrip("="),
        base64.b64encode(f":{canary}".encode()).decode()[4:-4],
        canary[::-1],
    }


def found_in(text: str) -> list[str]:
    lower = text.lower()
    return [canary for canary in CANARIES if any(one.lower() in lower for one in spellings(canary))]


def everything(shop: Shop) -> Iterator[Answer]:
    """Every route with canaries in whatever takes a text, answered well and badly."""
    order = a_new_order(**ORDER)
    path = f"/v1/orders/{order['order_id']}"
    yield shop.call("POST", "/v1/orders", order, headers={"idempotency-key": EMAIL})
    yield shop.call("POST", "/v1/orders", order, headers={"idempotency-key": EMAIL})
    yield shop.call("POST", "/v1/orders", order | {"coupon": NAME}, headers={"idempotency-key": EMAIL})
    yield shop.call("POST", "/v1/orders", order | {"coupon": NAME})
    for event in EVENTS:
        yield shop.call("POST", f"{path}/events", event)
        yield shop.call("POST", f"{path}/events", event | {"occurred_at": "2026-11-20T14:00:00Z"})
    yield shop.call("POST", f"{path}/events", an_event("refunded", event_id="2", amount="99.00", reason=REASON))
    yield shop.call("POST", f"{path}/events", an_event("shipped", event_id="3", lines=[{"line_id": NAME, "quantity": 1}]))
    yield shop.call("POST", f"{path}/events", an_event(EMAIL))
    bad = [wrong | {"order_id": f"bad-{at}"} for at, wrong in enumerate(a_new_order(**wrong) for wrong in BAD)]
    for wrong in bad:
        yield shop.call("POST", "/v1/orders", wrong)
    yield shop.call("POST", "/v1/orders/batch", {"orders": [*bad, EMAIL, a_new_order(**ORDER)]})
    yield shop.call("POST", "/v1/orders/events/batch", {"events": [event | {"order_id": order["order_id"]} for event in EVENTS]})
    yield shop.call("POST", "/v1/orders", f'{{"customer": "{EMAIL}')
    yield shop.call("POST", "/v1/orders", f"{EMAIL}", headers={"content-type": EMAIL})
    for identifier in ({"email": EMAIL}, {"phone": PHONE}, {"user_id": USER_ID}, {"anonymous_id": DEVICE}, {"email": NAME}):
        yield shop.call("POST", "/v1/orders/lookup", identifier | {"limit": 1})
    customer_id = shop.call("GET", path).json["customer_id"]
    for operation in KEYED:
        if operation.method == "GET":
            at = operation.at(order_id=order["order_id"], customer_id=customer_id, site="canary")
            yield shop.call("GET", at)
            yield shop.call("HEAD", at)
            yield shop.call("GET", at, query=f"email={quote(EMAIL)}")
            yield shop.call("GET", operation.at(order_id=quote(EMAIL), customer_id=quote(NAME), site=quote(EMAIL)))
            yield shop.call("DELETE", operation.at(order_id=quote(EMAIL), customer_id=quote(NAME), site=quote(EMAIL)))
    yield shop.call("GET", f"/v1/{quote(EMAIL)}")
    yield shop.call("GET", "/v1/orders", query=f"cursor={quote(NAME)}&status={quote(EMAIL)}")
    yield ask("GET", path, headers={"authorization": f"Bearer {EMAIL}"})
    yield ask("GET", path, headers={"user-agent": NAME, "referer": TRACKING_URL, "x-forwarded-for": PHONE})
    yield from consents(shop, customer_id)
    site = a_site(brand=NAME, sender=EMAIL, reply_to=EMAIL, postal_address=ADDRESS)
    for body in (site, site | {"languages": [EMAIL]}, site | {"time_zone": ADDRESS}):
        yield shop.call("PUT", "/v1/sites/canary", body, key=shop.cloud.key(KeyKind.STAFF))
    yield from messages(shop, customer_id)
    yield from own_pages(customer_id)
    for code in ("ThrottlingException", "ValidationException"):
        with tapped(refused_with(code, Item=EMAIL, message=EMAIL)):
            yield shop.call("POST", "/v1/orders", a_new_order(**ORDER))
            yield shop.call("POST", "/v1/orders/batch", {"orders": [a_new_order(**ORDER)]})
            yield shop.call("GET", f"/v1/customers/{customer_id}")


def messages(shop: Shop, customer_id: str) -> Iterator[Answer]:
    """What is said to a customer, and who has lost the link to an order."""
    for customer in ({"email": EMAIL}, {"customer_id": customer_id}, {"email": f"{EMAIL} "}, {EMAIL: NAME}):
        body = {"template": "order-confirmed", "customer": customer, "data": {"name": NAME, EMAIL: [ADDRESS]}}
        yield shop.call("POST", "/v1/messages", body, headers={"idempotency-key": EMAIL})
    yield shop.call("PUT", "/v1/sending", {"marketing": {"paused": True, "reason": NAME}}, key=shop.cloud.key(KeyKind.STAFF))
    for asked in ({"order_id": "A-1001", "email": EMAIL, "site": "de"}, {"order_id": EMAIL, "email": NAME, "site": ADDRESS}):
        yield shop.call("POST", "/public/orders/find", asked)
        form = {"content-type": "application/x-www-form-urlencoded"}
        yield shop.call("POST", "/public/orders/find", urlencode(asked), headers=form)
    for wanted in ({"email": EMAIL, "topics": ["news"], "text_version": NAME}, {"email": NAME, "topics": [EMAIL], EMAIL: PHONE}):
        yield shop.call("POST", "/public/subscribe", wanted)
        yield shop.call("POST", "/public/subscribe", urlencode(wanted, doseq=True), headers=form)
    shop.cloud.arm()
    send(shop)


def own_pages(customer_id: str) -> Iterator[Answer]:
    """What the customer does on their own pages, and what is sent there by others; also while the table is in trouble."""
    digest = bootstrap.consents().digest(Channel.EMAIL, EMAIL)
    form = {"content-type": "application/x-www-form-urlencoded"}
    fields = {"shown": "news", "topic": "news", "frequency": "weekly", "kind": "export", "month": "2", "day": "29"}
    for purpose in PATHS:
        link = PersonLink(
            purpose=Purpose(purpose), site="de", customer_id=customer_id, about=("export", "0"), sent_to=mark_of(digest)
        )
        path = person_url("", link, bootstrap.link_keys().ring())
        assert [] == found_in(path)
        for method, body in (("GET", ""), ("POST", urlencode(fields)), ("POST", urlencode({EMAIL: NAME, "topic": ADDRESS}))):
            yield visit(path, method, body, form)
        with tapped(refused_with("ValidationException", Item=EMAIL, message=EMAIL)):
            yield visit(path, "POST", urlencode(fields), form)


def visit(path: str, method: str, body: str, headers: dict[str, str]) -> Answer:
    answer = public(a_request(method, path, body=body, headers=headers | {"user-agent": NAME, "referer": EMAIL}), None)
    return Answer(answer["statusCode"], answer["headers"], answer["body"])


def consents(shop: Shop, customer_id: str) -> Iterator[Answer]:
    """What a customer agreed to, and the address that nothing is sent to."""
    path, proof = f"/v1/customers/{customer_id}/consents", a_proof() | {"reference": NAME}
    said = a_consent(source=ADDRESS, text_version=REASON, proof=proof)
    for body in ([said], [said | {"topic": EMAIL}], [said | {"topic": "canary"}], [said | {EMAIL: 1}], [said | {"proof": NAME}]):
        yield shop.call("POST", path, {"consents": body}, headers={"idempotency-key": PHONE})
    for address in (
        {"channel": "email", "address": EMAIL},
        {"channel": "sms", "address": PHONE},
        {"channel": "post", "address": ADDRESS},
    ):
        yield shop.call("POST", "/v1/suppressions", address | {"reason": "manual", "note": NAME, "at": "2026-11-20T12:00:00Z"})
        yield shop.call("POST", "/v1/suppressions/lookup", address)
        yield shop.call("GET", path)
        yield shop.call("POST", "/v1/suppressions/lift", address | {"proof": proof})
        yield shop.call("POST", "/v1/suppressions/lift", address | {"proof": proof | {"confirmed_at": "2026-11-20T13:00:00Z"}})
    yield shop.call("POST", "/v1/suppressions/lookup", {"channel": EMAIL, "address": NAME})
    yield shop.call("POST", "/v1/suppressions/lookup", {"channel": "sms", "address": EMAIL})


def project_all(shop: Shop) -> None:
    """Through the stream too: as it is, and with orders that are poison; these are left out of a list."""
    records = [a_record(item) for item in shop.cloud.items("EVENT#")]
    project({"Records": records}, None)
    for item in shop.cloud.items("ORDER#de#"):
        poison = {"S": f"{EMAIL} {NAME}"}
        shop.cloud.dynamodb.put_item(TableName="table", Item=item | {"placed_at": poison})
    project({"Records": records}, None)
    assert 200 == shop.call("POST", "/v1/orders/lookup", {"email": EMAIL}).status


def test_nothing_personal_is_logged_counted_parked_keyed_or_put_in_a_url(cloud: Cloud, logs: Logs) -> None:
    shop = open_shop(cloud)
    answers = list(everything(shop))
    project_all(shop)
    assert {200, 201, 202, 400, 401, 403, 404, 405, 409, 415, 422, 500, 503} == {answer.status for answer in answers}
    written = logs.take()
    assert [] == found_in(written)
    assert [] == found_in(json.dumps([dict(answer.headers) for answer in answers]))
    parked = cloud.parked()
    assert parked
    assert [] == found_in(json.dumps(parked))
    assert [] == found_in(json.dumps([[item["PK"], item["SK"]] for item in cloud.items()]))
    lines = [json.loads(line) for line in written.splitlines()]
    api = [answer for answer in answers if not answer.headers["content-type"].startswith("text/html")]
    assert len(api) < sum(line.get("message") == "request" for line in lines)
    counted = {metric["Name"] for group in counts(lines) for metric in group["Metrics"]}
    consents = {"ConsentsChanged", "AddressesSuppressed", "SuppressionsLifted"}
    messages = {"MessagesRequested", "MessagesAccepted"}
    assert {"OrdersPlaced", "OrderEventsRecorded", *consents, *messages, "UnhandledErrors", "EventsParked"} == counted


def counts(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [group for line in lines if "_aws" in line for group in line["_aws"]["CloudWatchMetrics"]]


def test_a_log_line_holds_the_names_that_we_know_and_no_others(cloud: Cloud, logs: Logs) -> None:
    """What a line may hold is listed, so that a new field is looked at by somebody."""
    shop = open_shop(cloud)
    list(everything(shop))
    project_all(shop)
    lines = [json.loads(line) for line in logs.take().splitlines()]
    held = {name for line in lines if "_aws" not in line for name in line}
    always = {"level", "message", "timestamp", "service", "correlation_id"}
    of_requests = {"method", "route", "key_id", "status", "duration_ms"}
    of_errors = {"error", "at", "index", "customer_id", "site", "order_id", "events"}
    assert always | of_requests | of_errors == held
    assert {"service"} == {name for group in counts(lines) for names in group["Dimensions"] for name in names}
    routes = {line["route"] for line in lines if "route" in line}
    assert routes <= {f"{operation.method} {operation.path}" for operation in OPERATIONS}


def test_what_the_answers_hold_is_what_was_asked_for(cloud: Cloud) -> None:
    """The canaries do sing: each is in some answer, so looking for them means something."""
    shop = open_shop(cloud)
    answered = json.dumps([answer.text for answer in everything(shop)])
    assert list(CANARIES) == found_in(answered)


@pytest.mark.parametrize("canary", CANARIES)
def test_a_canary_would_be_seen_in_any_spelling(canary: str) -> None:
    for spelling in spellings(canary):
        assert canary in found_in(f'{{"message":"x {spelling} y"}}')


def test_the_cloud_of_these_tests_writes_its_logs_where_we_look(logs: Logs) -> None:
    with a_cloud():
        ask("GET", "/v1/orders")
    assert '"message":"request"' in logs.take()
