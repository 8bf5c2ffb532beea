"""The night: six steps, each of which may be done again, at once with itself, or after another night has come.

Plan → snapshot, by groups of shards → summarise → score, by the same → publish → tell, by the same. A step reads what the
steps before have left in the bucket and leaves there what the next ones read. What is decided is written once: the plan, the rows
of a shard, the thresholds with the models, the scores of a shard. All else follows from these, so that whoever dies, the same
comes of it.

Scoring writes memberships under a generation that nobody counts until publishing, by one write, says so (domain/nights.py);
publishing needs the moves of all shards, which scoring writes last. Only then is anything told.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from ecrm.analytics import forecasts
from ecrm.analytics.reporting import ScoresByCurrency, add_scores, merge_scores
from ecrm.analytics.rfm import RfmScale
from ecrm.analytics.rhythm import Times, times
from ecrm.analytics.scoring import NightThresholds, scorer
from ecrm.domain.errors import Conflict, NotFound, Unavailable
from ecrm.domain.events import Event
from ecrm.domain.facts import Facts, RowFacts, Scores
from ecrm.domain.instants import time_zone
from ecrm.domain.judging import Judge, judges
from ecrm.domain.lifecycle import Stage
from ecrm.domain.nights import Membership, NightState
from ecrm.domain.segments import Segment, reached
from ecrm.domain.statistics import CustomerStatistics

from .behaviour import KEPT
from .night_ports import (
    CountedSegments,
    FactsOf,
    Group,
    Move,
    MoveEvents,
    NightCounts,
    NightFiles,
    NightPlan,
    NightSettings,
    Place,
    Scored,
    ShardMoves,
    ShardScores,
    StatisticsRows,
    StoredRow,
    Tally,
)
from .ports import Clock, Contended, Unreadable
from .segment_ports import Memberships, Night, Nights, Pointer

ATTEMPTS = 5
LATE = timedelta(hours=12)
"""An occurrence that is found later is skipped: the next one is nearer."""
READ_FOR = timedelta(seconds=60)
"""How long a reader may go by the pointer that it has read: no night begins before all go by the one before it."""
CUSTOMERS_A_GROUP = 25_000
SOURCE = "night"


class Skipped(StrEnum):
    """Why there is nothing to do."""

    PUBLISHED = "published"
    LATE = "late"
    OVERTAKEN = "overtaken"


@dataclass(frozen=True, slots=True)
class Planned:
    """The night of a day: where its files are and who works on what, or why nobody does."""

    night: date
    skipped: Skipped | None = None
    generation: int = 0
    groups: tuple[Group, ...] = ()


def plan_night(
    scheduled_at: datetime,
    *,
    settings: NightSettings,
    nights: Nights,
    segments: CountedSegments,
    rows: StatisticsRows,
    shards: int,
    files: NightFiles,
    clock: Clock,
    customers_a_group: int = CUSTOMERS_A_GROUP,
) -> Planned:
    """Open the night of the day on which it is due, or go on with it where it was opened before. Raises Unavailable.

    `shards` are those that customers' rows are in. Before anything was counted, the first one stands for all.
    """
    day = scheduled_at.astimezone(time_zone(settings.time_zone)).date()
    for _ in range(ATTEMPTS):
        night = _opened(day, scheduled_at, nights, clock.now())
        if isinstance(night, Skipped):
            return Planned(day, night)
        if night is not None:
            place = Place(day, night.generation)
            plan = files.plan(place)
            if plan is None:
                base = nights.find(night.base_night) if night.base_night else None
                customers = base.customers if base else shards * sum(1 for _ in rows.of_shard(0))
                groups = groups_for(customers, shards, customers_a_group)
                files.write_plan(_frozen(night, base, settings, tuple(segments.published()), groups))
                plan = there(files.plan(place), "plan")
            return Planned(day, None, night.generation, plan.groups)
    raise Contended("the night is planned by many at once")


def _opened(day: date, scheduled_at: datetime, nights: Nights, now: datetime) -> Night | Skipped | None:
    """Give the night that is open; None where another wrote meanwhile."""
    pointer, found = nights.pointer(), nights.find(day)
    if found and found.state is NightState.PUBLISHED:
        return Skipped.PUBLISHED
    if pointer.night and day <= pointer.night:
        return Skipped.OVERTAKEN
    if found and found.generation < pointer.generations.last and found.generation:
        return Skipped.OVERTAKEN
    if found and found.generation:
        return _again(found, nights) if found.generation == pointer.generations.last else None
    version = found.version + 1 if found else 1
    new = Night(night=day, state=NightState.SKIPPED, scheduled_at=scheduled_at, started_at=now, version=version)
    if now - scheduled_at > LATE:
        return Skipped.LATE if found or nights.write(new) else None
    return _open(new, pointer, nights)


def _again(night: Night, nights: Nights) -> Night | None:
    """Go on with a night, also one that failed."""
    if night.state is NightState.PLANNED:
        return night
    again = replace(night, state=NightState.PLANNED, error=None, finished_at=None, version=night.version + 1)
    return again if nights.write(again) else None


def _open(new: Night, pointer: Pointer, nights: Nights) -> Night | None:
    """Give a generation out. Raises Unavailable while readers may still go by the night before the last one."""
    base = nights.find(pointer.night) if pointer.night else None
    if base and base.finished_at and new.started_at < base.finished_at + READ_FOR:
        raise Unavailable("the night before was published a moment ago")
    generations = pointer.generations.with_next()
    night = replace(
        new,
        state=NightState.PLANNED,
        generation=generations.last,
        base=generations.published,
        base_night=pointer.night,
    )
    moved = replace(pointer, generations=generations, version=pointer.version + 1)
    return night if nights.write(night, pointer=moved) else None


def _frozen(
    night: Night, base: Night | None, settings: NightSettings, segments: tuple[Segment, ...], groups: tuple[Group, ...]
) -> NightPlan:
    before = base.versions if base else {}
    return NightPlan(
        place=Place(night.night, night.generation),
        scheduled_at=night.scheduled_at,
        settings=settings,
        segments=segments,
        groups=groups,
        base=Place(night.base_night, night.base) if night.base_night else None,
        base_segments=tuple(sorted(before)),
        told=_unchanged(segments, before),
    )


def _unchanged(segments: tuple[Segment, ...], before: Mapping[str, int]) -> frozenset[str]:
    """Give the segments whose rules, and those that they lead to, are the ones of the night before."""
    rules = {segment.segment: segment.rule for segment in segments}
    same = {segment.segment for segment in segments if before.get(segment.segment) == segment.version}
    return frozenset(name for name in same if reached(name, rules) <= same)


def groups_for(customers: int, shards: int, customers_a_group: int) -> tuple[Group, ...]:
    """Part the shards evenly among as many workers as the number of customers deserves."""
    count = min(max(1, -(-customers // customers_a_group)), shards)
    borders = [number * shards // count for number in range(count + 1)]
    return tuple(Group(first, beyond - 1) for first, beyond in pairwise(borders))


def snapshot_customers(
    place: Place, group: Group, *, rows: StatisticsRows, files: NightFiles, is_late: Callable[[], bool]
) -> None:
    """Copy the rows of a group's shards into the bucket, and count them.

    Raises Unavailable where time is short: what was copied stays, and the next try goes on from there.
    """
    today = _plan(place, files).moment.today
    counts = NightCounts()
    for shard in group.shards:
        copied = files.snapshot(place, shard)
        if copied is None:
            if is_late():
                raise Unavailable("there is no time for all shards of the group")
            files.write_snapshot(place, shard, rows.of_shard(shard))
            copied = there(files.snapshot(place, shard), "snapshot")
        for row in _readable(copied, rows):
            counts.add(row, today)
    files.write_counts(place, group, counts)


def _readable(stored: Iterable[StoredRow], rows: StatisticsRows) -> Iterator[CustomerStatistics]:
    """Give what can be read; scoring tells of the others."""
    for each in stored:
        try:
            row = rows.read(each)
        except Exception:  # noqa: BLE001, S112 (whatever a corrupt one raises)
            continue
        yield row


def summarise_night(place: Place, *, files: NightFiles) -> Mapping[str, str]:
    """Make the thresholds of what all groups counted, and fit the models, beginning at those of the night before.

    Says why which currency's fit came to nothing.
    """
    plan = _plan(place, files)
    if files.thresholds(place) is None:
        files.write_thresholds(place, _summarised(plan, files))
    models = there(files.thresholds(place), "thresholds").models
    return {currency: model.failure for currency, model in models.items() if model.failure}


def _summarised(plan: NightPlan, files: NightFiles) -> NightThresholds:
    counts = NightCounts()
    for group in plan.groups:
        counts.merge(there(files.counts(plan.place, group), "counts"))
    lifecycle = plan.settings.lifecycle
    found = times(counts.second_purchases, Times(lifecycle.at_risk_days, lifecycle.lost_days))
    before = files.thresholds(plan.base) if plan.base else None
    return NightThresholds(
        lifecycle=replace(lifecycle, at_risk_days=found.at_risk_days, lost_days=found.lost_days),
        scales={currency: RfmScale.of(each) for currency, each in sorted(counts.rfm.items())},
        groups=plan.settings.groups,
        models=forecasts.fit(counts.histories, before.models if before else {}, plan.moment.today),
        horizon=plan.settings.horizon,
    )


@dataclass(frozen=True, slots=True)
class Worked:
    """What a step did: of how many customers, and which of them could not be read."""

    customers: int = 0
    from_facts: int = 0
    unreadable: tuple[Unreadable, ...] = ()


def score_customers(
    place: Place,
    group: Group,
    *,
    rows: StatisticsRows,
    facts_of: FactsOf,
    files: NightFiles,
    nights: Nights,
    memberships: Memberships,
    is_late: Callable[[], bool],
) -> Worked:
    """Judge the customers of a group's shards, and write who is in which segment from now on, or no more.

    Raises Unavailable where time is short, as `snapshot_customers`, and Conflict where another night has been planned since.
    """
    plan = _plan(place, files)
    bench = _Bench.of(plan, there(files.thresholds(place), "thresholds"), rows, facts_of)
    unreadable: list[Unreadable] = []
    customers = from_facts = 0
    for shard in group.shards:
        if files.moves(place, shard) is not None:
            continue
        if is_late():
            raise Unavailable("there is no time for all shards of the group")
        _refuse_overtaken(place, nights.pointer())
        before = _before(plan, shard, files, nights, memberships)
        scores = files.scores(place, shard)
        if scores is None:
            copied = there(files.snapshot(place, shard), "snapshot")
            files.write_scores(place, shard, bench.scores(copied, before, unreadable))
            scores = there(files.scores(place, shard), "scores")
        memberships.write(_changes(place.generation, before, scores.customers))
        files.write_moves(place, shard, _moved(plan, before, scores))
        customers += len(scores.customers)
        from_facts += scores.from_facts
    return Worked(customers, from_facts, tuple(unreadable))


def _refuse_overtaken(place: Place, pointer: Pointer) -> None:
    if pointer.generations.last != place.generation:
        raise Conflict("another night has been planned since", code="night_overtaken")


def _before(plan: NightPlan, shard: int, files: NightFiles, nights: Nights, memberships: Memberships) -> Mapping[str, Scored]:
    """Give what the night before found: from its file, or where that is gone by now, from what readers see."""
    if plan.base is None:
        return {}
    scores = files.scores(plan.base, shard)
    if scores is not None:
        return scores.customers
    generations = nights.pointer().generations
    since: dict[str, dict[str, int]] = {}
    for segment in plan.base_segments:
        for membership in memberships.in_shard(segment, shard):
            if generations.hold(membership):
                since.setdefault(membership.customer_id, {})[segment] = membership.from_generation
    return {customer_id: Scored(None, found) for customer_id, found in since.items()}


@dataclass(frozen=True, slots=True)
class _Bench:
    """A plan made ready."""

    plan: NightPlan
    judges: Mapping[str, Judge]
    score: Callable[[CustomerStatistics], Scores]
    rows: StatisticsRows
    facts_of: FactsOf

    @classmethod
    def of(cls, plan: NightPlan, thresholds: NightThresholds, rows: StatisticsRows, facts_of: FactsOf) -> "_Bench":
        moment = plan.moment
        return cls(
            plan,
            judges({segment.segment: segment.rule for segment in plan.segments}, moment),
            scorer(thresholds, moment.today),
            rows,
            facts_of,
        )

    def scores(self, stored: Iterable[StoredRow], before: Mapping[str, Scored], unreadable: list[Unreadable]) -> ShardScores:
        """Judge a shard's customers. Who cannot be read is where they were, as far as that is still a segment."""
        found: dict[str, Scored] = {}
        by_currency: ScoresByCurrency = {}
        from_facts = corrupt = 0
        for each in stored:
            was = before.get(each.customer_id)
            since = was.since if was else {}
            try:
                scored, facts, was_read = self._judged(each, since)
            except Unavailable:
                raise
            except Exception as error:  # noqa: BLE001 (whatever a corrupt one raises)
                corrupt += 1
                unreadable.append(Unreadable({"customer_id": each.customer_id}, error))
                scored = Scored(was.stage, {name: since[name] for name in since if name in self.judges}) if was else None
            else:
                from_facts += was_read
                if scored is not None:
                    add_scores(by_currency, facts.statistics, facts.scores)
            if scored is not None:
                found[each.customer_id] = scored
        return ShardScores(found, corrupt, from_facts, by_currency)

    def _judged(self, stored: StoredRow, since: Mapping[str, int]) -> tuple[Scored | None, Facts, bool]:
        """Judge one customer, and say by what, and whether their facts were read; None where they are no more."""
        row = self.rows.read(stored)
        facts: Facts = RowFacts(stored.customer_id, row, self.score(row), row.traits)
        judged = {} if row.is_outdated else {name: judge.decide(facts) for name, judge in self.judges.items()}
        unknown = [name for name in self.judges if judged.get(name) is None]
        is_asked = bool(unknown) or row.is_outdated
        if is_asked:
            every = self.facts_of(stored.customer_id, self.score)
            if every is None:
                return None, facts, True
            judged |= {name: self.judges[name].decide(every) for name in unknown}
            facts = every if row.is_outdated else facts
        generation = self.plan.place.generation
        members = {name: since.get(name, generation) for name in self.judges if judged[name]}
        return Scored(facts.scores.lifecycle, members), facts, is_asked


