"""A company by night: all steps as they ship over the stores as they ship, the bucket in memory, and who looks on meanwhile.

Its customers are those of G1, of which each is told plainly for the predicate; they live in a few shards, so that a night has as
many calls as there are sorts of them.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache, partial
from random import Random
from typing import Any

from ecrm.analytics.scoring import NightThresholds
from ecrm.application.night_ports import Group, NightSettings, Place
from ecrm.application.nights import (
    Planned,
    Worked,
    plan_night,
    publish_night,
    score_customers,
    snapshot_customers,
    summarise_night,
    tell_night,
)
from ecrm.application.reporting import report_night
from ecrm.contracts.segments import RuleBody
from ecrm.domain.facts import Scores
from ecrm.domain.nights import Membership
from ecrm.domain.segments import Segment
from ecrm.domain.statistics import CustomerStatistics
from ecrm.files.nights import S3NightFiles
from ecrm.files.reports import S3Reports
from ecrm.messaging.reports import ReportPages
from ecrm.store import keys
from ecrm.store.memberships import DynamoMemberships
from ecrm.store.nights import DynamoMoveEvents, DynamoNights
from ecrm.store.statistics import DynamoStatistics, DynamoStatisticsRows
from ecrm.store.table import Item, Put
from tests.properties.members import Member, a_member
from tests.simulation.company import Stopped
from tests.simulation.shelf import Shelf
from tests.simulation.table import MemoryTable, Moment, Pause, go_on
from tests.unit.facts import AllFacts

SHARDS = 3
ZONE = "America/New_York"
RULES: Mapping[str, Mapping[str, Any]] = {
    "buyers": {"stats": {"field": "orders", "op": ">=", "value": 1}},
    "gone": {"stats": {"field": "lifecycle", "op": "in", "value": ["at_risk", "lost"]}},
    "dear": {"event": {"name": "Product Viewed", "op": ">=", "value": 1, "where": [{"path": "price", "op": ">", "value": 6}]}},
    "jazz": {"order": {"op": ">=", "value": 1, "where": [{"field": "category", "op": "is", "value": "jazz"}]}},
    "quiet": {"and": [{"segment": {"id": "buyers"}}, {"not": {"segment": {"id": "dear"}}}]},
    "promising": {"predicted": {"field": "clv", "currency": "EUR", "op": ">=", "value": "20.00"}},
    "silver": {"profile": {"path": "plan", "op": "is", "value": "silver"}},
}
PAGES = cache(ReportPages)
SETTINGS = NightSettings(time_zone=ZONE)


def a_segment(name: str, rule: Mapping[str, Any], version: int = 1) -> Segment:
    return Segment(segment=name, name=name, description="", rule=RuleBody.model_validate(rule).to_rule(), version=version)


SEGMENTS = tuple(a_segment(name, rule) for name, rule in RULES.items())


@cache
def numbers(count: int) -> tuple[int, ...]:
    """Customers whose rows are in the first shards."""
    found = (number for number in range(1_000_000) if keys.shard_of(f"{number:032x}") < SHARDS)
    return tuple(next(found) for _ in range(count))


@cache
def people(seed: int, count: int) -> Mapping[str, Member]:
    members = (a_member(Random(seed * 1_000_000 + number), number) for number in numbers(count))
    return {member.row.customer_id: member for member in members}


@dataclass
class Offered:
    """CountedSegments in memory."""

    segments: tuple[Segment, ...] = SEGMENTS

    def published(self) -> tuple[Segment, ...]:
        return self.segments


class Company:
    """`pause` is asked at each call of the table, the bucket and the events, and when facts are read."""

    def __init__(self, table: MemoryTable | None = None, shelf: Shelf | None = None, pause: Pause = go_on) -> None:
        self.table = table or MemoryTable(pause=pause)
        self.shelf = shelf or Shelf(pause)
        self.offered = Offered()
        self.members: Mapping[str, Member] = {}
        self.nights = DynamoNights(self.table)
        self.memberships = DynamoMemberships(self.table)
        self.rows = DynamoStatisticsRows(self.table)
        self.events = DynamoMoveEvents(self.table)
        self.files = S3NightFiles(self.shelf, "nights")  # type: ignore[arg-type]  # what nights need of the client
        self.reports = S3Reports(self.shelf, "nights")  # type: ignore[arg-type]  # the same
        self._pause = pause

    def fork(self, pause: Pause = go_on, table: MemoryTable | None = None) -> "Company":
        """Give a company of its own in the same state; its rows, which were there before the night, are read as they are."""
        twin = Company(table or self.table.fork(pause=pause), Shelf(pause, dict(self.shelf.objects)), pause)
        if table is not None:
            twin.rows = DynamoStatisticsRows(self.table.fork(pause=pause))
        twin.offered.segments = self.offered.segments
        twin.members = dict(self.members)
        return twin

    def live_with(self, members: Mapping[str, Member]) -> None:
        """Let the customers be these, and their rows say so."""
        statistics = DynamoStatistics(self.table)
        statistics.remove(self.members.keys() - members.keys())
        for customer_id, member in members.items():
            key = keys.profile(customer_id)
            self.table.put(Put({"PK": key.pk, "SK": key.sk, "type": "profile", "v": 1, "version": 1}, None, "there"))
            _, seen = statistics.find(customer_id) or (None, 0)
            statistics.write(customer_id, row_of(member), seen=seen)
        self.members = dict(members)

    def facts_of(self, customer_id: str, score: Callable[[CustomerStatistics], Scores]) -> AllFacts | None:
        self._pause(Moment.BEFORE, "facts_of")
        member = self.members.get(customer_id)
        return replace(member.all_facts, scores=score(member.all_facts.statistics)) if member else None

    def plan(self, at: datetime, late: timedelta = timedelta(minutes=5)) -> Planned:
        return plan_night(
            at,
            settings=SETTINGS,
            nights=self.nights,
            segments=self.offered,
            rows=self.rows,
            shards=SHARDS,
            customers_a_group=10,
            files=self.files,
            clock=Stopped(at + late),
        )

    def snapshot(self, place: Place, group: Group, is_late: Callable[[], bool] = lambda: False) -> None:
        snapshot_customers(place, group, rows=self.rows, files=self.files, is_late=is_late)

    def summarise(self, place: Place) -> None:
        summarise_night(place, files=self.files)

    def score(self, place: Place, group: Group, is_late: Callable[[], bool] = lambda: False) -> Worked:
        return score_customers(
            place,
            group,
            rows=self.rows,
            facts_of=self.facts_of,
            files=self.files,
            nights=self.nights,
            memberships=self.memberships,
            is_late=is_late,
        )

    def publish(self, place: Place, at: datetime) -> None:
        publish_night(place, nights=self.nights, files=self.files, clock=Stopped(at + timedelta(hours=1)))

    def tell(self, place: Place, group: Group, at: datetime) -> None:
        tell_night(place, group, nights=self.nights, files=self.files, events=self.events, clock=Stopped(at + timedelta(hours=1)))

    def report(self, place: Place) -> None:
        report_night(place, nights=self.nights, files=self.files, reports=self.reports, renderer=PAGES)

    def steps(self, at: datetime, planned: Planned) -> Iterator[Callable[[], object]]:
        """Give what the state machine does after the plan."""
        place = Place(planned.night, planned.generation)
        yield from (partial(self.snapshot, place, group) for group in planned.groups)
        yield partial(self.summarise, place)
        yield from (partial(self.score, place, group) for group in planned.groups)
        yield partial(self.publish, place, at)
        yield from (partial(self.tell, place, group, at) for group in planned.groups)
        yield partial(self.report, place)

    def have_a_night(self, at: datetime) -> Planned:
        planned = self.plan(at)
        if planned.skipped is None:
            for step in self.steps(at, planned):
                step()
        return planned

    def nights_now(self) -> DynamoNights:
        """For who looks on and holds nobody up."""
        return DynamoNights(self.table.fork())

    def seen(self) -> dict[str, frozenset[str]]:
        """What a reader sees at this moment: the customers in each segment."""
        generations = self.nights_now().pointer().generations
        found: dict[str, set[str]] = {name: set() for name in RULES}
        for membership in memberships_in(self.table):
            if generations.hold(membership):
                found.setdefault(membership.segment, set()).add(membership.customer_id)
        return {segment: frozenset(customers) for segment, customers in found.items()}

    def scored(self, place: Place) -> dict[str, frozenset[str]]:
        """What a night decided, from its files."""
        files = S3NightFiles(Shelf(objects=self.shelf.objects), "nights")  # type: ignore[arg-type]  # the same
        found: dict[str, set[str]] = {name: set() for name in RULES}
        for shard in range(SHARDS):
            scores = files.scores(place, shard)
            assert scores is not None
            for customer_id, (_, since) in scores.customers.items():
                for segment in since:
                    found.setdefault(segment, set()).add(customer_id)
        return {segment: frozenset(customers) for segment, customers in found.items()}

    def thresholds(self, place: Place) -> NightThresholds:
        found = S3NightFiles(Shelf(objects=self.shelf.objects), "nights").thresholds(place)  # type: ignore[arg-type]  # the same
        assert found is not None
        return found

    def left_behind(self) -> tuple[list[Item], dict[str, bytes]]:
        """All that nights leave behind, to the byte."""
        return sorted(self.table.items(), key=lambda item: (item["PK"], item["SK"])), self.shelf.objects

    def told(self) -> dict[tuple[str, str], Mapping[str, Any]]:
        """What events say, by customer and id."""
        found = (item for item in self.table.items("EVENT#"))
        return {(keys.customer_id_of(item["PK"]), item["id"]): item["data"] for item in found}


def memberships_in(table: MemoryTable) -> Iterator[Membership]:
    for item in table.items():
        if item["type"] == "membership":
            until = item.get("until_generation")
            yield Membership(keys.segment_of(item["PK"]), item["SK"], item["from_generation"], until)


def row_of(member: Member) -> CustomerStatistics:
    return replace(member.row.statistics, traits=member.row.traits, traits_version=1)
