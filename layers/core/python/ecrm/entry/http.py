"""HTTP: routes, keys, bodies and errors.

A function declares its routes; `HttpApi` is its handler. It answers every request, whatever is in it, and every error as
`application/problem+json`. The same declarations make the OpenAPI description.
"""

import base64
import binascii
import hashlib
import json
import re
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, get_origin
from urllib.parse import parse_qsl, unquote

from pydantic import BaseModel, TypeAdapter, ValidationError

from ecrm.application.api_keys import authenticate, authorize
from ecrm.application.ports import Clock, Keys, Outcome, Request, Sites
from ecrm.application.sites import require_site
from ecrm.contracts.fields import Query
from ecrm.contracts.problems import CallProblemBody, ProblemBody, invalid_from
from ecrm.domain import errors
from ecrm.domain.api_keys import ApiKey, Scope

from . import observability
from .json_body import BadJson, read_json
from .problems import Refusal, headers_of, internal_problem, problem_of, refusal_problem, status_of

if TYPE_CHECKING:
    from ecrm.application.orders import Recorded

LARGEST_BODY = 256 * 1024
LARGEST_BATCH = 1024 * 1024
KEY_CACHE_SECONDS = 60
KEY_CACHE_SIZE = 1_000
REPLAY_KEPT = timedelta(hours=24)
LONGEST_IDEMPOTENCY_KEY = 255
LONGEST_SEGMENT = 200
"""Longer than any id that we give or take, and shorter than a key of the table may be."""

FORM = "application/x-www-form-urlencoded"

_NEEDLESS = re.compile(r"%(?:2[de]|3\d|[46][1-9a-f]|[57][\da]|5f|7e)", re.ASCII | re.IGNORECASE)
"""The encoding of a letter, a digit, `-`, `.`, `_` or `~`, which nobody encodes (RFC 3986 §2.3)."""

_ALWAYS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
_WRITE_KEY = re.compile(rb'"writeKey"\s*:\s*"([\x21-\x7e]{1,200})"')
_ANY_ORIGIN = {"access-control-allow-origin": "*"}
_PREFLIGHT = {"access-control-allow-headers": "authorization, content-type, x-retry-count", "access-control-max-age": "86400"}
"""What Segment's browser library sends; the answer is good for a day."""


@dataclass(frozen=True, slots=True)
class Reply:
    """`counted` is what goes to the route's metric."""

    status: int
    body: BaseModel | Mapping[str, Any] | str
    headers: Mapping[str, str] = field(default_factory=dict)
    counted: int = 0

    @classmethod
    def of_recorded(cls, recorded: "Recorded", body: BaseModel, **headers: str) -> "Reply":
        """201 for what was made now, 200 for what was there; a recognised Idempotency-Key repeats the first answer's status."""
        replayed = {"idempotent-replayed": "true"} if recorded.replayed else {}
        made = recorded.outcome is Outcome.CREATED
        return cls(201 if made else 200, body, {**headers, **replayed}, counted=int(made and not recorded.replayed))


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    path: str
    does: Callable[["Call"], Reply]
    scope: Scope | None
    body: Any
    query: type[Query]
    answer: Any
    creates: str | None
    largest: int
    tracks: bool
    takes_forms: bool
    alias: str | None

    @property
    def pattern(self) -> re.Pattern[str]:
        paths = (self.path, self.alias) if self.alias else (self.path,)
        return re.compile("|".join(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(path)) for path in paths))

    @property
    def lists(self) -> frozenset[str]:
        """Fields of the body that a form may send several times: its boxes to tick."""
        return frozenset(name for name, field in self.body.model_fields.items() if get_origin(field.annotation) is list)

    @property
    def is_for_any_origin(self) -> bool:
        return self.tracks or self.takes_forms


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request that is known, allowed and well shaped. `request` is there with an Idempotency-Key, `ip` is the caller's."""

    api: "HttpApi"
    key: ApiKey | None
    path: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any
    query: Any
    raw: Any
    request: Request | None
    now: datetime
    correlation_id: str
    ip: str

    @property
    def source(self) -> str:
        """Who says so, for the timeline."""
        return f"api:{self.key.key_id}" if self.key else "api"

    def site(self, asked: str | None) -> str:
        """Resolve the site that is meant. Raises Forbidden or Invalid."""
        return self.api.site_for(self.key, asked)