_NOWHERE = Scored(None, {})


def _changes(generation: int, before: Mapping[str, Scored], after: Mapping[str, Scored]) -> Iterator[Membership]:
    for customer_id in sorted(before.keys() | after.keys()):
        was, now = before.get(customer_id, _NOWHERE).since, after.get(customer_id, _NOWHERE).since
        for segment in sorted(now.keys() - was.keys()):
            yield Membership(segment, customer_id, generation)
        for segment in sorted(was.keys() - now.keys()):
            yield Membership(segment, customer_id, was[segment], generation)


def _moved(plan: NightPlan, before: Mapping[str, Scored], scores: ShardScores) -> ShardMoves:
    tally = Tally(
        customers=len(scores.customers),
        unreadable=scores.unreadable,
        from_facts=scores.from_facts,
        scores=scores.by_currency,
    )
    moves: list[Move] = []
    for customer_id in sorted(before.keys() | scores.customers.keys()):
        was, now = before.get(customer_id), scores.customers.get(customer_id)
        entered, left = _differences(was or _NOWHERE, now or _NOWHERE)
        _count(tally.entered, entered)
        _count(tally.left, left)
        _count(tally.sizes, now.since if now else ())
        stages = None
        if now and now.stage:
            _count(tally.stages, (now.stage,))
            stages = _stages(plan, was, now.stage)
        if stages:
            _count(tally.moves.setdefault(stages[0], {}), (stages[1],))
        move = Move(
            customer_id,
            tuple(name for name in entered if name in plan.told),
            tuple(name for name in left if name in plan.told),
            stages if stages and stages[0] is not stages[1] else None,
        )
        if move != Move(customer_id):
            moves.append(move)
    return ShardMoves(tally, tuple(moves))


