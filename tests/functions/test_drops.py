"""What S3 says of contact files, and what we say of them ourselves: acknowledged with one effect or none, or failing alone."""

import copy
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecrm.domain.errors import Unavailable
from ecrm.domain.imports import Drop
from ecrm.entry.drops import consume
from tests.functions.api import ROOT
from tests.functions.conftest import Logs

IMPORT = "019aa2c6f0b07d3e8c1f5a9b2d4e6f81"
BUCKET = "imports"
AT = datetime(2026, 11, 20, 18, 3, 11, tzinfo=UTC)
GO_ON = json.dumps({"type": "import", "v": 1, "import_id": IMPORT})
SAMPLE = json.loads((ROOT / "events/import_file/dropped.json").read_text(encoding="utf-8"))
NOTICE = json.loads(SAMPLE["Records"][0]["body"])
NAME = "imports/contacts/customers.csv"


@pytest.fixture(autouse=True, scope="module")
def counted() -> Iterator[None]:
    """Let metrics have the names that the template gives them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POWERTOOLS_METRICS_NAMESPACE", "eCRM")
        patch.setenv("POWERTOOLS_SERVICE_NAME", "import_file")
        yield


def notice(**changes: Any) -> str:
    """A notice of one object; `changes` are to its record, a dotted name's inside of it, None takes something away."""
    said = copy.deepcopy(NOTICE)
    for path, value in changes.items():
        *steps, last = path.split("__")
        place = said["Records"][0]
        for step in steps:
            place = place[step]
        if value is None:
            del place[last]
        else:
            place[last] = value
    return json.dumps(said)


class Taken:
    """What was begun, and what was gone on with; every file begun is the import of the same id."""

    def __init__(self, fate: Callable[[], None] = lambda: None) -> None:
        self.begun: list[Drop] = []
        self.gone_on: list[str] = []
        self._fate = fate

    def work(self, *bodies: str) -> list[str]:
        """Give the places of the messages that failed."""
        event = {"Records": [{"messageId": str(at), "body": body} for at, body in enumerate(bodies)]}
        answer = consume(event, bucket=BUCKET, begin=self._begin, go_on=self._go_on)
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def _begin(self, drop: Drop) -> str | None:
        self.begun.append(drop)
        return None if drop.name.endswith(".json") else IMPORT

    def _go_on(self, import_id: str) -> None:
        self._fate()
        self.gone_on.append(import_id)


def test_a_file_that_was_dropped_is_begun_and_gone_on_with() -> None:
    taken = Taken()
    assert [] == taken.work(notice())
    assert [Drop(NAME, 61, "4d1a25f4d4bd9f22b6a1ce7f8f7a1a3c", "0065F1A2B3C4D5E6F7", AT)] == taken.begun
    assert [IMPORT] == taken.gone_on


def test_an_import_that_asks_for_itself_is_gone_on_with() -> None:
    taken = Taken()
    assert [] == taken.work(GO_ON)
    assert ([], [IMPORT]) == (taken.begun, taken.gone_on)


def test_what_is_no_file_of_rows_is_acknowledged() -> None:
    taken = Taken()
    assert [] == taken.work(notice(s3__object__key=f"{NAME}.json"))
    assert [] == taken.gone_on


