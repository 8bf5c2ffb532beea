"""What is decided of an audience is written once and read as it was written; its entries are put once; a machine starts once."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from ecrm.application.night_ports import Place
from ecrm.application.planning_ports import Addressed, AudienceBasis
from ecrm.domain.assignment import Arm
from ecrm.domain.errors import Unavailable
from ecrm.domain.messages import Policy, Status
from ecrm.domain.ready_made_segments import ready_made
from ecrm.domain.runs import page_of
from ecrm.files.audiences import S3AudienceFiles
from ecrm.messaging.machines import StepFunctionsCampaignMachine
from ecrm.store import keys
from ecrm.store.rosters import DynamoRosters
from ecrm.store.table import Table
from tests.builders import a_planned_send, a_run
from tests.cloud import Cloud
from tests.faults import on, refused_with, tapped
from tests.simulation.table import MemoryTable

RUN_ID = "9aac5eebfb474961977c51c60e3849e4"
SEGMENTS = tuple(replace(each, version=3, description="") for each in ready_made("EUR").values())
AUDIENCE = (Addressed("c1", "all"), Addressed("c2", "dear"), Addressed("c3", "all", "b"))


@pytest.fixture
def files(cloud: Cloud) -> S3AudienceFiles:
    return S3AudienceFiles(cloud.s3, "nights")


@pytest.fixture(params=["moto", "memory"])
def rosters(request: pytest.FixtureRequest) -> DynamoRosters:
    if request.param == "memory":
        return DynamoRosters(MemoryTable())
    cloud: Cloud = request.getfixturevalue("cloud")
    return DynamoRosters(Table(cloud.dynamodb, "table", lambda _: None))


@pytest.mark.parametrize("night", [None, Place(date(2026, 11, 20), 7)])
def test_what_pages_are_judged_by_is_read_as_it_was_written_and_is_what_came_first(
    files: S3AudienceFiles, night: Place | None
) -> None:
    assert files.basis(RUN_ID) is None
    basis = AudienceBasis(SEGMENTS, night)
    files.write_basis(RUN_ID, basis)
    files.write_basis(RUN_ID, AudienceBasis((), None))
    assert basis == files.basis(RUN_ID)
    assert files.basis("0" * 32) is None


def test_an_audience_is_read_as_it_was_written_and_is_what_came_first(files: S3AudienceFiles) -> None:
    assert files.audience(RUN_ID, 0) is None
    files.write_audience(RUN_ID, 0, AUDIENCE)
    files.write_audience(RUN_ID, 0, AUDIENCE[:1])
    assert list(AUDIENCE) == files.audience(RUN_ID, 0)
    assert files.audience(RUN_ID, 1) is None
    files.write_audience(RUN_ID, 1, ())
    assert [] == files.audience(RUN_ID, 1), "nobody is not nothing"


def test_all_of_a_run_is_in_a_folder_that_expires(cloud: Cloud, files: S3AudienceFiles) -> None:
    files.write_basis(RUN_ID, AudienceBasis((), None))
    files.write_audience(RUN_ID, 255, AUDIENCE)
    found = [each["Key"] for each in cloud.s3.list_objects_v2(Bucket="nights")["Contents"]]
    assert [f"runs/{RUN_ID}/audience/255.ndjson.gz", f"runs/{RUN_ID}/basis.json.gz"] == found


@pytest.mark.parametrize(
    ("operation", "call"),
    [
        ("GetObject", lambda files: files.audience(RUN_ID, 0)),
        ("PutObject", lambda files: files.write_audience(RUN_ID, 0, AUDIENCE)),
    ],
)
def test_a_bucket_that_is_away_is_to_be_asked_again(
    files: S3AudienceFiles, operation: str, call: Callable[[S3AudienceFiles], object]
) -> None:
    with tapped(on(operation, refused_with("SlowDown", 503))), pytest.raises(Unavailable):
        call(files)


def test_an_entry_that_is_there_stays_as_it_is_and_the_others_are_put(rosters: DynamoRosters) -> None:
    """A planner that was held up comes when the mails are out."""
    entries = [a_planned_send(RUN_ID, f"c{number}", policy=Policy.MARKETING, arm=Arm.TREATED) for number in range(250)]
    gone = [replace(entry, status=Status.ACCEPTED, attempt=1, version=3) for entry in entries[::3]]
    rosters.add(gone)
    rosters.add(entries)
    rosters.add(entries)
    found = {send.customer_id: send for send in _all(rosters)}
    assert {entry.customer_id: entry for entry in (*entries, *gone)} == found


def _all(rosters: DynamoRosters) -> list[Any]:
    run = a_run(RUN_ID, pages=1)
    return list(rosters.of_person([f"c{number}" for number in range(250)], [run]))


def test_a_page_says_how_many_are_on_it(rosters: DynamoRosters) -> None:
    assert {} == rosters.planned(RUN_ID)
    for page in (0, 255, 3):
        rosters.plan(RUN_ID, page, page * 2)
        rosters.plan(RUN_ID, page, page * 2)
    assert {0: 0, 3: 6, 255: 510} == rosters.planned(RUN_ID)
    assert {} == rosters.planned("0" * 32)


def test_a_person_is_found_on_the_page_of_their_shard_in_each_run(rosters: DynamoRosters) -> None:
    runs = [a_run(RUN_ID, pages=256), a_run("0" * 32, pages=7)]
    pages = {run.run_id: page_of(keys.shard_of("c7"), run.pages, keys.SHARDS) for run in runs}
    entries = [a_planned_send(run_id, "c7", shard=page) for run_id, page in pages.items()]
    rosters.add([*entries, a_planned_send(RUN_ID, "c8", shard=pages[RUN_ID])])
    found = sorted(rosters.of_person(["c7", "c9"], runs), key=lambda send: send.run_id)
    assert sorted(entries, key=lambda send: send.run_id) == found


class Executions:
    """Step Functions' client: what it is asked, and what it says."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.asked: list[dict[str, str]] = []

    def start_execution(self, **asked: str) -> None:
        self.asked.append(asked)
        if self.error is not None:
            raise self.error


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code}}, "StartExecution")


def test_an_attempt_is_an_execution_that_is_named_after_it() -> None:
    client = Executions()
    assert StepFunctionsCampaignMachine(client, "machine").start(RUN_ID, 2, 3) is True
    (asked,) = client.asked
    assert ("machine", f"{RUN_ID}-2") == (asked["stateMachineArn"], asked["name"])
    assert {"pages": [{"run_id": RUN_ID, "page": page} for page in range(3)]} == json.loads(asked["input"])


def test_an_attempt_that_has_come_to_its_end_is_told_from_a_machine_that_is_away() -> None:
    machine = StepFunctionsCampaignMachine(Executions(refused("ExecutionAlreadyExists")), "machine")
    assert machine.start(RUN_ID, 1, 1) is False
    for error in (refused("ThrottlingException"), ConnectTimeoutError(endpoint_url="https://states")):
        with pytest.raises(Unavailable):
            StepFunctionsCampaignMachine(Executions(error), "machine").start(RUN_ID, 1, 1)
