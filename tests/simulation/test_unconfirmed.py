"""Sign-ups that nobody confirms: who is known by nothing else is removed after 30 days, and nobody else, whoever writes then."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache, partial

import pytest

from ecrm.application.consent import ChangeConsents, ConsentChange, change_consents
from ecrm.application.jobs import read_job, work
from ecrm.application.subscriptions import AskToConfirm, Confirmations, Subscribe
from ecrm.application.unconfirmed import remove_unconfirmed, request_removal
from ecrm.domain.consent import Channel, Method, Proof, ProofKind, State
from ecrm.domain.customers import Customer, Identifier, Kind
from ecrm.domain.errors import Unavailable
from ecrm.domain.jobs import Job, JobKind, JobState
from ecrm.domain.messages import MESSAGE_SHARD, Send
from ecrm.store.contact_rows import DynamoContactRows
from ecrm.store.limits import DynamoLimits
from ecrm.store.sites import DynamoSites
from tests.builders import NOON, a_stored_site
from tests.simulation.company import NEWS, SITE, Company, Counted, Stopped, person
from tests.simulation.schedule import ROUGH, Schedule, hold
from tests.simulation.table import MemoryTable
from tests.simulation.test_contact_rows import FILE, answer, line
from tests.simulation.test_undo import astray, once

DAY = timedelta(days=1)
OVER = NOON + 30 * DAY
SARA = "sara@example.com"


class Ids(Counted):
    """The company's, and those of messages: as wide as real ones."""

    def __init__(self, after: int = 0) -> None:
        super().__init__(after)
        self._messages = Counted(after)

    def message_id(self, now: datetime) -> str:
        return f"{self._messages.customer_id(now)[1:]:0>32}"


def confirmations(company: Company, now: datetime) -> Confirmations:
    return Confirmations(
        limits=DynamoLimits(company.table, lambda: b"for tests only"),
        customers=company.customers,
        consents=company.consents,
        suppressions=company.suppressions,
        topics=company.topics,
        requests=company.requests,
        sites=DynamoSites(company.table),
        sends=company.sends,
        clock=Stopped(now),
        ids=company.ids,  # type: ignore[arg-type]  # of messages, too
        refused=lambda: None,
    )


def open_company() -> Company:
    company = Company(MemoryTable(), Ids()).open()
    DynamoSites(company.table).write(replace(a_stored_site(SITE), sender="hello@example.com"), seen=0)
    return company


def sign_up(company: Company, now: datetime, email: str = SARA) -> Send | None:
    asked = Subscribe(site=SITE, email=email, topics=(NEWS,), language="fa", text_version="footer/1", ip=f"of {now}")
    return confirmations(company, now).subscribe(asked)


def confirm(company: Company, customer_id: str, now: datetime) -> None:
    change = ConsentChange(
        channel=Channel.EMAIL,
        topic=NEWS,
        state=State.GRANTED,
        at=now,
        source=None,
        method=Method.DOUBLE_OPT_IN,
        text_version=None,
        proof=Proof(kind=ProofKind.DOUBLE_OPT_IN, confirmed_at=now, reference="m"),
    )
    change_consents(
        ChangeConsents(customer_id=customer_id, changes=(change,), site=SITE, source="public:confirm"),
        None,
        consents=company.consents,
        customers=company.customers,
        topics=company.topics,
        requests=company.requests,
        clock=Stopped(now),
    )


def ask(company: Company, now: datetime) -> Job | None:
    """Ask for what is due, as the night of that day does."""
    requested = request_removal(
        now.date(), source="night", waiting=company.customers, jobs=company.jobs, clock=Stopped(now), ids=company.ids
    )
    return requested.job if requested else None


def remove(company: Company, job_id: str, now: datetime, *, is_late: Callable[[], bool] = lambda: False) -> Job:
    steps = partial(
        remove_unconfirmed,
        waiting=company.customers,
        store=company.contact_rows,
        entries=company.erasure,
        customers=company.customers,
        consents=company.consents,
        clock=Stopped(now),
    )
    work(
        job_id,
        steps={JobKind.REMOVE_UNCONFIRMED: steps},
        receipts={},
        is_late=is_late,
        jobs=company.jobs,
        queue=company,
        clock=Stopped(now),
    )
    return read_job(job_id, jobs=company.jobs)


