"""The fuzzing of every operation with six times as many requests as the suite makes.

make bench        FUZZ_EXAMPLES=300 for each operation, right ones and wrong ones, unless the environment says otherwise
"""

import os
import subprocess
import sys

from local.stack import ROOT

EXAMPLES = "300"


def main() -> None:
    environment = {"FUZZ_EXAMPLES": EXAMPLES} | os.environ
    print(f"fuzzing, {environment['FUZZ_EXAMPLES']} examples an operation")
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "tests/functions/test_fuzz.py"]
    sys.exit(subprocess.run(command, check=False, cwd=ROOT, env=environment).returncode)


if __name__ == "__main__":
    main()
