"""Erasure wins every race (P3): whoever writes to a person while they are erased, nothing of them is left.

Whatever is known of the person says SARA, in identifiers and in facts; what is known of a visitor who may or may not turn out
to be the same person says VIOLA.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from random import Random
from typing import Any

import pytest

from ecrm.application.behaviour import Said
from ecrm.application.consent import ConsentChange
from ecrm.application.facts import FactsOf
from ecrm.application.identity import Authority, root
from ecrm.application.import_rows import ContactRow
from ecrm.application.kill_switch import arm
from ecrm.application.night_ports import NightSettings, Place, StoredRow
from ecrm.application.nights import (
    plan_night,
    publish_night,
    score_customers,
    snapshot_customers,
    summarise_night,
    tell_night,
)
from ecrm.application.orders import list_orders, read_order
from ecrm.application.ports import Standing
from ecrm.application.undo import undo_contacts
from ecrm.domain.consent import Channel, Method, State
from ecrm.domain.delivery import What
from ecrm.domain.errors import EcrmError
from ecrm.domain.events import Event
from ecrm.domain.imports import RowOutcome, RowResult, fact_at
from ecrm.domain.jobs import Job, JobKind
from ecrm.domain.messages import Policy, place_of
from ecrm.domain.preferences import Frequency
from ecrm.files.nights import S3NightFiles
from ecrm.store.erasure import DynamoErasure
from ecrm.store.keys import ATTRIBUTES, customer_partition, shard_of
from ecrm.store.memberships import DynamoMemberships
from ecrm.store.messages import send_item
from ecrm.store.nights import DynamoMoveEvents, DynamoNights
from ecrm.store.runs import run_item
from ecrm.store.segments import DynamoSegments
from ecrm.store.statistics import DynamoStatisticsRows
from ecrm.store.table import Action, Check, Item, Put
from tests.builders import NOON, a_run
from tests.simulation.company import CLAIM, NEWS, SITE, SOURCE, VOUCHER, Company, Counted, Stopped, person
from tests.simulation.night import Offered, a_segment
from tests.simulation.provider import Moving, PostOffice, Taken, planned
from tests.simulation.schedule import ROUGH, Schedule, hold
from tests.simulation.shelf import Shelf
from tests.simulation.table import MemoryTable
from tests.simulation.test_contact_rows import FILE
from tests.unit.facts import some_lines

SARA, VIOLA = "sara", "viola"
EARLIER, NOW, ERASED_AT, LATER = (NOON + timedelta(minutes=minutes) for minutes in (-60, 0, 1, 2))

USER, EMAIL, BROWSER = {"user_id": f"{SARA}-1"}, {"email": f"{SARA}@example.com"}, {"anonymous_id": f"{SARA}-browser"}
VIOLAS = {"anonymous_id": f"{VIOLA}-browser"}
LINES = tuple(replace(line, name=f"for {SARA}") for line in some_lines())
ROOT, ABSORBED, VISITOR = "c1", "c2", "c3"
MAILED = ((ABSORBED, "m1"), (ABSORBED, "m2"), (ROOT, "r1"), (ABSORBED, "r1"))
TOMBSTONE = {"PK", "SK", "type", "v", "version", "created_at", "identifiers", "erased_at"}

LAST_NIGHT, TONIGHT = NOON - timedelta(hours=8), NOON + timedelta(hours=12)
EVERYBODY = {"sample": {"percent": 100, "salt": "all"}}
NOBODY = {"stats": {"field": "orders", "op": ">", "value": 99}}
PAGE = {"name": "page.viewed", "op": ">=", "value": 1, "where": [{"path": "of", "op": "exists"}]}
SEGMENTS: Mapping[datetime, Mapping[str, Mapping[str, Any]]] = {
    LAST_NIGHT: {"left": EVERYBODY, "kept": EVERYBODY, "entered": NOBODY},
    TONIGHT: {"left": NOBODY, "kept": EVERYBODY, "entered": {"not": {"event": PAGE}}},
}
"""What each night judges by: tonight everybody leaves a segment, and enters one, for which their facts are read."""

type Writer = Callable[[Company], object]


def page(authority: Authority, name: str, *, who: str = SARA, **named: str) -> Writer:
    return _said(authority, name, "page.viewed", {"data": {"page": f"of {who}"}}, named)


def identify(authority: Authority, name: str, **named: str) -> Writer:
    return _said(authority, name, None, {"traits": {"first_name": SARA}, "is_statement": authority is VOUCHER}, named)


def _said(authority: Authority, name: str, event_type: str | None, more: Mapping[str, Any], named: Mapping[str, str]) -> Writer:
    said = Said(
        identifiers=person(**named), name=name, at=EARLIER, corrected_at=None, backfill=False, event_type=event_type, **more
    )
    return lambda company: company.say(authority, [said], NOW)


def order(order_id: str, **named: str) -> Writer:
    return lambda company: company.place(person(**named), order_id, EARLIER, NOW, LINES)


def send(run_id: str) -> Writer:
    """Send a page of a roster; the clocks of the company have moved on since the erasure was asked for."""
    return lambda company: office(company).work((run_id, 0))


def notices(what: What) -> Writer:
    """Let the provider tell of every mail that it may have taken, whoever knows of it."""

    def tell(company: Company) -> None:
        for customer_id, run_id in MAILED:
            entry = company.sends.find(run_id, 0, customer_id)
            if entry is not None and entry.attempt:
                office(company).notify(Taken((run_id, 0, customer_id), entry.attempt, NOW, EMAIL["email"]), what)

    return tell


def ask_for_a_message(run_id: str) -> Writer:
    def ask(company: Company) -> None:
        customer = root(ABSORBED, customers=company.customers)
        send = replace(planned(run_id, ABSORBED, Policy.TRANSACTIONAL, NOW), requested_at=NOW)
        said = {**place_of(send, 0), "data": {"name": SARA}}
        requested = Event(f"message:{run_id}:requested", "message.requested", NOW, NOW, "de", ABSORBED, "key:1", said)
        company.sends.add(send, requested, Standing(customer.customer_id, found=customer), None)

    return ask


def office(company: Company) -> PostOffice:
    return PostOffice(company, Moving(LATER), Random(1))


def import_rows(import_id: str, at: datetime, **named: str) -> Writer:
    """Import a row of a file that is of `at`: whenever that is, it brings nobody back."""
    file = replace(FILE, import_id=import_id, at=at)
    change = ConsentChange(
        channel=Channel.EMAIL,
        topic=NEWS,
        state=State.DENIED,
        at=fact_at(file, 1),
        source=f"{SARA}'s form",
        method=Method.IMPORT,
        text_version=None,
        proof=None,
    )
    row = ContactRow(
        row=1, site=SITE, identifiers=person(**named), attributes={"city": SARA}, at=fact_at(file, 1), consents=(change,)
    )
    return lambda company: company.import_contacts(file, [row], NOW)


def undo(company: Company) -> object:
    """Import a row, and think better of it."""
    import_rows("i1", EARLIER, **USER, phone=f"{SARA}-phone-0")(company)
    job = Job(job_id="j0", kind=JobKind.UNDO_IMPORT, requested_at=NOW, source=SOURCE, import_id="i1")
    return undo_contacts(
        replace(FILE, at=EARLIER),
        job,
        [RowOutcome(1, RowResult.UPDATED, ROOT)],
        store=company.contact_rows,
        customers=company.customers,
        profiles=company.profiles,
        consents=company.consents,
        clock=Stopped(NOW),
    )


def night(company: Company, at: datetime = TONIGHT) -> None:
    """Let the company have the night of a day, unless it had it."""
    nights, rows, clock = DynamoNights(company.table), Rows(company.table), Stopped(at)
    files = S3NightFiles(company.shelf, "nights")  # type: ignore[arg-type]  # what nights need of the client
    planned = plan_night(
        at,
        settings=NightSettings(),
        nights=nights,
        segments=Offered(tuple(a_segment(name, rule) for name, rule in SEGMENTS[at].items())),
        rows=rows,
        shards=1,
        files=files,
        clock=clock,
    )
    place = Place(planned.night, planned.generation)
    for group in planned.groups:
        snapshot_customers(place, group, rows=rows, files=files, is_late=lambda: False)
        summarise_night(place, files=files)
        score_customers(
            place,
            group,
            rows=rows,
            facts_of=FactsOf(
                customers=company.customers,
                statistics=company.statistics,
                profiles=company.profiles,
                consents=company.consents,
                orders=company.orders,
                behaviour=company.behaviour,
                zone_of=lambda _site: UTC,
            ),
            files=files,
            nights=nights,
            memberships=DynamoMemberships(company.table),
            is_late=lambda: False,
        )
        publish_night(place, nights=nights, files=files, clock=clock)
        tell_night(place, group, nights=nights, files=files, events=DynamoMoveEvents(company.table), clock=clock)


class Rows(DynamoStatisticsRows):
    """Those whom this is about, as if they were in one shard."""

    def of_shard(self, _shard: int) -> Iterator[StoredRow]:
        for shard in sorted(map(shard_of, (ROOT, ABSORBED, VISITOR))):
            yield from super().of_shard(shard)


def settle(company: Company) -> None:
    office(company).settle()


WRITERS: dict[str, Writer] = {
    "message": ask_for_a_message("m2"),
    "sender": send("m1"),
    "sender of a campaign": send("r1"),
    "delivery": notices(What.DELIVERED),
    "complaint": notices(What.COMPLAINED),
    "open": notices(What.OPENED),
    "settling": settle,
    "order": order("A-2", **USER, **EMAIL),
    "order by an address and a new telephone": order("A-3", **EMAIL, phone=f"{SARA}-phone"),
    "order event": lambda company: company.pay("A-1", f"by {SARA}", EARLIER, NOW),
    "track": page(CLAIM, "track", **BROWSER),
    "track by user id": page(CLAIM, "track-2", **USER, anonymous_id=f"{SARA}-browser-2"),
    "track by server": page(VOUCHER, "track-3", **USER),
    "identify": identify(CLAIM, "identify", **USER, **BROWSER),
    "identify by server": identify(VOUCHER, "identify-2", **USER, anonymous_id=f"{SARA}-browser-3"),
    "identify a visitor by server": identify(VOUCHER, "identify-3", **USER, **VIOLAS),
    "put customer": lambda company: company.put(
        person(**USER, **EMAIL, phone=f"{SARA}-phone-2"), {"last_name": SARA}, EARLIER, NOW
    ),
    "put customer's new address": lambda company: company.put(
        person(**USER, email=f"{SARA}@example.org"), {"first_name": SARA * 2}, EARLIER, NOW
    ),
    "update": lambda company: company.update(ROOT, {"city": SARA}, EARLIER, NOW),
    "update by absorbed id": lambda company: company.update(ABSORBED, {"pet": SARA}, EARLIER, NOW),
    "contact": lambda company: company.contact(ROOT, "call-1", f"{SARA} called", EARLIER, NOW),
    "contact by absorbed id": lambda company: company.contact(ABSORBED, "call-2", f"{SARA} called", EARLIER, NOW),
    "consent": lambda company: company.consent(ROOT, State.DENIED, EARLIER, NOW),
    "consent again": lambda company: company.consent(ABSORBED, State.GRANTED, NOW, NOW),
    "one click": lambda company: company.one_click(ABSORBED, NOW),
    "preferences": lambda company: company.choose(ROOT, Frequency.WEEKLY, NOW),
    "preferences by absorbed id": lambda company: company.choose(ABSORBED, Frequency.MONTHLY, NOW),
    "merger by hand": lambda company: company.merge(ROOT, VISITOR, NOW),
    "import": import_rows("i2", EARLIER, **USER),
    "import of a new address": import_rows("i4", EARLIER, **USER, email=f"{SARA}@example.net"),
    "import of a later file": import_rows("i3", LATER, **EMAIL, phone=f"{SARA}-phone-3"),
    "undo of an import": undo,
    "night": night,
    "projection": lambda company: company.recount(ROOT),
    "projection of the absorbed": lambda company: company.recount(ABSORBED),
}


SHELF = Shelf()
"""What the last night left in the bucket."""


@cache
def before() -> MemoryTable:
    """A person with two partitions, an order, consents, a contact, a row and memberships; and a visitor with some of that."""
    table = MemoryTable()
    company = Company(table, shelf=SHELF).open()
    company.put(person(**USER, **EMAIL), {"first_name": SARA}, EARLIER, EARLIER)
    page(CLAIM, "first", **BROWSER)(company)
    identify(VOUCHER, "joined", **USER, **BROWSER)(company)
    page(CLAIM, "viola's", who=VIOLA, **VIOLAS)(company)
    order("A-1", **USER)(company)
    company.consent(ROOT, State.GRANTED, EARLIER, NOW)
    company.contact(ROOT, "call-0", f"{SARA} called", EARLIER, NOW)
    company.recount(ROOT)
    company.recount(VISITOR)
    for name, rule in SEGMENTS[TONIGHT].items():
        DynamoSegments(table).write(replace(a_segment(name, rule), updated_at=EARLIER), seen=0, traits=None)
    night(company, LAST_NIGHT)
    arm(control=company.control)
    ask_for_a_message("m1")(company)
    run = a_run("r1")
    table.put(Put(run_item(run), None, "planned"))
    for customer_id in (ROOT, ABSORBED):
        table.put(Put(send_item(planned("r1", customer_id, Policy.MARKETING, EARLIER, NEWS)), None, "planned"))
    known = {customer_id: company.customers.find(customer_id) for customer_id in (ROOT, ABSORBED, VISITOR)}
    assert {ROOT: (ABSORBED,), ABSORBED: (), VISITOR: ()} == {name: found and found.absorbed for name, found in known.items()}
    return table


def erase(company: Company, schedule: Schedule, *, answered: Callable[[], object] = lambda: None) -> None:
    """Ask for the erasure, and work on its job until it is done; it may be done by two at once."""
    company.erase(ROOT, ERASED_AT)
    answered()
    (job,) = {change.key.pk.removeprefix("JOB#") for change in schedule.table.stream if change.key.sk == "JOB"}
    company.work(job, ERASED_AT, at_once=schedule.random.choice((1, 100, 100)))


def raced(
    seed: int,
    table: MemoryTable | None = None,
    writers: Collection[str] = WRITERS,
    erasure: type[DynamoErasure] = DynamoErasure,
) -> Schedule:
    """Erase, while up to three others write; then let everybody say again what they said."""
    schedule = Schedule(seed, ROUGH, table=table or before())
    company = Company(schedule.table, Counted(10), shelf=Shelf(schedule.pause, dict(SHELF.objects)))
    company.erasure = erasure(schedule.table, company.suppressions)
    names = schedule.random.sample(sorted(writers), schedule.random.randint(1, min(3, len(writers))))
    calls: dict[str, Callable[[], object]] = {name: partial(WRITERS[name], company) for name in names}
    schedule.run({"erasure": partial(erase, company, schedule)} | calls)
    assert {refusal(call) for call in calls.values()} <= {None, "customer_erased", "order_not_found"}
    return schedule


def refusal(call: Callable[[], object]) -> str | None:
    try:
        call()
    except EcrmError as refused:
        return refused.code
    return None


def left_of(items: Iterable[Item]) -> list[str]:
    """What is left of the person and must not be, in words."""
    items = list(items)
    gone = {item["PK"] for item in items if item["SK"] == "PROFILE" and "erased_at" in item}
    names = [SARA, VIOLA] if customer_partition(VISITOR) in gone else [SARA]
    found = [f"{name} in {item['PK']} {item['SK']}" for item in items for name in names if name in json.dumps(item, default=str)]
    for item in items:
        place = f"{item['PK']} {item['SK']}"
        if item["PK"] in gone and (item["SK"] != "PROFILE" or set(item) != TOMBSTONE or item["identifiers"]):
            found.append(f"left: {place}")
        if item["type"] == "membership" and customer_partition(item["SK"]) in gone:
            found.append(f"left: {place}")
        if item.get("customer_id") is not None and customer_partition(item["customer_id"]) in gone and item["type"] != "job":
            found.append(f"leads to the erased: {place}")
    missing = {customer_partition(ROOT), customer_partition(ABSORBED)} - gone
    return found + [f"not erased: {pk}" for pk in sorted(missing)]


@pytest.mark.parametrize("part", range(8))
def test_erasure_wins_every_race(part: int) -> None:
    def check(seed: int) -> None:
        assert [] == left_of(raced(seed).table.items())

    hold(check, range(part, 10_000, 8))


def told_after(seed: int) -> list[str]:
    """Ask for a person's order, and for the list of its day, while they are erased; gives what is told after the answer."""
    schedule = Schedule(seed, ROUGH, table=before())
    company = Company(schedule.table, Counted(10))
    said: list[str] = []
    told: list[str] = []

    def ask() -> None:
        erase(company, schedule, answered=partial(said.append, "erased"))
        said.append("deleted")

    def read() -> None:
        day = EARLIER.date()
        while "deleted" not in said:
            is_erased = "erased" in said
            code = refusal(partial(read_order, SITE, "A-1", orders=company.orders))
            page = list_orders(SITE, first=day, last=day, status=None, after=None, limit=10, orders=company.orders)
            if is_erased:
                told.extend(["the order"] if code is None else [])
                told.extend(f"{view.order.order_id} in the list" for view in page.items)

    schedule.run({"erasure": ask, "reader": read})
    return told