class HttpApi:
    """The handler of a function that answers HTTP; keys and known sites are kept for a container's life, keys for 60 s."""

    def __init__(self, *, keys: Callable[[], Keys], sites: Callable[[], Sites], clock: Clock) -> None:
        self.routes: list[tuple[Route, re.Pattern[str]]] = []
        self._keys = keys
        self._sites = sites
        self._clock = clock
        self._seen_keys: dict[str, tuple[float, ApiKey | None]] = {}
        self._known_sites: set[str] = set()

    def route(
        self,
        method: str,
        path: str,
        *,
        answer: Any,
        scope: Scope | None = None,
        body: Any = None,
        query: type[Query] = Query,
        creates: str | None = None,
        largest: int = LARGEST_BODY,
        tracks: bool = False,
        takes_forms: bool = False,
        alias: str | None = None,
    ) -> Callable[[Callable[[Call], Reply]], Callable[[Call], Reply]]:
        """Declare what answers a method on a path; `{name}` in the path is one segment. The docstring is its description.

        `creates` names the metric that counts what the route creates. One that `tracks` speaks to Segment's libraries: the body
        may be text/plain and gzipped, the key may be its `writeKey`, pages of any origin may read the answer, an Idempotency-Key
        means nothing, and a problem has a `message`. One that `takes_forms` is for pages of any origin, also for a form without a
        script, with the key as `writeKey` where one is needed. An `alias` is another path of the same route.
        """

        def declare(does: Callable[[Call], Reply]) -> Callable[[Call], Reply]:
            route = Route(method, path, does, scope, body, query, answer, creates, largest, tracks, takes_forms, alias)
            self.routes.append((route, route.pattern))
            return does

        return declare

    def __call__(self, event: Mapping[str, Any], _context: object) -> dict[str, Any]:
        started = time.perf_counter()
        http = event["requestContext"]["http"]
        correlation_id = event["requestContext"]["requestId"]
        log: dict[str, Any] = {"correlation_id": correlation_id, "method": http["method"]}
        try:
            reply = self._reply(event, http["method"], correlation_id, log)
        except Refusal as refusal:
            reply = Reply(refusal.status, refusal_problem(refusal, correlation_id), refusal.headers)
        except errors.EcrmError as error:
            reply = Reply(status_of(error), problem_of(error, correlation_id), headers_of(error))
        except Exception as error:  # noqa: BLE001 (the last net: a request is always answered, and this one rings an alarm)
            observability.alarm("unhandled", error, **log)
            reply = Reply(500, internal_problem(correlation_id))
        for route in self._for_any_origin(event["rawPath"]):
            reply = _for_any_origin(reply, route)
        duration = round((time.perf_counter() - started) * 1000, 1)
        observability.note("request", **log, status=reply.status, duration_ms=duration)
        return _wire(reply, correlation_id, head=http["method"] == "HEAD")

    def _reply(self, event: Mapping[str, Any], method: str, correlation_id: str, log: dict[str, Any]) -> Reply:
        found = self._at(event["rawPath"])
        if method == "OPTIONS":
            return Reply(204, "", {"allow": _allowed(found)} | _preflight(found))
        route, path = _chosen(found, method)
        log["route"] = f"{route.method} {route.path}"
        headers = {name.lower(): value for name, value in event.get("headers", {}).items()}
        now = self._clock.now()
        authorization = headers.get("authorization")
        if route.is_for_any_origin and route.scope is not None and route.body is not None and authorization is None:
            authorization = self._written_in(route, headers, _raw_body(event))
        key = None
        if route.scope is not None:
            key = self._authenticate(authorization, now)
            log["key_id"] = key.key_id
            authorize(key, route.scope)
        raw = _raw_body(event) if route.body is not None else b""
        named = headers.get("idempotency-key") if method in ("POST", "PATCH") and not route.tracks else None
        request = _request(named, key, f"{method} {event['rawPath']}", raw, now)
        value = self._json(route, headers, raw) if route.body is not None else None
        call = Call(
            api=self,
            key=key,
            path=path,
            headers=headers,
            body=None if route.body is None else shaped(route.body, value),
            query=_query(route.query, event.get("rawQueryString", "")),
            raw=value,
            request=request,
            now=now,
            correlation_id=correlation_id,
            ip=event["requestContext"]["http"]["sourceIp"],
        )
        reply = route.does(call)
        if route.creates and reply.counted:
            observability.count(route.creates, reply.counted)
        return reply

    def _for_any_origin(self, raw_path: str) -> list[Route]:
        """Give a route of this path that pages of any origin call, where there is one."""
        return [route for route, pattern in self.routes if route.is_for_any_origin and pattern.fullmatch(raw_path)][:1]

    def _at(self, raw_path: str) -> "list[tuple[Route, re.Match[str]]]":
        found = [(route, match) for route, pattern in self.routes if (match := pattern.fullmatch(raw_path))]
        if not found:
            raise Refusal(404, "route_not_found", "there is nothing at this path")
        return found

    def _authenticate(self, header: str | None, now: datetime) -> ApiKey:
        return authenticate(_secret(header), find=partial(self._find_key, now.timestamp()), now=now)

    def _find_key(self, now: float, secret: str) -> ApiKey | None:
        """Look a key up, at most once a minute whether found or not; by hash, so that no secret stays in memory."""
        name = hashlib.sha256(secret.encode()).hexdigest()
        known = self._seen_keys.get(name)
        if known is not None and now < known[0]:
            return known[1]
        if len(self._seen_keys) >= KEY_CACHE_SIZE:
            self._seen_keys.clear()
        key = self._keys().find(secret)
        self._seen_keys[name] = (now + KEY_CACHE_SECONDS, key)
        return key

    def site_for(self, key: ApiKey | None, asked: str | None) -> str:
        if key is None:
            raise errors.Forbidden("a key is needed to name a site")
        site = key.site_for(asked)
        if site != key.site and site not in self._known_sites:
            self._known_sites.add(require_site(site, sites=self._sites()))
        return site

    def _written_in(self, route: Route, headers: Mapping[str, str], raw: bytes) -> str | None:
        """Give the key that Segment's libraries write into a body, as the header would; also of one that is no JSON."""
        try:
            body = self._json(route, headers, raw)
        except Refusal:
            found = _WRITE_KEY.search(raw)
            return f"Bearer {found[1].decode()}" if found else None
        key = body.get("writeKey") if isinstance(body, dict) else None
        return f"Bearer {key}" if isinstance(key, str) else None

    def _json(self, route: Route, headers: Mapping[str, str], raw: bytes) -> Any:
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if route.takes_forms and kind == FORM:
            return _form(raw, route.largest, route.lists)
        is_json = kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))
        if not is_json and not (route.tracks and kind == "text/plain"):
            raise Refusal(415, "not_json", "send the body as application/json")
        if route.tracks and headers.get("content-encoding", "").lower() == "gzip":
            raw = _unzipped(raw, route.largest)
        if len(raw) > route.largest:
            raise errors.TooLarge(f"a body here is at most {route.largest} bytes")
        try:
            return read_json(raw)
        except BadJson as bad:
            raise Refusal(400, bad.code, bad.detail) from None


