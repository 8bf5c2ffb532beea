"""The language of templates: what an author may write, where each thing stands, and the same as minijinja reads it.

Minijinja renders; it does not say where a variable stands, takes whatever its authors thought of, and a chain of 20,000 operators
overflows its stack. So a template is read here first: values, comparisons, `if`, `for` and the filters of `filters.py`, nothing
that computes, assigns or calls. A partial is read by itself, and its pieces stand where it is included. A filter's arguments may
stand after a colon (`| default: "friend"`). For minijinja each filter is also told the line it stands on, and `in` becomes a
function, so that its work is counted.

    print      {{ expression }}
    block      {% if expression %} {% elif expression %} {% else %} {% endif %}
               {% for name in value %} {% else %} {% endfor %}  {% raw %} {% endraw %}  {% include "partial" %}
    expression value {("and" | "or" | comparison | "is") value}, each with "not" before it and filters behind it
    value      text, number, name {"." name | "[" value "]"}, "(" expression ")", "[" values "]", range(n)
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

MOST_TOKENS = 200
"""Of one tag: minijinja recurses over some of them."""
MOST_TAGS = 1_000
MOST_INCLUDED = 300_000
"""Characters that all partials of a template have together, each as often as it is included."""
DEEPEST = 20
"""Blocks within blocks, and brackets within brackets."""

_OPENING = re.compile(r"\{([{%#])(-?)")
_TOKEN = re.compile(
    r"""\s*(?:(?P<end>-?(?:%\}|\}\}))
    |(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<number>\d+(?:\.\d+)?)
    |(?P<name>[A-Za-z_]\w*)
    |(?P<sign>[=!<>]=|[<>|:,.()\[\]-]))""",
    re.VERBOSE | re.ASCII | re.DOTALL,
)
_ENDRAW = re.compile(r"\{%-?\s*endraw\s*-?%\}")
_COMPARISONS = frozenset({"==", "!=", "<", ">", "<=", ">=", "in"})
_CONSTANTS = frozenset({"true", "false", "none"})
_WORDS = _CONSTANTS | {"and", "or", "not", "in", "is", "if", "else"}
_STATEMENTS = frozenset({"if", "elif", "else", "endif", "for", "endfor", "raw", "include"})
TESTS = frozenset({"defined", "none"})
MOST_REPEATED = 1_000

type Kind = Literal["text", "print", "block", "comment"]


@dataclass(frozen=True, slots=True)
class Mark:
    """Something to tell an author; `line` counts from 1."""

    line: int
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Use:
    """Where a template asks for a value: `path` is its name in parts, without those that are themselves values.

    `is_printed` without a default; `is_certain` where it is printed whatever the values are.
    """

    path: tuple[str, ...]
    line: int
    is_printed: bool
    is_certain: bool


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a template. `source` is text, or an expression or statement as minijinja reads it.

    `origins` are the values that it speaks of, by the first part of their names; what a loop binds is of what it goes over.
    """

    kind: Kind
    source: str
    line: int
    lines: int = 0
    trims: tuple[bool, bool] = (False, False)
    origins: frozenset[str] = frozenset()

    @property
    def opens_a_loop(self) -> bool:
        return self.kind == "block" and self.source.startswith("for ")

    @property
    def closes_a_loop(self) -> bool:
        return self.kind == "block" and self.source == "endfor"


@dataclass(slots=True)
class Reading:
    """A template that was read: its pieces in order, what it uses and includes, and all that is wrong with it."""

    pieces: list[Piece] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    includes: list[str] = field(default_factory=list)
    flaws: list[Mark] = field(default_factory=list)


class _Wrong(Exception):
    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(slots=True)
class _Block:
    word: str
    line: int
    names: tuple[str, ...] = ()
    origins: frozenset[str] = frozenset()
    has_else: bool = False


type Partials = Mapping[str, Reading | None]
"""What may be included, by name; None where there is none in the language of the template."""


