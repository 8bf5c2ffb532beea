"""docs/api.md says what is true: its examples run, its tables are those of the code."""

import ast
import json
import re
from collections.abc import Iterator
from typing import Any, TypeIs

import pytest

from ecrm.application import messages
from ecrm.application import orders as use
from ecrm.contracts import fields, products
from ecrm.contracts import orders as wire
from ecrm.contracts.messages import LARGEST_DATA
from ecrm.contracts.problems import _CODES
from ecrm.contracts.statistics import CurrencyStatisticsBody, StatisticsBody
from ecrm.domain import instants, money, orders, reasons, templates
from ecrm.domain.api_keys import ALLOWED, KeyKind
from ecrm.domain.messages import Status
from ecrm.entry import cursors, http, json_body, problems
from ecrm.store import products as store
from tests.architecture.pages import CODE, section, table
from tests.architecture.sources import CORE
from tests.cloud import Cloud
from tests.contracts.shell import run, same
from tests.functions.api import ROOT

PAGE = ROOT / "docs" / "api.md"
TEXT = PAGE.read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
NOT_OVER_HTTP = {
    *("key_not_found", "scope_not_allowed", "link_not_found", "sign_up_not_found", "from_elsewhere", "wrong_content_type"),
    *("address_unfit", "header_unfit", "request_gone", "template_purpose"),
    *("bad_sequencer", "file_refused"),
    *("night_file_not_found", "night_overtaken", "night_unpublished"),
    *("error", "conflict", "not_found", "already_exists", "limit_reached", "forbidden"),
}
"""Codes of the command line, the customer's page, mails that cannot be sent, jobs and nights that fail.

And of classes that never lack a code of their own.
"""
OF_FILES = {*reasons.FILE, *reasons.ROW, *reasons.SKIP, *reasons.WARNING}
"""Codes of contact files, which docs/contact-files.md explains; some of them are also those of requests."""
TAKES_A_CODE = {"_Wrong": 0, "at": 1, "Flaw": 1, "Refusal": 1, "BadJson": 0, "PydanticCustomError": 0}
"""Calls whose argument at this place is a code."""


def codes_of_a_table(rows: list[list[str]]) -> Iterator[tuple[str, ...]]:
    for names, *rest in rows:
        for name in CODE.findall(names):
            yield name, *rest


CODES = {code: int(status) for code, status in codes_of_a_table(table(section(PAGE, "Errors"), "code", "status"))}


def literals() -> Iterator[str]:
    """Every code that the source writes out."""
    for path in (CORE / "ecrm").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                at = TAKES_A_CODE.get(called)
                given = [node.args[at]] if at is not None and len(node.args) > at else []
                given += [keyword.value for keyword in node.keywords if keyword.arg == "code"]
                yield from (value.value for value in given if isinstance(value, ast.Constant) and isinstance(value.value, str))
            if isinstance(node, ast.ClassDef):
                yield from (ast.literal_eval(line.value) for line in node.body if is_a_code(line))


def is_a_code(line: ast.stmt) -> TypeIs[ast.Assign]:
    return isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "code"


def test_every_code_is_explained_and_every_explained_code_exists() -> None:
    made = {f"{name}_exceeds_ordered" for name, fact in orders.FACTS.items() if issubclass(fact, orders.LinesFact)}
    written = set(literals()) - NOT_OVER_HTTP - (OF_FILES - CODES.keys())
    assert CODES.keys() == written | made | set(_CODES.values()) | {"wrong_type", "internal"}


def test_a_code_stands_in_one_row() -> None:
    names = [name for name, *_ in codes_of_a_table(table(section(PAGE, "Errors"), "code"))]
    assert sorted(set(names)) == sorted(names)


def test_every_status_of_a_refusal_has_a_code() -> None:
    assert set(problems.TITLES) == set(CODES.values())