def _differences(was: Scored, now: Scored) -> tuple[list[str], list[str]]:
    return sorted(now.since.keys() - was.since.keys()), sorted(was.since.keys() - now.since.keys())


def _stages(plan: NightPlan, was: Scored | None, now: Stage) -> tuple[Stage, Stage] | None:
    """Give the stage before and after. Who was not there before was a prospect; the first night has nothing before it."""
    if plan.base is None:
        return None
    return (was.stage or now if was else Stage.PROSPECT), now


def _count[K](counts: dict[K, int], names: Iterable[K]) -> None:
    for name in names:
        counts[name] = counts.get(name, 0) + 1


def publish_night(place: Place, *, nights: Nights, files: NightFiles, clock: Clock) -> Night:
    """Let readers see the night, by one write. Raises Conflict where another night has been planned since."""
    night = _night(place, nights)
    if night.state is NightState.PUBLISHED:
        return night
    pointer = nights.pointer()
    _refuse_overtaken(place, pointer)
    plan = _plan(place, files)
    thresholds = there(files.thresholds(place), "thresholds")
    tally = merged(there(files.moves(place, shard), "moves").tally for group in plan.groups for shard in group.shards)
    published = replace(
        night,
        state=NightState.PUBLISHED,
        finished_at=clock.now(),
        error=None,
        customers=tally.customers,
        unreadable=tally.unreadable,
        from_facts=tally.from_facts,
        sizes={segment.segment: tally.sizes.get(segment.segment, 0) for segment in plan.segments},
        entered=tally.entered,
        left=tally.left,
        versions={segment.segment: segment.version for segment in plan.segments},
        stages=tally.stages,
        moves=tally.moves,
        thresholds=thresholds,
        version=night.version + 1,
    )
    shown = replace(
        pointer,
        generations=pointer.generations.with_last_published(),
        night=place.night,
        thresholds=thresholds,
        version=pointer.version + 1,
    )
    if not nights.write(published, pointer=shown):
        raise Contended("the night was published, or another one planned, meanwhile")
    return published


