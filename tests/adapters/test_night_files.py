"""The files of a night: each is read as it was written, and what is decided is written once."""

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError

from ecrm.analytics.counters import count
from ecrm.analytics.forecasts import Horizon
from ecrm.analytics.histories import CurrencyHistories, Histories, History, HistoryCounts, Since, Spend, SpendCounts
from ecrm.analytics.reporting import CurrencyCounts, GroupCounts, OutlookCounts, ReportCounts, ReturnCounts, ScoreCounts
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
from tests.builders import A_MODEL
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
    settings=NightSettings(time_zone="Asia/Tehran", lifecycle=LIFECYCLE, groups=GROUPS, horizon=Horizon(days=90)),
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
HISTORIES = CurrencyHistories(
    Histories(
        HistoryCounts({History(2, 30, 400): 3, History(0, 9, 9): 1}, {History(2, 30, 400): 12_000, History(0, 9, 9): 0}, 1),
        SpendCounts({Spend(2, 4_000): 3}, 2),
        4,
        16_000,
    ),
    since={0: Since(1, 0, 0), 2: Since(3, 5, 9_900)},
)
SCORES_OF_EUR = ScoreCounts(
    {(5, 4): GroupCounts(2, 9_000)},
    OutlookCounts(
        2, 1, 1_500_000, 20, 60, 240, 7_700, {7: 1, 9: 1}, {2_000: GroupCounts(1, 2_700), 5_000: GroupCounts(1, 5_000)}
    ),
)
COUNTS = NightCounts(
    {"EUR": RfmCounts(count([1, 2]), COARSE, count([5, 5, 10**15]))},
    SecondPurchaseCounts(count([3]), count([4, 4]), 9),
    {"EUR": HISTORIES, "JPY": CurrencyHistories()},
    ReportCounts(ReturnCounts(3, 1, {30: 2}, {30: 1}), {"EUR": CurrencyCounts({24_300: 5}, cohorts={24_300: 1})}),
)
THRESHOLDS = NightThresholds(
    lifecycle=LIFECYCLE,
    scales={"EUR": SCALE, "USD": SCALE},
    groups=GROUPS,
    models={"EUR": A_MODEL, "USD": replace(A_MODEL, check=None, failure="it did not converge", is_weak=True)},
    horizon=Horizon(days=400, discount_percent=7.5),
)
SCORES = ShardScores(
    {"c1": Scored(Stage.AT_RISK, {"s1": 3, "s2": 7}), "c2": Scored(None, {})},
    unreadable=1,
    from_facts=2,
    by_currency={"EUR": SCORES_OF_EUR},
)
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
        scores={"EUR": SCORES_OF_EUR},
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
        (
            lambda files, at: files.write_thresholds(PLACE, replace(THRESHOLDS, horizon=Horizon(days=90 + at))),
            FILES["thresholds"][1],
        ),
        (lambda files, at: files.write_scores(PLACE, 255, replace(SCORES, unreadable=at)), FILES["scores"][1]),
    ],
    ids=["plan", "snapshot", "thresholds", "scores"],
)
def test_what_is_decided_is_written_once(cloud: Cloud, write: Callable[[S3NightFiles, int], None], read: Read) -> None:
    files = S3NightFiles(cloud.s3, "nights")
    write(files, 0)
    first = read(files)
    write(files, 1)
    assert first == read(files)


def test_what_a_night_wrote_before_anything_was_predicted_can_be_read(cloud: Cloud) -> None:
    """The night after it begins with that."""
    files = S3NightFiles(cloud.s3, "nights")
    files.write_thresholds(PLACE, THRESHOLDS)
    files.write_scores(PLACE, 255, SCORES)
    for name, old in (
        ("thresholds.json", lambda said: {each: said[each] for each in ("lifecycle", "scales", "cells")}),
        ("scores/255.ndjson", lambda said: said[:2]),
    ):
        key = f"nights/2026-11-22/7/{name}.gz"
        first, *others = gzip.decompress(cloud.s3.get_object(Bucket="nights", Key=key)["Body"].read()).splitlines()
        lines = [json.dumps(old(json.loads(first))).encode(), *others]
        cloud.s3.put_object(Bucket="nights", Key=key, Body=gzip.compress(b"\n".join(lines)))
    assert replace(THRESHOLDS, models={}, horizon=Horizon()) == files.thresholds(PLACE)
    assert replace(SCORES, by_currency={}) == files.scores(PLACE, 255)


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
