"""A contact file on the deployed stack: dropped or uploaded, worked on by whoever lives, corrected, dropped again, and undone."""

import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zlib import crc32

import boto3
import pytest

from ecrm.domain.imports import Kind
from local.api import Api, ApiError
from local.down import drain
from local.stack import STACK_NAME, Stack
from local.up import wait_until
from tests.journey.conftest import make
from tests.journey.test_mail import kill
from tests.journey.test_profile import fetched, wait_for_job
from tools import imports as tool

ROWS, KILLED_ROWS = 1_000, 500
HEAD = ["email", "first_name", "phone", "country", "loyalty_tier"]
NAMES = ("Sara", "سارا", "小莎", "Šárka", "ساره", "サラ", "Сара")
VISITOR = "imports-browser"
"""Somebody of whom only a browser is known, until a file says who they are."""


@pytest.fixture(scope="module")
def staff(facts: dict[str, Any]) -> Iterator[Api]:
    with Api(facts["api_url"], facts["staff_key"]) as connection:
        yield connection


@pytest.fixture
def s3(stack: Stack) -> Any:
    return boto3.client("s3", **stack.client_settings())


@pytest.fixture
def drop(stack: Stack, s3: Any, facts: dict[str, Any]) -> Any:
    """Put a file into the folder of its kind, its sidecar before it, and wait for what stands beside it in the end.

    Other journeys make sites, so it has to say whose the rows are.
    """

    def put(name: str, content: bytes, **sidecar: Any) -> dict[str, Any]:
        bucket, key = facts["imports_bucket"], f"imports/{name}"
        s3.put_object(Bucket=bucket, Key=f"{key}.json", Body=json.dumps({"site": "demo"} | sidecar).encode())
        s3.put_object(Bucket=bucket, Key=key, Body=content)
        result: dict[str, Any] = {}

        def is_there() -> bool:
            try:
                result.update(json.load(s3.get_object(Bucket=bucket, Key=f"{key}.result.json")["Body"]))
            except s3.exceptions.NoSuchKey:
                return False
            return True

        wait_until(is_there, f"no result of {name}")
        assert drain(stack) == {}
        return result

    return put


def a_file(rows: list[list[str]]) -> bytes:
    written = io.StringIO()
    csv.writer(written).writerows([HEAD, *rows])
    return written.getvalue().encode()


def people(mark: str, rows: int) -> list[list[str]]:
    """Customers whom nobody knows yet, each with a telephone of their own, their names in seven scripts."""
    area = 9_000 + crc32(mark.encode()) % 1_000
    return [
        [f"{mark}-{at}@example.com", NAMES[at % len(NAMES)], f"+49 30 {area}{at:04}", "DE", "gold" if at % 2 else ""]
        for at in range(rows)
    ]


def counts(result: dict[str, Any]) -> dict[str, int]:
    words = ("rows", "created", "updated", "unchanged", "rejected", "skipped")
    return {word: result[word] for word in words if result[word]}


