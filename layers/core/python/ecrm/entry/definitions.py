"""Definitions at the door: which version a caller means to change."""

import re

from .http import Call
from .problems import Refusal


def expected_version(call: Call) -> int | None:
    """Read the version that the caller means to change; 0 where it must be new, None where any will do."""
    match, none_match = call.headers.get("if-match"), call.headers.get("if-none-match")
    if none_match not in (None, "*"):
        raise Refusal(400, "bad_precondition", "If-None-Match takes * here")
    found = re.fullmatch(r'"(\d{1,9})"', match, re.ASCII) if match is not None else None
    if match is not None and found is None:
        raise Refusal(400, "bad_precondition", "If-Match takes the ETag that was answered")
    if none_match is not None:
        return 0
    return int(found[1]) if found else None
