"""Names: none is hard-coded in the template, and none says nothing in the code."""

from pathlib import Path

import pytest

from tests.architecture.sources import CORE, ROOT, folders, shipped
from tests.architecture.stack import Stack, references

# Properties that give a resource a name which no second stack in the account could have.
NAMES = {
    "AlarmName",
    "BucketName",
    "FunctionName",
    "IndexName",
    "LayerName",
    "LogGroupName",
    "Name",
    "PolicyName",
    "QueueName",
    "RoleName",
    "TableName",
    "TopicName",
}
# These live inside a resource that has a name of its own.
INNER = {"AWS::DynamoDB::Table": {"IndexName"}, "AWS::IAM::Role": {"PolicyName"}, "AWS::Lambda::Alias": {"Name"}}
# Doors whose name is that of the activity, because they lead to several things or speak somebody else's API.
NAMED_BY_THEIR_PATHS = {"catalog_api": "products", "ingest_api": "behaviour"}
# What is worked out of everything else is no state of its own, and kept as files.
COMPUTED = {"reports": ("analytics", "application", "contracts", "files", "messaging")}
EMPTY_WORDS = {"util", "utils", "helper", "helpers", "common", "manager", "misc", "base", "service", "services"}


def test_any_number_of_stacks_fit_into_one_account(stack: Stack) -> None:
    for logical_id, resource in stack.resources.items():
        for name in NAMES & set(resource.get("Properties", {})) - INNER.get(resource["Type"], set()):
            value = references(resource["Properties"][name])
            assert value, f"{logical_id}.{name} is the same in every stack"


def test_no_output_is_exported(stack: Stack) -> None:
    """An export is a name that the whole account shares."""
    for output in stack.body["Outputs"].values():
        assert "Export" not in output


@pytest.mark.parametrize("path", shipped(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_is_named_after_what_it_is_about(path: Path) -> None:
    words = set(path.relative_to(ROOT).with_suffix("").as_posix().replace("/", "_").lower().split("_"))
    assert not words & EMPTY_WORDS


def test_rooms_are_the_ones_of_the_design() -> None:
    rooms = {path.stem for path in (CORE / "ecrm").iterdir() if path.suffix == ".py" or path.is_dir()}
    assert rooms - {"__init__", "__pycache__"} <= {
        "domain",
        "analytics",
        "application",
        "contracts",
        "store",
        "messaging",
        "files",
        "entry",
        "bootstrap",
    }


def test_a_capability_has_the_same_name_in_every_room() -> None:
    """A slice is one grep: what an API is about names a file in the rooms that speak of it."""
    for folder in folders():
        capability = NAMED_BY_THEIR_PATHS.get(folder, folder.removesuffix("_api"))
        if folder.endswith("_api") and capability not in {"reference", "public"}:  # doors to what the others are about
            for room in COMPUTED.get(capability, ("domain", "application", "contracts", "store")):
                assert (CORE / "ecrm" / room / f"{capability}.py").exists(), f"{room}/{capability}.py"