def find(api: Api, email: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.post("/v1/customers/lookup", {"email": email}, 200)["data"]
    return found


def test_a_file_that_is_dropped_becomes_customers_with_a_timeline_and_gets_a_result(drop: Any, staff: Api) -> None:
    result = drop("contacts/spring 2026/café & more.csv", a_file(people("dropped", 3)), tags=["spring"])
    assert (result["state"], counts(result), result["warnings"]) == ("done", {"rows": 3, "created": 3}, {})
    (customer,) = find(staff, "dropped-1@example.com")
    shown = staff.get(f"/v1/customers/{customer['customer_id']}")
    assert (shown["traits"]["first_name"], shown["traits"]["loyalty_tier"], shown["traits"]["tags"]) == (
        "سارا",
        "gold",
        ["spring"],
    )
    assert shown["phone"] == people("dropped", 2)[1][2].replace(" ", "")
    told = staff.get(f"/v1/customers/{customer['customer_id']}/timeline?limit=100")["data"]
    assert {"customer.imported"} <= {event["type"] for event in told}
    assert {f"import:{result['import_id']}"} == {event["source"] for event in told}


def test_a_thousand_rows_with_bad_ones_are_finished_by_dropping_the_corrected_file(
    drop: Any, staff: Api, s3: Any, facts: dict[str, Any]
) -> None:
    rows = people("thousand", ROWS)
    bad = {at: ["no address", "12", "not a country"][at // 100 % 3] for at in range(0, ROWS, 100)}
    for at, value in bad.items():
        rows[at][{"no address": 0, "12": 2, "not a country": 3}[value]] = value
        if value == "not a country":
            rows[at][2] = "030 901820"
    rows.append(rows[1])  # in another chunk than the first time: whoever ends the file has to look at both
    result = drop("contacts/thousand.csv", a_file(rows))
    assert counts(result) == {"rows": ROWS + 1, "created": ROWS - len(bad), "rejected": len(bad), "skipped": 1}
    assert result["reasons"]["superseded"] == 1

    key = "imports/contacts/thousand.csv.rejects.csv"
    rejected = s3.get_object(Bucket=facts["imports_bucket"], Key=key)["Body"].read().decode("utf-8-sig")
    told = list(csv.DictReader(io.StringIO(rejected)))
    reasons = {"no address": ("email", "bad_email"), "12": ("phone", "bad_phone"), "not a country": ("phone", "unknown_country")}
    assert [(int(row["_line"]), row["_column"], row["_code"]) for row in told] == [
        (at + 2, *reasons[value]) for at, value in bad.items()
    ]
    assert all(row["_message"] for row in told)

    corrected = io.StringIO()
    writer = csv.DictWriter(corrected, list(told[0]))
    writer.writeheader()
    for row, at in zip(told, bad, strict=True):
        writer.writerow(row | dict(zip(HEAD, people("thousand", at + 1)[at], strict=True)))
    again = drop("contacts/thousand corrected.csv", corrected.getvalue().encode("utf-8-sig"))
    assert counts(again) == {"rows": len(bad), "created": len(bad)}
    assert all(len(find(staff, f"thousand-{at}@example.com")) == 1 for at in (*bad, 1, ROWS - 1))


def test_the_same_content_again_changes_nothing_and_says_so(drop: Any) -> None:
    content = a_file(people("again", 3))
    first = drop("contacts/again.csv", content)
    second = drop("contacts/again, under another name.csv", content)
    assert (second["same_as"], counts(second)) == (first["import_id"], {"rows": 3, "skipped": 3})
    assert second["reasons"] == {"same_content": 3}


def test_what_an_upload_put_in_is_taken_out_again(staff: Api, tmp_path: Path) -> None:
    file = tmp_path / "undone.csv"
    file.write_bytes(a_file(people("undone", 3)))
    found = tool.run(staff, file, Kind.CONTACTS)
    assert (found["state"], found["counts"]["created"]) == ("done", 3)
    (stays,) = find(staff, "undone-2@example.com")
    path = f"/v1/customers/{stays['customer_id']}"
    staff.call("PATCH", path, {"traits": {"first_name": "Sahar"}})
    job = wait_for_job(staff, f"/v1/imports/{found['import_id']}/undo", {})
    assert (job["counts"]["rows"], job["counts"]["removed"]) == (3, 2)
    assert [find(staff, f"undone-{at}@example.com") for at in (0, 1)] == [[], []]
    assert staff.get(path)["traits"].get("first_name") == "Sahar"
    assert "changed_since" in "".join(fetched(file["url"]) for file in job["files"])
    assert staff.get(f"/v1/imports/{found['import_id']}")["state"] == "undone"


def test_the_form_takes_the_file_that_was_announced_and_no_other(staff: Api, tmp_path: Path) -> None:
    announced = {"kind": "contacts", "name": "announced.csv", "size": 10, "content_type": "text/csv"}
    form = staff.post("/v1/imports", announced)["upload"]
    file = tmp_path / "announced.csv"
    file.write_bytes(b"far more than ten bytes")
    with pytest.raises(ApiError, match="EntityTooLarge"):
        tool.upload(form, file)
    file.write_bytes(b"ten bytes!")
    for name, value in {"key": "imports/contacts/elsewhere.csv", "Content-Type": "text/html"}.items():
        with pytest.raises(ApiError, match="403"):
            tool.upload({**form, "fields": form["fields"] | {name: value}}, file)


@contextmanager
def hidden_for_a_moment(stack: Stack) -> Iterator[None]:
    """Let what a worker did not finish come back at once, and not in six of its time-outs."""
    sqs = boto3.client("sqs", **stack.client_settings())
    urls = [url for url in sqs.list_queues()["QueueUrls"] if "-ImportQueue" in url or "-ChunkQueue" in url]
    usual = {url: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"] for url in urls}
    assert len(usual) == 2
    for url in urls:
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "10"})
    yield
    for url, attributes in usual.items():
        sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)


def workers(stack: Stack, folder: str) -> list[int]:
    """The processes of a function that are at work."""
    found = (stack.status() or {})["workers"]
    return [pid for name, of in found.items() if folder in name for pid in of["busy"]]


def test_workers_that_are_killed_are_missed_by_no_row(stack: Stack, staff: Api, tmp_path: Path) -> None:
    file = tmp_path / "killed.csv"
    file.write_bytes(a_file(people("killed", KILLED_ROWS)))
    killed: list[int] = []

    def kill_one(_: dict[str, Any]) -> None:
        for folder in ("ImportRows", "ImportFile"):
            busy = workers(stack, folder)
            if len(killed) < 4 and busy:
                kill(busy[0])
                killed.append(busy[0])

    with hidden_for_a_moment(stack):
        asked = tool.hand_in(staff, file, Kind.CONTACTS)
        found = tool.wait(staff, asked["import_id"], kill_one)
        assert drain(stack) == {}
    assert len(killed) == 4
    assert (found["state"], found["counts"]["rows"], found["counts"]["created"]) == ("done", KILLED_ROWS, KILLED_ROWS)
    assert all(len(find(staff, f"killed-{at}@example.com")) == 1 for at in (0, 249, 250, KILLED_ROWS - 1))
    assert dead_letters(stack) == 0


def test_a_hop_that_fails_holds_up_the_file_and_loses_none_of_it(stack: Stack, staff: Api, tmp_path: Path) -> None:
    """Whoever writes rows may not do so for a while, because somebody has changed their role."""
    iam = boto3.client("iam", **stack.client_settings())
    (role,) = [role["RoleName"] for role in iam.list_roles()["Roles"] if "ImportRowsRole" in role["RoleName"]]
    policy = iam.get_role_policy(RoleName=role, PolicyName="import_rows")["PolicyDocument"]
    file = tmp_path / "held.csv"
    file.write_bytes(a_file(people("held", 10)))
    with hidden_for_a_moment(stack):
        iam.delete_role_policy(RoleName=role, PolicyName="import_rows")
        try:
            asked = tool.hand_in(staff, file, Kind.CONTACTS)
            wait_until(lambda: has_failed(stack, asked["import_id"]), "nobody has tried")
            held = staff.get(f"/v1/imports/{asked['import_id']}")
        finally:
            iam.put_role_policy(RoleName=role, PolicyName="import_rows", PolicyDocument=json.dumps(policy))
        found = tool.wait(staff, asked["import_id"], lambda _: None)
    assert (held["state"], held["progress"]["chunks_done"]) == ("running", 0)
    assert (found["state"], found["counts"]["created"]) == ("done", 10)
    assert dead_letters(stack) == 0


def has_failed(stack: Stack, import_id: str) -> bool:
    """Tell whether a worker has said that it could not write rows of this import."""
    logs = boto3.client("logs", **stack.client_settings())
    groups = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"] if "ImportRows" in group["logGroupName"]]
    found = (logs.filter_log_events(logGroupName=group, filterPattern=f'"{import_id}"')["events"] for group in groups)
    return any(
        '"level":"ERROR"' in event["message"] or '"level":"WARNING"' in event["message"] for each in found for event in each
    )


def dead_letters(stack: Stack) -> int:
    """How many messages of imports wait for an engineer."""
    cloudformation = boto3.client("cloudformation", **stack.client_settings())
    (found,) = cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"]
    names = {"ImportDeadLettersUrl", "ChunkDeadLettersUrl"}
    urls = [output["OutputValue"] for output in found["Outputs"] if output["OutputKey"] in names]
    assert len(urls) == len(names)
    sqs = boto3.client("sqs", **stack.client_settings())
    name = "ApproximateNumberOfMessages"
    return sum(int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name]) for url in urls)


