"""`make up`: the whole template on this machine, in the background. If it is up, only what has changed is deployed."""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
from botocore.exceptions import ClientError

from local.stack import ARCHITECTURE, PATIENCE_SECONDS, ROOT, STACK_NAME, Stack, give_up
from local.tool import tool

TOOLS = ROOT / ".venv-tools" / "bin"
INPUTS = ("template.yaml", "samconfig.toml", "requirements/runtime.txt", "requirements/imports.txt", "functions", "layers")
SITE = "demo"
DOMAIN = "demo.example.com"
"""Where the laptop's sites send from."""
KINDS = ("write", "server", "staff")


def up(stack: Stack, *, fresh: bool = False) -> dict[str, Any]:
    """Start what is not running, build and deploy what has changed; return what stack.json says."""
    if fresh:
        with step("Removed what was here"):
            remove(stack)
    if stack.status() is None:
        with step(f"Started MiniStack on port {stack.port}"):
            start(stack)
    else:
        print(f"MiniStack is up already on port {stack.port}")
    fingerprint = fingerprint_of_inputs()
    outputs = deployed(stack, fingerprint)
    if outputs is None:
        with one_at_a_time():
            if not is_built(fingerprint):
                with step("Built the functions and their layers"):
                    build(stack, fingerprint)
            with step("Deployed template.yaml"):
                deploy(stack, fingerprint)
        outputs = deployed(stack, fingerprint) or give_up("the deployed stack is not the one that was built")
    facts = facts_of(stack, outputs)
    stack.write_facts(facts)
    return facts


def remove(stack: Stack) -> None:
    """Stop this port's stack without ceremony and forget all it held."""
    if stack.is_running():
        os.kill(stack.pid(), signal.SIGKILL)
        wait_until(lambda: not stack.is_running(), "MiniStack does not die")
    shutil.rmtree(stack.folder, ignore_errors=True)


