from datetime import timedelta
from itertools import permutations

import pytest

from ecrm.domain.customers import (
    ROLE_LOCAL_PARTS,
    Customer,
    Identifier,
    Kind,
    are_different_people,
    identifiers_of,
    is_same_person,
    speaks,
    with_identifiers,
)
from ecrm.domain.errors import Flaw, Invalid
from tests.builders import NOON

SARA = Identifier(Kind.USER_ID, "u-1", "de")
TOM = Identifier(Kind.USER_ID, "u-2", "de")
SARA_IN_VIENNA = Identifier(Kind.USER_ID, "u-9", "at")
MAIL = Identifier(Kind.EMAIL, "sara@example.com")
OTHER_MAIL = Identifier(Kind.EMAIL, "tom@example.com")
DEVICE = Identifier(Kind.ANONYMOUS_ID, "browser", "de")
PHONE = Identifier(Kind.PHONE, "+989121234567")


def holder(*identifiers: Identifier) -> Customer:
    return Customer("c1", identifiers, NOON)


def test_identifiers_stand_strongest_first_and_a_user_id_and_a_device_belong_to_their_site() -> None:
    given = identifiers_of("de", user_id="u-1", email="sara@example.com", phone="+989121234567", anonymous_id="browser")
    assert (SARA, MAIL, DEVICE, PHONE) == given


def test_somebody_without_an_identifier_is_nobody() -> None:
    with pytest.raises(Invalid) as refused:
        identifiers_of("de", user_id=None, email=None, phone=None, anonymous_id=None)
    flaw = Flaw("/customer", "no_identifier", "name the customer by user_id, email, phone or anonymous_id")
    assert ("no_identifier", (flaw,)) == (refused.value.code, refused.value.flaws)


@pytest.mark.parametrize(
    ("given", "speaking"),
    [
        ((SARA, MAIL, DEVICE, PHONE), (SARA, MAIL, DEVICE)),
        ((SARA, PHONE), (SARA,)),
        ((MAIL, PHONE), (MAIL,)),
        ((DEVICE, PHONE), (DEVICE, PHONE)),
        ((PHONE,), (PHONE,)),
    ],
)
def test_a_phone_speaks_only_where_nothing_better_was_given(
    given: tuple[Identifier, ...], speaking: tuple[Identifier, ...]
) -> None:
    assert speaking == tuple(i for i in given if speaks(i, given))


@pytest.mark.parametrize(
    ("one", "other", "different"),
    [
        (holder(SARA), holder(TOM), True),
        (holder(SARA), holder(SARA, MAIL), False),
        (holder(SARA), holder(SARA_IN_VIENNA), False),
        (holder(SARA, SARA_IN_VIENNA), holder(TOM), True),
        (holder(MAIL), holder(OTHER_MAIL), False),
        (holder(DEVICE), holder(SARA), False),
    ],
    ids=str,
)
def test_two_user_ids_of_one_site_tell_two_customers_apart(one: Customer, other: Customer, different: bool) -> None:  # noqa: FBT001
    assert [different] * 2 == [are_different_people(one, other), are_different_people(other, one)]


@pytest.mark.parametrize(
    ("customer", "visitor"), [(holder(DEVICE), True), (holder(), True), (holder(DEVICE, PHONE), False)], ids=str
)
def test_a_visitor_is_known_by_devices_alone(customer: Customer, visitor: bool) -> None:  # noqa: FBT001
    assert visitor is customer.is_visitor


@pytest.mark.parametrize(
    ("given", "by", "known", "same"),
    [
        ((SARA, MAIL), SARA, holder(SARA, OTHER_MAIL), True),
        ((SARA, MAIL), MAIL, holder(MAIL), True),
        ((SARA, MAIL), MAIL, holder(MAIL, TOM), False),
        ((SARA, MAIL), MAIL, holder(MAIL, SARA, TOM), False),
        ((SARA, MAIL), MAIL, holder(MAIL, SARA_IN_VIENNA), True),
        ((SARA, DEVICE), DEVICE, holder(DEVICE, TOM), False),
        ((SARA, DEVICE), DEVICE, holder(DEVICE), True),
        ((MAIL, DEVICE), DEVICE, holder(DEVICE, OTHER_MAIL), False),
        ((MAIL, DEVICE), DEVICE, holder(DEVICE, MAIL, OTHER_MAIL), True),
        ((MAIL, DEVICE), DEVICE, holder(DEVICE), True),
        ((DEVICE, PHONE), PHONE, holder(PHONE, TOM), True),
    ],
    ids=str,
)
def test_two_user_ids_of_one_site_are_two_people_and_so_are_two_addresses_on_one_device(
    given: tuple[Identifier, ...],
    by: Identifier,
    known: Customer,
    same: bool,  # noqa: FBT001
) -> None:
    assert same is is_same_person(given, by, known)


@pytest.mark.parametrize("local", sorted(ROLE_LOCAL_PARTS))
def test_a_mailbox_of_a_function_is_no_person(local: str) -> None:
    assert holder(SARA, Identifier(Kind.EMAIL, f"{local.title()}@example.com")).has_role_address


@pytest.mark.parametrize("email", ["sara@example.com", "information@example.com", "sara@info.example"])
def test_a_persons_mailbox_is_a_persons(email: str) -> None:
    assert not holder(Identifier(Kind.EMAIL, email)).has_role_address


def test_a_user_id_that_reads_like_a_role_is_no_address() -> None:
    assert not holder(Identifier(Kind.USER_ID, "info@example.com", "de")).has_role_address


HOUR = timedelta(hours=1)
E1, E2, E3 = (Identifier(Kind.EMAIL, f"{name}@example.com") for name in ("one", "two", "three"))


def test_a_customer_is_reached_where_was_stated_last_whatever_order_the_statements_arrive_in() -> None:
    facts = [(E1, NOON), (E2, NOON + 2 * HOUR), (E3, NOON + HOUR), (E1, NOON - HOUR)]
    for told in permutations(facts):
        customer = holder(SARA)
        for identifier, at in told:
            customer = with_identifiers(customer, [identifier], at)
        assert (E2, {SARA, E1, E2, E3}, {Kind.EMAIL: NOON + 2 * HOUR}) == (
            customer.identifiers[-1],
            set(customer.identifiers),
            customer.stated,
        )


def test_what_an_order_mentions_does_not_change_where_a_customer_is_reached() -> None:
    reached = with_identifiers(holder(SARA), [E1], NOON)
    mentioned = with_identifiers(reached, [E2, PHONE], None)
    assert ((SARA, E2, E1, PHONE), {Kind.EMAIL: NOON}) == (mentioned.identifiers, mentioned.stated)
    assert (SARA, E2, PHONE, E1) == with_identifiers(holder(SARA, E2, PHONE, E1), [E2], None).identifiers


def test_going_back_to_an_old_address_is_a_change() -> None:
    changed = with_identifiers(with_identifiers(holder(SARA), [E1], NOON), [E2], NOON + HOUR)
    assert (SARA, E2, E1) == with_identifiers(changed, [E1], NOON + 2 * HOUR).identifiers
