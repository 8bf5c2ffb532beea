"""The API's description at the door: `openapi.json` and `docs.html` are made at development time, and their function's own."""

from pathlib import Path

from .http import Reply

_CSP = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def description(folder: Path) -> Reply:
    return Reply(200, (folder / "openapi.json").read_text(), {"cache-control": "public, max-age=300"})


def page(folder: Path) -> Reply:
    headers = {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": _CSP,
        "referrer-policy": "no-referrer",
    }
    return Reply(200, (folder / "docs.html").read_text(), headers | {"cache-control": "public, max-age=300"})