def test_once_an_erasure_is_answered_nobody_reads_an_order_of_the_person() -> None:
    def check(seed: int) -> None:
        assert [] == told_after(seed)

    hold(check, range(500))


class Unguarded(MemoryTable):
    """A table that takes no notice of checks: what is left then is what only they prevent."""

    def write(self, actions: Iterable[Action]) -> None:
        super().write(action for action in actions if not isinstance(action, Check))


@pytest.mark.parametrize("writer", ["track", "contact", "consent", "preferences", "order", "message", "night"])
def test_without_its_check_each_writer_would_bring_somebody_back(writer: str) -> None:
    unguarded = before().fork(kind=Unguarded)
    assert any(left_of(raced(seed, unguarded, (writer,)).table.items()) for seed in range(500))


class Unversioned(MemoryTable):
    """A table that writes attributes whatever has become of them."""

    def write(self, actions: Iterable[Action]) -> None:
        super().write(
            replace(action, condition=None, values=None)
            if isinstance(action, Put) and action.item["SK"] == ATTRIBUTES
            else action
            for action in actions
        )


class AttributesLast(DynamoErasure):
    """An erasure that deletes attributes when it has found nothing else any more."""

    def forget_attributes(self, partitions: Iterable[str]) -> None:
        pass

    def items(self, partitions: Iterable[str]) -> Iterator[Item]:
        return (item for item in super().items(partitions) if item["SK"] != ATTRIBUTES)

    def close(self, addressed: Iterable[str], partitions: Iterable[str], *, at: datetime, source: str) -> None:
        super().forget_attributes(partitions)
        super().close(addressed, partitions, at=at, source=source)


@pytest.mark.parametrize(("kind", "erasure"), [(Unversioned, DynamoErasure), (MemoryTable, AttributesLast)])
def test_attributes_go_first_and_for_good_or_their_change_would_bring_somebody_back(
    kind: type[MemoryTable], erasure: type[DynamoErasure]
) -> None:
    table = before().fork(kind=kind)
    assert any(left_of(raced(seed, table, ("update",), erasure).table.items()) for seed in range(500))
