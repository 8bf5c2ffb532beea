"""Defining segments, trying rules out, and reading who is in them."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, tzinfo
from itertools import batched, islice

from ecrm.analytics.scoring import NightThresholds, kept_forecaster, scorer
from ecrm.domain.errors import Conflict, Invalid, NotFound, Unavailable
from ecrm.domain.facts import NO_SCORES, RowFacts, Scores
from ecrm.domain.jobs import FileFormat, Job, JobKind
from ecrm.domain.judging import Judge, Verdict, judge_of, judges
from ecrm.domain.nights import Generations, NightState
from ecrm.domain.segments import Rule, Segment, refuse_unsound, segments_named, traits_named
from ecrm.domain.statistics import CustomerStatistics
from ecrm.domain.traits import MOST, TraitList
from ecrm.domain.windows import Moment

from .definitions import put_definition
from .facts import FactsOf
from .jobs import Requested, add_job
from .memberships import segments_at
from .night_ports import NightFiles, Place, StatisticsRows, StoredRow
from .ports import Clock, Customers, JobIds, Jobs, Request
from .segment_ports import Memberships, Night, Nights, Segments
from .traits import Traits, listed_from

MOST_PUBLISHED = 200
"""Segments that are not archived: a night judges every customer by each of them."""
NIGHTS_SHOWN = 35

type ReadyMade = Callable[[], Mapping[str, Segment]]
"""Gives the segments that are there to start from, by name."""
type ComingCampaigns = Callable[[str], Sequence[str]]
"""Names the campaigns that name a segment and have an occurrence to come."""


def put_segment(
    segment: Segment, *, expected_version: int | None, segments: Segments, traits: Traits, coming: ComingCampaigns
) -> tuple[Segment, bool]:
    """Write a version of a segment, as `put_definition` does, and with it the list of what rows of statistics copy.

    Raises Invalid where its rule names what is not there or itself, where there are too many, and where it is archived and
    others name it, or a campaign that has an occurrence to come.
    """
    return put_definition(
        segment.segment,
        lambda version: replace(segment, version=version),
        expected_version=expected_version,
        definitions=_Writing(segments, traits, coming),
    )


@dataclass(frozen=True, slots=True)
class _Writing:
    """Each attempt looks at all segments anew."""

    segments: Segments
    traits: Traits
    coming: ComingCampaigns

    def find(self, name: str) -> Segment | None:
        return self.segments.find(name)

    def write(self, segment: Segment, *, seen: int) -> Segment | None:
        listed = self.traits.listed()
        others = {one.segment: one.rule for one in self.segments.published() if one.segment != segment.segment}
        _refuse(segment, others, self.coming)
        published = others if segment.is_archived else {**others, segment.segment: segment.rule}
        wanted = listed_from(map(traits_named, published.values()), MOST)
        changed = None if wanted == listed.traits else TraitList(listed.version + 1, wanted)
        return self.segments.write(segment, seen=seen, traits=changed)


def _refuse(segment: Segment, others: Mapping[str, Rule], coming: ComingCampaigns) -> None:
    if segment.is_archived:
        using = (*used_by(segment.segment, others), *(f"the campaign {name}" for name in coming(segment.segment)))
        if using:
            raise Invalid.at("/archived", "segment_in_use", f"it is named by {', '.join(using)}")
        return
    if len(others) >= MOST_PUBLISHED:
        raise Invalid(f"there are {MOST_PUBLISHED} segments; archive one first", code="too_many_segments")
    refuse_unsound(segment.segment, {**others, segment.segment: segment.rule})


def used_by(segment: str, rules: Mapping[str, Rule]) -> tuple[str, ...]:
    """Name the segments whose rules name this one."""
    return tuple(sorted(other for other, rule in rules.items() if segment in segments_named(rule)))


@dataclass(frozen=True, slots=True)
class SegmentView:
    """A segment with what the last published night counted, None where it did not count it."""

    segment: Segment
    size: int | None = None
    night: date | None = None


@dataclass(frozen=True, slots=True)
class SegmentDetails:
    """`nights` are the published ones that counted it, the last one first."""

    view: SegmentView
    nights: Sequence[Night]
    used_by: Sequence[str]


def list_segments(*, segments: Segments, nights: Nights, ready_made: ReadyMade) -> tuple[SegmentView, ...]:
    """Give every segment by name: the company's, and those ready-made ones that it has none of its own for."""
    own = {segment.segment: segment for segment in segments.all()}
    last = _last_night(nights)
    return tuple(_view(segment, last) for _, segment in sorted({**ready_made(), **own}.items()))


