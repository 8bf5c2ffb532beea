"""What ships must bring what it imports: on a laptop the emulator's own packages would hide a gap."""

import re
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, folders, imports, shipped

PINNED = re.compile(r"^([A-Za-z0-9._-]+)==", re.MULTILINE)


def locked(page: str) -> set[str]:
    """The distributions that a requirements file pins."""
    text = (ROOT / "requirements" / page).read_text(encoding="utf-8")
    return {normal(name) for name in PINNED.findall(text)}


@cache
def distributions() -> Mapping[str, list[str]]:
    """Which distributions each installed module is of; finding out takes a while."""
    return packages_distributions()


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


# Known to type checkers alone, and never imported when the code runs.
STUBS = {"mypy_boto3_dynamodb", "mypy_boto3_s3", "mypy_boto3_secretsmanager", "mypy_boto3_sesv2", "mypy_boto3_sqs"}


@pytest.mark.parametrize("path", shipped(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_shipped_module_imports_what_ships(path: Path) -> None:
    own = {"ecrm", *folders()}
    ships = locked("runtime.txt") | locked("imports.txt")
    for module in imports(path):
        top = module.partition(".")[0]
        if top in own | set(sys.stdlib_module_names) | STUBS:
            continue
        assert {normal(name) for name in distributions()[top]} & ships, f"{top} is in no layer"


@pytest.mark.parametrize("layer", ["runtime.txt", "imports.txt"])
def test_what_ships_is_what_is_tested(layer: str) -> None:
    """One resolution: the tests run with the very pins of the layer."""

    def pins(page: str) -> set[str]:
        text = (ROOT / "requirements" / page).read_text(encoding="utf-8")
        return set(re.findall(r"^[A-Za-z0-9._-]+==\S+", text, re.MULTILINE))

    assert pins(layer) <= pins("dev.txt")


@pytest.mark.parametrize("page", ["runtime.txt", "imports.txt", "dev.txt", "tools.txt", "bench.txt"])
def test_every_requirement_is_hash_locked_and_names_no_host(page: str) -> None:
    text = (ROOT / "requirements" / page).read_text(encoding="utf-8")
    entries = re.split(r"\n(?=\S)", text.strip())
    pinned = [entry for entry in entries if not entry.startswith("#")]
    assert pinned
    for entry in pinned:
        assert "--hash=sha256:" in entry, entry.splitlines()[0]
    assert "://" not in text
    assert "index" not in text.replace("importlib", "")
