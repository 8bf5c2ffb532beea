"""Errors as answers: one table from our errors to HTTP's statuses, and one shape for all (RFC 9457)."""

from collections.abc import Mapping

from ecrm.contracts.problems import FlawBody, ProblemBody
from ecrm.domain import errors

STATUSES: dict[type[errors.EcrmError], int] = {
    errors.Invalid: 422,
    errors.TooLarge: 413,
    errors.NotFound: 404,
    errors.Erased: 410,
    errors.AlreadyExists: 409,
    errors.Conflict: 409,
    errors.InFlight: 409,
    errors.Stale: 412,
    errors.RuleBroken: 409,
    errors.Forbidden: 403,
    errors.Unauthenticated: 401,
    errors.Unavailable: 503,
}
TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    410: "Gone",
    412: "Precondition Failed",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


class Refusal(Exception):
    """A request that HTTP itself refuses, before any use case."""

    def __init__(self, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})


def status_of(error: errors.EcrmError) -> int:
    return next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)


def headers_of(error: errors.EcrmError) -> Mapping[str, str]:
    if isinstance(error, errors.Unauthenticated):
        return {"www-authenticate": "Bearer"}
    return {"retry-after": "1"} if isinstance(error, errors.Unavailable | errors.InFlight) else {}


def problem_of(error: errors.EcrmError, correlation_id: str) -> ProblemBody:
    flaws = error.flaws if isinstance(error, errors.Invalid) else ()
    return _problem(status_of(error), error.code, error.detail, correlation_id, flaws)


def refusal_problem(refusal: Refusal, correlation_id: str) -> ProblemBody:
    return _problem(refusal.status, refusal.code, refusal.detail, correlation_id)


def internal_problem(correlation_id: str) -> ProblemBody:
    return _problem(500, "internal", "something went wrong on our side", correlation_id)


def _problem(status: int, code: str, detail: str, correlation_id: str, flaws: tuple[errors.Flaw, ...] = ()) -> ProblemBody:
    return ProblemBody(
        type="about:blank",
        title=TITLES[status],
        status=status,
        detail=detail,
        code=code,
        errors=[FlawBody(pointer=flaw.pointer, code=flaw.code, detail=flaw.detail) for flaw in flaws],
        correlation_id=correlation_id,
    )