def read(source: str, filters: Mapping[str, tuple[int, int]], partials: Partials | None = None) -> Reading:
    """Read a template; `filters` gives, by name, the fewest and most arguments of each that there is.

    A partial has `partials` None: it includes no other.
    """
    return _Reader(source, filters, partials).read()


class _Reader:
    def __init__(self, source: str, filters: Mapping[str, tuple[int, int]], partials: Partials | None) -> None:
        self._source = source
        self._filters = filters
        self._partials = partials
        self._tags = self._included = 0
        self._at = 0
        self._line = 1
        self._blocks: list[_Block] = []
        self._found = Reading()

    def read(self) -> Reading:
        while opening := _OPENING.search(self._source, self._at):
            self._text(opening.start())
            start, line = self._at, self._line
            self._tags += 1
            try:
                self._tag(opening)
            except _Wrong as wrong:
                self._flaw(line, wrong.code, wrong.detail)
                if wrong.code == "not_closed" or not self._skip(start):
                    return self._found
            if self._tags > MOST_TAGS:
                self._flaw(line, "too_many_tags", f"a template has at most {MOST_TAGS} tags")
                return self._found
        self._text(len(self._source))
        for block in self._blocks:
            self._flaw(block.line, "not_closed", f"this {block.word} has no end{block.word}")
        return self._found

    def _text(self, end: int) -> None:
        if end > self._at:
            self._add("text", self._source[self._at : end], end)

    def _add(
        self,
        kind: Kind,
        source: str,
        end: int,
        trims: tuple[bool, bool] = (False, False),
        origins: frozenset[str] = frozenset(),
    ) -> None:
        lines = self._source.count("\n", self._at, end)
        self._found.pieces.append(Piece(kind, source, self._line, lines, trims, origins))
        self._at, self._line = end, self._line + lines

    def _flaw(self, line: int, code: str, detail: str) -> None:
        self._found.flaws.append(Mark(line, code, detail))

    def _skip(self, start: int) -> bool:
        """Go on behind a tag that is wrong; says whether it ends at all."""
        closing = "}}" if self._source.startswith("{{", start) else "%}"
        end = self._source.find(closing, start)
        if end < 0:
            return False
        self._line += self._source.count("\n", self._at, end)
        self._at = end + len(closing)
        return True

    def _tag(self, opening: re.Match[str]) -> None:
        if opening[1] == "#":
            end = self._source.find("#}", opening.end())
            if end < 0:
                raise _Wrong("not_closed", "this comment has no #}")
            self._add("comment", "", end + 2, (bool(opening[2]), self._source[end - 1] == "-"))
            return
        tokens, end, trims_after = self._tokens(opening)
        trims = (bool(opening[2]), trims_after)
        tag = _Tag(tokens, self._filters, self._line)
        if opening[1] == "{":
            written = tag.whole()
            self._use(tag, is_print=True)
            self._add("print", written, end, trims, self._origins(path[0] for path, _ in tag.paths))
            return
        word = tag.next() or ""
        if word == "raw":
            self._raw(end)
            return
        if word == "include":
            name = tag.text()
            tag.end()
            self._include(name, end, trims)
            return
        written = self._block(word, tag)
        tag.end()
        self._use(tag, is_print=False)
        self._add("block", f"{word} {written}".rstrip(), end, trims)
        if word == "for":
            self._blocks[-1].origins = self._origins(path[0] for path, _ in tag.paths)
            self._blocks[-1].names = (tag.bound, "loop")

    def _tokens(self, opening: re.Match[str]) -> tuple[list[tuple[str, str]], int, bool]:
        """Take a tag apart: what it consists of, where it ends, and whether it trims what follows."""
        tokens: list[tuple[str, str]] = []
        at, closing = opening.end(), "}}" if opening[1] == "{" else "%}"
        while found := _TOKEN.match(self._source, at):
            at = found.end()
            kind = found.lastgroup or ""
            if kind == "end":
                if not found["end"].endswith(closing):
                    break
                return tokens, at, found["end"].startswith("-")
            tokens.append((kind, found[kind]))
            if len(tokens) > MOST_TOKENS:
                raise _Wrong("tag_too_long", f"a tag has at most {MOST_TOKENS} words and signs")
        rest = self._source[at:].lstrip()
        if not rest:
            raise _Wrong("not_closed", f"this tag has no {closing}")
        if opening[1] == "%" and tokens and tokens[0][1] not in _STATEMENTS:
            raise _no_statement(tokens[0][1])
        raise _Wrong("syntax", f"{rest[0]!r} cannot stand here")

    def _raw(self, end: int) -> None:
        """Take what stands between raw and endraw as text."""
        closing = _ENDRAW.search(self._source, end)
        if closing is None:
            raise _Wrong("not_closed", "this raw has no endraw")
        self._line += self._source.count("\n", self._at, end)
        self._at = end
        self._text(closing.start())
        self._at = closing.end()

    def _include(self, name: str, end: int, trims: tuple[bool, bool]) -> None:
        """Put the pieces of a partial where its name stands, all on the one line that its author sees."""
        if self._partials is None:
            raise _Wrong("include_in_partial", "a partial includes no other")
        self._found.includes.append(name)
        partial = self._partials.get(name)
        if partial is None:
            if name in self._partials:
                raise _Wrong("partial_language", f"the partial {name!r} has no variant in this language")
            raise _Wrong("unknown_partial", f"there is no partial {name!r}")
        self._included += sum(len(piece.source) for piece in partial.pieces)
        if self._included > MOST_INCLUDED:
            raise _Wrong("template_too_large", f"partials have at most {MOST_INCLUDED} characters together")
        self._tags += sum(piece.kind != "text" for piece in partial.pieces)
        local = {bound for block in self._blocks for bound in block.names}
        self._found.uses += (
            replace(use, line=self._line, is_certain=use.is_certain and not self._blocks)
            for use in partial.uses
            if use.path[0] not in local
        )
        self._found.pieces += (
            replace(_on_one_line(piece), line=self._line, origins=self._origins(piece.origins)) for piece in partial.pieces
        )
        self._add("comment", "", end, trims)

    def _block(self, word: str, tag: "_Tag") -> str:
        inner = self._blocks[-1] if self._blocks else None
        match word:
            case "if" | "for":
                if len(self._blocks) >= DEEPEST:
                    raise _Wrong("too_deep", f"blocks stand within each other {DEEPEST} deep at most")
                written = tag.expression() if word == "if" else tag.loop()
                self._blocks.append(_Block(word, self._line))
                return written
            case "elif" | "else":
                if inner is None or inner.has_else or (word == "elif" and inner.word != "if"):
                    raise _Wrong("syntax", f"there is nothing that this {word} belongs to")
                inner.has_else = word == "else"
                return tag.expression() if word == "elif" else ""
            case "endif" | "endfor":
                if inner is None or word != f"end{inner.word}":
                    raise _Wrong("syntax", f"there is nothing that this {word} ends")
                self._blocks.pop()
                return ""
            case _:
                raise _no_statement(word)

    def _origins(self, names: Iterable[str]) -> frozenset[str]:
        bound = {name: block.origins for block in self._blocks for name in block.names}
        return frozenset(origin for name in names for origin in bound.get(name, {name}))

    def _use(self, tag: "_Tag", *, is_print: bool) -> None:
        local = {name for block in self._blocks for name in block.names}
        for path, has_default in tag.paths:
            if path[0] not in local:
                printed = is_print and not has_default
                self._found.uses.append(Use(path, self._line, printed, is_print and not self._blocks))