def _chosen(found: list[tuple[Route, re.Match[str]]], method: str) -> tuple[Route, dict[str, str]]:
    for route, match in found:
        if method == route.method or (method == "HEAD" and route.method == "GET"):
            return route, {name: _segment(value) for name, value in match.groupdict().items()}
    raise Refusal(405, "method_not_allowed", "this path has other methods", {"allow": _allowed(found)})


def _allowed(found: list[tuple[Route, re.Match[str]]]) -> str:
    methods = {route.method for route, _ in found} | {"OPTIONS"}
    return ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))


def _preflight(found: list[tuple[Route, re.Match[str]]]) -> dict[str, str]:
    if not any(route.is_for_any_origin for route, _ in found):
        return {}
    return _PREFLIGHT | {"access-control-allow-methods": _allowed(found)}


def _for_any_origin(reply: Reply, route: Route) -> Reply:
    body = CallProblemBody.of(reply.body) if route.tracks and isinstance(reply.body, ProblemBody) else reply.body
    return replace(reply, body=body, headers=_ANY_ORIGIN | dict(reply.headers))


def shaped(shape: Any, value: Any) -> Any:
    """Turn parsed JSON into a body of a contract. Raises Invalid, with JSON pointers."""
    try:
        return shape.validate_python(value) if isinstance(shape, TypeAdapter) else shape.model_validate(value)
    except ValidationError as error:
        raise invalid_from(error, tagged=isinstance(shape, TypeAdapter)) from None