def _last_night(nights: Nights) -> Night | None:
    published = nights.pointer().night
    return nights.find(published) if published else None


def _view(segment: Segment, last: Night | None) -> SegmentView:
    if last is None or segment.segment not in last.sizes:
        return SegmentView(segment)
    return SegmentView(segment, last.sizes[segment.segment], last.night)


def read_segment(name: str, *, segments: Segments, nights: Nights, ready_made: ReadyMade) -> SegmentDetails:
    """Give the company's own segment, else the ready-made one of that name. Raises NotFound."""
    found = segments.find(name)
    if found is None:
        return SegmentDetails(SegmentView(_ready_made(name, ready_made)), (), ())
    rules = {segment.segment: segment.rule for segment in segments.published()}
    counted = [
        night
        for night in nights.newest(after=None, limit=NIGHTS_SHOWN).items
        if night.state is NightState.PUBLISHED and name in night.sizes
    ]
    return SegmentDetails(_view(found, _last_night(nights)), counted, used_by(name, rules))


def read_segment_version(name: str, version: int, *, segments: Segments, ready_made: ReadyMade) -> Segment:
    """Give a version of a segment, 0 being the ready-made one. Raises NotFound."""
    if not version:
        return _ready_made(name, ready_made)
    found = segments.version(name, version)
    if found is None:
        raise NotFound("no such version of a segment", code="segment_not_found")
    return found


def _ready_made(name: str, ready_made: ReadyMade) -> Segment:
    found = ready_made().get(name)
    if found is None:
        raise NotFound("no such segment", code="segment_not_found")
    return found


def read_night(night: date, *, nights: Nights) -> Night:
    found = nights.find(night)
    if found is None:
        raise NotFound("there was no such night", code="night_not_found")
    return found


def score_by(thresholds: NightThresholds | None, today: date) -> Callable[[CustomerStatistics], Scores]:
    """Score by a night's thresholds; before the first one there are none."""
    return scorer(thresholds, today, kept_forecaster) if thresholds else lambda _: NO_SCORES


@dataclass(frozen=True, slots=True)
class Explained:
    """A customer as they are now. `verdicts` are by segment, `night` is the one whose thresholds they are judged by."""

    customer_id: str
    at: datetime
    night: date | None
    scores: Scores
    verdicts: Sequence[tuple[Segment, Verdict]]


def explain(customer_id: str, *, segments: Segments, nights: Nights, facts_of: FactsOf, zone: tzinfo, clock: Clock) -> Explained:
    """Judge a customer by every segment, from all facts, and say why. Raises NotFound, Erased."""
    moment = Moment(clock.now(), zone)
    pointer = nights.pointer()
    facts = facts_of.live(customer_id, score_by(pointer.thresholds, moment.today))
    published = segments.published()
    ready = judges({segment.segment: segment.rule for segment in published}, moment)
    verdicts = [(segment, ready[segment.segment].explain(facts)) for segment in published]
    return Explained(facts.customer_id, moment.now, pointer.night, facts.scores, verdicts)


@dataclass(frozen=True, slots=True)
class LastNight:
    """What the last night adds to a customer's statistics: scores by its thresholds, and the segments that it found them in."""

    night: date | None
    thresholds: NightThresholds | None
    scores: Scores
    segments: Sequence[str]


