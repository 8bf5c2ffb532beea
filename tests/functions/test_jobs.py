"""Jobs as their callers see them: asked for once, worked on from where they stood, and telling the truth about what they did."""

import csv
import io
import json
from contextlib import suppress
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from ecrm import bootstrap
from ecrm.application import erasure, exports
from ecrm.domain.api_keys import KeyKind
from ecrm.store import keys
from jobs_api.handler import handler as jobs
from run_jobs.handler import handler as run
from tests.builders import an_event, an_order
from tests.cloud import Answer, Cloud, Time, a_cloud
from tests.faults import Deliver, Kill, Sent, kill_after, kill_before, refused_with, tapped
from tests.functions.api import NOBODY, handler_at
from tests.functions.conftest import Logs

PLACES = ("/v1/customers/export-jobs", "/v1/orders/export-jobs")


def ask(cloud: Cloud, path: str, body: Any = None, **headers: str) -> Answer:
    answer = cloud.call(handler_at(path), "POST", path, body, key=cloud.key(KeyKind.STAFF), headers=headers)
    assert 202 == answer.status, answer.text
    assert f"/v1/jobs/{answer.json['job_id']}" == answer.headers["location"]
    return answer


def told(cloud: Cloud, asked: Answer) -> Any:
    answer = cloud.call(jobs, "GET", asked.headers["location"])
    assert 200 == answer.status
    return answer.json


def place(cloud: Cloud, number: int, **changes: Any) -> str:
    order = an_order(order_id=f"A-{number}", customer={"user_id": f"u-{number}", "email": f"buyer{number}@example.com"}) | changes
    answer = cloud.call(handler_at("/v1/orders"), "POST", "/v1/orders", order)
    assert 201 == answer.status
    return str(answer.json["customer_id"])


def rows(cloud: Cloud) -> list[Any]:
    return [json.loads(line) for name, text in cloud.files().items() if name.endswith("ndjson") for line in text.splitlines()]


def message(asked: Answer) -> dict[str, Any]:
    body = json.dumps({"type": "job", "v": 1, "job_id": asked.json["job_id"]})
    return {"Records": [{"messageId": "1", "body": body}]}


def queued(cloud: Cloud) -> list[str]:
    found = cloud.sqs.receive_message(QueueUrl=cloud.jobs_url, MaxNumberOfMessages=10, VisibilityTimeout=0)
    return [message["Body"] for message in found.get("Messages", ())]


def test_all_customers_are_exported_and_the_books_balance(cloud: Cloud) -> None:
    ids = {place(cloud, number) for number in range(3)}
    cloud.project()
    asked = ask(cloud, PLACES[0], {})
    assert {"queued": "export_customers"} == {asked.json["state"]: asked.json["kind"]}
    cloud.work()
    job = told(cloud, asked)
    assert ("done", None, None) == (job["state"], job["error"], job["receipt"])
    assert {"customers_counted": 3, "customers_written": 3, "unreadable": 0, "rows_written": 3} == job["counts"]
    assert 3 == sum(file["rows"] for file in job["files"])
    assert ids == {row["customer_id"] for row in rows(cloud)}
    (row,) = (row for row in rows(cloud) if row["identifiers"][0]["value"] == "u-1")
    assert "23.00" == row["statistics"]["currencies"]["EUR"]["net_revenue"]


def test_all_orders_are_exported_with_lines_state_and_refunds(cloud: Cloud) -> None:
    for number in range(3):
        place(cloud, number)
    cloud.call(handler_at("/v1/orders"), "POST", "/v1/orders/A-1/events", an_event("refunded", amount="5.00"))
    cloud.project()
    asked = ask(cloud, PLACES[1], {"format": "ndjson"})
    cloud.work()
    assert {"customers_counted": 3, "customers_written": 3, "unreadable": 0, "rows_written": 3} == told(cloud, asked)["counts"]
    shown = {row["order_id"]: row for row in rows(cloud)}
    for number in range(3):
        read = cloud.call(handler_at("/v1/orders"), "GET", f"/v1/orders/A-{number}").json
        assert read == shown[f"A-{number}"]
    assert "5.00" == shown["A-1"]["refunded"]


