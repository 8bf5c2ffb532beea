"""Customers that a core takes through a night in a second, from rows of statistics to who is in which segment, and the memory.

    make bench

Two sizes, whose rows are those of 2,000 people drawn at random (those of G1's test), and twenty rules, the twelve ready-made ones
among them. Two nights: the first writes every membership, in the second a fiftieth of the customers are others. The table's
client answers at once and keeps nothing of customers, the bucket is a folder, and facts are at hand where a rule asks for them:
what is measured is ours, not the SDK and not the reading of facts. Steps go over groups of 25,000 customers one after the
other, in one process for each size, whose peak of memory is that of the largest step.
"""

import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, cast

from benchmarks.imports import Folder
from benchmarks.ingestion import Client
from benchmarks.machine import machine

CUSTOMERS = (500_000, 1_000_000)
PEOPLE = 2_000
PAGE = 1_500
"""Rows of some 700 bytes: a megabyte, which is what a query reads at once."""
CHANGED = 50
"""In the second night every fiftieth customer is somebody else."""
MORE_RULES: Mapping[str, Mapping[str, Any]] = {
    "gold-with-mail": {
        "and": [
            {"stats": {"field": "net_revenue", "currency": "EUR", "op": ">=", "value": "100"}},
            {"profile": {"path": "plan", "op": "is", "value": "gold"}},
            {"consent": {"channel": "email", "topic": "news"}},
        ]
    },
    "bought-and-gone": {
        "and": [
            {"stats": {"field": "orders", "op": ">=", "value": 3}},
            {"not": {"order": {"op": ">=", "value": 1, "window": {"last": {"days": 90}}}}},
        ]
    },
    "looks-a-lot": {
        "or": [
            {"event": {"name": "Page Viewed", "op": ">=", "value": 5, "window": {"last": {"days": 30}}}},
            {"event": {"name": "Product Viewed", "op": ">=", "value": 2, "window": {"last": {"days": 7}}}},
        ]
    },
    "tenth": {
        "and": [
            {"sample": {"percent": 10, "salt": "x"}},
            {"stats": {"field": "recency_days", "op": "<", "value": 365}},
        ]
    },
    "looks-no-more": {"not": {"event": {"name": "Product Viewed", "op": ">=", "value": 1, "window": {"last": {"days": 60}}}}},
    "champions-in-two-cities": {
        "and": [
            {"segment": {"id": "champions"}},
            {"profile": {"path": "address.city", "op": "in", "value": ["Berlin", "Tehran"]}},
        ]
    },
    "visits": {"stats": {"field": "visits", "op": ">=", "value": 5}},
    "level": {"profile": {"path": "level", "op": ">=", "value": 2}},
}

type Stage = tuple[str, Callable[[], object]]


