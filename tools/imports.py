"""Hand in a contact file and wait for what becomes of it, on a laptop or on AWS.

Asks the API for an upload, uploads, shows how far the file is, prints the result, and writes the rejected rows beside the file.
A file `<file>.json` beside it is its sidecar. On AWS: `python -m tools.imports FILE --stack NAME`, with a key of the API in the
environment variable ECRM_KEY.
"""

import argparse
import json
import mimetypes
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import botocore.session

from ecrm.domain.imports import Kind
from local.api import Api, ApiError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

ENDED = {"done", "cancelled", "failed", "undone"}
WIDTH = 30
CHUNK = 1024 * 1024
LOOK_EVERY_SECONDS = 0.5
HTTP_OK = range(200, 300)


def hand_in(api: Api, file: Path, kind: Kind, *, is_dry_run: bool = False, site: str | None = None) -> dict[str, Any]:
    """Upload a file; return its import as the API shows it first. Raises ApiError."""
    sidecar = file.with_name(file.name + ".json")
    options = json.loads(sidecar.read_text(encoding="utf-8")) if sidecar.exists() else {}
    options |= {"dry_run": True} if is_dry_run else {}
    asked: dict[str, Any] = {
        "kind": kind.value,
        "name": file.name,
        "size": file.stat().st_size,
        "content_type": mimetypes.guess_type(file.name)[0] or "application/octet-stream",
    }
    asked |= {"options": options} if options else {}
    asked |= {"site": site} if site else {}
    requested = api.post("/v1/imports", asked)
    upload(requested["upload"], file)
    return requested


def upload(form: Mapping[str, Any], file: Path) -> None:
    """Send a file by a form, as a browser would. Raises ApiError where it is not taken."""
    boundary = token_hex(16)
    head = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in form["fields"].items()
    )
    head += f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="file"\r\n\r\n'
    tail = f"\r\n--{boundary}--\r\n"

    def body() -> Iterator[bytes]:
        yield head.encode()
        with file.open("rb") as opened:
            while content := opened.read(CHUNK):
                yield content
        yield tail.encode()

    headers = {
        "Content-Type": f"multipart/form-data; boundary={boundary}",
        "Content-Length": str(len(head.encode()) + file.stat().st_size + len(tail)),
    }
    connection, path = _connected(form["url"])
    try:
        connection.request("POST", path, body(), headers)
        answer = connection.getresponse()
        said = answer.read().decode(errors="replace")
    finally:
        connection.close()
    if answer.status not in HTTP_OK:
        raise ApiError(f"the upload was answered {answer.status}: {said}")


def wait(api: Api, import_id: str, tell: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Look until an import has ended, and tell of it meanwhile; return it."""
    while True:
        found = api.get(f"/v1/imports/{import_id}")
        tell(found)
        if found["finished_at"] is not None:
            return found
        time.sleep(LOOK_EVERY_SECONDS)


def fetch(url: str) -> bytes:
    """Return what is behind a link."""
    connection, path = _connected(url)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    if answer.status not in HTTP_OK:
        raise ApiError(f"the link was answered {answer.status}")
    return content


def _connected(url: str) -> tuple[HTTPConnection, str]:
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    return kind(parts.hostname or "", parts.port, timeout=300), f"{parts.path}?{parts.query}" if parts.query else parts.path


class Bar:
    """A line that says how far a file is: on a terminal one that changes, else one for each step."""

    def __init__(self) -> None:
        self._said = ""

    def __call__(self, found: dict[str, Any]) -> None:
        """Say it, if it is not what was said last."""
        line = progress_line(found)
        if line == self._said:
            return
        self._said = line
        if sys.stdout.isatty():
            print(f"\r\x1b[K{line}", end="\n" if found["finished_at"] else "", flush=True)
        else:
            print(line, flush=True)


def progress_line(found: dict[str, Any]) -> str:
    """Draw how many of the chunks that are known are done; before all of the file is read, nobody knows how many there are."""
    progress = found["progress"] or {"rows": 0, "read": False, "chunks": 0, "chunks_done": 0}
    part = progress["chunks_done"] / progress["chunks"] if progress["chunks"] else 0.0
    part = 1.0 if found["finished_at"] else part
    full = int(part * WIDTH)
    rows = f"{progress['rows']:,} rows" if progress["read"] else f"{progress['rows']:,} rows so far"
    return f"[{'█' * full}{'·' * (WIDTH - full)}] {part:>4.0%}  {rows}  {found['state'].replace('_', ' ')}"


def account_of(found: dict[str, Any]) -> str:
    """Write what became of a file, for people."""
    lines = []
    if found["error"]:
        lines.append(f"Nothing was taken: {found['error']['detail']} ({found['error']['code']})")
    counts = found["counts"] or {}
    if counts:
        words = ("created", "updated", "unchanged", "rejected", "skipped")
        lines.append(f"{counts['rows']:,} rows: " + ", ".join(f"{counts[word]:,} {word}" for word in words))
        told = counts["reasons"] | counts["warnings"]
        lines += [f"  {times:>9,} × {code}" for code, times in sorted(told.items(), key=lambda pair: (-pair[1], pair[0]))]
    lines += [
        f"  line {error['line'] or '?'}, {error['column'] or 'the row'}: {error['detail']} ({error['code']})"
        for error in found["errors"]
    ]
    if found["same_as"]:
        lines.append(f"The same content was there before, as {found['same_as']}: nothing was changed.")
    if found["dry_run"]:
        lines.append("It was a dry run: nothing was written.")
    return "\n".join(lines)


def run(api: Api, file: Path, kind: Kind, *, is_dry_run: bool = False, site: str | None = None) -> dict[str, Any]:
    """Hand in a file, wait for its end, print the result, and write the rejected rows beside it; return the import."""
    requested = hand_in(api, file, kind, is_dry_run=is_dry_run, site=site)
    print(f"import {requested['import_id']}", flush=True)
    found = wait(api, requested["import_id"], Bar())
    print(account_of(found))
    if found["rejects"]:
        name = urlsplit(found["rejects"]["url"]).path.rpartition("/")[2]
        rejects = file.with_name(file.name + name[name.rfind(".rejects.") :])
        rejects.write_bytes(fetch(found["rejects"]["url"]))
        print(f"The rejected rows, to be corrected and handed in: {rejects}")
    return found


def _url_of(stack: str) -> str:
    client = cast("CloudFormationClient", botocore.session.get_session().create_client("cloudformation"))
    (found,) = client.describe_stacks(StackName=stack)["Stacks"]
    return next(output["OutputValue"] for output in found["Outputs"] if output["OutputKey"] == "ApiUrl")


def main() -> None:
    """Read the command line, and do it."""
    parser = argparse.ArgumentParser(prog="imports", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--kind", choices=[*Kind], type=Kind, default=Kind.CONTACTS)
    parser.add_argument("--site", help="whose rows they are; else the key's site")
    parser.add_argument("--dry-run", action="store_true", help="decide everything, write nothing")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--stack", help="the CloudFormation stack")
    where.add_argument("--url", help="where the API answers")
    asked = parser.parse_args()
    key = os.environ.get("ECRM_KEY") or sys.exit("ECRM_KEY has to be a staff or server key of the API")
    try:
        with Api(asked.url or _url_of(asked.stack), key) as api:
            found = run(api, asked.file, asked.kind, is_dry_run=asked.dry_run, site=asked.site)
    except (ApiError, OSError) as error:
        sys.exit(str(error))
    sys.exit(0 if found["state"] == "done" else 1)


if __name__ == "__main__":
    main()
