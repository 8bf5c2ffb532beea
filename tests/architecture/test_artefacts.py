"""What is uploaded, built as `sam build` builds it: bytecode for every module (a start takes three times the CPU
without it), and no weight that nobody needs.
"""

import importlib.util
import os
import platform
import re
import subprocess
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, folders
from tests.architecture.stack import Stack

MEGABYTE = 1_000_000
UNCHECKED_HASH = 0b01  # PEP 552: found by hash, and the source is never looked at
ELF_MACHINES = {"x86_64": 62, "arm64": 183}
LAYERS = {"CoreLayer": "layers/core", "DepsLayer": "layers/deps", "ImportsLayer": "layers/imports"}
LOCKS = {"DepsLayer": "requirements/runtime.txt", "ImportsLayer": "requirements/imports.txt"}
HOST = "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"


@pytest.fixture(scope="session")
def artefacts(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Logical id → folder that `sam build` would upload, made by the same Makefiles, for this machine."""
    built = {}
    for name, resource in stack.resources.items():
        if resource["Type"] in {"AWS::Lambda::Function", "AWS::Lambda::LayerVersion"}:
            logical_id = re.sub(r"(Layer)[0-9a-f]{10}$", r"\1", name)
            source = LAYERS.get(logical_id, "functions")
            built[logical_id] = tmp_path_factory.mktemp(logical_id)
            subprocess.run(
                ["/usr/bin/env", "make", "--silent", "--makefile", ROOT / source / "Makefile", f"build-{logical_id}"],
                check=True,
                capture_output=True,
                cwd=ROOT / source,
                env={**os.environ, "ARTIFACTS_DIR": str(built[logical_id]), "ARCHITECTURE": HOST},
            )
    return built


def test_every_module_ships_with_bytecode_that_is_never_checked(artefacts: dict[str, Path]) -> None:
    for logical_id, artefact in artefacts.items():
        modules = list(artefact.rglob("*.pyc" if logical_id == "CoreLayer" else "*.py"))
        assert modules
        for module in modules:
            is_bytecode = module.suffix == ".pyc"
            bytecode = (module if is_bytecode else Path(importlib.util.cache_from_source(str(module)))).read_bytes()
            assert bytecode[:4] == importlib.util.MAGIC_NUMBER, module
            assert int.from_bytes(bytecode[4:8], "little") == UNCHECKED_HASH, module


def test_no_bytecode_ships_without_its_module(artefacts: dict[str, Path]) -> None:
    for logical_id in artefacts.keys() - {"CoreLayer"}:
        for bytecode in artefacts[logical_id].rglob("*.pyc"):
            assert Path(importlib.util.source_from_cache(str(bytecode))).exists()


def test_our_own_package_ships_whole_as_bytecode_alone(artefacts: dict[str, Path]) -> None:
    core = artefacts["CoreLayer"]
    assert sorted(str(path.relative_to(core).with_suffix(".py")) for path in core.rglob("*.pyc")) == sorted(
        str(path.relative_to(ROOT / "layers/core")) for path in (ROOT / "layers/core").rglob("*.py")
    )
    assert [] == list(core.rglob("*.py"))


@pytest.mark.parametrize(("layer", "limit"), [("DepsLayer", 30), ("ImportsLayer", 8), ("CoreLayer", 4)])
def test_a_layer_stays_within_its_budget(artefacts: dict[str, Path], layer: str, limit: int) -> None:
    size = sum(path.stat().st_size for path in artefacts[layer].rglob("*") if path.is_file())
    assert size <= limit * MEGABYTE


@pytest.mark.parametrize("folder", folders())
def test_a_function_ships_its_own_folder_and_nothing_else(artefacts: dict[str, Path], folder: str) -> None:
    artefact = artefacts["".join(word.capitalize() for word in folder.split("_")) + "Function"]
    assert sorted(str(path.relative_to(artefact)) for path in artefact.rglob("*") if path.suffix != ".pyc") == [
        folder,
        f"{folder}/__pycache__",
        *sorted(str(path.relative_to(ROOT / "functions")) for path in (ROOT / "functions" / folder).iterdir() if path.is_file()),
    ]


@pytest.mark.parametrize("layer", LOCKS)
def test_the_wheels_are_for_the_processor_they_were_asked_for(artefacts: dict[str, Path], layer: str) -> None:
    libraries = list(artefacts[layer].rglob("*.so"))
    assert libraries
    for library in libraries:
        assert int.from_bytes(library.read_bytes()[18:20], "little") == ELF_MACHINES[HOST], library.name


@pytest.mark.parametrize("layer", LOCKS)
def test_a_layer_of_wheels_holds_what_is_locked_and_nothing_else(artefacts: dict[str, Path], layer: str) -> None:
    """The SDK that sam's own environment brings along must never choose what ships."""
    locked = re.findall(r"^([\w.-]+==[^ ;\\]+)", (ROOT / LOCKS[layer]).read_text("utf-8"), re.MULTILINE)
    shipped = [path.name.removesuffix(".dist-info") for path in artefacts[layer].rglob("*.dist-info")]
    assert {re.sub(r"[-_.]+", "-", name).lower() for name in shipped} == {
        re.sub(r"[-_.]+", "-", name.replace("==", "-")).lower() for name in locked
    }
