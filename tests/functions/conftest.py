from collections.abc import Iterator

import pytest

from tests.cloud import a_cloud
from tests.functions.api import Shop, open_shop


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    """One shop for all tests of a module: each brings its own orders, or changes nothing."""
    with a_cloud() as cloud:
        yield open_shop(cloud)