class _Tag:
    """What stands in one tag, checked as it is written anew for minijinja."""

    def __init__(self, tokens: list[tuple[str, str]], filters: Mapping[str, tuple[int, int]], line: int) -> None:
        self._tokens = tokens
        self._filters = filters
        self._line = line
        self._at = 0
        self._depth = 0
        self.paths: list[tuple[tuple[str, ...], bool]] = []
        self.bound = ""

    def whole(self) -> str:
        written = self.expression()
        self.end()
        return written

    def end(self) -> None:
        if self._at < len(self._tokens):
            raise _Wrong("syntax", f"{self._tokens[self._at][1]!r} cannot stand here")

    def next(self, kind: str | None = None, *values: str) -> str | None:
        """Take the next token if it is of a kind, and one of some values; else take none."""
        if self._at < len(self._tokens):
            found, value = self._tokens[self._at]
            if (kind is None or found == kind) and (not values or value in values):
                self._at += 1
                return value
        return None

    def text(self) -> str:
        literal = self.next("text")
        if literal is None:
            raise _Wrong("syntax", 'a partial is included by its name: {% include "footer" %}')
        return _unquoted(literal)

    def loop(self) -> str:
        self.bound = self._name()
        if not self.next("name", "in"):
            raise _Wrong("syntax", "a loop is written {% for name in value %}")
        return f"{self.bound} in {self._filtered()}"

    def expression(self) -> str:
        self._depth += 1
        if self._depth > DEEPEST:
            raise _Wrong("too_deep", f"brackets stand within each other {DEEPEST} deep at most")
        written = [self._compared()]
        while word := self.next("name", "and", "or"):
            written += [word, self._compared()]
        self._depth -= 1
        return " ".join(written)

    def _compared(self) -> str:
        written: list[str] = []
        while self.next("name", "not"):
            written.append("not")
        written.append(self._filtered())
        if self.next("name", "is"):
            written.append("is not" if self.next("name", "not") else "is")
            test = self.next("name", *TESTS)
            if test is None:
                raise _Wrong("unknown_test", f"behind `is` stands one of {', '.join(sorted(TESTS))}")
            written.append(test)
        elif sign := self._comparison():
            right = self._filtered()
            if sign.endswith("in"):
                written[-1] = f"{'not ' * (sign != 'in')}_in({written[-1]}, {right})"
            else:
                written += [sign, right]
        return " ".join(written)

    def _comparison(self) -> str | None:
        if self.next("name", "not"):
            if not self.next("name", "in"):
                raise _Wrong("syntax", "`not` cannot stand here")
            return "not in"
        return self.next(None, *_COMPARISONS)

    def _filtered(self) -> str:
        before = len(self.paths)
        written = self._value()
        while self.next("sign", "|"):
            name = self.next("name")
            if name is None or name not in self._filters:
                raise _Wrong("unknown_filter", f"there is no filter {name!r}" if name else "a filter's name is missing")
            if name == "default":
                self.paths[before:] = [(path, True) for path, _ in self.paths[before:]]
            written += f" | {name}{self._arguments(name)}"
        return written

    def _arguments(self, name: str) -> str:
        given: list[str] = []
        if self.next("sign", ":"):
            given = [self._value()]
            while self.next("sign", ","):
                given.append(self._value())
        elif self.next("sign", "("):
            given = self._list(")")
        fewest, most = self._filters[name]
        if not fewest <= len(given) <= most:
            wanted = str(fewest) if fewest == most else f"{fewest} to {most}"
            raise _Wrong("filter_arguments", f"the filter {name} takes {wanted} arguments")
        return f"({', '.join([*given, f'line={self._line}'])})"

    def _value(self) -> str:
        if self.next("sign", "("):
            written = f"({self.expression()})"
            self._close(")")
            return written
        if self.next("sign", "["):
            self._depth += 1
            if self._depth > DEEPEST:
                raise _Wrong("too_deep", f"brackets stand within each other {DEEPEST} deep at most")
            written = f"[{', '.join(self._list(']'))}]"
            self._depth -= 1
            return written
        if self.next("sign", "-"):
            number = self.next("number")
            if number is None:
                raise _Wrong("syntax", "a template does not calculate")
            return f"-{number}"
        literal = self.next("text") or self.next("number")
        return literal if literal is not None else self._path()

    def _list(self, closing: str) -> list[str]:
        given: list[str] = []
        while not self.next("sign", closing):
            if given and not self.next("sign", ","):
                raise _Wrong("syntax", f"{closing!r} is missing")
            given.append(self._value())
        return given

    def _path(self) -> str:
        if constant := self.next("name", *_CONSTANTS):
            return constant
        name = self._name()
        if self.next("sign", "("):
            if name != "range":
                raise _Wrong("unknown_function", f"there is no function {name!r}")
            times = self.next("number")
            self._close(")")
            if times is None or not times.isdigit() or int(times) > MOST_REPEATED:
                raise _Wrong("loop_too_long", f"range takes a whole number, {MOST_REPEATED} at most")
            return f"range({times})"
        path, written = [name], name
        while True:
            if self.next("sign", "."):
                part = self.next("number") or self._name()
                path.append(part)
                written += f".{part}"
            elif self.next("sign", "["):
                inner = self._tokens[self._at] if self._at < len(self._tokens) else ("", "")
                key = self._value()
                if key.startswith(("'_", '"_')):
                    raise _Wrong("attribute_escape", "no name begins with an underscore")
                self._close("]")
                path.append(_unquoted(key) if inner[0] == "text" else "[]")
                written += f"[{key}]"
            elif self._at < len(self._tokens) and self._tokens[self._at] == ("sign", "("):
                raise _Wrong("unknown_function", "a value has nothing that can be called")
            else:
                break
        self.paths.append((tuple(path[: path.index("[]")] if "[]" in path else path), False))
        return written

    def _name(self) -> str:
        name = self.next("name")
        if name is None or name in _WORDS:
            raise _Wrong("syntax", "a value is missing")
        if name.startswith("_"):
            raise _Wrong("attribute_escape", "no name begins with an underscore")
        return name

    def _close(self, closing: str) -> None:
        if not self.next("sign", closing):
            raise _Wrong("syntax", f"{closing!r} is missing")


