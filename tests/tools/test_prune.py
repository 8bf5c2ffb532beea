"""What the deps layer keeps of botocore's data makes the same clients."""

import ast
import json
import runpy
import shutil
from pathlib import Path
from typing import Any

import botocore
import botocore.session
import pytest
from botocore import xform_name
from botocore.config import Config

from tests.architecture.sources import CORE, ROOT, tree

AT_ITS_REGION = Config(signature_version="s3v4", s3={"addressing_style": "virtual"})
PRUNING = runpy.run_path(str(ROOT / "layers" / "deps" / "prune.py"))
OPERATIONS, BY_ITSELF = PRUNING["OPERATIONS"], PRUNING["BY_ITSELF"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    whole = Path(botocore.__file__).parent / "data"
    kept = tmp_path / "data"
    kept.mkdir()
    for file in whole.glob("*.json"):
        shutil.copy(file, kept)
    for name in (*OPERATIONS, "ec2"):
        shutil.copytree(whole / name, kept / name)
    PRUNING["prune"](kept)
    return kept


def session_of(folder: Path | None) -> Any:
    session: Any = botocore.session.get_session()
    if folder is not None:
        loader = session.get_component("data_loader")
        loader.search_paths.clear()
        loader.search_paths.append(str(folder))
    return session


def clients(folder: Path | None) -> dict[tuple[str, str], tuple[Any, ...]]:
    session = session_of(folder)
    made = {}
    for service, called in OPERATIONS.items():
        for region in ("eu-central-1", "us-gov-west-1", "cn-north-1"):
            client = session.create_client(service, region, aws_access_key_id="test", aws_secret_access_key="test")
            model = client.meta.service_model
            about = {name: operation(model.operation_model(name)) for name in sorted(called)}
            made[service, region] = (client.meta.endpoint_url, about)
    return made


def operation(model: Any) -> tuple[Any, ...]:
    """All that is sent and answered, down to the last member, and what may be refused."""
    return described(model.input_shape), described(model.output_shape), [described(shape) for shape in model.error_shapes]


def described(shape: Any, above: tuple[str, ...] = ()) -> Any:
    if shape is None or shape.name in above:
        return None
    inner = {name: getattr(shape, name) for name in ("member", "key", "value") if hasattr(shape, name)}
    inner |= getattr(shape, "members", {})
    return shape.name, shape.type_name, {name: described(deeper, (*above, shape.name)) for name, deeper in inner.items()}


def test_a_client_made_of_what_is_kept_is_the_same(data: Path) -> None:
    assert clients(None) == clients(data)


def test_what_our_code_calls_is_kept_and_nothing_else() -> None:
    words = {
        node.attr if isinstance(node, ast.Attribute) else node.value
        for path in CORE.rglob("*.py")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute | ast.Constant)
    }
    loader = session_of(None).get_component("data_loader")
    for service, kept in OPERATIONS.items():
        whole = loader.load_service_model(service, "service-2")["operations"]
        assert kept == {name for name in whole if xform_name(name) in words}


def test_a_client_has_the_operations_that_are_kept_and_no_others(data: Path) -> None:
    session = session_of(data)
    for service, called in OPERATIONS.items():
        client = session.create_client(service, "eu-central-1", aws_access_key_id="test", aws_secret_access_key="test")
        assert called | BY_ITSELF.get(service, set()) == set(client.meta.service_model.operation_names)


def test_a_file_has_the_same_link(data: Path) -> None:
    """S3's endpoint is worked out anew for each call, from more of the description than a client needs to start."""
    made = [
        session_of(folder)
        .create_client("s3", "eu-central-1", aws_access_key_id="test", aws_secret_access_key="test", config=AT_ITS_REGION)
        .generate_presigned_url("get_object", Params={"Bucket": "files", "Key": "a/b"})
        .partition("?")[0]
        for folder in (None, data)
    ]
    assert made == ["https://files.s3.eu-central-1.amazonaws.com/a/b"] * 2


def test_every_region_of_our_services_is_kept_and_no_other_service(data: Path) -> None:
    whole = json.loads((Path(botocore.__file__).parent / "data" / "endpoints.json").read_text())
    kept = json.loads((data / "endpoints.json").read_text())
    assert {folder.name for folder in data.iterdir() if folder.is_dir()} == set(OPERATIONS)
    for before, after in zip(whole["partitions"], kept["partitions"], strict=True):
        assert {name: before["services"][name] for name in OPERATIONS if name in before["services"]} == after["services"]
        assert before["regions"] == after["regions"]


def test_no_documentation_is_kept(data: Path) -> None:
    models = list(data.glob("*/*/service-2.json"))
    assert {model.parts[-3] for model in models} == set(OPERATIONS)
    for model in models:
        described = json.loads(model.read_text())
        described.pop("clientContextParams", None)
        assert '"documentation": "' not in json.dumps(described)
