"""Planning the audience of a run, a page at a time: each page may be planned again, or by two at once, and comes out the same.

What is decided is written once, before anything follows from it: which segments and whose thresholds count for all pages, then
who is in the audience of a page and which message is theirs. Entries of the roster are put unless they are there, so whoever dies
anywhere leaves nothing to repair. Nothing is sent before the last page is planned (`occurrences.py`).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from itertools import batched

from ecrm.domain.assignment import Arm, arm_of, is_in_pilot, treatment_of
from ecrm.domain.campaigns import Campaign
from ecrm.domain.consent import Channel, Subject
from ecrm.domain.customers import Customer
from ecrm.domain.errors import Conflict, NotFound, Unavailable
from ecrm.domain.facts import Facts, RowFacts, Scores
from ecrm.domain.judging import Judge, judge_of
from ecrm.domain.messages import Policy, Send, Status, mailbox_of
from ecrm.domain.rosters import MERGED
from ecrm.domain.runs import Run, RunState, Treatment, page_of
from ecrm.domain.segments import Rule, SegmentCondition
from ecrm.domain.statistics import CustomerStatistics
from ecrm.domain.suppressions import Address
from ecrm.domain.windows import Moment

from .campaign_ports import Campaigns, Runs
from .mail_ports import Sends
from .night_ports import FactsOf, NightFiles, Place, StatisticsRows, StoredRow
from .planning_ports import Addressed, AudienceBasis, AudienceFiles, Rosters
from .ports import Clock, Consents, Customers, Suppressions, Unreadable
from .segment_ports import Nights, Segments
from .segments import score_by

AT_ONCE = 100
"""Entries that are decided and put together: what a transaction takes."""


@dataclass(slots=True)
class PagePlanned:
    """How many are in the audience of a page, and what became of the entries that were put now."""

    audience: int = 0
    from_facts: int = 0
    statuses: Counter[Status] = field(default_factory=Counter)
    unreadable: list[Unreadable] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRoom:
    """What it takes to decide what becomes of somebody in an audience."""

    customers: Customers
    consents: Consents
    suppressions: Suppressions
    clock: Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanningRoom(EntryRoom):
    """All that planning reads and writes; `shards` are those that customers' rows are in, and `zone` has the company's days."""

    campaigns: Campaigns
    runs: Runs
    files: AudienceFiles
    rosters: Rosters
    sends: Sends
    segments: Segments
    nights: Nights
    night_files: NightFiles
    rows: StatisticsRows
    facts_of: FactsOf
    zone: tzinfo
    shards: int


def plan_audience(run_id: str, page: int, *, room: PlanningRoom, is_late: Callable[[], bool]) -> PagePlanned:
    """Decide who is on a page of a run's roster, unless that is decided, and put an entry for each, unless it is there.

    For each in the audience, 4 read units and 2 written ones. Raises Unavailable where time is short: what was put stays, and the
    next try goes on from there. Raises NotFound, and Conflict where a rule names a segment that is not there any more.
    """
    run = room.runs.find(run_id)
    if run is None:
        raise NotFound("no such run", code="run_not_found")
    planned = PagePlanned()
    if run.is_over:
        return planned
    audience = room.files.audience(run_id, page)
    there: frozenset[str] = frozenset()
    if audience is None:
        room.files.write_audience(run_id, page, tuple(_decided(run, page, room, planned, is_late)))
        audience = room.files.audience(run_id, page)
        if audience is None:
            raise Unavailable("an audience that was written is not there")
    else:
        there = frozenset(send.customer_id for send in room.sends.page(run_id, page))
    planned.audience = len(audience)
    for some in batched((each for each in audience if each.customer_id not in there), AT_ONCE, strict=False):
        if is_late():
            raise Unavailable("there is no time for all entries of the page")
        sends = tuple(entries(run, page, some, room))
        room.rosters.add(sends)
        planned.statuses.update(send.status for send in sends)
    room.rosters.plan(run_id, page, len(audience))
    return planned


def _decided(run: Run, page: int, room: PlanningRoom, planned: PagePlanned, is_late: Callable[[], bool]) -> Iterator[Addressed]:
    if run.state is RunState.CANCELLED:
        return
    if run.retry_of is not None:
        yield from _failed(run.retry_of, page, room.sends)
        return
    judging = _Judging.of(run, room)
    for shard in (shard for shard in range(room.shards) if page_of(shard, run.pages, room.shards) == page):
        for number, stored in enumerate(room.rows.of_shard(shard)):
            if number % AT_ONCE == 0 and is_late():
                raise Unavailable("there is no time to judge all customers of the page")
            message = judging.message_of(stored, planned)
            if message is not None:
                yield Addressed(stored.customer_id, message)


def _failed(run_id: str, page: int, sends: Sends) -> Iterator[Addressed]:
    for send in sends.page(run_id, page):
        if send.status is Status.FAILED:
            yield Addressed(send.customer_id, send.message or "", send.treatment)


@dataclass(frozen=True, slots=True)
class Choosing:
    """Who is in the audience of a campaign, and of its messages in their order, which is theirs."""

    audience: Judge
    messages: tuple[tuple[str, Judge | None], ...]

    @classmethod
    def of(cls, campaign: Campaign, rules: Mapping[str, Rule], moment: Moment) -> "Choosing":
        return cls(
            judge_of(campaign.audience.rule, moment, rules),
            tuple(
                (message.name, judge_of(SegmentCondition(message.segment), moment, rules) if message.segment else None)
                for message in campaign.messages
            ),
        )

    def message(self, facts: Facts) -> tuple[bool, str | None]:
        """Say whether these facts tell whether a customer is in the audience and with which message, and then that."""
        truth = self.audience.decide(facts)
        if not truth:
            return truth is not None, None
        for name, judge in self.messages:
            truth = judge.decide(facts) if judge else True
            if truth is None:
                return False, None
            if truth:
                return True, name
        return True, None


@dataclass(frozen=True, slots=True)
class _Judging:
    """A campaign's rules made ready for a run, and what they are asked of."""

    choosing: Choosing
    score: Callable[[CustomerStatistics], Scores]
    rows: StatisticsRows
    facts_of: FactsOf

    @classmethod
    def of(cls, run: Run, room: PlanningRoom) -> "_Judging":
        campaign = room.campaigns.version(run.campaign, run.campaign_version)
        if campaign is None:
            raise NotFound("no such version of a campaign", code="campaign_not_found")
        basis = _basis(run, room)
        rules = {segment.segment: segment.rule for segment in basis.segments}
        if missing := campaign.segments - rules.keys():
            raise Conflict(f"there is no segment {min(missing)}", code="unknown_segment")
        moment = Moment(run.started_at, room.zone)
        thresholds = room.night_files.thresholds(basis.night) if basis.night else None
        return cls(
            Choosing.of(campaign, rules, moment),
            score_by(thresholds or room.nights.pointer().thresholds, moment.today),
            room.rows,
            room.facts_of,
        )

    def message_of(self, stored: StoredRow, planned: PagePlanned) -> str | None:
        """Give the message of a customer, None where they are not in the audience. Who cannot be read is not, and is named."""
        try:
            return self._judged(stored, planned)
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 (whatever a corrupt one raises)
            planned.unreadable.append(Unreadable({"customer_id": stored.customer_id}, error))
            return None

    def _judged(self, stored: StoredRow, planned: PagePlanned) -> str | None:
        row = self.rows.read(stored)
        if not row.is_outdated:
            is_known, message = self.choosing.message(RowFacts(stored.customer_id, row, self.score(row), row.traits))
            if is_known:
                return message
        planned.from_facts += 1
        facts = self.facts_of(stored.customer_id, self.score)
        return self.choosing.message(facts)[1] if facts is not None else None


