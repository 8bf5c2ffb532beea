"""A person in front of Chromium: looks at pages, types and clicks where things are, and has no script.

Spoken over the pipe of the DevTools protocol, one JSON a message with a NUL behind it, so that no driver has to be installed.
"""

import base64
import json
import os
import signal
import subprocess
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

PHONE = (390, 844)
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync", "--hide-scrollbars")
QUIET = ("--disable-background-networking", "--disable-component-update", "--host-resolver-rules=MAP * 127.0.0.1")


class Chromium:
    """One tab, as wide as a phone. Pages may run no script of their own."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._to_browser, self._from_browser = to_browser, from_browser
        self._numbers = iter(range(1, 10**9))
        self._heard = b""
        self._events: deque[dict[str, Any]] = deque()
        self._session: str | None = None
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._call("Page.enable")
        width, height = PHONE
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=2, mobile=True)
        self._call("Emulation.setScriptExecutionDisabled", value=True)

    def open(self, url: str) -> str:
        """Go to an address, and give what the page says."""
        self._events.clear()
        failed = self._call("Page.navigate", url=url).get("errorText")
        assert failed is None, failed
        return self._read()

    def type(self, selector: str, text: str) -> None:
        """Click into a field, and write."""
        self._click(selector)
        self._call("Input.insertText", text=text)

    def tick(self, selector: str) -> None:
        """Click where nothing is loaded by it."""
        self._click(selector)

    def click(self, selector: str) -> str:
        """Click where a page is loaded by it, and give what that says."""
        self._events.clear()
        self._click(selector)
        return self._read()

    def targets(self, selector: str) -> list[str]:
        """Give where links lead."""
        found = self._value(f"JSON.stringify([...document.querySelectorAll({json.dumps(selector)})].map(each => each.href))")
        return [*map(str, json.loads(found))]

    def look(self, file: Path) -> None:
        """Keep what is seen now as a picture."""
        shot = self._call("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        file.write_bytes(base64.b64decode(shot))

    @property
    def address(self) -> str:
        return str(self._value("location.href"))

    def _read(self) -> str:
        while not any(event["method"] == "Page.loadEventFired" for event in self._events):
            self._events.append(self._hear())
        return str(self._value("document.body.innerText"))

    def _click(self, selector: str) -> None:
        find = f"document.querySelector({json.dumps(selector)})"
        assert self._value(f"{find} !== null"), f"{selector} is not on the page at {self.address}"
        middle = f"(({{x, y, width, height}}) => [x + width / 2, y + height / 2])({find}.getBoundingClientRect())"
        x, y = json.loads(
            self._value(f"{find}.scrollIntoView({{block: 'center', behavior: 'instant'}}), JSON.stringify({middle})")
        )
        for kind in ("mousePressed", "mouseReleased"):
            self._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def _value(self, expression: str) -> Any:
        found = self._call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params} | ({"sessionId": self._session} if self._session else {})
        os.write(self._to_browser, json.dumps(message).encode() + b"\0")
        while (heard := self._hear()).get("id") != number:
            self._events.append(heard)
        assert "error" not in heard, heard
        result: dict[str, Any] = heard["result"]
        return result

    def _hear(self) -> dict[str, Any]:
        while b"\0" not in self._heard:
            some = os.read(self._from_browser, 1 << 16)
            assert some, "Chromium has ended"
            self._heard += some
        first, _, self._heard = self._heard.partition(b"\0")
        heard: dict[str, Any] = json.loads(first)
        return heard


@contextmanager
def chromium(program: str) -> Iterator[Chromium]:
    """Start Chromium, and end it afterwards."""
    (its_in, to_browser), (from_browser, its_out) = os.pipe(), os.pipe()
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        # The protocol's pipes are the descriptors 3 and 4.
        command = [
            "bash",
            "-c",
            f'exec "$@" 3<&{its_in} 4>&{its_out}',
            "bash",
            program,
            *FLAGS,
            *QUIET,
            "--remote-debugging-pipe",
        ]
        browser = subprocess.Popen(
            [*command, f"--user-data-dir={folder}"],
            pass_fds=(its_in, its_out),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(its_in)
        os.close(its_out)
        try:
            yield Chromium(to_browser, from_browser)
        finally:
            os.killpg(browser.pid, signal.SIGTERM)
            browser.wait(timeout=30)
            os.close(to_browser)
            os.close(from_browser)