def merged(tallies: Iterable[Tally]) -> Tally:
    """Sum up, each name in its order."""
    every = list(tallies)
    moves: dict[Stage, Counter[Stage]] = {}
    scores: ScoresByCurrency = {}
    for each in every:
        merge_scores(scores, each.scores)
        for stage, after in each.moves.items():
            moves.setdefault(stage, Counter()).update(after)
    return Tally(
        customers=sum(each.customers for each in every),
        unreadable=sum(each.unreadable for each in every),
        from_facts=sum(each.from_facts for each in every),
        sizes=_summed(each.sizes for each in every),
        entered=_summed(each.entered for each in every),
        left=_summed(each.left for each in every),
        stages=_summed(each.stages for each in every),
        moves={stage: _summed([moves[stage]]) for stage in sorted(moves)},
        scores=scores,
    )


def _summed[K: str](counts: Iterable[Mapping[K, int]]) -> dict[K, int]:
    total: Counter[K] = Counter()
    for each in counts:
        total.update(each)
    return dict(sorted(total.items()))


def fail_night(place: Place, error: str, *, nights: Nights, clock: Clock) -> None:
    """Say that a night came to nothing; going on with it is possible until another one is planned."""
    night = _night(place, nights)
    if night.state is NightState.PLANNED:
        failed = replace(night, state=NightState.FAILED, error=error, finished_at=clock.now(), version=night.version + 1)
        if not nights.write(failed):
            raise Contended("the night was written meanwhile")