def _no_statement(word: str) -> _Wrong:
    return _Wrong("unknown_statement", f"there is no statement {word!r}; there are if, for, raw and include")


def _on_one_line(piece: Piece) -> Piece:
    """Let a piece take no line; where HTML breaks one it says the same with a blank, and plain text prints what it says."""
    if piece.kind == "text":
        return replace(piece, source=piece.source.replace("\n", " "))
    return replace(piece, lines=0)


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1])


def assembled(pieces: Sequence[Piece]) -> str:
    """Write pieces as minijinja reads them, on the lines where they stood; each turn of a loop first pays for its text."""
    costs = _costs(pieces)
    written: list[str] = []
    for at, piece in enumerate(pieces):
        before, after = ("-" if trims else "" for trims in piece.trims)
        lines = "\n" * piece.lines
        match piece.kind:
            case "text":
                written.append(literal(piece.source))
            case "print":
                written.append(f"{{{{{before} {piece.source}{lines} {after}}}}}")
            case "block":
                pays = f"{{{{ _pay({costs[at]}) {after}}}}}" if at in costs else ""
                written.append(f"{{%{before} {piece.source}{lines} {after}%}}{pays}")
            case "comment":
                written.append(f"{{#{before}{lines}{after}#}}")
    return "".join(written)


def literal(text: str) -> str:
    """Write a text so that minijinja finds no tag in it."""
    return re.sub(r"\{(?=[{%#])|\{\Z", '{{ "{" }}', text)


def _costs(pieces: Sequence[Piece]) -> dict[int, int]:
    """Count the bytes of text that one turn of each loop writes at most, by the place of its beginning."""
    costs: dict[int, int] = {}
    loops: list[int] = []
    for at, piece in enumerate(pieces):
        if piece.opens_a_loop:
            loops.append(at)
            costs[at] = 0
        elif piece.closes_a_loop:
            loops.pop()
        elif loops and piece.kind == "text":
            costs[loops[-1]] += len(piece.source.encode())
    return costs
