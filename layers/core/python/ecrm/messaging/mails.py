"""Mails: a template and its values become subject, HTML and plain text, by minijinja within bounds.

Values are data: what stands in one is never read as a template, and is escaped in HTML. Text of an author is counted, too, so
that a loop can neither work nor write without end.
"""

import html
import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from minijinja import Environment, TemplateError

from ecrm.application.templates import Material, Preview, Rendered, Warned
from ecrm.domain.errors import Flaw, Invalid
from ecrm.domain.templates import LARGEST, Purpose, Template, Variant, direction_of, looked_up

from .filters import ARGUMENTS, URL, BadValue, Filters, page_language, written
from .markup import Markup, derived, spaced
from .samples import LINKS, SITE, sample_cart, sample_order, sample_products
from .syntax import Mark, Piece, Reading, Use, assembled, read
from .values import values_of

MOST_WORK = 16_000
"""Instructions of one part; our own with an order of 200 lines takes a quarter."""
MOST_WRITTEN = 1_000_000
"""Bytes of one part together with what its filters work on, and what they cost by themselves."""
CLIPPED = 102_000
"""Bytes of HTML from which on Gmail shows a mail in part, with a link to the rest."""
MOST_FLAWS = 50

_BODY = re.compile(r"<body\b[^>]*>", re.IGNORECASE)
_RUNS = {"L": "ltr", "R": "rtl", "AL": "rtl"}
_MARKS = {"ltr": "\u200e", "rtl": "\u200f"}
_PADDING = "&#847;&zwnj;&nbsp;" * 40
"""Keeps the first words of the mail itself from following the preheader in a list of mails."""


@dataclass(frozen=True, slots=True)
class _Part:
    """One part of a variant, read: as minijinja takes it, with what it uses and what is wrong with it."""

    source: str
    uses: Sequence[Use] = ()
    flaws: Sequence[Mark] = ()
    text_source: str = ""
    has_page: bool = True
    has_direction: bool = True
    linked: frozenset[str] = frozenset()
    oddities: Sequence[Mark] = ()
    personal: Sequence[Mark] = ()


@dataclass(frozen=True, slots=True)
class _Partial:
    """A partial in the language of what includes it; `said` is None where it has no such variant."""

    name: str
    said: Variant | None


type _Partials = tuple[_Partial, ...] | None
"""What a part may include; None where it is itself a partial's."""


@lru_cache(maxsize=64)
def _text_part(source: str, partials: _Partials = ()) -> _Part:
    included = None if partials is None else {each.name: _text_of(each.said) if each.said else None for each in partials}
    reading = read(source, ARGUMENTS, included)
    return _Part(assembled(reading.pieces), reading.uses, reading.flaws)


def _text_of(partial: Variant) -> Reading:
    """Read a partial for plain text, whose line ends count: they are printed, so that they end no line of the template."""
    reading = read(partial.html if partial.text is None else partial.text, ARGUMENTS)
    pieces = reading.pieces if partial.text is not None else Markup(reading.pieces).text
    printed = [replace(piece, kind="print", source=_quoted(piece.source)) if piece.kind == "text" else piece for piece in pieces]
    return replace(reading, pieces=printed)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


@lru_cache(maxsize=32)
def _html_part(source: str, partials: _Partials = ()) -> _Part:
    included = (
        None if partials is None else {each.name: read(each.said.html, ARGUMENTS) if each.said else None for each in partials}
    )
    reading = read(source, ARGUMENTS, included)
    if reading.flaws:
        return _Part("", reading.uses, reading.flaws)
    markup = Markup(reading.pieces)
    pieces = [
        replace(piece, source=f"({piece.source}) | {URL}({_quoted(markup.addresses[at])}, line={piece.line})")
        if at in markup.addresses
        else piece
        for at, piece in enumerate(reading.pieces)
    ]
    return _Part(
        assembled(pieces),
        reading.uses,
        markup.flaws,
        assembled(markup.text),
        markup.has_page,
        markup.has_direction,
        frozenset(_written_in(reading.pieces, markup.linked)),
        markup.oddities,
        markup.personal,
    )