def start(stack: Stack) -> None:
    """Start the emulator with an environment of its own: what this shell has set is not what a function sees."""
    if stack.is_running():  # it was told to stop and is still writing its state
        wait_until(lambda: not stack.is_running(), "MiniStack is still stopping")
    if not (stack.folder / "state").exists():  # it was killed before it saved anything: its keys are gone too
        (stack.folder / "stack.json").unlink(missing_ok=True)
    temporary = stack.folder / "tmp"  # unpacked functions, never removed by the emulator itself
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(stack.folder),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "TMPDIR": str(temporary),
        "AUTH": "true",  # enforce the policies of the template
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(stack.port),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(stack.folder / "state"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(stack.folder / "s3"),
    }
    with (stack.folder / "emulator.log").open("w") as log:
        process = subprocess.Popen(
            [TOOLS / "python", "-m", "local.emulator"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    wait_until(
        lambda: stack.status() is not None or process.poll() is not None,
        f"MiniStack does not answer: see {log.name}",
    )
    if process.poll() is not None:
        give_up(f"MiniStack has stopped: see {log.name}. Is port {stack.port} taken? Choose another one with PORT=")


def fingerprint_of_inputs() -> str:
    """Hash all that decides what is built and deployed."""
    digest = hashlib.sha256(ARCHITECTURE.encode())
    for name in INPUTS:
        path = ROOT / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def is_built(fingerprint: str) -> bool:
    """Tell whether `.aws-sam/build` was made from the inputs as they are now."""
    marker = ROOT / ".aws-sam" / "build" / "fingerprint"
    return marker.exists() and marker.read_text() == fingerprint


def build(stack: Stack, fingerprint: str) -> None:
    """`sam build`, for this machine's processor. SAM's own cache does not know requirements/runtime.txt."""
    sam(stack, "build", "--no-cached", "--parallel")
    (ROOT / ".aws-sam" / "build" / "fingerprint").write_text(fingerprint)


def deploy(stack: Stack, fingerprint: str) -> None:
    """`sam deploy` to the emulator."""
    sam(
        stack,
        *("deploy", "--config-env", "local", "--stack-name", STACK_NAME),
        *("--parameter-overrides", "Stage=local", f"Architecture={ARCHITECTURE}"),
        *("--tags", f"fingerprint={fingerprint}"),
    )


def sam(stack: Stack, *arguments: str) -> None:
    """Run SAM CLI against this stack; if it fails, show how it ended."""
    log = stack.folder / f"sam-{arguments[0]}.log"
    environment = stack.environment | {"SAM_CLI_TELEMETRY": "0", "ARCHITECTURE": ARCHITECTURE}
    with log.open("w") as output:
        command = [str(TOOLS / "sam"), *arguments]
        outcome = subprocess.run(command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT, check=False)
    if outcome.returncode != 0:
        print("\n".join(log.read_text().splitlines()[-30:]), file=sys.stderr)
        give_up(f"sam {arguments[0]} failed; all it said is in {log.relative_to(ROOT)}")


def deployed(stack: Stack, fingerprint: str) -> dict[str, str] | None:
    """Return the outputs of the deployed stack, if it was deployed from these inputs."""
    cloudformation = boto3.client("cloudformation", **stack.client_settings())
    try:
        found = cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"][0]
    except ClientError:
        return None
    if {"Key": "fingerprint", "Value": fingerprint} not in found["Tags"]:
        return None
    return {output["OutputKey"]: output["OutputValue"] for output in found["Outputs"]}


def facts_of(stack: Stack, outputs: dict[str, str]) -> dict[str, Any]:
    """Put together what stack.json tells other tools; keys are made once, because they are shown once."""
    before = stack.facts() or {}
    facts: dict[str, Any] = {
        "api_url": f"{stack.endpoint}/_aws/execute-api/{outputs['ApiId']}",
        "endpoint_url": stack.endpoint,
        "region": stack.client_settings()["region_name"],
        "table": outputs["TableName"],
        "imports_bucket": outputs.get("ImportsBucketName"),
        "night_machine": outputs["NightMachineArn"],
        "mailbox_url": f"{stack.endpoint}/_local/mailbox",
    }
    if "server_key" in before:
        return facts | {f"{kind}_key": before[f"{kind}_key"] for kind in KINDS}
    with step(f"Made the site {SITE} and its keys, and armed sending"):
        return facts | make_keys(stack)


def make_keys(stack: Stack) -> dict[str, str]:
    """Verify a domain, define a site that sends from it, arm sending, and make a key of each kind."""
    boto3.client("sesv2", **stack.client_settings()).create_email_identity(EmailIdentity=DOMAIN)
    put_site(stack, SITE)
    tool(stack, "sending", "arm")
    with ThreadPoolExecutor() as pool:
        return {
            f"{kind}_key": secret
            for kind, secret in zip(KINDS, pool.map(lambda kind: make_key(stack, SITE, kind), KINDS), strict=True)
        }


def put_site(stack: Stack, site: str, *about: str) -> None:
    """Define a site of three languages, or define it anew."""
    speaks = ("--brand", site.title(), "--languages", "en,fa,zh", "--time-zone", "UTC", "--currency", "USD")
    writes = (
        "--sender",
        f"shop@{DOMAIN}",
        "--reply-to",
        f"help@{DOMAIN}",
        "--postal-address",
        "Demo, 1 Example Street, Exampletown",
    )
    tool(stack, "sites", "put", site, *speaks, *writes, *about)


def make_key(stack: Stack, site: str, kind: str) -> str:
    """Make a key and return its secret."""
    made = tool(stack, "keys", "create", "--kind", kind, "--site", site, "--name", "laptop", "--json")
    return str(json.loads(made)["secret"])


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Keep two stacks of one checkout from building into the same folder."""
    with (ROOT / ".local" / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def step(done: str) -> Iterator[None]:
    """Say what was done and how long it took."""
    started = time.monotonic()
    yield
    print(f"{done:<50}{time.monotonic() - started:6.1f} s", flush=True)


def wait_until(condition: Callable[[], bool], otherwise: str) -> None:
    """Look ten times a second, for two minutes."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            give_up(otherwise)
        time.sleep(0.1)


def main() -> None:
    """Start, and say where it answers."""
    stack = Stack.of_environment()
    facts = up(stack, fresh=os.environ.get("FRESH") == "1")
    print(f"The API answers at {facts['api_url']}, keys are in {(stack.folder / 'stack.json').relative_to(ROOT)}")


if __name__ == "__main__":
    main()