def read_last_night(
    customer_id: str, row: CustomerStatistics, *, nights: Nights, memberships: Memberships, zone: tzinfo, clock: Clock
) -> LastNight:
    pointer = nights.pointer()
    scores = score_by(pointer.thresholds, Moment(clock.now(), zone).today)(row)
    return LastNight(
        pointer.night, pointer.thresholds, scores, segments_at(pointer, customer_id, nights=nights, memberships=memberships)
    )


MOST_ROWS = 20_000
"""Customers whose rows a preview reads before it ends with the shard that it is in."""
MOST_FACTS = 100
"""Customers whose facts a preview reads, one after another; of any more it takes the same part to be in."""
SAMPLE = 10


@dataclass(frozen=True, slots=True)
class Preview:
    """Who would be in a segment now, or would have been in the night of a day.

    `count`, `customers`, `from_facts` and `undecided` are estimates unless `is_exact`: whole shards are read, and customers are
    spread over them by chance. `read` is how many customers were judged, `from_facts` how many a night has to read the facts of,
    `undecided` how many of these nobody can tell of any more, which `count` leaves out.
    """

    count: int
    customers: int
    from_facts: int
    undecided: int
    read: int
    unreadable: int
    is_exact: bool
    sample: Sequence[str]
    night: date | None


def preview(
    rule: Rule,
    *,
    segments: Segments,
    nights: Nights,
    rows: StatisticsRows,
    facts_of: FactsOf,
    zone: tzinfo,
    clock: Clock,
    is_late: Callable[[], bool],
    shards: int,
    sample: int = SAMPLE,
) -> Preview:
    """Count who would be in a segment of this rule, from rows of statistics and by last night's thresholds.

    Of those who are in it at most `sample` are named. Raises Invalid for what saving it would be refused for. Half a read unit
    for each customer read, and what the facts of MOST_FACTS are; ends soon once `is_late`.
    """
    others = {segment.segment: segment.rule for segment in segments.published()}
    refuse_unsound("", {**others, "": rule})
    moment, pointer = Moment(clock.now(), zone), nights.pointer()
    judge, score = judge_of(rule, moment, others), score_by(pointer.thresholds, moment.today)
    tried = _tried(judge, score, rows, map(rows.of_shard, range(shards)), is_late)
    asked, found = 0, list[str]()
    for customer_id in tried.unknown[:MOST_FACTS]:
        if asked and is_late():
            break
        asked += 1
        facts = facts_of(customer_id, score)
        if facts is not None and judge.decide(facts):
            found.append(customer_id)
    share = shards / tried.shards
    in_all = len(tried.members) + (len(tried.unknown) * len(found) / asked if asked else 0)
    return Preview(
        count=round(in_all * share),
        customers=round(tried.read * share),
        from_facts=round(len(tried.unknown) * share),
        undecided=0,
        read=tried.read,
        unreadable=tried.unreadable,
        is_exact=tried.shards == shards and asked == len(tried.unknown),
        sample=sorted([*tried.members, *found])[:sample],
        night=pointer.night,
    )


