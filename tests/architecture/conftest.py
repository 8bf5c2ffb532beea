import json
import os
import subprocess

import pytest

from tests.architecture.sources import ROOT
from tests.architecture.stack import Stack


def transformed(layers: str = "s3://artefacts/object", **parameters: str) -> Stack:
    """template.yaml, transformed with these parameters and, for the rest, their defaults."""
    script, template = ROOT / "tests/architecture/transform.py", ROOT / "template.yaml"
    outcome = subprocess.run(
        [ROOT / ".venv-tools/bin/python", script, template, json.dumps(parameters), layers],
        check=True,
        capture_output=True,
        env={**os.environ, "AWS_DEFAULT_REGION": "us-east-1"},
    )
    return Stack(json.loads(outcome.stdout))


@pytest.fixture(scope="session")
def stack() -> Stack:
    """template.yaml, transformed once per run."""
    return transformed()


@pytest.fixture(scope="session")
def production() -> Stack:
    """The same with the parameters of samconfig.toml's `prod` that SAM looks at."""
    return transformed(Stage="prod", Rollout="gradual")
