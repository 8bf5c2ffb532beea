"""C1, C2, C4 over a customer's own pages: strangers sign others up, readers press every button, time goes by, some complain.

The forms come in by the door of `public_api`, and what holds is written down by hand beside them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ecrm.application.consent import ChangeConsents, ConsentChange, change_consents
from ecrm.application.mail_ports import Blocked
from ecrm.application.opt_ins import OptInRoom, confirm_opt_in, read_opt_in
from ecrm.application.ports import Standing
from ecrm.application.preferences import PreferenceRoom, choose, read_preferences, stop_everything
from ecrm.application.subscriptions import Confirmations, Subscribe
from ecrm.application.suppressions import SuppressAddress, suppress_address
from ecrm.application.unsubscribes import UnsubscribeRoom, read_unsubscribing, unsubscribe
from ecrm.domain.consent import Channel, ConsentFact, Method, State, Subject, fact_of, fold
from ecrm.domain.customers import Identifier, Kind
from ecrm.domain.links import Language, PersonLink, Purpose, ends_at, mark_of, seal_person
from ecrm.domain.messages import Policy, Send, claim
from ecrm.domain.preferences import Frequency
from ecrm.domain.suppressions import Address, Reason
from ecrm.domain.topics import Topic
from ecrm.entry.preferences import chosen
from ecrm.entry.public import Posted, PublicPages
from ecrm.messaging.person_pages import PersonPages
from ecrm.messaging.rendering import Pages
from ecrm.store.customers import DynamoCustomers
from ecrm.store.limits import DynamoLimits
from ecrm.store.messages import DynamoSends
from ecrm.store.preferences import DynamoPreferences
from ecrm.store.sites import DynamoSites
from tests.builders import NOON, a_planned_send, a_request, a_stored_site, its_request
from tests.simulation.company import SITE, Company, OneRing, Stopped
from tests.simulation.table import MemoryTable
from tests.simulation.test_unconfirmed import Ids, removed

ADDRESSES = ("a@example.com", "b@example.com")
TOPICS = ("news", "offers")
DAY = timedelta(days=1)
LASTS, KEPT = timedelta(hours=72), timedelta(days=30)
FORM = {"content-type": "application/x-www-form-urlencoded"}
PAGES = Pages()
PERSON_PAGES = PersonPages(PAGES)

address = st.sampled_from(ADDRESSES)
topic = st.sampled_from(TOPICS)
ANY = (frozenset[str](), frozenset({"news"}), frozenset({"offers"}), frozenset(TOPICS))
some_topics = st.sampled_from(ANY)


@dataclass(frozen=True)
class Mailed:
    """A confirmation mail in somebody's mailbox."""

    at: datetime
    path: str
    topics: frozenset[str]


@dataclass
class Reader:
    """What somebody has said who reads the mail of an address, and what came there."""

    customer_id: str | None = None
    mails: list[Mailed] = field(default_factory=list)
    asked_at: list[datetime] = field(default_factory=list)
    since_proven: int = 0
    signed_up_at: datetime | None = None
    is_known: bool = False
    has_marketing: bool = False
    is_suppressed: bool = False
    agreed: set[str] = field(default_factory=set)
    refused_by_service: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    history: list[str] = field(default_factory=list)

    def may_be_asked(self, now: datetime) -> bool:
        return not self.is_suppressed and self.since_proven < 3 and not any(now < at + DAY for at in self.asked_at)


