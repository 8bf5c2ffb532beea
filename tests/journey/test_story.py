"""The story of one customer on the deployed stack, and what happens when a hop fails."""

from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest

from ecrm.domain.imports import Kind
from local.api import Api
from local.demo.visitor import Tellers, visit
from local.down import drain
from local.nightly import nightly, report_pages, the_next
from local.stack import STACK_NAME, Stack
from local.tool import tool
from tests.architecture.test_policies import GRANTS, QUEUE, STREAM
from tests.builders import an_event, an_order
from tests.journey.conftest import NOTE
from tests.journey.test_campaigns import a_parade, exercise
from tests.journey.test_imports import VISITOR, files_of_every_kind
from tests.journey.test_mail import exchange, kill, workers
from tests.journey.test_marketing import decide
from tests.journey.test_night import visited
from tests.journey.test_profile import fetched, wait_for_job
from tools.imports import run as import_file

SARA = {"user_id": "u-sara", "email": "sara.lindqvist@example.com", "phone": "+46701234567"}
numbers = count(1)


@pytest.fixture(scope="module")
def staff(facts: dict[str, Any]) -> Iterator[Api]:
    with Api(facts["api_url"], facts["staff_key"]) as connection:
        yield connection


@pytest.fixture
def dynamodb(stack: Stack) -> Any:
    return boto3.client("dynamodb", **stack.client_settings())


@pytest.fixture
def place(api: Api) -> Callable[..., dict[str, Any]]:
    def post(customer: dict[str, str], **changes: Any) -> dict[str, Any]:
        return api.post("/v1/orders", an_order(order_id=f"story-{next(numbers)}", customer=customer, **changes))

    return post


def test_a_customers_order_is_tracked_to_its_end(stack: Stack, api: Api, staff: Api, place: Callable[..., Any]) -> None:
    order = place(SARA)
    path = f"/v1/orders/{order['order_id']}"
    said = [
        an_event("paid"),
        an_event("shipped", event_id="s1", shipment_id="p1", lines=[{"line_id": "1", "quantity": 2}], carrier="DHL"),
        an_event("shipped", event_id="s2", shipment_id="p2", occurred_at="2026-11-20T14:00:00Z", estimated_on="2026-11-24"),
        an_event("delivered", event_id="d1", shipment_id="p1", occurred_at="2026-11-21T09:00:00Z"),
        an_event("delivered", event_id="d2", shipment_id="p2", occurred_at="2026-11-21T10:00:00Z"),
        an_event("refunded", amount="5.00", reason="scratched sleeve", occurred_at="2026-11-21T11:00:00Z"),
    ]
    moved = [api.post(f"{path}/events", event)["status"] for event in said]
    assert moved == ["paid", "partially_shipped", "shipped", "shipped", "delivered", "delivered"]

    again = api.call("POST", f"{path}/events", said[1])
    assert (again.status, again.body["version"]) == (200, 7)
    assert api.call("POST", f"{path}/events", said[1] | {"carrier": "UPS"}).body["code"] == "event_exists"
    too_much = an_event("shipped", event_id="s3", shipment_id="p3", lines=[{"line_id": "1", "quantity": 1}])
    assert api.call("POST", f"{path}/events", too_much).body["code"] == "shipped_exceeds_ordered"

    read = api.get(path)
    assert [line["sku"] for line in read["lines"]] == ["CD-5", "LP-1"]
    assert [shipment["state"] for shipment in read["shipments"]] == ["delivered", "delivered"]
    assert (read["refunded"], read["net_revenue"], read["needs_attention"]) == ("5.00", "18.00", [])

    assert drain(stack) == {}
    customer = f"/v1/customers/{order['customer_id']}"
    assert staff.get(f"{customer}/stats")["currencies"]["EUR"] == {
        "orders": 1,
        "items": 3,
        "gross": "23.00",
        "cancelled": "0.00",
        "refunded": "5.00",
        "net_revenue": "18.00",
        "mean_order_value": "18.00",
        "purchase_days": 1,
        "first_purchase_on": "2026-11-20",
        "second_purchase_on": None,
        "previous_purchase_on": None,
        "last_purchase_on": "2026-11-20",
        "first_day_net_revenue": "18.00",
    }
    told = [event["type"] for event in staff.get(f"{customer}/timeline?limit=100")["data"]]
    assert sorted(told) == sorted(
        ["customer.created", "order.placed", "order.paid", *["order.shipped"] * 2, *["order.delivered"] * 2, "order.refunded"]
    )
    assert [found["order_id"] for found in api.post("/v1/orders/lookup", {"phone": SARA["phone"]}, 200)["data"]] == [
        order["order_id"]
    ]
    listed = staff.get("/v1/orders?from=2026-11-20&to=2026-11-20&status=delivered&limit=100")["data"]
    assert order["order_id"] in [found["order_id"] for found in listed]