def _written_in(pieces: Sequence[Piece], places: frozenset[int]) -> Iterator[str]:
    return (pieces[at].source for at in places)


@dataclass(slots=True)
class _Meter:
    """How much of a part may still be written."""

    left: int = MOST_WRITTEN

    def spend(self, size: int) -> str:
        self.left -= size
        if self.left < 0:
            raise Invalid(f"a part of a mail is at most {MOST_WRITTEN} bytes", code="mail_too_large")
        return ""


@dataclass(slots=True)
class _Desk:
    """Where one mail is made: its values, its language, and the bounds that it is made within."""

    language: str
    material: Material
    meter: _Meter = field(default_factory=_Meter)

    def environment(self) -> Environment:
        order = self.material.order
        filters = Filters(
            language=self.language,
            zone=ZoneInfo(self.material.site.time_zone),
            currency=order.order.currency if order else self.material.site.currency,
            spend=self.meter.spend,
        )
        return Environment(
            filters=filters.by_name,
            globals={"_pay": self.meter.spend, "_in": filters.contains},
            undefined_behavior="chainable",
            auto_escape_callback=lambda name: name == "html",
            finalizer=self._finalize,
            fuel=MOST_WORK,
            debug=False,
            pycompat=False,
            keep_trailing_newline=True,
        )

    def _finalize(self, value: Any) -> str:
        return written(value, self.meter.spend)


class Mails:
    """Makes mails, and says what is wrong with a template. What was read of a template is kept for a container's life."""

    def check(self, template: Template) -> Sequence[Warned]:
        size = sum(len(part.encode()) for _, part in _parts_of(template))
        if size > LARGEST:
            flaw = _flaw(
                "/variants", Mark(1, "template_too_large", f"a template is at most {LARGEST} bytes in all its languages")
            )
            raise Invalid(flaw.detail, code=flaw.code, flaws=(flaw,))
        flaws: list[Flaw] = []
        warnings: list[Warned] = []
        for language in sorted(template.variants):
            wrong, warned = self._check(template, language)
            flaws += (_flaw(f"/variants/{language}/{part}", mark) for part, mark in wrong)
            warnings += (Warned(f"/variants/{language}/{part}", mark.line, mark.code, mark.detail) for part, mark in warned)
        if flaws:
            raise Invalid(flaws[0].detail, code=flaws[0].code, flaws=tuple(flaws[:MOST_FLAWS]))
        return warnings

    def _check(self, template: Template, language: str) -> tuple[list[tuple[str, Mark]], list[tuple[str, Mark]]]:
        """Give what is wrong with a variant, part by part, else what is odd; it is made once with sample values."""
        wrong = [(name, mark) for name, part in _read_parts(template, language) for mark in part.flaws]
        if template.purpose is Purpose.MARKETING:
            wrong += _missing_of_marketing(template, language)
            page = _html_part(template.variants[language].html, _partials_of(template, language))
            wrong += (("html", mark) for mark in page.personal)
        if wrong:
            return wrong, []
        material = _sample(Material(site=SITE))
        try:
            made = self.render(template, language, material)
        except _PartFailed as failed:
            return [(failed.part, failed.mark)], []
        return [], [*_oddities(template, language, material, made.size_bytes)]

    def includes(self, template: Template) -> frozenset[str]:
        sources = (part for variant in template.variants.values() for part in (variant.html, variant.text or ""))
        return frozenset(name for source in sources for name in read(source, ARGUMENTS, {}).includes)

    def asks_for(self, template: Template, language: str) -> frozenset[str]:
        return frozenset(use.path[0] for _, part in _read_parts(template, language) for use in part.uses)

    def render(self, template: Template, language: str, material: Material) -> Rendered:
        variant = template.variants[language]
        partials = _partials_of(template, language)
        values = values_of(material, language)
        fill = _filling(_Desk(language, material), values)
        values["preheader"] = preheader = _one_line(fill("preheader", _text_part(variant.preheader).source))
        subject = _leaning(_one_line(fill("subject", _text_part(variant.subject).source)), language)
        page = _html_part(variant.html, partials)
        made = fill("html", page.source).replace("&#x2f;", "/")  # minijinja escapes more than links are readable with
        if not page.has_page:
            made = _page(made, language, subject)
        if preheader and not any(use.path == ("preheader",) for use in page.uses):
            made = _with_preheader(made, preheader)
        if variant.text is None:
            text = derived(fill("text", page.text_source))
        else:
            text = spaced(fill("text", _text_part(variant.text, partials).source))
        return Rendered(subject=subject, preheader=preheader, html=made, text=text)

    def preview(self, template: Template, language: str, material: Material) -> Preview:
        lent = _sample(material)
        mail = self.render(template, language, lent)
        values = values_of(lent, language)
        missing = [
            Warned(f"/variants/{language}/{name}", use.line, "missing_value", f"nothing stands in {'.'.join(use.path)}")
            for name, part in _read_parts(template, language)
            for use in _unguarded(part.uses)
            if use.path[0] in ("customer", "data", "order", "site") and not _found(values, use.path)
        ]
        return Preview(language, mail, missing)