def _basis(run: Run, room: PlanningRoom) -> AudienceBasis:
    """Give what all pages of a run are judged by; who comes first decides it."""
    found = room.files.basis(run.run_id)
    if found is None:
        pointer = room.nights.pointer()
        night = Place(pointer.night, pointer.generations.published) if pointer.night else None
        room.files.write_basis(run.run_id, AudienceBasis(room.segments.published(), night))
        found = room.files.basis(run.run_id)
    if found is None:
        raise Unavailable("a basis that was written is not there")
    return found


def entries(run: Run, page: int, some: Iterable[Addressed], room: EntryRoom) -> Iterator[Send]:
    """Decide what becomes of some people, as they are now."""
    some = tuple(some)
    now = room.clock.now()
    people = room.customers.find_many(each.customer_id for each in some)
    bars = _bars(run, people, room, now)
    for each in some:
        yield _entry(run, page, each, bars.get(each.customer_id, (Status.CANCELLED, "erased")), now)


type Bar = tuple[Status, str | None] | None
"""Why somebody cannot get the mails of a run at all, whichever their arm: the status and its reason."""


def _bars(run: Run, people: Mapping[str, Customer], room: EntryRoom, now: datetime) -> Mapping[str, Bar]:
    subject = Subject(Channel.EMAIL, run.topic)
    mailboxes = {customer_id: mailbox for customer_id, each in people.items() if (mailbox := mailbox_of(each))}
    books = room.consents.of_many(dict.fromkeys(mailboxes, (subject,)))
    suppressions = room.suppressions.of(Address(Channel.EMAIL, mailbox) for mailbox in mailboxes.values())

    def bar(customer: Customer) -> Bar:
        if customer.erased_at is not None:
            return Status.CANCELLED, "erased"
        if customer.merged_into is not None:
            return Status.CANCELLED, MERGED
        mailbox = mailboxes.get(customer.customer_id)
        if mailbox is None:
            return Status.NO_CONSENT, "no_address"
        consent = books[customer.customer_id].consents.get(subject)
        if consent is None or room.consents.digest(Channel.EMAIL, mailbox) not in consent.addresses:
            return Status.NO_CONSENT, None
        suppression = suppressions.get(Address(Channel.EMAIL, mailbox))
        return (Status.SUPPRESSED, None) if suppression is not None and suppression.is_active(now) else None

    return {customer_id: bar(customer) for customer_id, customer in people.items()}


