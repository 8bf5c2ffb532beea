"""Where a laptop's stack lives, who may talk to it, and whether it runs.

Each port has a folder of its own, `.local/<port>/`: the emulator's state, its log, `stack.json`. The default port's
`stack.json` is also `.local/stack.json`, where other tools look for it.
"""

import fcntl
import json
import os
import platform
import sys
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NoReturn, Self

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_PORT = 4566
REGION = "us-east-1"
STACK_NAME = "ecrm-local"
ARCHITECTURE = "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"
PATIENCE_SECONDS = 120


@dataclass(frozen=True)
class Stack:
    """The stack of one port."""

    port: int

    @classmethod
    def of_environment(cls) -> Self:
        """Take the port from PORT, as the Makefile hands it on."""
        return cls(int(os.environ.get("PORT") or DEFAULT_PORT))

    @property
    def folder(self) -> Path:
        """All that this stack leaves on the disk."""
        return ROOT / ".local" / str(self.port)

    @property
    def endpoint(self) -> str:
        """Where every AWS service answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What an AWS client needs to talk to this stack as its owner, in the environment of this process."""
        settings = {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "PORT": str(self.port),
        }
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return inherited | settings

    def client_settings(self) -> dict[str, str]:
        """The same for a boto3 client in this process: `boto3.client("dynamodb", **stack.client_settings())`."""
        return {
            "endpoint_url": self.endpoint,
            "region_name": REGION,
            "aws_access_key_id": "test",
            "aws_secret_access_key": "test",
        }

    def is_running(self) -> bool:
        """Tell whether an emulator process holds this folder, be it starting, up or stopping."""
        lock = self.folder / "lock"
        if not lock.exists():
            return False
        with lock.open() as held:
            try:
                fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def pid(self) -> int:
        """The emulator's process, while it runs."""
        return int((self.folder / "lock").read_text())

    def status(self, after: int = -1) -> dict[str, Any] | None:
        """What local/emulator.py tells; None if nothing answers.

        `backlog` by function, `requests` after a number, `calls` that each role was allowed since the start, and their `counts`,
        the processes of the functions, `workers`, and how many `mails` SES took.
        """
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", f"/_local/status?after={after}")
            status: dict[str, Any] = json.load(connection.getresponse())
        except (OSError, ValueError):
            return None
        finally:
            connection.close()
        return status if status.get("folder") == str(self.folder) else None

    def facts(self) -> dict[str, Any] | None:
        """What stack.json says; None before the first `make up`."""
        file = self.folder / "stack.json"
        return json.loads(file.read_text()) if file.exists() else None

    def write_facts(self, facts: dict[str, Any]) -> None:
        """Write stack.json, readable for its owner alone because it holds keys."""
        files = [self.folder / "stack.json"]
        if self.port == DEFAULT_PORT:
            files.append(ROOT / ".local" / "stack.json")
        for file in files:
            file.touch(mode=0o600)
            file.write_text(json.dumps(facts, indent=2) + "\n")


def give_up(reason: str) -> NoReturn:
    """End the program with one sentence that says why."""
    sys.exit(f"make: {reason}")
