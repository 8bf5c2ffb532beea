"""Segment's published libraries, as they are, against the deployed stack: only host and write key are set.

A front stands between, because on a laptop the API has a path, and a host is what the libraries are told.
"""

import queue
import shutil
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, override
from urllib.parse import urlencode, urlsplit

import pytest
from segment.analytics.client import Client

from local.api import Api
from local.down import drain
from local.stack import ROOT, Stack

MODULES = ROOT / ".local" / "segment" / "node_modules"
HERE = Path(__file__).parent / "segment"
PATIENCE_SECONDS = 90


@contextmanager
def served(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def host(facts: dict[str, Any]) -> Iterator[str]:
    """The API at a host without a path; it hands everything on unchanged, CORS and its absence too."""
    at = urlsplit(facts["api_url"])

    class Front(BaseHTTPRequestHandler):
        def hand_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            asked = {name: value for name, value in self.headers.items() if name.lower() not in {"host", "connection"}}
            connection = HTTPConnection(at.netloc, timeout=60)
            connection.request(self.command, at.path + self.path, body, asked | {"X-Forwarded-Host": self.headers["host"]})
            answer = connection.getresponse()
            said = answer.read()
            connection.close()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in {"connection", "content-length", "date", "server", "transfer-encoding"}:
                    self.send_header(name, value)
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def do_GET(self) -> None:
            self.hand_on()

        def do_POST(self) -> None:
            self.hand_on()

        def do_OPTIONS(self) -> None:
            self.hand_on()

        @override
        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: what is asked is in the stack's own log."""

    with served(Front) as url:
        yield url


def told(stack: Stack, api: Api, who: dict[str, str]) -> tuple[Counter[str], Any]:
    """What the timeline says of somebody, by type, and their profile."""
    assert drain(stack) == {}
    (customer,) = api.post("/v1/customers/lookup", who, 200)["data"]
    events = api.get(f"/v1/customers/{customer['customer_id']}/timeline?limit=100")["data"]
    return Counter(event["type"] for event in events), customer


def test_the_python_library_works_as_it_is(stack: Stack, api: Api, facts: dict[str, Any], host: str) -> None:
    failed: list[object] = []
    client = Client(facts["write_key"], host=host, on_error=lambda error, _calls: failed.append(error))
    client.identify("seg-python", {"plan": "gold"})
    client.page("seg-python", "shop", "Home", {"url": "https://shop.example.com/"})
    client.screen("seg-python", "shop", "Start")
    client.group("seg-python", "club", {"name": "Club"})
    client.alias("seg-python-before", "seg-python")
    client.track("seg-python", "Product Viewed", {"product_id": "CD-5"}, message_id="seg-python-1")
    client.track("seg-python", "Newsletter Folded", {"corners": 4})
    client.flush()
    client.shutdown()
    assert failed == []
    types, profile = told(stack, api, {"user_id": "seg-python"})
    expected = {"page.viewed": 1, "screen.viewed": 1, "group.joined": 1, "product.viewed": 1, "custom.tracked": 1}
    assert expected.items() <= types.items()
    assert profile["traits"]["plan"] == "gold"


def test_the_node_library_works_as_it_is(stack: Stack, api: Api, facts: dict[str, Any], host: str) -> None:
    command = ["node", HERE / "node.cjs", host, facts["write_key"], "seg-node"]
    done = subprocess.run(
        command,
        env={"NODE_PATH": str(MODULES), "PATH": _path_of("node")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    types, profile = told(stack, api, {"user_id": "seg-node"})
    expected = {"page.viewed": 1, "screen.viewed": 1, "group.joined": 1, "product.viewed": 1}
    assert expected.items() <= types.items()
    assert {"plan": "gold", "first_name": "Nóra"}.items() <= profile["traits"].items()


def test_the_browser_bundle_works_as_it_is_and_the_visitor_keeps_their_past(
    stack: Stack, api: Api, facts: dict[str, Any], host: str
) -> None:
    said: queue.Queue[str] = queue.Queue()
    bundle = MODULES / "@segment" / "analytics-next" / "dist"

    class Shop(SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(bundle))

        @override
        def translate_path(self, path: str) -> str:
            return str(HERE / "page.html") if path.startswith("/page.html") else super().translate_path(path)

        def do_POST(self) -> None:
            said.put(self.rfile.read(int(self.headers["content-length"])).decode())
            self.send_response(204)
            self.end_headers()

        @override
        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with served(Shop) as shop, TemporaryDirectory() as profile_folder:
        page = f"{shop}/page.html?{urlencode({'key': facts['write_key'], 'host': host, 'user': 'seg-browser'})}"
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"]
        quiet = ["--disable-background-networking", "--disable-component-update", f"--user-data-dir={profile_folder}"]
        with subprocess.Popen(
            [browser(), *flags, *quiet, page], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as chromium:
            try:
                last = said.get(timeout=PATIENCE_SECONDS)
            finally:
                chromium.terminate()
    assert last.startswith("done "), last
    types, profile = told(stack, api, {"user_id": "seg-browser"})
    expected = {"page.viewed": 1, "product.viewed": 1, "product.added": 1, "group.joined": 1}
    assert expected.items() <= types.items()
    assert {"user_id", last.removeprefix("done ")} <= {i["kind"] for i in profile["identifiers"]} | {
        i["value"] for i in profile["identifiers"]
    }
    assert profile["traits"]["plan"] == "gold"


def browser() -> str:
    """Chromium or Chrome; the Makefile has installed it where it could."""
    done = subprocess.run([ROOT / "local" / "find-browser"], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _path_of(program: str) -> str:
    found = shutil.which(program)
    assert found is not None, f"{program} is needed"
    return str(Path(found).parent)