def preview_as_of(
    rule: Rule,
    day: date,
    *,
    nights: Nights,
    files: NightFiles,
    rows: StatisticsRows,
    customers: Customers,
    is_late: Callable[[], bool],
    shards: int,
) -> Preview:
    """Count who would have been in a segment of this rule in the night of a day, as that night would have judged.

    That is from its copies of the rows, at its moment, by its thresholds, and with the segments that it judged. Facts are those
    of today, so none is read: whoever the copy does not suffice for is undecided. The sample leaves out who was erased since.
    Raises Invalid where no such night was published, or its files are gone, and for a rule that could not have been saved then.
    """
    night = nights.find(day)
    if night is None or night.state is not NightState.PUBLISHED:
        raise Invalid.at("/as_of", "unknown_night", "no night of that day was published")
    place = Place(night.night, night.generation)
    plan = _kept(files.plan(place))
    others = {segment.segment: segment.rule for segment in plan.segments}
    refuse_unsound("", {**others, "": rule})
    moment = plan.moment
    judge, score = judge_of(rule, moment, others), score_by(_kept(files.thresholds(place)), moment.today)
    tried = _tried(judge, score, rows, map(_kept, files.snapshots(place, range(shards))), is_late)
    share = shards / tried.shards
    undecided = round(len(tried.unknown) * share)
    return Preview(
        count=round(len(tried.members) * share),
        customers=round(tried.read * share),
        from_facts=undecided,
        undecided=undecided,
        read=tried.read,
        unreadable=tried.unreadable,
        is_exact=tried.shards == shards and not undecided,
        sample=list(islice(_unerased(sorted(tried.members), customers), SAMPLE)),
        night=night.night,
    )


def is_anybody_in(
    rule: Rule,
    *,
    segments: Segments,
    nights: Nights,
    rows: StatisticsRows,
    facts_of: FactsOf,
    zone: tzinfo,
    clock: Clock,
    is_late: Callable[[], bool],
    shards: int,
) -> bool:
    """Say whether anybody would be in a segment of this rule now, without reading on; true once it `is_late`."""
    others = {segment.segment: segment.rule for segment in segments.published()}
    moment, pointer = Moment(clock.now(), zone), nights.pointer()
    judge, score = judge_of(rule, moment, others), score_by(pointer.thresholds, moment.today)
    for stored in (stored for shard in range(shards) for stored in rows.of_shard(shard)):
        if is_late():
            return True
        try:
            truth = _truth(judge, rows.read(stored), stored.customer_id, score)
            facts = facts_of(stored.customer_id, score) if truth is None else None
            if truth or (facts is not None and judge.decide(facts)):
                return True
        except Unavailable:
            raise
        except Exception:  # noqa: BLE001, S112 (whatever a corrupt one raises; planning names it)
            continue
    return False


def _kept[T](found: T | None) -> T:
    if found is None:
        raise Invalid.at("/as_of", "night_gone", "the files of that night are gone; they are kept for 29 days")
    return found


def _unerased(customer_ids: Sequence[str], customers: Customers) -> Iterator[str]:
    for some in batched(customer_ids, SAMPLE, strict=False):
        found = customers.find_many(some)
        yield from (each for each in some if each in found and found[each].erased_at is None)


@dataclass(slots=True)
class _Tried:
    """What became of a rule among the rows of some shards; of `unknown` the row did not tell."""

    members: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    read: int = 0
    unreadable: int = 0
    shards: int = 0


def _tried(
    judge: Judge,
    score: Callable[[CustomerStatistics], Scores],
    rows: StatisticsRows,
    copies: Iterable[Iterable[StoredRow]],
    is_late: Callable[[], bool],
) -> _Tried:
    """Judge the rows of one shard after the other, until MOST_ROWS are read or it is late; of one at least."""
    tried = _Tried()
    for shard in copies:
        for stored in shard:
            tried.read += 1
            try:
                truth = _truth(judge, rows.read(stored), stored.customer_id, score)
            except Exception:  # noqa: BLE001 (whatever a corrupt row raises; it is counted, and the night names it)
                tried.unreadable += 1
                continue
            if truth is None:
                tried.unknown.append(stored.customer_id)
            elif truth:
                tried.members.append(stored.customer_id)
        tried.shards += 1
        if tried.read >= MOST_ROWS or is_late():
            break
    return tried


def _truth(judge: Judge, row: CustomerStatistics, customer_id: str, score: Callable[[CustomerStatistics], Scores]) -> bool | None:
    """Judge by the row; what an outdated one says of purchases is not known."""
    return None if row.is_outdated else judge.decide(RowFacts(customer_id, row, score(row), row.traits))


