"""C4: the unconfirmed get no marketing, and confirmation mails come once a day and thrice in all at most, whoever asks."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ecrm.application.consent import ChangeConsents, ConsentChange, change_consents, read_consents
from ecrm.application.opt_ins import OptInRoom, confirm_opt_in, read_opt_in
from ecrm.application.subscriptions import Confirmations, SignUp, Subscribe, read_sign_up
from ecrm.application.suppressions import SuppressAddress, suppress_address
from ecrm.domain.consent import Channel, Method, State
from ecrm.domain.customers import Identifier, Kind
from ecrm.domain.errors import NotFound
from ecrm.domain.links import Keyring, PersonLink, Purpose, ends_at, mark_of, seal_person
from ecrm.domain.sites import Site
from ecrm.domain.suppressions import Address, Reason
from ecrm.domain.topics import Topic
from ecrm.store.limits import DynamoLimits
from ecrm.store.sites import DynamoSites
from tests.builders import NOON
from tests.simulation.company import SITE, Company, Counted, Stopped
from tests.simulation.table import MemoryTable

ADDRESSES = ("a@example.com", "b@example.com")
TOPICS = ("news", "offers")
DAY = timedelta(days=1)
LASTS = timedelta(hours=72)

address = st.sampled_from(ADDRESSES)


class Keys:
    """One key of links."""

    def ring(self, *, fresh: bool = False) -> Keyring:
        del fresh
        return Keyring("1", {"1": b"for tests only"})


class Ids(Counted):
    """The company's, and those of messages: as wide as real ones."""

    def message_id(self, _now: datetime) -> str:
        return f"{self._next('m')[1:]:0>32}"


@dataclass
class Reader:
    """What somebody has who reads the mail of an address, written down by hand."""

    mails: list[tuple[datetime, SignUp]] = field(default_factory=list)
    asked_at: list[datetime] = field(default_factory=list)
    since_confirmed: int = 0
    agreed: set[str] = field(default_factory=set)
    is_suppressed: bool = False


