"""Campaigns under way: rosters as they are planned, senders, and somebody who comes every minute, as they ship."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from ecrm.application.campaign_lives import cancel_campaign, pause_campaign, resume_campaign
from ecrm.application.occurrences import OccurrenceRoom, start_due
from ecrm.application.runs import LookedAfter, RunRoom, look_after
from ecrm.domain.campaigns import Audience, Campaign, Head, Life, LifeState
from ecrm.domain.instants import from_text
from ecrm.domain.messages import Policy, Send
from ecrm.domain.runs import Run, page_of
from ecrm.domain.segments import SegmentCondition
from ecrm.store import keys
from ecrm.store.campaigns import DynamoCampaigns, DynamoRuns
from ecrm.store.rosters import DynamoRosters
from ecrm.store.tallies import DynamoLastOrders, DynamoTallies
from tests.builders import NOON
from tests.simulation.company import NEWS, SITE, Company
from tests.simulation.provider import KIND, PostOffice, planned
from tests.simulation.table import MemoryTable

EARLIER = NOON - timedelta(hours=1)
STAYS = 30
"""Rounds, each of some minutes."""


def definition(run: Run) -> Campaign:
    """The campaign of which a run is an occurrence."""
    return Campaign(
        campaign=run.campaign,
        name=run.campaign,
        site=SITE,
        topic=NEWS,
        audience=Audience(SegmentCondition("everybody")),
        messages=run.messages,
        schedule=None,
        window=run.window,
        expires_after=run.expires_after,
        priority=run.priority,
        rate_per_minute=run.rate_per_minute,
        control_percent=Decimal(0),
        salt=run.salt,
        pilot=run.pilot,
        attribution_days=30,
        costs=None,
        updated_at=EARLIER,
    )


def plan(table: MemoryTable, run: Run, entries: Iterable[Send]) -> None:
    """Write a run as it is when all of its pages are planned and nobody was woken yet."""
    entries = [replace(send, shard=page_of(keys.shard_of(send.customer_id), run.pages, keys.SHARDS)) for send in entries]
    life = Life(state=LifeState.SCHEDULED, next_at=NOON, launched_at=EARLIER, launched_by="key:1", revision=1)
    head = Head(definition(run), life)
    assert DynamoCampaigns(table).define(head) is None
    ended = replace(life, state=LifeState.ENDED, next_at=None, last_run=run.run_id, revision=2)
    begun = replace(run, planned_at=NOON, audience=len(entries), due_at=NOON)
    assert DynamoRuns(table).begin(begun, replace(head, life=ended))
    rosters = DynamoRosters(table)
    for page in range(run.pages):
        theirs = [send for send in entries if send.shard == page]
        if theirs:
            rosters.add(theirs)
        rosters.plan(run.run_id, page, len(theirs))


def entry(run_id: str, customer_id: str, **changes: Any) -> Send:
    return replace(planned(run_id, customer_id, Policy.MARKETING, EARLIER, NEWS), **changes)


class Headquarters(PostOffice):
    """A post office with those who begin campaigns, pause, resume and cancel them, and close their books."""

    def __post_init__(self) -> None:
        super().__post_init__()
        company: Company = self.company
        self.campaigns = DynamoCampaigns(company.table)
        self.runs = DynamoRuns(company.table)
        rosters = DynamoRosters(company.table)
        books = RunRoom(
            runs=self.runs,
            rosters=rosters,
            sends=company.sends,
            tallies=DynamoTallies(company.table),
            last_orders=DynamoLastOrders(company.table, company.customers),
            clock=self.clock,
        )
        nothing_begins: dict[str, Any] = dict.fromkeys(
            ("machine", "sites", "templates", "ready_made", "named", "nights", "rows"), None
        )
        self._room = OccurrenceRoom(
            campaigns=self.campaigns,
            runs=self.runs,
            rosters=rosters,
            sends=company.sends,
            queue=self.queue,
            control=company.control,
            look_after=partial(self._look_after, books),
            clock=self.clock,
            shards=keys.SHARDS,
            **nothing_begins,
        )

    @staticmethod
    def _look_after(books: RunRoom, run: Run, is_late: Callable[[], bool]) -> LookedAfter:
        looked = look_after(run, is_late, room=books)
        assert not looked.is_unbalanced
        return looked

    def comes_round(self) -> None:
        """Do what is done every minute."""
        start_due(room=self._room, is_late=lambda: False)

    def pauses(self, name: str) -> None:
        pause_campaign(name, campaigns=self.campaigns, runs=self.runs)

    def resumes(self, name: str) -> None:
        resume_campaign(name, campaigns=self.campaigns, runs=self.runs, clock=self.clock)

    def cancels(self, name: str) -> None:
        cancel_campaign(name, campaigns=self.campaigns, runs=self.runs, clock=self.clock)

    def come_to_rest(self, *, rounds: int = 300) -> None:
        """As before, and until the books of each run are closed; the provider stays as it is for a while."""
        for turn in range(rounds):
            self.provider.mood = self.mood if turn < STAYS else KIND
            for page in self.queue.due():
                self.work(page)
            self.settle()
            self.comes_round()
            waits = [from_text(item["due"]) for item in self.company.table.items("PAGE") if "due" in item]
            waits += [at for at, _ in self.queue.messages]
            waits = waits or [run.due_at for run in self.runs.active() if run.due_at]
            if not waits:
                return
            self.clock.at = max(self.clock.at, min(waits))
        raise AssertionError("never at rest")
