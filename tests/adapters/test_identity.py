"""Who may say who somebody is: the cases of docs/decisions/0016, each a story of what is said in turn.

A visitor's browser and whoever has a write key `claim`; a server's order `mentions`; its upsert or identify `states`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from ecrm import bootstrap
from ecrm.application.identity import Authority, Person, root, whose
from ecrm.application.mergers import merge, unmerge
from ecrm.domain.customers import Identifier, Kind
from ecrm.domain.errors import Erased
from tests.builders import NOON
from tests.cloud import Cloud
from tests.faults import Kept

U1, U2, U9 = (Identifier(Kind.USER_ID, name, "de") for name in ("u-1", "u-2", "u-9"))
U1_IN_FRANCE = Identifier(Kind.USER_ID, "u-1", "fr")
E1, E2 = (Identifier(Kind.EMAIL, f"{name}@example.com") for name in ("sara", "omid"))
P1 = Identifier(Kind.PHONE, "+989121234567")
B1, B2, EVIL = (Identifier(Kind.ANONYMOUS_ID, name, "de") for name in ("browser-1", "browser-2", "evil"))


@dataclass(frozen=True)
class Told:
    """Something that is said, and whose it is then: the customers of a story by the order in which they came."""

    authority: Authority
    is_statement: bool
    identifiers: tuple[Identifier, ...]
    whose: int


def claims(*identifiers: Identifier, of: int) -> Told:
    return Told(Authority.CLAIM, False, identifiers, of)  # noqa: FBT003 (by its name it reads worse)


def mentions(*identifiers: Identifier, of: int) -> Told:
    return Told(Authority.VOUCHER, False, identifiers, of)  # noqa: FBT003


def states(*identifiers: Identifier, of: int) -> Told:
    return Told(Authority.VOUCHER, True, identifiers, of)  # noqa: FBT003


STORIES: dict[str, list[Told]] = {
    # a visitor becomes known
    "a browser is the same visitor again": [claims(B1, of=0), claims(B1, of=0)],
    "a visitor who signs in keeps the past": [claims(B1, of=0), claims(U1, B1, of=0), claims(B1, of=0), claims(U1, of=0)],
    "a visitor who signs in elsewhere brings both pasts": [
        *(claims(U1, B1, of=0), claims(B2, of=1)),
        *(claims(U1, B2, of=0), claims(B2, of=0)),
    ],
    "a server's word makes a visitor known": [claims(B1, of=0), mentions(U1, E1, B1, of=0), mentions(E1, of=0)],
    "an order brings a known customer the visitor it names": [
        *(claims(B1, of=0), mentions(E1, of=1)),
        *(mentions(E1, B1, of=1), claims(B1, of=1)),
    ],
    "a visitor is not brought to a known customer by a claim": [
        *(claims(B1, of=0), mentions(U1, of=1)),
        *(claims(U1, B1, of=1), claims(B1, of=0)),
    ],
    "what a claim could not join, a server's word joins": [
        *(claims(B1, of=0), mentions(U1, of=1)),
        *(claims(U1, B1, of=1), states(U1, B1, of=1), claims(B1, of=1)),
    ],
    # shared devices
    "two who sign in on one browser are two": [claims(U1, B1, of=0), claims(U2, B1, of=1), claims(B1, of=0), claims(U2, of=1)],
    "a browser of somebody known gives another user id nothing": [mentions(U1, B1, of=0), claims(U2, B1, of=1), claims(B1, of=0)],
    "two who order on one browser under two addresses are two": [mentions(E1, B1, of=0), mentions(E2, B1, of=1)],
    "a browser of another stays with them": [claims(U1, B1, of=0), claims(U2, B2, of=1), claims(U1, B2, of=0), claims(B2, of=1)],
    "a guest on a browser where somebody had signed in is somebody else": [
        *(claims(U1, B1, of=0), mentions(E1, B1, of=1)),
        *(claims(B1, of=1), claims(U1, of=0)),
    ],
    # a public key takes over nobody
    "a claim of a known user id is theirs and adds nothing": [
        *(mentions(U1, E1, of=0), claims(U1, EVIL, of=0)),
        *(claims(EVIL, of=1), mentions(EVIL, of=1)),
    ],
    "a user id claimed before it was known is adopted with its first mention": [
        *(claims(U1, EVIL, of=0), mentions(U1, E1, of=0), mentions(E1, of=0)),
    ],
    "and the device that claimed it brings no order to them": [
        *(claims(U1, EVIL, of=0), mentions(U1, E1, of=0)),
        *(mentions(EVIL, of=1), mentions(E2, EVIL, of=1), mentions(U1, of=0)),
    ],
    "a claim is never adopted by an address": [
        claims(U9, EVIL, of=0),
        mentions(E1, of=1),
        mentions(U1, E1, of=1),
        claims(U9, of=0),
    ],
    "a device claimed under a stranger's user id goes to whom a server knows on it": [
        *(claims(U9, B1, of=0), mentions(U1, B1, of=1)),
        *(claims(B1, of=1), claims(U9, of=0)),
    ],
    "a stranger's claimed user id gets nothing of who orders as a guest on the same device": [
        *(claims(U9, B1, of=0), mentions(E1, B1, of=1)),
        *(mentions(U9, of=0), mentions(E1, of=1)),
    ],
    "a claimed user id that a server says of somebody known is theirs": [
        *(claims(U1, B1, of=0), mentions(E1, of=1)),
        *(states(U1, E1, of=1), claims(U1, of=1), claims(B1, of=1)),
    ],
    "one who claimed two user ids is split when a server says whose one is": [
        *(claims(U1, of=0), claims(U1_IN_FRANCE, of=1)),
        *(mentions(U1, E1, of=0), claims(U1_IN_FRANCE, of=1)),
    ],
    # what joins two whom a server knows
    "an order that names two joins nobody": [mentions(E1, of=0), mentions(U1, of=1), mentions(U1, E1, of=1), mentions(E1, of=0)],
    "a statement that names two by user id and address joins them": [
        *(mentions(E1, of=0), mentions(U1, of=1)),
        *(states(U1, E1, of=1), mentions(E1, of=1)),
    ],
    "two user ids of one site are never joined": [mentions(U1, E1, of=0), states(U2, E1, of=1), mentions(E1, of=0)],
    "nor are two whose addresses a statement names with one user id": [
        *(mentions(U1, E1, of=0), mentions(U2, E2, of=1)),
        *(states(U1, E2, of=0), mentions(E2, of=1)),
    ],
    "the user ids of two sites are joined by an address": [mentions(U1, E1, of=0), states(U1_IN_FRANCE, E1, of=0)],
    "a telephone alone joins nobody": [mentions(P1, of=0), mentions(U1, of=1), states(U1, P1, of=1), mentions(P1, of=0)],
    "a telephone beside an address finds nobody": [mentions(P1, of=0), states(E1, P1, of=1), mentions(P1, of=0)],
    "a claimed address does not exist: claims carry none": [mentions(E1, of=0), claims(U1, of=1), claims(B1, of=2)],
}


class Company:
    """Says things one after the other, a minute apart."""

    def __init__(self) -> None:
        self.came: list[str] = []
        self.now = NOON

    def tell(self, told: Told) -> str:
        """Keep what is said; gives the root of whose it is."""
        self.now += timedelta(minutes=1)
        return self.root(self.whose(told, self.now))

    def whose(self, told: Told, at: datetime, *, consistent: bool = False) -> str:
        person = Person(
            site="de",
            identifiers=told.identifiers,
            authority=told.authority,
            statement=told.is_statement,
            at=at,
            cause=f"{at}",
            source="test",
        )
        standing = whose(person, customers=bootstrap.customers(), now=self.now, ids=bootstrap.ids, consistent=consistent)
        if standing.claim is not None:
            bootstrap.customers().write(standing.claim, None, self.now)
        if standing.customer_id not in self.came:
            self.came.append(standing.customer_id)
        return standing.customer_id

    def root(self, customer_id: str) -> str:
        return root(customer_id, customers=bootstrap.customers()).customer_id


@pytest.fixture
def company(cloud: Cloud) -> Company:
    assert cloud.items() is not None
    return Company()


def test_each_story_ends_as_the_decision_says(cloud: Cloud) -> None:
    cloud.key()
    kept = Kept()
    for name, story in STORIES.items():
        kept.restore()
        company = Company()
        found = [company.tell(told) for told in story]
        assert (name, [told.whose for told in story]) == (name, [company.came.index(customer_id) for customer_id in found])
        there = [profile(customer_id) for customer_id in {*map(company.root, found)}]
        held = [identifier for customer in there for identifier in customer.identifiers if identifier not in customer.claimed]
        assert (name, len(held)) == (name, len({*held}))


def profile(customer_id: str) -> Any:
    found = bootstrap.customers().find(customer_id)
    assert found is not None
    return found


def test_what_only_a_claim_says_is_marked_until_a_voucher_says_it(company: Company) -> None:
    customer_id = company.tell(claims(U1, B1, of=0))
    assert (frozenset({U1, B1}), False) == (profile(customer_id).claimed, profile(customer_id).is_vouched)
    company.tell(mentions(U1, E1, of=0))
    assert (frozenset({B1}), True) == (profile(customer_id).claimed, profile(customer_id).is_vouched)
    company.tell(mentions(U1, B1, of=0))
    assert frozenset() == profile(customer_id).claimed


def test_who_is_known_is_written_no_more(company: Company, cloud: Cloud) -> None:
    for told in (claims(U1, B1, of=0), mentions(U1, E1, B1, of=0)):
        company.tell(told)
        before = cloud.items()
        company.tell(told)
        assert before == cloud.items()


def test_a_claim_changes_no_item_of_a_customer_whom_a_server_knows(company: Company, cloud: Cloud) -> None:
    company.tell(mentions(U1, E1, B1, of=0))
    before = cloud.items()
    for told in (claims(U1, EVIL, of=0), claims(B1, of=0), claims(U1, B2, of=0)):
        company.tell(told)
        assert before == cloud.items()


def test_one_who_was_merged_by_hand_is_found_by_all_that_either_held_and_apart_again_after(company: Company) -> None:
    ids = [company.tell(mentions(U1, of=0)), company.tell(mentions(E1, of=1))]
    hand: dict[str, Any] = {"site": "de", "source": "test", "customers": bootstrap.customers(), "clock": bootstrap.clock}
    merge(ids[0], ids[1], None, **hand)
    assert [ids[0]] * 2 == [company.tell(mentions(one, of=0)) for one in (U1, E1)]
    unmerge(ids[0], ids[1], None, **hand)
    assert ids == [company.tell(mentions(one, of=0)) for one in (U1, E1)]


def test_an_older_fact_of_the_erased_is_refused_and_a_newer_one_begins_anew(company: Company) -> None:
    first = company.tell(mentions(U1, E1, of=0))
    erased_at = company.now
    customers = bootstrap.customers()
    bootstrap.table().write(customers.tombstones(profile(first), erased_at))
    for told in (mentions(E1, of=0), claims(U1, of=0)):
        with pytest.raises(Erased):
            company.whose(told, erased_at, consistent=True)
    again = company.whose(mentions(E1, of=1), erased_at + timedelta(seconds=1), consistent=True)
    assert first != again
    with pytest.raises(Erased):
        company.whose(mentions(E1, of=1), erased_at, consistent=True)