class OwnPages(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.company = Company(MemoryTable(), Ids())
        self.now = NOON
        self.readers = {each: Reader() for each in ADDRESSES}
        self.sent: list[Send] = []
        for name in TOPICS:
            offered = Topic(
                topic=name, names={"en": name}, descriptions={}, double_opt_in=True, channels=(Channel.EMAIL,), updated_at=NOON
            )
            self.company.topics.write(offered, seen=0)
        self.sites = DynamoSites(self.company.table)
        self.sites.write(replace(a_stored_site(SITE), sender="hello@example.com"), seen=0)

    # ── what happens ─────────────────────────────────────────────────────────────────────────────────────────────────

    @initialize(subscribed=st.sampled_from(((), ADDRESSES[:1], ADDRESSES)), topics=st.sampled_from(ANY[1:]))
    def some_have_confirmed_and_had_a_mail(self, subscribed: tuple[str, ...], topics: frozenset[str]) -> None:
        for email in subscribed:
            self.somebody_signs_up(email, topics)
            self.a_reader_confirms(email, 0)
            self.a_campaign_is_sent(email, min(topics))

    @rule(hours=st.sampled_from((1, 23, 24, 71, 72, 24 * 10, 24 * 31, 24 * 400)))
    def time_goes_by(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule(email=address, topics=st.sampled_from(ANY[1:]))
    def somebody_signs_up(self, email: str, topics: frozenset[str]) -> None:
        self._tick()
        reader = self.readers[email]
        asked = Subscribe(
            site=SITE, email=email, topics=tuple(sorted(topics)), language="fa", text_version=None, ip=f"of {self.now}"
        )
        sent = self._confirmations().subscribe(asked)
        wanted = topics - reader.agreed
        assert (sent is not None) == (bool(wanted) and reader.may_be_asked(self.now))
        if sent is not None:
            reader.customer_id = reader.customer_id or sent.customer_id
            self._was_asked(email, sent, wanted)
            reader.signed_up_at = self.now

    @rule(email=address, which=st.integers(0, 7))
    def a_reader_confirms(self, email: str, which: int) -> None:
        reader = self.readers[email]
        if not reader.mails:
            return
        self._tick()
        mail = reader.mails[which % len(reader.mails)]
        is_open = self.now < mail.at + LASTS
        assert (200 if is_open else 404) == self._post(mail.path, {"do": "confirm"})
        if is_open and mail.path not in reader.used:
            reader.used.add(mail.path)
            self._has_proven(reader, mail.topics)

    @precondition(lambda self: self._anybody_reads())
    @rule(email=address, name=topic, everything=st.booleans(), times=st.integers(1, 2))
    def a_reader_unsubscribes(self, email: str, name: str, times: int, *, everything: bool) -> None:
        """By one click or on the page; also again, which changes nothing."""
        reader = self.readers[email]
        if not reader.has_marketing:
            return
        path = self._path(Purpose.UNSUBSCRIBE, email, about=(name,))
        for time in range(times):
            self._tick()
            before = self.company.table.items()
            body = {"scope": "all"} if everything else {"List-Unsubscribe": "One-Click"}
            assert 200 == self._post(path, body)
            assert before == self.company.table.items() or not time
        reader.agreed -= set(TOPICS) if everything else {name}

    @precondition(lambda self: self._anybody_reads())
    @rule(
        email=address,
        wanted=some_topics,
        shown=some_topics,
        frequency=st.sampled_from(("", *Frequency)),
        pause=st.sampled_from(("", "start", "end")),
    )
    def a_reader_chooses(self, email: str, wanted: frozenset[str], shown: frozenset[str], frequency: str, pause: str) -> None:
        reader = self.readers[email]
        if not reader.has_marketing:
            return
        self._tick()
        reader.agreed -= shown - wanted
        raised = wanted - reader.agreed
        to_ask = raised if reader.is_suppressed else raised & reader.refused_by_service
        fields = {"shown": sorted(shown), "topic": sorted(wanted), "frequency": frequency, "pause": pause}
        self.sent.clear()
        may_be_asked = reader.may_be_asked(self.now)
        if raised - to_ask:
            self._has_proven(reader, raised - to_ask)
            may_be_asked = reader.may_be_asked(self.now)
        assert 200 == self._post(self._path(Purpose.PREFERENCES, email), fields)
        assert bool(self.sent) == (bool(to_ask) and may_be_asked)
        for sent in self.sent:
            self._was_asked(email, sent, to_ask)

    @precondition(lambda self: self._anybody_reads())
    @rule(email=address)
    def a_reader_stops_everything(self, email: str) -> None:
        reader = self.readers[email]
        if reader.has_marketing:
            self._tick()
            assert 200 == self._post(self._path(Purpose.PREFERENCES, email), {"do": "stop"})
            reader.agreed.clear()

    @rule(email=address, name=topic)
    def the_service_writes_down_a_no(self, email: str, name: str) -> None:
        reader = self.readers[email]
        if reader.customer_id is None:
            return
        self._tick()
        change = ConsentChange(
            channel=Channel.EMAIL,
            topic=name,
            state=State.DENIED,
            at=self.now,
            source=None,
            method=Method.SERVICE,
            text_version=None,
            proof=None,
        )
        change_consents(
            ChangeConsents(customer_id=reader.customer_id, changes=(change,), site=SITE, source="key:1"),
            None,
            consents=self.company.consents,
            customers=self.company.customers,
            topics=self.company.topics,
            requests=self.company.requests,
            clock=Stopped(self.now),
        )
        reader.is_known = True
        reader.agreed.discard(name)
        reader.refused_by_service.add(name)

    @rule(email=address)
    def a_reader_complains(self, email: str) -> None:
        self._tick()
        said = SuppressAddress(
            address=Address(Channel.EMAIL, email), reason=Reason.COMPLAINT, at=self.now, source="ses", note=None
        )
        suppress_address(
            said, None, suppressions=self.company.suppressions, requests=self.company.requests, clock=Stopped(self.now)
        )
        self.readers[email].is_suppressed = True

    @rule()
    def a_night_comes(self) -> None:
        """Who has only been signed up, and for thirty days has not answered, is gone with it; so are their links."""
        self._tick()
        removed(self.company, self.now)
        for email, reader in self.readers.items():
            is_over = reader.signed_up_at is not None and reader.signed_up_at + KEPT <= self.now
            if is_over and not reader.is_known:
                assert [404] * len(reader.mails) == [self._post(mail.path, {"do": "confirm"}) for mail in reader.mails]
                assert self._holder(email) is None
                reader.customer_id, reader.signed_up_at, reader.mails, reader.history = None, None, [], []

    @rule(email=address, name=topic)
    def a_campaign_is_sent(self, email: str, name: str) -> None:
        """The claim before a marketing mail, as the sender makes it, holds for those alone who have said yes."""
        reader = self.readers[email]
        if reader.customer_id is None:
            return
        self._tick()
        table = self.company.table.fork()
        customers = DynamoCustomers(table, lambda: b"for tests only")
        sends = DynamoSends(table, customers, lambda: b"for tests only")
        planned = a_planned_send("run-1", reader.customer_id, self.now, policy=Policy.MARKETING, topic=name)
        sends.add(planned, its_request(planned), Standing(reader.customer_id), None)
        customer = customers.find(reader.customer_id)
        assert customer is not None
        try:
            sends.claim(claim(planned, self.now), customer, email, None, self.now)
        except Blocked:
            is_sent = False
        else:
            is_sent = True
        assert is_sent == (name in reader.agreed and not reader.is_suppressed)
        reader.has_marketing |= is_sent

    # ── what always holds ────────────────────────────────────────────────────────────────────────────────────────────

    @invariant()
    def a_state_is_the_fold_of_a_history_that_only_grows(self) -> None:
        for reader in self.readers.values():
            if reader.customer_id is None:
                continue
            page = self.company.timeline.events(
                (reader.customer_id,), frozenset({"consent.changed"}), now=self.now, since=None, before=None, limit=1_000
            )
            facts: dict[Subject, list[ConsentFact]] = {}
            for event in page.items:
                assert event.source
                assert event.data["text_version"]
                subject = Subject(Channel(event.data["channel"]), event.data["topic"])
                facts.setdefault(subject, []).append(fact_of(event.corrected_at or event.occurred_at, event.data))
            assert {subject: fold(told) for subject, told in facts.items()} == self.company.consents.of(
                reader.customer_id
            ).consents
            history = [event.id for event in page.items]
            assert set(reader.history) <= set(history)
            reader.history = history

    @invariant()
    def nobody_is_asked_more_than_once_a_day_or_three_times_until_they_answer(self) -> None:
        for reader in self.readers.values():
            assert all(later - at >= DAY for at, later in zip(reader.asked_at, reader.asked_at[1:], strict=False))
            assert reader.since_proven <= 3

    @invariant()
    def granted_is_what_was_agreed_to(self) -> None:
        for reader in self.readers.values():
            if reader.customer_id is not None:
                book = self.company.consents.of(reader.customer_id).consents
                assert reader.agreed == {subject.topic for subject, consent in book.items() if consent.state is State.GRANTED}

    # ── how ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _anybody_reads(self) -> bool:
        return any(reader.has_marketing for reader in self.readers.values())

    def _tick(self) -> None:
        self.now += timedelta(seconds=1)

    def _was_asked(self, email: str, sent: Send, topics: frozenset[str]) -> None:
        reader = self.readers[email]
        path = self._path(Purpose.CONFIRM, email, reference=sent.run_id, expires_at=ends_at(Purpose.CONFIRM, self.now))
        reader.mails.append(Mailed(self.now, path, topics))
        reader.asked_at.append(self.now)
        reader.since_proven += 1

    @staticmethod
    def _has_proven(reader: Reader, topics: frozenset[str]) -> None:
        reader.agreed |= topics
        reader.refused_by_service -= topics
        reader.since_proven = 0
        reader.is_known = True

    def _holder(self, email: str) -> str | None:
        held = self.company.customers.held([Identifier(Kind.EMAIL, email)], consistent=True)
        return next((each.customer_id for each in held.values()), None)

    def _path(self, purpose: Purpose, email: str, **said: Any) -> str:
        digest = self.company.consents.digest(Channel.EMAIL, email)
        link = PersonLink(
            purpose=purpose,
            site=SITE,
            customer_id=str(self.readers[email].customer_id),
            sent_to=mark_of(digest),
            language=Language.ENGLISH,
            **said,
        )
        place = {Purpose.UNSUBSCRIBE: "u"}.get(purpose, purpose.value)
        return f"/public/{place}/{seal_person(link, OneRing().ring())}"

    def _post(self, path: str, fields: Mapping[str, Any]) -> int:
        """Look at a page, which changes nothing, and press its button."""
        door, before = self._door(), self.company.table.items()
        shown = door(a_request("GET", path), None)["statusCode"]
        assert before == self.company.table.items()
        answer = door(a_request("POST", path, body=urlencode(fields, doseq=True), headers=FORM), None)["statusCode"]
        assert shown == answer
        return int(answer)

    def _confirmations(self) -> Confirmations:
        company = self.company
        return Confirmations(
            limits=DynamoLimits(company.table, lambda: b"for tests only"),
            customers=company.customers,
            consents=company.consents,
            suppressions=company.suppressions,
            topics=company.topics,
            requests=company.requests,
            sites=self.sites,
            sends=company.sends,
            clock=Stopped(self.now),
            ids=company.ids,  # type: ignore[arg-type]  # of messages, too
            refused=lambda: None,
        )

    def _door(self) -> PublicPages:
        """The routes as `public_api` has them, at this moment."""
        company = self.company
        room: dict[str, Any] = {
            "keys": OneRing(),
            "sites": self.sites,
            "topics": company.topics,
            "consents": company.consents,
            "customers": company.customers,
            "requests": company.requests,
            "clock": Stopped(self.now),
        }
        leaving = UnsubscribeRoom(**room, sends=lambda: company.sends, public_url="https://shop.example.com")
        choosing = PreferenceRoom(
            **room,
            sends=lambda: company.sends,
            public_url="https://shop.example.com",
            books=DynamoPreferences(company.table),
            profiles=company.profiles,
            suppressions=company.suppressions,
            ids=company.ids,
            ask=lambda asked: self.sent.extend(filter(None, [self._confirmations().ask_to_confirm(asked)])),
        )
        confirming = OptInRoom(**room, sends=company.sends, timeline=company.timeline, profiles=company.profiles, ids=company.ids)

        def unsubscribed(posted: Posted) -> str:
            page = unsubscribe(posted.token, is_everything=posted.one("scope") == "all", room=leaving)
            assert page is not None
            return PERSON_PAGES.unsubscribe(page, Language.ENGLISH)

        def preferred(posted: Posted) -> str:
            if posted.one("do") == "stop":
                return PERSON_PAGES.preferences(stop_everything(posted.token, room=choosing), Language.ENGLISH)
            return PERSON_PAGES.preferences(choose(posted.token, chosen(posted), room=choosing), Language.ENGLISH)

        def page[Told](show: Callable[[Told, Language], str], read: Callable[[str], Told]) -> Callable[[Any], str]:
            return lambda visit: show(read(visit.token), Language.ENGLISH)

        door = PublicPages(lambda: PAGES)
        left = page(PERSON_PAGES.unsubscribe, lambda token: read_unsubscribing(token, room=leaving))
        door.form("/public/u/{token}", left, unsubscribed, takes_anything=True)
        door.form(
            "/public/preferences/{token}",
            page(PERSON_PAGES.preferences, lambda token: read_preferences(token, room=choosing)),
            preferred,
        )
        door.form(
            "/public/confirm/{token}",
            page(PERSON_PAGES.opt_in, lambda token: read_opt_in(token, room=confirming)),
            page(PERSON_PAGES.opt_in, lambda token: confirm_opt_in(token, ip="192.0.2.1", room=confirming)),
        )
        return door


OwnPages.TestCase.settings = settings(max_examples=500, stateful_step_count=30, deadline=None)
test_what_holds_is_what_the_readers_have_said = OwnPages.TestCase


def test_who_came_back_by_their_own_page_may_be_asked_three_times_anew() -> None:
    """A walk too rare to be met by chance: whatever its reader has proven last, no earlier count of mails comes back."""
    walk, news = OwnPages(), ANY[1]
    walk.some_have_confirmed_and_had_a_mail(ADDRESSES[:1], news)
    for wanted in (ANY[0], news, ANY[0]):
        walk.a_reader_chooses(ADDRESSES[0], wanted, news, "", "")
    for _ in range(5):
        walk.time_goes_by(24)
        walk.somebody_signs_up(ADDRESSES[0], news)