def test_a_customer_follows_the_link_to_the_status_page(api: Api, place: Callable[..., Any]) -> None:
    order = place({"user_id": "u-link"})
    url = urlsplit(api.post(f"/v1/orders/{order['order_id']}/links", {"language": "fa"}, 200)["url"])
    connection = HTTPConnection("127.0.0.1", url.port or 80, timeout=60)
    answers = {}
    for method, path in (("HEAD", url.path), ("GET", url.path), ("GET", url.path[:-1])):
        connection.request(method, path, headers={"Host": url.netloc})
        response = connection.getresponse()
        answers[method, path] = (response.status, response.headers["content-type"], response.read().decode())
    connection.close()
    shown, torn = answers["GET", url.path], answers["GET", url.path[:-1]]
    assert answers["HEAD", url.path] == (200, "text/html; charset=utf-8", "")
    assert shown[:2] == (200, "text/html; charset=utf-8")
    assert '<html lang="fa" dir="rtl">' in shown[2]
    assert order["order_id"] in shown[2]
    assert "۳۲٫۲۷ یورو" in shown[2]
    assert (torn[0], order["order_id"] in torn[2]) == (404, False)


def test_an_order_sent_again_after_a_lost_answer_is_there_once(api: Api) -> None:
    order = an_order(order_id="story-once", customer={"user_id": "u-once"})
    answers = [api.call("POST", "/v1/orders", order) for _ in range(3)]
    assert [answer.status for answer in answers] == [201, 200, 200]
    assert answers[0].body == answers[1].body == answers[2].body


@pytest.fixture
def poisoned(
    stack: Stack, dynamodb: Any, facts: dict[str, Any], place: Callable[..., Any]
) -> Iterator[tuple[str, Callable[[], None]]]:
    """A customer with one order counted, one parked, and an item among the orders that nobody can read until it is mended."""
    user = {"user_id": f"u-poisoned-{next(numbers)}"}
    customer_id: str = place(user)["customer_id"]
    assert drain(stack) == {}
    for state in ("busy", "idle"):
        for pid in workers(stack, state, "ProjectEvents"):  # they may keep for a minute what segments named before
            kill(pid)
    poison = {"PK": {"S": f"CUSTOMER#{customer_id}"}, "SK": {"S": "ORDER#demo#poison"}, "type": {"S": "order"}}
    dynamodb.put_item(TableName=facts["table"], Item=poison)
    place(user)

    def mend() -> None:
        dynamodb.delete_item(TableName=facts["table"], Key={"PK": poison["PK"], "SK": poison["SK"]})

    yield customer_id, mend
    mend()
    tool(stack, "stats", "repair")


