"""The files of a night: a folder for each night and generation, with an object for each shard, so that any grouping reads it.

What is decided is put under the condition that nothing is there (`If-None-Match: *`): the one who comes second reads the first.
Counters and moves follow from that and are the same whoever writes them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, fields
from datetime import date
from itertools import batched
from typing import TYPE_CHECKING, Any

from ecrm.analytics import models
from ecrm.analytics.counters import ValueCounts
from ecrm.analytics.forecasts import Horizon
from ecrm.analytics.rfm import GroupTable, RfmCounts, RfmScale, Scale
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
from ecrm.contracts.segments import RuleBody, written
from ecrm.domain.instants import from_text, to_text
from ecrm.domain.lifecycle import Stage, Thresholds
from ecrm.domain.segments import Segment

from .histories import histories_of, histories_said
from .packed import PackedFiles
from .reporting import counts_of, counts_said, scores_of, scores_said

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_READ_AHEAD = 8
"""Files that are asked for at once: S3 takes longer to answer than to send a small one."""


class S3NightFiles:
    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._files = PackedFiles(client, bucket)

    def plan(self, place: Place) -> NightPlan | None:
        found = self._object(place, "plan.json.gz")
        return _plan_of(place, found) if found else None

    def write_plan(self, plan: NightPlan) -> None:
        self._put(plan.place, "plan.json.gz", [_plan(plan)], once=True)

    def snapshot(self, place: Place, shard: int) -> Iterator[StoredRow] | None:
        lines = self._lines(place, f"snapshot/{shard:03}.ndjson.gz")
        return (StoredRow(*line) for line in lines) if lines is not None else None

    def snapshots(self, place: Place, shards: Iterable[int]) -> Iterator[Iterator[StoredRow] | None]:
        with ThreadPoolExecutor(_READ_AHEAD) as pool:
            for some in batched(shards, _READ_AHEAD, strict=False):
                yield from pool.map(lambda shard: self.snapshot(place, shard), some)

    def write_snapshot(self, place: Place, shard: int, rows: Iterable[StoredRow]) -> None:
        self._put(place, f"snapshot/{shard:03}.ndjson.gz", rows, once=True)

    def counts(self, place: Place, group: Group) -> NightCounts | None:
        found = self._object(place, f"counts/{group.first:03}.json.gz")
        return _counts_of(found) if found else None

    def write_counts(self, place: Place, group: Group, counts: NightCounts) -> None:
        self._put(place, f"counts/{group.first:03}.json.gz", [_counts(counts)])

    def thresholds(self, place: Place) -> NightThresholds | None:
        found = self._object(place, "thresholds.json.gz")
        return _thresholds_of(found) if found else None

    def write_thresholds(self, place: Place, thresholds: NightThresholds) -> None:
        self._put(place, "thresholds.json.gz", [_thresholds(thresholds)], once=True)

    def scores(self, place: Place, shard: int) -> ShardScores | None:
        lines = self._lines(place, f"scores/{shard:03}.ndjson.gz")
        if lines is None:
            return None
        unreadable, from_facts, *by_currency = next(lines)
        scored = {customer_id: Scored(Stage(stage) if stage else None, since) for customer_id, stage, since in lines}
        return ShardScores(scored, unreadable, from_facts, scores_of(by_currency[0] if by_currency else {}))

    def write_scores(self, place: Place, shard: int, scores: ShardScores) -> None:
        self._put(place, f"scores/{shard:03}.ndjson.gz", _scores(scores), once=True)

    def moves(self, place: Place, shard: int) -> ShardMoves | None:
        lines = self._lines(place, f"moves/{shard:03}.ndjson.gz")
        return ShardMoves(_tally_of(next(lines)), tuple(map(_move_of, lines))) if lines is not None else None

    def write_moves(self, place: Place, shard: int, moves: ShardMoves) -> None:
        self._put(place, f"moves/{shard:03}.ndjson.gz", [_tally(moves.tally), *map(_move, moves.moves)])

    def _object(self, place: Place, name: str) -> Any:
        return self._files.object(_key(place, name))

    def _lines(self, place: Place, name: str) -> Iterator[Any] | None:
        return self._files.lines(_key(place, name))

    def _put(self, place: Place, name: str, lines: Iterable[Any], *, once: bool = False) -> None:
        self._files.put(_key(place, name), lines, once=once)


def _key(place: Place, name: str) -> str:
    return f"nights/{place.night.isoformat()}/{place.generation}/{name}"


def _plan(plan: NightPlan) -> dict[str, Any]:
    return {
        "scheduled_at": to_text(plan.scheduled_at),
        "time_zone": plan.settings.time_zone,
        "lifecycle": asdict(plan.settings.lifecycle),
        "cells": plan.settings.groups.cells,
        "horizon": asdict(plan.settings.horizon),
        "segments": [[each.segment, each.name, each.description, written(each.rule), each.version] for each in plan.segments],
        "groups": plan.groups,
        "base": [plan.base.night.isoformat(), plan.base.generation] if plan.base else None,
        "base_segments": plan.base_segments,
        "told": sorted(plan.told),
    }


def _plan_of(place: Place, said: Mapping[str, Any]) -> NightPlan:
    return NightPlan(
        place=place,
        scheduled_at=from_text(said["scheduled_at"]),
        settings=NightSettings(
            time_zone=said["time_zone"],
            lifecycle=Thresholds(**said["lifecycle"]),
            groups=_groups_of(said["cells"]),
            horizon=Horizon(**said["horizon"]),
        ),
        segments=tuple(
            Segment(
                segment=segment,
                name=name,
                description=description,
                rule=RuleBody.model_validate(rule).to_rule(),
                version=version,
            )
            for segment, name, description, rule, version in said["segments"]
        ),
        groups=tuple(Group(*group) for group in said["groups"]),
        base=Place(date.fromisoformat(said["base"][0]), said["base"][1]) if said["base"] else None,
        base_segments=tuple(said["base_segments"]),
        told=frozenset(said["told"]),
    )


def _groups_of(cells: Sequence[Sequence[str]]) -> GroupTable:
    return GroupTable(tuple(map(tuple, cells)))


def _thresholds(thresholds: NightThresholds) -> dict[str, Any]:
    return {
        "lifecycle": asdict(thresholds.lifecycle),
        "scales": {currency: asdict(scale) for currency, scale in thresholds.scales.items()},
        "cells": thresholds.groups.cells,
        "models": {currency: models.written(model) for currency, model in thresholds.models.items()},
        "horizon": asdict(thresholds.horizon),
    }


def _thresholds_of(said: Mapping[str, Any]) -> NightThresholds:
    """Read also what a night wrote before anything was predicted: the night after it reads that."""
    return NightThresholds(
        lifecycle=Thresholds(**said["lifecycle"]),
        scales={
            currency: RfmScale(**{measure: Scale(tuple(cuts["cuts"])) for measure, cuts in scale.items()})
            for currency, scale in said["scales"].items()
        },
        groups=_groups_of(said["cells"]),
        models={currency: models.read(model) for currency, model in said.get("models", {}).items()},
        horizon=Horizon(**said.get("horizon", {})),
    )


def _counts(counts: NightCounts) -> dict[str, Any]:
    second = counts.second_purchases
    return {
        "rfm": {
            currency: [_values(measure) for measure in (each.recency, each.frequency, each.monetary)]
            for currency, each in counts.rfm.items()
        },
        "back": _values(second.back),
        "away": _values(second.away),
        "longest": second.longest,
        "histories": histories_said(counts.histories),
        "report": counts_said(counts.report),
    }


def _counts_of(said: Mapping[str, Any]) -> NightCounts:
    return NightCounts(
        {currency: RfmCounts(*map(_values_of, measures)) for currency, measures in said["rfm"].items()},
        SecondPurchaseCounts(_values_of(said["back"]), _values_of(said["away"]), said["longest"]),
        histories_of(said["histories"]),
        counts_of(said["report"]),
    )


def _values(counts: ValueCounts) -> list[Any]:
    return [counts.is_coarse, list(counts.in_order())]


def _values_of(said: Sequence[Any]) -> ValueCounts:
    is_coarse, values = said
    return ValueCounts(dict(values), is_coarse)


def _scores(scores: ShardScores) -> Iterator[Any]:
    yield [scores.unreadable, scores.from_facts, scores_said(scores.by_currency)]
    for customer_id, (stage, since) in scores.customers.items():
        yield [customer_id, stage, since]


def _tally(tally: Tally) -> dict[str, Any]:
    return {each.name: getattr(tally, each.name) for each in fields(Tally)} | {"scores": scores_said(tally.scores)}


def _tally_of(said: Mapping[str, Any]) -> Tally:
    stages = {Stage(stage): customers for stage, customers in said["stages"].items()}
    moves = {Stage(before): {Stage(stage): count for stage, count in after.items()} for before, after in said["moves"].items()}
    return Tally(**{**said, "stages": stages, "moves": moves, "scores": scores_of(said["scores"])})


def _move(move: Move) -> list[Any]:
    return [move.customer_id, move.entered, move.left, move.stages]


def _move_of(said: Sequence[Any]) -> Move:
    customer_id, entered, left, stages = said
    return Move(customer_id, tuple(entered), tuple(left), (Stage(stages[0]), Stage(stages[1])) if stages else None)
