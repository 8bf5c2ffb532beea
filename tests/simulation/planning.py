"""A company that plans campaigns: all use cases and stores as they ship, and people of every kind that an audience can meet.

Of each it is known what has to become of them, by the plain words of KINDS and by the formula of docs/campaigns.md.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from ecrm.application.campaigns import Named
from ecrm.application.facts import FactsOf
from ecrm.application.kill_switch import arm
from ecrm.application.occurrences import OccurrenceRoom, Round, start_due
from ecrm.application.planning import PagePlanned, PlanningRoom, plan_audience
from ecrm.application.ports import AttributeBook
from ecrm.application.runs import LookedAfter
from ecrm.contracts.segments import RuleBody
from ecrm.domain.assignment import Arm
from ecrm.domain.attributes import Attribute
from ecrm.domain.campaigns import Audience, Campaign, Head, Life, LifeState
from ecrm.domain.consent import Channel, ConsentFact, Method, State, Subject, fold
from ecrm.domain.customers import Customer, Identifier, Kind
from ecrm.domain.messages import Send, Status
from ecrm.domain.runs import CampaignMessage, Pilot, Run, RunState, Treatment, run_id
from ecrm.domain.segments import Segment
from ecrm.domain.sites import Site
from ecrm.domain.statistics import NOTHING, CustomerStatistics
from ecrm.domain.suppressions import Address, Ground, Reason, SoftBounces, Suppression
from ecrm.domain.templates import Purpose, Template, Variant
from ecrm.domain.topics import Topic
from ecrm.files.audiences import S3AudienceFiles
from ecrm.files.nights import S3NightFiles
from ecrm.store import keys
from ecrm.store.campaigns import DynamoCampaigns, DynamoRuns
from ecrm.store.consent import consent_item
from ecrm.store.customers import profile_item
from ecrm.store.nights import DynamoNights
from ecrm.store.profiles import book_item
from ecrm.store.rosters import DynamoRosters
from ecrm.store.segments import DynamoSegments
from ecrm.store.statistics import DynamoStatistics, DynamoStatisticsRows
from ecrm.store.suppressions import suppression_item
from ecrm.store.table import Item, Put
from ecrm.store.templates import DynamoTemplates
from tests.builders import NOON, a_stored_site
from tests.simulation.company import NEWS, SITE, Company, OneSite
from tests.simulation.shelf import Shelf
from tests.simulation.table import MemoryTable, Moment, Pause, go_on

SHARDS = 6
PAGES = 4
EARLIER = NOON - timedelta(days=9)
SECRET = b"for tests only"
NAME = "spring"
SALT = "salt of spring"
CONTROL_PERCENT = 30
WEIGHTS = {"a": 1, "b": 2}
RUN_ID = run_id(NAME, NOON)


@dataclass(frozen=True, slots=True)
class Sort:
    """What somebody is like, and what has to become of them: in no message is in no audience, and who is `barred` in no arm."""

    message: str | None
    barred: tuple[Status, str | None] | None = None
    orders: int = 1
    plan: str | None = None
    is_outdated: bool = False
    is_corrupt: bool = False


KINDS: Mapping[str, Sort] = {
    "buyer": Sort("all"),
    "loyal": Sort("dear", orders=3),
    "vip": Sort(None, orders=5),
    "gold": Sort("all", orders=0, plan="gold"),
    "silver": Sort(None, orders=0, plan="silver"),
    "stranger": Sort(None, orders=0),
    "outdated": Sort("all", orders=0, plan="gold", is_outdated=True),
    "corrupt": Sort(None, is_corrupt=True),
    "unasked": Sort("all", (Status.NO_CONSENT, None)),
    "denied": Sort("dear", (Status.NO_CONSENT, None), orders=3),
    "moved": Sort("all", (Status.NO_CONSENT, None)),
    "nameless": Sort("all", (Status.NO_CONSENT, "no_address")),
    "suppressed": Sort("all", (Status.SUPPRESSED, None)),
    "lapsed": Sort("all"),
    "erased": Sort("all", (Status.CANCELLED, "erased")),
    "merged": Sort("all", (Status.CANCELLED, "merged")),
}


@cache
def ids(count: int) -> tuple[str, ...]:
    """Customers whose rows are in the first shards."""
    found = (name for number in range(1_000_000) if keys.shard_of(name := f"{number:032x}") < SHARDS)
    return tuple(next(found) for _ in range(count))


def kind_of(number: int) -> str:
    return list(KINDS)[number % len(KINDS)]


@dataclass(frozen=True, slots=True)
class Meant:
    """What an entry says that does not depend on the clock."""

    status: Status
    reason: str | None = None
    _: KW_ONLY
    message: str | None
    template: str
    arm: Arm | None = None
    treatment: str | None = None
    is_pilot: bool = False
    ineligible: str | None = None

    @classmethod
    def of(cls, send: Send) -> "Meant":
        return cls(**{each.name: getattr(send, each.name) for each in fields(cls)})


def place(purpose: str, customer_id: str) -> float:
    """The formula of docs/campaigns.md, written once more."""
    return int(hashlib.sha256(f"{SALT}\0{purpose}\0{customer_id}".encode()).hexdigest()[:16], 16) / 2**64


def meant(count: int, *, pilot_percent: int | None = None) -> dict[str, Meant]:
    """Who has to be in the audience of so many people, and what of them."""
    found = {}
    for number, customer_id in enumerate(ids(count)):
        sort = KINDS[kind_of(number)]
        if sort.message is None:
            continue
        theirs = "a" if place("treatment", customer_id) < 1 / 3 else "b"
        template = f"{sort.message}-{theirs}"
        if sort.barred:
            status, reason = sort.barred
            found[customer_id] = Meant(status, reason, message=sort.message, template=template, ineligible=reason or status.value)
            continue
        is_control = place("control", customer_id) < CONTROL_PERCENT / 100
        is_pilot = pilot_percent is not None and not is_control and place("pilot", customer_id) < pilot_percent / 100
        is_told = not is_control and (pilot_percent is None or is_pilot)
        found[customer_id] = Meant(
            Status.HELD_OUT if is_control else Status.PLANNED,
            message=sort.message,
            template=template,
            arm=Arm.CONTROL if is_control else Arm.TREATED,
            treatment=theirs if is_told else None,
            is_pilot=is_pilot,
        )
    return found


def a_rule(said: Mapping[str, Any]) -> Any:
    return RuleBody.model_validate(said).to_rule()


def a_message(name: str, segment: str | None = None) -> CampaignMessage:
    treatments = tuple(Treatment(name=each, template=f"{name}-{each}", weight=weight) for each, weight in WEIGHTS.items())
    return CampaignMessage(name=name, treatments=treatments, segment=segment)


def a_campaign(**changes: Any) -> Campaign:
    include = {
        "or": [{"stats": {"field": "orders", "op": ">=", "value": 1}}, {"profile": {"path": "plan", "op": "is", "value": "gold"}}]
    }
    campaign = Campaign(
        campaign=NAME,
        name="Spring",
        site=SITE,
        topic=NEWS,
        audience=Audience(a_rule(include), a_rule({"segment": {"id": "vip"}})),
        messages=(a_message("dear", "loyal"), a_message("all")),
        schedule=None,
        window=None,
        expires_after=timedelta(days=1),
        priority=5,
        rate_per_minute=None,
        control_percent=Decimal(CONTROL_PERCENT),
        salt=SALT,
        pilot=None,
        attribution_days=30,
        costs=None,
        updated_at=EARLIER,
    )
    return replace(campaign, **changes)


SEGMENTS = {
    name: Segment(segment=name, name=name, description="", rule=a_rule(rule), updated_at=EARLIER, version=1)
    for name, rule in {
        "vip": {"stats": {"field": "orders", "op": ">=", "value": 5}},
        "loyal": {"stats": {"field": "orders", "op": ">=", "value": 3}},
    }.items()
}
TEMPLATES = {
    f"{message}-{treatment}": Template(
        template=f"{message}-{treatment}", purpose=Purpose.MARKETING, variants={"de": Variant(subject="", html="")}
    )
    for message in ("dear", "all")
    for treatment in WEIGHTS
}


@dataclass
class Machine:
    """Has the pages of each attempt planned when it is run, and says of an attempt that has been run that it has ended."""

    pause: Pause = go_on
    started: dict[tuple[str, int], int] = field(default_factory=dict)
    ended: set[tuple[str, int]] = field(default_factory=set)

    def start(self, run_id: str, attempt: int, pages: int) -> bool:
        self.pause(Moment.BEFORE, "machine")
        if (run_id, attempt) in self.ended:
            return False
        self.started[run_id, attempt] = pages
        self.pause(Moment.AFTER, "machine")
        return True

    def steps(self) -> Iterator[tuple[str, int]]:
        for each in list(self.started):
            if each not in self.ended:
                self.ended.add(each)
                yield from ((each[0], page) for page in range(self.started[each]))


@dataclass
class Bell:
    """The queue of messages: which pages were woken."""

    pause: Pause = go_on
    pages: list[tuple[str, int]] = field(default_factory=list)

    def send(self, run_id: str, shard: int, delay_seconds: int = 0, *, is_of_many: bool) -> None:
        del delay_seconds
        assert is_of_many
        self.pause(Moment.BEFORE, "queue")
        self.pages.append((run_id, shard))
        self.pause(Moment.AFTER, "queue")


@dataclass
class Moved:
    """A clock that somebody sets."""

    at: datetime = NOON

    def now(self) -> datetime:
        return self.at


class Sites(OneSite):
    """The one site can be listed, too."""

    def all(self) -> tuple[Site, ...]:
        return (self.find(SITE),)


class Agency:
    """`pause` is asked at each call of the table, the bucket, the machine and the queue."""

    def __init__(self, table: MemoryTable | None = None, shelf: Shelf | None = None, pause: Pause = go_on) -> None:
        self.table = table or MemoryTable(pause=pause)
        self.company = Company(self.table)
        self.shelf = shelf or Shelf(pause)
        self.clock = Moved()
        self.machine = Machine(pause)
        self.bell = Bell(pause)
        self.campaigns = DynamoCampaigns(self.table)
        self.runs = DynamoRuns(self.table)
        self.rosters = DynamoRosters(self.table)
        self.files = S3AudienceFiles(self.shelf, "nights")  # type: ignore[arg-type]  # what audiences need of the client
        self.sites = Sites()
        self.rows = DynamoStatisticsRows(self.table)
        self.looked_after: list[tuple[str, RunState]] = []
        self.unreadable: set[str] = set()

    def fork(self, pause: Pause = go_on, table: MemoryTable | None = None) -> "Agency":
        """Give an agency of its own in the same state; its rows, which were there before, are read as they are."""
        twin = Agency(table or self.table.fork(pause=pause), Shelf(pause, dict(self.shelf.objects)), pause)
        if table is not None:
            twin.rows = DynamoStatisticsRows(self.table.fork(pause=pause))
        twin.clock.at = self.clock.at
        return twin

    @property
    def planning(self) -> PlanningRoom:
        company = self.company
        return PlanningRoom(
            campaigns=self.campaigns,
            runs=self.runs,
            files=self.files,
            rosters=self.rosters,
            sends=company.sends,
            segments=DynamoSegments(self.table),
            nights=DynamoNights(self.table),
            night_files=S3NightFiles(self.shelf, "nights"),  # type: ignore[arg-type]  # the same
            rows=self.rows,
            facts_of=FactsOf(
                customers=company.customers,
                statistics=company.statistics,
                profiles=company.profiles,
                consents=company.consents,
                orders=company.orders,
                behaviour=company.behaviour,
                zone_of=lambda _site: UTC,
            ),
            customers=company.customers,
            consents=company.consents,
            suppressions=company.suppressions,
            clock=self.clock,
            zone=UTC,
            shards=SHARDS,
        )

    @property
    def beginning(self) -> OccurrenceRoom:
        return OccurrenceRoom(
            campaigns=self.campaigns,
            runs=self.runs,
            rosters=self.rosters,
            sends=self.company.sends,
            machine=self.machine,
            queue=self.bell,
            control=self.company.control,
            sites=self.sites,
            templates=DynamoTemplates(self.table),
            ready_made=lambda: TEMPLATES,
            named=self.named,
            nights=DynamoNights(self.table),
            rows=self.rows,
            look_after=self.look_after,
            clock=self.clock,
            shards=SHARDS,
            customers_a_page=30,
        )

    def named(self) -> Named:
        topic = Topic(topic=NEWS, names={}, descriptions={}, double_opt_in=False, channels=(Channel.EMAIL,), updated_at=EARLIER)
        return Named(
            sites={SITE: a_stored_site(SITE, sender="shop@example.com", postal_address="Ringstraße 1")},
            topics={NEWS: topic},
            templates={name: template.head for name, template in TEMPLATES.items()},
            rules={name: segment.rule for name, segment in SEGMENTS.items()},
        )

    def look_after(self, run: Run, _is_late: Callable[[], bool]) -> LookedAfter:
        self.looked_after.append((run.run_id, run.state))
        return LookedAfter()

    def start(self, *, is_late: Callable[[], bool] = lambda: False) -> Round:
        return start_due(room=self.beginning, is_late=is_late)

    def plan(self, run_id: str, page: int, *, is_late: Callable[[], bool] = lambda: False) -> PagePlanned:
        planned = plan_audience(run_id, page, room=self.planning, is_late=is_late)
        self.unreadable |= {each.ids["customer_id"] for each in planned.unreadable}
        return planned

    def run(self) -> Run:
        found = self.runs.find(RUN_ID)
        assert found is not None
        return found

    def roster(self, run_id: str = RUN_ID) -> dict[str, Meant]:
        entries = (send for page in range(SHARDS) for send in self.company.sends.page(run_id, page))
        return {send.customer_id: Meant.of(send) for send in entries}


def opened(count: int, **changes: Any) -> Agency:
    """A company with so many people and one campaign, whose time has come."""
    agency = Agency()
    populate(agency, count)
    launched(agency, a_campaign(**changes))
    return agency


def populate(agency: Agency, count: int) -> None:
    """Let there be so many people, the segments, and a table that may send."""
    for item in (item for number, customer_id in enumerate(ids(count)) for item in _items(number, customer_id)):
        agency.table.put(Put(item, None, "there"))
    statistics = DynamoStatistics(agency.table)
    for number, customer_id in enumerate(ids(count)):
        sort = KINDS[kind_of(number)]
        statistics.write(customer_id, _row(sort), seen=0)
        if sort.is_outdated or sort.is_corrupt:
            row = agency.table.get(keys.statistics(customer_id), consistent=True) or {}
            spoilt = {name: value for name, value in row.items() if not (sort.is_corrupt and name == "currencies")}
            agency.table.put(Put(spoilt | {"v": 2}, None, "there"))
    for segment in SEGMENTS.values():
        DynamoSegments(agency.table).write(segment, seen=0, traits=None)
    arm(control=agency.company.control)


def launched(agency: Agency, campaign: Campaign, next_at: datetime = NOON) -> None:
    life = Life(state=LifeState.SCHEDULED, next_at=next_at, launched_at=EARLIER, launched_by="key:1", revision=1)
    assert agency.campaigns.define(Head(campaign, life)) is None


def _row(sort: Sort) -> CustomerStatistics:
    return replace(NOTHING, orders=sort.orders)


def _items(number: int, customer_id: str) -> Iterator[Item]:
    """All that is known of somebody beside their row."""
    kind = kind_of(number)
    sort = KINDS[kind]
    address = f"p{number}@example.com"
    identifier = Identifier(Kind.EMAIL, address) if kind != "nameless" else Identifier(Kind.PHONE, "+4930123456")
    customer = Customer(
        customer_id,
        () if kind == "erased" else (identifier,),
        EARLIER,
        is_vouched=True,
        merged_into=ids(1)[0] if kind == "merged" else None,
        erased_at=EARLIER if kind == "erased" else None,
    )
    yield profile_item(customer)
    if sort.plan:
        yield book_item(customer_id, AttributeBook(1, {"plan": Attribute(sort.plan, EARLIER, "key:1")}))
    if kind not in ("unasked", "nameless", "erased"):
        consented = "elsewhere@example.com" if kind == "moved" else address
        fact = ConsentFact(
            state=State.DENIED if kind == "denied" else State.GRANTED,
            at=EARLIER,
            source="key:1",
            method=Method.FORM,
            text_version="",
            address=keys.address_digest(Address(Channel.EMAIL, consented), SECRET),
        )
        yield consent_item(customer_id, Subject(Channel.EMAIL, NEWS), fold((fact,)))
    key = keys.suppression(Address(Channel.EMAIL, address), SECRET)
    if kind == "suppressed":
        yield suppression_item(key, Suppression({Reason.MANUAL: Ground(since=EARLIER, source="key:1")}), EARLIER, 1)
    if kind == "lapsed":
        bounces = tuple(NOON - timedelta(days=30, hours=hours) for hours in range(5, 0, -1))
        yield suppression_item(key, Suppression(soft=SoftBounces(bounces)), EARLIER, 1)


A_PILOT = Pilot(percent=Decimal(20), wait=timedelta(hours=4))
