"""`tools/ecrm.py` on the stack of PORT: `python -m local.tool stats rebuild --dry-run`. `make keys` comes here too."""

import subprocess
import sys

from local.stack import ROOT, STACK_NAME, Stack


def tool(stack: Stack, *arguments: str) -> str:
    """Run the engineer's command with the laptop as its AWS; return what it prints. Ends the program where it fails."""
    outcome = subprocess.run(
        [sys.executable, "-m", "tools.ecrm", "--stack", STACK_NAME, *arguments],
        cwd=ROOT,
        env=stack.environment | {"PYTHONPATH": str(ROOT / "layers" / "core" / "python")},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if outcome.returncode != 0:
        print(outcome.stdout, end="")
        sys.exit(outcome.returncode)
    return outcome.stdout


if __name__ == "__main__":
    print(tool(Stack.of_environment(), *sys.argv[1:]), end="")
