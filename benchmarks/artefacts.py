"""What would be uploaded, unzipped, and how large it is.

make bench
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from benchmarks.machine import machine
from local.stack import ROOT, Stack
from local.up import build, fingerprint_of_inputs, is_built, one_at_a_time

BUDGETS = {"DepsLayer": 30, "CoreLayer": 4}


@dataclass(frozen=True)
class Artefacts:
    """`layers` is one tree of both layers, as under /opt/python; `functions` are by their folder's name."""

    layers: Path
    functions: Mapping[str, Path]
    sizes: Mapping[str, int]


@cache
def built() -> Artefacts:
    """`sam build` for this machine, copied away, so that a build beside us changes nothing."""
    stack = Stack.of_environment()
    kept = stack.folder / "bench"
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    with one_at_a_time():
        fingerprint = fingerprint_of_inputs()
        if not is_built(fingerprint):
            build(stack, fingerprint)
        made = ROOT / ".aws-sam" / "build"
        functions = {handler.parent.name: handler.parents[1].name for handler in made.glob("*Function/*/handler.py")}
        for layer in BUDGETS:
            shutil.copytree(made / layer / "python", kept / "opt", dirs_exist_ok=True)
        for name in functions.values():
            shutil.copytree(made / name, kept / name)
        sizes = {name: size_of(made / name) for name in (*BUDGETS, *sorted(functions.values()))}
    return Artefacts(kept / "opt", {folder: kept / name for folder, name in functions.items()}, sizes)


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> None:
    print(f"artefacts, unzipped · {machine()}")
    for name, size in built().sizes.items():
        budget = f"of {BUDGETS[name]} MB" if name in BUDGETS else ""
        print(f"{name:40} {size / 1e6:8.3f} MB {budget}")


if __name__ == "__main__":
    main()
