"""Reading a JSON body: everything that a parser would let pass, or fall over, is refused here with a reason."""

import json
import re
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

DEEPEST = 32
MOST_DIGITS = 4_300
_NOT_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
"""Controls other than tab and line ends, and lone surrogates: no text of a person holds them, and UTF-8 has no lone surrogate."""
_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*"?|[\[\]{}]', re.DOTALL)


class BadJson(ValueError):
    """`code` is stable; the message says what is wrong without repeating the input."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def read_json(raw: bytes) -> Any:
    """Parse a body, with decimals as Decimal so that no money passes through a float. Raises BadJson."""
    _check_depth(raw)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise BadJson("not_utf8", "the body is not UTF-8") from None
    try:
        value = json.loads(
            text,
            parse_float=_decimal,
            parse_int=_integer,
            parse_constant=_constant,
            object_pairs_hook=_object,
        )
    except json.JSONDecodeError as error:
        detail = f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        raise BadJson("bad_json", detail) from None
    _check_text(value)
    return value


def _check_depth(raw: bytes) -> None:
    """Before the parser, whose recursion a deep body would exhaust."""
    depth = 0
    for found in _STRING_OR_BRACKET.finditer(raw):
        if found[0] in b"[{":
            depth += 1
            if depth > DEEPEST:
                raise BadJson("too_deep", f"the body is nested deeper than {DEEPEST}")
        elif found[0] in b"]}":
            depth -= 1


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise BadJson("bad_number", "a number is out of any range") from None


def _integer(text: str) -> int:
    if len(text.removeprefix("-")) > MOST_DIGITS:
        raise BadJson("too_many_digits", f"an integer has more than {MOST_DIGITS} digits")
    return int(text)


def _constant(_: str) -> Any:
    raise BadJson("bad_number", "NaN and Infinity are not JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise BadJson("duplicate_key", "an object has the same key twice")
    return made


def _check_text(value: Any) -> None:
    stack: list[Iterable[Any]] = [[value]]
    while stack:
        for inner in stack.pop():
            if isinstance(inner, str) and _NOT_TEXT.search(inner):
                raise BadJson("bad_text", "a text holds a control character or half a character")
            if isinstance(inner, dict):
                stack.extend((inner.keys(), inner.values()))
            elif isinstance(inner, list):
                stack.append(inner)
