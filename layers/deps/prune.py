"""Leaves of botocore's data what a client reads to start, and what we call: no other service or operation, no documentation.

A client parses `endpoints.json` (1.25 MB, four hundred services) and its service's description before its first call, and makes
a method of each operation that stands there.
"""

import gzip
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

OPERATIONS = {
    "dynamodb": {
        *("BatchGetItem", "BatchWriteItem", "DescribeTable", "GetItem", "PutItem", "Query", "Scan", "TransactWriteItems"),
    },
    "s3": {
        *("DeleteObjects", "GetObject", "HeadObject", "ListObjectsV2", "PutObject"),
        *("AbortMultipartUpload", "CompleteMultipartUpload", "CreateMultipartUpload", "UploadPart"),
    },
    "secretsmanager": {"GetSecretValue"},
    "sesv2": {"GetAccount", "GetEmailIdentity", "SendEmail"},
    "sqs": {"SendMessage", "SendMessageBatch"},
    "stepfunctions": {"StartExecution"},
}
"""What we call, by service. A new one is added here and in the template's policies."""
BY_ITSELF = {"s3": {"CreateBucket", "HeadBucket"}}
"""What the SDK uses without being asked: where a bucket has gone, and, for the address of a form, where it would be made."""


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


def with_operations(described: dict[str, Any], kept: set[str]) -> dict[str, Any]:
    """Leave some operations of a service's description, and the shapes that they lead to."""
    operations = {name: about for name, about in described["operations"].items() if name in kept}
    shapes: dict[str, Any] = {}
    waiting = set(_named(operations))
    while waiting:
        shapes |= {name: described["shapes"][name] for name in waiting}
        waiting = {inner for name in waiting for inner in _named(described["shapes"][name])} - shapes.keys()
    return described | {"operations": operations, "shapes": shapes}


def _named(value: Any) -> Iterator[str]:
    """Name the shapes that part of a description refers to; a member called `shape` is none."""
    match value:
        case dict():
            if isinstance(name := value.get("shape"), str):
                yield name
            for inner in value.values():
                yield from _named(inner)
        case list():
            for inner in value:
                yield from _named(inner)


def prune(data: Path) -> None:
    for folder in data.iterdir():
        if folder.is_dir() and folder.name not in OPERATIONS:
            shutil.rmtree(folder)
    endpoints = json.loads((data / "endpoints.json").read_text(encoding="utf-8"))
    for partition in endpoints["partitions"]:
        partition["services"] = {name: about for name, about in partition["services"].items() if name in OPERATIONS}
    (data / "endpoints.json").write_text(json.dumps(endpoints, separators=(",", ":")), encoding="utf-8")
    for model in data.glob("*/*/service-2.json.gz"):
        service = model.parts[-3]
        described = json.loads(gzip.decompress(model.read_bytes()))
        kept = without_documentation(with_operations(described, OPERATIONS[service] | BY_ITSELF.get(service, set())))
        if "clientContextParams" in described:  # S3's, whose documentation botocore insists on
            kept["clientContextParams"] = described["clientContextParams"]
        model.with_suffix("").write_text(json.dumps(kept, separators=(",", ":")), encoding="utf-8")
        model.unlink()


if __name__ == "__main__":
    prune(Path(sys.argv[1]))