class Crowd(Client):
    """A table with any number of customers, of whom it keeps nothing: a row is made when it is asked for."""

    def __init__(self, customers: int, rows: list[Mapping[str, Any]]) -> None:
        super().__init__()
        self._customers = customers
        self._rows = rows
        self.night = 0
        self.memberships = 0
        self.queries = 0

    def put_item(self, Item: Mapping[str, Any], **more: object) -> None:  # noqa: N803 (DynamoDB's names, here and below)
        if Item["PK"]["S"].startswith("SEGMENT#"):
            self.memberships += 1
        else:
            super().put_item(Item, **more)

    def query(
        self,
        ExpressionAttributeValues: Mapping[str, Any],  # noqa: N803
        ExclusiveStartKey: Mapping[str, Any] | None = None,  # noqa: N803
        **_: object,
    ) -> dict[str, Any]:
        self.queries += 1
        pk = ExpressionAttributeValues[":pk"]["S"]
        shard = int(pk.partition("#")[2])
        first = int(ExclusiveStartKey["SK"]["S"], 16) + 256 if ExclusiveStartKey else shard
        numbers = range(first, min(first + 256 * PAGE, self._customers), 256)
        answer = {"Items": [self._row(number) | {"PK": {"S": pk}, "SK": {"S": f"{number:032x}"}} for number in numbers]}
        beyond = first + 256 * PAGE < self._customers
        return answer | ({"LastEvaluatedKey": {"PK": {"S": pk}, "SK": {"S": f"{numbers[-1]:032x}"}}} if beyond else {})

    def _row(self, number: int) -> dict[str, Any]:
        return dict(self._rows[self.of(number)])

    def of(self, number: int) -> int:
        """Give which of the people a customer is; in the second night some are others."""
        is_other = self.night and number % CHANGED == 0
        return (number // 256 + 1 if is_other else number // 256) % PEOPLE


def work(folder: Path, customers: int) -> Iterator[Stage]:
    """Give the steps of two nights."""
    from ecrm.application.night_ports import NightSettings, Place  # noqa: PLC0415 (what a process of the benchmark loads alone)
    from ecrm.application.nights import (  # noqa: PLC0415
        plan_night,
        publish_night,
        score_customers,
        snapshot_customers,
        summarise_night,
    )
    from ecrm.contracts.segments import RuleBody  # noqa: PLC0415
    from ecrm.domain.ready_made_segments import ready_made  # noqa: PLC0415
    from ecrm.domain.segments import Segment, traits_named  # noqa: PLC0415
    from ecrm.files.nights import S3NightFiles  # noqa: PLC0415
    from ecrm.store import keys  # noqa: PLC0415
    from ecrm.store.memberships import DynamoMemberships  # noqa: PLC0415
    from ecrm.store.nights import DynamoNights  # noqa: PLC0415
    from ecrm.store.statistics import DynamoStatistics, DynamoStatisticsRows  # noqa: PLC0415
    from ecrm.store.table import Table  # noqa: PLC0415
    from tests.properties.members import NOW, a_member  # noqa: PLC0415
    from tests.simulation.company import Stopped  # noqa: PLC0415

    segments = [
        *(replace(each, version=1) for each in ready_made("EUR").values()),
        *(
            Segment(segment=name, name=name, description="", rule=RuleBody.model_validate(rule).to_rule(), version=1)
            for name, rule in MORE_RULES.items()
        ),
    ]
    written = Client()
    draw = Random(1)  # noqa: S311 (a crowd, no secret)
    people = [a_member(draw, number) for number in range(PEOPLE)]
    named = frozenset(trait for segment in segments for trait in traits_named(segment.rule))
    statistics = DynamoStatistics(Table(cast("Any", written), "table", time.sleep))
    for member in people:
        traits = {trait: member.all_facts.trait(trait) for trait in named}
        row = replace(member.row.statistics, traits=traits, traits_version=1)
        statistics.write(member.row.customer_id, row, seen=0)
    rows_of_people = [
        written.get_item(Key={"PK": {"S": key.pk}, "SK": {"S": key.sk}})["Item"]
        for key in (keys.statistics(member.row.customer_id) for member in people)
    ]
    crowd = Crowd(customers, rows_of_people)
    table = Table(cast("Any", crowd), "table", time.sleep)
    nights, files = DynamoNights(table), S3NightFiles(cast("Any", Folder(folder)), "nights")
    rows, memberships = DynamoStatisticsRows(table), DynamoMemberships(table)

    def facts_of(customer_id: str, score: Any) -> Any:
        facts = people[crowd.of(int(customer_id, 16))].all_facts
        return replace(facts, customer_id=customer_id, scores=score(facts.statistics))

    class Offered:
        def published(self) -> list[Segment]:
            return segments

    for night in range(2):
        crowd.night = night
        at = NOW + timedelta(days=night)
        clock = Stopped(at + timedelta(minutes=5))
        planned = plan_night(
            at,
            settings=NightSettings(time_zone="America/New_York"),
            nights=nights,
            segments=Offered(),
            rows=rows,
            shards=keys.SHARDS,
            files=files,
            clock=clock,
        )
        place = Place(planned.night, planned.generation)

        def over_groups(step: Callable[..., object], place: Place = place, groups: Any = planned.groups) -> None:
            for group in groups:
                step(place, group, files=files, rows=rows, is_late=lambda: False)

        score = partial(score_customers, facts_of=facts_of, nights=nights, memberships=memberships)
        which = ("first", "second")[night]
        yield f"{which} night, snapshot", partial(over_groups, snapshot_customers)
        yield f"{which} night, summarise", partial(summarise_night, place, files=files)
        yield f"{which} night, score", partial(over_groups, score)
        yield f"{which} night, publish", partial(publish_night, place, nights=nights, files=files, clock=clock)
        found = nights.find(place.night)
        if found is None or found.customers != customers or found.unreadable:
            raise RuntimeError(found)
        told = f"{found.from_facts:,} by their facts, {crowd.memberships:,} memberships written, {crowd.queries:,} queries"
        print(f"{which} night: {len(planned.groups)} groups, {told}", file=sys.stderr)
        crowd.memberships = crowd.queries = 0


def measure(customers: int) -> None:
    """Print, as JSON, the seconds of CPU of each step, and the peak of this process in MB."""
    folder = Path(tempfile.mkdtemp())
    seconds: dict[str, float] = {}
    try:
        for stage, call in work(folder, customers):
            began = time.process_time()
            call()
            seconds[stage] = time.process_time() - began
        size = sum(path.stat().st_size for path in folder.iterdir())
    finally:
        shutil.rmtree(folder)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak": peak, "bytes": size}))


def main() -> None:
    if sys.argv[1:]:
        measure(int(sys.argv[1]))
        return
    print(f"a night, 12 + {len(MORE_RULES)} rules, null DynamoDB, one core · {machine()}")
    whole: list[float] = []
    for customers in CUSTOMERS:
        child = [sys.executable, "-m", "benchmarks.segments", str(customers)]
        done = subprocess.run(child, check=True, capture_output=True, text=True)
        told = json.loads(done.stdout)
        for line in done.stderr.splitlines():
            print(f"{customers:11,} {line}")
        for stage, seconds in told["seconds"].items():
            print(f"{customers:11,} {stage:26} {seconds:8.2f} s {customers / seconds:14,.0f} customers/s")
        whole.append(sum(seconds for stage, seconds in told["seconds"].items() if stage.startswith("second")))
        print(f"{customers:11,} {'second night, all of it':26} {whole[-1]:8.2f} s {customers / whole[-1]:14,.0f} customers/s")
        print(f"{customers:11,} {'peak memory':26} {told['peak']:8,.0f} MB; two nights' files {told['bytes'] / 1e6:,.0f} MB")
    print(f"twice the customers: {whole[1] / whole[0]:.2f} x the work")


if __name__ == "__main__":
    main()
