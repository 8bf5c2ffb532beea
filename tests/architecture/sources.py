"""The code, read as a tree: what it imports, and which settings it takes from its environment."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

ROOT = Path(__file__).parents[2]
CORE = ROOT / "layers" / "core" / "python"
FUNCTIONS = ROOT / "functions"


def folders() -> list[str]:
    """The functions: everything that can wake the system."""
    return sorted(path.parent.name for path in FUNCTIONS.glob("*/handler.py"))


def shipped() -> list[Path]:
    """Every module that runs in the cloud."""
    return sorted([*CORE.rglob("*.py"), *FUNCTIONS.rglob("*.py")])


def tree(path: Path) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imports(path: Path) -> set[str]:
    """What a module imports, in full: `time.sleep` for `from time import sleep`; what type checkers alone see, too."""
    found: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = [*_neighbours(path, node.level), *filter(None, [node.module])]
            found.update(".".join([*package, alias.name]) for alias in node.names)
    return found


def _neighbours(path: Path, level: int) -> tuple[str, ...]:
    """The package that a relative import with that many dots starts from; an absolute one starts nowhere."""
    if not level:
        return ()
    return path.relative_to(CORE if path.is_relative_to(CORE) else FUNCTIONS).parts[:-level]


def settings(path: Path) -> set[str]:
    """The environment variables that a module reads. A name that is not a literal cannot be checked and fails."""
    return set(_settings(tree(path), path))


def _settings(module: ast.Module, path: Path) -> Iterator[str]:
    parents = {child: node for node in ast.walk(module) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(module):
        if _is_environment(node):
            use = parents[node]
            if isinstance(use, ast.Attribute) and use.attr == "get":
                use = parents[use]
            match use:
                case ast.Subscript(slice=ast.Constant(value=str(name))):
                    yield name
                case ast.Call(args=[ast.Constant(value=str(name)), *_]):
                    yield name
                case _:
                    raise AssertionError(f"{path.name}:{node.lineno} reads a setting whose name is not a literal")


def _is_environment(node: ast.AST) -> TypeGuard[ast.Attribute]:
    """`os.environ`, and `os.getenv`."""
    return isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