class _PartFailed(Invalid):
    """A part that could not be made; `mark` says where."""

    def __init__(self, part: str, mark: Mark) -> None:
        super().__init__(f"{part}, line {mark.line}: {mark.detail}", code=mark.code)
        self.part = part
        self.mark = mark


def _filling(desk: _Desk, values: Mapping[str, Any]) -> Callable[[str, str], str]:
    environment = desk.environment()

    def fill(name: str, source: str) -> str:
        desk.meter.left = MOST_WRITTEN
        try:
            return environment.render_str(source, name, **values)
        except TemplateError as error:
            if error.kind == "OutOfFuel":
                mark = Mark(error.line or 1, "loop_too_long", "the loops of a template go on for too long")
            else:
                mark = Mark(error.line or 1, "template_failed", error.detail or error.message)
            raise _PartFailed(name, mark) from None
        except Invalid as error:
            line = error.line if isinstance(error, BadValue) else 1
            raise _PartFailed(name, Mark(line, error.code, error.detail)) from None

    return fill


def _sample(material: Material) -> Material:
    """Lend an order, products, a cart and links to who has none."""
    site = material.site
    return replace(
        material,
        order=material.order or sample_order(site),
        products=material.products or sample_products(site),
        cart=material.cart or sample_cart(site),
        links=LINKS | dict(material.links),
    )


def _parts_of(template: Template) -> Iterator[tuple[str, str]]:
    for variant in template.variants.values():
        yield from (("subject", variant.subject), ("preheader", variant.preheader), ("html", variant.html))
        yield "text", variant.text or ""


def _partials_of(template: Template, language: str) -> _Partials:
    """Give each partial in a template's language: words of another language help nobody."""
    if template.purpose is Purpose.PARTIAL:
        return None
    return tuple(_Partial(name, _variant_for(partial, language)) for name, partial in sorted(template.partials.items()))


def _variant_for(partial: Template, language: str) -> Variant | None:
    """A ready-made one speaks English in languages that we do not speak, as orders do, where they are written its way."""
    tag = looked_up(language, partial.variants)
    if tag is None and partial.head.is_ready_made:
        ours = page_language(language)
        tag = ours.value if direction_of(ours.value) == direction_of(language) else None
    return None if tag is None else partial.variants[tag]


def _read_parts(template: Template, language: str) -> Iterator[tuple[str, _Part]]:
    variant, partials = template.variants[language], _partials_of(template, language)
    yield "subject", _text_part(variant.subject)
    yield "preheader", _text_part(variant.preheader)
    yield "html", _html_part(variant.html, partials)
    if variant.text is not None:
        yield "text", _text_part(variant.text, partials)