def examples() -> list[tuple[str, Any]]:
    """Each command, with what is shown of its answer."""
    blocks = [(kind, body) for kind, body in BLOCK.findall(TEXT)]
    assert ["sh", "json"] * (len(blocks) // 2) == [kind for kind, _ in blocks]
    return [(command, json.loads(answer)) for (_, command), (_, answer) in zip(blocks[::2], blocks[1::2], strict=True)]


def test_the_examples_run_one_after_the_other_as_they_are_shown(cloud: Cloud) -> None:
    shown = examples()
    assert len(shown) > 5
    known = {"API": "", "KEY": cloud.key(), "STAFF": cloud.key(KeyKind.STAFF), "WRITE": cloud.key(KeyKind.WRITE)}
    for command, answer in shown:
        found = run(command, **known)
        known.setdefault("CUSTOMER", found.json.get("customer_id", ""))
        assert [] == same(answer, found.json), command


def test_the_examples_answers_are_looked_at() -> None:
    assert ["/b/0: 1 is said, 2 is found"] == same({"a": "…", "b": [1]}, {"a": 5, "b": [2], "c": 7})
    assert ["/a: 1 is said, null is found"] == same({"a": 1}, {})


def test_the_kinds_of_keys_have_the_scopes_that_are_told() -> None:
    told = {CODE.findall(kind)[0]: set(CODE.findall(scopes)) for kind, scopes in table(section(PAGE, "Keys"), "kind", "may have")}
    assert {kind.value: {scope.value for scope in ALLOWED[kind]} for kind in KeyKind} == told


def test_every_status_of_an_order_is_explained_in_the_order_in_which_they_are_tried() -> None:
    told = [name for name, *_ in codes_of_a_table(table(section(PAGE, "Orders"), "status"))]
    source = ast.unparse(ast.parse((CORE / "ecrm/domain/orders.py").read_text(encoding="utf-8")))
    tried = re.findall(r"\(Status\.(\w+), ", source)
    assert told == [orders.Status[name].value for name in tried] + ["placed"]
    assert set(told) == {status.value for status in orders.Status}


def test_every_status_of_a_message_is_explained() -> None:
    told = {name for name, *_ in codes_of_a_table(table(section(PAGE, "Messages"), "status"))}
    assert {status.value for status in Status} | {"delivered", "bounced", "complained", "rejected"} == told


def test_every_event_is_explained() -> None:
    told = [name for name, *_ in codes_of_a_table(table(section(PAGE, "Orders"), "event"))]
    assert list(orders.FACTS) == told


def test_every_word_of_needs_attention_is_explained() -> None:
    told = {name for name, *_ in codes_of_a_table(table(section(PAGE, "Orders"), "needs_attention"))}
    source = (CORE / "ecrm/domain/orders.py").read_text(encoding="utf-8")
    fold = next(node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and node.name == "fold")
    appended = {
        call.args[0].value
        for call in ast.walk(fold)
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "attention.append" and isinstance(call.args[0], ast.Constant)
    }
    counted = {f"{name}_exceeds_ordered" for name in ("shipped", "delivered", "cancelled", "returned")}
    assert appended | counted == told


def test_every_figure_of_the_statistics_is_defined() -> None:
    told = {name for name, *_ in codes_of_a_table(table(section(PAGE, "Statistics"), "figure"))}
    figures = set(StatisticsBody.model_fields) | set(CurrencyStatisticsBody.model_fields)
    assert figures - {"customer_id", "currencies"} == told


LIMITS = {
    "a body": (256 * 1024 == http.LARGEST_BODY, "256 KB"),
    "a batch": (1024 * 1024 == http.LARGEST_BATCH and wire.MOST_IN_BATCH == 100, "1 MB, 100 elements"),
    "lines of an order": (orders.MOST_LINES == 200, "200"),
    "events of an order": (orders.MOST_FACTS == 200, "200"),
    "`data` of a message": (LARGEST_DATA == 32 * 1024 and fields.DEEPEST == 20, "32 KB of JSON, 20 levels"),
    "a template": (templates.LARGEST == 300_000, "300 KB"),
    "a product": (store.LARGEST == 64 * 1024 and products.MOST_LANGUAGES == 20, "64 KB; 20 languages"),
    "days of a list": (use.MOST_DAYS == 31, "31"),
    "items of a page": (4 * 1024 * 1024 == cursors.LARGEST_PAGE, "100, and 4 MB"),
}


@pytest.mark.parametrize("what", LIMITS)
def test_a_limit_is_the_one_that_is_told(what: str) -> None:
    is_so, words = LIMITS[what]
    told = dict(table(section(PAGE, "Limits"), "what", "at most"))
    assert is_so
    assert told[what].startswith(words)


def test_other_figures_of_the_page_are_those_of_the_code() -> None:
    prose = " ".join(TEXT.split())
    assert f"deeper than {json_body.DEEPEST} " in prose
    assert f"more than {json_body.MOST_DIGITS:,} digits" in prose
    assert f"refused within {http.KEY_CACHE_SECONDS} seconds" in prose
    assert f"1 to {http.LONGEST_IDEMPOTENCY_KEY} printable ASCII" in prose
    assert f"for {http.REPLAY_KEPT.total_seconds() / 3600:.0f} hours" in prose
    assert f"may be {instants.AHEAD.total_seconds() / 3600:.0f} hours ahead" in prose
    assert (messages.LINKS_AN_HOUR, messages.LINKS_A_DAY, messages.LINKS_AN_IP, messages.KEPT_FOR.days) == (3, 10, 20, 3)
    assert "at most three links an hour and ten a day are mailed to one address, and at most twenty requests an hour" in prose
    assert "more than three days old" in prose
    assert money.LARGEST == 10**12
    assert "at most 10¹²" in prose
    assert all(code in prose for code in money.WITHDRAWN)