def test_the_command_prints_what_became_of_a_file_and_writes_what_was_rejected_beside_it(stack: Stack, tmp_path: Path) -> None:
    file = tmp_path / "by hand.csv"
    file.write_bytes(a_file([*people("by-hand", 2), ["no address", "", "", "", ""]]))
    said = make("import", stack.port, FILE=str(file))
    assert "3 rows: 2 created, 0 updated, 0 unchanged, 1 rejected, 0 skipped" in said
    assert "line 4, email: " in said
    rejected = (tmp_path / "by hand.csv.rejects.csv").read_text(encoding="utf-8-sig")
    assert [row["_line"] for row in csv.DictReader(io.StringIO(rejected))] == ["4"]


def test_a_dry_run_says_what_would_be_and_writes_no_customer(stack: Stack, staff: Api, tmp_path: Path) -> None:
    file = tmp_path / "dry.csv"
    file.write_bytes(a_file(people("dry", 2)))
    assert "It was a dry run: nothing was written." in make("import", stack.port, FILE=str(file), DRY="1")
    assert find(staff, "dry-0@example.com") == []


OTHERS = {
    Kind.PRODUCTS: b"sku,name,price,currency\nIMP-1,Blue,12.50,EUR\nIMP-2,Hejira,14.00,EUR\n",
    Kind.SUPPRESSIONS: b"email\nimp-1@example.com\nimp-2@example.com\n",
    Kind.ORDERS: b"""order_id,placed_at,currency,email,sku,name,quantity,unit_price,total
IMP-1,2026-11-20T10:00:00Z,EUR,imp-3@example.com,IMP-1,Blue,1,12.50,26.50
IMP-1,2026-11-20T10:00:00Z,EUR,imp-3@example.com,IMP-2,Hejira,1,14.00,26.50
""",
    Kind.SHIPMENTS: b"""order_id,carrier,tracking_number,shipped_at
IMP-1,DHL,T-1,2026-11-21T10:00:00Z
IMP-1,DHL,T-2,2026-11-21T11:00:00Z
""",
}
"""A file of two rows of each kind but contacts, in an order in which they can be taken."""