def _missing_of_marketing(template: Template, language: str) -> Iterator[tuple[str, Mark]]:
    """A marketing mail tells, whatever its values are, who sends it from where, and how to get no more of it."""
    variant = template.variants[language]
    page = _html_part(variant.html, _partials_of(template, language))
    if not page.flaws and "links.unsubscribe" not in page.linked:
        detail = 'a marketing mail has a link to unsubscribe: <a href="{{ links.unsubscribe }}">'
        yield "html", Mark(_last_line(variant.html), "missing_unsubscribe", detail)
    for name, part in _read_parts(template, language):
        source = variant.text if name == "text" else variant.html
        if name not in ("html", "text") or part.flaws or source is None:
            continue
        certain = {use.path for use in part.uses if use.is_certain}
        if ("links", "unsubscribe") not in certain and (name == "text" or "links.unsubscribe" in page.linked):
            detail = "a marketing mail says outside of any if or for how to unsubscribe: {{ links.unsubscribe }}"
            yield name, Mark(_last_line(source), "missing_unsubscribe", detail)
        if ("site", "postal_address") not in certain:
            detail = "a marketing mail says outside of any if or for where it comes from: {{ site.postal_address }}"
            yield name, Mark(_last_line(source), "missing_postal_address", detail)


def _last_line(source: str) -> int:
    return source.rstrip("\n").count("\n") + 1


def _oddities(template: Template, language: str, material: Material, size: int) -> Iterator[tuple[str, Mark]]:
    values = values_of(material, language) | {"preheader": ""}
    for name, part in _read_parts(template, language):
        for use in dict.fromkeys(part.uses):
            if not _is_known(values, use.path):
                yield name, Mark(use.line, "unknown_variable", f"there is no {'.'.join(use.path)}")
    page = _html_part(template.variants[language].html, _partials_of(template, language))
    if not page.has_direction and direction_of(language) == "rtl":
        detail = 'this language is written from the right: <html lang="{{ language.tag }}" dir="{{ language.direction }}">'
        yield "html", Mark(1, "no_direction", detail)
    yield from (("html", mark) for mark in page.oddities)
    if size > CLIPPED:
        yield "html", Mark(1, "clipped", f"Gmail clips a mail of more than {CLIPPED} bytes, and this one has {size}")


def _unguarded(uses: Sequence[Use]) -> Iterator[Use]:
    """Give what is printed by a template that nowhere asks whether it is there, or says what stands in its place."""
    guarded = {use.path for use in uses if not use.is_printed}
    return (use for use in dict.fromkeys(uses) if use.is_printed and use.path not in guarded)


def _is_known(values: Mapping[str, Any], path: tuple[str, ...]) -> bool:
    """Say whether a template may speak of something; what customers and callers have is theirs to say."""
    if path[0] not in values:
        return False
    if path[0] in ("customer", "data") or isinstance(values[path[0]], list):
        return True
    return path[0] == "preheader" or (len(path) > 1 and path[1] in values[path[0]])


def _found(values: Mapping[str, Any], path: tuple[str, ...]) -> bool:
    value: Any = values
    for part in path:
        if isinstance(value, list) and part.isdigit():
            value = value[int(part)] if int(part) < len(value) else None
        else:
            value = value.get(part) if isinstance(value, dict) else None
    return value not in (None, "")


def _flaw(pointer: str, mark: Mark) -> Flaw:
    return Flaw(pointer, mark.code, f"line {mark.line}: {mark.detail}")


def _one_line(text: str) -> str:
    return " ".join(text.split("\n")).replace("\r", " ").strip() if "\n" in text or "\r" in text else text.strip()


def _leaning(subject: str, language: str) -> str:
    """Begin a subject with the mark of its language's direction where a letter of the other one comes first.

    It has no `dir`: mail programs lay it out by that letter, which is often one of a name. One without a letter of its language
    stays as it is.
    """
    runs = [_RUNS.get(unicodedata.bidirectional(letter)) for letter in subject]
    first, direction = next(filter(None, runs), None), direction_of(language)
    return _MARKS[direction] + subject if direction in runs and first != direction else subject


def _page(inner: str, language: str, title: str) -> str:
    return (
        f'<!doctype html>\n<html lang="{language}" dir="{direction_of(language)}">\n<head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{html.escape(title)}</title></head>\n'
        f"<body>\n{inner}\n</body>\n</html>\n"
    )


def _with_preheader(made: str, preheader: str) -> str:
    hidden = f'<div style="display:none;max-height:0;overflow:hidden;mso-hide:all">{html.escape(preheader)}{_PADDING}</div>'
    return _BODY.sub(lambda found: found[0] + hidden, made, count=1)
