"""Traits: what a statistics row copies of a customer, so that a rule need not read further for it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from .consent import Channel, State, Subject
from .customers import Kind

MOST = 20
"""Traits that rows copy; those that most segments name."""
LARGEST, LARGEST_OF_ALL = 256, 1_024
"""Bytes of one, and of all of a row: it pays by 4 KB, and behaviour wants to be in it, too."""
_FRAME = 8

OBJECTS = ("address", "company", "acquisition")
"""Attributes that are objects, into which a path leads."""


class TraitKind(StrEnum):
    PROFILE = "profile"
    IDENTIFIER = "identifier"
    CONSENT = "consent"


class Trait(NamedTuple):
    """An attribute, that there is an identifier, or a consent.

    `name` is a path, a kind, or a channel and a topic divided by a slash.
    """

    kind: TraitKind
    name: str


@dataclass(frozen=True, slots=True)
class TraitList:
    """The traits that rows copy; version 0 is that there never were any."""

    version: int = 0
    traits: tuple[Trait, ...] = ()


def value_of(trait: Trait, attributes: Mapping[str, Any], identifiers: frozenset[Kind], consents: Mapping[Subject, State]) -> Any:
    """Give a trait's value, None where there is none: the same for the row that copies it and for a rule that reads the facts."""
    kind, name = trait
    if kind is TraitKind.IDENTIFIER:
        return True if Kind(name) in identifiers else None
    if kind is TraitKind.CONSENT:
        state = consents.get(subject_of(trait))
        return None if state is None else state.value
    head, point, inner = name.partition(".")
    if point and head in OBJECTS:
        return attributes.get(head, {}).get(inner)
    return attributes.get(name)


def subject_of(consent: Trait) -> Subject:
    channel, _, topic = consent.name.partition("/")
    return Subject(Channel(channel), topic)


def fitted(values: Mapping[Trait, Any]) -> dict[Trait, Any]:
    """Leave out what is too large, and of the rest what comes after all that has room: its value is then not known of the row."""
    kept, room = dict[Trait, Any](), LARGEST_OF_ALL
    for trait in sorted(values):
        size = weight(trait, values[trait])
        if size <= min(room, LARGEST):
            kept[trait] = values[trait]
            room -= size
    return kept


def weight(trait: Trait, value: Any) -> int:
    """Bound the bytes that a value takes in a row, where a list or a map takes three before what is in it."""
    said = json.dumps(value, ensure_ascii=False, default=str)
    inner = 3 * (said.count("[") + said.count("{"))
    return len(trait.kind.value) + len(trait.name.encode()) + len(said.encode()) + inner + _FRAME