def test_a_sheet_has_a_row_for_each_customer_and_no_formula(cloud: Cloud) -> None:
    place(cloud, 1, customer={"user_id": "=1+1", "email": "+x@example.com", "phone": "+989121234567"})
    cloud.project()
    ask(cloud, PLACES[0], {"format": "csv"})
    cloud.work()
    (sheet,) = cloud.files().values()
    (row,) = csv.DictReader(io.StringIO(sheet, newline=""))
    assert ("'=1+1", "'+x@example.com", "'+989121234567") == (row["user_ids"], row["emails"], row["phones"])
    assert ("1", "2026-11-20T12:00:00Z") == (row["orders"], row["first_order_at"])


CORRUPT: dict[str, tuple[str, dict[str, Any]]] = {
    "it makes no sense": ("ORDER#de#A-0", {"terms": {"S": "none"}}),
    "it cannot be shown": ("ORDER#de#A-0", {"currency": {"S": "none"}}),
    "its lines make no sense": ("EVENT#2026-11-20T12:00:00.000000Z#order.placed", {"data": {"M": {"lines": {"S": "none"}}}}),
}


@pytest.mark.parametrize("what", CORRUPT)
def test_an_order_that_cannot_be_read_is_counted_and_named_and_hides_no_other(cloud: Cloud, logs: Logs, what: str) -> None:
    kept, change = CORRUPT[what]
    mona = place(cloud, 0)
    (poison,) = cloud.items(kept)
    place(cloud, 1)
    place(cloud, 2, customer={"user_id": "u-0", "email": "buyer0@example.com"})
    cloud.project()
    cloud.dynamodb.put_item(TableName="table", Item=poison | change)
    asked = ask(cloud, PLACES[1], {})
    logs.take()
    cloud.work()
    assert {"customers_counted": 2, "customers_written": 2, "unreadable": 1, "rows_written": 2} == told(cloud, asked)["counts"]
    assert {"A-1", "A-2"} == {row["order_id"] for row in rows(cloud)}
    lines = [line for line in map(json.loads, logs.take().splitlines()) if line.get("level") == "ERROR"]
    named = [{name: line[name] for name in ("message", "job_id", "customer_id", "site", "order_id")} for line in lines]
    about = {"job_id": asked.json["job_id"], "customer_id": mona, "site": "de", "order_id": "A-0"}
    assert [{"message": "unreadable"} | about] == named


def test_an_order_whose_lines_the_table_does_not_give_for_now_is_not_left_out(cloud: Cloud) -> None:
    place(cloud, 1)
    cloud.project()
    asked = ask(cloud, PLACES[1], {})

    def refuse_events(sent: Sent, deliver: Deliver) -> AWSResponse:
        is_one = sent.operation == "GetItem" and sent.ask["Key"]["SK"]["S"].startswith("EVENT#")
        return sent.refuse("ThrottlingException") if is_one else deliver()

    with tapped(refuse_events):
        assert {"batchItemFailures": [{"itemIdentifier": "1"}]} == run(message(asked), Time())
    assert "running" == told(cloud, asked)["state"]
    assert {"batchItemFailures": []} == run(message(asked), Time())
    assert (0, 1) == (told(cloud, asked)["counts"]["unreadable"], told(cloud, asked)["counts"]["rows_written"])


def test_whoever_was_erased_since_is_counted_and_left_out(cloud: Cloud) -> None:
    gone, stays = place(cloud, 1), place(cloud, 2)
    cloud.project()
    asked = ask(cloud, PLACES[0], {})
    cloud.call(handler_at("/v1/customers"), "POST", f"/v1/customers/{gone}/erasure-jobs")
    cloud.work()
    counts = told(cloud, asked)["counts"]
    assert (2, 1, 1) == (counts["customers_counted"], counts["customers_written"], counts["customers_left_out"])
    assert [stays] == [row["customer_id"] for row in rows(cloud)]


@pytest.mark.parametrize("path", PLACES)
def test_the_same_request_sent_again_is_the_same_job(cloud: Cloud, path: str) -> None:
    first = ask(cloud, path, {}, **{"idempotency-key": "once"})
    again = ask(cloud, path, {}, **{"idempotency-key": "once"})
    assert (first.text, "true") == (again.text, again.headers["idempotent-replayed"])
    assert first.json["job_id"] != ask(cloud, path, {}).json["job_id"]
    other = cloud.call(
        handler_at(path), "POST", path, {"format": "csv"}, key=cloud.key(KeyKind.STAFF), headers={"idempotency-key": "once"}
    )
    assert (422, "idempotency_key_reused") == (other.status, other.json["code"])


