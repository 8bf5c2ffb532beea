"""Leaves of botocore's data what a client reads to start: no other service's endpoints, and no documentation of ours.

A client parses `endpoints.json` (1.25 MB, four hundred services) and its service's description before its first call.
"""

import gzip
import json
import sys
from pathlib import Path
from typing import Any


def without_documentation(value: Any) -> Any:
    """Drop texts named `documentation`; a member of that name is no text and stays."""
    match value:
        case dict():
            return {
                name: without_documentation(inner)
                for name, inner in value.items()
                if not (name == "documentation" and isinstance(inner, str))
            }
        case list():
            return [without_documentation(inner) for inner in value]
        case _:
            return value


def prune(data: Path, services: set[str]) -> None:
    endpoints = json.loads((data / "endpoints.json").read_text(encoding="utf-8"))
    for partition in endpoints["partitions"]:
        partition["services"] = {name: about for name, about in partition["services"].items() if name in services}
    (data / "endpoints.json").write_text(json.dumps(endpoints, separators=(",", ":")), encoding="utf-8")
    for model in data.glob("*/*/service-2.json.gz"):
        described = json.loads(gzip.decompress(model.read_bytes()))
        kept = without_documentation(described)
        if "clientContextParams" in described:  # S3's, whose documentation botocore insists on
            kept["clientContextParams"] = described["clientContextParams"]
        model.with_suffix("").write_text(json.dumps(kept, separators=(",", ":")), encoding="utf-8")
        model.unlink()


if __name__ == "__main__":
    prune(Path(sys.argv[1]), set(sys.argv[2:]))
