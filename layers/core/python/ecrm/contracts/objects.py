"""A JSON object as it stands in a file: a line of NDJSON, or a sidecar."""

import json
import re
from decimal import Decimal
from typing import Any

from .locales import Unread

_HALVES = re.compile("[\ud800-\udfff]")


def json_object(text: str) -> dict[str, Any]:
    """Parse an object, with decimals as Decimal. Raises Unread."""
    try:
        value = json.loads(text, parse_float=Decimal, parse_constant=_no_number, object_pairs_hook=_object)
    except (ValueError, ArithmeticError, RecursionError):
        raise Unread("bad_json") from None
    if not isinstance(value, dict) or (r"\u" in text and _HALVES.search(json.dumps(value, ensure_ascii=False, default=str))):
        raise Unread("bad_json")
    return value


def _no_number(_: str) -> Any:
    raise ValueError("NaN and Infinity are not JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("an object has the same key twice")
    return made
