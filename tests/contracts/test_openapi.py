"""The description: valid, made from the code as it is, served as it is committed, and true in its examples."""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from typing import Any

import pytest
from openapi_spec_validator import validate
from pydantic import BaseModel

from ecrm.contracts import fields
from ecrm.domain.api_keys import KeyKind
from tests.adapters.people import here
from tests.cloud import Cloud
from tests.contracts.shell import run
from tests.functions.api import DESCRIPTION, HANDLERS, OPERATIONS, OTHER, ROOT, Operation, Shop, ask, handler_at, named
from tests.functions.mail import ses
from tools import openapi, openapi_words

PAGE = (openapi.REFERENCE / "docs.html").read_text(encoding="utf-8")
SCHEMAS: dict[str, Any] = DESCRIPTION["components"]["schemas"]
BODIES = {name: schema for name, schema in SCHEMAS.items() if schema.get("additionalProperties") is False}


def test_the_description_is_a_valid_openapi_document() -> None:
    validate(DESCRIPTION)
    assert "3.1.0" == DESCRIPTION["openapi"]


def test_what_is_committed_is_what_the_code_says() -> None:
    for path, text in openapi.files().items():
        assert text == path.read_text(encoding="utf-8"), f"{path.relative_to(ROOT)}: make docs"


def test_drift_is_told_and_fails_the_check(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a copy of what is generated: one byte more is a drift, and writing mends it."""
    text = next(iter(openapi.files().values()))
    path = tmp_path / "docs" / "openapi.json"
    path.parent.mkdir()
    path.write_text(text + " ", encoding="utf-8")
    monkeypatch.setattr(openapi, "ROOT", tmp_path)
    monkeypatch.setattr(openapi, "REFERENCE", tmp_path / "reference")
    monkeypatch.setattr(sys, "argv", ["openapi", "--check"])
    with pytest.raises(SystemExit) as failed:
        openapi.main()
    assert 1 == failed.value.code
    assert "docs/openapi.json is not what the code says" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["openapi"])
    openapi.main()
    monkeypatch.setattr(sys, "argv", ["openapi", "--check"])
    openapi.main()


def test_make_check_compares_and_make_docs_writes() -> None:
    dry = [
        subprocess.run(["make", "-n", goal], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for goal in ("check", "docs")
    ]
    assert ["-m tools.openapi --check" in told for told in dry] == [True, False]
    assert all("-m tools.openapi" in told for told in dry)


def test_every_route_is_described_and_nothing_else() -> None:
    declared = {
        (route.method, route.path) for handler in (*HANDLERS.values(), handler_at("/v1/docs")) for route, _ in handler.routes
    }
    assert declared == {(operation.method, operation.path) for operation in OPERATIONS}


@pytest.mark.parametrize("operation", OPERATIONS, ids=named)
def test_an_operation_stands_where_the_template_routes_it(operation: Operation) -> None:
    here = handler_at(operation.at("x"))
    assert (operation.method, operation.path) in {(route.method, route.path) for route, _ in here.routes}


@pytest.mark.parametrize("operation", OPERATIONS, ids=named)
def test_an_operation_is_explained(operation: Operation) -> None:
    assert operation.said["summary"]
    assert all(parameter["description"] for parameter in operation.said["parameters"])
    assert operation.scope is None or "security" not in operation.said
    assert operation.scope is not None or operation.said["security"] == []


@pytest.mark.parametrize("name", BODIES)
def test_every_field_that_is_sent_is_explained(name: str) -> None:
    assert [] == [field for field, about in BODIES[name]["properties"].items() if not about.get("description")]


def test_no_word_explains_a_field_that_is_not_there() -> None:
    sent = {field for schema in BODIES.values() for field in schema["properties"]}
    sent |= {f"{name.replace('InBatch', 'Body')}.{field}" for name, schema in BODIES.items() for field in schema["properties"]}
    answered = {
        part
        for name, schema in SCHEMAS.items()
        if name not in BODIES
        for field in schema.get("properties", {})
        for part in (field, f"{name}.{field}")
    }
    assert set() == openapi_words.FIELDS.keys() - sent
    assert set() == openapi_words.ANSWERS.keys() - answered


def every(kind: type[BaseModel]) -> set[type[BaseModel]]:
    return {found for below in kind.__subclasses__() for found in (below, *every(below))}


def test_every_body_is_closed_and_strict() -> None:
    """No JSON type is turned into another, and an unknown field is an error, in every body there is."""
    bodies = every(fields.Body)
    assert len(bodies) > 15
    for body in bodies:
        assert ("forbid", True) == (body.model_config.get("extra"), body.model_config.get("strict")), body
    for query in every(fields.Query):
        assert "forbid" == query.model_config.get("extra"), query


def test_batches_show_what_their_elements_are() -> None:
    place = "#/components/schemas/"
    assert {"$ref": f"{place}PlaceOrderBody"} == SCHEMAS["PlaceOrdersBody"]["properties"]["orders"]["items"]
    assert {"$ref": f"{place}OrderEventInBatch"} == SCHEMAS["RecordOrderEventsBody"]["properties"]["events"]["items"]
    for kind, alone in SCHEMAS["OrderEventBody"]["discriminator"]["mapping"].items():
        single = SCHEMAS[alone.removeprefix(place)]
        batched = SCHEMAS[SCHEMAS["OrderEventInBatch"]["discriminator"]["mapping"][kind].removeprefix(place)]
        assert {"order_id", *single["properties"]} == set(batched["properties"])
        assert {"order_id", *single["required"]} == set(batched["required"])
        assert batched["additionalProperties"] is False


# ── examples ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_example_is_accepted_in_the_order_given(cloud: Cloud) -> None:
    shop = Shop(cloud, "")
    here(OTHER)
    cloud.arm()
    tried = 0
    for name, examples in openapi_words.EXAMPLES.items():
        operation = next(operation for operation in OPERATIONS if operation.name == name)
        for title, example in examples.items():
            with ses():
                answer = shop.send(operation, example)
            assert answer.status in (200, 201, 202), (name, title, answer.text)
            shop.customer_id = answer.json.get("customer_id", shop.customer_id)
            if "results" in answer.json:
                assert 0 == answer.json["rejected"], (name, title, answer.text)
            tried += 1
    described = [
        example["value"]
        for operation in OPERATIONS
        if operation.example is not None
        for example in operation.said["requestBody"]["content"]["application/json"]["examples"].values()
    ]
    assert len(described) == tried


def test_the_examples_have_every_type_of_event() -> None:
    kinds = SCHEMAS["OrderEventBody"]["discriminator"]["mapping"]
    assert set(kinds) == set(openapi_words.EXAMPLES["record_event"])


def test_the_answer_shown_for_an_order_is_the_answer_that_is_given(cloud: Cloud) -> None:
    shop = Shop(cloud, "")
    shown = {operation.name: example_of(operation) for operation in OPERATIONS}
    placed = shop.call("POST", "/v1/orders", openapi_words.EXAMPLES["place_order"]["order"]).json
    customer_id = placed["customer_id"]
    assert shown["place_order"] | {"customer_id": customer_id} == placed
    for kind in ("paid", "shipped"):
        moved = shop.call("POST", "/v1/orders/A-1001/events", openapi_words.EXAMPLES["record_event"][kind]).json
    assert shown["record_event"] | {"customer_id": customer_id} == moved
    assert shown["read_order"] | {"customer_id": customer_id} == shop.call("GET", "/v1/orders/A-1001").json
    cloud.project()
    path = f"/v1/customers/{customer_id}"
    before_a_night: dict[str, Any] = {"night": None, "lifecycle": None, "rfm": {}, "predictions": {}, "segments": []}
    assert shown["read_stats"] | {"customer_id": customer_id} | before_a_night == shop.call("GET", f"{path}/stats").json
    read = shop.call("GET", path).json
    assert shown["read_customer"] | {name: read[name] for name in ("customer_id", "created_at")} == read
    (event,) = shop.call("GET", f"{path}/timeline", query="type=order.paid").json["data"]
    (said,) = shown["read_timeline"]["data"]
    assert said | {name: event[name] for name in ("customer_id", "received_at", "source")} == event


def example_of(operation: Operation) -> Any:
    success = next(iter(operation.said["responses"].values()))
    return next(iter(success["content"].values())).get("example")


# ── as it is served ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_description_is_served_as_it_is_committed() -> None:
    answer = ask("GET", "/v1/openapi.json")
    assert (200, DESCRIPTION, "application/json") == (answer.status, answer.json, answer.headers["content-type"])
    assert (ROOT / "docs/openapi.json").read_text(encoding="utf-8") == answer.text


def test_the_page_is_served_so_that_a_browser_loads_and_runs_nothing_else() -> None:
    answer = ask("GET", "/v1/docs")
    assert (200, PAGE, "text/html; charset=utf-8") == (answer.status, answer.text, answer.headers["content-type"])
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert ("'none'", "'unsafe-inline'") == (policy["default-src"], policy["style-src"])
    assert ("no-referrer", "nosniff") == (answer.headers["referrer-policy"], answer.headers["x-content-type-options"])


VOID = {"meta", "br", "hr"}


class Reader(HTMLParser):
    """What is on a page, and that its tags close."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.commands: list[str] = []
        self.headings: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert tag == self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open[-2:] == ["pre", "code"] and data.startswith("curl"):
            self.commands.append(data)
        if self.open and self.open[-1] in ("h1", "h2"):
            self.headings.append(data)


def read_page() -> Reader:
    reader = Reader()
    reader.feed(PAGE)
    assert [] == reader.open
    return reader


def test_the_page_runs_no_script_and_loads_nothing() -> None:
    reader = read_page()
    tags = {tag for tag, _ in reader.tags}
    assert set() == tags & {"script", "link", "img", "iframe", "object", "embed", "form", "video", "base"}
    names = {name for _, attributes in reader.tags for name in attributes}
    assert names <= {"id", "class", "href", "lang", "charset", "name", "content"}
    shown = PAGE.replace("<code>^https://", "<code>")  # the pattern of an address is none
    assert not re.search(
        r"@import|url\(|expression|javascript:|https?://(?!(tracking|orders|shop|exports|imports)\.example\.com)", shown
    )


def test_every_link_of_the_page_leads_somewhere() -> None:
    reader = read_page()
    ids = [attributes["id"] for _, attributes in reader.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {attributes["href"] for tag, attributes in reader.tags if tag == "a"}
    assert {target for target in targets if target and target.startswith("#")} <= {f"#{name}" for name in ids}
    assert {"openapi.json"} == {target for target in targets if target and not target.startswith("#")}


def test_the_page_has_every_resource_operation_field_and_status() -> None:
    reader = read_page()
    assert [
        "eCRM API",
        "orders",
        "ingest",
        "consent",
        "customers",
        "catalog",
        "templates",
        "messages",
        "sites",
        "segments",
        "campaigns",
        "reports",
        "imports",
        "jobs",
        "reference",
        "errors",
    ] == reader.headings
    ids = {attributes.get("id") for _, attributes in reader.tags}
    assert {operation.name for operation in OPERATIONS} <= ids
    for schema in BODIES.values():
        for field in schema["properties"]:
            assert re.search(rf"<code>(?:[\w\[\].*]*\.)?{field}</code>", PAGE), field


CAMPAIGN = ("campaign", "run_id")
"""What stands in a path and is another one for each command: what is launched once is not launched again."""


def test_the_commands_of_the_page_work_as_they_stand(cloud: Cloud) -> None:
    """An erasure comes last: after it there is nobody whom the other commands could be about."""
    shop = Shop(cloud, "")
    here(OTHER)
    cloud.arm()
    assert (
        shop.call("PUT", "/v1/sites/de", openapi_words.EXAMPLES["put_site"]["site"], key=cloud.key(KeyKind.STAFF)).status == 200
    )
    commands = sorted(read_page().commands, key=lambda command: "erasure-jobs" in command)
    order = next(command for command in commands if '"$API/v1/orders" ' in command and "-d " in command)
    export = next(command for command in commands if '"$API/v1/customers/$CUSTOMER/export-jobs"' in command)
    known = {"API": "", "KEY": shop.key, "WRITE_KEY": cloud.key(KeyKind.WRITE)}
    known["CUSTOMER"] = run(order, **known).json["customer_id"]
    known["JOB"] = run(export, **known).json["job_id"]
    message = next(command for command in commands if '"$API/v1/messages" ' in command and "-d " in command)
    known["MESSAGE"] = run(message, **known).json["message_id"]
    assert "2026-11-20" == shop.night
    imports = {"undo": shop.ended_import_id}  # what is cancelled has not ended, and what is undone has
    for command in commands:
        method = found[1] if (found := re.search(r"-X (\w+)", command)) else "POST" if " -d " in command else "GET"
        path = str(re.search(r'"\$API([^"?]*)', command)[1])  # type: ignore[index]  # each has one
        operation = next(o for o in OPERATIONS if o.method == method and re.fullmatch(re.sub(r"{\w+}", "[^/]+", o.path), path))
        known["IMPORT"] = imports.get(path.rpartition("/")[2], shop.import_id)
        known |= {name.removesuffix("_id").upper(): there for name, there in shop.names(operation).items() if name in CAMPAIGN}
        with ses():
            answer = run(command, **known | {"KEY": shop.key_for(operation)})
        assert answer.status in (200, 201, 202), (command, answer.text)
    bodies = sum(len(examples) for examples in openapi_words.EXAMPLES.values())
    assert bodies + sum(operation.example is None for operation in OPERATIONS) == len(commands)


def test_the_description_names_no_machine_and_no_person() -> None:
    text = json.dumps(DESCRIPTION, ensure_ascii=False)
    assert set(re.findall(r"[\w.+-]+@([\w.-]+\.\w+)", text)) == {"example.com"}
    assert not re.search(r"localhost|127\.0\.0\.1|/work|amazonaws", text)
