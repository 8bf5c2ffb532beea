"""`make down`: wait until streams and queues are empty, then stop the stack and keep what it holds."""

import os
import shutil
import signal
import time

from local.stack import PATIENCE_SECONDS, Stack
from local.up import step, wait_until


def down(stack: Stack) -> None:
    """Stop gracefully: what came after the last graceful stop is lost by any other one."""
    if not stack.is_running():
        print(f"Nothing runs on port {stack.port}")
        return
    with step("Waited for streams and queues"):
        left = drain(stack)
    for function, records in left.items():
        print(f"{function} has {records} records left: they are kept, and delivered after the next `make up`")
    with step(f"Stopped MiniStack on port {stack.port}"):
        os.kill(stack.pid(), signal.SIGTERM)
        wait_until(lambda: not stack.is_running(), "MiniStack does not stop")
        shutil.rmtree(stack.folder / "tmp", ignore_errors=True)


def drain(stack: Stack) -> dict[str, int]:
    """Wait until every function has had its records, two minutes longer than it gets on; return what is left."""
    left: dict[str, int] = {}
    fewest, deadline = None, time.monotonic() + PATIENCE_SECONDS
    while (status := stack.status()) and time.monotonic() < deadline:
        left = {function: records for function, records in status["backlog"].items() if records}
        if not left:
            break
        if fewest is None or sum(left.values()) < fewest:
            fewest, deadline = sum(left.values()), time.monotonic() + PATIENCE_SECONDS
        time.sleep(0.2)
    return left


if __name__ == "__main__":
    down(Stack.of_environment())