def digest_of(value: Any) -> str:
    """Stand for a JSON value: the same for the same content, however its keys are ordered and its blanks are set."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:32]


def _secret(header: str | None) -> str | None:
    """Read `Bearer <key>`, or the user name of `Basic`, as Segment's libraries send it; None where it is neither."""
    scheme, _, credentials = (header or "").partition(" ")
    if scheme.lower() == "bearer":
        return credentials or None
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(credentials, validate=True).decode().partition(":")[0] or None
        except (binascii.Error, UnicodeDecodeError):
            return None
    return None


def _unzipped(raw: bytes, largest: int) -> bytes:
    """Unzip no more than what tells that it is too large."""
    unzip = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        return unzip.decompress(raw, largest + 1)
    except zlib.error:
        raise Refusal(400, "bad_gzip", "the body is not gzip") from None


def _form(raw: bytes, largest: int, lists: frozenset[str]) -> dict[str, str | list[str]]:
    """Read what a page's form sends without a script: names and texts, of those in `lists` as many as there are."""
    if len(raw) > largest:
        raise errors.TooLarge(f"a body here is at most {largest} bytes")
    try:
        pairs = parse_qsl(
            raw.decode("ascii"), keep_blank_values=True, strict_parsing=bool(raw), errors="strict", max_num_fields=20
        )
    except ValueError:
        raise Refusal(400, "bad_form", "the form cannot be read") from None
    once = dict(pairs)
    several = {name: [text for other, text in pairs if other == name] for name in lists & once.keys()}
    if len(once.keys() - lists) + sum(map(len, several.values())) < len(pairs):
        raise Refusal(400, "bad_form", "the form has the same name twice")
    return once | several


def _raw_body(event: Mapping[str, Any]) -> bytes:
    body = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return str(body).encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise Refusal(400, "bad_base64", "the body is not base64") from None


def _request(header: str | None, key: ApiKey | None, where: str, raw: bytes, now: datetime) -> Request | None:
    """Read an Idempotency-Key, bare or in quotes."""
    if header is None:
        return None
    name = header[1:-1] if len(header) > 1 and header[0] == header[-1] == '"' else header
    if not 0 < len(name) <= LONGEST_IDEMPOTENCY_KEY or not (name.isascii() and name.isprintable()):
        detail = f"an Idempotency-Key is 1 to {LONGEST_IDEMPOTENCY_KEY} printable ASCII characters"
        raise Refusal(400, "bad_idempotency_key", detail)
    who = key.key_id if key else ""
    return Request(
        key=hashlib.sha256(f"{who}\0{where}\0{name}".encode()).hexdigest(),
        digest=hashlib.sha256(raw).hexdigest(),
        expires_at=now + REPLAY_KEPT,
    )


def _query(shape: type[Query], raw: str) -> Query:
    try:
        pairs = parse_qsl(raw, keep_blank_values=True, errors="strict", max_num_fields=20)
    except ValueError:
        raise Refusal(400, "bad_query", "the query string cannot be read") from None
    if len({name for name, _ in pairs}) < len(pairs):
        raise Refusal(400, "bad_query", "the query string has the same name twice")
    try:
        return shape.model_validate(dict(pairs))
    except ValidationError as error:
        raise invalid_from(error, root="?") from None


def _segment(value: str) -> str:
    """Read a name in a path.

    API Gateway has decoded it already, others have not: `%41` may be the name `%41` or the name `A`, and is taken for neither.
    """
    try:
        name = "" if _NEEDLESS.search(value) else unquote(value, errors="strict")
    except UnicodeDecodeError:
        name = ""
    if not 0 < len(name) <= LONGEST_SEGMENT:
        raise Refusal(404, "route_not_found", "there is nothing at this path")
    return name


def _wire(reply: Reply, correlation_id: str, *, head: bool) -> dict[str, Any]:
    kind = "application/problem+json" if isinstance(reply.body, ProblemBody) else "application/json"
    if isinstance(reply.body, BaseModel):
        body = reply.body.model_dump_json()
    else:
        body = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
    described = {"content-type": kind} if body else {}
    headers = {"x-correlation-id": correlation_id} | described | _ALWAYS | dict(reply.headers)
    return {"statusCode": reply.status, "headers": headers, "body": "" if head else body, "isBase64Encoded": False}
