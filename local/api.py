"""A caller of the HTTP API, as a site's own program would be: one kept connection, and patience."""

import json
import time
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Self
from urllib.parse import urlsplit

TRIES = 6
COME_AGAIN = {429, 502, 503, 504}


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    body: Any


class ApiError(Exception):
    """An answer that was not asked for."""


class Api:
    """One connection with one key. Not for several threads."""

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._connection = kind(parts.hostname or "", parts.port, timeout=60)
        self._path = parts.path
        self._key = key

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def get(self, path: str) -> dict[str, Any]:
        """Return the body of a 200."""
        return self._expected(self.call("GET", path), 200)

    def post(self, path: str, body: dict[str, Any], *expected: int) -> dict[str, Any]:
        """Return the body of an expected status, 201 if none is named. The same body is safe to repeat."""
        return self._expected(self.call("POST", path, body), *(expected or (201,)))

    def put(self, path: str, body: dict[str, Any], *expected: int) -> dict[str, Any]:
        """Return the body of an expected status, 200 if none is named."""
        return self._expected(self.call("PUT", path, body), *(expected or (200,)))

    def call(self, method: str, path: str, body: dict[str, Any] | None = None, **headers: str) -> Reply:
        """Call until there is an answer that stays the same if asked again. `Idempotency_Key="…"` is a header."""
        for pause in [2**attempt / 10 for attempt in range(TRIES - 1)]:
            try:
                reply = self._once(method, path, body, headers)
            except (HTTPException, OSError):
                self._connection.close()
            else:
                if reply.status not in COME_AGAIN:
                    return reply
            time.sleep(pause)
        return self._once(method, path, body, headers)

    def _once(self, method: str, path: str, body: dict[str, Any] | None, more: dict[str, str]) -> Reply:
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        headers |= {name.replace("_", "-"): value for name, value in more.items()}
        content = None if body is None else json.dumps(body).encode()
        self._connection.request(method, self._path + path, content, headers)
        response = self._connection.getresponse()
        answer = response.read()
        return Reply(response.status, json.loads(answer) if answer else None)

    @staticmethod
    def _expected(reply: Reply, *statuses: int) -> dict[str, Any]:
        if reply.status not in statuses:
            raise ApiError(f"{reply.status}: {json.dumps(reply.body)}")
        body: dict[str, Any] = reply.body
        return body
