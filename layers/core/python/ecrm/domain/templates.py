"""A template: what a mail says, in each of its languages, under versions that never change."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

LARGEST = 300_000
"""Bytes of UTF-8 over all languages: a version is one item of the table, which holds 400 KB."""


type Direction = Literal["ltr", "rtl"]

_RIGHT_TO_LEFT = frozenset({"ar", "arc", "ckb", "dv", "fa", "he", "iw", "khw", "ks", "nqo", "ps", "sd", "syr", "ug", "ur", "yi"})
_RIGHT_TO_LEFT_SCRIPTS = frozenset({"Adlm", "Arab", "Hebr", "Nkoo", "Rohg", "Syrc", "Thaa"})
_SCRIPT = re.compile(r"-([A-Z][a-z]{3})(?:-|$)", re.ASCII)


class Purpose(StrEnum):
    """A transactional mail is owed to its receiver; a marketing mail needs their consent to its topic; a partial is no mail.

    A partial is a piece that templates share: they include it by name.
    """

    TRANSACTIONAL = "transactional"
    MARKETING = "marketing"
    PARTIAL = "partial"


READY_MADE = {
    "back-to-cart": Purpose.MARKETING,
    "birthday": Purpose.MARKETING,
    "cart": Purpose.PARTIAL,
    "confirm-address": Purpose.TRANSACTIONAL,
    "data-request": Purpose.TRANSACTIONAL,
    "newsletter": Purpose.MARKETING,
    "order-confirmed": Purpose.TRANSACTIONAL,
    "order-delivered": Purpose.TRANSACTIONAL,
    "order-lines": Purpose.PARTIAL,
    "order-link": Purpose.TRANSACTIONAL,
    "order-refunded": Purpose.TRANSACTIONAL,
    "order-shipped": Purpose.TRANSACTIONAL,
    "product-grid": Purpose.PARTIAL,
    "second-purchase": Purpose.MARKETING,
    "we-miss-you": Purpose.MARKETING,
    "welcome": Purpose.MARKETING,
}
"""The templates that are there before a company has written one, and what each is for.

The marketing ones name no topic: whoever sends one does.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A template in one language; the plain text is derived from the HTML where `text` is None. A partial has no subject."""

    subject: str
    html: str
    preheader: str = ""
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateHead:
    """A template without what it says; `pinned` are the versions of the partials that it includes.

    Version 0 is a ready-made one, which nobody has changed and which has no time.
    """

    template: str
    purpose: Purpose
    topic: str | None
    languages: tuple[str, ...]
    updated_at: datetime | None
    version: int
    pinned: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_ready_made(self) -> bool:
        return self.version == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """`variants` are by language, a BCP 47 tag; a marketing template names the topic that it needs consent to.

    `pinned` are the versions of the partials that it includes, as they were when it was saved, by name; `partials` are these
    themselves, for whoever renders.
    """

    template: str
    purpose: Purpose
    topic: str | None = None
    variants: Mapping[str, Variant]
    pinned: Mapping[str, int] = field(default_factory=dict)
    partials: Mapping[str, "Template"] = field(default_factory=dict)
    updated_at: datetime | None = None
    version: int = 0

    @property
    def head(self) -> TemplateHead:
        return TemplateHead(
            template=self.template,
            purpose=self.purpose,
            topic=self.topic,
            languages=tuple(sorted(self.variants)),
            updated_at=self.updated_at,
            version=self.version,
            pinned=self.pinned,
        )


def direction_of(language: str) -> Direction:
    """Say which way a language is written, by its script where the tag names one."""
    script = _SCRIPT.search(language)
    if script:
        return "rtl" if script[1] in _RIGHT_TO_LEFT_SCRIPTS else "ltr"
    return "rtl" if language.partition("-")[0] in _RIGHT_TO_LEFT else "ltr"


def choose(languages: Iterable[str], wanted: str | None, site_languages: Iterable[str]) -> str:
    """Choose a variant: what the customer reads, else the site's first language that there is, else the first in order.

    A language is looked up as RFC 4647 says (`zh-Hant-TW`, `zh-Hant`, `zh`); then any variant of the same language does.
    """
    there = sorted(languages)
    for asked in ((wanted,) if wanted else ()) + tuple(site_languages):
        found = looked_up(asked, there)
        if found is not None:
            return found
    return there[0]


def looked_up(asked: str, languages: Iterable[str]) -> str | None:
    """Give the nearest to a language that there is, as RFC 4647 says, else another variant of the same language."""
    there = sorted(languages)
    tag = asked
    while tag:
        if tag in there:
            return tag
        tag = tag.rpartition("-")[0]
    language = asked.partition("-")[0]
    return next((each for each in there if each.partition("-")[0] == language), None)