@pytest.mark.parametrize(
    "sent",
    [
        json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": BUCKET}),
        notice(eventName="ObjectRemoved:Delete", s3__object__size=None, s3__object__eTag=None),
        notice(eventName="ObjectRemoved:DeleteMarkerCreated", s3__object__size=None),
        notice(eventName="s3:Replication:OperationNotTracked", s3=None),
        notice(s3__bucket__name="somebody-elses"),
        json.dumps({"Records": []}),
    ],
)
def test_what_tells_of_no_file_of_ours_is_acknowledged_without_effect(sent: str) -> None:
    taken = Taken()
    assert [] == taken.work(sent)
    assert ([], []) == (taken.begun, taken.gone_on)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("imports/contacts/spring+2026/caf%C3%A9+%26+more.csv", "imports/contacts/spring 2026/café & more.csv"),
        ("imports/contacts/a%2Bb.csv", "imports/contacts/a+b.csv"),
        ("imports/contacts/%D9%85%D8%B4%D8%AA%D8%B1%DB%8C.csv", "imports/contacts/مشتری.csv"),
        ("imports/contacts/%25.csv", "imports/contacts/%.csv"),
    ],
)
def test_a_name_is_read_as_s3_encodes_it(key: str, name: str) -> None:
    taken = Taken()
    assert [] == taken.work(notice(s3__object__key=key))
    assert [name] == [drop.name for drop in taken.begun]


def test_every_way_in_which_s3_can_write_an_object_counts() -> None:
    taken = Taken()
    for way in ("Put", "Post", "Copy", "CompleteMultipartUpload"):
        assert [] == taken.work(notice(eventName=f"ObjectCreated:{way}"))
    assert 4 == len(taken.begun)


def test_a_field_that_s3_adds_is_no_matter() -> None:
    taken = Taken()
    assert [] == taken.work(notice(eventVersion="2.4", s3__object__colour="blue", glacierEventData={"restored": True}))
    assert [NAME] == [drop.name for drop in taken.begun]


POISON = [
    "",
    "{",
    "null",
    "[]",
    "7",
    "{}",
    json.dumps({"Records": [None]}),
    json.dumps({"Records": "all"}),
    json.dumps({"type": "import", "v": 2, "import_id": IMPORT}),
    json.dumps({"type": "chunk", "v": 1, "import_id": IMPORT, "chunk": 1}),
    json.dumps({"type": "import", "v": 1, "import_id": "x"}),
    json.dumps({"type": "import", "v": 1, "import_id": IMPORT, "more": 1}),
    notice(eventVersion="3.0"),
    notice(s3__object__sequencer=None),
    notice(s3__object__sequencer="not hexadecimal"),
    notice(s3__object__key="%FF"),
    notice(s3__object__size=-1),
    notice(s3__object__eTag=None),
    notice(eventTime="yesterday"),
    notice(s3=None),
    "\ud800",
]


@pytest.mark.parametrize("body", POISON)
def test_what_neither_s3_nor_we_would_send_fails_and_rings_and_the_others_pass(body: str, logs: Logs) -> None:
    taken = Taken()
    assert ["0"] == taken.work(body, GO_ON)
    assert [IMPORT] == taken.gone_on
    assert '"UnhandledErrors":[1.0]' in logs.take()


@given(st.lists(st.sampled_from(["done", "unavailable", "poison", "none of ours"]), max_size=10), st.data())
@settings(max_examples=500)
def test_exactly_the_messages_that_failed_are_named(fates: list[str], data: st.DataObject) -> None:
    left = [fate for fate in fates if fate != "none of ours"]

    def fate() -> None:
        match left.pop(0):
            case "unavailable":
                raise Unavailable("for now")
            case "poison":
                raise KeyError

    ours = st.sampled_from([GO_ON, notice()])
    bodies = [data.draw(st.sampled_from(POISON) if fate == "none of ours" else ours) for fate in fates]
    assert [str(at) for at, fate in enumerate(fates) if fate != "done"] == Taken(fate).work(*bodies)


def test_no_log_names_a_file(logs: Logs) -> None:
    def fail() -> None:
        raise KeyError(NAME)

    private = notice(s3__object__key="imports/contacts/sara.lindqvist.csv")
    assert ["0"] == Taken(fail).work(private)
    Taken().work(notice(s3__object__key="imports/contacts/sara.lindqvist.csv.json"))
    Taken().work(notice(s3__bucket__name="somebody-elses", s3__object__key="imports/contacts/sara.lindqvist.csv"))
    written = logs.take()
    assert "0065F1A2B3C4D5E6F7" in written
    assert "lindqvist" not in written