def removed(company: Company, now: datetime) -> dict[str, int]:
    """Go through a night; gives what was counted, nothing where nobody was due."""
    job = ask(company, now)
    return dict(remove(company, job.job_id, now).counts) if job else {}


def holder(company: Company, email: str = SARA) -> str | None:
    held = company.customers.held([Identifier(Kind.EMAIL, email)], consistent=True)
    return next((each.customer_id for each in held.values()), None)


def of_them(company: Company, customer_id: str) -> list[tuple[str, str]]:
    """What the table has under their id, or leads there; the books of what was sent are nobody's partition."""
    partition = f"CUSTOMER#{customer_id}"
    items = company.table.items()
    return [(item["PK"], item["SK"]) for item in items if item["PK"] == partition or item.get("customer_id") == customer_id]


@pytest.fixture
def company() -> Company:
    return open_company()


def test_who_never_confirms_is_removed_after_thirty_days_and_nothing_names_them(company: Company) -> None:
    sent = sign_up(company, NOON)
    assert sent is not None
    company.recount(sent.customer_id)
    assert [{}, {}] == [removed(company, at) for at in (NOON + DAY, OVER - timedelta(seconds=1))]
    assert {"removed": 1} == removed(company, OVER)
    assert ([], None) == (of_them(company, sent.customer_id), holder(company))
    assert not [item for item in company.table.items() if item["PK"].startswith("STATS#")]
    closed = company.sends.find(sent.run_id, MESSAGE_SHARD, sent.customer_id)
    assert closed is not None
    assert OVER == closed.closed_at  # so a notice that comes late is told to nobody


def test_they_may_come_again_and_are_somebody_new(company: Company) -> None:
    first = sign_up(company, NOON)
    removed(company, OVER)
    second = sign_up(company, OVER + DAY)
    assert first is not None
    assert second is not None
    assert (second.customer_id, True) == (holder(company), second.customer_id != first.customer_id)


def test_who_was_asked_again_has_thirty_days_from_then(company: Company) -> None:
    sign_up(company, NOON)
    sign_up(company, NOON + 20 * DAY)
    assert {"put_off": 1} == removed(company, OVER)
    assert {} == removed(company, OVER + 19 * DAY)
    assert {"removed": 1} == removed(company, OVER + 20 * DAY)


KNOWN: dict[str, Callable[[Company, str], object]] = {
    "confirmed": lambda company, who: confirm(company, who, NOON + DAY),
    "said no": lambda company, who: company.consent(who, State.DENIED, NOON + DAY, NOON + DAY),
    "ordered": lambda company, _: company.place(person(email=SARA), "A-1", NOON + DAY, NOON + DAY),
    "told of by the shop": lambda company, _: company.put(person(email=SARA), {}, NOON + DAY, NOON + DAY),
    "given an attribute": lambda company, who: company.update(who, {"city": "Bonn"}, NOON + DAY, NOON + DAY),
    "called": lambda company, who: company.contact(who, "call-1", "hello", NOON + DAY, NOON + DAY),
    "listed in a file": lambda company, _: company.import_contacts(FILE, [line(1, email=SARA)], NOON + DAY),
    "at rest": lambda company, who: company.take_a_rest(who, NOON + DAY),
    "asked by us": lambda company, who: confirmations(company, NOON + DAY).ask_to_confirm(
        AskToConfirm(customer_id=who, site=SITE, topics=(NEWS,), language=None, text_version=None, source="public:preferences")
    ),
}


@pytest.mark.parametrize("how", KNOWN)
def test_who_is_known_by_anything_else_stays_and_is_looked_at_no_more(company: Company, how: str) -> None:
    sent = sign_up(company, NOON)
    assert sent is not None
    KNOWN[how](company, sent.customer_id)
    before = of_them(company, sent.customer_id)
    assert removed(company, OVER) in ({"known": 1}, {})
    assert (before, sent.customer_id) == (of_them(company, sent.customer_id), holder(company))
    assert {} == removed(company, OVER + 400 * DAY)


def test_who_was_known_before_they_signed_up_is_not_waited_for(company: Company) -> None:
    company.put(person(email=SARA), {}, NOON, NOON)
    assert sign_up(company, NOON + DAY) is not None
    assert ({}, "c1") == (removed(company, NOON + 400 * DAY), holder(company))


