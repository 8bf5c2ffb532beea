import os
from collections.abc import Iterator

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.cloud import Cloud, a_cloud

settings.register_profile("ci", deadline=None, print_blob=True)
settings.load_profile("ci")
os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")

JOURNEY = "tests/journey/"
LEAVES_MUCH = "tests/journey/test_laptop.py"
DEAR = (JOURNEY, "tests/architecture/test_artefacts.py")
"""Tests that share a deployed stack, or built artefacts."""


class OneWorkerForWhatIsDear(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Sends what is dear to one worker each, first, and every other test to whoever is free.

    xdist's own `loadgroup` would do it by marks, but 3.8.0 writes them where pytest 9.2 does not look.
    """

    def _split_scope(self, nodeid: str) -> str:
        return next((place for place in DEAR if nodeid.startswith(place)), nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    return OneWorkerForWhatIsDear(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the journey take the same way each time: what a test finds on the stack is what those before it have left there.

    Each passes by itself, too. The laptop's come last, for they leave a whole company behind, which takes a while to export.
    """
    journey = [item for item in items if item.nodeid.startswith(JOURNEY)]
    journey.sort(key=lambda item: (item.nodeid.startswith(LEAVES_MUCH), item.path, item.location[1], item.nodeid))
    items[:] = [*journey, *(item for item in items if not item.nodeid.startswith(JOURNEY))]


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with a_cloud() as made:
        yield made
