"""Rooms with locked doors: who may import whom, and that a handler stays a door."""

import ast
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.architecture.sources import CORE, FUNCTIONS, ROOT, folders, imports, tree

LONGEST_HANDLER = 60


def handler(folder: str) -> Path:
    return FUNCTIONS / folder / "handler.py"


def test_the_import_rule_holds() -> None:
    """`lint-imports` with the contracts of pyproject.toml."""
    checked = subprocess.run(
        [ROOT / ".venv/bin/lint-imports", "--no-cache"],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{CORE}:{FUNCTIONS}"},
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_import_rule_knows_every_function() -> None:
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    assert sorted(rules["root_packages"]) == sorted(["ecrm", *folders()])
    contracts = {contract["id"]: contract for contract in rules["contracts"]}
    assert sorted(contracts["doors"]["modules"]) == folders()
    assert sorted(contracts["adapters"]["source_modules"]) == folders()


@pytest.mark.parametrize("folder", folders())
def test_a_handler_is_short(folder: str) -> None:
    assert len(handler(folder).read_text(encoding="utf-8").splitlines()) <= LONGEST_HANDLER


@pytest.mark.parametrize("folder", folders())
def test_a_handler_says_what_wakes_it_and_what_it_leaves_behind(folder: str) -> None:
    """Two clauses at least: a single short one would be the function's name again."""
    docstring = ast.get_docstring(tree(handler(folder)))
    assert docstring
    assert len(docstring.split()) >= 12


@pytest.mark.parametrize("folder", folders())
def test_a_handler_opens_only_the_doors_it_is_given(folder: str) -> None:
    allowed = ("ecrm.application", "ecrm.bootstrap", "ecrm.contracts", "ecrm.domain", "ecrm.entry")
    for module in imports(handler(folder)):
        assert module.partition(".")[0] in sys.stdlib_module_names or module.startswith(allowed), module


@pytest.mark.parametrize("folder", folders())
def test_a_handler_catches_nothing_and_takes_nothing_apart(folder: str) -> None:
    """No `try`, no `os.environ`, no `event["…"]`: the entry room does that, once for all."""
    for node in ast.walk(tree(handler(folder))):
        assert not isinstance(node, ast.Try | ast.TryStar)
        assert not (isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"})
        match node:
            case ast.Subscript(value=ast.Name(id="event")) | ast.Call(func=ast.Attribute(value=ast.Name(id="event"), attr="get")):
                raise AssertionError(f"line {node.lineno} takes the event apart")


@pytest.mark.parametrize("folder", folders())
def test_a_function_is_one_file(folder: str) -> None:
    """What needs more than a door belongs into a room."""
    assert [path.name for path in (FUNCTIONS / folder).glob("*.py")] == ["handler.py"]


@pytest.mark.parametrize("folder", folders())
def test_a_function_has_sample_events(folder: str) -> None:
    assert list((ROOT / "events" / folder).glob("*.json"))


def test_every_sample_event_is_some_functions() -> None:
    assert sorted(path.name for path in (ROOT / "events").iterdir() if path.is_dir()) == folders()


@pytest.mark.parametrize("room", ["domain", "analytics", "application"])
def test_the_inner_rooms_neither_log_nor_sleep_nor_look_at_the_clock(room: str) -> None:
    """Logging, time, randomness and the environment come in as arguments."""
    forbidden = {"logging", "os", "random", "secrets", "socket", "time", "uuid"}
    for path in (CORE / "ecrm" / room).rglob("*.py"):
        assert not {module.partition(".")[0] for module in imports(path)} & forbidden, path.name
        for node in ast.walk(tree(path)):
            match node:
                case ast.Attribute(value=ast.Name(id="datetime" | "date"), attr="now" | "today" | "utcnow"):
                    raise AssertionError(f"{path.name}:{node.lineno} looks at the clock")