def test_who_was_made_one_with_somebody_stays(company: Company) -> None:
    company.put(person(user_id="u1"), {}, NOON, NOON)
    sent = sign_up(company, NOON)
    assert sent is not None
    company.merge("c1", sent.customer_id, NOON + DAY)
    assert {} == removed(company, OVER)
    assert company.customers.find(sent.customer_id) is not None


def test_who_was_erased_is_no_ones_business_any_more(company: Company) -> None:
    sent = sign_up(company, NOON)
    assert sent is not None
    company.work(str(company.erase(sent.customer_id, NOON + DAY)), NOON + DAY)
    assert {} == removed(company, OVER)


def test_a_night_asks_once_and_a_job_whose_time_is_short_goes_on(company: Company) -> None:
    for number in range(3):
        sign_up(company, NOON, f"{number}@example.com")
    job, again = ask(company, OVER), ask(company, OVER)
    assert job is not None
    assert again is not None
    assert job.job_id == again.job_id
    for looks in (1, 1, 3):
        left = iter(range(looks))
        remove(company, job.job_id, OVER, is_late=lambda left=left: next(left, None) is None)  # type: ignore[misc]
    done = remove(company, job.job_id, OVER)
    assert (JobState.DONE, {"removed": 3}) == (done.state, dict(done.counts))


# ── somebody writes while a sign-up is removed ────────────────────────────────────────────────────────────────────────

WRITERS: dict[str, Callable[[Company], object]] = {
    "order": lambda company: company.place(person(email=SARA), "A-1", OVER, OVER),
    "put": lambda company: company.put(person(email=SARA), {"city": "Bonn"}, OVER, OVER),
    "update": lambda company: once(lambda: company.update("c1", {"city": "Bonn"}, OVER, OVER)),
    "confirmation": lambda company: once(lambda: confirm(company, "c1", OVER)),
    "no": lambda company: once(lambda: company.consent("c1", State.DENIED, OVER, OVER)),
    "contact": lambda company: once(lambda: company.contact("c1", "call-1", "hello", OVER, OVER)),
    "import": lambda company: company.import_contacts(
        FILE, [line(1, {"city": "Bonn"}, email=SARA, consents=(answer(State.GRANTED),))], OVER
    ),
    "sign-up": lambda company: sign_up(company, OVER),
    "erasure": lambda company: once(lambda: company.erase("c1", OVER)),
    "projection": lambda company: once(lambda: company.recount("c1")),
    "merger": lambda company: once(lambda: company.merge("c2", "c1", OVER)),
}


@cache
def signed_up() -> tuple[MemoryTable, str]:
    """Somebody whom nothing but a form has told of, somebody else, and the job that is to look."""
    company = open_company()
    assert sign_up(company, NOON) is not None
    company.put(person(user_id="u2"), {}, NOON, NOON)
    company.recount(str(holder(company)))
    job = ask(company, OVER)
    assert job is not None
    return company.table, job.job_id


def raced(seed: int, kind: type[DynamoContactRows] = DynamoContactRows) -> Schedule:
    table, job_id = signed_up()
    schedule = Schedule(seed, ROUGH, table=table)
    company = Company(schedule.table, Ids(100))
    company.contact_rows = kind(company.table, company.customers, company.profiles, lambda: b"for tests only")
    names = schedule.random.sample(sorted(WRITERS), schedule.random.randint(1, 2))
    schedule.run({"removal": lambda: until_done(company, job_id)} | {name: partial(WRITERS[name], company) for name in names})
    return schedule


def until_done(company: Company, job_id: str) -> None:
    """Work on the job as its queue would. Raises Unavailable until it is done."""
    if remove(company, job_id, OVER).state is not JobState.DONE:
        raise Unavailable("the job is not done yet")


def test_nobody_is_removed_of_whom_something_else_is_told_at_that_moment() -> None:
    def check(seed: int) -> None:
        assert [] == astray(raced(seed).table.items())

    hold(check, range(2_000))


class AtOnce(DynamoContactRows):
    """Removes customers without letting nobody write to them before."""

    def leave(self, customer: Customer) -> Customer:
        return customer


def test_without_leaving_first_facts_would_lose_their_customer() -> None:
    assert any(astray(raced(seed, AtOnce).table.items()) for seed in range(2_000))