@dataclass(frozen=True, slots=True)
class MemberPosition:
    """After which customer of which shard a list goes on, and of which generation it is."""

    generation: int
    shard: int = 0
    customer_id: str | None = None

    def __str__(self) -> str:
        return f"{self.generation}#{self.shard}#{self.customer_id or ''}"

    @classmethod
    def read(cls, text: str) -> "MemberPosition":
        generation, shard, customer_id = text.split("#", 2)
        return cls(int(generation), int(shard), customer_id or None)

    @staticmethod
    def is_one(text: str) -> bool:
        return re.fullmatch(r"\d{1,9}#\d{1,3}#[0-9a-z]{0,40}", text, re.ASCII) is not None


MOST_READ = 5_000
"""Rows that one page of members reads: those who left stay where they were."""


@dataclass(frozen=True, slots=True)
class Members:
    """`customer_ids` were in the segment in the night of a generation; `last` is where the list goes on."""

    customer_ids: Sequence[str]
    last: str | None


def list_members(
    name: str, *, after: str | None, limit: int, segments: Segments, nights: Nights, memberships: Memberships, shards: int
) -> Members:
    """Give a segment's members as the last published night found them, in no order that means anything.

    Whoever goes on with a list goes on with its night; raises Invalid where that is too long ago. Raises NotFound.
    """
    if segments.find(name) is None:
        raise NotFound("no such segment", code="segment_not_found")
    generations = nights.pointer().generations
    begun = MemberPosition.read(after) if after else MemberPosition(generations.published)
    readable = generations.seen_from(begun.generation)
    if readable is None:
        raise Invalid.at("?cursor", "bad_cursor", "a night has come since; begin anew")
    found, last = list[str](), None
    for read, (position, customer_id) in enumerate(
        _walk(name, range(begun.shard, shards), begun, memberships, readable), start=1
    ):
        if customer_id is not None:
            found.append(customer_id)
        if len(found) == limit or read == MOST_READ:
            last = position
            break
    return Members(found, last)


def _walk(
    segment: str, shards: Iterable[int], begun: MemberPosition, memberships: Memberships, generations: Generations
) -> Iterator[tuple[str, str | None]]:
    """Give the position of each row, and the customer where they are a member."""
    for shard in shards:
        after = begun.customer_id if shard == begun.shard else None
        for membership in memberships.in_shard(segment, shard, after=after):
            position = str(MemberPosition(begun.generation, shard, membership.customer_id))
            yield position, membership.customer_id if generations.hold(membership) else None


@dataclass(frozen=True, slots=True)
class SegmentWalk:
    """What an export of a segment walks over: its members as one night found them."""

    segment: str
    generation: int
    nights: Nights
    memberships: Memberships
    shards: int

    def customers(self, after: str | None) -> Iterator[tuple[str, str]]:
        """Raises Conflict where the night is too long ago."""
        generations = self.nights.pointer().generations.seen_from(self.generation)
        if generations is None:
            raise Conflict("a night has come since; ask for a new export", code="night_overtaken")
        begun = MemberPosition.read(after) if after else MemberPosition(self.generation)
        for position, customer_id in _walk(self.segment, range(begun.shard, self.shards), begun, self.memberships, generations):
            if customer_id is not None:
                yield position, customer_id


def request_segment_export(
    name: str,
    file_format: FileFormat,
    request: Request | None,
    *,
    source: str,
    segments: Segments,
    nights: Nights,
    jobs: Jobs,
    clock: Clock,
    ids: JobIds,
) -> Requested:
    """Ask for a segment's members as the last published night found them. Raises NotFound."""
    if segments.find(name) is None:
        raise NotFound("no such segment", code="segment_not_found")
    now = clock.now()
    job = Job(
        job_id=ids.job_id(now),
        kind=JobKind.EXPORT_SEGMENT,
        requested_at=now,
        source=source,
        format=file_format,
        segment=name,
        generation=nights.pointer().generations.published,
    )
    return add_job(job, request, now, jobs)
