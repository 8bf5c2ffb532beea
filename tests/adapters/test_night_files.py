"""The files of a night: each is read as it was written, and what is decided is written once."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError

from ecrm.analytics.counters import count
from ecrm.analytics.rfm import CELLS, GroupTable, RfmCounts, RfmScale
from ecrm.analytics.rhythm import SecondPurchaseCounts
from ecrm.analytics.scoring import NightThresholds
from ecrm.application.night_ports import (
    Group,
    Move,
    NightCounts,
    NightPlan,
    NightSettings,
    Place,
    Scored,
    ShardMoves,
    ShardScores,
    StoredRow,
    Tally,
)
from ecrm.contracts.segments import RuleBody
from ecrm.domain.errors import Unavailable
from ecrm.domain.lifecycle import Stage, Thresholds
from ecrm.domain.ready_made_segments import ready_made
from ecrm.domain.segments import Segment
from ecrm.files.nights import S3NightFiles
from tests.cloud import Cloud
from tests.faults import on, refused_with, tapped
from tests.properties.rules import a_rule

PLACE = Place(date(2026, 11, 22), 7)
LIFECYCLE = Thresholds(at_risk_days=100, lost_days=200, at_risk_factor=1.1, won_back_days=30)
GROUPS = GroupTable((("all",) * 5, *CELLS[1:]))
SCALE = RfmScale.of(RfmCounts(count([1, 2, 3]), count([1]), count(range(99))))
DRAW = Random(3)
PLAN = NightPlan(
    place=PLACE,
    scheduled_at=datetime(2026, 11, 22, 1, 30, tzinfo=UTC),
    settings=NightSettings(time_zone="Asia/Tehran", lifecycle=LIFECYCLE, groups=GROUPS),
    segments=(
        *(replace(each, version=2) for each in ready_made("EUR").values()),
        *(
            Segment(
                segment=f"s{at}",
                name="S",
                description="Überall",
                rule=RuleBody.model_validate(a_rule(DRAW)).to_rule(),
                version=at,
            )
            for at in range(200)
        ),
    ),
    groups=(Group(0, 127), Group(128, 255)),
    base=Place(date(2026, 11, 21), 5),
    base_segments=("old", "s1"),
    told=frozenset({"s1"}),
)
ROWS = (
    StoredRow(
        "c1", {"v": 2, "currencies": {"EUR": [1, 2]}, "traits": {"plan": None, "level": Decimal("2.50"), "likes": ["é", True]}}
    ),
    StoredRow("c2", {"v": 1, "level": Decimal("1E+2"), "decimal": "7"}),
)
COARSE = count(range(3))
COARSE.is_coarse = True
COUNTS = NightCounts(
    {"EUR": RfmCounts(count([1, 2]), COARSE, count([5, 5, 10**15]))}, SecondPurchaseCounts(count([3]), count([4, 4]), 9)
)
THRESHOLDS = NightThresholds(lifecycle=LIFECYCLE, scales={"EUR": SCALE, "USD": SCALE}, groups=GROUPS)
SCORES = ShardScores({"c1": Scored(Stage.AT_RISK, {"s1": 3, "s2": 7}), "c2": Scored(None, {})}, unreadable=1, from_facts=2)
MOVES = ShardMoves(
    Tally(
        customers=2,
        unreadable=1,
        from_facts=2,
        sizes={"s1": 2},
        entered={"s1": 1},
        left={"s2": 1},
        stages={Stage.NEW: 2},
        moves={Stage.PROSPECT: {Stage.NEW: 1, Stage.PROSPECT: 1}},
    ),
    (Move("c1", ("s1",), ("s2", "s3"), (Stage.PROSPECT, Stage.NEW)), Move("c2", ("s1",))),
)

type Write = Callable[[S3NightFiles], None]
type Read = Callable[[S3NightFiles], Any]


def rows(files: S3NightFiles, shard: int = 9) -> tuple[StoredRow, ...] | None:
    found = files.snapshot(PLACE, shard)
    return None if found is None else tuple(found)


FILES: dict[str, tuple[Write, Read, Any]] = {
    "plan": (lambda files: files.write_plan(PLAN), lambda files: files.plan(PLACE), PLAN),
    "plan of the first night": (
        lambda files: files.write_plan(replace(PLAN, base=None, base_segments=(), told=frozenset())),
        lambda files: files.plan(PLACE),
        replace(PLAN, base=None, base_segments=(), told=frozenset()),
    ),
    "snapshot": (lambda files: files.write_snapshot(PLACE, 9, iter(ROWS)), rows, ROWS),
    "empty snapshot": (lambda files: files.write_snapshot(PLACE, 9, ()), rows, ()),
    "counts": (
        lambda files: files.write_counts(PLACE, Group(0, 3), COUNTS),
        lambda files: files.counts(PLACE, Group(0, 3)),
        COUNTS,
    ),
    "thresholds": (
        lambda files: files.write_thresholds(PLACE, THRESHOLDS),
        lambda files: files.thresholds(PLACE),
        THRESHOLDS,
    ),
    "scores": (lambda files: files.write_scores(PLACE, 255, SCORES), lambda files: files.scores(PLACE, 255), SCORES),
    "moves": (lambda files: files.write_moves(PLACE, 0, MOVES), lambda files: files.moves(PLACE, 0), MOVES),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_read_as_it_was_written(cloud: Cloud, name: str) -> None:
    write, read, written = FILES[name]
    files = S3NightFiles(cloud.s3, "nights")
    assert read(files) is None
    write(files)
    assert written == read(files)


@pytest.mark.parametrize(
    ("write", "read"),
    [
        (lambda files, at: files.write_plan(replace(PLAN, scheduled_at=PLAN.scheduled_at + timedelta(at))), FILES["plan"][1]),
        (lambda files, at: files.write_snapshot(PLACE, 9, ROWS[at:]), rows),
        (lambda files, at: files.write_scores(PLACE, 255, replace(SCORES, unreadable=at)), FILES["scores"][1]),
    ],
    ids=["plan", "snapshot", "scores"],
)
def test_what_is_decided_is_written_once(cloud: Cloud, write: Callable[[S3NightFiles, int], None], read: Read) -> None:
    files = S3NightFiles(cloud.s3, "nights")
    write(files, 0)
    first = read(files)
    write(files, 1)
    assert first == read(files)


def test_copies_are_given_in_the_order_of_their_shards_and_those_that_are_gone_are_said_to_be(cloud: Cloud) -> None:
    """More of them than are read at once."""
    files = S3NightFiles(cloud.s3, "nights")
    for shard in range(0, 20, 2):
        files.write_snapshot(PLACE, shard, [ROWS[0]._replace(customer_id=f"c{shard}")])
    found = [None if copy is None else [row.customer_id for row in copy] for copy in files.snapshots(PLACE, range(20))]
    assert [None if shard % 2 else [f"c{shard}"] for shard in range(20)] == found


def test_what_follows_is_the_same_to_the_byte_whenever_it_is_written(cloud: Cloud) -> None:
    files = S3NightFiles(cloud.s3, "nights")
    tags = []
    for _ in range(2):
        files.write_moves(PLACE, 0, MOVES)
        tags.append(cloud.s3.head_object(Bucket="nights", Key="nights/2026-11-22/7/moves/000.ndjson.gz")["ETag"])
    assert tags[0] == tags[1]


@pytest.mark.parametrize(
    ("operation", "call"),
    [
        ("GetObject", lambda files: files.scores(PLACE, 1)),
        ("PutObject", lambda files: files.write_scores(PLACE, 1, SCORES)),
        ("PutObject", lambda files: files.write_moves(PLACE, 1, MOVES)),
    ],
    ids=["read", "write once", "write"],
)
@pytest.mark.parametrize("fault", ["busy", "silent", "two writers at once"])
def test_a_bucket_that_does_not_answer_is_to_be_asked_again(cloud: Cloud, operation: str, call: Read, fault: str) -> None:
    def silent(sent: Any, _deliver: Any) -> Any:
        raise ConnectTimeoutError(endpoint_url=sent.request.url)

    faults = {
        "busy": refused_with("SlowDown", 503),
        "silent": silent,
        "two writers at once": refused_with("ConditionalRequestConflict", 409),
    }
    files = S3NightFiles(cloud.s3, "nights")
    with tapped(on(operation, faults[fault])), pytest.raises(Unavailable):
        call(files)