def test_an_erasure_sent_again_is_answered_though_the_customer_is_gone(cloud: Cloud) -> None:
    path = f"/v1/customers/{place(cloud, 1)}/erasure-jobs"
    first = ask(cloud, path, **{"idempotency-key": "once"})
    cloud.work()
    again = ask(cloud, path, **{"idempotency-key": "once"})
    assert (first.json["job_id"], "done") == (again.json["job_id"], again.json["state"])
    without = cloud.call(handler_at(path), "POST", path)
    assert (410, "customer_erased") == (without.status, without.json["code"])


def test_jobs_are_listed_the_last_one_first_and_page_by_page(cloud: Cloud) -> None:
    asked = [ask(cloud, PLACES[0], {}).json["job_id"] for _ in range(5)]
    found: list[str] = []
    query = "limit=2"
    while True:
        page = cloud.call(jobs, "GET", "/v1/jobs", query=query).json
        found += [job["job_id"] for job in page["data"]]
        if page["next_cursor"] is None:
            break
        query = f"limit=2&cursor={page['next_cursor']}"
    assert sorted(asked, reverse=True) == sorted(found, reverse=True) == found


@pytest.mark.parametrize("job_id", ["nothing", NOBODY, "#", "a" * 200])
def test_a_job_that_is_not_there_is_not_found(cloud: Cloud, job_id: str) -> None:
    answer = cloud.call(jobs, "GET", f"/v1/jobs/{job_id}")
    assert (404, "job_not_found") == (answer.status, answer.json["code"])


def test_a_link_is_good_for_a_quarter_of_an_hour_and_names_the_file(cloud: Cloud) -> None:
    place(cloud, 1)
    cloud.project()
    asked = ask(cloud, PLACES[0], {})
    cloud.work()
    (file,) = told(cloud, asked)["files"]
    assert "X-Amz-Expires=900" in file["url"]
    assert f"exports.s3.eu-central-1.amazonaws.com/all/{asked.json['job_id']}/{file['name']}?" in file["url"]
    listed = cloud.call(jobs, "GET", "/v1/jobs").json["data"][0]
    assert [None] == [file["url"] for file in listed["files"]]


def test_a_job_that_is_not_done_in_its_time_asks_for_itself_and_goes_on(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "LARGEST_PART", 1)
    for number in range(5):
        place(cloud, number)
    cloud.project()
    asked = ask(cloud, PLACES[0], {})
    cloud.publish()
    assert [] == cloud.run_jobs(Time(lambda: 0))
    job = told(cloud, asked)
    assert ("done", 5) == (job["state"], job["counts"]["customers_written"])
    assert 5 == len([file for file in job["files"] if file["rows"]])
    assert 5 == len({row["customer_id"] for row in rows(cloud)}) == len(rows(cloud))


