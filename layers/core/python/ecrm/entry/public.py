"""Pages for people without a key: found by what stands in a link, and answered as HTML.

Whoever follows a link changes nothing: mail scanners do so, too. What changes something is a form, posted from its own page; but
a mail program posts to the address of one-click unsubscribing (RFC 8058) from wherever it is, and with whatever body.

People wait for a cold start, so this door imports neither pydantic nor Powertools. The gateway's access log has route, status
and latency; written here is only what went wrong.
"""

import re
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from ecrm.domain.errors import EcrmError, Forbidden, Invalid, NotFound, TooLarge, Unavailable
from ecrm.domain.links import Language

MOST_ACCEPTED = 20
"""Languages of an Accept-Language header that are looked at; browsers send five."""
LARGEST_FORM = 64 * 1024
"""Bytes of a form."""
OK = 200
REFUSALS: Mapping[type[EcrmError], tuple[int, str]] = {
    NotFound: (404, "not_found"),
    TooLarge: (413, "too_large"),
    Forbidden: (403, "from_elsewhere"),
    Invalid: (422, "bad_form"),
}
"""What a page that is refused is answered with, and which notice says so."""
FORM = "application/x-www-form-urlencoded"


class Notices(Protocol):
    """What is said where there is no page to show."""

    @property
    def style_source(self) -> str:
        """The one style that a page may have, as a source of a Content-Security-Policy."""
        ...

    def notice(self, name: str, language: Language) -> str: ...


@dataclass(frozen=True, slots=True)
class Shown:
    """A page whose style is not that of the notices, but the one that this source of a Content-Security-Policy names.

    `image_source` is one, too; of itself a page has no images.
    """

    text: str
    style_source: str
    image_source: str = "'none'"


@dataclass(frozen=True, slots=True)
class PublicRoute:
    """`takes` is what a form that is posted there does; with `takes_anything` from any place, and with any body."""

    path: str
    shows: Callable[["Visit"], str | Shown]
    takes: Callable[["Posted"], str | Shown] | None = None
    takes_anything: bool = False

    @property
    def allowed(self) -> str:
        return "GET, HEAD, OPTIONS, POST" if self.takes else "GET, HEAD, OPTIONS"

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

    def spoken(self, links_own: Language | None, sites: Iterable[str]) -> Language:
        """Choose for a page that offers the others, of a site."""
        return self.asked or self.language(links_own, sites)

    def chosen(self, links_own: Language | None) -> Language:
        """Choose where every page offers the others: what the address asks for, before the link's own."""
        return self.asked or self.language(links_own)


@dataclass(frozen=True, slots=True)
class Posted(Visit):
    """A form that somebody sent; `fields` are its values by name, `ip` is where they are."""

    fields: Mapping[str, Sequence[str]] = field(default_factory=dict)
    ip: str = ""

    def one(self, name: str) -> str:
        """Give the last value of a field, nothing where it has none."""
        return self.fields.get(name, ("",))[-1]


class PublicPages:
    """The handler of a function that shows pages to whoever has a link."""

    def __init__(self, notices: Callable[[], Notices]) -> None:
        self.routes: list[tuple[PublicRoute, re.Pattern[str]]] = []
        self._notices = notices

    def page[Page: str | Shown](self, path: str) -> Callable[[Callable[[Visit], Page]], Callable[[Visit], Page]]:
        """Declare what is shown at a path with a `{token}`."""

        def declare(shows: Callable[[Visit], Page]) -> Callable[[Visit], Page]:
            self._add(PublicRoute(path, shows))
            return shows

        return declare

    def form(
        self, path: str, shows: Callable[[Visit], str], takes: Callable[[Posted], str], *, takes_anything: bool = False
    ) -> None:
        """Declare a page with a form that is posted to the page's own path."""
        self._add(PublicRoute(path, shows, takes, takes_anything))

    def _add(self, route: PublicRoute) -> None:
        self.routes.append((route, route.pattern))

    def __call__(self, event: Mapping[str, Any], _context: object) -> dict[str, Any]:
        method = event["requestContext"]["http"]["method"]
        correlation_id = event["requestContext"]["requestId"]
        visit = _visit(event)
        found = self._found(event["rawPath"])
        more: dict[str, str] = {}
        text: str | Shown
        try:
            status, text = self._answer(found, method, visit, event)
        except Unavailable:
            status, text, more = 503, self._say("unavailable", visit), {"retry-after": "5"}
        except Exception as error:  # noqa: BLE001 (the last net: a request is always answered, and this one rings an alarm)
            from . import observability  # noqa: PLC0415 (Powertools, for the day on which something breaks)

            observability.alarm("unhandled", error, correlation_id=correlation_id, method=method)
            status, text = 500, self._say("failed", visit)
        if found and status in (204, 405):
            more = {"allow": found[0].allowed}
        page = text if isinstance(text, Shown) else Shown(text, self._notices().style_source)
        body = "" if method == "HEAD" else page.text
        has_form = status == OK and found is not None and found[0].takes is not None
        headers = _headers(page, has_form=has_form) | more | {"x-correlation-id": correlation_id}
        return {"statusCode": status, "headers": headers, "body": body, "isBase64Encoded": False}

    def _found(self, path: str) -> tuple[PublicRoute, str] | None:
        return next(((route, match["token"]) for route, pattern in self.routes if (match := pattern.fullmatch(path))), None)

    def _answer(
        self, found: tuple[PublicRoute, str] | None, method: str, visit: "Visit", event: Mapping[str, Any]
    ) -> tuple[int, str | Shown]:
        if found is None:
            return 404, self._say("not_found", visit)
        if method == "OPTIONS":
            return 204, ""
        route, token = found
        takes = route.takes if method == "POST" else None
        if takes is None and method not in ("GET", "HEAD"):
            return 405, self._say("wrong_method", visit)
        here = replace(visit, token=token)
        try:
            return OK, takes(_posted(here, route, event)) if takes else route.shows(here)
        except EcrmError as refused:
            known = next((REFUSALS[kind] for kind in type(refused).mro() if kind in REFUSALS), None)
            if known is None:
                raise
            status, notice = known
            return status, self._say(notice, visit)

    def _say(self, name: str, visit: "Visit") -> str:
        return self._notices().notice(name, visit.language())