def test_a_file_of_every_other_kind_is_taken(drop: Any) -> None:
    for kind, content in OTHERS.items():
        result = drop(f"{kind}/of two rows.csv", content)
        assert (result["state"], result["rows"], result["rejected"]) == ("done", 2, 0), result
        assert result["created"] + result["updated"] == 2, result


def files_of_every_kind(folder: Path) -> Iterator[tuple[Path, Kind]]:
    """Write a file of each kind, with what nobody knows yet, and a row among the contacts that is rejected."""
    bad = ["no address", "", "", "", ""]
    contacts = a_file([*people("every-kind", 2), bad])
    (folder / f"{Kind.CONTACTS}.csv.json").write_text('{"country": "DE"}')
    for kind, content in {Kind.CONTACTS: contacts, **OTHERS}.items():
        file = folder / f"{kind}.csv"
        file.write_bytes(content.replace(b"IMP-", b"KIND-").replace(b"imp-", b"kind-"))
        yield file, kind
    order: dict[str, Any] = {"order_id": "KIND-2", "placed_at": "2026-11-20T10:00:00Z", "currency": "EUR", "total": "1.00"}
    order["customer"] = {"email": "kind-3@example.com", "anonymous_id": VISITOR}  # who ordered before: two become one
    order["lines"] = [{"sku": "KIND-1", "name": "Blue", "quantity": 1, "unit_price": "1.00"}]
    file = folder / "orders.ndjson"
    file.write_text(json.dumps(order))
    yield file, Kind.ORDERS


def test_a_link_to_a_result_opens_without_a_key(staff: Api, drop: Any) -> None:
    result = drop("contacts/linked.csv", a_file(people("linked", 1)))
    shown = staff.get(f"/v1/imports/{result['import_id']}")
    assert json.loads(fetched(shown["result"]["url"])) == result
    url = urlsplit(shown["result"]["url"])
    connection = HTTPConnection(url.netloc, timeout=60)
    connection.request("GET", url.path)
    assert connection.getresponse().status == 403
    connection.close()
