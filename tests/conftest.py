import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.cloud import Cloud, a_cloud

settings.register_profile("ci", deadline=None, print_blob=True)
settings.load_profile("ci")
os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with a_cloud() as made:
        yield made
