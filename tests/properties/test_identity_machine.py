"""Who is one person, and which facts they have, whatever is said in any order and more than once: the company agrees with a
registrar who keeps cards by hand.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ecrm.application.behaviour import Said
from ecrm.application.customers import TimelineRange, read_timeline
from ecrm.application.identity import follow
from ecrm.domain.behaviour import TITLES
from ecrm.domain.customers import Identifier, Kind
from ecrm.domain.errors import Conflict, Erased
from ecrm.store.keys import customer_id_of
from tests.builders import NOON
from tests.properties.registry import DEVICE, EMAIL, KINDS, PHONE, USER, Card, Refused, Registry, Told, TooLate, Word
from tests.simulation.company import CLAIM, SITE, VOUCHER, Company, person
from tests.simulation.table import MemoryTable

FACTS = frozenset({"order.placed", "page.viewed"})
VALUES = {USER: ("u1", "u2"), EMAIL: ("e1@example.com", "e2@example.com"), DEVICE: ("b1", "b2", "b3"), PHONE: ("p1",)}
WORDS = [(kind, value) for kind, some in VALUES.items() for value in some]


def named(*kinds: str) -> st.SearchStrategy[tuple[Word, ...]]:
    """One identifier or more, of some kinds."""
    each = (st.none() | st.sampled_from([(kind, value) for value in VALUES[kind]]) for kind in kinds)
    return st.tuples(*each).map(lambda words: tuple(word for word in words if word is not None)).filter(bool)


age = st.sampled_from((0, 0, 0, 1, 5))
"""How many minutes ago something happened."""
place = st.integers(0, 11)
"""Which of those who are there, counted round and round."""


def instant(minute: int) -> datetime:
    return NOON + timedelta(minutes=minute)


def identifier(word: Word) -> Identifier:
    kind, value = word
    return Identifier(Kind(kind), value, SITE if kind in (USER, DEVICE) else "")


class People(RuleBasedStateMachine):
    """A minute goes by with each step. Whatever was said may be said again, at any time, and as it was."""

    def __init__(self) -> None:
        super().__init__()
        self.company = Company(MemoryTable())
        self.registry = Registry()
        self.ids: list[str] = []
        self.orders: dict[str, Card] = {}
        self.minute = 0
        self.said: list[Callable[[], None]] = []

    @rule(who=named(USER, DEVICE), ago=age)
    def a_browser_shows_a_page(self, who: tuple[Word, ...], ago: int) -> None:
        self._say(Told(who, is_voucher=False, is_statement=False, at=self.minute - ago, fact=f"page-{self.minute}"))

    @rule(who=named(USER, DEVICE), ago=age)
    def a_browser_identifies(self, who: tuple[Word, ...], ago: int) -> None:
        self._say(Told(who, is_voucher=False, is_statement=True, at=self.minute - ago))

    @rule(who=named(USER, DEVICE), ago=age)
    def a_server_tracks(self, who: tuple[Word, ...], ago: int) -> None:
        self._say(Told(who, is_voucher=True, is_statement=False, at=self.minute - ago, fact=f"page-{self.minute}"))

    @rule(who=named(*KINDS), ago=age)
    def a_server_identifies(self, who: tuple[Word, ...], ago: int) -> None:
        self._say(Told(who, is_voucher=True, is_statement=True, at=self.minute - ago))

    def _say(self, told: Told) -> None:
        self._once(partial(self._behaviour, told, f"said-{self.minute}"))

    def _behaviour(self, told: Told, name: str) -> None:
        said = Said(
            identifiers=person(**dict(told.identifiers)),
            name=told.fact or name,
            at=instant(told.at),
            corrected_at=None,
            backfill=False,
            event_type="page.viewed" if told.fact else None,
            is_statement=told.is_statement,
        )
        (result,) = self.company.say(VOUCHER if told.is_voucher else CLAIM, [said], instant(self.minute))
        if outcome(partial(self.registry.tell, told)) == "too late" and told.is_voucher:
            assert isinstance(result, Erased)
        else:
            assert result is None

    @rule(who=named(*KINDS), ago=age)
    def an_order_is_placed(self, who: tuple[Word, ...], ago: int) -> None:
        told = Told(who, is_voucher=True, is_statement=False, at=self.minute - ago, fact=f"order-{self.minute}")
        self._once(partial(self._order, told))

    def _order(self, told: Told) -> None:
        name = str(told.fact)

        def expected() -> None:
            if name in self.orders and self.orders[name].is_erased:
                raise TooLate
            if name not in self.orders:
                self.orders[name] = self.registry.tell(told)

        place = partial(self.company.place, person(**dict(told.identifiers)), name, instant(told.at), instant(self.minute))
        assert self._expected_of(told, expected) == outcome(place)

    def _expected_of(self, told: Told, expected: Callable[[], None]) -> str:
        return "too late" if self.registry.is_too_late(told) else outcome(expected)

    @rule(who=named(*KINDS), ago=age)
    def a_customer_is_put(self, who: tuple[Word, ...], ago: int) -> None:
        self._once(partial(self._put, Told(who, is_voucher=True, is_statement=True, at=self.minute - ago)))

    def _put(self, told: Told) -> None:
        put = partial(self.company.put, person(**dict(told.identifiers)), {}, instant(told.at), instant(self.minute))
        assert outcome(partial(self.registry.tell, told)) == outcome(put)

    @precondition(lambda self: self.ids)
    @rule(winner=place, loser=place)
    def two_are_merged(self, winner: int, loser: int) -> None:
        self._once(partial(self._join, self.company.merge, self.registry.merge, *self._two(winner, loser)))

    @precondition(lambda self: self.ids)
    @rule(winner=place, loser=place)
    def two_are_unmerged(self, winner: int, loser: int) -> None:
        self._once(partial(self._join, self.company.unmerge, self.registry.unmerge, *self._two(winner, loser)))

    @precondition(lambda self: any(card.joined_to for card in self.registry.cards))
    @rule(at=place)
    def one_is_taken_out(self, at: int) -> None:
        parts = [card for card in self.registry.cards if card.joined_to]
        part = parts[at % len(parts)]
        self._once(partial(self._join, self.company.unmerge, self.registry.unmerge, part.top, part))

    def _two(self, *places: int) -> tuple[Card, ...]:
        return tuple(self.registry.cards[at % len(self.ids)] for at in places)

    def _join(self, company: Callable[..., object], registry: Callable[..., object], winner: Card, loser: Card) -> None:
        theirs = partial(company, self.ids[winner.number], self.ids[loser.number], instant(self.minute))
        assert outcome(partial(registry, winner, loser)) == outcome(theirs)

    @precondition(lambda self: self.ids)
    @rule(at=place)
    def one_is_erased(self, at: int) -> None:
        self._once(partial(self._erase, *self._two(at)))

    def _erase(self, card: Card) -> None:
        job_id = self.company.erase(self.ids[card.number], instant(self.minute))
        assert (outcome(partial(self.registry.erase, card, self.minute)) == "too late") is (job_id is None)
        if job_id:
            self.company.work(job_id, instant(self.minute))

    @precondition(lambda self: self.said)
    @rule(at=st.integers(0, 50))
    def it_is_said_again(self, at: int) -> None:
        self._do(self.said[-1 - at % len(self.said)])

    def _once(self, call: Callable[[], None]) -> None:
        self.said.append(call)
        self._do(call)

    def _do(self, call: Callable[[], None]) -> None:
        call()
        known = {customer_id_of(item["PK"]) for item in self.company.table.items("PROFILE")}
        self.ids += known - set(self.ids)
        assert len(self.registry.cards) == len(self.ids)
        self.minute += 1

    @invariant()
    def the_cards_say_who_is_one(self) -> None:
        for card, customer_id in zip(self.registry.cards, self.ids, strict=True):
            found = self.company.customers.find(customer_id)
            assert found is not None
            assert card.is_erased == (found.erased_at is not None)
            if not card.is_erased:
                root = follow(customer_id, self.company.customers)
                assert root is not None
                assert self.ids[card.top.number] == root.customer_id
                assert {self.ids[each.number] for each in card.all} == set(found.partitions)
                assert set(map(identifier, card.words)) == set(found.identifiers)
                assert card.is_vouched == found.is_vouched

    @invariant()
    def the_index_says_where_each_identifier_leads(self) -> None:
        held = self.company.customers.held(map(identifier, WORDS), consistent=True)
        for word in WORDS:
            card, found = self.registry.leads(word), held.get(identifier(word))
            leads = follow(found.customer_id, self.company.customers) if found and found.customer_id else None
            assert (self.ids[card.number] if card else None) == (leads.customer_id if leads else None)
            if found:
                entry = self.registry.index[word]
                erased_at = None if entry.erased_at is None else instant(entry.erased_at)
                assert (entry.is_claimed and card is not None, erased_at) == (found.is_claimed, found.erased_at)

    @invariant()
    def nobody_has_two_user_ids(self) -> None:
        for item in self.company.table.items("PROFILE"):
            assert 2 > len([i for i in item["identifiers"] if i["kind"] == USER])

    @invariant()
    def each_person_has_their_facts_once(self) -> None:
        for card in self.registry.people():
            page = read_timeline(
                self.ids[card.number],
                TimelineRange(types=FACTS, first=None, last=None),
                after=None,
                limit=1_000,
                customers=self.company.customers,
                timeline=self.company.timeline,
                now=instant(self.minute),
            )
            facts = [event.data.get("order_id") or event.id.removeprefix("behaviour:") for event in page.items]
            assert sorted({fact for each in card.all for fact in each.facts}) == sorted(facts)
            orders = [order.order_id for each in card.all for order in self.company.orders.of_customer(self.ids[each.number])]
            assert sorted(fact for fact in facts if fact.startswith("order-")) == sorted(orders)

    def teardown(self) -> None:
        """The projection counts what the cards say."""
        for card in self.registry.people():
            self.company.recount(self.ids[card.number])
            row = self.company.statistics.find(self.ids[card.number])
            facts = {fact for each in card.all for fact in each.facts}
            assert row is not None
            pages = row[0].behaviour.events.get(TITLES["page.viewed"])
            counted = (row[0].orders, sum(pages.days.values()) if pages else 0)
            assert (
                len([f for f in facts if f.startswith("order-")]),
                len([f for f in facts if f.startswith("page-")]),
            ) == counted


def outcome(call: Callable[[], Any]) -> str:
    """What became of it, in one word."""
    try:
        call()
    except (TooLate, Erased):
        return "too late"
    except (Refused, Conflict):
        return "refused"
    return "done"


TestPeople = People.TestCase
TestPeople.settings = settings(max_examples=200, stateful_step_count=30)


U1, U2, E1, E2, B1, *_ = WORDS


def told(people: People) -> None:
    """What a story has told agrees with the cards."""
    people.the_cards_say_who_is_one()
    people.the_index_says_where_each_identifier_leads()
    people.nobody_has_two_user_ids()
    people.each_person_has_their_facts_once()
    people.teardown()


def test_two_user_ids_that_meet_over_a_device_and_an_address_stay_two_people() -> None:
    people = People()
    people.an_order_is_placed((U2, E1), 0)
    people.a_browser_shows_a_page((B1,), 0)
    people.a_customer_is_put((U1, E1, B1), 0)
    told(people)
    assert 2 == len(people.registry.people())


def test_a_device_leads_to_whoever_is_named_with_it_after_its_holder_was_erased() -> None:
    people = People()
    people.a_browser_identifies((U1, B1), 0)
    people.a_server_identifies((E2,), 0)
    people.a_server_identifies((E2, B1), 0)
    people.one_is_erased(1)
    people.a_server_tracks((U1, B1), 0)
    told(people)
    assert people.registry.leads(B1) is people.registry.cards[0]


def test_who_is_taken_out_with_what_a_server_said_of_them_is_vouched_for() -> None:
    people = People()
    people.a_browser_identifies((B1,), 0)
    people.a_server_identifies((E1,), 0)
    people.two_are_merged(1, 0)
    people.a_server_identifies((E1, B1), 0)
    people.one_is_taken_out(0)
    told(people)
    assert people.registry.cards[0].is_vouched