def _entry(run: Run, page: int, addressed: Addressed, bar: Bar, now: datetime) -> Send:
    """Make somebody's entry: who is barred first, alike for both arms, then by the hash (domain/assignment.py)."""
    status, reason = bar or (Status.PLANNED, None)
    arm = None if bar else _arm(run, addressed)
    if arm is Arm.CONTROL:
        status = Status.HELD_OUT
    treatments = run.message(addressed.message).treatments
    theirs = _treatment(run, treatments, addressed)
    is_pilot = arm is Arm.TREATED and _is_pilot(run, treatments, addressed)
    waits_for_pilot = run.pilot is not None and len(treatments) > 1 and not is_pilot
    return Send(
        run_id=run.run_id,
        shard=page,
        customer_id=addressed.customer_id,
        policy=Policy.MARKETING,
        site=run.site,
        template=theirs.template,
        topic=run.topic,
        planned_at=now,
        status=status,
        reason=reason,
        settled_at=None if status is Status.PLANNED else now,
        arm=arm,
        message=addressed.message,
        treatment=None if arm is not Arm.TREATED or waits_for_pilot else theirs.name,
        is_pilot=is_pilot,
        ineligible=(reason or status.value) if bar else None,
    )


def _arm(run: Run, addressed: Addressed) -> Arm:
    return arm_of(run.salt, run.control_percent, addressed.customer_id) if run.retry_of is None else Arm.TREATED


def _is_pilot(run: Run, treatments: Sequence[Treatment], addressed: Addressed) -> bool:
    """A message of one treatment has nothing to try."""
    return run.pilot is not None and len(treatments) > 1 and is_in_pilot(run.salt, run.pilot.percent, addressed.customer_id)


def _treatment(run: Run, treatments: Sequence[Treatment], addressed: Addressed) -> Treatment:
    """Give the treatment of somebody, or the one that they would get."""
    if addressed.treatment is not None:
        return next(each for each in treatments if each.name == addressed.treatment)
    return treatments[treatment_of(run.salt, [each.weight for each in treatments], addressed.customer_id)]