def tell_night(place: Place, group: Group, *, nights: Nights, files: NightFiles, events: MoveEvents, clock: Clock) -> int:
    """Write what happened to the customers of a group's shards, and say to how many. Raises Conflict before it is published."""
    night = published_night(place, nights)
    versions, received_at, customers = night.versions, clock.now(), 0
    for shard in group.shards:
        for move in there(files.moves(place, shard), "moves").moves:
            events.record(move.customer_id, tuple(_events(move, night, versions, received_at)))
            customers += 1
    return customers


def _events(move: Move, night: Night, versions: Mapping[str, int], received_at: datetime) -> Iterator[Event]:
    def event(event_type: str, event_id: str, **data: object) -> Event:
        return Event(
            id=event_id,
            type=event_type,
            occurred_at=night.scheduled_at.astimezone(UTC),
            received_at=received_at,
            site="",
            customer_id=move.customer_id,
            source=SOURCE,
            data={**data, "generation": night.generation, "night": night.night.isoformat()},
            expires_at=night.scheduled_at + KEPT,
        )

    for what, segments in (("entered", move.entered), ("left", move.left)):
        for segment in segments:
            event_id = f"segment:{segment}:{night.generation}:{what}"
            yield event(f"segment.{what}", event_id, segment=segment, version=versions[segment])
    if move.stages:
        before, after = move.stages
        yield event("customer.stage_changed", f"stage:{night.generation}", **{"from": before.value, "to": after.value})


def _plan(place: Place, files: NightFiles) -> NightPlan:
    return there(files.plan(place), "plan")


def _night(place: Place, nights: Nights) -> Night:
    found = nights.find(place.night)
    if found is None or found.generation != place.generation:
        raise NotFound("no such night", code="night_not_found")
    return found


def published_night(place: Place, nights: Nights) -> Night:
    """Raises NotFound where there was no such night, and Conflict before it is published."""
    night = _night(place, nights)
    if night.state is not NightState.PUBLISHED:
        raise Conflict("the night is not published", code="night_unpublished")
    return night


def there[T](found: T | None, what: str) -> T:
    """Raises NotFound where what an earlier step leaves is not there: steps were left out, or the files are gone by now."""
    if found is None:
        raise NotFound(f"the night has no {what}", code="night_file_not_found")
    return found
