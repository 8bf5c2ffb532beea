"""The transformed template, asked in the words of the house rules."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

type Properties = dict[str, Any]

SUBSTITUTION = re.compile(r"\$\{([\w:]+)[}.]")


@dataclass(frozen=True)
class Stack:
    """Resources by logical id; a layer's carries the hash that SAM gives it."""

    body: dict[str, Any]

    @property
    def resources(self) -> dict[str, dict[str, Any]]:
        return self.body["Resources"]  # type: ignore[no-any-return]  # JSON

    def of(self, kind: str) -> dict[str, Properties]:
        """Every resource of a type, `Lambda::Function` for `AWS::Lambda::Function`: logical id → properties."""
        return {
            name: resource.get("Properties", {})
            for name, resource in self.resources.items()
            if resource["Type"] == f"AWS::{kind}"
        }

    def functions(self) -> dict[str, Properties]:
        """The functions by the name of their folder."""
        return {function["Handler"].split(".")[0]: function for function in self.of("Lambda::Function").values()}

    def behind(self, alias: object) -> str:
        """The function, by its logical id, to whose alias a value points."""
        (name,) = references(alias)
        (function,) = references(self.of("Lambda::Alias")[name]["FunctionName"])
        return function

    def folder(self, logical_id: str) -> str:
        """Where a function's code lives."""
        return str(self.resources[logical_id]["Properties"]["Handler"].split(".")[0])

    def statements(self, folder: str) -> list[Properties]:
        """What a function may do: the statements of its role's inline policies."""
        (role,) = references(self.functions()[folder]["Role"])
        return [
            statement
            for policy in self.resources[role]["Properties"]["Policies"]
            for statement in policy["PolicyDocument"]["Statement"]
        ]


def references(value: object) -> set[str]:
    """The logical ids and parameters (AWS's own too) that a value names by Ref, Fn::GetAtt or Fn::Sub."""
    return set(_references(value))


def _references(value: object) -> Iterator[str]:
    match value:
        case {"Ref": str(name)}:
            yield name
        case {"Fn::GetAtt": [str(name), *_]}:
            yield name
        case {"Fn::Sub": str(text)}:
            yield from SUBSTITUTION.findall(text)
        case dict():
            for inner in value.values():
                yield from _references(inner)
        case list():
            for inner in value:
                yield from _references(inner)
        case _:
            return


def strings(value: object) -> Iterator[str]:
    """Every string in a value, keys left out."""
    match value:
        case str():
            yield value
        case dict():
            for inner in value.values():
                yield from strings(inner)
        case list():
            for inner in value:
                yield from strings(inner)
        case _:
            return
