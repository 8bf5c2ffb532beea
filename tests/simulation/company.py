"""A company on one table: the use cases as they ship over the stores as they ship, in a few words.

Whoever calls says when it is; ids count upwards, so that a schedule is the same each time.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from ecrm.application import erasure, jobs, profiles, statistics
from ecrm.application.behaviour import Result, Said, Taking
from ecrm.application.consent import ChangeConsents, Changed, ConsentChange, change_consents
from ecrm.application.contact_rows import apply_contacts
from ecrm.application.contacts import ContactRecorded, RecordContact, record_contact
from ecrm.application.identity import Authority
from ecrm.application.import_rows import ContactRow
from ecrm.application.orders import Drafted, PlaceOrder, Recorded, RecordOrderEvent, place_order, record_order_event
from ecrm.application.preferences import Choose, PreferenceRoom, choose
from ecrm.application.profiles import ApplyTraits, Joining, Kept, PutCustomer, UpdateCustomer
from ecrm.application.traits import CopiedTraits
from ecrm.application.unsubscribes import UnsubscribeRoom, unsubscribe
from ecrm.domain.consent import Channel, Method, State, Subject
from ecrm.domain.customers import Identifier, identifiers_of
from ecrm.domain.errors import Erased, Unavailable
from ecrm.domain.imports import Import, RowOutcome
from ecrm.domain.jobs import JobKind, JobState
from ecrm.domain.links import Keyring, PersonLink, Purpose, seal_person
from ecrm.domain.orders import Line, Paid
from ecrm.domain.preferences import Frequency
from ecrm.domain.sites import Site
from ecrm.domain.topics import Topic
from ecrm.store.behaviour import DynamoBehaviour
from ecrm.store.consent import DynamoConsents
from ecrm.store.contact_rows import DynamoContactRows
from ecrm.store.contacts import DynamoContacts
from ecrm.store.customers import DynamoCustomers
from ecrm.store.erasure import DynamoErasure
from ecrm.store.events import DynamoTimeline
from ecrm.store.jobs import DynamoJobs
from ecrm.store.messages import DynamoSends
from ecrm.store.orders import DynamoOrders
from ecrm.store.preferences import DynamoPreferences
from ecrm.store.profiles import DynamoProfiles
from ecrm.store.replays import DynamoRequests
from ecrm.store.sending import DynamoSendingControl
from ecrm.store.statistics import DynamoStatistics
from ecrm.store.suppressions import DynamoSuppressions
from ecrm.store.topics import DynamoTopics
from ecrm.store.traits import DynamoTraits
from tests.builders import NOON, a_stored_site
from tests.simulation.shelf import Shelf
from tests.simulation.table import MemoryTable
from tests.unit.facts import some_lines, some_terms

SITE = "de"
SOURCE = "key:1"
NEWS = "news"
TABLE_ID = "the table of the company"
CLAIM, VOUCHER = Authority.CLAIM, Authority.VOUCHER


@dataclass(frozen=True, slots=True)
class Stopped:
    """A clock that says one time."""

    at: datetime

    def now(self) -> datetime:
        return self.at


class Counted:
    """Ids in the order in which they were asked for."""

    def __init__(self, after: int = 0) -> None:
        self.given = after

    def customer_id(self, _now: datetime) -> str:
        return self._next("c")

    def job_id(self, _now: datetime) -> str:
        return self._next("j")

    def key_secret(self) -> str:
        return self._next("k")

    def _next(self, letter: str) -> str:
        self.given += 1
        return f"{letter}{self.given}"


class OneRing:
    """A key that is never rotated."""

    def ring(self, *, fresh: bool = False) -> Keyring:
        del fresh
        return Keyring("1", {"1": b"for tests only"})


class OneSite:
    """Whatever site is asked for is ours."""

    def find(self, name: str, /) -> Site:
        return a_stored_site(name)

    def write(self, _site: Site, /, *, seen: int) -> Site | None:
        raise NotImplementedError


class NoFiles:
    """Nobody has exported anything."""

    def remove(self, _customer_id: str) -> int:
        return 0

    def write(self, name: str, file_format: Any, rows: Any) -> Any:
        raise NotImplementedError

    def link(self, name: str) -> str:
        raise NotImplementedError


def person(**named: str) -> tuple[Identifier, ...]:
    """Identifiers by their kinds."""
    return identifiers_of(
        SITE,
        user_id=named.get("user_id"),
        email=named.get("email"),
        phone=named.get("phone"),
        anonymous_id=named.get("anonymous_id"),
    )


@dataclass
class Company:
    table: MemoryTable
    ids: Counted = field(default_factory=Counted)
    queued: list[str] = field(default_factory=list)
    shelf: Shelf = field(default_factory=Shelf)

    def __post_init__(self) -> None:
        self.customers = DynamoCustomers(self.table, lambda: b"for tests only")
        self.orders = DynamoOrders(self.table, self.customers)
        self.behaviour = DynamoBehaviour(self.table, self.customers)
        self.profiles = DynamoProfiles(self.table, self.customers)
        self.contacts = DynamoContacts(self.table)
        self.consents = DynamoConsents(self.table, lambda: b"for tests only")
        self.contact_rows = DynamoContactRows(self.table, self.customers, self.profiles, lambda: b"for tests only")
        self.suppressions = DynamoSuppressions(self.table, lambda: b"for tests only")
        self.statistics = DynamoStatistics(self.table)
        self.requests = DynamoRequests(self.table)
        self.timeline = DynamoTimeline(self.table)
        self.jobs = DynamoJobs(self.table, self.customers, self.suppressions)
        self.erasure = DynamoErasure(self.table, self.suppressions)
        self.sends = DynamoSends(self.table, self.customers, lambda: b"for tests only")
        self.control = DynamoSendingControl(self.table, lambda: TABLE_ID)
        self.topics = DynamoTopics(self.table)

    def open(self) -> "Company":
        """Offer the one topic that there is."""
        names = {"de": "Neues"}
        self.topics.write(
            Topic(topic=NEWS, names=names, descriptions={}, double_opt_in=False, channels=(Channel.EMAIL,), updated_at=NOON),
            seen=0,
        )
        return self

    def send(self, job_id: str) -> None:
        self.queued.append(job_id)

    def place(
        self, who: tuple[Identifier, ...], order_id: str, at: datetime, now: datetime, lines: tuple[Line, ...] = ()
    ) -> Recorded:
        command = PlaceOrder(
            site=SITE,
            order_id=order_id,
            placed_at=at,
            currency="EUR",
            identifiers=who,
            lines=lines or some_lines(),
            terms=some_terms(),
            coupon=None,
            backfill=False,
            digest=order_id,
            source=SOURCE,
        )
        return place_order(
            command, None, orders=self.orders, requests=self.requests, customers=self.customers, clock=Stopped(now), ids=self.ids
        )

    def pay(self, order_id: str, event_id: str, at: datetime, now: datetime) -> Recorded:
        fact = Paid(event_id=event_id, occurred_at=at, digest=event_id)
        command = RecordOrderEvent(
            site=SITE,
            order_id=order_id,
            event_id=event_id,
            occurred_at=at,
            backfill=False,
            digest=event_id,
            source=SOURCE,
            draft=lambda _currency: Drafted(fact),
        )
        return record_order_event(command, None, orders=self.orders, requests=self.requests, clock=Stopped(now))

    def say(self, authority: Authority, said: Iterable[Said], now: datetime) -> tuple[Result, ...]:
        def apply_traits(command: ApplyTraits) -> None:
            profiles.apply_traits(command, customers=self.customers, profiles=self.profiles, clock=Stopped(now))

        def keep_order(_command: object) -> Recorded:
            raise NotImplementedError

        taking = Taking(
            site=SITE,
            source=SOURCE,
            authority=authority,
            now=now,
            behaviour=self.behaviour,
            customers=self.customers,
            ids=self.ids,
            apply_traits=apply_traits,
            keep_order=keep_order,
        )
        return taking.take(tuple(said))

    def claim(self, customer_id: str, traits: Mapping[str, Any], at: datetime, now: datetime) -> None:
        """What a browser says of a customer."""
        command = ApplyTraits(customer_id=customer_id, site=SITE, traits=traits, at=at, source="api:browser", is_claimed=True)
        profiles.apply_traits(command, customers=self.customers, profiles=self.profiles, clock=Stopped(now))

    def put(self, who: tuple[Identifier, ...], attributes: Mapping[str, Any], at: datetime, now: datetime) -> Kept:
        command = PutCustomer(
            site=SITE, identifiers=who, attributes=attributes, at=at, cause="put", source=SOURCE, backfill=False
        )
        return profiles.put_customer(command, customers=self.customers, profiles=self.profiles, clock=Stopped(now), ids=self.ids)

    def update(self, customer_id: str, attributes: Mapping[str, Any], at: datetime, now: datetime) -> Kept:
        command = UpdateCustomer(
            customer_id=customer_id,
            site=SITE,
            identifiers=(),
            attributes=attributes,
            at=at,
            cause="update",
            source=SOURCE,
            backfill=False,
        )
        return profiles.update_customer(
            command,
            None,
            customers=self.customers,
            profiles=self.profiles,
            requests=self.requests,
            clock=Stopped(now),
            ids=self.ids,
        )

    def consent(self, customer_id: str, state: State, at: datetime, now: datetime) -> Changed:
        change = ConsentChange(
            channel=Channel.EMAIL,
            topic=NEWS,
            state=state,
            at=at,
            source=None,
            method=Method.FORM,
            text_version=None,
            proof=None,
        )
        return change_consents(
            ChangeConsents(customer_id=customer_id, changes=(change,), site=SITE, source=SOURCE),
            None,
            consents=self.consents,
            customers=self.customers,
            topics=self.topics,
            requests=self.requests,
            clock=Stopped(now),
        )

    def contact(self, customer_id: str, contact_id: str, text: str, at: datetime, now: datetime) -> ContactRecorded:
        command = RecordContact(
            customer_id=customer_id,
            site=SITE,
            contact_id=contact_id,
            occurred_at=at,
            said={"text": text},
            backfill=False,
            digest=contact_id,
            source=SOURCE,
        )
        return record_contact(
            command, None, contacts=self.contacts, customers=self.customers, requests=self.requests, clock=Stopped(now)
        )

    def import_contacts(self, import_: Import, rows: Iterable[ContactRow], now: datetime) -> tuple[RowOutcome, ...]:
        return apply_contacts(
            import_,
            tuple(rows),
            store=self.contact_rows,
            customers=self.customers,
            profiles=self.profiles,
            consents=self.consents,
            topics=self.topics,
            clock=Stopped(now),
            ids=self.ids,
        )

    def merge(self, winner_id: str, loser_id: str, now: datetime) -> Kept:
        return self._join(profiles.merge_customers, winner_id, loser_id, now)

    def unmerge(self, winner_id: str, loser_id: str, now: datetime) -> Kept:
        return self._join(profiles.unmerge_customers, winner_id, loser_id, now)

    def _join(self, join: Any, winner_id: str, loser_id: str, now: datetime) -> Kept:
        joining = Joining(customer_id=winner_id, other_id=loser_id, site=SITE, source=SOURCE)
        kept: Kept = join(
            joining, None, customers=self.customers, profiles=self.profiles, requests=self.requests, clock=Stopped(now)
        )
        return kept

    def recount(self, customer_id: str) -> bool:
        return statistics.recount(
            customer_id,
            customers=self.customers,
            orders=self.orders,
            behaviour=self.behaviour,
            statistics=self.statistics,
            zone_of=lambda _site: UTC,
            traits_of=CopiedTraits(
                traits=DynamoTraits(self.table),
                customers=self.customers,
                profiles=self.profiles,
                consents=self.consents,
                clock=Stopped(NOON),
            ),
        )

    def one_click(self, customer_id: str, now: datetime) -> None:
        """Post to the address of a mail's List-Unsubscribe."""
        token = self._token(Purpose.UNSUBSCRIBE, customer_id)
        unsubscribe(token, is_everything=False, room=UnsubscribeRoom(**self._room(now)))

    def choose(self, customer_id: str, frequency: Frequency, now: datetime) -> None:
        """Send the form of the preference centre, with a "no" to the one topic, a pause and a birthday in it."""
        chosen = Choose(
            shown=frozenset({Subject(Channel.EMAIL, NEWS)}),
            wanted=frozenset(),
            frequency=frequency,
            pause=True,
            attributes={"birthday": "--02-29"},
            ip="",
        )
        self._choose(customer_id, chosen, now)

    def take_a_rest(self, customer_id: str, now: datetime) -> None:
        """Send that form with a pause in it, and nothing else that is new."""
        nothing: frozenset[Subject] = frozenset()
        chosen = Choose(shown=nothing, wanted=nothing, frequency=None, pause=True, attributes={}, ip="")
        self._choose(customer_id, chosen, now)

    def _choose(self, customer_id: str, chosen: Choose, now: datetime) -> None:
        room = PreferenceRoom(
            **self._room(now),
            books=DynamoPreferences(self.table),
            profiles=self.profiles,
            suppressions=self.suppressions,
            ids=self.ids,
            ask=lambda _: None,
        )
        choose(self._token(Purpose.PREFERENCES, customer_id), chosen, room=room)

    def _token(self, purpose: Purpose, customer_id: str) -> str:
        return seal_person(PersonLink(purpose=purpose, site=SITE, customer_id=customer_id, about=(NEWS,)), OneRing().ring())

    def _room(self, now: datetime) -> dict[str, Any]:
        return {
            "keys": OneRing(),
            "sites": OneSite(),
            "topics": self.topics,
            "consents": self.consents,
            "customers": self.customers,
            "requests": self.requests,
            "sends": lambda: self.sends,
            "clock": Stopped(now),
            "public_url": "https://shop.example.com",
        }

    def erase(self, customer_id: str, now: datetime) -> str | None:
        """Ask for an erasure; gives its job's id, None where the customer is erased already."""
        try:
            requested = jobs.request_erasure(
                customer_id, None, source=SOURCE, jobs=self.jobs, customers=self.customers, clock=Stopped(now), ids=self.ids
            )
        except Erased:
            return None
        return requested.job.job_id

    def work(self, job_id: str, now: datetime, *, at_once: int = 1_000) -> None:
        """Work on an erasure as its queue would: time is short after `at_once` questions. Raises Unavailable until it is done."""
        left = iter(range(at_once))
        jobs.work(
            job_id,
            steps={
                JobKind.ERASE_CUSTOMER: partial(
                    erasure.erase,
                    erasure=self.erasure,
                    orders=self.orders,
                    statistics=self.statistics,
                    files=NoFiles(),
                )
            },
            receipts={JobKind.ERASE_CUSTOMER: partial(erasure.receipt, logs_kept=timedelta(days=30))},
            is_late=lambda: next(left, None) is None,
            jobs=self.jobs,
            queue=self,
            clock=Stopped(now),
        )
        job = self.jobs.find(job_id)
        if job is None or job.state is not JobState.DONE:
            raise Unavailable("the job is not done yet")