class SigningUp(RuleBasedStateMachine):
    """Strangers type addresses into the form at any hour; readers confirm, leave, or complain."""

    def __init__(self) -> None:
        super().__init__()
        self.company = Company(MemoryTable())
        self.now = NOON
        self.ids = Ids()
        self.readers = {each: Reader() for each in ADDRESSES}
        for topic in TOPICS:
            offered = Topic(
                topic=topic, names={"en": topic}, descriptions={}, double_opt_in=True, channels=(Channel.EMAIL,), updated_at=NOON
            )
            self.company.topics.write(offered, seen=0)
        self.sites = DynamoSites(self.company.table)
        site = Site(
            site=SITE,
            brand="Blue Note",
            languages=("en",),
            time_zone="UTC",
            currency="EUR",
            sender="hello@example.com",
            updated_at=NOON,
        )
        self.sites.write(site, seen=0)

    @rule(hours=st.sampled_from((1, 5, 23, 24, 71, 72, 24 * 30, 24 * 400)))
    def time_goes_by(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule(email=address, topics=st.sets(st.sampled_from(TOPICS), min_size=1))
    def somebody_signs_up(self, email: str, topics: set[str]) -> None:
        self.now += timedelta(seconds=1)
        reader = self.readers[email]
        confirmations = Confirmations(
            limits=DynamoLimits(self.company.table, lambda: b"for tests only"),
            customers=self.company.customers,
            consents=self.company.consents,
            suppressions=self.company.suppressions,
            topics=self.company.topics,
            requests=self.company.requests,
            sites=self.sites,
            sends=self.company.sends,
            clock=Stopped(self.now),
            ids=self.ids,
            refused=lambda: None,
        )
        asked = Subscribe(
            site=SITE, email=email, topics=tuple(sorted(topics)), language=None, text_version=None, ip=f"of {self.now}"
        )
        sent = confirmations.subscribe(asked)
        is_due = not any(self.now < at + DAY for at in reader.asked_at) and reader.since_confirmed < 3
        assert (sent is not None) == (is_due and not reader.is_suppressed and bool(topics - reader.agreed))
        if sent is not None:
            found = read_sign_up(sent.customer_id, sent.run_id, sends=self.company.sends, timeline=self.company.timeline)
            assert set(found.topics) == topics - reader.agreed
            reader.mails.append((self.now, found))
            reader.asked_at.append(self.now)
            reader.since_confirmed += 1

    @precondition(lambda self: any(reader.mails for reader in self.readers.values()))
    @rule(email=address, which=st.integers(0, 5))
    def a_reader_confirms(self, email: str, which: int) -> None:
        reader = self.readers[email]
        if reader.mails:
            self.now += timedelta(seconds=1)
            at, found = reader.mails[which % len(reader.mails)]
            if self.now >= at + LASTS:
                with pytest.raises(NotFound):
                    self._confirm(found)
            elif self._confirm(found):
                reader.agreed |= set(found.topics)
                reader.since_confirmed = 0

    @rule(email=address)
    def a_reader_leaves(self, email: str) -> None:
        customer_id = self._customer_id(email)
        if customer_id:
            self.now += timedelta(seconds=1)
            self._leave(customer_id)
            self.readers[email].agreed = set()

    @rule(email=address)
    def a_reader_complains(self, email: str) -> None:
        suppressed = SuppressAddress(
            address=Address(Channel.EMAIL, email), reason=Reason.COMPLAINT, at=self.now, source="ses", note=None
        )
        suppress_address(
            suppressed, None, suppressions=self.company.suppressions, requests=self.company.requests, clock=Stopped(self.now)
        )
        self.readers[email].is_suppressed = True

    @invariant()
    def only_what_was_confirmed_may_be_written_about(self) -> None:
        for email, reader in self.readers.items():
            customer_id = self._customer_id(email)
            view = customer_id and read_consents(
                customer_id,
                consents=self.company.consents,
                customers=self.company.customers,
                suppressions=self.company.suppressions,
                clock=Stopped(self.now),
            )
            held = {one.subject.topic for one in view.consents if one.effective is State.GRANTED} if view else set()
            assert (set() if reader.is_suppressed else reader.agreed) == held

    def _customer_id(self, email: str) -> str | None:
        held = self.company.customers.held([Identifier(Kind.EMAIL, email)], consistent=True)
        return next((each.customer_id for each in held.values()), None)

    def _confirm(self, sign_up: SignUp) -> bool:
        """Press the button behind a mail's link; says whether that was the first time."""
        digest = self.company.consents.digest(Channel.EMAIL, self._address_of(sign_up.customer_id))
        link = PersonLink(
            purpose=Purpose.CONFIRM,
            site=SITE,
            customer_id=sign_up.customer_id,
            sent_to=mark_of(digest),
            reference=sign_up.message_id,
            expires_at=ends_at(Purpose.CONFIRM, sign_up.asked_at),
        )
        room = OptInRoom(
            keys=Keys(),
            sites=self.sites,
            topics=self.company.topics,
            consents=self.company.consents,
            customers=self.company.customers,
            requests=self.company.requests,
            sends=self.company.sends,
            timeline=self.company.timeline,
            profiles=self.company.profiles,
            clock=Stopped(self.now),
            ids=self.ids,
        )
        token = seal_person(link, Keys().ring())
        was_done = read_opt_in(token, room=room).is_done
        assert confirm_opt_in(token, ip="192.0.2.1", room=room).is_done
        return not was_done

    def _address_of(self, customer_id: str) -> str:
        customer = self.company.customers.find(customer_id)
        assert customer is not None
        return customer.identifiers[-1].value

    def _leave(self, customer_id: str) -> None:
        changes = tuple(
            ConsentChange(
                channel=Channel.EMAIL,
                topic=topic,
                state=State.DENIED,
                at=self.now,
                source=None,
                method=Method.API,
                text_version=None,
                proof=None,
            )
            for topic in TOPICS
        )
        change_consents(
            ChangeConsents(customer_id=customer_id, changes=changes, site=SITE, source="api"),
            None,
            consents=self.company.consents,
            customers=self.company.customers,
            topics=self.company.topics,
            requests=self.company.requests,
            clock=Stopped(self.now),
        )


SigningUp.TestCase.settings = settings(max_examples=200, stateful_step_count=25, deadline=None)
test_nobody_is_flooded_and_nobody_is_written_to_unasked = SigningUp.TestCase