def test_two_deliveries_of_a_job_never_both_go_on(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the first one works, the second takes the job up; the first stops at its next step, and writes nothing down."""
    monkeypatch.setattr(exports, "LARGEST_PART", 1)
    for number in range(3):
        place(cloud, number)
    cloud.project()
    asked = ask(cloud, PLACES[0], {})
    inner: list[Any] = []

    def deliver_again(sent: Sent, deliver: Deliver) -> AWSResponse:
        answer = deliver()
        if sent.operation == "PutObject" and not inner:
            inner.append(None)
            inner.append(run(message(asked), Time()))
        return answer

    with tapped(deliver_again):
        assert {"batchItemFailures": []} == run(message(asked), Time())
    assert {"batchItemFailures": []} == inner[1]
    job = told(cloud, asked)
    assert ("done", 3) == (job["state"], job["counts"]["customers_written"])
    assert [1, 1, 1] == [file["rows"] for file in job["files"]]
    assert set(written := [f"all/{job['job_id']}/{file['name']}" for file in job["files"]]) <= set(cloud.files())
    assert 3 == len({json.loads(cloud.files()[name])["customer_id"] for name in written})


def test_a_job_that_fails_says_so_and_can_be_sent_back_to_its_queue(cloud: Cloud) -> None:
    place(cloud, 1)
    cloud.project()
    asked = ask(cloud, PLACES[1], {})
    (profile,) = cloud.items("PROFILE")
    cloud.dynamodb.put_item(TableName="table", Item=profile | {"identifiers": {"S": "broken"}})
    assert {"batchItemFailures": [{"itemIdentifier": "1"}]} == run(message(asked), Time())
    job = told(cloud, asked)
    assert ("failed", "internal") == (job["state"], job["error"])
    assert job["finished_at"]
    cloud.dynamodb.put_item(TableName="table", Item=profile)
    assert {"batchItemFailures": []} == run(message(asked), Time())
    assert ("done", None) == (told(cloud, asked)["state"], told(cloud, asked)["error"])


def test_a_message_of_a_job_that_does_not_exist_fails(cloud: Cloud) -> None:
    body = json.dumps({"type": "job", "v": 1, "job_id": NOBODY})
    failed = [{"itemIdentifier": "1"}]
    assert {"batchItemFailures": failed} == run({"Records": [{"messageId": "1", "body": body}]}, Time())
    assert [] == [item for item in cloud.items() if item["PK"]["S"].startswith("JOB#")]


def test_a_job_that_the_table_refuses_fails_for_now_and_is_not_marked(cloud: Cloud) -> None:
    asked = ask(cloud, PLACES[0], {})
    with tapped(refused_with("ThrottlingException")):
        assert {"batchItemFailures": [{"itemIdentifier": "1"}]} == run(message(asked), Time())
    assert "queued" == told(cloud, asked)["state"]


def test_a_job_that_is_done_is_not_done_again(cloud: Cloud) -> None:
    asked = ask(cloud, PLACES[0], {})
    cloud.work()
    before = (told(cloud, asked), cloud.files())
    assert {"batchItemFailures": []} == run(message(asked), Time())
    assert before == (told(cloud, asked), cloud.files())


def test_only_a_request_for_a_job_is_handed_to_the_queue(cloud: Cloud) -> None:
    place(cloud, 1)
    asked = ask(cloud, PLACES[0], {})
    cloud.publish()
    assert [{"type": "job", "v": 1, "job_id": asked.json["job_id"]}] == [json.loads(body) for body in queued(cloud)]


@pytest.mark.parametrize("kind", ["export_customers", "export_customer", "erase_customer"])
def test_a_job_killed_at_any_call_goes_on_and_ends_as_one_that_was_not(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The counts of an erasure included, which are of things that are gone when it goes on."""
    monkeypatch.setattr(exports, "LARGEST_PART", 1 if kind == "export_customers" else 2_000)
    monkeypatch.setattr(erasure, "AT_ONCE", 2)
    monkeypatch.setattr(keys, "SHARDS", 3)  # a call for each, and each is a place to die
    calls: list[str] = []

    def one(at: int | None, fault: Any) -> Any:
        with a_cloud() as cloud:
            customer_id = place(cloud, 1)
            place(cloud, 2)
            cloud.call(handler_at("/v1/orders"), "POST", "/v1/orders/A-1/events", an_event("paid"))
            cloud.project()
            path = {
                "export_customers": PLACES[0],
                "export_customer": f"/v1/customers/{customer_id}/export-jobs",
                "erase_customer": f"/v1/customers/{customer_id}/erasure-jobs",
            }[kind]
            asked = ask(cloud, path, {} if kind == "export_customers" else None)
            bootstrap._identity_secret()

            def strike(sent: Sent, deliver: Deliver) -> AWSResponse:
                return fault(sent, deliver) if sent.call == at else deliver()

            with tapped(strike) as seen, suppress(Kill):
                run(message(asked), Time())
            calls[:] = calls or list(seen)
            assert {"batchItemFailures": []} == run(message(asked), Time())
            job = told(cloud, asked)
            names = [file["name"].partition(".")[2] for file in job["files"] if file["rows"]]
            left = sorted(json.dumps(item["SK"]) + item["type"]["S"] for item in cloud.items() if "JOB" not in item["PK"]["S"])
            masked = [line.replace(customer_id, "customer") for line in left if "LIST" not in line]
            return job["state"], job["counts"], names, len(masked)

    expected = one(None, None)
    assert "done" == expected[0]
    for at in range(len(calls)):
        for fault in (kill_before, kill_after):
            assert (at, calls[at], expected) == (at, calls[at], one(at, fault))