def test_a_customer_whose_facts_cannot_be_counted_is_parked_and_repaired_and_holds_up_nobody(
    stack: Stack,
    api: Api,
    place: Callable[..., Any],
    poisoned: tuple[str, Callable[[], None]],
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The hop from the stream to the statistics fails for one customer."""
    customer_id, mend = poisoned
    healthy = place({"user_id": f"u-healthy-{next(numbers)}"})["customer_id"]
    assert drain(stack) == {}
    assert api.get(f"/v1/customers/{healthy}/stats")["orders"] == 1
    assert api.get(f"/v1/customers/{customer_id}/stats")["orders"] == 1

    assert dead_letters(stack) == 1

    mend()
    assert "1 events repaired, 0 left in the queue" in tool(stack, "stats", "repair")
    assert api.get(f"/v1/customers/{customer_id}/stats")["orders"] == 2
    assert {customer_id, healthy}.isdisjoint(differing(stack, capfd))


def differing(stack: Stack, capfd: pytest.CaptureFixture[str]) -> set[str]:
    """Whose rows a rebuild would change: those that have not copied yet what segments of other tests name are among them."""
    try:
        told = tool(stack, "stats", "rebuild", "--dry-run")
    except SystemExit:
        told = capfd.readouterr().out
    assert "rows differ" in told
    return {line.removesuffix(" differs") for line in told.splitlines() if line.endswith(" differs")}


def test_what_the_gateway_and_nobody_knows_is_answered_as_a_problem(api: Api, facts: dict[str, Any]) -> None:
    assert api.call("GET", "/nowhere").body["code"] == "route_not_found"
    assert api.call("PUT", "/v1/orders", {}).body["code"] == "method_not_allowed"
    with Api(facts["api_url"], "ecrm_server_not-a-key") as stranger:
        assert stranger.call("GET", "/v1/orders").body["code"] == "unauthenticated"
    with Api(facts["api_url"], facts["write_key"]) as browser:
        assert browser.call("GET", "/v1/orders").body["code"] == "scope_missing"


def test_the_logs_of_the_stack_hold_nothing_personal(stack: Stack, api: Api, place: Callable[..., Any]) -> None:
    canaries = {"user_id": "u-canary-7f3z", "email": "canary.7f3z@example.com", "phone": "+4915550007331"}
    order = place(canaries, coupon="CANARY-7F3Z")
    api.call("POST", f"/v1/orders/{order['order_id']}/events", an_event("cancelled", reason="canary reason 7f3z"))
    api.call("POST", "/v1/orders/lookup", {"email": canaries["email"]})
    api.call("POST", "/v1/orders", an_order(order_id="canary", customer=canaries, total="1.00"))
    api.call("POST", "/v1/orders", {"customer": canaries, "surprise": canaries})
    assert drain(stack) == {}
    logs = boto3.client("logs", **stack.client_settings())
    lines = [
        event["message"]
        for group in logs.describe_log_groups()["logGroups"]
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
        for event in page["events"]
    ]
    assert any('"route":"POST /v1/orders"' in line for line in lines)
    assert [line for line in lines for canary in (*canaries.values(), "7f3z", "CANARY-7F3Z") if canary in line] == []


def test_a_function_may_do_only_what_its_role_says(stack: Stack, facts: dict[str, Any]) -> None:
    """The emulator enforces the template's policies: the reading function cannot write."""
    sts = boto3.client("sts", **stack.client_settings())
    iam = boto3.client("iam", **stack.client_settings())
    (role,) = [role["Arn"] for role in iam.list_roles()["Roles"] if "ReportsApiRole" in role["RoleName"]]
    lent = sts.assume_role(RoleArn=role, RoleSessionName="story")["Credentials"]
    settings = stack.client_settings() | {
        "aws_access_key_id": lent["AccessKeyId"],
        "aws_secret_access_key": lent["SecretAccessKey"],
        "aws_session_token": lent["SessionToken"],
    }
    reader = boto3.client("dynamodb", **settings)
    key = {"PK": {"S": "LIST#sites"}, "SK": {"S": "demo"}}
    assert reader.get_item(TableName=facts["table"], Key=key)["Item"]["brand"] == {"S": "Demo"}
    with pytest.raises(reader.exceptions.ClientError, match="AccessDenied"):
        reader.put_item(TableName=facts["table"], Item=key)


@pytest.fixture
def mail_exchanged(stack: Stack, table: Any, shop: Api, staff: Api, facts: dict[str, Any]) -> None:
    """Mails were asked for, sent, doubted, settled and reported on."""
    exchange(stack, table, shop, staff, facts)


@pytest.fixture
def decided(stack: Stack, facts: dict[str, Any], gazette: dict[str, str], outputs: dict[str, str]) -> None:
    """People signed up, confirmed and unsubscribed, and staff tried a mail."""
    decide(stack, facts, gazette, outputs)


@pytest.fixture
def campaigned(stack: Stack, facts: dict[str, Any], tmp_path: Path) -> None:
    """A campaign was tried out, sent, counted and reported on, and its recipients exported."""
    with a_parade(stack, facts) as parade:
        exercise(stack, parade, tmp_path)


@pytest.fixture
def nights_told(stack: Stack, staff: Api, place: Callable[..., Any]) -> None:
    """A night on this stack read facts, wrote who is where and told who moved; another test has had it, or there are two now."""
    bought = {"order": {"op": ">=", "value": 1, "where": [{"field": "sku", "op": "is", "value": "CD-5"}]}}
    since_the_demos_file = {"stats": {"field": "recency_days", "op": "<=", "value": 3_650}}
    rule = {"and": [since_the_demos_file, bought, {"profile": {"path": "x", "op": "missing"}}]}
    staff.put("/v1/segments/grants", {"name": "Grants", "description": "Of the journey.", "rule": rule}, 200, 201)
    made = made_by_role(stack)
    told = "dynamodb:PutItem" in made.get("TellNight", ())
    if told and made.get("ScoreCustomers", set()) >= {"dynamodb:Query", "dynamodb:PutItem"}:
        return
    nightly(stack, the_next(staff))
    place({"user_id": "u-moves-by-night"})
    assert drain(stack) == {}
    nightly(stack, the_next(staff))


def made_by_role(stack: Stack) -> dict[str, set[str]]:
    """Which calls each function made since the start."""
    calls = (stack.status() or {})["calls"]
    return {role.split("-")[2].removesuffix("Role"): set(actions) for role, actions in calls.items()}


@pytest.mark.usefixtures("poisoned", "mail_exchanged", "decided", "nights_told", "campaigned")
def test_every_grant_is_used_on_the_journey(  # noqa: PLR0917 (fixtures)
    stack: Stack, api: Api, staff: Api, facts: dict[str, Any], place: Callable[..., Any], tmp_path: Path
) -> None:
    """Which calls each role made, against what its policies grant; that all calls were granted, the enforced policies see to.

    Reading streams and queues and writing the log is Lambda's own work, which the emulator does without asking.
    """
    order = place({"user_id": "u-grants"})
    staff.get("/v1/orders?from=2026-11-20&to=2026-11-20")
    staff.get("/v1/sites")
    brand = {"brand": "Grants", "languages": ["en"], "time_zone": "UTC", "currency": "USD"}
    staff.put("/v1/sites/grants", brand, 200, 201)
    staff.put("/v1/templates/grants", NOTE, 200, 201)
    api.get(f"/v1/customers/{order['customer_id']}/orders")
    test_a_customer_follows_the_link_to_the_status_page(api, place)
    (report,) = staff.get("/v1/reports?limit=1")["data"]
    staff.get(f"/v1/reports/{report['night']}")
    assert {visited(page)[0] for page in report_pages(staff, facts["api_url"], report["night"]).values()} == {200}
    with Api(facts["api_url"], facts["write_key"]) as browser:
        *_, (_, customer_id) = visit(Tellers(browser, api, staff))
        for visitor in ("grants-browser", VISITOR):
            browser.post("/v1/page", {"anonymousId": visitor, "name": "Home"}, 200)
    api.post("/v1/identify", {"anonymousId": "grants-browser", "userId": "u-grants"}, 200)
    define_and_ask(api, staff, customer_id)
    assert drain(stack) == {}
    try_a_rule(staff)
    other = place({"email": "grants@example.com"})["customer_id"]
    staff.post(f"/v1/customers/{customer_id}/merge", {"customer_id": other})
    assert drain(stack) == {}
    exported = wait_for_job(staff, f"/v1/customers/{customer_id}/export-jobs", {"format": "csv"})
    assert all(fetched(file["url"]) for file in exported["files"])
    wait_for_job(staff, "/v1/customers/export-jobs", {"format": "csv"})
    staff.get("/v1/jobs")
    wait_for_job(staff, f"/v1/customers/{customer_id}/erasure-jobs", {})
    for file, kind in files_of_every_kind(tmp_path):
        found = import_file(staff, file, kind)
        assert found["state"] == "done", found
        if kind in {Kind.CONTACTS, Kind.PRODUCTS}:
            wait_for_job(staff, f"/v1/imports/{found['import_id']}/undo", {})
    staff.get("/v1/imports")
    assert drain(stack) == {}
    made = made_by_role(stack)
    made["RunJobs"].add("sqs:SendMessage")  # only a job that is longer than the journey asks for itself again
    # Only a file of rejects that cannot be written to its end; only rows about one customer in two chunks (test_imports); and
    # without the right to list, AWS alone says of what is not there that it is forbidden.
    made["ImportFile"] |= {"s3:AbortMultipartUpload", "dynamodb:BatchGetItem", "secretsmanager:GetSecretValue", "s3:ListBucket"}
    steps = ("PlanNight", "SnapshotCustomers", "SummariseNight", "ScoreCustomers", "PublishNight", "TellNight", "ReportNight")
    for reader in (*steps, "PublicApi", "SegmentsApi"):
        made[reader].add("s3:ListBucket")  # the same
    for reader in ("ProjectEvents", "ScoreCustomers"):
        made[reader].add("secretsmanager:GetSecretValue")  # only where a segment names a consent, and somebody has said it
    made["PlanAudience"] |= {"s3:ListBucket", "sqs:SendMessage"}  # the same; only a page that can never be planned is parked
    made["CampaignsApi"].add("dynamodb:ConditionCheckItem")  # only a run over those whom one failed is held to its campaign
    made["StartCampaigns"].add("dynamodb:BatchGetItem")  # only a pilot that is decided by orders looks at who ordered
    # Only what ends unsent, and whose page nobody else comes to; a place in its person's budget goes back with it.
    made["SettleSends"] |= {"dynamodb:ConditionCheckItem", "dynamodb:GetItem"}
    made["SendMessages"].add("sqs:SendMessage")  # only what SES throttles waits in the queue: half a minute, in test_mail
    granted = {
        "".join(map(str.title, folder.split("_"))): set().union(*grants.values()) - STREAM - QUEUE
        for folder, grants in GRANTS.items()
        if grants
    }
    unused = {function: sorted(actions - made.get(function, set())) for function, actions in granted.items()}
    assert {function: actions for function, actions in unused.items() if actions} == {}


def define_and_ask(api: Api, staff: Api, customer_id: str) -> None:
    """Topics, suppressions, consents and products."""
    assert staff.call("PUT", "/v1/topics/grants", {"names": {"en": "Grants"}}).status in {200, 201}
    staff.get("/v1/topics")
    address = {"channel": "email", "address": "grants@example.com"}
    api.post("/v1/suppressions", address | {"reason": "manual"}, 200, 201)
    api.post("/v1/suppressions/lookup", address, 200)
    said = {"channel": "email", "topic": "grants", "state": "denied", "at": "2026-11-20T10:00:00Z", "method": "form"}
    api.post(f"/v1/customers/{customer_id}/consents", {"consents": [said]})
    api.get(f"/v1/customers/{customer_id}/consents")
    assert api.call("PUT", "/v1/products/GRANTS", {"name": "Grants"}).status in {200, 201}
    api.get("/v1/products?limit=1")


def try_a_rule(staff: Api) -> None:
    """One that no row can answer, about the few who looked around and bought; and how many had bought in the last night."""
    visited, bought = ({"stats": {"field": field, "op": ">=", "value": 1}} for field in ("visits", "orders"))
    unknown = [
        {"consent": {"channel": "email", "topic": "grants", "state": "denied"}},
        {"profile": {"path": "x", "op": "missing"}},
    ]
    found = staff.post("/v1/segments/preview", {"rule": {"and": [visited, bought, *unknown]}}, 200)
    assert found["count"] >= 1, found
    night = staff.get("/v1/nights?limit=1")["data"][0]["night"]
    then = staff.post("/v1/segments/preview", {"rule": bought, "as_of": night}, 200)
    assert (then["night"], then["exact"], then["undecided"]) == (night, True, 0)
    assert then["count"] >= 1, then


def dead_letters(stack: Stack) -> int:
    """How many messages wait for an engineer."""
    cloudformation = boto3.client("cloudformation", **stack.client_settings())
    (found,) = cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"]
    (queue,) = [output["OutputValue"] for output in found["Outputs"] if output["OutputKey"] == "DeadLettersUrl"]
    sqs = boto3.client("sqs", **stack.client_settings())
    name = "ApproximateNumberOfMessages"
    return int(sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=[name])["Attributes"][name])
