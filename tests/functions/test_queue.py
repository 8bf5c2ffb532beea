"""B1: of a batch, exactly the messages that failed are delivered again."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecrm.contracts.jobs import JobMessage
from ecrm.domain.errors import Unavailable
from ecrm.entry.queue import consume, lateness
from tests.cloud import Time
from tests.functions.conftest import Logs

JOB = "019aa2c7d1e07a3e9b1f5a9b2d4e6f80"
GOOD = json.dumps({"type": "job", "v": 1, "job_id": JOB})
NONE_OF_OURS = [
    "",
    "{",
    "null",
    "[]",
    "{}",
    json.dumps({"type": "mail", "v": 1, "job_id": JOB}),
    json.dumps({"type": "job", "v": 2, "job_id": JOB}),
    json.dumps({"type": "job", "v": 1, "job_id": "x"}),
    json.dumps({"type": "job", "v": 1}),
    json.dumps({"type": "job", "v": 1, "job_id": JOB, "more": 1}),
    "\ud800",
]


@pytest.fixture(autouse=True, scope="module")
def counted() -> Iterator[None]:
    """Let metrics have the names that the template gives them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POWERTOOLS_METRICS_NAMESPACE", "eCRM")
        patch.setenv("POWERTOOLS_SERVICE_NAME", "run_jobs")
        yield


def batch(bodies: list[str]) -> dict[str, Any]:
    return {"Records": [{"messageId": str(at), "body": body} for at, body in enumerate(bodies)]}


@given(st.lists(st.sampled_from(["done", "unavailable", "poison", "none of ours"]), max_size=10), st.data())
@settings(max_examples=1_000)
def test_exactly_the_messages_that_failed_are_named(fates: list[str], data: st.DataObject) -> None:
    jobs = {f"{at:032x}": fate for at, fate in enumerate(fates)}
    worked: list[str] = []

    def work(job_id: str) -> None:
        worked.append(job_id)
        if jobs[job_id] == "unavailable":
            raise Unavailable("for now")
        if jobs[job_id] == "poison":
            raise KeyError(job_id)

    bodies = [
        data.draw(st.sampled_from(NONE_OF_OURS))
        if fate == "none of ours"
        else json.dumps({"type": "job", "v": 1, "job_id": job_id})
        for job_id, fate in jobs.items()
    ]
    failed = [{"itemIdentifier": str(at)} for at, fate in enumerate(fates) if fate != "done"]
    assert {"batchItemFailures": failed} == consume(batch(bodies), JobMessage, lambda message: work(message.job_id))
    assert [job_id for job_id, fate in jobs.items() if fate != "none of ours"] == worked


@pytest.mark.parametrize("body", NONE_OF_OURS)
def test_a_message_that_is_none_of_ours_fails_and_rings(body: str, logs: Logs) -> None:
    worked: list[str] = []
    assert {"batchItemFailures": [{"itemIdentifier": "0"}]} == consume(
        batch([body, GOOD]), JobMessage, lambda message: worked.append(message.job_id)
    )
    assert [JOB] == worked
    assert '"UnhandledErrors":[1.0]' in logs.take()


@pytest.mark.parametrize(("left", "expected"), [(60_000, False), (20_000, False), (19_999, True), (0, True)])
def test_a_function_keeps_a_third_of_its_minute_to_end_what_it_began(left: int, expected: bool) -> None:  # noqa: FBT001
    assert expected is lateness(Time(lambda: left))()
