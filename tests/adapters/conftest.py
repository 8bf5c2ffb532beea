from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.adapters.races import CALLERS, Race
from tests.cloud import one_call_at_a_time
from tests.faults import tapped


@pytest.fixture
def race() -> Iterator[Race]:
    with one_call_at_a_time(), ThreadPoolExecutor(CALLERS) as pool:
        made = Race(pool)
        with tapped(made.wait_for_all):
            yield made
