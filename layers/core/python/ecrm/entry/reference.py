"""The API's description at the door: `openapi.json` and `docs.html` are made at development time and shipped beside this file."""

from pathlib import Path

from .http import Reply

_HERE = Path(__file__).parent / "reference"
_CSP = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def description() -> Reply:
    return Reply(200, (_HERE / "openapi.json").read_text(), {"cache-control": "public, max-age=300"})


def page() -> Reply:
    headers = {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": _CSP,
        "referrer-policy": "no-referrer",
    }
    return Reply(200, (_HERE / "docs.html").read_text(), headers | {"cache-control": "public, max-age=300"})
