"""Everything that can go wrong, as one tree.

EcrmError
├── Invalid        the input can never be right: says where and why
│   └── TooLarge   more than we take at once
├── NotFound       the thing does not exist, or not for this caller
│   └── Erased     the person it is about was erased
├── AlreadyExists  something else holds that name
├── Conflict       the input contradicts what is already a fact
│   ├── InFlight   the same request is being worked on at this moment
│   └── Stale      the version that the caller changes is not the stored one
├── RuleBroken     a limit that we set, not a contradiction
├── Forbidden      known caller, not theirs to do
│   └── Unauthenticated  unknown caller
└── Unavailable    the only retryable one

A `code` is stable and made for programs; `detail` is made for people and never holds personal data.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing wrong at one place of the input; `pointer` is a JSON pointer (RFC 6901)."""

    pointer: str
    code: str
    detail: str


class EcrmError(Exception):
    code = "error"

    def __init__(self, detail: str, *, code: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        if code is not None:
            self.code = code


class Invalid(EcrmError):
    code = "invalid"

    def __init__(self, detail: str, *, code: str | None = None, flaws: tuple[Flaw, ...] = ()) -> None:
        super().__init__(detail, code=code)
        self.flaws = flaws

    @classmethod
    def at(cls, pointer: str, code: str, detail: str) -> "Invalid":
        return cls(detail, code=code, flaws=(Flaw(pointer, code, detail),))


class TooLarge(Invalid):
    code = "body_too_large"


class NotFound(EcrmError):
    code = "not_found"


class Erased(NotFound):
    code = "customer_erased"


class AlreadyExists(EcrmError):
    code = "already_exists"


class Conflict(EcrmError):
    code = "conflict"


class InFlight(Conflict):
    code = "request_in_flight"


class Stale(Conflict):
    code = "version_mismatch"


class RuleBroken(EcrmError):
    code = "limit_reached"


class Forbidden(EcrmError):
    code = "forbidden"


class Unauthenticated(Forbidden):
    code = "unauthenticated"


class Unavailable(EcrmError):
    code = "unavailable"
