"""The doors of the night's steps: what they are handed, what they answer, and which errors come out."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pytest

from ecrm.application.night_ports import Group, Place
from ecrm.application.nights import Planned, Skipped, Worked
from ecrm.application.ports import Contended, Unreadable
from ecrm.application.segment_ports import Night
from ecrm.contracts.night_steps import MOST_SHARDS
from ecrm.domain.errors import Conflict, EcrmError, NotFound, Unavailable
from ecrm.domain.nights import NightState
from ecrm.entry import nights
from ecrm.entry.steps import StepFailed
from ecrm.store.keys import SHARDS
from tests.functions.conftest import Logs

NIGHT = date(2026, 11, 22)
AT = datetime(2026, 11, 22, 1, 30, tzinfo=UTC)
STEP = {"night": "2026-11-22", "generation": 7}
GROUP = STEP | {"first": 0, "last": 127}
PLACE = Place(NIGHT, 7)


@pytest.fixture(autouse=True)
def _with_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "tests")


@dataclass
class Context:
    milliseconds: int = 900_000

    def get_remaining_time_in_millis(self) -> int:
        return self.milliseconds


def test_the_plan_hands_on_names_alone() -> None:
    asked = []

    def use(scheduled_at: datetime) -> Planned:
        asked.append(scheduled_at)
        return Planned(NIGHT, None, 7, (Group(0, 127), Group(128, 255)))

    answer = nights.plan({"scheduled_at": "2026-11-22T01:30:00Z"}, use)
    assert [AT] == asked
    assert {**STEP, "skipped": None, "groups": [GROUP, STEP | {"first": 128, "last": 255}]} == answer
    assert answer == json.loads(json.dumps(answer))


def test_a_night_that_is_skipped_says_why(logs: Logs) -> None:
    answer = nights.plan({"scheduled_at": "2026-11-22T01:30:00Z"}, lambda _: Planned(NIGHT, Skipped.LATE))
    assert {"night": "2026-11-22", "generation": 0, "skipped": "late", "groups": []} == answer
    assert "NightsSkipped" in logs.take()


def test_steps_are_called_with_what_they_are_handed() -> None:
    calls: list[Any] = []

    def score(place: Place, group: Group, is_late: Callable[[], bool]) -> Worked:
        calls.append((place, group, is_late()))
        return Worked(5, 1)

    def summarise(place: Place) -> Mapping[str, str]:
        calls.append(place)
        return {}

    def publish(place: Place) -> Night:
        calls.append(place)
        return Night(night=NIGHT, state=NightState.PUBLISHED, scheduled_at=AT, started_at=AT, customers=3)

    def fail(place: Place, error: str) -> None:
        calls.append((place, error))

    def tell(place: Place, group: Group) -> int:
        calls.append((place, group))
        return 4

    nights.score(GROUP, Context(), score)
    nights.score(GROUP, Context(179_999), score)
    nights.snapshot(GROUP, Context(), lambda place, group, is_late: calls.append((place, group, is_late())))
    nights.summarise(STEP, summarise)
    nights.tell(GROUP, tell)
    nights.end(STEP, publish, fail)
    nights.end(STEP | {"error": "StepFailed"}, publish, fail)
    group = Group(0, 127)
    assert [
        (PLACE, group, False),
        (PLACE, group, True),
        (PLACE, group, False),
        PLACE,
        (PLACE, group),
        PLACE,
        (PLACE, "StepFailed"),
    ] == calls


def test_a_fit_that_failed_is_told_and_the_night_goes_on(logs: Logs) -> None:
    nights.summarise(STEP, lambda _: {"EUR": "it did not converge"})
    told = logs.take()
    assert "FitsFailed" in told
    assert '"currency":"EUR","why":"it did not converge"' in told


def raising(error: Exception) -> Callable[..., Any]:
    def use(*_: object) -> Any:
        raise error

    return use


@pytest.mark.parametrize(
    ("error", "expected", "words"),
    [
        (Unavailable("the bucket of nights does not answer"), Unavailable, "the bucket of nights does not answer"),
        (Contended("written meanwhile"), Unavailable, "written meanwhile"),
        (Conflict("another night", code="night_overtaken"), StepFailed, "night_overtaken"),
        (NotFound("the night has no plan", code="night_file_not_found"), StepFailed, "night_file_not_found"),
        (KeyError("anna@example.com"), StepFailed, "internal"),
    ],
)
def test_the_machine_is_told_whether_to_try_again_and_nothing_of_anybody(
    error: Exception, expected: type[Exception], words: str, logs: Logs
) -> None:
    for door in (
        lambda: nights.plan({"scheduled_at": "2026-11-22T01:30:00Z"}, raising(error)),
        lambda: nights.snapshot(GROUP, Context(), raising(error)),
        lambda: nights.summarise(STEP, raising(error)),
        lambda: nights.score(GROUP, Context(), raising(error)),
        lambda: nights.end(STEP, raising(error), raising(error)),
        lambda: nights.tell(GROUP, raising(error)),
    ):
        with pytest.raises(expected) as raised:
            door()
        assert expected is type(raised.value)
        assert words == str(raised.value)
        assert raised.value.__cause__ is None
        assert raised.value.__suppress_context__
    out = logs.take()
    assert "anna" not in out
    assert isinstance(error, EcrmError) is ("UnhandledErrors" not in out)


@pytest.mark.parametrize(
    "event",
    [
        {},
        STEP,
        GROUP | {"first": 256},
        GROUP | {"last": -1},
        GROUP | {"generation": 0},
        GROUP | {"generation": "7"},
        GROUP | {"night": "22.11.2026"},
        GROUP | {"more": 1},
    ],
)
def test_what_no_plan_hands_on_is_refused(event: Mapping[str, Any]) -> None:
    with pytest.raises(StepFailed, match="internal"):
        nights.tell(event, pytest.fail)  # type: ignore[arg-type]  # it is not called


def test_each_who_could_not_be_read_is_named(logs: Logs) -> None:
    unreadable = (Unreadable({"customer_id": "c1"}, KeyError("anna@example.com")),)
    nights.score(GROUP, Context(), lambda *_: Worked(5, 1, unreadable))
    out = logs.take()
    assert '"customer_id":"c1"' in out
    assert "UnhandledErrors" in out
    assert "anna" not in out


def test_the_shards_of_a_step_are_those_of_the_table() -> None:
    assert SHARDS == MOST_SHARDS
