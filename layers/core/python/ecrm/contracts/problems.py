"""Errors on the wire: `application/problem+json` (RFC 9457), of one shape for all."""

from typing import Self

from pydantic import ValidationError

from ecrm.domain.errors import Flaw, Invalid

from .fields import Answer

MOST_FLAWS = 50

_WORDS = {"union_tag_invalid": "no such type", "union_tag_not_found": "a type is needed"}
"""Where pydantic's own words would repeat the input."""

_CODES = {
    "missing": "missing",
    "extra_forbidden": "unknown_field",
    "union_tag_invalid": "unknown_type",
    "union_tag_not_found": "missing",
    "string_too_long": "too_long",
    "string_too_short": "too_short",
    "string_pattern_mismatch": "bad_syntax",
    "too_long": "too_many",
    "too_short": "too_few",
    "greater_than_equal": "too_small",
    "less_than_equal": "too_large",
    "enum": "unknown_value",
    "literal_error": "unknown_value",
}


class FlawBody(Answer):
    pointer: str
    code: str
    detail: str


class ProblemBody(Answer):
    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[FlawBody]
    correlation_id: str


class CallProblemBody(ProblemBody):
    """A problem with its detail said twice: Segment's python library reads `message`, and without it tries again and again."""

    message: str

    @classmethod
    def of(cls, problem: ProblemBody) -> Self:
        return cls(**problem.model_dump(), message=problem.detail)


def invalid_from(error: ValidationError, *, root: str = "/", tagged: bool = False) -> Invalid:
    """Say what pydantic found, by JSON pointers and codes of ours, without repeating the input.

    `root` is "?" for a query string. `tagged`: pydantic puts a union's tag before each place, which is not part of the body.
    """
    flaws = tuple(
        Flaw(_pointer(found["loc"][tagged:], root), _code(found["type"]), _WORDS.get(found["type"], found["msg"]))
        for found in error.errors(include_url=False, include_context=False, include_input=False)[:MOST_FLAWS]
    )
    return Invalid("the body does not have the right shape", flaws=flaws)


def _code(kind: str) -> str:
    return _CODES.get(kind, "wrong_type" if kind.endswith("_type") and not kind.startswith("amount") else kind)


def _pointer(location: tuple[int | str, ...], root: str) -> str:
    steps = location[:-1] if location[-1:] == ("[key]",) else location  # pydantic's mark for a name that cannot be one
    return "".join(root + str(step).replace("~", "~0").replace("/", "~1") for step in steps)
