"""Pages for people without a key: found by what stands in a link, answered as HTML, and never changing anything.

Whoever follows a link waits for a cold start, so this door imports neither pydantic nor Powertools. The gateway's access log
has route, status and latency; written here is only what went wrong.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import parse_qsl

from ecrm.domain.errors import NotFound, Unavailable
from ecrm.domain.links import Language

MOST_ACCEPTED = 20
"""Languages of an Accept-Language header that are looked at; browsers send five."""


class Notices(Protocol):
    """What is said where there is no page to show."""

    @property
    def style_source(self) -> str:
        """The one style that a page may have, as a source of a Content-Security-Policy."""
        ...

    def notice(self, name: str, language: Language) -> str: ...


@dataclass(frozen=True, slots=True)
class Shown:
    """A page whose style is not that of the notices, but the one that this source of a Content-Security-Policy names."""

    text: str
    style_source: str


@dataclass(frozen=True, slots=True)
class PublicRoute:
    path: str
    shows: Callable[["Visit"], str | Shown]

    @property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(re.escape(self.path).replace(r"\{token\}", "(?P<token>[^/]+)"))


@dataclass(frozen=True, slots=True)
class Visit:
    """`wanted` are the languages that the address or the browser asks for, best first; `asked` is the address's own."""

    token: str
    wanted: tuple[Language, ...]
    asked: Language | None = None

    def language(self, links_own: Language | None = None, sites: Iterable[str] = ()) -> Language:
        """Choose: the link's own, else what is asked for, else the site's first, else English."""
        known = (found for tag in sites if (found := _language(tag)))
        return next(iter((*filter(None, [links_own]), *self.wanted, *known)), Language.ENGLISH)

    def chosen(self, links_own: Language | None) -> Language:
        """Choose where every page offers the others: what the address asks for, before the link's own."""
        return self.asked or self.language(links_own)


class PublicPages:
    """The handler of a function that shows pages to whoever has a link."""

    def __init__(self, notices: Callable[[], Notices]) -> None:
        self.routes: list[tuple[PublicRoute, re.Pattern[str]]] = []
        self._notices = notices

    def page[Page: str | Shown](self, path: str) -> Callable[[Callable[[Visit], Page]], Callable[[Visit], Page]]:
        """Declare what is shown at a path with a `{token}`."""

        def declare(shows: Callable[[Visit], Page]) -> Callable[[Visit], Page]:
            route = PublicRoute(path, shows)
            self.routes.append((route, route.pattern))
            return shows

        return declare

    def __call__(self, event: Mapping[str, Any], _context: object) -> dict[str, Any]:
        method = event["requestContext"]["http"]["method"]
        correlation_id = event["requestContext"]["requestId"]
        asked, wanted = _wanted(event)
        more: dict[str, str] = {}
        text: str | Shown
        try:
            status, text = self._answer(event["rawPath"], method, asked, wanted)
        except Unavailable:
            status, text, more = 503, self._say("unavailable", wanted), {"retry-after": "5"}
        except Exception as error:  # noqa: BLE001 (the last net: a request is always answered, and this one rings an alarm)
            from . import observability  # noqa: PLC0415 (Powertools, for the day on which something breaks)

            observability.alarm("unhandled", error, correlation_id=correlation_id, method=method)
            status, text = 500, self._say("failed", wanted)
        if status in (204, 405):
            more = {"allow": "GET, HEAD, OPTIONS"}
        source = text.style_source if isinstance(text, Shown) else self._notices().style_source
        text = text.text if isinstance(text, Shown) else text
        body = "" if method == "HEAD" else text
        headers = _headers(source) | more | {"x-correlation-id": correlation_id}
        return {"statusCode": status, "headers": headers, "body": body, "isBase64Encoded": False}

    def _answer(self, path: str, method: str, asked: Language | None, wanted: tuple[Language, ...]) -> tuple[int, str | Shown]:
        found = next(((route, match) for route, pattern in self.routes if (match := pattern.fullmatch(path))), None)
        if found is None:
            return 404, self._say("not_found", wanted)
        if method == "OPTIONS":
            return 204, ""
        if method not in ("GET", "HEAD"):
            return 405, self._say("wrong_method", wanted)
        route, match = found
        try:
            return 200, route.shows(Visit(match["token"], wanted, asked))
        except NotFound:
            return 404, self._say("not_found", wanted)

    def _say(self, name: str, wanted: tuple[Language, ...]) -> str:
        return self._notices().notice(name, Visit("", wanted).language())


def _headers(style_source: str) -> dict[str, str]:
    nothing = "; ".join(f"{what} 'none'" for what in ("default-src", "img-src", "base-uri", "form-action", "frame-ancestors"))
    return {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": f"{nothing}; style-src {style_source}",
        "strict-transport-security": "max-age=63072000",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "permissions-policy": "camera=(), geolocation=(), microphone=()",
        "cross-origin-opener-policy": "same-origin",
        "cache-control": "private, no-store",
        "x-robots-tag": "noindex, nofollow",
    }


def _wanted(event: Mapping[str, Any]) -> tuple[Language | None, tuple[Language, ...]]:
    """Read `?lang=`, then Accept-Language; nothing that is sent there is an error."""
    headers = {name.lower(): value for name, value in event.get("headers", {}).items()}
    try:
        asked = dict(parse_qsl(event.get("rawQueryString", ""), max_num_fields=MOST_ACCEPTED)).get("lang", "")
    except ValueError:
        asked = ""
    own = _language(asked)
    return own, tuple(dict.fromkeys((*((own,) if own else ()), *accepted_languages(headers.get("accept-language", "")))))


def accepted_languages(header: str) -> tuple[Language, ...]:
    """Give the languages of ours that an Accept-Language asks for, best first."""
    accepted = [_accepted(part) for part in header.split(",")[:MOST_ACCEPTED]]
    tags = (tag for weight, tag in sorted(accepted, key=lambda each: -each[0]) if weight > 0)
    return tuple(dict.fromkeys(found for tag in tags if (found := _language(tag))))


def _accepted(part: str) -> tuple[float, str]:
    tag, _, weight = part.partition(";")
    said = re.fullmatch(r"\s*q=([01](?:\.\d{0,3})?)\s*", weight, re.ASCII)
    return (float(said[1]) if said else float(not weight)), tag


def _language(tag: str) -> Language | None:
    primary = tag.strip().partition("-")[0].lower()
    return Language(primary) if primary in Language else None
