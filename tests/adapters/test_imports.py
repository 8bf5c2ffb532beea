"""Imports on the table through the real SDK: each is written as it was seen, each chunk is counted once; and their queues."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ecrm import bootstrap
from ecrm.application.ports import AlreadyAnswered, Contended, Outcome, Request
from ecrm.domain.errors import Unavailable
from ecrm.domain.imports import (
    FileFormat,
    Import,
    ImportState,
    Kind,
    Layout,
    Options,
    Plan,
    Position,
    Progress,
    RowError,
    Tally,
)
from ecrm.messaging.imports import AT_ONCE
from tests.builders import NOON
from tests.cloud import Cloud
from tests.faults import Deliver, Sent, fail, tapped

IMPORT = Import(
    import_id="019aa000000000000000000000000001",
    kind=Kind.CONTACTS,
    name="imports/contacts/fair.csv",
    state=ImportState.QUEUED,
    requested_at=NOON,
    source="drop",
    size=12,
    etag="e1",
    at=NOON,
)
WHOLE = replace(
    IMPORT,
    state=ImportState.RUNNING,
    site="de",
    content="c1",
    options=Options(site="de", at=NOON, is_dry_run=True, delimiter=";", said={"tags": ["fair"], "most": 3}),
    layout=Layout(FileFormat.CSV, ("E-Mail", "Stadt"), "windows-1252", ";", is_gzipped=True),
    plan=Plan({"E-Mail": "email", "Stadt": None}, {"day_first": True}, (("unknown_column", "Stadt"),)),
    tally=Tally(1, 2, 3, 4, 5, {"blank": 5}, {"not_taken": 1}),
    error="gzip_damaged",
    detail="the compressed file is damaged",
    is_cut=True,
    has_rejects=True,
    started_at=NOON,
    finished_at=NOON,
    version=2,
)
RUNNING = replace(IMPORT, state=ImportState.RUNNING, version=2)
COUNTED = Tally(created=2, rejected=1, reasons={"bad_email": 1})


@pytest.fixture
def running(cloud: Cloud) -> Cloud:
    bootstrap.imports().announce(IMPORT, "0A")
    assert bootstrap.imports().write(RUNNING)
    return cloud


def noted(number: int = 1, **more: Any) -> Progress:
    said: dict[str, Any] = {"chunks": 2, "rows": 6, "position": Position(6, 7, 120)} | more
    return Progress(version=number, **said)


@pytest.mark.usefixtures("cloud")
def test_an_import_is_read_as_it_was_written() -> None:
    bootstrap.imports().announce(IMPORT, "0A")
    assert IMPORT == bootstrap.imports().find(IMPORT.import_id)
    assert bootstrap.imports().write(WHOLE)
    assert WHOLE == bootstrap.imports().find(IMPORT.import_id)


@pytest.mark.usefixtures("cloud")
def test_an_import_is_written_only_as_it_was_seen() -> None:
    bootstrap.imports().announce(IMPORT, "0A")
    assert bootstrap.imports().write(RUNNING)
    assert not bootstrap.imports().write(replace(RUNNING, state=ImportState.CANCELLED))
    assert RUNNING == bootstrap.imports().find(IMPORT.import_id)


@pytest.mark.usefixtures("cloud")
def test_every_notice_of_an_upload_leads_to_its_one_import_and_an_older_upload_to_none() -> None:
    imports = bootstrap.imports()
    later = replace(IMPORT, import_id="019aa000000000000000000000000002", etag="e2")
    older = replace(IMPORT, import_id="019aa000000000000000000000000003", etag="e0")
    again = replace(IMPORT, import_id="019aa000000000000000000000000004")

    assert IMPORT == imports.announce(IMPORT, "0A")
    assert IMPORT == imports.announce(again, "0A00")
    assert imports.is_newest(IMPORT)
    assert later == imports.announce(later, "0A1")
    assert imports.announce(older, "09FF") is None
    assert IMPORT == imports.announce(IMPORT, "0A")
    assert [False, True] == [imports.is_newest(IMPORT), imports.is_newest(later)]
    assert (later, IMPORT) == imports.newest(after=None, limit=9).items


@pytest.mark.usefixtures("cloud")
def test_an_import_is_asked_for_once_under_one_key() -> None:
    request = Request("k1", "d1", NOON + timedelta(days=1))
    awaited = replace(IMPORT, state=ImportState.AWAITING_UPLOAD, etag=None, at=None)
    bootstrap.imports().add(awaited, request)
    with pytest.raises(AlreadyAnswered) as answered:
        bootstrap.imports().add(replace(awaited, import_id="019aa000000000000000000000000009"), request)
    assert Outcome.CREATED is answered.value.outcome
    assert awaited == bootstrap.imports().answered(request, NOON)


@pytest.mark.usefixtures("cloud")
def test_imports_are_listed_the_last_first_by_pages() -> None:
    made = [replace(IMPORT, import_id=f"019aa00000000000000000000000000{number}") for number in range(5)]
    for number, each in enumerate(made):
        bootstrap.imports().announce(replace(each, name=f"imports/contacts/{number}.csv"), "0A")
    first = bootstrap.imports().newest(after=None, limit=3)
    rest = bootstrap.imports().newest(after=first.last, limit=3)
    assert [made[4].import_id, made[3].import_id, made[2].import_id] == [each.import_id for each in first.items]
    assert ([made[1].import_id, made[0].import_id], None) == ([each.import_id for each in rest.items], rest.last)


@pytest.mark.usefixtures("running")
def test_progress_is_read_as_it_was_written_and_written_as_it_was_seen() -> None:
    imports = bootstrap.imports()
    errors = (RowError(3, 4, "email", "bad_email"), RowError(5, None, None, "ragged"))
    assert Progress() == imports.progress(IMPORT.import_id)
    first = noted(asked=1, done=1, tally=COUNTED, errors=errors, parts=1, taken={"created": 2})
    assert imports.write_progress(IMPORT, first)
    assert first == imports.progress(IMPORT.import_id)
    assert not imports.write_progress(IMPORT, noted(1))
    assert imports.write_progress(IMPORT, noted(2, is_split=True, is_cut=True))


@pytest.mark.usefixtures("running")
def test_a_chunk_is_counted_once() -> None:
    imports = bootstrap.imports()
    imports.write_progress(IMPORT, noted())
    assert (0, 0) == (imports.begin_chunk(RUNNING, 1, 0), imports.begin_chunk(RUNNING, 1, 5))
    assert not imports.has_ended_chunk(IMPORT.import_id, 1)

    with pytest.raises(Contended):
        imports.end_chunk(RUNNING, 1, COUNTED, noted(9, done=1), 0)
    assert imports.end_chunk(RUNNING, 1, COUNTED, noted(2, done=1), 0)
    assert not imports.end_chunk(RUNNING, 1, COUNTED, noted(3, done=2), 0)

    assert imports.has_ended_chunk(IMPORT.import_id, 1)
    assert noted(2, done=1) == imports.progress(IMPORT.import_id)
    assert {1: (0, 1)} == imports.spans(IMPORT.import_id)


@pytest.mark.usefixtures("running")
def test_nothing_is_begun_of_an_import_that_is_not_running() -> None:
    imports = bootstrap.imports()
    imports.write_progress(IMPORT, noted())
    assert 0 == imports.begin_chunk(RUNNING, 0, 0)
    imports.write(replace(RUNNING, state=ImportState.CANCELLED, version=3))

    assert (0, None) == (imports.begin_chunk(RUNNING, 0, 0), imports.begin_chunk(RUNNING, 1, 0))
    assert not imports.end_chunk(RUNNING, 0, COUNTED, noted(2, done=1), None)
    assert imports.end_chunk(RUNNING, 1, COUNTED, noted(2, done=1), None)
    assert {} == imports.spans(IMPORT.import_id)


@pytest.mark.usefixtures("running")
def test_a_content_is_known_from_the_import_that_finished_last_with_it() -> None:
    imports = bootstrap.imports()
    assert imports.same_content("c1") is None
    done = replace(RUNNING, state=ImportState.DONE, content="c1", finished_at=NOON, version=3)
    assert imports.finish(done)
    assert done == imports.same_content("c1")
    assert not imports.finish(done)


def test_everything_that_is_written_of_an_import_expires_with_its_file(running: Cloud) -> None:
    imports = bootstrap.imports()
    imports.write_progress(IMPORT, noted())
    imports.begin_chunk(RUNNING, 0, 0)
    imports.finish(replace(RUNNING, state=ImportState.DONE, content="c1", version=3))
    items = [item for item in running.items() if item["type"]["S"].startswith("import")]
    expires_at = int(datetime(2026, 12, 20, 12, tzinfo=UTC).timestamp())
    names = ["import", "import_chunk", "import_content", "import_file", "import_listing", "import_progress"]
    assert names == sorted(item["type"]["S"] for item in items)
    assert {str(expires_at)} == {item["expires_at"]["N"] for item in items}


def test_a_files_name_is_in_no_key(running: Cloud) -> None:
    keys = [item[part]["S"] for item in running.items() for part in ("PK", "SK")]
    assert not [key for key in keys if "fair" in key]


def received(cloud: Cloud, url: str) -> list[Any]:
    found = []
    while messages := cloud.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found += [json.loads(message["Body"]) for message in messages]
    return found


def test_a_message_names_an_import_or_a_chunk_of_one_and_nothing_else(cloud: Cloud) -> None:
    bootstrap.import_queue().send("i1")
    bootstrap.chunk_queue().send("i1", range(3, 3 + AT_ONCE + 2))
    assert [{"type": "import", "v": 1, "import_id": "i1"}] == received(cloud, cloud.imports_url)
    chunks = sorted(received(cloud, cloud.chunks_url), key=lambda message: message["chunk"])
    assert [{"type": "chunk", "v": 1, "import_id": "i1", "chunk": chunk} for chunk in range(3, 15)] == chunks


def test_chunks_that_the_queue_refuses_in_a_good_answer_are_asked_for_again(cloud: Cloud) -> None:
    refusals = iter([{"2", "5"}, {"5"}])

    def refuse(sent: Sent, deliver: Deliver) -> Any:
        refused = next(refusals, set())
        ask = sent.ask
        kept = [entry for entry in ask["Entries"] if entry["Id"] not in refused]
        sent.request.body = json.dumps(ask | {"Entries": kept})
        answer = json.loads(deliver().content)
        failed = [{"Id": name, "SenderFault": False, "Code": "InternalError"} for name in sorted(refused)]
        return sent.answer(answer | {"Failed": failed})

    with tapped(refuse) as calls:
        bootstrap.chunk_queue().send("i1", range(8))
    assert 3 == len(calls)
    assert list(range(8)) == sorted(message["chunk"] for message in received(cloud, cloud.chunks_url))


@pytest.mark.usefixtures("cloud")
def test_a_queue_that_keeps_refusing_a_chunk_is_unavailable() -> None:
    def refuse(sent: Sent, _deliver: Deliver) -> Any:
        failed = [{"Id": entry["Id"], "SenderFault": False, "Code": "InternalError"} for entry in sent.ask["Entries"]]
        return sent.answer({"Successful": [], "Failed": failed})

    with tapped(refuse), pytest.raises(Unavailable):
        bootstrap.chunk_queue().send("i1", [1])


@pytest.mark.usefixtures("cloud")
def test_queues_that_cannot_be_reached_are_unavailable() -> None:
    with tapped(fail), pytest.raises(Unavailable):
        bootstrap.chunk_queue().send("i1", [1])
    with tapped(fail), pytest.raises(Unavailable):
        bootstrap.import_queue().send("i1")
