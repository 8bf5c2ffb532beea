import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from ecrm.entry import observability
from tests.cloud import a_cloud
from tests.functions.api import Shop, open_shop


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    """One shop for all tests of a module: each brings its own orders, or changes nothing."""
    with a_cloud() as cloud:
        yield open_shop(cloud)


@dataclass(frozen=True, slots=True)
class Logs:
    """What the functions write, logs and metrics alike: on AWS all of it goes to CloudWatch."""

    take: Callable[[], str]


class _WhereverStdoutIs:
    """pytest changes it between a test's setup and its call."""

    def write(self, text: str) -> None:
        sys.stdout.write(text)

    def flush(self) -> None:
        sys.stdout.flush()


@pytest.fixture
def logs(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Logs:
    monkeypatch.setattr(observability._logger.registered_handler, "stream", _WhereverStdoutIs())
    return Logs(lambda: "".join(capsys.readouterr()))
