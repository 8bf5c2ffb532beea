"""What the deps layer keeps of botocore's data makes the same clients."""

import json
import runpy
import shutil
from pathlib import Path
from typing import Any

import botocore
import botocore.session
import pytest
from botocore.config import Config

from tests.architecture.sources import ROOT

OURS = ("dynamodb", "s3", "secretsmanager", "sqs")
AT_ITS_REGION = Config(signature_version="s3v4", s3={"addressing_style": "virtual"})
prune = runpy.run_path(str(ROOT / "layers" / "deps" / "prune.py"))["prune"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    whole = Path(botocore.__file__).parent / "data"
    kept = tmp_path / "data"
    kept.mkdir()
    for file in whole.glob("*.json"):
        shutil.copy(file, kept)
    for name in OURS:
        shutil.copytree(whole / name, kept / name)
    prune(kept, set(OURS))
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
    for service in OURS:
        for region in ("eu-central-1", "us-gov-west-1", "cn-north-1"):
            client = session.create_client(service, region, aws_access_key_id="test", aws_secret_access_key="test")
            model = client.meta.service_model
            about = {name: sorted(model.operation_model(name).input_shape.members) for name in model.operation_names}
            made[service, region] = (client.meta.endpoint_url, sorted(model.shape_names), about)
    return made


def test_a_client_made_of_what_is_kept_is_the_same(data: Path) -> None:
    assert clients(None) == clients(data)


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
    for before, after in zip(whole["partitions"], kept["partitions"], strict=True):
        assert {name: before["services"][name] for name in OURS if name in before["services"]} == after["services"]
        assert before["regions"] == after["regions"]


def test_no_documentation_is_kept(data: Path) -> None:
    models = list(data.glob("*/*/service-2.json"))
    assert {model.parts[-3] for model in models} == set(OURS)
    for model in models:
        described = json.loads(model.read_text())
        described.pop("clientContextParams", None)
        assert '"documentation": "' not in json.dumps(described)