def _headers(page: Shown, *, has_form: bool) -> dict[str, str]:
    """Give the headers of a page. With `no-referrer` a browser would not say where a form comes from."""
    allowed = {
        "default-src": "'none'",
        "img-src": page.image_source,
        "base-uri": "'none'",
        "form-action": "'self'" if has_form else "'none'",
        "frame-ancestors": "'none'",
        "style-src": page.style_source,
    }
    return {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": "; ".join(f"{what} {source}" for what, source in allowed.items()),
        "strict-transport-security": "max-age=63072000",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "same-origin" if has_form else "no-referrer",
        "permissions-policy": "camera=(), geolocation=(), microphone=()",
        "cross-origin-opener-policy": "same-origin",
        "cache-control": "private, no-store",
        "x-robots-tag": "noindex, nofollow",
    }


def _visit(event: Mapping[str, Any]) -> Visit:
    """Read `?lang=`, then Accept-Language; nothing that is sent there is an error."""
    try:
        asked = dict(parse_qsl(event.get("rawQueryString", ""), max_num_fields=MOST_ACCEPTED)).get("lang", "")
    except ValueError:
        asked = ""
    own = _language(asked)
    wanted = dict.fromkeys((*((own,) if own else ()), *accepted_languages(_headers_of(event).get("accept-language", ""))))
    return Visit("", tuple(wanted), own)


def _headers_of(event: Mapping[str, Any]) -> dict[str, str]:
    return {name.lower(): value for name, value in event.get("headers", {}).items()}


def _posted(visit: Visit, route: PublicRoute, event: Mapping[str, Any]) -> Posted:
    """Read a form. Raises TooLarge, Forbidden, Invalid."""
    headers, body = _headers_of(event), event.get("body") or ""
    try:
        sent = b64decode(body) if event.get("isBase64Encoded") else body.encode(errors="replace")
        if len(sent) > LARGEST_FORM:
            raise TooLarge("a form is at most 64 KB")
        is_form = headers.get("content-type", "").lower().startswith(FORM)
        if not route.takes_anything:
            _refuse_from_elsewhere(headers)
            if not is_form:
                raise Invalid("only a form is taken here", code="wrong_content_type")
        pairs = parse_qsl(sent.decode(errors="replace"), keep_blank_values=True) if is_form else []
    except ValueError:
        if not route.takes_anything:
            raise Invalid("this is no form", code="bad_form") from None
        pairs = []
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return Posted(visit.token, visit.wanted, visit.asked, fields, event["requestContext"]["http"].get("sourceIp", ""))


def _refuse_from_elsewhere(headers: Mapping[str, str]) -> None:
    """Raises Forbidden where a browser says that another site's page posts the form."""
    from_site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if from_site is not None:
        is_own = from_site in ("same-origin", "none")
    else:
        is_own = origin is None or urlsplit(origin).netloc == headers.get("host", "")
    if not is_own:
        raise Forbidden("another site's page posts this form", code="from_elsewhere")


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
