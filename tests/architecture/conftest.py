import json
import os
import subprocess

import pytest

from tests.architecture.sources import ROOT
from tests.architecture.stack import Stack


@pytest.fixture(scope="session")
def stack() -> Stack:
    """template.yaml, transformed once per run."""
    transformed = subprocess.run(
        [ROOT / ".venv-tools/bin/python", ROOT / "tests/architecture/transform.py", ROOT / "template.yaml"],
        check=True,
        capture_output=True,
        env={**os.environ, "AWS_DEFAULT_REGION": "us-east-1"},
    )
    return Stack(json.loads(transformed.stdout))
