"""What a figure was measured on."""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path


def machine() -> str:
    """Name processor, cores, Python and day: a figure without them compares with nothing."""
    found = Path("/proc/cpuinfo")
    lines = found.read_text().splitlines() if found.exists() else []
    model = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}, {datetime.now(UTC):%Y-%m-%d}"
